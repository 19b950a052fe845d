// The small set as one zip, written while it is made.

import { Zip, ZipPassThrough } from 'fflate';

import { composites, make, selection } from './compose';
import { DataError } from './errors';
import type { Jobs, Saved, SaveOptions } from './protocol';
import { type Bytes, need, type Reports, type Session } from './session';
import { openSink, type Sink } from './sink';

/** What a zip without the extensions of Zip64 can count. */
const MOST = { files: 0xffff, bytes: 0xffff_ffff };

/** Entries stored as they are, since PNGs do not shrink; it goes no faster than they are written. */
class Packer {
  readonly #sink: Sink;
  readonly #zip: Zip;
  #ready: Bytes[] = [];
  #files = 0;
  bytes = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
    this.#zip = new Zip((error, data) => {
      if (error) throw error;
      this.#ready.push(data as Bytes);
      this.bytes += data.length;
    });
  }

  async add(path: string, bytes: Uint8Array): Promise<void> {
    const file = new ZipPassThrough(path);
    this.#zip.add(file);
    file.push(bytes, true);
    this.#files += 1;
    await this.#drain();
  }

  text(path: string, content: string): Promise<void> {
    return this.add(path, new TextEncoder().encode(content));
  }

  async end(): Promise<void> {
    this.#zip.end();
    await this.#drain();
  }

  async #drain(): Promise<void> {
    if (this.#files > MOST.files || this.bytes > MOST.bytes) {
      throw new DataError('The set is too large for one zip, which ends at 4 GB and 65,535 files: lower the IPC, or use the program.');
    }
    const ready = this.#ready;
    this.#ready = [];
    for (const bytes of ready) await this.#sink.write(bytes);
  }
}

export async function save(session: Session, options: SaveOptions, reports: Reports): Promise<Jobs['save']['gives']> {
  const sink = await openSink(options.to);
  try {
    const packer = new Packer(sink);
    const made = await pack(session, options, reports, packer);
    await packer.end();
    return { zip: await sink.close(), bytes: packer.bytes, composites: made };
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

/** How many stored images were packed. */
async function pack(
  session: Session,
  { choice, minScale, name, report, options }: SaveOptions,
  reports: Reports,
  packer: Packer,
): Promise<Saved['composites']> {
  const set = composites(session, choice);
  try {
    const made = await make(session, set, choice.grid, reports, 'Packing the zip', ({ path, file }) => packer.add(path, file));
    const sourceBytes = session.sizeOf(need(session.train).samples.map(({ path }) => path));
    const { rule, windowStart } = choice;
    const about = { name, rule, sourceBytes, minScale, options, ...(rule === 'window' ? { windowStart } : {}) };
    for (const { path, text } of set.finish(about)) await packer.text(path, text);
    await packer.text('selection.csv', selection(session, choice).csv);
    await packer.text('scores.csv', session.csv);
    await packer.text('report.html', report);
    return made.records.length;
  } finally {
    set.free();
  }
}
