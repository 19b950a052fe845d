//! Draws the views of a batch from counters: no history, no dependence on the batch or on threads.

use super::{AugmentError, Augmentation, Crop, Cutout, Mix, MixKind, PatchOrder, View};
use crate::data::{Grid, Rect, Source};
use crate::random::{Purpose, Stream};

/// The aspect ratios of RandomResizedCrop everywhere in the field.
const RATIO: (f64, f64) = (3.0 / 4.0, 4.0 / 3.0);

/// Draws views: the same policy, seed, epoch and image give the same view on every machine.
#[derive(Clone, Debug)]
pub struct Planner {
    policy: Augmentation,
    grid: Grid,
    side: u32,
    output: u32,
    seed: u64,
}

impl Planner {
    /// A planner for stored images of `side` × `side` pixels that hold `grid` tiles each. Views have the
    /// side of the stored images unless [`with_output`](Self::with_output) says otherwise.
    ///
    /// # Errors
    /// An [`AugmentError`] when a number of the policy is outside its range or the grid does not fit.
    pub fn new(policy: Augmentation, grid: Grid, side: u32, seed: u64) -> Result<Self, AugmentError> {
        policy.validate()?;
        if side < grid.rows().max(grid.columns()) {
            return Err(AugmentError::Grid { side, grid });
        }
        Ok(Self { policy, grid, side, output: side, seed })
    }

    /// The same with finished views of `side` × `side` pixels, which is where cutout and CutMix boxes lie.
    ///
    /// # Panics
    /// When `side` is 0.
    #[must_use]
    pub fn with_output(self, side: u32) -> Self {
        assert!(side > 0, "a view has at least one pixel");
        Self { output: side, ..self }
    }

    /// Replaces the content of `out` by one view for each image, in order. Does not allocate when `out`
    /// has room.
    ///
    /// `epoch` numbers the passes over the data and `batch` the batches of a pass; an image that comes
    /// twice in one epoch has the same view both times, apart from the draws for the whole batch.
    pub fn plan(&self, epoch: u32, batch: u64, images: &[u32], out: &mut Vec<View>) {
        self.plan_within((epoch, batch), images, |_| (self.side, self.side), out);
    }

    /// [`plan`](Self::plan) with boxes in the pixels of each image's [`canvas`](Source::canvas).
    ///
    /// # Panics
    /// When the source has no such image.
    pub fn plan_of(&self, source: &dyn Source, epoch: u32, batch: u64, images: &[u32], out: &mut Vec<View>) {
        self.plan_within((epoch, batch), images, |image| source.canvas(image as usize), out);
    }

    fn plan_within(
        &self,
        (epoch, batch): (u32, u64),
        images: &[u32],
        canvas: impl Fn(u32) -> (u32, u32),
        out: &mut Vec<View>,
    ) {
        out.clear();
        out.extend(images.iter().map(|&image| self.view_within(epoch, image, canvas(image))));
        let mut stream = Stream::new(self.seed, Purpose::Batch, epoch, batch);
        if let Some(Cutout { side, shared: true }) = self.policy.cutout {
            let cutout = self.cutout(side, &mut stream);
            out.iter_mut().for_each(|view| view.cutout = cutout);
        }
        if let Some(kind) = self.policy.mix {
            self.mix(kind, &mut stream, out);
        }
    }

    /// The view of one image in one epoch, without the parts that are drawn for a whole batch (mixing, a shared cutout box).
    pub fn view(&self, epoch: u32, image: u32) -> View {
        self.view_within(epoch, image, (self.side, self.side))
    }

