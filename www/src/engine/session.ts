// What a worker holds: the package, a device, and what the stages so far have left for the next ones.

import type * as Tilepress from 'tilepress';

import type { Control } from './control';
import { DataError, LostDevice, Stopped } from './errors';
import type { Combined, LoadOptions, Metrics, Progress, Samples } from './protocol';

export type Api = typeof Tilepress;
export type Bytes = Uint8Array<ArrayBuffer>;

/** What a job says while it runs. */
export interface Reports {
  progress(progress: Progress): void;
  metrics(metrics: Metrics): void;
  samples(samples: Samples): void;
  checkpoint(parts: Uint8Array[]): void;
  remember(scores: string, load: LoadOptions): void;
}

/** A split decoded at the training size. */
export interface Split {
  samples: Tilepress.Sample[];
  pixels: Uint8Array;
  labels: Uint32Array;
}

/** A run in training is put aside after this many milliseconds. */
export const CHECKPOINT_EVERY = 4000;

export class Session {
  readonly api: Api;
  readonly device: Tilepress.DeviceName;
  readonly control: Control;
  /** Folder of the page, ending in a slash. */
  readonly base: string;
  #failAfter: number;

  files = new Map<string, Blob | Bytes>();
  folder: Tilepress.LabelledFolder | null = null;
  leftOut: { path: string; reason: string }[] = [];
  /** What was left out later, as its header was whole but not the rest. */
  undecoded: { path: string; reason: string }[] = [];
  load: LoadOptions | null = null;
  train: Split | null = null;
  val: Split | null = null;
  scores: Float64Array | null = null;
  /** The scores as `scores.csv` has them. */
  csv = '';
  /** The sets made last, by choice: three stages look at the same one. */
  readonly made = new Map<string, Combined>();

  constructor(api: Api, device: Tilepress.DeviceName, control: Control, base: string, failAfter = Infinity) {
    this.api = api;
    this.device = device;
    this.control = control;
    this.base = base;
    this.#failAfter = failAfter;
  }

  useScores(table: Tilepress.ScoreTable): void {
    const { classes } = need(this.folder);
    this.made.clear();
    this.scores = table.scoresOf(need(this.train).samples, classes);
    this.csv = table.toCsv();
    table.free();
  }

  async bytes(path: string): Promise<Bytes> {
    const file = this.files.get(path);
    if (!file) throw new DataError(`${path} is not there any more`);
    return bytesOf(file);
  }

  /** Bytes that the files of these paths have together. */
  sizeOf(paths: string[]): number {
    return paths.reduce((sum, path) => {
      const file = this.files.get(path);
      return sum + (file ? lengthOf(file) : 0);
    }, 0);
  }

  /** Between two pieces of work without steps: says how far it is, lets messages in, and ends the job when it was stopped. */
  async breathe(reports: Reports, label: string, done: number, total: number): Promise<void> {
    reports.progress({ label, done, total });
    const { go } = await this.control.turn();
    if (!go) throw new Stopped('Stopped.');
  }

  failForTests(): void {
    this.#failAfter -= 1;
    if (this.#failAfter === 0) throw new LostDevice('the device was lost, as the address asked for');
  }
}

/** What an earlier stage left; a job that comes too early is refused. */
export function need<T>(value: T | null): T {
  if (value === null) throw new DataError('An earlier stage has not been run yet.');
  return value;
}

export const lengthOf = (file: Blob | Bytes): number => (file instanceof Blob ? file.size : file.length);

export async function bytesOf(file: Blob | Bytes): Promise<Bytes> {
  return file instanceof Blob ? new Uint8Array(await file.arrayBuffer()) : file;
}
