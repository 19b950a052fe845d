//! `tilepress profile`: what a training step costs, operator by operator, beside what the machine could do.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::clock;
use crate::cli::args::ProfileArgs;
use crate::cli::console::Console;
use crate::cli::exit::check_interrupt;
use crate::cli::lanes;
use crate::device::{Precision, read};
use crate::kernel::dynamics::{dynamics, from_rows};
use crate::kernel::probe::{self, Record};
use crate::model::{Architecture, ModelConfig, Stem};
use crate::report::align;
use crate::train::{Cohort, READ_EVERY, Student, TrainError, on_noise};

/// Steps that are not measured: the first ones allocate.
const WARM_UP: usize = 3;
/// How long each ceiling is measured.
const CEILING_SECONDS: f64 = 0.3;
const CLASSES: usize = 10;
/// How often a cohort makes its steps.
const ROUNDS: usize = 5;

/// The whole result; what is printed with `--json`.
#[derive(Debug, Serialize)]
struct Profile {
    model: String,
    width: Option<usize>,
    /// Of a ResNet.
    stem: Option<Stem>,
    image_size: usize,
    batch: usize,
    students: usize,
    threads: usize,
    device: String,
    precision: Precision,
    /// Wall time of a step of one student; of a cohort, divided by the steps that all made.
    train_step_ms: Spread,
    /// The same of a cohort on a GPU whose students take turns, where they are otherwise stacked in the same launches.
    in_turns_ms: Option<Spread>,
    /// On the CPU, as are the operators.
    ceilings: Option<Ceilings>,
    operators: Vec<Row>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

#[derive(Clone, Debug, Serialize)]
struct Ceilings {
    instructions: &'static str,
    gflops: f64,
    gb_per_s: f64,
}

/// An operator on one shape, in numbers a step.
#[derive(Debug, Serialize)]
struct Row {
    operator: &'static str,
    shape: String,
    calls: f64,
    ms: f64,
    /// Of the mean step.
    share: f64,
    gflop: f64,
    megabytes: f64,
    /// Of the nearer of the two ceilings.
    of_ceiling: f64,
}

/// Trains students on noise and says where the time goes.
pub(in crate::cli) fn run(args: &ProfileArgs, console: &Console) -> anyhow::Result<()> {
    let opened = super::open(args.device, args.precision, console)?;
    let model = ModelConfig {
        architecture: args.model,
        width: args.width.get(),
        stem: args.stem,
        classes: CLASSES,
        image_size: args.image_size as usize,
        precision: args.precision,
    };
    let (batch, steps, count) = (args.batch.get(), args.steps.get(), args.students.get());
    let make = |seed| on_noise(&model, batch, seed, &opened.device);
    let mut students = (0..count as u64).map(make).collect::<Result<Vec<_>, _>>()?;
    let scores = args.proxy;
    students.iter_mut().try_for_each(|student| advance(student, WARM_UP, scores))?;
    let mut in_turns_ms = None;
    let (ms, recorded) = if let [student] = &mut students[..] {
        alone(student, steps, scores, opened.is_cpu)?
    } else if opened.is_cpu {
        (on_cores(students, steps)?, Recorded::default())
    } else {
        let (turns, together) = turns_and_together(students, steps)?;
        in_turns_ms = Some(spread(&turns));
        (together, Recorded::default())
    };
    let threads = rayon::current_num_threads();
    let ceilings = opened.is_cpu.then(|| ceilings(threads)).flatten();
    let operators = rows(&recorded, ceilings.as_ref());
    let profile = Profile {
        model: args.model.to_string(),
        width: (args.model != Architecture::ResNet18).then_some(model.width),
        stem: (args.model == Architecture::ResNet18).then_some(args.stem),
        image_size: model.image_size,
        batch,
        students: count,
        threads,
        device: opened.name,
        precision: args.precision,
        train_step_ms: spread(&ms),
        in_turns_ms,
        ceilings,
        operators,
    };
    console.result(&serde_json::to_value(&profile)?, text(&profile).trim_end());
    Ok(())
}

/// Makes steps, each to its end: the loss is read after every one, and EL2N if the step `scores`.
fn advance(student: &mut Student, steps: usize, scores: bool) -> anyhow::Result<()> {
    for _ in 0..steps {
        check_interrupt()?;
        if scores {
            let step = student.step();
            let (images, logits) = (step.images.to_vec(), step.logits);
            let labels = student.task().images.labels();
            let labels: Vec<u32> = images.iter().map(|&image| labels[image as usize]).collect();
            let rows = pollster::block_on(read(dynamics(logits, &labels))).map_err(TrainError::Device)?;
            from_rows(&rows)?;
            pollster::block_on(student.read_losses())?;
        } else {
            pollster::block_on(student.advance(1))?;
        }
    }
    Ok(())
}

/// Steps whose operators were recorded.
#[derive(Default)]
struct Recorded {
    records: Vec<Record>,
    /// Milliseconds of each step.
    ms: Vec<f64>,
}

/// Milliseconds of each step of one student, and what its operators took. On a GPU these are other steps, as waiting for
/// each operator takes time.
fn alone(
    student: &mut Student,
    steps: usize,
    scores: bool,
    is_cpu: bool,
) -> anyhow::Result<(Vec<f64>, Recorded)> {
    let mut timed = || -> anyhow::Result<Vec<f64>> {
        let step = |_| {
            let begun = Instant::now();
            advance(student, 1, scores)?;
            Ok(millis(begun.elapsed()))
        };
        (0..steps).map(step).collect()
    };
    let free = if is_cpu { None } else { Some(timed()?) };
    probe::start(clock, Some(pollster::block_on));
    let ms = timed()?;
    let records = probe::stop();
    Ok((free.unwrap_or_else(|| ms.clone()), Recorded { records, ms }))
}

/// Milliseconds of a step of a student on the CPU, in rounds in which all make their steps, one on a core.
fn on_cores(mut students: Vec<Student>, steps: usize) -> anyhow::Result<Vec<f64>> {
    let made = (students.len() * steps) as f64;
    let mut ms = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        students = lanes::run(students, |mut student| {
            advance(&mut student, steps, false)?;
            Ok(student)
        })?;
        ms.push(millis(begun.elapsed()) / made);
    }
    Ok(ms)
}

