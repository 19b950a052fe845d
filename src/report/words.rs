//! Numbers and outcomes in words, the same in a terminal and on the page.

use super::{Report, Spending, composites};
use crate::evaluate::Method;
use crate::evaluate::verdict::{Comparison, Verdict};
pub use crate::quantity::{bytes, count, counted, seconds};

/// `29.9 ± 2.4`, or `29.9` of a single run.
pub fn spread(mean: f64, sd: Option<f64>) -> String {
    match sd {
        Some(sd) => format!("{mean:.1} ± {sd:.1}"),
        None => format!("{mean:.1}"),
    }
}

/// Where the time of some trainings went, in a sentence; `None` where their pixels were in memory.
pub fn spending(what: &str, spent: &Spending) -> Option<String> {
    if spent.images == 0 {
        return None;
    }
    let share = |part: f64| format!("{:.0} %", 100.0 * part / spent.seconds.max(f64::MIN_POSITIVE));
    let computing = spent.seconds - spent.wait_seconds - spent.copy_seconds;
    let waited = match spent.wait_seconds + spent.copy_seconds {
        0.0 => String::new(),
        _ => format!(
            ": {} in steps, {} waiting for images, {} copying them",
            share(computing),
            share(spent.wait_seconds),
            share(spent.copy_seconds)
        ),
    };
    Some(format!(
        "{what} took {}{waited}; images were decoded {}; all threads together spent {} on reading them, {} on decoding and {} \
         on resizing",
        seconds(spent.seconds),
        counted(spent.images, "time", "times"),
        seconds(spent.read_seconds),
        seconds(spent.decode_seconds),
        seconds(spent.resize_seconds)
    ))
}

/// One sentence of the outcome, with the verdict it carries if it compares two methods.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The verdict about the method the sentence begins with.
    pub verdict: Option<Verdict>,
    /// The sentence, with its full stop.
    pub text: String,
}

impl Line {
    fn plain(text: String) -> Self {
        Self { verdict: None, text }
    }
}

/// The outcome of a report in a few sentences: the highest mean, the method in question compared with the others, and
/// advice.
pub fn outcome(report: &Report) -> Vec<Line> {
    let labels = report.labels();
    let mut lines = Vec::new();
    let best =
        report.results.iter().zip(&labels).max_by(|(a, _), (b, _)| a.top1.mean.total_cmp(&b.top1.mean));
    let Some((best, best_label)) = best else { return vec![Line::plain(without_results(report))] };

    let chance = 100.0 / report.data.classes.max(1) as f64;
    let mean = format!("{best_label} reaches {:.1} % top-1", best.top1.mean);
    lines.push(Line::plain(match report.results.len() {
        1 => format!("{mean}; guessing gives {chance:.1} %."),
        _ if best.top1.runs.len() == 1 => {
            format!("{mean} in one run, the highest; guessing gives {chance:.1} %.")
        }
        _ => format!("{mean}, the highest mean; guessing gives {chance:.1} %."),
    }));
    for (result, label) in report.results.iter().zip(&labels) {
        if result.top1_interval.is_some_and(|interval| interval.low <= chance) {
            lines.push(Line::plain(format!("{label} is not clearly above guessing.")));
        }
    }

    let subjects: Vec<&String> = labels
        .iter()
        .zip(&report.results)
        .filter(|(_, result)| Method::PCA.is(&result.setting.method))
        .map(|(label, _)| label)
        .collect();
    let subjects = if subjects.is_empty() { vec![best_label] } else { subjects };
    let said =
        |comparison: &&Comparison| subjects.contains(&&comparison.a) || subjects.contains(&&comparison.b);
    let said: Vec<&Comparison> = report.comparisons.iter().filter(said).collect();
    for comparison in &said {
        let text = format!("{}.", comparison.sentence);
        lines.push(Line { verdict: Some(comparison.verdict), text });
    }
    lines.extend(adjusted(report).map(Line::plain));
    lines.extend(what_would_decide(&said).map(Line::plain));
    if let Some(remark) = composites::lost(report, &labels) {
        lines.push(Line::plain(remark));
    }
    lines
}

