//! `tilepress compare`: methods side by side, with the same pixels, steps, seeds and crop range.

use crate::cli::args::CompareArgs;
use crate::cli::console::Console;
use crate::cli::exit::Result;
use crate::cli::watched::watched;
use crate::cli::{report, request};
use crate::data::{CropFrom, Grid};
use crate::fs::{self, Wanted};
use crate::pipeline::compare::compare;

/// Runs the command.
pub(in crate::cli) fn run(args: &CompareArgs, console: &Console) -> Result<()> {
    watched((&args.watch, "compare"), &args.out.out, console, |console| work(args, console))
}

fn work(args: &CompareArgs, console: &Console) -> Result<()> {
    let request = request::compare(args)?;
    let (options, seed) = (request::read_options(&args.data), args.model.seed);
    let common = &request.common;
    let scored = common.score.given.is_none() && request.methods.iter().any(|method| method.needs_scores());
    // Proxies learn from training images, and so do students of whole images that are cut in their own pixels.
    let whole = |method: &crate::evaluate::Method| method.grid(common.budget.grid) == Grid::WHOLE;
    let cut = common.settings.crop_from == CropFrom::Image && request.methods.iter().any(whole);
    let reading = request::reading(&common.settings, Wanted { train: scored || cut, val: true });
    let listing = fs::list(&options, seed, console)?;
    let mut data = super::read(listing, &options, reading, &args.out.out, console)?;
    if let Some(fraction) = args.tune_fraction {
        data = fs::tune(data, &options, reading, fraction, seed, console)?;
    }
    let out = request::output(&args.out, &args.data)?;
    let made = compare(&request, &data, (&out, args.out.force), &args.model.device, console)?;
    report::write(&out, made, &data.val.samples, console)
}
