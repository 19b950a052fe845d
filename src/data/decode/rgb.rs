//! From the channels of a file to RGB of 8 bits a channel.

use image::DynamicImage;

/// The pixels as RGB, transparency over white; `None` for floats, which none of the formats has. RGB of 8 bits, the
/// common case, is handed on uncopied. By hand, as `image`'s own conversions bring colour management with them: no
/// number would be another, but the edge package half as large again.
pub(super) fn into_rgb(image: DynamicImage) -> Option<Vec<u8>> {
    Some(match image {
        DynamicImage::ImageRgb8(rgb) => rgb.into_raw(),
        DynamicImage::ImageLuma8(gray) => gray.as_raw().iter().flat_map(|&v| [v, v, v]).collect(),
        DynamicImage::ImageLumaA8(gray) => {
            let (pixels, _) = gray.as_raw().as_chunks::<2>();
            pixels.iter().flat_map(|&[v, a]| [over_white(v, a); 3]).collect()
        }
        DynamicImage::ImageRgba8(rgba) => {
            let (pixels, _) = rgba.as_raw().as_chunks::<4>();
            pixels.iter().flat_map(|&[r, g, b, a]| [r, g, b].map(|v| over_white(v, a))).collect()
        }
        DynamicImage::ImageLuma16(gray) => gray.as_raw().iter().flat_map(|&v| [to_8_bit(v); 3]).collect(),
        DynamicImage::ImageLumaA16(gray) => {
            let (pixels, _) = gray.as_raw().as_chunks::<2>();
            pixels.iter().flat_map(|&[v, a]| [over_white(to_8_bit(v), to_8_bit(a)); 3]).collect()
        }
        DynamicImage::ImageRgb16(rgb) => rgb.as_raw().iter().map(|&v| to_8_bit(v)).collect(),
        DynamicImage::ImageRgba16(rgba) => {
            let (pixels, _) = rgba.as_raw().as_chunks::<4>();
            let over = |[r, g, b, a]: [u16; 4]| [r, g, b].map(|v| over_white(to_8_bit(v), to_8_bit(a)));
            pixels.iter().flat_map(|&pixel| over(pixel)).collect()
        }
        _ => return None,
    })
}

/// The nearest of 256 levels.
fn to_8_bit(value: u16) -> u8 {
    ((u32::from(value) + 128) / 257) as u8
}

/// A channel of opacity `alpha` seen on white, rounded to the nearest level.
fn over_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_become_the_nearest_level() {
        for value in 0..=u16::MAX {
            assert_eq!(f64::from(to_8_bit(value)), (f64::from(value) / 257.0).round(), "{value}");
        }
    }

    #[test]
    fn white_shows_through_as_rounded_exact_division_says() {
        for value in 0..=255u8 {
            for alpha in 0..=255u8 {
                let exact =
                    (f64::from(value) * f64::from(alpha) + 255.0 * (255.0 - f64::from(alpha))) / 255.0;
                assert_eq!(f64::from(over_white(value, alpha)), exact.round());
            }
        }
    }
}
