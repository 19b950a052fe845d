// The job that a person waits for: how it is started, paused, stepped through and stopped.

import type { Listeners } from '../engine/client';
import type { JobName, Jobs } from '../engine/protocol';
import { engine } from './engine';
import { app } from './state.svelte';

/** Runs a job that the bar at the foot shows; null when it failed or was stopped, which is said. */
export async function run<N extends JobName>(
  name: N,
  options: Jobs[N]['takes'],
  listeners: Listeners = {},
  keep: (result: Jobs[N]['gives']) => void = () => {},
): Promise<Jobs[N]['gives'] | null> {
  if (app.running) return null;
  app.error = null;
  app.running = { name, progress: null, paused: false };
  try {
    const result = await engine.start(name, options, {
      ...listeners,
      progress: (progress) => {
        if (app.running) app.running.progress = progress;
      },
    });
    // While it still counts as running, so that nobody starts it again for want of a result.
    keep(result);
    return result;
  } catch (error) {
    app.error = (error as Error).message;
    app.status = app.error;
    return null;
  } finally {
    app.running = null;
  }
}

/** Pauses, or goes on. */
export function pause(): void {
  if (!app.running) return;
  app.running.paused = !app.running.paused;
  if (app.running.paused) engine.pause();
  else engine.resume();
  app.status = app.running.paused ? 'Paused.' : 'Going on.';
}

export function step(): void {
  if (!app.running) return;
  app.running.paused = true;
  engine.step();
  app.status = 'One step.';
}

export function stop(): void {
  engine.stop();
  app.status = 'Stopping.';
}

/** To the end of what is played. */
export function skip(): void {
  if (app.running) app.running.paused = false;
  engine.skip();
}
