//! WebDataset shards: tars whose files form samples by their names, `key.jpg` with `key.cls` or `key.json`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::blocks::Archive;
use super::error::SourceError;
use super::info::Info;
use super::labels::read_text;
use super::packed::{Builder, Packed};
use super::tar::{Go, Kind, members_of};
use crate::data::{ensure_relative, is_junk, split_name};
use crate::report::words::counted;

/// Extensions of images, the preferred first: where a sample has two, the first is its image, as timm has it.
const IMAGES: [&str; 7] = ["jpg", "jpeg", "png", "webp", "bmp", "gif", "ppm"];
/// Other extensions that samples often have.
const KNOWN: [&str; 4] = ["cls", "json", "txt", "cls2"];
/// Largest label or description that is read.
const MOST: u64 = 1 << 20;

/// Shards, each with its split, and what is known of their classes.
#[derive(Debug, Default)]
pub(super) struct Set {
    shards: Vec<Shard>,
    /// Names of the classes in the order of their numbers, and what tells them.
    classes: Option<(Vec<String>, String)>,
}

#[derive(Debug)]
struct Shard {
    path: PathBuf,
    split: Option<String>,
    /// Number of samples that it should have.
    expected: Option<usize>,
}

/// A tree of shards.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) tree: Packed,
    pub(super) what: String,
    pub(super) warnings: Vec<String>,
}

/// The set that an `_info.json` describes.
pub(super) fn of_info(path: &Path, info: Info) -> Set {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut shards = Vec::new();
    for (name, split) in &info.splits {
        for (place, file) in split.filenames.iter().enumerate() {
            let expected = split.shard_lengths.get(place).copied();
            shards.push(Shard { path: folder.join(file), split: Some(folder_of(name)), expected });
        }
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let classes = (!info.classes.is_empty()).then_some((info.classes, name));
    Set { shards, classes }
}

/// The set of shards whose names tell their splits.
pub(super) fn of_names(files: &[PathBuf]) -> Set {
    let shards = files.iter().map(|path| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        Shard { path: path.clone(), split: split_name(&stem).map(str::to_owned), expected: None }
    });
    Set { shards: shards.collect(), classes: None }
}

/// The folder that stands for a split.
fn folder_of(split: &str) -> String {
    split_name(split).unwrap_or(split).to_owned()
}

/// `true` for a tar that is a shard: among its first files one is the label of another.
///
/// # Errors
/// [`SourceError`].
pub(super) fn is_one(path: &Path) -> Result<bool, SourceError> {
    const ENOUGH: usize = 400;
    let (mut images, mut labels, mut files) = (BTreeSet::new(), BTreeSet::new(), 0);
    members_of(&Archive::open(path, 0)?, &mut |member| {
        if let (Ok(name), Kind::File { .. }) = (&member.name, &member.kind)
            && let Some((key, field)) = parted(name)
        {
            if is_image(&field) {
                images.insert(key);
            } else if field == "cls" || field == "json" {
                labels.insert(key);
            }
        }
        files += 1;
        Ok(if files < ENOUGH { Go::On } else { Go::Stop })
    })?;
    Ok(images.intersection(&labels).next().is_some())
}

fn is_image(field: &str) -> bool {
    IMAGES.contains(&field)
}

/// Key and field of a file: the name is parted at the first dot after the last `/`. Where what follows is nothing known, as in
/// names with dots of their own (`a.b.jpg`), it is parted at the last.
fn parted(name: &str) -> Option<(String, String)> {
    let base = name.rfind('/').map_or(0, |at| at + 1);
    let first = base + name[base..].find('.').filter(|at| *at > 0)?;
    let field = name[first + 1..].to_ascii_lowercase();
    if is_image(&field) || KNOWN.contains(&field.as_str()) || !field.contains('.') {
        return Some((name[..first].to_owned(), field));
    }
    let last = name.rfind('.')?;
    Some((name[..last].to_owned(), name[last + 1..].to_ascii_lowercase()))
}

/// What a shard says of a sample.
#[derive(Debug, Default)]
struct Sample {
    key: String,
    /// Extension, place and length of its image.
    image: Option<(String, u64, u64)>,
    cls: Option<(u64, u64)>,
    json: Option<(u64, u64)>,
    label: Option<u64>,
    class: Option<String>,
    /// Path that the image had before it was packed.
    path: Option<String>,
    /// Why its label cannot be used.
    trouble: Option<String>,
}

