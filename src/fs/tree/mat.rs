//! ImageNet's `meta.mat`: which class an `ILSVRC2012_ID` is. As much of MATLAB's format 5 is read as that takes.

use std::io::Read as _;

/// Bytes that the file may have when it is unpacked; ImageNet's has less than a million.
const MOST: u64 = 64 << 20;

const COMPRESSED: u32 = 15;
const MATRIX: u32 = 14;
const STRUCT: u8 = 2;
const CHAR: u8 = 4;
const CELL: u8 = 1;
const OBJECT: u8 = 3;
const SPARSE: u8 = 5;

/// The numbers and names of the classes in a `meta.mat`: `ILSVRC2012_ID` and `WNID` of its `synsets`.
///
/// # Errors
/// What is wrong with the file, in words.
pub(super) fn synsets(bytes: &[u8]) -> Result<Vec<(u32, String)>, String> {
    match bytes.get(124..128) {
        Some([_, _, b'I', b'M']) => {}
        Some([_, _, b'M', b'I']) => {
            return Err("it was written on a big-endian machine, which is not read".into());
        }
        _ => return Err("it is no MATLAB file of version 5".into()),
    }
    let mut rest = &bytes[128..];
    while !rest.is_empty() {
        let element = element(&mut rest)?;
        let unpacked;
        let matrix = match element.kind {
            COMPRESSED => {
                let mut out = Vec::new();
                let decoder = flate2::read::ZlibDecoder::new(element.data).take(MOST);
                { decoder }.read_to_end(&mut out).map_err(|why| format!("it cannot be unpacked: {why}"))?;
                unpacked = out;
                let mut inner = &unpacked[..];
                self::element(&mut inner)?
            }
            _ => element,
        };
        if matrix.kind == MATRIX
            && let Some(found) = synsets_of(matrix.data)?
        {
            return Ok(found);
        }
    }
    Err("it has no 'synsets' with the fields ILSVRC2012_ID and WNID".to_owned())
}

/// A piece of data with its type.
struct Element<'a> {
    kind: u32,
    data: &'a [u8],
}

fn cut_off<T>(value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| "it is cut off".to_owned())
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, String> {
    let bytes = cut_off(bytes.get(at..at + 4))?;
    Ok(u32::from_le_bytes(cut_off(bytes.try_into().ok())?))
}

/// Takes the next element off, with its padding.
fn element<'a>(rest: &mut &'a [u8]) -> Result<Element<'a>, String> {
    let tag = u32_at(rest, 0)?;
    let short = (tag >> 16) as usize;
    if short != 0 {
        // Up to four bytes lie in the tag itself.
        let data = cut_off(rest.get(4..4 + short).filter(|_| short <= 4))?;
        *rest = cut_off(rest.get(8..))?;
        return Ok(Element { kind: tag & 0xffff, data });
    }
    let len = u32_at(rest, 4)? as usize;
    let data = cut_off(rest.get(8..).and_then(|rest| rest.get(..len)))?;
    let padded = if tag == COMPRESSED { len } else { len.next_multiple_of(8) };
    *rest = rest.get(8 + padded..).unwrap_or_default();
    Ok(Element { kind: tag, data })
}

/// A matrix as far as its class, its number of elements, its name and what comes then.
struct Matrix<'a> {
    class: u8,
    count: usize,
    name: &'a [u8],
    rest: &'a [u8],
}

fn matrix(data: &[u8]) -> Result<Option<Matrix<'_>>, String> {
    if data.is_empty() {
        return Ok(None);
    }
    let mut rest = data;
    let flags = element(&mut rest)?;
    let class = *cut_off(flags.data.first())?;
    let dimensions = element(&mut rest)?.data;
    let mut count = 1_usize;
    for size in dimensions.chunks_exact(4) {
        count = cut_off(count.checked_mul(u32_at(size, 0)? as usize))?;
    }
    let name = element(&mut rest)?.data;
    Ok(Some(Matrix { class, count, name, rest }))
}

