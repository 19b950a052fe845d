//! The dataset card: a `README.md` in the form Hugging Face reads, to lie at the root of the output.

use std::fmt::Write as _;

use super::transform::MIN_SCALE;
use super::{IpcCounts, Manifest};
use crate::quantity;
use crate::words::visible;

/// The card of a compressed set whose images lie in `data/` beside it.
///
/// `name` is what the set is called, one line. `selection` is one sentence, without its full stop, that
/// ends "The source images were chosen ...", such as "as the easiest of each class by EL2N". Everything
/// else is taken from the manifest; its `files` are not needed yet.
pub fn card(manifest: &Manifest, name: &str, selection: &str) -> String {
    let Manifest { spec, counts, bytes, .. } = manifest;
    let mut out = String::new();
    let per_class = counts.composites.checked_div(counts.classes).unwrap_or(0);
    let tiles = spec.grid.tiles();
    front_matter(&mut out, manifest, name, per_class);

    let what = if tiles == 1 {
        "Every stored image is one whole source image, resized.".to_owned()
    } else {
        format!(
            "Every stored image is a composite: a grid of {} x {} (rows x columns) whole source images of one \
             class, each shrunk to its tile.",
            spec.grid.rows(),
            spec.grid.columns()
        )
    };
    paragraph(
        &mut out,
        &format!(
            "# {}\n\nA labelled image set, compressed: {} images of {} x {} px in {} classes ({per_class} per \
             class), made of {} out of {} source images. {what} The labels are hard ones, the class folders; no \
             soft label and no teacher is needed.",
            plain(&one_line(name)),
            counts.composites,
            spec.side,
            spec.side,
            counts.classes,
            counts.kept_sources,
            counts.source,
        ),
    );
    paragraph(
        &mut out,
        &format!(
            "| | images | bytes |\n|---|---:|---:|\n| source set | {} | {} |\n| chosen sources, as they were | \
             {} | {} |\n| this set | {} | {} |",
            counts.source,
            quantity::bytes_to_a_tenth(bytes.source),
            counts.kept_sources,
            quantity::bytes_to_a_tenth(bytes.kept_sources),
            counts.composites,
            quantity::bytes_to_a_tenth(bytes.out)
        ),
    );
    paragraph(
        &mut out,
        "A model trained on this set will, as a rule, be less accurate than one trained on all of the source set.",
    );

    let counted = match spec.ipc_counts {
        IpcCounts::Composites => "stored images",
        IpcCounts::Sources => "source images",
    };
    paragraph(
        &mut out,
        &format!(
            "## How it was made\n\nBy {} {}, which implements Prune, Combine, Augment of arXiv 2502.06434. The \
             source images were chosen {}. IPC {} counts {counted}; the seed was {}. Images were resized with an \
             antialiased {} filter (fit: {}) and stored as {}, without the metadata of their source files.",
            manifest.tool.name,
            manifest.tool.version,
            one_line(selection),
            spec.ipc,
            spec.seed,
            spec.filter,
            spec.fit,
            spec.format
        ),
    );
    paragraph(
        &mut out,
        "`data/metadata.jsonl` tells for every tile which source file it shows, its hash, score, rank and box. \
         `manifest.json` holds all options, the classes in the order of their numbers and the hash of every file.",
    );
    loading(&mut out, tiles, manifest.min_scale);
    paragraph(
        &mut out,
        "## Licence\n\nThe images are those of the source set, made smaller: its licence and terms of use hold for \
         them, and whoever shares this set must have the right to share those images. The program that made the set \
         adds no terms of its own.",
    );
    paragraph(
        &mut out,
        "## Citation\n\n```bibtex\n@article{xiao2025rethinking,\n  title   = {Rethinking Large-scale Dataset \
         Compression: Shifting Focus From Labels to Images},\n  author  = {Xiao, Lingao and Liu, Songhua and He, Yang \
         and Wang, Xinchao},\n  journal = {arXiv preprint arXiv:2502.06434},\n  year    = {2025}\n}\n```\n\nPlease \
         cite the source set too.",
    );
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn front_matter(out: &mut String, manifest: &Manifest, name: &str, per_class: u64) {
    let size = match manifest.counts.composites {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        100_000..1_000_000 => "100K<n<1M",
        _ => "1M<n<10M",
    };
    // A JSON string is a YAML string too, whatever the name holds.
    let name = serde_json::Value::from(visible(&one_line(name)).into_owned());
    let _infallible = write!(
        out,
        "---\npretty_name: {name}\nlicense: unknown\ntask_categories:\n- image-classification\n\
         size_categories:\n- {size}\ntags:\n- dataset-compression\n- dataset-pruning\n- ipc-{per_class}\n\
         configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/**\n---\n\n"
    );
}

fn loading(out: &mut String, tiles: u32, min_scale: Option<f64>) {
    paragraph(
        out,
        "## How to load it\n\n`data/` is a plain image folder. Run this where `tilepress_transform.py` lies:\n\n\
         ```python\nfrom torchvision import datasets, transforms\nfrom tilepress_transform import PatchExtract\n\n\
         train = datasets.ImageFolder(\"data\", transforms.Compose([\n    \
         PatchExtract.from_manifest(\"manifest.json\"),\n    transforms.RandomHorizontalFlip(),\n    \
         transforms.ToTensor(),\n    transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),\n]))\n```",
    );
    // The default of the transform.
    let r = min_scale.unwrap_or(MIN_SCALE);
    let text = if tiles == 1 {
        format!(
            "`PatchExtract` is then `RandomResizedCrop` with scale ({r}, 1). Its `r` sets the smallest crop."
        )
    } else {
        format!(
            "`PatchExtract` picks one tile at random each time an image is read and crops inside it only. Without \
             it, a plain `RandomResizedCrop` cuts across tiles and the set is misused. Its `r` sets the smallest \
             crop as a share of the tile ({r} here). Validate on whole images, as usual."
        )
    };
    paragraph(out, &text);
}

fn paragraph(out: &mut String, text: &str) {
    out.push_str(text);
    out.push_str("\n\n");
}

/// A text that is only text in Markdown: no tag, link, code or picture.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in visible(text).chars() {
        if matches!(character, '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '&' | '|' | '#') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::manifest::tests::manifest;
    use super::*;
    use crate::data::Grid;

    #[test]
    fn the_front_matter_is_what_hugging_face_reads() {
        let card = card(&manifest(), "Ants \"and\"\nbees: small", "at random");
        let mut parts = card.splitn(3, "---\n");
        assert_eq!(parts.next(), Some(""));
        assert_eq!(
            parts.next().unwrap(),
            "pretty_name: \"Ants \\\"and\\\" bees: small\"\nlicense: unknown\ntask_categories:\n\
             - image-classification\nsize_categories:\n- n<1K\ntags:\n- dataset-compression\n- dataset-pruning\n\
             - ipc-10\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/**\n"
        );
        assert!(parts.next().unwrap().starts_with("\n# Ants \"and\" bees: small\n\n"));
    }

    #[test]
    fn a_name_is_only_text_whatever_it_holds() {
        let name = "<script>x</script> [a](javascript:b) `c` | *d*\n# e\u{1b}\u{202e}: &lt;";
        let card = card(&manifest(), name, "at random");
        assert!(
            card.contains(
                "\n# \\<script\\>x\\</script\\> \\[a\\](javascript:b) \\`c\\` \\| \\*d\\* \\# e\\\\u{1b}\\\\u{202e}: \\&lt;\n"
            ),
            "{card}"
        );
        assert!(
            card.contains("\npretty_name: \"<script>x</script> [a](javascript:b) `c` | *d* # e\\\\u{1b}\\\\u{202e}: &lt;\"\n"),
            "{card}"
        );
        assert!(!card.contains(['\u{1b}', '\u{202e}']));
    }

    #[test]
    fn the_card_tells_what_the_set_is_and_whose_licence_holds() {
        let text = card(&manifest(), "set", "as the easiest of each class by EL2N");
        for part in [
            "20 images of 64 x 64 px in 2 classes (10 per class), made of 40 out of 900 source images",
            "a grid of 1 x 2 (rows x columns) whole source images",
            "chosen as the easiest of each class by EL2N.",
            "PatchExtract.from_manifest(\"manifest.json\")",
            "arXiv:2502.06434",
            "crop as a share of the tile (0.08 here)",
            "its licence and terms of use hold",
            "| this set | 20 | 160.0 kB |",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(text.ends_with("too.\n"));
    }

    #[test]
    fn a_set_of_whole_images_is_not_called_a_grid() {
        let mut manifest = manifest();
        manifest.spec.grid = Grid::WHOLE;
        let text = card(&manifest, "set", "at random");
        assert!(text.contains("one whole source image, resized") && !text.contains("tile at random"));
        assert!(!text.contains("a grid of"));
    }
}
