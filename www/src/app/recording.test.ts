import type { DeviceInfo } from 'tilepress';
import { beforeEach, expect, test, vi } from 'vitest';

vi.hoisted(() => {
  vi.stubGlobal('location', { hash: '' });
  vi.stubGlobal('requestAnimationFrame', () => 0);
});
vi.mock('./engine', () => import('./engine.fake'));
vi.mock('./store', () => import('./store.fake'));

import { read, write } from '../engine/recording';
import { example } from '../engine/recording.example';
import { DEFAULTS } from '../lib/settings';
import { engine, recorder } from './engine.fake';
import { record, recordable, rewind, watch } from './recording';
import { app } from './state.svelte';
import { FOUND, SAMPLES, SCORED } from './state.example';

const names = () => engine.asked.map(([name]) => name);

beforeEach(() => {
  engine.fresh();
  engine.gives = {
    read: () => FOUND,
    score: ({ samples }) => {
      samples(SAMPLES);
      return SCORED;
    },
  };
  recorder.score = recorder.race = null;
  app.forget();
  app.source = app.recording = app.error = null;
  app.settings = { ...DEFAULTS, device: 'flex' };
});

test('the recording of a folder waits for it, with its own settings and the device that is asked for', async () => {
  app.found = FOUND;
  await watch(await write(example()), 'photos.tilepress-run');
  expect(names()).toEqual([]);
  expect([app.found, app.recording?.set.name, app.error]).toEqual([null, 'photos', null]);
  expect(app.settings).toMatchObject({ epochs: 2, steps: 40, ipc: 1, grid: 1, device: 'flex' });
  expect(app.status).toBe('The recording of photos is open.');
});

test('that of a built-in set is read and scored at once', async () => {
  const recording = example();
  recording.set.builtIn = 'sign-digits';
  await watch(await write(recording), 'signs.tilepress-run');
  expect(names()).toEqual(['read', 'memory', 'score', 'prune']);
  expect(app.scoredFrom).toBe(app.recording);
});

test('a file that is no recording changes nothing', async () => {
  app.found = FOUND;
  await watch(new Blob(['no recording']), 'notes.txt');
  expect(app.error).toMatch(/^notes\.txt is not a recording/);
  expect([app.found, app.recording]).toEqual([FOUND, null]);
});

test('back at the settings of the recording, what was computed with others is computed again', () => {
  rewind();
  expect(app.settings.epochs).toBe(DEFAULTS.epochs);
  app.recording = example();
  app.found = FOUND;
  app.scored = SCORED;
  rewind();
  expect(app.settings.epochs).toBe(2);
  expect(names()).toEqual(['memory', 'prune']);
});

test('a run that was seen whole is recorded, its race only while its outcome is shown', async () => {
  const { score, race } = example();
  app.scored = SCORED;
  expect(recordable()).toBe(false);
  await expect(record()).rejects.toThrow('There is no run to record.');
  Object.assign(recorder, { score, race });
  expect(recordable()).toBe(true);
  app.found = FOUND;
  app.version = '1.2';
  app.device = { description: 'the CPU' } as DeviceInfo;
  app.source = { kind: 'built-in', name: 'sign-digits' };
  engine.memory = { source: app.source, valFraction: 0.3, seed: 0 };
  const alone = await read(await record(), 'a');
  expect(alone.made).toMatchObject({ version: '1.2', device: 'the CPU' });
  expect(alone.set).toMatchObject({ name: 'photos', builtIn: 'sign-digits', valFraction: 0.3 });
  expect(alone.race).toBe(null);
  app.outcome = race?.outcome ?? null;
  expect((await read(await record(), 'a')).race?.outcome).toEqual(race?.outcome);
});
