//! The user's changes to a preset.

use crate::data::CropFrom;
use crate::model::{Architecture, Stem};
use crate::train::{Length, Optimizer, Settings, TrainConfig};

/// Overrides of the training of a network; `None` keeps the preset's value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrainOverrides {
    /// Another optimiser, at its usual learning rate and weight decay.
    pub optimizer: Option<Optimizer>,
    /// Another length of training.
    pub length: Option<Length>,
    /// Number of images in a batch.
    pub batch: Option<usize>,
    /// Learning rate at the start.
    pub lr: Option<f64>,
    /// Weight decay.
    pub weight_decay: Option<f64>,
}

impl TrainOverrides {
    /// The training with these overrides.
    #[must_use]
    pub fn on(self, config: TrainConfig) -> TrainConfig {
        let config = self.optimizer.map_or(config, |optimizer| config.with_optimizer(optimizer));
        let config = self.length.map_or(config, |length| config.with_length(length));
        TrainConfig {
            batch: self.batch.unwrap_or(config.batch),
            lr: self.lr.unwrap_or(config.lr),
            weight_decay: self.weight_decay.unwrap_or(config.weight_decay),
            ..config
        }
    }
}

/// Overrides of a preset's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Overrides {
    /// Another network.
    pub architecture: Option<Architecture>,
    /// Channels of a ConvNet.
    pub width: Option<usize>,
    /// First layers of a ResNet.
    pub stem: Option<Stem>,
    /// Side of stored and training images in pixels.
    pub image_size: Option<u32>,
    /// What training views of whole images are cut out of.
    pub crop_from: Option<CropFrom>,
    /// Smallest crop of students' views.
    pub min_scale: Option<f64>,
    /// Training of students.
    pub student: TrainOverrides,
    /// Number of epochs that the proxy trains.
    pub proxy_epochs: Option<usize>,
    /// Training of the proxy, apart from its length.
    pub proxy: TrainOverrides,
    /// Smallest crop of the proxy's views.
    pub proxy_min_scale: Option<f64>,
}

impl Overrides {
    /// The settings with these overrides.
    #[must_use]
    pub fn on(self, settings: Settings) -> Settings {
        let proxy = self.proxy_epochs.map_or(settings.proxy, |epochs| settings.proxy.stopped_after(epochs));
        let settings = Settings {
            architecture: self.architecture.unwrap_or(settings.architecture),
            width: self.width.unwrap_or(settings.width),
            stem: self.stem.unwrap_or(settings.stem),
            crop_from: self.crop_from.unwrap_or(settings.crop_from),
            min_scale: self.min_scale.unwrap_or(settings.min_scale),
            student: self.student.on(settings.student),
            proxy: self.proxy.on(proxy),
            proxy_min_scale: self.proxy_min_scale.unwrap_or(settings.proxy_min_scale),
            ..settings
        };
        self.image_size.map_or(settings, |side| settings.with_image_size(side))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Preset;

    #[test]
    fn nothing_asked_is_the_preset() {
        for preset in [Preset::Small, Preset::Dc, Preset::RethinkdcHard, Preset::RethinkdcSgd] {
            assert_eq!(Overrides::default().on(preset.settings()), preset.settings());
        }
    }

    #[test]
    fn an_optimiser_brings_its_rate_unless_another_is_given() {
        let small = Preset::Small.settings().student;
        let sgd = TrainOverrides { optimizer: Some(Optimizer::Sgd), ..TrainOverrides::default() };
        assert_eq!(sgd.on(small), small.with_optimizer(Optimizer::Sgd));
        assert_eq!(TrainOverrides { lr: Some(0.5), ..sgd }.on(small).lr, 0.5);
        let epochs = TrainOverrides { length: Some(Length::Epochs(3)), ..sgd }.on(small);
        assert_eq!((epochs.length, epochs.horizon), (Length::Epochs(3), Length::Epochs(3)));
    }

    #[test]
    fn a_proxys_horizon_stays_where_it_only_stops_earlier() {
        let proxy = Preset::Small.settings().proxy;
        let asked = Overrides { proxy_epochs: Some(4), ..Overrides::default() };
        assert_eq!(asked.on(Preset::Small.settings()).proxy, proxy.stopped_after(4));
        let side = Overrides { image_size: Some(128), ..Overrides::default() };
        assert_eq!(side.on(Preset::RethinkdcHard.settings()).val_resize, Some(147));
    }
}
