//! Runs planned views on the CPU: from stored bytes to a normalised float batch.

use std::sync::{Mutex, PoisonError};

use super::normalise::Affine;
use super::resample::{Pixel, Weights, blend, widen};
use super::{Layout, Mix, Normalise, View};
use crate::data::{DataError, Rect, Source};
use crate::parallel::{self, Failures};

/// Runs views on images of a [`Source`]; keeps its working memory from batch to batch.
///
/// Before normalisation, on the scale of bytes (0 to 255), pixels agree with PyTorch's
/// `interpolate(mode="bilinear", antialias=True)` on floats within 1e-4. Nothing is rounded on the way.
#[derive(Debug)]
pub struct Executor {
    side: u32,
    pool: Mutex<Vec<(Scratch, Vec<u8>)>>,
    /// The batch before mixing; empty until a plan mixes.
    unmixed: Vec<f32>,
    /// 0, 1, 2, …: the places of a batch, to go through it in parallel.
    places: Vec<u32>,
}

impl Executor {
    /// An executor of views of `side` × `side` pixels.
    ///
    /// # Panics
    /// When `side` is 0.
    pub fn new(side: u32) -> Self {
        assert!(side > 0, "a view has at least one pixel");
        Self { side, pool: Mutex::default(), unmixed: Vec::new(), places: Vec::new() }
    }

    /// Side of the finished views in pixels.
    pub fn side(&self) -> u32 {
        self.side
    }

    /// Writes the views, in order, into a float batch of `views.len()` × 3 × side × side numbers in
    /// `layout`. Parallel over views; the result does not depend on the number of threads. Allocates
    /// nothing once it has seen a batch of this size on every thread.
    ///
    /// # Errors
    /// [`DataError`] when an image cannot be read: of several, that of the lowest number. The content of `out` is then undefined.
    ///
    /// # Panics
    /// When `out` has another size, or a view names an image, a box or a partner that does not exist.
    pub fn execute(
        &mut self,
        source: &dyn Source,
        views: &[View],
        normalise: &Normalise,
        layout: Layout,
        out: &mut [f32],
    ) -> Result<(), DataError> {
        let floats = 3 * self.side as usize * self.side as usize;
        assert_eq!(out.len(), views.len() * floats, "one place for each channel of each pixel");
        if views.is_empty() {
            return Ok(());
        }
        let constants = Affine::new(normalise);
        let job = Job { constants, layout, side: self.side as usize };
        let pool = &self.pool;
        let render = |out: &mut [f32]| {
            let (lease, failures) = (|| Lease::take(pool), Failures::default());
            parallel::for_each_chunk(views, out, floats, lease, |lease, view, out| {
                let Lease { scratch, fetched, .. } = lease;
                let image = view.image as usize;
                let pixels = source.fetch_canvas(image, fetched);
                if let Some(pixels) = failures.kept(view.image, pixels) {
                    job.render((pixels, source.canvas(image)), scratch, view, out);
                }
            });
            failures.first()
        };
        if views.iter().all(|view| view.mix.is_none()) {
            return render(out);
        }
        self.unmixed.resize(out.len(), 0.0);
        render(&mut self.unmixed)?;
        self.places.clear();
        self.places.extend(0..views.len() as u32);
        let unmixed = &self.unmixed;
        let finished = |place: u32| &unmixed[place as usize * floats..][..floats];
        parallel::for_each_chunk(
            &self.places,
            out,
            floats,
            || (),
            |(), &place, out| match views[place as usize].mix {
                None => out.copy_from_slice(finished(place)),
                Some(mix) => job.mix(mix, finished(place), finished(mix.other), out),
            },
        );
        Ok(())
    }
}

/// The pixels that a view is cut out of, with their width and height.
type Canvas<'a> = (&'a [u8], (u32, u32));

/// Values that are the same for every view of a batch.
struct Job {
    constants: Affine,
    layout: Layout,
    side: usize,
}

