// The sets that come with the page.

import { zlibSync } from 'fflate';

import { type Entry, readArchive } from './archive';

const CELL = 28;
const COLUMNS = 100;
/** Of the sheet's 500 and 200: what a laptop scores in half a minute. */
const OF_CLASS = { train: 60, val: 30 };

export async function readBuiltIn(name: string, folder: string): Promise<Entry[]> {
  const get = async (file: string) => {
    const answer = await fetch(folder + file);
    if (!answer.ok) throw new Error(`${file} could not be loaded: ${answer.status}`);
    return answer;
  };
  if (name === 'sign-digits') {
    return readArchive('sign-digits.zip', new Uint8Array(await (await get('sign-digits.zip')).arrayBuffer()));
  }
  const [lines, sheet] = await Promise.all([
    get('fashion-mnist.txt').then((answer) => answer.text()),
    get('fashion-mnist.png').then(async (answer) => createImageBitmap(await answer.blob())),
  ]);
  const canvas = new OffscreenCanvas(sheet.width, sheet.height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('this browser gives no canvas to read the sheet with');
  context.drawImage(sheet, 0, 0);
  const entries: Entry[] = [];
  let cell = 0;
  for (const line of lines.trim().split('\n')) {
    const [where = '', ...names] = line.split(' ');
    const most = where.startsWith('train/') ? OF_CLASS.train : OF_CLASS.val;
    names.forEach((image, place) => {
      if (place < most) {
        const at = cell + place;
        const { data } = context.getImageData((at % COLUMNS) * CELL, Math.floor(at / COLUMNS) * CELL, CELL, CELL);
        entries.push({ path: `${where}/${image}.png`, bytes: grayPng(data, CELL) });
      }
    });
    cell += names.length;
  }
  return entries;
}

/** An 8-bit grey PNG of the first channel of RGBA pixels. */
export function grayPng(rgba: Uint8ClampedArray, side: number): Uint8Array<ArrayBuffer> {
  const rows = new Uint8Array(side * (side + 1));
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) rows[y * (side + 1) + 1 + x] = rgba[(y * side + x) * 4] ?? 0;
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, side);
  view.setUint32(4, side);
  header.set([8, 0, 0, 0, 0], 8);
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk('IHDR', header),
    chunk('IDAT', zlibSync(rows)),
    chunk('IEND', new Uint8Array()),
  ];
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function chunk(kind: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length + 12);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  out.set(new TextEncoder().encode(kind), 4);
  out.set(data, 8);
  view.setUint32(data.length + 8, crc(out.subarray(4, data.length + 8)));
  return out;
}

function crc(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return ~value >>> 0;
}
