// A recording: what scoring and the race said, to be played where training would take too long. It holds no image. The file
// is gzipped JSON, its large arrays base64 of little-endian numbers.

import { ENTRANTS } from './entrants';
import {
  EngineError,
  type EpochDetail,
  type Found,
  type Outcome,
  type RaceOptions,
  type Scored,
  type ScoreOptions,
} from './protocol';

const FORMAT = 'tilepress-run';
const VERSION = 3;
/** Points; as in the program's verdicts. */
const MARGIN = 5;
export const ENDING = '.tilepress-run';
/** More says nothing that a chart can show. */
export const MOST = 120;
/** Unpacked, more than this is no recording of anything that a browser can train. */
const LIMIT = 256e6;
/** More numbers of every class of every image are left out: two bytes each. */
const MOST_SOFTMAX = 200_000;
/** The largest number of 16 bits; a norm of EL2N is at most √2. */
const UNIT = 2;

/** Where a job stood: milliseconds since its start, its step, and images a second. */
export type Mark = [at: number, step: number, speed: number];

export interface TakeOfScore {
  options: ScoreOptions;
  /** Milliseconds, without pauses. */
  took: number;
  steps: number;
  marks: Mark[];
  curve: { step: number; loss: number }[];
  accuracy: (number | null)[];
  scored: Scored;
  /** `scores.csv`. */
  csv: string;
}

export interface TakeOfRace {
  options: RaceOptions;
  took: number;
  steps: number;
  marks: Mark[];
  students: { name: string; seed: number; curve: { step: number; loss: number }[] }[];
  outcome: Outcome;
}

export interface Recording {
  /** When, by which version, and on what. */
  made: { at: string; version: string; device: string };
  set: {
    name: string;
    /** A set that comes with the page, or null for a folder of one's own. */
    builtIn: string | null;
    valFraction: number;
    classes: { name: string; train: number; val: number }[];
    paths: string[];
  };
  score: TakeOfScore;
  race: TakeOfRace | null;
}

/** At most `most` of them, evenly spaced, with the first and the last. */
export function thin<T>(all: T[], most = MOST): T[] {
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_, at) => all[Math.round((at * (all.length - 1)) / (most - 1))] as T);
}

/** What a folder is known by. */
export const known = ({ name, classes, paths }: Found) => ({
  name,
  classes: classes.map(({ name, train, val }) => ({ name, train, val })),
  paths,
});

function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

const unbase64 = (text: string) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)).buffer;

/** Probabilities and norms, to 16 bits: more than a page shows. */
const packed = (values: Float32Array) =>
  base64(new Uint8Array(Uint16Array.from(values, (value) => Math.round((value / UNIT) * 0xffff)).buffer));
const unpacked = (text: string) => Float32Array.from(new Uint16Array(unbase64(text)), (value) => (value / 0xffff) * UNIT);

async function through(stream: ReadableStream<Uint8Array<ArrayBuffer>>, most = Infinity): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader = stream.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
    size += value.length;
    if (size > most) throw new RangeError('too large');
    parts.push(value);
  }
}

export async function write({ made, set, score, race }: Recording): Promise<Blob> {
  const { scored, ...rest } = score;
  const lines = (curve: TakeOfScore['curve']) => thin(curve);
  const told = {
    format: FORMAT,
    version: VERSION,
    made,
    set,
    score: {
      ...rest,
      marks: thin(score.marks),
      curve: lines(score.curve),
      scored: {
        ...scored,
        scores: base64(new Uint8Array(scored.scores.slice().buffer)),
        epochs: scored.epochs.map((epoch) =>
          Object.fromEntries(
            Object.entries(epoch).flatMap(([name, values]: [string, Float32Array | null]) =>
              values && values.length * scored.epochs.length <= (name === 'softmax' ? MOST_SOFTMAX : Infinity)
                ? [[name, packed(values)]]
                : [],
            ),
          ),
        ),
      },
    },
    race: race && {
      ...race,
      marks: thin(race.marks),
      students: race.students.map((student) => ({ ...student, curve: lines(student.curve) })),
    },
  };
  const zipped = new Blob([JSON.stringify(told)]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Blob([await through(zipped as ReadableStream<Uint8Array<ArrayBuffer>>)], { type: 'application/octet-stream' });
}

// What a file must look like: an example of each part, or a function that tells.
type Shape = string | number | boolean | [Shape] | { [key: string]: Shape } | ((value: unknown) => boolean);

const like = (value: unknown, shape: Shape): boolean => {
  if (typeof shape === 'function') return shape(value);
  if (Array.isArray(shape)) return Array.isArray(value) && value.every((one) => like(one, shape[0]));
  if (typeof shape !== 'object') return typeof value === typeof shape;
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.entries(shape).every(([key, inner]) => like((value as Record<string, unknown>)[key], inner))
  );
};
const orNull = (shape: Shape) => (value: unknown) => value === null || like(value, shape);
const one = (...all: unknown[]) => (value: unknown) => all.includes(value);

