//! Antialiased resizing, the arithmetic of Pillow and torchvision at SIMD speed.

use fast_image_resize as fir;
use serde::{Deserialize, Serialize};

use super::Image;
use crate::words::words;

/// Way in which an image is brought to another aspect ratio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// The whole image, its aspect ratio given up.
    #[default]
    Squash,
    /// The largest centred part of the wanted ratio (Pillow's `ImageOps.fit`).
    Crop,
    /// The whole image, centred on black (Pillow's `ImageOps.pad`).
    Pad,
}

/// The kernel of a resize; widened when shrinking, so that nothing aliases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// Triangle; torchvision's default.
    #[default]
    Bilinear,
    /// Keys' cubic with a = -1/2, as in Pillow.
    Bicubic,
    /// Sinc windowed by a wider sinc, 3 lobes.
    Lanczos3,
}

words!(Fit, "fit", Squash = "squash", Crop = "crop", Pad = "pad");
words!(Filter, "filter", Bilinear = "bilinear", Bicubic = "bicubic", Lanczos3 = "lanczos3");

/// Resizes images, and keeps its working memory from one to the next. One for each thread.
///
/// Equal to Pillow within one level of 255, with one exception: beside edges of nearly full contrast
/// the negative lobes of [`Filter::Bicubic`] and [`Filter::Lanczos3`] overshoot between the two passes,
/// are clipped there, and Pillow takes the passes in the other order.
#[derive(Debug, Default)]
pub struct Resizer {
    inner: fir::Resizer,
    padded: Vec<u8>,
}

/// A part of the source image, in pixels; its edges may lie within a pixel.
#[derive(Clone, Copy)]
struct Window {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Resizer {
    /// A resizer without working memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The image at `width` × `height`; a plain copy where it has that size already.
    ///
    /// # Panics
    /// When a side is 0.
    pub fn resize(&mut self, source: &Image, width: u32, height: u32, fit: Fit, filter: Filter) -> Image {
        let mut pixels = vec![0; width as usize * height as usize * 3];
        self.resize_into(source.pixels(), size(source), (width, height), fit, filter, &mut pixels);
        image_of(width, height, pixels)
    }

    /// [`resize`](Self::resize) from pixels of `from` = (width, height) into those of `to`, which are
    /// overwritten.
    ///
    /// # Panics
    /// When a slice does not hold width × height × 3 bytes, or a side is 0.
    pub fn resize_into(
        &mut self,
        source: &[u8],
        from: (u32, u32),
        to: (u32, u32),
        fit: Fit,
        filter: Filter,
        out: &mut [u8],
    ) {
        let whole = Window { left: 0.0, top: 0.0, width: f64::from(from.0), height: f64::from(from.1) };
        match fit {
            Fit::Squash => self.convolve(source, from, whole, to, filter, out),
            Fit::Crop => self.convolve(source, from, centred(from, to), to, filter, out),
            Fit::Pad => {
                let inner = contained(from, to);
                if inner == to {
                    return self.convolve(source, from, whole, to, filter, out);
                }
                let mut padded = std::mem::take(&mut self.padded);
                padded.resize(inner.0 as usize * inner.1 as usize * 3, 0);
                self.convolve(source, from, whole, inner, filter, &mut padded);
                let left = half(to.0 - inner.0) as usize;
                let top = half(to.1 - inner.1) as usize;
                out.fill(0);
                let rows = out.chunks_exact_mut(to.0 as usize * 3).skip(top);
                for (row, part) in rows.zip(padded.chunks_exact(inner.0 as usize * 3)) {
                    row[left * 3..][..part.len()].copy_from_slice(part);
                }
                self.padded = padded;
            }
        }
    }

    /// The centre `side` × `side` of the image whose short side was brought to `short`: torchvision's
    /// `Resize(short)` and `CenterCrop(side)`, to the pixel. What the crop would drop is never computed.
    ///
    /// # Panics
    /// When `side` is 0 or larger than `short`.
    pub fn resize_short_then_centre_crop(
        &mut self,
        source: &Image,
        short: u32,
        side: u32,
        filter: Filter,
    ) -> Image {
        let mut pixels = vec![0; side as usize * side as usize * 3];
        self.resize_short_then_centre_crop_into(source, short, side, filter, &mut pixels);
        image_of(side, side, pixels)
    }

