// A training step in Chromium, ours and TensorFlow.js's in turns: medians and the ratio; and a ConvNet-D's of ours.
//
//     cargo xtask wasm --only web --only web-relaxed
//     cd benches/web && npm install && node compare.mjs [--rounds 3] [--width 32] [--size 32] [--batch 64] [--gpu] [--alone]
//
// With --alone ours only, without the peer. With --serve it prints the address of a page on which the same is measured by hand, in any browser and on its GPU.
// Without a GPU on both sides; with --gpu on WebGPU, which is SwiftShader's unless --adapter names another (`default` is
// the machine's own).
// TILEPRESS_CHROMIUM names the browser; otherwise /usr/bin/chromium. --plain and --relaxed name other folders with
// our packages. Prints Markdown; a ratio above 1 means that ours is faster.

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    width: { type: 'string', default: '32' },
    size: { type: 'string', default: '32' },
    batch: { type: 'string', default: '64' },
    plain: { type: 'string', default: join(ROOT, 'pkg/web') },
    gpu: { type: 'boolean', default: false },
    alone: { type: 'boolean', default: false },
    serve: { type: 'boolean', default: false },
    port: { type: 'string', default: '0' },
    adapter: { type: 'string', default: 'swiftshader' },
    relaxed: { type: 'string', default: join(ROOT, 'pkg/web-relaxed') },
  },
});
const [rounds, width, imageSize, batch] = [values.rounds, values.width, values.size, values.batch].map(Number);

const FOLDERS = { '/plain/': values.plain, '/relaxed/': values.relaxed };
const TYPES = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };
const server = createServer(async ({ url }, response) => {
  const path = normalize(decodeURIComponent(new URL(url, 'http://localhost').pathname));
  const prefix = Object.keys(FOLDERS).find((folder) => path.startsWith(folder));
  const file = prefix ? join(resolve(FOLDERS[prefix]), path.slice(prefix.length)) : join(ROOT, path);
  try {
    const body = await readFile(file);
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((ready) => server.listen(Number(values.port), '127.0.0.1', ready));
const address = `http://127.0.0.1:${server.address().port}`;
if (values.serve) {
  console.log(`${address}/benches/web/index.html (Ctrl-C ends it)`);
  await new Promise(() => {});
}

const gpuFlags = values.gpu
  ? ['--enable-unsafe-webgpu', ...(values.adapter === 'default' ? [] : [`--use-webgpu-adapter=${values.adapter}`])]
  : [];
const browser = await chromium.launch({
  executablePath: process.env.TILEPRESS_CHROMIUM ?? '/usr/bin/chromium',
  args: [...gpuFlags, '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  chromiumSandbox: false,
});

async function measure(html, options) {
  const page = await browser.newPage();
  page.setDefaultTimeout(0);
  page.on('pageerror', (error) => console.error(`[page error] ${error.stack ?? error}`));
  await page.goto(`${address}/benches/web/${html}`);
  await page.waitForFunction(() => typeof window.measure === 'function');
  const result = await page.evaluate((options) => window.measure(options), { width, imageSize, batch, ...options });
  await page.close();
  return result;
}

const ours = (options) => measure('ours.html', { folder: '/plain', device: 'flex', steps: 30, warmUp: 5, ...options });
const tensorflow = (backend) => measure('tfjs.html', { backend, steps: 2, warmUp: 1 });
const PEER = values.gpu ? 'TensorFlow.js, WebGPU' : 'TensorFlow.js, cpu';
const SIDES = values.gpu
  ? {
      'tilepress, WebGPU': () => ours({ device: 'webgpu', steps: 10, warmUp: 3 }),
      'tilepress, WebGPU, ConvNet-D': () => ours({ device: 'webgpu', model: 'convnet-d', steps: 10, warmUp: 3 }),
      'tilepress, CPU': () => ours(),
      'tilepress, CPU, ConvNet-D': () => ours({ model: 'convnet-d' }),
      [PEER]: () => tensorflow('webgpu'),
    }
  : {
      'tilepress, SIMD': () => ours(),
      'tilepress, SIMD, ConvNet-D': () => ours({ model: 'convnet-d' }),
      'tilepress, relaxed SIMD': () => ours({ folder: '/relaxed' }),
      'tilepress, relaxed SIMD, ConvNet-D': () => ours({ folder: '/relaxed', model: 'convnet-d' }),
      [PEER]: () => tensorflow('cpu'),
    };
if (values.alone) delete SIDES[PEER];
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const found = Object.fromEntries(Object.keys(SIDES).map((side) => [side, []]));
for (let round = 1; round <= rounds; round++) {
  for (const [side, run] of Object.entries(SIDES)) {
    console.error(`round ${round} of ${rounds}: ${side}`);
    found[side].push(median((await run()).times));
  }
}
console.log(`${browser.version()}, ConvNet ${width} wide, ${imageSize} px, batch ${batch}\n`);
console.log('| who | ms a step | ratio to TensorFlow.js | times the ConvNet |\n|---|---|---|---|');
for (const [side, times] of Object.entries(found)) {
  // TensorFlow.js trains the ConvNet.
  const twin = found[side.replace(', ConvNet-D', '')];
  const isTwin = twin === times;
  const ratio = isTwin && found[PEER] ? (median(found[PEER]) / median(times)).toFixed(0) : '';
  console.log(`| ${side} | ${median(times).toFixed(1)} | ${ratio} | ${isTwin ? '' : (median(times) / median(twin)).toFixed(2)} |`);
}
await browser.close();
server.close();
