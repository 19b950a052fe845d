//! Compresses a folder with the library: what `tilepress compress` does, in one page.
//!
//! ```console
//! $ cargo run --release --example compress -- photos small 10
//! ```

use std::num::NonZeroUsize;
use std::path::Path;

use tilepress::combine::{Format, IpcCounts};
use tilepress::data::{Fit, Grid, OnError};
use tilepress::device::{DeviceChoice, Precision};
use tilepress::fs::{OutputFolder, ReadOptions, Reading, Wanted, read_folder};
use tilepress::pipeline::compress::compress;
use tilepress::pipeline::prune::Pruning;
use tilepress::pipeline::request::{Budget, Common, CompressRequest, ProxyRequest, ScoreRequest};
use tilepress::pipeline::set::Style;
use tilepress::pipeline::views::ViewRequest;
use tilepress::prune::{Fill, Rule};
use tilepress::run::{Silent, open};
use tilepress::train::{Preset, ScoringPass};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [photos, small, ipc] = &arguments[..] else {
        return Err("give the folder of the photos, a new folder and the images per class".into());
    };
    let (seed, settings) = (0, Preset::Small.settings());
    let options = ReadOptions::new(photos);
    let reading = Reading {
        side: settings.image_size as u32,
        val_short: settings.val_resize,
        crop_from: settings.crop_from,
        wanted: Wanted::ALL,
    };
    let data = read_folder(&options, reading, seed, &Silent)?;
    let devices = open(DeviceChoice::Auto, Precision::Full, &Silent)?.into();

    let request = CompressRequest {
        common: Common {
            preset: Preset::Small,
            settings,
            seed,
            budget: Budget { ipc: ipc.parse()?, grid: Grid::TWO, counts: IpcCounts::Composites },
            score: ScoreRequest {
                given: None,
                proxy: ProxyRequest { runs: NonZeroUsize::MIN, window: None, pass: ScoringPass::Train },
            },
            pruning: Pruning { fill: Fill::Error, dedup: false },
            style: Style { fit: Fit::Squash, format: Format::Png },
            views: ViewRequest {
                crop: None,
                min_scale: settings.min_scale,
                flip: settings.flip,
                cutout: None,
                mix: None,
            },
            save_every: 300.0,
        },
        rule: Rule::Easy,
        students: None,
        val_fraction: options.val_fraction(),
        on_error: OnError::Skip,
    };
    let out = OutputFolder::new(Path::new(small), [Path::new(photos)])?;
    let report = compress(&request, &data, (&out, false), Some(&devices), &Silent)?;
    println!("{}", tilepress::report::table(&report, str::to_owned));
    Ok(())
}
