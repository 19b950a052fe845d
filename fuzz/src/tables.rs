//! Lists of paths, CSV tables and training logs.

use std::collections::BTreeSet;

use tilepress::data::{ClassMap, ContentHash, Folder, Sample};
use tilepress::prune::{Pick, Selection};
use tilepress::score::{Dynamics, Metric, ScoreRow, ScoreTable, SuspectRule, TrainingLog};

use super::bytes::Bytes;

/// A tree is read alike in any order of its files, takes no file twice, and makes up none.
pub(crate) fn folder(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let paths = || text.split('\n').map(str::to_owned);
    let read = Folder::from_paths(paths());
    let reversed = Folder::from_paths(paths().rev());
    match (read, reversed) {
        (Ok(folder), Ok(reversed)) => {
            assert_eq!(folder, reversed, "the order of the files matters");
            let there: BTreeSet<String> = paths().collect();
            let count = |folder: &Folder| folder.train.len() + folder.val.as_ref().map_or(0, Vec::len);
            let taken = |folder: &Folder| -> BTreeSet<String> {
                let images = folder.train.iter().chain(folder.val.iter().flatten());
                images.map(|entry| entry.path.clone()).collect()
            };
            assert!(taken(&folder).is_subset(&there), "an image that is not there");
            assert_eq!(taken(&folder).len(), count(&folder), "an image taken twice");
            let classes = folder.classes.len() as u32;
            assert!(
                folder.train.iter().chain(folder.val.iter().flatten()).all(|entry| entry.class < classes)
            );
            let held_out = folder.clone().hold_out(0.2, 1);
            assert_eq!(taken(&held_out), taken(&folder), "holding out loses or invents images");
            assert_eq!(count(&held_out), count(&folder), "an image on both sides");
        }
        (Err(one), Err(other)) => {
            assert_eq!(one.to_string(), other.to_string(), "the order of the files matters");
        }
        (one, other) => panic!("the order of the files matters: {one:?} and {other:?}"),
    }
}

/// A table that can be read is written and read back as it is, and joins with the images that it names.
pub(crate) fn scores(bytes: &[u8]) {
    let Ok(table) = ScoreTable::read_csv(bytes) else { return };
    assert_reads_back(&table);
    let classes = ClassMap::new(table.rows.iter().map(|row| row.class.clone()));
    let sample = |row: &ScoreRow| Sample {
        path: row.path.clone(),
        class: classes.names().iter().position(|name| *name == row.class).expect("a class of the table")
            as u32,
        hash: row.hash.unwrap_or(ContentHash::of(b"")),
    };
    let samples: Vec<Sample> = table.rows.iter().map(sample).collect();
    if let Ok(values) = table.join(&samples, &classes) {
        assert!(values.iter().zip(&table.rows).all(|(value, row)| value.to_bits() == row.value.to_bits()));
    }
}

fn assert_reads_back(table: &ScoreTable) {
    let mut written = Vec::new();
    table.write_csv(&mut written).expect("memory takes every byte");
    let read = ScoreTable::read_csv(written.as_slice()).expect("its own table");
    assert_eq!(&read.rows, &table.rows, "rows");
    if !table.rows.is_empty() {
        assert_eq!(&read, table, "metric, window and runs");
    }
}

/// A selection that can be read joins with the images that it names, and is written and read back as the same selection.
pub(crate) fn selection(bytes: &[u8]) {
    let Ok(rows) = Selection::read_csv(bytes) else { return };
    let classes = ClassMap::new(rows.iter().map(|row| row.class.clone().unwrap_or_default()));
    let mut samples: Vec<Sample> = Vec::new();
    for row in &rows {
        let name = row.class.clone().unwrap_or_default();
        let class =
            classes.names().iter().position(|other| *other == name).expect("a class of the table") as u32;
        if !samples.iter().any(|sample| sample.path == row.path) {
            let hash = row.hash.unwrap_or(ContentHash::of(b""));
            samples.push(Sample { path: row.path.clone(), class, hash });
        }
    }
    let Ok(selection) = Selection::join(&rows, &samples, &classes) else { return };
    assert_eq!(selection.picks.len(), rows.len(), "a pick for each row");
    assert_selection_reads_back(&selection, &samples, &classes);
}

fn assert_selection_reads_back(selection: &Selection, samples: &[Sample], classes: &ClassMap) {
    let mut written = Vec::new();
    selection.write_csv(samples, classes, &mut written).expect("memory takes every byte");
    let rows = Selection::read_csv(written.as_slice()).expect("its own table");
    assert_eq!(&Selection::join(&rows, samples, classes).expect("its own images"), selection);
}

