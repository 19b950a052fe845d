// The page's engine: what it says of itself and of its device, and whether a recording is played on it.

import { Engine, makeWorker } from '../engine/client';
import { Recorder } from '../engine/recorder';
import type { Recording } from '../engine/recording';
import { Replay } from '../engine/replay';
import { keepForOffline } from './offline';
import { app } from './state.svelte';

const failAfter = new URLSearchParams(location.hash.slice(1)).get('fail-after');

/** That of the worker; the two that follow stand before it. */
const real = new Engine(
  makeWorker,
  new URL('./', document.baseURI).href,
  {
    ready(device, version, methods) {
      app.device = app.notice ? { ...device, reason: 'WebGPU failed' } : device;
      app.version = version;
      app.methods = methods;
      app.loading = null;
      // Without it the page works all the same, but needs the network to be opened again.
      keepForOffline().catch(() => {});
      app.status = `The engine is ready and runs on ${device.device === 'flex' ? 'the CPU' : 'WebGPU'}.`;
    },
    progress(progress) {
      app.loading = progress;
    },
    restarted(reason) {
      // Drivers say much; what happened stands in the first line.
      const [first] = reason.split('\n');
      app.notice = `The device failed, and the run goes on on the CPU, from its last checkpoint. The reason given: ${first}`;
      app.status = 'The device failed, and the run goes on on the CPU.';
    },
    failed(error) {
      app.error = `${error.message} Reload the page to try again.`;
    },
  },
  app.settings.device,
  failAfter === null ? undefined : Number(failAfter),
);

/** Holds the last run, to be taken home. */
export const recorder = new Recorder(real);

export const engine = new Replay(recorder, () => matchMedia('(prefers-reduced-motion: reduce)').matches);

/** From here on, scoring and the race are played from this recording; with none, everything runs on this device. */
export function play(recording: Recording | null): void {
  app.recording = engine.recording = recording;
  app.error = null;
}

export const leave = (): void => play(null);
