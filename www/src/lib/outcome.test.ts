import { expect, test } from 'vitest';

import type { Outcome } from '../engine/protocol';
import { guesses, more, tell } from './outcome';
import { DEFAULTS } from './settings';

type Pair = [a: string, b: string, difference: number, verdict: 'better' | 'worse' | 'indistinguishable'];

/** A race of three seeds with these accuracies; the first class may take all. */
function race(top1: Record<string, number[]>, pairs: Pair[], takes: string | null = null): Outcome {
  return {
    standings: Object.entries(top1).flatMap(([name, runs]) =>
      runs.map((value, seed) => ({ name, seed, images: 20, top1: value, softTop1: null, top5: null, perClass: name === takes ? [98, 2, 0, 0] : [value, value, value, value], confused: null })),
    ),
    comparisons: pairs.map(([a, b, difference, verdict]) => ({
      ...{ a, b, difference, verdict, pairs: 3, sentence: '' },
      interval: verdict === 'indistinguishable' ? [difference - 20, difference + 20] : [difference - 1, difference + 1],
    })),
    stored: Object.keys(top1).map((name) => ({ name, images: 20, bytes: 1 })),
    stopped: false,
    chance: 25,
  };
}
const curves = [{ name: 'pca', curve: [{ loss: 2.4 }, { loss: 1.6 }] }];
const said = (outcome: Outcome, settings = DEFAULTS, of = curves) => {
  const { verdict, reasons } = tell(outcome, settings, ['a', 'b', 'c', 'd'], 200, of);
  return `${verdict}\n${reasons.join('\n')}`;
};

test('what pruning gained and what combining cost are told apart', () => {
  const text = said(race({ pca: [40, 41, 42], random: [50, 51, 52], easy: [60, 61, 62] }, [['pca', 'random', -10, 'worse'], ['pca', 'easy', -20, 'worse'], ['random', 'easy', -10, 'worse']]));
  expect(text).toMatch(/^Whole easy wins, and by more than the noise\./);
  expect(text).toContain('Prune: easy images taught 10.0 points more than random ones.');
  expect(text).toContain('Combine: it cost 20.0 points against whole easy. A tile has 16 pixels a side instead of 32');
});

test('where combining wins, that is said', () => {
  const text = said(race({ pca: [60, 61, 62], random: [50, 51, 52], easy: [50, 51, 52] }, [['pca', 'random', 10, 'better'], ['pca', 'easy', 10, 'better'], ['random', 'easy', 0, 'indistinguishable']]));
  expect(text).toMatch(/^PCA: easy, 2×2 wins/);
  expect(text).toContain('Combine: 4 times as many images brought 10.0 points over whole easy');
  expect(text).toContain('which may be chance: the 95 % interval from −20.0 to 20.0 holds zero');
});

test('where nothing is decided, the pair is named that more seeds would decide first', () => {
  const outcome = race({ pca: [41, 42, 43], random: [46, 47, 49], easy: [45, 46, 47] }, [['pca', 'random', -10, 'indistinguishable'], ['pca', 'easy', -4, 'indistinguishable'], ['random', 'easy', 1, 'indistinguishable']]);
  expect(said(outcome)).toMatch(/^No winner: with 3 seeds .*\nPCA: easy, 2×2 and random: .* 5 seeds would show it\.$/s);
});

test('students that guess are not explained by lost pixels', () => {
  const pairs: Pair[] = [['pca', 'random', -20, 'worse'], ['pca', 'easy', -20, 'worse'], ['random', 'easy', 0, 'indistinguishable']];
  const outcome = race({ pca: [25, 26, 24], random: [45, 46, 44], easy: [45, 46, 44] }, pairs, 'pca');
  expect(said(outcome)).toContain('are no better than guessing, 25 %: they call nearly everything “a”. Their training loss fell from 2.4 to 1.6');
  expect(said(outcome)).not.toContain('Combine:');
  expect(said(outcome, DEFAULTS, [{ name: 'pca', curve: [{ loss: 2.4 }, { loss: 2.35 }] }])).toContain('hardly fallen');
});

test('where composites lose by their sharpness, that is said with its numbers', () => {
  const pairs: Pair[] = [['pca', 'random', -20, 'worse'], ['pca', 'easy', -20, 'worse'], ['random', 'easy', 0, 'indistinguishable']];
  const outcome = race({ pca: [30, 31, 32], random: [49, 50, 51], easy: [49, 51, 52] }, pairs);
  const soft = (of: Outcome, pca: number, easy: number): Outcome => ({
    ...of,
    standings: of.standings.map((standing) => ({ ...standing, softTop1: { pca, easy }[standing.name] ?? 1 })),
  });
  expect(said(soft(outcome, 52, 24))).toContain('16 pixels enlarged to 32, PCA: easy, 2×2 has 52 % and whole easy 24 %. So its students did learn the classes');
  expect(said(soft(outcome, 30, 44))).toContain('whole easy 44 %. So it is not sharpness alone.');
  const ahead = race({ pca: [60, 61, 62], random: [50, 51, 52] }, [['pca', 'random', 10, 'better']]);
  expect(said(soft(ahead, 70, 20))).not.toContain('Sharpness');
});

test('whole images of another rule are compared with random ones', () => {
  const outcome = race({ pca: [30, 31, 32], random: [50, 51, 52] }, [['pca', 'random', -20, 'worse']]);
  const text = said(outcome, { ...DEFAULTS, grid: 1, rule: 'hard' });
  expect(text).toMatch(/^Random wins/);
  expect(text).toContain('Prune: hard images taught 20.0 points less than random ones.');
  expect(text).not.toContain('Combine');
});

test('guessing is what lies within the noise of chance in every run', () => {
  expect(guesses([10.2, 10.5, 9.9], 10, 220)).toBe(true);
  expect(guesses([10.2, 22, 9.9], 10, 220)).toBe(false);
});

test('more seeds are proposed where they would tell', () => {
  const comparison = { a: 'pca', b: 'random', pairs: 3, verdict: 'indistinguishable', sentence: '' } as const;
  // Fashion-MNIST's own: five seeds gave 2.6 to 9.8.
  expect(more({ ...comparison, difference: -6, interval: [-12.5, 0.5] })).toContain('5 seeds would show it');
  expect(more({ ...comparison, difference: 1.2, interval: [-5.8, 8.3] })).toContain('teach about the same');
  expect(more({ ...comparison, difference: 1, interval: null, pairs: 1 })).toContain('one seed');
});
