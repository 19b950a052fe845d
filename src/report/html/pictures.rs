//! Pictures to look at. A click enlarges one in place: it is the summary of a `details` element.

use maud::{Markup, html};

use super::super::{ClassPictures, Gallery, Picture};
use crate::score::Metric;

/// Classes shown at once; the others are folded.
const SHOWN: usize = 10;
/// Most pictures side by side in a strip.
const MAX_COLUMNS: usize = 10;

pub(super) fn extremes(gallery: &Gallery, metric: Metric) -> Option<Markup> {
    let classes: Vec<&ClassPictures> = gallery
        .classes
        .iter()
        .filter(|class| !(class.easiest.is_empty() && class.hardest.is_empty()))
        .collect();
    let (shown, folded) = classes.split_at(classes.len().min(SHOWN));
    (!classes.is_empty()).then(|| {
        html! {
            p.quiet { "By the " (metric.title()) ", the most extreme first. A click enlarges an image and names it." }
            @for class in shown { (strips(class, metric)) }
            @if !folded.is_empty() {
                details.twin {
                    summary { (folded.len()) " more classes" }
                    @for class in folded { (strips(class, metric)) }
                }
            }
        }
    })
}

fn strips(class: &ClassPictures, metric: Metric) -> Markup {
    html! {
        div.class {
            h3 { (class.class) }
            div.strips {
                @for (name, pictures) in [("easiest", &class.easiest), ("hardest", &class.hardest)] {
                    @if !pictures.is_empty() {
                        div {
                            h4 { (name) }
                            div.pictures style=(format!("--columns:{}", pictures.len().min(MAX_COLUMNS))) {
                                @for (rank, picture) in pictures.iter().enumerate() {
                                    (enlargeable(picture, &format!("{} image {} of class {}", name, rank + 1, class.class), metric))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn enlargeable(picture: &Picture, alt: &str, metric: Metric) -> Markup {
    html! {
        details.picture {
            summary { img src=(picture.data_uri()) alt=(alt) title=(picture.path) loading="lazy"; }
            p { code { (picture.path) } @if let Some(score) = picture.score { ", " (metric.title()) " " (format!("{score:.2}")) } }
        }
    }
}

pub(super) fn composites(gallery: &Gallery) -> Option<Markup> {
    (!gallery.composites.is_empty()).then(|| {
        html! {
            p.quiet { "As they are stored. A click enlarges a composite and names the image of every tile, row by row." }
            div.composites {
                @for composite in &gallery.composites {
                    details.picture {
                        summary {
                            img src=(composite.picture.data_uri()) loading="lazy"
                                alt=(format!("composite of {} images of class {}", composite.sources.len(), composite.class));
                            span { (composite.class) }
                        }
                        p { code { (composite.picture.path) } }
                        ol { @for source in &composite.sources { li { code { (source) } } } }
                    }
                }
            }
        }
    })
}
