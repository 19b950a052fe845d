// A set is picked: what is found in it, and the memory that it would take.

import type { Source } from '../engine/protocol';
import { plural } from '../lib/words';
import { engine, leave } from './engine';
import { run } from './run';
import { app } from './state.svelte';
import { forget, keep } from './store';

export async function read(source: Source): Promise<void> {
  // Another set is not what was recorded; whether a folder is, shows when it is read.
  const { builtIn = null } = app.recording?.set ?? {};
  if (builtIn !== (source.kind === 'built-in' ? source.name : null)) leave();
  app.forget();
  const { val: valFraction, seed } = app.settings;
  app.settings.set = source.kind === 'built-in' ? source.name : '';
  const found = await run('read', { source, valFraction, seed });
  if (!found) return;
  app.found = found;
  app.source = source;
  app.last = null;
  // A browser that cannot keep it goes on without. A recording is kept as a file, and takes no session's place.
  if (!app.recording) {
    void forget()
      .then(() => keep('setup', { source, settings: { ...app.settings }, found }))
      .catch(() => {});
  }
  app.status = `Found ${plural(found.images, 'image')} of ${plural(found.classes.length, 'class', 'classes')}; ${plural(found.leftOut.length, 'file')} left out.`;
  await measure();
}

/** What the present settings would take, before anything is decoded. */
export async function measure(): Promise<void> {
  const { planned: images, train, settings } = app;
  const classes = app.found?.classes.length ?? 0;
  app.memory = await engine.start('memory', { images, train, classes, imageSize: settings.size, epochs: settings.epochs });
}
