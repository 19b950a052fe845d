// What the worker does: files to samples, samples to scores, scores to composites, composites to students.

import { Zip, ZipPassThrough } from 'fflate';
import type * as Tilepress from 'tilepress';

import { readArchive, withoutCommonFolder } from './archive';
import type { Control } from './control';
import type {
  Choice,
  Chosen,
  Combined,
  Crop,
  Found,
  Jobs,
  LoadOptions,
  Memory,
  Metrics,
  Outcome,
  Picture,
  Progress,
  RaceOptions,
  Samples,
  SaveOptions,
  Scored,
  Source,
  ViewsOf,
} from './protocol';
import { readBuiltIn } from './sets';

type Api = typeof Tilepress;
type Bytes = Uint8Array<ArrayBuffer>;

export interface Reports {
  progress(progress: Progress): void;
  metrics(metrics: Metrics): void;
  samples(samples: Samples): void;
  checkpoint(parts: Uint8Array[]): void;
  remember(scores: string, load: LoadOptions): void;
}

/** Of an engine that keeps the whole softmax. */
interface WithSoftmax {
  softmax?: Float32Array | null;
}

interface Split {
  samples: Tilepress.Sample[];
  pixels: Uint8Array;
  labels: Uint32Array;
}

const THUMB = 32;
const PICTURES = 6;
const KEEP = 6;
/** A turn of training takes about this many milliseconds, so that pause and stop are felt at once. */
const TURN = 200;
const CHECKPOINT_EVERY = 4000;
/** Headers lie at the front, behind the camera's own notes. */
const HEADER = 1 << 20;

/** Thrown when a job was stopped before it had anything to show. */
class Stopped extends Error {
  readonly code = 'usage';
}

class DataError extends Error {
  readonly code = 'data';
}

class LostDevice extends Error {
  readonly code = 'device';
}

export class Session {
  readonly #api: Api;
  readonly #device: Tilepress.DeviceName;
  readonly #control: Control;
  readonly #base: string;
  #failAfter: number;
  #files = new Map<string, Blob | Bytes>();
  #name = '';
  #folder: Tilepress.LabelledFolder | null = null;
  #leftOut: { path: string; reason: string }[] = [];
  #load: LoadOptions | null = null;
  #train: Split | null = null;
  #val: Split | null = null;
  #scores: Float64Array | null = null;
  #csv = '';
  /** The sets made last, by choice: three stages look at the same one. */
  #made = new Map<string, Combined>();

  constructor(api: Api, device: Tilepress.DeviceName, control: Control, base: string, failAfter = Infinity) {
    this.#api = api;
    this.#device = device;
    this.#control = control;
    this.#base = base;
    this.#failAfter = failAfter;
  }

