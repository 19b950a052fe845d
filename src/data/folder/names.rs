//! What the name of a folder says: a split, a mere container, or what goes with images.

/// Part of a data set that a folder's name says it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Train,
    Val,
    Test,
    /// More images, without labels or of no use here.
    Extra,
}

const WORDS: [(Role, &[&str]); 4] = [
    (Role::Train, &["train", "training", "trn", "trainval"]),
    (Role::Val, &["val", "valid", "validation", "validate", "vali", "dev"]),
    (Role::Test, &["test", "testing", "tst", "eval", "evaluation", "holdout"]),
    (
        Role::Extra,
        &[
            "extra",
            "pred",
            "predict",
            "prediction",
            "predictions",
            "unlabeled",
            "unlabelled",
            "unsup",
            "sample",
            "samples",
        ],
    ),
];

/// Words that say nothing beside another.
const FILLERS: [&str; 28] = [
    "archive",
    "bmp",
    "data",
    "dataset",
    "datasets",
    "dir",
    "directory",
    "files",
    "folder",
    "frames",
    "ilsvrc",
    "image",
    "images",
    "img",
    "imgs",
    "jpeg",
    "jpg",
    "photos",
    "pics",
    "pictures",
    "png",
    "raw",
    "seg",
    "set",
    "sets",
    "split",
    "splits",
    "webp",
];

/// Words for what goes with images and is none to learn from.
const COMPANIONS: [&str; 22] = [
    "annotation",
    "annotations",
    "annot",
    "attributes",
    "bbox",
    "bboxes",
    "depth",
    "docs",
    "groundtruth",
    "gt",
    "imagesets",
    "label",
    "labels",
    "mask",
    "masks",
    "meta",
    "metadata",
    "segmentation",
    "segmentations",
    "trimap",
    "trimaps",
    "xml",
];

/// Words for one of several portions of the same images.
const PORTIONS: [&str; 7] = ["part", "fold", "batch", "chunk", "shard", "split", "kfold"];

/// Split that a name is about, and what else the name says: nothing where it is but the split's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) role: Role,
    pub(super) stem: String,
}

/// The split of a folder's name, in any case: `train`, `Training`, `training_set`, `seg_train`, `train2017`, `trainImages`.
pub(super) fn split_of(name: &str) -> Option<Named> {
    let (mut roles, mut stem) = (Vec::new(), Vec::new());
    for word in words(name) {
        match role_of(&word) {
            Some(role) => roles.push(role),
            None if !is_filler(&word) => stem.push(word),
            None => {}
        }
    }
    roles.sort_unstable();
    roles.dedup();
    let role = match roles[..] {
        [role] => role,
        [Role::Train, Role::Val] => Role::Train,
        [.., Role::Extra] => Role::Extra,
        _ => return None,
    };
    Some(Named { role, stem: stem.join(" ") })
}

/// The split that a file or folder is about by its name, whatever else that says: `train` of `imagenet1k-train-0000`, `val` of
/// `validation-00000-of-00014`, `test`; `None` where it names none, or several.
pub fn split_name(name: &str) -> Option<&'static str> {
    match split_of(name)?.role {
        Role::Train => Some("train"),
        Role::Val => Some("val"),
        Role::Test => Some("test"),
        Role::Extra => None,
    }
}

/// `true` for the name of a folder that merely holds others: `images`, `data`.
pub(super) fn is_container(name: &str) -> bool {
    let words = words(name);
    words.iter().all(|word| is_filler(word)) && words.iter().any(|word| FILLERS.contains(&word.as_str()))
}

/// `true` for the name of a folder with masks, annotations and the like.
pub(super) fn is_companion(name: &str) -> bool {
    let is = |word: &String| COMPANIONS.contains(&word.as_str());
    let words = words(name);
    words.iter().any(is) && words.iter().all(|word| is(word) || is_filler(word))
}

/// `true` for the name of a folder of images to measure on.
pub(super) fn holds_validation(name: &str) -> bool {
    split_of(name).is_some_and(|named| named.role == Role::Val && named.stem.is_empty())
}

/// `true` for the name of a folder that often lies beside class folders and is none.
pub(super) fn is_beside_classes(name: &str) -> bool {
    is_companion(name) || is_container(name) || split_of(name).is_some()
}

/// `true` for a numbered portion: `fold1`, `images_part_2`.
pub(super) fn is_portion(name: &str) -> bool {
    let words = words(name);
    words.iter().any(|word| PORTIONS.contains(&word.as_str()))
        && words.iter().any(|word| word.bytes().all(|byte| byte.is_ascii_digit()))
}

fn role_of(word: &str) -> Option<Role> {
    let says =
        |known: &str| word.strip_prefix(known).is_some_and(|rest| rest.is_empty() || FILLERS.contains(&rest));
    WORDS.iter().find(|(_, words)| words.iter().any(|known| says(known))).map(|(role, _)| *role)
}

fn is_filler(word: &str) -> bool {
    FILLERS.contains(&word) || word.bytes().all(|byte| byte.is_ascii_digit())
}

/// The words of a name in lower case: parted at anything else, at digits, and where a capital follows a small letter.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for letter in name.chars() {
        let goes_on = letter.is_alphanumeric()
            && before.is_alphanumeric()
            && letter.is_numeric() == before.is_numeric()
            && !(before.is_lowercase() && letter.is_uppercase());
        match words.last_mut() {
            Some(word) if goes_on => word.extend(letter.to_lowercase()),
            _ if letter.is_alphanumeric() => words.push(letter.to_lowercase().collect()),
            _ => {}
        }
        before = letter;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_is_known_by_the_names_that_people_give_it() {
        for (role, names) in [
            (
                Role::Train,
                "train Train TRAIN training training_set seg_train train2017 train_images trainSet Train-Data trainset ILSVRC2012_img_train train_val",
            ),
            (Role::Val, "val Val valid validation validation_set val2017 VALIDATION seg_val valset dev"),
            (Role::Test, "test Test testing test_set seg_test test1 testSet evaluation"),
            (Role::Extra, "seg_pred samples extra trainingSample test_unlabeled"),
        ] {
            for name in names.split(' ') {
                assert_eq!(split_of(name), Some(Named { role, stem: String::new() }), "{name}");
            }
        }
        assert_eq!(split_of("asl_alphabet_test").map(|named| named.stem).as_deref(), Some("asl alphabet"));
        for name in
            ["trainer", "valley", "testament", "cat", "2017", "device", "images", "contest", "interval"]
        {
            assert_eq!(split_of(name), None, "{name}");
        }
    }

    #[test]
    fn containers_and_companions_are_no_classes() {
        assert!(["images", "Images", "raw-img", "data", "img_2017"].into_iter().all(is_container));
        assert!(!["2750", "0", "cat", "image_of_cat", ""].into_iter().any(is_container));
        assert!(["Annotation", "masks", "labels", "mask_images", "Meta"].into_iter().all(is_companion));
        assert!(!["with_mask", "labelled cat", "images"].into_iter().any(is_companion));
        assert!(is_portion("fold_1") && is_portion("HAM10000_images_part_2") && !is_portion("class1"));
    }
}
