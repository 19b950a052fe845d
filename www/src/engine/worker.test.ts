// The worker's side, with the real package as the build put it beside the page.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { unzipSync } from 'fflate';
import { beforeAll, describe, expect, test } from 'vitest';

import { METHODS } from '../lib/methods.example';
import { ENTRANTS } from './entrants';
import type { FromWorker, Metrics, Saved, Scored, ToWorker } from './protocol';
import { grayPng } from './sets';

const dist = new URL('../../dist/', import.meta.url);
const wasm = fileURLToPath(new URL('pkg/tilepress_bg.wasm', dist));

const said: FromWorker[] = [];
const waiting: { wanted: (message: FromWorker) => boolean; resolve: (message: FromWorker) => void }[] = [];

function hear(wanted: (message: FromWorker) => boolean): Promise<FromWorker> {
  const there = said.find(wanted);
  if (there) return Promise.resolve(there);
  return new Promise((resolve) => waiting.push({ wanted, resolve }));
}

const scope = globalThis as unknown as { onmessage(event: { data: ToWorker }): void; postMessage(message: FromWorker): void };
const tell = (data: ToWorker) => scope.onmessage({ data });
const ended = (id: number) => hear((message) => (message.type === 'done' || message.type === 'error') && message.id === id);

/** Two classes of small grey pictures: dark and light ones. */
const files = Array.from({ length: 24 }, (_, at) => {
  const shade = (at % 2) * 160 + at;
  const pixels = new Uint8ClampedArray(8 * 8 * 4).map((_, place) => shade + ((place * 37) % 40));
  return { path: `set/${at % 2 ? 'light' : 'dark'}/${at}.png`, blob: new Blob([grayPng(pixels, 8)]) };
});
/** A file that takes its time, and may be on a full disk. */
class SlowFile {
  chunks: Uint8Array[] = [];
  size = 0;
  writing = 0;
  state: 'new' | 'open' | 'closed' | 'aborted' | 'removed' = 'new';
  readonly #room: number;
  constructor(room = Infinity) {
    this.#room = room;
  }
  async createWritable() {
    this.state = 'open';
    return {
      write: async (bytes: Uint8Array) => {
        this.writing += 1;
        expect(this.writing, 'a write waits for the one before').toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 2));
        this.writing -= 1;
        if (this.chunks.length >= this.#room) throw new Error('the disk is full');
        this.chunks.push(bytes);
      },
      close: async () => {
        this.state = 'closed';
        this.size = this.chunks.reduce((sum, { length }) => sum + length, 0);
      },
      abort: async () => {
        this.state = 'aborted';
      },
    };
  }
  getFile = async () => ({ size: this.size });
  remove = async () => {
    this.state = 'removed';
  };
}

const source = { kind: 'files', files } as const;
const score = { imageSize: 8, cap: 0, epochs: 3, width: 2, batch: 4, lr: 0.002, seed: 0 };