  /** Takes over from a worker that is gone, or a session that was closed. */
  async recall(memory: Memory, reports: Reports): Promise<null> {
    await this.read(memory, reports);
    if (memory.load) {
      await this.#decode(memory.load, reports);
      reports.samples(this.#small(memory.load));
    }
    if (memory.scores) this.#useScores(this.#api.ScoreTable.fromCsv(memory.scores));
    return null;
  }

  async read({ source, valFraction, seed }: Jobs['read']['takes'], reports: Reports): Promise<Found> {
    const api = this.#api;
    reports.progress({ label: 'Looking at the files', done: 0, total: 0 });
    const { name, files } = await this.#open(source);
    if (files.size === 0) throw new DataError(`${name} is empty: no file was found in it.`);
    const options = { valFraction, seed };
    const first = api.readFolder([...files.keys()], options);
    const bad: { path: string; reason: string }[] = [];
    const entries = [...first.train, ...first.val];
    let bytes = 0;
    const trusted = source.kind === 'built-in';
    for (const [place, { path }] of entries.entries()) {
      if (place % 16 === 0) await this.#breathe(reports, 'Looking at the files', place, entries.length);
      const file = files.get(path) as Blob | Bytes;
      if (trusted) {
        bytes += file instanceof Blob ? file.size : file.length;
        continue;
      }
      try {
        const header = api.probeImage(await bytesOf(file instanceof Blob ? file.slice(0, HEADER) : file));
        if (header.withinLimits) bytes += file instanceof Blob ? file.size : file.length;
        else bad.push({ path, reason: header.problem ?? 'too large' });
      } catch (error) {
        bad.push({ path, reason: (error as Error).message });
      }
    }
    const reasons = new Set(bad.map(({ path }) => path));
    const folder = bad.length ? api.readFolder([...files.keys()].filter((path) => !reasons.has(path)), options) : first;
    this.#files = files;
    this.#name = name;
    this.#folder = folder;
    this.#leftOut = [...folder.leftOut, ...bad];
    this.#load = null;
    this.#scores = null;

    const of = (split: Tilepress.FolderEntry[], label: number) => split.filter((entry) => entry.class === label);
    const classes: Found['classes'] = [];
    for (const [label, className] of folder.classes.entries()) {
      const train = of(folder.train, label);
      const pictures: Picture[] = [];
      for (const { path } of evenly(train, PICTURES)) {
        try {
          const { pixels } = api.decodeImage(await this.#bytes(path), { imageSize: 64 });
          pictures.push({ side: 64, rgba: rgba(pixels) });
        } catch {
          // Said when all are decoded.
        }
      }
      classes.push({ name: className, train: train.length, val: of(folder.val, label).length, pictures });
    }
    const paths = [...folder.train, ...folder.val].map(({ path }) => path);
    return { name, classes, valOrigin: folder.valOrigin, leftOut: this.#leftOut, images: paths.length, paths, bytes };
  }

  async #open(source: Source): Promise<{ name: string; files: Map<string, Blob | Bytes> }> {
    if (source.kind === 'files') {
      const paths = withoutCommonFolder(source.files.map(({ path }) => path));
      const files = new Map(source.files.map(({ blob }, place) => [paths[place] as string, blob]));
      return { name: source.files[0]?.path.split('/')[0] ?? 'The folder', files };
    }
    const entries =
      source.kind === 'archive'
        ? readArchive(source.name, await bytesOf(source.blob))
        : await readBuiltIn(source.name, `${this.#base}sets/`);
    const paths = withoutCommonFolder(entries.map(({ path }) => path));
    const files = new Map(entries.map(({ bytes }, place) => [paths[place] as string, bytes]));
    return { name: source.name.replace(/\.(zip|tar|tar\.gz|tgz)$/i, ''), files };
  }

  async #bytes(path: string): Promise<Bytes> {
    const file = this.#files.get(path);
    if (!file) throw new DataError(`${path} is not there any more`);
    return bytesOf(file);
  }

  /** Decodes everything at the training size, once. */
  async #decode(load: LoadOptions, reports: Reports): Promise<void> {
    if (this.#load && this.#load.imageSize === load.imageSize && this.#load.cap === load.cap) return;
    const folder = this.#need(this.#folder);
    const { imageSize, cap } = load;
    const wanted = folder.classes.flatMap((_, label) => {
      const all = folder.train.filter((entry) => entry.class === label);
      return cap > 0 ? evenly(all, cap) : all;
    });
    const total = wanted.length + folder.val.length;
    let done = 0;
    const split = async (entries: Tilepress.FolderEntry[]): Promise<Split> => {
      const size = imageSize * imageSize * 3;
      const pixels = new Uint8Array(entries.length * size);
      const samples: Tilepress.Sample[] = [];
      const labels: number[] = [];
      for (const entry of entries) {
        if (done % 16 === 0) await this.#breathe(reports, 'Decoding the images', done, total);
        done += 1;
        try {
          const image = this.#api.decodeImage(await this.#bytes(entry.path), { imageSize });
          pixels.set(image.pixels, samples.length * size);
          samples.push({ ...entry, hash: image.hash, look: image.look });
          labels.push(entry.class);
        } catch (error) {
          this.#leftOut.push({ path: entry.path, reason: (error as Error).message });
        }
      }
      return { samples, pixels: pixels.subarray(0, samples.length * size), labels: Uint32Array.from(labels) };
    };
    this.#load = null;
    this.#train = await split(wanted);
    this.#val = await split(folder.val);
    this.#load = load;
  }

  #small({ imageSize }: LoadOptions): Samples {
    const { pixels, samples, labels } = this.#need(this.#train);
    const side = Math.min(imageSize, THUMB);
    return { side, rgb: shrink(pixels, samples.length, imageSize, side), labels, paths: samples.map(({ path }) => path) };
  }

