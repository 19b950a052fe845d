//! The training of a network: optimiser, schedule, batch, length; and the presets.

use serde::{Deserialize, Serialize};

use crate::augment::Crop;
use crate::bounds::{self, BoundError};
use crate::data::CropFrom;
use crate::device::Precision;
use crate::model::{Architecture, Choices, ModelConfig, Stem};

/// The optimiser; constants that are not part of a config are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// AdamW, betas (0.9, 0.999), epsilon 1e-8.
    AdamW,
    /// SGD with momentum 0.9, no dampening, no Nesterov.
    Sgd,
}

impl std::str::FromStr for Optimizer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "adamw" => Ok(Self::AdamW),
            "sgd" => Ok(Self::Sgd),
            _ => Err(format!("'{text}' is not an optimiser; give adamw or sgd")),
        }
    }
}

/// A number of steps or of passes over the training set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// Optimiser steps.
    Steps(usize),
    /// Passes over the training set.
    Epochs(usize),
}

impl Length {
    /// The length in steps when an epoch has `steps_per_epoch` of them.
    pub fn steps(self, steps_per_epoch: usize) -> usize {
        match self {
            Self::Steps(steps) => steps,
            Self::Epochs(epochs) => epochs.saturating_mul(steps_per_epoch),
        }
    }
}

/// Schedule of the learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Falls along half a cosine, after every step.
    Step,
    /// Falls along half a cosine, after every epoch.
    Epoch,
    /// Falls to a tenth once more than half of the epochs are over, as in Zhao et al. (2021) and later work.
    Tenth,
}

/// The parameters that weight decay acts on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decay {
    /// Tensors of more than one dimension: the weights of convolutions and of the classifier, as in the official AdamW.
    #[default]
    Weights,
    /// All trained parameters, including biases and the scales of norms, as PyTorch does with `model.parameters()`.
    All,
}

/// The training of a network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// The optimiser.
    pub optimizer: Optimizer,
    /// Learning rate at the start.
    pub lr: f64,
    /// Weight decay (decoupled in AdamW, added to the gradient in SGD, as in PyTorch).
    pub weight_decay: f64,
    /// The parameters that weight decay acts on.
    #[serde(default)]
    pub decay: Decay,
    /// Number of images in a batch; the last batch of an epoch may be smaller.
    pub batch: usize,
    /// The length of the training.
    pub length: Length,
    /// The length that the schedule is made for; longer than `length` when training stops early.
    pub horizon: Length,
    /// The learning rate at the end of a cosine: PyTorch's `eta_min`.
    #[serde(default)]
    pub eta_min: f64,
    /// Schedule of the learning rate.
    #[serde(alias = "cosine")]
    pub schedule: Schedule,
}

impl TrainConfig {
    /// The config with another length; the schedule ends with it. With a length in steps, a cosine falls after every step.
    #[must_use]
    pub fn with_length(self, length: Length) -> Self {
        let schedule = match (length, self.schedule) {
            (Length::Steps(_), Schedule::Epoch) => Schedule::Step,
            (_, schedule) => schedule,
        };
        Self { length, horizon: length, schedule, ..self }
    }

    /// The config stopped after `epochs` epochs, as for a proxy. The horizon stays, unless it is shorter: then it grows to them.
    #[must_use]
    pub fn stopped_after(self, epochs: usize) -> Self {
        let length = Length::Epochs(epochs);
        let horizon = if self.horizon.steps(1) < epochs { length } else { self.horizon };
        Self { length, horizon, ..self }
    }

    /// The config with another optimiser, at its usual learning rate and weight decay. The cosine ends at 0, and weight decay
    /// acts on the same parameters as in the official protocol.
    #[must_use]
    pub fn with_optimizer(self, optimizer: Optimizer) -> Self {
        if optimizer == self.optimizer {
            return self;
        }
        let (lr, weight_decay, decay) = match optimizer {
            Optimizer::AdamW => (1e-3, 0.01, Decay::Weights),
            Optimizer::Sgd => (0.1, 1e-4, Decay::All),
        };
        Self { optimizer, lr, weight_decay, decay, eta_min: 0.0, ..self }
    }

