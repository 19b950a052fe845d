import { expect, test } from 'vitest';

import { enlarge, shrink } from './pixels';

const grey = (...values: number[]) => Uint8Array.from(values.flatMap((value) => [value, value, value]));

test('enlarged pixels lie between the centres of the small ones', () => {
  const small = grey(0, 100, 0, 100);
  expect([...enlarge(small, 1, 2, 4)].filter((_, at) => at % 3 === 0).slice(0, 4)).toEqual([0, 25, 75, 100]);
});

test('an even image is the same at any sharpness', () => {
  const image = grey(...new Array<number>(36).fill(77));
  expect(enlarge(shrink(image, 1, 6, 3), 1, 3, 6)).toEqual(image);
});

test('images of a block stay apart', () => {
  const two = grey(0, 0, 0, 0, 200, 200, 200, 200);
  const large = enlarge(two, 2, 2, 4);
  expect(large.subarray(0, 48).every((value) => value === 0) && large.subarray(48).every((value) => value === 200)).toBe(true);
});
