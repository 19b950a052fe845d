//! Estimate of the work of combining, before it is done (`--dry-run`).

use super::{CombineError, Composer, SetSpec};
use crate::quantity::bytes;

/// The work of a [`SetSpec`] in numbers. Its `Display` is the text of `--dry-run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CostEstimate {
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

impl CostEstimate {
    /// The estimate for a spec.
    ///
    /// # Errors
    /// Errors in the spec's numbers: see [`SetSpec::per_class`] and [`Composer::new`].
    pub fn new(spec: &SetSpec) -> Result<Self, CombineError> {
        let (composites, sources) = spec.per_class()?;
        Composer::new(spec.grid, spec.side)?;
        let classes = spec.classes.len() as u64;
        let composites = classes * u64::from(composites);
        let pixels = composites as f64 * f64::from(spec.side) * f64::from(spec.side);
        Ok(Self {
            classes,
            composites,
            sources: classes * u64::from(sources),
            side: spec.side,
            estimated_bytes: (pixels * spec.format.bytes_per_pixel()).ceil() as u64,
        })
    }
}

impl std::fmt::Display for CostEstimate {
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

    fn spec() -> SetSpec {
        SetSpec {
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
        let plan = CostEstimate::new(&spec()).unwrap();
        assert_eq!((plan.classes, plan.composites, plan.sources), (3, 30, 120));
        assert_eq!(
            plan.to_string(),
            "combine: 120 source images of 3 classes, each decoded and shrunk once\n   \
             into: 30 composites of 224 x 224 px, about 3.2 MB for photographs"
        );
        let jpeg = SetSpec { format: Format::Jpeg { quality: 75 }, ..spec() };
        assert!(CostEstimate::new(&jpeg).unwrap().estimated_bytes < plan.estimated_bytes / 4);
    }

    #[test]
    fn a_plan_that_cannot_be_carried_out_is_refused() {
        assert!(CostEstimate::new(&SetSpec { side: 1, ..spec() }).is_err());
        assert!(CostEstimate::new(&SetSpec { ipc_counts: IpcCounts::Sources, ..spec() }).is_err());
        assert!(CostEstimate::new(&SetSpec { ipc: 0, ..spec() }).is_err());
    }
}
