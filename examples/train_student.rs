//! Trains a student on images in memory and asks it about others: the training loop alone.
//!
//! ```console
//! $ cargo run --release --example train_student
//! ```

use std::sync::Arc;

use tilepress::augment::{Augmentation, Normalise};
use tilepress::data::{Grid, ImageSet};
use tilepress::device::{DeviceChoice, Precision};
use tilepress::random::{Purpose, Stream};
use tilepress::run::{Silent, open};
use tilepress::train::{Length, Preset, READ_EVERY, Statistics, Student, Task, evaluate};

const SIDE: u32 = 16;
const CLASSES: usize = 3;

/// Noise with a bright bar, by whose place one tells the class.
fn bars(count: usize, part: u32) -> Result<ImageSet, Box<dyn std::error::Error>> {
    let labels: Vec<u32> = (0..count).map(|image| (image % CLASSES) as u32).collect();
    let mut pixels = Vec::new();
    for (image, &label) in labels.iter().enumerate() {
        let mut stream = Stream::new(1, Purpose::Test, part, image as u64);
        for place in 0..SIDE * SIDE {
            let bar = (place / SIDE) / 5 == label;
            pixels.extend([(stream.below(120) + if bar { 100 } else { 0 }) as u8; 3]);
        }
    }
    Ok(ImageSet::from_parts(SIDE, pixels, labels)?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let opened = open(DeviceChoice::Cpu, Precision::Full, &Silent)?;
    let settings = Preset::Small.settings().with_image_size(SIDE);
    let model = settings.model(CLASSES);
    let task = Task {
        images: Arc::new(bars(120, 0)?),
        grid: Grid::WHOLE,
        augmentation: Augmentation { flip: false, ..Augmentation::NONE },
        normalise: Normalise::IMAGENET,
    };
    let config = settings.student.with_length(Length::Steps(100));
    let mut student = Student::new(&model, config, task, 0, &opened.device)?;
    while !student.finished() {
        pollster::block_on(student.advance(READ_EVERY))?;
        let point = student.curve().last().ok_or("no step was made")?;
        println!("step {:>3}: loss {:.3}", point.step, point.loss);
    }
    let (network, val) = (student.network(), bars(60, 1)?);
    let asked = evaluate(&network, &opened.device, &val, &Normalise::IMAGENET, 60, Statistics::Running);
    println!("top-1 of images it has not seen: {:.1} %", pollster::block_on(asked)?.top1_percent());
    Ok(())
}