impl Job {
    /// One view of an image up to its cutout, on vectors of eight floats where the machine has them. No product is
    /// fused with a sum, so that the numbers are the same either way.
    #[cfg_attr(
        target_arch = "x86_64",
        expect(unsafe_code, reason = "a function for vectors that the machine was asked for")
    )]
    fn render(&self, pixels: Canvas<'_>, scratch: &mut Scratch, view: &View, out: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has AVX2, the only thing the function asks for.
            return unsafe { self.render_avx2(pixels, scratch, view, out) };
        }
        self.render_rows(pixels, scratch, view, out);
    }

    /// [`render_rows`](Self::render_rows), compiled for AVX2.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn render_avx2(&self, pixels: Canvas<'_>, scratch: &mut Scratch, view: &View, out: &mut [f32]) {
        self.render_rows(pixels, scratch, view, out);
    }

    /// Rows stream through: each row of the crop is normalised and resized
    /// once, and kept while output rows read it.
    #[inline(always)]
    fn render_rows(
        &self,
        (pixels, (across_all, down_all)): Canvas<'_>,
        scratch: &mut Scratch,
        view: &View,
        out: &mut [f32],
    ) {
        let side = self.side;
        let Rect { x, y, width, height } = view.crop;
        assert!(
            width > 0 && height > 0 && x + width <= across_all && y + height <= down_all,
            "the crop {:?} is not inside an image of {across_all} x {down_all} px",
            view.crop
        );
        let Scratch { across, down, source, widened, ring, rows, columns } = scratch;
        across.set(width, side as u32, view.flip);
        down.set(height, side as u32, false);
        // One float more than a row here and below: four are read or written where three are needed.
        source.resize(width as usize * 3 + 1, 0.0);
        widened.resize(width as usize, [0.0; 4]);
        let length = side * 3 + 1;
        ring.resize(length * down.taps(), 0.0);
        rows.clear();
        columns.clear();
        match view.shuffle {
            None => {
                rows.extend(y..y + height);
                columns.push((x, width));
            }
            Some(order) => {
                columns.extend(order.column_runs(across_all, x, width));
                rows.extend(order.row_runs(down_all, y, height).flat_map(|(from, len)| from..from + len));
            }
        }

        let mut ready = 0;
        for line in 0..side {
            let (first, weights) = down.at(line);
            while ready < first + weights.len() {
                let row =
                    &pixels[rows[ready] as usize * across_all as usize * 3..][..across_all as usize * 3];
                let mut done = 0;
                for &(from, len) in columns.iter() {
                    let (from, len) = (from as usize * 3, len as usize * 3);
                    self.constants.convert(&row[from..from + len], &mut source[done..done + len]);
                    done += len;
                }
                widen(source, widened);
                let kept = &mut ring[ready % weights.len() * length..][..length];
                match self.layout {
                    Layout::Nchw => across.planar(widened, kept),
                    Layout::Nhwc => across.interleaved(widened, kept),
                }
                ready += 1;
            }
            let plane = match self.layout {
                Layout::Nchw => side,
                Layout::Nhwc => side * 3,
            };
            for channel in 0..side * 3 / plane {
                let kept = weights.iter().enumerate().map(|(tap, &weight)| {
                    let row = &ring[(first + tap) % weights.len() * length..][..length];
                    (&row[channel * plane..][..plane], weight)
                });
                blend(kept, &mut out[channel * side * side + line * plane..][..plane]);
            }
        }
        if let Some(cutout) = view.cutout {
            self.each_run(cutout, |run| out[run].fill(0.0));
        }
    }

    fn mix(&self, mix: Mix, own: &[f32], other: &[f32], out: &mut [f32]) {
        if let Some(region) = mix.region {
            out.copy_from_slice(own);
            self.each_run(region, |run| out[run.clone()].copy_from_slice(&other[run]));
        } else {
            let rest = 1.0 - mix.lambda;
            for ((out, &own), &other) in out.iter_mut().zip(own).zip(other) {
                *out = own * mix.lambda + other * rest;
            }
        }
    }

    /// Visits the places of a box's pixels in a finished view, as runs.
    fn each_run(&self, region: Rect, mut visit: impl FnMut(std::ops::Range<usize>)) {
        let [x, y, width, height] =
            [region.x, region.y, region.width, region.height].map(|value| value as usize);
        assert!(
            x + width <= self.side && y + height <= self.side,
            "the box {region:?} is not inside the view"
        );
        let (planes, pixel) = match self.layout {
            Layout::Nchw => (3, 1),
            Layout::Nhwc => (1, 3),
        };
        for line in (0..planes).flat_map(|plane| (y..y + height).map(move |row| plane * self.side + row)) {
            let start = (line * self.side + x) * pixel;
            visit(start..start + width * pixel);
        }
    }
}

