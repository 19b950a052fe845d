// Scores to a choice, a choice to stored images, stored images to the views that training takes of them.

import type * as Tilepress from 'tilepress';

import type { Choice, Chosen, Combined, Crop, Jobs, ViewsOf } from './protocol';
import { need, type Reports, type Session } from './session';

/** Sets that are kept for the stages to come. */
const KEEP = 6;

export function prune(session: Session, { ipc, grid, rule, windowStart, seed }: Choice): Chosen {
  const { samples } = need(session.train);
  const options: Tilepress.PruneOptions = { ipc, grid, rule, seed, ...(rule === 'window' ? { windowStart } : {}) };
  const { classes } = need(session.folder);
  const { picks, perClass, findings } = session.api.prune(samples, classes, session.scores, options, need(session.val).samples);
  return { picks, perClass, findings };
}

export function selection(session: Session, choice: Choice): { csv: string } {
  const { samples } = need(session.train);
  return { csv: session.api.writeSelection(prune(session, choice).picks, samples, need(session.folder).classes) };
}

export function composites(session: Session, choice: Choice): Tilepress.Composites {
  const { samples } = need(session.train);
  const { imageSize } = need(session.load);
  const options = { imageSize, grid: choice.grid, seed: choice.seed };
  return new session.api.Composites(prune(session, choice).picks, samples, need(session.folder).classes, options);
}

/** Makes all of a set, and gives each stored image away as soon as it is there; the next waits until it is taken. */
export async function make(
  session: Session,
  set: Tilepress.Composites,
  grid: Choice['grid'],
  reports: Reports,
  label: string,
  each?: (made: Tilepress.Composite) => Promise<void>,
): Promise<Combined> {
  const { imageSize } = need(session.load);
  const size = imageSize * imageSize * 3;
  const rgb = new Uint8Array(set.length * size);
  const labels = new Uint32Array(set.length);
  const records: Tilepress.CompositeRecord[] = [];
  let bytes = 0;
  for (let index = 0; index < set.length; index += 1) {
    if (index % 8 === 0) await session.breathe(reports, label, index, set.length);
    const made = set.make(index, await Promise.all(set.sources(index).map((path) => session.bytes(path))));
    rgb.set(made.pixels, index * size);
    labels[index] = made.label;
    bytes += made.file.length;
    records.push(made.record);
    await each?.(made);
  }
  const sourceBytes = session.sizeOf(records.flatMap(({ tiles }) => tiles.map(({ source }) => source)));
  return { grid, side: imageSize, rgb, labels, records, bytes, sourceBytes };
}

export async function combine(
  session: Session,
  choice: Choice,
  reports: Reports,
  label = 'Making the composites',
): Promise<Combined> {
  const key = JSON.stringify([choice, session.load]);
  const known = session.made.get(key);
  if (known) return known;
  const set = composites(session, choice);
  try {
    const made = await make(session, set, choice.grid, reports, label);
    if (session.made.size >= KEEP) session.made.clear();
    session.made.set(key, made);
    return made;
  } finally {
    set.free();
  }
}

export async function views(
  session: Session,
  { choice, index, minScale, seed }: Jobs['views']['takes'],
  reports: Reports,
): Promise<ViewsOf[]> {
  const { rgb, side } = await combine(session, choice, reports);
  const size = side * side * 3;
  const one = rgb.slice(index * size, (index + 1) * size);
  return (['extract', 'global', 'shuffle'] as const).map((crop: Crop) => {
    const drawn = new session.api.Views(one, {
      imageSize: side,
      grid: choice.grid,
      crop: crop === 'shuffle' ? crop : `${crop}:${minScale}`,
      seed,
    });
    const made = Array.from({ length: 12 }, (_, epoch) => {
      const [plan] = drawn.plan(epoch, Uint32Array.of(0));
      const picture = { side, rgba: new Uint8ClampedArray(drawn.render(epoch, Uint32Array.of(0), 0)) };
      const { crop: box, flip, shuffle } = need(plan ?? null);
      return { picture, crop: box, flip, shuffle };
    });
    drawn.free();
    return { crop, views: made };
  });
}
