//! Pixels of a composite: whole images, each shrunk to its tile's box and laid beside the others.
//!
//! Every source is shrunk once and straight from its full size; nothing is cropped away unless the
//! resize that is passed in does so. With a grid of 1 a composite is the whole image resized.

use std::borrow::Cow;

use super::CombineError;
use crate::data::Grid;
use crate::data::Image;

/// Makes composites of one grid and size from source images of any size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Composer {
    grid: Grid,
    side: u32,
}

impl Composer {
    /// A composer of composites of `side` × `side` pixels.
    ///
    /// # Errors
    /// [`CombineError::Side`] when a tile would have no pixel.
    pub fn new(grid: Grid, side: u32) -> Result<Self, CombineError> {
        if side < grid.rows().max(grid.columns()) {
            return Err(CombineError::Side { side, grid });
        }
        Ok(Self { grid, side })
    }

    /// One composite whose sources are fetched one after the other, so that only one of them is in
    /// memory at a time. `read` gives the whole image of a tile (row-major), owned or borrowed.
    ///
    /// # Errors
    /// The first error of `read`.
    ///
    /// # Panics
    /// When `shrink` gives another size than it was asked for.
    pub fn compose_from<'a, E>(
        &self,
        mut read: impl FnMut(u32) -> Result<Cow<'a, Image>, E>,
        mut shrink: impl FnMut(&Image, u32, u32) -> Image,
    ) -> Result<Image, E> {
        if self.grid == Grid::WHOLE {
            let image = shrink(&*read(0)?, self.side, self.side);
            assert!(image.width() == self.side && image.height() == self.side, "the size asked for");
            return Ok(image);
        }
        let mut composite = Image::filled(self.side, self.side, [0; 3]);
        for tile in 0..self.grid.tiles() {
            let rect = self.grid.tile(self.side, tile);
            let image = shrink(&*read(tile)?, rect.width, rect.height);
            paste(&mut composite, self.grid, tile, &image);
        }
        Ok(composite)
    }
}

