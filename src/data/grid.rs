//! The grid of a composite: how many tiles it has and where they lie.

use serde::{Deserialize, Serialize};

/// A rectangle of whole pixels; `x` runs right, `y` runs down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// Rows × columns of tiles in one composite. Written `1`, `2`, `3` (f × f) or `1x2` (rows x columns).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Grid {
    rows: u32,
    columns: u32,
}

impl Grid {
    /// Whole images, one a composite (f = 1).
    pub const WHOLE: Self = Self { rows: 1, columns: 1 };

    /// Two rows of two tiles (f = 2), the paper's own.
    pub const TWO: Self = Self { rows: 2, columns: 2 };

    /// A grid of `rows` × `columns` tiles, each at most 8.
    pub fn new(rows: u32, columns: u32) -> Option<Self> {
        ((1..=8).contains(&rows) && (1..=8).contains(&columns)).then_some(Self { rows, columns })
    }

    /// Number of rows.
    pub fn rows(self) -> u32 {
        self.rows
    }

    /// Number of columns.
    pub fn columns(self) -> u32 {
        self.columns
    }

    /// Tiles in one composite (the paper's N).
    pub fn tiles(self) -> u32 {
        self.rows * self.columns
    }

    /// The box of a tile (row-major) in a composite of `side` × `side` pixels.
    ///
    /// Where the side does not divide evenly, the first rows and columns are one pixel larger, as in
    /// RDED's `mix_images`.
    ///
    /// # Panics
    /// When there is no such tile or `side` has fewer pixels than the grid has rows or columns.
    pub fn tile(self, side: u32, tile: u32) -> Rect {
        self.tile_within((side, side), tile)
    }

    /// [`tile`](Self::tile) of a composite of `width` × `height` pixels.
    ///
    /// # Panics
    /// As [`tile`](Self::tile).
    pub fn tile_within(self, (width, height): (u32, u32), tile: u32) -> Rect {
        assert!(tile < self.tiles() && height >= self.rows && width >= self.columns, "no such tile");
        let span = |side: u32, parts: u32, part: u32| {
            let (size, larger) = (side / parts, side % parts);
            (part * size + part.min(larger), size + u32::from(part < larger))
        };
        let (y, height) = span(height, self.rows, tile / self.columns);
        let (x, width) = span(width, self.columns, tile % self.columns);
        Rect { x, y, width, height }
    }
}

impl std::fmt::Display for Grid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.rows == self.columns {
            write!(f, "{}", self.rows)
        } else {
            write!(f, "{}x{}", self.rows, self.columns)
        }
    }
}

impl From<Grid> for String {
    fn from(grid: Grid) -> Self {
        grid.to_string()
    }
}

impl TryFrom<String> for Grid {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl std::str::FromStr for Grid {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rows, columns) = text.split_once('x').unwrap_or((text, text));
        let parse = |part: &str| part.trim().parse().ok();
        parse(rows)
            .zip(parse(columns))
            .and_then(|(rows, columns)| Self::new(rows, columns))
            .ok_or_else(|| format!("'{text}' is not a grid; give 1, 2, 3 or rows x columns such as 1x2"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_the_composite_once_also_where_sizes_do_not_divide() {
        for (grid, side) in [("1", 7), ("2", 65), ("3", 64), ("1x2", 33), ("3", 3)] {
            let grid: Grid = grid.parse().expect("a valid grid");
            let mut covered = vec![0; (side * side) as usize];
            for tile in 0..grid.tiles() {
                let r = grid.tile(side, tile);
                for y in r.y..r.y + r.height {
                    for x in r.x..r.x + r.width {
                        covered[(y * side + x) as usize] += 1;
                    }
                }
            }
            assert!(covered.iter().all(|&count| count == 1), "{grid} at {side}");
        }
    }

    #[derive(serde::Deserialize)]
    struct Golden {
        grid: [u32; 2],
        side: u32,
        /// `[x, y, width, height]` of each tile.
        tiles: Vec<[u32; 4]>,
    }

    #[test]
    fn tiles_are_those_that_the_torchvision_transform_cuts() {
        let golden: Vec<Golden> = serde_json::from_str(include_str!("../../tests/golden/compose_tiles.json"))
            .expect("golden boxes");
        assert!(golden.len() > 40);
        for Golden { grid: [rows, columns], side, tiles } in golden {
            let grid = Grid::new(rows, columns).expect("a valid grid");
            assert_eq!(grid.tiles() as usize, tiles.len());
            for (tile, [x, y, width, height]) in (0..).zip(tiles) {
                assert_eq!(grid.tile(side, tile), Rect { x, y, width, height }, "{grid} at {side}");
            }
        }
    }

    #[test]
    fn a_grid_reads_back_what_it_writes() {
        for text in ["1", "2", "3", "1x2"] {
            assert_eq!(text.parse::<Grid>().expect("a valid grid").to_string(), text);
        }
        for text in ["0", "", "x", "2x", "-1", "9", "1x0"] {
            assert!(text.parse::<Grid>().is_err(), "{text}");
        }
    }
}