/// Tables of any names and numbers come back as they were: what a folder may be called, a table can hold.
pub(crate) fn writers(bytes: &[u8]) {
    let mut input = Bytes(bytes);
    let epochs = usize::from(input.u8() % 4);
    let mut samples: Vec<Sample> = Vec::new();
    let mut table =
        ScoreTable { metric: Metric::El2n, window: 0..epochs as u32, runs: input.u32(), rows: Vec::new() };
    let (mut paths, mut names) = (BTreeSet::new(), Vec::new());
    while !input.is_empty() && names.len() < 50 {
        let (class, path) = (input.text(), input.text());
        let finite = |value: f64| if value.is_finite() { value } else { 0.5 };
        let row = ScoreRow {
            hash: (input.u8() & 1 == 0).then(|| ContentHash::of(path.as_bytes())),
            epochs: (0..epochs)
                .map(|_| input.f32())
                .map(|value| if value.is_finite() { value } else { 0.5 })
                .collect(),
            value: finite(input.f64()),
            // Each class has one row, so that the ranks fit.
            rank: 0,
            aum: (input.u8() & 1 == 0).then_some(0.25),
            correct: None,
            path: path.clone(),
            class: class.clone(),
        };
        if path.is_empty() || names.contains(&class) || !paths.insert(path.clone()) {
            continue;
        }
        names.push(class);
        table.rows.push(row);
        samples.push(Sample { hash: ContentHash::of(path.as_bytes()), path, class: 0 });
    }
    assert_reads_back(&table);

    let classes = ClassMap::new(names.iter().cloned());
    let mut picks = Vec::new();
    for (at, (sample, name)) in samples.iter_mut().zip(&names).enumerate() {
        sample.class = classes.names().iter().position(|other| other == name).expect("its class") as u32;
        let score = Some(table.rows[at].value);
        picks.push(Pick { sample: at as u32, class: sample.class, rank: 0, score, repeat: 0 });
    }
    picks.sort_by_key(|pick| pick.class);
    let selection = Selection { picks };
    // Paths that differ in nothing but a leading `./` or `train/` name one image; such a selection is refused, not mixed up.
    let mut written = Vec::new();
    selection.write_csv(&samples, &classes, &mut written).expect("memory takes every byte");
    let rows = Selection::read_csv(written.as_slice()).expect("its own table");
    for (row, pick) in rows.iter().zip(&selection.picks) {
        let sample = &samples[pick.sample as usize];
        assert_eq!((&row.path, row.hash), (&sample.path, Some(sample.hash)));
        assert_eq!(row.class.as_deref().unwrap_or_default(), classes.name(pick.class));
        assert_eq!(row.score.map(f64::to_bits), pick.score.map(f64::to_bits));
    }
    assert_eq!(rows.len(), selection.picks.len());
}

/// Bytes are refused or are a log that comes back bit for bit and can be asked everything; so is any log that was recorded.
pub(crate) fn training_log(bytes: &[u8]) {
    if let Ok(log) = TrainingLog::from_bytes(bytes) {
        assert_log(&log);
    }
    let mut input = Bytes(bytes);
    let (epochs, samples) = (u32::from(input.u8() % 6), u32::from(input.u8() % 9));
    let mut log = TrainingLog::new(epochs, samples);
    while !input.is_empty() {
        let (epoch, sample) = (u32::from(input.u8() % 8), u32::from(input.u8() % 10));
        let dynamics = Dynamics {
            p_label: input.f32(),
            p_other: input.f32(),
            el2n: input.f32(),
            entropy: input.f32(),
            loss: 0.0,
            correct: input.u8() & 1 == 1,
        };
        let recorded = log.record(epoch, &[sample], &[dynamics]).is_ok();
        assert!(!recorded || epoch < epochs && sample < samples, "recorded outside of the log");
    }
    assert_log(&log);
}

fn assert_log(log: &TrainingLog) {
    let bytes = log.to_bytes();
    let back = TrainingLog::from_bytes(&bytes).expect("its own bytes");
    assert!(back.to_bytes() == bytes, "other bytes than before");
    let (epochs, samples) = (log.epochs(), log.samples());
    for sample in 0..samples.min(100) {
        let _ = (
            log.el2n_sum(sample, 0..epochs),
            log.mean_margin(sample, 0..epochs),
            log.correct_share(sample, 0..epochs),
        );
    }
    let complete = log.check_complete(0..epochs).is_ok();
    assert_eq!(SuspectRule::default().find(log).is_ok(), complete, "suspects of a log that lacks samples");
    assert!(TrainingLog::average(&[log.clone(), back]).is_ok() || !complete || epochs == 0 || samples == 0);
}
