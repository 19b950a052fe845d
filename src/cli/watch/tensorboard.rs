//! Event files of TensorBoard: a folder for each training, with its numbers at every reading.
//!
//! A file is a row of records (TFRecord): the length in eight bytes, its checksum, the bytes, theirs. Each record is an `Event` of
//! TensorBoard's protocol buffers, of which the few fields that are needed are written by hand here. Every process writes files of
//! its own; one that goes on with a training says so, and TensorBoard then forgets what an earlier file has from that step on.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::crc32c::masked;
use super::event::{Event, Listener, Moment};
use crate::run::Reading;

/// The folder of TensorBoard's files.
pub(in crate::cli) struct TensorBoard {
    folder: PathBuf,
    /// The open file of each training, by its folder.
    files: BTreeMap<PathBuf, File>,
}

impl TensorBoard {
    /// Files in `folder`, which is made if it is not there.
    pub(in crate::cli) fn new(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        // Noticed here, and not after an hour.
        tempfile::tempfile_in(folder)?;
        Ok(Self { folder: folder.to_owned(), files: BTreeMap::new() })
    }
}

impl Listener for TensorBoard {
    fn name(&self) -> String {
        format!("--tensorboard {}", self.folder.display())
    }

    fn hear(&mut self, at: Moment, event: &Event<'_>) -> io::Result<()> {
        let Event::Read { stage, reading } = *event else { return Ok(()) };
        let seconds = seconds(at.time);
        let folder = self.folder.join(stage).join(file_name(reading.training));
        let file = match self.files.get_mut(&folder) {
            Some(file) => file,
            None => {
                let mut file = begin(&folder, seconds)?;
                let step = reading.step as u64;
                file.write_all(&[record(&version(seconds)), record(&session_start(seconds, step))].concat())?;
                self.files.entry(folder).or_insert(file)
            }
        };
        file.write_all(&record(&scalars(seconds, reading.step as u64, &values(reading))))
    }
}

/// Opens a file that is not there yet; its name is what TensorBoard looks for.
fn begin(folder: &Path, seconds: f64) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    let process = std::process::id();
    let mut number = 0;
    loop {
        let name = format!("events.out.tfevents.{:010}.tilepress.{process}.{number}", seconds as u64);
        match OpenOptions::new().write(true).create_new(true).open(folder.join(name)) {
            Err(why) if why.kind() == ErrorKind::AlreadyExists => number += 1,
            other => return other,
        }
    }
}

/// A training's name as that of a folder, on any system.
fn file_name(training: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    training.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect()
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// The numbers of a reading, by the names that TensorBoard shows.
fn values(reading: &Reading<'_>) -> Vec<(&'static str, f64)> {
    let all = [
        ("loss", reading.loss),
        ("learning_rate", Some(reading.learning_rate)),
        ("epoch", Some(reading.epoch as f64)),
        ("images_per_second", reading.images_per_second),
        ("waiting", reading.waiting),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// An event as a record of the file.
fn record(event: &[u8]) -> Vec<u8> {
    let length = (event.len() as u64).to_le_bytes();
    [&length[..], &masked(&length).to_le_bytes(), event, &masked(event).to_le_bytes()].concat()
}

/// `Event { wall_time = 1, file_version = 3 }`: the first of a file.
fn version(seconds: f64) -> Vec<u8> {
    let mut event = double(1, seconds);
    event.extend(bytes(3, b"brain.Event:2"));
    event
}

/// `Event { wall_time = 1, step = 2, session_log = 7 { status = 1 } }`, where the status 1 is `START`: of what earlier files have,
/// only the steps before this one count.
fn session_start(seconds: f64, step: u64) -> Vec<u8> {
    let mut event = double(1, seconds);
    event.extend(integer(2, step));
    event.extend(bytes(7, &integer(1, 1)));
    event
}

/// `Event { wall_time = 1, step = 2, summary = 5 { value = 1 { tag = 1, simple_value = 2 } … } }`.
fn scalars(seconds: f64, step: u64, values: &[(&str, f64)]) -> Vec<u8> {
    let value = |&(tag, number): &(&str, f64)| {
        let mut value = bytes(1, tag.as_bytes());
        value.extend(float(2, number as f32));
        bytes(1, &value)
    };
    let summary: Vec<u8> = values.iter().flat_map(value).collect();
    let mut event = double(1, seconds);
    event.extend(integer(2, step));
    event.extend(bytes(5, &summary));
    event
}

// The fields of protocol buffers: a number and a kind, and the value.

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn integer(field: u8, value: u64) -> Vec<u8> {
    [&[field << 3][..], &varint(value)].concat()
}

fn double(field: u8, value: f64) -> Vec<u8> {
    [&[field << 3 | 1][..], &value.to_le_bytes()].concat()
}

fn bytes(field: u8, value: &[u8]) -> Vec<u8> {
    [&[field << 3 | 2][..], &varint(value.len() as u64), value].concat()
}

fn float(field: u8, value: f32) -> Vec<u8> {
    [&[field << 3 | 5][..], &value.to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Written by the Python package `tensorboard`: see tests/golden/tensorboard_events.py.
    const GOLDEN: &[u8] = include_bytes!("../../../tests/golden/tensorboard.tfevents");

    #[test]
    fn a_file_has_the_bytes_that_tensorboards_own_writer_gives() {
        let folder = tempfile::tempdir().unwrap();
        let mut board = TensorBoard::new(folder.path()).unwrap();
        for (step, loss, waiting) in
            [(16, Some(2.25), None), (300, Some(0.1), Some(0.0)), (70_000, None, Some(0.5))]
        {
            let reading = Reading {
                training: "pca:0",
                epoch: step / 10 + 1,
                step,
                steps: 100_000,
                loss,
                learning_rate: 0.001,
                images_per_second: Some(1234.5),
                waiting,
            };
            let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250 + step as u64);
            let at = Moment { time, memory: None };
            board.hear(at, &Event::Read { stage: "train", reading: &reading }).unwrap();
        }
        let made: Vec<_> = fs::read_dir(folder.path().join("train/pca_0")).unwrap().collect();
        assert_eq!(made.len(), 1);
        let path = made[0].as_ref().unwrap().path();
        assert!(path.file_name().unwrap().to_str().unwrap().starts_with("events.out.tfevents.1700000000."));
        assert_eq!(fs::read(path).unwrap(), GOLDEN);
    }

    #[test]
    fn every_process_has_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        for expected in 1..=3 {
            begin(folder.path(), 5.0).unwrap();
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), expected);
        }
    }
}
