//! A folder of its own for each test, images to put in it, and the program to run there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Small enough that a run takes a fraction of a second: for commands that score and train no students.
pub(crate) const FAST: &str = "--image-size 16 --width 4 --score-epochs 2 --device cpu";
/// The same for commands that score and train students.
pub(crate) const FAST_STUDENTS: &str = "--image-size 16 --width 4 --score-epochs 2 --steps 4 --device cpu";
/// The same for commands that train students of images nobody scored.
pub(crate) const FAST_UNSCORED: &str = "--image-size 16 --width 4 --steps 4 --device cpu";

/// An empty folder in which programs are run; it goes when the test ends.
pub(crate) struct World {
    folder: tempfile::TempDir,
}

/// What a finished program left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    /// The warning about a proxy that has hardly learned, which `err` leaves out.
    pub(crate) proxy_warning: String,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A world with three classes of 15 images each in `data`.
    pub(crate) fn with_data() -> Self {
        let world = Self::new();
        world.draw("data", &["ant", "bee", "cow"], 15);
        world
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Draws `<folder>/<class>/00.png` and so on, 20 x 18 pixels: the class gives the hue, the number of
    /// the image its pattern.
    pub(crate) fn draw(&self, folder: &str, classes: &[&str], images: u32) {
        for (hue, class) in classes.iter().enumerate() {
            for image in 0..images {
                self.draw_one(&format!("{folder}/{class}/{image:02}.png"), hue, image);
            }
        }
    }

    /// The same with images that [`draw`](Self::draw) gives to no folder.
    pub(crate) fn draw_others(&self, folder: &str, classes: &[&str], images: u32) {
        for (hue, class) in classes.iter().enumerate() {
            for image in 0..images {
                self.draw_one(&format!("{folder}/{class}/{image:02}.png"), hue, 1000 + image);
            }
        }
    }

    /// Draws one image, which differs from every other of another hue or number.
    pub(crate) fn draw_one(&self, path: &str, hue: usize, number: u32) {
        self.draw_sized(path, hue, number, (20, 18));
    }

    /// The same in another size.
    pub(crate) fn draw_sized(&self, path: &str, hue: usize, number: u32, (width, height): (u32, u32)) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let image = image::RgbImage::from_fn(width, height, |x, y| {
            // Blocks of 3 x 3 pixels, light or dark.
            let light = mix(&[hue as u32, number, x / 3, y / 3]) % 120;
            let mut pixel = [light as u8; 3];
            pixel[hue % 3] += 100;
            image::Rgb(pixel)
        });
        image.save(path).unwrap();
    }

    /// Copies an image in another encoding, three times as large.
    pub(crate) fn copy_as_jpeg(&self, from: &str, to: &str) {
        let image = image::open(self.path(from)).unwrap();
        let (width, height) = (3 * image.width(), 3 * image.height());
        let larger = image.resize_exact(width, height, image::imageops::FilterType::Nearest);
        let mut bytes = Vec::new();
        larger
            .write_with_encoder(image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90))
            .unwrap();
        fs::write(self.path(to), bytes).unwrap();
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.read(path)).unwrap()
    }

    /// The rows of a CSV file, by column.
    pub(crate) fn csv(&self, path: &str) -> Vec<BTreeMap<String, String>> {
        csv::Reader::from_path(self.path(path)).unwrap().deserialize().map(Result::unwrap).collect()
    }

    /// The lines of `metadata.jsonl` in a folder.
    pub(crate) fn metadata(&self, folder: &str) -> Vec<Value> {
        let text = self.read(&format!("{folder}/metadata.jsonl"));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Every file below a folder, by its path in it.
    pub(crate) fn tree(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let root = self.path(folder);
        let mut files = BTreeMap::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display())) {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                    files.insert(name, fs::read(path).unwrap());
                }
            }
        }
        files
    }

    /// The names of the files below a folder, in byte order.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        self.tree(folder).into_keys().collect()
    }

    /// The program with arguments as one types them, not yet started.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tilepress"));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env_remove("RUST_LOG")
            .env_remove("RAYON_NUM_THREADS")
            .stdin(Stdio::null());
        command
    }

    /// Runs a script of `sh` there.
    #[cfg(unix)]
    pub(crate) fn shell(&self, script: &str) -> std::process::Output {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).current_dir(self.folder.path()).env_remove("RUST_LOG");
        shell.stdin(Stdio::null()).output().unwrap()
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &str) -> Run {
        let output = self.command(arguments).output().unwrap();
        // The proxies of these toys learn nothing in their two epochs, and the program says so.
        let (proxy, err): (Vec<_>, Vec<_>) = std::str::from_utf8(&output.stderr)
            .unwrap()
            .split_inclusive('\n')
            .partition(|line| line.starts_with("warning: the proxy got only"));
        let run = Run {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: err.concat(),
            proxy_warning: proxy.concat(),
        };
        for text in [&run.out, &run.err] {
            assert!(!text.contains("panicked"), "{arguments}: {run:#?}");
        }
        run
    }

    /// Runs the program, which must succeed.
    pub(crate) fn ok(&self, arguments: &str) -> Run {
        let run = self.run(arguments);
        assert_eq!(run.code, Some(0), "{arguments}: {run:#?}");
        run
    }

    /// Runs the program, which must succeed without a warning.
    pub(crate) fn ok_silently(&self, arguments: &str) -> Run {
        let run = self.ok(arguments);
        assert_eq!(run.err, "", "{arguments}");
        run
    }

    /// Runs the program, which must end with `code` and an error that holds every one of `words`.
    pub(crate) fn fails(&self, arguments: &str, code: i32, words: &[&str]) -> Run {
        let run = self.run(arguments);
        assert_eq!(run.code, Some(code), "{arguments}: {run:#?}");
        assert!(run.err.contains("error: "), "{arguments}: {run:#?}");
        for word in words {
            assert!(run.err.contains(word), "{arguments}: '{word}' is not in {}", run.err);
        }
        run
    }
}

/// Asserts that two trees hold the same files with the same bytes.
pub(crate) fn assert_same(one: &BTreeMap<String, Vec<u8>>, two: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    for (name, bytes) in one {
        assert!(bytes == &two[name], "{name} differs");
    }
}

/// Width and height of an image file.
pub(crate) fn size(path: &Path) -> (u32, u32) {
    image::image_dimensions(path).unwrap()
}

/// A number that depends on all of `parts` and looks random.
fn mix(parts: &[u32]) -> u32 {
    parts.iter().fold(0x9e37_79b9_u32, |hash, part| {
        let hash = (hash ^ part).wrapping_mul(0x85eb_ca6b);
        (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35).rotate_left(7)
    }) >> 8
}
