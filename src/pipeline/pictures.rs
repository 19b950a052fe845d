//! The pictures of a report's page.

use super::Dataset;
use crate::combine::{CompositeRecord, DATA, Format, encode};
use crate::data::{ClassMap, Filter, Fit, Image, Resizer, Sample, Source};
use crate::report::{ClassPictures, CompositePicture, Picture};
use crate::run::Storage;
use crate::score::{ScoreTable, find_all};

/// Number of classes on a page, and of images at each end of a class: few, so that the page can be sent by mail.
const CLASSES: usize = 10;
const IMAGES: usize = 6;
/// Number of composites on a page.
const COMPOSITES: usize = 20;
/// Longest side of a thumbnail in pixels.
const THUMBNAIL: u32 = 96;

/// The easiest and hardest images of the first classes. A table made elsewhere may have rows of other images; only those of the
/// data are looked at, whatever else its paths lead to.
pub(super) fn ends_of_classes(data: &Dataset, table: &ScoreTable) -> Vec<ClassPictures> {
    let samples = &data.train.samples;
    let ours: Vec<&str> = samples.iter().map(|sample| sample.path.as_str()).collect();
    let theirs: Vec<&str> = table.rows.iter().map(|row| row.path.as_str()).collect();
    let places = find_all(&ours, &theirs);
    let known: Vec<_> = table
        .rows
        .iter()
        .zip(places)
        .filter_map(|(row, place)| Some((&samples[place?], row.rank, row.value)))
        .collect();
    let classes = (0..).zip(data.classes.names()).take(CLASSES);
    classes
        .map(|(class, name)| {
            let mut rows: Vec<_> = known.iter().filter(|(sample, ..)| sample.class == class).collect();
            rows.sort_by_key(|(_, rank, _)| *rank);
            let picture = |row: &&(&Sample, u32, f64)| thumbnail(data, &row.0.path, row.2);
            let hardest = rows.iter().rev().take(IMAGES);
            ClassPictures {
                class: name.clone(),
                easiest: rows.iter().take(IMAGES).filter_map(picture).collect(),
                hardest: hardest.filter_map(picture).collect(),
            }
        })
        .collect()
}

/// A small picture of a source; `None` when it cannot be read any more.
fn thumbnail(data: &Dataset, path: &str, score: f64) -> Option<Picture> {
    let image = data.originals.image(path).ok()?;
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

/// Some composites of a set, spread over its classes.
pub(super) fn composites(out: &dyn Storage, records: &[CompositeRecord]) -> Vec<CompositePicture> {
    let step = (records.len() / COMPOSITES).max(1);
    records
        .iter()
        .step_by(step)
        .take(COMPOSITES)
        .filter_map(|record| {
            let file = out.read(&format!("{DATA}/{}", record.file_name)).ok()??;
            Some(CompositePicture {
                picture: Picture { file, path: record.file_name.clone(), score: None },
                class: record.class.clone(),
                sources: record.tiles.iter().map(|tile| tile.source.clone()).collect(),
            })
        })
        .collect()
}

/// One stored image of each of the first classes.
pub(super) fn composites_in_memory(images: &dyn Source, classes: &ClassMap) -> Vec<CompositePicture> {
    let per_class = (images.len() / classes.len()).max(1);
    (0..images.len())
        .step_by(per_class)
        .take(COMPOSITES)
        .filter_map(|i| {
            let side = images.side();
            let mut buffer = Vec::new();
            let image = Image::new(side, side, images.fetch(i, &mut buffer).ok()?.to_vec()).ok()?;
            let class = classes.name(images.labels()[i]).to_owned();
            let file = encode(&image, Format::Png).ok()?;
            let picture = Picture { file, path: format!("{class}/{:04}", i % per_class), score: None };
            Some(CompositePicture { picture, class, sources: Vec::new() })
        })
        .collect()
}