/// The synsets of a matrix; `None` of another one.
fn synsets_of(data: &[u8]) -> Result<Option<Vec<(u32, String)>>, String> {
    let Some(Matrix { class: STRUCT, count, name: b"synsets", mut rest }) = matrix(data)? else {
        return Ok(None);
    };
    let width = u32_at(element(&mut rest)?.data, 0)? as usize;
    let names = element(&mut rest)?.data;
    if width == 0 {
        return Ok(None);
    }
    let fields: Vec<&[u8]> = names
        .chunks_exact(width)
        .map(|name| name.split(|&byte| byte == 0).next().unwrap_or_default())
        .collect();
    let place = |wanted: &[u8]| fields.iter().position(|field| *field == wanted);
    let (Some(id), Some(wnid)) = (place(b"ILSVRC2012_ID"), place(b"WNID")) else { return Ok(None) };
    let mut found = Vec::new();
    for _ in 0..count {
        let mut own = (None, None);
        for field in 0..fields.len() {
            let value = element(&mut rest)?.data;
            if field == id {
                own.0 = number(value)?;
            } else if field == wnid {
                own.1 = text(value)?;
            }
        }
        let (Some(id), Some(wnid)) = own else {
            return Err("a synset in it has no number or no name".to_owned());
        };
        found.push((id, wnid));
    }
    Ok(Some(found))
}

fn number(data: &[u8]) -> Result<Option<u32>, String> {
    let Some(mut matrix) = matrix(data)? else { return Ok(None) };
    if matches!(matrix.class, CELL | STRUCT | OBJECT | CHAR | SPARSE) || matrix.count != 1 {
        return Ok(None);
    }
    let Element { kind, data } = element(&mut matrix.rest)?;
    let whole = |value: f64| {
        (value >= 0.0 && value <= f64::from(u32::MAX) && value.fract() == 0.0).then_some(value as u32)
    };
    Ok(match (kind, data) {
        (1 | 2, [value]) => Some(u32::from(*value)),
        (3 | 4, [a, b]) => Some(u32::from(u16::from_le_bytes([*a, *b]))),
        (5 | 6, [a, b, c, d]) => Some(u32::from_le_bytes([*a, *b, *c, *d])),
        (7, [a, b, c, d]) => whole(f64::from(f32::from_le_bytes([*a, *b, *c, *d]))),
        (9, data) => data.try_into().ok().and_then(|bytes| whole(f64::from_le_bytes(bytes))),
        _ => None,
    })
}

fn text(data: &[u8]) -> Result<Option<String>, String> {
    let Some(mut matrix) = matrix(data)? else { return Ok(None) };
    if matrix.class != CHAR {
        return Ok(None);
    }
    let Element { kind, data } = element(&mut matrix.rest)?;
    // Two bytes a letter, or one, or UTF-8.
    Ok(match kind {
        4 | 17 => {
            let units: Vec<u16> =
                data.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            String::from_utf16(&units).ok()
        }
        1 | 2 | 16 => String::from_utf8(data.to_vec()).ok(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by SciPy: see tests/golden/meta_mat.py.
    const PACKED: &[u8] = include_bytes!("../../../tests/data/imagenet/meta.mat");
    const PLAIN: &[u8] = include_bytes!("../../../tests/data/imagenet/meta-plain.mat");

    #[test]
    fn numbers_and_names_are_those_that_were_written_compressed_or_not() {
        for bytes in [PACKED, PLAIN] {
            let found = synsets(bytes).unwrap();
            let expected = [(3, "n01440764"), (1, "n02119789"), (2, "n02100735"), (300, "n00001740")];
            assert_eq!(found, expected.map(|(id, wnid)| (id, wnid.to_owned())));
        }
    }

    #[test]
    fn a_damaged_file_is_refused_or_read_and_never_worse() {
        for bytes in [PACKED, PLAIN] {
            for len in 0..bytes.len() {
                assert!(synsets(&bytes[..len]).is_err(), "{len}");
            }
            for at in 0..bytes.len() {
                for bit in [0, 3, 7] {
                    let mut damaged = bytes.to_vec();
                    damaged[at] ^= 1 << bit;
                    drop(synsets(&damaged));
                }
            }
        }
    }
}
