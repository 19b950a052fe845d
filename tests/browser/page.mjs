// What the tests of the page share: a visit from an empty profile, the way through the stages, and what is watched on it.

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(new URL('../../www/package.json', import.meta.url));
export const { strToU8, unzipSync, zipSync } = require('fflate');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const PAGE = `${process.env.TILEPRESS_URL}/www/dist/`;
export const PATIENCE = { timeout: 240_000 };
/** Small enough for a machine that does other things too. */
export const QUICK = '#device=flex&epochs=4&width=8&steps=20&seeds=2&ipc=3';

export const sign = (path) => readFileSync(new URL(`../data/signs/${path}`, import.meta.url));

/** Twenty photographs of two classes in turns, as an archive holds them. */
export const PHOTOS = Array.from({ length: 20 }, (_, at) => {
  const digit = ['2', '9'][at % 2];
  const name = readdirSync(new URL(`../data/signs/train/${digit}/`, import.meta.url)).sort()[Math.floor(at / 2)];
  return [`${['one', 'two'][at % 2]}/${at}.jpg`, sign(`train/${digit}/${name}`)];
});

/** Unpacks 320 of the photographs that come with the page into a folder: of each digit 24 to train on and 8 to measure on. */
export function unpackPhotos(folder) {
  const all = unzipSync(readFileSync(new URL('../../www/public/sets/sign-digits.zip', import.meta.url)));
  const taken = {};
  for (const path of Object.keys(all).sort()) {
    const place = dirname(path);
    taken[place] = (taken[place] ?? 0) + 1;
    if (taken[place] > (path.startsWith('train/') ? 24 : 8)) continue;
    mkdirSync(join(folder, place), { recursive: true });
    writeFileSync(join(folder, path), all[path]);
  }
}

/** Watches what a person would feel: how long the main thread was held up, and what moved by itself. */
function watch() {
  const watched = { longest: 0, shift: 0, moved: [] };
  globalThis.watched = watched;
  const each = (type, hear) =>
    new PerformanceObserver((list) => list.getEntries().forEach(hear)).observe({ type, buffered: true });
  each('longtask', ({ duration }) => {
    watched.longest = Math.max(watched.longest, duration);
  });
  each('layout-shift', ({ value, hadRecentInput, sources }) => {
    if (hadRecentInput) return;
    watched.shift += value;
    const of = ({ node, previousRect: from, currentRect: to }) =>
      `${node?.parentElement?.className ?? ''} > ${node?.outerHTML?.slice(0, 60) ?? node?.nodeName} from ${from.y} to ${to.y}`;
    watched.moved.push(`${value.toFixed(4)}: ${sources.map(of).join('; ')}`);
  });
}

/** Calls a function in every worker of the page before the worker's own code. */
async function prepareWorkers(page, prepare) {
  await page.route('**/assets/worker-*.js', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `(${prepare})();\n${await response.text()}` });
  });
}

/**
 * A page of an empty profile, and all that it complained of. What is prepared runs before the page's own scripts; options
 * are those of the profile.
 */
export async function visit(browser, hash = QUICK, prepare = () => {}, prepareWorker = null, options = {}) {
  const context = await browser.newContext({ acceptDownloads: true, bypassCSP: false, reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(180_000);
  const complaints = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  // Nothing leaves the machine: no request, from the page or its worker, goes anywhere but to its own files.
  const home = new URL(PAGE).origin;
  context.on('request', (request) => {
    const { protocol, origin } = new URL(request.url());
    if (origin !== home && !['blob:', 'data:'].includes(protocol)) complaints.push(`the page asked ${request.url()}`);
  });
  await page.addInitScript(watch);
  // A browser without a screen has pickers, but nobody to answer them.
  await page.addInitScript(() => {
    globalThis.showSaveFilePicker = undefined;
  });
  await page.addInitScript(prepare);
  if (prepareWorker) await prepareWorkers(page, prepareWorker);
  await page.goto(PAGE + hash);
  await ready(page);
  return { context, page, complaints };
}

export const ready = (page) => page.getByRole('button', { name: 'Choose an archive', disabled: false }).waitFor();

/** Asks the page again and again until the answer is a yes; `waitForFunction` would take a promise for one. */
export async function until(page, ask, given) {
  for (;;) {
    const answer = await page.evaluate(ask, given);
    if (answer) return answer;
    await page.waitForTimeout(50);
  }
}

/** What was watched so far; the longest task is counted anew from here on. */
export async function watched(page) {
  // Entries come a little after what they tell of.
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 100)));
  return page.evaluate(() => {
    const { longest, shift, moved } = globalThis.watched;
    globalThis.watched.longest = 0;
    return { longest, shift, moved };
  });
}

/** Asserts that hardly anything moved that nobody had touched, and says what was watched. */
export async function assertSteady(page, context, most = 0.05) {
  const { longest, shift, moved } = await watched(page);
  const seconds = (await page.evaluate(() => performance.now())) / 1000;
  context.diagnostic(
    `${seconds.toFixed(1)} s; the main thread was busy for at most ${longest} ms at a time (0: never for 50), layout shift ${shift.toFixed(4)}`,
  );
  assert.ok(shift < most, moved.join('\n'));
}

export async function clean(page, stage) {
  // By the debugger, so that the page's own rules for scripts hold.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
  assert.deepEqual(found, [], `axe on ${stage}`);
}

export const heading = (page, name) => page.getByRole('heading', { level: 2, name }).waitFor();
export const press = (page, name) => page.getByRole('button', { name, disabled: false }).click();

export async function give(page, name, files) {
  const buffer = Buffer.from(zipSync(Object.fromEntries(files), { level: 0 }));
  await page.getByLabel('An archive of images').setInputFiles({ name, mimeType: 'application/zip', buffer });
}

/** Scores are there when what comes below them is. */
export const scored = (page) => page.getByRole('heading', { name: 'Near-duplicates' }).waitFor();

/** From what was found through every stage to where the set is taken home. */
export async function through(page) {
  await press(page, /^Score the images/);
  await heading(page, 'Score every image');
  await scored(page);
  await press(page, 'Prune →');
  await page.getByText(/ are kept: \d+ of each class/).waitFor();
  await press(page, 'Combine →');
  await page.locator('.composite').first().waitFor();
  await press(page, 'Augment →');
  await page.getByText(/\d+ of 12 views show more than one image/).first().waitFor();
  await press(page, 'Compare →');
  await page.getByText('Random whole images', { exact: true }).first().click();
  await press(page, 'Start the race');
  await page.getByRole('heading', { name: 'Which differences are real' }).waitFor();
  await press(page, 'Take home →');
  await heading(page, 'Take it home');
}

/** The files of the zip that the page gives as a download. */
export async function takeHome(page) {
  const download = page.waitForEvent('download');
  await press(page, 'Save the zip');
  const files = unzipSync(readFileSync(await (await download).path()));
  await page.locator('.said', { hasText: /^Saved \d+ stored images? in / }).waitFor();
  return files;
}
