// Recorded runs: those that come with the page, and one's own, from saving to playing on the same folder.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { launch } from './browser.mjs';
import { clean, PATIENCE, press, strToU8, unzipSync, visit as visitIn, zipSync } from './page.mjs';

const QUICK = '#device=flex&epochs=4&width=8&steps=20&seeds=2&ipc=2';

let browser;

before(async () => {
  browser = await launch();
}, { timeout: 60_000 });

after(() => browser?.close());

const visit = (hash, options = {}) => visitIn(browser, hash, undefined, null, options);
const through = async (page, ...stages) => {
  for (const stage of stages) await press(page, `${stage} →`);
};
const saved = async (page, button) => {
  const download = page.waitForEvent('download');
  await press(page, button);
  return readFileSync(await (await download).path());
};
const give = (page, label, name, buffer) => page.getByLabel(label, { exact: true }).setInputFiles({ name, mimeType: 'application/octet-stream', buffer });

/** Ten photographs of each of two digits, less or more. */
function photos(change = (files) => files) {
  const files = ['2', '9'].flatMap((digit) => {
    const folder = new URL(`../data/signs/train/${digit}/`, import.meta.url);
    return readdirSync(folder).sort().slice(0, 10).map((name, at) => [`${digit}/${at}.jpg`, readFileSync(new URL(name, folder))]);
  });
  return Buffer.from(zipSync(Object.fromEntries(change(files)), { level: 0 }));
}

