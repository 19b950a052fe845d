//! One image on its way into a shard.

use super::options::{PackForm, PackOptions};
use crate::combine::{Format, encode};
use crate::data::{ClassMap, ContentHash, Entry, Filter, Fit, Image, Limits, Resizer, decode, probe};
use crate::fs::{FolderError, Tree};

/// An image as it stands in a shard, or the reason why it does not.
pub(super) struct Sample {
    pub(super) key: String,
    pub(super) path: String,
    pub(super) label: u32,
    pub(super) source_hash: ContentHash,
    pub(super) image: Result<Stored, String>,
}

/// The files of a sample.
pub(super) struct Stored {
    pub(super) bytes: Vec<u8>,
    pub(super) extension: &'static str,
    pub(super) hash: ContentHash,
    pub(super) json: Vec<u8>,
}

/// Makes samples of the images of a tree.
pub(super) struct Packer<'a> {
    pub(super) tree: &'a dyn Tree,
    pub(super) classes: &'a ClassMap,
    pub(super) options: &'a PackOptions,
}

impl Packer<'_> {
    /// Reads an image, the `place`th of its split in the order of paths, and brings it into its form.
    ///
    /// # Errors
    /// [`FolderError::ReadFailed`] for a file that cannot be read at all. One that is no image is a problem of the sample.
    pub(super) fn sample(
        &self,
        entry: &Entry,
        place: u32,
        resizer: &mut Resizer,
    ) -> Result<Sample, FolderError> {
        let mut sample = Sample {
            // Without dots, whatever the file's name is: a key ends at the first.
            key: format!("{place:08}"),
            path: entry.path.clone(),
            label: entry.class,
            source_hash: ContentHash::of(&[]),
            image: Err(String::new()),
        };
        let bytes = match self.tree.read(&entry.path, Limits::default().max_bytes) {
            Ok(bytes) => bytes,
            Err(why) if why.kind() == std::io::ErrorKind::FileTooLarge => {
                sample.image = Err(why.to_string());
                return Ok(sample);
            }
            Err(why) => return Err(FolderError::ReadFailed { path: self.tree.place(&entry.path), why }),
        };
        sample.source_hash = ContentHash::of(&bytes);
        sample.image = self.stored(bytes, entry, sample.source_hash, resizer);
        Ok(sample)
    }

    fn stored(
        &self,
        bytes: Vec<u8>,
        entry: &Entry,
        source: ContentHash,
        resizer: &mut Resizer,
    ) -> Result<Stored, String> {
        // Decoded whatever its form: what cannot be used is found here, and not in the middle of a training.
        let image = decode(&bytes, &Limits::default()).map_err(|why| why.to_string())?;
        let format = probe(&bytes).map_err(|why| why.to_string())?.format;
        let own = match format.as_str() {
            "JPEG" => "jpg",
            "PNG" => "png",
            "WebP" => "webp",
            "GIF" => "gif",
            _ => "bmp",
        };
        let readable = ["jpg", "png", "webp"].contains(&own);
        let shrunk = self.options.short_side.and_then(|short| shrunk(&image, short, resizer));
        let (width, height) =
            shrunk.as_ref().map_or((image.width(), image.height()), |image| (image.width(), image.height()));
        let encoded = |image: &Image, format: Format| encode(image, format).map_err(|why| why.to_string());
        let (bytes, extension) = match (self.options.form, &shrunk) {
            (PackForm::AsIs, _) => (bytes, own),
            (PackForm::Encoded(format), Some(shrunk)) => (encoded(shrunk, format)?, format.extension()),
            (PackForm::Encoded(_), None) if self.options.short_side.is_some() && readable => (bytes, own),
            (PackForm::Encoded(_), None) if self.options.short_side.is_some() => {
                (encoded(&image, Format::Png)?, "png")
            }
            (PackForm::Encoded(format), None) => (encoded(&image, format)?, format.extension()),
        };
        let json = serde_json::json!({
            "label": entry.class,
            "class": self.classes.name(entry.class),
            "path": entry.path,
            "source_hash": source,
            "width": width,
            "height": height,
        });
        let json = serde_json::to_vec(&json).map_err(|why| why.to_string())?;
        Ok(Stored { hash: ContentHash::of(&bytes), bytes, extension, json })
    }
}

/// The image with its shorter side brought down to `short`; `None` where it is no longer than that.
fn shrunk(image: &Image, short: u32, resizer: &mut Resizer) -> Option<Image> {
    let (width, height) = (image.width(), image.height());
    let side = width.min(height);
    if side <= short {
        return None;
    }
    // As torchvision's Resize: the longer side is rounded down.
    let scaled = |length: u32| ((u64::from(length) * u64::from(short) / u64::from(side)) as u32).max(short);
    Some(resizer.resize(image, scaled(width), scaled(height), Fit::Squash, Filter::Lanczos3))
}
