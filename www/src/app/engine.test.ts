import type { DeviceInfo } from 'tilepress';
import { beforeEach, expect, test, vi } from 'vitest';

import type { Events } from '../engine/client';

const made = vi.hoisted(() => {
  vi.stubGlobal('location', { hash: '#device=webgpu&fail-after=12' });
  vi.stubGlobal('document', { baseURI: 'https://host/page/index.html#x' });
  return { base: '', device: '', failAfter: 0, events: {} as Events };
});
vi.mock('./offline', () => ({ keepForOffline: () => Promise.reject(new Error('no service worker')) }));
vi.mock('../engine/client', () => ({
  makeWorker: () => {},
  Engine: class {
    constructor(_: unknown, base: string, events: Events, device: string, failAfter: number) {
      Object.assign(made, { base, events, device, failAfter });
    }
  },
}));

import { example } from '../engine/recording.example';
import { METHODS } from '../lib/methods.example';
import { engine, leave, play } from './engine';
import { app } from './state.svelte';

const gpu = { device: 'webgpu', description: 'a card', reason: 'it is there' } as DeviceInfo;
const cpu = { device: 'flex', description: 'the CPU', reason: 'it was asked for' } as DeviceInfo;

beforeEach(() => {
  app.notice = app.error = null;
});

test('the engine is made with what the address says', () => {
  expect(made).toMatchObject({ base: 'https://host/page/', device: 'webgpu', failAfter: 12 });
});

test('it says when it is ready, and on what it runs', () => {
  made.events.progress({ label: 'Loading the engine', done: 1, total: 2 });
  expect(app.loading?.done).toBe(1);
  made.events.ready(gpu, '1.2', METHODS);
  expect([app.device, app.version, app.methods, app.loading]).toEqual([gpu, '1.2', METHODS, null]);
  expect(app.status).toBe('The engine is ready and runs on WebGPU.');
});

test('a device that fails is a notice of one line, and the reason for the next one', () => {
  made.events.restarted('out of memory\nat frame 1\nat frame 2');
  expect(app.notice).toMatch(/The reason given: out of memory$/);
  expect(app.error).toBe(null);
  made.events.ready(cpu, '1.2', METHODS);
  expect(app.device).toEqual({ ...cpu, reason: 'WebGPU failed' });
});

test('an engine that cannot go on is an error with a remedy', () => {
  made.events.failed(Object.assign(new Error('The engine could not be started.'), { name: 'EngineError', code: 'run' as const }));
  expect(app.error).toBe('The engine could not be started. Reload the page to try again.');
});

test('who leaves a recording runs everything on this device', () => {
  const recording = example();
  play(recording);
  expect([app.recording, engine.recording]).toEqual([recording, recording]);
  leave();
  expect([app.recording, engine.recording]).toEqual([null, null]);
});
