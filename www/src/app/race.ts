// The race of the students: it is run and followed, and what came out is noted.

import { run } from './run';
import { app } from './state.svelte';

export async function race(): Promise<void> {
  app.outcome = null;
  app.racing = null;
  const { recording, choice } = app;
  const { size: imageSize, width, steps, batch, lr, seeds, r: minScale } = app.settings;
  app.status = 'The race starts.';
  let quarter = 0;
  const outcome = await run(
    'race',
    { choice, imageSize, width, steps, batch, lr, seeds, minScale },
    {
      metrics: (metrics) => {
        if (metrics.of !== 'race') return;
        app.racing = metrics;
        const now = Math.floor((4 * (metrics.students[0]?.step ?? 0)) / steps);
        if (now > quarter && now < 4) {
          quarter = now;
          app.status = `${['', 'A quarter', 'Half', 'Three quarters'][now]} of the steps are done.`;
        }
      },
    },
  );
  if (!outcome) return;
  app.outcome = outcome;
  app.racedFrom = recording;
  app.status = 'The race is over.';
}