    /// [`resize_short_then_centre_crop`](Self::resize_short_then_centre_crop) into `side` × `side` × 3
    /// bytes, which are overwritten.
    ///
    /// # Panics
    /// When `side` is 0 or larger than `short`, or `out` has another size.
    pub fn resize_short_then_centre_crop_into(
        &mut self,
        source: &Image,
        short: u32,
        side: u32,
        filter: Filter,
        out: &mut [u8],
    ) {
        assert!(side <= short, "a crop of {side} pixels lies within a short side of {short}");
        let from = size(source);
        let resized = match from {
            (w, h) if w <= h => (short, long_side(short, h, w)),
            (w, h) => (long_side(short, w, h), short),
        };
        // One output pixel in source pixels. The window of a resize may begin anywhere, so cropping
        // first samples exactly where cropping afterwards would have.
        let (x, y) = (f64::from(from.0) / f64::from(resized.0), f64::from(from.1) / f64::from(resized.1));
        let window = Window {
            left: f64::from(half(resized.0 - side)) * x,
            top: f64::from(half(resized.1 - side)) * y,
            width: f64::from(side) * x,
            height: f64::from(side) * y,
        };
        self.convolve(source.pixels(), from, window, (side, side), filter, out);
    }

    fn convolve(
        &mut self,
        source: &[u8],
        from: (u32, u32),
        window: Window,
        to: (u32, u32),
        filter: Filter,
        out: &mut [u8],
    ) {
        assert!(to.0 > 0 && to.1 > 0, "an image has at least one pixel");
        // An edge may be off by the rounding of the divisions above; it must not leave the image.
        let (left, width) = inside(window.left, window.width, from.0);
        let (top, height) = inside(window.top, window.height, from.1);
        let (left, top) = (off_centre(left, width, to.0), off_centre(top, height, to.1));
        let kernel = match filter {
            Filter::Bilinear => fir::FilterType::Bilinear,
            Filter::Bicubic => fir::FilterType::CatmullRom,
            Filter::Lanczos3 => fir::FilterType::Lanczos3,
        };
        let options = fir::ResizeOptions::new()
            .resize_alg(fir::ResizeAlg::Convolution(kernel))
            .crop(left, top, width, height);
        // Of one type: the other kinds of pixels would be a third of the edge package.
        let source = fir::images::TypedImageRef::<fir::pixels::U8x3>::from_buffer(from.0, from.1, source)
            .expect("the source holds width × height × 3 bytes");
        let mut target = fir::images::TypedImage::<fir::pixels::U8x3>::from_buffer(to.0, to.1, out)
            .expect("the target holds width × height × 3 bytes");
        self.inner
            .resize_typed(&source, &mut target, &options)
            .expect("both images are U8x3 and the window lies inside the source");
    }
}

fn size(image: &Image) -> (u32, u32) {
    (image.width(), image.height())
}

fn image_of(width: u32, height: u32, pixels: Vec<u8>) -> Image {
    Image::new(width, height, pixels).expect("the pixels were made for this size")
}

/// The largest centred window of `from` with the aspect ratio of `to`.
fn centred(from: (u32, u32), to: (u32, u32)) -> Window {
    let (width, height) = (f64::from(from.0), f64::from(from.1));
    let ratio = f64::from(to.0) / f64::from(to.1);
    let (w, h) = if width >= ratio * height { (ratio * height, height) } else { (width, width / ratio) };
    Window { left: (width - w) / 2.0, top: (height - h) / 2.0, width: w, height: h }
}

/// The largest size with the aspect ratio of `from` that fits in `to`.
fn contained(from: (u32, u32), to: (u32, u32)) -> (u32, u32) {
    let scaled = |a: u32, b: u32, side: u32, most: u32| {
        let exact = f64::from(a) / f64::from(b) * f64::from(side);
        (exact.round_ties_even() as u32).clamp(1, most)
    };
    let (wide, tall) = (u64::from(from.0) * u64::from(to.1), u64::from(from.1) * u64::from(to.0));
    if wide > tall {
        (to.0, scaled(from.1, from.0, to.0, to.1))
    } else {
        (scaled(from.0, from.1, to.1, to.0), to.1)
    }
}

/// torchvision's long side: `int(short * long / short_side)`.
fn long_side(short: u32, long: u32, short_side: u32) -> u32 {
    (u64::from(short) * u64::from(long) / u64::from(short_side)) as u32
}

/// Python's `round(n / 2)`, which takes a half to the even neighbour.
fn half(n: u32) -> u32 {
    (f64::from(n) / 2.0).round_ties_even() as u32
}

/// An interval that does not leave `0..end`.
fn inside(start: f64, length: f64, end: u32) -> (f64, f64) {
    let end = f64::from(end);
    let start = start.clamp(0.0, end);
    let mut length = length.min(end - start);
    // `end - start` is rounded, so that the sum may still lie one step beyond.
    while start + length > end {
        length = length.next_down();
    }
    (start, length)
}

/// The start of a window, moved by less than a millionth of a pixel where its first or last sample would
/// fall exactly on a pixel's centre.
///
/// There fast_image_resize 6.1 drops taps of weight 0 and then takes the range of source pixels from the
/// first and the last sample alone, although the samples between them reach further when an image is
/// enlarged: it reads outside its buffer. Only windows that begin within the image are concerned.
fn off_centre(start: f64, length: f64, to: u32) -> f64 {
    const NUDGE: f64 = 1.0 / (1u64 << 21) as f64;
    let step = length / f64::from(to);
    if start < NUDGE || step >= 1.0 {
        return start;
    }
    let on_centre = |start: f64| {
        let first = start + 0.5 * step - 0.5;
        let last = start + length - 0.5 * step - 0.5;
        [first, last].iter().any(|place| (place - place.round()).abs() < NUDGE / 8.0)
    };
    [0.0, NUDGE, NUDGE / 2.0].iter().map(|nudge| start - nudge).find(|&s| !on_centre(s)).unwrap_or(start)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The picture the golden numbers were made from (`tests/golden/resize_golden.py` draws the same).
    fn picture(width: u32, height: u32) -> Image {
        let pixels = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .flat_map(|(x, y)| {
                [x * x * 3 + y * 7, x * 11 + y * y * 5, if (x / 3 + y / 2) % 2 == 0 { 120 } else { 2 }]
            })
            .map(|v| 64 + v % 128)
            .map(|v| v as u8)
            .collect();
        Image::new(width, height, pixels).unwrap()
    }

    #[test]
    fn an_enlarged_window_whose_first_sample_is_a_pixels_centre_is_read_from_within_the_image() {
        let source = picture(8, 8);
        let window = |left: f64| Window { left, top: left, width: 4.0, height: 4.0 };
        let sample = |left: f64, filter| {
            let mut out = vec![0; 8 * 8 * 3];
            Resizer::new().convolve(source.pixels(), (8, 8), window(left), (8, 8), filter, &mut out);
            out
        };
        for filter in [Filter::Bilinear, Filter::Bicubic, Filter::Lanczos3] {
            // 1.25 + 0.25 is the centre of pixel 1, and 2.75 + 3.75 that of pixel 6.
            for left in [1.25, 2.75] {
                let (exact, beside) = (sample(left, filter), sample(left + 1e-4, filter));
                let worst = exact.iter().zip(&beside).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                assert!(worst <= 1, "{filter} at {left} is off by {worst}");
            }
        }
    }

    /// Pillow and fast_image_resize both work in fixed point and round between their two passes, the
    /// one rows first, the other columns first. Where a negative lobe overshoots 0 or 255 between them
    /// they clip different values, so the picture keeps away from both ends.
    const TOLERANCE: u8 = 1;

    #[track_caller]
    fn assert_close(image: &Image, golden: &[u8], what: &str) {
        assert_eq!(image.pixels().len(), golden.len(), "{what}");
        let worst = image.pixels().iter().zip(golden).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= TOLERANCE, "{what} is off by {worst}");
    }

