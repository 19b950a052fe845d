// The page in www/dist, from an empty profile through every stage, on the CPU.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launch } from './browser.mjs';
import {
  clean, give, heading, PAGE, PATIENCE, PHOTOS, press, QUICK, ready, scored, strToU8, takeHome, until, visit, watched,
} from './page.mjs';

/** The header of a PNG of 30,000 x 30,000 pixels, and nothing behind it. */
const PNG_HEADER = [
  0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30, 8, 2, 0, 0, 0,
];

/** Whether the page keeps something under this name; runs there. */
function kept(key) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('tilepress', 1);
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const found = request.result.transaction('session').objectStore('session').count(key);
      found.onsuccess = () => {
        request.result.close();
        resolve(found.result > 0);
      };
    };
  });
}

let browser;

before(async () => {
  browser = await launch();
}, { timeout: 60_000 });

after(() => browser?.close());

test('a built-in set goes through every stage to a zip that holds it', PATIENCE, async (context) => {
  const began = performance.now();
  const { page, complaints, context: profile } = await visit(browser);
  await clean(page, 'the start');
  await press(page, 'Take Sign-language digits');
  await page.getByText('What was found in sign-digits').waitFor();
  await clean(page, 'Pick');

  /** What axe took, and what came before, is not the run's. */
  const blocked = async (during) => {
    await watched(page);
    await during();
    return (await watched(page)).longest;
  };
  const scoring = await blocked(async () => {
    await press(page, /^Score the images/);
    await heading(page, 'Score every image');
    await scored(page);
  });
  // The loss under the cursor is one of the table's.
  const loss = page.locator('figure', { hasText: 'Training loss' });
  await loss.locator('.u-over').hover();
  const told = await loss.locator('.value').allTextContents();
  const rows = await loss.locator('tbody tr').evaluateAll((found) => found.map((row) => [...row.cells].map(({ textContent }) => textContent)));
  assert.ok(rows.some((row) => row.join() === told.join()), `${told} is in no row of the table`);
  assert.notEqual(told[0], rows.at(-1)[0]);
  await page.locator('.strip button').nth(3).click();
  // EL2N's arithmetic, with the image's own numbers.
  const formula = await page.locator('.formula').textContent();
  const [, squares, norm, norms, score] = /√\(([\d. +]+)\) = ([\d.]+) in this epoch\.\s+([\d. +]+) = ([\d.]+)/.exec(formula);
  const sum = (terms) => terms.split(' + ').reduce((all, term) => all + Number(term), 0);
  assert.ok(Math.abs(Math.sqrt(sum(squares)) - Number(norm)) < 0.002, formula);
  assert.ok(Math.abs(sum(norms) - Number(score)) < 0.01, formula);
  assert.equal(await page.getByRole('region', { name: 'The arithmetic of this epoch' }).locator('tbody tr').count(), squares.split(' + ').length);
  await clean(page, 'Score');

  await press(page, 'Prune →');
  await page.getByText(/120 are kept: 12 of each class/).waitFor();
  await page.getByLabel(/Stored images per class/).fill('2');
  await page.getByText(/80 are kept: 8 of each class/).waitFor();
  // The border is where the slider says, and the slider where the border is put, by keys or by pointer.
  const border = page.getByRole('slider', { name: 'Border in 0' });
  await border.press('ArrowRight');
  await page.getByText(/120 are kept: 12 of each class/).waitFor();
  assert.equal(await page.getByLabel(/Stored images per class/).inputValue(), '3');
  assert.equal(await border.getAttribute('aria-valuenow'), '12');
  assert.match(await border.getAttribute('aria-valuetext'), /IPC 3: the 12 easiest of \d+ stay/);
  const eighth = await page.locator('.strip').nth(1).locator('.buttons button').nth(7).boundingBox();
  await page.locator('.strip').nth(1).locator('[role=slider]').hover();
  await page.mouse.down();
  await page.mouse.move(eighth.x + eighth.width, eighth.y + 9, { steps: 5 });
  await page.mouse.up();
  await page.getByText(/80 are kept: 8 of each class/).waitFor();
  assert.equal(await border.getAttribute('aria-valuenow'), '8');
  await page.getByText('Window', { exact: true }).click();
  await border.press('Home');
  await border.press('PageUp');
  await page.getByText('Skip the easiest 5 %').waitFor();
  await page.getByText('Hard', { exact: true }).click();
  const last = page.locator('.strip').first().locator('button.in').last();
  await last.waitFor();
  await page.getByText('Easy', { exact: true }).click();
  await page.locator('.strip').first().locator('button').first().and(page.locator('.in')).waitFor();
  await clean(page, 'Prune');

  await press(page, 'Combine →');
  await page.locator('.composite').first().waitFor();
  assert.equal(await page.locator('.composite').count(), 2);
  assert.equal(await page.locator('.composite').first().locator('button').count(), 4);
  await page.locator('.composite button').first().focus();
  await page.keyboard.press('ArrowRight');
  await page.locator('.spot', { hasText: /train\/0\/.*EL2N [\d.]+, rank \d+/ }).waitFor();
  await clean(page, 'Combine');

  await press(page, 'Augment →');
  await page.getByText('0 of 12 views show more than one image').waitFor();
  assert.equal(await page.locator('.views canvas').count(), 36);
  await clean(page, 'Augment');

  await press(page, 'Compare →');
  await page.getByText('Easiest whole images', { exact: true }).click();
  await clean(page, 'Compare, before the race');
  const racing = await blocked(async () => {
    await press(page, 'Start the race');
    await page.getByRole('heading', { name: 'Which differences are real' }).waitFor();
  });
  assert.equal(await page.locator('.dots svg').count(), 3);
  await page.getByText(/Your guess was easiest whole images/).waitFor();
  await clean(page, 'Compare');

  await press(page, 'Take home →');
  await heading(page, 'Take it home');
  assert.match(await page.locator('pre').textContent(), /--ipc 2 --grid 2 --rule easy/);
  const files = await takeHome(page);
  await page.locator('.said', { hasText: /Saved 20 stored images/ }).waitFor();
  await clean(page, 'Take home');

  const stored = Object.keys(files).filter((path) => /^data\/\d\/\d+\.png$/.test(path));
  assert.equal(stored.length, 20);
  const sides = await page.evaluate(
    (images) =>
      Promise.all(
        images.map(async (image) => {
          const bytes = Uint8Array.from(atob(image), (sign) => sign.charCodeAt(0));
          const { width, height } = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
          return [width, height];
        }),
      ),
    stored.map((path) => Buffer.from(files[path]).toString('base64')),
  );
  for (const side of sides) assert.deepEqual(side, [32, 32]);
  const text = (path) => Buffer.from(files[path]).toString();
  const records = text('data/metadata.jsonl').trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(records.length, 20);
  assert.ok(records.every(({ tiles }) => tiles.length === 4));
  assert.equal(text('selection.csv').trim().split('\n').length, 81);
  assert.match(text('report.html'), /sign-digits, compressed by tilepress/);
  for (const path of ['manifest.json', 'tilepress_transform.py', 'scores.csv']) assert.ok(path in files, path);

  context.diagnostic(
    `${((performance.now() - began) / 1000).toFixed(1)} s; the main thread was busy for at most ${scoring} ms at a time while `
      + `scoring and ${racing} ms while racing (0: never for 50)`,
  );
  assert.deepEqual(complaints, []);
  await profile.close();
});

