import { expect, test } from 'vitest';

import { Control } from './control';

test('a run goes on until it is stopped', async () => {
  const control = new Control();
  expect(await control.turn()).toEqual({ go: true, single: false });
  control.handle('stop');
  expect(await control.turn()).toEqual({ go: false, single: false });
});

test('a paused run makes one turn for each step and no other', async () => {
  const control = new Control();
  control.handle('step');
  expect(await control.turn()).toEqual({ go: true, single: true });
  let turned = false;
  const next = control.turn().then((turn) => {
    turned = true;
    return turn;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(turned).toBe(false);
  control.handle('resume');
  expect(await next).toEqual({ go: true, single: false });
});

test('stop ends a pause', async () => {
  const control = new Control();
  control.handle('pause');
  const next = control.turn();
  setTimeout(() => control.handle('stop'), 5);
  expect((await next).go).toBe(false);
});
