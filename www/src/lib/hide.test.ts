import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { CONTROLS, type Control, hiddenIn, withHidden } from './hide';
import { DEFAULTS, fromHash, toHash } from './settings';

const ALL = CONTROLS.map(({ key }) => key);

test('settings and hidden controls come back from one address as they went in', () => {
  const settings = { ...DEFAULTS, set: 'sign-digits', ipc: 3, grid: 3 as const, window: 0.25 };
  for (const hidden of [[], ['width'], ['seeds', 'size'], ALL] as Control[][]) {
    for (const given of [settings, DEFAULTS]) {
      const hash = withHidden(toHash(given), hidden);
      expect(fromHash(hash)).toEqual(given);
      expect(new Set(hiddenIn(hash))).toEqual(new Set(hidden));
    }
  }
  expect(withHidden(toHash(DEFAULTS), [])).toBe('');
});

test('what is no control is passed over', () => {
  expect(hiddenIn('#hide=width,batch,lr,seeds')).toEqual(['width', 'seeds']);
  expect(hiddenIn('#hide=,,constructor,%00')).toEqual([]);
  expect(hiddenIn('#ipc=3')).toEqual([]);
  expect(hiddenIn('')).toEqual([]);
});

test('a stage stands for all its controls, a comma may be encoded', () => {
  expect(hiddenIn('#hide=compare%2Cipc')).toEqual(['ipc', 'steps', 'seeds']);
});

test('every control that can be hidden is a setting, so that the link can carry its value', () => {
  for (const key of ALL) expect(key in DEFAULTS).toBe(true);
});

test('the links of the lesson say what the page understands', () => {
  const lesson = readFileSync(new URL('../../../docs/lesson.md', import.meta.url), 'utf8');
  const links = [...lesson.matchAll(/`(#[^`]*)`/g)].map(([, hash]) => hash as string);
  expect(links.length).toBe(3);
  for (const hash of links) {
    const settings = fromHash(hash);
    for (const [key, value] of new URLSearchParams(hash.slice(1))) {
      if (key !== 'hide') expect([key, String(settings[key as keyof typeof settings])]).toEqual([key, value]);
      else for (const name of value.split(',')) expect([name, hiddenIn(`#hide=${name}`).length > 0]).toEqual([name, true]);
    }
  }
});
