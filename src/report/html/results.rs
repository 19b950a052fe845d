//! Accuracies: of the methods, of their differences, and class by class.

use maud::{Markup, html};

use crate::evaluate::METHODS;
use crate::evaluate::verdict::{MARGIN, points};

use super::{
    super::{
        IntervalOf, MethodResult, Report,
        svg::{self, Axis},
        words,
    },
    parts::{scroll, tag},
};

pub(super) fn results(report: &Report) -> Option<Markup> {
    let first = report.results.first()?;
    let labels = report.labels();
    let chance = 100.0 / report.data.classes.max(1) as f64;
    let bounds = report.results.iter().flat_map(|result| {
        let interval = result.top1_interval.map(|interval| [interval.low, interval.high]);
        result.top1.runs.iter().copied().chain(interval.into_iter().flatten())
    });
    let (low, high) = bounds.fold((chance, chance), |(low, high), value| (low.min(value), high.max(value)));
    let axis = Axis::covering(low, high, 5)?;
    let repeated = first.top1.runs.len() > 1;
    let what = match first.top1_interval_of {
        IntervalOf::Seeds => "95 % interval of the mean over seeds (Student's t)",
        IntervalOf::Images => {
            "95 % interval of one run over the validation images (Wilson); it knows nothing of the noise between seeds"
        }
        IntervalOf::Both => "95 % interval of the mean over seeds and validation images",
    };
    Some(html! {
        (table(report, &labels))
        (methods(report))
        figure {
            h3 { "Top-1 accuracy on the validation images" }
            figcaption {
                @if repeated { "Diamond: mean. Bar: " (what) ". Rings: single runs." }
                @else { "Diamond: the run. Bar: " (what) "." }
                " Dashed line: guessing, " (format!("{chance:.1} %")) "."
                @if repeated && !report.comparisons.is_empty() {
                    " The verdict judges differences on shared seeds, which is sharper than comparing these bars by eye."
                }
            }
            div.dots {
                @for (result, label) in report.results.iter().zip(&labels) {
                    div.row {
                        span.name { (label) }
                        (svg::strip(&axis, result.top1.mean, result.top1_interval, &result.top1.runs, chance, &spoken(label, result)))
                        span.value { (words::spread(result.top1.mean, result.top1.sd)) }
                    }
                }
                (svg::scale(&axis))
                span.unit { "top-1 accuracy (%)" }
            }
            details.twin {
                summary { "Every run as a table" }
                (scroll("every run", runs(report, &labels)))
            }
        }
        @if !report.comparisons.is_empty() { (comparisons(report)) }
    })
}

/// One sentence on each method of the list that the report has.
fn methods(report: &Report) -> Markup {
    let has = |name: &str| report.results.iter().any(|result| result.setting.method == name);
    let named: Vec<_> = METHODS.into_iter().filter(|named| has(named.name)).collect();
    html! {
        @if !named.is_empty() {
            details.twin {
                summary { "What each method stores" }
                ul { @for method in named { li { strong { (method.name) } ": " (method.about) } } }
            }
        }
    }
}

fn spoken(label: &str, result: &MethodResult) -> String {
    let runs: Vec<String> = result.top1.runs.iter().map(|run| format!("{run:.1}")).collect();
    let interval = result.top1_interval.map_or_else(String::new, |interval| {
        format!(", 95 % interval {:.1} to {:.1}", interval.low, interval.high)
    });
    format!("{label}: mean {:.1} %{interval}, runs {}", result.top1.mean, runs.join(", "))
}

fn table(report: &Report, labels: &[String]) -> Markup {
    let best = report.results.iter().map(|result| result.top1.mean).fold(f64::MIN, f64::max);
    let top5 = report.results.iter().any(|result| result.top5.is_some());
    let macros = report.shows_macro();
    let repeats = report.results.iter().map(|result| result.seeds.len()).max().unwrap_or(0);
    let first = report.results.first().map(|result| &result.setting);
    html! {
        @if let Some(first) = first {
            p.quiet {
                (first.model) " at " (first.image_size) " px, " (first.labels) " labels, "
                (words::counted(repeats as u64, "run", "runs")) " each; "
                @if repeats > 1 { "mean ± standard deviation in percent. The highest mean is bold." }
                @else { "in percent. The highest is bold." }
            }
        }
        (scroll("results", html! {
            table {
                thead {
                    tr {
                        th.text scope="col" { "method" }
                        th scope="col" { "top-1" }
                        th scope="col" { "95 % interval" }
                        @if macros { th scope="col" { "macro top-1" } }
                        @if top5 { th scope="col" { "top-5" } }
                        th scope="col" { "IPC" }
                        th scope="col" { "grid" }
                        th.text scope="col" { "view" }
                        th scope="col" { "images" }
                        th scope="col" { "size" }
                        th scope="col" { "training" }
                    }
                }
                tbody {
                    @for (result, label) in report.results.iter().zip(labels) {
                        tr.best[result.top1.mean == best] {
                            th scope="row" { (label) }
                            td { (words::spread(result.top1.mean, result.top1.sd)) }
                            td { @if let Some(interval) = result.top1_interval { (format!("{:.1} to {:.1}", interval.low, interval.high)) } }
                            @if macros { td { @if let Some(of) = &result.macro_top1 { (words::spread(of.mean, of.sd)) } } }
                            @if top5 { td { @if let Some(top5) = &result.top5 { (words::spread(top5.mean, top5.sd)) } } }
                            td { (result.setting.ipc) }
                            td { (result.setting.grid) }
                            td.text { (result.setting.augment) }
                            td { (words::count(result.setting.images as u64)) }
                            td { (words::bytes(result.setting.bytes)) }
                            td { (words::seconds(result.seconds)) }
                        }
                    }
                }
            }
        }))
    }
}

