//! Charts as inline SVG that stretches with the page.
//!
//! Places are percentages of the plot and sizes of marks and text are in `em`, so a chart is as wide as
//! its container while its text keeps the size of the page's. Tick labels stand outside the plot; the page
//! leaves room for them (`.plot` in `page.css`).

use maud::{Markup, html};

use crate::evaluate::stats::Interval;

/// A linear axis that ends on round numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

impl Axis {
    /// An axis of about `count` steps that covers `low..=high`; each step is 1, 2 or 5 times a power of
    /// ten. `None` when a bound is not finite.
    pub(super) fn covering(low: f64, high: f64, count: usize) -> Option<Self> {
        if !(low.is_finite() && high.is_finite() && high >= low) {
            return None;
        }
        // One value alone gets a plot around it.
        let high = if high > low { high } else { low + low.abs().max(1.0) };
        let rough = (high - low) / count.max(1) as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|factor| factor * power)
            .into_iter()
            .find(|step| *step >= rough * 0.999)?;
        Some(Self { low: (low / step + 1e-9).floor() * step, high: (high / step - 1e-9).ceil() * step, step })
    }

    /// The axis from `low` to `high` exactly, with ticks on the round numbers between.
    pub(super) fn exactly(low: f64, high: f64, count: usize) -> Option<Self> {
        let Self { step, .. } = Self::covering(low, high, count)?;
        (high > low).then_some(Self { low, high, step })
    }

    /// The round numbers on the axis and how each is written.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let decimals = (-self.step.log10().floor()).max(0.0) as usize;
        let (first, last) = ((self.low / self.step - 1e-9).ceil(), (self.high / self.step + 1e-9).floor());
        (0..=(last - first).max(0.0) as usize)
            .map(|i| {
                // `+ 0.0` turns a negative zero into a plain one.
                let value = (first + i as f64) * self.step + 0.0;
                (value, format!("{value:.decimals$}"))
            })
            .collect()
    }

    /// Place of a value in percent of the axis's length; values outside are moved to its ends.
    fn place(&self, value: f64) -> f64 {
        (100.0 * (value - self.low) / (self.high - self.low)).clamp(0.0, 100.0)
    }

    fn x(&self, value: f64) -> String {
        format!("{:.2}%", self.place(value))
    }

    fn y(&self, value: f64) -> String {
        format!("{:.2}%", 100.0 - self.place(value))
    }
}

/// One method's accuracy on a shared axis: the interval as a line with ends, single runs as rings, the mean
/// as a filled diamond, guessing as a dashed line.
pub(super) fn strip(
    axis: &Axis,
    mean: f64,
    interval: Option<Interval>,
    runs: &[f64],
    chance: f64,
    label: &str,
) -> Markup {
    // Rings need room below the line.
    let middle = if runs.len() > 1 { "40%" } else { "50%" };
    html! {
        // Inner viewports overflow visibly: each is a new origin for a mark of fixed size.
        svg.strip role="img" aria-label=(label) {
            @for (tick, _) in axis.ticks() {
                line.grid x1=(axis.x(tick)) x2=(axis.x(tick)) y1="0" y2="100%" {}
            }
            line.chance x1=(axis.x(chance)) x2=(axis.x(chance)) y1="0" y2="100%" {}
            @if let Some(interval) = interval {
                @let (low, high) = (axis.x(interval.low), axis.x(interval.high));
                line.interval x1=(low) x2=(high) y1=(middle) y2=(middle) {}
                svg x=(low) y=(middle) { path.end d="M0-6V6" {} }
                svg x=(high) y=(middle) { path.end d="M0-6V6" {} }
            }
            @if runs.len() > 1 {
                @for &run in runs { circle.run cx=(axis.x(run)) cy="76%" r=".28em" {} }
            }
            svg.mean x=(axis.x(mean)) y=(middle) { path d="M0-7 7 0 0 7-7 0z" {} }
        }
    }
}

/// The scale below a stack of strips.
pub(super) fn scale(axis: &Axis) -> Markup {
    html! {
        svg.scale aria-hidden="true" {
            @for (tick, text) in axis.ticks() {
                text.tick x=(axis.x(tick)) y="1.1em" text-anchor="middle" { (text) }
            }
        }
    }
}

/// Lines over shared axes, one for each run. A line is broken where a value is not finite.
pub(super) fn lines(x: &Axis, y: &Axis, series: &[Vec<(f64, f64)>], label: &str) -> Markup {
    html! {
        svg.plot role="img" aria-label=(label) {
            (frame(x, y))
            svg.fill viewBox="0 0 100 100" preserveAspectRatio="none" {
                @for points in series {
                    @for piece in points.split(|(_, value)| !value.is_finite()).filter(|piece| !piece.is_empty()) {
                        polyline points=(polyline(x, y, piece)) {}
                    }
                }
            }
        }
    }
}

