//! Choosing with an eye on copies: the images that [`select`] takes, and those that a person should look at.

use super::{
    Copies, Findings, PruneError, PruneRequest, Selection, duplicates_to_leave_out, preference, select,
};
use crate::score::Suspect;

/// The chosen images, and the findings among them that a person should look at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chosen {
    /// The images.
    pub selection: Selection,
    /// Copies and suspects among them.
    pub findings: Findings,
}

/// Chooses the images of a request. With `dedup`, copies are left out beforehand, in place of what the request
/// leaves out.
///
/// # Errors
/// The errors of [`select`].
///
/// # Panics
/// When a copy or a suspect is none of the request's samples.
pub fn choose(
    request: &PruneRequest<'_>,
    copies: &Copies,
    dedup: bool,
    suspects: &[Suspect],
) -> Result<Chosen, PruneError> {
    let mut shared = vec![false; request.samples.len()];
    for found in &copies.shared {
        shared[found.train as usize] = true;
    }
    let left_out = if dedup {
        duplicates_to_leave_out(&copies.groups, &shared, &preference(request)?)
    } else {
        request.leave_out.to_vec()
    };
    let selection = select(&PruneRequest { leave_out: &left_out, ..*request })?;
    let findings = Findings::among(&selection, request.samples, request.classes, copies, suspects, &left_out);
    Ok(Chosen { selection, findings })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{ClassMap, ContentHash, Look, Sample};
    use crate::prune::SharedCopy;
    use crate::prune::{Fill, Rule};

    #[test]
    fn copies_are_named_and_left_out_only_where_that_is_asked() {
        let classes = ClassMap::new(["a".to_owned(), "b".to_owned()]);
        let sample = |i: u32, content: &[u8]| Sample {
            path: format!("train/{}/{i}.png", classes.name(i % 2)),
            class: i % 2,
            hash: ContentHash::of(content),
        };
        let train: Vec<Sample> = (0..8).map(|i| sample(i, &[i as u8])).collect();
        // Image 1 is in the validation split too, 0 and 2 look alike.
        let val = [sample(1, &[1])];
        let looks = [0, 0xF0F0, 1, 0xFF_FF00, u64::MAX, 0xF0F0_0000_0000, 0xFF00_FF00_FF00, 0xABCD_EF01_2345]
            .map(|hash| Look::from_parts(hash, [100; 64]));
        let copies = Copies::find(&looks, &train, &[Look::from_parts(7, [200; 64])], &val);
        assert_eq!(copies.groups, [[0, 2]]);
        let file = SharedCopy { train: 1, val: "train/b/1.png".to_owned(), same_file: true, distance: 0 };
        assert_eq!(copies.shared, [file]);
        let scores: Vec<f64> = (0..8).map(f64::from).collect();
        let request = PruneRequest {
            samples: &train,
            classes: &classes,
            scores: Some(&scores),
            per_class: 2,
            composites: 2,
            rule: Rule::Easy,
            fill: Fill::Error,
            seed: 0,
            leave_out: &[],
        };
        let kept = |dedup| -> Vec<u32> {
            let chosen = choose(&request, &copies, dedup, &[]).expect("classes are large enough");
            chosen.selection.picks.iter().map(|pick| pick.sample).collect()
        };
        assert_eq!(kept(false), [0, 2, 1, 3]);
        assert_eq!(kept(true), [0, 4, 3, 5]);
    }

    #[test]
    fn a_validation_image_in_another_encoding_is_found_and_left_out() {
        let classes = ClassMap::new(["a".to_owned(), "b".to_owned()]);
        let sample = |split: &str, i: u32| Sample {
            path: format!("{split}/{}/{i}.jpg", classes.name(i % 2)),
            class: i % 2,
            hash: ContentHash::of(format!("{split} {i}").as_bytes()),
        };
        let train: Vec<Sample> = (0..6).map(|i| sample("train", i)).collect();
        let val: Vec<Sample> = (0..3).map(|i| sample("val", i)).collect();
        let look = |hash, level| Look::from_parts(hash, std::array::from_fn(|i| level + 2 * i as u8));
        let looks = Vec::from_iter((0..6).map(|i| look(0xFF << (8 * i), 20 * i as u8)));
        // The second is a copy of training image 3, with noise; the third has its hash and is another picture.
        let val_looks =
            [look(0x1234_5678_9ABC_DEF0, 0), look((0xFF << 24) ^ 0b11, 61), look(0xFF << 24, 100)];
        let copies = Copies::find(&looks, &train, &val_looks, &val);
        let like = SharedCopy { train: 3, val: "val/b/1.jpg".to_owned(), same_file: false, distance: 2 };
        assert_eq!(copies.shared, [like]);
        let scores = [0.0, 0.0, 1.0, 1.0, 2.0, 2.0];
        let request = PruneRequest {
            samples: &train,
            classes: &classes,
            scores: Some(&scores),
            per_class: 2,
            composites: 2,
            rule: Rule::Easy,
            fill: Fill::Error,
            seed: 0,
            leave_out: &[],
        };
        let found = choose(&request, &copies, false, &[]).expect("three of each").findings.shared_with_val;
        assert_eq!((found.len(), found[0].image.path.as_str()), (1, "train/b/3.jpg"));
        assert_eq!((found[0].val.as_str(), found[0].same_file, found[0].distance), ("val/b/1.jpg", false, 2));
        let without = choose(&request, &copies, true, &[]).expect("two of each are left");
        assert!(without.findings.shared_with_val.is_empty());
        assert_eq!(Vec::from_iter(without.selection.picks.iter().map(|pick| pick.sample)), [0, 2, 1, 5]);
        // Without looks, files are compared.
        assert_eq!(Copies::find(&[], &train, &val_looks, &val), Copies::default());
    }
}
