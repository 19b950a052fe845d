// What the page and its worker say to each other. A job is started, can be paused, stepped and stopped, and ends
// with `done` or `error`; `progress`, `metrics` and `samples` come in between.

import type {
  Comparison,
  CompositeRecord,
  CurvePoint,
  DeviceInfo,
  DeviceName,
  MemoryEstimate,
  MethodInfo,
  MethodStanding,
  Pick,
  Pruned,
  Rect,
  Standing as Measured,
  Suspect,
} from 'tilepress';

export type Rule = 'easy' | 'hard' | 'window' | 'random';
export type Grid = 1 | 2 | 3;

/** Where images come from. */
export type Source =
  | { kind: 'files'; files: { path: string; blob: Blob }[] }
  | { kind: 'archive'; name: string; blob: Blob }
  | { kind: 'built-in'; name: string };

/** An image for a canvas: `side` × `side` × 4 bytes. */
export interface Picture {
  side: number;
  rgba: Uint8ClampedArray<ArrayBuffer>;
}

/** What was found, before anything runs. */
export interface Found {
  name: string;
  classes: { name: string; train: number; val: number; pictures: Picture[] }[];
  valOrigin: 'given' | 'held-out';
  /** What was taken for what, and what to check. */
  said: string[];
  leftOut: { path: string; reason: string }[];
  images: number;
  /** Of all of them, those to train on first. */
  paths: string[];
  bytes: number;
}

export interface LoadOptions {
  imageSize: number;
  /** Most training images of a class; 0 is all of them. */
  cap: number;
}

export interface ScoreOptions extends LoadOptions {
  epochs: number;
  width: number;
  batch: number;
  lr: number;
  seed: number;
}

export interface Progress {
  label: string;
  done: number;
  total: number;
}

export type Metrics =
  | {
      of: 'score';
      step: number;
      steps: number;
      epoch: number;
      epochs: number;
      curve: CurvePoint[];
      /** Share predicted, an entry for each finished epoch; null for those before a restart. */
      accuracy: (number | null)[];
      imagesPerSecond: number;
      /** Milliseconds. */
      eta: number;
      /** EL2N of every image, summed so far. */
      el2n: Float64Array;
    }
  | {
      of: 'race';
      students: { name: string; seed: number; step: number; steps: number; curve: CurvePoint[] }[];
      imagesPerSecond: number;
      eta: number;
    };

/** Every training image small, in one block, as the samples are numbered. */
export interface Samples {
  side: number;
  rgb: Uint8Array<ArrayBuffer>;
  labels: Uint32Array;
  paths: string[];
}

export interface EpochDetail {
  pLabel: Float32Array;
  pOther: Float32Array;
  el2n: Float32Array;
  /** Images × classes, row by row; null when it would be too large. */
  softmax: Float32Array | null;
}

export interface Scored {
  scores: Float64Array;
  epochs: EpochDetail[];
  suspects: Suspect[];
  nearDuplicates: string[][];
  sharedWithVal: string[];
  leftOut: { path: string; reason: string }[];
  /** Epochs that count; fewer than asked for when the run was stopped. */
  counted: number;
  stopped: boolean;
  bytes: number;
}

export interface Choice {
  ipc: number;
  grid: Grid;
  rule: Rule;
  windowStart: number;
  seed: number;
}

export interface Chosen {
  picks: Pick[];
  perClass: number;
  findings: Pruned['findings'];
}

export interface Combined {
  grid: Grid;
  side: number;
  rgb: Uint8Array<ArrayBuffer>;
  labels: Uint32Array;
  records: CompositeRecord[];
  /** Bytes of the files made, and of the files they were made from. */
  bytes: number;
  sourceBytes: number;
}

export type Crop = 'extract' | 'global' | 'shuffle';

export interface ViewsOf {
  crop: Crop;
  views: { picture: Picture; crop: Rect; flip: boolean; shuffle: { columns: number[]; rows: number[] } | null }[];
}

