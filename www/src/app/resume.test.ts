import { beforeEach, expect, test, vi } from 'vitest';

vi.hoisted(() => {
  vi.stubGlobal('location', { hash: '' });
  vi.stubGlobal('requestAnimationFrame', () => 0);
});
vi.mock('./engine', () => import('./engine.fake'));
vi.mock('./store', () => import('./store.fake'));

import { example } from '../engine/recording.example';
import { DEFAULTS } from '../lib/settings';
import { engine } from './engine.fake';
import { forgetLast, lookBack, resume } from './resume';
import { app } from './state.svelte';
import { CHOSEN, FOUND, SAMPLES, SCORED } from './state.example';
import { store } from './store.fake';

const source = { kind: 'built-in', name: 'sign-digits' } as const;
const load = { imageSize: 32, cap: 0 };
const scored = { scored: SCORED, samples: SAMPLES, csv: 'csv', load };
const names = () => engine.asked.map(([name]) => name);

beforeEach(() => {
  engine.fresh();
  engine.gives = { recall: () => null, prune: () => CHOSEN };
  store.clear();
  store.set('setup', { source, settings: { ...DEFAULTS, seed: 7 }, found: FOUND });
  app.forget();
  app.source = app.last = app.error = null;
  app.stage = 'Pick';
  app.settings = { ...DEFAULTS };
});

test('a closed session is offered with how far it came', async () => {
  await lookBack();
  expect(app.last).toEqual({ name: 'photos', how: 'picked, not scored yet' });
  store.set('checkpoint', Uint8Array.of(1));
  await lookBack();
  expect(app.last?.how).toBe('in the middle of scoring');
  store.set('scored', scored);
  await lookBack();
  expect(app.last?.how).toBe('scored');
});

test('nothing is offered when nothing was left, or something is picked meanwhile', async () => {
  const looking = lookBack();
  app.found = FOUND;
  await looking;
  expect(app.last).toBe(null);
  app.found = null;
  store.clear();
  await lookBack();
  expect(app.last).toBe(null);
});

test('a session with scores goes on behind them, live', async () => {
  app.recording = example();
  store.set('scored', scored);
  await resume();
  expect(names()).toEqual(['recall', 'memory', 'prune']);
  expect(engine.asked[0]?.[1]).toEqual({ source, valFraction: DEFAULTS.val, seed: 7, load, scores: 'csv' });
  expect([app.stage, app.scored, app.samples, app.chosen, app.source]).toEqual(['Score', SCORED, SAMPLES, CHOSEN, source]);
  expect(app.recording).toBe(null);
  expect([app.settings.seed, app.status]).toEqual([7, 'Back at photos, with its scores.']);
});

test('one in mid-training is scored from its checkpoint', async () => {
  const checkpoint = Uint8Array.of(1);
  store.set('checkpoint', checkpoint);
  await resume();
  expect(names()).toEqual(['recall', 'memory', 'score']);
  expect(engine.asked[2]?.[1]).toMatchObject({ checkpoint, seed: 7 });
});

test('one that was only picked is picked again, and its offer is gone', async () => {
  app.last = { name: 'photos', how: 'picked, not scored yet' };
  await resume();
  expect(names()).toEqual(['recall', 'memory']);
  expect([app.stage, app.found, app.last]).toEqual(['Pick', FOUND, null]);
});

test('one whose files are gone stays offered, with the reason', async () => {
  app.last = { name: 'photos', how: 'scored' };
  engine.gives.recall = () => Promise.reject(new Error('a.png is not there any more'));
  await resume();
  expect([app.found, app.last?.name, app.error]).toEqual([null, 'photos', 'a.png is not there any more']);
});

test('a forgotten session is gone before its offer', async () => {
  app.last = { name: 'photos', how: 'scored' };
  const forgetting = forgetLast();
  expect(app.last).not.toBe(null);
  await forgetting;
  expect([app.last, store.size]).toEqual([null, 0]);
});
