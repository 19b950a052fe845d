import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync, strToU8 } from 'fflate';
import { describe, expect, test } from 'vitest';

import { changes, settingsOf } from '../lib/recorded';
import { DEFAULTS } from '../lib/settings';
import { example, floats } from './recording.example';
import { MOST, read, type Recording, thin, write } from './recording';

/** A file of anything. */
const file = (value: unknown) => new Blob([gzipSync(strToU8(JSON.stringify(value))) as Uint8Array<ArrayBuffer>]);
const bytes = async (blob: Blob) => new Uint8Array(await blob.arrayBuffer());

test('a recording comes back from its file, its small numbers to 16 bits and all else as it was', async () => {
  const recording = example();
  const back = await read(await write(recording), 'a.tilepress-run');
  expect(back.race).toEqual(recording.race);
  const { epochs, ...rest } = back.score.scored;
  const { epochs: then, ...others } = recording.score.scored;
  expect({ ...back.score, scored: rest }).toEqual({ ...recording.score, scored: others });
  expect({ ...back, score: null, race: null }).toEqual({ ...recording, score: null, race: null });
  for (const [at, epoch] of epochs.entries()) {
    for (const part of ['pLabel', 'pOther', 'el2n'] as const) {
      for (const [image, value] of (then[at]?.[part] ?? []).entries()) expect(Math.abs((epoch[part][image] ?? NaN) - value)).toBeLessThan(2e-5);
    }
  }
});

test('softmax is kept while it is small', async () => {
  const recording = example();
  for (const epoch of recording.score.scored.epochs) Object.assign(epoch, { softmax: floats(0.9, 0.1, 0.2, 0.8, 0.9, 0.1) });
  const [kept] = (await read(await write(recording), 'a')).score.scored.epochs as unknown as { softmax: Float32Array | null }[];
  expect(kept?.softmax?.[3]).toBeCloseTo(0.8, 4);
  for (const epoch of recording.score.scored.epochs) Object.assign(epoch, { softmax: new Float32Array(200_000) });
  const [left] = (await read(await write(recording), 'a')).score.scored.epochs as unknown as { softmax: Float32Array | null }[];
  expect(left?.softmax).toBe(null);
});

test('what a long job said is thinned, with its first and its last', async () => {
  const all = Array.from({ length: 5000 }, (_, at) => at);
  const some = thin(all);
  expect([some.length, some[0], some.at(-1)]).toEqual([MOST, 0, 4999]);
  expect(some.every((value, at) => at === 0 || value > (some[at - 1] as number))).toBe(true);
  expect(thin([1, 2, 3])).toEqual([1, 2, 3]);

  const recording = example();
  recording.score.marks = all.map((at) => [at, at, 1]);
  recording.score.curve = all.map((step) => ({ step, loss: 1 }));
  const { score } = await read(await write(recording), 'a');
  expect([score.marks.length, score.curve.length]).toEqual([MOST, MOST]);
});

test('a recording of the first format is read, and what it called indistinguishable is called what it was', async () => {
  const blob = new Response((await write(example())).stream().pipeThrough(new DecompressionStream('gzip')));
  const told = (await blob.json()) as { version: number; race: { outcome: Record<string, unknown> } };
  told.version = 1;
  delete told.race.outcome.methods;
  const old = { a: 'pca', b: 'random', difference: 1, pairs: 3, verdict: 'indistinguishable', sentence: '' };
  told.race.outcome.comparisons = [
    { ...old, interval: null, pairs: 1 },
    { ...old, interval: [-3, 4] },
    { ...old, interval: [-46, 47] },
    { ...old, interval: [0.5, 1.5], verdict: 'better' },
  ];
  const { race } = await read(file(told), 'a');
  expect(race?.outcome.comparisons.map(({ verdict }) => verdict)).toEqual(['untested', 'indistinguishable', 'inconclusive', 'better']);
  expect(race?.outcome.comparisons[1]).toMatchObject({ adjustedInterval: [-3, 4], noise: null, seedsNeeded: null });
  expect(race?.outcome.methods).toEqual([]);
  await expect(read(file({ ...told, race: { ...told.race, outcome: { comparisons: 1 } } }), 'a')).rejects.toThrow('damaged');
  await expect(read(file({ ...told, race: { ...told.race, outcome: { ...told.race.outcome, comparisons: [null] } } }), 'a')).rejects.toThrow('damaged');
});

test('a recording of the second format is read, with the accuracy at the sharpness of a tile under its present name', async () => {
  const blob = new Response((await write(example())).stream().pipeThrough(new DecompressionStream('gzip')));
  const told = (await blob.json()) as { version: number; race: { outcome: { standings: Record<string, unknown>[] } } };
  told.version = 2;
  told.race.outcome.standings = told.race.outcome.standings.map(({ top1AtTileSize: _, ...rest }) => ({ ...rest, softTop1: 41.5 }));
  const { race } = await read(file(told), 'a');
  expect(race?.outcome.standings.map(({ top1AtTileSize }) => top1AtTileSize)).toEqual(told.race.outcome.standings.map(() => 41.5));
  expect(race?.outcome.standings[0]).not.toHaveProperty('softTop1');
});