/// Lists a shard, and reads its labels.
fn samples(path: &Path, number: usize) -> Result<(Archive, Vec<Sample>), SourceError> {
    let archive = Archive::open(path, number)?;
    let wrong = |why: String| SourceError::Shard { shard: path.to_owned(), why };
    let mut all: Vec<Sample> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    members_of(&archive, &mut |member| {
        let (Ok(name), Kind::File { at, len }) = (&member.name, &member.kind) else { return Ok(Go::On) };
        let (at, len) = (*at, *len);
        let Some((key, field)) = parted(name).filter(|_| !is_junk(name)) else { return Ok(Go::On) };
        let place = *places.entry(key.clone()).or_insert_with(|| {
            all.push(Sample { key: key.clone(), ..Sample::default() });
            all.len() - 1
        });
        let sample = &mut all[place];
        let twice = || wrong(format!("'{name}' is in it twice: keys must differ from sample to sample"));
        match field.as_str() {
            "cls" if sample.cls.is_some() => return Err(twice()),
            "json" if sample.json.is_some() => return Err(twice()),
            "cls" => sample.cls = Some((at, len)),
            "json" => sample.json = Some((at, len)),
            field if is_image(field) => {
                let rank = |field: &str| IMAGES.iter().position(|known| *known == field);
                match &sample.image {
                    Some((earlier, ..)) if earlier == field => return Err(twice()),
                    Some((earlier, ..)) if rank(earlier) < rank(field) => {}
                    _ => sample.image = Some((field.to_owned(), at, len)),
                }
            }
            _ => {}
        }
        Ok(Go::On)
    })?;
    // `a.mask.png` beside `a.jpg` is no sample of its own.
    let labelled: BTreeSet<String> =
        all.iter().filter(|own| own.cls.or(own.json).is_some()).map(|own| own.key.clone()).collect();
    all.retain(|own| {
        let base = own.key.rfind('/').map_or(0, |at| at + 1);
        let first = own.key[base..].find('.').map(|at| &own.key[..base + at]);
        own.image.is_some()
            && (labelled.contains(&own.key) || first.is_none_or(|key| !labelled.contains(key)))
    });
    for sample in &mut all {
        sample.read_labels(&archive).map_err(|why| SourceError::Unreadable { path: path.to_owned(), why })?;
    }
    Ok((archive, all))
}

impl Sample {
    fn read_labels(&mut self, archive: &Archive) -> std::io::Result<()> {
        if let Some(json) = self.json {
            let Some(bytes) = small(archive, json)? else {
                self.trouble = Some("its json is too large".to_owned());
                return Ok(());
            };
            match serde_json::from_slice::<serde_json::Value>(&bytes) {
                Ok(value) => self.take(&value),
                Err(why) if self.cls.is_none() => {
                    self.trouble = Some(format!("its json cannot be read: {why}"));
                }
                Err(_) => {}
            }
        }
        if let Some(cls) = self.cls {
            let text = small(archive, cls)?.and_then(|bytes| String::from_utf8(bytes).ok());
            let text = text.as_deref().map(str::trim).filter(|text| !text.is_empty());
            match (text, text.and_then(|text| text.parse::<u64>().ok())) {
                (_, Some(label)) if self.label.is_some_and(|other| other != label) => {
                    self.trouble = Some(format!(
                        "its cls says class {label}, and its json {}",
                        self.label.unwrap_or_default()
                    ));
                }
                (_, Some(label)) => self.label = Some(label),
                (Some(name), None) if !name.starts_with('-') && name.len() < 256 && !name.contains('\n') => {
                    self.class.get_or_insert_with(|| name.to_owned());
                }
                _ => self.trouble = Some("its cls is no number of a class".to_owned()),
            }
        }
        if self.trouble.is_none() && self.label.is_none() && self.class.is_none() {
            self.trouble = Some("it has no label: neither cls nor json tells its class".to_owned());
        }
        Ok(())
    }

