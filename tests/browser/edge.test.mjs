// The edge package: loads wherever there is WebAssembly, here in Node without a browser.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import * as edge from '../../pkg/edge/tilepress.js';
import { compressNatively, JOB, list, SIGNS, tilepress } from './native.mjs';
import { combine, readSet } from './pipeline.mjs';

const PACKAGE = fileURLToPath(new URL('../../pkg/edge/', import.meta.url));
const read = (path) => new Uint8Array(readFileSync(join(SIGNS, path)));

let folder;
let native;

before(() => {
  edge.initSync({ module: readFileSync(join(PACKAGE, 'tilepress_bg.wasm')) });
  folder = mkdtempSync(join(tmpdir(), 'tilepress-edge-'));
  native = join(folder, 'native');
  compressNatively(native);
});

after(() => rmSync(folder, { recursive: true, force: true }));

/** The error that a call throws. */
function thrown(call) {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof Error, String(error));
    assert.equal(error.name, 'TilepressError');
    return error;
  }
  assert.fail('nothing was thrown');
}

/** A PNG that announces its sides and holds nothing. */
function emptyPng(width, height) {
  const crc = (bytes) => {
    let sum = 0xffffffff;
    for (const byte of bytes) {
      sum ^= byte;
      for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
    }
    return (sum ^ 0xffffffff) >>> 0;
  };
  const number = (value) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  const chunk = (kind, data) => {
    const body = [...new TextEncoder().encode(kind), ...data];
    return [...number(data.length), ...body, ...number(crc(body))];
  };
  return Uint8Array.from([
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a,
    ...chunk('IHDR', [...number(width), ...number(height), 8, 2, 0, 0, 0]),
    ...chunk('IDAT', [0x78, 0x9c, 3, 0, 0, 0, 0, 1]),
    ...chunk('IEND', []),
  ]);
}

test('the list of the methods has a title and a sentence for each', () => {
  const methods = edge.methods();
  const words = new Set(methods.flatMap(({ title, about }) => [title, about]));
  assert.equal(words.size, 2 * methods.length);
  const pca = methods.find(({ name }) => name === 'pca');
  assert.deepEqual([pca.rule, pca.composites], ['easy', true]);
  assert.ok(methods.some(({ name, rule, composites }) => name === 'el2n' && rule === 'easy' && !composites));
});

test('the edge package loads without a browser and knows its version', () => {
  const { name, version } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'));
  assert.equal(name, 'tilepress-edge');
  assert.equal(edge.version(), version);
});

