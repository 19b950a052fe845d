// A browser with software WebGPU, and a page that fails loudly; shared by the browser tests.

import { createRequire } from 'node:module';

// The modules live beside the page, in www/.
const require = createRequire(new URL('../../www/package.json', import.meta.url));
const { chromium } = require('playwright-core');

const { TILEPRESS_URL, TILEPRESS_CHROMIUM } = process.env;
if (!TILEPRESS_URL || !TILEPRESS_CHROMIUM) {
  throw new Error('run the browser tests with `cargo xtask test`, which serves the files and finds a browser');
}

const FLAGS = [
  // SwiftShader computes on the CPU, so that the tests need no graphics card.
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  // Without these, start-up waits for connections that a machine without a network refuses.
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts a browser with a fresh profile. */
export function launch() {
  return chromium.launch({ executablePath: TILEPRESS_CHROMIUM, args: FLAGS, chromiumSandbox: false });
}

/** Opens a page of the repository, such as `/tests/browser/spike.html`; its console goes to ours. */
export async function open(browser, path) {
  const page = await browser.newPage();
  page.on('console', (message) => console.error(`[${message.type()}] ${message.text()}`));
  page.on('pageerror', (error) => console.error(`[page error] ${error.stack ?? error}`));
  await page.goto(TILEPRESS_URL + path);
  return page;
}
