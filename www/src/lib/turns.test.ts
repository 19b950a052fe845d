import { beforeEach, expect, test, vi } from 'vitest';

import { inTurn, outOfTurn } from './turns';

const frames: (() => void)[] = [];
const frame = () => frames.splice(0).forEach((run) => run());

beforeEach(() => {
  vi.stubGlobal('requestAnimationFrame', (run: () => void) => frames.push(run));
});

test('one drawing is made a frame, in the order of asking, and none twice', () => {
  const drawn: string[] = [];
  const [a, b, c] = ['a', 'b', 'c'].map((name) => () => void drawn.push(name)) as [() => void, () => void, () => void];
  for (const draw of [a, b, a, c, a]) inTurn(draw);
  outOfTurn(c);
  frame();
  expect(drawn).toEqual(['a']);
  frame();
  expect(drawn).toEqual(['a', 'b']);
  frame();
  expect(drawn).toEqual(['a', 'b']);
  inTurn(a);
  expect(frames.length).toBe(1);
  frame();
  expect(drawn).toEqual(['a', 'b', 'a']);
});
