//! The result of one method: its training set, and the accuracies of its students.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    data::Grid,
    evaluate::{
        Correct, Estimate, Method,
        stats::{Interval, mean, sample_sd, t_interval, wilson},
        verdict::{Comparison, Runs, compare_all},
    },
};

/// Training set of a method's students, and how they learn from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// `random`, `el2n`, `pca`, `random-composites`, ….
    pub method: String,
    /// Images per class: stored images, composites counted once.
    pub ipc: u32,
    /// Grid of the stored images; written `"1"`, `"2"`, `"1x2"`.
    pub grid: Grid,
    /// The view training images are cut by: `extract`, `shuffle`, `global`, `none`.
    pub augment: String,
    /// The student: `convnet`, `resnet18`, ….
    pub model: String,
    /// Kind of labels the students learn from. Always `"hard"`.
    pub labels: String,
    /// Stored images in all.
    pub images: usize,
    /// Bytes of the stored images.
    pub bytes: u64,
    /// Side of a stored image, in pixels.
    pub image_size: u32,
}

/// One trained student, as the training side hands it over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunOutcome {
    /// The seed of the student.
    pub seed: u64,
    /// Top-1 accuracy on the validation images, in percent.
    pub top1: f64,
    /// Top-1 accuracy on these images at the sharpness of a composite's tile; `None` where none of those compared has tiles, or
    /// the images are too many to be held twice.
    #[serde(default, alias = "soft_top1", skip_serializing_if = "Option::is_none")]
    pub top1_at_tile_size: Option<f64>,
    /// Top-1 accuracy on these images, BatchNorm taking mean and variance from them instead of from training; `None` of a
    /// network without BatchNorm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapted_top1: Option<f64>,
    /// Mean of the classes' top-1 accuracies, in percent, over the classes that have validation images; `None` if it was
    /// not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub macro_top1: Option<f64>,
    /// Top-5 accuracy, in percent; `None` with fewer than six classes.
    pub top5: Option<f64>,
    /// Top-1 accuracy in each class, in percent, in class order, `None` of a class without validation images; empty if it was
    /// not measured.
    pub per_class: Vec<Option<f64>>,
    /// Answers image by image; `None` where they were not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correct: Option<Correct>,
    /// Seconds of training.
    pub seconds: f64,
    /// Training curve.
    pub curve: Curve,
}

/// Training curve of one run. Its lists are parallel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The seed of the run.
    pub seed: u64,
    /// Training steps.
    pub step: Vec<u64>,
    /// Training loss at each step; a diverged run's NaN is written `null`.
    #[serde(deserialize_with = "null_is_nan")]
    pub train_loss: Vec<f64>,
}

fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let values = Vec::<Option<f64>>::deserialize(deserializer)?;
    Ok(values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}

/// Accuracies of the runs of one method, in percent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Mean over the runs.
    pub mean: f64,
    /// Sample standard deviation over the runs; `None` (written `null`) of a single run.
    pub sd: Option<f64>,
    /// Every run, in the order of the seeds.
    pub runs: Vec<f64>,
}

impl Accuracy {
    /// Mean and spread of these runs; `None` without a run.
    pub fn of(runs: Vec<f64>) -> Option<Self> {
        Some(Self { mean: mean(&runs)?, sd: sample_sd(&runs), runs })
    }
}

/// Mean top-1 accuracy in one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassAccuracy {
    /// Folder name of the class.
    pub class: String,
    /// Mean over the runs, in percent; `None` (written `null`) of a class without validation images, which is not measured.
    pub top1: Option<f64>,
}

/// Noise that an interval of an accuracy covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntervalOf {
    /// The mean over seeds (Student's t).
    Seeds,
    /// One run's accuracy over validation images (Wilson); it knows nothing of the noise between seeds.
    Images,
    /// The mean over seeds and validation images; see [`Noise`](crate::evaluate::Noise).
    Both,
}

