//! Plan of a set: the picked image of each tile.
//!
//! The order is that of RDED's `mix_images`: tile `k` (row-major) of composite `j` holds the image of
//! rank `k * composites + j`, so that every composite has one image of each share of the ranking and its
//! first tile is of the easiest share.

use serde::{Deserialize, Serialize};

use super::CombineError;
use crate::data::{ClassMap, ContentHash, Grid};

/// Kind of images that IPC (images per class) counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpcCounts {
    /// Stored images: every class gets `ipc` composites of N sources each. The field's way of counting,
    /// since it compares sets of equal size.
    #[default]
    Composites,
    /// Source images: every class gets `ipc / N` composites.
    Sources,
}

impl std::fmt::Display for IpcCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Composites => "composites",
            Self::Sources => "sources",
        })
    }
}

impl std::str::FromStr for IpcCounts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "composites" => Ok(Self::Composites),
            "sources" => Ok(Self::Sources),
            other => Err(format!("'{other}' is nothing IPC can count; use one of: composites, sources")),
        }
    }
}

/// Composites and source images of one class: `(composites, sources)`.
///
/// # Errors
/// [`CombineError::NoImages`] for an IPC of 0, [`CombineError::UnevenSources`] when that many sources do
/// not fill whole composites, [`CombineError::TooMany`] past 2^32 - 1 sources.
pub fn sources_per_class(ipc: u32, grid: Grid, counts: IpcCounts) -> Result<(u32, u32), CombineError> {
    let tiles = grid.tiles();
    match counts {
        _ if ipc == 0 => Err(CombineError::NoImages),
        IpcCounts::Composites => {
            let sources = ipc.checked_mul(tiles).ok_or(CombineError::TooMany { ipc, grid })?;
            Ok((ipc, sources))
        }
        IpcCounts::Sources if ipc.is_multiple_of(tiles) => Ok((ipc / tiles, ipc)),
        IpcCounts::Sources => Err(CombineError::UnevenSources { ipc, grid, tiles }),
    }
}

/// The place in the ranking, from 0, of the image in one tile of one composite of a class.
pub fn rank_of(composites: u32, composite: u32, tile: u32) -> u32 {
    tile * composites + composite
}

/// An image that was picked for the compressed set.
#[derive(Clone, Debug, PartialEq)]
pub struct PickedSource {
    /// Path relative to the data folder.
    pub path: String,
    /// Hash of the file.
    pub hash: ContentHash,
    /// The score it was ranked by, where there was one.
    pub score: Option<f64>,
    /// Its place in the selection of its class, from 0.
    pub rank: u32,
}

/// One composite before its pixels exist.
#[derive(Clone, Debug, PartialEq)]
pub struct CompositePlan<'a> {
    /// Index into the class map.
    pub class: u32,
    /// Number within the class, from 0.
    pub index: u32,
    /// The image of each tile, row-major.
    pub tiles: Vec<&'a PickedSource>,
}

impl<'a> CompositePlan<'a> {
    /// The plan of composite `index` of `composites` of a class; `picks` are those of the class in the order of
    /// their ranking.
    ///
    /// # Panics
    /// When there are fewer picks than the class's composites take.
    pub fn of(picks: &'a [PickedSource], class: u32, index: u32, composites: u32, grid: Grid) -> Self {
        let tiles = 0..grid.tiles();
        let tiles = tiles.map(|tile| &picks[rank_of(composites, index, tile) as usize]).collect();
        Self { class, index, tiles }
    }
}