    /// [`view`](Self::view) of an image of `width` × `height` pixels.
    ///
    /// # Panics
    /// When the image has fewer pixels in one direction than the grid has tiles.
    pub fn view_within(&self, epoch: u32, image: u32, (width, height): (u32, u32)) -> View {
        let mut stream = Stream::new(self.seed, Purpose::View, epoch, u64::from(image));
        let whole = Rect { x: 0, y: 0, width, height };
        let mut shuffle = None;
        let crop = match self.policy.crop {
            Crop::None => whole,
            Crop::Global { min_scale } => random_resized_crop(whole, min_scale, &mut stream),
            Crop::Extract { min_scale } => {
                let tile = stream.below(self.grid.tiles());
                random_resized_crop(self.grid.tile_within((width, height), tile), min_scale, &mut stream)
            }
            Crop::Shuffle => {
                shuffle = Some(patch_order(self.grid, &mut stream));
                let factor = self.grid.rows().max(self.grid.columns());
                random_resized_crop(whole, 1.0 / f64::from(factor), &mut stream)
            }
        };
        // The coin is tossed in any case: switching the flip off leaves the cutout where it was.
        let flip = stream.chance(0.5) && self.policy.flip;
        let cutout = match self.policy.cutout {
            Some(Cutout { side, shared: false }) => self.cutout(side, &mut stream),
            _ => None,
        };
        View { image, shuffle, crop, flip, cutout, mix: None }
    }

    /// A square of `int(side * share)` pixels at a uniform place fully inside the view, as in `cutout` of
    /// the benchmark's `utils_fkd.py`.
    fn cutout(&self, share: f64, stream: &mut Stream) -> Option<Rect> {
        let side = (f64::from(self.output) * share) as u32;
        let y = stream.below(self.output - side + 1);
        let x = stream.below(self.output - side + 1);
        (side > 0).then_some(Rect { x, y, width: side, height: side })
    }

    fn mix(&self, kind: MixKind, stream: &mut Stream, views: &mut [View]) {
        let (mut lambda, region) = match kind {
            MixKind::Mixup { alpha } => (stream.beta(alpha), None),
            MixKind::CutMix { alpha } => {
                let lambda = stream.beta(alpha);
                (lambda, Some(cutmix_region(self.output, lambda, stream)))
            }
        };
        if let Some(Rect { width, height, .. }) = region {
            let replaced = f64::from(width) * f64::from(height);
            lambda = 1.0 - replaced / (f64::from(self.output) * f64::from(self.output));
        }
        let mix = |other| Some(Mix { other, lambda: lambda as f32, region });
        // A uniformly random permutation of the batch, built in place (the "inside-out" shuffle).
        for i in 0..views.len() {
            let j = stream.below(i as u32 + 1) as usize;
            views[i].mix = views[j].mix;
            views[j].mix = mix(i as u32);
        }
    }
}

/// The box of RandomResizedCrop inside `area`, by the rule of torchvision's `get_params`: ten tries of a
/// uniform area and a log-uniform aspect ratio, then the largest central crop of an allowed ratio.
fn random_resized_crop(area: Rect, min_scale: f64, stream: &mut Stream) -> Rect {
    let (width, height) = (f64::from(area.width), f64::from(area.height));
    // Python's `round` sends halves to the even neighbour.
    let pixels = |length: f64| length.round_ties_even() as u32;
    for _ in 0..10 {
        let target = width * height * stream.range(min_scale, 1.0);
        let ratio = stream.range(RATIO.0.ln(), RATIO.1.ln()).exp();
        let w = pixels((target * ratio).sqrt());
        let h = pixels((target / ratio).sqrt());
        if 0 < w && w <= area.width && 0 < h && h <= area.height {
            let y = area.y + stream.below(area.height - h + 1);
            let x = area.x + stream.below(area.width - w + 1);
            return Rect { x, y, width: w, height: h };
        }
    }
    let ratio = width / height;
    let (w, h) = if ratio < RATIO.0 {
        (area.width, pixels(width / RATIO.0))
    } else if ratio > RATIO.1 {
        (pixels(height * RATIO.1), area.height)
    } else {
        (area.width, area.height)
    };
    Rect { x: area.x + (area.width - w) / 2, y: area.y + (area.height - h) / 2, width: w, height: h }
}

/// RDED's `ShufflePatches`: columns in a random order, then rows.
fn patch_order(grid: Grid, stream: &mut Stream) -> PatchOrder {
    let mut order = PatchOrder { grid, columns: [0, 1, 2, 3, 4, 5, 6, 7], rows: [0, 1, 2, 3, 4, 5, 6, 7] };
    stream.shuffle(&mut order.columns[..grid.columns() as usize]);
    stream.shuffle(&mut order.rows[..grid.rows() as usize]);
    order
}

