//! Image files.

use tilepress::data::{
    DecodeError, Image, Limits, Preparation, Resizer, decode as decode_within, prepare, probe,
};

/// Small, so that what ignores them is noticed.
const LIMITS: Limits = Limits { max_width: 512, max_height: 512, max_bytes: 1 << 20 };

/// A file is refused in words or gives an image within the limits, of the size that its header told, and the same one again.
pub(crate) fn decode(bytes: &[u8]) {
    let header = probe(bytes);
    let decoded = decode_within(bytes, &LIMITS);
    match &decoded {
        Ok(image) => {
            let header = header.expect("what can be decoded has a header");
            let sides = |width: u32, height: u32| [width.min(height), width.max(height)];
            assert_eq!(
                sides(header.width, header.height),
                sides(image.width(), image.height()),
                "size of the header"
            );
            let size = image.pixels().len() as u64;
            assert!(
                image.width() <= LIMITS.max_width
                    && image.height() <= LIMITS.max_height
                    && size <= LIMITS.max_bytes
            );
        }
        Err(DecodeError::TooLarge { width, height, bytes, .. }) => {
            assert!(*width > LIMITS.max_width || *height > LIMITS.max_height || *bytes > LIMITS.max_bytes);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    assert_eq!(decode_within(bytes, &LIMITS), decoded, "twice the same");
    for val_short in [None, Some(9)] {
        let how = Preparation { limits: LIMITS, val_short, ..Preparation::whole(8) };
        let mut out = [0; 8 * 8 * 3];
        let prepared = prepare(bytes, &how, &mut Resizer::default(), &mut out);
        assert_eq!(prepared.is_ok(), decoded.is_ok(), "what is decoded can be prepared, and nothing else");
    }
}

const PNG: &[u8] = include_bytes!("../../tests/data/decode/orientation1.png");
const JPEG: &[u8] = include_bytes!("../../tests/data/decode/baseline.jpg");
const WEBP: &[u8] = include_bytes!("../../tests/data/decode/orientation8.webp");

/// Whatever a camera or editor wrote as EXIF: the pixels are those of the picture, turned in one of the eight ways or not at all.
pub(crate) fn orientation(exif: &[u8]) {
    for with_exif in [png, jpeg, webp] {
        let plain = decode_within(&with_exif(&[]), &LIMITS).expect("a picture without EXIF");
        let image =
            decode_within(&with_exif(exif), &LIMITS).expect("metadata does not make a picture unreadable");
        let is_turned = (0..8).any(|how| turned(&plain, how) == image);
        assert!(is_turned, "other pixels, or another turn than EXIF has");
    }
}

/// One of the eight ways to lay a picture: mirrored (1), upside down (2), its sides swapped (4).
fn turned(image: &Image, how: u32) -> Image {
    let (width, height) = (image.width(), image.height());
    let (across, down) = if how & 4 == 0 { (width, height) } else { (height, width) };
    let mut pixels = Vec::with_capacity(image.pixels().len());
    for y in 0..down {
        for x in 0..across {
            let (x, y) = if how & 4 == 0 { (x, y) } else { (y, x) };
            let x = if how & 1 == 0 { x } else { width - 1 - x };
            let y = if how & 2 == 0 { y } else { height - 1 - y };
            let at = (y * width + x) as usize * 3;
            pixels.extend_from_slice(&image.pixels()[at..at + 3]);
        }
    }
    Image::new(across, down, pixels).expect("as many pixels as before")
}

/// The PNG with an `eXIf` chunk of these bytes in the place of its own.
fn png(exif: &[u8]) -> Vec<u8> {
    let (mut file, mut rest) = (PNG[..8].to_vec(), &PNG[8..]);
    while let Some(length) = rest.first_chunk::<4>() {
        let (chunk, after) = rest.split_at(12 + u32::from_be_bytes(*length) as usize);
        if &chunk[4..8] != b"eXIf" {
            file.extend(chunk);
        }
        if &chunk[4..8] == b"IHDR" && !exif.is_empty() {
            let body = [b"eXIf", exif].concat();
            file.extend((exif.len() as u32).to_be_bytes());
            file.extend(&body);
            file.extend(crc32(&body).to_be_bytes());
        }
        rest = after;
    }
    file
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg()))
    })
}

/// The JPEG with an `APP1` segment of these bytes, as many as a segment holds.
fn jpeg(exif: &[u8]) -> Vec<u8> {
    let exif = &exif[..exif.len().min(65_533)];
    let (start, rest) = JPEG.split_at(2);
    if exif.is_empty() {
        return JPEG.to_vec();
    }
    [start, &[0xFF, 0xE1], &(exif.len() as u16 + 2).to_be_bytes(), exif, rest].concat()
}

/// The WebP with these bytes in its `EXIF` chunk.
fn webp(exif: &[u8]) -> Vec<u8> {
    let (mut body, mut rest) = (b"WEBP".to_vec(), &WEBP[12..]);
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let (chunk, after) = after.split_at(length.next_multiple_of(2));
        let data = if head.starts_with(b"EXIF") { exif } else { &chunk[..length] };
        body.extend(&head[..4]);
        body.extend((data.len() as u32).to_le_bytes());
        body.extend(data);
        body.resize(body.len().next_multiple_of(2), 0);
        rest = after;
    }
    [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat()
}
