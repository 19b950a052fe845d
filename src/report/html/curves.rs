//! Training curves: a panel for each method, the same axes in all.

use maud::{Markup, html};

use super::{
    super::{
        Curve, Report,
        svg::{self, Axis},
    },
    scroll,
};

/// One line for each run: its points, step by step.
type Lines = Vec<Vec<(f64, f64)>>;

/// Most points of a drawn line; more do not fit into its pixels.
const POINTS: usize = 240;
/// Most rows of the table beside a training curve.
const ROWS: usize = 24;

/// The points of one method's runs, thinned, and the most neighbours that one point averages.
fn thinned(series: impl Iterator<Item = Vec<(f64, f64)>>) -> (Lines, usize) {
    let series: Vec<(Vec<(f64, f64)>, usize)> = series.map(|points| svg::thinned(&points, POINTS)).collect();
    let bucket = series.iter().map(|(_, bucket)| *bucket).max().unwrap_or(1);
    (series.into_iter().map(|(points, _)| points).collect(), bucket)
}

pub(super) fn curves(report: &Report) -> Option<Markup> {
    struct Panel {
        label: String,
        loss: Lines,
    }
    let mut bucket = 1;
    let panels: Vec<Panel> =
        report
            .results
            .iter()
            .zip(report.labels())
            .filter(|(result, _)| result.curves.iter().any(|curve| !curve.step.is_empty()))
            .map(|(result, label)| {
                let steps = |curve: &Curve| curve.step.iter().map(|&step| step as f64).collect::<Vec<_>>();
                let (loss, averaged) =
                    thinned(result.curves.iter().map(|curve| {
                        steps(curve).into_iter().zip(curve.train_loss.iter().copied()).collect()
                    }));
                bucket = bucket.max(averaged);
                Panel { label, loss }
            })
            .collect();
    let highest =
        |values: &mut dyn Iterator<Item = f64>| values.filter(|value| value.is_finite()).fold(0.0, f64::max);
    let points = || panels.iter().flat_map(|panel| &panel.loss).flatten();
    let x = Axis::exactly(0.0, highest(&mut points().map(|point| point.0)), 4)?;
    let loss = Axis::covering(0.0, highest(&mut points().map(|point| point.1)), 4)?;
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

/// Text for a screen reader on a plot of lines: the first and the last value of each run.
pub(super) fn ends(what: &str, label: &str, series: &[Vec<(f64, f64)>]) -> String {
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
                            }
                        }
                    }
                }
            }
        }
    }
}