/// `rand_bbox` of CutMix: a box of `1 - lambda` of the area around a uniform pixel, clipped to the image.
fn cutmix_region(side: u32, lambda: f64, stream: &mut Stream) -> Rect {
    let half = (f64::from(side) * (1.0 - lambda).sqrt()) as u32 / 2;
    let mut span = || {
        let centre = stream.below(side);
        let low = centre.saturating_sub(half);
        (low, (centre + half).min(side) - low)
    };
    let ((x, width), (y, height)) = (span(), span());
    Rect { x, y, width, height }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn planner(crop: Crop, grid: &str, side: u32, seed: u64) -> Planner {
        let policy = Augmentation { crop, ..Augmentation::default() };
        Planner::new(policy, grid.parse().expect("a valid grid"), side, seed).expect("a valid policy")
    }

    fn inside(inner: Rect, outer: Rect) -> bool {
        inner.x >= outer.x
            && inner.y >= outer.y
            && inner.x + inner.width <= outer.x + outer.width
            && inner.y + inner.height <= outer.y + outer.height
            && inner.width > 0
            && inner.height > 0
    }

    proptest! {
        #[test]
        fn an_extracted_crop_never_crosses_a_tile_edge(
            rows in 1u32..=8, columns in 1u32..=8, side in 8u32..260, min_scale in 0.001f64..=1.0,
            seed in any::<u64>(), epoch in any::<u32>(), image in any::<u32>(),
        ) {
            let grid = Grid::new(rows, columns).expect("a valid grid");
            let policy = Augmentation { crop: Crop::Extract { min_scale }, ..Augmentation::default() };
            let view = Planner::new(policy, grid, side, seed).expect("a valid policy").view(epoch, image);
            let holders = (0..grid.tiles()).filter(|&tile| inside(view.crop, grid.tile(side, tile))).count();
            prop_assert_eq!(holders, 1, "{:?}", view.crop);
        }

        #[test]
        fn every_box_lies_inside_the_image(
            crop in prop_oneof![
                Just(Crop::None),
                Just(Crop::Shuffle),
                (0.001f64..=1.0).prop_map(|min_scale| Crop::Global { min_scale }),
                (0.001f64..=1.0).prop_map(|min_scale| Crop::Extract { min_scale }),
            ],
            grid in prop_oneof![Just("1"), Just("2"), Just("3"), Just("1x2")],
            side in 3u32..100, output in 1u32..100, share in 0.001f64..=1.0, shared in any::<bool>(),
            alpha in 0.05f64..4.0, seed in any::<u64>(), epoch in any::<u32>(), batch in any::<u64>(),
        ) {
            let policy = Augmentation {
                crop,
                flip: true,
                cutout: Some(Cutout { side: share, shared }),
                mix: Some(MixKind::CutMix { alpha }),
            };
            let grid = grid.parse().expect("a valid grid");
            let planner = Planner::new(policy, grid, side, seed).expect("a valid policy").with_output(output);
            let mut views = Vec::new();
            planner.plan(epoch, batch, &[0, 5, u32::MAX], &mut views);
            let whole = |side| Rect { x: 0, y: 0, width: side, height: side };
            for view in &views {
                prop_assert!(inside(view.crop, whole(side)));
                prop_assert!(view.cutout.is_none_or(|cutout| inside(cutout, whole(output))));
                let mix = view.mix.expect("CutMix was asked for");
                let region = mix.region.expect("CutMix has a region");
                prop_assert!(region.x + region.width <= output && region.y + region.height <= output);
                let kept = 1.0 - f64::from(region.width * region.height) / f64::from(output * output);
                prop_assert_eq!(mix.lambda, kept as f32);
            }
        }

        #[test]
        fn a_view_does_not_depend_on_the_rest_of_its_batch(
            seed in any::<u64>(), epoch in any::<u32>(), images in proptest::collection::vec(any::<u32>(), 1..20),
        ) {
            let planner = planner(Crop::default(), "2", 64, seed);
            let (mut all, mut one) = (Vec::new(), Vec::new());
            planner.plan(epoch, 0, &images, &mut all);
            for (&image, view) in images.iter().zip(&all) {
                planner.plan(epoch, 9, &[image], &mut one);
                prop_assert_eq!(&one[0], view);
            }
        }

        #[test]
        fn mixing_partners_are_a_permutation_of_the_batch(
            seed in any::<u64>(), batch in any::<u64>(), count in 0u32..40,
        ) {
            let mix = Some(MixKind::Mixup { alpha: 0.8 });
            let policy = Augmentation { mix, ..Augmentation::default() };
            let planner = Planner::new(policy, Grid::WHOLE, 8, seed).expect("a valid policy");
            let mut views = Vec::new();
            planner.plan(0, batch, &(0..count).collect::<Vec<_>>(), &mut views);
            let mut partners: Vec<u32> = views.iter().map(|view| view.mix.expect("mixed").other).collect();
            partners.sort_unstable();
            prop_assert!(partners.iter().copied().eq(0..count));
            let lambdas: Vec<f32> = views.iter().map(|view| view.mix.expect("mixed").lambda).collect();
            prop_assert!(lambdas.iter().all(|&lambda| lambda == lambdas[0] && (0.0..=1.0).contains(&lambda)));
        }
    }

    #[test]
    fn every_partner_is_equally_likely() {
        let mix = Some(MixKind::Mixup { alpha: 1.0 });
        let policy = Augmentation { mix, ..Augmentation::default() };
        let planner = Planner::new(policy, Grid::WHOLE, 8, 3).expect("a valid policy");
        let (mut views, mut counts) = (Vec::new(), [[0u32; 3]; 3]);
        for batch in 0..9000 {
            planner.plan(0, batch, &[0, 1, 2], &mut views);
            for (place, view) in views.iter().enumerate() {
                counts[place][view.mix.expect("mixed").other as usize] += 1;
            }
        }
        // Five standard deviations of a binomial with n = 9,000 and p = 1/3.
        assert!(counts.iter().flatten().all(|&count| count.abs_diff(3000) < 224), "{counts:?}");
    }

    #[test]
    fn tiles_are_drawn_uniformly_and_anew_each_epoch() {
        for (text, side) in [("2", 65), ("3", 64), ("1x2", 33)] {
            let grid: Grid = text.parse().expect("a valid grid");
            let planner = planner(Crop::default(), text, side, 5);
            let draws = 40_000;
            let mut counts = vec![0u32; grid.tiles() as usize];
            for draw in 0..draws {
                let crop = planner.view(draw % 200, draw / 200).crop;
                let tile = (0..grid.tiles()).find(|&tile| inside(crop, grid.tile(side, tile)));
                counts[tile.expect("some tile holds it") as usize] += 1;
            }
            let p = 1.0 / f64::from(grid.tiles());
            let (mean, sd) = (f64::from(draws) * p, (f64::from(draws) * p * (1.0 - p)).sqrt());
            assert!(counts.iter().all(|&c| (f64::from(c) - mean).abs() < 5.0 * sd), "{text}: {counts:?}");
        }
    }

    #[test]
    fn shuffling_a_2x2_grid_gives_exactly_the_four_layouts() {
        let planner = planner(Crop::Shuffle, "2", 64, 1);
        let mut layouts: Vec<([u8; 2], [u8; 2])> = (0..200)
            .map(|image| planner.view(0, image).shuffle.expect("a shuffled view"))
            .map(|order| ([order.columns[0], order.columns[1]], [order.rows[0], order.rows[1]]))
            .collect();
        layouts.sort_unstable();
        layouts.dedup();
        let (kept, swapped) = ([0, 1], [1, 0]);
        assert_eq!(layouts, [(kept, kept), (kept, swapped), (swapped, kept), (swapped, swapped)]);
    }

    #[test]
    fn half_of_the_views_are_mirrored_and_none_where_the_flip_is_off() {
        let on = planner(Crop::default(), "2", 64, 1);
        let flips = (0..10_000).filter(|&image| on.view(0, image).flip).count();
        assert!(flips.abs_diff(5000) < 250, "{flips}");
        let policy = Augmentation { flip: false, ..Augmentation::default() };
        let off = Planner::new(policy, on.grid, 64, 1).expect("a valid policy");
        for image in 0..100 {
            assert_eq!(off.view(0, image), View { flip: false, ..on.view(0, image) });
        }
    }

    #[test]
    fn a_shared_cutout_is_one_box_a_batch_and_an_own_one_differs() {
        let boxes = |shared, batch| {
            let policy =
                Augmentation { cutout: Some(Cutout { side: 0.5, shared }), ..Augmentation::default() };
            let planner = Planner::new(policy, Grid::WHOLE, 65, 2).expect("a valid policy");
            let mut views = Vec::new();
            planner.plan(0, batch, &(0..50).collect::<Vec<_>>(), &mut views);
            views.iter().map(|view| view.cutout.expect("a cutout")).collect::<Vec<_>>()
        };
        let shared = boxes(true, 0);
        assert!(shared.iter().all(|b| *b == shared[0] && b.width == 32 && b.height == 32));
        assert_ne!(shared[0], boxes(true, 1)[0]);
        let own = boxes(false, 0);
        assert!(own.iter().any(|b| *b != own[0]));
        assert_eq!(own, boxes(false, 1));
    }

    #[test]
    fn what_no_try_can_cut_falls_back_to_the_central_crop() {
        // A whole 32 x 64 tile has an aspect ratio below 3/4, so that every try is refused.
        let tile = Rect { x: 5, y: 3, width: 32, height: 64 };
        let mut stream = Stream::new(0, Purpose::Test, 0, 0);
        let expected = Rect { x: 5, y: 3 + (64 - 43) / 2, width: 32, height: 43 };
        assert_eq!(random_resized_crop(tile, 1.0, &mut stream), expected);
        let tile = Rect { x: 3, y: 5, width: 64, height: 32 };
        let expected = Rect { x: 3 + (64 - 43) / 2, y: 5, width: 43, height: 32 };
        assert_eq!(random_resized_crop(tile, 1.0, &mut stream), expected);
    }

    /// Moments of 400,000 boxes of torchvision's `RandomResizedCrop.get_params`, made by
    /// `tests/golden/augment.py`.
    #[test]
    fn boxes_are_distributed_as_those_of_torchvision() {
        #[derive(serde::Deserialize)]
        struct Case {
            width: u32,
            height: u32,
            min_scale: f64,
            draws: f64,
            /// Mean and standard deviation of x, y, w, h, x², y², w², h², w·h, ln(w/h), ln²(w/h), x·w, y·h.
            moments: Vec<(f64, f64)>,
        }
        let text = include_str!("../../tests/golden/augment_boxes.json");
        let cases: Vec<Case> = serde_json::from_str(text).expect("the golden file is valid");
        assert!(cases.len() >= 4);
        for (index, case) in cases.iter().enumerate() {
            let area = Rect { x: 0, y: 0, width: case.width, height: case.height };
            let mut stream = Stream::new(17, Purpose::Test, 1, index as u64);
            let draws = 100_000;
            let mut sums = [0.0; 13];
            for _ in 0..draws {
                let r = random_resized_crop(area, case.min_scale, &mut stream);
                let [x, y, w, h] = [r.x, r.y, r.width, r.height].map(f64::from);
                let aspect = (w / h).ln();
                let values =
                    [x, y, w, h, x * x, y * y, w * w, h * h, w * h, aspect, aspect * aspect, x * w, y * h];
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            assert_eq!(case.moments.len(), sums.len());
            for (place, (&sum, &(mean, sd))) in sums.iter().zip(&case.moments).enumerate() {
                let error = sd * (1.0 / f64::from(draws) + 1.0 / case.draws).sqrt();
                let ours = sum / f64::from(draws);
                assert!(
                    (ours - mean).abs() <= 4.5 * error + 1e-9,
                    "case {index}, moment {place}: {ours}, {mean}"
                );
            }
        }
    }

    #[test]
    fn a_grid_that_does_not_fit_is_refused() {
        let grid: Grid = "3".parse().expect("a valid grid");
        let error = Planner::new(Augmentation::default(), grid, 2, 0).expect_err("2 pixels, 3 tiles");
        assert_eq!(error, AugmentError::Grid { side: 2, grid });
    }
}
