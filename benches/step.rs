//! Milliseconds per training step on the CPU: views from u8 in memory, forward, backward, AdamW.
//!
//!     cargo bench --bench step -- [--models convnet:32:32,convnet-d:32:32,resnet18:0:64] [--threads 2,1] [--batch 64] [--steps 20] [--rounds 3] [--json]
//!
//! A model is architecture:width:pixels. A step is that of [`Student`], so that planning and cutting
//! the views is part of it (`views` is that part on its own, `forward` the forward pass on its own), where the peer,
//! `benches/peers/step_peer.py`, trains on one batch that lies ready. `at once` is a cohort of so many students, each
//! on a thread of its own: milliseconds per student step, wall time over all steps that all made.
//!
//!     cargo bench --bench step -- --cohort 8 [--models convnet:32:64] [--threads 2] [--batch 50] [--steps 600] [--json]
//!
//! Seconds that a whole cohort takes, its students taking turns on the threads.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

mod common;

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use burn::tensor::{DType, Tensor, TensorData};
use common::{Args, median, pool};
use tilepress::augment::{Executor, Layout, Planner};
use tilepress::device::{DeviceChoice, Opened, Precision, open, read};
use tilepress::model::{Architecture, Choices, ModelConfig, Stem};
use tilepress::random::{Purpose, Stream};
use tilepress::train::{Student, Task, synthetic_student};

const CLASSES: usize = 10;
/// Steps that are not measured: the first ones allocate.
const WARM_UP: usize = 3;

fn main() {
    let args = Args::from_env();
    let (batch, steps) = (args.number("--batch", 64), args.number("--steps", 20));
    let rounds = args.number("--rounds", 3);
    let device = pollster::block_on(open(DeviceChoice::Cpu)).unwrap();
    if args.has("--cohort") {
        let students = args.number("--cohort", 8);
        let model = parse(&args.list::<String>("--models", "convnet:32:64")[0]);
        let (threads, batch) = (args.number("--threads", 2), args.number("--batch", 50));
        let seconds = whole_cohort(&model, batch, args.number("--steps", 600), students, threads, &device);
        if args.has("--json") {
            println!(
                "{}",
                serde_json::json!({ "students": students, "threads": threads, "seconds": seconds })
            );
        } else {
            println!("{students} students on {threads} threads: {seconds:.1} s");
        }
        return;
    }
    let mut rows = Vec::new();
    for text in args.list::<String>(
        "--models",
        "convnet:32:32,convnet-d:32:32,convnet:32:64,convnet-d:32:64,convnet:64:64,resnet18:0:64",
    ) {
        let model = parse(&text);
        let mut row = |what: &str, threads: usize, ms: f64, views: f64, forward: Option<f64>| {
            if !args.has("--json") {
                let forward = forward.map_or_else(String::new, |ms| format!(", forward {ms:.2}"));
                println!(
                    "{text:18} {what:8} {threads} threads {ms:9.2} ms, of which views {views:.2}{forward}"
                );
            }
            rows.push(serde_json::json!({
                "model": text, "depth": model.depth(), "what": what, "threads": threads, "ms": ms,
                "views_ms": views, "forward_ms": forward,
            }));
        };
        for threads in args.list::<usize>("--threads", "2,1") {
            let (ms, views_ms, forward_ms, task) = pool(threads).install(|| {
                let mut student = student(&model, batch, 0, &device);
                advance(&mut student, WARM_UP);
                let ms: Vec<f64> = (0..rounds * steps)
                    .map(|_| {
                        let start = Instant::now();
                        advance(&mut student, 1);
                        start.elapsed().as_secs_f64() * 1e3
                    })
                    .collect();
                let task = student.task().clone();
                let forward_ms = forward(&model, batch, steps, &device);
                (median(&ms), views(&task, batch, rounds * steps), forward_ms, task)
            });
            row("alone", threads, ms, views_ms, Some(forward_ms));
            if threads > 1 {
                let ms: Vec<f64> =
                    (0..rounds).map(|_| cohort(&model, batch, steps, threads, &device)).collect();
                let views_ms = pool(1).install(|| views(&task, batch, steps));
                row("at once", threads, median(&ms), views_ms / threads as f64, None);
            }
        }
    }
    if args.has("--json") {
        println!("{}", serde_json::json!({ "batch": batch, "results": rows }));
    }
}

