// Records the built-in sets' runs, with the page's own settings, on the CPU: node scripts/record.mjs [SET …]
//
// Stands on www/dist, and writes public/sets/SET.tilepress-run, and the same beside the page that is there. To be run again
// when defaults, the scoring, the students or the sets have changed, on a machine that does nothing else meanwhile: how long
// it took is recorded too. TILEPRESS_CHROMIUM names the browser.

import { copyFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { preview } from 'vite';

const SETS = { 'sign-digits': 'Sign-language digits', 'fashion-mnist': 'Fashion-MNIST' };
const LIMIT = 400_000;

const root = fileURLToPath(new URL('../', import.meta.url));
const executablePath = process.env.TILEPRESS_CHROMIUM;
if (!executablePath) throw new Error('TILEPRESS_CHROMIUM must name a Chromium');
const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(SETS);
const server = await preview({ root, preview: { port: 0 } });
const browser = await chromium.launch({ executablePath, chromiumSandbox: false });
try {
  for (const set of wanted) {
    if (!(set in SETS)) throw new Error(`there is no built-in set ${set}: ${Object.keys(SETS).join(', ')}`);
    const page = await browser.newPage();
    page.setDefaultTimeout(3_600_000);
    await page.goto(`${server.resolvedUrls.local[0]}#device=flex`);
    const press = (name) => page.getByRole('button', { name, disabled: false }).click();
    await press(`Take ${SETS[set]}`);
    await press(/^Score the images/);
    await page.getByRole('heading', { name: 'Near-duplicates' }).waitFor();
    for (const stage of ['Prune', 'Combine', 'Augment', 'Compare']) await press(`${stage} →`);
    await page.getByText('Random whole images', { exact: true }).click();
    await press('Start the race');
    await page.getByRole('heading', { name: 'Which differences are real' }).waitFor();
    console.log(`${set}: ${await page.locator('.verdict h3').textContent()}`);
    for (const row of await page.locator('[aria-label="Paired differences"] tbody tr').all()) {
      console.log(`  ${(await row.locator('th, td').allTextContents()).join('  ')}`);
    }
    await press('Take home →');
    const download = page.waitForEvent('download');
    await press('Save the recording');
    const file = `public/sets/${set}.tilepress-run`;
    await (await download).saveAs(root + file);
    copyFileSync(root + file, `${root}dist/sets/${set}.tilepress-run`);
    const { size } = statSync(root + file);
    if (size > LIMIT) throw new Error(`${file} has ${size} bytes, of at most ${LIMIT}`);
    console.log(`  ${file}: ${size} bytes`);
    await page.close();
  }
} finally {
  await browser.close();
  await server.close();
}