/// One entry of `results` in `report.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodResult {
    /// Training set; its fields stand directly in the entry.
    #[serde(flatten)]
    pub setting: Setting,
    /// Top-1 accuracy.
    pub top1: Accuracy,
    /// 95 % interval of the top-1 accuracy, within 0 to 100 percent.
    pub top1_interval: Option<Interval>,
    /// Noise that this interval covers.
    pub top1_interval_of: IntervalOf,
    /// Top-1 accuracy on the same images at the sharpness of a composite's tile; `None` where it was not measured.
    #[serde(default, alias = "soft_top1", skip_serializing_if = "Option::is_none")]
    pub top1_at_tile_size: Option<Accuracy>,
    /// Top-1 accuracy on these images, BatchNorm taking mean and variance from them; `None` of a network without BatchNorm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapted_top1: Option<Accuracy>,
    /// Macro top-1: the mean of the classes' accuracies, so that every class counts the same however many validation images
    /// it has. `None` where it was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub macro_top1: Option<Accuracy>,
    /// Top-5 accuracy; `None` with fewer than six classes.
    pub top5: Option<Accuracy>,
    /// The seed of each run, parallel to `top1.runs`.
    pub seeds: Vec<u64>,
    /// Mean accuracy in each class; empty if it was not measured.
    pub per_class: Vec<ClassAccuracy>,
    /// The log of each run.
    pub curves: Vec<Curve>,
    /// Seconds of training, all runs together.
    pub seconds: f64,
    /// Answers of each run image by image, parallel to `top1.runs`; empty where they were not kept. Not in
    /// `report.json`: see [`write_answers`](super::write_answers).
    #[serde(skip)]
    pub correct: Vec<Correct>,
}

impl MethodResult {
    /// The result of these runs, each measured on `val_images` images of `classes`; `None` without a run.
    pub fn new(
        setting: Setting,
        classes: &[String],
        runs: Vec<RunOutcome>,
        val_images: usize,
    ) -> Option<Self> {
        let top1 = Accuracy::of(runs.iter().map(|run| run.top1).collect())?;
        let correct: Option<Vec<Correct>> = runs.iter().map(|run| run.correct.clone()).collect();
        let correct = correct.unwrap_or_default();
        // Accuracies move in steps of one image: runs that agree by chance are not free of noise.
        let least_sd = 100.0 / val_images.max(1) as f64 / 12f64.sqrt();
        let over_seeds = top1.sd.and_then(|sd| t_interval(top1.mean, sd.max(least_sd), top1.runs.len()));
        let (top1_interval, top1_interval_of) = match (Estimate::accuracy(&correct), over_seeds) {
            (Some(estimate), _) => (Some(estimate.accuracy_interval()), IntervalOf::Both),
            // A mean accuracy cannot lie outside 0 to 100, so cutting there loses no coverage.
            (None, Some(interval)) => (Some(interval.clamped(0.0, 100.0)), IntervalOf::Seeds),
            (None, None) => {
                let correct = (top1.mean / 100.0 * val_images as f64).round().max(0.0) as usize;
                let interval = wilson(correct.min(val_images), val_images)
                    .map(|interval| Interval { low: 100.0 * interval.low, high: 100.0 * interval.high });
                (interval, IntervalOf::Images)
            }
        };
        let top1_at_tile_size: Option<Vec<f64>> = runs.iter().map(|run| run.top1_at_tile_size).collect();
        let adapted_top1: Option<Vec<f64>> = runs.iter().map(|run| run.adapted_top1).collect();
        let macro_top1: Option<Vec<f64>> = runs.iter().map(|run| run.macro_top1).collect();
        let top5 = if classes.len() > 5 { runs.iter().map(|run| run.top5).collect() } else { None };
        let per_class = classes
            .iter()
            .enumerate()
            .filter_map(|(class, name)| {
                let runs: Option<Vec<Option<f64>>> =
                    runs.iter().map(|run| run.per_class.get(class).copied()).collect();
                let measured: Option<Vec<f64>> = runs?.into_iter().collect();
                Some(ClassAccuracy { class: name.clone(), top1: measured.and_then(|runs| mean(&runs)) })
            })
            .collect();
        Some(Self {
            setting,
            top1,
            top1_interval,
            top1_interval_of,
            top1_at_tile_size: top1_at_tile_size.and_then(Accuracy::of),
            adapted_top1: adapted_top1.and_then(Accuracy::of),
            macro_top1: macro_top1.and_then(Accuracy::of),
            top5: top5.and_then(Accuracy::of),
            seeds: runs.iter().map(|run| run.seed).collect(),
            per_class,
            seconds: runs.iter().map(|run| run.seconds).sum(),
            curves: runs.into_iter().map(|run| Curve { seed: run.seed, ..run.curve }).collect(),
            correct,
        })
    }