    fn take(&mut self, value: &serde_json::Value) {
        let text = |name: &str| value[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let number = |name: &str| value[name].as_u64();
        self.label = number("label").or_else(|| number("cls"));
        self.class = ["class", "class_name", "wnid", "synset", "label"].iter().find_map(|name| text(name));
        // A path of ours has the class among its folders.
        self.path = text("path").filter(|path| {
            let class = self.class.as_deref().unwrap_or_default();
            ensure_relative(path).is_ok() && path.split('/').rev().skip(1).any(|part| part == class)
        });
    }
}

/// The bytes of a small member; `None` for a large one.
fn small(archive: &Archive, (at, len): (u64, u64)) -> std::io::Result<Option<Vec<u8>>> {
    if len > MOST {
        return Ok(None);
    }
    let mut bytes = vec![0; len as usize];
    archive.read_exact_at(&mut bytes, at)?;
    Ok(Some(bytes))
}

/// The tree of a set of shards at `place`.
///
/// # Errors
/// [`SourceError`] for shards that cannot be read or lack samples, keys that occur twice, and labels without a class.
pub(super) fn tree(place: &Path, set: &Set) -> Result<Read, SourceError> {
    let all: Vec<(Archive, Vec<Sample>)> = set
        .shards
        .par_iter()
        .enumerate()
        .map(|(number, shard)| samples(&shard.path, number))
        .collect::<Result<_, _>>()?;
    let mut warnings = gaps(set);
    for (shard, (_, samples)) in set.shards.iter().zip(&all) {
        if let Some(expected) = shard.expected.filter(|expected| *expected != samples.len()) {
            return Err(SourceError::Shard {
                shard: shard.path.clone(),
                why: format!(
                    "it holds {}, and _info.json says {expected}: fetch it again",
                    counted(samples.len() as u64, "sample", "samples")
                ),
            });
        }
    }
    // A test split without labels, or beside validation images, is none to measure on.
    let has_val = set.shards.iter().any(|shard| shard.split.as_deref() == Some("val"));
    let is_left_out = |shard: &Shard, samples: &[Sample]| {
        shard.split.as_deref() == Some("test") && (has_val || samples.iter().all(|own| own.trouble.is_some()))
    };
    let names = Names::of(set, &all)?;
    let (mut to, mut taken, mut left_out) = (Builder::default(), 0, 0);
    for (shard, (archive, samples)) in set.shards.iter().zip(all) {
        let number = to.archive(archive);
        if is_left_out(shard, &samples) {
            left_out += 1;
            continue;
        }
        let split = shard.split.as_ref().map_or_else(String::new, |split| format!("{split}/"));
        for sample in samples {
            let Some((extension, at, len)) = sample.image else { continue };
            let file = format!("{}.{extension}", sample.key);
            if let Some(why) = sample.trouble {
                to.problem(format!("{split}{file}"), why);
                continue;
            }
            let class = names.class(&shard.path, &sample.key, sample.label, sample.class.as_deref())?;
            let path = sample.path.unwrap_or_else(|| format!("{split}{class}/{file}"));
            to.file(path, number, at, len);
            taken += 1;
        }
    }
    if left_out > 0 {
        warnings.push(format!("{} of a test split left out", counted(left_out, "shard is", "shards are")));
    }
    let what = format!(
        "{} of a WebDataset with {}, read in place; {}",
        counted(set.shards.len() as u64, "shard", "shards"),
        counted(taken, "sample", "samples"),
        names.told
    );
    Ok(Read { tree: to.finish(place.to_owned(), true)?, what, warnings })
}

/// Names of classes by their numbers.
#[derive(Debug)]
struct Names {
    of: BTreeMap<u64, String>,
    /// Number of the classes where a list tells it, and the list.
    list: Option<(usize, String)>,
    /// Digits of the largest number.
    width: usize,
    told: String,
}

impl Names {
    fn of(set: &Set, all: &[(Archive, Vec<Sample>)]) -> Result<Self, SourceError> {
        let labels = || all.iter().flat_map(|(_, samples)| samples).filter(|own| own.trouble.is_none());
        let width = labels().filter_map(|own| own.label).max().unwrap_or(0).to_string().len();
        let mut of: BTreeMap<u64, String> = BTreeMap::new();
        for (shard, (_, samples)) in set.shards.iter().zip(all) {
            for own in samples.iter().filter(|own| own.trouble.is_none()) {
                if let (Some(label), Some(class)) = (own.label, &own.class)
                    && let Some(other) = of.get(&label).filter(|other| *other != class)
                {
                    return Err(SourceError::Shard {
                        shard: shard.path.clone(),
                        why: format!(
                            "label {label} of '{}' is class '{class}', and was '{other}' before",
                            own.key
                        ),
                    });
                }
                if let (Some(label), Some(class)) = (own.label, &own.class) {
                    of.entry(label).or_insert_with(|| class.clone());
                }
            }
        }
        if labels().all(|own| own.class.is_some()) {
            let told = "each sample names its class".to_owned();
            return Ok(Self { of, list: None, width, told });
        }
        let list = match &set.classes {
            Some(list) => Some(list.clone()),
            None => beside(set)?,
        };
        let Some((names, told)) = list else {
            let told = "their classes are numbers, as nothing names them".to_owned();
            return Ok(Self { of, list: None, width, told });
        };
        for (label, name) in (0..).zip(&names) {
            of.entry(label).or_insert_with(|| name.clone());
        }
        Ok(Self {
            of,
            list: Some((names.len(), told.clone())),
            width,
            told: format!("classes named by {told}"),
        })
    }