  async score(options: Jobs['score']['takes'], reports: Reports): Promise<Scored> {
    const { imageSize, cap, epochs, width, batch, lr, seed } = options;
    await this.#decode({ imageSize, cap }, reports);
    const { classes } = this.#need(this.#folder);
    const train = this.#need(this.#train);
    const val = this.#need(this.#val);
    reports.samples(this.#small({ imageSize, cap }));
    const run = await this.#api.ProxyRun.open(train.pixels, train.labels, {
      device: this.#device,
      imageSize,
      classes: classes.length,
      width,
      epochs,
      batch: Math.min(batch, train.labels.length),
      lr,
      seed,
    });
    if (options.checkpoint) run.restore(options.checkpoint);
    let progress = run.progress();
    const accuracy: (number | null)[] = [];
    let el2n = run.el2n();
    const pace = new Pace(batch);
    let saved = performance.now();
    let stopped = false;
    while (!progress.finished) {
      const { go, single } = await this.#control.turn();
      if (!go) {
        stopped = true;
        break;
      }
      this.#failForTests();
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
      const { pLabel, pOther, el2n: norm, softmax } = log.epoch(epoch) as Tilepress.Dynamics & WithSoftmax;
      return { pLabel, pOther, el2n: norm, softmax: softmax ?? null };
    });
    const table = stopped ? this.#tableOf(run.el2n(), train.samples, classes) : run.finish(train.samples, classes);
    const suspects = stopped ? [] : log.suspects();
    log.free();
    run.free();
    this.#useScores(table);
    reports.remember(this.#csv, { imageSize, cap });
    const smallest = Math.min(...counts(train.labels, classes.length));
    const findings =
      smallest > 0
        ? this.#api.prune(train.samples, classes, this.#scores, { ipc: smallest, grid: 1, seed }, val.samples).findings
        : { nearDuplicates: [], sharedWithVal: [], leftOut: [] };
    return {
      scores: this.#need(this.#scores).slice(),
      epochs: details,
      suspects,
      nearDuplicates: findings.nearDuplicates.map((group) => group.map(({ path }) => path)),
      sharedWithVal: findings.sharedWithVal.map(({ path }) => path),
      leftOut: this.#leftOut,
      counted,
      stopped,
      bytes: this.#sizeOf(train.samples.map(({ path }) => path)),
    };
  }

  /** A run that was stopped has whole epochs to count, but no finished table. */
  #tableOf(el2n: Float64Array, samples: Tilepress.Sample[], classes: string[]): Tilepress.ScoreTable {
    const quote = (text: string) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const rows = samples.map((sample, at) => `${quote(sample.path)},${quote(classes[sample.class] ?? '')},${el2n[at]}`);
    return this.#api.ScoreTable.fromCsv(`path,class,el2n\n${rows.join('\n')}\n`);
  }

  #useScores(table: Tilepress.ScoreTable): void {
    const { classes } = this.#need(this.#folder);
    this.#made.clear();
    this.#scores = table.scoresOf(this.#need(this.#train).samples, classes);
    this.#csv = table.toCsv();
    table.free();
  }

  memory(options: Jobs['memory']['takes']): Tilepress.MemoryEstimate {
    return this.#api.estimateMemory(options);
  }

  prune({ ipc, grid, rule, windowStart, seed }: Choice): Chosen {
    const { samples } = this.#need(this.#train);
    const options: Tilepress.PruneOptions = { ipc, grid, rule, seed, ...(rule === 'window' ? { windowStart } : {}) };
    const { classes } = this.#need(this.#folder);
    const { picks, perClass, findings } = this.#api.prune(samples, classes, this.#scores, options, this.#need(this.#val).samples);
    return { picks, perClass, findings };
  }

  #composites(choice: Choice): Tilepress.Composites {
    const { samples } = this.#need(this.#train);
    const { imageSize } = this.#need(this.#load);
    const options = { imageSize, grid: choice.grid, seed: choice.seed };
    return new this.#api.Composites(this.prune(choice).picks, samples, this.#need(this.#folder).classes, options);
  }

  async #make(
    set: Tilepress.Composites,
    grid: Choice['grid'],
    reports: Reports,
    label: string,
    each?: (made: Tilepress.Composite) => void,
  ): Promise<Combined> {
    const { imageSize } = this.#need(this.#load);
    const size = imageSize * imageSize * 3;
    const rgb = new Uint8Array(set.length * size);
    const labels = new Uint32Array(set.length);
    const records: Tilepress.CompositeRecord[] = [];
    let bytes = 0;
    for (let index = 0; index < set.length; index += 1) {
      if (index % 8 === 0) await this.#breathe(reports, label, index, set.length);
      const made = set.make(index, await Promise.all(set.sources(index).map((path) => this.#bytes(path))));
      rgb.set(made.pixels, index * size);
      labels[index] = made.label;
      bytes += made.file.length;
      records.push(made.record);
      each?.(made);
    }
    const sourceBytes = this.#sizeOf(records.flatMap(({ tiles }) => tiles.map(({ source }) => source)));
    return { grid, side: imageSize, rgb, labels, records, bytes, sourceBytes };
  }

  async combine(choice: Choice, reports: Reports, label = 'Making the composites'): Promise<Combined> {
    const key = JSON.stringify([choice, this.#load]);
    const known = this.#made.get(key);
    if (known) return known;
    const set = this.#composites(choice);
    try {
      const made = await this.#make(set, choice.grid, reports, label);
      if (this.#made.size >= KEEP) this.#made.clear();
      this.#made.set(key, made);
      return made;
    } finally {
      set.free();
    }
  }

  async views({ choice, index, minScale, seed }: Jobs['views']['takes'], reports: Reports): Promise<ViewsOf[]> {
    const { rgb, side } = await this.combine(choice, reports);
    const size = side * side * 3;
    const one = rgb.slice(index * size, (index + 1) * size);
    return (['extract', 'global', 'shuffle'] as const).map((crop: Crop) => {
      const views = new this.#api.Views(one, {
        imageSize: side,
        grid: choice.grid,
        crop: crop === 'shuffle' ? crop : `${crop}:${minScale}`,
        seed,
      });
      const made = Array.from({ length: 12 }, (_, epoch) => {
        const [plan] = views.plan(epoch, Uint32Array.of(0));
        const picture = { side, rgba: new Uint8ClampedArray(views.render(epoch, Uint32Array.of(0), 0)) };
        const { crop: box, flip, shuffle } = this.#need(plan ?? null);
        return { picture, crop: box, flip, shuffle };
      });
      views.free();
      return { crop, views: made };
    });
  }

  async race(options: Jobs['race']['takes'], reports: Reports): Promise<Outcome> {
    const { imageSize, width, steps, batch, lr, seeds, checkpoints } = options;
    const { classes } = this.#need(this.#folder);
    const val = this.#need(this.#val);
    if (val.samples.length === 0) throw new DataError('There are no validation images to measure students on.');
    const entrants = await this.#entrants(options, reports);
    const race = await this.#api.Race.open({
      device: this.#device,
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
        race.enter(set.rgb, set.labels, { name, seed, grid: set.grid, crop });
        students.push({ name, seed });
      }
    }
    checkpoints?.forEach((bytes, student) => race.restore(student, bytes));
    let progress = race.progress();
    const pace = new Pace(batch * students.length);
    let saved = performance.now();
    let stopped = false;
    while (!progress.finished) {
      const { go, single } = await this.#control.turn();
      if (!go) {
        stopped = true;
        break;
      }
      this.#failForTests();
      const before = progress.students[0]?.step ?? 0;
      const began = performance.now();
      progress = await race.advance(single ? 1 : pace.steps());
      const step = progress.students[0]?.step ?? 0;
      pace.took(performance.now() - began, step - before);
      if (performance.now() - saved > CHECKPOINT_EVERY) {
        const parts: Uint8Array[] = [];
        for (const student of students.keys()) parts.push(await race.checkpoint(student));
        reports.checkpoint(parts);
        saved = performance.now();
      }
      reports.metrics({
        of: 'race',
        students: progress.students.map((student, at) => ({ ...student, curve: race.curve(at) })),
        imagesPerSecond: pace.imagesPerSecond,
        eta: pace.eta(steps - step),
      });
    }
    if (stopped && (progress.students[0]?.step ?? 0) === 0) {
      race.free();
      throw new Stopped('Stopped before the first step, so there is nothing to measure.');
    }
    reports.progress({ label: 'Measuring the students', done: 0, total: 0 });
    const standings = await race.evaluate(val.pixels, val.labels);
    const names = entrants.map(({ name }) => name);
    const comparisons = names.flatMap((a, at) => names.slice(at + 1).map((b) => race.compare(a, b)));
    race.free();
    return {
      standings,
      comparisons,
      stored: entrants.map(({ name, set }) => ({ name, images: set.records.length, bytes: set.bytes })),
      stopped,
      chance: 100 / classes.length,
    };
  }

  async #entrants({ choice, minScale }: RaceOptions, reports: Reports) {
    const whole = (rule: 'easy' | 'random') => ({ ...choice, rule, grid: 1 as const });
    const label = 'Making the sets of the cohort';
    const crop = `global:${minScale}`;
    const entrants = [
      { name: 'pca', set: await this.combine(choice, reports, label), crop: choice.grid > 1 ? `extract:${minScale}` : crop },
      { name: 'random', set: await this.combine(whole('random'), reports, label), crop },
    ];
    // Whole easy images are the first entrant already, if that is what was chosen.
    if (choice.grid > 1 || choice.rule !== 'easy') {
      entrants.push({ name: 'easy', set: await this.combine(whole('easy'), reports, label), crop });
    }
    return entrants;
  }

  selection(choice: Choice): { csv: string } {
    const { samples } = this.#need(this.#train);
    return { csv: this.#api.writeSelection(this.prune(choice).picks, samples, this.#need(this.#folder).classes) };
  }

  /** The whole set as one zip, stored as it is made: PNGs do not shrink. */
  async save({ choice, name, report, options }: SaveOptions, reports: Reports): Promise<{ zip: Blob; composites: number }> {
    const parts: Bytes[] = [];
    const zip = new Zip((error, data) => {
      if (error) throw error;
      parts.push(data as Bytes);
    });
    const add = (path: string, bytes: Uint8Array) => {
      const file = new ZipPassThrough(path);
      zip.add(file);
      file.push(bytes, true);
    };
    const text = (path: string, content: string) => add(path, new TextEncoder().encode(content));
    const set = this.#composites(choice);
    const made = await this.#make(set, choice.grid, reports, 'Packing the zip', ({ path, file }) => add(path, file));
    const sourceBytes = this.#sizeOf(this.#need(this.#train).samples.map(({ path }) => path));
    for (const file of set.finish({ name, rule: choice.rule, sourceBytes, options })) text(file.path, file.text);
    set.free();
    text('selection.csv', this.selection(choice).csv);
    text('scores.csv', this.#csv);
    text('report.html', report);
    zip.end();
    return { zip: new Blob(parts, { type: 'application/zip' }), composites: made.records.length };
  }

  #sizeOf(paths: string[]): number {
    return paths.reduce((sum, path) => {
      const file = this.#files.get(path);
      return sum + (file instanceof Blob ? file.size : (file?.length ?? 0));
    }, 0);
  }

  async #breathe(reports: Reports, label: string, done: number, total: number): Promise<void> {
    reports.progress({ label, done, total });
    const { go } = await this.#control.turn();
    if (!go) throw new Stopped('Stopped.');
  }

  #failForTests(): void {
    this.#failAfter -= 1;
    if (this.#failAfter === 0) throw new LostDevice('the device was lost, as the address asked for');
  }

  #need<T>(value: T | null): T {
    if (value === null) throw new DataError('An earlier stage has not been run yet.');
    return value;
  }
}

