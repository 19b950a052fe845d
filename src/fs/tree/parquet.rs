//! Parquet files as Hugging Face has them: a row an image, with `image: {bytes, path}` and a `label`.
//!
//! Labels and paths are read when the files are opened. An image is found by its row: pages before it are skipped by their headers,
//! and the one that holds it is decoded, about a megabyte.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Type as Physical;
use parquet::column::reader::{ColumnReader, get_typed_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, FileReader as _, Length, RowGroupReader};
use parquet::file::serialized_reader::{ReadOptionsBuilder, SerializedFileReader};
use rayon::prelude::*;

use super::super::folder::error::FolderError;
use super::super::folder::scan::Scan;
use super::Tree;
use super::blocks::Archive;
use super::error::SourceError;
use super::packed::name_of_source;
use crate::data::{Problem, ensure_relative, split_name};
use crate::report::words::counted;

/// A file, read from any thread: the library's own way for files moves a position that all threads share.
#[derive(Clone, Debug)]
struct Chunks(Arc<Archive>);

/// What follows a place in a file.
struct From {
    file: Chunks,
    at: u64,
}

impl Read for From {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = self.file.len().saturating_sub(self.at);
        let count = out.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.file.0.read_exact_at(&mut out[..count], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.0.whole().len
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<From>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        // A page's header is short; the page itself is asked for as a whole.
        Ok(BufReader::with_capacity(4096, From { file: self.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.len()) {
            return Err(ParquetError::EOF("it is cut off".to_owned()));
        }
        let mut bytes = vec![0; length];
        self.0.read_exact_at(&mut bytes, start).map_err(|why| ParquetError::External(Box::new(why)))?;
        Ok(bytes.into())
    }
}

/// An open file, and the numbers of its columns.
struct Table {
    path: PathBuf,
    split: Option<String>,
    reader: SerializedFileReader<Chunks>,
    bytes: usize,
    name: Option<usize>,
    label: usize,
    /// Names of the classes, where the file tells them.
    classes: Vec<String>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({})", self.path.display())
    }
}

/// A row as it is listed.
struct Row {
    label: Option<u64>,
    name: Option<String>,
}

impl Table {
    fn open(path: &Path, number: usize) -> Result<Self, SourceError> {
        const IMAGES: [&str; 5] = ["image", "img", "jpg", "png", "webp"];
        const LABELS: [&str; 5] = ["label", "labels", "cls", "fine_label", "class"];
        let wrong = |why: String| SourceError::Shard { shard: path.to_owned(), why };
        let archive = Archive::open(path, number)?;
        let options = || ReadOptionsBuilder::new().with_page_index().build();
        let opened =
            unpanicked(|| SerializedFileReader::new_with_options(Chunks(Arc::new(archive)), options()));
        let opened =
            opened.unwrap_or_else(|| Err(ParquetError::General("its description is damaged".to_owned())));
        let reader = opened.map_err(|why| {
            wrong(format!("it is damaged, cut off, or no Parquet file ({why}); fetch it again"))
        })?;
        let about = reader.metadata().file_metadata();
        let columns = about.schema_descr().columns();
        let place = |name: &str| columns.iter().position(|column| column.path().string() == name);
        let typed = |at: usize, kinds: &[Physical]| kinds.contains(&columns[at].physical_type());
        let image = IMAGES.iter().find_map(|image| {
            let bytes = place(&format!("{image}.bytes")).filter(|&at| typed(at, &[Physical::BYTE_ARRAY]))?;
            let name = place(&format!("{image}.path")).filter(|&at| typed(at, &[Physical::BYTE_ARRAY]));
            Some((bytes, name))
        });
        let label = LABELS.iter().find_map(|label| {
            Some((place(label).filter(|&at| typed(at, &[Physical::INT64, Physical::INT32]))?, *label))
        });
        let (Some((bytes, name)), Some((label, label_name))) = (image, label) else {
            let has: Vec<String> = columns.iter().map(|column| column.path().string()).collect();
            return Err(wrong(format!(
                "it has no column image with bytes, or no whole number label; it has: {}",
                has.join(", ")
            )));
        };
        let metadata = about.key_value_metadata().into_iter().flatten();
        let schema = metadata.filter(|pair| pair.key == "huggingface").find_map(|pair| pair.value.as_deref());
        let schema: serde_json::Value =
            schema.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let names = schema["info"]["features"][label_name]["names"].as_array();
        let classes =
            names.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let folder =
            path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        let split = split_name(&stem).or_else(|| split_name(&folder)).map(str::to_owned);
        Ok(Self { path: path.to_owned(), split, reader, bytes, name, label, classes })
    }

