// The border between what is kept and what is left out, in a row from the easiest image to the hardest, and the settings
// that put it there. The same number stays in every class, so that a border moved in one row moves in all.

import type { Grid, Rule } from '../engine/protocol';

export interface Cut {
  rule: Rule;
  ipc: number;
  grid: Grid;
  /** Share that the rule `window` skips. */
  window: number;
}

/** What a moved border changes. */
export type Moved = { ipc: number } | { window: number };

const STEP = 0.01;
const MOST_WINDOW = 0.9;

const within = (value: number, low: number, high: number) => Math.max(low, Math.min(high, value));
const hundredths = (share: number) => Math.round(share * 100) / 100;

export const keptOf = ({ ipc, grid }: Pick<Cut, 'ipc' | 'grid'>) => ipc * grid ** 2;

/** Images of a class that the window skips, as the engine counts them. */
const skipped = (size: number, share: number) => Math.round(size * share);

/** The largest IPC that every class has images for. */
export const mostIpc = (grid: Grid, sizes: number[]) => Math.max(1, Math.floor(Math.min(...sizes) / grid ** 2));

/** The largest share that can be skipped with enough images left in every class. */
export function mostWindow(cut: Pick<Cut, 'ipc' | 'grid'>, sizes: number[]): number {
  const kept = keptOf(cut);
  for (let share = MOST_WINDOW; share > 0; share = hundredths(share - STEP)) {
    if (sizes.every((size) => skipped(size, share) + kept <= size)) return share;
  }
  return 0;
}

/** How many images of a class lie left of the border; null where the rule has none. */
export function borderOf(cut: Cut, size: number): number | null {
  if (cut.rule === 'easy') return keptOf(cut);
  if (cut.rule === 'hard') return size - keptOf(cut);
  return cut.rule === 'window' ? skipped(size, cut.window) : null;
}

/** The leftmost and the rightmost place of the border. */
export function rangeOf(cut: Cut, size: number, sizes: number[]): [number, number] {
  const [few, many] = [1, mostIpc(cut.grid, sizes)].map((ipc) => keptOf({ ipc, grid: cut.grid })) as [number, number];
  if (cut.rule === 'easy') return [few, many];
  if (cut.rule === 'hard') return [size - many, size - few];
  return [0, skipped(size, mostWindow(cut, sizes))];
}

/** The setting that brings the border of a class of `size` nearest to `images` from the left. */
export function moveTo(cut: Cut, size: number, images: number, sizes: number[]): Moved {
  if (cut.rule === 'window') return { window: within(hundredths(images / size), 0, mostWindow(cut, sizes)) };
  const kept = cut.rule === 'hard' ? size - images : images;
  return { ipc: within(Math.round(kept / cut.grid ** 2), 1, mostIpc(cut.grid, sizes)) };
}

/** The setting after so many steps to the right; less than none are steps to the left. */
export function moveBy(cut: Cut, steps: number, sizes: number[]): Moved {
  if (cut.rule === 'window') return { window: within(hundredths(cut.window + steps * STEP), 0, mostWindow(cut, sizes)) };
  return { ipc: within(cut.ipc + (cut.rule === 'hard' ? -steps : steps), 1, mostIpc(cut.grid, sizes)) };
}

/** What the border says, in words. */
export function inWords(cut: Cut, size: number): string {
  const kept = keptOf(cut);
  if (cut.rule === 'window') {
    return `${Math.round(cut.window * 100)} %: the ${skipped(size, cut.window)} easiest of ${size} are skipped, the next ${kept} stay`;
  }
  return `IPC ${cut.ipc}: the ${kept} ${cut.rule === 'hard' ? 'hardest' : 'easiest'} of ${size} stay`;
}
