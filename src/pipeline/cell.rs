//! One cell of a comparison: one method with one seed, from the choice of its images to its students' numbers.

use std::sync::Arc;

use super::prune::{self, Choice};
use super::request::Common;
use super::score::Scored;
use super::set::{self, SetBuilder};
use super::{Dataset, PipelineError};
use crate::augment::Crop;
use crate::combine::{picked_sources, rank_of};
use crate::data::{CropFrom, Grid, Source, Subset};
use crate::evaluate::Method;
use crate::prune::{Chosen, Copies, Selection};
use crate::report::Setting;
use crate::run::Job;
use crate::train::Settings;

/// One method with one seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// The method.
    pub method: Method,
    /// The seed of its proxy, selection and student.
    pub seed: u64,
}

/// The images that a cell stores.
pub struct StoredCell {
    /// Method and seed.
    pub cell: Cell,
    /// Grid of tiles in a stored image.
    pub grid: Grid,
    /// The images that its student learns from: those that are stored, or whole images as they were given.
    pub images: Arc<dyn Source>,
    /// Bytes of their files.
    pub bytes: u64,
}

impl Cell {
    /// Chooses and combines the images of the cell; returns them together with the choice and its findings. All methods store
    /// the same number of images a class, composites or not. Where views are cut out of the images themselves, whole images are not
    /// stored anew: the student learns from the files that were chosen.
    ///
    /// # Errors
    /// [`PipelineError`] for a class with too few images, scores that do not fit, or a source that cannot be read.
    pub fn store(
        self,
        common: &Common,
        data: &Dataset,
        copies: &Copies,
        scored: Option<&Scored>,
    ) -> Result<(StoredCell, Chosen), PipelineError> {
        let Self { method, seed } = self;
        let grid = method.grid(common.budget.grid);
        let stored = common.budget.per_class()?.0;
        let spec = set::spec(&data.classes, grid, stored, common.settings.image_size as u32, common.style);
        let (composites, per_class) = spec.per_class()?;
        let scores = match scored.filter(|_| method.needs_scores()) {
            Some(scored) => Some(scored.table.join(&data.train.samples, &data.classes)?),
            None => None,
        };
        let choice = Choice {
            rule: method.rule,
            per_class: per_class as usize,
            composites: composites as usize,
            scores: scores.as_deref(),
            suspects: scored.map_or(&[][..], |scored| &scored.suspects),
            seed,
        };
        let chosen = prune::choose(data, copies, common.pruning, &choice)?;
        let picks = picked_sources(&chosen.selection, &data.train.samples, &data.classes);
        let builder = SetBuilder::new(spec, common.style.fit, picks)?;
        let (images, bytes): (Arc<dyn Source>, u64) =
            if grid == Grid::WHOLE && common.settings.crop_from == CropFrom::Image {
                whole_images(&chosen.selection, composites, data)
            } else {
                let composed = builder.in_memory(&*data.originals)?;
                (composed.images, composed.bytes)
            };
        Ok((StoredCell { cell: self, grid, images, bytes }, chosen))
    }
}

impl StoredCell {
    /// The student of the cell, to be trained.
    ///
    /// # Errors
    /// [`PipelineError::Augment`] for views that cannot be made.
    pub fn job(&self, common: &Common) -> Result<Job, PipelineError> {
        let Cell { method, seed } = self.cell;
        Ok(Job {
            name: format!("{method}-{seed}"),
            images: self.images.clone(),
            grid: self.grid,
            augmentation: common.views.augmentation(common.views.crop_of(method, common.budget.grid))?,
            seed,
            keep_weights: false,
        })
    }
}

/// The chosen images as they were given, in the order in which they would be stored, `per_class` of each class, and the bytes of
/// their files.
fn whole_images(selection: &Selection, per_class: u32, data: &Dataset) -> (Arc<dyn Source>, u64) {
    let of_class = |class| {
        let picks = selection.of_class(class);
        (0..per_class).map(|index| picks[rank_of(per_class, index, 0) as usize].sample)
    };
    let images: Vec<u32> = (0..data.classes.len() as u32).flat_map(of_class).collect();
    let size = |&image: &u32| data.originals.file_size(&data.train.samples[image as usize].path);
    let bytes = images.iter().filter_map(size).sum();
    (Arc::new(Subset::new(data.train.images.clone(), images)), bytes)
}

/// Facts about the stored images that students of a method trained on, apart from the way they are made.
pub(super) struct StoredImages {
    /// Number of stored images.
    pub(super) images: usize,
    /// Number of classes.
    pub(super) classes: usize,
    /// Total size of their files in bytes.
    pub(super) bytes: u64,
    /// Grid of tiles in a stored image.
    pub(super) grid: Grid,
    /// Width and height in pixels.
    pub(super) side: u32,
}

/// Method, stored images, crop and network of students, for a report.
pub(super) fn setting(method: String, settings: &Settings, crop: Crop, of: &StoredImages) -> Setting {
    Setting {
        method,
        ipc: (of.images / of.classes.max(1)) as u32,
        grid: of.grid,
        augment: crop.to_string(),
        model: settings.architecture.to_string(),
        labels: "hard".to_owned(),
        images: of.images,
        bytes: of.bytes,
        image_size: of.side,
    }
}
