//! Antialiased bilinear weights, and the two passes of a separable resize of float rows.
//!
//! The rule is that of PyTorch's `interpolate(mode="bilinear", antialias=True, align_corners=False)`: a
//! triangle filter whose support grows with the scale when shrinking, its weights summing to 1.

/// Red, green, blue and a fourth number to fill a vector of four.
pub(super) type Pixel = [f32; 4];

/// For each output pixel, the first input pixel it reads and the weights of the `taps` pixels from there.
#[derive(Debug, Default)]
pub(super) struct Weights {
    taps: usize,
    starts: Vec<u32>,
    weights: Vec<f32>,
}

impl Weights {
    /// The weights that resize a line of `input` pixels to `output`; `reversed` mirrors the output.
    /// Re-uses the memory of earlier calls.
    pub(super) fn set(&mut self, input: u32, output: u32, reversed: bool) {
        // Single precision throughout, as PyTorch: exacter weights would agree with it less.
        let scale = input as f32 / output as f32;
        // The triangle is one input pixel wide on each side, or one output pixel when shrinking.
        let support = scale.max(1.0);
        let inverse = 1.0 / support;
        let range = |place: u32| {
            let centre = scale * (place as f32 + 0.5);
            let low = (centre - support + 0.5).max(0.0) as u32;
            let high = ((centre + support + 0.5) as u32).min(input);
            (centre, low, high)
        };
        // A line has at most 2 * support pixels, rounded up; each is given as many, some of weight 0.
        self.taps = ((2.0 * support).ceil() as u32).min(input) as usize;
        self.starts.clear();
        self.weights.clear();
        for place in 0..output {
            let (centre, low, high) = range(if reversed { output - 1 - place } else { place });
            let weight = |pixel: u32| (1.0 - ((pixel as f32 - centre + 0.5) * inverse).abs()).max(0.0);
            let total: f32 = (low..high).map(weight).sum();
            let start = low.min(input - self.taps as u32);
            self.starts.push(start);
            self.weights.extend((start..start + self.taps as u32).map(|pixel| {
                let inside = (low..high).contains(&pixel);
                if inside { weight(pixel) / total } else { 0.0 }
            }));
        }
    }

    /// Number of input pixels that each output pixel reads.
    pub(super) fn taps(&self) -> usize {
        self.taps
    }

    /// The first input pixel and the weights of one output pixel.
    pub(super) fn at(&self, place: usize) -> (usize, &[f32]) {
        (self.starts[place] as usize, &self.weights[place * self.taps..(place + 1) * self.taps])
    }

    /// Horizontal pass: one row of pixels to an interleaved RGB row, with room for one float after its end.
    #[inline(always)]
    pub(super) fn interleaved(&self, row: &[Pixel], out: &mut [f32]) {
        self.each_pixel(row, |place, rgb| out[place * 3..place * 3 + 4].copy_from_slice(&rgb));
    }

    /// Horizontal pass: one row of pixels to three planes, one after the other.
    #[inline(always)]
    pub(super) fn planar(&self, row: &[Pixel], out: &mut [f32]) {
        let width = self.starts.len();
        let (red, rest) = out.split_at_mut(width);
        let (green, rest) = rest.split_at_mut(width);
        let blue = &mut rest[..width];
        self.each_pixel(row, |place, [r, g, b, _]| {
            red[place] = r;
            green[place] = g;
            blue[place] = b;
        });
    }

    #[inline(always)]
    fn each_pixel(&self, row: &[Pixel], mut write: impl FnMut(usize, Pixel)) {
        if self.taps == 2 {
            // Every enlargement, and with it every crop of a view as large as its image.
            let weights = self.weights.as_chunks::<2>().0;
            for (place, (&start, w)) in self.starts.iter().zip(weights).enumerate() {
                let pair = &row[start as usize..start as usize + 2];
                let (a, b) = (pair[0], pair[1]);
                write(place, std::array::from_fn(|c| a[c] * w[0] + b[c] * w[1]));
            }
        } else {
            let weights = self.weights.chunks_exact(self.taps);
            for (place, (&start, weights)) in self.starts.iter().zip(weights).enumerate() {
                let mut sum = [0.0; 4];
                for (pixel, &w) in row[start as usize..].iter().zip(weights) {
                    sum = std::array::from_fn(|c| sum[c] + pixel[c] * w);
                }
                write(place, sum);
            }
        }
    }
}

/// Interleaved RGB, with at least one float after its end, to whole pixels; the fourth number is not used.
#[inline(always)]
pub(super) fn widen(rgb: &[f32], out: &mut [Pixel]) {
    for (place, out) in out.iter_mut().enumerate() {
        out.copy_from_slice(&rgb[place * 3..place * 3 + 4]);
    }
}

/// Vertical pass: `out` becomes the weighted sum of `rows`, all of one length.
#[inline(always)]
pub(super) fn blend<'a>(mut rows: impl Iterator<Item = (&'a [f32], f32)>, out: &mut [f32]) {
    match (rows.next(), rows.next()) {
        (Some((a, wa)), Some((b, wb))) => {
            for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
                *out = a * wa + b * wb;
            }
        }
        (Some((a, _)), None) => out.copy_from_slice(a),
        (None, _) => {}
    }
    for (row, weight) in rows {
        for (out, &value) in out.iter_mut().zip(row) {
            *out += value * weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn weights_sum_to_one_and_read_inside_the_line(input in 1u32..300, output in 1u32..300, reversed: bool) {
            let mut weights = Weights::default();
            weights.set(input, output, reversed);
            for place in 0..output as usize {
                let (start, line) = weights.at(place);
                prop_assert!(start + line.len() <= input as usize);
                prop_assert!((line.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                prop_assert!(line.iter().all(|&w| w >= 0.0));
            }
        }

        #[test]
        fn no_weight_of_the_triangle_is_lost(input in 1u32..200, output in 1u32..200) {
            // The centre of mass of interior weights is the centre of the output pixel.
            let mut weights = Weights::default();
            weights.set(input, output, false);
            let scale = f64::from(input) / f64::from(output);
            for place in 0..output as usize {
                let centre = scale * (place as f64 + 0.5);
                if centre - scale.max(1.0) < 0.0 || centre + scale.max(1.0) > f64::from(input) {
                    continue;
                }
                let (start, line) = weights.at(place);
                let mass: f64 =
                    line.iter().enumerate().map(|(k, &w)| f64::from(w) * ((start + k) as f64 + 0.5)).sum();
                // A triangle sampled at whole pixels is off by less than a tenth of a pixel.
                prop_assert!((mass - centre).abs() < 0.1, "{} {}", mass, centre);
            }
        }
    }

    #[test]
    fn a_line_of_its_own_size_is_left_as_it_is() {
        let mut weights = Weights::default();
        weights.set(9, 9, false);
        for place in 0..9 {
            let (start, line) = weights.at(place);
            let own = line.get(place - start).copied();
            assert_eq!(own, Some(1.0));
            assert_eq!(line.iter().sum::<f32>(), 1.0);
        }
    }
}
