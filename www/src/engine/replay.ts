// An engine that plays scoring and the race from a recording, and leaves all else to the real one. Played is with the same
// messages in the same order, so that no stage needs to know.

import type { Listeners } from './client';
import { Control } from './control';
import {
  EngineError,
  type Found,
  type JobName,
  type Jobs,
  type Outcome,
  type Samples,
  type Scored,
  type ScoreOptions,
} from './protocol';
import { type Mark, MOST, type Recording } from './recording';
import type { Runs } from './recorder';

/** What a job takes to play, in milliseconds. */
export const PLAY = 12_000;
/** So soon after a command something happens. */
const FELT = 50;

type Give<N extends JobName> = Promise<Jobs[N]['gives']>;

const refuse = (code: 'usage' | 'data', message: string) => new EngineError({ code, message });

export class Replay implements Runs {
  readonly #inner: Runs;
  /** Whether a person wants nothing that moves: then a job jumps to its end. */
  readonly #still: () => boolean;
  recording: Recording | null = null;
  #control: Control | null = null;
  #skip = false;

  constructor(inner: Runs, still: () => boolean) {
    this.#inner = inner;
    this.#still = still;
  }

  get memory() {
    return this.#inner.memory;
  }

  async start<N extends JobName>(name: N, options: Jobs[N]['takes'], listeners: Listeners = {}): Promise<Jobs[N]['gives']> {
    const { recording } = this;
    if (!recording || (name !== 'read' && name !== 'score' && name !== 'race')) {
      return this.#inner.start(name, options, listeners);
    }
    if (name === 'read') {
      const found = (await this.#inner.start(name, options, listeners)) as Found;
      const differs = difference(recording, found);
      if (differs) throw refuse('data', differs);
      return found as Jobs[N]['gives'];
    }
    this.#control = new Control();
    this.#skip = this.#still();
    try {
      const give: Give<'score' | 'race'> =
        name === 'score'
          ? this.#score(recording, options as Jobs['score']['takes'], listeners)
          : this.#race(recording, options as Jobs['race']['takes'], listeners);
      return (await give) as Jobs[N]['gives'];
    } finally {
      this.#control = null;
    }
  }

  pause(): void {
    this.#control?.handle('pause');
    this.#inner.pause();
  }

  resume(): void {
    this.#control?.handle('resume');
    this.#inner.resume();
  }

  step(): void {
    this.#control?.handle('step');
    this.#inner.step();
  }

  stop(): void {
    this.#control?.handle('stop');
    this.#inner.stop();
  }

  /** To the end of the job that is played. */
  skip(): void {
    this.#skip = true;
    this.resume();
  }

  async #score({ set, score }: Recording, options: ScoreOptions, listeners: Listeners): Give<'score'> {
    const { memory } = this.#inner;
    if (!memory || !same(options, score.options) || memory.valFraction !== set.valFraction) {
      throw refuse('usage', 'The recording was made with other settings: go back to them, or run it live.');
    }
    const { source, valFraction, seed } = memory;
    const load = { imageSize: options.imageSize, cap: options.cap };
    let samples: Samples | null = null;
    const recall = (scores: string) =>
      this.#inner.start('recall', { source, valFraction, seed, load, scores }, {
        ...(listeners.progress ? { progress: listeners.progress } : {}),
        samples: (all) => {
          samples = all;
          listeners.samples?.(all);
        },
      });
    // The stages that follow work on the real images, with the scores of the recording.
    await recall(score.csv);
    const { labels, paths } = samples ?? { labels: [], paths: [] as string[] };
    if (paths.length !== score.scored.scores.length) {
      throw refuse('data', `The recording scored ${score.scored.scores.length} images, and here are ${paths.length}.`);
    }

    const { epochs } = score.options;
    const epochOf = (step: number) => Math.min(score.scored.counted, Math.floor((step * epochs) / score.steps + 1e-9));
    /** Summed over the first epochs. */
    const sums: Float64Array[] = [new Float64Array(paths.length)];
    for (const { el2n } of score.scored.epochs) sums.push((sums.at(-1) as Float64Array).map((sum, at) => sum + (el2n[at] ?? 0)));
    const reached = await this.#play(score.marks, (step, imagesPerSecond, eta) => {
      const epoch = epochOf(step);
      listeners.metrics?.({
        of: 'score',
        step,
        steps: score.steps,
        epoch,
        epochs,
        curve: score.curve.filter((point) => point.step <= step),
        accuracy: score.accuracy.slice(0, epoch),
        imagesPerSecond,
        eta,
        el2n: (sums[epoch] as Float64Array).slice(),
      });
    });
    if (reached === null) return score.scored;

    // Stopped: as in a run, the epochs that were through count.
    const epoch = epochOf(reached);
    if (epoch === 0) throw refuse('usage', 'Stopped before the first epoch was through, so there are no scores yet.');
    const scores = sums[epoch] as Float64Array<ArrayBuffer>;
    const quote = (text: string) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const rows = paths.map((path, at) => `${quote(path)},${quote(set.classes[labels[at] ?? 0]?.name ?? '')},el2n,1..${epoch},${scores[at]}`);
    await recall(`path,class,metric,window,value\n${rows.join('\n')}\n`);
    const some: Partial<Scored> = { scores, epochs: score.scored.epochs.slice(0, epoch), suspects: [], counted: epoch, stopped: true };
    return { ...score.scored, ...some };
  }

  async #race({ race }: Recording, options: Jobs['race']['takes'], listeners: Listeners): Promise<Outcome> {
    if (!race) throw refuse('usage', 'The recording has no race: run it live.');
    if (!same(options, race.options)) {
      throw refuse('usage', 'The race of the recording was run with other settings: go back to them, or run it live.');
    }
    const reached = await this.#play(race.marks, (step, imagesPerSecond, eta) => {
      listeners.metrics?.({
        of: 'race',
        students: race.students.map(({ name, seed, curve }) => {
          return { name, seed, step, steps: race.steps, curve: curve.filter((point) => point.step <= step) };
        }),
        imagesPerSecond,
        eta,
      });
    });
    if (reached !== null) {
      throw refuse('usage', 'Stopped. The students of a recording were measured at its end only: start again, or skip to the end.');
    }
    return race.outcome;
  }

  /** Shows evenly spaced moments of a job; null at the end, or the step at which it was stopped. */
  async #play(marks: Mark[], show: (step: number, speed: number, left: number) => void): Promise<number | null> {
    const control = this.#control as Control;
    const [first, last] = [marks[0] as Mark, marks.at(-1) as Mark];
    const ticks = Math.max(1, Math.min(MOST, last[1]));
    const moment = (tick: number) => between(marks, first[0] + (tick / ticks) * (last[0] - first[0]));
    let step = 0;
    for (let tick = 1; tick <= ticks; tick += 1) {
      const { go, single } = await control.turn();
      if (!go) return step;
      for (let left = PLAY / ticks; left > 0 && !single && !this.#skip && !control.paused && !control.stopped; left -= FELT) {
        await new Promise((resolve) => setTimeout(resolve, Math.min(left, FELT)));
      }
      if (control.stopped) return step;
      if (this.#skip) tick = ticks;
      // Where the run was slow, several moments show one step, and who asks for a step wants to see the next.
      while (single && tick < ticks && Math.floor(moment(tick)[1]) <= step) tick += 1;
      const [, exact, speed] = moment(tick);
      step = tick === ticks ? last[1] : Math.floor(exact);
      show(step, speed, PLAY * (1 - tick / ticks));
    }
    return null;
  }
}

