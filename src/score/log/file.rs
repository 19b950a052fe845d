//! Training logs as bytes: a safetensors file, and the form of our own that earlier versions wrote.
//!
//! A safetensors file is the length of a JSON text (`u64`, little endian), the text, which names each array with its type,
//! shape and place, and the arrays. The crate `safetensors` reads and writes any such file, and adds a fourteenth to the edge
//! package, which would then exceed its budget; the few lines here know five arrays only. The tests hold them against the crate.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::ScoreError;
use super::TrainingLog;

/// Key in the metadata that marks a training log; its value is the number of the form.
const MARK: &str = "tilepress-training-log";
/// Number of the form. Form 1 is the one of [`earlier`].
const FORM: &str = "2";
/// Names, safetensors types and bytes a value of the arrays, in the order of the file.
const ARRAYS: [(&str, &str, usize); 5] = [
    ("p_label", "F32", 4),
    ("p_other", "F32", 4),
    ("el2n", "F32", 4),
    ("entropy", "F32", 4),
    ("correct", "U16", 2),
];
/// Bytes to whose multiples the text is filled up with blanks, so that the arrays are aligned.
const ALIGNMENT: usize = 8;

impl TrainingLog {
    /// The log as a safetensors file: `p_label`, `p_other`, `el2n` and `entropy` (F32) and `correct` (U16, number of runs that
    /// predicted the label), each `[epochs, samples]`; EL2N is NaN where nothing is recorded. The metadata holds
    /// `tilepress-training-log`, the number of the form (2), `runs`, and `blake3`, the hash of epochs, samples and runs
    /// (`u32`, little endian) and of the arrays in the order above.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut arrays =
            Vec::with_capacity(self.el2n.len() * ARRAYS.iter().map(|(.., size)| size).sum::<usize>());
        for values in [&self.p_label, &self.p_other, &self.el2n, &self.entropy] {
            arrays.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
        arrays.extend(self.correct.iter().flat_map(|value| value.to_le_bytes()));

        let blake3 = checksum(self.epochs, self.samples, self.runs, &[&arrays]);
        // Keys in byte order, so that equal logs are equal bytes however serde_json keeps them.
        let metadata = json!({ "blake3": blake3, "runs": self.runs.to_string(), MARK: FORM });
        let mut header = BTreeMap::from([("__metadata__", metadata)]);
        let mut end = 0;
        for (name, dtype, size) in ARRAYS {
            let begin = end;
            end += self.el2n.len() * size;
            let array =
                json!({ "data_offsets": [begin, end], "dtype": dtype, "shape": [self.epochs, self.samples] });
            header.insert(name, array);
        }
        let mut text = serde_json::to_vec(&header).expect("texts and numbers are JSON");
        text.resize(text.len().next_multiple_of(ALIGNMENT), b' ');
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.reserve_exact(text.len() + arrays.len());
        bytes.extend(text);
        bytes.extend(arrays);
        bytes
    }

    /// The log that [`to_bytes`](Self::to_bytes) wrote, in this version or an earlier one.
    ///
    /// # Errors
    /// [`ScoreError::Bytes`] for anything else: another format or version, a file cut short, or bytes that changed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ScoreError> {
        if bytes.starts_with(&earlier::MAGIC) {
            return earlier::read(bytes);
        }
        let (header, arrays) =
            split(bytes).ok_or(ScoreError::Bytes("it is not a training log, or cut short"))?;
        let metadata = |key: &str| header.get("__metadata__")?.get(key)?.as_str();
        match metadata(MARK) {
            Some(FORM) => {}
            Some(_) => return Err(ScoreError::Bytes("it was written by another version")),
            None => return Err(ScoreError::Bytes("it is not a training log")),
        }
        let shape = header.get("el2n").and_then(|array| two(array.get("shape")?));
        let [epochs, samples] = shape.ok_or(ScoreError::Bytes("its arrays are not [epochs, samples]"))?;
        let (Ok(epochs), Ok(samples)) = (u32::try_from(epochs), u32::try_from(samples)) else {
            return Err(ScoreError::Bytes("its arrays are too large"));
        };
        let len = u64::from(epochs) * u64::from(samples);
        let find = |(name, dtype, size): (&str, &str, usize)| -> Option<&[u8]> {
            let array = header.get(name)?;
            let [begin, end] = two(array.get("data_offsets")?)?;
            let data = arrays.get(usize::try_from(begin).ok()?..usize::try_from(end).ok()?)?;
            let fits = array.get("dtype")?.as_str()? == dtype
                && two(array.get("shape")?)? == [u64::from(epochs), u64::from(samples)]
                && len.checked_mul(size as u64) == Some(data.len() as u64);
            fits.then_some(data)
        };
        let mut found: [&[u8]; 5] = [&[]; 5];
        for (data, array) in found.iter_mut().zip(ARRAYS) {
            *data = find(array).ok_or(ScoreError::Bytes("its arrays are not those of a training log"))?;
        }
        let runs = metadata("runs").and_then(|runs| runs.parse().ok()).unwrap_or(0);
        let sum = checksum(epochs, samples, runs, &found);
        let all = found.iter().map(|data| data.len()).sum::<usize>() == arrays.len();
        if runs == 0 || metadata("blake3") != Some(&sum) || !all {
            return Err(ScoreError::Bytes("its checksum is wrong"));
        }
        Ok(Self::of_arrays(epochs, samples, runs, found))
    }

    /// The log of the bytes of [`ARRAYS`].
    fn of_arrays(epochs: u32, samples: u32, runs: u32, arrays: [&[u8]; 5]) -> Self {
        let [p_label, p_other, el2n, entropy, correct] = arrays;
        let floats = |bytes: &[u8]| -> Vec<f32> {
            bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
        };
        let correct = correct.as_chunks::<2>().0.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect();
        let [p_label, p_other, el2n, entropy] = [p_label, p_other, el2n, entropy].map(floats);
        Self { epochs, samples, runs, p_label, p_other, el2n, entropy, correct }
    }
}

