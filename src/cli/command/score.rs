//! `tilepress score`.

use crate::cli::args::ScoreCommand;
use crate::cli::console::Console;
use crate::cli::exit::Result;
use crate::cli::request;
use crate::pipeline::score;
use crate::run::{self, Storage as _};

/// Trains proxies and writes `scores.csv`.
pub(in crate::cli) fn run(args: &ScoreCommand, console: &Console) -> Result<()> {
    let settings = request::settings(&args.model, None, Some(&args.proxy));
    let seed = args.model.seed;
    let data = super::load(&args.data, &settings, seed, console)?;
    let out = request::output(&args.out, &args.data)?;
    request::ensure_free(&out, args.out.force)?;
    let proxy = request::proxy(&args.proxy);
    score::ensure_window(&settings, &proxy, &data)?;
    let opened = run::open(args.model.device, args.model.precision, console)?;
    let claimed = request::Claimed::new(out, args.out.force)?;
    // A row of the table for each image, with a number for each epoch.
    let rows = 8 * data.train.samples.len() as u64;
    claimed.ensure_room((rows, 20 * rows), console)?;
    let scored = score::score(&data, &settings, &proxy, seed, &opened, console)?;
    score::warn(&scored.report, &data, console);
    let out = claimed.replace("score")?;
    data.write_lists(&out, console)?;
    let mut table = Vec::new();
    scored.table.write_csv(&mut table)?;
    out.write("scores.csv", &table)?;
    let path = out.shown("scores.csv");
    let report = serde_json::json!({ "scores": path, "scoring": scored.report });
    console.result(&report, format_args!("scores: {path}"));
    Ok(())
}
