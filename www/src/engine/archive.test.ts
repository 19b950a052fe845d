import { strToU8, zipSync } from 'fflate';
import { expect, test } from 'vitest';

import { readArchive, withoutCommonFolder } from './archive';

type Bytes = Uint8Array<ArrayBuffer>;

function tar(entries: [string, string][]): Bytes {
  const blocks: Uint8Array[] = [];
  for (const [name, text] of entries) {
    const header = new Uint8Array(512);
    header.set(strToU8(name));
    header.set(strToU8(text.length.toString(8).padStart(11, '0')), 124);
    header.set(strToU8('0'), 156);
    header.set(strToU8('ustar'), 257);
    const body = new Uint8Array(Math.ceil(text.length / 512) * 512);
    body.set(strToU8(text));
    blocks.push(header, body);
  }
  blocks.push(new Uint8Array(1024));
  const out = new Uint8Array(blocks.reduce((sum, block) => sum + block.length, 0));
  let at = 0;
  for (const block of blocks) {
    out.set(block, at);
    at += block.length;
  }
  return out;
}

const zip = (files: Record<string, string>) =>
  zipSync(Object.fromEntries(Object.entries(files).map(([path, text]) => [path, strToU8(text)]))) as Bytes;

test.each([
  ['a.zip', zip({ 'cat/a.png': 'one', 'dog/b.png': 'two' })],
  ['a.tar', tar([['cat/a.png', 'one'], ['dog/b.png', 'two']])],
])('%s gives its files', (name, bytes) => {
  const entries = readArchive(name, bytes);
  expect(entries.map((entry) => [entry.path, new TextDecoder().decode(entry.bytes)])).toEqual([
    ['cat/a.png', 'one'],
    ['dog/b.png', 'two'],
  ]);
});

test.each([
  ['a.zip', zip({ 'cat/a.png': 'one', '../evil.png': 'two' })],
  ['a.zip', zip({ '/etc/evil.png': 'two' })],
  ['a.zip', zip({ 'cat\\..\\..\\evil.png': 'two' })],
  ['a.tar', tar([['cat/../../evil.png', 'two']])],
])('an entry that leads out of its folder refuses all of %s', (name, bytes) => {
  expect(() => readArchive(name, bytes)).toThrow(/leads out of its folder/);
});

test('what is no archive, or is cut short, is said to be so', () => {
  expect(() => readArchive('a.zip', strToU8('hello') as Bytes)).toThrow(/neither a .zip nor a .tar/);
  const whole = zip({ 'cat/a.png': 'one'.repeat(99) });
  expect(() => readArchive('a.zip', whole.slice(0, 60))).toThrow(/cannot be unpacked/);
  expect(() => readArchive('a.tar', tar([['a', 'x'.repeat(600)]]).slice(0, 700))).toThrow(/cut short/);
});

test('folders that all share are dropped, but neither a class nor a split', () => {
  expect(withoutCommonFolder(['x/y/cat/a.png', 'x/y/dog/b.png'])).toEqual(['cat/a.png', 'dog/b.png']);
  expect(withoutCommonFolder(['cat/a.png', 'cat/b.png'])).toEqual(['cat/a.png', 'cat/b.png']);
  expect(withoutCommonFolder(['x/LICENSE', 'x/cat/a.png', 'x/dog/b.png'])).toEqual(['LICENSE', 'cat/a.png', 'dog/b.png']);
  expect(withoutCommonFolder([])).toEqual([]);
  expect(withoutCommonFolder(['x/train/cat/a.png', 'x/train/dog/b.png'])).toEqual(['train/cat/a.png', 'train/dog/b.png']);
});
