//! The classes of validation images that lie in no class folders, from the lists that come with ImageNet.

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::super::regular::read_at_most;
use super::error::SourceError;
use super::mat;

/// Largest list that is read.
const MOST: u64 = 1 << 30;
const TRUTH: &str = "ILSVRC2012_validation_ground_truth.txt";
const META: &str = "meta.mat";
/// Places of the devkit, unpacked or as it is fetched.
const DEVKIT_FOLDERS: [&str; 4] = ["ILSVRC2012_devkit_t12/data", "devkit/data", "data", "."];
const DEVKIT_TARS: [&str; 2] = ["ILSVRC2012_devkit_t12.tar.gz", "ILSVRC2012_devkit_t12.tar"];
/// Lists of a class a line, in the order of the images.
const IN_ORDER: [&str; 1] = ["imagenet_2012_validation_synset_labels.txt"];
/// Lists of an image and its class a line.
const NAMED: [&str; 7] = [
    "LOC_val_solution.csv",
    "val.txt",
    "val.csv",
    "validation.txt",
    "val_labels.txt",
    "val_labels.csv",
    // Tiny ImageNet's, with a box behind each class.
    "val_annotations.txt",
];

/// Class of a validation image.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Label {
    /// By its name.
    Name(String),
    /// By its place among the classes, in the byte order of their names, from 0.
    Place(usize),
}

/// A list of classes.
#[derive(Debug)]
pub(super) struct Labels {
    list: PathBuf,
    of: By,
}

#[derive(Debug)]
enum By {
    /// The file's name without folders and extension.
    Stem(HashMap<String, Label>),
    /// The number at the end of the file's name, from 1.
    Number(Vec<String>),
}

impl Labels {
    /// The list that lies in one of some folders, the first that there is; `None` where there is none.
    ///
    /// # Errors
    /// [`SourceError`] for a list that cannot be used.
    pub(super) fn find(folders: &[PathBuf]) -> Result<Option<Self>, SourceError> {
        for folder in folders {
            for name in NAMED {
                let list = folder.join(name);
                if list.is_file() {
                    let of = By::Stem(named(&list, &read_text(&list)?)?);
                    return Ok(Some(Self { list, of }));
                }
            }
            for name in IN_ORDER {
                let list = folder.join(name);
                if list.is_file() {
                    let of = By::Number(read_text(&list)?.split_whitespace().map(str::to_owned).collect());
                    return Ok(Some(Self { list, of }));
                }
            }
            for inner in DEVKIT_FOLDERS {
                let (truth, meta) = (folder.join(inner).join(TRUTH), folder.join(inner).join(META));
                match (truth.is_file(), meta.is_file()) {
                    (true, true) => {
                        let bytes = read(&meta)?;
                        let of = By::Number(truths(&truth, &read_text(&truth)?, (&meta, &bytes))?);
                        return Ok(Some(Self { list: truth, of }));
                    }
                    (true, false) => {
                        return Err(SourceError::Labels {
                            list: truth,
                            why: "it holds ILSVRC2012_IDs, which are no numbers of sorted classes; put the devkit's meta.mat, \
                                  which says whose they are, beside it"
                                .to_owned(),
                        });
                    }
                    _ => {}
                }
            }
            for name in DEVKIT_TARS {
                let list = folder.join(name);
                if list.is_file() {
                    let of = By::Number(of_devkit(&list)?);
                    return Ok(Some(Self { list, of }));
                }
            }
        }
        Ok(None)
    }

    /// The list's own name.
    pub(super) fn shown(&self) -> String {
        self.list.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The class of every file; `None` where the list has none. `classes` are the names of all classes in byte order.
    ///
    /// # Errors
    /// [`SourceError::Labels`] for a list that does not fit the classes or names none of the files.
    pub(super) fn of<'a>(
        &'a self,
        files: &[&str],
        classes: &'a [String],
    ) -> Result<Vec<Option<&'a str>>, SourceError> {
        let wrong = |why: String| SourceError::Labels { list: self.list.clone(), why };
        let known = |name: &str| classes.binary_search_by(|class| class.as_str().cmp(name)).is_ok();
        if let By::Stem(of) = &self.of {
            let places = of.values().filter_map(|label| match label {
                Label::Place(place) if !known(&place.to_string()) => Some(*place),
                _ => None,
            });
            if let Some(most) = places.clone().max().filter(|most| *most >= classes.len()) {
                let from_one = most == classes.len() && places.clone().min() == Some(1);
                return Err(wrong(if from_one {
                    format!(
                        "its numbers go from 1 to {most}, so nothing says whose they are (ILSVRC2012_IDs are no numbers of sorted \
                         classes): name the classes instead, or count them from 0 in the order of their names"
                    )
                } else {
                    format!(
                        "it names class {most}, and there are {} (0 to {})",
                        classes.len(),
                        classes.len() - 1
                    )
                }));
            }
        }
        let mut found = Vec::with_capacity(files.len());
        for file in files {
            let stem = stem_of(file);
            found.push(match &self.of {
                By::Stem(of) => of.get(stem).map(|label| match label {
                    Label::Name(name) => name.as_str(),
                    Label::Place(place) => {
                        let own = place.to_string();
                        let at = classes.binary_search(&own).unwrap_or(*place);
                        classes[at].as_str()
                    }
                }),
                By::Number(of) => number_of(stem)
                    .and_then(|number| number.checked_sub(1))
                    .and_then(|at| of.get(at))
                    .map(String::as_str),
            });
        }
        if !files.is_empty() && found.iter().all(Option::is_none) {
            let file = files.first().copied().unwrap_or_default();
            return Err(wrong(format!(
                "it names none of the {} validation images, such as {file}",
                files.len()
            )));
        }
        if let By::Number(of) = &self.of {
            let most = files.iter().filter_map(|file| number_of(stem_of(file))).max().unwrap_or(0);
            if most > of.len() {
                return Err(wrong(format!(
                    "it has {} lines, and there is an image of number {most}: it is cut off, or of another set",
                    of.len()
                )));
            }
        }
        Ok(found)
    }
}

