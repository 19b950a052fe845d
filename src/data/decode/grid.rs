//! The grid of JPEG encodings (`tests/golden/decode_grid.py`) against libjpeg-turbo, and oddities of the other formats
//! (`tests/golden/decode_others.py`) against Pillow.

use std::collections::BTreeMap;
use std::io::Read;

use super::fixtures::decoded;
use super::{DecodeError, Limits, decode};

/// Largest difference of a channel that the inverse transform and the filling in of colour may make.
const TOLERANCE: u8 = 4;

const GRID: &[u8] = include_bytes!("../../../tests/data/decode/grid.z");
const OTHERS: &[u8] = include_bytes!("../../../tests/data/decode/others.z");

struct File {
    name: String,
    bytes: Vec<u8>,
    /// Width, height and pixels.
    expected: Option<(u32, u32, Vec<u8>)>,
}

/// All files of the archive.
fn files(archive: &[u8]) -> Vec<File> {
    let mut packed = flate2::read::ZlibDecoder::new(archive);
    let mut take = |n: usize| {
        let mut bytes = vec![0; n];
        packed.read_exact(&mut bytes).unwrap();
        bytes
    };
    fn number(take: &mut impl FnMut(usize) -> Vec<u8>) -> usize {
        u32::from_le_bytes(take(4).try_into().unwrap()) as usize
    }
    let count = number(&mut take);
    let listed: Vec<_> = (0..count)
        .map(|_| {
            let n = number(&mut take);
            let name = String::from_utf8(take(n)).unwrap();
            let n = number(&mut take);
            (name, take(n), number(&mut take))
        })
        .collect();
    let pictures: Vec<_> = (0..number(&mut take))
        .map(|_| {
            let (width, height) = (number(&mut take), number(&mut take));
            (width as u32, height as u32, take(width * height * 3))
        })
        .collect();
    listed
        .into_iter()
        .map(|(name, bytes, picture)| File { name, bytes, expected: pictures.get(picture).cloned() })
        .collect()
}

#[test]
fn no_encoding_of_the_grid_gives_other_pixels_than_an_independent_decoder() {
    let (mut right, mut refused) = (0, BTreeMap::<String, usize>::new());
    let files = files(GRID);
    for File { name, bytes, expected } in &files {
        match decoded(bytes) {
            Ok(image) => {
                let (width, height, pixels) =
                    expected.as_ref().unwrap_or_else(|| panic!("{name} should be refused"));
                assert_eq!((image.width(), image.height()), (*width, *height), "{name}");
                let worst = image.pixels().iter().zip(pixels).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
                assert!(worst <= TOLERANCE, "{name} is off by {worst}");
                right += 1;
            }
            Err(DecodeError::Unsupported { reason, .. }) => *refused.entry(reason).or_default() += 1,
            Err(other) => panic!("{name}: {other}"),
        }
    }
    println!("{} files, {right} decoded, refused: {refused:#?}", files.len());
    let reasons: Vec<_> = refused.keys().map(|reason| reason.split(" is not").next().unwrap()).collect();
    assert_eq!(
        reasons,
        [
            "JPEG sampled by thirds",
            "JPEG that tells its height after its pixels",
            "JPEG whose channels lie on fractions of pixels",
            "JPEG with 12 bits a channel",
            "JPEG with 2 channels",
            "JPEG with arithmetic coding",
            "JPEG with brightness sampled more coarsely than colour",
            "JPEG-LS",
            "baseline JPEG with some of its channels together in a scan",
            "hierarchical JPEG",
            "lossless JPEG",
        ]
    );
    assert_eq!((files.len(), right), (3734, 2594));
}

#[test]
fn what_is_refused_is_refused_for_its_kind_and_nothing_ordinary_is() {
    for File { name, bytes, .. } in files(GRID) {
        let parts: Vec<_> = name.split('/').collect();
        let (sampling, mode) = (parts[0], parts[parts.len() - 1]);
        let ordinary =
            matches!(
                sampling,
                "444" | "422" | "420" | "440" | "411" | "410" | "441" | "cb" | "cr" | "crossed"
            ) || ["markers", "rgb", "inks", "gray", "odd"].iter().any(|kind| sampling.starts_with(kind));
        if ordinary && !mode.starts_with("pair") && !mode.starts_with("arithmetic") {
            assert!(decoded(&bytes).is_ok(), "{name}");
        }
        if mode.starts_with("apart") {
            assert!(decoded(&bytes).is_ok(), "{name}");
        }
    }
}

#[test]
fn files_of_the_grid_cut_short_or_with_a_flipped_bit_never_panic() {
    let limits = Limits { max_width: 256, max_height: 256, max_bytes: 1 << 18 };
    for (turn, File { name, bytes, .. }) in files(GRID).into_iter().chain(files(OTHERS)).enumerate() {
        // Not every place of every file, but other places in each.
        for at in (turn % 37..bytes.len()).step_by(37) {
            assert!(
                decode(&bytes[..at], &limits).is_err() || !name.contains('/') || name.starts_with("odd"),
                "{name} cut at {at}"
            );
            let mut other = bytes.clone();
            other[at] ^= 1 << (turn % 8);
            let _ = decode(&other, &limits);
        }
    }
}

#[test]
fn oddities_of_the_other_formats_and_orientations_wherever_they_are_kept_are_read_right() {
    let files = files(OTHERS);
    let mut right = 0;
    for File { name, bytes, expected } in &files {
        let Some((width, height, pixels)) = expected else {
            assert!(matches!(decoded(bytes), Err(DecodeError::Unsupported { .. })), "{name}");
            continue;
        };
        let image = decoded(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((image.width(), image.height()), (*width, *height), "{name}");
        let worst = image.pixels().iter().zip(pixels).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
        // Rounding of five bits to eight, of blending, and of lossy formats.
        let tolerance = if name.contains("lossy") || name.ends_with("jpg") { 6 } else { 1 };
        assert!(worst <= tolerance, "{name} is off by {worst}");
        right += 1;
    }
    println!("{} files, {right} decoded", files.len());
    assert_eq!(right + 1, files.len());
}
