// A folder of photographs into the page by every way there is, and the set out of it by every way; the stored images
// are those that the program makes of the same selection.

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { launch } from './browser.mjs';
import { list, tilepress } from './native.mjs';
import { assertSteady, heading, PATIENCE, press, QUICK, scored, takeHome, through, unpackPhotos, until, unzipSync, visit } from './page.mjs';

let browser;
let folder;
let photos;
/** Three of its ten classes. */
let few;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tilepress-page-'));
  photos = join(folder, 'photos');
  unpackPhotos(photos);
  few = join(folder, 'few');
  for (const [split, digit] of ['train', 'val'].flatMap((split) => ['0', '3', '5'].map((digit) => [split, digit]))) {
    cpSync(join(photos, split, digit), join(few, split, digit), { recursive: true });
  }
  browser = await launch();
}, { timeout: 60_000 });

after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Drops a folder on the page as a file manager does, so that the browser itself makes the entries. */
async function drop(page, path) {
  const { x, y } = await page.getByRole('group', { name: 'Your own images' }).boundingBox();
  const debug = await page.context().newCDPSession(page);
  const data = { items: [], files: [path], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop']) {
    await debug.send('Input.dispatchDragEvent', { type, x: x + 20, y: y + 20, data });
  }
  await page.getByText('What was found in photos').waitFor();
}

/** Asserts that the program makes the same stored images, byte for byte, of the zip's selection. */
function assertNative(files, data, name, size, grid) {
  const [selection, out] = [join(folder, `${name}.csv`), join(folder, name)];
  writeFileSync(selection, files['selection.csv']);
  tilepress('combine', '--data', data, '--out', out, '--selection', selection, '--image-size', String(size), '--grid', String(grid));
  const theirs = list(out).filter((path) => /^data\/.*\.png$/.test(path));
  assert.deepEqual(Object.keys(files).filter((path) => /^data\/.*\.png$/.test(path)).sort(), theirs);
  for (const path of [...theirs, 'data/metadata.jsonl']) {
    assert.ok(readFileSync(join(out, path)).equals(Buffer.from(files[path])), path);
  }
  return theirs.length;
}

test('a dropped folder goes through every stage to the stored images that the program makes', PATIENCE, async (context) => {
  const { page, complaints, context: profile } = await visit(browser, QUICK);
  await drop(page, photos);
  await page.getByText('320', { exact: true }).waitFor();
  await through(page);
  const files = await takeHome(page);
  await assertSteady(page, context);
  assert.equal(assertNative(files, photos, 'flex', 32, 2), 30);
  assert.deepEqual(complaints, []);
  await profile.close();
});

test('a dropped folder goes through every stage on WebGPU too', { timeout: 900_000 }, async (context) => {
  const { page, complaints, context: profile } = await visit(
    browser,
    '#device=webgpu&size=16&width=2&batch=128&epochs=1&steps=2&seeds=1&ipc=2',
  );
  page.setDefaultTimeout(600_000);
  await drop(page, photos);
  await page.getByText(/Runs on WebGPU/).waitFor();
  await through(page);
  const files = await takeHome(page);
  await page.getByText(/Runs on WebGPU/).waitFor();
  await assertSteady(page, context);
  assert.equal(assertNative(files, photos, 'webgpu', 16, 2), 20);
  assert.deepEqual(complaints, []);
  await profile.close();
});

/** Pickers that answer: with a folder and with a file of the browser's own file system. Runs in the page. */
function pickers() {
  globalThis.showDirectoryPicker = async () => (await navigator.storage.getDirectory()).getDirectoryHandle('photos');
  globalThis.asked = [];
  globalThis.showSaveFilePicker = async (options) => {
    if (!navigator.userActivation.isActive) throw new DOMException('not by a click', 'SecurityError');
    globalThis.asked.push(options.suggestedName);
    const answer = ['refused', 'unavailable'][globalThis.asked.length - 1];
    if (answer === 'refused') throw new DOMException('nobody wants a file', 'AbortError');
    if (answer === 'unavailable') throw new DOMException('not in this frame', 'SecurityError');
    return (await navigator.storage.getDirectory()).getFileHandle('taken.zip', { create: true });
  };
}

/** Puts photographs where the picker finds them. */
async function fill(page, data) {
  const files = list(data).map((path) => [path, readFileSync(join(data, path)).toString('base64')]);
  await page.evaluate(async (given) => {
    const root = await navigator.storage.getDirectory();
    for (const [path, text] of given) {
      const parts = `photos/${path}`.split('/');
      const name = parts.pop();
      let place = root;
      for (const part of parts) place = await place.getDirectoryHandle(part, { create: true });
      const writable = await (await place.getFileHandle(name, { create: true })).createWritable();
      await writable.write(Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)));
      await writable.close();
    }
  }, files);
}

/** The file that was picked, once there is anything in it. */
async function picked(page) {
  const text = await until(page, async () => {
    const handle = await (await navigator.storage.getDirectory()).getFileHandle('taken.zip').catch(() => null);
    const bytes = new Uint8Array(handle ? await (await handle.getFile()).arrayBuffer() : []);
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  });
  return Buffer.from(text, 'base64');
}

test('a picked folder comes in, and the zip goes to a picked file as it is made', PATIENCE, async (context) => {
  const { page, complaints, context: profile } = await visit(browser, QUICK, pickers);
  await fill(page, few);
  await press(page, 'Choose a folder');
  await page.getByText('What was found in photos').waitFor();
  await page.getByText('96', { exact: true }).waitFor();
  await press(page, /^Score the images/);
  await scored(page);
  await press(page, '7 Take home');
  await heading(page, 'Take it home');

  // A picker that is put away is no error, and nothing was made for it.
  await press(page, 'Save the zip');
  await until(page, () => globalThis.asked.length === 1);
  assert.equal(await page.getByRole('alert').count(), 0);
  // One that the browser does not allow makes way for a download.
  const download = await takeHome(page);

  await press(page, 'Save the zip');
  const zip = await picked(page);
  const files = unzipSync(zip);
  assert.deepEqual(Object.keys(files), Object.keys(download));
  for (const path of Object.keys(files)) assert.ok(Buffer.from(files[path]).equals(Buffer.from(download[path])), path);
  assert.deepEqual(await page.evaluate(() => globalThis.asked), Array(3).fill('photos-ipc3.zip'));
  assert.equal(assertNative(files, few, 'picked', 32, 2), 9);

  await assertSteady(page, context);

  // Stopped in the middle: what was there before is there still.
  await page.evaluate(() => {
    const [save, stop] = ['Save the zip', 'Stop'].map((name) => [...document.querySelectorAll('button')].find((one) => one.innerText === name));
    // At once when it can be pressed, as few images are packed soon.
    new MutationObserver(() => stop.click()).observe(stop, { attributeFilter: ['disabled'] });
    save.click();
  });
  await page.getByRole('alert').filter({ hasText: 'Stopped' }).waitFor();
  assert.ok(zip.equals(await picked(page)));
  assert.deepEqual(complaints, []);
  await profile.close();
});