test('the easiest whole images of a recording of the second format get their present name, and the rule keeps its own', async () => {
  const recording = example();
  const blob = new Response((await write(recording)).stream().pipeThrough(new DecompressionStream('gzip')));
  const now = (await blob.text()).replaceAll('"random"', '"el2n"').replace('One seed tells nothing.', 'pca and el2n are untested');
  const then = { ...(JSON.parse(now.replaceAll(/"el2n"(?!:)/g, '"easy"').replace('pca and el2n', 'pca and easy')) as object), version: 2 };
  expect(JSON.stringify(then)).not.toContain('"el2n",');
  const { race } = await read(file(then), 'a');
  expect(race).toEqual((await read(file(JSON.parse(now)), 'a')).race);
  expect(race?.students.map(({ name }) => name)).toEqual(['pca', 'el2n']);
  expect(race?.outcome.comparisons[0]).toMatchObject({ a: 'pca', b: 'el2n', sentence: 'pca and el2n are untested' });
  expect(race?.options.choice.rule).toBe('easy');
  await expect(read(file({ ...then, version: 3 }), 'a')).rejects.toThrow('damaged');
});

describe('a file is refused, with its name and the reason', () => {
  test('that is something else', async () => {
    await expect(read(new Blob(['PK hello']), 'a.zip')).rejects.toMatchObject({ code: 'data', message: 'a.zip is not a recording of tilepress.' });
    await expect(read(new Blob([]), 'empty')).rejects.toThrow('empty is not a recording');
    await expect(read(file({ format: 'other', version: 1 }), 'x')).rejects.toThrow('x is not a recording');
    await expect(read(file(null), 'x')).rejects.toThrow('x is not a recording');
    await expect(read(new Blob([gzipSync(strToU8('{"format')) as Uint8Array<ArrayBuffer>]), 'x')).rejects.toThrow('x is not a recording');
  });

  test('that is cut short or damaged', async () => {
    const whole = await bytes(await write(example()));
    for (const most of [3, 40, whole.length >> 1, whole.length - 4]) {
      await expect(read(new Blob([whole.slice(0, most)]), 'x')).rejects.toThrow('x is cut short or damaged');
    }
    const turned = whole.slice();
    turned[whole.length >> 1] = ~(turned[whole.length >> 1] ?? 0);
    await expect(read(new Blob([turned]), 'x')).rejects.toThrow(/x is (cut short or damaged|not a recording)/);
  });

  test('of a newer page', async () => {
    await expect(read(file({ format: 'tilepress-run', version: 4 }), 'x')).rejects.toThrow(/x was made by a newer tilepress \(format 4;/);
  });

  const spoilt: [string, (recording: Recording) => void][] = [
    ['no marks', ({ score }) => { score.marks = []; }],
    ['a score too few', ({ score }) => { score.scored.scores = Float64Array.of(1, 2); }],
    ['a score that is no number', ({ score }) => { score.scored.scores[1] = NaN; }],
    ['an epoch too few', ({ score }) => { score.scored.epochs.pop(); }],
    ['a suspect that is not there', ({ score }) => { score.scored.suspects = [{ sample: 3, aum: 0, lateMargin: 0, confidence: 0 }]; }],
    ['a method of its own', ({ race }) => { race?.students.push({ name: 'best', seed: 0, curve: [] }); }],
    ['a grid of its own', ({ race }) => { Object.assign(race?.options.choice ?? {}, { grid: 7 }); }],
    ['no date', ({ made }) => { made.at = 'long ago'; }],
  ];
  test.each(spoilt)('with %s', async (_, spoil) => {
    const recording = example();
    spoil(recording);
    await expect(read(await write(recording), 'x')).rejects.toThrow('x is cut short or damaged');
  });
});

test('its settings are those of its jobs, and what differs from them is named', () => {
  const recording = example();
  const settings = settingsOf(recording);
  expect(settings).toEqual({ ...DEFAULTS, epochs: 2, width: 8, ipc: 1, grid: 1, steps: 40, seeds: 1 });
  expect(changes(recording, settings)).toEqual({ score: [], race: [] });
  expect(changes(recording, { ...settings, epochs: 4, grid: 2, device: 'flex' })).toEqual({
    score: ['epochs 4 (recorded: 2)'],
    race: ['grid 2 (recorded: 1)'],
  });
  expect(changes({ ...recording, race: null }, { ...settings, steps: 1 }).race).toEqual([]);
});

const sets = new URL('../../public/sets/', import.meta.url);

test.each(readdirSync(sets).filter((name) => name.endsWith('.tilepress-run')))(
  '%s is small, and has the page’s own settings (otherwise: node scripts/record.mjs)',
  async (name) => {
    const data = readFileSync(new URL(name, sets));
    expect(data.length).toBeLessThan(400_000);
    const recording = await read(new Blob([data]), name);
    expect(`${recording.set.builtIn}.tilepress-run`).toBe(name);
    expect(settingsOf(recording)).toEqual({ ...DEFAULTS, set: recording.set.builtIn });
  },
);
