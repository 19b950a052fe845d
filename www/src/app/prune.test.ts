import { beforeEach, expect, test, vi } from 'vitest';

vi.hoisted(() => vi.stubGlobal('location', { hash: '' }));
vi.mock('./engine', () => import('./engine.fake'));

import type { Choice } from '../engine/protocol';
import { example } from '../engine/recording.example';
import { engine } from './engine.fake';
import { prune } from './prune';
import { app } from './state.svelte';
import { CHOSEN, FOUND, SAMPLES } from './state.example';

beforeEach(() => {
  engine.fresh();
  app.found = FOUND;
  app.samples = { ...SAMPLES, labels: Uint32Array.from({ length: 40 }, (_, at) => at % 2) };
  Object.assign(app.settings, { ipc: 3, grid: 2 });
  app.error = null;
});

test('of changes that come while one is computed, only the last counts', async () => {
  const waiting: (() => void)[] = [];
  engine.gives.prune = (_, choice) =>
    new Promise((resolve) => waiting.push(() => resolve({ ...CHOSEN, perClass: (choice as Choice).ipc })));
  const first = prune();
  for (const ipc of [4, 5, 1]) {
    app.settings.ipc = ipc;
    await prune();
  }
  waiting.shift()?.();
  await vi.waitFor(() => expect(waiting).toHaveLength(1));
  waiting.shift()?.();
  await first;
  expect(engine.asked.map(([, choice]) => (choice as Choice).ipc)).toEqual([3, 1]);
  expect(app.chosen?.perClass).toBe(1);
});

test('no more is asked for than the smallest class has', async () => {
  app.settings.ipc = 1000;
  await prune();
  expect(app.settings.ipc).toBe(5);
});

test('what was made of another choice is gone', async () => {
  app.outcome = example().race?.outcome ?? null;
  app.combined = { 2: {} as never };
  await prune();
  expect([app.outcome, app.combined]).toEqual([null, {}]);
});

test('a choice that cannot be made is said, and the next one can be', async () => {
  engine.gives.prune = () => Promise.reject(new Error('too few images'));
  await prune();
  expect([app.chosen, app.error]).toEqual([null, 'too few images']);
  engine.gives.prune = () => CHOSEN;
  await prune();
  expect([app.chosen, app.error]).toEqual([CHOSEN, null]);
});
