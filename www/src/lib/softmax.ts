// The rows that lead from a softmax to its EL2N. The engine's record has every class where that is not too large, and
// otherwise the label and the strongest other one, from which the rest follows.

export interface Answer {
  /** Probability of the label, and the largest of another class. */
  p: number;
  q: number;
  /** ‖softmax − onehot‖₂. */
  norm: number;
  /** Of every class; null where only the three above were kept. */
  softmax: Float32Array | null;
}

export interface Row {
  name: string;
  p: number;
  oneHot: 0 | 1;
  /** Null for several classes in one row. */
  difference: number | null;
  square: number;
}

/** Up to so many classes have a row each. */
export const ROWS = 12;
/** With more classes, so many of the strongest others have. */
const STRONGEST = 10;
export const LABEL = ' (the label)';
export const REST = 'all the rest together';

export function rowsOf({ p, q, norm, softmax }: Answer, label: number, classes: string[]): Row[] {
  const name = `${classes[label] ?? ''}${LABEL}`;
  if (softmax === null) {
    return [
      row(name, p, 1),
      row('the strongest other', q, 0),
      { name: REST, p: Math.max(0, 1 - p - q), oneHot: 0, difference: null, square: Math.max(0, norm ** 2 - (1 - p) ** 2 - q ** 2) },
    ];
  }
  const all = Array.from(softmax, (value, at) => ({ value, at }));
  if (all.length <= ROWS) {
    return all.map(({ value, at }) => row(at === label ? name : (classes[at] ?? ''), value, at === label ? 1 : 0));
  }
  const others = all.filter(({ at }) => at !== label).sort((a, b) => b.value - a.value || a.at - b.at);
  const rest = others.slice(STRONGEST);
  return [
    row(name, softmax[label] ?? 0, 1),
    ...others.slice(0, STRONGEST).map(({ value, at }) => row(classes[at] ?? '', value, 0)),
    {
      name: `${REST} (${rest.length})`,
      p: rest.reduce((sum, { value }) => sum + value, 0),
      oneHot: 0,
      difference: null,
      square: rest.reduce((sum, { value }) => sum + value ** 2, 0),
    },
  ];
}

function row(name: string, p: number, oneHot: 0 | 1): Row {
  return { name, p, oneHot, difference: p - oneHot, square: (p - oneHot) ** 2 };
}

/** Decimals with which the squares, as they are written, give the norm to a thousandth. */
export function decimals(rows: Row[]): number {
  const norm = Math.sqrt(rows.reduce((sum, { square }) => sum + square, 0));
  const needed = Math.ceil(Math.log10((rows.length * 500) / Math.max(norm, 1e-4)));
  return Math.max(3, Math.min(7, needed));
}
