import { expect, test } from 'vitest';

import type { Grid } from '../engine/protocol';
import { borderOf, type Cut, inWords, mostIpc, mostWindow, moveBy, moveTo, rangeOf } from './threshold';

const SIZES = [56, 48, 61];
const cut = (change: Partial<Cut> = {}): Cut => ({ rule: 'easy', ipc: 3, grid: 2, window: 0.1, ...change });

test('a border moved to where it stands changes nothing, in any class and by any rule', () => {
  for (const rule of ['easy', 'hard', 'window'] as const) {
    for (const grid of [1, 2, 3] as Grid[]) {
      for (let ipc = 1; ipc <= mostIpc(grid, SIZES); ipc += 1) {
        const now = cut({ rule, grid, ipc });
        const window = Math.min(0.25, mostWindow(now, SIZES));
        for (const size of SIZES) {
          const there = borderOf({ ...now, window }, size) as number;
          const moved = { ...now, window, ...moveTo({ ...now, window }, size, there, SIZES) };
          expect(borderOf(moved, size)).toBe(there);
        }
      }
    }
  }
});

test('a border never leaves its range, and the ends of the range can be reached', () => {
  for (const rule of ['easy', 'hard', 'window'] as const) {
    for (const size of SIZES) {
      const now = cut({ rule });
      const [low, high] = rangeOf(now, size, SIZES);
      for (const images of [-9, 0, 1, 20, size, 999]) {
        const there = borderOf({ ...now, ...moveTo(now, size, images, SIZES) }, size) as number;
        expect(there).toBeGreaterThanOrEqual(low);
        expect(there).toBeLessThanOrEqual(high);
      }
      expect(borderOf({ ...now, ...moveBy(now, -1000, SIZES) }, size)).toBe(low);
      expect(borderOf({ ...now, ...moveBy(now, 1000, SIZES) }, size)).toBe(high);
    }
  }
});

test('a step to the right moves the border to the right', () => {
  expect(moveBy(cut(), 1, SIZES)).toEqual({ ipc: 4 });
  expect(moveBy(cut({ rule: 'hard' }), 1, SIZES)).toEqual({ ipc: 2 });
  expect(moveBy(cut({ rule: 'window' }), 1, SIZES)).toEqual({ window: 0.11 });
});

test('with the widest window every class still has enough images', () => {
  for (let ipc = 1; ipc <= 12; ipc += 1) {
    const share = mostWindow({ ipc, grid: 2 }, SIZES);
    for (const size of SIZES) expect(Math.round(size * share) + ipc * 4).toBeLessThanOrEqual(size);
  }
  expect(mostWindow({ ipc: 12, grid: 2 }, SIZES)).toBe(0.01);
  expect(mostWindow({ ipc: 1, grid: 1 }, [1000])).toBe(0.9);
});

test('chance has no border, and the others say theirs in words', () => {
  expect(borderOf(cut({ rule: 'random' }), 56)).toBeNull();
  expect(inWords(cut(), 56)).toBe('IPC 3: the 12 easiest of 56 stay');
  expect(inWords(cut({ rule: 'hard' }), 56)).toBe('IPC 3: the 12 hardest of 56 stay');
  expect(inWords(cut({ rule: 'window' }), 56)).toBe('10 %: the 6 easiest of 56 are skipped, the next 12 stay');
});
