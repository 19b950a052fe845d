//! `tilepress score`.

use std::sync::Arc;

use serde_json::json;

use crate::cli::args::ScoreCommand;
use crate::cli::console::Console;
use crate::cli::exit::Result;
use crate::cli::request;
use crate::cli::watched::watched;
use crate::combine::source_set_hash;
use crate::data::ContentHash;
use crate::fs::{self, Wanted};
use crate::pipeline::begin::{begin_run, ensure_usable};
use crate::pipeline::claim::Holding;
use crate::pipeline::score;
use crate::ranks::{connect, own_place};
use crate::run::{self, Keep, Kept, Storage as _};
use crate::train::Ranks;

/// Proxies learn from training images; nothing is measured.
const WANTED: Wanted = Wanted { train: true, val: false };

/// Trains proxies and writes `scores.csv`.
pub(in crate::cli) fn run(args: &ScoreCommand, console: &Console) -> Result<()> {
    let ranks = args.ranks.map(connect).transpose()?;
    if let Some(ranks) = ranks.as_ref().filter(|ranks| ranks.rank() > 0) {
        return follow(args, ranks);
    }
    watched((&args.watch, "score"), &args.out.out, console, |console| work(args, ranks, console))
}

/// The work of a process that is alone or the first of the ranks.
fn work(args: &ScoreCommand, ranks: Option<Arc<dyn Ranks>>, console: &Console) -> Result<()> {
    let settings = request::settings(&args.model, None, Some(&args.proxy));
    let seed = args.model.seed;
    let data = super::load(&args.data, &settings, WANTED, seed, &args.out.out, console)?;
    let out = request::output(&args.out, &args.data)?;
    ensure_usable(&out, args.out.force)?;
    let proxy = request::proxy(&args.proxy);
    score::ensure_window(&settings, &proxy, data.train.samples.len())?;
    let devices = match &ranks {
        Some(ranks) => run::open_own(&args.model.device, own_place(&**ranks), args.model.precision, console)?,
        None => run::open_all(&args.model.device, args.model.precision, console)?,
    };
    let mut run = json!({
        "options": {
            "command": "score",
            "model": [json!(settings.architecture), json!(settings.width), json!(settings.stem)],
            "image_size": settings.image_size,
            "precision": settings.precision,
            "proxy": settings.proxy,
            "min_scale": settings.proxy_min_scale,
            "runs": proxy.runs,
            "window": proxy.window,
            "when": proxy.pass,
            "seed": seed,
        },
        "source_set": source_set_hash(&data.train.samples),
    });
    // Square copies are not mentioned, so that what earlier versions began goes on.
    if !settings.crop_from.is_square() {
        run["options"]["crop_from"] = json!(settings.crop_from);
    }
    if ranks.is_some() {
        run["options"]["shards"] = json!(true);
    }
    // A row of the table for each image, with a number for each epoch.
    let rows = 8 * data.train.samples.len() as u64;
    out.claim()?;
    begin_run(&out, &Holding::of(&out)?, &run, args.out.force, (rows, 20 * rows), console)?;
    // The logs stay, so that an equal command scores nothing again.
    let files = Kept::new(&out, score::LOGS, ContentHash::of(run.to_string().as_bytes()));
    let keep = Keep { files, every: request::save_every(&args.model) };
    let scored =
        score::score(&data, &settings, &proxy, seed, (Some(keep), ranks.clone()), &devices, console)?;
    if let Some(ranks) = ranks {
        ranks.leave();
    }
    score::warn(&scored.report, &data, console);
    data.write_lists(&out, console)?;
    data.warn_of_shared(console);
    let mut table = Vec::new();
    scored.table.write_csv(&mut table)?;
    out.write("scores.csv", &table)?;
    let path = out.shown("scores.csv");
    let report = serde_json::json!({ "scores": path, "scoring": scored.report });
    console.result(&report, format_args!("scores: {path}"))
}

/// The same on a rank that is not the first: it trains, and leaves reading checkpoints, writing and speaking to the first.
fn follow(args: &ScoreCommand, ranks: &Arc<dyn Ranks>) -> Result<()> {
    let console = Console::of_follower();
    let settings = request::settings(&args.model, None, Some(&args.proxy));
    // What cannot be used, the first lists.
    let options = request::read_options(&args.data);
    let listing = fs::list(&options, args.model.seed, &console)?;
    let data = fs::load(listing, &options, request::reading(&settings, WANTED), &console)?;
    let proxy = request::proxy(&args.proxy);
    score::ensure_window(&settings, &proxy, data.train.samples.len())?;
    let devices = run::open_own(&args.model.device, own_place(&**ranks), args.model.precision, &console)?;
    score::score(&data, &settings, &proxy, args.model.seed, (None, Some(ranks.clone())), &devices, &console)?;
    ranks.leave();
    Ok(())
}
