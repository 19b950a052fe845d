// Files, archives and built-in sets to a folder with classes, before anything is decoded at full length.

import type * as Tilepress from 'tilepress';

import { readArchive, withoutCommonFolder } from './archive';
import { DataError } from './errors';
import { rgba } from './pixels';
import type { Found, Jobs, Picture, Source } from './protocol';
import { type Bytes, bytesOf, lengthOf, type Reports, type Session } from './session';
import { readBuiltIn } from './sets';

/** Of each class, to be shown. */
const PICTURES = 6;
/** Headers lie at the front, behind the camera's own notes. */
const HEADER = 1 << 20;

export async function read(session: Session, { source, valFraction, seed }: Jobs['read']['takes'], reports: Reports): Promise<Found> {
  const { api } = session;
  reports.progress({ label: 'Looking at the files', done: 0, total: 0 });
  const { name, files } = await open(source, session.base);
  if (files.size === 0) throw new DataError(`${name} is empty: no file was found in it.`);
  const first = api.readFolder([...files.keys()], { valFraction, seed });
  // Copies must not be held out apart, so that is drawn when all are known.
  const looks: Record<string, string> = {};
  const bad: { path: string; reason: string }[] = [];
  const entries = [...first.train, ...first.val];
  let bytes = 0;
  const trusted = source.kind === 'built-in';
  for (const [place, { path }] of entries.entries()) {
    if (place % 16 === 0) await session.breathe(reports, 'Looking at the files', place, entries.length);
    const file = files.get(path) as Blob | Bytes;
    if (first.valOrigin === 'held-out') {
      try {
        looks[path] = api.decodeImage(await bytesOf(file), { imageSize: 8 }).look;
      } catch {
        // Said below, or when all are decoded.
      }
    }
    if (trusted) {
      bytes += lengthOf(file);
      continue;
    }
    try {
      const header = api.probeImage(await bytesOf(file instanceof Blob ? file.slice(0, HEADER) : file));
      if (header.withinLimits) bytes += lengthOf(file);
      else bad.push({ path, reason: header.problem ?? 'too large' });
    } catch (error) {
      bad.push({ path, reason: (error as Error).message });
    }
  }
  const reasons = new Set(bad.map(({ path }) => path));
  const usable = [...files.keys()].filter((path) => !reasons.has(path));
  const folder = first.valOrigin === 'held-out' || bad.length ? api.readFolder(usable, { valFraction, seed, looks }) : first;
  session.files = files;
  session.folder = folder;
  session.leftOut = [...folder.leftOut, ...bad];
  session.undecoded = [];
  session.load = null;
  session.scores = null;

  const of = (split: Tilepress.FolderEntry[], label: number) => split.filter((entry) => entry.class === label);
  const classes: Found['classes'] = [];
  for (const [label, className] of folder.classes.entries()) {
    const train = of(folder.train, label);
    const pictures: Picture[] = [];
    for (const { path } of evenly(train, PICTURES)) {
      try {
        const { pixels } = api.decodeImage(await session.bytes(path), { imageSize: 64 });
        pictures.push({ side: 64, rgba: rgba(pixels) });
      } catch {
        // Said when all are decoded.
      }
    }
    classes.push({ name: className, train: train.length, val: of(folder.val, label).length, pictures });
  }
  const paths = [...folder.train, ...folder.val].map(({ path }) => path);
  return { name, classes, valOrigin: folder.valOrigin, said: [...folder.warnings, ...folder.notes], leftOut: session.leftOut, images: paths.length, paths, bytes };
}

async function open(source: Source, base: string): Promise<{ name: string; files: Map<string, Blob | Bytes> }> {
  if (source.kind === 'files') {
    const paths = withoutCommonFolder(source.files.map(({ path }) => path));
    const files = new Map(source.files.map(({ blob }, place) => [paths[place] as string, blob]));
    return { name: source.files[0]?.path.split('/')[0] ?? 'The folder', files };
  }
  const entries =
    source.kind === 'archive'
      ? readArchive(source.name, await bytesOf(source.blob))
      : await readBuiltIn(source.name, `${base}sets/`);
  const paths = withoutCommonFolder(entries.map(({ path }) => path));
  const files = new Map(entries.map(({ bytes }, place) => [paths[place] as string, bytes]));
  return { name: source.name.replace(/\.(zip|tar|tar\.gz|tgz)$/i, ''), files };
}

/** At most `most` of them, evenly spaced. */
export function evenly<T>(all: T[], most: number): T[] {
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_, at) => all[Math.floor((at * all.length) / most)] as T);
}