fn runs(report: &Report, labels: &[String]) -> Markup {
    html! {
        table {
            thead { tr { th.text scope="col" { "method" } th scope="col" { "seed" } th scope="col" { "top-1 (%)" } th scope="col" { "macro top-1 (%)" } th scope="col" { "top-5 (%)" } } }
            tbody {
                @for (result, label) in report.results.iter().zip(labels) {
                    @for (run, (seed, top1)) in result.seeds.iter().zip(&result.top1.runs).enumerate() {
                        tr {
                            th scope="row" { (label) }
                            td { (seed) }
                            td { (format!("{top1:.2}")) }
                            td { @if let Some(of) = result.macro_top1.as_ref().and_then(|of| of.runs.get(run)) { (format!("{of:.2}")) } }
                            td { @if let Some(top5) = result.top5.as_ref().and_then(|top5| top5.runs.get(run)) { (format!("{top5:.2}")) } }
                        }
                    }
                }
            }
        }
    }
}

/// Points with their sign, a true minus among them.
fn signed(value: f64) -> String {
    let text = points(value).replace('-', "\u{2212}");
    if value > 0.0 { format!("+{text}") } else { text }
}

/// A p-value in three decimals.
fn probability(p: f64) -> String {
    if p < 0.0005 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

fn comparisons(report: &Report) -> Markup {
    let by_image = report.comparisons.iter().any(|of| of.noise.is_some_and(|noise| noise.images > 0.0));
    let covered = if by_image {
        "Intervals cover the choice of seeds and of validation images."
    } else {
        "Intervals cover the choice of seeds, not that of validation images."
    };
    html! {
        h3 { "Differences on shared seeds" }
        p.quiet {
            "Percentage points, first method minus second. " (covered) " Where several differences are judged, intervals and "
            "p-values are adjusted for their number (Holm): if all methods were equal, at most 5 of 100 such reports would call "
            "any better or worse. An interval within ±" (MARGIN) " points that holds zero is called indistinguishable, a wider "
            "one inconclusive."
        }
        (scroll("differences on shared seeds", html! {
            table {
                thead {
                    tr {
                        th.text scope="col" { "method" }
                        th.text scope="col" { "compared with" }
                        th scope="col" { "difference" }
                        th scope="col" { "interval" }
                        th scope="col" { "p" }
                        th scope="col" { "seeds" }
                        th.text scope="col" { "verdict" }
                    }
                }
                tbody {
                    @for comparison in &report.comparisons {
                        tr {
                            th scope="row" { (comparison.a) }
                            td.text { (comparison.b) }
                            td { (signed(comparison.difference)) }
                            td {
                                @match comparison.adjusted_interval.or(comparison.interval) {
                                    Some(interval) => { (signed(interval.low)) " to " (signed(interval.high)) }
                                    None => "none",
                                }
                            }
                            td { @if let Some(p) = comparison.adjusted_p { (probability(p)) } }
                            td { (comparison.pairs) }
                            td.text { (tag(comparison.verdict)) }
                        }
                    }
                }
            }
        }))
    }
}

pub(super) fn classes(report: &Report) -> Option<Markup> {
    let labels = report.labels();
    let measured: Vec<(&MethodResult, &String)> =
        report.results.iter().zip(&labels).filter(|(result, _)| !result.per_class.is_empty()).collect();
    let (first, _) = measured.first()?;
    let table = scroll(
        "accuracy by class",
        html! {
            table {
                thead { tr { th.text scope="col" { "class" } @for (_, label) in &measured { th scope="col" { (label) } } } }
                tbody {
                    @for (i, class) in first.per_class.iter().enumerate() {
                        tr {
                            th scope="row" { (class.class) }
                            @for (result, _) in &measured {
                                td {
                                    @match result.per_class.get(i).map(|class| class.top1) {
                                        Some(Some(top1)) => (format!("{top1:.1}")),
                                        Some(None) => "not measured",
                                        None => {}
                                    }
                                }
                            }
                        }
                    }
                }
            }
        },
    );
    Some(html! {
        p.quiet { "Top-1 in percent, mean over the runs." }
        @if first.per_class.len() <= 12 { (table) }
        @else { details.twin { summary { "All " (first.per_class.len()) " classes" } (table) } }
    })
}
