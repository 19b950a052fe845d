//! `manifest.json`: the program, options and images that made a compressed set, and the hashes of its files. Another run
//! compares its own with it, and goes on only where they agree.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::{Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Difference, PickedSource, SetSpec};
use crate::data::{ContentHash, Sample, ensure_relative};
use crate::fault::{Fault, Faulty};

/// The number of the manifest's form; a change that an older reader cannot take raises it.
pub const SCHEMA: u32 = 1;

/// Record of how a compressed set came to be. Equal manifests are written as equal bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Program that wrote it.
    pub tool: Tool,
    /// Time, as the caller writes it. The one field that differs between equal runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Spec of the composites.
    #[serde(flatten)]
    pub spec: SetSpec,
    /// Smallest crop of the run's views as a share of the tile, which the shipped transform takes over; `None` where the
    /// run had no views, and the transform its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_scale: Option<f64>,
    /// All options of the run as they were resolved.
    pub options: Value,
    /// Numbers of classes and images.
    pub counts: Counts,
    /// Sizes in bytes.
    pub bytes: Bytes,
    /// Hashes of the source images and of the selection.
    pub hashes: Hashes,
    /// BLAKE3 of every file of the set; paths are relative to the manifest's folder.
    pub files: BTreeMap<String, ContentHash>,
}

/// The program that wrote a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Tool {
    /// This program.
    pub fn this() -> Self {
        Self { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// Numbers of things in a compressed set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Classes.
    pub classes: u64,
    /// Images the sources were picked from.
    pub source: u64,
    /// Images that were picked; one that fills several tiles counts once.
    pub kept_sources: u64,
    /// Stored images.
    pub composites: u64,
}

/// Sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// Files of all images the sources were picked from.
    pub source: u64,
    /// Files of those that were picked.
    pub kept_sources: u64,
    /// Files of the composites.
    pub out: u64,
}

/// Hashes of the source images and of the selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashes {
    /// [`source_set_hash`] of all images the sources were picked from.
    pub source_set: ContentHash,
    /// [`selection_hash`] of those that were picked.
    pub selection: ContentHash,
}

/// Hash of a set of image files, whatever their order: BLAKE3 over each path's length (8 bytes, little
/// endian), path and content hash, sorted by path.
pub fn source_set_hash(samples: &[Sample]) -> ContentHash {
    let mut sorted: Vec<&Sample> = samples.iter().collect();
    sorted.sort_unstable_by(|a, b| by_path(a, b));
    let mut hasher = blake3::Hasher::new();
    for sample in sorted {
        add(&mut hasher, &sample.path, sample.hash);
    }
    ContentHash(*hasher.finalize().as_bytes())
}

/// The order of two samples. A call: the standard library's sort would repeat it two hundred times over in its network of
/// comparisons, eighty kilobytes in a browser.
#[inline(never)]
fn by_path(a: &Sample, b: &Sample) -> Ordering {
    (&a.path, a.hash).cmp(&(&b.path, b.hash))
}

/// Hash of the picked images, in the order of the picks: BLAKE3 over each class's number of picks (8
/// bytes, little endian), then each pick's path and content hash as in [`source_set_hash`].
pub fn selection_hash(picks: &[Vec<PickedSource>]) -> ContentHash {
    let mut hasher = blake3::Hasher::new();
    for class in picks {
        hasher.update(&(class.len() as u64).to_le_bytes());
        for pick in class {
            add(&mut hasher, &pick.path, pick.hash);
        }
    }
    ContentHash(*hasher.finalize().as_bytes())
}

fn add(hasher: &mut blake3::Hasher, path: &str, hash: ContentHash) {
    hasher.update(&(path.len() as u64).to_le_bytes()).update(path.as_bytes()).update(&hash.0);
}

/// A problem with a `manifest.json`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not a manifest, or not readable.
    #[error("manifest.json is not a manifest of tilepress")]
    Json(#[from] serde_json::Error),
    /// A value that no set has.
    #[error("manifest.json is not that of a set: {0}")]
    Value(String),
    /// A manifest of a later version.
    #[error("manifest.json has form {0}, which a later tilepress wrote; this one reads form {SCHEMA}")]
    Schema(u32),
}

