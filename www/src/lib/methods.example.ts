// Methods for the tests, as the package gives them; worker.test.ts asks the real one.

import type { MethodInfo } from 'tilepress';

export const METHODS: MethodInfo[] = [
  { name: 'random', title: 'Random whole images', about: 'Drawn.', rule: 'random', composites: false },
  { name: 'el2n', title: 'Easiest whole images', about: 'Easy.', rule: 'easy', composites: false },
  { name: 'el2n-hard', title: 'Hardest whole images', about: 'Hard.', rule: 'hard', composites: false },
  { name: 'pca', title: 'PCA', about: 'Composites.', rule: 'easy', composites: true },
  { name: 'el2n-hard-composites', title: 'Composites of the hardest images', about: 'Hard.', rule: 'hard', composites: true },
];
