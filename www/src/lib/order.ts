/** For each class its images, the easiest first. */
export function orders(labels: Uint32Array, scores: Float64Array, classes: number): number[][] {
  const found: number[][] = Array.from({ length: classes }, () => []);
  for (const [image, label] of labels.entries()) found[label]?.push(image);
  for (const images of found) images.sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0) || a - b);
  return found;
}

/** How many of each class the easiest `count` of all images would be, with no regard to balance. */
export function unbalanced(labels: Uint32Array, scores: Float64Array, classes: number, count: number): number[] {
  const found = new Array<number>(classes).fill(0);
  const order = [...labels.keys()].sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0) || a - b);
  for (const image of order.slice(0, count)) {
    const label = labels[image] ?? 0;
    found[label] = (found[label] ?? 0) + 1;
  }
  return found;
}
