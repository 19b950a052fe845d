// The methods that a race of the page compares. What they are called, the package says (`methods()`).

import type { MethodName } from 'tilepress';

import type { Choice } from './protocol';

/** The set made on this page first, whatever its rule and its grid; then whole images, random ones and the easiest. */
export const ENTRANTS = ['pca', 'random', 'el2n'] as const satisfies readonly MethodName[];
export type EntrantName = (typeof ENTRANTS)[number];

export const OWN: EntrantName = 'pca';

/** The entrants of a race: without the easiest whole images where these are the set made here. */
export const entrantsFor = ({ grid, rule }: Pick<Choice, 'grid' | 'rule'>): EntrantName[] =>
  ENTRANTS.filter((name) => name !== 'el2n' || grid > 1 || rule !== 'easy');
