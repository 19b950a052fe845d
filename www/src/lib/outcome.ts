// What a race says, in words: who is ahead, what each of the steps gained or cost, and whether more seeds would tell more.

import type { Comparison } from 'tilepress';

import { OWN } from '../engine/entrants';
import type { Outcome } from '../engine/protocol';
import { lower, type Title } from './methods';
import type { Settings } from './settings';
import { mean, plural } from './words';

type Curves = { name: string; curve: { loss: number }[] }[];

export interface Told {
  verdict: string;
  reasons: string[];
}

/** A class that takes all: so many percent of its own images are right, and so few of all others. */
const ALL = 80;
const NONE = 5;

/** Points with one decimal, and a real minus. */
export const points = (value: number) => value.toFixed(1).replace('-', '−');
/** Whether one of the two is better. */
export const decided = ({ verdict }: Comparison) => verdict === 'better' || verdict === 'worse';
/** The meaning of a difference that is not decided. */
const open = ({ adjustedInterval: interval, verdict }: Comparison) => {
  if (!interval) return 'which may be chance: one seed has no interval';
  const range = `the interval from ${points(interval[0])} to ${points(interval[1])}`;
  return verdict === 'indistinguishable' ? `too little to matter: ${range} stays within 5 points` : `which may be chance: ${range} holds zero`;
};

