// Blocks of pixels, as the page shows them.

export function rgba(rgb: Uint8Array): Uint8ClampedArray<ArrayBuffer> {
  const out = new Uint8ClampedArray((rgb.length / 3) * 4);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    out.set(rgb.subarray(from, from + 3), to);
    out[to + 3] = 255;
  }
  return out;
}

/** Images at a smaller side, every pixel the mean of those it covers. */
export function shrink(pixels: Uint8Array, images: number, from: number, to: number): Uint8Array<ArrayBuffer> {
  if (from === to) return new Uint8Array(pixels);
  const out = new Uint8Array(images * to * to * 3);
  for (let image = 0; image < images; image += 1) {
    for (let y = 0; y < to; y += 1) {
      for (let x = 0; x < to; x += 1) {
        const [top, bottom] = [Math.floor((y * from) / to), Math.ceil(((y + 1) * from) / to)];
        const [left, right] = [Math.floor((x * from) / to), Math.ceil(((x + 1) * from) / to)];
        for (let channel = 0; channel < 3; channel += 1) {
          let sum = 0;
          for (let v = top; v < bottom; v += 1) {
            for (let u = left; u < right; u += 1) sum += pixels[((image * from + v) * from + u) * 3 + channel] ?? 0;
          }
          out[((image * to + y) * to + x) * 3 + channel] = sum / ((bottom - top) * (right - left));
        }
      }
    }
  }
  return out;
}
