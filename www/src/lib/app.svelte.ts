// What the page knows, and what it asks of the engine.

import type { DeviceInfo, MemoryEstimate } from 'tilepress';

import { Engine, type Listeners, makeWorker } from '../engine/client';
import { Recorder } from '../engine/recorder';
import { known, read as readRecording, type Recording, write as writeRecording } from '../engine/recording';
import { Replay } from '../engine/replay';
import {
  type Choice,
  type Chosen,
  type Combined,
  EngineError,
  type Found,
  type Grid,
  type JobName,
  type Jobs,
  type Metrics,
  type Outcome,
  type Progress,
  type Samples,
  type Scored,
  type Source,
} from '../engine/protocol';
import { keepForOffline } from './offline';
import { settingsOf } from './recorded';
import { fromHash, type Settings, toHash } from './settings';
import { drop, forget, keep, recall } from './store';

export const STAGES = ['Pick', 'Score', 'Prune', 'Combine', 'Augment', 'Compare', 'Take home'] as const;
export type StageName = (typeof STAGES)[number];

type ScoreMetrics = Extract<Metrics, { of: 'score' }>;
type RaceMetrics = Extract<Metrics, { of: 'race' }>;

interface Running {
  name: JobName;
  progress: Progress | null;
  paused: boolean;
}

class App {
  settings: Settings = $state(fromHash(location.hash));
  stage: StageName = $state('Pick');
  device: DeviceInfo | null = $state.raw(null);
  version = $state('');
  loading: Progress | null = $state.raw({ label: 'Loading the engine', done: 0, total: 0 });
  /** Jobs that a person waits for; at most one runs. */
  running: Running | null = $state(null);
  /** Read aloud when it changes. */
  status = $state('The engine is loading.');
  error: string | null = $state(null);
  notice: string | null = $state(null);
  dead = $state(false);

  source: Source | null = null;
  /** A session that was closed. */
  last: { name: string; how: string } | null = $state.raw(null);
  found: Found | null = $state.raw(null);
  memory: MemoryEstimate | null = $state.raw(null);
  samples: Samples | null = $state.raw(null);
  scoring: ScoreMetrics | null = $state.raw(null);
  scored: Scored | null = $state.raw(null);
  chosen: Chosen | null = $state.raw(null);
  combined: Partial<Record<Grid, Combined>> = $state.raw({});
  guess: string | null = $state(null);
  racing: RaceMetrics | null = $state.raw(null);
  outcome: Outcome | null = $state.raw(null);

  /** One that is played instead of training. */
  recording: Recording | null = $state.raw(null);
  /** Where the scores and the outcome that are shown were recorded; null when they were made here. */
  scoredFrom: Recording | null = $state.raw(null);
  racedFrom: Recording | null = $state.raw(null);

  readonly engine: Replay;
  readonly #recorder: Recorder;

