// The native program and the photographs that it and the packages are given.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** 96 photographs of hand signs: three classes, `train/` and `val/`. */
export const SIGNS = fileURLToPath(new URL('../data/signs/', import.meta.url));

/** What both sides are asked for: few steps of a narrow network on small images. */
export const JOB = {
  imageSize: 32,
  width: 8,
  seed: 5,
  ipc: 2,
  grid: 2,
  proxy: { epochs: 4, batch: 24 },
  student: { steps: 8, batch: 6 },
};

/** Runs the native program. */
export function tilepress(...args) {
  const program = process.env.TILEPRESS_PROGRAM;
  if (!program) throw new Error('TILEPRESS_PROGRAM is not set; run the tests with `cargo xtask test`');
  return execFileSync(program, ['--quiet', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Compresses the photographs natively on the CPU, and trains a student on the result. */
export function compressNatively(out, ...more) {
  tilepress(
    'compress', '--data', SIGNS, '--out', out, '--device', 'cpu',
    '--image-size', String(JOB.imageSize), '--width', String(JOB.width), '--seed', String(JOB.seed),
    '--ipc', String(JOB.ipc), '--grid', String(JOB.grid),
    '--score-epochs', String(JOB.proxy.epochs), '--score-batch-size', String(JOB.proxy.batch),
    ...more,
  );
}

/** The paths of all files below a folder, with `/` between their parts, in byte order. */
export function list(folder) {
  return readdirSync(folder, { recursive: true })
    .map((path) => join(folder, path))
    .filter((path) => statSync(path).isFile())
    .map((path) => relative(folder, path).split(sep).join('/'))
    .sort();
}

/** A column of a CSV file without quotes, by the column `path`. */
export function column(file, name) {
  const [header, ...lines] = readFileSync(file, 'utf8').trim().split('\n').map((line) => line.split(','));
  const [path, value] = [header.indexOf('path'), header.indexOf(name)];
  return new Map(lines.map((cells) => [cells[path], cells[value]]));
}
