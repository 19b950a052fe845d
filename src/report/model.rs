//! The shape of `report.json`. Others script against it: fields are added; one that gets another name is still read under
//! the old one.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use super::{
    Gallery,
    result::{self, MethodResult},
};
use crate::evaluate::verdict::Comparison;
use crate::score::Metric;

/// All measurements of a command. Fields of stages that were not run are `None` or empty.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// `"tilepress"`.
    pub tool: String,
    /// Version of the program.
    pub version: String,
    /// Time of the report, as the caller writes it; left out where outputs must be identical.
    pub created: Option<String>,
    /// The data that was read.
    pub data: DataSummary,
    /// The set that was written.
    pub compressed: Option<Compressed>,
    /// Results of each method's students; empty where none was trained.
    pub results: Vec<MethodResult>,
    /// Every fair pair of results; see [`Report::set_results`].
    pub comparisons: Vec<Comparison>,
    /// Scoring of the samples.
    pub scoring: Option<Scoring>,
    /// Time that each stage took.
    #[serde(alias = "bill")]
    pub cost: Cost,
    /// Warnings that a user can act on, one sentence each.
    pub warnings: Vec<String>,
    /// Findings about the data.
    pub findings: DataFindings,
    /// The resolved configuration.
    pub options: serde_json::Value,
    /// Pictures for the page.
    #[serde(skip)]
    pub gallery: Gallery,
}

impl Report {
    /// A report of this version of the program, with nothing measured yet.
    pub fn new(data: DataSummary, options: serde_json::Value) -> Self {
        Self {
            tool: "tilepress".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            created: None,
            data,
            compressed: None,
            results: Vec::new(),
            comparisons: Vec::new(),
            scoring: None,
            cost: Cost::default(),
            warnings: Vec::new(),
            findings: DataFindings::default(),
            options,
            gallery: Gallery::default(),
        }
    }

    /// Takes in results and compares every pair that has the same IPC, model and pixels; all pairs are judged together.
    pub fn set_results(&mut self, results: Vec<MethodResult>) {
        self.comparisons = result::comparisons(&results, self.data.val);
        self.results = results;
    }

    /// `true` where macro top-1 is shown beside top-1: where they differ by half a point or more, which takes validation
    /// classes of different sizes.
    #[cfg(feature = "cli")]
    pub(super) fn shows_macro(&self) -> bool {
        let differs = |result: &MethodResult| {
            result.macro_top1.as_ref().is_some_and(|of| (of.mean - result.top1.mean).abs() >= 0.5)
        };
        self.results.iter().any(differs)
    }

    /// Label of each result in comparisons, tables and charts, parallel to `results`.
    pub fn labels(&self) -> Vec<String> {
        result::labels(&self.results)
    }

    /// Gives the options in the report's own texts, its warnings and the sentences of its comparisons, a surface's names.
    pub fn name_options(&mut self, naming: super::Naming) {
        let sentences = self.comparisons.iter_mut().map(|comparison| &mut comparison.sentence);
        for text in self.warnings.iter_mut().chain(sentences) {
            *text = naming(text);
        }
    }

    /// Writes `report.json`, indented.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write_json(&self, mut out: impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut out, self)?;
        out.write_all(b"\n")
    }

    /// Reads a `report.json`; its gallery is empty.
    ///
    /// # Errors
    /// When the reader fails or holds something else.
    pub fn read_json(input: impl Read) -> io::Result<Self> {
        Ok(serde_json::from_reader(input)?)
    }
}

/// The data that was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataSummary {
    /// Name of the data: that of its folder.
    pub name: String,
    /// Number of classes.
    pub classes: usize,
    /// Training images that were read.
    pub train: usize,
    /// Validation images that were read.
    pub val: usize,
    /// Origin of the validation images; `None` where there are none.
    pub val_origin: Option<ValOrigin>,
    /// Bytes of the training files.
    pub bytes: u64,
    /// Folders that were taken for what; `None` where the class folders lie in the data folder itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<crate::data::Layout>,
}

/// Origin of the validation images. Written `"given"`, `{"held_out": {"fraction": 0.2, "seed": 0}}` or
/// `{"tune": {"fraction": 0.2, "seed": 0, "unseen": 1000}}`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValOrigin {
    /// The data brought a `val` folder.
    Given,
    /// A stratified part of the training images.
    HeldOut {
        /// Share of each class.
        fraction: f64,
        /// Seed of the draw.
        seed: u64,
    },
    /// A stratified part of the training images, to choose settings by; the validation images proper stay unseen.
    Tune {
        /// Share of each class.
        fraction: f64,
        /// Seed of the draw.
        seed: u64,
        /// Number of the validation images.
        unseen: usize,
    },
}

/// The set that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compressed {
    /// Images per class.
    pub ipc: u32,
    /// Grid of each image, as [`crate::data::Grid`] displays.
    pub grid: crate::data::Grid,
    /// Side of each image, in pixels.
    pub image_size: u32,
    /// Images written.
    pub images: usize,
    /// Tiles in them: the source images they are made of, repeats counted.
    pub tiles: usize,
    /// Bytes of the images.
    pub bytes: u64,
}

