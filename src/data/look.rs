//! The look of a picture in few bytes: the same for its copies in another encoding or size.

use std::str::FromStr;

use super::Image;

/// Cells of the difference hash: 8 comparisons in each of 8 rows.
const COLUMNS: usize = 9;
const ROWS: usize = 8;
/// Cells of the small picture.
const CELLS: usize = ROWS * ROWS;
/// Gray levels of 255 by which a cell must be brighter than the one to its left. JPEG leaves waves of about one on plain ground,
/// where every bit would be a toss otherwise.
const STEP: u64 = 2;

/// Look of an image: a difference hash of 64 bits, by which candidates are found, and a gray picture of 8 × 8 cells,
/// by which they are told from others.
///
/// The hash says whether each of 9 × 8 cells is brighter than the one to its left (N. Krawetz, "Kind of Like That", 2013) by
/// more than two levels. It alone is not enough: on plain ground, such as that of Fashion-MNIST, hundreds of different
/// pictures share one. All cells are exact means of the luma (Rec. 601, weights in 256ths), so that a look is the same on
/// every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Look {
    hash: u64,
    cells: [u8; CELLS],
}

impl Look {
    /// Bits of the hash in which copies differ at most.
    pub const NEAR: u32 = 6;
    /// The cells of copies sum up to no more than this apart: 8 levels in each, by what [`is_like`](Self::is_like) asks.
    pub(super) const SUMS_APART: u32 = 8 * CELLS as u32;

    /// The look of an image.
    pub fn of(image: &Image) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        // In units of 1/9 or 1/8 of a pixel across and 1/8 down, every cell is `width` × `height` units large and
        // every overlap a whole number. Equal areas need no division before they are compared.
        // Rows are gathered first, channel by channel, in a loop the compiler can vectorise; it sums at
        // most 255 × `height` in a u32.
        let mut bands = vec![0u32; ROWS * width * 3];
        for (row, shares) in image.pixels().chunks_exact(width * 3).zip(overlaps(height, ROWS)) {
            for (cell, share) in shares {
                let band = &mut bands[cell * width * 3..][..width * 3];
                band.iter_mut().zip(row).for_each(|(sum, &value)| *sum += u32::from(value) * share);
            }
        }
        let area = (width * height) as u64;
        let compared: [[u64; COLUMNS]; ROWS] = cells(&bands, width);
        let hash = compared
            .iter()
            .flat_map(|row| row.windows(2))
            .fold(0, |hash, pair| (hash << 1) | u64::from(pair[1] > pair[0] + STEP * 256 * area));
        let small: [[u64; ROWS]; ROWS] = cells(&bands, width);
        let mut levels = [0; CELLS];
        for (level, sum) in levels.iter_mut().zip(small.iter().flatten()) {
            *level = ((sum + 128 * area) / (256 * area)) as u8;
        }
        Self { hash, cells: levels }
    }

    /// Bits in which the hashes of two looks differ.
    pub fn distance(&self, other: &Self) -> u32 {
        (self.hash ^ other.hash).count_ones()
    }

    /// `true` where two images look the same, so that one is probably a copy of the other: their hashes differ in at most
    /// [`NEAR`](Self::NEAR) bits, and their cells by a 16th of the contrast at most, both as root mean squares, or by one level.
    ///
    /// Among photographs of 128 pixels this finds all copies that are half as large and of JPEG quality 75; among images of 28
    /// to 32 pixels all copies of the same size and that quality. Different images of the same class are further apart.
    pub fn is_like(&self, other: &Self) -> bool {
        // A 16th of the deviation, squared, for each of 64 cells.
        let within = |contrast: u32| self.squares_apart(other) <= (contrast / 4).max(CELLS as u32);
        self.distance(other) <= Self::NEAR && within(self.contrast().min(other.contrast()))
    }

    /// Sum of the squared differences of the cells.
    pub(super) fn squares_apart(&self, other: &Self) -> u32 {
        self.cells.iter().zip(&other.cells).map(|(&a, &b)| u32::from(a.abs_diff(b)).pow(2)).sum()
    }

    /// Variance of the cells.
    fn contrast(&self) -> u32 {
        let squares: u32 = self.cells.iter().map(|&cell| u32::from(cell).pow(2)).sum();
        (CELLS as u32 * squares - self.sum().pow(2)) / (CELLS * CELLS) as u32
    }

    pub(super) fn sum(&self) -> u32 {
        self.cells.iter().map(|&cell| u32::from(cell)).sum()
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// A look of numbers, for tests.
    #[cfg(test)]
    pub(crate) fn from_parts(hash: u64, cells: [u8; CELLS]) -> Self {
        Self { hash, cells }
    }
}