/// Milliseconds of a student's step on a GPU, in rounds: of students that take turns, and of the same as a cohort. They
/// train as in a run: nobody waits for a loss after every step.
fn turns_and_together(students: Vec<Student>, steps: usize) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    let made = (students.len() * steps) as f64;
    let (mut turns, mut together) = (Vec::new(), Vec::new());
    let mut cohort = Cohort::new(students);
    for round in 0..=ROUNDS {
        let students = cohort.students();
        let begun = Instant::now();
        for made in (0..steps).step_by(READ_EVERY) {
            check_interrupt()?;
            for student in &mut *students {
                pollster::block_on(student.advance(READ_EVERY.min(steps - made)))?;
            }
        }
        let alone = millis(begun.elapsed()) / made;
        let begun = Instant::now();
        for made in (0..steps).step_by(READ_EVERY) {
            check_interrupt()?;
            pollster::block_on(cohort.advance(READ_EVERY.min(steps - made)))?;
        }
        // Kernels for several students are compiled in the first round.
        if round > 0 {
            turns.push(alone);
            together.push(millis(begun.elapsed()) / made);
        }
    }
    Ok((turns, together))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn spread(values: &[f64]) -> Spread {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    };
    Spread { min: sorted[0], median, max: sorted[sorted.len() - 1] }
}

#[cfg(feature = "flex")]
fn ceilings(threads: usize) -> Option<Ceilings> {
    use crate::kernel::{MatrixCeiling, MemoryCeiling};
    let best = |pass: &mut dyn FnMut() -> f64| {
        let (begun, mut best) = (Instant::now(), 0.0f64);
        while begun.elapsed().as_secs_f64() < CEILING_SECONDS {
            let start = Instant::now();
            let work = pass();
            best = best.max(work / start.elapsed().as_secs_f64());
        }
        best / 1e9
    };
    let (mut matrix, mut memory) = (MatrixCeiling::new(threads), MemoryCeiling::new(threads));
    Some(Ceilings {
        instructions: matrix.instructions(),
        gflops: best(&mut || matrix.pass()),
        gb_per_s: best(&mut || memory.pass()),
    })
}

#[cfg(not(feature = "flex"))]
fn ceilings(_threads: usize) -> Option<Ceilings> {
    None
}