    fn rows(&self) -> Result<Vec<Row>, SourceError> {
        let why = || SourceError::Shard {
            shard: self.path.clone(),
            why: "it is damaged; fetch it again".to_owned(),
        };
        unpanicked(|| self.listed()).unwrap_or_else(|| Err(why()))
    }

    fn listed(&self) -> Result<Vec<Row>, SourceError> {
        let damaged = |why: ParquetError| SourceError::Shard {
            shard: self.path.clone(),
            why: format!("it is damaged or cut off ({why}); fetch it again"),
        };
        let mut rows = Vec::new();
        for group in 0..self.reader.num_row_groups() {
            let group = self.reader.get_row_group(group).map_err(damaged)?;
            let count = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
            let labels: Vec<Option<i64>> = match group.get_column_reader(self.label).map_err(damaged)? {
                reader @ ColumnReader::Int32ColumnReader(_) => {
                    let all =
                        column::<Int32Type>(reader, self.defined(self.label), count).map_err(damaged)?;
                    all.into_iter().map(|label| label.map(i64::from)).collect()
                }
                reader => column::<Int64Type>(reader, self.defined(self.label), count).map_err(damaged)?,
            };
            let names = match self.name {
                Some(name) => {
                    let reader = group.get_column_reader(name).map_err(damaged)?;
                    let names =
                        column::<ByteArrayType>(reader, self.defined(name), count).map_err(damaged)?;
                    let text = |name: ByteArray| String::from_utf8(name.data().to_vec()).ok();
                    names.into_iter().map(|name| name.and_then(text)).collect()
                }
                None => vec![None; count],
            };
            if labels.len() != count || names.len() != count {
                return Err(damaged(ParquetError::General("columns of different lengths".to_owned())));
            }
            let row = |(label, name): (Option<i64>, Option<String>)| Row {
                label: label.and_then(|label| u64::try_from(label).ok()),
                name: name.filter(|name| !name.is_empty()),
            };
            rows.extend(labels.into_iter().zip(names).map(row));
        }
        Ok(rows)
    }

    /// Definition level of a value that is there.
    fn defined(&self, column: usize) -> i16 {
        self.reader.metadata().file_metadata().schema_descr().column(column).max_def_level()
    }

    /// The bytes of the image in a row.
    fn image(&self, row: u64) -> io::Result<Vec<u8>> {
        unpanicked(|| self.read(row)).unwrap_or_else(|| Err(io::Error::other("the Parquet file is damaged")))
    }

    fn read(&self, row: u64) -> io::Result<Vec<u8>> {
        let failed = |why: ParquetError| io::Error::other(why.to_string());
        let mut before = 0;
        for (number, group) in self.reader.metadata().row_groups().iter().enumerate() {
            let rows = group.num_rows().max(0) as u64;
            if row < before + rows {
                let group: Box<dyn RowGroupReader + '_> =
                    self.reader.get_row_group(number).map_err(failed)?;
                let mut reader = get_typed_column_reader::<ByteArrayType>(
                    group.get_column_reader(self.bytes).map_err(failed)?,
                );
                reader.skip_records((row - before) as usize).map_err(failed)?;
                let (mut levels, mut found) = (Vec::new(), Vec::new());
                reader.read_records(1, Some(&mut levels), None, &mut found).map_err(failed)?;
                return match found.first() {
                    Some(bytes) => Ok(bytes.data().to_vec()),
                    // No image: no image that can be decoded, either.
                    None => Ok(Vec::new()),
                };
            }
            before += rows;
        }
        Err(io::ErrorKind::NotFound.into())
    }
}

/// The outcome of a call of the library, which panics on some damaged files; `None` where it did.
fn unpanicked<T>(call: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).ok()
}

