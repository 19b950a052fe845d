// The methods as the page calls them: by the titles that the package gives, the set made here by its own settings.

import type { MethodInfo } from 'tilepress';

import { OWN } from '../engine/entrants';
import type { Settings } from './settings';

export type Title = (name: string) => string;

/** The title of each entrant; a name that the package does not know stays as it is. */
export function titlesOf(methods: readonly MethodInfo[], { grid, rule }: Pick<Settings, 'grid' | 'rule'>): Title {
  const own = methods.find((method) => method.rule === rule && method.composites === grid > 1);
  return (name) => {
    if (name !== OWN) return methods.find((method) => method.name === name)?.title ?? name;
    return `${own?.title ?? name}${grid > 1 ? `, ${grid}×${grid}` : ''}`;
  };
}

/** A title inside a sentence. */
export const lower = (title: string): string => (title.startsWith('PCA') ? title : title.charAt(0).toLowerCase() + title.slice(1));
