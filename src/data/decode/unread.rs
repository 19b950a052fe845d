//! Files that people have among their images and that are not read: named, with what to do.

use super::error::DecodeError;

/// The refusal of a file of a known kind that is not read, told by its first bytes.
pub(super) fn unread(bytes: &[u8]) -> Option<DecodeError> {
    let (format, advice) = named(bytes)?;
    Some(DecodeError::Unsupported {
        format: format.to_owned(),
        reason: format!("{format} is not read; {advice}"),
    })
}

const CONVERT: &str = "convert it to JPEG or PNG";
const EXPORT: &str = "export it as JPEG or PNG";

fn named(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let begins = |with: &[u8]| bytes.starts_with(with);
    if bytes.get(4..8) == Some(b"ftyp") {
        return Some(brand(bytes));
    }
    Some(match () {
        () if begins(b"II*\0") && bytes.get(8..10) == Some(b"CR") => ("a camera's raw file (CR2)", EXPORT),
        () if begins(b"IIRO") || begins(b"IIRS") || begins(b"MMOR") => ("a camera's raw file (ORF)", EXPORT),
        () if begins(b"IIU\0") => ("a camera's raw file (RW2)", EXPORT),
        () if begins(b"FUJIFILMCCD-RAW") => ("a camera's raw file (RAF)", EXPORT),
        () if begins(b"II*\0") || begins(b"MM\0*") || begins(b"II+\0") || begins(b"MM\0+") => {
            ("TIFF (or a camera's raw file)", CONVERT)
        }
        () if begins(b"\xFF\x0A") || begins(b"\0\0\0\x0CJXL \r\n\x87\n") => ("JPEG XL", CONVERT),
        () if begins(b"\xFF\x4F\xFF\x51") || begins(b"\0\0\0\x0CjP  \r\n\x87\n") => ("JPEG 2000", CONVERT),
        () if begins(b"8BPS") => ("PSD (Photoshop)", EXPORT),
        () if begins(b"gimp xcf") => ("XCF (GIMP)", EXPORT),
        () if begins(b"%PDF") => ("PDF", EXPORT),
        () if begins(b"%!PS") || begins(b"\xC5\xD0\xD3\xC6") => ("PostScript", EXPORT),
        () if begins(b"\0\0\x01\0") || begins(b"\0\0\x02\0") => ("ICO (an icon)", CONVERT),
        () if begins(b"qoif") => ("QOI", CONVERT),
        () if begins(b"\x76\x2F\x31\x01") => ("OpenEXR", CONVERT),
        () if begins(b"#?RADIANCE") || begins(b"#?RGBE") => ("Radiance HDR", CONVERT),
        () if begins(b"DDS ") => ("DDS", CONVERT),
        () if begins(b"farbfeld") => ("Farbfeld", CONVERT),
        () if matches!(bytes, [b'P', b'1'..=b'7', space, ..] if space.is_ascii_whitespace()) => {
            ("PNM", CONVERT)
        }
        () if begins(b"version https://git-lfs") => {
            ("a pointer of Git LFS", "fetch the images themselves with `git lfs pull`")
        }
        () => return markup(bytes),
    })
}

/// Files of boxes tell their kind by a brand, or by those that they are compatible with.
fn brand(bytes: &[u8]) -> (&'static str, &'static str) {
    let size = bytes.get(..4).and_then(|n| n.try_into().ok()).map_or(0, u32::from_be_bytes) as usize;
    let end = size.clamp(8, 256).min(bytes.len());
    let (brands, _) = bytes[8..end].as_chunks::<4>();
    let any = |of: &[&[u8; 4]]| brands.iter().any(|brand| of.contains(&brand));
    match () {
        () if any(&[b"avif", b"avis"]) => ("AVIF", CONVERT),
        () if any(&[
            b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1",
        ]) =>
        {
            (
                "HEIC",
                "export it as JPEG (an iPhone takes JPEG with Settings > Camera > Formats > Most Compatible)",
            )
        }
        () if any(&[b"crx "]) => ("a camera's raw file (CR3)", EXPORT),
        () if any(&[b"jp2 ", b"jpx ", b"jpm "]) => ("JPEG 2000", CONVERT),
        () => ("a film", "export single pictures of it as JPEG or PNG"),
    }
}

