//! Files that the tests decode.

use super::{DecodeError, Image, Limits, decode};

/// A file and the pixels an independent decoder gives for it (`tests/golden/decode_fixtures.py`).
pub(super) struct Fixture {
    pub(super) name: &'static str,
    pub(super) file: &'static [u8],
    pub(super) expected: &'static [u8],
    /// Largest allowed difference of a channel. JPEG and lossy WebP leave the inverse transform
    /// and the chroma interpolation to the decoder; everything else is exact.
    pub(super) tolerance: u8,
}

macro_rules! fixture {
    ($name:literal, $tolerance:literal) => {
        Fixture {
            name: $name,
            file: include_bytes!(concat!("../../../tests/data/decode/", $name)),
            expected: include_bytes!(concat!("../../../tests/data/decode/", $name, ".rgb")),
            tolerance: $tolerance,
        }
    };
}

/// All of them.
pub(super) const FIXTURES: &[Fixture] = &[
    fixture!("baseline.jpg", 3),
    fixture!("subsampled.jpg", 4),
    fixture!("progressive.jpg", 3),
    fixture!("gray.jpg", 3),
    fixture!("cmyk.jpg", 4),
    fixture!("ycck.jpg", 4),
    fixture!("rgb.png", 0),
    fixture!("palette.png", 0),
    fixture!("palette_transparent.png", 0),
    fixture!("one_bit.png", 0),
    fixture!("gray_alpha.png", 0),
    fixture!("rgba.png", 0),
    fixture!("gray16.png", 0),
    fixture!("rgb16.png", 0),
    fixture!("interlaced.png", 0),
    fixture!("lossless.webp", 0),
    fixture!("alpha.webp", 0),
    fixture!("lossy.webp", 6),
    fixture!("rgb.bmp", 0),
    fixture!("palette.bmp", 0),
    fixture!("animated.gif", 0),
    fixture!("transparent.gif", 0),
    fixture!("orientation1.png", 0),
    fixture!("orientation2.png", 0),
    fixture!("orientation3.png", 0),
    fixture!("orientation4.png", 0),
    fixture!("orientation5.png", 0),
    fixture!("orientation6.png", 0),
    fixture!("orientation7.png", 0),
    fixture!("orientation8.png", 0),
    fixture!("orientation6.jpg", 3),
    fixture!("orientation8.webp", 0),
    fixture!("png_called.jpg", 0),
];

/// Decodes within the default limits.
pub(super) fn decoded(bytes: &[u8]) -> Result<Image, DecodeError> {
    decode(bytes, &Limits::default())
}