test('the packed package, installed into an empty project, compresses a folder as the program does', () => {
  const npm = (args, cwd) => execFileSync('npm', args, { cwd, encoding: 'utf8', shell: process.platform === 'win32' });
  const [{ filename }] = JSON.parse(npm(['pack', PACKAGE, '--json'], folder));
  const project = mkdtempSync(join(folder, 'project-'));
  writeFileSync(join(project, 'package.json'), '{"name": "project", "private": true, "type": "module"}');
  npm(['install', '--offline', '--no-audit', '--no-fund', join(folder, filename)], project);
  for (const file of ['pipeline.mjs', 'native.mjs']) {
    cpSync(new URL(file, import.meta.url), join(project, file));
  }
  cpSync(SIGNS, join(project, 'signs'), { recursive: true });
  writeFileSync(join(project, 'main.mjs'), `
    import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
    import { dirname } from 'node:path';
    import * as edge from 'tilepress-edge';
    import { list } from './native.mjs';
    import { combine, readSet } from './pipeline.mjs';
    edge.initSync({ module: readFileSync(new URL(import.meta.resolve('tilepress-edge/tilepress_bg.wasm'))) });
    const [scores, job] = [process.argv[2], JSON.parse(process.argv[3])];
    const read = async (path) => new Uint8Array(readFileSync('signs/' + path));
    const set = await readSet(edge, list('signs'), read, job.imageSize);
    const { classes, train } = set;
    const table = edge.ScoreTable.fromCsv(readFileSync(scores, 'utf8'));
    const { imageSize, ...options } = job;
    const scored = table.scoresOf(train.samples, classes);
    const { picks } = edge.prune(train.samples, classes, scored, options, set.val.samples);
    const { files } = await combine(edge, picks, train.samples, classes, read,
      { imageSize: job.imageSize, grid: job.grid, seed: job.seed }, { name: 'signs', rule: 'easy' });
    files.set('selection.csv', edge.writeSelection(picks, train.samples, classes));
    for (const [path, bytes] of files) {
      mkdirSync(dirname('out/' + path), { recursive: true });
      writeFileSync('out/' + path, bytes);
    }
  `);
  const { imageSize, ipc, grid, seed } = JOB;
  const job = JSON.stringify({ imageSize, ipc, grid, seed });
  execFileSync('node', ['main.mjs', join(native, 'scores.csv'), job], { cwd: project, stdio: 'inherit' });
  const ours = list(join(project, 'out'));
  const data = list(native).filter((path) => path.startsWith('data/'));
  assert.equal(data.length, 3 * JOB.ipc + 1, 'the composites and metadata.jsonl');
  assert.deepEqual(ours.filter((path) => path.startsWith('data/')), data);
  for (const path of [...data, 'selection.csv', 'tilepress_transform.py']) {
    const [one, other] = [join(project, 'out', path), join(native, path)].map((file) => readFileSync(file));
    assert.ok(one.equals(other), `${path} differs from the program's`);
  }
  const [one, other] = [join(project, 'out'), native].map((at) => JSON.parse(readFileSync(join(at, 'manifest.json'))));
  assert.deepEqual(one.hashes, other.hashes);
  assert.deepEqual(one.counts, other.counts);
  for (const path of data) assert.equal(one.files[path], other.files[path], path);
});

test('composites of every format, fit and grid are those of the program', async () => {
  const set = await readSet(edge, list(SIGNS), read, 8);
  const { classes } = set;
  const samples = [...set.train.samples, ...set.val.samples].filter(({ path }) => path.startsWith('train/'));
  const selection = join(native, 'selection.csv');
  const picks = edge.readSelection(readFileSync(selection, 'utf8'), samples, classes);
  assert.equal(picks.length, 3 * JOB.ipc * JOB.grid ** 2);
  const cases = [
    { grid: 1, imageSize: 40, fit: 'pad' },
    { grid: '1x2', imageSize: 33, fit: 'crop' },
    { grid: 2, imageSize: 64, format: 'jpeg', quality: 80 },
  ];
  for (const [number, options] of cases.entries()) {
    const out = join(folder, `combined-${number}`);
    const flags = Object.entries(options).flatMap(([name, value]) => [
      `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`, String(value),
    ]);
    tilepress('combine', '--data', SIGNS, '--out', out, '--selection', selection, ...flags);
    const { files } = await combine(edge, picks, samples, classes, read, options, { name: 'signs' });
    const data = list(out).filter((path) => path.startsWith('data/'));
    assert.deepEqual([...files.keys()].filter((path) => path.startsWith('data/')).sort(), data);
    for (const path of data) {
      assert.ok(readFileSync(join(out, path)).equals(Buffer.from(files.get(path))), `${path} of case ${number}`);
    }
  }
});