  constructor() {
    const failAfter = new URLSearchParams(location.hash.slice(1)).get('fail-after');
    const engine = new Engine(
      makeWorker,
      new URL('./', document.baseURI).href,
      {
        ready: (device, version) => {
          this.device = this.notice ? { ...device, reason: 'WebGPU failed' } : device;
          this.version = version;
          this.loading = null;
          if (!this.found) void this.lookBack();
          // Without it the page works all the same, but needs the network to be opened again.
          keepForOffline().catch(() => {});
          this.status = `The engine is ready and runs on ${device.device === 'flex' ? 'the CPU' : 'WebGPU'}.`;
        },
        progress: (progress) => {
          this.loading = progress;
        },
        restarted: (reason) => {
          // Drivers say much; what happened stands in the first line.
          const [first] = reason.split('\n');
          this.notice = `The device failed, and the run goes on on the CPU, from where it was last put aside. The reason given: ${first}`;
          this.status = 'The device failed, and the run goes on on the CPU.';
        },
        failed: (error) => {
          this.dead = true;
          this.error = `${error.message} Reload the page to try again.`;
        },
      },
      this.settings.device,
      failAfter === null ? undefined : Number(failAfter),
    );
    this.#recorder = new Recorder(engine);
    this.engine = new Replay(this.#recorder, () => matchMedia('(prefers-reduced-motion: reduce)').matches);
  }

  /** What a closed session left behind; a browser that keeps nothing leaves nothing. */
  async lookBack(): Promise<void> {
    const setup = await recall('setup').catch(() => undefined);
    if (!setup) return;
    const how = (await recall('scored'))
      ? 'scored'
      : (await recall('checkpoint'))
        ? 'in the middle of scoring'
        : 'picked, not scored yet';
    if (!this.found) this.last = { name: setup.found.name, how };
  }

  async resume(): Promise<void> {
    const setup = await recall('setup');
    if (!setup) return;
    const [kept, checkpoint] = [await recall('scored'), await recall('checkpoint')];
    const { source, settings, found } = setup;
    this.leave();
    this.settings = settings;
    const { val: valFraction, seed } = settings;
    this.status = `Going back to ${found.name}.`;
    const memory = { source, valFraction, seed, ...(kept ? { load: kept.load, scores: kept.csv } : {}) };
    if ((await this.run('recall', memory)) === null && this.error) return;
    this.last = null;
    this.source = source;
    this.found = found;
    await this.measure();
    if (kept) {
      this.samples = kept.samples;
      this.scored = kept.scored;
      this.status = `Back at ${found.name}, with its scores.`;
      this.go('Score');
      await this.prune();
    } else if (checkpoint) {
      await this.score(checkpoint);
    }
  }

  async forgetLast(): Promise<void> {
    // Offered until it is gone: who leaves the page at once must not find it again.
    await forget();
    this.last = null;
    this.status = 'The last session is forgotten.';
  }

  get classes(): string[] {
    return this.found?.classes.map(({ name }) => name) ?? [];
  }

  get choice(): Choice {
    const { ipc, grid, rule, window: windowStart, seed } = this.settings;
    return { ipc, grid, rule, windowStart, seed };
  }

  /** Fewest training images that a class has. */
  get smallest(): number {
    if (!this.samples) return 0;
    const counts = this.classes.map(() => 0);
    for (const label of this.samples.labels) counts[label] = (counts[label] ?? 0) + 1;
    return Math.min(...counts);
  }

  get mostIpc(): number {
    return Math.max(1, Math.floor(this.smallest / this.settings.grid ** 2));
  }

  reachable(stage: StageName): boolean {
    if (stage === 'Pick') return true;
    if (stage === 'Score') return this.found !== null;
    return this.scored !== null;
  }

  go(stage: StageName): void {
    this.error = null;
    this.stage = stage;
    requestAnimationFrame(() => {
      document.querySelector<HTMLElement>('#stage-title')?.focus({ preventScroll: true });
      scrollTo({ top: 0, behavior: 'instant' });
    });
  }

  /** Runs a job that the bar at the foot shows; null when it failed or was stopped, which is said. */
  async run<N extends JobName>(
    name: N,
    options: Jobs[N]['takes'],
    listeners: Listeners = {},
    keep: (result: Jobs[N]['gives']) => void = () => {},
  ): Promise<Jobs[N]['gives'] | null> {
    if (this.running) return null;
    this.error = null;
    this.running = { name, progress: null, paused: false };
    try {
      const result = await this.engine.start(name, options, {
        ...listeners,
        progress: (progress) => {
          if (this.running) this.running.progress = progress;
        },
      });
      // While it still counts as running, so that nobody starts it again for want of a result.
      keep(result);
      return result;
    } catch (error) {
      this.error = (error as Error).message;
      this.status = this.error;
      if (error instanceof EngineError && error.code === 'device') this.dead = true;
      return null;
    } finally {
      this.running = null;
    }
  }

  pause(): void {
    if (!this.running) return;
    this.running.paused = !this.running.paused;
    if (this.running.paused) this.engine.pause();
    else this.engine.resume();
    this.status = this.running.paused ? 'Paused.' : 'Going on.';
  }

  step(): void {
    if (!this.running) return;
    this.running.paused = true;
    this.engine.step();
    this.status = 'One step.';
  }

  stop(): void {
    this.engine.stop();
    this.status = 'Stopping.';
  }

  /** To the end of what is played. */
  skip(): void {
    if (this.running) this.running.paused = false;
    this.engine.skip();
  }

  /** Opens a recording. That of a built-in set starts at once; that of a folder waits until it is picked. */
  async watch(file: Blob, name: string): Promise<void> {
    this.error = null;
    try {
      const recording = await readRecording(file, name);
      this.leave();
      this.#forget();
      this.recording = this.engine.recording = recording;
    } catch (error) {
      this.error = (error as Error).message;
      return;
    }
    this.rewind();
    const { builtIn, name: folder } = this.recording.set;
    this.status = `The recording of ${folder} is open.`;
    if (builtIn === null) return;
    await this.read({ kind: 'built-in', name: builtIn });
    if (this.found) await this.score();
  }

  /** Back to the settings of the recording. */
  rewind(): void {
    if (!this.recording) return;
    this.settings = { ...settingsOf(this.recording), device: this.settings.device };
    if (this.found) void this.measure();
    if (this.scored) void this.prune();
  }

  /** From here on, everything runs on this device. */
  leave(): void {
    this.recording = this.engine.recording = null;
    this.error = null;
  }

  /** Whether there is a run, seen from its beginning, to take home. */
  get recordable(): boolean {
    return this.scored !== null && this.#recorder.score !== null;
  }

  async record(): Promise<Blob> {
    const { score, race } = this.#recorder;
    if (!score || !this.found) throw new Error('There is no run to record.');
    const made = { at: new Date().toISOString(), version: this.version, device: this.device?.description ?? '' };
    const builtIn = this.source?.kind === 'built-in' ? this.source.name : null;
    const set = { ...known(this.found), builtIn, valFraction: this.engine.memory?.valFraction ?? this.settings.val };
    return writeRecording({ made, set, score, race: this.outcome ? race : null });
  }

  async read(source: Source): Promise<void> {
    // Another set is not what was recorded; whether a folder is, shows when it is read.
    const { builtIn = null } = this.recording?.set ?? {};
    if (builtIn !== (source.kind === 'built-in' ? source.name : null)) this.leave();
    this.#forget();
    const { val: valFraction, seed } = this.settings;
    this.settings.set = source.kind === 'built-in' ? source.name : '';
    const found = await this.run('read', { source, valFraction, seed });
    if (!found) return;
    this.found = found;
    this.source = source;
    this.last = null;
    // A browser that cannot keep it goes on without. A recording is kept as a file, and takes no session's place.
    if (!this.recording) {
      void forget()
        .then(() => keep('setup', { source, settings: $state.snapshot(this.settings), found }))
        .catch(() => {});
    }
    this.status = `Found ${found.images} images of ${found.classes.length} classes; ${found.leftOut.length} files left out.`;
    await this.measure();
  }

  /** Training images that will be decoded, with the cap of a class. */
  get #train(): number {
    const cap = this.settings.cap || Infinity;
    return this.found?.classes.reduce((sum, { train }) => sum + Math.min(train, cap), 0) ?? 0;
  }