/** How fast it goes, and how many steps fit into a turn. */
class Pace {
  #perStep = 0;
  readonly #images: number;

  constructor(imagesOfStep: number) {
    this.#images = imagesOfStep;
  }

  took(milliseconds: number, steps: number): void {
    if (steps <= 0) return;
    const now = milliseconds / steps;
    this.#perStep = this.#perStep === 0 ? now : 0.7 * this.#perStep + 0.3 * now;
  }

  steps(): number {
    return this.#perStep === 0 ? 1 : Math.min(16, Math.max(1, Math.round(TURN / this.#perStep)));
  }

  get imagesPerSecond(): number {
    return this.#perStep === 0 ? 0 : (1000 * this.#images) / this.#perStep;
  }

  eta(steps: number): number {
    return steps * this.#perStep;
  }
}

async function bytesOf(file: Blob | Bytes): Promise<Bytes> {
  return file instanceof Blob ? new Uint8Array(await file.arrayBuffer()) : file;
}

/** At most `most` of them, evenly spaced. */
function evenly<T>(all: T[], most: number): T[] {
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_, at) => all[Math.floor((at * all.length) / most)] as T);
}

function counts(labels: Uint32Array, classes: number): number[] {
  const found = new Array<number>(classes).fill(0);
  for (const label of labels) found[label] = (found[label] ?? 0) + 1;
  return found;
}

