//! `tilepress prune`.

use crate::cli::args::PruneCommand;
use crate::cli::console::Console;
use crate::cli::exit::{Failure, Result};
use crate::cli::request;
use crate::combine::source_set_hash;
use crate::fs::Wanted;
use crate::pipeline::begin::begin_run;
use crate::pipeline::claim::Holding;
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
    // Files are read for content hashes and perceptual hashes only.
    let settings = Preset::Small.settings();
    let data = super::load(&args.data, &settings, Wanted::NONE, args.seed, &args.out.out, console)?;
    let (composites, per_class) = request::budget(&args.budget).per_class()?;
    let given = args.scores.as_deref().map(request::scores).transpose()?;
    let scores = match &given {
        Some(given) => Some(given.scored.table.join(&data.train.samples, &data.classes)?),
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
    let chosen = prune::choose(&data, prune::copies(&data), pruning, &choice);
    let out = request::output(&args.out, &args.data)?;
    let chosen = chosen.map_err(|error| data.explain(error, &out))?;
    let run = serde_json::json!({
        "options": {
            "command": "prune",
            "per_class": per_class,
            "composites": composites,
            "rule": rule,
            "fill": pruning.fill,
            "dedup": pruning.dedup,
            "scores": given.as_ref().map(|given| &given.hash),
            "seed": args.seed,
        },
        "source_set": source_set_hash(&data.train.samples),
    });
    out.claim()?;
    begin_run(&out, &Holding::of(&out)?, &run, args.out.force, (0, 0), console)?;
    data.write_lists(&out, console)?;
    if !pruning.dedup {
        data.warn_of_shared(console);
    }
    prune::warn(&chosen, &Chooser { name: format!("--rule {rule}"), reported: false }, pruning, console);
    let mut table = Vec::new();
    chosen.selection.write_csv(&data.train.samples, &data.classes, &mut table)?;
    out.write("selection.csv", &table)?;
    let (path, kept) = (out.shown("selection.csv"), chosen.selection.picks.len());
    let json = serde_json::json!({ "selection": path, "kept": kept, "findings": chosen.findings });
    console.result(&json, format_args!("kept {kept} images: {path}"))
}
