// The edge package: loads wherever there is WebAssembly, here in Node without a browser.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import init, { version } from '../../pkg/edge/tilepress.js';

const read = (name) => readFile(new URL(`../../pkg/edge/${name}`, import.meta.url));

test('the edge package loads without a browser and knows its version', async () => {
  await init({ module_or_path: await read('tilepress_bg.wasm') });
  const { name, version: packaged } = JSON.parse(await read('package.json'));
  assert.equal(name, 'tilepress-edge');
  assert.equal(version(), packaged);
});
