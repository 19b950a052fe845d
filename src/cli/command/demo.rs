//! `tilepress demo`: the whole method on bundled images.

use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::Context as _;

use crate::cli::args::{
    BudgetArgs, CombineArgs, DataArgs, DemoArgs, FormatChoice, ModelArgs, OutArgs, ProxyArgs, PruneArgs,
    RuleArgs, ScoreArgs, StudentArgs,
};
use crate::cli::command::compare::{self, Comparison};
use crate::cli::command::compress;
use crate::cli::console::Console;
use crate::cli::folder::OnError;
use crate::cli::settings;
use crate::cli::stage::write;
use crate::data::Fit;
use crate::evaluate::Method;
use crate::prune::{Fill, Rule};
use crate::report::Report;
use crate::score::When;
use crate::train::Preset;

/// 7,000 images of Fashion-MNIST (Zalando Research, MIT licence) as one contact sheet, and their names;
/// `assets/demo/make.py` made them.
const SHEET: &[u8] = include_bytes!("../../../assets/demo/fashion-mnist.png");
const NAMES: &str = include_str!("../../../assets/demo/fashion-mnist.txt");
const LICENSE: &str = include_str!("../../../assets/demo/LICENSE");
const CELL: u32 = 28;
const COLUMNS: u32 = 100;
const IPC: u32 = 10;

/// Unpacks the images, compresses them at IPC 10, compares the methods, explains the outcome.
pub(in crate::cli) fn run(args: &DemoArgs, console: &Console) -> anyhow::Result<()> {
    let out = OutArgs { out: args.out.clone(), force: args.force };
    if write::is_occupied(&args.out)? {
        if !args.force {
            return Err(write::occupied(&args.out, "it is not empty").into());
        }
        std::fs::remove_dir_all(&args.out)?;
    }
    let images = args.out.join("fashion-mnist");
    console.say(format_args!("unpacking 7,000 images of Fashion-MNIST into {}", images.display()));
    unpack(&images)?;

    let data_args = DataArgs { data: images, val_fraction: None, on_error: OnError::Fail };
    let model = ModelArgs {
        preset: Preset::Small,
        image_size: Some(CELL),
        model: None,
        width: None,
        stem: None,
        seed: args.seed,
        device: args.device,
        precision: args.precision,
    };
    let (score, prune, combine, student, budget) = defaults()?;
    let config = settings::resolve(&model, Some(&student), Some(&score.proxy));

    let compress_args = crate::cli::args::CompressArgs {
        data: data_args.clone(),
        out: OutArgs { out: args.out.join("compressed"), force: false },
        budget: budget.clone(),
        model: model.clone(),
        score: score.clone(),
        rule: RuleArgs { rule: Rule::Easy, window_start: None },
        prune: prune.clone(),
        combine: combine.clone(),
        student: student.clone(),
        evaluate: false,
        repeats: NonZeroUsize::MIN,
        dry_run: false,
    };
    compress::run(&compress_args, &console.without_result())?;

    let dataset = super::load(&data_args, &config, args.seed, &console.without_result())?;
    let comparison_folder = args.out.join("comparison");
    let comparison = Comparison {
        data: &data_args,
        out: &comparison_folder,
        budget: &budget,
        methods: &[Method::RANDOM, Method::EL2N, Method::PCA, Method::RANDOM_COMPOSITES],
        repeats: args.repeats.get(),
        model: &model,
        score: &score,
        prune: &prune,
        combine: &combine,
        student: &student,
        first_log: Some(&args.out.join("compressed").join(compress::LOG)),
    };
    let comparison_out = OutArgs { out: comparison_folder.clone(), force: false };
    let report = compare::compare(&comparison, &config, &dataset, &comparison_out, console)?;
    let explained = explain(&report);
    write::report(&comparison_folder, report, &dataset.val.samples, console)?;
    console.say(format_args!("\n{explained}"));
    console.say(format_args!("the compressed dataset: {}", out.out.join("compressed/data").display()));
    Ok(())
}

/// The defaults of the flags that the demo does not offer.
fn defaults() -> anyhow::Result<(ScoreArgs, PruneArgs, CombineArgs, StudentArgs, BudgetArgs)> {
    let ten = NonZeroUsize::new(10).context("ten is not zero")?;
    Ok((
        ScoreArgs {
            scores: None,
            proxy: ProxyArgs {
                runs: NonZeroUsize::MIN,
                score_epochs: ten,
                window: None,
                when: When::Train,
                score_lr: None,
                score_batch_size: None,
                score_min_scale: None,
            },
        },
        PruneArgs { fill: Fill::Error, dedup: false },
        CombineArgs { fit: Fit::Squash, format: FormatChoice::Png, quality: None },
        StudentArgs {
            steps: None,
            epochs: None,
            batch_size: None,
            lr: None,
            weight_decay: None,
            opt: None,
            min_scale: None,
            augment: None,
            no_flip: false,
            cutout: None,
            mix: None,
        },
        BudgetArgs {
            ipc: IPC,
            grid: "2".parse().map_err(anyhow::Error::msg)?,
            ipc_counts: crate::combine::IpcCounts::Composites,
        },
    ))
}

/// Writes the images of the sheet as an ordinary folder of class folders.
fn unpack(folder: &Path) -> anyhow::Result<()> {
    let sheet = image::load_from_memory(SHEET).context("the bundled contact sheet")?.into_luma8();
    let mut cell = 0;
    for line in NAMES.lines() {
        let mut words = line.split(' ');
        let class = folder.join(words.next().context("the bundled list of names")?);
        std::fs::create_dir_all(&class)?;
        for name in words {
            let (x, y) = (cell % COLUMNS * CELL, cell / COLUMNS * CELL);
            let image = image::imageops::crop_imm(&sheet, x, y, CELL, CELL).to_image();
            image.save(class.join(format!("{name}.png")))?;
            cell += 1;
        }
    }
    std::fs::write(folder.join("LICENSE"), LICENSE)?;
    Ok(())
}

/// What the outcome means, from the numbers themselves.
fn explain(report: &Report) -> String {
    let of = |method: Method| {
        report.results.iter().find(|result| result.setting.method == method.name()).map(|r| r.top1.mean)
    };
    let (Some(easy), Some(pca)) = (of(Method::EL2N), of(Method::PCA)) else {
        return String::new();
    };
    let comparison =
        report.comparisons.iter().find(|c| c.a == Method::PCA.name() && c.b == Method::EL2N.name());
    let measured = comparison.map_or(String::new(), |comparison| format!(": {}", comparison.sentence));
    let certain = comparison.is_some_and(|comparison| comparison.verdict.is_decided());
    let outcome = match (pca < easy, certain) {
        (true, true) => "Composites lose here",
        (true, false) => "Composites are behind here, though not beyond the noise of so few seeds",
        (false, true) => "Composites win here",
        (false, false) => "Composites are ahead here, though not beyond the noise of so few seeds",
    };
    let reason = if pca < easy {
        format!(
            "A tile of a 2x2 composite has {0}x{0} of {CELL}x{CELL} pixels, and a student that has only seen \
             images so soft is at a loss before sharp ones (docs/reproduce.md has the numbers). The paper's gain \
             is measured at 224 pixels; choose the grid by measuring, as here.",
            CELL / 2
        )
    } else {
        "Four times the images are worth more than four times the pixels of each. On other data, or at \
         another size, measure again."
            .to_owned()
    };
    format!("{outcome}{measured}. {reason}")
}