/// All composites of a set, class after class. `picks[c]` are the picked images of class `c` in the
/// order of their ranking; an image may occur more than once.
///
/// # Errors
/// [`CombineError::Classes`] or [`CombineError::Picks`] when there are not exactly `sources_per_class`
/// picks for each class of the map.
pub fn plan_composites<'a>(
    picks: &'a [Vec<PickedSource>],
    classes: &ClassMap,
    composites_per_class: u32,
    grid: Grid,
) -> Result<Vec<CompositePlan<'a>>, CombineError> {
    if picks.len() != classes.len() {
        return Err(CombineError::Classes { given: picks.len(), expected: classes.len() });
    }
    let expected = composites_per_class as usize * grid.tiles() as usize;
    let mut plans = Vec::with_capacity(picks.len() * composites_per_class as usize);
    for (class, picks) in (0..).zip(picks) {
        if picks.len() != expected {
            let class = classes.name(class).to_owned();
            return Err(CombineError::Picks { class, picks: picks.len(), expected });
        }
        plans.extend(
            (0..composites_per_class)
                .map(|index| CompositePlan::of(picks, class, index, composites_per_class, grid)),
        );
    }
    Ok(plans)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grid(text: &str) -> Grid {
        text.parse().unwrap()
    }

    fn picks(n: u32) -> Vec<PickedSource> {
        (0..n)
            .map(|rank| PickedSource {
                path: format!("{rank}.png"),
                hash: ContentHash::of(&rank.to_le_bytes()),
                score: None,
                rank,
            })
            .collect()
    }

    #[test]
    fn ipc_counts_composites_unless_told_otherwise() {
        use IpcCounts::{Composites, Sources};
        assert_eq!(IpcCounts::default(), Composites);
        assert_eq!(sources_per_class(10, grid("2"), Composites).unwrap(), (10, 40));
        assert_eq!(sources_per_class(10, grid("1"), Composites).unwrap(), (10, 10));
        assert_eq!(sources_per_class(10, grid("1"), Sources).unwrap(), (10, 10));
        assert_eq!(sources_per_class(12, grid("3"), Composites).unwrap(), (12, 108));
        assert_eq!(sources_per_class(12, grid("1x2"), Sources).unwrap(), (6, 12));
    }

    #[test]
    fn sources_that_do_not_fill_a_composite_are_refused_by_name() {
        let message = sources_per_class(10, grid("2"), IpcCounts::Sources).unwrap_err().to_string();
        for part in ["`ipc` 10", "`grid` 2", "takes 4 sources", "that 4 divides"] {
            assert!(message.contains(part), "{message}");
        }
        assert!(matches!(sources_per_class(0, Grid::WHOLE, IpcCounts::Sources), Err(CombineError::NoImages)));
        assert!(matches!(
            sources_per_class(u32::MAX, grid("2"), IpcCounts::Composites),
            Err(CombineError::TooMany { .. })
        ));
    }

    #[test]
    fn what_ipc_counts_is_read_back_and_written_as_in_json() {
        for counts in [IpcCounts::Composites, IpcCounts::Sources] {
            assert_eq!(counts.to_string().parse(), Ok(counts));
            assert_eq!(serde_json::to_string(&counts).unwrap(), format!("\"{counts}\""));
        }
        assert!("tiles".parse::<IpcCounts>().unwrap_err().contains("composites, sources"));
    }

    #[test]
    fn tiles_of_a_composite_interleave_the_ranking() {
        let picks = [picks(12)];
        let classes = ClassMap::new(["a".to_owned()]);
        let plans = plan_composites(&picks, &classes, 3, grid("2")).unwrap();
        let ranks: Vec<Vec<u32>> =
            plans.iter().map(|plan| plan.tiles.iter().map(|pick| pick.rank).collect()).collect();
        assert_eq!(ranks, [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]);
    }

    #[test]
    fn a_class_with_another_number_of_picks_is_named() {
        let picks = [picks(4), picks(3)];
        let classes = ClassMap::new(["ape".to_owned(), "bee".to_owned()]);
        let message = plan_composites(&picks, &classes, 1, grid("2")).unwrap_err().to_string();
        assert!(message.contains("'bee' has 3"), "{message}");
        let error = plan_composites(&picks[..1], &classes, 1, grid("2")).unwrap_err();
        assert!(matches!(error, CombineError::Classes { given: 1, expected: 2 }));
    }

    proptest! {
        #[test]
        fn every_pick_is_used_exactly_once(n in 1u32..20, rows in 1u32..4, columns in 1u32..4) {
            let grid = Grid::new(rows, columns).unwrap();
            let picks = [picks(n * grid.tiles())];
            let classes = ClassMap::new(["a".to_owned()]);
            let plans = plan_composites(&picks, &classes, n, grid).unwrap();
            let mut seen: Vec<u32> =
                plans.iter().flat_map(|plan| plan.tiles.iter().map(|pick| pick.rank)).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..n * grid.tiles()).collect::<Vec<_>>());
        }
    }
}