/// Explanation of adjusted intervals, where several differences were tested.
fn adjusted(report: &Report) -> Option<String> {
    let tested = report.comparisons.iter().filter(|comparison| comparison.p.is_some()).count();
    (tested > 1).then(|| {
        format!(
            "The {tested} differences are judged together (Holm): if all methods were equal, at most 5 of 100 such reports \
             would call any of them better or worse."
        )
    })
}

/// Advice on the inconclusive comparison that is nearest to a decision: more seeds, or more validation images.
fn what_would_decide(said: &[&Comparison]) -> Option<String> {
    let open = || said.iter().filter(|comparison| comparison.verdict == Verdict::Inconclusive);
    if let Some((seeds, of)) =
        open().filter_map(|of| Some((of.seeds_needed?, of))).min_by_key(|&(seeds, _)| seeds)
    {
        return Some(format!(
            "If difference and noise stay as they are, `repeats` {seeds} would decide {} against {}.",
            of.a, of.b
        ));
    }
    let of_images = |of: &&&Comparison| of.noise.is_some_and(|noise| noise.images > noise.seeds);
    let of = open().find(of_images)?;
    Some(format!(
        "More validation images would help to decide {} against {}, more seeds hardly: most of the noise comes from the choice \
         of validation images.",
        of.a, of.b
    ))
}

fn without_results(report: &Report) -> String {
    let train = counted(report.data.train as u64, "image", "images");
    let Some(set) = &report.compressed else {
        return format!("{train} read. No student was trained.");
    };
    let what = if set.grid.tiles() > 1 { ("composite", "composites") } else { ("image", "images") };
    format!(
        "{train} became {} of {} px: {} instead of {}. No student was trained on \
         them: `evaluate` trains students and measures their accuracy.",
        counted(set.images as u64, what.0, what.1),
        set.image_size,
        bytes(set.bytes),
        bytes(report.data.bytes),
    )
}

#[cfg(test)]
mod tests {
    use super::{super::sample::sample, *};
    use crate::report::Accuracy;

    #[test]
    fn where_time_went_is_said_of_images_that_were_not_in_memory() {
        let mut spent =
            Spending { seconds: 200.0, wait_seconds: 50.0, copy_seconds: 2.0, ..Spending::default() };
        assert_eq!(spending("scoring", &spent), None);
        spent = Spending {
            images: 12_400,
            read_seconds: 3.0,
            decode_seconds: 80.0,
            resize_seconds: 20.0,
            ..spent
        };
        assert_eq!(
            spending("scoring", &spent).unwrap(),
            "scoring took 3 min 20 s: 74 % in steps, 25 % waiting for images, 1 % copying them; images were decoded 12,400 \
             times; all threads together spent 3.0 s on reading them, 1 min 20 s on decoding and 20 s on resizing"
        );
        spent = Spending { wait_seconds: 0.0, copy_seconds: 0.0, ..spent };
        assert!(spending("measuring", &spent).unwrap().starts_with("measuring took 3 min 20 s; images were"));
    }

    #[test]
    fn a_mean_is_written_with_its_spread() {
        assert_eq!(spread(29.93, Some(2.41)), "29.9 ± 2.4");
        assert_eq!(spread(29.93, None), "29.9");
    }

    fn texts(report: &Report) -> Vec<String> {
        outcome(report).into_iter().map(|line| line.text).collect()
    }

    /// The sample with some of its methods only, judged anew.
    fn only(methods: &[&str]) -> Report {
        let mut report = sample();
        let mut results = report.results.clone();
        results.retain(|result| methods.contains(&result.setting.method.as_str()));
        report.set_results(results);
        report
    }

