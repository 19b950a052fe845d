//! `tilepress prune`.

use crate::cli::args::PruneCommand;
use crate::cli::console::Console;
use crate::cli::exit::UsageError;
use crate::cli::stage::{prune, score, write};
use crate::combine::sources_per_class;
use crate::prune::Rule;
use crate::train::Preset;

/// Chooses images and writes `selection.csv`.
pub(in crate::cli) fn run(args: &PruneCommand, console: &Console) -> anyhow::Result<()> {
    let rule = args.rule.rule();
    if args.scores.is_none() && rule != Rule::Random {
        return Err(UsageError(format!(
            "--rule {rule} needs --scores FILE.csv; `tilepress score` writes one"
        ))
        .into());
    }
    // Pixels are read for content hashes and perceptual hashes only; a small size will do.
    let settings = Preset::Small.settings();
    let data = super::load(&args.data, &settings, args.seed, console)?;
    let (composites, per_class) =
        sources_per_class(args.budget.ipc, args.budget.grid, args.budget.ipc_counts)?;
    let scores = match &args.scores {
        Some(file) => Some(score::from_file(file)?.table.join(&data.train.samples, &data.classes)?),
        None => None,
    };
    let copies = prune::copies(&data);
    let chosen = prune::choose(
        &data,
        &copies,
        &args.prune,
        &prune::Choice {
            rule,
            per_class: per_class as usize,
            composites: composites as usize,
            scores: scores.as_deref(),
            suspects: &[],
            seed: args.seed,
        },
    )?;
    write::empty_folder(&args.out, &args.data.data)?;
    data.write_lists(&args.out.out, console)?;
    let chooser = prune::Chooser { name: format!("--rule {rule}"), reported: false };
    prune::warn(&chosen, &chooser, &args.prune, console);
    let path = args.out.out.join("selection.csv");
    write::file(&path, |bytes| chosen.selection.write_csv(&data.train.samples, &data.classes, bytes))?;
    let kept = chosen.selection.picks.len();
    let json = serde_json::json!({ "selection": path, "kept": kept, "findings": chosen.findings });
    console.result(&json, format_args!("kept {kept} images: {}", path.display()));
    Ok(())
}