impl Manifest {
    /// Checks that a run that would write `other` may continue the folder of `self`: equal tool, spec, options and source
    /// images. The results are not compared.
    ///
    /// # Errors
    /// The first [`Difference`].
    pub fn equal_options(&self, other: &Self) -> Result<(), Difference> {
        let asked = |manifest: &Self| {
            let mut asked = serde_json::to_value(manifest).expect("a manifest has only string keys");
            let fields = asked.as_object_mut().expect("a struct is a JSON object");
            fields
                .retain(|key, _| !["created", "counts", "bytes", "hashes", "files"].contains(&key.as_str()));
            fields.insert("source images".to_owned(), manifest.hashes.source_set.to_string().into());
            asked
        };
        Difference::between(&asked(self), &asked(other)).map_or(Ok(()), Err)
    }

    /// Writes `manifest.json`, the keys of options sorted.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write(&self, mut out: impl Write) -> std::io::Result<()> {
        let manifest = Self { options: sorted(&self.options), ..self.clone() };
        serde_json::to_writer_pretty(&mut out, &manifest)?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// The text of `manifest.json`, as [`write`](Self::write) writes it.
    pub fn to_json(&self) -> String {
        let mut bytes = Vec::new();
        self.write(&mut bytes).expect("memory takes every byte");
        String::from_utf8(bytes).expect("JSON is UTF-8")
    }

    /// Reads `manifest.json`.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn read(input: impl Read) -> Result<Self, ManifestError> {
        let value: Value = serde_json::from_reader(input)?;
        match value.get("schema").and_then(Value::as_u64) {
            Some(schema) if schema > u64::from(SCHEMA) => {
                Err(ManifestError::Schema(u32::try_from(schema).unwrap_or(u32::MAX)))
            }
            _ => {
                let manifest: Self = serde_json::from_value(value)?;
                manifest.check().map_err(ManifestError::Value)?;
                Ok(manifest)
            }
        }
    }

    /// Checks that every value is one that a set can have.
    fn check(&self) -> Result<(), String> {
        self.spec.check()?;
        if let Some(scale) = self.min_scale.filter(|&scale| !(scale > 0.0 && scale <= 1.0)) {
            return Err(format!("min_scale {scale} is not above 0 and at most 1"));
        }
        let classes = self.spec.classes.len() as u64;
        if ![0, classes].contains(&self.counts.classes) {
            return Err(format!("counts.classes is {}, and {classes} are listed", self.counts.classes));
        }
        match self.files.keys().find_map(|file| Some((file, ensure_relative(file).err()?))) {
            Some((file, why)) => Err(format!("files: '{file}' is {why}")),
            None => Ok(()),
        }
    }
}