/// 144 hexadecimal digits: 16 of the hash, two of each cell.
impl std::fmt::Display for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.hash)?;
        self.cells.iter().try_for_each(|cell| write!(f, "{cell:02x}"))
    }
}

impl FromStr for Look {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("'{text}' is not the {} hexadecimal digits of a look", 16 + 2 * CELLS);
        if text.len() != 16 + 2 * CELLS || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let (hash, rest) = text.split_at(16);
        let mut cells = [0; CELLS];
        for (place, cell) in cells.iter_mut().enumerate() {
            *cell = u8::from_str_radix(&rest[2 * place..2 * place + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self { hash: u64::from_str_radix(hash, 16).map_err(|_| wrong())?, cells })
    }
}

/// Sums of luma, in 256ths, under `N` cells of each row, from the sums of the rows.
fn cells<const N: usize>(bands: &[u32], width: usize) -> [[u64; N]; ROWS] {
    let across = overlaps(width, N);
    let mut cells = [[0u64; N]; ROWS];
    for (line, band) in cells.iter_mut().zip(bands.chunks_exact(width * 3)) {
        for (pixel, shares) in band.chunks_exact(3).zip(&across) {
            let luma = 77 * u64::from(pixel[0]) + 150 * u64::from(pixel[1]) + 29 * u64::from(pixel[2]);
            for &(cell, share) in shares {
                line[cell] += luma * u64::from(share);
            }
        }
    }
    cells
}

/// For each of `length` pixels the cells it lies under, and how much of it, in units of `1 / cells`.
fn overlaps(length: usize, cells: usize) -> Vec<Vec<(usize, u32)>> {
    (0..length)
        .map(|pixel| {
            let (start, end) = (pixel * cells, (pixel + 1) * cells);
            (start / length..=(end - 1) / length)
                .map(|cell| (cell, (end.min((cell + 1) * length) - start.max(cell * length)) as u32))
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combine::{Format, encode};
    use crate::data::{Filter, Fit, Limits, Resizer, decode};
    use crate::random::{Purpose, Stream};

    /// A smooth picture that has no symmetry.
    fn picture(seed: u64) -> Image {
        let mut stream = Stream::new(seed, Purpose::Test, 0, 0);
        let waves: Vec<[f64; 4]> = (0..12)
            .map(|_| [stream.range(0.5, 4.0), stream.range(-4.0, 4.0), stream.range(0.0, 6.0), stream.unit()])
            .collect();
        let (width, height) = (120u32, 90u32);
        let pixels = (0..width * height)
            .flat_map(|i| {
                let (x, y) = (f64::from(i % width) / 40.0, f64::from(i / width) / 40.0);
                let value: f64 = waves.iter().map(|[a, b, c, w]| w * (a * x + b * y + c).sin()).sum();
                let level = (128.0 + 20.0 * value).clamp(0.0, 255.0) as u8;
                [level, level / 2 + 40, 255 - level / 3]
            })
            .collect();
        Image::new(width, height, pixels).unwrap()
    }

    /// A shape on black, lighter at one end, as garments are in Fashion-MNIST.
    fn garment(lighter_below: bool) -> Image {
        let level = |i: u32| {
            let (x, y) = (i % 28, (i / 28) as u8);
            let inside = (9..19).contains(&x) && (3..25).contains(&y);
            if inside { 100 + 2 * if lighter_below { y } else { 28 - y } } else { 0 }
        };
        Image::new(28, 28, (0..28 * 28).flat_map(|i| [level(i); 3]).collect()).unwrap()
    }

    fn copy(image: &Image, quality: u8, side: u32) -> Image {
        let image = Resizer::new().resize(image, side, side, Fit::Squash, Filter::Bicubic);
        decode(&encode(&image, Format::Jpeg { quality }).unwrap(), &Limits::default()).unwrap()
    }

    #[test]
    fn a_copy_in_another_encoding_and_size_looks_the_same_and_another_picture_does_not() {
        for seed in 0..20 {
            let original = Look::of(&picture(seed));
            assert!(original.is_like(&original));
            for (quality, side) in [(90, 120), (75, 64), (50, 120), (75, 200)] {
                let copy = Look::of(&copy(&picture(seed), quality, side));
                assert!(original.is_like(&copy), "{seed}, {quality}, {side}: {}", original.distance(&copy));
            }
            for other in 0..20 {
                let other = Look::of(&picture(seed + 100 + other));
                assert!(!original.is_like(&other) && !other.is_like(&original));
            }
        }
    }

    #[test]
    fn pictures_on_plain_ground_with_nearly_one_hash_are_no_copies_but_their_copies_are() {
        let garments = [true, false].map(garment);
        let [one, other] = garments.each_ref().map(Look::of);
        assert!(one.distance(&other) <= 2);
        assert!(!one.is_like(&other));
        for garment in garments {
            let copy = Look::of(&copy(&garment, 75, 28));
            assert!(Look::of(&garment).is_like(&copy));
        }
        // Nothing is to be seen on either.
        let [dark, darker] = [6, 0].map(|level| Look::of(&Image::filled(30, 20, [level; 3])));
        assert_eq!(dark.distance(&darker), 0);
        assert!(dark.is_like(&dark) && !dark.is_like(&darker));
    }

    #[test]
    fn a_hash_says_where_it_gets_brighter() {
        let ramp = |rising: bool| {
            let pixels = (0..5 * 70u32)
                .flat_map(|i| [if rising { i % 70 * 3 } else { 210 - i % 70 * 3 } as u8; 3])
                .collect();
            Look::of(&Image::new(70, 5, pixels).unwrap())
        };
        assert_eq!(ramp(true).hash, u64::MAX);
        assert_eq!(ramp(false).hash, 0);
        let gray = Look::of(&Image::filled(1, 1, [200; 3]));
        assert_eq!((gray.hash, gray.cells), (0, [200; CELLS]));
        // Cells of the ramp: 8.75 pixels of 3 levels each.
        let cells = [12, 38, 64, 90, 117, 143, 169, 195].map(|level: i32| level);
        assert!(
            ramp(true)
                .cells
                .iter()
                .zip(cells.iter().cycle())
                .all(|(&got, want)| (i32::from(got) - want).abs() <= 1)
        );
    }

    #[test]
    fn cells_divide_every_side_without_gap_or_overlap() {
        for length in 1..60 {
            for cells in [ROWS, COLUMNS] {
                let mut sums = vec![0; cells];
                for shares in overlaps(length, cells) {
                    assert_eq!(shares.iter().map(|&(_, share)| share).sum::<u32>(), cells as u32);
                    shares.iter().for_each(|&(cell, share)| sums[cell] += share);
                }
                assert_eq!(sums, vec![length as u32; cells]);
            }
        }
    }

    #[test]
    fn a_look_is_read_back_as_it_is_written() {
        let look = Look::of(&picture(3));
        let text = look.to_string();
        assert_eq!((text.len(), text.parse()), (144, Ok(look)));
        assert!(text[1..].parse::<Look>().is_err() && text.replace(&text[..1], "z").parse::<Look>().is_err());
    }
}
