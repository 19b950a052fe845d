// What the page knows: the stages show it, and what stands beside this file changes it.

import type { DeviceInfo, MemoryEstimate, MethodInfo } from 'tilepress';

import type {
  Choice,
  Chosen,
  Combined,
  Found,
  Grid,
  JobName,
  Metrics,
  Outcome,
  Progress,
  Samples,
  Scored,
  Source,
} from '../engine/protocol';
import type { Recording } from '../engine/recording';
import { titlesOf, type Title } from '../lib/methods';
import { fromHash, type Settings } from '../lib/settings';

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
  /** The package's list of methods; empty until it is loaded. */
  methods: MethodInfo[] = $state.raw([]);
  loading: Progress | null = $state.raw({ label: 'Loading the engine', done: 0, total: 0 });
  /** Jobs that a person waits for; at most one runs. */
  running: Running | null = $state(null);
  /** Read aloud when it changes. */
  status = $state('The engine is loading.');
  error: string | null = $state(null);
  notice: string | null = $state(null);

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

  /** One that is played instead of training; `play` and `leave` change it. */
  recording: Recording | null = $state.raw(null);
  /** Where the scores and the outcome that are shown were recorded; null when they were made here. */
  scoredFrom: Recording | null = $state.raw(null);
  racedFrom: Recording | null = $state.raw(null);

  get classes(): string[] {
    return this.found?.classes.map(({ name }) => name) ?? [];
  }

  /** The title of an entrant of the race, by its name. */
  get title(): Title {
    return titlesOf(this.methods, this.settings);
  }

  get choice(): Choice {
    const { ipc, grid, rule, window: windowStart, seed } = this.settings;
    return { ipc, grid, rule, windowStart, seed };
  }

  /** Training images that will be decoded, with the cap of a class. */
  get train(): number {
    const cap = this.settings.cap || Infinity;
    return this.found?.classes.reduce((sum, { train }) => sum + Math.min(train, cap), 0) ?? 0;
  }

  /** Images that will be decoded. */
  get planned(): number {
    return this.found?.classes.reduce((sum, { val }) => sum + val, this.train) ?? 0;
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

  /** All that is known of a set, before another one. */
  forget(): void {
    this.found = null;
    this.memory = null;
    this.samples = null;
    this.scoring = null;
    this.scored = null;
    this.scoredFrom = null;
    this.forgetChoice();
  }

  /** What was made from the scores, before others. */
  forgetChoice(): void {
    this.chosen = null;
    this.combined = {};
    this.racing = null;
    this.outcome = null;
    this.guess = null;
  }
}

export const app = new App();
