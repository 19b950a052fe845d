//! What combining will do and cost, before it does it (`--dry-run`).

use super::{CombineError, Composer, Recipe};
use crate::quantity::bytes;

/// The work of a [`Recipe`] in numbers. Its `Display` is the text of `--dry-run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CombinePlan {
    /// Number of classes.
    pub classes: u64,
    /// Composites of all classes.
    pub composites: u64,
    /// Source images to be read, of all classes.
    pub sources: u64,
    /// Width and height of a composite in pixels.
    pub side: u32,
    /// Bytes of all composites, roughly, if they are photographs; drawings and gray images take less.
    pub estimated_bytes: u64,
}

impl CombinePlan {
    /// The plan of a recipe.
    ///
    /// # Errors
    /// Those of the recipe's numbers: see [`Recipe::per_class`] and [`Composer::new`].
    pub fn new(recipe: &Recipe) -> Result<Self, CombineError> {
        let (composites, sources) = recipe.per_class()?;
        Composer::new(recipe.grid, recipe.side)?;
        let classes = recipe.classes.len() as u64;
        let composites = classes * u64::from(composites);
        let pixels = composites as f64 * f64::from(recipe.side) * f64::from(recipe.side);
        Ok(Self {
            classes,
            composites,
            sources: classes * u64::from(sources),
            side: recipe.side,
            estimated_bytes: (pixels * recipe.format.bytes_per_pixel()).ceil() as u64,
        })
    }
}

impl std::fmt::Display for CombinePlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { classes, composites, sources, side, estimated_bytes } = *self;
        writeln!(f, "combine: {sources} source images of {classes} classes, each decoded and shrunk once")?;
        write!(
            f,
            "   into: {composites} composites of {side} x {side} px, about {} for photographs",
            bytes(estimated_bytes)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combine::{Format, IpcCounts};
    use crate::data::ClassMap;

    fn recipe() -> Recipe {
        Recipe {
            seed: 0,
            ipc: 10,
            ipc_counts: IpcCounts::Composites,
            grid: "2".parse().unwrap(),
            side: 224,
            fit: "squash".to_owned(),
            filter: "bilinear".to_owned(),
            format: Format::Png,
            classes: ClassMap::new(["ant", "bee", "cat"].map(str::to_owned)),
        }
    }

    #[test]
    fn a_plan_tells_the_work_and_the_bytes() {
        let plan = CombinePlan::new(&recipe()).unwrap();
        assert_eq!((plan.classes, plan.composites, plan.sources), (3, 30, 120));
        assert_eq!(
            plan.to_string(),
            "combine: 120 source images of 3 classes, each decoded and shrunk once\n   \
             into: 30 composites of 224 x 224 px, about 3.2 MB for photographs"
        );
        let jpeg = Recipe { format: Format::Jpeg { quality: 75 }, ..recipe() };
        assert!(CombinePlan::new(&jpeg).unwrap().estimated_bytes < plan.estimated_bytes / 4);
    }

    #[test]
    fn a_plan_that_cannot_be_carried_out_is_refused() {
        assert!(CombinePlan::new(&Recipe { side: 1, ..recipe() }).is_err());
        assert!(CombinePlan::new(&Recipe { ipc_counts: IpcCounts::Sources, ..recipe() }).is_err());
        assert!(CombinePlan::new(&Recipe { ipc: 0, ..recipe() }).is_err());
    }
}