    fn class(
        &self,
        shard: &Path,
        key: &str,
        label: Option<u64>,
        class: Option<&str>,
    ) -> Result<String, SourceError> {
        let width = self.width;
        let name = match (class, label) {
            (Some(class), _) => class.to_owned(),
            (None, Some(label)) => match (self.of.get(&label), &self.list) {
                (Some(name), _) => name.clone(),
                (None, Some((count, list))) => {
                    return Err(SourceError::Shard {
                        shard: shard.to_owned(),
                        why: format!(
                            "'{key}' has label {label}, and {list} names {count} classes (0 to {}): the two do not belong together",
                            count.saturating_sub(1)
                        ),
                    });
                }
                (None, None) => format!("{label:0width$}"),
            },
            (None, None) => String::new(),
        };
        // A name becomes a folder's, which is neither hidden nor several.
        let name = name.replace(['/', '\\', '\0', ':'], "_");
        Ok(if name.starts_with('.') { format!("_{name}") } else { name })
    }
}

/// A list of class names beside the shards.
fn beside(set: &Set) -> Result<Option<(Vec<String>, String)>, SourceError> {
    const LISTS: [&str; 4] =
        ["classes.json", "LOC_synset_mapping.txt", "imagenet_synsets.txt", "synsets.txt"];
    let Some(folder) = set.shards.first().and_then(|shard| shard.path.parent()) else { return Ok(None) };
    for list in LISTS {
        let path = folder.join(list);
        if !path.is_file() {
            continue;
        }
        let wrong = |why: String| SourceError::Labels { list: path.clone(), why };
        let text = read_text(&path)?;
        let names: Vec<String> = if list.ends_with(".json") {
            serde_json::from_str(&text).map_err(|why| wrong(format!("it is no list of names ({why})")))?
        } else {
            let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
            text.lines().filter_map(first).collect()
        };
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
            return Err(wrong(format!("it has '{twice}' twice")));
        }
        return Ok(Some((names, list.to_owned())));
    }
    Ok(None)
}

/// Warnings about shards that lack in a numbered row.
fn gaps(set: &Set) -> Vec<String> {
    let mut rows: BTreeMap<(String, String), BTreeSet<u64>> = BTreeMap::new();
    for shard in &set.shards {
        let stem = shard.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // `train-00000-of-00014` is numbered before its end.
        let (head, tail) = stem
            .split_once("-of-")
            .map_or((stem.as_str(), String::new()), |(head, tail)| (head, format!("-of-{tail}")));
        let digits = head.len() - head.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
        if let Ok(number) = head[head.len() - digits..].parse() {
            let row = rows.entry((head[..head.len() - digits].to_owned(), tail)).or_default();
            row.insert(number);
        }
    }
    rows.iter()
        .filter_map(|((head, tail), row)| {
            let (first, last) = (*row.first()?, *row.last()?);
            let missing = (last - first + 1).checked_sub(row.len() as u64).filter(|missing| *missing > 0)?;
            let lacking = (first..=last).find(|number| !row.contains(number))?;
            Some(format!(
                "{} missing between the shards {head}{first}{tail} and {head}{last}{tail}, such as number {lacking}",
                counted(missing, "is", "are")
            ))
        })
        .collect()
}
