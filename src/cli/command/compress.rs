//! `tilepress compress`: score, prune and combine into one folder.

use crate::cli::args::CompressArgs;
use crate::cli::console::Console;
use crate::cli::exit::Result;
use crate::cli::watched::watched;
use crate::cli::{report, request};
use crate::fs::{self, OutputFolder, Wanted};
use crate::pipeline::compress::{DryRun, compress};
use crate::pipeline::request::CompressRequest;
use crate::report::words::{bytes, counted};
use crate::run;

/// Runs the command.
pub(in crate::cli) fn run(args: &CompressArgs, console: &Console) -> Result<()> {
    watched((&args.watch, "compress"), &args.out.out, console, |console| work(args, console))
}

fn work(args: &CompressArgs, console: &Console) -> Result<()> {
    let (options, request) = request::compress(args)?;
    let listing = fs::list(&options, args.model.seed, console)?;
    let cost = request.check(&listing.classes, &listing.train, &listing.val)?;
    if args.dry_run {
        // Views that are cut out of the images themselves need their files, and no pixels.
        let files = request.needs_files();
        let cost = if files { DryRun { memory_bytes: listing.bytes(), ..cost } } else { cost };
        return say_cost(&request, cost, console);
    }
    let devices = match request.needs_device() {
        true => Some(run::open_all(&args.model.device, args.model.precision, console)?),
        false => None,
    };
    // A proxy learns from the training images; students learn from what is made of them.
    let wanted = Wanted { train: request.common.score.given.is_none(), val: request.students.is_some() };
    let reading = request::reading(&request.common.settings, wanted);
    let data = super::read(listing, &options, reading, &args.out.out, console)?;
    let out = OutputFolder::new(&args.out.out, [options.folder.as_path()])?;
    let made = compress(&request, &data, (&out, args.out.force), devices.as_ref(), console)?;
    report::write(&out, made, &data.val.samples, console)
}

/// Says what the command would cost.
fn say_cost(request: &CompressRequest, cost: DryRun, console: &Console) -> Result<()> {
    let settings = &request.common.settings;
    let DryRun { plan, proxy_steps, memory_bytes } = cost;
    console.result(
        &serde_json::json!(cost),
        format_args!(
            "{plan}\nscoring: {} at {} px; {} of memory for the images{}",
            match &request.common.score.given {
                Some(given) => format!("from {}", given.name),
                None => format!(
                    "{} of {} images by a {}",
                    counted(proxy_steps as u64, "step", "steps"),
                    settings.proxy.batch,
                    settings.architecture
                ),
            },
            settings.image_size,
            bytes(memory_bytes),
            if request.needs_files() { "' files, or none (--memory)" } else { "" }
        ),
    )
}