test('dynamics, a log and a score table agree with the formulas', () => {
  const logits = Float32Array.of(Math.log(3), 0, 0, Math.log(9));
  const { pLabel, pOther, el2n, entropy, loss, correct } = edge.dynamics(logits, Uint32Array.of(0, 0), 2);
  const near = (value, expected) => assert.ok(Math.abs(value - expected) < 1e-6, `${value} is not ${expected}`);
  near(pLabel[0], 0.75);
  near(pOther[1], 0.9);
  near(el2n[0], 0.25 * Math.SQRT2);
  near(el2n[1], 0.9 * Math.SQRT2);
  near(entropy[0], -0.75 * Math.log(0.75) - 0.25 * Math.log(0.25));
  near(loss[1], Math.log(10));
  assert.deepEqual([...correct], [1, 0]);

  const log = new edge.TrainingLog(2, 2);
  log.record(0, Uint32Array.of(1, 0), logits, Uint32Array.of(0, 0));
  assert.ok(Number.isNaN(log.epoch(1).el2n[0]), 'nothing is recorded yet');
  near(log.epoch(0).el2n[1], 0.25 * Math.SQRT2);
  assert.equal(thrown(() => log.epoch(2)).code, 'usage');
  const classes = ['a', 'b'];
  const hash = '0'.repeat(64);
  const samples = [{ path: 'a/1', class: 0, hash }, { path: 'b/1', class: 1, hash }];
  assert.equal(thrown(() => log.scoreTable(samples, classes)).code, 'data');
  log.record(1, Uint32Array.of(0, 1), logits, Uint32Array.of(0, 0));
  const table = edge.TrainingLog.fromBytes(log.toBytes()).scoreTable(samples, classes);
  near(table.rows()[0].value, (0.25 + 0.9) * Math.SQRT2);
  assert.deepEqual([table.metric, table.window, table.runs], ['el2n', '1..2', 1]);
  assert.deepEqual(edge.ScoreTable.fromCsv(table.toCsv()).rows(), table.rows());
});

test('views stay in one tile, are the same for the same seed, and can be looked at', () => {
  const side = 16;
  const pixels = Uint8Array.from({ length: 2 * side * side * 3 }, (_, i) => (i * 7) % 256);
  const options = { imageSize: side, grid: 2, seed: 5 };
  const views = new edge.Views(pixels, options);
  const plan = views.plan(3, Uint32Array.of(0, 1));
  assert.deepEqual(new edge.Views(pixels, options).plan(3, Uint32Array.of(0, 1)), plan);
  for (const { crop } of plan) {
    assert.equal(Math.floor(crop.x / 8), Math.floor((crop.x + crop.width - 1) / 8));
    assert.equal(Math.floor(crop.y / 8), Math.floor((crop.y + crop.height - 1) / 8));
  }
  const whole = new edge.Views(pixels, { imageSize: side, grid: 1, crop: 'none', flip: false });
  const rgba = whole.render(0, Uint32Array.of(0, 1), 1);
  assert.ok(rgba instanceof Uint8ClampedArray);
  const expected = [...pixels.subarray(side * side * 3)];
  assert.deepEqual([...rgba].filter((_, i) => i % 4 < 3), expected);
  assert.equal(thrown(() => views.plan(0, Uint32Array.of(2))).code, 'usage');
});

test('memory is estimated before anything is read', () => {
  const { pixels, log, total, fits } = edge.estimateMemory({ images: 1000, imageSize: 64, epochs: 10 });
  assert.deepEqual([pixels, log, total, fits], [12_288_000, 180_000, 12_468_000, true]);
  const kept = edge.estimateMemory({ images: 1000, imageSize: 64, epochs: 10, classes: 20 });
  assert.deepEqual([kept.softmax, kept.total], [800_000, total + 800_000]);
  assert.equal(edge.estimateMemory({ images: 1e6, imageSize: 224 }).fits, false);
});

test('an image of 30,000 x 30,000 pixels is refused on its header', () => {
  const bomb = emptyPng(30_000, 30_000);
  const header = edge.probeImage(bomb);
  assert.deepEqual([header.format, header.width, header.height, header.withinLimits], ['PNG', 30_000, 30_000, false]);
  assert.match(header.problem, /30000x30000 pixels .* exceed the limit/);
  const error = thrown(() => edge.decodeImage(bomb, { imageSize: 64 }));
  assert.equal(error.code, 'data');
  assert.match(error.message, /30000x30000 pixels/);
});

