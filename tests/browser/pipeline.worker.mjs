// Score, prune, combine and train in a dedicated worker, where an application would do it.

import * as tilepress from '/pkg/web/tilepress.js';

import { combine, parts, readSet } from './pipeline.mjs';
import { gathered, gatherShaders, spoilShaders } from './shaders.mjs';

const read = async (path) => new Uint8Array(await (await fetch(`/tests/data/signs/${path}`)).arrayBuffer());

const base64 = (bytes) => btoa(String.fromCharCode(...bytes));

async function score({ device, imageSize, width, seed, proxy }, { classes, train }, interrupted) {
  const options = { device, imageSize, width, seed, classes: classes.length, ...proxy };
  let run = await tilepress.ProxyRun.open(train.pixels, train.labels, options);
  let progress = run.progress();
  const epochs = [];
  while (!progress.finished) {
    progress = await run.advance(5);
    epochs.push(progress.epoch);
    if (interrupted) {
      const bytes = await run.checkpoint();
      run.free();
      run = await tilepress.ProxyRun.open(train.pixels, train.labels, options);
      run.restore(bytes);
    }
  }
  const log = run.log();
  const last = log.epoch(log.epochs - 1);
  return {
    table: run.finish(train.samples, classes),
    el2n: run.el2n(),
    detail: { pLabel: [...last.pLabel], pOther: [...last.pOther], el2n: [...last.el2n] },
    progress,
    epochs,
    on: run.device(),
  };
}

async function race({ device, imageSize, width, seed, student }, { classes, val }, pca, random) {
  const run = await tilepress.Race.open({ device, imageSize, width, classes: classes.length, ...student });
  run.enter(pca.pixels, pca.labels, { name: 'pca', grid: 2, seed });
  run.enter(random.pixels, random.labels, { name: 'random', grid: 1, seed });
  let progress = run.progress();
  while (!progress.finished) progress = await run.advance();
  const standings = await run.evaluate(val.pixels, val.labels);
  return { progress, standings, curve: run.curve(0), comparison: run.compare('pca', 'random'), comparisons: run.compareAll(), methods: run.methodStandings() };
}

async function pipeline(job) {
  const { imageSize, grid, ipc, seed } = job;
  if (job.device === 'webgpu') gatherShaders();
  const set = await readSet(tilepress, job.paths, read, imageSize);
  const { classes, train } = set;
  const { table, el2n, detail, progress, epochs, on } = await score(job, set, true);
  const again = job.device === 'flex' ? (await score(job, set, false)).table.toCsv() : null;

  const scores = table.scoresOf(train.samples, classes);
  const own = tilepress.prune(train.samples, classes, scores, { ipc, grid, seed });
  const given = tilepress.readSelection(job.selection, train.samples, classes);
  const options = { imageSize, grid, seed };
  const pca = await combine(tilepress, given, train.samples, classes, read, options, { name: 'signs' });
  const chance = tilepress.prune(train.samples, classes, undefined, { ipc, grid: 1, seed, rule: 'random' });
  const whole = { ...options, grid: 1 };
  const random = await combine(tilepress, chance.picks, train.samples, classes, read, whole, { name: 'random' });
  return {
    on,
    progress,
    epochs,
    detail,
    sums: [...el2n],
    paths: train.samples.map((sample) => sample.path),
    labels: [...train.labels],
    scores: [...scores],
    csv: table.toCsv(),
    again,
    kept: own.picks.map((pick) => train.samples[pick.sample].path),
    files: Object.fromEntries([...pca.files].map(([path, bytes]) => [path, base64(bytes)])),
    race: await race(job, set, pca, random),
    shaders: await gathered(),
  };
}

/** A GPU that takes none of our kernels. */
async function spoiled() {
  spoilShaders();
  await tilepress.openDevice('webgpu');
  try {
    return { check: await tilepress.selfCheck('webgpu') };
  } catch (error) {
    // Nothing is broken but the GPU: the module goes on computing.
    return { refused: parts(error), afterwards: await tilepress.selfCheck('flex') };
  }
}

/** Every way to give a run what it cannot use. */
async function refusals() {
  const { ProxyRun, Race } = tilepress;
  const model = { device: 'flex', imageSize: 8, classes: 2, width: 2 };
  const [two, labels] = [new Uint8Array(2 * 192), Uint32Array.of(0, 1)];
  const run = await ProxyRun.open(two, labels, { ...model, epochs: 1 });
  const race = await Race.open({ ...model, steps: 1 });
  race.enter(two, labels, { name: 'a' });
  const calls = {
    device: () => tilepress.openDevice('abacus'),
    block: () => ProxyRun.open(two.subarray(1), labels, model),
    label: () => ProxyRun.open(two, Uint32Array.of(0, 2), model),
    oneClass: () => ProxyRun.open(two, Uint32Array.of(0, 0), { ...model, classes: 1 }),
    empty: () => ProxyRun.open(new Uint8Array(), new Uint32Array(), model),
    option: () => ProxyRun.open(two, labels, { ...model, epoch: 3 }),
    small: () => ProxyRun.open(new Uint8Array(2 * 48), labels, { ...model, imageSize: 4 }),
    noEpochs: () => ProxyRun.open(two, labels, { ...model, epochs: 0 }),
    noBatch: () => ProxyRun.open(two, labels, { ...model, batch: 0 }),
    noRate: () => ProxyRun.open(two, labels, { ...model, lr: 0 }),
    model: () => ProxyRun.open(two, labels, { ...model, model: 'vit' }),
    diverged: async () => {
      const wild = await ProxyRun.open(two.map((_, i) => i * 37), labels, { ...model, lr: 1e30, epochs: 9, batch: 1 });
      await wild.advance();
    },
    early: () => run.finish([], ['a', 'b']),
    checkpoint: () => run.restore(Uint8Array.of(1, 2, 3)),
    twice: () => race.enter(two, labels, { name: 'a' }),
    unmeasured: () => race.compare('a', 'a'),
    nobody: () => race.curve(7),
  };
  const results = {};
  for (const [name, call] of Object.entries(calls)) {
    try {
      await call();
      results[name] = null;
    } catch (error) {
      results[name] = parts(error);
    }
  }
  return results;
}

/** Opens a device on a machine that says that it has so many threads. */
function device({ device, threads }) {
  Object.defineProperty(navigator, 'hardwareConcurrency', { value: threads });
  return tilepress.openDevice(device);
}

const JOBS = { pipeline, refusals, spoiled, device };

onmessage = async ({ data: job }) => {
  try {
    await tilepress.default();
    postMessage({ result: await JOBS[job.what](job) });
  } catch (error) {
    postMessage({ error: parts(error) });
  }
};
