import { expect, test, vi } from 'vitest';

vi.hoisted(() => vi.stubGlobal('location', { hash: '' }));
vi.mock('./engine', () => import('./engine.fake'));

import { combine } from './combine';
import { engine } from './engine.fake';
import { app } from './state.svelte';

test('the set of a grid is made once, beside those of other grids', async () => {
  engine.gives.combine = (_, options) => ({ ...(options as object), records: [1, 2] });
  for (const grid of [1, 2, 1] as const) await combine(grid);
  expect(engine.asked.map(([, choice]) => choice)).toEqual([1, 2].map((grid) => ({ ...app.choice, grid })));
  expect(Object.keys(app.combined)).toEqual(['1', '2']);
  expect(app.status).toBe('Made 2 stored images.');
});
