// A recording as the page speaks of it: its settings, where these differ from what is set now, and when it was made.

import type { Recording } from '../engine/recording';
import { DEFAULTS, fromHash, type Settings, toHash } from './settings';

const OF_SCORE = ['size', 'cap', 'val', 'epochs', 'width', 'batch', 'scorelr', 'seed'] as const;
const OF_RACE = ['ipc', 'grid', 'rule', 'window', 'r', 'steps', 'lr', 'seeds'] as const;
const WORDS: Record<(typeof OF_SCORE)[number] | (typeof OF_RACE)[number], string> = {
  size: 'pixels a side',
  cap: 'most images of a class',
  val: 'share held out for validation',
  epochs: 'epochs',
  width: 'channels',
  batch: 'batch size',
  scorelr: 'learning rate of the proxy',
  seed: 'seed',
  ipc: 'images per class',
  grid: 'grid',
  rule: 'rule',
  window: 'window',
  r: 'smallest crop',
  steps: 'steps',
  lr: 'learning rate of the students',
  seeds: 'seeds',
};

/** The settings of a recording, without any that a page does not take. */
export function settingsOf({ set, score, race }: Recording): Settings {
  const { imageSize: size, cap, epochs, width, batch, lr: scorelr, seed } = score.options;
  const ofRace = race && {
    ...{ ipc: race.options.choice.ipc, grid: race.options.choice.grid, rule: race.options.choice.rule },
    ...{ window: race.options.choice.windowStart, r: race.options.minScale },
    ...{ steps: race.options.steps, lr: race.options.lr, seeds: race.options.seeds },
  };
  const all = { ...DEFAULTS, set: set.builtIn ?? '', val: set.valFraction, size, cap, epochs, width, batch, scorelr, seed, ...ofRace };
  return fromHash(toHash(all));
}

/** What is set otherwise than in a recording, in words, for its scores and for its race. */
export function changes(recording: Recording, settings: Settings): { score: string[]; race: string[] } {
  const then = settingsOf(recording);
  const differing = (keys: readonly (keyof typeof WORDS)[]) =>
    keys.filter((key) => settings[key] !== then[key]).map((key) => `${WORDS[key]} ${settings[key]} (recorded: ${then[key]})`);
  return { score: differing(OF_SCORE), race: recording.race ? differing(OF_RACE) : [] };
}

export const day = ({ made }: Recording): string => new Date(made.at).toLocaleDateString('en-GB', { dateStyle: 'long' });