fn paste(composite: &mut Image, grid: Grid, tile: u32, image: &Image) {
    let rect = grid.tile(composite.width(), tile);
    assert!(
        image.width() == rect.width && image.height() == rect.height,
        "tile {tile} is {}x{} pixels where its box is {}x{}",
        image.width(),
        image.height(),
        rect.width,
        rect.height
    );
    let stride = composite.width() as usize * 3;
    let (left, row_bytes) = (rect.x as usize * 3, rect.width as usize * 3);
    let rows = composite.pixels_mut().chunks_exact_mut(stride).skip(rect.y as usize);
    for (row, part) in rows.zip(image.pixels().chunks_exact(row_bytes)) {
        row[left..left + row_bytes].copy_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// Nearest neighbour as `torch.nn.functional.interpolate` has it by default.
    fn nearest(image: &Image, width: u32, height: u32) -> Image {
        let mut pixels = Vec::with_capacity((width * height * 3) as usize);
        for y in 0..height {
            for x in 0..width {
                let (sx, sy) = (x * image.width() / width, y * image.height() / height);
                let at = ((sy * image.width() + sx) * 3) as usize;
                pixels.extend_from_slice(&image.pixels()[at..at + 3]);
            }
        }
        Image::new(width, height, pixels).unwrap()
    }

    /// One composite of images that are all in memory.
    fn compose(composer: &Composer, sources: &[&Image]) -> Image {
        assert_eq!(sources.len(), composer.grid.tiles() as usize, "one source for each tile");
        let read = |tile: u32| Ok::<_, std::convert::Infallible>(Cow::Borrowed(sources[tile as usize]));
        composer.compose_from(read, nearest).expect("nothing can fail")
    }

    /// The composite of tiles that already have the sizes of their boxes.
    fn laid_out(grid: Grid, side: u32, tiles: &[&Image]) -> Image {
        let mut composite = Image::filled(side, side, [0; 3]);
        for (tile, image) in (0..).zip(tiles) {
            paste(&mut composite, grid, tile, image);
        }
        composite
    }

    /// The pictures the golden composites were made from (`tests/golden/compose.py` draws the same).
    fn picture(number: u32, width: u32, height: u32) -> Image {
        let pixels = (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| (0..3).map(move |c| (x, y, c))))
            .map(|(x, y, c)| ((number * 37 + y * 5 + x * 3 + c * 101 + x * y) % 256) as u8)
            .collect();
        Image::new(width, height, pixels).unwrap()
    }

    #[derive(Deserialize)]
    struct Golden {
        factor: u32,
        side: u32,
        composites: u32,
        source: [u32; 2],
        /// `[composites, side, side, 3]` bytes.
        pixels: Vec<u8>,
    }

    #[test]
    fn composites_equal_those_of_rdeds_mix_images() {
        let golden: Vec<Golden> =
            serde_json::from_str(include_str!("../../tests/golden/compose_mix_images.json")).unwrap();
        assert!(golden.len() >= 4);
        for case in golden {
            let grid = Grid::new(case.factor, case.factor).unwrap();
            let composer = Composer::new(grid, case.side).unwrap();
            let ranked: Vec<Image> = (0..case.composites * grid.tiles())
                .map(|rank| picture(rank, case.source[0], case.source[1]))
                .collect();
            let sources: Vec<Vec<&Image>> = (0..case.composites)
                .map(|j| {
                    (0..grid.tiles())
                        .map(|k| &ranked[super::super::rank_of(case.composites, j, k) as usize])
                        .collect()
                })
                .collect();
            let pixels: Vec<u8> =
                sources.iter().flat_map(|images| compose(&composer, images).pixels().to_vec()).collect();
            assert_eq!(pixels, case.pixels, "{} composites of {grid} at {}", case.composites, case.side);
        }
    }

    #[test]
    fn a_grid_of_one_gives_the_whole_image_resized() {
        let image = picture(3, 17, 9);
        let composer = Composer::new(Grid::WHOLE, 8).unwrap();
        assert_eq!(compose(&composer, &[&image]), nearest(&image, 8, 8));
        let square = picture(4, 8, 8);
        assert_eq!(laid_out(Grid::WHOLE, 8, &[&square]), square);
    }

    #[test]
    fn composing_sources_is_composing_their_shrunken_tiles() {
        for (grid, side) in [("2", 65), ("3", 64), ("1x2", 33), ("1x2", 7)] {
            let grid: Grid = grid.parse().unwrap();
            let sources: Vec<Image> = (0..grid.tiles()).map(|k| picture(k, 20 + k, 31 - k)).collect();
            let tiles: Vec<Image> = (0..)
                .zip(&sources)
                .map(|(k, source)| {
                    let rect = grid.tile(side, k);
                    nearest(source, rect.width, rect.height)
                })
                .collect();
            let whole = compose(&Composer::new(grid, side).unwrap(), &sources.iter().collect::<Vec<_>>());
            assert_eq!(whole, laid_out(grid, side, &tiles.iter().collect::<Vec<_>>()));
        }
    }

    #[test]
    fn no_tile_writes_outside_its_box() {
        let grid: Grid = "3".parse().unwrap();
        let side = 11;
        let colours: Vec<Image> = (0..9u8).map(|k| Image::filled(4, 4, [k * 20 + 10; 3])).collect();
        let composer = Composer::new(grid, side).unwrap();
        let composite = compose(&composer, &colours.iter().collect::<Vec<_>>());
        for tile in 0..9 {
            let r = grid.tile(side, tile);
            for (x, y) in (r.y..r.y + r.height).flat_map(|y| (r.x..r.x + r.width).map(move |x| (x, y))) {
                let at = ((y * side + x) * 3) as usize;
                assert_eq!(composite.pixels()[at], tile as u8 * 20 + 10, "tile {tile} at {x},{y}");
            }
        }
    }

    #[test]
    fn the_first_unreadable_source_ends_the_composite() {
        let composer = Composer::new("2".parse().unwrap(), 8).unwrap();
        let mut asked = Vec::new();
        let result = composer.compose_from(
            |tile| {
                asked.push(tile);
                if tile == 1 { Err("gone") } else { Ok(Cow::Owned(picture(tile, 5, 5))) }
            },
            nearest,
        );
        assert_eq!(result, Err("gone"));
        assert_eq!(asked, [0, 1]);
    }

    #[test]
    fn a_composite_smaller_than_its_grid_is_refused() {
        let message = Composer::new("3".parse().unwrap(), 2).unwrap_err().to_string();
        assert!(message.contains("`image-size` 2") && message.contains("`grid` 3"), "{message}");
        assert!(Composer::new("1x2".parse().unwrap(), 2).is_ok());
    }
}
