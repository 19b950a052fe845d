// Samples to scores: a proxy is trained, a few steps a turn.

import type * as Tilepress from 'tilepress';

import { decode } from './decode';
import { Stopped } from './errors';
import { Pace } from './pace';
import { shrink } from './pixels';
import type { Jobs, LoadOptions, Samples, Scored } from './protocol';
import { type Api, CHECKPOINT_EVERY, need, type Reports, type Session } from './session';

/** Side of the images that the page is given of all samples. */
const THUMB = 32;

/** Numbers of the whole softmax, over all epochs, that are kept to be shown; beyond them a summary has to do. */
const MOST_SOFTMAX = 8_000_000;

/** Whether the whole softmax of so many images is kept. */
export const keepsSoftmax = (images: number, classes: number, epochs: number) => images * classes * epochs <= MOST_SOFTMAX;

/** Every training image small, to be shown. */
export function small(session: Session, { imageSize }: LoadOptions): Samples {
  const { pixels, samples, labels } = need(session.train);
  const side = Math.min(imageSize, THUMB);
  return { side, rgb: shrink(pixels, samples.length, imageSize, side), labels, paths: samples.map(({ path }) => path) };
}

export async function score(session: Session, options: Jobs['score']['takes'], reports: Reports): Promise<Scored> {
  const { imageSize, cap, epochs, width, batch, lr, seed } = options;
  await decode(session, { imageSize, cap }, reports);
  const { classes } = need(session.folder);
  const train = need(session.train);
  const val = need(session.val);
  reports.samples(small(session, options));
  const run = await session.api.ProxyRun.open(train.pixels, train.labels, {
    device: session.device,
    imageSize,
    classes: classes.length,
    width,
    epochs,
    batch: Math.min(batch, train.labels.length),
    lr,
    seed,
    softmax: keepsSoftmax(train.labels.length, classes.length, epochs),
  });
  if (options.checkpoint) run.restore(options.checkpoint);
  let progress = run.progress();
  const accuracy: (number | null)[] = [];
  let el2n = run.el2n();
  const pace = new Pace(batch);
  let saved = performance.now();
  let stopped = false;
  while (!progress.finished) {
    const { go, single } = await session.control.turn();
    if (!go) {
      stopped = true;
      break;
    }
    session.failForTests();
    const before = progress;
    const began = performance.now();
    // Not past the end of an epoch, so that none goes by unseen.
    const perEpoch = progress.steps / epochs;
    progress = await run.advance(single ? 1 : Math.min(pace.steps(), perEpoch - (before.step % perEpoch)));
    pace.took(performance.now() - began, progress.step - before.step);
    if (progress.epoch > before.epoch) {
      el2n = run.el2n();
      accuracy[progress.epoch - 1] = progress.accuracy;
      if (before.epoch === 0 || performance.now() - saved > CHECKPOINT_EVERY) {
        saved = performance.now();
        reports.checkpoint([await run.checkpoint()]);
      }
    }
    reports.metrics({
      of: 'score',
      step: progress.step,
      steps: progress.steps,
      epoch: progress.epoch,
      epochs,
      curve: run.curve(),
      accuracy: Array.from(accuracy, (value) => value ?? null),
      imagesPerSecond: pace.imagesPerSecond,
      eta: pace.eta(progress.steps - progress.step),
      el2n: el2n.slice(),
    });
  }
  const counted = progress.epoch;
  if (stopped && counted === 0) {
    run.free();
    throw new Stopped('Stopped before the first epoch was through, so there are no scores yet.');
  }
  const log = run.log();
  const details = Array.from({ length: counted }, (_, epoch) => {
    const { pLabel, pOther, el2n: norm } = log.epoch(epoch);
    return { pLabel, pOther, el2n: norm, softmax: run.softmax(epoch) ?? null };
  });
  const table = stopped ? tableOf(session.api, run.el2n(), counted, train.samples, classes) : run.finish(train.samples, classes);
  const suspects = stopped ? [] : log.suspects();
  log.free();
  run.free();
  session.useScores(table);
  reports.remember(session.csv, { imageSize, cap });
  const smallest = Math.min(...counts(train.labels, classes.length));
  const findings =
    smallest > 0
      ? session.api.prune(train.samples, classes, session.scores, { ipc: smallest, grid: 1, seed }, val.samples).findings
      : { nearDuplicates: [], sharedWithVal: [], leftOut: [] };
  return {
    scores: need(session.scores).slice(),
    epochs: details,
    suspects,
    nearDuplicates: findings.nearDuplicates.map((group) => group.map(({ path }) => path)),
    sharedWithVal: findings.sharedWithVal.map(({ path }) => path),
    leftOut: [...session.leftOut, ...session.undecoded],
    counted,
    stopped,
    bytes: session.sizeOf(train.samples.map(({ path }) => path)),
  };
}

/** A run that was stopped has whole epochs to count, but no finished table. */
function tableOf(api: Api, el2n: Float64Array, epochs: number, samples: Tilepress.Sample[], classes: string[]): Tilepress.ScoreTable {
  const quote = (text: string) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const rows = samples.map((sample, at) => `${quote(sample.path)},${quote(classes[sample.class] ?? '')},el2n,1..${epochs},${el2n[at]}`);
  return api.ScoreTable.fromCsv(`path,class,metric,window,value\n${rows.join('\n')}\n`);
}

function counts(labels: Uint32Array, classes: number): number[] {
  const found = new Array<number>(classes).fill(0);
  for (const label of labels) found[label] = (found[label] ?? 0) + 1;
  return found;
}
