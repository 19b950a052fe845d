//! `tilepress man`: the manual, as releases ship it. Hidden, as `--help` says the same to people.

use clap::CommandFactory as _;

use crate::cli::args::{Cli, ManArgs};
use crate::cli::exit::{Failure, Result};

/// Prints the page of the program, or of one of its commands.
pub(in crate::cli) fn run(args: &ManArgs) -> Result<()> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let page = match &args.command {
        None => program,
        Some(name) => {
            let found = program.find_subcommand(name).filter(|command| !command.is_hide_set());
            let command = found.ok_or_else(|| Failure::usage(format!("there is no command '{name}'")))?;
            command.clone()
        }
    };
    let mut text = Vec::new();
    // Without a date, which would be that of the build.
    let source = concat!("tilepress ", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(page).date("").source(source).render(&mut text)?;
    std::io::Write::write_all(&mut std::io::stdout(), &text)?;
    Ok(())
}