/// A file's name without folders and extension.
fn stem_of(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// The number at the end of `ILSVRC2012_val_00000293`.
fn number_of(stem: &str) -> Option<usize> {
    let digits = stem.rfind(|letter: char| !letter.is_ascii_digit()).map_or(stem, |at| {
        let next = stem[at..].chars().next().map_or(1, char::len_utf8);
        &stem[at + next..]
    });
    digits.parse().ok()
}

fn read(path: &Path) -> Result<Vec<u8>, SourceError> {
    read_at_most(path, MOST).map_err(|why| SourceError::Unreadable { path: path.to_owned(), why })
}

pub(super) fn read_text(path: &Path) -> Result<String, SourceError> {
    let text = String::from_utf8(read(path)?).map_err(|_| SourceError::Labels {
        list: path.to_owned(),
        why: "it is no text in UTF-8".to_owned(),
    })?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// `file class` or `file,class …` a line.
fn named(list: &Path, text: &str) -> Result<HashMap<String, Label>, SourceError> {
    let wrong = |line: usize, why: String| SourceError::Labels {
        list: list.to_owned(),
        why: format!("line {line}: {why}"),
    };
    let mut of = HashMap::new();
    for (line, row) in text.lines().enumerate() {
        let mut parts = row
            .split([',', ' ', '\t', ';'])
            .map(|part| part.trim_matches(['"', '\'']))
            .filter(|part| !part.is_empty());
        let Some(file) = parts.next() else { continue };
        let label = parts.next();
        let header = ["imageid", "image", "image_id", "file", "filename", "file_name", "path", "name"];
        if line == 0 && header.contains(&file.to_ascii_lowercase().as_str()) {
            continue;
        }
        let Some(label) = label else {
            return Err(wrong(
                line + 1,
                "a file name and its class are needed, with a space or a comma between".into(),
            ));
        };
        let label = label.parse().map_or_else(|_| Label::Name(label.to_owned()), Label::Place);
        let stem = stem_of(file).to_owned();
        if let Some(earlier) = of.insert(stem, label.clone())
            && earlier != label
        {
            return Err(wrong(line + 1, format!("{file} had another class on an earlier line")));
        }
    }
    Ok(of)
}

/// The class of each image in order, from the devkit's two files.
fn truths(truth: &Path, text: &str, (meta, bytes): (&Path, &[u8])) -> Result<Vec<String>, SourceError> {
    let synsets = mat::synsets(bytes).map_err(|why| SourceError::Labels { list: meta.to_owned(), why })?;
    let names: BTreeMap<u32, String> = synsets.into_iter().collect();
    let mut all = Vec::new();
    for (line, number) in text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty()) {
        let name = number.parse().ok().and_then(|id: u32| names.get(&id));
        all.push(name.cloned().ok_or_else(|| SourceError::Labels {
            list: truth.to_owned(),
            why: format!("line {}: '{number}' is no ILSVRC2012_ID of {}", line + 1, meta.display()),
        })?);
    }
    Ok(all)
}

/// The same from the archive of the devkit.
fn of_devkit(path: &Path) -> Result<Vec<String>, SourceError> {
    let bytes = read(path)?;
    let damaged = |why: std::io::Error| SourceError::Damaged {
        archive: path.display().to_string(),
        why: why.to_string(),
    };
    let reader: Box<dyn std::io::Read> = if bytes.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::read::GzDecoder::new(&bytes[..]))
    } else {
        Box::new(&bytes[..])
    };
    let mut archive = tar::Archive::new(reader);
    let (mut truth, mut meta) = (None, None);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let wanted = match name.rsplit('/').next() {
            Some(TRUTH) => &mut truth,
            Some(META) => &mut meta,
            _ => continue,
        };
        let mut content = Vec::new();
        entry.by_ref().take(MOST).read_to_end(&mut content).map_err(damaged)?;
        *wanted = Some(content);
    }
    let (Some(truth), Some(meta)) = (truth, meta) else {
        return Err(SourceError::Labels {
            list: path.to_owned(),
            why: format!("it lacks {TRUTH} or {META}; fetch the devkit of tasks 1 and 2 (t12)"),
        });
    };
    let text = String::from_utf8_lossy(&truth);
    truths(&path.join(TRUTH), &text, (&path.join(META), &meta))
}