/// The records of all steps by operator and shape, in the order of their first call, and what is left of the step.
fn rows(recorded: &Recorded, ceilings: Option<&Ceilings>) -> Vec<Row> {
    let Recorded { records, ms } = recorded;
    if records.is_empty() {
        return Vec::new();
    }
    let (steps, total) = (ms.len() as f64, ms.iter().sum::<f64>());
    let mut order = Vec::new();
    let mut kinds: BTreeMap<(&str, &str), Vec<&Record>> = BTreeMap::new();
    for record in records {
        let kind = (record.operator, record.shape.as_str());
        let calls = kinds.entry(kind).or_default();
        if calls.is_empty() {
            order.push(kind);
        }
        calls.push(record);
    }
    let mut rows: Vec<Row> = Vec::new();
    for kind in order {
        let calls = &kinds[&kind];
        let sum = |of: fn(&Record) -> f64| calls.iter().map(|record| of(record)).sum::<f64>();
        let (seconds, flops, bytes) = (sum(|r| r.seconds), sum(|r| r.flops), sum(|r| r.bytes));
        let least = ceilings
            .map_or(0.0, |ceilings| f64::max(flops / ceilings.gflops, bytes / ceilings.gb_per_s) / 1e9);
        rows.push(Row {
            operator: calls[0].operator,
            shape: calls[0].shape.clone(),
            calls: calls.len() as f64 / steps,
            ms: seconds * 1e3 / steps,
            share: seconds * 1e3 / total,
            gflop: flops / 1e9 / steps,
            megabytes: bytes / 1e6 / steps,
            of_ceiling: if seconds > 0.0 { least / seconds } else { 0.0 },
        });
    }
    let rest = 1.0 - rows.iter().map(|row| row.share).sum::<f64>();
    rows.push(Row {
        operator: "everything else",
        shape: String::new(),
        calls: 1.0,
        ms: rest * total / steps,
        share: rest,
        gflop: 0.0,
        megabytes: 0.0,
        of_ceiling: 0.0,
    });
    rows
}

fn text(profile: &Profile) -> String {
    let mut text = String::new();
    let wide = profile.width.map_or_else(String::new, |width| format!(", {width} wide"));
    let who = match profile.students {
        1 => "1 student".to_owned(),
        students => format!("{students} students"),
    };
    let place = match (&profile.ceilings, profile.threads) {
        (None, _) => profile.device.clone(),
        (Some(_), 1) => "1 thread".to_owned(),
        (Some(_), threads) => format!("{threads} threads"),
    };
    let precision = match profile.precision {
        Precision::Full => "",
        Precision::Mixed => ", mixed precision",
    };
    let _ = writeln!(
        text,
        "{}{wide}, {} px, batch {}{precision}, {who} on {place}",
        profile.model, profile.image_size, profile.batch
    );
    let Spread { min, median, max } = profile.train_step_ms;
    let _ = writeln!(text, "training step: {median:.2} ms (from {min:.2} to {max:.2})");
    if let Some(Spread { min, median, max }) = profile.in_turns_ms {
        let _ = writeln!(text, "in turns instead of together: {median:.2} ms (from {min:.2} to {max:.2})");
    }
    if let Some(Ceilings { instructions, gflops, gb_per_s }) = &profile.ceilings {
        let _ = writeln!(
            text,
            "the machine, {instructions}: {gflops:.0} GFLOP/s in the cache, {gb_per_s:.1} GB/s of memory"
        );
    }
    if profile.operators.is_empty() {
        text.push_str("Operators are timed with one student only.\n");
        return text;
    }
    let header =
        ["operator", "shape", "calls", "ms", "share", "GFLOP", "MB", "GFLOP/s", "GB/s", "of ceiling"];
    let mut table = vec![header.map(str::to_owned).to_vec()];
    for row in &profile.operators {
        let rate = |amount: f64| if amount > 0.0 { format!("{:.1}", amount / row.ms) } else { String::new() };
        table.push(vec![
            row.operator.to_owned(),
            row.shape.clone(),
            format!("{:.0}", row.calls),
            format!("{:.3}", row.ms),
            format!("{:.1} %", 100.0 * row.share),
            format!("{:.4}", row.gflop),
            format!("{:.2}", row.megabytes),
            rate(row.gflop * 1e3),
            rate(row.megabytes),
            if row.of_ceiling > 0.0 { format!("{:.0} %", 100.0 * row.of_ceiling) } else { String::new() },
        ]);
    }
    text.push('\n');
    text.push_str(&align(&table, &[true, true]));
    text.push_str("\nBytes are those of operands and results, each once; what lies in a cache may be above memory's rate.\n");
    if profile.ceilings.is_none() {
        text.push_str("Waiting for a GPU after each operator takes time of its own, so they add up to more than a step.\n");
    } else if profile.threads > 1 {
        text.push_str(
            "The next batch's views are made beside the other operators, on a thread of their own.\n",
        );
    }
    text
}
