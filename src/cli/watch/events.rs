//! `events.jsonl` in the output folder: what a run says while it goes on, one JSON object a line.
//!
//! Lines are appended, also by the process that goes on with the run after a kill. Each is written by one call, so a kill can
//! only leave the last line unfinished, and the next process removes that before it writes its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::event::{Event, Listener, Moment};
use crate::pipeline::claim::EVENTS;

/// The beginning of every line, by which a file of ours is told from any other.
const BEGINNING: &[u8] = b"{\"time\":\"";
/// Lines that are put aside at most until the output is the run's own.
const MOST_ASIDE: usize = 10_000;

/// The file of events.
pub(in crate::cli) struct Events {
    path: PathBuf,
    /// The file and its length, once the output is the run's own.
    file: Option<(File, u64)>,
    /// Lines that came before that.
    aside: Vec<String>,
}

impl Events {
    /// The events of a run of `command` with its output in the folder `out`.
    pub(in crate::cli) fn new(out: &Path, command: &'static str) -> Self {
        let about = json!({ "command": command, "version": env!("CARGO_PKG_VERSION") });
        let mut events = Self { path: out.join(EVENTS), file: None, aside: Vec::new() };
        events.aside.push(line(Moment::now(), "start", about));
        events
    }

    /// Opens the file, new or at the end of what earlier processes wrote.
    fn open(&self) -> io::Result<(File, u64)> {
        match self.path.symlink_metadata() {
            Ok(about) if !about.is_file() => return Err(io::Error::other("it is a link or no file")),
            _ => {}
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&self.path)?;
        let mut beginning = Vec::new();
        Read::by_ref(&mut file).take(BEGINNING.len() as u64).read_to_end(&mut beginning)?;
        if !BEGINNING.starts_with(&beginning) {
            return Err(io::Error::other("another program wrote it; move it to another folder"));
        }
        let length = end_of_last_line(&mut file)?;
        file.set_len(length)?;
        Ok((file, length))
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let Some((file, length)) = &mut self.file else { return Ok(()) };
        if let Err(why) = file.write_all(text.as_bytes()) {
            // On a full disk a part of it may have been written.
            file.set_len(*length).ok();
            return Err(why);
        }
        *length += text.len() as u64;
        Ok(())
    }
}