    /// The runs under this name, for a comparison.
    pub fn runs<'a>(&'a self, name: &'a str) -> Runs<'a> {
        Runs { name, seeds: &self.seeds, accuracies: &self.top1.runs, correct: &self.correct }
    }
}

/// Label of each result: its method, and the settings that tell it from the others.
pub(super) fn labels(results: &[MethodResult]) -> Vec<String> {
    let mut labels: Vec<String> = results.iter().map(|result| result.setting.method.clone()).collect();
    let details: [fn(&Setting) -> String; 5] = [
        |setting| format!("grid {}", setting.grid),
        |setting| format!("IPC {}", setting.ipc),
        |setting| setting.augment.clone(),
        |setting| setting.model.clone(),
        |setting| format!("{} px", setting.image_size),
    ];
    for detail in details {
        let before = labels.clone();
        for (i, result) in results.iter().enumerate() {
            let text = detail(&result.setting);
            let told_apart =
                (0..results.len()).any(|j| before[j] == before[i] && detail(&results[j].setting) != text);
            if told_apart {
                labels[i] = format!("{} {text}", before[i]);
            }
        }
    }
    labels
}

/// Compares every pair of results that differ in nothing but the images: same IPC, model and pixels. PCA
/// is always the `a` of its pairs, otherwise the later result is. All pairs are judged as one family.
pub(super) fn comparisons(results: &[MethodResult], val_images: usize) -> Vec<Comparison> {
    let labels = labels(results);
    let fair = |a: &Setting, b: &Setting| (a.ipc, &a.model, a.image_size) == (b.ipc, &b.model, b.image_size);
    let mut pairs = Vec::new();
    for (i, a) in results.iter().enumerate() {
        for (j, b) in results[..i].iter().enumerate() {
            if fair(&a.setting, &b.setting) {
                let (a, b) = (a.runs(&labels[i]), b.runs(&labels[j]));
                let pca = |result: &MethodResult| Method::PCA.is(&result.setting.method);
                let swap = pca(&results[j]) && !pca(&results[i]);
                pairs.push(if swap { (b, a) } else { (a, b) });
            }
        }
    }
    compare_all(&pairs, val_images)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(method: &str, grid: &str, ipc: u32) -> Setting {
        Setting {
            method: method.into(),
            ipc,
            grid: grid.parse().expect("a grid"),
            augment: "extract".into(),
            model: "convnet".into(),
            labels: "hard".into(),
            images: 20,
            bytes: 1000,
            image_size: 64,
        }
    }

    fn run(seed: u64, top1: f64) -> RunOutcome {
        RunOutcome { seed, top1, top5: Some(90.0), ..RunOutcome::default() }
    }

    fn classes(count: usize) -> Vec<String> {
        (0..count).map(|class| format!("class {class}")).collect()
    }

    #[test]
    fn one_run_gets_the_interval_of_its_images_and_more_that_of_their_seeds() {
        let one = MethodResult::new(setting("pca", "2", 10), &classes(10), vec![run(0, 30.0)], 1000)
            .expect("a run");
        assert_eq!(one.top1.sd, None);
        assert_eq!(one.top1_interval_of, IntervalOf::Images);
        let interval = one.top1_interval.expect("images");
        assert!((interval.low - 27.24).abs() < 0.01 && (interval.high - 32.91).abs() < 0.01, "{interval:?}");
        let two = vec![run(0, 30.0), run(1, 70.0)];
        let two = MethodResult::new(setting("pca", "2", 10), &classes(10), two, 1000).expect("runs");
        assert_eq!(two.top1_interval_of, IntervalOf::Seeds);
        assert_eq!(two.top1_interval, Some(Interval { low: 0.0, high: 100.0 }));
    }

    #[test]
    fn runs_with_their_answers_get_the_interval_of_seeds_and_images() {
        let result = |keep: bool| {
            let correct = |right: usize| Some((0..200).map(|image| image < right).collect()).filter(|_| keep);
            let runs = [60, 62, 64].into_iter().zip(0..);
            let runs = runs
                .map(|(right, seed)| RunOutcome { correct: correct(right), ..run(seed, right as f64 / 2.0) });
            MethodResult::new(setting("pca", "2", 10), &classes(10), runs.collect(), 200).expect("runs")
        };
        let (both, seeds) = (result(true), result(false));
        assert_eq!((both.top1_interval_of, seeds.top1_interval_of), (IntervalOf::Both, IntervalOf::Seeds));
        assert_eq!((both.correct.len(), seeds.correct.len()), (3, 0));
        let width = |of: &MethodResult| of.top1_interval.map_or(0.0, |interval| interval.high - interval.low);
        assert!(width(&both) > 2.0 * width(&seeds), "{} {}", width(&both), width(&seeds));
        let json = serde_json::to_value(&both).expect("plain data");
        assert_eq!((&json["top1_interval_of"], &json["correct"]), (&"both".into(), &serde_json::Value::Null));
        // Of one run the images are what is left.
        let one = RunOutcome { correct: Some([true, false].into_iter().collect()), ..run(0, 50.0) };
        let one = MethodResult::new(setting("pca", "2", 10), &classes(2), vec![one], 2).expect("a run");
        assert_eq!(one.top1_interval_of, IntervalOf::Images);
    }

    #[test]
    fn macro_accuracy_is_kept_where_every_run_has_it() {
        let result = |second: Option<f64>| {
            let macros = [Some(20.0), second].into_iter().zip(0..);
            let runs =
                macros.map(|(macro_top1, seed)| RunOutcome { macro_top1, ..run(seed, 40.0) }).collect();
            MethodResult::new(setting("pca", "2", 10), &classes(2), runs, 100).expect("runs")
        };
        assert_eq!(result(Some(30.0)).macro_top1.map(|of| of.mean), Some(25.0));
        assert_eq!(result(None).macro_top1, None);
    }

    #[test]
    fn top_5_is_left_out_below_six_classes() {
        let of = |count| {
            MethodResult::new(setting("pca", "2", 10), &classes(count), vec![run(0, 30.0)], 100)
                .expect("a run")
        };
        assert_eq!(of(5).top5, None);
        assert_eq!(of(6).top5.expect("six classes").mean, 90.0);
    }

    #[test]
    fn class_accuracies_are_means_over_the_runs() {
        let mut runs = vec![run(0, 30.0), run(1, 40.0)];
        runs[0].per_class = vec![Some(10.0), Some(50.0), None];
        runs[1].per_class = vec![Some(20.0), Some(60.0), None];
        let result = MethodResult::new(setting("pca", "2", 10), &classes(3), runs, 100).expect("runs");
        let means: Vec<Option<f64>> = result.per_class.iter().map(|class| class.top1).collect();
        assert_eq!(
            means,
            [Some(15.0), Some(55.0), None],
            "a class without validation images is not measured"
        );
        assert!(serde_json::to_value(&result).expect("plain data")["per_class"][2]["top1"].is_null());
    }

    #[test]
    fn names_say_only_what_tells_results_apart() {
        let result = |method: &str, grid: &str, ipc| {
            MethodResult::new(setting(method, grid, ipc), &classes(2), vec![run(0, 1.0)], 10).expect("a run")
        };
        let results = [result("random", "1", 10), result("pca", "1", 10), result("pca", "2", 10)];
        assert_eq!(labels(&results), ["random", "pca grid 1", "pca grid 2"]);
        let results = [result("pca", "2", 1), result("pca", "2", 10)];
        assert_eq!(labels(&results), ["pca IPC 1", "pca IPC 10"]);
        assert_eq!(comparisons(&results, 10), [], "different image counts are no fair comparison");
    }

    #[test]
    fn a_diverged_loss_survives_json() {
        let curve = Curve { step: vec![1, 2], train_loss: vec![2.5, f64::NAN], ..Curve::default() };
        let text = serde_json::to_string(&curve).expect("plain numbers");
        assert_eq!(text, r#"{"seed":0,"step":[1,2],"train_loss":[2.5,null]}"#);
        let back: Curve = serde_json::from_str(&text).expect("what was written");
        assert!(back.train_loss[1].is_nan());
    }
}
