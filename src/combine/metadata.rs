//! `metadata.jsonl`: the source image of every tile of every composite.
//!
//! One JSON object a line, in the form Hugging Face's `imagefolder` reads: `file_name` is relative to
//! the file's own folder, the other keys become columns.

use std::collections::BTreeSet;
use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};

use super::{CompositePlan, Format, SetSpec};
use crate::bounds::SIDE;
use crate::data::{ClassMap, ContentHash, PathError, ensure_relative};
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
    /// A value that no composite has.
    #[error("line {line} of metadata.jsonl: {problem}")]
    Value {
        /// Counted from 1.
        line: usize,
        /// The key, its value, and what is wrong with it.
        problem: String,
    },
    /// A record that is not one of the set it lies in.
    #[error("metadata.jsonl does not fit its manifest.json: {problem}")]
    Unfit {
        /// The composite, and what is wrong with it.
        problem: String,
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
            let record: CompositeRecord =
                serde_json::from_str(&text).map_err(|source| MetadataError::Line { line, source })?;
            record.check().map_err(|problem| MetadataError::Value { line, problem })?;
            records.push(record);
        }
    }
    Ok(records)
}

/// Checks that records are those of a set: each composite once, with the number and name of one of its classes, and with tiles
/// where its grid has them.
///
/// # Errors
/// [`MetadataError::Unfit`], which names the composite. `spec` must be one that a manifest may have.
pub fn ensure_records_fit(records: &[CompositeRecord], spec: &SetSpec) -> Result<(), MetadataError> {
    let mut seen = BTreeSet::new();
    for record in records {
        let unfit =
            |problem: String| MetadataError::Unfit { problem: format!("'{}' {problem}", record.file_name) };
        let classes = spec.classes.names();
        match classes.get(record.label as usize) {
            Some(class) if *class == record.class => {}
            Some(class) => {
                return Err(unfit(format!(
                    "has label {} and class '{}', not '{class}'",
                    record.label, record.class
                )));
            }
            None => return Err(unfit(format!("has label {} of {} classes", record.label, classes.len()))),
        }
        if !seen.insert(record.file_name.as_str()) {
            return Err(unfit("stands there twice".to_owned()));
        }
        let tiles = (0..spec.grid.tiles()).map(|tile| spec.grid.tile(spec.side, tile));
        if !tiles.eq(record.tiles.iter().map(TileRecord::rect)) {
            let (grid, side) = (spec.grid, spec.side);
            return Err(unfit(format!("has other tiles than a grid of {grid} at {side} px")));
        }
    }
    Ok(())
}

impl CompositeRecord {
    /// Checks every value that can be checked without the rest of the set.
    fn check(&self) -> Result<(), String> {
        let path = |key: &str, path: &str| {
            ensure_relative(path).map_err(|why: PathError| format!("{key} '{path}' is {why}"))
        };
        path("file_name", &self.file_name)?;
        if self.file_name.split_once('/').map(|(class, _)| class) != Some(self.class.as_str()) {
            return Err(format!(
                "file_name '{}' does not lie in the folder of class '{}'",
                self.file_name, self.class
            ));
        }
        if self.tiles.is_empty() {
            return Err("tiles is empty".to_owned());
        }
        for tile in &self.tiles {
            path("source", &tile.source)?;
            let [x, y, width, height] = tile.area;
            let fits = |start: u32, length: u32| {
                length > 0 && start.checked_add(length).is_some_and(|end| u64::from(end) <= SIDE.most)
            };
            if !fits(x, width) || !fits(y, height) {
                return Err(format!(
                    "box {:?} is none of a composite of at most {} px",
                    tile.area, SIDE.most
                ));
            }
        }
        Ok(())
    }
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
    fn a_value_that_no_composite_has_is_named_with_its_line_and_key() {
        let mut out = Vec::new();
        write_metadata(&mut out, &records()[..2]).unwrap();
        let text = String::from_utf8(out).unwrap();
        let message = |from: &str, to: &str| {
            let changed = text.replacen(from, to, 2);
            assert_ne!(changed, text, "{from}");
            read_metadata(changed.as_bytes()).unwrap_err().to_string()
        };
        for (from, to, expected) in [
            (
                "ant/0000.png",
                "/etc/passwd",
                "line 1 of metadata.jsonl: file_name '/etc/passwd' is not a relative path",
            ),
            (
                "ant/0001.png",
                "../../x",
                "line 2 of metadata.jsonl: file_name '../../x' is a path with '.' or '..'",
            ),
            ("ant/0001.png", "ant/../../x", "line 2 of metadata.jsonl: file_name"),
            ("ant/0000.png", "C:\\\\x", "file_name 'C:\\x' is not a relative path"),
            ("ant/0000.png", "bee/0000.png", "does not lie in the folder of class 'ant'"),
            ("train/0/0.png", "/etc/passwd", "source '/etc/passwd' is not a relative path"),
            ("train/0/2.png", "a\\u0000", "is a path with a NUL character"),
            ("[0,0,5,9]", "[0,0,0,9]", "box [0, 0, 0, 9] is none of a composite"),
            ("[0,0,5,9]", "[4294967295,0,5,9]", "box [4294967295, 0, 5, 9] is none of a composite"),
            ("[0,0,5,9]", "[0,4000,5,97]", "box"),
        ] {
            let message = message(from, to);
            assert!(message.contains(expected), "{message}");
        }
        for (from, to) in [
            ("\"label\":0", "\"label\":-1"),
            ("\"label\":0", "\"label\":1.5"),
            ("\"label\":0", "\"label\":4294967296"),
            ("\"rank\":0", "\"rank\":1e20"),
            ("0.1,", "1e400,"),
            ("0.1,", "NaN,"),
        ] {
            let message = message(from, to);
            assert!(message.starts_with("line 1 of metadata.jsonl is not the record"), "{from}: {message}");
        }
    }

    #[test]
    fn records_that_are_not_those_of_the_set_are_refused_by_name() {
        let spec = SetSpec {
            seed: 0,
            ipc: 2,
            ipc_counts: crate::combine::IpcCounts::Composites,
            grid: "1x2".parse().unwrap(),
            side: 9,
            fit: "squash".to_owned(),
            filter: "bilinear".to_owned(),
            format: Format::Png,
            classes: ClassMap::new(["ant".to_owned(), "bee \"b\"".to_owned()]),
        };
        assert!(ensure_records_fit(&records(), &spec).is_ok());
        let message = |change: &dyn Fn(&mut Vec<CompositeRecord>)| {
            let mut records = records();
            change(&mut records);
            ensure_records_fit(&records, &spec).unwrap_err().to_string()
        };
        assert!(message(&|all| all[0].label = 99).contains("'ant/0000.png' has label 99 of 2 classes"));
        assert!(message(&|all| all[1].label = 1).contains("has label 1 and class 'ant', not 'bee"));
        assert!(message(&|all| all[1] = all[0].clone()).contains("'ant/0000.png' stands there twice"));
        for change in [&|all: &mut Vec<CompositeRecord>| all[2].tiles[1].area[0] = 4, &|all: &mut Vec<
            CompositeRecord,
        >| {
            drop(all[2].tiles.pop())
        }] as [&dyn Fn(&mut Vec<CompositeRecord>); 2]
        {
            assert!(message(change).contains("has other tiles than a grid of 1x2 at 9 px"));
        }
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