fn polyline(x: &Axis, y: &Axis, points: &[(f64, f64)]) -> String {
    let mut text = String::new();
    // A single point is drawn as a short dash: a line of no length would not show.
    let last = points.last().filter(|_| points.len() == 1);
    for (i, (step, value)) in points.iter().chain(last).enumerate() {
        let nudge = if i > 0 && points.len() == 1 { 1.0 } else { 0.0 };
        text.push_str(&format!("{:.2},{:.2} ", x.place(*step) + nudge, 100.0 - y.place(*value)));
    }
    text.truncate(text.trim_end().len());
    text
}

/// A histogram: outlined bars for all values, filled bars for the part of them that was kept.
pub(super) fn bars(x: &Axis, y: &Axis, edges: &[f64], counts: &[u64], kept: &[u64], label: &str) -> Markup {
    let bar = |class: &str, bin: usize, count: u64| {
        let (left, right) = (x.place(edges[bin]), x.place(edges[bin + 1]));
        let height = y.place(count as f64);
        html! {
            rect class=(class) x=(format!("{left:.2}")) y=(format!("{:.2}", 100.0 - height))
                width=(format!("{:.2}", right - left)) height=(format!("{height:.2}")) {}
        }
    };
    html! {
        svg.plot role="img" aria-label=(label) {
            (frame(x, y))
            svg.fill viewBox="0 0 100 100" preserveAspectRatio="none" {
                @for (bin, &count) in counts.iter().enumerate().take(edges.len().saturating_sub(1)) {
                    @if count > 0 { (bar("all", bin, count)) }
                    @if let Some(&kept) = kept.get(bin).filter(|&&kept| kept > 0) { (bar("kept", bin, kept)) }
                }
            }
        }
    }
}

fn frame(x: &Axis, y: &Axis) -> Markup {
    html! {
        @for (tick, text) in y.ticks() {
            line.grid x1="0" x2="100%" y1=(y.y(tick)) y2=(y.y(tick)) {}
            text.tick x="0" y=(y.y(tick)) dx="-.6em" dy=".35em" text-anchor="end" { (text) }
        }
        @for (tick, text) in x.ticks() {
            text.tick x=(x.x(tick)) y="100%" dy="1.5em" text-anchor="middle" { (text) }
        }
        line.base x1="0" x2="100%" y1="100%" y2="100%" {}
    }
}

/// At most `most` points: each is the mean of as many neighbours as it takes, which is returned beside
/// them.
pub(super) fn thinned(points: &[(f64, f64)], most: usize) -> (Vec<(f64, f64)>, usize) {
    let bucket = points.len().div_ceil(most.max(1)).max(1);
    let mean = |points: &[(f64, f64)]| {
        let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
        (x / points.len() as f64, y / points.len() as f64)
    };
    (points.chunks(bucket).map(mean).collect(), bucket)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticks(low: f64, high: f64, count: usize) -> Vec<String> {
        Axis::covering(low, high, count).expect("finite").ticks().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(ticks(0.0, 100.0, 5), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(ticks(9.1, 42.0, 4), ["0", "10", "20", "30", "40", "50"]);
        assert_eq!(ticks(0.02, 0.31, 4), ["0.0", "0.1", "0.2", "0.3", "0.4"]);
        assert_eq!(ticks(0.0, 0.0, 5), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(ticks(-1.0, 1.0, 4), ["-1.0", "-0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(Axis::covering(f64::NAN, 1.0, 5), None);
        let exact = Axis::exactly(1.0, 600.0, 4).expect("a range");
        assert_eq!(exact.ticks().first().map(|tick| tick.0), Some(200.0));
    }

    #[test]
    fn a_line_is_broken_where_the_loss_diverged() {
        let axis = Axis::covering(0.0, 10.0, 5).expect("finite");
        let series = vec![vec![(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 4.0), (4.0, 5.0)]];
        let text = lines(&axis, &axis, &series, "loss").into_string();
        assert_eq!(text.matches("<polyline").count(), 2);
        assert!(!text.contains("NaN"));
    }

    #[test]
    fn thinning_averages_neighbours() {
        let points: Vec<(f64, f64)> = (0..10).map(|i| (f64::from(i), f64::from(i * i))).collect();
        assert_eq!(thinned(&points, 10), (points.clone(), 1));
        assert_eq!(thinned(&points[..4], 2), (vec![(0.5, 0.5), (2.5, 6.5)], 2));
        assert_eq!(thinned(&[], 5), (vec![], 1));
    }

    proptest! {
        #[test]
        fn an_axis_covers_its_values_with_few_ticks(low in -1e6..1e6f64, length in 1e-3..1e6f64, count in 2..8usize) {
            let axis = Axis::covering(low, low + length, count).expect("finite");
            let ticks = axis.ticks();
            prop_assert!(ticks[0].0 <= low + axis.step * 1e-6);
            prop_assert!(ticks[ticks.len() - 1].0 >= low + length - axis.step * 1e-6);
            prop_assert!((2..=count + 2).contains(&ticks.len()), "{:?}", ticks);
        }
    }
}
