//! Images per second of the data path, beside the bare decoder.
//!
//! ```text
//! cargo bench --bench data -- imagenet1k-sample256/train
//! ```
//!
//! All rows run over the same files on every core; the best of five passes counts, because anything else
//! on the machine can only slow a pass down. The peer is `torch_loader.py`.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::path::Path;
use std::time::Instant;

use rayon::prelude::*;
use tilepress::cli::folder::{LoadOptions, OnError, load, scan};
use tilepress::data::{Filter, Fit, Folder, Limits, Resizer, decode, near_duplicates};
use tilepress::random::{Purpose, Stream};

fn main() {
    let Some(root) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) else {
        println!("give a labelled image folder: cargo bench --bench data -- FOLDER");
        return;
    };
    let root = Path::new(&root);
    let folder = Folder::from_paths(scan(root).unwrap().paths).unwrap();
    let files: Vec<Vec<u8>> =
        folder.train.iter().map(|entry| std::fs::read(root.join(&entry.path)).unwrap()).collect();
    println!("{} files on {} threads", files.len(), rayon::current_num_threads());

    let limits = Limits::default();
    let bare = measure("bare decoder", files.len(), || {
        files.par_iter().for_each(|bytes| drop(image::load_from_memory(bytes).unwrap()));
    });
    measure("decode", files.len(), || {
        files.par_iter().for_each(|bytes| drop(decode(bytes, &limits).unwrap()));
    });
    let resized = measure("decode, short side 256, centre crop 224", files.len(), || {
        files.par_iter().for_each_init(Resizer::new, |resizer, bytes| {
            let image = decode(bytes, &limits).unwrap();
            drop(resizer.resize_short_then_centre_crop(&image, 256, 224, Filter::Bilinear));
        });
    });
    measure("decode, squash to 64", files.len(), || {
        files.par_iter().for_each_init(Resizer::new, |resizer, bytes| {
            let image = decode(bytes, &limits).unwrap();
            drop(resizer.resize(&image, 64, 64, Fit::Squash, Filter::Bilinear));
        });
    });
    for (name, side, val_short) in
        [("load from disk, 224 of 256", 224, Some(256)), ("load from disk, squash to 64", 64, None)]
    {
        let options = LoadOptions {
            side,
            fit: Fit::Squash,
            filter: Filter::Bilinear,
            val_short,
            limits,
            on_error: OnError::Fail,
        };
        measure(name, files.len(), || drop(load(root, &folder.train, &options, &|_| {}).unwrap()));
    }
    println!("decode and resize reach {:.0} % of the bare decoder", 100.0 * resized / bare);

    let mut stream = Stream::new(1, Purpose::Test, 0, 0);
    let hashes: Vec<u64> = (0..1_000_000).map(|_| stream.next_u64()).collect();
    let start = Instant::now();
    let groups = near_duplicates(&hashes, 3).len();
    println!(
        "near duplicates among a million hashes: {:.2} s, {groups} groups",
        start.elapsed().as_secs_f64()
    );
}

/// Runs a pass five times; prints and returns the images per second of the best.
fn measure(name: &str, images: usize, mut pass: impl FnMut()) -> f64 {
    let best = (0..5)
        .map(|_| {
            let start = Instant::now();
            pass();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min);
    let rate = images as f64 / best;
    println!("{name:42} {rate:9.1} images/s");
    rate
}