/// Working memory of one thread.
#[derive(Debug, Default)]
struct Scratch {
    across: Weights,
    down: Weights,
    /// One row of the crop as floats.
    source: Vec<f32>,
    /// The same row as vectors of four.
    widened: Vec<Pixel>,
    /// The last rows of the crop after the horizontal pass.
    ring: Vec<f32>,
    /// The stored row of each row of the crop.
    rows: Vec<u32>,
    /// The runs of stored columns that a row of the crop consists of.
    columns: Vec<(u32, u32)>,
}

/// Scratch memory taken from the pool, put back when dropped.
struct Lease<'a> {
    pool: &'a Mutex<Vec<(Scratch, Vec<u8>)>>,
    scratch: Scratch,
    /// Pixels read from a source that does not keep them in memory.
    fetched: Vec<u8>,
}

impl<'a> Lease<'a> {
    fn take(pool: &'a Mutex<Vec<(Scratch, Vec<u8>)>>) -> Self {
        // A scratch is only a cache, so that a panic elsewhere leaves nothing wrong in the pool.
        let (scratch, fetched) =
            pool.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        Self { pool, scratch, fetched }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let memory = (std::mem::take(&mut self.scratch), std::mem::take(&mut self.fetched));
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::{Augmentation, Crop, Cutout, MixKind, PatchOrder, Planner, normalise_into};
    use crate::data::{Grid, ImageSet, Streaming};

    /// Leaves bytes as they are, so that differences read in units of [0, 255].
    const BYTES: Normalise = Normalise { mean: [0.0; 3], std: [1.0 / 255.0; 3] };

    /// The generator of `tests/golden/augment.py`.
    fn synthetic(side: u32, count: usize) -> ImageSet {
        let mut state = 12_345u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let bytes = std::iter::repeat_with(next).take(count * (side * side * 3) as usize).collect();
        ImageSet::from_parts(side, bytes, vec![0; count]).expect("whole images")
    }

    fn plain(image: u32, crop: Rect) -> View {
        View { image, shuffle: None, crop, flip: false, cutout: None, mix: None }
    }

    fn to_nchw(nhwc: &[f32], side: usize) -> Vec<f32> {
        let (area, mut out) = (side * side, vec![0.0; nhwc.len()]);
        for (index, &value) in nhwc.iter().enumerate() {
            let (image, pixel, channel) = (index / (3 * area), index / 3 % area, index % 3);
            out[(image * 3 + channel) * area + pixel] = value;
        }
        out
    }

    /// PyTorch 2.9 on the same boxes; `tests/golden/augment.py` makes the files.
    #[test]
    fn views_agree_with_pytorch_within_a_ten_thousandth_of_one_byte_step() {
        #[derive(serde::Deserialize)]
        struct Case {
            side: u32,
            crop: Rect,
            output: u32,
            flip: bool,
            order: Option<(Vec<u8>, Vec<u8>)>,
        }
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/golden/augment_views.json"))
            .expect("the golden file is valid");
        let mut golden = include_bytes!("../../tests/golden/augment_views.f32").as_chunks::<4>().0.iter();
        let mut worst = 0.0f32;
        for case in &cases {
            let set = synthetic(case.side, 1);
            let shuffle = case.order.as_ref().map(|(columns, rows)| {
                let fill = |from: &[u8]| std::array::from_fn(|k| from.get(k).copied().unwrap_or(0));
                let grid = Grid::new(rows.len() as u32, columns.len() as u32).expect("a valid grid");
                PatchOrder { grid, columns: fill(columns), rows: fill(rows) }
            });
            let view = View { shuffle, flip: case.flip, ..plain(0, case.crop) };
            let mut executor = Executor::new(case.output);
            let mut out = vec![0.0; (case.output * case.output * 3) as usize];
            executor.execute(&set, &[view], &BYTES, Layout::Nchw, &mut out).expect("memory does not fail");
            for &value in &out {
                let expected = f32::from_le_bytes(*golden.next().expect("as many golden floats as ours"));
                worst = worst.max((value - expected).abs());
            }
            let mut nhwc = vec![0.0; out.len()];
            executor.execute(&set, &[view], &BYTES, Layout::Nhwc, &mut nhwc).expect("memory does not fail");
            assert_eq!(to_nchw(&nhwc, case.output as usize), out);
        }
        assert_eq!(golden.next(), None);
        assert!(cases.len() >= 12);
        assert!(worst < 1e-4, "{worst}");
    }

    #[test]
    fn a_whole_view_of_its_own_size_is_the_normalised_image() {
        let set = synthetic(33, 3);
        let whole = Rect { x: 0, y: 0, width: 33, height: 33 };
        let views = [2, 0].map(|image| plain(image, whole));
        for layout in [Layout::Nchw, Layout::Nhwc] {
            let (mut ours, mut simple) = (vec![0.0; 2 * 33 * 33 * 3], vec![0.0; 2 * 33 * 33 * 3]);
            Executor::new(33)
                .execute(&set, &views, &Normalise::IMAGENET, layout, &mut ours)
                .expect("memory does not fail");
            normalise_into(&set, &[2, 0], &Normalise::IMAGENET, layout, &mut simple)
                .expect("memory does not fail");
            assert_eq!(ours, simple);
        }
    }

    #[test]
    fn a_shuffle_with_uneven_strips_moves_every_pixel_where_the_order_says() {
        let (side, set) = (7u32, synthetic(7, 1));
        let grid: Grid = "2x3".parse().expect("a valid grid");
        let order = PatchOrder { grid, columns: [2, 0, 1, 0, 0, 0, 0, 0], rows: [1, 0, 0, 0, 0, 0, 0, 0] };
        let whole = Rect { x: 0, y: 0, width: side, height: side };
        let view = View { shuffle: Some(order), ..plain(0, whole) };
        let mut out = vec![0.0; 7 * 7 * 3];
        Executor::new(side)
            .execute(&set, &[view], &BYTES, Layout::Nhwc, &mut out)
            .expect("memory does not fail");
        let (rows, columns) = ([4, 5, 6, 0, 1, 2, 3], [5, 6, 0, 1, 2, 3, 4]);
        for (place, value) in out.iter().enumerate() {
            let (y, x, c) = (place / 21, place / 3 % 7, place % 3);
            let expected = f32::from(set.image(0)[(rows[y] * 7 + columns[x]) * 3 + c]);
            assert!((value - expected).abs() < 1e-4, "{place}");
        }
    }

    fn run(views: &[View], set: &ImageSet, side: u32, layout: Layout) -> Vec<f32> {
        let mut out = vec![f32::NAN; views.len() * (side * side * 3) as usize];
        Executor::new(side)
            .execute(set, views, &Normalise::IMAGENET, layout, &mut out)
            .expect("memory does not fail");
        out
    }

    fn planned(mix: Option<MixKind>, cutout: bool) -> Vec<View> {
        let cutout = cutout.then(Cutout::default);
        let policy = Augmentation { crop: Crop::Shuffle, flip: true, cutout, mix };
        let grid = "2".parse().expect("a valid grid");
        let planner = Planner::new(policy, grid, 40, 9).expect("a valid policy").with_output(24);
        let mut views = Vec::new();
        planner.plan(3, 1, &(0..10).collect::<Vec<_>>(), &mut views);
        views
    }

    #[test]
    fn a_cutout_is_zero_inside_and_changes_nothing_outside() {
        let set = synthetic(40, 10);
        let views = planned(None, true);
        let bare: Vec<View> = views.iter().map(|&view| View { cutout: None, ..view }).collect();
        let (cut, bare) = (run(&views, &set, 24, Layout::Nchw), run(&bare, &set, 24, Layout::Nchw));
        for (place, (&cut, &bare)) in cut.iter().zip(&bare).enumerate() {
            let (image, y, x) = (place / (3 * 24 * 24), place as u32 / 24 % 24, place as u32 % 24);
            let r = views[image].cutout.expect("a cutout");
            let inside = (r.x..r.x + r.width).contains(&x) && (r.y..r.y + r.height).contains(&y);
            assert_eq!(cut, if inside { 0.0 } else { bare });
        }
    }

    #[test]
    fn mixing_takes_the_partner_before_its_own_mixing_in_both_layouts() {
        let set = synthetic(40, 10);
        for kind in [MixKind::Mixup { alpha: 1.0 }, MixKind::CutMix { alpha: 1.0 }] {
            let views = planned(Some(kind), true);
            let bare: Vec<View> = views.iter().map(|&view| View { mix: None, ..view }).collect();
            let mixed = run(&views, &set, 24, Layout::Nchw);
            assert_eq!(to_nchw(&run(&views, &set, 24, Layout::Nhwc), 24), mixed);
            let bare = run(&bare, &set, 24, Layout::Nchw);
            let (floats, mut replaced) = (3 * 24 * 24, 0);
            for (place, &value) in mixed.iter().enumerate() {
                let (image, y, x) = (place / floats, place as u32 / 24 % 24, place as u32 % 24);
                let mix = views[image].mix.expect("mixed");
                let other = bare[mix.other as usize * floats + place % floats];
                let expected = match mix.region {
                    None => bare[place] * mix.lambda + other * (1.0 - mix.lambda),
                    Some(r) => {
                        let inside = (r.x..r.x + r.width).contains(&x) && (r.y..r.y + r.height).contains(&y);
                        replaced += usize::from(inside);
                        if inside { other } else { bare[place] }
                    }
                };
                assert_eq!(value, expected);
            }
            if let Some(Mix { lambda, region: Some(_), .. }) = views[0].mix {
                let kept = 1.0 - replaced as f32 / mixed.len() as f32;
                assert!((kept - lambda).abs() < 1e-6, "{kept} {lambda}");
            }
        }
    }

    #[test]
    fn a_batch_is_the_same_with_any_number_of_threads_and_from_a_used_executor() {
        let set = synthetic(40, 10);
        let views = planned(Some(MixKind::Mixup { alpha: 0.8 }), false);
        let expected = run(&views, &set, 24, Layout::Nchw);
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let mut executor = Executor::new(24);
            for count in [3, 10, 7, 10] {
                let mut out = vec![f32::NAN; count * 24 * 24 * 3];
                let part: Vec<View> = views[..count].iter().map(|v| View { mix: None, ..*v }).collect();
                pool.install(|| executor.execute(&set, &part, &Normalise::IMAGENET, Layout::Nhwc, &mut out))
                    .expect("memory does not fail");
            }
            let mut out = vec![f32::NAN; expected.len()];
            pool.install(|| executor.execute(&set, &views, &Normalise::IMAGENET, Layout::Nchw, &mut out))
                .expect("memory does not fail");
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn images_that_are_fetched_one_by_one_give_the_views_of_those_in_memory() {
        let views = planned(Some(MixKind::CutMix { alpha: 1.0 }), true);
        let expected = run(&views, &synthetic(40, 10), 24, Layout::Nhwc);
        let source = Streaming { images: synthetic(40, 10), broken: None };
        let mut out = vec![f32::NAN; expected.len()];
        let mut executor = Executor::new(24);
        executor
            .execute(&source, &views, &Normalise::IMAGENET, Layout::Nhwc, &mut out)
            .expect("none is broken");
        assert_eq!(out, expected);
    }

    #[test]
    fn of_images_that_cannot_be_had_the_first_is_named_with_any_number_of_threads() {
        let source = Streaming { images: synthetic(40, 10), broken: Some(4) };
        let views: Vec<View> = planned(None, false).into_iter().rev().collect();
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let mut out = vec![0.0; views.len() * 24 * 24 * 3];
            let cut =
                || Executor::new(24).execute(&source, &views, &Normalise::IMAGENET, Layout::Nhwc, &mut out);
            let error = pool.install(cut).expect_err("six are broken");
            assert!(error.to_string().starts_with("'4.png' cannot be used: it is gone"), "{error}");
        }
    }

    #[test]
    #[should_panic(expected = "not inside an image of 8 x 8 px")]
    fn a_crop_outside_the_image_is_refused() {
        let crop = Rect { x: 4, y: 0, width: 5, height: 8 };
        run(&[plain(0, crop)], &synthetic(8, 1), 8, Layout::Nchw);
    }
}
