//! A compressed set, file by file, without a file system: the program writes what this gives to a folder,
//! a page puts it into an archive.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{
    CombineError, Composer, CompositePlan, CompositeRecord, Counts, Manifest, PickedSource, SetSpec,
    TORCHVISION_TRANSFORM, TORCHVISION_TRANSFORM_NAME, card, encode,
};
use crate::data::{ClassMap, ContentHash, Filter, Image, Sample};
use crate::prune::Selection;

/// The kernel that shrinks sources to tiles.
pub const SOURCE_FILTER: Filter = Filter::Lanczos3;

/// The folder of the images in a set.
pub const DATA: &str = "data";

/// File name of the card that describes a set, which is its user's to edit.
pub const CARD: &str = "README.md";

/// The file in [`DATA`] that says where every tile comes from.
pub const METADATA: &str = "metadata.jsonl";

/// The chosen images by class, in the order of their ranks.
///
/// # Panics
/// When a pick is none of these samples.
pub fn picked_sources(
    selection: &Selection,
    samples: &[Sample],
    classes: &ClassMap,
) -> Vec<Vec<PickedSource>> {
    let pick = |pick: &crate::prune::Pick| {
        let sample = &samples[pick.sample as usize];
        PickedSource { path: sample.path.clone(), hash: sample.hash, score: pick.score, rank: pick.rank }
    };
    (0..classes.len() as u32).map(|class| selection.of_class(class).iter().map(pick).collect()).collect()
}

/// A finished composite.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// Its line of [`METADATA`], which names its file.
    pub record: CompositeRecord,
    /// The bytes of its file.
    pub file: Vec<u8>,
    /// Its pixels before they were encoded.
    pub image: Image,
}

/// Makes one composite of a spec. `read` gives the whole image of a source path and is called for one tile after
/// the other, `shrink` brings an image to a width and height.
///
/// # Errors
/// The first error of `read`; [`CombineError`] for the spec's numbers and when the composite cannot be encoded.
///
/// # Panics
/// When `shrink` gives another size than it was asked for.
pub fn make<E: From<CombineError>>(
    composer: &Composer,
    spec: &SetSpec,
    plan: &CompositePlan<'_>,
    mut read: impl FnMut(&str) -> Result<Image, E>,
    shrink: impl FnMut(&Image, u32, u32) -> Image,
) -> Result<Made, E> {
    let (per_class, _) = spec.per_class()?;
    let image =
        composer.compose_from(|tile| read(&plan.tiles[tile as usize].path).map(Cow::Owned), shrink)?;
    let file = encode(&image, spec.format)?;
    let record = CompositeRecord::new(plan, &spec.classes, per_class, spec.grid, spec.side, spec.format);
    Ok(Made { record, file, image })
}

/// The files beside the images of a set, in the order in which they are to be written: the card, the torchvision
/// transform and, last, `manifest.json`, whose `files` then name the other two as well. `name` and `selection`
/// are those of [`card()`].
pub fn about(manifest: &mut Manifest, name: &str, selection: &str) -> [(&'static str, String); 3] {
    let card = (CARD, card(manifest, name, selection));
    let transform = (TORCHVISION_TRANSFORM_NAME, TORCHVISION_TRANSFORM.to_owned());
    for (file, text) in [&card, &transform] {
        manifest.files.insert((*file).to_owned(), ContentHash::of(text.as_bytes()));
    }
    [card, transform, ("manifest.json", manifest.to_json())]
}

impl Counts {
    /// The counts of a set of `composites` images of these picks, out of `source` images.
    pub fn of(picks: &[Vec<PickedSource>], source: usize, composites: usize) -> Self {
        let kept: BTreeSet<&str> = picks.iter().flatten().map(|pick| pick.path.as_str()).collect();
        Self {
            classes: picks.len() as u64,
            source: source as u64,
            kept_sources: kept.len() as u64,
            composites: composites as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combine::manifest::tests::manifest;

    #[test]
    fn the_manifest_comes_last_and_knows_the_files_before_it() {
        let mut manifest = manifest();
        let files = about(&mut manifest, "set", "at random");
        let names = files.each_ref().map(|(name, _)| *name);
        assert_eq!(names, ["README.md", "tilepress_transform.py", "manifest.json"]);
        let read = Manifest::read(files[2].1.as_bytes()).expect("its own text");
        for (name, text) in &files[..2] {
            assert_eq!(read.files[*name], ContentHash::of(text.as_bytes()));
        }
    }

    #[test]
    fn an_image_that_fills_several_tiles_counts_once() {
        let pick = |path: &str| PickedSource {
            path: path.to_owned(),
            hash: ContentHash::of(path.as_bytes()),
            score: None,
            rank: 0,
        };
        let counts = Counts::of(&[vec![pick("a/1"), pick("a/1")], vec![pick("b/1"), pick("b/2")]], 9, 2);
        assert_eq!(counts, Counts { classes: 2, source: 9, kept_sources: 3, composites: 2 });
    }
}
