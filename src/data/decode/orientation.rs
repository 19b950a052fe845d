//! How a picture is to be turned, wherever its file keeps that: the one place where it is read.
//!
//! EXIF comes first, and XMP is asked where EXIF says nothing of it, as Pillow does. Nonsense turns nothing and
//! refuses nothing.

use std::borrow::Cow;

use image::ImageFormat;
use image::metadata::Orientation;

use super::jpeg::Jpeg;

/// Orientation of a JPEG.
pub(super) fn of_jpeg(jpeg: &Jpeg<'_>) -> Orientation {
    turn(Some(&jpeg.exif), jpeg.xmp)
}

/// Orientation of a file in another format.
pub(super) fn of_file(bytes: &[u8], format: ImageFormat) -> Orientation {
    match format {
        ImageFormat::Png => of_png(bytes),
        ImageFormat::WebP => of_webp(bytes),
        _ => Orientation::NoTransforms,
    }
}

fn turn(exif: Option<&[u8]>, xmp: Option<&[u8]>) -> Orientation {
    let told = exif.and_then(in_exif).or_else(|| xmp.and_then(in_xmp));
    told.and_then(|n| u8::try_from(n).ok())
        .and_then(Orientation::from_exif)
        .unwrap_or(Orientation::NoTransforms)
}

/// Chunks before and behind the pixels.
fn of_png(bytes: &[u8]) -> Orientation {
    let (mut exif, mut profile, mut xmp) = (None, None, None);
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some((&[a, b, c, d, ref kind @ ..], after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let Some((data, after)) = after.split_at_checked(length) else { break };
        match kind {
            b"eXIf" => exif = Some(data),
            b"iTXt" => xmp = data.strip_prefix(b"XML:com.adobe.xmp\0").and_then(international).or(xmp),
            b"tEXt" => profile = data.strip_prefix(PROFILE).and_then(from_hex).or(profile),
            b"zTXt" => {
                let packed = data.strip_prefix(PROFILE).and_then(|text| text.strip_prefix(b"\0"));
                profile = packed.and_then(unpacked).as_deref().and_then(from_hex).or(profile);
            }
            b"IEND" => break,
            _ => {}
        }
        // Four bytes of checksum.
        rest = after.get(4..).unwrap_or_default();
    }
    turn(exif.or(profile.as_deref()), xmp.as_deref())
}

/// Keyword of EXIF as ImageMagick wrote it before PNG had a chunk for it.
const PROFILE: &[u8] = b"Raw profile type exif\0";

/// The text of an iTXt chunk behind its keyword: whether it is compressed, how, language, 0, translated keyword, 0, text.
fn international(data: &[u8]) -> Option<Cow<'_, [u8]>> {
    let (&[compressed, _way], data) = data.split_first_chunk::<2>()?;
    let text = data.splitn(3, |&b| b == 0).nth(2)?;
    if compressed == 0 { Some(Cow::Borrowed(text)) } else { unpacked(text).map(Cow::Owned) }
}

/// Text that was compressed by zlib; `None` where it is damaged, or longer than what Pillow reads.
fn unpacked(packed: &[u8]) -> Option<Vec<u8>> {
    const MOST: usize = 1 << 20;
    fdeflate::decompress_to_vec_bounded(packed, MOST).ok()
}

/// Bytes of a profile as ImageMagick writes it: a line feed, its kind, its length, and hexadecimal digits in lines.
fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .splitn(4, |&b| b == b'\n')
        .nth(3)?
        .iter()
        .filter(|b| !b.is_ascii_whitespace())
        .map(|&b| (b as char).to_digit(16).map(|d| d as u8))
        .collect::<Option<_>>()?;
    Some(digits.as_chunks::<2>().0.iter().map(|&[high, low]| high << 4 | low).collect())
}

