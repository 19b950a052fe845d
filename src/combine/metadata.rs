//! `metadata.jsonl`: the source image of every tile of every composite.
//!
//! One JSON object a line, in the form Hugging Face's `imagefolder` reads: `file_name` is relative to
//! the file's own folder, the other keys become columns.

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};

use super::{CompositePlan, Format};
use crate::data::{ClassMap, ContentHash};
use crate::data::{Grid, Rect};
use crate::fault::{Fault, Faulty};

/// One line of `metadata.jsonl`: a composite. The keys are written in this order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompositeRecord {
    /// Path of the image, `<class>/<name>`.
    pub file_name: String,
    /// Number of the class.
    pub label: u32,
    /// Name of the class.
    pub class: String,
    /// Its tiles, row-major.
    pub tiles: Vec<TileRecord>,
}

/// Source of one tile. The keys are written in this order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TileRecord {
    /// Path of the source image, relative to the source data's folder.
    pub source: String,
    /// BLAKE3 of the source file.
    pub hash: ContentHash,
    /// Score of the source; `null` where none was used.
    pub score: Option<f64>,
    /// Place of the source in the selection of its class, from 0.
    pub rank: u32,
    /// `[x, y, width, height]` of the tile in the composite, in pixels.
    #[serde(rename = "box")]
    pub area: [u32; 4],
}

impl TileRecord {
    /// The tile's box.
    pub fn rect(&self) -> Rect {
        let [x, y, width, height] = self.area;
        Rect { x, y, width, height }
    }
}

impl CompositeRecord {
    /// The record of a planned composite of `side` × `side` pixels; `composites` are those of its class.
    pub fn new(
        plan: &CompositePlan<'_>,
        classes: &ClassMap,
        composites: u32,
        grid: Grid,
        side: u32,
        format: Format,
    ) -> Self {
        let class = classes.name(plan.class).to_owned();
        Self {
            file_name: format!("{class}/{}", composite_name(plan.index, composites, format)),
            label: plan.class,
            tiles: (0..)
                .zip(&plan.tiles)
                .map(|(tile, pick)| {
                    let Rect { x, y, width, height } = grid.tile(side, tile);
                    TileRecord {
                        source: pick.path.clone(),
                        hash: pick.hash,
                        score: pick.score,
                        rank: pick.rank,
                        area: [x, y, width, height],
                    }
                })
                .collect(),
            class,
        }
    }
}

/// File name of a composite: its number with at least four digits, as many for all of a class.
pub fn composite_name(index: u32, composites: u32, format: Format) -> String {
    let digits = composites.saturating_sub(1).to_string().len().max(4);
    format!("{index:0digits$}.{}", format.extension())
}

/// A problem with a `metadata.jsonl`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// A line that is not a composite's.
    #[error("line {line} of metadata.jsonl is not the record of a composite")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Error of the parser.
        source: serde_json::Error,
    },
    /// Reading failed.
    #[error("metadata.jsonl cannot be read")]
    Io(#[from] std::io::Error),
}

/// Writes `metadata.jsonl`.
///
/// # Errors
/// When the writer fails.
pub fn write_metadata(mut out: impl Write, records: &[CompositeRecord]) -> std::io::Result<()> {
    for record in records {
        serde_json::to_writer(&mut out, record)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Reads `metadata.jsonl`. Empty lines and keys that are not ours are passed over.
///
/// # Errors
/// [`MetadataError`], which names the line.
pub fn read_metadata(input: impl BufRead) -> Result<Vec<CompositeRecord>, MetadataError> {
    let mut records = Vec::new();
    for (line, text) in (1..).zip(input.lines()) {
        let text = text?;
        if !text.trim().is_empty() {
            let record =
                serde_json::from_str(&text).map_err(|source| MetadataError::Line { line, source })?;
            records.push(record);
        }
    }
    Ok(records)
}

impl Faulty for MetadataError {
    fn fault(&self) -> Fault {
        Fault::Data
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combine::{PickedSource, plan_composites};

    fn records() -> Vec<CompositeRecord> {
        let classes = ClassMap::new(["ant".to_owned(), "bee \"b\"".to_owned()]);
        let grid: Grid = "1x2".parse().unwrap();
        let picks: Vec<Vec<PickedSource>> = (0..2)
            .map(|class| {
                (0..4)
                    .map(|rank| PickedSource {
                        path: format!("train/{class}/{rank}.png"),
                        hash: ContentHash::of(&[class, rank as u8]),
                        score: (class == 0).then_some(0.1 + 0.2 * f64::from(rank)),
                        rank,
                    })
                    .collect()
            })
            .collect();
        plan_composites(&picks, &classes, 2, grid)
            .unwrap()
            .iter()
            .map(|plan| CompositeRecord::new(plan, &classes, 2, grid, 9, Format::Png))
            .collect()
    }

    #[test]
    fn metadata_is_read_back_as_it_was_written() {
        let mut out = Vec::new();
        write_metadata(&mut out, &records()).unwrap();
        assert_eq!(read_metadata(out.as_slice()).unwrap(), records());
        assert_eq!(out.iter().filter(|&&b| b == b'\n').count(), 4);
    }

    #[test]
    fn a_line_has_the_keys_others_rely_on_in_a_fixed_order() {
        let mut out = Vec::new();
        write_metadata(&mut out, &records()[1..2]).unwrap();
        let hash = |rank| ContentHash::of(&[0, rank]);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!(
                concat!(
                    r#"{{"file_name":"ant/0001.png","label":0,"class":"ant","tiles":["#,
                    r#"{{"source":"train/0/1.png","hash":"{}","score":0.30000000000000004,"rank":1,"box":[0,0,5,9]}},"#,
                    r#"{{"source":"train/0/3.png","hash":"{}","score":0.7000000000000001,"rank":3,"box":[5,0,4,9]}}]}}"#,
                    "\n"
                ),
                hash(1),
                hash(3)
            )
        );
        assert_eq!(records()[1].tiles[1].rect(), Rect { x: 5, y: 0, width: 4, height: 9 });
    }

    #[test]
    fn a_damaged_line_is_named() {
        let mut out = Vec::new();
        write_metadata(&mut out, &records()[..1]).unwrap();
        out.extend_from_slice(b"\n{\"file_name\": 3}\n");
        let message = read_metadata(out.as_slice()).unwrap_err().to_string();
        assert!(message.starts_with("line 3 of metadata.jsonl"), "{message}");
    }

    #[test]
    fn names_sort_as_their_numbers_do() {
        assert_eq!(composite_name(7, 10, Format::Png), "0007.png");
        assert_eq!(composite_name(7, 10_000, Format::Png), "0007.png");
        assert_eq!(composite_name(7, 10_001, Format::Jpeg { quality: 90 }), "00007.jpg");
        let names: Vec<String> = (0..12_000).map(|i| composite_name(i, 12_000, Format::Png)).collect();
        assert!(names.is_sorted());
    }
}
