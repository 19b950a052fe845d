// The images are scored: the proxy's run, and what of it is put aside for another session.

import { plural } from '../lib/words';
import { engine } from './engine';
import { prune } from './prune';
import { run } from './run';
import { app } from './state.svelte';
import { drop, keep } from './store';

/** From the beginning, or from a checkpoint of an earlier session. */
export async function score(checkpoint?: Uint8Array): Promise<void> {
  const { source, found, recording } = app;
  if (!source || !found) return;
  if (!recording) {
    await keep('setup', { source, settings: { ...app.settings }, found }).catch(() => {});
    await drop('scored').catch(() => {});
    if (!checkpoint) await drop('checkpoint').catch(() => {});
  }
  app.scored = null;
  app.scoring = null;
  app.forgetChoice();
  app.go('Score');
  const { size: imageSize, cap, epochs, width, batch, scorelr: lr, seed } = app.settings;
  app.status = 'Decoding the images.';
  let epoch = -1;
  const scored = await run(
    'score',
    { imageSize, cap, epochs, width, batch, lr, seed, checkpoint },
    {
      checkpoint: ([bytes]) => {
        if (bytes) keep('checkpoint', bytes).catch(() => {});
      },
      samples: (samples) => {
        app.samples = samples;
      },
      metrics: (metrics) => {
        if (metrics.of !== 'score') return;
        app.scoring = metrics;
        if (metrics.epoch !== epoch) {
          epoch = metrics.epoch;
          app.status = epoch === 0 ? 'The proxy is training.' : `Epoch ${epoch} of ${metrics.epochs} is done.`;
        }
      },
    },
  );
  if (!scored) return;
  app.scored = scored;
  app.scoredFrom = recording;
  const { samples } = app;
  const { memory } = engine;
  if (!recording && samples && memory?.scores && memory.load) {
    keep('scored', { scored, samples, csv: memory.scores, load: memory.load }).catch(() => {});
  }
  app.settings.ipc = Math.min(app.settings.ipc, app.mostIpc);
  app.status = `Scored ${plural(scored.scores.length, 'image')} over ${plural(scored.counted, 'epoch')}.`;
  await prune();
}
