// A set for the tests: three training images of two classes.

import type { Chosen, Found, Samples, Scored } from '../engine/protocol';
import { example } from '../engine/recording.example';

const { set, score } = example();

export const FOUND: Found = {
  name: set.name,
  classes: set.classes.map((one) => ({ ...one, pictures: [] })),
  valOrigin: 'held-out',
  said: [],
  leftOut: [],
  images: 5,
  paths: set.paths,
  bytes: 1234,
};
export const SAMPLES: Samples = { side: 1, rgb: new Uint8Array(9), labels: Uint32Array.of(0, 0, 1), paths: set.paths.slice(0, 3) };
export const SCORED: Scored = score.scored;
export const CHOSEN = { picks: [], perClass: 1, findings: { sharedWithVal: [] } } as unknown as Chosen;
