//! tilepress compresses labelled image folders by *Prune, Combine, Augment* (PCA; never principal
//! components) and measures, with hard labels only, what the small set still teaches.
//!
//! Read a folder of class folders, as torchvision's `ImageFolder` has them:
//!
//! ```
//! use tilepress::data::CropFrom;
//! use tilepress::fs::{ReadOptions, Reading, Wanted, read_folder};
//! use tilepress::run::Silent;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let made = tempfile::tempdir()?;
//! # let photos = made.path();
//! # for (class, gray) in [("cat", 0), ("dog", 120)] {
//! #     std::fs::create_dir(photos.join(class))?;
//! #     for image in 0..10u8 {
//! #         let pixels = (0..20u32 * 20 * 3).map(|at| (at * (3 + u32::from(image)) / 60) as u8 / 2 + gray).collect();
//! #         let pixels = tilepress::data::Image::new(20, 20, pixels)?;
//! #         let file = tilepress::combine::encode(&pixels, tilepress::combine::Format::Png)?;
//! #         std::fs::write(photos.join(format!("{class}/{image}.png")), file)?;
//! #     }
//! # }
//! let reading = Reading { side: 32, val_short: None, crop_from: CropFrom::Square, wanted: Wanted::ALL };
//! let data = read_folder(&ReadOptions::new(photos), reading, 0, &Silent)?;
//! assert_eq!(data.classes.names(), ["cat", "dog"]);
//! // Without a `val/` folder, a fifth of each class is held out to measure on.
//! assert_eq!((data.train.samples.len(), data.val.samples.len()), (16, 4));
//! # Ok(())
//! # }
//! ```
//!
//! Prune by a score file, of tilepress or of any other program; the lowest scores are the easiest images:
//!
//! ```
//! use tilepress::data::{ClassMap, ContentHash, Sample};
//! use tilepress::prune::{Fill, PruneRequest, Rule, select};
//! use tilepress::score::ScoreTable;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let csv = "path,score\ncat/1.jpg,0.9\ncat/2.jpg,0.1\ndog/1.jpg,0.2\ndog/2.jpg,0.4\n";
//! let classes = ClassMap::new(["cat", "dog"].map(str::to_owned));
//! let sample = |path: &str, class| Sample { path: path.to_owned(), class, hash: ContentHash::of(path.as_bytes()) };
//! let samples =
//!     [sample("cat/1.jpg", 0), sample("cat/2.jpg", 0), sample("dog/1.jpg", 1), sample("dog/2.jpg", 1)];
//! let scores = ScoreTable::read_csv(csv.as_bytes())?.join(&samples, &classes)?;
//! let selection = select(&PruneRequest {
//!     samples: &samples,
//!     classes: &classes,
//!     scores: Some(&scores),
//!     per_class: 1,
//!     composites: 1,
//!     rule: Rule::Easy,
//!     fill: Fill::Error,
//!     seed: 0,
//!     leave_out: &[],
//! })?;
//! let kept: Vec<&str> = selection.picks.iter().map(|pick| samples[pick.sample as usize].path.as_str()).collect();
//! assert_eq!(kept, ["cat/2.jpg", "dog/1.jpg"]);
//! # Ok(())
//! # }
//! ```
//!
//! Lay four images into one composite, and see where each went:
//!
//! ```
//! use tilepress::combine::{Format, IpcCounts, PickedSource, sources_per_class};
//! use tilepress::data::{ClassMap, ContentHash, Fit, Grid, Image};
//! use tilepress::pipeline::set::{SetBuilder, Style, spec};
//! use tilepress::pipeline::{Originals, ReadError};
//!
//! struct Gray;
//!
//! impl Originals for Gray {
//!     fn image(&self, path: &str) -> Result<Image, ReadError> {
//!         Ok(Image::filled(100, 80, [path.len() as u8; 3]))
//!     }
//!
//!     fn file_size(&self, _path: &str) -> Option<u64> {
//!         None
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let classes = ClassMap::new(["cat".to_owned()]);
//! let (composites, sources) = sources_per_class(1, Grid::TWO, IpcCounts::Composites)?;
//! assert_eq!((composites, sources), (1, 4));
//! let pick = |rank| {
//!     let path = format!("cat/{rank}.jpg");
//!     PickedSource { hash: ContentHash::of(path.as_bytes()), path, score: None, rank }
//! };
//! let style = Style { fit: Fit::Squash, format: Format::Png };
//! let builder = SetBuilder::new(
//!     spec(&classes, Grid::TWO, composites, 64, style),
//!     style.fit,
//!     vec![(0..sources).map(pick).collect()],
//! )?;
//! let set = builder.in_memory(&Gray)?;
//! assert_eq!((set.images.len(), set.images.side()), (1, 64));
//! let tiles = builder.plan(0).expect("the only composite").tiles;
//! assert_eq!(tiles[3].path, "cat/3.jpg");
//! # Ok(())
//! # }
//! ```
//!
//! `examples/` compresses a folder, scores given logits, and trains a student.
//!
//! The modules follow the data: [`data`] → [`score`] → [`prune`] → [`combine`] → [`augment`] →
//! `model` → `train` → [`evaluate`] → [`report`]. [`run`] brings devices, threads and storage, [`pipeline`] the requests,
//! `fs` the files. The surfaces, `cli` and `web`, stand on top and nothing below knows them.
//!
//! Without a device feature (`flex`, `wgpu`, `vulkan`, `metal`, `cuda`) the crate is the *edge layer*:
//! everything that needs no training engine, small enough for an edge worker. With one, `model`,
//! `train` and `kernel` come in, built on burn.
//!
//! The method is that of "Rethinking Large-scale Dataset Compression: Shifting Focus From Labels to
//! Images" (arXiv 2502.06434).

// Unsafe code stands where it is allowed below and nowhere else; `cargo xtask supply` holds a list of those files against it.
#![deny(unsafe_code)]

pub mod augment;
pub mod bounds;
pub mod combine;
pub mod data;
mod dynamics;
pub mod evaluate;
pub mod fault;
mod parallel;
pub mod pipeline;
pub mod prune;
mod quantity;
pub mod random;
pub mod report;
pub mod run;
pub mod score;
mod words;

#[cfg(feature = "engine")]
pub mod device;
#[cfg(feature = "engine")]
#[expect(
    unsafe_code,
    reason = "vector instructions, buffers that threads share, and the launching of GPU kernels"
)]
pub mod kernel;
/// The CPU's kernels alone, for tests that need no engine: Miri and the sanitizers run them.
#[cfg(all(test, not(feature = "engine")))]
#[expect(dead_code, unreachable_pub, unused_imports, reason = "who calls them is not there")]
#[expect(unsafe_code, reason = "as that of the engine")]
mod kernel {
    mod constants;
    mod cpu;
    mod pooling;
}
#[cfg(feature = "engine")]
pub mod model;
#[cfg(feature = "engine")]
pub mod train;

#[cfg(all(feature = "cli", feature = "engine", not(target_family = "wasm")))]
pub mod cli;
#[cfg(all(feature = "fs", not(target_family = "wasm")))]
pub mod fs;
#[cfg(all(feature = "cli", feature = "engine", not(target_family = "wasm")))]
pub mod ranks;
#[cfg(any(feature = "web", target_family = "wasm"))]
pub mod web;

/// The Rust code of README.md, which is compiled and run with the doctests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
