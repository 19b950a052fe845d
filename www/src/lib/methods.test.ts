import { expect, test } from 'vitest';

import { entrantsFor } from '../engine/entrants';
import { lower, titlesOf } from './methods';
import { METHODS } from './methods.example';

test('the set made here is called by its rule and its grid, all others by their method', () => {
  const pca = titlesOf(METHODS, { grid: 2, rule: 'easy' });
  expect([pca('pca'), pca('random'), pca('el2n'), pca('mine')]).toEqual(['PCA, 2×2', 'Random whole images', 'Easiest whole images', 'mine']);
  expect(titlesOf(METHODS, { grid: 3, rule: 'hard' })('pca')).toBe('Composites of the hardest images, 3×3');
  expect(titlesOf(METHODS, { grid: 1, rule: 'hard' })('pca')).toBe('Hardest whole images');
});

test('a title in a sentence is small, but for a name of capitals', () => {
  expect([lower('Easiest whole images'), lower('PCA, 2×2')]).toEqual(['easiest whole images', 'PCA, 2×2']);
});

test('the easiest whole images enter once', () => {
  expect(entrantsFor({ grid: 2, rule: 'easy' })).toEqual(['pca', 'random', 'el2n']);
  expect(entrantsFor({ grid: 1, rule: 'hard' })).toEqual(['pca', 'random', 'el2n']);
  expect(entrantsFor({ grid: 1, rule: 'easy' })).toEqual(['pca', 'random']);
});
