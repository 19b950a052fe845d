//! Training logs as bytes: a safetensors file, and the form of our own that earlier versions wrote.

use std::borrow::Cow;
use std::collections::HashMap;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, View};
use serde::{Deserialize, Serialize};

use super::super::ScoreError;
use super::TrainingLog;

/// Key of our text in the metadata of the file.
const ABOUT: &str = "tilepress-training-log";
/// Number of the form. Form 1 is the one of [`earlier`].
const FORM: u32 = 2;
/// Names of the four arrays of floats, in the order in which the checksum takes them.
const FLOATS: [&str; 4] = ["p_label", "p_other", "el2n", "entropy"];
/// Name of the array of counts, which the checksum takes last.
const CORRECT: &str = "correct";

/// Text in the metadata: what a log holds besides arrays.
#[derive(Serialize, Deserialize)]
struct About {
    form: u32,
    /// Number of runs the log is the average of.
    runs: u32,
    /// BLAKE3 of epochs, samples and runs (`u32`, little endian), then of the arrays.
    blake3: String,
}

impl TrainingLog {
    /// The log as a safetensors file: `p_label`, `p_other`, `el2n` and `entropy` (F32) and `correct` (U16, number of runs that
    /// predicted the label), each `[epochs, samples]`; EL2N is NaN where nothing is recorded. The metadata holds, under
    /// `tilepress-training-log`, a JSON text with `form` (2), `runs`, and `blake3`, the hash of epochs, samples and runs
    /// (`u32`, little endian) and of the arrays in the order above.
    pub fn to_bytes(&self) -> Vec<u8> {
        let shape = [self.epochs as usize, self.samples as usize];
        let floats =
            FLOATS.into_iter().zip(self.floats()).map(|(name, values)| (name, Values::Floats(values)));
        let arrays = floats.chain([(CORRECT, Values::Counts(&self.correct))]);
        let arrays: Vec<_> = arrays.map(|(name, values)| (name, Array { shape, values })).collect();
        let datas = arrays.iter().map(|(_, array)| array.data());
        let about = About {
            form: FORM,
            runs: self.runs,
            blake3: checksum(self.epochs, self.samples, self.runs, datas),
        };
        let text = serde_json::to_string(&about).expect("three plain fields are JSON");
        // One entry only, so that equal logs are equal bytes.
        let metadata = HashMap::from([(ABOUT.to_owned(), text)]);
        safetensors::serialize(arrays, Some(metadata)).expect("every array has the bytes of its shape")
    }

    /// The log that [`to_bytes`](Self::to_bytes) wrote, in this version or an earlier one.
    ///
    /// # Errors
    /// [`ScoreError::File`] and [`ScoreError::Bytes`] for anything else: another format or version, a file cut short,
    /// or bytes that changed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ScoreError> {
        if bytes.starts_with(&earlier::MAGIC) {
            return earlier::read(bytes);
        }
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let text = header.metadata().as_ref().and_then(|entries| entries.get(ABOUT));
        let text = text.ok_or(ScoreError::Bytes("it is not a training log"))?;
        let about: About =
            serde_json::from_str(text).map_err(|_| ScoreError::Bytes("it was written by another version"))?;
        if about.form != FORM {
            return Err(ScoreError::Bytes("it was written by another version"));
        }
        let file = SafeTensors::deserialize(bytes)?;
        let shape = file.tensor(CORRECT)?.shape().to_vec();
        let data = |name: &str, dtype: Dtype| -> Result<&[u8], ScoreError> {
            let tensor = file.tensor(name)?;
            if tensor.dtype() == dtype && tensor.shape() == shape {
                return Ok(tensor.data());
            }
            Err(ScoreError::Bytes("its arrays differ in shape or type"))
        };
        let [p_label, p_other, el2n, entropy] = FLOATS.map(|name| data(name, Dtype::F32));
        let floats = [p_label?, p_other?, el2n?, entropy?];
        let correct = data(CORRECT, Dtype::U16)?;
        let [epochs, samples] = shape[..] else {
            return Err(ScoreError::Bytes("its arrays are not [epochs, samples]"));
        };
        let (Ok(epochs), Ok(samples)) = (u32::try_from(epochs), u32::try_from(samples)) else {
            return Err(ScoreError::Bytes("its arrays are too large"));
        };
        let datas = floats.into_iter().chain([correct]).map(Cow::Borrowed);
        if about.blake3 != checksum(epochs, samples, about.runs, datas) || about.runs == 0 {
            return Err(ScoreError::Bytes("its checksum is wrong"));
        }
        let [p_label, p_other, el2n, entropy] = floats.map(floats_of);
        let correct = counts_of(correct);
        Ok(Self { epochs, samples, runs: about.runs, p_label, p_other, el2n, entropy, correct })
    }

    /// The arrays that [`FLOATS`] names.
    fn floats(&self) -> [&[f32]; 4] {
        [&self.p_label, &self.p_other, &self.el2n, &self.entropy]
    }
}

