//! `tilepress profile`: what a training step costs, operator by operator, beside what the machine could do.

mod measured;
mod table;

use std::time::{Duration, Instant};

use self::measured::{Ceilings, Profile, Recorded, Spread};
use self::table::{rows, text};
use crate::cli::args::ProfileArgs;
use crate::cli::console::{Console, clock};
use crate::cli::exit::{Failure, Result, go_on};
use crate::device::read;
use crate::kernel::dynamics::dynamics;
use crate::kernel::probe;
use crate::model::{Choices, ModelConfig};
use crate::run::{self, Training, lanes};
use crate::train::dynamics::from_rows;
use crate::train::{Cohort, Preset, READ_EVERY, Student, TrainConfig, TrainError, synthetic_student};

/// Steps that are not measured: the first ones allocate.
const WARM_UP: usize = 3;
/// Time for which each ceiling is measured.
const CEILING_SECONDS: f64 = 0.3;
const CLASSES: usize = 10;
/// Rounds of steps that a cohort makes.
const ROUNDS: usize = 5;

/// Trains students on noise and says where the time goes.
pub(in crate::cli) fn run(args: &ProfileArgs, console: &Console) -> Result<()> {
    let refuse = |why: &str| Err(Failure::usage(format!("--beside-burn: {why}")));
    if args.beside_burn && cfg!(not(feature = "beside-burn")) {
        return refuse("this build has none of burn's kernels; rebuild with `--features beside-burn`");
    }
    let opened = run::open(args.device, args.precision, console)?;
    if args.beside_burn && opened.is_cpu {
        return refuse("only a GPU's kernels are compared; give --device");
    }
    let model = ModelConfig {
        network: args.model.with(Choices { width: args.width.get(), stem: args.stem }),
        classes: CLASSES,
        image_size: args.image_size as usize,
        precision: args.precision,
    };
    let (batch, steps, count) = (args.batch.get(), args.steps.get(), args.students.get());
    let config = TrainConfig { batch, ..Preset::Small.settings().student };
    // Students come with four batches of pixels each.
    let training =
        Training { model: &model, config: &config, images: 4 * batch, networks: count, logged: false };
    training.ensure_fits(opened.is_cpu, console)?;
    let make = |seed| synthetic_student(&model, batch, seed, &opened.device);
    let mut students = (0..count as u64).map(make).collect::<std::result::Result<Vec<_>, _>>()?;
    let scores = args.proxy;
    students.iter_mut().try_for_each(|student| advance(student, WARM_UP, scores))?;
    let mut in_turns_ms = None;
    let (ms, recorded) = if let [student] = &mut students[..] {
        alone(student, steps, scores, (opened.is_cpu, args.beside_burn))?
    } else if opened.is_cpu {
        (on_cores(students, steps, console)?, Recorded::default())
    } else {
        let (turns, together) = turns_and_together(students, steps)?;
        in_turns_ms = Some(spread(&turns));
        (together, Recorded::default())
    };
    let threads = rayon::current_num_threads();
    let ceilings = opened.is_cpu.then(|| ceilings(threads)).flatten();
    let operators = rows(&recorded, ceilings.as_ref());
    let has = |choice| args.model.choices().contains(&choice);
    let profile = Profile {
        model: args.model.to_string(),
        width: has("width").then_some(args.width.get()),
        stem: has("stem").then_some(args.stem),
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
    console.result(&serde_json::to_value(&profile)?, text(&profile).trim_end())
}

/// Makes steps, each to its end: the loss is read after every one, and EL2N if the step `scores`.
fn advance(student: &mut Student, steps: usize, scores: bool) -> Result<()> {
    for _ in 0..steps {
        go_on()?;
        if scores {
            let step = student.step()?;
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

/// Milliseconds of each step of one student, and what its operators took. On a GPU these are other steps, as waiting for
/// each operator takes time.
fn alone(
    student: &mut Student,
    steps: usize,
    scores: bool,
    (is_cpu, beside_burn): (bool, bool),
) -> Result<(Vec<f64>, Recorded)> {
    let mut timed = |steps: usize| -> Result<Vec<f64>> {
        let step = |_| {
            let begun = Instant::now();
            advance(student, 1, scores)?;
            Ok(millis(begun.elapsed()))
        };
        (0..steps).map(step).collect()
    };
    let free = if is_cpu { None } else { Some(timed(steps)?) };
    let start = || probe::start(clock, Some(pollster::block_on), beside_burn);
    if beside_burn {
        // Its kernels are compiled, and chosen, when they are first used.
        start();
        timed(1)?;
    }
    start();
    let ms = timed(steps)?;
    let records = probe::stop();
    Ok((free.unwrap_or_else(|| ms.clone()), Recorded { records, ms }))
}

/// Milliseconds of a step of a student on the CPU, in rounds in which all make their steps, one on a core.
fn on_cores(mut students: Vec<Student>, steps: usize, console: &Console) -> Result<Vec<f64>> {
    let made = (students.len() * steps) as f64;
    let mut ms = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        students = lanes::run(students, console, |mut student, console| {
            for _ in 0..steps {
                console.go_on()?;
                pollster::block_on(student.advance(1))?;
            }
            Ok(student)
        })?;
        ms.push(millis(begun.elapsed()) / made);
    }
    Ok(ms)
}

/// Milliseconds of a student's step on a GPU, in rounds: of students that take turns, and of the same as a cohort. They
/// train as in a run: nobody waits for a loss after every step.
fn turns_and_together(students: Vec<Student>, steps: usize) -> Result<(Vec<f64>, Vec<f64>)> {
    let made = (students.len() * steps) as f64;
    let (mut turns, mut together) = (Vec::new(), Vec::new());
    let mut cohort = Cohort::new(students);
    for round in 0..=ROUNDS {
        let students = cohort.students();
        let begun = Instant::now();
        for made in (0..steps).step_by(READ_EVERY) {
            go_on()?;
            for student in &mut *students {
                pollster::block_on(student.advance(READ_EVERY.min(steps - made)))?;
            }
        }
        let alone = millis(begun.elapsed()) / made;
        let begun = Instant::now();
        for made in (0..steps).step_by(READ_EVERY) {
            go_on()?;
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
