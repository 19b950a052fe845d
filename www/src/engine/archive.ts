// Entries of .zip and .tar files, of which none may lead out of the folder they are unpacked to.

import { gunzipSync, unzipSync } from 'fflate';

export interface Entry {
  path: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** More than this unpacked is no folder for a browser. */
const LIMIT = 1.5e9;

class ArchiveError extends Error {
  readonly code = 'data';
}

/** The path of an entry, refused when it could lead anywhere but into its own folder. */
export function safePath(name: string, archive: string): string {
  const path = name.replaceAll('\\', '/');
  if (path.startsWith('/') || /^[a-z]:/i.test(path) || path.split('/').includes('..') || path.includes('\0')) {
    throw new ArchiveError(
      `${archive} holds the entry “${name}”, which leads out of its folder, so nothing of it was read. Pack the folder again, from the inside.`,
    );
  }
  return path.replace(/^(\.\/)+/, '');
}

export function readArchive(name: string, data: Uint8Array<ArrayBuffer>): Entry[] {
  let bytes = data;
  try {
    if (bytes[0] === 0x50 && bytes[1] === 0x4b) return unzip(name, bytes);
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = gunzipSync(bytes) as Uint8Array<ArrayBuffer>;
    if (isTar(bytes)) return untar(name, bytes);
  } catch (error) {
    if (error instanceof ArchiveError) throw error;
    throw new ArchiveError(`${name} cannot be unpacked: ${(error as Error).message}. It may have been cut short.`);
  }
  throw new ArchiveError(`${name} is neither a .zip nor a .tar file.`);
}

function unzip(name: string, bytes: Uint8Array): Entry[] {
  let total = 0;
  const files = unzipSync(bytes, {
    filter: ({ name: path, originalSize }) => {
      safePath(path, name);
      total += originalSize;
      if (total > LIMIT) throw new ArchiveError(`${name} unpacks to more than 1.5 GB: pick the unpacked folder instead.`);
      return !path.endsWith('/');
    },
  });
  return Object.entries(files).map(([path, data]) => ({
    path: safePath(path, name),
    bytes: data as Uint8Array<ArrayBuffer>,
  }));
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).replace(/\0[\s\S]*$/, '');

function isTar(bytes: Uint8Array): boolean {
  return bytes.length >= 512 && text(bytes.subarray(257, 262)) === 'ustar';
}

function untar(name: string, bytes: Uint8Array<ArrayBuffer>): Entry[] {
  const entries: Entry[] = [];
  let longName: string | null = null;
  for (let at = 0; at + 512 <= bytes.length; ) {
    const header = bytes.subarray(at, at + 512);
    if (header.every((byte) => byte === 0)) break;
    const size = Number.parseInt(text(header.subarray(124, 136)).trim() || '0', 8);
    if (!Number.isFinite(size) || at + 512 + size > bytes.length) {
      throw new ArchiveError(`${name} is cut short or damaged.`);
    }
    const body = bytes.slice(at + 512, at + 512 + size);
    const kind = String.fromCharCode(header[156] ?? 0);
    const prefix = text(header.subarray(345, 500));
    const short = text(header.subarray(0, 100));
    if (kind === 'L') {
      longName = text(body);
    } else if (kind === 'x') {
      longName = /\d+ path=([^\n]*)\n/.exec(text(body))?.[1] ?? longName;
    } else {
      const path = safePath(longName ?? (prefix ? `${prefix}/${short}` : short), name);
      longName = null;
      // Links and devices are none of our business.
      if (kind === '0' || kind === '\0') entries.push({ path, bytes: body });
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return entries;
}

/** Paths without the folders that all of them share, unless those are a split or the only class. */
export function withoutCommonFolder(paths: string[]): string[] {
  let rest = paths.map((path) => path.split('/'));
  for (;;) {
    const first = rest[0]?.[0];
    const shared = rest.every((parts) => parts.length > 1 && parts[0] === first) && rest.some((parts) => parts.length > 2);
    if (!shared || first === undefined || first === 'train' || first === 'val') return rest.map((parts) => parts.join('/'));
    rest = rest.map((parts) => parts.slice(1));
  }
}
