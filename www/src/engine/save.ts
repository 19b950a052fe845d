// The small set as one zip.

import { Zip, ZipPassThrough } from 'fflate';

import { composites, make, selection } from './compose';
import type { Jobs, SaveOptions } from './protocol';
import { type Bytes, need, type Reports, type Session } from './session';

/** The whole set as one zip, stored as it is made: PNGs do not shrink. */
export async function save(
  session: Session,
  { choice, name, report, options }: SaveOptions,
  reports: Reports,
): Promise<Jobs['save']['gives']> {
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
  const set = composites(session, choice);
  const made = await make(session, set, choice.grid, reports, 'Packing the zip', ({ path, file }) => add(path, file));
  const sourceBytes = session.sizeOf(need(session.train).samples.map(({ path }) => path));
  for (const file of set.finish({ name, rule: choice.rule, sourceBytes, options })) text(file.path, file.text);
  set.free();
  text('selection.csv', selection(session, choice).csv);
  text('scores.csv', session.csv);
  text('report.html', report);
  zip.end();
  return { zip: new Blob(parts, { type: 'application/zip' }), composites: made.records.length };
}