describe.skipIf(!existsSync(wasm))('the worker', () => {
  beforeAll(async () => {
    scope.postMessage = (message) => {
      said.push(message);
      for (const { resolve } of waiting.filter(({ wanted }) => wanted(message))) resolve(message);
    };
    await import('./worker');
    const module = new WebAssembly.Module(readFileSync(wasm));
    tell({ type: 'open', device: 'flex', base: dist.href, module });
  }, 60_000);

  test('is ready when it has a device', async () => {
    expect(await hear(({ type }) => type === 'ready')).toMatchObject({ device: { device: 'flex' } });
  });

  test('gives the list of the methods, with all that enter a race and with the titles of the tests', async () => {
    const { methods } = (await hear(({ type }) => type === 'ready')) as Extract<FromWorker, { type: 'ready' }>;
    expect(methods.map(({ name }) => name)).toEqual(expect.arrayContaining([...ENTRANTS]));
    for (const { about, ...example } of METHODS) expect(methods).toContainEqual(expect.objectContaining(example));
  });

  test('says in an error what to do about a folder that cannot be', async () => {
    const one = { ...source, files: files.filter(({ path }) => path.includes('light')) };
    tell({ type: 'start', id: 1, job: 'read', options: { source: one, valFraction: 0.2, seed: 0 } });
    expect(await ended(1)).toMatchObject({ type: 'error', failure: { code: 'data' } });
    tell({ type: 'start', id: 2, job: 'read', options: { source: { ...source, files: [] }, valFraction: 0.2, seed: 0 } });
    expect(await ended(2)).toMatchObject({ type: 'error', failure: { code: 'data', message: /empty/ } });
  });

  test('reads a folder and leaves out what is no image', async () => {
    const withNote = { ...source, files: [...files, { path: 'set/dark/note.png', blob: new Blob(['no image']) }] };
    tell({ type: 'start', id: 3, job: 'read', options: { source: withNote, valFraction: 0.25, seed: 0 } });
    expect(await ended(3)).toMatchObject({ type: 'done', result: { images: 24, leftOut: [{ path: 'dark/note.png' }] } });
  });

  test('says once that an image cannot be decoded, however often that is tried', async () => {
    const [whole] = files;
    const cut = { path: 'set/dark/cut.png', blob: (whole as (typeof files)[0]).blob.slice(0, 60) };
    tell({ type: 'start', id: 9, job: 'read', options: { source: { ...source, files: [...files, cut] }, valFraction: 0.25, seed: 0 } });
    expect(await ended(9)).toMatchObject({ type: 'done', result: { leftOut: [] } });
    for (const [at, imageSize] of [8, 16].entries()) {
      tell({ type: 'start', id: 10 + at, job: 'score', options: { ...score, imageSize, epochs: 1 } });
      expect(await ended(10 + at)).toMatchObject({ type: 'done', result: { leftOut: [{ path: 'dark/cut.png' }] } });
      const { leftOut } = ((await ended(10 + at)) as { result: Scored }).result;
      expect(leftOut).toHaveLength(1);
    }
  });

  test('scores with progress, metrics and samples', async () => {
    tell({ type: 'start', id: 12, job: 'read', options: { source, valFraction: 0.25, seed: 0 } });
    await ended(12);
    tell({ type: 'start', id: 4, job: 'score', options: score });
    const message = await ended(4);
    expect(message.type).toBe('done');
    const { scores, counted, stopped } = (message as { result: Scored }).result;
    expect([scores.length, counted, stopped]).toEqual([18, 3, false]);
    const of4 = said.filter((one) => 'id' in one && one.id === 4);
    const kinds = new Set(of4.map(({ type }) => type));
    for (const kind of ['progress', 'samples', 'metrics', 'checkpoint'] as const) expect(kinds).toContain(kind);
    const last = of4.filter(({ type }) => type === 'metrics').at(-1) as unknown as { metrics: Metrics & { of: 'score' } };
    expect([last.metrics.step, last.metrics.epoch]).toEqual([last.metrics.steps, 3]);
    // EL2N is the sum over the epochs.
    expect(last.metrics.el2n[0]).toBeCloseTo(scores[0] ?? 0, 10);
  });

  test('is paused, makes single steps, and is stopped with what it has', async () => {
    tell({ type: 'start', id: 5, job: 'score', options: { ...score, epochs: 200 } });
    await hear((message) => message.type === 'metrics' && message.id === 5 && message.metrics.of === 'score' && message.metrics.epoch > 0);
    tell({ type: 'pause' });
    await new Promise((resolve) => setTimeout(resolve, 400));
    const steps = () =>
      said.flatMap((one) => (one.type === 'metrics' && one.id === 5 && one.metrics.of === 'score' ? [one.metrics.step] : []));
    const before = steps();
    tell({ type: 'step' });
    await new Promise((resolve) => setTimeout(resolve, 400));
    const after = steps();
    expect(after.length).toBe(before.length + 1);
    expect(after.at(-1)).toBe((before.at(-1) ?? 0) + 1);
    tell({ type: 'stop' });
    const message = (await ended(5)) as { result: Scored };
    expect(message.result.stopped).toBe(true);
    expect(message.result.counted).toBeGreaterThan(0);
    expect(message.result.scores.every(Number.isFinite)).toBe(true);
  }, 30_000);

  const save = (to?: SlowFile) => ({
    choice: { ipc: 2, grid: 2, rule: 'easy', windowStart: 0, seed: 0 } as const,
    minScale: 0.5,
    name: 'set',
    report: '<p>A report</p>',
    options: {},
    to: to as unknown as FileSystemFileHandle,
  });

  test('writes a zip to a file no faster than that takes it, the same as in memory', async () => {
    const to = new SlowFile();
    tell({ type: 'start', id: 6, job: 'save', options: save(to) });
    expect(await ended(6)).toMatchObject({ type: 'done', result: { zip: null, composites: 4 } });
    expect(to.state).toBe('closed');
    tell({ type: 'start', id: 7, job: 'save', options: save() });
    const { zip, bytes } = ((await ended(7)) as { result: Saved }).result;
    expect([zip?.size, bytes]).toEqual([to.size, to.size]);
    const [there, here] = [Buffer.concat(to.chunks), Buffer.from(await (zip as Blob).arrayBuffer())].map((all) => unzipSync(all));
    // Entries carry the time at which they were made, the files none.
    expect(there).toEqual(here);
    expect(JSON.parse(new TextDecoder().decode(there?.['manifest.json']))).toMatchObject({ min_scale: 0.5 });
    expect(Object.keys(there ?? {})).toEqual(expect.arrayContaining(['data/dark/0000.png', 'selection.csv', 'report.html', 'scores.csv']));
  });

  test('leaves nothing of a zip that could not be written to its end', async () => {
    const to = new SlowFile(5);
    tell({ type: 'start', id: 8, job: 'save', options: save(to) });
    expect(await ended(8)).toMatchObject({ type: 'error', failure: { message: /the disk is full/ } });
    expect(to.state).toBe('removed');
  });
});
