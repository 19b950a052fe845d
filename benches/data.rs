//! Images per second of the data path, beside the bare decoder.
//!
//!     cargo bench --bench data -- --data imagenet1k-sample256/train [--threads 2] [--rounds 5] [--hashes] [--json]
//!
//! All rows run over the same files, in turns; medians. The row of floats is the work of the peer,
//! `benches/peers/loader_peer.py`: from files on disk to normalised floats. The last is what a training does whose images are
//! not kept in memory (`--memory 0MB`): read, compare with the hash, decode, squash to 224 px, and cut a view out of that. `--hashes` adds the search for near
//! duplicates among a million hashes.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

mod common;

use std::time::Instant;

use common::{Args, Pass, in_turns, pool};
use rayon::prelude::*;
use tilepress::augment::{Augmentation, Crop, Executor, Layout, Normalise, Planner, View, normalise_into};
use tilepress::data::{
    CropFrom, Filter, Fit, Grid, Image, ImageSet, Limits, Look, Resizer, Source, decode, near_duplicates,
};
use tilepress::fs::{ReadOptions, Reading, Wanted, read_folder};
use tilepress::random::{Purpose, Stream};
use tilepress::run::Silent;

fn main() {
    let args = Args::from_env();
    if args.has("--hashes") {
        looks();
    }
    let Some(paths) = args.files() else { return };
    let threads = args.number("--threads", rayon::current_num_threads());
    let rounds = args.number("--rounds", 5);
    let files: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();

    let limits = Limits::default();
    let crop = |resizer: &mut Resizer, bytes: &[u8]| {
        let image = decode(bytes, &limits).unwrap();
        resizer.resize_short_then_centre_crop(&image, 256, 224, Filter::Bilinear)
    };
    let streamed = streamed(&args);
    let (images, views) = &streamed;
    let mut executor = Executor::new(224);
    let mut floats = vec![0.0f32; 64 * 3 * 224 * 224];
    let mut passes: Vec<Pass<'_>> = vec![
        (
            "bare decoder",
            Box::new(|| files.par_iter().for_each(|bytes| drop(image::load_from_memory(bytes).unwrap()))),
        ),
        ("decode", Box::new(|| files.par_iter().for_each(|bytes| drop(decode(bytes, &limits).unwrap())))),
        (
            "decode, short side 256, centre crop 224",
            Box::new(|| {
                files.par_iter().for_each_init(Resizer::new, |resizer, bytes| drop(crop(resizer, bytes)));
            }),
        ),
        (
            "decode, squash to 64",
            Box::new(|| {
                files.par_iter().for_each_init(Resizer::new, |resizer, bytes| {
                    let image = decode(bytes, &limits).unwrap();
                    drop(resizer.resize(&image, 64, 64, Fit::Squash, Filter::Bilinear));
                });
            }),
        ),
        (
            "read, decode, 256, crop 224, to floats",
            Box::new(|| {
                paths.par_iter().for_each_init(Resizer::new, |resizer, path| {
                    let image = crop(resizer, &std::fs::read(path).unwrap());
                    let set = ImageSet::from_parts(224, image.into_pixels(), vec![0]).unwrap();
                    let mut floats = vec![0.0f32; 3 * 224 * 224];
                    normalise_into(&set, &[0], &Normalise::IMAGENET, Layout::Nchw, &mut floats).unwrap();
                    std::hint::black_box(floats);
                });
            }),
        ),
        (
            "streamed: read again, views to floats",
            Box::new(|| {
                for views in views.chunks(64) {
                    let out = &mut floats[..views.len() * 3 * 224 * 224];
                    executor.execute(&**images, views, &Normalise::IMAGENET, Layout::Nhwc, out).unwrap();
                }
            }),
        ),
    ];
    let seconds = pool(threads).install(|| in_turns(rounds, &mut passes));
    let rates: Vec<f64> = seconds.iter().map(|seconds| files.len() as f64 / seconds).collect();
    if args.has("--json") {
        let results: Vec<_> = passes
            .iter()
            .zip(&rates)
            .map(|((name, _), rate)| serde_json::json!({ "name": name, "images_per_second": rate }))
            .collect();
        let files = files.len();
        println!("{}", serde_json::json!({ "threads": threads, "files": files, "results": results }));
        return;
    }
    println!("{} files on {threads} threads", files.len());
    for ((name, _), rate) in passes.iter().zip(&rates) {
        println!("{name:42} {rate:9.1} images/s  {:4.0} % of the bare decoder", 100.0 * rate / rates[0]);
    }
}

/// The training images of the folder, of which nothing is kept in memory, and a view of as many as there are files.
fn streamed(args: &Args) -> (std::sync::Arc<dyn Source>, Vec<View>) {
    let folder = args.value("--data").unwrap();
    let reading = Reading { side: 224, val_short: None, crop_from: CropFrom::Square, wanted: Wanted::ALL };
    let options = ReadOptions { memory: Some(0), ..ReadOptions::new(folder) };
    let images = read_folder(&options, reading, 0, &Silent).unwrap().train.images;
    let policy = Augmentation { crop: Crop::Global { min_scale: 0.08 }, ..Augmentation::default() };
    let order: Vec<u32> =
        (0..args.files().map_or(0, |files| files.len()) as u32).map(|at| at % images.len() as u32).collect();
    let mut views = Vec::new();
    Planner::new(policy, Grid::WHOLE, 224, 0).unwrap().plan(0, 0, &order, &mut views);
    (images, views)
}

/// How long the search for copies takes.
fn looks() {
    let mut stream = Stream::new(1, Purpose::Test, 0, 0);
    let mut image = || {
        let pixels = (0..9 * 8 * 3).map(|_| stream.next_u32() as u8).collect();
        Look::of(&Image::new(9, 8, pixels).unwrap())
    };
    let looks: Vec<Look> = (0..1_000_000).map(|_| image()).collect();
    let start = Instant::now();
    let groups = near_duplicates(&looks).len();
    let seconds = start.elapsed().as_secs_f64();
    println!("copies among a million looks: {seconds:.2} s, {groups} groups");
}
