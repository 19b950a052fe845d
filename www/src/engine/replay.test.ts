import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { Listeners } from './client';
import type { Found, Jobs, Memory, Metrics, Samples } from './protocol';
import { type Runs, Recorder } from './recorder';
import { example } from './recording.example';
import { difference, PLAY, Replay, same } from './replay';

const samples: Samples = { side: 1, rgb: new Uint8Array(9), labels: Uint32Array.of(0, 0, 1), paths: ['cat/a.png', 'cat/b, c.png', 'dog/d.png'] };
const source = { kind: 'built-in', name: 'x' } as const;

/** An engine that answers at once, and remembers what it was asked. */
class Fake implements Runs {
  asked: [string, unknown][] = [];
  memory: Memory | undefined = { source, valFraction: 0.2, seed: 0 };
  commands: string[] = [];
  gives: unknown = 'live';
  says: Metrics[] = [];
  async start(name: string, options: unknown, listeners: Listeners = {}): Promise<never> {
    this.asked.push([name, options]);
    if (name === 'recall') listeners.samples?.(samples);
    for (const metrics of this.says) {
      listeners.metrics?.(metrics);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    return this.gives as never;
  }
  pause = () => this.commands.push('pause');
  resume = () => this.commands.push('resume');
  step = () => this.commands.push('step');
  stop = () => this.commands.push('stop');
}

let inner: Fake;
let replay: Replay;
let said: Metrics[];
let still: boolean;
const listeners: Listeners = { metrics: (metrics) => said.push(metrics) };
const recording = example();
const score = () => replay.start('score', recording.score.options, listeners);
const race = () => replay.start('race', recording.race?.options as Jobs['race']['takes'], listeners);
const steps = () => said.map((metrics) => (metrics.of === 'score' ? metrics.step : (metrics.students[0]?.step ?? 0)));
const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

beforeEach(() => {
  vi.useFakeTimers();
  inner = new Fake();
  said = [];
  still = false;
  replay = new Replay(inner as unknown as Runs, () => still);
  replay.recording = recording;
});
afterEach(() => vi.useRealTimers());

test('without a recording, and for what is no training, the engine itself is asked', async () => {
  expect(await replay.start('prune', {} as never)).toBe('live');
  replay.recording = null;
  expect(await score()).toBe('live');
  expect(inner.asked.map(([name]) => name)).toEqual(['prune', 'score']);
});

test('scoring is played in its time, with curves that grow, and the engine is told the scores', async () => {
  const job = score();
  await pass(PLAY / 2);
  const half = steps();
  // Its first mark lies at 10 s of 60 s, the middle between the first and the last at 35 s.
  expect(half.at(-1)).toBeGreaterThan(20);
  expect(half.at(-1)).toBeLessThan(28);
  await pass(PLAY);
  const scored = await job;
  expect(scored).toBe(recording.score.scored);
  expect(inner.asked).toEqual([
    ['recall', { source, valFraction: 0.2, seed: 0, load: { imageSize: 32, cap: 0 }, scores: recording.score.csv }],
  ]);
  expect(steps().every((step, at) => at === 0 || step >= (steps()[at - 1] ?? 0))).toBe(true);
  const last = said.at(-1) as Metrics & { of: 'score' };
  expect([last.step, last.epoch, last.curve.length, last.accuracy, last.eta]).toEqual([40, 2, 40, [0.5, 0.75], 0]);
  expect([...last.el2n].map((value) => value.toFixed(3))).toEqual(['0.300', '1.500', '2.000']);
  const early = said[2] as Metrics & { of: 'score' };
  expect([early.epoch, early.accuracy, early.curve.length]).toEqual([0, [], early.step]);
});

test('a race is played to its outcome without the engine', async () => {
  const job = race();
  await pass(2 * PLAY);
  expect(await job).toEqual(recording.race?.outcome);
  expect(inner.asked).toEqual([]);
  expect(steps().at(-1)).toBe(40);
});

test('a pause holds, a step is one moment, and then it goes on', async () => {
  const job = race();
  await pass(2000);
  replay.pause();
  await pass(1000);
  const before = said.length;
  await pass(5000);
  expect(said.length).toBe(before);
  replay.step();
  await pass(1000);
  expect(said.length).toBe(before + 1);
  replay.resume();
  await pass(2 * PLAY);
  expect(await job).toEqual(recording.race?.outcome);
  expect(inner.commands).toEqual(['pause', 'step', 'resume']);
});

test('a step shows another step, however slow the run was there', async () => {
  replay.recording = { ...recording, race: recording.race && { ...recording.race, marks: [[0, 1, 5], [9_000, 2, 5], [10_000, 40, 5]] } };
  const job = race();
  await pass(2000);
  replay.pause();
  await pass(1000);
  expect(steps().at(-1)).toBe(1);
  replay.step();
  await pass(1000);
  expect(steps().at(-1)).toBeGreaterThan(1);
  replay.resume();
  await pass(2 * PLAY);
  expect(await job).toEqual(recording.race?.outcome);
});

test('skipping jumps to the end, from a pause too', async () => {
  const job = race();
  await pass(1000);
  replay.pause();
  await pass(1000);
  replay.skip();
  await pass(100);
  expect(await job).toEqual(recording.race?.outcome);
  expect(steps().at(-1)).toBe(40);
});

test('who wants no motion sees the end at once', async () => {
  still = true;
  const job = race();
  await pass(100);
  expect(await job).toEqual(recording.race?.outcome);
  expect(steps()).toEqual([40]);
});

test('scoring that is stopped gives the epochs that were through, to the engine as well', async () => {
  const job = score();
  await pass(0.7 * PLAY);
  replay.stop();
  await pass(1000);
  const { counted, stopped, scores, epochs, suspects } = await job;
  expect([counted, stopped, epochs.length, suspects]).toEqual([1, true, 1, []]);
  expect([...scores].map((value) => value.toFixed(3))).toEqual(['0.100', '1.000', '1.200']);
  const [, again] = inner.asked as [string, Memory][];
  const lines = again?.[1].scores?.trim().split('\n') ?? [];
  expect(lines.slice(0, 3)).toEqual(['path,class,metric,window,value', `cat/a.png,cat,el2n,1..1,${scores[0]}`, `"cat/b, c.png",cat,el2n,1..1,1`]);

  const soon = score();
  const refused = expect(soon).rejects.toThrow('Stopped before the first epoch');
  await pass(100);
  replay.stop();
  await pass(1000);
  await refused;
});

test('a race that is stopped has no outcome, and says so', async () => {
  const job = race();
  const refused = expect(job).rejects.toMatchObject({ code: 'usage', message: /^Stopped\. The students of a recording/ });
  await pass(PLAY / 2);
  replay.stop();
  await pass(1000);
  await refused;
});

test('other settings than the recorded ones are refused', async () => {
  await expect(replay.start('score', { ...recording.score.options, epochs: 3 })).rejects.toThrow(/other settings: go back to them, or run it live/);
  const options = recording.race?.options as Jobs['race']['takes'];
  const other = { ...options, choice: { ...options.choice, ipc: 2 } };
  await expect(replay.start('race', other)).rejects.toThrow(/other settings/);
  replay.recording = { ...recording, race: null };
  await expect(replay.start('race', options)).rejects.toThrow('The recording has no race');
  expect(same({ a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1, e: undefined })).toBe(true);
});

test('another folder is refused, with what tells them apart', async () => {
  const found = { paths: recording.set.paths } as Found;
  expect(difference(recording, { ...found, paths: [...found.paths].reverse() })).toBe(null);
  inner.gives = { ...found, paths: [...found.paths.slice(1), 'dog/new.png'] };
  await expect(replay.start('read', { source, valFraction: 0.2, seed: 0 })).rejects.toThrow(
    'This is not the folder of the recording, “photos”: 1 of its 5 images are not here (cat/a.png), and 1 here are not in it (dog/new.png).',
  );
});

test('what is recorded from an engine is played as it was', async () => {
  const { score, race } = example();
  const { curve, accuracy } = score;
  const metrics = { of: 'score', steps: 40, epochs: 2, accuracy, imagesPerSecond: 9.6, eta: 0, el2n: new Float64Array(3) } as const;
  inner.memory = { source, valFraction: 0.2, seed: 0, scores: score.csv };
  inner.gives = score.scored;
  inner.says = [10, 20, 40].map((step) => ({ ...metrics, step, epoch: step / 20, curve: curve.slice(0, step) }));
  const recorder = new Recorder(inner as unknown as Runs);
  const job = recorder.start('score', { ...score.options, checkpoint: undefined });
  await pass(500);
  // A pause does not count.
  recorder.pause();
  await pass(400);
  recorder.resume();
  await pass(3000);
  await job;
  expect(recorder.score).toEqual({ ...score, took: 2600, marks: [[0, 10, 10], [600, 20, 10], [1600, 40, 10]] });

  inner.gives = race?.outcome;
  inner.says = [{ of: 'race', imagesPerSecond: 5, eta: 0, students: (race?.students ?? []).map((student) => ({ ...student, step: 40, steps: 40 })) }];
  const racing = recorder.start('race', race?.options as Jobs['race']['takes']);
  await pass(2000);
  await racing;
  expect(recorder.race).toEqual({ ...race, took: 1000, marks: [[0, 40, 5]] });

  // Scores of another session were not heard, and with new ones the race is none of theirs.
  await Promise.all([recorder.start('recall', { source, valFraction: 0.2, seed: 0 }), pass(2000)]);
  expect([recorder.score, recorder.race]).toEqual([null, null]);
  await Promise.all([recorder.start('score', { ...score.options, checkpoint: Uint8Array.of(1) }), pass(2000)]);
  expect(recorder.score).toBe(null);
});
