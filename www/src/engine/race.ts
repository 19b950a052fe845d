// Composites to students: a cohort trained in turns, on equally many stored images.

import { combine } from './compose';
import { entrantsFor } from './entrants';
import { DataError, Stopped } from './errors';
import { Pace } from './pace';
import type { Jobs, Outcome, RaceOptions } from './protocol';
import { CHECKPOINT_EVERY, need, type Reports, type Session } from './session';

export async function race(session: Session, options: Jobs['race']['takes'], reports: Reports): Promise<Outcome> {
  const { imageSize, width, steps, batch, lr, seeds, checkpoints } = options;
  const { classes } = need(session.folder);
  const val = need(session.val);
  if (val.samples.length === 0) throw new DataError('There are no validation images to measure students on.');
  const entrants = await entrantsOf(session, options, reports);
  const run = await session.api.Race.open({
    device: session.device,
    imageSize,
    width,
    classes: classes.length,
    steps,
    batch,
    lr,
  });
  const students: { name: string; seed: number }[] = [];
  for (let seed = 0; seed < seeds; seed += 1) {
    for (const { name, set, crop } of entrants) {
      run.enter(set.rgb, set.labels, { name, seed, grid: set.grid, crop });
      students.push({ name, seed });
    }
  }
  checkpoints?.forEach((bytes, student) => run.restore(student, bytes));
  let progress = run.progress();
  const pace = new Pace(batch * students.length);
  let saved = performance.now();
  let stopped = false;
  while (!progress.finished) {
    const { go, single } = await session.control.turn();
    if (!go) {
      stopped = true;
      break;
    }
    session.failForTests();
    const before = progress.students[0]?.step ?? 0;
    const began = performance.now();
    progress = await run.advance(single ? 1 : pace.steps());
    const step = progress.students[0]?.step ?? 0;
    pace.took(performance.now() - began, step - before);
    if (performance.now() - saved > CHECKPOINT_EVERY) {
      const parts: Uint8Array[] = [];
      for (const student of students.keys()) parts.push(await run.checkpoint(student));
      reports.checkpoint(parts);
      saved = performance.now();
    }
    reports.metrics({
      of: 'race',
      students: progress.students.map((student, at) => ({ ...student, curve: run.curve(at) })),
      imagesPerSecond: pace.imagesPerSecond,
      eta: pace.eta(steps - step),
    });
  }
  if (stopped && (progress.students[0]?.step ?? 0) === 0) {
    run.free();
    throw new Stopped('Stopped before the first step, so there is nothing to measure.');
  }
  reports.progress({ label: 'Measuring the students', done: 0, total: 0 });
  const standings = await run.evaluate(val.pixels, val.labels);
  const comparisons = run.compareAll();
  const methods = run.methodStandings();
  run.free();
  return {
    standings,
    methods,
    comparisons,
    stored: entrants.map(({ name, set }) => ({ name, images: set.records.length, bytes: set.bytes })),
    stopped,
    chance: 100 / classes.length,
  };
}

async function entrantsOf(session: Session, { choice, minScale }: RaceOptions, reports: Reports) {
  const label = 'Making the sets of the cohort';
  const crop = `global:${minScale}`;
  const whole = { ...choice, grid: 1 as const };
  const ways = {
    pca: { choice, crop: choice.grid > 1 ? `extract:${minScale}` : crop },
    random: { choice: { ...whole, rule: 'random' as const }, crop },
    el2n: { choice: { ...whole, rule: 'easy' as const }, crop },
  };
  const entrants = [];
  for (const name of entrantsFor(choice)) {
    const { choice: own, crop } = ways[name];
    entrants.push({ name, set: await combine(session, own, reports, label), crop });
  }
  return entrants;
}
