//! The pictures of a report's page.

use std::path::Path;

use crate::cli::stage::combine::read_source;
use crate::cli::stage::data::Dataset;
use crate::combine::{CompositeRecord, Format, encode};
use crate::data::{Filter, Fit, Image, Resizer};
use crate::report::{ClassPictures, CompositePicture, Picture};
use crate::score::ScoreTable;

/// Classes, and images at each end of a class, on a page: enough to see, small enough to mail.
const CLASSES: usize = 10;
const IMAGES: usize = 6;
/// Composites on a page.
const COMPOSITES: usize = 20;
/// Longest side of a thumbnail in pixels.
const THUMBNAIL: u32 = 96;

/// The easiest and hardest images of the first classes.
pub(in crate::cli) fn ends_of_classes(data: &Dataset, table: &ScoreTable) -> Vec<ClassPictures> {
    let classes = data.classes.names().iter().take(CLASSES);
    classes
        .map(|class| {
            let mut rows: Vec<_> =
                table.rows.iter().filter(|row| class_of(&row.path, &row.class) == class.as_str()).collect();
            rows.sort_by_key(|row| row.rank);
            let picture = |row: &&crate::score::ScoreRow| thumbnail(data, &row.path, row.value);
            let hardest = rows.iter().rev().take(IMAGES);
            ClassPictures {
                class: class.clone(),
                easiest: rows.iter().take(IMAGES).filter_map(picture).collect(),
                hardest: hardest.filter_map(picture).collect(),
            }
        })
        .collect()
}

/// A row's class; a table made elsewhere may leave it to the path.
fn class_of<'a>(path: &'a str, class: &'a str) -> &'a str {
    if class.is_empty() {
        let path = path.strip_prefix("train/").unwrap_or(path);
        path.split_once('/').map_or(path, |(class, _)| class)
    } else {
        class
    }
}

/// A small picture of a source; `None` when it cannot be read any more.
fn thumbnail(data: &Dataset, path: &str, score: f64) -> Option<Picture> {
    let image = read_source(&data.root, path).ok()?;
    let image = shrink(&image);
    let file = encode(&image, Format::Jpeg { quality: 85 }).ok()?;
    Some(Picture { file, path: path.to_owned(), score: Some(score) })
}

/// The image with its longest side at most [`THUMBNAIL`] pixels.
fn shrink(image: &Image) -> Image {
    let (width, height) = (image.width(), image.height());
    let longest = width.max(height);
    if longest <= THUMBNAIL {
        return image.clone();
    }
    let scale = |side: u32| (side * THUMBNAIL / longest).max(1);
    Resizer::new().resize(image, scale(width), scale(height), Fit::Squash, Filter::Lanczos3)
}

/// Some composites of a dataset, spread over its classes.
pub(in crate::cli) fn composites(folder: &Path, records: &[CompositeRecord]) -> Vec<CompositePicture> {
    let step = (records.len() / COMPOSITES).max(1);
    records
        .iter()
        .step_by(step)
        .take(COMPOSITES)
        .filter_map(|record| {
            let file = std::fs::read(folder.join(&record.file_name)).ok()?;
            Some(CompositePicture {
                picture: Picture { file, path: record.file_name.clone(), score: None },
                class: record.class.clone(),
                sources: record.tiles.iter().map(|tile| tile.source.clone()).collect(),
            })
        })
        .collect()
}
