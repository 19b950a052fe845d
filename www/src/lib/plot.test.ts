import { expect, test } from 'vitest';

import { align, counts, ticks, upTo } from './plot';

test('series that were read at different steps share their steps, with gaps where one has nothing', () => {
  const first = [{ x: 0, y: 2 }, { x: 16, y: 1 }];
  const second = [{ x: 8, y: 3 }, { x: 16, y: 2 }];
  expect(align([first, second])).toEqual([[0, 8, 16], [2, null, 1], [null, 3, 2]]);
  expect(align([])).toEqual([[]]);
  expect(align([[]])).toEqual([[], []]);
});

test('a gap is read as the last value before it', () => {
  expect(upTo([2, null, 1], 1)).toBe(2);
  expect(upTo([null, 3], 0)).toBeNull();
  expect(upTo([2, 1], 9)).toBe(1);
});

test('every value falls into exactly one bin, the largest into the last', () => {
  const values = [0, 0.1, 0.5, 0.999, 1, 1.2];
  const found = counts(values, 1, 4);
  expect(found).toEqual([2, 0, 1, 3]);
  expect(found.reduce((sum, count) => sum + count)).toBe(values.length);
});

test('ticks have the decimals that their step needs and no more', () => {
  expect(ticks([0, 0.5, 1], 0.5)).toEqual(['0.0', '0.5', '1.0']);
  expect(ticks([0, 0.25], 0.25)).toEqual(['0.00', '0.25']);
  expect(ticks([0, 100], 100)).toEqual(['0', '100']);
  expect(ticks([0, 0.001], 0.001)).toEqual(['0.000', '0.001']);
});
