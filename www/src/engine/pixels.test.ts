import { expect, test } from 'vitest';

import { shrink } from './pixels';

const grey = (...values: number[]) => Uint8Array.from(values.flatMap((value) => [value, value, value]));

test('a shrunk pixel is the mean of those it covers', () => {
  expect(shrink(grey(0, 100, 40, 60), 1, 2, 1)).toEqual(grey(50));
});

test('an even image stays even', () => {
  const even = (side: number) => grey(...new Array<number>(side ** 2).fill(77));
  expect(shrink(even(6), 1, 6, 3)).toEqual(even(3));
});

test('images of a block stay apart', () => {
  const two = grey(0, 0, 0, 0, 200, 200, 200, 200);
  expect(shrink(two, 2, 2, 1)).toEqual(grey(0, 200));
});