const mark = (value: unknown) => like(value, [0]) && (value as unknown[]).length === 3;
const marks = (value: unknown) => like(value, [mark]) && (value as unknown[]).length > 0;
const curve: Shape = [{ step: 0, loss: orNull(0) }];
const METHODS = one(...ENTRANTS);
const SHAPE: Shape = {
  made: { at: (at: unknown) => !Number.isNaN(Date.parse(String(at))), version: '', device: '' },
  set: { name: '', builtIn: orNull(''), valFraction: 0, classes: [{ name: '', train: 0, val: 0 }], paths: [''] },
  score: {
    options: { imageSize: 0, cap: 0, epochs: 0, width: 0, batch: 0, lr: 0, seed: 0 },
    took: 0,
    steps: 0,
    marks,
    curve,
    accuracy: [orNull(0)],
    scored: {
      scores: '',
      epochs: [{ pLabel: '', pOther: '', el2n: '' }],
      suspects: [{ sample: 0, aum: 0, lateMargin: 0, confidence: 0 }],
      nearDuplicates: [['']],
      sharedWithVal: [''],
      leftOut: [{ path: '', reason: '' }],
      counted: 0,
      stopped: false,
      bytes: 0,
    },
    csv: '',
  },
  race: orNull({
    options: {
      choice: { ipc: 0, grid: one(1, 2, 3), rule: one('easy', 'hard', 'window', 'random'), windowStart: 0, seed: 0 },
      imageSize: 0,
      width: 0,
      steps: 0,
      batch: 0,
      lr: 0,
      seeds: 0,
      minScale: 0,
    },
    took: 0,
    steps: 0,
    marks,
    students: [{ name: METHODS, seed: 0, curve }],
    outcome: {
      standings: [{ name: METHODS, seed: 0, images: 0, top1: 0, top1AtTileSize: orNull(0), top5: orNull(0), perClass: [orNull(0)], confused: orNull({ classes: [0], counts: [[0]] }) }],
      methods: [{ name: METHODS, seeds: 0, top1: 0, sd: orNull(0), interval: [0], aboveChance: one(true, false) }],
      comparisons: [
        {
          a: METHODS,
          b: METHODS,
          difference: 0,
          interval: orNull([0]),
          adjustedInterval: orNull([0]),
          p: orNull(0),
          adjustedP: orNull(0),
          noise: orNull({ seeds: 0, images: 0 }),
          pairs: 0,
          seedsNeeded: orNull(0),
          verdict: one('better', 'worse', 'indistinguishable', 'inconclusive', 'untested'),
          sentence: '',
        },
      ],
      stored: [{ name: METHODS, images: 0, bytes: 0 }],
      stopped: false,
      chance: 0,
    },
  }),
};

interface Version1 {
  race?: { outcome?: { comparisons?: ({ interval?: [number, number] | null; verdict?: unknown } | null)[] } } | null;
}

/**
 * Fills in what the first format did not have. It called everything indistinguishable whose interval held zero, one seed and
 * wide intervals too; its intervals were those of the seeds, each as if it were the only one.
 */
function sinceVersion1({ race }: Version1) {
  const outcome = race?.outcome;
  if (!outcome || !Array.isArray(outcome.comparisons)) return;
  const open = (interval: [number, number] | null | undefined) =>
    !interval ? 'untested' : interval[0] > -MARGIN && interval[1] < MARGIN ? 'indistinguishable' : 'inconclusive';
  Object.assign(outcome, {
    methods: [],
    comparisons: outcome.comparisons.map((of) => ({
      ...{ adjustedInterval: of?.interval, p: null, adjustedP: null, noise: null, seedsNeeded: null },
      ...of,
      verdict: of?.verdict === 'indistinguishable' ? open(of.interval) : of?.verdict,
    })),
  });
}