test('what cannot be used is said clearly, and the page goes on', PATIENCE, async () => {
  const { page, complaints, context } = await visit(browser);
  await page.getByLabel('A folder of images').setInputFiles(fileURLToPath(new URL('../data/signs', import.meta.url)));
  await page.getByText('What was found in signs').waitFor();
  const alert = (text) => page.getByRole('alert').filter({ hasText: text }).waitFor();

  await give(page, 'evil.zip', [['one/a.png', strToU8('x')], ['../evil.png', strToU8('x')]]);
  await alert(/evil\.zip holds the entry “\.\.\/evil\.png”, which leads out of its folder/);
  await give(page, 'empty.zip', []);
  await alert(/empty|neither/);
  await give(page, 'single.zip', [['one/a.jpg', PHOTOS[0][1]], ['one/b.jpg', PHOTOS[1][1]]]);
  await alert(/class/);
  await give(page, 'notes.zip', [['read.me', strToU8('no image')]]);
  await alert(/class|image/);
  await clean(page, 'a refusal');

  const huge = Buffer.from(PNG_HEADER);
  await give(page, 'mixed.zip', [
    ...PHOTOS,
    ['one/broken.jpg', strToU8('this is no photograph')],
    ['two/cut.jpg', PHOTOS[0][1].subarray(0, 700)],
    ['two/huge.png', huge],
  ]);
  await page.getByText('What was found in mixed').waitFor();
  await page.locator('li', { hasText: 'one/broken.jpg' }).waitFor();
  await page.locator('li', { hasText: 'two/huge.png' }).waitFor();
  // Its header is whole: that it is cut short shows when it is decoded.
  await press(page, /^Score the images/);
  await scored(page);
  await page.locator('li', { hasText: 'two/cut.jpg' }).waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a link for a class hides controls and keeps their values, until all are shown', PATIENCE, async () => {
  const { page, complaints, context } = await visit(browser, `${QUICK.replace('ipc=3', 'ipc=2')}&hide=width,ipc,compare,nonsense`);
  await page.getByText('This link hides 4 controls').waitFor();
  await give(page, 'photos.zip', PHOTOS);
  await page.getByLabel('Epochs of the proxy').waitFor();
  assert.equal(await page.getByLabel('Channels of the network').isVisible(), false);
  await clean(page, 'Pick with hidden controls');
  await press(page, /^Score the images/);
  await scored(page);
  await press(page, 'Prune →');
  await page.getByText(/16 are kept: 8 of each class/).waitFor();
  assert.equal(await page.getByLabel(/Stored images per class/).isVisible(), false);
  assert.equal(await page.getByRole('slider').count(), 0);
  await press(page, 'Show all');
  await page.getByLabel(/Stored images per class/).waitFor();
  assert.equal(await page.getByRole('slider', { name: 'Border in one' }).count(), 1);
  assert.equal(await page.getByText('This link hides').count(), 0);

  await page.getByRole('button', { name: /Take home/ }).click();
  await page.getByLabel('Seeds').check();
  await page.getByLabel('Tiles of a stored image').check();
  const link = await page.locator('code', { hasText: 'hide=' }).textContent();
  assert.match(link, /#.*ipc=2.*&hide=grid,seeds$/);
  await clean(page, 'a link for a class');
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a lost device is said, and the run goes on from the checkpoint', PATIENCE, async () => {
  const { page, complaints, context } = await visit(browser, `${QUICK.replace('epochs=4', 'epochs=60')}&fail-after=12`);
  await give(page, 'photos.zip', PHOTOS);
  await press(page, /^Score the images/);
  await page.getByText(/The device failed, and the run goes on on the CPU/).first().waitFor();
  await scored(page);
  await page.getByText('60 of 60').waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a page that was loaded once opens again without a network', PATIENCE, async () => {
  const { page, context } = await visit(browser);
  // All of the engine, the largest part, is kept.
  await until(page, async () => {
    const kept = await caches.match(new URL('pkg/tilepress_bg.wasm', document.baseURI));
    return kept !== undefined && (await caches.match(new URL('./', document.baseURI))) !== undefined;
  });
  await context.setOffline(true);
  await page.reload();
  await ready(page);
  await context.close();
});

test('a session that was closed in mid-training goes on, and can be forgotten', PATIENCE, async () => {
  const { page, complaints, context } = await visit(browser, QUICK.replace('epochs=4', 'epochs=60'));
  await give(page, 'photos.zip', PHOTOS);
  await press(page, /^Score the images/);
  await press(page, 'Pause');
  // Step by step, so that a slow machine is not late.
  while ((await page.getByText(/^[1-9]\d* of 60$/).count()) === 0) {
    await press(page, 'Step');
    await page.waitForTimeout(50);
  }
  await until(page, kept, 'checkpoint');
  // As good as closed: nothing but what was kept is left.
  page.once('dialog', (dialog) => dialog.accept());
  await page.goto('about:blank');
  await page.goto(PAGE);
  await page.getByText(/photos, in the middle of scoring/).waitFor();
  await clean(page, 'an offer to resume');
  await press(page, 'Resume last session');
  await scored(page);
  await page.getByText('60 of 60').waitFor();
  await until(page, kept, 'scored');
  // And once more, with the scores.
  await page.reload();
  await page.getByText(/photos, scored/).waitFor();
  await press(page, 'Resume last session');
  await scored(page);
  await press(page, 'Prune →');
  await page.getByText(/16 are kept: 8 of each class/).waitFor();
  await page.reload();
  await press(page, 'Forget it');
  await page.getByRole('button', { name: 'Forget it' }).waitFor({ state: 'hidden' });
  await page.reload();
  await ready(page);
  assert.equal(await page.getByText('Resume last session').count(), 0);
  assert.deepEqual(complaints, []);
  await context.close();
});