export interface RaceOptions {
  choice: Choice;
  imageSize: number;
  width: number;
  steps: number;
  batch: number;
  lr: number;
  seeds: number;
  minScale: number;
}

/** What the page shows of a student's measurement. */
export type Standing = Omit<Measured, 'macroTop1' | 'adaptedTop1'>;

export interface Outcome {
  standings: Standing[];
  /** Empty in a recording of an earlier page. */
  methods: MethodStanding[];
  comparisons: Comparison[];
  stored: { name: string; images: number; bytes: number }[];
  stopped: boolean;
  chance: number;
}

export interface SaveOptions {
  choice: Choice;
  /** Smallest crop of the views, for the set's transform. */
  minScale: number;
  name: string;
  report: string;
  options: object;
  /** Where the zip is written to while it is made; without it the whole of it is given back. */
  to?: FileSystemFileHandle | undefined;
}

export interface Saved {
  /** Null when it was written to a file. */
  zip: Blob | null;
  bytes: number;
  composites: number;
}

/** What a job takes and gives. */
export interface Jobs {
  recall: { takes: Memory; gives: null };
  read: { takes: { source: Source; valFraction: number; seed: number }; gives: Found };
  /** `train` of the images are to be scored. */
  memory: {
    takes: { images: number; train: number; classes: number; imageSize: number; epochs: number };
    gives: MemoryEstimate;
  };
  score: { takes: ScoreOptions & { checkpoint?: Uint8Array | undefined }; gives: Scored };
  prune: { takes: Choice; gives: Chosen };
  combine: { takes: Choice; gives: Combined };
  views: { takes: { choice: Choice; index: number; minScale: number; seed: number }; gives: ViewsOf[] };
  race: { takes: RaceOptions & { checkpoints?: Uint8Array[] | undefined }; gives: Outcome };
  save: { takes: SaveOptions; gives: Saved };
  selection: { takes: Choice; gives: { csv: string } };
}

export type JobName = keyof Jobs;

/** Everything that a fresh worker needs to take over from one that lost its device. */
export interface Memory {
  source: Source;
  valFraction: number;
  seed: number;
  load?: LoadOptions;
  /** `scores.csv`. */
  scores?: string;
}

export type ToWorker =
  | {
      type: 'open';
      device: DeviceName;
      /** Folder of the package, ending in a slash. */
      base: string;
      module?: WebAssembly.Module | undefined;
      memory?: Memory | undefined;
      /** For tests: the device fails after this many turns of training. */
      failAfter?: number | undefined;
    }
  | { [N in JobName]: { type: 'start'; id: number; job: N; options: Jobs[N]['takes'] } }[JobName]
  | { type: 'pause' | 'resume' | 'step' | 'stop' };

export interface Failure {
  code: 'usage' | 'data' | 'device' | 'run';
  message: string;
}

export type FromWorker =
  | { type: 'ready'; device: DeviceInfo; version: string; methods: MethodInfo[]; module: WebAssembly.Module }
  | { type: 'progress'; id: number; progress: Progress }
  | { type: 'metrics'; id: number; metrics: Metrics }
  | { type: 'samples'; id: number; samples: Samples }
  | { type: 'checkpoint'; id: number; parts: Uint8Array[] }
  | { type: 'remember'; scores: string; load: LoadOptions }
  | { type: 'done'; id: number; result: unknown }
  | { type: 'error'; id: number; failure: Failure };

/** An error that has crossed from the worker; copying an `Error` drops its code. */
export class EngineError extends Error {
  readonly code: Failure['code'];
  constructor({ code, message }: Failure) {
    super(message);
    this.name = 'EngineError';
    this.code = code;
  }
}

/** What is said of anything thrown. */
export function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  if (code === 'usage' || code === 'data' || code === 'device' || code === 'run') return { code, message };
  // A panic on WebGPU is how a refused shader shows itself.
  return { code: error instanceof WebAssembly.RuntimeError ? 'device' : 'run', message };
}