/// The place behind the last line break of a file; what is behind it was cut off by a kill.
fn end_of_last_line(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = [0; 4096];
    while end > 0 {
        let begin = end.saturating_sub(block.len() as u64);
        let part = &mut block[..(end - begin) as usize];
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(part)?;
        if let Some(place) = part.iter().rposition(|&byte| byte == b'\n') {
            return Ok(begin + place as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

impl Listener for Events {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn hear(&mut self, at: Moment, event: &Event<'_>) -> io::Result<()> {
        if matches!(event, Event::Began) {
            if self.file.is_none() {
                self.file = Some(self.open()?);
                let aside = std::mem::take(&mut self.aside).concat();
                self.write(&aside)?;
            }
            return Ok(());
        }
        let text = written(at, event);
        match &self.file {
            Some(_) => self.write(&text)?,
            None if self.aside.len() < MOST_ASIDE => self.aside.push(text),
            None => {}
        }
        if let (Event::Ended { .. }, Some((file, _))) = (event, &self.file) {
            file.sync_all()?;
        }
        Ok(())
    }
}

/// An event as a line.
fn written(at: Moment, event: &Event<'_>) -> String {
    let (name, fields) = match *event {
        Event::Began => ("began", json!({})),
        Event::Said(text) => ("message", json!({ "text": text })),
        Event::Warned(text) => ("warning", json!({ "text": text })),
        Event::StageBegan { stage, unit, total } => {
            ("stage", json!({ "stage": stage, "unit": unit, "total": total }))
        }
        Event::Progress { stage, unit, done, total } => {
            ("progress", json!({ "stage": stage, "unit": unit, "done": done, "total": total }))
        }
        Event::StageEnded { stage, unit, done, total, seconds } => (
            "stage_end",
            json!({ "stage": stage, "unit": unit, "done": done, "total": total, "seconds": rounded(Some(seconds)) }),
        ),
        Event::Read { stage, reading } => (
            "step",
            json!({
                "stage": stage,
                "run": reading.training,
                "epoch": reading.epoch,
                "step": reading.step,
                "steps": reading.steps,
                "loss": reading.loss,
                "learning_rate": reading.learning_rate,
                "images_per_second": rounded(reading.images_per_second),
                "waiting": rounded(reading.waiting),
                "memory": at.memory,
            }),
        ),
        Event::Saved { stage, training, step } => {
            ("checkpoint", json!({ "stage": stage, "run": training, "step": step }))
        }
        Event::Ended { how, why } => ("end", json!({ "how": how, "why": why })),
    };
    line(at, name, fields)
}

/// A measured number to a thousandth.
fn rounded(number: Option<f64>) -> Option<f64> {
    number.map(|number| (1000.0 * number).round() / 1000.0)
}

/// A line of a time, the name of an event and its fields.
fn line(at: Moment, event: &str, fields: Value) -> String {
    let time = jiff::Timestamp::try_from(at.time).unwrap_or_default();
    // The time comes first, so that files of several runs can be merged by `sort`.
    let mut text = format!("{{\"time\":\"{time:.3}\",\"event\":\"{event}\"");
    for (name, value) in fields.as_object().into_iter().flatten() {
        text.push_str(&format!(",\"{name}\":{value}"));
    }
    text + "}\n"
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::run::Reading;

    const AT: Moment = Moment { time: SystemTime::UNIX_EPOCH, memory: Some(5000) };

    fn lines(folder: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(folder.join(EVENTS)).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{line}: {why}")))
            .collect()
    }

    fn begun(folder: &Path) -> Events {
        let mut events = Events::new(folder, "score");
        events.hear(AT, &Event::Began).unwrap();
        events
    }

    #[test]
    fn a_step_has_all_its_fields_and_the_time_comes_first() {
        let reading = Reading {
            training: "pca-0",
            epoch: 2,
            step: 32,
            steps: 600,
            loss: Some(1.25),
            learning_rate: 0.001,
            images_per_second: Some(812.34567),
            waiting: None,
        };
        let at = Moment { time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_500), ..AT };
        let line = written(at, &Event::Read { stage: "train", reading: &reading });
        assert!(line.starts_with("{\"time\":\"1970-01-01T00:00:01.500Z\",\"event\":\"step\","), "{line}");
        let expected = json!({
            "time": "1970-01-01T00:00:01.500Z", "event": "step", "stage": "train", "run": "pca-0", "epoch": 2, "step": 32,
            "steps": 600, "loss": 1.25, "learning_rate": 0.001, "images_per_second": 812.346, "waiting": null, "memory": 5000,
        });
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
    }

    #[test]
    fn nothing_is_written_before_the_output_is_the_runs_own_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let mut events = Events::new(folder.path(), "score");
        events.hear(AT, &Event::Said("a\nb \"c\"")).unwrap();
        assert!(!folder.path().join(EVENTS).exists());
        events.hear(AT, &Event::Began).unwrap();
        events.hear(AT, &Event::Ended { how: "done", why: None }).unwrap();
        let lines = lines(folder.path());
        assert_eq!(lines.iter().map(|line| &line["event"]).collect::<Vec<_>>(), ["start", "message", "end"]);
        assert_eq!((&lines[0]["command"], &lines[1]["text"]), (&json!("score"), &json!("a\nb \"c\"")));
    }

    #[test]
    fn a_line_that_was_cut_off_at_any_byte_is_removed_and_all_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(EVENTS);
        // Longer than a block that is read back.
        let long = "x".repeat(5000);
        begun(folder.path()).hear(AT, &Event::Said(&long)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let first = whole.iter().position(|&byte| byte == b'\n').unwrap() + 1;
        for cut in (0..whole.len()).step_by(7).chain([1, 8, 9, first, first + 1, whole.len()]) {
            std::fs::write(&path, &whole[..cut]).unwrap();
            begun(folder.path()).hear(AT, &Event::Said("next")).unwrap();
            let lines = lines(folder.path());
            let kept = whole[..cut].iter().filter(|&&byte| byte == b'\n').count();
            assert_eq!(lines.len(), kept + 2, "cut at {cut}");
            assert_eq!(lines.last().unwrap()["text"], "next");
        }
    }

    #[test]
    fn a_file_of_somebody_else_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(EVENTS);
        std::fs::write(&path, "{\"mine\": 1}").unwrap();
        let error = Events::new(folder.path(), "score").hear(AT, &Event::Began).unwrap_err();
        assert!(error.to_string().contains("another program"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"{\"mine\": 1}");
        #[cfg(unix)]
        {
            std::fs::rename(&path, folder.path().join("mine")).unwrap();
            std::fs::write(folder.path().join("mine"), "").unwrap();
            std::os::unix::fs::symlink(folder.path().join("mine"), &path).unwrap();
            Events::new(folder.path(), "score").hear(AT, &Event::Began).unwrap_err();
            assert_eq!(std::fs::read(folder.path().join("mine")).unwrap(), b"");
        }
    }
}
