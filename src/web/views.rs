//! Training views of composites: where they are cut, and how they look.

use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use wasm_bindgen::{Clamped, JsValue};

use super::error::WebError;
use super::value::{GridOption, image_set, to_js};
use crate::augment::{
    Augmentation, Crop, CropChoice, Cutout, Executor, Layout, MixKind, Normalise, Planner, View, picture,
};
use crate::data::{Grid, ImageSet, Rect};
use crate::pipeline::views;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** The making of training views. */
export interface Augmentation {
    /**
     * `"extract"` crops inside one tile, `"global"` anywhere, `"shuffle"` after RDED's shuffle of tiles, `"none"` not at
     * all; the first two with a smallest scale where another than 0.5 is wanted, as in `"extract:0.25"`. Default:
     * `"extract"` for composites, `"global"` for whole images.
     */
    crop?: string;
    /** Mirror with probability 1/2. Default true. */
    flip?: boolean;
    /** Blank a box of this share of the side. */
    cutout?: { side?: number; shared?: boolean };
    /** Mix the views of a batch. */
    mix?: { mixup: { alpha: number } } | { cutmix: { alpha: number } };
}

export interface ViewOptions extends Augmentation {
    /** Width and height of the stored images in pixels. */
    imageSize: number;
    /** Tiles of a stored image. Default 2. */
    grid?: number | string;
    /** Side of the views; default: that of the stored images. */
    viewSize?: number;
    /** The same seed, epoch and image give the same view, here and in training. Default 0. */
    seed?: number;
}

export interface Rect { x: number; y: number; width: number; height: number; }

/** The plan of one view of one stored image: shuffle, crop, resize, flip, cutout, mix. */
export interface View {
    image: number;
    /** Column and row strips of the stored image, in the order of the view. */
    shuffle: { columns: number[]; rows: number[] } | null;
    /** In pixels of the (shuffled) stored image. */
    crop: Rect;
    flip: boolean;
    /** In pixels of the view. */
    cutout: Rect | null;
    /** `other` is a place in the batch; without a `region` all pixels are blended. */
    mix: { other: number; lambda: number; region: Rect | null } | null;
}
"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ViewOptions {
    image_size: u32,
    #[serde(default)]
    grid: Option<GridOption>,
    #[serde(default)]
    view_size: Option<u32>,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    crop: Option<CropChoice>,
    #[serde(default = "yes")]
    flip: bool,
    #[serde(default)]
    cutout: Option<Cutout>,
    #[serde(default)]
    mix: Option<MixKind>,
}

fn yes() -> bool {
    true
}

/// The training views of stored images.
#[wasm_bindgen(js_name = Views)]
pub struct WebViews {
    images: ImageSet,
    planner: Planner,
    executor: Executor,
}

#[wasm_bindgen(js_class = Views)]
impl WebViews {
    /// Views of the stored images in `pixels`, `imageSize` × `imageSize` × 3 bytes each.
    ///
    /// # Errors
    /// An `Error` whose code is `usage` for options that mean nothing.
    #[wasm_bindgen(constructor)]
    pub fn new(
        pixels: Vec<u8>,
        #[wasm_bindgen(unchecked_param_type = "ViewOptions")] options: JsValue,
    ) -> Result<WebViews, WebError> {
        let ViewOptions { image_size, grid, view_size, seed, crop, flip, cutout, mix } =
            super::value::options(options)?;
        let side = super::image::side(image_size)?;
        let output = super::image::side(view_size.unwrap_or(side))?;
        let count = pixels.len() / (side as usize * side as usize * 3);
        let images = image_set(pixels, vec![0; count], side, 1)?;
        let grid = grid.map_or(Grid::TWO, |grid| grid.0);
        let crop = views::crop(crop, grid, Crop::MIN_SCALE);
        let policy = Augmentation { crop, flip, cutout, mix };
        let planner = Planner::new(policy, grid, side, seed)?.with_output(output);
        Ok(Self { images, planner, executor: Executor::new(output) })
    }

    /// The views of a batch of images in an epoch; `batch` is its number in the epoch, which decides what is drawn
    /// for all of it together.
    ///
    /// # Errors
    /// An `Error` whose code is `usage` for an image that there is not.
    #[wasm_bindgen(unchecked_return_type = "View[]")]
    pub fn plan(&self, epoch: u32, images: &[u32], batch: Option<u32>) -> Result<JsValue, WebError> {
        let views = self.views(epoch, images, batch)?;
        to_js(&views.into_iter().map(ViewOut::from).collect::<Vec<_>>())
    }

    /// One view of that batch, as RGBA for `ImageData`; `place` is its place in the batch.
    ///
    /// # Errors
    /// An `Error` whose code is `usage` for an image or a place that there is not.
    pub fn render(
        &mut self,
        epoch: u32,
        images: &[u32],
        place: usize,
        batch: Option<u32>,
    ) -> Result<Clamped<Vec<u8>>, WebError> {
        let views = self.views(epoch, images, batch)?;
        let Some(view) = views.get(place) else {
            return Err(WebError::usage(format_args!(
                "there is no place {place} in a batch of {}, counted from 0",
                views.len()
            )));
        };
        // Only mixing looks at the others.
        let (views, place) = if view.mix.is_some() { (views.as_slice(), place) } else { (&[*view][..], 0) };
        let floats = 3 * self.executor.side() as usize * self.executor.side() as usize;
        let mut out = vec![0.0; views.len() * floats];
        let normalise = Normalise::IMAGENET;
        self.executor.execute(&self.images, views, &normalise, Layout::Nhwc, &mut out)?;
        Ok(Clamped(picture(&out[place * floats..(place + 1) * floats], &normalise)))
    }
}

impl WebViews {
    fn views(&self, epoch: u32, images: &[u32], batch: Option<u32>) -> Result<Vec<View>, WebError> {
        if let Some(image) = images.iter().find(|&&image| image as usize >= self.images.len()) {
            return Err(WebError::usage(format_args!(
                "there is no image {image}: there are {}, counted from 0",
                self.images.len()
            )));
        }
        let mut views = Vec::new();
        self.planner.plan(epoch, u64::from(batch.unwrap_or_default()), images, &mut views);
        Ok(views)
    }
}

#[derive(Serialize)]
struct ViewOut {
    image: u32,
    shuffle: Option<Shuffle>,
    crop: Rect,
    flip: bool,
    cutout: Option<Rect>,
    mix: Option<MixOut>,
}

#[derive(Serialize)]
struct Shuffle {
    columns: Vec<u8>,
    rows: Vec<u8>,
}

#[derive(Serialize)]
struct MixOut {
    other: u32,
    lambda: f32,
    region: Option<Rect>,
}

impl From<View> for ViewOut {
    fn from(view: View) -> Self {
        let View { image, shuffle, crop, flip, cutout, mix } = view;
        let shuffle = shuffle.map(|order| Shuffle {
            columns: order.columns[..order.grid.columns() as usize].to_vec(),
            rows: order.rows[..order.grid.rows() as usize].to_vec(),
        });
        let mix = mix.map(|mix| MixOut { other: mix.other, lambda: mix.lambda, region: mix.region });
        Self { image, shuffle, crop, flip, cutout, mix }
    }
}