/// Text in angle brackets: with or without a byte order mark, in 8 or 16 bits, behind a declaration and comments.
fn markup(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let head = &bytes[..bytes.len().min(4096)];
    let text: Vec<u8> =
        head.iter().filter(|b| !matches!(b, 0 | 0xEF | 0xBB | 0xBF | 0xFE | 0xFF)).copied().collect();
    let text = text.trim_ascii_start().to_ascii_lowercase();
    let holds = |what: &[u8]| text.windows(what.len()).any(|part| part == what);
    match () {
        () if !text.starts_with(b"<") => None,
        () if text.starts_with(b"<!doctype html") || text.starts_with(b"<html") => {
            Some(("a web page", "download the image itself"))
        }
        () if holds(b"<svg") || holds(b":svg ") => Some(("SVG", EXPORT)),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, decode, probe};
    use super::*;

    /// First bytes of each kind, and a word of the refusal.
    const FILES: &[(&[u8], &str)] = &[
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x1cftypavif\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "CR3"),
        (b"\0\0\0\x18ftypisom\0\0\0\x01isommp42", "film"),
        (b"II*\0\x08\0\0\0\0\0\0\0", "TIFF"),
        (b"MM\0*\0\0\0\x08\0\0\0\0", "TIFF"),
        (b"II+\0\x08\0\0\0\x10\0\0\0", "TIFF"),
        (b"MM\0+\0\x08\0\0\0\0\0\0", "TIFF"),
        (b"II*\0\x10\0\0\0CR\x02\0", "CR2"),
        (b"\xFF\x0A\xFA\x1F\x41\x91\x08\x06", "JPEG XL"),
        (b"\0\0\0\x0CJXL \r\n\x87\n\0\0\0\x14ftypjxl ", "JPEG XL"),
        (b"\0\0\0\x0CjP  \r\n\x87\n\0\0\0\x14ftypjp2 ", "JPEG 2000"),
        (b"\xFF\x4F\xFF\x51\0\x2F", "JPEG 2000"),
        (b"8BPS\0\x01", "PSD"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\xEF\xBB\xBF<?xml version='1.0'?>\n<!-- drawn -->\n<svg/>", "SVG"),
        (b"\xFF\xFE<\0s\0v\0g\0 \0/\0>\0", "SVG"),
        (b"  <?xml version='1.0'?><!DOCTYPE svg PUBLIC ''><SVG/>", "SVG"),
        (b"<!DOCTYPE html><html><body>404 <svg/>", "web page"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\x01\0\x01\0\x10\x10", "ICO"),
        (b"qoif\0\0\0\x01", "QOI"),
        (b"\x76\x2F\x31\x01\x02\0\0\0", "OpenEXR"),
        (b"P6 1 1 255\nabc", "PNM"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ];

    #[test]
    fn what_is_not_read_is_named_with_what_to_do() {
        for (file, word) in FILES {
            let error = decode(file, &Limits::default()).unwrap_err();
            assert!(matches!(error, DecodeError::Unsupported { .. }), "{word}: {error:?}");
            assert!(error.to_string().contains(word) && error.to_string().contains("; "), "{word}: {error}");
            assert_eq!(probe(file).unwrap_err(), error);
        }
    }

    #[test]
    fn cut_anywhere_it_is_an_error_and_no_panic() {
        for (file, _) in FILES {
            for end in 0..file.len() {
                assert!(decode(&file[..end], &Limits::default()).is_err());
            }
        }
    }

    #[test]
    fn text_is_no_image() {
        for text in [&b"path,class\n"[..], b"<a href=''>", b"Photos of 2019", b"Press"] {
            assert_eq!(decode(text, &Limits::default()), Err(DecodeError::UnknownFormat));
        }
    }
}
