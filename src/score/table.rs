//! The score table: one row a sample. [`ScoreTable::write_csv`] has its form as `scores.csv`.

use std::ops::Range;

use super::window::window_text;
use super::{Metric, ScoreError, TrainingLog, find_all, keys, path_places};
use crate::data::{ClassMap, ContentHash, Sample};
use crate::random::Purpose;

/// The scores of a data set; as a file `scores.csv`.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreTable {
    /// Quantity that every [`value`](ScoreRow::value) measures.
    pub metric: Metric,
    /// Epochs that each value covers, counted from 0; empty where a table does not tell.
    pub window: Range<u32>,
    /// Number of proxies whose answers were averaged.
    pub runs: u32,
    /// One row for each sample. [`ScoreTable::from_log`] keeps the order of the samples.
    pub rows: Vec<ScoreRow>,
}

/// One row of a score table: a sample with its score.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreRow {
    /// Path relative to the data folder.
    pub path: String,
    /// Name of the class folder; empty where a table made elsewhere does not tell.
    pub class: String,
    /// Hash of the file that was scored.
    pub hash: Option<ContentHash>,
    /// EL2N in each epoch.
    pub epochs: Vec<f32>,
    /// Score in the table's metric over its window. Lower is easier.
    pub value: f64,
    /// Place in the class, 0 is the easiest.
    pub rank: u32,
    /// Mean probability margin over all epochs, in `[-1, 1]`.
    pub aum: Option<f64>,
    /// Share of epochs that predicted the label, in `[0, 1]`.
    pub correct: Option<f64>,
}

impl ScoreTable {
    /// The table of a complete log; sample `i` of the log is `samples[i]`, and so is row `i`.
    ///
    /// Equal scores of a class are ordered at random by `seed`, whatever the order of the samples.
    ///
    /// # Errors
    /// [`ScoreError::Window`] for an empty window or one beyond the log, [`ScoreError::OutOfRange`]
    /// when the log has not as many samples, [`ScoreError::Incomplete`].
    pub fn from_log(
        log: &TrainingLog,
        samples: &[Sample],
        classes: &ClassMap,
        window: Range<u32>,
        seed: u64,
    ) -> Result<Self, ScoreError> {
        if log.samples() as usize != samples.len() {
            return Err(ScoreError::OutOfRange {
                epochs: log.epochs(),
                samples: log.samples() as usize,
                what: format!("a folder of {} images", samples.len()),
            });
        }
        if window.is_empty() || window.end > log.epochs() {
            return Err(ScoreError::Window { given: window_text(&window), epochs: log.epochs() });
        }
        log.check_complete(0..log.epochs())?;
        let rows = crate::parallel::map(samples, |i, sample| {
            let (i, all) = (i as u32, 0..log.epochs());
            ScoreRow {
                path: sample.path.clone(),
                class: classes.name(sample.class).to_owned(),
                hash: Some(sample.hash),
                epochs: log.el2n(i).collect(),
                value: log.el2n_sum(i, window.clone()),
                rank: 0,
                aum: Some(log.mean_margin(i, all.clone())),
                correct: Some(log.correct_share(i, all)),
            }
        });
        let mut table = Self { metric: Metric::El2n, window, runs: log.runs(), rows };
        table.assign_ranks(seed);
        Ok(table)
    }

    /// Ranks every row in its class by score, then by a key seeded with `seed`, then by path.
    pub(super) fn assign_ranks(&mut self, seed: u64) {
        let places = path_places(self.rows.iter().map(|row| row.path.as_str()));
        let keys = keys(seed, Purpose::Tie, &places);
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by(|&a, &b| {
            let (x, y) = (&self.rows[a], &self.rows[b]);
            x.class
                .cmp(&y.class)
                .then(x.value.total_cmp(&y.value))
                .then(keys[a].cmp(&keys[b]))
                .then(places[a].cmp(&places[b]))
        });
        let mut rank = 0;
        for i in 0..order.len() {
            let new_class = i > 0 && self.rows[order[i]].class != self.rows[order[i - 1]].class;
            rank = if new_class || i == 0 { 0 } else { rank + 1 };
            self.rows[order[i]].rank = rank;
        }
    }

