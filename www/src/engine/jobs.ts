// Every job of the worker, by the name that the protocol gives it.

import { combine, prune, selection, views } from './compose';
import { decode } from './decode';
import type { JobName, Jobs } from './protocol';
import { race } from './race';
import { read } from './read';
import { save } from './save';
import { keepsSoftmax, score, small } from './score';
import type { Reports, Session } from './session';

type Work<N extends JobName> = (
  session: Session,
  options: Jobs[N]['takes'],
  reports: Reports,
) => Jobs[N]['gives'] | Promise<Jobs[N]['gives']>;

/** Takes over from a worker that is gone, or a session that was closed. */
export const recall: Work<'recall'> = async (session, memory, reports) => {
  await read(session, memory, reports);
  if (memory.load) {
    await decode(session, memory.load, reports);
    reports.samples(small(session, memory.load));
  }
  if (memory.scores) session.useScores(session.api.ScoreTable.fromCsv(memory.scores));
  return null;
};

const memory: Work<'memory'> = ({ api }, { images, train, classes, imageSize, epochs }) =>
  api.estimateMemory({ images, imageSize, epochs, classes: keepsSoftmax(train, classes, epochs) ? classes : 0 });

export const JOBS: { [N in JobName]: Work<N> } = {
  recall,
  read,
  memory,
  score,
  prune,
  combine,
  views,
  race,
  save,
  selection,
};
