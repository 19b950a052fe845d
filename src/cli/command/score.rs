//! `tilepress score`.

use crate::cli::args::ScoreCommand;
use crate::cli::console::Console;
use crate::cli::settings;
use crate::cli::stage::{score, write};

/// Trains proxies and writes `scores.csv`.
pub(in crate::cli) fn run(args: &ScoreCommand, console: &Console) -> anyhow::Result<()> {
    let config = settings::resolve(&args.model, None, Some(&args.proxy));
    let seed = args.model.seed;
    let data = super::load(&args.data, &config, seed, console)?;
    write::ensure_free(&args.out, &args.data.data)?;
    let opened = super::open(args.model.device, args.model.precision, console)?;
    let scored = score::score(&data, &config, &args.proxy, seed, &opened, console)?;
    score::warn(&scored.report, &data, console);
    write::empty_folder(&args.out, &args.data.data)?;
    data.write_lists(&args.out.out, console)?;
    let path = args.out.out.join("scores.csv");
    write::file(&path, |bytes| scored.table.write_csv(bytes))?;
    let report = serde_json::json!({ "scores": path, "scoring": scored.report });
    console.result(&report, format_args!("scores: {}", path.display()));
    Ok(())
}
