import { beforeEach, expect, test, vi } from 'vitest';

vi.hoisted(() => vi.stubGlobal('location', { hash: '' }));
vi.mock('./engine', () => import('./engine.fake'));

import type { Metrics, Outcome } from '../engine/protocol';
import { example } from '../engine/recording.example';
import { engine } from './engine.fake';
import { race } from './race';
import { app } from './state.svelte';

const outcome = example().race?.outcome as Outcome;
const at = (step: number) => ({ of: 'race', students: [{ name: 'pca', seed: 0, step, steps: 200, curve: [] }] }) as unknown as Metrics;

beforeEach(() => {
  engine.fresh();
  app.outcome = app.racing = app.racedFrom = app.recording = null;
});

test('each quarter is said once, however many steps lie between two messages', async () => {
  const said: string[] = [];
  engine.gives.race = ({ metrics }) => {
    for (const step of [10, 50, 60, 160, 200]) {
      metrics(at(step));
      said.push(app.status);
    }
    return outcome;
  };
  await race();
  const [start, quarter, three] = ['The race starts.', 'A quarter of the steps are done.', 'Three quarters of the steps are done.'];
  expect(said).toEqual([start, quarter, quarter, three, three]);
  expect([app.status, app.outcome, app.racedFrom]).toEqual(['The race is over.', outcome, null]);
});

test('an outcome that was played is known as recorded', async () => {
  app.recording = example();
  engine.gives.race = () => outcome;
  await race();
  expect(app.racedFrom).toBe(app.recording);
});

test('a race that fails leaves no outcome of the one before', async () => {
  app.outcome = outcome;
  engine.gives.race = () => Promise.reject(new Error('lost'));
  await race();
  expect([app.outcome, app.error]).toEqual([null, 'lost']);
});