function rgba(rgb: Uint8Array): Uint8ClampedArray<ArrayBuffer> {
  const out = new Uint8ClampedArray((rgb.length / 3) * 4);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    out.set(rgb.subarray(from, from + 3), to);
    out[to + 3] = 255;
  }
  return out;
}

/** Images at a smaller side, every pixel the mean of those it covers. */
function shrink(pixels: Uint8Array, images: number, from: number, to: number): Bytes {
  if (from === to) return new Uint8Array(pixels);
  const out = new Uint8Array(images * to * to * 3);
  for (let image = 0; image < images; image += 1) {
    for (let y = 0; y < to; y += 1) {
      for (let x = 0; x < to; x += 1) {
        const [top, bottom] = [Math.floor((y * from) / to), Math.ceil(((y + 1) * from) / to)];
        const [left, right] = [Math.floor((x * from) / to), Math.ceil(((x + 1) * from) / to)];
        for (let channel = 0; channel < 3; channel += 1) {
          let sum = 0;
          for (let v = top; v < bottom; v += 1) {
            for (let u = left; u < right; u += 1) sum += pixels[((image * from + v) * from + u) * 3 + channel] ?? 0;
          }
          out[((image * to + y) * to + x) * 3 + channel] = sum / ((bottom - top) * (right - left));
        }
      }
    }
  }
  return out;
}
