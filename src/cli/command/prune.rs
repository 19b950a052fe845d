//! `tilepress prune`.

use crate::cli::args::PruneCommand;
use crate::cli::console::Console;
use crate::cli::exit::{Failure, Result};
use crate::cli::request;
use crate::pipeline::prune::{self, Choice, Chooser};
use crate::prune::Rule;
use crate::run::Storage as _;
use crate::train::Preset;

/// Chooses images and writes `selection.csv`.
pub(in crate::cli) fn run(args: &PruneCommand, console: &Console) -> Result<()> {
    let (rule, pruning) = (args.rule.rule(), request::pruning(&args.prune));
    if args.scores.is_none() && rule != Rule::Random {
        return Err(Failure::usage(format!(
            "--rule {rule} needs --scores FILE.csv; `tilepress score` writes one"
        )));
    }
    // Pixels are read for content hashes and perceptual hashes only; a small size will do.
    let settings = Preset::Small.settings();
    let data = super::load(&args.data, &settings, args.seed, console)?;
    let (composites, per_class) = request::budget(&args.budget).per_class()?;
    let scores = match &args.scores {
        Some(file) => Some(request::scores(file)?.scored.table.join(&data.train.samples, &data.classes)?),
        None => None,
    };
    let choice = Choice {
        rule,
        per_class: per_class as usize,
        composites: composites as usize,
        scores: scores.as_deref(),
        suspects: &[],
        seed: args.seed,
    };
    let chosen = prune::choose(&data, &prune::copies(&data), pruning, &choice)?;
    let out = request::output(&args.out, &args.data)?;
    request::ensure_free(&out, args.out.force)?;
    out.clear()?;
    data.write_lists(&out, console)?;
    prune::warn(&chosen, &Chooser { name: format!("--rule {rule}"), reported: false }, pruning, console);
    let mut table = Vec::new();
    chosen.selection.write_csv(&data.train.samples, &data.classes, &mut table)?;
    out.write("selection.csv", &table)?;
    let (path, kept) = (out.shown("selection.csv"), chosen.selection.picks.len());
    let json = serde_json::json!({ "selection": path, "kept": kept, "findings": chosen.findings });
    console.result(&json, format_args!("kept {kept} images: {path}"))
}