    /// Checks that every number is one that can train something.
    ///
    /// # Errors
    /// [`BoundError`], which names the option as students have it.
    pub fn check(&self) -> Result<(), BoundError> {
        bounds::RATE.check(self.lr)?;
        bounds::WEIGHT_DECAY.check(self.weight_decay)?;
        bounds::BATCH.check(self.batch as u64)?;
        match self.length {
            Length::Steps(steps) => bounds::STEPS.check(steps as u64),
            Length::Epochs(epochs) => bounds::EPOCHS.check(epochs as u64),
        }
    }

    /// Number of steps in one pass over `images` images.
    pub fn steps_per_epoch(&self, images: usize) -> usize {
        images.div_ceil(self.batch)
    }

    /// Number of steps of the whole training on `images` images.
    pub fn steps(&self, images: usize) -> usize {
        self.length.steps(self.steps_per_epoch(images))
    }

    /// The learning rate of a step (counted from 0) of an epoch (counted from 0):
    /// eta_min + ½ (lr − eta_min) (1 + cos(π t / T)) along a cosine, where a rate that begins below `eta_min` stays as it is.
    pub fn learning_rate(&self, step: usize, epoch: usize, steps_per_epoch: usize) -> f64 {
        let horizon = self.horizon.steps(steps_per_epoch).max(1) as f64;
        let epochs = (horizon / steps_per_epoch.max(1) as f64).max(1.0);
        let t = match self.schedule {
            Schedule::Step => step as f64 / horizon,
            Schedule::Epoch => epoch as f64 / epochs,
            // In their code the rate changes at the end of epoch ⌊E / 2⌋ + 1, counted from 0.
            Schedule::Tenth if epoch as f64 > (epochs / 2.0).floor() + 1.0 => return 0.1 * self.lr,
            Schedule::Tenth => return self.lr,
        };
        let end = self.eta_min.min(self.lr);
        end + 0.5 * (self.lr - end) * (1.0 + (std::f64::consts::PI * t.min(1.0)).cos())
    }
}

/// A named set of defaults. Every value can be overridden.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// ConvNet-D at 64 px, 600 steps of 50 images: minutes on a CPU.
    #[default]
    Small,
    /// The official protocol of the paper's benchmark: ResNet-18 at 224 px, AdamW, 300 epochs.
    RethinkdcHard,
    /// The same with its SGD settings.
    RethinkdcSgd,
    /// The protocol of the literature on small images since Zhao et al., "Dataset condensation" (2021): ConvNet-3 of width 128
    /// at 32 px (ConvNet-4 at 64), SGD, 300 epochs, no augmentation.
    Dc,
}

impl std::fmt::Display for Preset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Small => "small",
            Self::RethinkdcHard => "rethinkdc-hard",
            Self::RethinkdcSgd => "rethinkdc-sgd",
            Self::Dc => "dc",
        })
    }
}

impl std::str::FromStr for Preset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "small" => Ok(Self::Small),
            "rethinkdc-hard" => Ok(Self::RethinkdcHard),
            "rethinkdc-sgd" => Ok(Self::RethinkdcSgd),
            "dc" => Ok(Self::Dc),
            _ => Err(format!("'{text}' is not a preset; give small, dc, rethinkdc-hard or rethinkdc-sgd")),
        }
    }
}

