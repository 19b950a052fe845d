//! What can be wrong with a user's data.

/// A problem with the data a user gave.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Pixels that do not have the shape they should have.
    #[error("{bytes} bytes are not an RGB image of {width}x{height} pixels")]
    Shape {
        /// Expected width in pixels.
        width: u32,
        /// Expected height in pixels.
        height: u32,
        /// Number of bytes given.
        bytes: usize,
    },
}
