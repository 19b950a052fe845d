//! Checks that a file holds the whole of its image, for formats whose decoders do not notice.

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
