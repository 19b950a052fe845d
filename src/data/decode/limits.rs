//! The largest image that is read.

/// Largest size of an image that is not refused; checked on the header, before memory is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels in a row.
    pub max_width: u32,
    /// Most rows.
    pub max_height: u32,
    /// Most bytes of decoded pixels, as RGB or in the file's own channels and depth, whichever is more.
    pub max_bytes: u64,
}

impl Default for Limits {
    /// 32768 pixels a side, and 256 MiB in all: as RGB 89 megapixels, where Pillow too begins to
    /// suspect a decompression bomb.
    fn default() -> Self {
        Self { max_width: 32_768, max_height: 32_768, max_bytes: 256 << 20 }
    }
}
