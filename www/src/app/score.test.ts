import { beforeEach, expect, test, vi } from 'vitest';

vi.hoisted(() => {
  vi.stubGlobal('location', { hash: '' });
  vi.stubGlobal('requestAnimationFrame', () => 0);
});
vi.mock('./engine', () => import('./engine.fake'));
vi.mock('./store', () => import('./store.fake'));

import type { Metrics } from '../engine/protocol';
import { example } from '../engine/recording.example';
import { engine } from './engine.fake';
import { score } from './score';
import { app } from './state.svelte';
import { CHOSEN, FOUND, SAMPLES, SCORED } from './state.example';
import { store } from './store.fake';

const source = { kind: 'built-in', name: 'sign-digits' } as const;
const load = { imageSize: 32, cap: 0 };
const at = (epoch: number) => ({ of: 'score', epoch, epochs: 10 }) as Metrics;
let said: string[];

beforeEach(() => {
  engine.fresh();
  engine.memory = { source, valFraction: 0.2, seed: 0, scores: 'csv', load };
  said = [];
  engine.gives.prune = () => CHOSEN;
  engine.gives.score = ({ samples, metrics, checkpoint }) => {
    said.push(app.status);
    samples(SAMPLES);
    for (const epoch of [0, 0, 1]) {
      metrics(at(epoch));
      said.push(app.status);
    }
    checkpoint([Uint8Array.of(7)]);
    return SCORED;
  };
  store.clear();
  app.forget();
  app.found = FOUND;
  app.source = source;
  app.recording = app.error = null;
  app.stage = 'Pick';
  app.settings.ipc = 5;
  app.settings.grid = 1;
});

test('a run is followed, and pruned as soon as it is scored', async () => {
  await score();
  expect(said).toEqual(['Decoding the images.', 'The proxy is training.', 'The proxy is training.', 'Epoch 1 of 10 is done.']);
  expect([app.stage, app.scored, app.samples, app.chosen, app.scoredFrom]).toEqual(['Score', SCORED, SAMPLES, CHOSEN, null]);
  expect(app.settings.ipc).toBe(1);
  expect(app.status).toBe('Scored 3 images over 2 epochs.');
});

test('scoring again begins without what the last run left', async () => {
  await score();
  engine.gives.score = () => {
    expect([app.scored, app.scoring, app.chosen]).toEqual([null, null, null]);
    return SCORED;
  };
  await score();
  expect([app.scored, app.error]).toEqual([SCORED, null]);
});

test('setup, checkpoint and scores are put aside for another session', async () => {
  store.set('scored', 'of a run before');
  store.set('checkpoint', 'of a run before');
  let left: string[] = [];
  const run = engine.gives.score;
  engine.gives.score = (...asked) => {
    left = [...store.keys()];
    return run?.(...asked);
  };
  await score();
  expect(left).toEqual(['setup']);
  expect(store.get('setup')).toMatchObject({ source, found: FOUND });
  expect(store.get('checkpoint')).toEqual(Uint8Array.of(7));
  expect(store.get('scored')).toEqual({ scored: SCORED, samples: SAMPLES, csv: 'csv', load });
});

test('what is played from a recording is put aside nowhere, and known as recorded', async () => {
  const recording = example();
  app.recording = recording;
  // Played, there are no checkpoints.
  engine.gives.score = ({ samples }) => {
    samples(SAMPLES);
    return SCORED;
  };
  await score();
  expect(app.scoredFrom).toBe(recording);
  expect(store.size).toBe(0);
});

test('a run that goes on has its checkpoint until there are scores', async () => {
  const checkpoint = Uint8Array.of(3);
  store.set('checkpoint', checkpoint);
  engine.gives.score = () => Promise.reject(new Error('Stopped.'));
  await score(checkpoint);
  expect(engine.asked.map(([name]) => name)).toEqual(['score']);
  expect(engine.asked[0]?.[1]).toMatchObject({ checkpoint });
  expect([app.scored, app.error, store.get('checkpoint')]).toEqual([null, 'Stopped.', checkpoint]);
});

test('without a set nothing runs', async () => {
  app.found = null;
  await score();
  expect([engine.asked, app.stage]).toEqual([[], 'Pick']);
});