/// The same value with the keys of every object in byte order, whichever map serde_json was built with.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let by_key: BTreeMap<&String, &Value> = fields.iter().collect();
            Value::Object(by_key.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

impl Faulty for ManifestError {
    fn fault(&self) -> Fault {
        Fault::Data
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::combine::{Format, IpcCounts};
    use crate::data::{ClassMap, Grid};

    pub(crate) fn manifest() -> Manifest {
        Manifest {
            schema: SCHEMA,
            tool: Tool::this(),
            created: None,
            spec: SetSpec {
                seed: u64::MAX,
                ipc: 10,
                ipc_counts: IpcCounts::Composites,
                grid: "1x2".parse().unwrap(),
                side: 64,
                fit: "squash".to_owned(),
                filter: "bilinear".to_owned(),
                format: Format::Png,
                classes: ClassMap::new(["ant", "bee"].map(str::to_owned)),
            },
            min_scale: Some(0.08),
            options: json!({"width": 32, "train": {"lr": 1e-3, "epochs": 10}, "rule": "easy"}),
            counts: Counts { classes: 2, source: 900, kept_sources: 40, composites: 20 },
            bytes: Bytes { source: 9_000_000, kept_sources: 400_000, out: 160_000 },
            hashes: Hashes { source_set: ContentHash::of(b"a"), selection: ContentHash::of(b"b") },
            files: BTreeMap::from([
                ("data/bee/0000.png".to_owned(), ContentHash::of(b"1")),
                ("data/ant/0000.png".to_owned(), ContentHash::of(b"2")),
            ]),
        }
    }

    fn written(manifest: &Manifest) -> String {
        let mut out = Vec::new();
        manifest.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_manifest_is_read_back_as_it_was_written() {
        for created in [None, Some("2026-11-23T19:45:00Z".to_owned())] {
            let manifest = Manifest { created, ..manifest() };
            assert_eq!(Manifest::read(written(&manifest).as_bytes()).unwrap(), manifest);
        }
    }

    #[test]
    fn equal_manifests_are_equal_bytes_in_whatever_order_options_were_given() {
        let other = Manifest {
            options: json!({"rule": "easy", "train": {"epochs": 10, "lr": 1e-3}, "width": 32}),
            ..manifest()
        };
        assert_eq!(written(&manifest()), written(&other));
        let text = written(&manifest());
        assert!(!text.contains("created"));
        let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"));
        assert!(place("data/ant") < place("data/bee"));
        assert!(place("\"epochs\"") < place("\"lr\""));
        // Top-level keys of the spec, not a nested object: the transform reads grid and side here.
        assert!(text.contains("\n  \"grid\": \"1x2\",") && text.contains("\n  \"side\": 64,"), "{text}");
    }

    #[test]
    fn a_folder_is_continued_only_with_equal_options_and_sources() {
        let before = manifest();
        let later = Manifest {
            created: Some("later".to_owned()),
            files: BTreeMap::new(),
            bytes: Bytes::default(),
            counts: Counts::default(),
            ..manifest()
        };
        assert_eq!(before.equal_options(&later), Ok(()));

        let changed = |change: &dyn Fn(&mut Manifest)| {
            let mut other = manifest();
            change(&mut other);
            before.equal_options(&other).unwrap_err().to_string()
        };
        assert_eq!(
            changed(&|m| m.spec.grid = Grid::WHOLE),
            "grid was \"1x2\" when the folder was made and is \"1\" now"
        );
        assert_eq!(
            changed(&|m| m.options["train"]["lr"] = json!(0.01)),
            "options.train.lr was 0.001 when the folder was made and is 0.01 now"
        );
        assert_eq!(
            changed(&|m| m.options["dedup"] = json!(true)),
            "options.dedup was not set when the folder was made and is true now"
        );
        assert!(changed(&|m| m.tool.version = "9.9.9".to_owned()).starts_with("tool.version was"));
        assert!(changed(&|m| m.spec.classes = ClassMap::new(["cow".to_owned()])).starts_with("classes was"));
        assert!(
            changed(&|m| m.hashes.source_set = ContentHash::of(b"c")).starts_with("source images was"),
            "another image set"
        );
    }

    proptest::proptest! {
        #[test]
        fn every_finite_number_of_the_options_survives_the_file(lr in -1e9f64..1e9, tiny in proptest::num::f64::NORMAL) {
            let manifest = Manifest { options: json!({"lr": lr, "tiny": tiny}), ..manifest() };
            let back = Manifest::read(written(&manifest).as_bytes()).unwrap();
            proptest::prop_assert_eq!(back.equal_options(&manifest), Ok(()));
        }
    }

    #[test]
    fn a_manifest_of_a_later_form_is_refused_by_name() {
        let mut value = serde_json::to_value(manifest()).unwrap();
        value["schema"] = json!(SCHEMA + 1);
        let error = Manifest::read(value.to_string().as_bytes()).unwrap_err();
        assert!(matches!(error, ManifestError::Schema(n) if n == SCHEMA + 1), "{error}");
        assert!(matches!(Manifest::read(&b"{}"[..]), Err(ManifestError::Json(_))));
    }

    #[test]
    fn a_manifest_with_a_value_that_no_set_has_is_refused_by_field() {
        let message = |change: &dyn Fn(&mut Value)| {
            let mut value = serde_json::to_value(manifest()).unwrap();
            change(&mut value);
            Manifest::read(value.to_string().as_bytes()).unwrap_err().to_string()
        };
        for (change, expected) in [
            (
                &(|m: &mut Value| m["side"] = json!(0)) as &dyn Fn(&mut Value),
                "`side` 0 is out of range: give 1 to 4,096",
            ),
            (&|m| m["side"] = json!(65535), "`side` 65535 is out of range"),
            (&|m| m["side"] = json!(1), "`image-size` 1 is too small for `grid` 1x2"),
            (&|m| m["ipc"] = json!(0), "`ipc` 0 keeps nothing"),
            (&|m| m["ipc"] = json!(4_294_967_295u32), "more sources per class than can be numbered"),
            (&|m| m["format"] = json!({"name": "jpeg", "quality": 0}), "0 is not a JPEG quality"),
            (&|m| m["classes"] = json!([]), "classes is empty"),
            (&|m| m["classes"] = json!(["../x", "b"]), "class '../x' is no name of a folder"),
            (&|m| m["classes"] = json!(["a/b", "b"]), "class 'a/b' is no name of a folder"),
            (&|m| m["min_scale"] = json!(0), "min_scale 0 is not above 0"),
            (&|m| m["min_scale"] = json!(-0.5), "min_scale -0.5 is not above 0"),
            (&|m| m["counts"]["classes"] = json!(3), "counts.classes is 3, and 2 are listed"),
            (
                &|m| m["files"]["/etc/passwd"] = json!("0".repeat(64)),
                "files: '/etc/passwd' is not a relative path",
            ),
            (&|m| m["files"]["../x"] = json!("0".repeat(64)), "files: '../x' is a path with"),
        ] {
            let message = message(change);
            assert!(message.contains(expected), "{message}");
        }
        for (key, wrong) in [
            ("side", json!(-1)),
            ("side", json!(64.5)),
            ("side", json!(1e20)),
            ("grid", json!("99")),
            ("grid", json!("0x4")),
            ("ipc", json!(4_294_967_296u64)),
            ("classes", json!(["b", "a"])),
            ("files", json!({"a": "short"})),
        ] {
            let message = message(&|m| m[key] = wrong.clone());
            assert!(message.contains("is not a manifest of tilepress"), "{key} {wrong}: {message}");
        }
    }

    #[test]
    fn the_hash_of_a_source_set_knows_paths_and_contents_but_no_order() {
        let sample = |path: &str, content: &[u8]| Sample {
            path: path.to_owned(),
            class: 0,
            hash: ContentHash::of(content),
        };
        let set = [sample("a/1", b"x"), sample("b/2", b"y")];
        let swapped = [sample("b/2", b"y"), sample("a/1", b"x")];
        assert_eq!(source_set_hash(&set), source_set_hash(&swapped));
        assert_ne!(source_set_hash(&set), source_set_hash(&[sample("a/1", b"y"), sample("b/2", b"x")]));
        assert_ne!(source_set_hash(&set), source_set_hash(&set[..1]));
    }

    #[test]
    fn the_hash_of_a_selection_knows_order_and_class() {
        let pick = |n: u8| PickedSource {
            path: n.to_string(),
            hash: ContentHash::of(&[n]),
            score: None,
            rank: u32::from(n),
        };
        let hash = |picks: &[&[u8]]| {
            selection_hash(&picks.iter().map(|c| c.iter().map(|&n| pick(n)).collect()).collect::<Vec<_>>())
        };
        let all =
            [hash(&[&[1, 2], &[3]]), hash(&[&[2, 1], &[3]]), hash(&[&[1], &[2, 3]]), hash(&[&[1, 2, 3]])];
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a != b), "{i}");
        }
    }
}
