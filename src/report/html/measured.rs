//! What was measured: accuracies, training curves, classes and scores.

use maud::{Markup, html};

use super::{
    super::{
        IntervalOf, MethodResult, Report,
        svg::{self, Axis},
        words,
    },
    scroll, tag,
};

/// Most points of a drawn line; more do not fit into its pixels.
const POINTS: usize = 240;
/// Most rows of the table beside a training curve.
const ROWS: usize = 24;

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
    let what = match first.top1_interval_of {
        IntervalOf::Seeds => "95 % interval of the mean over seeds (Student's t)",
        IntervalOf::Images => {
            "95 % interval of one run over the validation images (Wilson); it knows nothing of the noise between seeds"
        }
    };
    Some(html! {
        (table(report, &labels))
        figure {
            h3 { "Top-1 accuracy on the validation images" }
            figcaption {
                "Diamond: mean. Bar: " (what) "."
                @if first.top1.runs.len() > 1 { " Rings: single runs." }
                " Dashed line: guessing, " (format!("{chance:.1} %")) ". Differences are judged below on shared seeds, which is "
                "sharper than comparing these bars by eye."
            }
            div.dots {
                @for (result, label) in report.results.iter().zip(&labels) {
                    span.name { (label) }
                    (svg::strip(&axis, result.top1.mean, result.top1_interval, &result.top1.runs, chance, &spoken(label, result)))
                    span.value { (words::spread(result.top1.mean, result.top1.sd)) }
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
    let repeats = report.results.iter().map(|result| result.seeds.len()).max().unwrap_or(0);
    let first = report.results.first().map(|result| &result.setting);
    scroll(
        "results",
        html! {
            table {
                caption {
                    @if let Some(first) = first {
                        (first.model) " at " (first.image_size) " px, " (first.labels) " labels, "
                        (words::counted(repeats as u64, "run", "runs")) " each; mean ± standard deviation in percent. The highest mean is bold."
                    }
                }
                thead {
                    tr {
                        th.text scope="col" { "method" }
                        th scope="col" { "IPC" }
                        th scope="col" { "grid" }
                        th.text scope="col" { "view" }
                        th scope="col" { "images" }
                        th scope="col" { "size" }
                        th scope="col" { "top-1" }
                        th scope="col" { "95 % interval" }
                        @if top5 { th scope="col" { "top-5" } }
                        th scope="col" { "training" }
                    }
                }
                tbody {
                    @for (result, label) in report.results.iter().zip(labels) {
                        tr.best[result.top1.mean == best] {
                            th scope="row" { (label) }
                            td { (result.setting.ipc) }
                            td { (result.setting.grid) }
                            td.text { (result.setting.augment) }
                            td { (words::count(result.setting.images as u64)) }
                            td { (words::bytes(result.setting.bytes)) }
                            td { (words::spread(result.top1.mean, result.top1.sd)) }
                            td { @if let Some(interval) = result.top1_interval { (format!("{:.1} to {:.1}", interval.low, interval.high)) } }
                            @if top5 { td { @if let Some(top5) = &result.top5 { (words::spread(top5.mean, top5.sd)) } } }
                            td { (words::seconds(result.seconds)) }
                        }
                    }
                }
            }
        },
    )
}

fn runs(report: &Report, labels: &[String]) -> Markup {
    html! {
        table {
            thead { tr { th.text scope="col" { "method" } th scope="col" { "seed" } th scope="col" { "top-1 (%)" } th scope="col" { "top-5 (%)" } } }
            tbody {
                @for (result, label) in report.results.iter().zip(labels) {
                    @for (run, (seed, top1)) in result.seeds.iter().zip(&result.top1.runs).enumerate() {
                        tr {
                            th scope="row" { (label) }
                            td { (seed) }
                            td { (format!("{top1:.2}")) }
                            td { @if let Some(top5) = result.top5.as_ref().and_then(|top5| top5.runs.get(run)) { (format!("{top5:.2}")) } }
                        }
                    }
                }
            }
        }
    }
}

fn comparisons(report: &Report) -> Markup {
    html! {
        h3 { "Differences on shared seeds" }
        p.quiet {
            "Percentage points, first method minus second. An interval that holds zero is called no difference. Intervals "
            "cover the seeds, not the choice of validation images, and are not corrected for the number of comparisons."
        }
        (scroll("differences on shared seeds", html! {
            table {
                thead {
                    tr {
                        th.text scope="col" { "method" }
                        th.text scope="col" { "compared with" }
                        th scope="col" { "difference" }
                        th scope="col" { "95 % interval" }
                        th scope="col" { "seeds" }
                        th.text scope="col" { "verdict" }
                    }
                }
                tbody {
                    @for comparison in &report.comparisons {
                        tr {
                            th scope="row" { (comparison.a) }
                            td.text { (comparison.b) }
                            td { (format!("{:+.1}", comparison.difference)) }
                            td {
                                @match comparison.interval {
                                    Some(interval) => { (format!("{:+.1} to {:+.1}", interval.low, interval.high)) }
                                    None => "none",
                                }
                            }
                            td { (comparison.pairs) }
                            td.text { (tag(comparison.verdict)) }
                        }
                    }
                }
            }
        }))
    }
}

/// The points of one method's runs, thinned, and the most neighbours that one point averages.
fn thinned(series: impl Iterator<Item = Vec<(f64, f64)>>) -> (Vec<Vec<(f64, f64)>>, usize) {
    let series: Vec<(Vec<(f64, f64)>, usize)> = series.map(|points| svg::thinned(&points, POINTS)).collect();
    let bucket = series.iter().map(|(_, bucket)| *bucket).max().unwrap_or(1);
    (series.into_iter().map(|(points, _)| points).collect(), bucket)
}

pub(super) fn curves(report: &Report) -> Option<Markup> {
    struct Panel {
        label: String,
        loss: Vec<Vec<(f64, f64)>>,
        accuracy: Vec<Vec<(f64, f64)>>,
    }
    let mut bucket = 1;
    let panels: Vec<Panel> = report
        .results
        .iter()
        .zip(report.labels())
        .filter(|(result, _)| result.curves.iter().any(|curve| !curve.step.is_empty()))
        .map(|(result, label)| {
            let steps =
                |curve: &super::super::Curve| curve.step.iter().map(|&step| step as f64).collect::<Vec<_>>();
            let (loss, averaged) = thinned(
                result
                    .curves
                    .iter()
                    .map(|curve| steps(curve).into_iter().zip(curve.train_loss.iter().copied()).collect()),
            );
            bucket = bucket.max(averaged);
            let accuracy = result
                .curves
                .iter()
                .map(|curve| {
                    steps(curve)
                        .into_iter()
                        .zip(&curve.val_top1)
                        .filter_map(|(step, value)| Some((step, (*value)?)))
                        .collect()
                })
                .filter(|points: &Vec<_>| !points.is_empty())
                .collect();
            Panel { label, loss, accuracy }
        })
        .collect();
    let highest =
        |values: &mut dyn Iterator<Item = f64>| values.filter(|value| value.is_finite()).fold(0.0, f64::max);
    let all = |pick: fn(&Panel) -> &Vec<Vec<(f64, f64)>>| panels.iter().flat_map(pick).flatten();
    let x = Axis::exactly(0.0, highest(&mut all(|panel| &panel.loss).map(|point| point.0)), 4)?;
    let loss = Axis::covering(0.0, highest(&mut all(|panel| &panel.loss).map(|point| point.1)), 4)?;
    let accuracy = Axis::covering(0.0, highest(&mut all(|panel| &panel.accuracy).map(|point| point.1)), 4)?;
    Some(html! {
        p.quiet {
            "One line for each run, the same axes in every panel."
            @if bucket > 1 { " Each drawn point of the loss is the mean of " (bucket) " logged ones." }
        }
        div.panels {
            @for panel in &panels {
                div.panel {
                    h3 { (panel.label) }
                    div.axes {
                        p.unit { "training loss" }
                        (svg::lines(&x, &loss, &panel.loss, &ends("Training loss", &panel.label, &panel.loss)))
                        @if !panel.accuracy.is_empty() {
                            p.unit { "validation top-1 (%)" }
                            (svg::lines(&x, &accuracy, &panel.accuracy, &ends("Validation top-1", &panel.label, &panel.accuracy)))
                        }
                        p.unit.below { "step" }
                    }
                }
            }
        }
        details.twin {
            summary { "The curves as a table" }
            (scroll("training curves", curve_table(report)))
        }
    })
}

/// What a screen reader says of a plot of lines: where each run begins and ends.
fn ends(what: &str, label: &str, series: &[Vec<(f64, f64)>]) -> String {
    let runs: Vec<String> = series
        .iter()
        .filter_map(|points| Some(format!("{:.2} to {:.2}", points.first()?.1, points.last()?.1)))
        .collect();
    format!("{what} of {label} over the steps; from first to last: {}", runs.join("; "))
}

fn curve_table(report: &Report) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th.text scope="col" { "method" }
                    th scope="col" { "seed" }
                    th scope="col" { "step" }
                    th scope="col" { "training loss" }
                    th scope="col" { "validation top-1 (%)" }
                }
            }
            tbody {
                @for (result, label) in report.results.iter().zip(report.labels()) {
                    @for curve in &result.curves {
                        // Rows are counted back from the last step, which is the one that matters.
                        @let every = curve.step.len().div_ceil(ROWS).max(1);
                        @for (i, step) in curve.step.iter().enumerate().filter(|(i, _)| (curve.step.len() - 1 - i).is_multiple_of(every)) {
                            tr {
                                th scope="row" { (label) }
                                td { (curve.seed) }
                                td { (step) }
                                td { @if let Some(loss) = curve.train_loss.get(i) { (format!("{loss:.3}")) } }
                                td { @if let Some(Some(top1)) = curve.val_top1.get(i) { (format!("{top1:.1}")) } }
                            }
                        }
                    }
                }
            }
        }
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
                                td { @if let Some(class) = result.per_class.get(i) { (format!("{:.1}", class.top1)) } }
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

pub(super) fn scores(report: &Report) -> Option<Markup> {
    let scoring = report.scoring.as_ref()?;
    let reached =
        scoring.proxy_accuracy.last().map(|last| format!("; training accuracy at the end {last:.1} %"));
    Some(html! {
        p {
            "Each training image is scored by EL2N, summed over the first epochs of "
            (words::counted(u64::from(scoring.runs), "proxy", "proxies")) " trained for "
            (words::counted(u64::from(scoring.epochs), "epoch", "epochs")) " in " (words::seconds(scoring.seconds))
            (reached.unwrap_or_default()) ". A low score is an easy image."
        }
        div.two {
            @if let Some(figure) = histogram(report) { (figure) }
            @if let Some(figure) = proxy(&scoring.proxy_accuracy) { (figure) }
        }
    })
}

fn histogram(report: &Report) -> Option<Markup> {
    let histogram = report.scoring.as_ref()?.el2n_histogram.as_ref()?;
    let (low, high) = (*histogram.edges.first()?, *histogram.edges.last()?);
    let x = Axis::exactly(low, high, 6)?;
    let most = histogram.counts.iter().max().copied()?;
    let y = Axis::covering(0.0, most as f64, 4)?;
    let kept = histogram.kept.as_deref().unwrap_or_default();
    let total: u64 = histogram.counts.iter().sum();
    let label = format!(
        "Histogram of EL2N of {} from {low:.1} to {high:.1}; the fullest bin holds {}",
        words::counted(total, "image", "images"),
        words::count(most)
    );
    Some(html! {
        figure {
            h3 { "EL2N of the training images" }
            figcaption {
                span.key {} "all"
                @if !kept.is_empty() { " " span.key.solid {} "kept (filled)" }
            }
            div.axes.wide {
                p.unit { "images" }
                (svg::bars(&x, &y, &histogram.edges, &histogram.counts, kept, &label))
                p.unit.below { "EL2N" }
            }
            details.twin {
                summary { "The histogram as a table" }
                (scroll("EL2N histogram", html! {
                    table {
                        thead { tr { th.text scope="col" { "EL2N" } th scope="col" { "images" } @if !kept.is_empty() { th scope="col" { "kept" } } } }
                        tbody {
                            @for (bin, (edges, count)) in histogram.edges.windows(2).zip(&histogram.counts).enumerate() {
                                tr {
                                    th scope="row" { (format!("{:.2} to {:.2}", edges[0], edges[1])) }
                                    td { (words::count(*count)) }
                                    @if !kept.is_empty() { td { (words::count(kept.get(bin).copied().unwrap_or(0))) } }
                                }
                            }
                        }
                    }
                }))
            }
        }
    })
}

fn proxy(accuracy: &[f64]) -> Option<Markup> {
    if accuracy.len() < 2 {
        return None;
    }
    let points: Vec<(f64, f64)> = (1..).map(f64::from).zip(accuracy.iter().copied()).collect();
    let x = Axis::exactly(1.0, accuracy.len() as f64, accuracy.len().min(6))?;
    let y = Axis::covering(0.0, accuracy.iter().copied().fold(0.0, f64::max), 4)?;
    let label = ends("Training accuracy", "the proxy", std::slice::from_ref(&points));
    Some(html! {
        figure {
            h3 { "The proxy while it was scoring" }
            figcaption { "Accuracy on the training images, mean over the proxies." }
            div.axes.wide {
                p.unit { "training accuracy (%)" }
                (svg::lines(&x, &y, &[points], &label))
                p.unit.below { "epoch" }
            }
            details.twin {
                summary { "The accuracies as a table" }
                (scroll("proxy accuracy", html! {
                    table {
                        thead { tr { th.text scope="col" { "epoch" } th scope="col" { "training accuracy (%)" } } }
                        tbody { @for (i, value) in accuracy.iter().enumerate() { tr { th scope="row" { (i + 1) } td { (format!("{value:.1}")) } } } }
                    }
                }))
            }
        }
    })
}
