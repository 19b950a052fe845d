// A recording is opened and played, and a run of this device is taken home as another.

import { known, read as readRecording, type Recording, write } from '../engine/recording';
import { settingsOf } from '../lib/recorded';
import { engine, play, recorder } from './engine';
import { measure, read } from './pick';
import { prune } from './prune';
import { score } from './score';
import { app } from './state.svelte';

/** Opens a recording. That of a built-in set starts at once; that of a folder waits until it is picked. */
export async function watch(file: Blob, name: string): Promise<void> {
  app.error = null;
  let recording: Recording;
  try {
    recording = await readRecording(file, name);
  } catch (error) {
    app.error = (error as Error).message;
    return;
  }
  app.forget();
  play(recording);
  rewind();
  const { builtIn, name: folder } = recording.set;
  app.status = `The recording of ${folder} is open.`;
  if (builtIn === null) return;
  await read({ kind: 'built-in', name: builtIn });
  if (app.found) await score();
}

/** Back to the settings of the recording. */
export function rewind(): void {
  if (!app.recording) return;
  app.settings = { ...settingsOf(app.recording), device: app.settings.device };
  if (app.found) void measure();
  if (app.scored) void prune();
}

/** Whether there is a run, seen from its beginning, to take home. */
export const recordable = (): boolean => app.scored !== null && recorder.score !== null;

export async function record(): Promise<Blob> {
  const { score: scoring, race } = recorder;
  if (!scoring || !app.found) throw new Error('There is no run to record.');
  const made = { at: new Date().toISOString(), version: app.version, device: app.device?.description ?? '' };
  const builtIn = app.source?.kind === 'built-in' ? app.source.name : null;
  const set = { ...known(app.found), builtIn, valFraction: engine.memory?.valFraction ?? app.settings.val };
  return write({ made, set, score: scoring, race: app.outcome ? race : null });
}
