//! The scores of a dataset, wherever they were made.

use std::io::BufRead;

use super::{Dataset, PipelineError};
use crate::report::{Histogram, Scoring, Spending};
use crate::score::{ScoreError, ScoreTable, Suspect, SuspectRule, TrainingLog, parse_window};

/// The scores of a dataset, and further results from the proxies' logs.
#[derive(Clone)]
pub struct Scored {
    /// A score for every image.
    pub table: ScoreTable,
    /// Images whose label may be wrong.
    pub suspects: Vec<Suspect>,
    /// Part of the report about scoring.
    pub report: Scoring,
    /// The training log in its saved form, where proxies were trained.
    pub log: Option<Vec<u8>>,
    /// Where the proxies' time went, where they were trained in this run.
    pub spending: Option<Spending>,
}

impl Scored {
    /// A score table from a CSV file, which may have been made elsewhere.
    ///
    /// # Errors
    /// [`ScoreError`], which names line and column.
    pub fn read_csv(input: impl BufRead) -> Result<Self, ScoreError> {
        let table = ScoreTable::read_csv(input)?;
        let report = Scoring { metric: table.metric, histogram: histogram(&table), ..Scoring::default() };
        Ok(Self { table, suspects: Vec::new(), report, log: None, spending: None })
    }

    /// Adds the results from the log of the earlier run that made this table.
    ///
    /// # Errors
    /// [`ScoreError`] for bytes that are not a log, or for an incomplete log.
    pub fn with_log(mut self, bytes: &[u8]) -> Result<Self, ScoreError> {
        let log = TrainingLog::from_bytes(bytes)?;
        if log.samples() as usize != self.table.rows.len() {
            return Err(ScoreError::OutOfRange {
                epochs: log.epochs(),
                samples: log.samples() as usize,
                what: format!("a score table of {} images", self.table.rows.len()),
            });
        }
        self.suspects = SuspectRule::default().find(&log)?;
        self.report.epochs = log.epochs();
        self.report.runs = log.runs();
        self.report.proxy_accuracy = accuracies(&log);
        Ok(self)
    }

    /// The scores from the logs of one or several proxies: EL2N summed over a `window` of epochs, written `A..B`, or over all.
    ///
    /// # Errors
    /// [`PipelineError::Usage`] for an invalid window, [`ScoreError`] for logs that do not fit the data.
    pub fn from_logs(
        data: &Dataset,
        window: Option<&str>,
        logs: &[TrainingLog],
        seed: u64,
        seconds: f64,
    ) -> Result<Self, PipelineError> {
        let log = TrainingLog::average(logs)?;
        let window = match window {
            Some(text) => {
                parse_window(text).map_err(|why| PipelineError::Usage(format!("`window`: {why}")))?
            }
            None => 0..log.epochs(),
        };
        let table = ScoreTable::from_log(&log, &data.train.samples, &data.classes, window, seed)?;
        let suspects = SuspectRule::default().find(&log)?;
        let report = Scoring {
            seconds,
            epochs: log.epochs(),
            runs: log.runs(),
            proxy_accuracy: accuracies(&log),
            metric: table.metric,
            histogram: histogram(&table),
        };
        Ok(Self { table, suspects, report, log: Some(log.to_bytes()), spending: None })
    }
}

fn accuracies(log: &TrainingLog) -> Vec<f64> {
    (0..log.epochs()).map(|epoch| 100.0 * log.accuracy(epoch)).collect()
}

fn histogram(table: &ScoreTable) -> Option<Histogram> {
    const BINS: usize = 40;
    let scores: Vec<f64> = table.rows.iter().map(|row| row.value).collect();
    Histogram::of(&scores, BINS)
}