  /** Images that will be decoded. */
  get planned(): number {
    return this.found?.classes.reduce((sum, { val }) => sum + val, this.#train) ?? 0;
  }

  async measure(): Promise<void> {
    const { size: imageSize, epochs } = this.settings;
    const classes = this.found?.classes.length ?? 0;
    this.memory = await this.engine.start('memory', { images: this.planned, train: this.#train, classes, imageSize, epochs });
  }

  async score(checkpoint?: Uint8Array): Promise<void> {
    const { source, found } = this;
    if (!source || !found) return;
    const { recording } = this;
    if (!recording) {
      await keep('setup', { source, settings: $state.snapshot(this.settings), found }).catch(() => {});
      await drop('scored').catch(() => {});
      if (!checkpoint) await drop('checkpoint').catch(() => {});
    }
    this.scored = null;
    this.scoring = null;
    this.#forgetChoice();
    this.go('Score');
    const { size: imageSize, cap, epochs, width, batch, scorelr: lr, seed } = this.settings;
    this.status = 'Decoding the images.';
    let epoch = -1;
    const scored = await this.run(
      'score',
      { imageSize, cap, epochs, width, batch, lr, seed, checkpoint },
      {
        checkpoint: ([bytes]) => {
          if (bytes) keep('checkpoint', bytes).catch(() => {});
        },
        samples: (samples) => {
          this.samples = samples;
        },
        metrics: (metrics) => {
          if (metrics.of !== 'score') return;
          this.scoring = metrics;
          if (metrics.epoch !== epoch) {
            epoch = metrics.epoch;
            this.status = epoch === 0 ? 'The proxy trains.' : `Epoch ${epoch} of ${metrics.epochs} is through.`;
          }
        },
      },
    );
    if (!scored) return;
    this.scored = scored;
    this.scoredFrom = recording;
    const { memory } = this.engine;
    if (!recording && this.samples && memory?.scores && memory.load) {
      const { samples } = this;
      keep('scored', { scored, samples, csv: memory.scores, load: memory.load }).catch(() => {});
    }
    this.settings.ipc = Math.min(this.settings.ipc, this.mostIpc);
    this.status = `Scored ${scored.scores.length} images over ${scored.counted} epochs.`;
    await this.prune();
  }

  #pruneAgain = false;
  #pruning = false;

  /** Follows the sliders: of many changes, only the last one counts. */
  async prune(): Promise<void> {
    this.settings.ipc = Math.min(this.settings.ipc, this.mostIpc);
    this.combined = {};
    this.outcome = null;
    this.racing = null;
    this.#pruneAgain = true;
    if (this.#pruning) return;
    this.#pruning = true;
    while (this.#pruneAgain) {
      this.#pruneAgain = false;
      try {
        this.chosen = await this.engine.start('prune', this.choice);
        this.error = null;
      } catch (error) {
        this.chosen = null;
        this.error = (error as Error).message;
      }
    }
    this.#pruning = false;
  }

  async combine(grid: Grid): Promise<void> {
    if (this.combined[grid]) return;
    await this.run('combine', { ...this.choice, grid }, {}, (made) => {
      this.combined = { ...this.combined, [grid]: made };
      this.status = `Made ${made.records.length} stored images.`;
    });
  }

  async race(): Promise<void> {
    this.outcome = null;
    this.racing = null;
    const { recording } = this;
    const { size: imageSize, width, steps, batch, lr, seeds, r: minScale } = this.settings;
    this.status = 'The students start.';
    let quarter = 0;
    const outcome = await this.run(
      'race',
      { choice: this.choice, imageSize, width, steps, batch, lr, seeds, minScale },
      {
        metrics: (metrics) => {
          if (metrics.of !== 'race') return;
          this.racing = metrics;
          const now = Math.floor((4 * (metrics.students[0]?.step ?? 0)) / steps);
          if (now > quarter && now < 4) {
            quarter = now;
            this.status = `${['', 'A quarter', 'Half', 'Three quarters'][now]} of the steps are made.`;
          }
        },
      },
    );
    if (!outcome) return;
    this.outcome = outcome;
    this.racedFrom = recording;
    this.status = 'The students are measured.';
  }

  get link(): string {
    return new URL(toHash(this.settings), location.href.replace(/#.*/, '')).href;
  }

  #forget(): void {
    this.found = null;
    this.memory = null;
    this.samples = null;
    this.scoring = null;
    this.scored = null;
    this.scoredFrom = null;
    this.#forgetChoice();
  }

  #forgetChoice(): void {
    this.chosen = null;
    this.combined = {};
    this.racing = null;
    this.outcome = null;
    this.guess = null;
  }
}

export const app = new App();