/// Scoring of the samples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scoring {
    /// Seconds it took.
    pub seconds: f64,
    /// Epochs each proxy trained.
    pub epochs: u32,
    /// Proxies (seeds) averaged.
    pub runs: u32,
    /// Training accuracy of the proxy after each epoch, in percent, mean over the runs.
    pub proxy_accuracy: Vec<f64>,
    /// What the scores measure.
    #[serde(default)]
    pub metric: Metric,
    /// The scores of all training images.
    #[serde(alias = "el2n_histogram")]
    pub histogram: Option<Histogram>,
}

/// Counts between edges: bin `i` holds the values in `edges[i]..edges[i + 1]`, the last one its upper edge
/// too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// One more than there are bins.
    pub edges: Vec<f64>,
    /// Values in each bin.
    pub counts: Vec<u64>,
    /// Number of kept values in each bin, where something was pruned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Vec<u64>>,
}

impl Histogram {
    /// `bins` equal bins from the least to the greatest finite value; `None` if there is no such value or
    /// no bin.
    pub fn of(values: &[f64], bins: usize) -> Option<Self> {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let low = finite().reduce(f64::min).filter(|_| bins > 0)?;
        let high = finite().reduce(f64::max).filter(|&high| high > low).unwrap_or(low + 1.0);
        let edges = (0..=bins).map(|i| low + (high - low) * i as f64 / bins as f64).collect();
        let mut histogram = Self { edges, counts: Vec::new(), kept: None };
        histogram.counts = histogram.count(values);
        Some(histogram)
    }

    /// The histogram with the values that were kept counted in the same bins.
    pub fn with_kept(self, kept: &[f64]) -> Self {
        Self { kept: Some(self.count(kept)), ..self }
    }

    fn count(&self, values: &[f64]) -> Vec<u64> {
        let bins = self.edges.len().saturating_sub(1);
        let mut counts = vec![0; bins];
        let (Some(&low), Some(&high)) = (self.edges.first(), self.edges.last()) else { return counts };
        for value in values.iter().filter(|value| (low..=high).contains(*value)) {
            let bin = self.edges.partition_point(|edge| edge <= value).saturating_sub(1);
            counts[bin.min(bins - 1)] += 1;
        }
        counts
    }
}

/// What of the images was in memory while they were used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kept {
    /// Their pixels.
    #[default]
    Pixels,
    /// The bytes of their files, which were decoded whenever they were used.
    Files,
    /// Nothing: files were read and decoded whenever they were used.
    Nothing,
}

/// What of the images was in memory, and the time that threads spent on getting them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Loading {
    /// What was in memory.
    pub kept: Kept,
    /// Bytes that it took.
    pub memory_bytes: u64,
}

/// Where the time of some trainings went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spending {
    /// Seconds of wall time, added up over networks that trained side by side.
    pub seconds: f64,
    /// Of these, seconds of waiting for the images of a batch.
    pub wait_seconds: f64,
    /// Of these, seconds of copying batches to the device.
    pub copy_seconds: f64,
    /// Number of times that an image was decoded; 0 where pixels were in memory.
    pub images: u64,
    /// Seconds that threads spent on reading files, added up over threads, as the two below are.
    pub read_seconds: f64,
    /// Seconds of decoding.
    pub decode_seconds: f64,
    /// Seconds of resizing.
    pub resize_seconds: f64,
}

/// Time that each stage took, in seconds of wall time; `None` for what was not done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Training the proxy and scoring.
    pub score_seconds: Option<f64>,
    /// Pruning, combining and writing.
    pub combine_seconds: Option<f64>,
    /// Training and measuring the students.
    pub train_seconds: Option<f64>,
    /// Getting the images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loading: Option<Loading>,
    /// Where the time of the proxies went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_seconds_spent: Option<Spending>,
    /// Where the time of the students went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_seconds_spent: Option<Spending>,
    /// Where the time of measuring the students went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure_seconds_spent: Option<Spending>,
}

/// Findings about the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataFindings {
    /// Near-duplicates among the images that were kept.
    pub near_duplicates: Found<Duplicate>,
    /// Training images that are in the validation set too.
    pub shared_with_val: Found<SharedWithVal>,
    /// Images whose training log suggests a wrong label.
    pub suspected_labels: Found<SuspectedLabel>,
}

/// Number of findings of one kind, and some of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found<T> {
    /// Number of all.
    pub count: usize,
    /// The first few, worst first.
    pub examples: Vec<T>,
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { count: 0, examples: Vec::new() }
    }
}

/// Two images that look alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicate {
    /// Path of the one that ranks first.
    pub path: String,
    /// Path of the other.
    pub other: String,
    /// Differing bits of their perceptual hashes.
    pub distance: u32,
}

/// A training image that is also a validation image, or a copy of one in another encoding or size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedWithVal {
    /// Path of the training image.
    pub train: String,
    /// Path of the validation image.
    pub val: String,
    /// `true` for equal files.
    #[serde(default = "same")]
    pub same_file: bool,
    /// Differing bits of their perceptual hashes.
    #[serde(default)]
    pub distance: u32,
}