    #[test]
    fn the_outcome_names_the_best_and_judges_all_pairs_together() {
        assert_eq!(
            texts(&sample()),
            [
                "el2n reaches 41.1 % top-1, the highest mean; guessing gives 10.0 %.",
                "pca against random is inconclusive on 3 shared seeds: pca could be anything between 34.4 points below and \
                 22.1 points above (difference -6.2, interval adjusted for 6 comparisons).",
                "pca against el2n is inconclusive on 3 shared seeds: pca could be anything between 29.4 points below and \
                 7.0 points above (difference -11.2, interval adjusted for 6 comparisons).",
                "pca against random-composites is inconclusive on 3 shared seeds: pca could be anything between 0.6 points \
                 below and 12.6 points above (difference 6.0, interval adjusted for 6 comparisons).",
                "The 6 differences are judged together (Holm): if all methods were equal, at most 5 of 100 such reports would \
                 call any of them better or worse.",
                "If difference and noise stay as they are, `repeats` 5 would decide pca against el2n.",
            ]
        );
    }

    #[test]
    fn where_composites_lose_clearly_it_is_said() {
        let report = only(&["el2n", "pca"]);
        assert_eq!(
            texts(&report)[1..],
            [
                "pca is 11.2 points below el2n (95 % interval 3.3 to 19.1).",
                "Composites lose here: a tile keeps 32 x 32 pixels of an image. `grid` 1 keeps whole images; a \
                 larger `image-size` gives every tile more.",
            ]
        );
        assert_eq!(outcome(&report)[1].verdict, Some(Verdict::Worse));
        let undecided = texts(&sample());
        assert!(!undecided.iter().any(|text| text.contains("Composites lose")), "{undecided:?}");
    }

    #[test]
    fn one_run_has_no_mean_and_no_verdict() {
        let mut report = sample();
        let mut results = report.results.clone();
        for result in &mut results {
            result.seeds.truncate(1);
            result.top1 = Accuracy::of(vec![result.top1.runs[0]]).expect("a run");
        }
        report.set_results(results.clone());
        let told = texts(&report);
        assert_eq!(told[0], "el2n reaches 40.4 % top-1 in one run, the highest; guessing gives 10.0 %.");
        assert!(
            told[1].starts_with("pca and random are untested: 0.5 points apart on a single seed"),
            "{}",
            told[1]
        );
        assert_eq!(told.len(), 4, "nothing was tested, and nothing needs adjusting: {told:?}");
        results.truncate(1);
        report.set_results(results);
        assert_eq!(texts(&report), ["random reaches 33.2 % top-1; guessing gives 10.0 %."]);
    }

    #[test]
    fn who_may_be_guessing_is_named() {
        let mut report = sample();
        let interval = |low| Some(crate::evaluate::stats::Interval { low, high: 40.0 });
        report.results[0].top1_interval = interval(10.0);
        report.results[1].top1_interval = interval(10.1);
        let told = texts(&report);
        assert!(told.contains(&"random is not clearly above guessing.".to_owned()), "{told:?}");
        assert_eq!(told.iter().filter(|text| text.contains("not clearly above")).count(), 1);
    }

    #[test]
    fn what_would_decide_is_more_seeds_or_more_images_or_nothing() {
        let mut report = only(&["random", "pca"]);
        let told = |report: &Report| texts(report).pop().expect("sentences");
        assert_eq!(report.comparisons[0].verdict, Verdict::Inconclusive);
        report.comparisons[0].seeds_needed = None;
        assert!(told(&report).contains("inconclusive"), "{}", told(&report));
        report.comparisons[0].seeds_needed = Some(10);
        assert_eq!(
            told(&report),
            "If difference and noise stay as they are, `repeats` 10 would decide pca against random."
        );
        report.comparisons[0].seeds_needed = None;
        report.comparisons[0].noise = Some(crate::evaluate::Noise { seeds: 1.0, images: 2.0 });
        assert_eq!(
            told(&report),
            "More validation images would help to decide pca against random, more seeds hardly: most of the noise comes from \
             the choice of validation images."
        );
        report.comparisons[0].verdict = Verdict::Indistinguishable;
        assert!(!told(&report).contains("seeds hardly"), "{}", told(&report));
    }

    #[test]
    fn a_report_without_students_says_so() {
        let mut report = sample();
        report.set_results(Vec::new());
        assert_eq!(
            outcome(&report)[0].text,
            "3,200 images became 100 composites of 64 px: 812 kB instead of 34.2 MB. No student was trained on \
             them: `evaluate` trains students and measures their accuracy."
        );
    }
}