/// All values of a column; `None` where there is none.
fn column<T: DataType>(reader: ColumnReader, defined: i16, count: usize) -> ParquetResult<Vec<Option<T::T>>> {
    let mut reader = get_typed_column_reader::<T>(reader);
    let (mut levels, mut found) = (Vec::new(), Vec::new());
    while found.len() < count && levels.len() < count {
        let (records, ..) = reader.read_records(count, Some(&mut levels), None, &mut found)?;
        if records == 0 {
            break;
        }
    }
    if defined == 0 {
        return Ok(found.into_iter().map(Some).collect());
    }
    let mut found = found.into_iter();
    Ok(levels.iter().map(|&level| if level == defined { found.next() } else { None }).collect())
}

/// An image of the tree.
#[derive(Debug)]
struct Item {
    path: Box<str>,
    table: u32,
    row: u32,
}

/// The images of Parquet files.
#[derive(Debug)]
struct Rows {
    place: PathBuf,
    tables: Vec<Table>,
    /// In byte order of the paths.
    items: Vec<Item>,
    problems: Vec<Problem>,
}

impl Rows {
    fn find(&self, path: &str) -> Option<(&Table, u64)> {
        let at = self.items.binary_search_by(|item| (*item.path).cmp(path)).ok()?;
        let item = &self.items[at];
        Some((&self.tables[item.table as usize], u64::from(item.row)))
    }
}

impl Tree for Rows {
    fn scan(&self) -> Result<Scan, FolderError> {
        let paths = self.items.iter().map(|item| item.path.to_string()).collect();
        Ok(Scan { paths, empty: Vec::new(), problems: self.problems.clone() })
    }

