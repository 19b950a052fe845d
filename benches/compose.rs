//! Source images per second of combining: read, decode, shrink, paste four into one, encode as PNG.
//!
//!     cargo bench --bench compose -- --data imagenet1k-sample256/train [--sides 224,64] [--threads 2,1] [--images 1000]
//!         [--rounds 5] [--json]
//!
//! `bilinear` is the work of the peer, `benches/peers/loader_peer.py`; `lanczos3` is what the program
//! shrinks by. Medians of passes in turns.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

mod common;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Args, Pass, in_turns, pool};
use rayon::prelude::*;
use tilepress::combine::{Composer, Format, encode};
use tilepress::data::{Filter, Fit, Image, Limits, Resizer, decode};

fn main() {
    let args = Args::from_env();
    let Some(mut paths) = args.files() else { return };
    paths.truncate(args.number("--images", 1000) / 4 * 4);
    let rounds = args.number("--rounds", 5);
    let mut rows = Vec::new();
    for threads in args.list::<usize>("--threads", "2,1") {
        for side in args.list::<u32>("--sides", "224,64") {
            let bytes = [AtomicUsize::new(0), AtomicUsize::new(0)];
            let mut passes: Vec<Pass<'_>> = vec![
                (
                    "bilinear",
                    Box::new(|| bytes[0].store(pass(&paths, side, Filter::Bilinear), Ordering::Relaxed)),
                ),
                (
                    "lanczos3",
                    Box::new(|| bytes[1].store(pass(&paths, side, Filter::Lanczos3), Ordering::Relaxed)),
                ),
            ];
            let seconds = pool(threads).install(|| in_turns(rounds, &mut passes));
            for (((filter, _), seconds), bytes) in passes.iter().zip(seconds).zip(&bytes) {
                let rate = paths.len() as f64 / seconds;
                let bytes = bytes.load(Ordering::Relaxed) / (paths.len() / 4).max(1);
                if !args.has("--json") {
                    println!(
                        "{threads} threads {side:>4} px {filter:<9} {rate:>8.1} images/s, {bytes} bytes a PNG"
                    );
                }
                rows.push(serde_json::json!({
                    "threads": threads, "side": side, "filter": filter,
                    "images_per_second": rate, "bytes_per_png": bytes,
                }));
            }
        }
    }
    if args.has("--json") {
        println!("{}", serde_json::json!({ "images": paths.len(), "results": rows }));
    }
}

/// Makes a composite of every four files in a row; the bytes of all PNGs.
fn pass(paths: &[PathBuf], side: u32, filter: Filter) -> usize {
    let composer = Composer::new("2".parse().unwrap(), side).unwrap();
    let limits = Limits::default();
    paths
        .par_chunks_exact(4)
        .map_init(Resizer::new, |resizer, sources| {
            let read = |tile: u32| {
                let bytes = std::fs::read(&sources[tile as usize]).unwrap();
                decode(&bytes, &limits).map(Cow::Owned)
            };
            let shrink =
                |image: &Image, width, height| resizer.resize(image, width, height, Fit::Squash, filter);
            let composite = composer.compose_from(read, shrink).unwrap();
            encode(&composite, Format::Png).unwrap().len()
        })
        .sum()
}