/** Where a job stood at a time between two marks. */
function between(marks: Mark[], at: number): Mark {
  const next = marks.findIndex(([time]) => time >= at);
  const [a, b] = [marks[Math.max(0, next - 1)] as Mark, (next < 0 ? marks.at(-1) : marks[next]) as Mark];
  const share = b[0] > a[0] ? (at - a[0]) / (b[0] - a[0]) : 1;
  return [at, a[1] + share * (b[1] - a[1]), b[2]];
}

/** Whether two jobs are asked for with the same options, in whatever order these stand. */
export function same(a: object, b: object): boolean {
  const flat = (value: object): string =>
    JSON.stringify(
      Object.entries(value)
        .filter(([, inner]) => inner !== undefined)
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([key, inner]) => [key, typeof inner === 'object' && inner !== null ? flat(inner as object) : inner]),
    );
  return flat(a) === flat(b);
}

/** What tells a folder from that of a recording, as a sentence; null when nothing does. */
export function difference({ set }: Recording, found: Found): string | null {
  const some = (paths: string[]) => `${paths.slice(0, 3).join(', ')}${paths.length > 3 ? ' …' : ''}`;
  const { paths } = found;
  const [here, there] = [new Set(paths), new Set(set.paths)];
  const missing = set.paths.filter((path) => !here.has(path));
  const more = paths.filter((path) => !there.has(path));
  if (missing.length === 0 && more.length === 0) return null;
  const parts = [
    ...(missing.length ? [`${missing.length} of its ${set.paths.length} images are not here (${some(missing)})`] : []),
    ...(more.length ? [`${more.length} here are not in it (${some(more)})`] : []),
  ];
  return `This is not the folder of the recording, “${set.name}”: ${parts.join(', and ')}. Pick that folder, or leave the recording.`;
}
