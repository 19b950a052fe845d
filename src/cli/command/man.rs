//! `tilepress man`: the manual, as releases ship it. Hidden, as `--help` says the same to people.

use std::io::Write as _;

use clap::CommandFactory as _;

use crate::cli::args::{Cli, ManArgs};
use crate::cli::exit::{Failure, Result};
use crate::cli::out;

/// Prints the page of the program, or of one of its commands.
pub(in crate::cli) fn run(args: &ManArgs) -> Result<()> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let page = match &args.command {
        None => program,
        Some(name) => {
            let found = program.find_subcommand(name).filter(|command| !command.is_hide_set());
            found.ok_or_else(|| Failure::usage(format!("there is no command '{name}'")))?.clone()
        }
    };
    let mut text = Vec::new();
    // Without a date, which would be that of the build.
    let source = concat!("tilepress ", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(page).source(source).render(&mut text)?;
    let mut to = std::io::stdout().lock();
    Ok(out::reached(to.write_all(&text).and_then(|()| to.flush()))?)
}
