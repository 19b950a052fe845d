// The session that was closed last: looked for, taken up again, or forgotten.

import { leave } from './engine';
import { measure } from './pick';
import { prune } from './prune';
import { run } from './run';
import { score } from './score';
import { app } from './state.svelte';
import { forget, recall } from './store';

/** What a closed session left behind; a browser that keeps nothing leaves nothing. */
export async function lookBack(): Promise<void> {
  const setup = await recall('setup').catch(() => undefined);
  if (!setup) return;
  const how = (await recall('scored'))
    ? 'scored'
    : (await recall('checkpoint'))
      ? 'in the middle of scoring'
      : 'picked, not scored yet';
  if (!app.found) app.last = { name: setup.found.name, how };
}

export async function resume(): Promise<void> {
  const setup = await recall('setup');
  if (!setup) return;
  const [kept, checkpoint] = [await recall('scored'), await recall('checkpoint')];
  const { source, settings, found } = setup;
  leave();
  app.settings = settings;
  const { val: valFraction, seed } = settings;
  app.status = `Going back to ${found.name}.`;
  const memory = { source, valFraction, seed, ...(kept ? { load: kept.load, scores: kept.csv } : {}) };
  if ((await run('recall', memory)) === null && app.error) return;
  app.last = null;
  app.source = source;
  app.found = found;
  await measure();
  if (kept) {
    app.samples = kept.samples;
    app.scored = kept.scored;
    app.status = `Back at ${found.name}, with its scores.`;
    app.go('Score');
    await prune();
  } else if (checkpoint) {
    await score(checkpoint);
  }
}

export async function forgetLast(): Promise<void> {
  // Offered until it is gone: who leaves the page at once must not find it again.
  await forget();
  app.last = null;
  app.status = 'The last session is forgotten.';
}