/// BLAKE3 of a log, in hexadecimal.
fn checksum<'a>(epochs: u32, samples: u32, runs: u32, arrays: impl Iterator<Item = Cow<'a, [u8]>>) -> String {
    let mut hasher = blake3::Hasher::new();
    for number in [epochs, samples, runs] {
        hasher.update(&number.to_le_bytes());
    }
    for array in arrays {
        hasher.update(&array);
    }
    hasher.finalize().to_string()
}

fn floats_of(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn counts_of(bytes: &[u8]) -> Vec<u16> {
    bytes.as_chunks::<2>().0.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect()
}

/// One array of the file. Its bytes are made when they are written, so that no second copy of the log is kept.
struct Array<'a> {
    shape: [usize; 2],
    values: Values<'a>,
}

enum Values<'a> {
    Floats(&'a [f32]),
    Counts(&'a [u16]),
}

impl View for Array<'_> {
    fn dtype(&self) -> Dtype {
        match self.values {
            Values::Floats(_) => Dtype::F32,
            Values::Counts(_) => Dtype::U16,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self.values {
            Values::Floats(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Values::Counts(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }

    fn data_len(&self) -> usize {
        match self.values {
            Values::Floats(values) => size_of_val(values),
            Values::Counts(values) => size_of_val(values),
        }
    }
}

/// The form of earlier versions, little endian: `TPLG`, version, epochs, samples, runs and 0 (`u32` each), then the arrays
/// p_label, p_other, el2n, entropy (`f32`) and correct (`u16`), each `[epochs, samples]`, then BLAKE3 of all that.
mod earlier {
    use super::{ScoreError, TrainingLog, counts_of, floats_of};

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
        let len = len as usize;
        let mut rest = &body[HEADER..];
        let mut floats = || {
            let (part, after) = rest.split_at(len * 4);
            rest = after;
            floats_of(part)
        };
        let (p_label, p_other, el2n, entropy) = (floats(), floats(), floats(), floats());
        let correct = counts_of(rest);
        Ok(TrainingLog { epochs, samples, runs, p_label, p_other, el2n, entropy, correct })
    }
}

#[cfg(test)]
mod tests {
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
        let at = |name: &str, epoch: usize, sample: usize| {
            let tensor = file.tensor(name).expect(name);
            assert_eq!((tensor.dtype(), tensor.shape()), (Dtype::F32, &[2, 5][..]), "{name}");
            floats_of(tensor.data())[epoch * 5 + sample]
        };
        for (epoch, sample) in [(0, 0), (0, 4), (1, 2)] {
            let (e, s) = (epoch as usize, sample as usize);
            assert_eq!(at("el2n", e, s), log.epoch_el2n(epoch)[s]);
            assert_eq!(at("p_label", e, s), log.p_label(epoch, sample));
            assert_eq!(at("p_other", e, s), log.p_other(epoch, sample));
            assert_eq!(at("entropy", e, s), log.entropy(epoch, sample));
        }
        let correct = file.tensor("correct").expect("the counts");
        let right: u16 = counts_of(correct.data()).iter().sum();
        assert_eq!(f64::from(right) / 10.0, log.accuracy(0) + log.accuracy(1));
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let text = &header.metadata().as_ref().expect("metadata")["tilepress-training-log"];
        assert!(text.starts_with(r#"{"form":2,"runs":2,"#), "{text}");
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
        let array = |shape| Array { shape, values: Values::Counts(&[1, 2]) };
        let with = |about: Option<&str>| {
            let metadata = about.map(|text| HashMap::from([(ABOUT.to_owned(), text.to_owned())]));
            safetensors::serialize([("correct", array([1, 2]))], metadata).expect("two counts")
        };
        let message = |bytes: &[u8]| TrainingLog::from_bytes(bytes).expect_err("no log").to_string();
        for (about, expected) in [
            (None, "it is not a training log"),
            (Some("{}"), "written by another version"),
            (Some(r#"{"form":3,"runs":1,"blake3":""}"#), "written by another version"),
            (Some(r#"{"form":2,"runs":1,"blake3":""}"#), "p_label"),
        ] {
            let message = message(&with(about));
            assert!(
                message.contains(expected) && message.ends_with("delete it to score from the start"),
                "{message}"
            );
        }
        assert!(message(b"path,value\n").ends_with("delete it to score from the start"));
    }
}
