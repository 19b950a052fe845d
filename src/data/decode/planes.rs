//! Channels of a JPEG that were decoded each by itself, put together.

use super::jpeg::Colour;

/// Samples of one channel.
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) samples: Vec<u8>,
    /// Pixels that a sample stands for, across and down.
    pub(super) times: (usize, usize),
}

/// RGB pixels of a picture.
pub(super) fn join(planes: &[Plane], width: usize, height: usize, colour: Colour) -> Vec<u8> {
    let planes: Vec<_> = planes.iter().map(|plane| plane.spread(width, height)).collect();
    (0..width * height).flat_map(|i| rgb(colour, |channel| planes[channel][i])).collect()
}

impl Plane {
    /// A sample for every pixel: where twice as many are needed a mean of 3 parts of the nearer and 1 of the farther, as libjpeg
    /// does it, and otherwise the sample itself.
    fn spread(&self, width: usize, height: usize) -> Vec<u8> {
        let (across, down) = self.times;
        let rows = self.samples.len() / self.width;
        let smooth = matches!(self.times, (1, 2)) || (matches!(self.times, (2, 1 | 2)) && self.width > 2);
        // The sample of a pixel, and the next one on the side on which the pixel lies.
        let near = |pixel: usize, times: usize, count: usize| {
            let own = pixel / times;
            let next = if !smooth || times == 1 {
                own
            } else if pixel.is_multiple_of(2) {
                own.saturating_sub(1)
            } else {
                (own + 1).min(count - 1)
            };
            (own, next)
        };
        let mut out = Vec::with_capacity(width * height);
        for y in 0..height {
            let (row, beside) = near(y, down, rows);
            let value = |x: usize| {
                3 * u32::from(self.samples[row * self.width + x])
                    + u32::from(self.samples[beside * self.width + x])
            };
            out.extend((0..width).map(|x| {
                let (own, next) = near(x, across, self.width);
                ((3 * value(own) + value(next) + 8) >> 4) as u8
            }));
        }
        out
    }
}

fn rgb(colour: Colour, channel: impl Fn(usize) -> u8) -> [u8; 3] {
    let under =
        |[r, g, b]: [u8; 3]| [r, g, b].map(|v| ((u32::from(v) * u32::from(channel(3)) + 127) / 255) as u8);
    let three = || [channel(0), channel(1), channel(2)];
    match colour {
        Colour::Gray => [channel(0); 3],
        Colour::Rgb => three(),
        Colour::YCbCr => from_differences(three()),
        Colour::Cmyk => under(three()),
        Colour::Ycck => under(from_differences(three()).map(|v| 255 - v)),
    }
}

fn from_differences([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    // Factors of JFIF in 65536ths.
    let (y, cb, cr) = (i32::from(y) << 16, i32::from(cb) - 128, i32::from(cr) - 128);
    [y + 91_881 * cr, y - 22_554 * cb - 46_802 * cr, y + 116_130 * cb]
        .map(|v| ((v + 32_768) >> 16).clamp(0, 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_even_stays_even_and_a_step_is_smoothed() {
        let plane = |samples: &[u8], times| Plane { width: 3, samples: samples.to_vec(), times };
        assert_eq!(plane(&[7; 6], (2, 2)).spread(5, 4), [7; 20]);
        assert_eq!(plane(&[0, 100, 100], (2, 1)).spread(6, 1), [0, 25, 75, 100, 100, 100]);
        assert_eq!(plane(&[0, 100, 200], (3, 1)).spread(8, 1), [0, 0, 0, 100, 100, 100, 200, 200]);
        assert_eq!(plane(&[0, 0, 0, 100, 100, 100], (1, 2)).spread(1, 4), [0, 25, 75, 100]);
    }

    #[test]
    fn pure_colours_come_from_their_differences() {
        assert_eq!(from_differences([76, 85, 255]), [254, 0, 0]);
        assert_eq!(from_differences([255, 128, 128]), [255; 3]);
        assert_eq!(from_differences([29, 255, 107]), [0, 0, 254]);
    }
}
