import { expect, test, vi } from 'vitest';

import { command, DEFAULTS, fromHash, linkTo, toHash } from './settings';

test('settings come back from the address as they went in', () => {
  const settings = { ...DEFAULTS, set: 'sign-digits', ipc: 3, grid: 3 as const, rule: 'window' as const, window: 0.25, r: 0.5 };
  expect(fromHash(toHash(settings))).toEqual(settings);
  expect(toHash(DEFAULTS)).toBe('');
});

test('what makes no sense in an address is passed over', () => {
  expect(fromHash('#ipc=-3&grid=7&rule=best&size=nan&steps=1.5&unknown=1')).toEqual(DEFAULTS);
});

test('the command names what differs from the program’s defaults, and quotes a folder', () => {
  const line = command({ ...DEFAULTS, rule: 'window' }, "it's mine", false);
  expect(line).toContain(`--data 'it'\\''s mine'`);
  expect(line).toContain('--rule window --window-start 0.1');
  expect(line).toContain('--val-fraction 0.2');
  expect(line).toContain(`--min-scale ${DEFAULTS.r}`);
});

test('a link takes the place of the hash that the page was opened with', () => {
  vi.stubGlobal('location', { href: 'https://host/page/?a=1#ipc=9' });
  expect(linkTo('#ipc=3')).toBe('https://host/page/?a=1#ipc=3');
  expect(linkTo('')).toBe('https://host/page/?a=1');
  vi.unstubAllGlobals();
});