/// `convnet:32:64` as a model.
fn parse(text: &str) -> ModelConfig {
    let mut parts = text.split(':');
    let mut part = || parts.next().unwrap_or_else(|| panic!("'{text}' is not architecture:width:pixels"));
    let architecture: Architecture = part().parse().unwrap();
    let width: usize = part().parse().unwrap();
    let image_size = part().parse().unwrap();
    ModelConfig {
        network: architecture.with(Choices { width: width.max(1), stem: Stem::ImageNet }),
        classes: CLASSES,
        image_size,
        precision: Precision::Full,
    }
}

/// A student that never finishes, on random pixels.
fn student(model: &ModelConfig, batch: usize, seed: u64, device: &Opened) -> Student {
    synthetic_student(model, batch, seed, &device.device).unwrap()
}

/// Steps, each to its end: the loss is read after every one.
fn advance(student: &mut Student, steps: usize) {
    (0..steps).for_each(|_| pollster::block_on(student.advance(1)).unwrap());
}

/// Milliseconds of planning and cutting the views of a batch, into memory allocated anew as a step does.
fn views(task: &Task, batch: usize, steps: usize) -> f64 {
    let side = task.images.side();
    let planner = Planner::new(task.augmentation, task.grid, side, 0).unwrap();
    let mut executor = Executor::new(side);
    let images: Vec<u32> = (0..batch as u32).collect();
    let mut views = Vec::new();
    let ms: Vec<f64> = (0..steps as u32)
        .map(|epoch| {
            let start = Instant::now();
            planner.plan(epoch, 0, &images, &mut views);
            let mut pixels = vec![0.0; batch * (side * side * 3) as usize];
            executor.execute(&*task.images, &views, &task.normalise, Layout::Nhwc, &mut pixels).unwrap();
            std::hint::black_box(pixels);
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    median(&ms)
}

/// Milliseconds of the forward pass of training alone, to the logits in memory.
fn forward(model: &ModelConfig, batch: usize, steps: usize, device: &Opened) -> f64 {
    let device = device.device.clone().autodiff();
    let mut network = model.init(0, &device).unwrap();
    let side = model.image_size;
    let mut stream = Stream::new(0, Purpose::Test, 0, 0);
    let pixels = (0..batch * 3 * side * side).map(|_| stream.range(-2.0, 2.0) as f32).collect();
    let data = TensorData::new::<f32, _>(pixels, [batch, side, side, 3]);
    let ms: Vec<f64> = (0..WARM_UP + steps)
        .map(|_| {
            let start = Instant::now();
            let images = Tensor::<4>::from_data(data.clone(), (&device, DType::F32));
            pollster::block_on(read(network.forward_train(images).inner())).unwrap();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    median(&ms[WARM_UP..])
}

/// Milliseconds per student step of one student on each of `lanes` threads.
fn cohort(model: &ModelConfig, batch: usize, steps: usize, lanes: usize, device: &Opened) -> f64 {
    let ready = Barrier::new(lanes + 1);
    let start = std::thread::scope(|scope| {
        for lane in 0..lanes {
            let ready = &ready;
            scope.spawn(move || {
                pool(1).install(|| {
                    let mut student = student(model, batch, lane as u64, device);
                    advance(&mut student, WARM_UP);
                    ready.wait();
                    advance(&mut student, steps);
                });
            });
        }
        ready.wait();
        Instant::now()
    });
    start.elapsed().as_secs_f64() * 1e3 / (steps * lanes) as f64
}

/// Seconds that `students` students take, each from its first step to its last on one of `threads` threads.
fn whole_cohort(
    model: &ModelConfig,
    batch: usize,
    steps: usize,
    students: usize,
    threads: usize,
    device: &Opened,
) -> f64 {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                pool(1).install(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= students {
                            break;
                        }
                        let mut student = student(model, batch, seed as u64, device);
                        pollster::block_on(student.advance(steps)).unwrap();
                    }
                });
            });
        }
    });
    start.elapsed().as_secs_f64()
}
