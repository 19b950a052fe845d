// An engine for the tests: it notes what it is asked for, and gives what a test has laid out.

import type { Listeners } from '../engine/client';
import type { JobName, Memory } from '../engine/protocol';
import type { Recorder } from '../engine/recorder';
import type { Recording } from '../engine/recording';
import { app } from './state.svelte';

export const engine = {
  asked: [] as [JobName, unknown][],
  commands: [] as string[],
  /** For each job what it says and gives; others give nothing. */
  gives: {} as Partial<Record<JobName, (listeners: Required<Listeners>, options: unknown) => unknown>>,
  memory: undefined as Memory | undefined,
  fresh() {
    engine.asked = [];
    engine.commands = [];
    engine.gives = {};
    engine.memory = undefined;
  },
  async start(name: JobName, options: unknown, listeners: Listeners): Promise<unknown> {
    engine.asked.push([name, options]);
    return engine.gives[name]?.(listeners as Required<Listeners>, options);
  },
  pause: () => engine.commands.push('pause'),
  resume: () => engine.commands.push('resume'),
  step: () => engine.commands.push('step'),
  stop: () => engine.commands.push('stop'),
  skip: () => engine.commands.push('skip'),
};

export const recorder: Pick<Recorder, 'score' | 'race'> = { score: null, race: null };

export function play(recording: Recording | null): void {
  app.recording = recording;
  app.error = null;
}

export const leave = (): void => play(null);