    /// `true` where the ranks are 0, 1, 2, … in each class, in the order of the scores.
    pub(super) fn ranks_fit(&self) -> bool {
        let mut order: Vec<&ScoreRow> = self.rows.iter().collect();
        order.sort_by(|a, b| a.class.cmp(&b.class).then(a.rank.cmp(&b.rank)));
        order.first().is_none_or(|row| row.rank == 0)
            && order.windows(2).all(|pair| {
                let (a, b) = (pair[0], pair[1]);
                if a.class == b.class {
                    b.rank == a.rank.wrapping_add(1) && a.value <= b.value
                } else {
                    b.rank == 0
                }
            })
    }

    /// The score of every sample, in the order of `samples`, found by path (a leading `./` or `train/`
    /// may be missing on either side). Rows of other images are ignored.
    ///
    /// # Errors
    /// [`ScoreError::Missing`] when samples have no row, [`ScoreError::Class`] when table and folder
    /// disagree about a class, [`ScoreError::Changed`] when a file's hash is another than the one
    /// scored. A row that tells no class or hash is not checked for it.
    pub fn join(&self, samples: &[Sample], classes: &ClassMap) -> Result<Vec<f64>, ScoreError> {
        let theirs: Vec<&str> = self.rows.iter().map(|row| row.path.as_str()).collect();
        let ours: Vec<&str> = samples.iter().map(|sample| sample.path.as_str()).collect();
        let found = find_all(&theirs, &ours);
        let mut scores = Vec::with_capacity(samples.len());
        let mut missing: Vec<&Sample> = Vec::new();
        let mut other_class: Vec<(&Sample, &ScoreRow)> = Vec::new();
        let mut changed: Vec<&Sample> = Vec::new();
        for (sample, found) in samples.iter().zip(found) {
            let Some(at) = found else {
                missing.push(sample);
                continue;
            };
            let row = &self.rows[at];
            if !row.class.is_empty() && row.class != classes.name(sample.class) {
                other_class.push((sample, row));
            }
            if row.hash.is_some_and(|hash| hash != sample.hash) {
                changed.push(sample);
            }
            scores.push(row.value);
        }
        if !missing.is_empty() {
            return Err(ScoreError::Missing {
                missing: missing.len(),
                samples: samples.len(),
                first: missing.iter().take(3).map(|sample| sample.path.clone()).collect(),
                table: self.rows.first().map_or_else(String::new, |row| row.path.clone()),
            });
        }
        if let Some((sample, row)) = other_class.first() {
            return Err(ScoreError::Class {
                count: other_class.len(),
                path: sample.path.clone(),
                table: row.class.clone(),
                folder: classes.name(sample.class).to_owned(),
            });
        }
        if let Some(sample) = changed.first() {
            return Err(ScoreError::Changed { count: changed.len(), path: sample.path.clone() });
        }
        Ok(scores)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::random::Stream;
    use crate::score::Dynamics;

    /// `per_class` samples of each class, class by class.
    pub(in crate::score) fn folder(names: &[&str], per_class: u32) -> (Vec<Sample>, ClassMap) {
        let classes = ClassMap::new(names.iter().map(|&name| name.to_owned()));
        let samples = (0..classes.len() as u32)
            .flat_map(|class| (0..per_class).map(move |i| (class, i)))
            .map(|(class, i)| {
                let path = format!("train/{}/{i:03}.png", classes.name(class));
                Sample { hash: ContentHash::of(path.as_bytes()), path, class }
            })
            .collect();
        (samples, classes)
    }

    /// A full log; `level(sample)` is the logit of the label.
    pub(in crate::score) fn log_of(
        epochs: u32,
        samples: &[Sample],
        level: impl Fn(usize) -> f32,
    ) -> TrainingLog {
        let mut log = TrainingLog::new(epochs, samples.len() as u32);
        for epoch in 0..epochs {
            for (i, sample) in samples.iter().enumerate() {
                let mut logits = [0.0, 0.1, -0.2, 0.3];
                logits[sample.class as usize] += level(i) * (epoch + 1) as f32;
                let d = Dynamics::from_logits(&logits, sample.class);
                log.record(epoch, &[i as u32], &[d]).expect("a valid record");
            }
        }
        log
    }

    pub(in crate::score) fn random_table(
        per_class: u32,
        window: Range<u32>,
    ) -> (ScoreTable, Vec<Sample>, ClassMap) {
        let (samples, classes) = folder(&["ant", "bee, \"honey\"", "cat"], per_class);
        let log = log_of(4, &samples, |i| Stream::new(5, Purpose::Test, 0, i as u64).range(-2.0, 3.0) as f32);
        let table = ScoreTable::from_log(&log, &samples, &classes, window, 1).expect("a complete log");
        (table, samples, classes)
    }

    #[test]
    fn the_score_is_the_sum_over_the_window_and_the_rank_its_order_in_the_class() {
        let (table, samples, _) = random_table(20, 1..3);
        for (row, sample) in table.rows.iter().zip(&samples) {
            assert_eq!((&row.path, row.hash), (&sample.path, Some(sample.hash)));
            assert_eq!(row.value, f64::from(row.epochs[1]) + f64::from(row.epochs[2]));
            let below = table.rows.iter().filter(|r| r.class == row.class && r.value < row.value).count();
            assert_eq!(row.rank as usize, below);
            let correct = row.correct.expect("from a log");
            assert_eq!(correct > 0.0, row.aum.expect("from a log") > 0.0, "here all epochs agree in sign");
        }
        assert!(table.ranks_fit());
    }

    #[test]
    fn equal_scores_are_ranked_by_the_seed_and_not_by_the_order_of_the_samples() {
        let (samples, classes) = folder(&["a", "b"], 30);
        let ranks = |samples: &[Sample], seed| {
            let log = log_of(2, samples, |_| 1.0);
            let table = ScoreTable::from_log(&log, samples, &classes, 0..2, seed).expect("a complete log");
            let mut ranks = Vec::from_iter(table.rows.into_iter().map(|row| (row.path, row.rank)));
            ranks.sort();
            ranks
        };
        let reversed = Vec::from_iter(samples.iter().rev().cloned());
        assert_eq!(ranks(&samples, 1), ranks(&reversed, 1));
        assert_ne!(ranks(&samples, 1), ranks(&samples, 2));
        let in_path_order = ranks(&samples, 1).iter().take(30).enumerate().all(|(i, r)| i as u32 == r.1);
        assert!(!in_path_order);
    }

    #[test]
    fn a_log_of_other_samples_or_a_window_beyond_it_is_refused() {
        let (samples, classes) = folder(&["a", "b"], 3);
        let log = log_of(2, &samples, |_| 1.0);
        let table = |samples: &[Sample], window| ScoreTable::from_log(&log, samples, &classes, window, 1);
        assert!(matches!(table(&samples[1..], 0..2), Err(ScoreError::OutOfRange { .. })));
        assert!(matches!(table(&samples, 1..1), Err(ScoreError::Window { .. })));
        let error = table(&samples, 1..3).expect_err("there are two epochs");
        assert!(error.to_string().starts_with("`window` 2..3 does not lie in the 2 epochs"), "{error}");
        let empty = TrainingLog::new(2, 6);
        assert!(ScoreTable::from_log(&empty, &samples, &classes, 0..1, 1).is_err());
    }

    #[test]
    fn scores_are_joined_by_path_in_the_order_of_the_samples() {
        let (mut table, mut samples, classes) = random_table(4, 0..4);
        let expected = Vec::from_iter(table.rows.iter().rev().map(|row| row.value));
        samples.reverse();
        assert_eq!(table.join(&samples, &classes).expect("all are there"), expected);

        for row in &mut table.rows {
            row.path = format!("./{}", row.path.strip_prefix("train/").expect("the prefix of `folder`"));
        }
        assert_eq!(table.join(&samples, &classes).expect("prefixes do not matter"), expected);
        for sample in &mut samples {
            sample.path = sample.path.replace("train/", "");
        }
        for row in &mut table.rows {
            row.path = row.path.replace("./", "train/");
        }
        assert_eq!(table.join(&samples, &classes).expect("prefixes do not matter"), expected);
    }

    #[test]
    fn a_table_of_other_images_is_refused_with_numbers_and_names() {
        let (table, samples, classes) = random_table(4, 0..4);
        let mut other = samples.clone();
        for sample in &mut other[2..7] {
            sample.path.push('x');
        }
        let message = table.join(&other, &classes).expect_err("five are missing").to_string();
        assert!(message.contains("lacks 5 of 12"), "{message}");
        assert!(message.contains("train/ant/002.pngx, train/ant/003.pngx"), "{message}");

        let mut other = samples.clone();
        other[1].class = 2;
        let message = table.join(&other, &classes).expect_err("a class differs").to_string();
        assert!(message.contains("train/ant/001.png ('ant' in the table, 'cat' in the folder)"), "{message}");

        let mut other = samples.clone();
        other[3].hash = ContentHash::of(b"new");
        let message = table.join(&other, &classes).expect_err("a file changed").to_string();
        assert!(message.contains("1 images") && message.contains("train/ant/003.png"), "{message}");
    }
}
