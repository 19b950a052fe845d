import type { Comparison } from 'tilepress';
import { expect, test } from 'vitest';

import type { Outcome } from '../engine/protocol';
import { titlesOf } from './methods';
import { METHODS } from './methods.example';
import { more, tell } from './outcome';
import { DEFAULTS } from './settings';

type Pair = [a: string, b: string, difference: number, verdict: Comparison['verdict']];

const WIDTH = { better: 1, worse: 1, indistinguishable: 2, inconclusive: 20 };

/** A comparison of three seeds. */
function compared([a, b, difference, verdict]: Pair): Comparison {
  const width = verdict === 'untested' ? null : WIDTH[verdict];
  const interval: Comparison['interval'] = width ? [difference - width, difference + width] : null;
  const noise = interval && { seeds: 2, images: 1 };
  return { a, b, difference, interval, adjustedInterval: interval, p: null, adjustedP: null, noise, pairs: 3, seedsNeeded: null, verdict, sentence: '' };
}

/** A race of three seeds with these accuracies; the first class may take all. */
function race(top1: Record<string, number[]>, pairs: Pair[], takes: string | null = null): Outcome {
  return {
    standings: Object.entries(top1).flatMap(([name, runs]) =>
      runs.map((value, seed) => ({ name, seed, images: 20, top1: value, top1AtTileSize: null, top5: null, perClass: name === takes ? [98, 2, 0, 0] : [value, value, value, value], confused: null })),
    ),
    methods: Object.entries(top1).map(([name, runs]) => ({ name, seeds: 3, top1: 0, sd: 1, interval: [0, 100], aboveChance: Math.min(...runs) > 28 })),
    comparisons: pairs.map(compared),
    stored: Object.keys(top1).map((name) => ({ name, images: 20, bytes: 1 })),
    stopped: false,
    chance: 25,
  };
}
const curves = [{ name: 'pca', curve: [{ loss: 2.4 }, { loss: 1.6 }] }];
const said = (outcome: Outcome, settings = DEFAULTS, of = curves) => {
  const { verdict, reasons } = tell(outcome, settings, ['a', 'b', 'c', 'd'], of, titlesOf(METHODS, settings));
  return `${verdict}\n${reasons.join('\n')}`;
};

test('what pruning gained and what combining cost are told apart', () => {
  const text = said(race({ pca: [40, 41, 42], random: [50, 51, 52], el2n: [60, 61, 62] }, [['pca', 'random', -10, 'worse'], ['pca', 'el2n', -20, 'worse'], ['random', 'el2n', -10, 'worse']]));
  expect(text).toMatch(/^Winner: Easiest whole images, by more than the noise\./);
  expect(text).toContain('Prune: easy images taught 10.0 points more than random ones.');
  expect(text).toContain('Combine: the composites are 20.0 points behind easiest whole images. A tile has 16 pixels a side instead of 32');
});

test('where combining wins, that is said', () => {
  const text = said(race({ pca: [60, 61, 62], random: [50, 51, 52], el2n: [50, 51, 52] }, [['pca', 'random', 10, 'better'], ['pca', 'el2n', 10, 'better'], ['random', 'el2n', 0, 'inconclusive']]));
  expect(text).toMatch(/^Winner: PCA, 2×2, by/);
  expect(text).toContain('Combine: 4 times as many images brought 10.0 points over easiest whole images');
  expect(text).toContain('which may be chance: the interval from −20.0 to 20.0 holds zero');
});

test('where nothing is decided, the pair is named that more seeds would decide first', () => {
  const outcome = race({ pca: [41, 42, 43], random: [46, 47, 49], el2n: [45, 46, 47] }, [['pca', 'random', -10, 'inconclusive'], ['pca', 'el2n', -4, 'inconclusive'], ['random', 'el2n', 1, 'inconclusive']]);
  outcome.comparisons.forEach((one) => { one.seedsNeeded = one.difference === -10 ? 5 : null; });
  expect(said(outcome)).toMatch(/^No winner: with 3 seeds every difference may be chance\..*\nPCA, 2×2 and random whole images: .* 5 seeds would show it\.$/s);
});

