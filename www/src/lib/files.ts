// Files from a picker or a drop, with their paths, and a file to write to.

import type { Source } from '../engine/protocol';

type Found = { path: string; blob: Blob };

export const isArchive = (name: string) => /\.(zip|tar|tar\.gz|tgz)$/i.test(name);

/** The system's own picker, where there is one. */
export const hasPicker = 'showDirectoryPicker' in globalThis;

export async function pickFolder(): Promise<Source | null> {
  const pick = (globalThis as unknown as { showDirectoryPicker(): Promise<FileSystemDirectoryHandle> }).showDirectoryPicker;
  try {
    const folder = await pick();
    return { kind: 'files', files: await walkHandle(folder, folder.name) };
  } catch (error) {
    if ((error as Error).name === 'AbortError') return null;
    throw error;
  }
}

/** A file to write a zip to: undefined where a browser has no picker for it or allows none, null when nobody wants one. */
export async function pickFile(name: string): Promise<FileSystemFileHandle | undefined | null> {
  const page = globalThis as unknown as { showSaveFilePicker?(options: object): Promise<FileSystemFileHandle> };
  try {
    const types = [{ description: 'A zip', accept: { 'application/zip': ['.zip'] } }];
    return await page.showSaveFilePicker?.({ suggestedName: name, types });
  } catch (error) {
    return (error as Error).name === 'AbortError' ? null : undefined;
  }
}

async function walkHandle(folder: FileSystemDirectoryHandle, path: string): Promise<Found[]> {
  const found: Found[] = [];
  const entries = (folder as unknown as { values(): AsyncIterable<FileSystemHandle> }).values();
  for await (const entry of entries) {
    const here = `${path}/${entry.name}`;
    if (entry.kind === 'directory') found.push(...(await walkHandle(entry as FileSystemDirectoryHandle, here)));
    else found.push({ path: here, blob: await (entry as FileSystemFileHandle).getFile() });
  }
  return found;
}

export function fromInput(files: FileList): Source {
  const all = [...files];
  const [first] = all;
  if (all.length === 1 && first && !first.webkitRelativePath && isArchive(first.name)) {
    return { kind: 'archive', name: first.name, blob: first };
  }
  return { kind: 'files', files: all.map((file) => ({ path: file.webkitRelativePath || file.name, blob: file })) };
}

/** A dropped archive or folder; the entries must be taken before the first pause. */
export async function fromDrop(data: DataTransfer): Promise<Source | null> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const [only] = data.files;
  if (data.files.length === 1 && only && entries[0]?.isFile !== false && isArchive(only.name)) {
    return { kind: 'archive', name: only.name, blob: only };
  }
  if (entries.length === 0) return null;
  const found = await Promise.all(entries.map((entry) => walkEntry(entry)));
  return { kind: 'files', files: found.flat() };
}

async function walkEntry(entry: FileSystemEntry): Promise<Found[]> {
  const path = entry.fullPath.replace(/^\//, '');
  if (entry.isFile) {
    const blob = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return [{ path, blob }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: Found[] = [];
  for (;;) {
    // It gives a hundred at a time.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    found.push(...(await Promise.all(some.map(walkEntry))).flat());
  }
}
