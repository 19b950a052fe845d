//! The tiles of a product for matrix units.

use crate::device::MatrixUnits;

/// Halves that are added to a row of a panel in shared memory, so that the rows of a fragment begin in different banks. A
/// whole number of 16 bytes, to which the units' loads are aligned.
const PAD: usize = 8;

/// Products that are added between two exchanges of panels, at most.
const DEEPEST: usize = 32;

/// About as many tiles as a large GPU has processors.
pub(super) const LEAST_TILES: usize = 128;

/// Tile of a product `[M, K] · [K, N]`: each workgroup makes one tile, each of its subgroups a block of fragments of that
/// tile, from panels of halves that lie in shared memory.
///
/// On a GPU with units of 16 × 16 × 16 and subgroups of 32 the usual tile is 128 × 64 of four subgroups, whose blocks of
/// 4 × 2 fragments read six operands for eight products; wide products with tiles enough have 128 × 128 of eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MatrixTile {
    pub(super) units: MatrixUnits,
    /// Subgroups that multiply, down and across the tile.
    pub(super) down: usize,
    pub(super) across: usize,
    /// Fragments of each subgroup, down and across.
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Fragments of a panel along `K`.
    pub(super) depth: usize,
}

impl MatrixTile {
    /// For a product of `m` rows, `n` columns and sums of `k`, of `least` tiles if it can be.
    pub(super) fn choose(units: MatrixUnits, [m, n, k]: [usize; 3], least: usize) -> Self {
        let of = |down, across, rows, columns| {
            let depth = (DEEPEST / units.depth).max(1);
            Self { units, down, across, rows, columns, depth }
        };
        let (usual, wide) = (of(2, 2, 4, 2), of(4, 2, 2, 4));
        let mut tile = match n.div_ceil(units.columns) {
            1 => of(4, 1, 2, 1),
            2 => of(4, 1, 2, 2),
            3..=4 => usual,
            _ if wide.fits() && n.is_multiple_of(wide.n()) && wide.tiles(m, n) >= 2 * LEAST_TILES => wide,
            _ => usual,
        };
        while !tile.fits() && (tile.down, tile.across, tile.rows) != (1, 1, 1) {
            tile = if tile.down > 1 {
                Self { down: tile.down / 2, ..tile }
            } else if tile.rows > 1 {
                Self { rows: tile.rows / 2, ..tile }
            } else {
                Self { across: 1, ..tile }
            };
        }
        // Fewer rows reuse less of what they read, but are better than rows that do not exist and processors without work.
        while tile.rows > 1 {
            let half = Self { rows: tile.rows / 2, ..tile };
            let waste = |tile: Self, cost: usize| m.next_multiple_of(tile.m()) * cost;
            if waste(half, 5) >= waste(tile, 4) && tile.tiles(m, n) >= least {
                break;
            }
            tile = half;
        }
        while tile.depth > 1 && k.next_multiple_of(tile.k() / 2) * 5 < k.next_multiple_of(tile.k()) * 4 {
            tile.depth /= 2;
        }
        tile
    }

    /// `true` where the tile fits the device's limits of invocations and of shared memory.
    pub(super) fn fits(&self) -> bool {
        self.invocations() <= self.units.invocations && self.shared() <= self.units.shared
    }

    /// Tiles of a product.
    fn tiles(&self, m: usize, n: usize) -> usize {
        m.div_ceil(self.m()) * n.div_ceil(self.n())
    }

    /// Rows of the tile.
    pub(super) fn m(&self) -> usize {
        self.down * self.rows * self.units.rows
    }

    /// Columns of the tile.
    pub(super) fn n(&self) -> usize {
        self.across * self.columns * self.units.columns
    }

    /// Length of a panel along `K`.
    pub(super) fn k(&self) -> usize {
        self.depth * self.units.depth
    }

    /// Subgroups that multiply.
    pub(super) fn subgroups(&self) -> usize {
        self.down * self.across
    }

    /// Invocations of a workgroup. Where a driver may choose the size of a subgroup, they are enough for the largest; if it
    /// takes a smaller one, the surplus subgroups load and do not multiply. So the result does not depend on its choice.
    pub(super) fn invocations(&self) -> usize {
        self.subgroups() * self.units.subgroup
    }

    /// Vectors of four halves from one row of a panel of `columns` columns to the next.
    pub(super) fn stride(columns: usize) -> usize {
        (columns + PAD) / 4
    }

    /// Vectors of four in the memory through which a subgroup hands over its fragments.
    pub(super) fn stage(&self) -> usize {
        self.units.rows * self.units.columns / 4
    }

    /// Bytes of shared memory, whichever way the left panel lies.
    fn shared(&self) -> usize {
        let panel = |rows: usize, columns: usize| rows * Self::stride(columns) * 4 * size_of::<u16>();
        let windows = 2 * self.k() * 2 * size_of::<u32>();
        let left = panel(self.m(), self.k()).max(panel(self.k(), self.m()) + windows);
        left + panel(self.k(), self.n()) + self.subgroups() * self.stage() * 4 * size_of::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn units() -> impl Strategy<Value = MatrixUnits> {
        let side = || prop::sample::select(vec![8usize, 16, 32]);
        let subgroup = prop::sample::select(vec![8usize, 16, 32, 64, 128]);
        let shared = prop::sample::select(vec![16usize << 10, 32 << 10, 48 << 10]);
        (side(), side(), side(), subgroup, shared).prop_map(|(rows, columns, depth, subgroup, shared)| {
            MatrixUnits { rows, columns, depth, subgroup, fixed: true, invocations: 256, shared }
        })
    }

    proptest! {
        #[test]
        fn a_tile_fits_the_device_and_its_panels_are_divided_evenly(
            units in units(), m in 1usize..1 << 22, n in 1usize..600, k in 1usize..5000,
        ) {
            let tile = MatrixTile::choose(units, [m, n, k], LEAST_TILES);
            prop_assert!(tile.fits(), "{tile:?}: {} bytes", tile.shared());
            prop_assert!(tile.k() <= DEEPEST && tile.k().is_multiple_of(units.depth));
            // The left panel of a gathered product: an invocation keeps to one vector along `K`.
            prop_assert!(tile.invocations().is_multiple_of(tile.k() / 4));
        }
    }

    #[test]
    fn tensor_cores_get_tiles_of_128_rows_where_there_is_work_for_them() {
        let units = MatrixUnits {
            rows: 16,
            columns: 16,
            depth: 16,
            subgroup: 32,
            fixed: true,
            invocations: 256,
            shared: 48 << 10,
        };
        let size = |m, n, k| {
            let tile = MatrixTile::choose(units, [m, n, k], LEAST_TILES);
            [tile.m(), tile.n(), tile.k(), tile.invocations()]
        };
        assert_eq!(size(1 << 17, 64, 576), [128, 64, 32, 128]);
        assert_eq!(size(1 << 17, 32, 288), [128, 32, 32, 128]);
        assert_eq!(size(1 << 17, 512, 4608), [128, 128, 32, 256]);
        // A last block has few pixels: more workgroups, each with fewer.
        assert_eq!(size(50 * 16, 64, 576)[0], 32);
        // The three channels of photographs: 36 products, not two panels of 32.
        assert_eq!(size(1 << 17, 32, 36)[2], 16);
    }
}
