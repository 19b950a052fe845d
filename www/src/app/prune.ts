// Which images stay, whenever a setting that decides it has changed.

import { engine } from './engine';
import { app } from './state.svelte';

let again = false;
let pruning = false;

/** Follows the sliders: of many changes, only the last one counts. */
export async function prune(): Promise<void> {
  app.settings.ipc = Math.min(app.settings.ipc, app.mostIpc);
  app.combined = {};
  app.outcome = null;
  app.racing = null;
  again = true;
  if (pruning) return;
  pruning = true;
  while (again) {
    again = false;
    try {
      app.chosen = await engine.start('prune', app.choice);
      app.error = null;
    } catch (error) {
      app.chosen = null;
      app.error = (error as Error).message;
    }
  }
  pruning = false;
}
