import type { DeviceInfo } from 'tilepress';
import { beforeEach, expect, test } from 'vitest';

import { Engine, type Line } from './client';
import type { FromWorker, ToWorker } from './protocol';

class FakeLine implements Line {
  heard: ToWorker[] = [];
  ended = false;
  onmessage: Line['onmessage'] = null;
  onerror: Line['onerror'] = null;
  postMessage(message: ToWorker) {
    this.heard.push(message);
  }
  terminate() {
    this.ended = true;
  }
  say(message: FromWorker) {
    this.onmessage?.({ data: message } as MessageEvent<FromWorker>);
  }
}

let lines: FakeLine[];
let restarts: string[];
let engine: Engine;
const module = {} as WebAssembly.Module;
const device = { device: 'webgpu' } as DeviceInfo;

beforeEach(() => {
  lines = [];
  restarts = [];
  engine = new Engine(
    () => {
      const line = new FakeLine();
      lines.push(line);
      return line;
    },
    'https://host/page/',
    { ready: () => {}, progress: () => {}, restarted: (reason) => restarts.push(reason), failed: () => {} },
  );
  lines[0]?.say({ type: 'ready', device, version: '1', methods: [], module });
});

const read = { source: { kind: 'built-in', name: 'x' } as const, valFraction: 0.2, seed: 0 };
const options = { imageSize: 8, cap: 0, epochs: 1, width: 2, batch: 2, lr: 0.002, seed: 0 };

test('a job is started, reports, and gives its result', async () => {
  const seen: string[] = [];
  const job = engine.start('read', read, { progress: ({ label }) => seen.push(label) });
  expect(lines[0]?.heard.map(({ type }) => type)).toEqual(['open', 'start']);
  lines[0]?.say({ type: 'progress', id: 1, progress: { label: 'half', done: 1, total: 2 } });
  lines[0]?.say({ type: 'done', id: 1, result: 'found' });
  expect(await job).toBe('found');
  expect(seen).toEqual(['half']);
});

test('an error keeps its code and message', async () => {
  const job = engine.start('read', read);
  lines[0]?.say({ type: 'error', id: 1, failure: { code: 'data', message: 'no classes' } });
  await expect(job).rejects.toMatchObject({ code: 'data', message: 'no classes', name: 'EngineError' });
});

test('pause, resume, step and stop go to the worker as they are', () => {
  engine.pause();
  engine.resume();
  engine.step();
  engine.stop();
  expect(lines[0]?.heard.slice(1).map(({ type }) => type)).toEqual(['pause', 'resume', 'step', 'stop']);
});

test('a lost device restarts the worker on the CPU from the last checkpoint', async () => {
  const first = engine.start('read', read);
  lines[0]?.say({ type: 'done', id: 1, result: null });
  await first;
  const job = engine.start('score', options);
  const parts = [Uint8Array.of(7)];
  lines[0]?.say({ type: 'checkpoint', id: 2, parts });
  lines[0]?.say({ type: 'error', id: 2, failure: { code: 'device', message: 'lost' } });
  expect(restarts).toEqual(['lost']);
  expect(lines[0]?.ended).toBe(true);
  const [open, start] = lines[1]?.heard ?? [];
  expect(open).toMatchObject({ type: 'open', device: 'flex', module, memory: { source: read.source } });
  expect(start).toMatchObject({ type: 'start', id: 2, job: 'score', options: { checkpoint: parts[0], epochs: 1 } });
  // The worker that is gone is not listened to.
  lines[0]?.say({ type: 'done', id: 2, result: 'stale' });
  lines[1]?.say({ type: 'done', id: 2, result: 'scored' });
  expect(await job).toBe('scored');
});

test('a device that fails again is an error and no endless loop', async () => {
  const job = engine.start('score', options);
  lines[0]?.say({ type: 'error', id: 1, failure: { code: 'device', message: 'lost' } });
  lines[1]?.say({ type: 'error', id: 1, failure: { code: 'device', message: 'lost again' } });
  await expect(job).rejects.toMatchObject({ code: 'device', message: 'lost again' });
  expect(lines).toHaveLength(2);
});
