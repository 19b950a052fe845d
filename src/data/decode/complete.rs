//! Checks that a file holds the whole of its image, for formats whose decoders do not notice.

/// `true` where an end-of-image marker follows the first scan.
///
/// The decoder is lenient and paints what is missing gray, so a file cut short is found here.
/// Entropy-coded data never holds `FF D9` (a byte `FF` is followed by a stuffed 0), and the search
/// runs from the end, where the marker nearly always is.
pub(super) fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let mut at = 2;
    // Marker segments up to the first scan are skipped: the thumbnail in an EXIF segment is a JPEG of
    // its own and ends with the same marker.
    while let Some(&[first, marker]) = bytes.get(at..at + 2) {
        match (first, marker) {
            (0xFF, 0xDA) => return bytes[at..].windows(2).rev().any(|pair| pair == [0xFF, 0xD9]),
            // Fill bytes, and markers that have no segment.
            (0xFF, 0xFF) => at += 1,
            (0xFF, 0x01 | 0xD0..=0xD8) => at += 2,
            (0xFF, _) => {
                let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([high, low]));
            }
            // Bytes between segments; decoders step over them.
            _ => at += 1,
        }
    }
    false
}

/// `true` where the file is as long as its RIFF header says. The decoder does not notice that the part behind the pixels is
/// missing, and the orientation lies there.
pub(super) fn webp_is_complete(bytes: &[u8]) -> bool {
    match bytes.get(4..8).and_then(|size| size.try_into().ok()) {
        Some(size) => bytes.len() as u64 >= u64::from(u32::from_le_bytes(size)) + 8,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::DecodeError;
    use super::super::fixtures::{FIXTURES, decoded};

    #[test]
    fn a_jpeg_without_its_end_marker_is_cut_short_even_where_a_thumbnail_has_one() {
        let file = FIXTURES[0].file;
        let thumbnail = [0xFF, 0xE1, 0x00, 0x06, 0xFF, 0xD8, 0xFF, 0xD9];
        let with_thumbnail = [&file[..2], &thumbnail, &file[2..]].concat();
        assert_eq!(decoded(&with_thumbnail), decoded(file));
        assert_eq!(
            decoded(&with_thumbnail[..with_thumbnail.len() - 2]),
            Err(DecodeError::Truncated { format: "JPEG".to_owned() })
        );
        // Cameras append to their files; that loses nothing.
        assert_eq!(decoded(&[file, &[0; 100]].concat()), decoded(file));
    }
}