    #[test]
    fn resizing_equals_pillow_within_one_level() {
        let mut golden: &[u8] = include_bytes!("../../tests/data/resize/golden.bin");
        let mut resizer = Resizer::new();
        // In the order of the script that wrote the file.
        for filter in [Filter::Bilinear, Filter::Bicubic, Filter::Lanczos3] {
            for (from, to) in
                [((61, 43), (16, 16)), ((43, 61), (24, 10)), ((9, 7), (20, 31)), ((40, 12), (13, 12))]
            {
                for fit in [Fit::Squash, Fit::Crop, Fit::Pad] {
                    let image = resizer.resize(&picture(from.0, from.1), to.0, to.1, fit, filter);
                    let expected = golden.split_off(..image.pixels().len()).unwrap();
                    assert_close(&image, expected, &format!("{filter} {fit} {from:?} to {to:?}"));
                }
            }
            for (from, short, side) in [
                ((61, 43), 16, 14),
                ((43, 61), 20, 15),
                ((50, 33), 33, 28),
                ((33, 50), 40, 40),
                ((31, 31), 17, 12),
            ] {
                let image =
                    resizer.resize_short_then_centre_crop(&picture(from.0, from.1), short, side, filter);
                let expected = golden.split_off(..image.pixels().len()).unwrap();
                assert_close(&image, expected, &format!("{filter} {from:?} short {short} crop {side}"));
            }
        }
        assert!(golden.is_empty());
    }