test('the recorded run of a built-in set is watched to the end, and gives a real zip', PATIENCE, async () => {
  const { page, complaints, context } = await visit('#device=flex', { reducedMotion: 'no-preference' });
  const fetched = () => page.evaluate(() => performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.tilepress-run')).length);
  assert.equal(await fetched(), 0);
  await press(page, 'Watch a recorded run of Sign-language digits');
  const banner = page.getByRole('region', { name: 'Recording' });
  await banner.getByText(/This is a recording/).waitFor();
  const words = (await banner.textContent()).replace(/\s+/g, ' ');
  assert.match(words, /This is a recording of sign-digits, made on \d+ \w+ \d{4} on the CPU.* Scoring took \d+ \w+ there and the race \d+ \w+;/);
  // It moves, holds and goes on, as training does.
  await page.getByText(/^Step [1-9]\d* of 350/).waitFor();
  await press(page, 'Pause');
  const step = () => page.locator('.numbers').textContent();
  await page.waitForTimeout(300);
  const before = await step();
  await page.waitForTimeout(700);
  assert.equal(await step(), before);
  await press(page, 'Step');
  await page.waitForFunction((text) => document.querySelector('.numbers').textContent !== text, before);
  await clean(page, 'a recording that plays');
  await press(page, 'Skip to the end');
  await page.getByRole('heading', { name: 'Near-duplicates' }).waitFor();
  await page.getByText('10 of 10').waitFor();
  await page.locator('.strip button').nth(3).click();
  await page.locator('.formula').waitFor();

  // What the recording does not cover is said, and undone.
  await through(page, 'Prune');
  await page.getByText(/40 are kept: 4 of each class/).waitFor();
  await page.getByLabel(/Stored images per class/).fill('3');
  await banner.getByText('images per class 3 (recorded: 1)').waitFor();
  await clean(page, 'settings that are not recorded');
  await press(page, 'Back to its settings');
  await page.getByText(/40 are kept: 4 of each class/).waitFor();
  await through(page, 'Combine');
  await page.locator('.composite').first().waitFor();
  await through(page, 'Augment', 'Compare');
  await page.getByText('Easiest whole images', { exact: true }).click();
  await press(page, 'Start the race');
  await page.getByText(/^Step [1-9]\d* of \d+/).waitFor();
  await press(page, 'Skip to the end');
  await page.getByRole('heading', { name: 'Which differences are real' }).waitFor();
  await clean(page, 'the outcome of a recording');

  await through(page, 'Take home');
  await page.getByText('What you see was played from a recording.').waitFor();
  const files = unzipSync(await saved(page, 'Save the zip'));
  assert.equal(Object.keys(files).filter((path) => /^data\/\d\/\d+\.png$/.test(path)).length, 10);
  assert.equal(Buffer.from(files['selection.csv']).toString().trim().split('\n').length, 41);
  assert.match(Buffer.from(files['report.html']).toString(), /The scores and the race were played from a recording/);
  await clean(page, 'Take home');

  // And from here on, live.
  await press(page, 'Run it live instead');
  await banner.getByText('The scores and the race are those of a recording').waitFor();
  assert.equal(await fetched(), 1);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('the recorded scores of the other built-in set are those of its images', PATIENCE, async () => {
  const { page, complaints, context } = await visit('#device=flex');
  await press(page, 'Watch a recorded run of Fashion-MNIST');
  await page.getByRole('heading', { name: 'Near-duplicates' }).waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a run on one’s own folder is saved, and played on the same folder alone', PATIENCE, async () => {
  const { page, complaints, context } = await visit(QUICK);
  await give(page, 'An archive of images', 'photos.zip', photos());
  await press(page, /^Score the images/);
  await page.getByRole('heading', { name: 'Near-duplicates' }).waitFor();
  await through(page, 'Prune', 'Combine');
  await page.locator('.composite').first().waitFor();
  await through(page, 'Augment', 'Compare');
  await page.getByText('Random whole images', { exact: true }).click();
  await press(page, 'Start the race');
  await page.getByRole('heading', { name: 'Which differences are real' }).waitFor();
  const rows = await page.locator('[aria-label="Paired differences"]').textContent();
  await through(page, 'Take home');
  const recording = await saved(page, 'Save the recording');
  await page.locator('.said', { hasText: 'Saved the recording in' }).waitFor();
  const scores = unzipSync(await saved(page, 'Save the zip'))['scores.csv'];
  // Watching takes no session's place.
  await page.reload();
  await page.getByText(/photos, scored/).waitFor();
  await press(page, 'Watch a recorded run of Fashion-MNIST');
  await page.getByRole('heading', { name: 'Near-duplicates' }).waitFor();
  await page.reload();
  await page.getByText(/photos, scored/).waitFor();
  await context.close();

  // In another profile, with the settings of the page.
  const { page: other, complaints: theirs, context: profile } = await visit('#device=flex');
  const alert = (text) => other.getByRole('alert').filter({ hasText: text }).waitFor();
  await give(other, 'A recording', 'notes.tilepress-run', Buffer.from(strToU8('no recording')));
  await alert('notes.tilepress-run is not a recording of tilepress.');
  await give(other, 'A recording', 'short.tilepress-run', recording.subarray(0, recording.length >> 1));
  await alert('short.tilepress-run is cut short or damaged');
  await give(other, 'A recording', 'photos.tilepress-run', recording);
  await other.getByText('Pick the folder “photos” with its 20 images').waitFor();
  await clean(other, 'a recording that waits for its folder');
  await give(other, 'An archive of images', 'photos.zip', photos((files) => files.slice(1)));
  await alert(/This is not the folder of the recording, “photos”: 1 of its 20 images are not here \(2\/0\.jpg\)/);
  await give(other, 'An archive of images', 'photos.zip', photos((files) => files.map(([path, bytes], at) => [path, files[at === 3 ? 4 : at][1] ?? bytes])));
  await press(other, /^Score the images/);
  await alert(/are not the ones that were scored/);
  await press(other, '← Pick');
  await give(other, 'An archive of images', 'photos.zip', photos());
  await press(other, /^Score the images/);
  await other.getByRole('heading', { name: 'Near-duplicates' }).waitFor();
  await other.getByText('4 of 4').waitFor();
  await through(other, 'Prune', 'Combine');
  await other.locator('.composite').first().waitFor();
  await through(other, 'Augment', 'Compare');
  await other.getByText('Random whole images', { exact: true }).click();
  await press(other, 'Start the race');
  await other.getByRole('heading', { name: 'Which differences are real' }).waitFor();
  assert.equal(await other.locator('[aria-label="Paired differences"]').textContent(), rows);
  await through(other, 'Take home');
  const again = unzipSync(await saved(other, 'Save the zip'));
  assert.deepEqual(again['scores.csv'], scores);
  assert.deepEqual(complaints, []);
  assert.deepEqual(theirs, []);
  await profile.close();
});

test('what a recording does not cover runs live', PATIENCE, async () => {
  const { page, complaints, context } = await visit('#device=flex');
  await press(page, 'Watch a recorded run of Sign-language digits');
  await page.getByRole('heading', { name: 'Near-duplicates' }).waitFor();
  await through(page, 'Prune', 'Combine');
  await page.locator('.composite').first().waitFor();
  await through(page, 'Augment', 'Compare');
  await page.getByLabel('Steps of every student').selectOption('100');
  await page.getByText('Random whole images', { exact: true }).click();
  await press(page, 'Start the race');
  await page.getByRole('alert').filter({ hasText: 'was run with other settings' }).waitFor();
  await press(page, 'Run it live instead');
  await page.getByText('The scores are those of a recording').waitFor();
  await press(page, 'Start the race');
  await page.getByText(/^Step \d+ of 100/).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Skip to the end' }).count(), 0);
  await press(page, 'Stop');
  await page.getByText('The race was stopped early').waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});