/// The settings of a preset.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The student's and the proxy's network.
    pub architecture: Architecture,
    /// Channels of a ConvNet or ConvNet-D.
    pub width: usize,
    /// The first layers of a ResNet.
    pub stem: Stem,
    /// Side of stored and of training images, in pixels.
    pub image_size: usize,
    /// Precision in which convolutions compute.
    #[serde(default)]
    pub precision: Precision,
    /// Validation: shorter side resized to this, then the centre cropped. `None` squashes the whole
    /// image.
    pub val_resize: Option<u32>,
    /// What training views of whole images are cut out of. All presets take the square copy, whose results were published here;
    /// then files do not mention it.
    #[serde(default, skip_serializing_if = "CropFrom::is_square")]
    pub crop_from: CropFrom,
    /// Smallest crop of students' views, as a share of the tile (patch extraction) or of a whole stored image.
    pub min_scale: f64,
    /// Smallest crop of the proxy's views, as a share of a whole image: scores do not depend on how students are trained.
    #[serde(default = "Settings::small_proxy_min_scale")]
    pub proxy_min_scale: f64,
    /// `true` where students' views are mirrored at random.
    #[serde(default = "Settings::flipped")]
    pub flip: bool,
    /// The training of students.
    pub student: TrainConfig,
    /// The training of the proxy that scores.
    pub proxy: TrainConfig,
}

impl Settings {
    /// The network of a student or proxy for `classes` classes.
    pub fn model(&self, classes: usize) -> ModelConfig {
        let choices = Choices { width: self.width, stem: self.stem };
        ModelConfig {
            network: self.architecture.with(choices),
            classes,
            image_size: self.image_size,
            precision: self.precision,
        }
    }

    /// The settings at another side of stored and training images. Validation follows: the protocol's 256 for 224
    /// pixels, in proportion and rounded up, so that its centre crop shows the same part of an image.
    #[must_use]
    pub fn with_image_size(self, side: u32) -> Self {
        Self {
            image_size: side as usize,
            val_resize: self.val_resize.map(|_| (side * 256).div_ceil(224)),
            ..self
        }
    }

    /// The value for settings that were saved when all views were mirrored.
    fn flipped() -> bool {
        true
    }

    /// The value for settings that were saved without a range of the proxy's own.
    fn small_proxy_min_scale() -> f64 {
        0.25
    }
}

impl Preset {
    /// Default number of seeds of a comparison: five where a student is trained in seconds or minutes, because three find a true
    /// difference of six points in only four of ten cases (docs/statistics.md).
    pub fn repeats(self) -> usize {
        match self {
            Self::Small | Self::Dc => 5,
            Self::RethinkdcHard | Self::RethinkdcSgd => 3,
        }
    }

