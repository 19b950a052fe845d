//! Loss of composites where whole images beat them, and the parts of it that lie in BatchNorm's statistics and in sharpness.
//! A cause is named only where the same students, measured in another way, have shown it.

use super::{Accuracy, MethodResult, Report};
use crate::evaluate::Method;
use crate::evaluate::stats::{mean, mean_interval};
use crate::evaluate::verdict::Verdict;

/// Advice where whole images clearly beat composites of images chosen by the same rule, and composites
/// never beat them.
pub(super) fn lost(report: &Report, labels: &[String]) -> Option<String> {
    let find = |label: &String| labels.iter().position(|known| known == label).map(|i| &report.results[i]);
    // The composites and the whole images of the first pair that is decided so.
    let mut lost = None;
    for comparison in &report.comparisons {
        let (a, b) = (find(&comparison.a)?, find(&comparison.b)?);
        let tiled = |result: &MethodResult| result.setting.grid.tiles() > 1;
        let [chosen_a, chosen_b] = [a, b].map(|result| Method::whole_of(&result.setting.method));
        if chosen_a != chosen_b || tiled(a) == tiled(b) {
            continue;
        }
        let (a, b) = ((&comparison.a, a), (&comparison.b, b));
        let (composites, whole, won) = match tiled(a.1) {
            true => (a, b, Verdict::Better),
            false => (b, a, Verdict::Worse),
        };
        if comparison.verdict == won {
            return None;
        }
        if comparison.verdict.is_decided() {
            lost = lost.or(Some((composites, whole)));
        }
    }
    let (composites, whole) = lost?;
    let setting = &composites.1.setting;
    let tile = setting.grid.tile(setting.image_size.max(8), setting.grid.tiles() - 1);
    let parts = [by_statistics(composites, whole), by_sharpness(composites, whole)];
    let parts: String = parts.into_iter().flatten().collect();
    Some(format!(
        "Composites lose here: a tile keeps {} x {} pixels of an image.{parts} `grid` 1 keeps whole images; a larger \
         `image-size` gives every tile more.",
        tile.width, tile.height
    ))
}

/// A result and its label.
type Named<'a> = (&'a String, &'a MethodResult);

/// The part of a loss that goes away when BatchNorm takes mean and variance from the validation images.
fn by_statistics(composites: Named<'_>, whole: Named<'_>) -> Option<String> {
    let (adapted, of_whole) = (composites.1.adapted_top1.as_ref()?, whole.1.adapted_top1.as_ref()?);
    let part = part(gained(adapted, &composites.1.top1)?, composites.1, whole.1);
    Some(format!(
        " {part} is BatchNorm's running statistics, which come from enlarged tiles: with mean and variance of the validation \
         images {} has {:.1} % and {} {:.1} %. `model` convnet-d keeps no such statistics.",
        composites.0, adapted.mean, whole.0, of_whole.mean
    ))
}

/// The part that goes away, beyond the former, when the validation images are as blurred as the tiles.
fn by_sharpness(composites: Named<'_>, whole: Named<'_>) -> Option<String> {
    let (blurred, of_whole) = (composites.1.top1_at_tile_size.as_ref()?, whole.1.top1_at_tile_size.as_ref()?);
    let before = composites.1.adapted_top1.as_ref().unwrap_or(&composites.1.top1);
    let numbers =
        format!("{} has {:.1} % and {} {:.1} %", composites.0, blurred.mean, whole.0, of_whole.mean);
    let measured = "measured on the same images as blurred as a tile shows them,";
    Some(match gained(blurred, before) {
        Some(gain) => {
            let part = part(gain, composites.1, whole.1);
            format!(" {part} is the change from blurred tiles to sharp images: {measured} {numbers}.")
        }
        None => format!(" Sharpness is not the cause: {measured} {numbers}."),
    })
}

/// Gain of the same students in points, where it is more than their noise: Student's 95 % interval of the paired gains lies
/// above zero.
fn gained(asked: &Accuracy, before: &Accuracy) -> Option<f64> {
    let gains: Vec<f64> = asked.runs.iter().zip(&before.runs).map(|(asked, before)| asked - before).collect();
    mean_interval(&gains).filter(|interval| interval.low > 0.0)?;
    mean(&gains)
}

/// Share of a loss that a gain makes up, in words.
fn part(gain: f64, composites: &MethodResult, whole: &MethodResult) -> &'static str {
    if gain >= 0.5 * (whole.top1.mean - composites.top1.mean) {
        "Most of the loss"
    } else {
        "A part of the loss"
    }
}

#[cfg(test)]
mod tests {
    use super::super::{sample::sample, words::outcome};
    use super::*;

    /// The last sentence on a sample where whole easy images have 41 % and composites 30 %, with what their students say when
    /// they are asked with other statistics (composites, whole), and about blurred images.
    fn said(adapted: Option<(f64, f64)>, blurred: Option<(f64, f64)>) -> String {
        let mut report = sample();
        let mut results = report.results.clone();
        results.retain(|result| ["el2n", "pca"].contains(&result.setting.method.as_str()));
        for result in &mut results {
            let own = |(pca, easy): (f64, f64)| if result.setting.method == "pca" { pca } else { easy };
            let around = |centre: f64| Accuracy::of(vec![centre - 0.5, centre, centre + 0.5]);
            result.adapted_top1 = adapted.map(own).and_then(around);
            result.top1_at_tile_size = blurred.map(own).and_then(around);
        }
        report.set_results(results);
        outcome(&report).pop().expect("the last one is on composites").text
    }

    #[test]
    fn without_other_questions_no_cause_is_named() {
        assert_eq!(
            said(None, None),
            "Composites lose here: a tile keeps 32 x 32 pixels of an image. `grid` 1 keeps whole images; a larger `image-size` \
             gives every tile more."
        );
    }

    #[test]
    fn what_batchnorms_statistics_cost_is_said_where_it_was_measured() {
        let text = said(Some((43.9, 42.5)), None);
        assert!(text.contains("Most of the loss is BatchNorm's running statistics"), "{text}");
        assert!(text.contains("pca has 43.9 % and el2n 42.5 %. `model` convnet-d"), "{text}");
        // Less than the spread of the seeds is nothing.
        let text = said(Some((30.0, 41.0)), None);
        assert!(!text.contains("BatchNorm"), "{text}");
    }

    #[test]
    fn what_a_change_of_sharpness_costs_is_said_where_it_was_measured() {
        let text = said(None, Some((52.0, 24.26)));
        assert!(text.contains("Most of the loss is the change from blurred tiles to sharp images"), "{text}");
        assert!(text.contains("as blurred as a tile shows them, pca has 52.0 % and el2n 24.3 %."), "{text}");
        let text = said(None, Some((28.0, 24.0)));
        assert!(text.contains("Sharpness is not the cause") && text.contains("pca has 28.0 %"), "{text}");
    }

    #[test]
    fn sharpness_is_what_statistics_do_not_explain() {
        let text = said(Some((38.0, 41.0)), Some((37.8, 30.0)));
        assert!(
            text.contains("Most of the loss is BatchNorm") && text.contains("Sharpness is not the cause"),
            "{text}"
        );
    }
}
