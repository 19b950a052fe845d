import { beforeEach, expect, test, vi } from 'vitest';

vi.hoisted(() => vi.stubGlobal('location', { hash: '' }));
vi.mock('./engine', () => import('./engine.fake'));
vi.mock('./store', () => import('./store.fake'));

import type { Source } from '../engine/protocol';
import { example } from '../engine/recording.example';
import { engine } from './engine.fake';
import { measure, read } from './pick';
import { app } from './state.svelte';
import { FOUND, SCORED } from './state.example';
import { store } from './store.fake';

const builtIn = { kind: 'built-in', name: 'sign-digits' } as const;
const folder: Source = { kind: 'files', files: [] };
const recordingOf = (name: string | null) => {
  const recording = example();
  recording.set.builtIn = name;
  return recording;
};

beforeEach(() => {
  engine.fresh();
  engine.gives = { read: () => FOUND, memory: () => ({ fits: true }) };
  store.clear();
  app.forget();
  app.source = app.last = app.recording = app.error = null;
});

test('a set is read, measured, and kept in place of the last session', async () => {
  store.set('scored', 'of the last session');
  app.last = { name: 'old', how: 'scored' };
  app.scored = SCORED;
  await read(builtIn);
  expect([app.found, app.source, app.scored, app.last]).toEqual([FOUND, builtIn, null, null]);
  expect(app.memory).toEqual({ fits: true });
  expect(app.status).toBe('Found 5 images of 2 classes; 0 files left out.');
  expect(app.settings.set).toBe('sign-digits');
  await vi.waitFor(() => expect([...store.keys()]).toEqual(['setup']));
  expect(store.get('setup')).toEqual({ source: builtIn, settings: app.settings, found: FOUND });
});

test('what cannot be read leaves nothing, and the last session stays', async () => {
  engine.gives.read = () => Promise.reject(new Error('no classes'));
  store.set('setup', 'of the last session');
  app.found = FOUND;
  await read(folder);
  expect([app.found, app.source, app.error]).toEqual([null, null, 'no classes']);
  expect([...store.keys()]).toEqual(['setup']);
});

test('another set ends a recording, its own goes on with it and takes no session’s place', async () => {
  app.recording = recordingOf('fashion-mnist');
  await read(builtIn);
  expect(app.recording).toBe(null);
  await vi.waitFor(() => expect(store.size).toBe(1));
  store.clear();
  app.recording = recordingOf('sign-digits');
  await read(builtIn);
  expect(app.recording).not.toBe(null);
  // Which folder it is, the engine tells.
  app.recording = recordingOf(null);
  await read(folder);
  expect(app.recording).not.toBe(null);
  expect(store.size).toBe(0);
});

test('the estimate is of the present settings', async () => {
  app.found = FOUND;
  Object.assign(app.settings, { cap: 1, size: 48, epochs: 4 });
  await measure();
  expect(engine.asked).toEqual([['memory', { images: 4, train: 2, classes: 2, imageSize: 48, epochs: 4 }]]);
});