test('students that guess are not explained by lost pixels', () => {
  const pairs: Pair[] = [['pca', 'random', -20, 'worse'], ['pca', 'el2n', -20, 'worse'], ['random', 'el2n', 0, 'inconclusive']];
  const outcome = race({ pca: [25, 26, 24], random: [45, 46, 44], el2n: [45, 46, 44] }, pairs, 'pca');
  expect(said(outcome)).toContain('are no better than guessing, 25 %: they call nearly everything “a”. Their training loss fell from 2.4 to 1.6');
  expect(said(outcome)).not.toContain('Combine:');
  expect(said(outcome, DEFAULTS, [{ name: 'pca', curve: [{ loss: 2.4 }, { loss: 2.35 }] }])).toContain('hardly fallen');
});

test('where composites lose by their sharpness, that is said with its numbers', () => {
  const pairs: Pair[] = [['pca', 'random', -20, 'worse'], ['pca', 'el2n', -20, 'worse'], ['random', 'el2n', 0, 'inconclusive']];
  const outcome = race({ pca: [30, 31, 32], random: [49, 50, 51], el2n: [49, 51, 52] }, pairs);
  const blurred = (of: Outcome, pca: number, el2n: number): Outcome => ({
    ...of,
    standings: of.standings.map((standing) => ({ ...standing, top1AtTileSize: { pca, el2n }[standing.name] ?? 1 })),
  });
  expect(said(blurred(outcome, 52, 24))).toContain('(16 pixels, enlarged to 32) PCA, 2×2 has 52 % and easiest whole images 24 %. So its students know the classes at the size of a tile, and lose 21.0 points on sharper images');
  expect(said(blurred(outcome, 30, 44))).toContain('easiest whole images 44 %. So sharpness is not the reason.');
  const ahead = race({ pca: [60, 61, 62], random: [50, 51, 52] }, [['pca', 'random', 10, 'better']]);
  expect(said(blurred(ahead, 70, 20))).not.toContain('Sharpness');
});

test('whole images of another rule are compared with random ones', () => {
  const outcome = race({ pca: [30, 31, 32], random: [50, 51, 52] }, [['pca', 'random', -20, 'worse']]);
  const text = said(outcome, { ...DEFAULTS, grid: 1, rule: 'hard' });
  expect(text).toMatch(/^Winner: Random whole images/);
  expect(text).toContain('Prune: hard images taught 20.0 points less than random ones.');
  expect(text).not.toContain('Combine');
});

test('one seed, and sets that teach the same, have no winner for different reasons', () => {
  const of = (verdict: Comparison['verdict']) => race({ pca: [41, 42, 43], random: [42, 42, 43] }, [['pca', 'random', -0.3, verdict]]);
  expect(said(of('untested'))).toMatch(/nothing can be told from chance\.\n.*three or more can\.$/s);
  expect(said(of('untested'), { ...DEFAULTS, grid: 1 })).toContain('which may be chance: one seed has no interval');
  expect(said(of('indistinguishable'))).toMatch(/the students are indistinguishable\..*by less than 5 points/s);
  expect(said(of('indistinguishable'), { ...DEFAULTS, grid: 1 })).toContain('too little to matter: the interval from −2.3 to 1.7 stays within 5 points');
});

test('who is ahead of some only is said not to be clearly ahead of the rest', () => {
  const outcome = race({ pca: [50, 51, 52], random: [40, 41, 42], el2n: [48, 49, 50] }, [['pca', 'random', 10, 'better'], ['pca', 'el2n', 2, 'inconclusive'], ['random', 'el2n', -8, 'worse']]);
  expect(said(outcome)).toMatch(/^Highest mean: PCA, 2×2, but not clearly ahead of easiest whole images\./);
});

test('more seeds are proposed where they would tell', () => {
  const open = compared(['pca', 'random', -6, 'inconclusive']);
  expect(more({ ...open, seedsNeeded: 5 })).toContain('5 seeds would show it');
  expect(more(open)).toContain('twenty seeds would hardly');
  expect(more({ ...open, noise: { seeds: 1, images: 2 } })).toContain('too few unseen images');
  expect(more({ ...open, noise: null })).toContain('more seeds would tell more');
  expect(more(compared(['pca', 'random', 1, 'indistinguishable']))).toContain('teach about the same');
  expect(more(compared(['pca', 'random', 1, 'untested']))).toContain('one seed');
});
