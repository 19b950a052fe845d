import { expect, test } from 'vitest';

import { type Answer, decimals, LABEL, REST, rowsOf, ROWS } from './softmax';

const names = (count: number) => Array.from({ length: count }, (_, at) => `class ${at}`);

/** What a network might say of an image: always the same for the same numbers. */
function answer(classes: number, label: number, sharpness: number): Answer {
  const exponents = Array.from({ length: classes }, (_, at) => Math.exp(sharpness * Math.sin(1 + at * 2.7) + (at === label ? sharpness : 0)));
  const sum = exponents.reduce((all, one) => all + one);
  const softmax = Float32Array.from(exponents, (one) => one / sum);
  const norm = Math.sqrt(softmax.reduce((all, one, at) => all + (one - (at === label ? 1 : 0)) ** 2, 0));
  const q = Math.max(...softmax.filter((_, at) => at !== label));
  return { p: softmax[label] ?? 0, q, norm, softmax };
}

const CASES = [2, 3, 10, ROWS, ROWS + 1, 40, 1000].flatMap((classes) =>
  [0.1, 1, 4, 9].map((sharpness) => ({ classes, label: Math.floor(classes / 2), sharpness })),
);

test('the squares as they are written give the norm, with every class known and with three numbers', () => {
  for (const { classes, label, sharpness } of CASES) {
    const whole = answer(classes, label, sharpness);
    for (const given of [whole, { ...whole, softmax: null }]) {
      const rows = rowsOf(given, label, names(classes));
      const digits = decimals(rows);
      const written = rows.reduce((sum, { square }) => sum + Number(square.toFixed(digits)), 0);
      expect(Math.abs(Math.sqrt(written) - given.norm)).toBeLessThan(0.001);
      expect(rows.reduce((sum, { p }) => sum + p, 0)).toBeCloseTo(1, 4);
      expect(rows.reduce((sum, { oneHot }) => sum + oneHot, 0)).toBe(1);
    }
  }
});

test('a few classes have a row each, in their order', () => {
  const rows = rowsOf(answer(10, 3, 2), 3, names(10));
  expect(rows.map(({ name }) => name)).toEqual(names(10).map((name, at) => (at === 3 ? name + LABEL : name)));
  expect(rows[3]).toMatchObject({ oneHot: 1 });
  for (const { p, oneHot, difference } of rows) expect(difference).toBe(p - oneHot);
});

test('of many classes the label, the ten strongest others and the rest have a row', () => {
  const given = answer(40, 7, 2);
  const rows = rowsOf(given, 7, names(40));
  expect(rows.length).toBe(12);
  expect(rows[0]).toMatchObject({ name: `class 7${LABEL}`, p: given.p });
  expect(rows[1]?.p).toBe(given.q);
  const others = rows.slice(1, 11).map(({ p }) => p);
  expect(others).toEqual([...others].sort((a, b) => b - a));
  expect(rows[11]).toMatchObject({ name: `${REST} (29)`, difference: null });
});

test('without the full record there are the three rows that it can be told from', () => {
  const rows = rowsOf({ ...answer(10, 3, 2), softmax: null }, 3, names(10));
  expect(rows.map(({ name }) => name)).toEqual([`class 3${LABEL}`, 'the strongest other', REST]);
});