/// Value in reports of earlier versions, which found equal files only.
fn same() -> bool {
    true
}

/// An image whose label looks wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuspectedLabel {
    /// Path of the image.
    pub path: String,
    /// The class it lies in.
    pub class: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::sample::sample, *};

    #[test]
    fn the_fixed_fields_of_a_result_keep_their_names_and_types() {
        let report = serde_json::to_value(sample()).expect("plain data");
        let mut result = report["results"][2].clone();
        let extra = [
            "image_size",
            "top1_interval",
            "top1_interval_of",
            "macro_top1",
            "top5",
            "seeds",
            "per_class",
            "curves",
            "seconds",
        ];
        let entry = result.as_object_mut().expect("an object");
        for name in extra {
            assert!(entry.remove(name).is_some(), "{name}");
        }
        let mean = entry["top1"]["mean"].take();
        let sd = entry["top1"]["sd"].take();
        assert!((mean.as_f64().expect("a number") - 89.8 / 3.0).abs() < 1e-9);
        assert!((sd.as_f64().expect("a number") - 2.40901).abs() < 1e-4);
        assert_eq!(
            result,
            json!({
                "method": "pca",
                "ipc": 10,
                "grid": "2",
                "augment": "extract",
                "model": "convnet",
                "labels": "hard",
                "images": 100,
                "bytes": 812345,
                "top1": {"mean": null, "sd": null, "runs": [32.7, 28.8, 28.3]},
            })
        );
    }

    #[test]
    fn the_report_has_these_parts() {
        let report = serde_json::to_value(sample()).expect("plain data");
        let names: Vec<&str> = report.as_object().expect("an object").keys().map(String::as_str).collect();
        let mut expected = [
            "tool",
            "version",
            "created",
            "data",
            "compressed",
            "results",
            "comparisons",
            "scoring",
            "cost",
            "warnings",
            "findings",
            "options",
        ];
        expected.sort_unstable();
        let mut names = names;
        names.sort_unstable();
        assert_eq!(names, expected);
        assert_eq!(report["tool"], "tilepress");
        assert_eq!(report["data"]["val_origin"], json!({"held_out": {"fraction": 0.2, "seed": 0}}));
        assert_eq!(serde_json::to_value(ValOrigin::Given).expect("a word"), json!("given"));
        let first = &report["comparisons"][0];
        for name in ["a", "b", "difference", "verdict", "sentence"] {
            assert!(!first[name].is_null(), "{name}");
        }
        assert!(first["interval"].as_array().is_some_and(|ends| ends.len() == 2));
        let none = serde_json::to_value(Report::new(DataSummary::default(), json!({}))).expect("plain data");
        assert_eq!(none["results"], json!([]));
    }

    #[test]
    fn a_report_reads_back_what_it_writes() {
        let mut text = Vec::new();
        sample().write_json(&mut text).expect("memory does not fail");
        let back = Report::read_json(text.as_slice()).expect("what was written");
        let report = sample();
        for (back, result) in back.results.iter().zip(&report.results) {
            assert_eq!(back.setting, result.setting);
            assert_eq!(back.top1.runs, result.top1.runs);
            assert_eq!(back.curves[0].step, result.curves[0].step);
        }
        assert_eq!(back.results.len(), report.results.len());
        assert_eq!(back.comparisons[0].sentence, report.comparisons[0].sentence);
        assert_eq!((back.data, back.cost, back.findings), (report.data, report.cost, report.findings));
        assert_eq!(back.results[0].seeds, [0, 1, 2]);
    }

    #[test]
    fn a_report_of_an_earlier_version_is_read() {
        // Its costs were a `bill`; suspected labels had a class and curves an accuracy that no run ever filled in.
        let mut earlier = serde_json::to_value(sample()).expect("plain data");
        let report = earlier.as_object_mut().expect("an object");
        let cost = report.remove("cost").expect("what a report has");
        report.insert("bill".to_owned(), cost);
        report["findings"]["suspected_labels"]["examples"][0]["looks_like"] = json!(null);
        report["results"][0]["curves"][0]["val_top1"] = json!([null, 20.0]);
        let back = Report::read_json(earlier.to_string().as_bytes()).expect("an earlier report");
        assert_eq!((back.cost, back.findings), (sample().cost, sample().findings));
        assert_eq!(back.results[0].curves, sample().results[0].curves);
    }

    #[test]
    fn a_histogram_counts_every_finite_value_once() {
        let histogram = Histogram::of(&[0.0, 0.5, 1.0, 1.5, 2.0, f64::NAN], 2).expect("values");
        assert_eq!(histogram.edges, [0.0, 1.0, 2.0]);
        assert_eq!(histogram.counts, [2, 3]);
        assert_eq!(histogram.with_kept(&[0.0, 0.5]).kept, Some(vec![2, 0]));
        assert_eq!(Histogram::of(&[3.0, 3.0], 4).expect("values").counts, [2, 0, 0, 0]);
        assert_eq!(Histogram::of(&[f64::NAN], 4), None);
    }
}
