import { beforeEach, expect, test, vi } from 'vitest';

vi.hoisted(() => vi.stubGlobal('location', { hash: '#ipc=3&grid=1' }));

import { app, STAGES } from './state.svelte';
import { CHOSEN, FOUND, SAMPLES, SCORED } from './state.example';

const reached = () => STAGES.filter((stage) => app.reachable(stage));

beforeEach(() => {
  app.forget();
  app.settings.cap = 0;
  app.settings.grid = 1;
});

test('the settings are those of the address', () => {
  expect(app.choice).toEqual({ ipc: 3, grid: 1, rule: 'easy', windowStart: 0.1, seed: 0 });
});

test('a stage is reached when those before it have left what it needs', () => {
  expect(reached()).toEqual(['Pick']);
  app.found = FOUND;
  expect(reached()).toEqual(['Pick', 'Score']);
  app.scored = SCORED;
  expect(reached()).toEqual([...STAGES]);
});

test('the cap of a class counts for training images, and for no others', () => {
  expect([app.train, app.planned]).toEqual([0, 0]);
  app.found = FOUND;
  expect([app.train, app.planned]).toEqual([3, 5]);
  app.settings.cap = 1;
  expect([app.train, app.planned]).toEqual([2, 4]);
});

test('the smallest class says how many can be stored', () => {
  expect([app.smallest, app.mostIpc]).toEqual([0, 1]);
  app.found = FOUND;
  app.samples = { ...SAMPLES, labels: Uint32Array.of(0, 1, 0, 1, 0, 1, 1, 0, 0) };
  expect([app.smallest, app.mostIpc]).toEqual([4, 4]);
  app.settings.grid = 2;
  expect(app.mostIpc).toBe(1);
  // A class whose images could not be decoded.
  app.samples = { ...SAMPLES, labels: Uint32Array.of(0, 0) };
  expect([app.smallest, app.mostIpc]).toEqual([0, 1]);
});

test('another choice is forgotten without the scores, another set with them', () => {
  app.found = FOUND;
  app.scored = SCORED;
  app.chosen = CHOSEN;
  app.guess = 'pca';
  app.forgetChoice();
  expect([app.found, app.scored, app.chosen, app.guess]).toEqual([FOUND, SCORED, null, null]);
  app.chosen = CHOSEN;
  app.forget();
  expect([app.found, app.scored, app.chosen]).toEqual([null, null, null]);
});
