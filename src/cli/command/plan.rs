//! `tilepress plan`: what a compression would take, before anybody waits for it.

use crate::cli::args::CompressArgs;
use crate::cli::console::Console;
use crate::cli::exit::{Failure, Result};
use crate::cli::options::flags;
use crate::cli::request;
use crate::fs::{self, OutputFolder, Probed, SourceTree, Wanted};
use crate::pipeline::claim::ensure_room;
use crate::pipeline::plan::{Memory, Plan, Rates, Sizes, StepTime, Trained, composite_seconds, trained};
use crate::report::words::{count, counted, seconds};
use crate::run::{self, Devices, Observer as _};

/// Seconds for each of the things that are tried: reading, a proxy, a student, composites.
const SECONDS: f64 = 2.0;

/// Runs the command.
pub(in crate::cli) fn run(args: &CompressArgs, console: &Console) -> Result<()> {
    let (options, request) = request::compress(args)?;
    let listing = fs::list(&options, args.model.seed, console)?;
    let begun = console.seconds();
    let cost = request.check(&listing.classes, &listing.train, &listing.val)?.plan;
    // All of the choice but the scores' own order is made to see whether there are enough images.
    let choose = console.seconds() - begun;
    if request.students.is_some() && listing.val.is_empty() {
        return Err(Failure::input(
            "there are no images to measure students on (--evaluate): give a set with a val/ folder, or more images of each class",
        ));
    }
    let sizes = Sizes { train: listing.train.len(), val: listing.val.len(), classes: listing.classes.len() };
    let wanted = Wanted { train: request.common.score.given.is_none(), val: request.students.is_some() };
    let reading = request::reading(&request.common.settings, wanted);
    let holdings = fs::holdings(&listing, &options, reading)?;
    let devices = match request.needs_device() {
        true => Some(run::open_all(&args.model.device, args.model.precision, console)?),
        false => None,
    };
    let opened = devices.as_ref().map(Devices::first);
    let on_cpu = opened.map(|opened| opened.is_cpu);
    let gpus = devices.as_ref().map_or(0, |devices| if devices.is_cpu() { 0 } else { devices.count() });
    let kept = (holdings.names, holdings.loading.memory_bytes * u64::from(wanted != Wanted::NONE));
    let memory = Memory::new(&request, &request.common.settings, sizes, kept, on_cpu)?;
    let memory = Memory { free: console.free_memory(), ..memory };
    memory.ensure_fits(&request, sizes, on_cpu)?;
    let written_bytes = request.written_bytes(sizes, &cost);
    ensure_room(&OutputFolder::new(&args.out.out, [])?, written_bytes, console)?;

    console.say("trying a few images and steps");
    let probed =
        fs::probe(&listing, (reading.side, options.on_error), holdings.loading.kept, SECONDS, console)?;
    let trained = match opened {
        Some(opened) => trained(&request, sizes, &probed.images, opened, SECONDS, console)?,
        None => Trained::default(),
    };
    let originals = SourceTree(listing.tree.clone());
    let composite = composite_seconds(&request, (&probed.samples, &originals), SECONDS / 2.0, console)?;
    let rates = Rates {
        first_pass: probed.first_pass,
        again: probed.again,
        proxy: trained.proxy,
        student: trained.student,
        forward: trained.forward,
        passes: trained.passes,
        composite,
        choose,
    };
    let stages = request.stages(sizes, &cost, &rates, gpus)?;
    let plan = Plan {
        sizes,
        source_bytes: holdings.bytes,
        written_bytes,
        memory,
        loading: holdings.loading,
        kept: match wanted {
            Wanted::NONE => "nothing of the images, as no network sees them".to_owned(),
            _ => flags(&holdings.sentence),
        },
        device: devices.as_ref().map(Devices::name),
        seconds: stages.iter().map(|stage| stage.seconds).sum(),
        stages,
        rates,
        rests_on: rests_on(&probed, &rates, on_cpu),
    };
    console.result(&serde_json::to_value(&plan)?, &plan)
}

/// What was tried, in words.
fn rests_on(probed: &Probed, rates: &Rates, on_cpu: Option<bool>) -> Vec<String> {
    let threads = rayon::current_num_threads() as u64;
    let left_out = match probed.left_out {
        0 => String::new(),
        files => format!(" ({} more cannot be used)", count(files as u64)),
    };
    let mut rests = vec![format!(
        "{}{left_out} drawn from all over the set, read and decoded in {} by {}; a disk that was idle or that others use is another",
        counted(probed.samples.len() as u64, "image", "images"),
        seconds(probed.seconds),
        counted(threads, "thread", "threads")
    )];
    let steps = |whose: &str, time: StepTime| {
        format!(
            "{} of a {whose} of {}, {:.3} s for a whole batch",
            counted(time.steps as u64, "step", "steps"),
            counted(time.tried as u64, "image", "images"),
            time.seconds
        )
    };
    rests.extend(rates.proxy.map(|time| steps("proxy", time)));
    rests.extend(rates.student.map(|time| steps("student", time)));
    rests.push(format!("composites at {:.3} s each", rates.composite));
    match on_cpu {
        Some(true) => rests.push("images being made by the threads that train".to_owned()),
        Some(false) => rests.push("images being made beside the device's steps".to_owned()),
        None => {}
    }
    rests
}