    /// The values of a preset.
    pub fn settings(self) -> Settings {
        let adamw = TrainConfig {
            optimizer: Optimizer::AdamW,
            lr: 1e-3,
            weight_decay: 0.01,
            decay: Decay::Weights,
            batch: 128,
            length: Length::Epochs(300),
            horizon: Length::Epochs(300),
            eta_min: 0.0,
            schedule: Schedule::Epoch,
        };
        // `--sgd-setting` of the official code: torch.optim.SGD(model.parameters(), …).
        let sgd = adamw.with_optimizer(Optimizer::Sgd);
        // The scoring run of CCS, whose code the paper's group builds on; it stops after the 10 epochs
        // that EL2N needs.
        let ccs = TrainConfig {
            batch: 256,
            length: Length::Epochs(10),
            horizon: Length::Epochs(60),
            eta_min: 1e-4,
            schedule: Schedule::Step,
            ..sgd
        };
        let small = Settings {
            architecture: Architecture::ConvNetD,
            width: 32,
            stem: Stem::ImageNet,
            image_size: 64,
            precision: Precision::Full,
            val_resize: None,
            crop_from: CropFrom::Square,
            min_scale: Crop::MIN_SCALE,
            proxy_min_scale: 0.25,
            flip: true,
            student: TrainConfig {
                batch: 50,
                length: Length::Steps(600),
                horizon: Length::Steps(600),
                schedule: Schedule::Step,
                ..adamw
            },
            proxy: TrainConfig {
                lr: 2e-3,
                length: Length::Epochs(10),
                horizon: Length::Epochs(30),
                schedule: Schedule::Step,
                ..adamw
            },
        };
        match self {
            Self::Small => small,
            Self::RethinkdcHard | Self::RethinkdcSgd => Settings {
                architecture: Architecture::ResNet18,
                image_size: 224,
                val_resize: Some(256),
                min_scale: 0.08,
                proxy_min_scale: 0.08,
                student: if self == Self::RethinkdcHard { adamw } else { sgd },
                proxy: ccs,
                ..small
            },
            Self::Dc => Settings {
                width: 128,
                image_size: 32,
                // The whole image or tile, as it is: that protocol augments nothing.
                min_scale: 1.0,
                flip: false,
                student: TrainConfig {
                    lr: 0.01,
                    weight_decay: 5e-4,
                    batch: 256,
                    schedule: Schedule::Tenth,
                    ..sgd
                },
                ..small
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_preset_decays_every_step_as_pytorchs_scheduler_does() {
        let config = Preset::Small.settings().student;
        assert_eq!(config.steps_per_epoch(100), 2);
        assert_eq!(config.steps(100), 600);
        // torch.optim.lr_scheduler.CosineAnnealingLR(opt, 600) at steps 0, 1, 300 and 599.
        for (step, lr) in [(0, 1e-3), (1, 0.000_999_993_146_1), (300, 5e-4), (599, 6.853_880_7e-9)] {
            let got = config.learning_rate(step, step / 2, 2);
            assert!((got - lr).abs() < 1e-12, "{step}: {got}");
        }
    }

    #[test]
    fn numbers_that_train_nothing_or_cannot_be_counted_are_refused() {
        let config = Preset::Small.settings().student;
        assert!(config.check().is_ok());
        for lr in [0.0, -0.1, f64::NAN, f64::INFINITY] {
            assert!(TrainConfig { lr, ..config }.check().is_err(), "{lr}");
        }
        for weight_decay in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(TrainConfig { weight_decay, ..config }.check().is_err(), "{weight_decay}");
        }
        for batch in [0, usize::MAX] {
            assert!(TrainConfig { batch, ..config }.check().is_err(), "{batch}");
        }
        for length in [Length::Steps(0), Length::Epochs(4_294_967_299), Length::Steps(usize::MAX)] {
            assert!(config.with_length(length).check().is_err(), "{length:?}");
        }
        assert_eq!(Length::Epochs(usize::MAX).steps(2), usize::MAX);
    }

    #[test]
    fn the_official_protocol_decays_every_epoch() {
        let config = Preset::RethinkdcHard.settings().student;
        // 10,000 images in batches of 128: 79 steps an epoch.
        assert_eq!(config.steps(10_000), 79 * 300);
        assert_eq!(config.learning_rate(78, 0, 79), 1e-3);
        let half = config.learning_rate(150 * 79, 150, 79);
        assert!((half - 5e-4).abs() < 1e-12);
    }

    #[test]
    fn sgd_decays_all_that_is_trained_and_adamw_the_weights_alone() {
        let [hard, sgd] = [Preset::RethinkdcHard, Preset::RethinkdcSgd].map(Preset::settings);
        assert_eq!((hard.student.decay, hard.student.weight_decay), (Decay::Weights, 0.01));
        assert_eq!((sgd.student.decay, sgd.student.weight_decay, sgd.student.lr), (Decay::All, 1e-4, 0.1));
        assert_eq!(sgd.student, hard.student.with_optimizer(Optimizer::Sgd));
        assert_eq!(hard.student, sgd.student.with_optimizer(Optimizer::AdamW));
        assert_eq!(hard.proxy.with_optimizer(Optimizer::AdamW).eta_min, 0.0);
    }

    #[test]
    fn the_proxy_of_ccs_moves_its_rate_every_step_towards_a_ten_thousandth() {
        let config = Preset::RethinkdcHard.settings().proxy;
        assert_eq!(config.decay, Decay::All);
        // 10,000 images in batches of 256: 40 steps an epoch, 2,400 in all.
        // torch.optim.lr_scheduler.CosineAnnealingLR(opt, 2400, eta_min=1e-4) at steps 0, 1, 399, 1200 and 2400.
        let rates = [
            (0, 0.1),
            (1, 0.099_999_957_206_018_29),
            (399, 0.093_340_624_047_572_7),
            (1200, 0.050_05),
            (2400, 0.000_1),
        ];
        for (step, lr) in rates {
            let got = config.learning_rate(step, step / 40, 40);
            assert!((got - lr).abs() < 1e-11, "{step}: {got}");
        }
        // A rate that begins below does not grow.
        let low = TrainConfig { lr: 1e-5, ..config };
        assert!(
            [0, 399, 2400].map(|step| low.learning_rate(step, step / 40, 40)).iter().all(|&lr| lr == 1e-5)
        );
    }

    #[test]
    fn a_recipe_written_before_there_was_a_choice_is_read_as_it_was() {
        let mut text = serde_json::to_value(Preset::RethinkdcHard.settings().student).unwrap();
        let fields = text.as_object_mut().unwrap();
        assert!(fields.remove("decay").is_some() && fields.remove("eta_min").is_some());
        let schedule = fields.remove("schedule").unwrap();
        fields.insert("cosine".to_owned(), schedule);
        let read: TrainConfig = serde_json::from_value(text).unwrap();
        assert_eq!(read, Preset::RethinkdcHard.settings().student);
    }

    #[test]
    fn the_preparation_of_validation_images_follows_the_side() {
        let hard = Preset::RethinkdcHard.settings();
        assert_eq!(hard.with_image_size(224), hard);
        for (side, resized) in [(8, 10), (64, 74), (512, 586), (4096, 4682)] {
            let settings = hard.with_image_size(side);
            assert_eq!((settings.image_size, settings.val_resize), (side as usize, Some(resized)));
        }
        assert_eq!(Preset::Small.settings().with_image_size(512).val_resize, None);
    }

    #[test]
    fn settings_from_before_the_proxy_had_a_range_of_its_own_are_read() {
        let settings = Preset::Small.settings();
        let mut saved = serde_json::to_value(settings).expect("plain data");
        saved.as_object_mut().expect("an object").remove("proxy_min_scale");
        assert_eq!(serde_json::from_value::<Settings>(saved).expect("as it was"), settings);
    }

    #[test]
    fn the_preset_of_the_literature_trains_at_a_tenth_from_epoch_152_on() {
        let settings = Preset::Dc.settings();
        let config = settings.student;
        assert_eq!((config.steps(100), config.decay, config.weight_decay), (300, Decay::All, 5e-4));
        assert_eq!(
            [0, 151, 152, 299].map(|epoch| config.learning_rate(epoch, epoch, 1)),
            [0.01, 0.01, 0.001, 0.001]
        );
        let model = |side| {
            let settings = settings.with_image_size(side);
            (settings.architecture, settings.width, settings.image_size)
        };
        assert_eq!(model(64), (Architecture::ConvNetD, 128, 64));
        assert!(!settings.flip && settings.min_scale == 1.0 && settings.proxy_min_scale == 0.25);
        // A number of steps keeps the schedule.
        let short = config.with_length(Length::Steps(10));
        assert_eq!([0, 6, 7].map(|step| short.learning_rate(step, step, 1)), [0.01, 0.01, 0.001]);
    }

    #[test]
    fn a_preset_reads_back_what_it_writes() {
        for preset in [Preset::Small, Preset::Dc, Preset::RethinkdcHard, Preset::RethinkdcSgd] {
            assert_eq!(preset.to_string().parse(), Ok(preset));
        }
    }

    #[test]
    fn a_proxy_stops_before_its_cosine_ends() {
        let config = Preset::Small.settings().proxy;
        let last = config.learning_rate(319, 9, 32);
        assert!(last > 1.4e-3 && last < 1.6e-3, "{last}");
    }
}
