//! Parts that several sections of a report's page are made of.

use maud::{Markup, html};

use crate::evaluate::verdict::Verdict;

/// Running text; flags are set as code and are not broken, and a number keeps its percent sign.
pub(super) fn prose(text: &str) -> Markup {
    html! {
        @for (i, word) in text.split(' ').enumerate() {
            @if i > 0 { @if word == "%" { "\u{a0}" } @else { " " } }
            @if word.starts_with("--") { code.flag { (word) } } @else { (word) }
        }
    }
}

/// A verdict as a word with a shape.
pub(super) fn tag(verdict: Verdict) -> Markup {
    let (mark, word) = match verdict {
        Verdict::Better => ("▲", "above"),
        Verdict::Worse => ("▼", "below"),
        Verdict::Indistinguishable => ("≈", "indistinguishable"),
        Verdict::Inconclusive => ("?", "inconclusive"),
        Verdict::Untested => ("–", "untested"),
    };
    html! { span.tag { span aria-hidden="true" { (mark) " " } (word) } }
}

/// A table that scrolls by itself where the page is narrow.
pub(super) fn scroll(label: &str, table: Markup) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label=(label) { (table) } }
}
