// Listens to what scoring and a race say, so that a person can take it home as a recording.

import type { Engine, Listeners } from './client';
import type { JobName, Jobs, Metrics } from './protocol';
import type { Mark, TakeOfRace, TakeOfScore } from './recording';

/** What the page wants of an engine; the real one and those that stand before it. */
export type Runs = Pick<Engine, 'start' | 'memory' | 'pause' | 'resume' | 'step' | 'stop'>;

export class Recorder implements Runs {
  readonly #inner: Runs;
  /** Of the jobs that ran last, whole; null when there was none, or when it began in another session. */
  score: TakeOfScore | null = null;
  race: TakeOfRace | null = null;
  /** Milliseconds in pauses, and when the present one began. */
  #idle = 0;
  #since: number | null = null;

  constructor(inner: Runs) {
    this.#inner = inner;
  }

  get memory() {
    return this.#inner.memory;
  }

  async start<N extends JobName>(name: N, options: Jobs[N]['takes'], listeners: Listeners = {}): Promise<Jobs[N]['gives']> {
    if (name === 'read' || name === 'recall' || name === 'score') this.score = null;
    if (this.score === null || name === 'race') this.race = null;
    if (name !== 'score' && name !== 'race') return this.#inner.start(name, options, listeners);

    const began = performance.now();
    this.#idle = 0;
    this.#since = null;
    const clock = () => {
      const now = performance.now();
      return Math.round(now - began - this.#idle - (this.#since === null ? 0 : now - this.#since));
    };
    // Not all that was said: each message repeats the curves of those before it.
    const marks: Mark[] = [];
    let last: Metrics | null = null;
    const result = await this.#inner.start(name, options, {
      ...listeners,
      metrics: (metrics) => {
        const step = metrics.of === 'score' ? metrics.step : (metrics.students[0]?.step ?? 0);
        marks.push([clock(), step, Math.round(metrics.imagesPerSecond)]);
        last = metrics;
        listeners.metrics?.(metrics);
      },
    });
    this.#keep({ took: clock(), marks }, last, options, result);
    return result;
  }

  #keep(times: { took: number; marks: Mark[] }, last: Metrics | null, options: unknown, result: unknown): void {
    const csv = this.memory?.scores;
    if (last?.of === 'score') {
      const { checkpoint, ...asked } = options as Jobs['score']['takes'];
      if (csv === undefined || checkpoint) return;
      const { curve, accuracy, steps } = last;
      this.score = { options: asked, ...times, steps, curve, accuracy, scored: result as Jobs['score']['gives'], csv };
    }
    if (last?.of === 'race') {
      const students = last.students.map(({ name, seed, curve }) => ({ name, seed, curve }));
      const steps = last.students[0]?.steps ?? 0;
      this.race = { options: options as Jobs['race']['takes'], ...times, steps, students, outcome: result as Jobs['race']['gives'] };
    }
  }

  pause(): void {
    this.#since ??= performance.now();
    this.#inner.pause();
  }

  resume(): void {
    this.#goOn();
    this.#inner.resume();
  }

  step(): void {
    this.#since ??= performance.now();
    this.#inner.step();
  }

  stop(): void {
    this.#goOn();
    this.#inner.stop();
  }

  #goOn(): void {
    if (this.#since !== null) this.#idle += performance.now() - this.#since;
    this.#since = null;
  }
}