fn of_webp(bytes: &[u8]) -> Orientation {
    let (mut exif, mut xmp) = (None, None);
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some((&[ref kind @ .., a, b, c, d], after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let Some((data, after)) = after.split_at_checked(length) else { break };
        match kind {
            b"EXIF" if exif.is_none() => exif = Some(data),
            b"XMP " if xmp.is_none() => xmp = Some(data),
            _ => {}
        }
        rest = after.get(length % 2..).unwrap_or_default();
    }
    turn(exif, xmp)
}

/// What EXIF says, be it nonsense; `None` where it says nothing.
fn in_exif(mut exif: &[u8]) -> Option<u32> {
    const ORIENTATION: u32 = 0x0112;
    // Some programs put the name of JPEG's segment before the data in every format, and some twice.
    for _ in 0..2 {
        exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    }
    let little = match exif.get(..4)? {
        b"II*\0" | b"II\0*" => true,
        b"MM\0*" | b"MM*\0" => false,
        _ => return None,
    };
    let number = |at: usize, bytes: usize| {
        let part = exif.get(at..at.checked_add(bytes)?)?;
        let add = |sum: u32, &b: &u8| sum << 8 | u32::from(b);
        Some(if little { part.iter().rev().fold(0, add) } else { part.iter().fold(0, add) })
    };
    let start = number(4, 4)? as usize;
    let mut told = None;
    for entry in 0..number(start, 2)? as usize {
        let at = start.checked_add(2 + 12 * entry)?;
        // A directory that is cut short holds what came before.
        let (Some(tag), Some(kind), Some(count)) = (number(at, 2), number(at + 2, 2), number(at + 4, 4))
        else {
            break;
        };
        if tag != ORIENTATION {
            continue;
        }
        let bytes = match kind {
            // One byte, two or four, with a sign or without.
            1 | 6 => 1,
            3 | 8 => 2,
            4 | 9 => 4,
            _ => continue,
        };
        let value = number(at + 8, bytes);
        // More than one number is no orientation.
        told = if count == 1 { value } else { Some(0) };
    }
    told
}

/// What XMP says: `tiff:Orientation="6"` or `<tiff:Orientation>6<`.
fn in_xmp(xmp: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"tiff:Orientation";
    let mut rest = xmp;
    while let Some(at) = rest.windows(NAME.len()).position(|part| part == NAME) {
        rest = &rest[at + NAME.len()..];
        if let Some(&digit) = rest.strip_prefix(b"=\"").or(rest.strip_prefix(b">")).and_then(<[u8]>::first)
            && digit.is_ascii_digit()
        {
            return Some(u32::from(digit - b'0'));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EXIF with one entry before ours, in both orders of bytes.
    fn exif(little: bool, kind: u16, count: u32, value: &[u8]) -> Vec<u8> {
        let two = |n: u16| if little { n.to_le_bytes() } else { n.to_be_bytes() };
        let four = |n: u32| if little { n.to_le_bytes() } else { n.to_be_bytes() };
        let mut value = value.to_vec();
        if little {
            value.reverse();
        }
        value.resize(4, 0);
        let head: &[u8] = if little { b"II*\0" } else { b"MM\0*" };
        let other = [&two(0x0100)[..], &two(4), &four(1), &four(6)].concat();
        [head, &four(8), &two(2), &other, &two(0x0112), &two(kind), &four(count), &value].concat()
    }

    #[test]
    fn every_type_of_number_in_both_orders_is_read_with_and_without_a_prefix() {
        for little in [true, false] {
            for (kind, value) in
                [(1, &[6][..]), (3, &[0, 6]), (4, &[0, 0, 0, 6]), (8, &[0, 6]), (9, &[0, 0, 0, 6])]
            {
                let plain = exif(little, kind, 1, value);
                let prefixed = [b"Exif\0\0", &plain[..]].concat();
                let twice = [b"Exif\0\0", &prefixed[..]].concat();
                for data in [plain, prefixed, twice] {
                    assert_eq!(in_exif(&data), Some(6), "{little} {kind}");
                    assert_eq!(turn(Some(&data), None), Orientation::Rotate90);
                }
            }
        }
    }

    #[test]
    fn nonsense_turns_nothing() {
        let good = exif(true, 3, 1, &[0, 6]);
        for data in [
            exif(true, 3, 2, &[0, 6]),
            exif(true, 2, 1, &[6]),
            exif(true, 5, 1, &[0, 0, 0, 6]),
            exif(false, 3, 1, &[0, 9]),
            exif(false, 3, 1, &[0, 0]),
            exif(false, 4, 1, &[1, 0, 0, 6]),
            b"nonsense".to_vec(),
            b"II*\0\xff\xff\xff\xff".to_vec(),
            b"MM\0*\0\0\0\x08\xff\xff".to_vec(),
        ] {
            assert_eq!(turn(Some(&data), None), Orientation::NoTransforms, "{data:?}");
        }
        for end in 0..good.len() {
            let _ = in_exif(&good[..end]);
        }
    }

    #[test]
    fn xmp_is_asked_where_exif_says_nothing() {
        let none = exif(true, 2, 1, &[6]);
        for xmp in
            [&b"<a tiff:Orientation=\"8\"/>"[..], b"tiff:Orientation <tiff:Orientation>8</tiff:Orientation>"]
        {
            assert_eq!(turn(Some(&none), Some(xmp)), Orientation::Rotate270);
            assert_eq!(turn(None, Some(xmp)), Orientation::Rotate270);
            assert_eq!(turn(Some(&exif(true, 3, 1, &[0, 6])), Some(xmp)), Orientation::Rotate90);
            assert_eq!(turn(Some(&exif(true, 3, 1, &[0, 1])), Some(xmp)), Orientation::NoTransforms);
        }
        assert_eq!(turn(None, Some(b"tiff:Orientation=\"x\"")), Orientation::NoTransforms);
    }

    /// A PNG that is a header and one chunk.
    fn png(kind: &[u8], data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u32).to_be_bytes();
        [b"\x89PNG\r\n\x1a\n", &length[..], kind, data, &[0; 4]].concat()
    }

    #[test]
    fn compressed_texts_of_a_png_are_read_and_damaged_or_endless_ones_turn_nothing() {
        let hex: String = exif(false, 3, 1, &[0, 6]).iter().map(|byte| format!("{byte:02x}")).collect();
        let profile = fdeflate::compress_to_vec(format!("\nexif\n      38\n{hex}\n").as_bytes());
        let text = [&b"Raw profile type exif\0\0"[..], &profile].concat();
        assert_eq!(of_png(&png(b"zTXt", &text)), Orientation::Rotate90);
        let xmp = fdeflate::compress_to_vec(b"<a tiff:Orientation=\"8\"/>");
        let text = [&b"XML:com.adobe.xmp\0\x01\0en\0\0"[..], &xmp].concat();
        assert_eq!(of_png(&png(b"iTXt", &text)), Orientation::Rotate270);
        let plain = b"XML:com.adobe.xmp\0\0\0\0\0<a tiff:Orientation=\"8\"/>";
        assert_eq!(of_png(&png(b"iTXt", plain)), Orientation::Rotate270);
        for end in 0..text.len() - 5 {
            assert_eq!(of_png(&png(b"iTXt", &text[..end])), Orientation::NoTransforms, "{end}");
        }
        // More than is read of a text.
        let bomb = fdeflate::compress_to_vec(&vec![b'0'; 1 << 22]);
        let text = [&b"Raw profile type exif\0\0"[..], &bomb].concat();
        assert_eq!(of_png(&png(b"zTXt", &text)), Orientation::NoTransforms);
    }

    #[test]
    fn a_profile_in_hexadecimal_digits_is_read() {
        assert_eq!(from_hex(b"\nexif\n       3\n4578\n69\n"), Some(b"Exi".to_vec()));
        assert_eq!(from_hex(b"\nexif\n       3\n45xx69"), None);
        assert_eq!(from_hex(b"exif"), None);
    }
}