/// Header and arrays of a safetensors file; `None` for other bytes.
fn split(bytes: &[u8]) -> Option<(Value, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (text, arrays) = rest.split_at_checked(u64::from_le_bytes(*length).try_into().ok()?)?;
    Some((serde_json::from_slice(text).ok()?, arrays))
}

/// Two whole numbers of a JSON list that holds nothing else.
fn two(list: &Value) -> Option<[u64; 2]> {
    match list.as_array()?.as_slice() {
        [first, second] => Some([first.as_u64()?, second.as_u64()?]),
        _ => None,
    }
}

/// BLAKE3 of a log, in hexadecimal.
fn checksum(epochs: u32, samples: u32, runs: u32, arrays: &[&[u8]]) -> String {
    let mut hasher = blake3::Hasher::new();
    for number in [epochs, samples, runs] {
        hasher.update(&number.to_le_bytes());
    }
    for array in arrays {
        hasher.update(array);
    }
    hasher.finalize().to_string()
}

/// The form of earlier versions, little endian: `TPLG`, version, epochs, samples, runs and 0 (`u32` each), then the arrays
/// p_label, p_other, el2n, entropy (`f32`) and correct (`u16`), each `[epochs, samples]`, then BLAKE3 of all that.
mod earlier {
    use super::{ScoreError, TrainingLog};

    pub(super) const MAGIC: [u8; 4] = *b"TPLG";
    const VERSION: u32 = 1;
    const HEADER: usize = 24;
    const CHECKSUM: usize = 32;
    /// Four `f32` and one `u16` for each sample and epoch.
    const RECORD: usize = 18;