    #[test]
    fn an_image_that_has_its_size_is_copied() {
        let image = picture(31, 17);
        let mut resizer = Resizer::new();
        for fit in [Fit::Squash, Fit::Crop, Fit::Pad] {
            for filter in [Filter::Bilinear, Filter::Bicubic, Filter::Lanczos3] {
                assert_eq!(resizer.resize(&image, 31, 17, fit, filter), image);
            }
        }
    }

    #[test]
    fn words_are_read_back_and_written_as_in_json() {
        for fit in [Fit::Squash, Fit::Crop, Fit::Pad] {
            assert_eq!(fit.to_string().parse(), Ok(fit));
            assert_eq!(serde_json::to_string(&fit).unwrap(), format!("\"{fit}\""));
        }
        for filter in [Filter::Bilinear, Filter::Bicubic, Filter::Lanczos3] {
            assert_eq!(filter.to_string().parse(), Ok(filter));
            assert_eq!(serde_json::to_string(&filter).unwrap(), format!("\"{filter}\""));
        }
        assert_eq!(
            "stretch".parse::<Fit>().unwrap_err(),
            "'stretch' is not a fit; use one of: squash, crop, pad"
        );
    }

    #[test]
    fn padding_is_black_and_lies_evenly_around_the_image() {
        let image = Resizer::new().resize(&Image::filled(20, 10, [9; 3]), 8, 8, Fit::Pad, Filter::Bilinear);
        let row = |y: usize| &image.pixels()[y * 24..][..24];
        assert!([0, 1, 6, 7].iter().all(|&y| row(y) == [0; 24]));
        assert!((2..6).all(|y| row(y) == [9; 24]));
    }

    proptest! {
        #[test]
        fn one_colour_stays_that_colour_at_any_size(
            (w, h) in (1u32..90, 1u32..90),
            (to_w, to_h) in (1u32..50, 1u32..50),
            colour: [u8; 3],
            filter in 0..3usize,
            crop: bool,
        ) {
            let filter = [Filter::Bilinear, Filter::Bicubic, Filter::Lanczos3][filter];
            let fit = if crop { Fit::Crop } else { Fit::Squash };
            let image = Resizer::new().resize(&Image::filled(w, h, colour), to_w, to_h, fit, filter);
            prop_assert_eq!(image, Image::filled(to_w, to_h, colour));
        }

        #[test]
        fn any_centre_crop_lies_inside_the_image(
            (w, h) in (1u32..400, 1u32..400),
            side in 1u32..70,
            more in 0u32..20,
        ) {
            let image = Image::filled(w, h, [1, 2, 3]);
            let cropped =
                Resizer::new().resize_short_then_centre_crop(&image, side + more, side, Filter::Bilinear);
            prop_assert_eq!(cropped, Image::filled(side, side, [1, 2, 3]));
        }

        #[test]
        fn a_used_resizer_gives_what_a_new_one_gives(sizes in proptest::collection::vec((1u32..40, 1u32..40), 1..6)) {
            let mut used = Resizer::new();
            for (w, h) in sizes {
                let image = picture(w, h);
                for fit in [Fit::Squash, Fit::Crop, Fit::Pad] {
                    prop_assert_eq!(
                        used.resize(&image, 11, 13, fit, Filter::Lanczos3),
                        Resizer::new().resize(&image, 11, 13, fit, Filter::Lanczos3)
                    );
                }
            }
        }
    }
}
