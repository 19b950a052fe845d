// The stored images of a grid, made once for each choice.

import type { Grid } from '../engine/protocol';
import { run } from './run';
import { app } from './state.svelte';

export async function combine(grid: Grid): Promise<void> {
  if (app.combined[grid]) return;
  await run('combine', { ...app.choice, grid }, {}, (made) => {
    app.combined = { ...app.combined, [grid]: made };
    app.status = `Made ${made.records.length} stored images.`;
  });
}