export function tell(outcome: Outcome, settings: Settings, classes: string[], curves: Curves, title: Title): Told {
  const { comparisons, standings, chance } = outcome;
  const { grid, rule, size } = settings;
  const whole = grid === 1;
  const names = outcome.stored.map(({ name }) => name);
  const of = (name: string) => standings.filter((standing) => standing.name === name);
  const means = names.map((name) => ({ name, mean: mean(of(name).map(({ top1 }) => top1)) })).sort((a, b) => b.mean - a.mean);
  const [best, second] = means;
  if (!best) return { verdict: '', reasons: [] };
  /** The comparison of two, the first against the second. */
  const pair = (a: string, b: string): Comparison | null => {
    const found = comparisons.find((one) => one.a === a && one.b === b);
    if (found) return found;
    const turned = comparisons.find((one) => one.a === b && one.b === a);
    if (!turned) return null;
    const { difference, interval, adjustedInterval, verdict } = turned;
    const flip = (of: [number, number] | null): [number, number] | null => of && [-of[1], -of[0]];
    const other = verdict === 'better' ? 'worse' : verdict === 'worse' ? 'better' : verdict;
    return { ...turned, a, b, difference: -difference, interval: flip(interval), adjustedInterval: flip(adjustedInterval), verdict: other };
  };

  const pairs = comparisons.filter(({ a, b }) => a === best.name || b === best.name);
  const ties = pairs.filter((one) => !decided(one)).map(({ a, b }) => title(a === best.name ? b : a));
  const none = !comparisons.some(decided);
  const seeds = plural(of(best.name).length, 'seed');
  const verdict = comparisons.every((one) => one.verdict === 'untested')
    ? `No winner: with ${seeds} nothing can be told from chance.`
    : comparisons.every((one) => one.verdict === 'indistinguishable')
      ? `No winner: with ${seeds} the students are indistinguishable.`
      : none
        ? `No winner: with ${seeds} every difference may be chance.`
        : ties.length
          ? `Highest mean: ${title(best.name)}, but not clearly ahead of ${ties.map(lower).join(' and ')}.`
          : `Winner: ${title(best.name)}, by more than the noise.`;

  const reasons: string[] = [];
  const guessing = outcome.methods.filter(({ aboveChance }) => !aboveChance).map(({ name }) => name);
  if (guessing.includes(OWN)) reasons.push(guessed());
  const sharpness = whole ? null : sharp();
  if (sharpness) reasons.push(sharpness);

  const pruned = whole ? pair(OWN, 'random') : rule === 'easy' ? pair('el2n', 'random') : null;
  if (pruned) {
    const kept = `${rule === 'random' ? 'the drawn' : rule} images`;
    if (!decided(pruned)) {
      reasons.push(`Prune: ${kept} are ${points(Math.abs(pruned.difference))} points ${pruned.difference < 0 ? 'behind' : 'ahead of'} random ones, ${open(pruned)}.`);
    } else if (pruned.verdict === 'better') {
      reasons.push(`Prune: ${kept} taught ${points(pruned.difference)} points more than random ones.`);
    } else {
      reasons.push(`Prune: ${kept} taught ${points(-pruned.difference)} points less than random ones. So few of them may show too little of how varied their class is.`);
    }
  }

  const combined = whole || guessing.includes(OWN) ? null : pair(OWN, rule === 'easy' ? 'el2n' : 'random');
  if (combined) {
    const [times, side] = [grid ** 2, Math.floor(size / grid)];
    const than = lower(title(combined.b));
    if (!decided(combined)) {
      reasons.push(`Combine: ${times} times as many images in tiles of ${side} pixels are ${points(Math.abs(combined.difference))} points ${combined.difference < 0 ? 'behind' : 'ahead of'} ${than}, ${open(combined)}.`);
    } else if (combined.verdict === 'better') {
      reasons.push(`Combine: ${times} times as many images brought ${points(combined.difference)} points over ${than}, though each has a tile of ${side} pixels only.`);
    } else {
      reasons.push(`Combine: the composites are ${points(-combined.difference)} points behind ${than}. A tile has ${side} pixels a side instead of ${size}, and ${times} times as many images do not make up for it here. The fewer images are stored, the more combining gains: try one a class.`);
    }
  }

  const top = second && pair(best.name, second.name);
  if (top && !decided(top)) {
    // Where nothing is decided, the pair that would be first.
    const first = [...comparisons].sort((a, b) => clear(b) - clear(a))[0];
    const asked = none && first ? first : top;
    reasons.push(`${title(asked.a)} and ${lower(title(asked.b))}: ${more(asked)}`);
  }
  return { verdict, reasons };

  /** The accuracy on images at the size of a tile, where the composites are behind on sharp ones. */
  function sharp(): string | null {
    const side = Math.floor(size / grid);
    const at = (name: string) => mean(of(name).map(({ top1AtTileSize }) => top1AtTileSize ?? NaN));
    const rival = means.find(({ name }) => name !== OWN);
    const own = means.find(({ name }) => name === OWN);
    if (!rival || !own || own.mean >= rival.mean) return null;
    const [ours, theirs] = [at(OWN), at(rival.name)];
    if (Number.isNaN(ours) || Number.isNaN(theirs)) return null;
    const all = of(OWN).every(({ top1, top1AtTileSize }) => (top1AtTileSize ?? 0) > top1);
    const asked = `Sharpness: on the same unseen images at the size of a tile (${side} pixels, enlarged to ${size}) ${title(OWN)} has ${ours.toFixed(0)} % and ${lower(title(rival.name))} ${theirs.toFixed(0)} %.`;
    return all
      ? `${asked} So its students know the classes at the size of a tile, and lose ${points(ours - own.mean)} points on sharper images. Larger tiles help.`
      : `${asked} So sharpness is not the reason.`;
  }

  /** The reason why students may be no better than chance. */
  function guessed(): string {
    // A class without validation images was not measured (NaN), and says nothing.
    const perClass = classes.map((_, label) => mean(of(OWN).map((standing) => standing.perClass[label] ?? NaN)));
    const taken = perClass.findIndex((share, label) => share >= ALL && perClass.every((other, at) => at === label || !(other > NONE)));
    const curve = curves.filter(({ name }) => name === OWN).map(({ curve }) => curve);
    const [from, to] = [mean(curve.map((one) => one[0]?.loss ?? NaN)), mean(curve.map((one) => one.at(-1)?.loss ?? NaN))];
    const said = `The students of ${title(OWN)} are no better than guessing, ${chance.toFixed(0)} %${taken < 0 ? '' : `: they call nearly everything “${classes[taken]}”`}.`;
    if (!(to < 0.9 * from)) return `${said} Their training loss has hardly fallen: with so few steps they have learned nothing yet.`;
    const learned = `Their training loss fell from ${from.toFixed(1)} to ${to.toFixed(1)}, so they have learned something about their own views`;
    return whole
      ? `${said} ${learned}, but nothing that holds for other images.`
      : `${said} ${learned}: tiles of ${Math.floor(size / grid)} pixels, enlarged to ${size}. It does not help with whole, sharp images.`;
  }
}

/** A difference in widths of its interval. */
const clear = ({ difference, adjustedInterval: interval }: Comparison) => (interval ? Math.abs(difference) / (interval[1] - interval[0] || 1) : 0);

/** The number of seeds or images that would tell two apart. */
export function more({ verdict, seedsNeeded, noise }: Comparison): string {
  if (verdict === 'untested') return 'one seed cannot tell chance from a real difference; three or more can.';
  if (verdict === 'indistinguishable') return 'they differ by less than 5 points: these sets teach about the same.';
  if (seedsNeeded) return `another seed changes each accuracy by about as much as the two differ. If the difference stays, ${seedsNeeded} seeds would show it.`;
  if (!noise) return 'more seeds would tell more.';
  return noise.images > noise.seeds
    ? 'there are too few unseen images to tell them apart, and more seeds would hardly help.'
    : 'another seed changes each accuracy by more than the two differ, and twenty seeds would hardly tell them apart.';
}