    fn read(&self, path: &str, most: u64) -> io::Result<Vec<u8>> {
        let (table, row) = self.find(path).ok_or(io::ErrorKind::NotFound)?;
        let bytes = table.image(row)?;
        if bytes.len() as u64 > most {
            let text = format!("a file of {} bytes exceeds the limit of {most}", bytes.len());
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        Ok(bytes)
    }

    fn size(&self, path: &str) -> Option<u64> {
        let (table, row) = self.find(path)?;
        Some(table.image(row).ok()?.len() as u64)
    }

    fn place(&self, path: &str) -> PathBuf {
        match self.find(path) {
            Some((table, _)) => table.path.join(path),
            None if path.is_empty() => self.place.clone(),
            None => self.place.join(path),
        }
    }

    fn name(&self) -> String {
        name_of_source(&self.place)
    }
}

/// The tree of some files at `place`, and in words what they were taken for.
///
/// # Errors
/// [`SourceError`] for files that are no tables of labelled images, rows of one path, and labels without a name.
pub(super) fn tree(place: &Path, files: &[PathBuf]) -> Result<(impl Tree + use<>, String), SourceError> {
    let all: Vec<(Table, Vec<Row>)> = files
        .par_iter()
        .enumerate()
        .map(|(number, file)| {
            let table = Table::open(file, number)?;
            let rows = table.rows()?;
            Ok((table, rows))
        })
        .collect::<Result<_, SourceError>>()?;
    let has_val = all.iter().any(|(table, _)| table.split.as_deref() == Some("val"));
    let names = Names::of(&all)?;
    let (mut tables, mut items, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for (number, (table, rows)) in (0..).zip(all) {
        let is_test = table.split.as_deref() == Some("test");
        let left_out = is_test && (has_val || rows.iter().all(|row| row.label.is_none()));
        let split = table.split.as_ref().map_or_else(String::new, |split| format!("{split}/"));
        for (at, row) in (0..).zip(if left_out { Vec::new() } else { rows }) {
            let stem = table.path.file_stem().unwrap_or_default().to_string_lossy();
            let own = || format!("{stem}-{at:06}.jpg");
            let Some(label) = row.label else {
                let path = format!("{split}{}", row.name.unwrap_or_else(own));
                problems.push(Problem { path, reason: "its row has no label".to_owned() });
                continue;
            };
            let path = names.path(&table, &split, label, row.name, own)?;
            match ensure_relative(&path) {
                Ok(()) => items.push(Item { path: path.into(), table: number, row: at }),
                Err(why) => {
                    problems.push(Problem { path, reason: format!("a name that is not used: {why}") });
                }
            }
        }
        tables.push(table);
    }
    items.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    if let Some(pair) = items.windows(2).find(|pair| pair[0].path == pair[1].path) {
        let shown = |item: &Item| tables[item.table as usize].path.display().to_string();
        let (one, other) = (shown(&pair[0]), shown(&pair[1]));
        return Err(SourceError::Twice { path: pair[0].path.to_string(), one, other });
    }
    problems.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let what = format!(
        "{} with {}, read in place; {}",
        counted(tables.len() as u64, "Parquet file", "Parquet files"),
        counted(items.len() as u64, "image", "images"),
        names.told
    );
    Ok((Rows { place: place.to_owned(), tables, items, problems }, what))
}

/// Names of the classes by their labels.
struct Names {
    of: BTreeMap<u64, String>,
    /// `true` where the files' names end with the wnid of their class, as in Hugging Face's ImageNet.
    by_suffix: bool,
    width: usize,
    told: String,
}

impl Names {
    fn of(all: &[(Table, Vec<Row>)]) -> Result<Self, SourceError> {
        let rows = || all.iter().flat_map(|(_, rows)| rows).filter(|row| row.label.is_some());
        let width = rows().filter_map(|row| row.label).max().unwrap_or(0).to_string().len();
        let mut of: BTreeMap<u64, String> = BTreeMap::new();
        let suffixes = rows().all(|row| match (row.label, row.name.as_deref().and_then(wnid_of)) {
            (Some(label), Some((_, wnid))) => of.entry(label).or_insert_with(|| wnid.to_owned()) == wnid,
            _ => false,
        });
        let distinct: BTreeSet<&String> = of.values().collect();
        if suffixes && distinct.len() == of.len() && !of.is_empty() {
            return Ok(Self {
                of,
                by_suffix: true,
                width,
                told: "the files' names tell their classes".to_owned(),
            });
        }
        of.clear();
        for (table, _) in all {
            for (label, name) in (0..).zip(&table.classes) {
                if let Some(other) = of.insert(label, name.clone()).filter(|other| other != name) {
                    return Err(SourceError::Shard {
                        shard: table.path.clone(),
                        why: format!("its label {label} is '{name}', and that of another file '{other}'"),
                    });
                }
            }
        }
        let distinct: BTreeSet<&String> = of.values().collect();
        if distinct.len() < of.len() {
            // As in ImageNet, where two classes are called crane; their numbers tell them apart.
            of.iter_mut().for_each(|(label, name)| *name = format!("{label:0width$} {name}"));
        }
        let told = if of.is_empty() {
            "their classes are numbers, as nothing names them"
        } else {
            "classes named by the files' own ClassLabel"
        };
        Ok(Self { of, by_suffix: false, width, told: told.to_owned() })
    }

    fn path(
        &self,
        table: &Table,
        split: &str,
        label: u64,
        name: Option<String>,
        own: impl Fn() -> String,
    ) -> Result<String, SourceError> {
        let width = self.width;
        let class = match self.of.get(&label) {
            Some(class) => class.clone(),
            None if self.of.is_empty() => format!("{label:0width$}"),
            None => {
                return Err(SourceError::Shard {
                    shard: table.path.clone(),
                    why: format!("a row has label {label}, and {} classes have names", self.of.len()),
                });
            }
        };
        let folder = class.replace(['/', '\\', '\0', ':'], "_");
        let folder = if folder.starts_with('.') { format!("_{folder}") } else { folder };
        let Some(name) = name else { return Ok(format!("{split}{folder}/{}", own())) };
        // A path with the class among its folders is the one that the image had.
        let has_class = name.split('/').rev().skip(1).any(|part| part == class);
        if has_class && ensure_relative(&name).is_ok() {
            return Ok(name);
        }
        if self.by_suffix
            && let Some((plain, _)) = wnid_of(&name)
        {
            return Ok(format!("{split}{folder}/{plain}"));
        }
        Ok(format!("{split}{folder}/{}", name.trim_start_matches('/')))
    }
}

/// `n01440764_10026_n01440764.JPEG` as the name without its last part, and that.
fn wnid_of(name: &str) -> Option<(String, &str)> {
    let (stem, extension) = name.rsplit_once('.')?;
    let (plain, wnid) = stem.rsplit_once('_')?;
    let is_wnid =
        wnid.len() == 9 && wnid.starts_with('n') && wnid[1..].bytes().all(|byte| byte.is_ascii_digit());
    is_wnid.then(|| (format!("{plain}.{extension}"), wnid))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by PyArrow: see tests/golden/hf_parquet.py.
    const SUFFIXED: &[u8] = include_bytes!("../../../tests/data/imagenet/suffixed-train.parquet");
    const WORDS: &[u8] = include_bytes!("../../../tests/data/imagenet/words-validation.parquet");

    fn listed(folder: &Path, files: &[(&str, &[u8])]) -> Result<(Vec<String>, Vec<String>), SourceError> {
        let files: Vec<PathBuf> = files
            .iter()
            .map(|(name, bytes)| {
                std::fs::write(folder.join(name), bytes).unwrap();
                folder.join(name)
            })
            .collect();
        let (tree, _) = tree(folder, &files)?;
        let scan = tree.scan().unwrap();
        let images = scan.paths.iter().map(|path| {
            let bytes = tree.read(path, 1 << 20).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            // Each image of the fixtures is its own name, forty times.
            let name = text.get(..text.len() / 40).unwrap_or_default().trim_start_matches("bytes of ");
            format!("{path}={name}")
        });
        let problems = scan.problems.iter().map(|problem| format!("{}: {}", problem.path, problem.reason));
        Ok((images.collect(), problems.collect()))
    }

    #[test]
    fn names_with_a_wnid_at_their_end_are_those_of_the_image_folder() {
        let root = tempfile::tempdir().unwrap();
        let (images, problems) = listed(root.path(), &[("suffixed-train.parquet", SUFFIXED)]).unwrap();
        assert_eq!(
            images[..3],
            [
                "train/n01440764/n01440764_0.JPEG=n01440764_0_n01440764.JPEG",
                "train/n01440764/n01440764_3.JPEG=n01440764_3_n01440764.JPEG",
                "train/n01440764/n01440764_6.JPEG=n01440764_6_n01440764.JPEG",
            ]
        );
        assert_eq!((images.len(), problems.len()), (8, 0));
    }

    #[test]
    fn classes_are_named_by_the_file_and_rows_that_lack_something_are_listed() {
        let root = tempfile::tempdir().unwrap();
        let (images, problems) = listed(root.path(), &[("words-validation.parquet", WORDS)]).unwrap();
        assert_eq!(
            images,
            [
                "val/0 tench, Tinca tinca/0.png=0.png",
                "val/1 crane/1.png=1.png",
                "val/1 crane/words-validation-000004.jpg=",
                "val/2 crane/2.png=2.png",
            ]
        );
        assert_eq!(problems, ["val/3.png: its row has no label", "val/5.png: its row has no label"]);
    }

    #[test]
    fn a_file_that_is_cut_off_is_refused_and_a_damaged_one_never_panics() {
        let root = tempfile::tempdir().unwrap();
        for bytes in [SUFFIXED, WORDS] {
            for len in (0..bytes.len()).step_by(7) {
                let error = listed(root.path(), &[("a.parquet", &bytes[..len])]).unwrap_err().to_string();
                assert!(error.contains("a.parquet") && error.contains("fetch it again"), "{len}: {error}");
            }
            for at in (0..bytes.len()).step_by(3) {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= 1 << (at % 8);
                let path = root.path().join("b.parquet");
                std::fs::write(&path, damaged).unwrap();
                if let Ok((tree, _)) = tree(root.path(), &[path]) {
                    tree.scan().unwrap().paths.iter().for_each(|path| drop(tree.read(path, 1 << 20)));
                }
            }
        }
        assert!(listed(root.path(), &[("c.parquet", b"not Parquet at all, but long enough")]).is_err());
    }
}
