// Packs public/sets/sign-digits.zip: node scripts/make-signs.mjs FOLDER
//
// FOLDER holds train/<digit>/*.jpg and val/<digit>/*.jpg of the Sign Language Digits Dataset, reduced to 64 x 64 pixels.
// Taken are, in the order of their names and evenly spaced, 56 training and 22 validation photographs of each digit. Stored,
// not deflated, as JPEGs do not shrink. Licence and source lie beside the file.

import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zipSync } from 'fflate';

const OF_CLASS = { train: 56, val: 22 };

const folder = process.argv[2];
if (!folder) throw new Error('usage: node scripts/make-signs.mjs FOLDER');
const files = {};
for (const [split, most] of Object.entries(OF_CLASS)) {
  for (const digit of readdirSync(join(folder, split)).sort()) {
    const names = readdirSync(join(folder, split, digit)).sort();
    for (let place = 0; place < most; place += 1) {
      const name = names[Math.floor((place * names.length) / most)];
      files[`${split}/${digit}/${name}`] = readFileSync(join(folder, split, digit, name));
    }
  }
}
const zip = zipSync(files, { level: 0, mtime: '2026-01-01T00:00:00' });
writeFileSync(fileURLToPath(new URL('../public/sets/sign-digits.zip', import.meta.url)), zip);
console.log(`${Object.keys(files).length} files, ${zip.length} bytes`);
