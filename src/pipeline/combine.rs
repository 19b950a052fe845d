//! A set of images that were listed: laid into composites, or joined from composites that other processes made.

use super::begin::{begin_set, ensure_usable};
use super::set::{self, Make, SetBuilder, SetFacts, Style, Title};
use super::{Dataset, PipelineError};
use crate::combine::{CostEstimate, Manifest, PickedSource, SetSpec, picked_sources, selection_hash};
use crate::data::{ClassMap, Grid, Sample};
use crate::prune::{Selection, SelectionRow};
use crate::run::{Observer, Storage};

/// A set to be made of listed images.
#[derive(Clone, Debug)]
pub struct CombineRequest {
    /// The images.
    pub rows: Vec<SelectionRow>,
    /// What their list is called.
    pub listed: String,
    /// Tiles of a composite.
    pub grid: Grid,
    /// Side of a composite in pixels.
    pub side: u32,
    /// How composites are made and stored.
    pub style: Style,
    /// Smallest crop of the set's transform, if it was named.
    pub min_scale: Option<f64>,
}

impl CombineRequest {
    /// The picks among some samples, and the spec of the set.
    ///
    /// # Errors
    /// [`PipelineError`] for a list of other images, and for one that fills no whole composites.
    pub fn picks(
        &self,
        samples: &[Sample],
        classes: &ClassMap,
    ) -> Result<(Vec<Vec<PickedSource>>, SetSpec), PipelineError> {
        let selection = Selection::join(&self.rows, samples, classes)?;
        let tiles = self.grid.tiles() as usize;
        let per_class = selection.per_class();
        if per_class == 0 || !per_class.is_multiple_of(tiles) {
            return Err(PipelineError::Input(format!(
                "{} keeps {per_class} images a class, which do not fill composites of {tiles} tiles (`grid` {})",
                self.listed, self.grid
            )));
        }
        let picks = picked_sources(&selection, samples, classes);
        Ok((picks, set::spec(classes, self.grid, (per_class / tiles) as u32, self.side, self.style)))
    }
}

/// Makes the set of a request in `out`, or finds it there. Composites are made of the images, or given by `made` where there is one.
///
/// # Errors
/// [`PipelineError`].
pub fn combine(
    request: &CombineRequest,
    data: &Dataset,
    (out, force): (&dyn Storage, bool),
    made: Option<&Make<'_>>,
    observer: &dyn Observer,
) -> Result<Manifest, PipelineError> {
    let samples = &data.train.samples;
    let (picks, spec) = request.picks(samples, &data.classes)?;
    ensure_usable(out, force)?;
    let facts = SetFacts {
        options: serde_json::json!({ "command": "combine", "selection": selection_hash(&picks) }),
        min_scale: request.min_scale,
        source_bytes: data.train.bytes,
    };
    let mut manifest = set::draft(spec.clone(), facts, samples);
    let estimate = CostEstimate::new(&spec)?;
    let builder = SetBuilder::new(spec, request.style.fit, picks)?;
    let finished = begin_set(out, &manifest, force, (0, estimate.estimated_bytes), observer)?;
    data.write_lists(out, observer)?;
    if let Some(earlier) = finished.filter(|earlier| earlier.files.keys().all(|file| out.has(file))) {
        return Ok(earlier);
    }
    let title = Title { name: &data.name, selection: "by the list that was given" };
    let (originals, draft) = (&*data.originals, (&mut manifest, samples.len()));
    match made {
        Some(made) => builder.publish_made(out, (made, originals), draft, title, observer)?,
        None => builder.publish(out, originals, draft, title, observer)?,
    };
    Ok(manifest)
}
