//! Packing: one pass over a data set that writes it as WebDataset shards, each image shrunk or as it is.
//!
//! ```text
//! out/run.json                      what is packed, and how
//! out/train-000000.tar, …           the shards: KEY.cls, KEY.jpg, KEY.json for each image
//! out/index/train-000000.csv, …     where each image of a shard stands, and its hash
//! out/_info.json                    the splits, when all shards are whole
//! out/part.json                     in place of it, where only a share of the images is packed: what `merge` needs to know
//! ```
//!
//! A shard appears whole, then its index; a run that goes on keeps the shards that have one. The same images and options give
//! the same bytes, with any number of threads.

mod about;
mod check;
mod error;
mod index;
mod options;
mod part;
mod sample;
mod shard;
mod shards;
#[cfg(feature = "parquet")]
mod table;
#[cfg(feature = "parquet")]
#[cfg(test)]
mod tests;

use self::about::{About, CLASSES, is_ours};
use self::options::PART;
use self::part::Part;
use self::sample::{Packer, Sample};
use self::shards::{Cut, Samples, write_all};
use super::OutputFolder;
use super::read::Listing;
use crate::data::{ContentHash, Entry, Resizer};
use crate::pipeline::begin::begin_run;
use crate::pipeline::claim::Holding;
use crate::random::{Purpose, permutation};
use crate::run::{Observer, Share, Storage as _};

pub use check::check;
pub use error::PackError;
pub use options::{Container, PackForm, PackOptions, Packed};
pub use part::merge;

/// Packs the images of a listing, of which nothing is held out, into `out`; only a share of them, if one is named, which [`merge`] joins
/// with the others.
///
/// # Errors
/// [`PackError`] for an output that must not be touched, files that cannot be read, and when the observer stops the run.
pub fn pack(
    listing: &Listing,
    options: &PackOptions,
    share: Option<Share>,
    (out, force): (&OutputFolder, bool),
    observer: &dyn Observer,
) -> Result<Packed, PackError> {
    out.claim()?;
    let splits = [("train", &listing.train), ("val", &listing.val)];
    let mut source = String::new();
    let mut bytes = 0;
    for (split, entry) in splits.iter().flat_map(|(split, all)| all.iter().map(move |entry| (split, entry))) {
        let size = listing.tree.size(&entry.path).unwrap_or(0);
        bytes += size;
        source.push_str(&format!("{split}\t{}\t{}\t{size}\n", entry.path, entry.class));
    }
    let run = serde_json::json!({
        "options": {
            "command": "pack",
            "short_side": options.short_side,
            "format": match options.form {
                PackForm::AsIs => "as-is".to_owned(),
                PackForm::Encoded(format) => format.to_string(),
            },
            "container": options.container.extension(),
            "shard_bytes": options.shard_bytes,
            "shuffle": options.shuffle,
            "seed": options.seed,
        },
        "source": ContentHash::of(source.as_bytes()),
    });
    drop(source);
    let sure = if options.form == PackForm::AsIs { bytes / share.map_or(1, Share::of) as u64 } else { 0 };
    let mut own = run.clone();
    if let Some(share) = share {
        own["shard"] = serde_json::json!(share);
    }
    begin_run(out, &Holding::with(out, false, &is_ours)?, &own, force, (sure, sure), observer)?;
    out.write(CLASSES, &serde_json::to_vec_pretty(&listing.classes).map_err(PackError::json)?)?;

    let packer = Packer { tree: &*listing.tree, classes: &listing.classes, options };
    let packing = |(split, entries): (&'static str, &'_ Vec<Entry>)| {
        let mut order: Vec<u32> = if options.shuffle && split == "train" {
            permutation(options.seed, Purpose::Pack, 0, entries.len())
        } else {
            (0..entries.len() as u32).collect()
        };
        if let Some(share) = share {
            order = order[share.range(entries.len())].to_vec();
        }
        (split, order)
    };
    let orders = splits.map(packing);
    let all: Vec<(&str, Packing<'_>)> = orders
        .iter()
        .zip(splits)
        .filter(|(_, (_, entries))| !entries.is_empty())
        .map(|((split, order), (_, entries))| (*split, Packing { packer: &packer, entries, order }))
        .collect();
    let samples: Vec<(&str, &dyn Samples)> =
        all.iter().map(|(split, packing)| (*split, packing as &dyn Samples)).collect();
    let cut = Cut {
        classes: &listing.classes,
        // Shares are joined from tars, whatever comes of them.
        container: if share.is_some() { Container::WebDataset } else { options.container },
        shard_bytes: options.shard_bytes,
        on_error: options.on_error,
    };
    let mut written = write_all(cut, &samples, out, observer)?;
    if let Some(share) = share {
        written.done.left_out = written.problems.len() as u64;
        let part = Part::new(share, run, listing, options, written.splits);
        out.write(PART, &serde_json::to_vec_pretty(&part).map_err(PackError::json)?)?;
        return Ok(written.done);
    }
    written.problems.extend_from_slice(&listing.problems);
    let about = About {
        name: listing.tree.name(),
        classes: listing.classes.names().to_vec(),
        container: options.container,
        ignored: &listing.ignored,
    };
    about.finish(written, out, observer)
}

/// Images of a split that are made of a tree's files.
struct Packing<'a> {
    packer: &'a Packer<'a>,
    entries: &'a [Entry],
    order: &'a [u32],
}

impl Samples for Packing<'_> {
    fn len(&self) -> usize {
        self.order.len()
    }

    fn path(&self, at: usize) -> &str {
        &self.entries[self.order[at] as usize].path
    }

    fn sample(&self, at: usize, resizer: &mut Resizer) -> Result<Sample, PackError> {
        let place = self.order[at];
        Ok(self.packer.sample(&self.entries[place as usize], place, resizer)?)
    }
}
