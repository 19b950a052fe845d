//! `tilepress merge`: shares that several processes made, as one process would have made them.

use std::path::Path;

use crate::cli::args::MergeArgs;
use crate::cli::console::Console;
use crate::cli::exit::{Failure, Result};
use crate::fs::{self, OutputFolder};

/// Runs the command.
pub(in crate::cli) fn run(args: &MergeArgs, console: &Console) -> Result<()> {
    let command = |folder: &Path| {
        fs::shared_command(folder).ok_or_else(|| {
            Failure::input(format!(
                "'{}' holds no shard: give the --out folders of `combine --shard` or `pack --shard`",
                folder.display()
            ))
        })
    };
    let commands = args.shards.iter().map(|folder| command(folder)).collect::<Result<Vec<_>>>()?;
    if let Some(other) = commands.iter().position(|command| *command != commands[0]) {
        return Err(Failure::usage(format!(
            "'{}' is a shard of {} and '{}' one of {}: give those of one",
            args.shards[0].display(),
            commands[0],
            args.shards[other].display(),
            commands[other]
        )));
    }
    let out = OutputFolder::new(&args.out.out, args.shards.iter().map(|folder| &**folder))?;
    let to = (&out, args.out.force);
    if commands[0] == "pack" {
        super::pack::say(&fs::merge_packs(&args.shards, to, console)?, "packed", &out, console)
    } else {
        super::combine::say(&fs::merge_sets(&args.shards, to, console)?, &out, console)
    }
}