test('input that cannot be used is refused with a code and a remedy', () => {
  const path = list(SIGNS).find((name) => name.endsWith('.jpg'));
  const photo = read(path);
  assert.equal(edge.probeImage(photo).withinLimits, true);
  const samples = [{ path: 'a/1', class: 0, hash: '0'.repeat(64) }, { path: 'b/1', class: 1, hash: '0'.repeat(64) }];
  const prune = (options, scores) => edge.prune(samples, ['a', 'b'], scores, options);
  const cases = [
    [() => edge.decodeImage(photo.subarray(0, 300), { imageSize: 8 }), 'data', /JPEG file ends before/],
    [() => edge.decodeImage(Uint8Array.of(1, 2, 3), { imageSize: 8 }), 'data', /not an image; JPEG, PNG/],
    [() => edge.probeImage(new Uint8Array()), 'data', /the file is empty/],
    [() => edge.decodeImage(photo, { imageSize: 0 }), 'usage', /imageSize is 0; give 1 to 4096/],
    [() => edge.decodeImage(photo, { imagesize: 8 }), 'usage', /unknown field `imagesize`/],
    [() => edge.readFolder([]), 'data', /no class found among 0 files: images belong in <class>/],
    [() => edge.readFolder(['cat/1.jpg', 'cat/2.jpg']), 'data', /'cat' is the only class/],
    [() => edge.readFolder(['a/1', 'b/1'], { valFraction: 2 }), 'usage', /valFraction is 2; give a share/],
    [() => prune({ ipc: 1 }, Float64Array.of(1, 2)), 'data', /class 'a' has 1 image .* Lower ipc.* fill cycle/],
    [() => prune({ ipc: 1, grid: 1 }), 'usage', /the rule 'easy' needs scores/],
    [() => prune({ ipc: 0 }, Float64Array.of(1, 2)), 'usage', /ipc 0 keeps nothing/],
    [() => prune({ ipc: 1, grid: 1, dedup: true }, Float64Array.of(1, 2)), 'usage', /give look as decodeImage gives it/],
    [() => edge.readSelection('path\nc/9\n', samples, ['a', 'b']), 'data', /are not in the data folder, among them c\/9/],
    [() => edge.ScoreTable.fromCsv('path\na/1\n'), 'data', /no column 'value', 'el2n' or 'score'/],
    [() => new edge.Composites([], samples, ['a', 'b']), 'data', /keeps 0 images a class/],
  ];
  for (const [call, code, message] of cases) {
    const error = thrown(call);
    assert.match(error.message, message);
    assert.equal(error.code, code, error.message);
  }
});

test('an error tells what lies beneath it', () => {
  const error = thrown(() => edge.ScoreTable.fromCsv('path,el2n\na/1\n'));
  assert.equal(error.code, 'data');
  assert.match(error.message, /not readable CSV/);
  assert.ok(error.cause instanceof Error);
  assert.match(error.cause.message, /line: 2/);
});

test('a source that changed since it was selected is refused', async () => {
  const set = await readSet(edge, list(SIGNS), read, 8);
  const { samples } = set.train;
  const { picks } = edge.prune(samples, set.classes, undefined, { ipc: 1, rule: 'random', grid: 1 });
  const composites = new edge.Composites(picks, samples, set.classes, { grid: 1, imageSize: 16 });
  const [path] = composites.sources(0);
  const other = read(samples.find((sample) => sample.path !== path).path);
  assert.match(thrown(() => composites.make(0, [other])).message, /is not the image that was selected/);
  assert.equal(thrown(() => composites.finish({ name: 'x' })).code, 'usage');

  const cut = read(path).subarray(0, 200);
  const { hash } = edge.decodeImage(read(path), { imageSize: 8 });
  assert.equal(samples.find((sample) => sample.path === path).hash, hash);
  const text = edge.writeSelection(picks, samples, set.classes);
  assert.deepEqual(edge.readSelection(text, samples, set.classes), picks);
  assert.equal(thrown(() => composites.make(0, [cut])).code, 'data');
  assert.equal(thrown(() => composites.make(99, [cut])).code, 'usage');
});
