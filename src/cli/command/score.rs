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
    let opened = run::open(args.model.device, args.model.precision, console)?;
    let scored = score::score(&data, &settings, &request::proxy(&args.proxy), seed, &opened, console)?;
    score::warn(&scored.report, &data, console);
    out.clear()?;
    data.write_lists(&out, console)?;
    let mut table = Vec::new();
    scored.table.write_csv(&mut table)?;
    out.write("scores.csv", &table)?;
    let path = out.shown("scores.csv");
    let report = serde_json::json!({ "scores": path, "scoring": scored.report });
    console.result(&report, format_args!("scores: {path}"))
}