    pub(super) fn read(bytes: &[u8]) -> Result<TrainingLog, ScoreError> {
        let number = |i: usize| {
            let part = bytes.get(i * 4..i * 4 + 4)?;
            Some(u32::from_le_bytes(part.try_into().ok()?))
        };
        if number(1) != Some(VERSION) {
            return Err(ScoreError::Bytes("it was written by another version"));
        }
        let (Some(epochs), Some(samples), Some(runs)) = (number(2), number(3), number(4)) else {
            return Err(ScoreError::Bytes("it is cut short"));
        };
        let len = u64::from(epochs) * u64::from(samples);
        let expected =
            len.checked_mul(RECORD as u64).and_then(|body| body.checked_add((HEADER + CHECKSUM) as u64));
        if expected != Some(bytes.len() as u64) {
            return Err(ScoreError::Bytes("its length is not the one its header tells"));
        }
        let (body, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
        if blake3::hash(body).as_bytes() != checksum || runs == 0 {
            return Err(ScoreError::Bytes("its checksum is wrong"));
        }
        // The length was checked against the bytes at hand, so it fits a usize.
        let (floats, correct) = body[HEADER..].split_at(4 * 4 * len as usize);
        let float = |k: usize| &floats[4 * k * len as usize..][..4 * len as usize];
        Ok(TrainingLog::of_arrays(epochs, samples, runs, [float(0), float(1), float(2), float(3), correct]))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use safetensors::SafeTensors;
    use safetensors::tensor::{Dtype, TensorView};

    use super::super::tests::full;
    use super::*;

    /// Bytes of `full(2, 3, 8)` as the last version with form 1 wrote them.
    const EARLIER: &[u8] = include_bytes!("../../../tests/golden/training-log-1.bin");

    #[test]
    fn a_saved_log_comes_back_bit_for_bit_also_half_full() {
        let (mut log, recorded) = full(2, 6, 6);
        log.epochs = 3;
        for array in [&mut log.p_label, &mut log.p_other, &mut log.entropy] {
            array.resize(18, 0.0);
        }
        log.el2n.resize(18, f32::NAN);
        log.correct.resize(18, 0);
        let bytes = log.to_bytes();
        let mut back = TrainingLog::from_bytes(&bytes).expect("its own bytes");
        assert_eq!(back.to_bytes(), bytes);
        assert!(back.check_complete(0..3).is_err());
        back.record(2, &[0, 1, 2, 3, 4, 5], &recorded[0]).expect("the epoch that was missing");
        back.check_complete(0..3).expect("complete");
    }

    #[test]
    fn any_reader_of_safetensors_finds_the_numbers_by_name_epoch_and_sample() {
        let log = TrainingLog::average(&[full(2, 5, 3).0, full(2, 5, 4).0]).expect("equal shapes");
        let bytes = log.to_bytes();
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let numbers = |name: &str, dtype: Dtype| {
            let tensor = file.tensor(name).expect(name);
            assert_eq!((tensor.dtype(), tensor.shape()), (dtype, &[2, 5][..]), "{name}");
            tensor.data()
        };
        for (epoch, sample) in [(0, 0), (0, 4), (1, 2)] {
            let at = epoch as usize * 5 + sample as usize;
            let float = |name: &str| {
                let bytes = numbers(name, Dtype::F32)[4 * at..].first_chunk().expect("a number");
                f32::from_le_bytes(*bytes)
            };
            assert_eq!(float("el2n"), log.epoch_el2n(epoch)[sample as usize]);
            assert_eq!(float("p_label"), log.p_label(epoch, sample));
            assert_eq!(float("p_other"), log.p_other(epoch, sample));
            assert_eq!(float("entropy"), log.entropy(epoch, sample));
        }
        let correct = numbers("correct", Dtype::U16).as_chunks::<2>().0;
        let right: u16 = correct.iter().map(|bytes| u16::from_le_bytes(*bytes)).sum();
        assert_eq!(f64::from(right) / 10.0, log.accuracy(0) + log.accuracy(1));
        let (length, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        assert_eq!((8 + length) % ALIGNMENT, 0);
        let metadata = header.metadata().as_ref().expect("metadata");
        assert_eq!((metadata[MARK].as_str(), metadata["runs"].as_str()), ("2", "2"));
    }

    #[test]
    fn a_log_that_another_writer_of_safetensors_copied_is_read() {
        let bytes = full(3, 4, 9).0.to_bytes();
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let copy =
            safetensors::serialize(file.tensors(), header.metadata().clone()).expect("the same arrays");
        let copy = TrainingLog::from_bytes(&copy).expect("the same log");
        assert_eq!(copy.to_bytes(), bytes);
    }

    #[test]
    fn a_log_of_an_earlier_version_is_read() {
        assert!(EARLIER.starts_with(b"TPLG\x01\0\0\0\x02\0\0\0\x03\0\0\0"));
        let log = TrainingLog::from_bytes(EARLIER).expect("form 1");
        assert_eq!(log.to_bytes(), full(2, 3, 8).0.to_bytes());
    }

    #[test]
    fn bytes_that_changed_are_refused() {
        for bytes in [full(2, 6, 7).0.to_bytes(), EARLIER.to_vec()] {
            for cut in 0..bytes.len() {
                assert!(TrainingLog::from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
            }
            for at in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[at] ^= 0x10;
                assert!(TrainingLog::from_bytes(&changed).is_err(), "changed at {at}");
            }
            let mut huge = bytes;
            huge[8..16].fill(0xFF);
            assert!(TrainingLog::from_bytes(&huge).is_err());
        }
    }

    #[test]
    fn a_safetensors_file_that_is_no_log_is_refused() {
        let with = |metadata: Option<(&str, &str)>| {
            let counts = TensorView::new(Dtype::U16, vec![1, 2], &[1, 0, 2, 0]).expect("two counts");
            let metadata = metadata.map(|(key, value)| HashMap::from([(key.to_owned(), value.to_owned())]));
            safetensors::serialize([("el2n", counts)], metadata).expect("two counts")
        };
        let message = |bytes: &[u8]| TrainingLog::from_bytes(bytes).expect_err("no log").to_string();
        for (bytes, expected) in [
            (with(None), "it is not a training log;"),
            (with(Some(("format", "pt"))), "it is not a training log;"),
            (with(Some((MARK, "3"))), "written by another version;"),
            (with(Some((MARK, "2"))), "not those of a training log;"),
            (b"path,value\n".to_vec(), "not a training log, or cut short;"),
            (Vec::new(), "not a training log, or cut short;"),
        ] {
            let message = message(&bytes);
            assert!(message.contains(expected), "{message}");
            assert!(message.ends_with("delete it to score from the start"), "{message}");
        }
    }
}
