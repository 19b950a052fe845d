//! `tilepress completions`.

use std::io::Write as _;

use clap::CommandFactory as _;

use crate::cli::args::{Cli, CompletionsArgs};
use crate::cli::exit::Result;
use crate::cli::out;

/// Prints the completions of a shell.
pub(in crate::cli) fn run(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tilepress", &mut script);
    let mut to = std::io::stdout().lock();
    Ok(out::reached(to.write_all(&script).and_then(|()| to.flush()))?)
}
