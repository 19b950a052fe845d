//! Scores: their histogram, and the proxy that made them.

use maud::{Markup, html};

use super::{
    super::{
        Report,
        svg::{self, Axis},
        words,
    },
    curves::ends,
    parts::scroll,
};
use crate::score::Metric;

pub(super) fn scores(report: &Report) -> Option<Markup> {
    let scoring = report.scoring.as_ref()?;
    let metric = scoring.metric;
    let reached =
        scoring.proxy_accuracy.last().map(|last| format!("; training accuracy at the end {last:.1} %"));
    Some(html! {
        p {
            @match metric {
                Metric::El2n => "Every training image is scored by its EL2N; a low score is an easy image.",
                _ => "The scores were made elsewhere; a low score is taken for an easy image.",
            }
            @if scoring.runs == 0 {
                " They were read from a table, so no proxy was trained."
            } @else {
                " " (words::counted(u64::from(scoring.runs), "proxy", "proxies")) " trained for "
                (words::counted(u64::from(scoring.epochs), "epoch", "epochs")) " took " (words::seconds(scoring.seconds))
                (reached.unwrap_or_default()) "."
            }
        }
        div.two {
            @if let Some(figure) = histogram(report) { (figure) }
            @if let Some(figure) = proxy(&scoring.proxy_accuracy) { (figure) }
        }
    })
}

fn histogram(report: &Report) -> Option<Markup> {
    let scoring = report.scoring.as_ref()?;
    let (histogram, title) = (scoring.histogram.as_ref()?, scoring.metric.title());
    let (low, high) = (*histogram.edges.first()?, *histogram.edges.last()?);
    let x = Axis::exactly(low, high, 6)?;
    let most = histogram.counts.iter().max().copied()?;
    let y = Axis::covering(0.0, most as f64, 4)?;
    let kept = histogram.kept.as_deref().unwrap_or_default();
    let total: u64 = histogram.counts.iter().sum();
    let label = format!(
        "Histogram of the {title} of {} from {low:.1} to {high:.1}; the fullest bin holds {}",
        words::counted(total, "image", "images"),
        words::count(most)
    );
    Some(html! {
        figure {
            h3 { @if scoring.metric == Metric::El2n { "EL2N" } @else { "Scores" } " of the training images" }
            figcaption {
                span.key {} "all"
                @if !kept.is_empty() { " " span.key.solid {} "kept (filled)" }
            }
            div.axes.wide {
                p.unit { "images" }
                (svg::bars(&x, &y, &histogram.edges, &histogram.counts, kept, &label))
                p.unit.below { (title) }
            }
            details.twin {
                summary { "The histogram as a table" }
                (scroll(&format!("Histogram of the {title}"), html! {
                    table {
                        thead { tr { th.text scope="col" { (title) } th scope="col" { "images" } @if !kept.is_empty() { th scope="col" { "kept" } } } }
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