type Named = { name?: unknown; softTop1?: unknown; top1AtTileSize?: unknown };
type Some<T> = (T | null)[] | undefined;
type Compared = { a?: unknown; b?: unknown; sentence?: unknown };

interface Version2 {
  race?: { students?: Some<Named>; outcome?: Record<'standings' | 'methods' | 'stored', Some<Named>> & { comparisons?: Some<Compared> } } | null;
}

const listed = <T>(value: Some<T>): T[] => (Array.isArray(value) ? value.filter((one) => one !== null) : []);

/**
 * Gives the easiest whole images the program's name, `el2n` (they were `easy`, as the rule still is), and the accuracy at the
 * sharpness of a tile its present one.
 */
function sinceVersion2({ race }: Version2) {
  const outcome = race?.outcome;
  const renamed = (name: unknown) => (name === 'easy' ? 'el2n' : name);
  for (const one of [race?.students, outcome?.standings, outcome?.methods, outcome?.stored].flatMap(listed)) one.name = renamed(one.name);
  for (const one of listed(outcome?.comparisons)) {
    if (one.a !== 'easy' && one.b !== 'easy') continue;
    Object.assign(one, { a: renamed(one.a), b: renamed(one.b), sentence: String(one.sentence).replace(/\beasy\b/g, 'el2n') });
  }
  for (const standing of listed(outcome?.standings)) {
    if (!('softTop1' in standing)) continue;
    standing.top1AtTileSize = standing.softTop1;
    delete standing.softTop1;
  }
}

/** Reads a recording; what it cannot read it refuses with an `EngineError` that says why. */
export async function read(blob: Blob, name: string): Promise<Recording> {
  const refuse = (why: string) => new EngineError({ code: 'data', message: `${name} ${why}` });
  const foreign = 'is not a recording of tilepress.';
  const damaged = 'is cut short or damaged: save or copy it again.';
  const [first, second] = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
  if (first !== 0x1f || second !== 0x8b) throw refuse(foreign);
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    const whole = (blob.stream() as ReadableStream<Uint8Array<ArrayBuffer>>).pipeThrough(new DecompressionStream('gzip'));
    bytes = await through(whole as ReadableStream<Uint8Array<ArrayBuffer>>, LIMIT);
  } catch (error) {
    throw refuse(error instanceof RangeError ? 'unpacks to more than any recording of a page holds.' : damaged);
  }
  let told: { format?: unknown; version?: unknown } | null;
  try {
    told = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as typeof told;
  } catch {
    throw refuse(foreign);
  }
  if (told?.format !== FORMAT || typeof told.version !== 'number') throw refuse(foreign);
  if (told.version > VERSION) {
    throw refuse(
      `was made by a newer tilepress (format ${told.version}; this page reads up to ${VERSION}). Reload the page with a network, to get its newest version.`,
    );
  }
  if (told.version < 2) sinceVersion1(told as unknown as Version1);
  if (told.version < 3) sinceVersion2(told as unknown as Version2);
  if (!like(told, SHAPE)) throw refuse(damaged);
  const { made, set, score, race } = told as unknown as Recording;
  let scored: Scored;
  try {
    const { scores, epochs } = score.scored as unknown as { scores: string; epochs: Record<string, string>[] };
    scored = {
      ...score.scored,
      scores: new Float64Array(unbase64(scores)),
      epochs: epochs.map((epoch) => {
        const values = Object.entries(epoch).map(([part, text]) => [part, unpacked(text)]);
        return { softmax: null, ...Object.fromEntries(values) } as EpochDetail;
      }),
    };
  } catch {
    throw refuse(damaged);
  }
  const images = scored.scores.length;
  const length = (values: Float32Array | null | undefined, expected: number) => !values || values.length === expected;
  const fits =
    images > 0 &&
    scored.counted === scored.epochs.length &&
    scored.counted > 0 &&
    score.options.epochs >= scored.counted &&
    scored.scores.every(Number.isFinite) &&
    scored.suspects.every(({ sample }) => sample >= 0 && sample < images) &&
    scored.epochs.every((epoch) =>
      Object.entries(epoch).every(([part, values]) => length(values, part === 'softmax' ? images * set.classes.length : images)),
    );
  if (!fits) throw refuse(damaged);
  return { made, set, score: { ...score, scored }, race };
}
