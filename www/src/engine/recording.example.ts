// A recording for the tests.

import type { Recording } from './recording';

export const floats = (...values: number[]) => Float32Array.from(values);

/** Three images of two classes, two epochs, and a race of two students. */
export function example(): Recording {
  const curve = Array.from({ length: 40 }, (_, at) => ({ step: at + 1, loss: 2 - at / 40 }));
  const standing = { images: 3, top1AtTileSize: null, top5: null, perClass: [40, null], confused: null };
  return {
    made: { at: '2026-11-25T12:00:00.000Z', version: '0.1.0', device: 'the CPU' },
    set: {
      name: 'photos',
      builtIn: null,
      valFraction: 0.2,
      classes: [
        { name: 'cat', train: 2, val: 1 },
        { name: 'dog', train: 1, val: 1 },
      ],
      paths: ['cat/a.png', 'cat/b, c.png', 'dog/d.png', 'cat/e.png', 'dog/f.png'],
    },
    score: {
      options: { imageSize: 32, cap: 0, epochs: 2, width: 8, batch: 16, lr: 0.004, seed: 0 },
      took: 60_000,
      steps: 40,
      marks: [
        [10_000, 1, 100],
        [30_000, 20, 110],
        [60_000, 40, 120],
      ],
      curve,
      accuracy: [0.5, 0.75],
      scored: {
        scores: Float64Array.of(0.1 + 0.2, 1.5, 2),
        epochs: [
          { pLabel: floats(0.9, 0.2, 0.1), pOther: floats(0.1, 0.8, 0.9), el2n: floats(0.1, 1, 1.2) },
          { pLabel: floats(1, 0.6, 0.4), pOther: floats(0, 0.4, 0.6), el2n: floats(0.2, 0.5, 0.8) },
        ] as Recording['score']['scored']['epochs'],
        suspects: [{ sample: 2, aum: -0.5, lateMargin: -0.4, confidence: 0.8 }],
        nearDuplicates: [['cat/a.png', 'dog/d.png']],
        sharedWithVal: [],
        leftOut: [{ path: 'cat/x.png', reason: 'no image' }],
        counted: 2,
        stopped: false,
        bytes: 1234,
      },
      csv: 'path,class,el2n\n',
    },
    race: {
      options: {
        choice: { ipc: 1, grid: 1, rule: 'easy', windowStart: 0.1, seed: 0 },
        imageSize: 32,
        width: 8,
        steps: 40,
        batch: 16,
        lr: 0.01,
        seeds: 1,
        minScale: 0.5,
      },
      took: 90_000,
      steps: 40,
      marks: [
        [0, 1, 50],
        [90_000, 40, 50],
      ],
      students: [
        { name: 'pca', seed: 0, curve },
        { name: 'random', seed: 0, curve },
      ],
      outcome: {
        standings: [
          { ...standing, name: 'pca', seed: 0, top1: 50 },
          { ...standing, name: 'random', seed: 0, top1: 40 },
        ],
        methods: [
          { name: 'pca', seeds: 1, top1: 50, sd: null, interval: [10, 90], aboveChance: false },
          { name: 'random', seeds: 1, top1: 40, sd: null, interval: [5, 85], aboveChance: false },
        ],
        comparisons: [
          {
            ...{ a: 'pca', b: 'random', difference: 10, interval: null, adjustedInterval: null, p: null, adjustedP: null, noise: null },
            ...{ pairs: 1, seedsNeeded: null, verdict: 'untested', sentence: 'One seed tells nothing.' },
          },
        ],
        stored: [
          { name: 'pca', images: 2, bytes: 100 },
          { name: 'random', images: 2, bytes: 100 },
        ],
        stopped: false,
        chance: 50,
      },
    },
  };
}
