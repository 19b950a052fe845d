// Where a zip goes while it is made: to a file that was picked, or into memory.

import type { Bytes } from './session';

export interface Sink {
  /** Done when there is room for more. */
  write(bytes: Bytes): Promise<void>;
  /** The whole of it, unless that lies in a file. */
  close(): Promise<Blob | null>;
  /** Leaves nothing behind. */
  abort(): Promise<void>;
}

export const openSink = (to: FileSystemFileHandle | undefined): Promise<Sink> => (to ? fileSink(to) : Promise.resolve(blobSink()));

function blobSink(): Sink {
  let parts: Bytes[] = [];
  return {
    write: async (bytes) => {
      parts.push(bytes);
    },
    close: async () => new Blob(parts, { type: 'application/zip' }),
    abort: async () => {
      parts = [];
    },
  };
}

/** The browser writes beside the file, and puts what was written in its place when that is closed. */
async function fileSink(to: FileSystemFileHandle): Promise<Sink> {
  const writable = await to.createWritable();
  return {
    write: (bytes) => writable.write(bytes),
    close: async () => {
      await writable.close();
      return null;
    },
    abort: async () => {
      // A stream that has failed is closed already.
      await writable.abort().catch(() => {});
      await removeEmpty(to).catch(() => {});
    },
  };
}

/** A picker makes the file that it names, and nobody wants an empty one. */
async function removeEmpty(file: FileSystemFileHandle): Promise<void> {
  const { size } = await file.getFile();
  if (size === 0) await (file as FileSystemFileHandle & { remove?(): Promise<void> }).remove?.();
}
