// What a chart needs before it is drawn: series on common steps, counts in bins, and the palette of the page.

export interface Point {
  x: number;
  y: number;
}

export type Column = (number | null)[];

/** Series that were read at different places, as one column of places and a column of values each. */
export function align(series: Point[][]): [number[], ...Column[]] {
  const xs = [...new Set(series.flatMap((points) => points.map(({ x }) => x)))].sort((a, b) => a - b);
  const place = new Map(xs.map((x, at) => [x, at]));
  const columns = series.map((points) => {
    const column: Column = new Array<number | null>(xs.length).fill(null);
    for (const { x, y } of points) column[place.get(x) as number] = y;
    return column;
  });
  return [xs, ...columns];
}

/** The value at a place, or the last one before it. */
export function upTo(column: Column, at: number): number | null {
  for (let place = Math.min(at, column.length - 1); place >= 0; place -= 1) {
    const value = column[place];
    if (value !== null && value !== undefined) return value;
  }
  return null;
}

/** How many values lie in each of `bins` equal parts of 0 to `max`; what lies beyond counts in the last one. */
export function counts(values: Iterable<number>, max: number, bins: number): number[] {
  const found = new Array<number>(bins).fill(0);
  for (const value of values) {
    const bin = Math.max(0, Math.min(bins - 1, Math.floor((value / max) * bins)));
    found[bin] = (found[bin] ?? 0) + 1;
  }
  return found;
}

/** Ticks with as many decimals as the step between them needs. */
export function ticks(values: number[], step: number): string[] {
  let decimals = 0;
  while (decimals < 6 && Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6) decimals += 1;
  return values.map((value) => value.toFixed(decimals));
}

/** A colour of page.css as it stands now, by its name. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
