// Every setting of a run, and how they stand in the address after the #.

import type { Grid, Rule } from '../engine/protocol';

export interface Settings {
  /** A built-in set, or empty for a folder of one's own. */
  set: string;
  size: number;
  cap: number;
  val: number;
  epochs: number;
  width: number;
  batch: number;
  seed: number;
  ipc: number;
  grid: Grid;
  rule: Rule;
  window: number;
  /** Smallest crop as a share of the tile. */
  r: number;
  steps: number;
  /** Learning rates of the proxy and of the students. */
  scorelr: number;
  lr: number;
  seeds: number;
  device: 'auto' | 'webgpu' | 'flex';
}

export const DEFAULTS: Settings = {
  set: '',
  size: 32,
  cap: 0,
  val: 0.2,
  epochs: 10,
  width: 16,
  batch: 16,
  seed: 0,
  ipc: 1,
  grid: 2,
  rule: 'easy',
  window: 0.1,
  r: 0.5,
  steps: 200,
  scorelr: 0.004,
  lr: 0.01,
  seeds: 5,
  device: 'auto',
};

const RANGES: Partial<Record<keyof Settings, [number, number]>> = {
  size: [16, 224],
  cap: [0, 100_000],
  val: [0.05, 0.5],
  epochs: [1, 100],
  width: [2, 256],
  batch: [2, 512],
  seed: [0, 2 ** 32 - 1],
  ipc: [1, 1000],
  window: [0, 0.9],
  r: [0.05, 1],
  steps: [1, 10_000],
  scorelr: [1e-5, 1],
  lr: [1e-5, 1],
  seeds: [1, 10],
};
const CHOICES: Partial<Record<keyof Settings, readonly unknown[]>> = {
  set: ['', 'sign-digits', 'fashion-mnist'],
  grid: [1, 2, 3],
  rule: ['easy', 'hard', 'window', 'random'],
  device: ['auto', 'webgpu', 'flex'],
};
const FRACTIONS = new Set(['val', 'window', 'r', 'scorelr', 'lr']);

/** What a hash says, without what makes no sense. */
export function fromHash(hash: string): Settings {
  const given = new URLSearchParams(hash.replace(/^#/, ''));
  const settings: Record<string, unknown> = { ...DEFAULTS };
  for (const key of Object.keys(DEFAULTS) as (keyof Settings)[]) {
    const text = given.get(key);
    if (text === null) continue;
    const value = typeof DEFAULTS[key] === 'number' ? Number(text) : text;
    const range = RANGES[key];
    if (range && !(typeof value === 'number' && value >= range[0] && value <= range[1])) continue;
    if (range && !FRACTIONS.has(key) && !Number.isInteger(value)) continue;
    if (CHOICES[key] && !CHOICES[key].includes(value)) continue;
    settings[key] = value;
  }
  return settings as unknown as Settings;
}

/** The hash of what differs from the defaults. */
export function toHash(settings: Settings): string {
  const out = new URLSearchParams();
  for (const key of Object.keys(DEFAULTS) as (keyof Settings)[]) {
    if (settings[key] !== DEFAULTS[key]) out.set(key, String(settings[key]));
  }
  const text = out.toString();
  return text ? `#${text}` : '';
}

/** The address of this page with another hash. */
export const linkTo = (hash: string): string => new URL(hash, location.href.replace(/#.*/, '')).href;

const quote = (text: string) => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** What the program is called with for the same scores, selection, composites and transform. */
export function command(settings: Settings, folder: string, given: boolean): string {
  const { ipc, grid, rule, window, size, width, epochs, batch, seed, val, scorelr, r } = settings;
  return [
    `tilepress compress --data ${quote(folder)} --out small`,
    `--ipc ${ipc} --grid ${grid} --rule ${rule}${rule === 'window' ? ` --window-start ${window}` : ''}`,
    `--image-size ${size} --width ${width} --score-epochs ${epochs} --score-batch-size ${batch} --score-lr ${scorelr} --min-scale ${r} --seed ${seed}`,
    `--device cpu --on-error skip${given ? '' : ` --val-fraction ${val}`}`,
  ].join(' \\\n  ');
}
