// The steps between files and a compressed set, written once for Node and for a browser's worker. `api` is the
// package, `read` gives the bytes of a path.

/** Reads a folder: classes, and for each split its samples, one block of pixels, and labels. */
export async function readSet(api, paths, read, imageSize, options) {
  // What the images look like decides what is held out together.
  const looks = {};
  for (const { path } of api.readFolder(paths, { valFraction: 0 }).train) looks[path] = api.decodeImage(await read(path), { imageSize: 8 }).look;
  const folder = api.readFolder(paths, { ...options, looks });
  const split = async (entries) => {
    const samples = [];
    const pixels = new Uint8Array(entries.length * imageSize * imageSize * 3);
    for (const [place, entry] of entries.entries()) {
      const image = api.decodeImage(await read(entry.path), { imageSize });
      pixels.set(image.pixels, place * imageSize * imageSize * 3);
      samples.push({ ...entry, hash: image.hash, look: image.look });
    }
    return { samples, pixels, labels: Uint32Array.from(entries, (entry) => entry.class) };
  };
  return { ...folder, train: await split(folder.train), val: await split(folder.val) };
}

/** Makes every composite of a selection: files by path, and what a student trains on. */
export async function combine(api, picks, samples, classes, read, options, about) {
  const set = new api.Composites(picks, samples, classes, options);
  const files = new Map();
  const side = options.imageSize;
  const pixels = new Uint8Array(set.length * side * side * 3);
  const labels = new Uint32Array(set.length);
  for (let index = 0; index < set.length; index += 1) {
    const made = set.make(index, await Promise.all(set.sources(index).map(read)));
    files.set(made.path, made.file);
    pixels.set(made.pixels, index * side * side * 3);
    labels[index] = made.label;
  }
  for (const { path, text } of set.finish(about)) files.set(path, new TextEncoder().encode(text));
  return { files, pixels, labels };
}

/** An error in parts: copying an `Error` to another thread or process drops its code. */
export function parts(error) {
  return {
    isError: error instanceof Error,
    name: error.name,
    code: error.code,
    message: error.message,
    cause: error.cause?.message,
  };
}
