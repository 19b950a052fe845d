// Images to pixels at the training size.

import type * as Tilepress from 'tilepress';

import type { LoadOptions } from './protocol';
import { evenly } from './read';
import { need, type Reports, type Session, type Split } from './session';

/** Decodes everything at the training size, once. */
export async function decode(session: Session, load: LoadOptions, reports: Reports): Promise<void> {
  if (session.load?.imageSize === load.imageSize && session.load.cap === load.cap) return;
  const folder = need(session.folder);
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
      if (done % 16 === 0) await session.breathe(reports, 'Decoding the images', done, total);
      done += 1;
      try {
        const image = session.api.decodeImage(await session.bytes(entry.path), { imageSize });
        pixels.set(image.pixels, samples.length * size);
        samples.push({ ...entry, hash: image.hash, look: image.look });
        labels.push(entry.class);
      } catch (error) {
        session.undecoded.push({ path: entry.path, reason: (error as Error).message });
      }
    }
    return { samples, pixels: pixels.subarray(0, samples.length * size), labels: Uint32Array.from(labels) };
  };
  session.load = null;
  session.undecoded = [];
  session.train = await split(wanted);
  session.val = await split(folder.val);
  session.load = load;
}
