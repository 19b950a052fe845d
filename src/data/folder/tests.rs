//! Trees as people have them.

use proptest::prelude::*;

use super::*;

fn folder(paths: &[&str]) -> Result<Folder, DataError> {
    Folder::from_paths(paths.iter().map(|&path| path.to_owned()))
}

fn paths(entries: &[Entry]) -> Vec<(&str, u32)> {
    entries.iter().map(|entry| (entry.path.as_str(), entry.class)).collect()
}

fn message(paths: &[&str]) -> String {
    folder(paths).unwrap_err().to_string()
}

#[test]
fn the_first_folder_is_the_class_however_deep_a_file_lies() {
    let tree = folder(&["dog/b.jpg", "cat/x/y/c.png", "dog/a", "cat/a.JPEG"]).unwrap();
    assert_eq!(tree.classes.names(), ["cat", "dog"]);
    assert_eq!(paths(&tree.train), [("cat/a.JPEG", 0), ("cat/x/y/c.png", 0), ("dog/a", 1), ("dog/b.jpg", 1)]);
    assert_eq!((tree.val, tree.ignored), (None, vec![]));
}

#[test]
fn splits_are_read_where_train_holds_class_folders() {
    let tree = folder(&[
        "train/cat/a.jpg",
        "train/dog/b.jpg",
        "train/cow/deep/e.jpg",
        "val/dog/c.jpg",
        "test/dog/d.jpg",
        "train/loose.jpg",
        "val/loose.jpg",
        "preview.png",
        "extra/dog/f.jpg",
    ])
    .unwrap();
    assert_eq!(tree.classes.names(), ["cat", "cow", "dog"]);
    assert_eq!(
        paths(&tree.train),
        [("train/cat/a.jpg", 0), ("train/cow/deep/e.jpg", 1), ("train/dog/b.jpg", 2)]
    );
    assert_eq!(paths(&tree.val.unwrap()), [("val/dog/c.jpg", 2)]);
    let ignored: Vec<_> = tree.ignored.iter().map(|i| (i.path.as_str(), i.reason.as_str())).collect();
    assert_eq!(
        ignored,
        [
            ("extra/dog/f.jpg", "in extra/: only train/ and val/ are read"),
            ("preview.png", "not in train/ or val/"),
            ("test/dog/d.jpg", "in test/: only train/ and val/ are read"),
            ("train/loose.jpg", "directly in train/, not in a class folder"),
            ("val/loose.jpg", "directly in val/, not in a class folder"),
        ]
    );
}

#[test]
fn what_is_no_image_by_its_name_is_left_out_with_a_reason() {
    let tree = folder(&[
        "a/1.jpg",
        "b/1.tif",
        "b/2",
        "a/.hidden.jpg",
        ".cache/1.jpg",
        "__MACOSX/a/1.jpg",
        "a/Thumbs.db",
        "a/labels.CSV",
        "readme.md",
        "loose.jpg",
    ])
    .unwrap();
    assert_eq!(paths(&tree.train), [("a/1.jpg", 0), ("b/1.tif", 1), ("b/2", 1)]);
    let reasons: Vec<_> = tree.ignored.iter().map(|i| i.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "hidden",
            "hidden",
            "hidden",
            "left by the operating system",
            "not an image (.csv)",
            "not in a class folder",
            "not an image (.md)",
        ]
    );
}

#[test]
fn a_split_is_held_out_only_where_there_is_none() {
    let tree = folder(&["a/1", "a/2", "a/3", "b/1", "b/2"]).unwrap();
    let split = tree.clone().hold_out(0.4, 7);
    let val = split.val.unwrap();
    assert_eq!((split.train.len(), val.len()), (3, 2));
    assert!(tree.train.iter().all(|entry| split.train.contains(entry) != val.contains(entry)));
    let given = folder(&["train/a/1", "train/a/2", "train/b/1", "val/b/2"]).unwrap();
    assert_eq!(given.clone().hold_out(0.4, 7), given);
}

#[test]
fn a_class_may_be_called_train() {
    // As in CIFAR-100, where trains are a class.
    let tree = folder(&["train/1.png", "tank/1.png"]).unwrap();
    assert_eq!(tree.classes.names(), ["tank", "train"]);
}

#[test]
fn a_tree_without_enough_classes_is_refused_by_name() {
    assert!(message(&[]).starts_with("no class found among 0 files"));
    assert!(message(&["a.jpg", "b.jpg"]).contains("among 2 files"));
    assert!(message(&["cat/a.jpg", "dog/notes.txt"]).starts_with("'cat' is the only class"));
    assert!(message(&["train/cat/a.jpg"]).starts_with("'cat' is the only class"));
}

#[test]
fn splits_that_hold_no_classes_are_not_taken_for_classes() {
    let text = message(&["train/a.jpg", "val/b.jpg"]);
    assert!(text.starts_with("'train', 'val' look like splits"), "{text}");
    let text = message(&["Train/a.jpg", "Test/cat/b.jpg"]);
    assert!(text.starts_with("'Test', 'Train' look like splits"), "{text}");
    let text = message(&["train/cat/a.jpg", "train/dog/b.jpg", "val/1.jpg", "val/2.jpg"]);
    assert!(text.starts_with("val/ holds 2 images but no class folders"), "{text}");
}

#[test]
fn classes_beside_a_split_are_an_error_because_either_reading_drops_images() {
    let text = message(&["train/steam/1.png", "train/diesel/1.png", "tank/1.png"]);
    assert!(text.contains("'tank' beside it"), "{text}");
}

#[test]
fn a_class_only_val_knows_is_an_error_that_names_it() {
    let text = message(&["train/cat/a.jpg", "train/dog/b.jpg", "val/cats/c.jpg", "val/dog/d.jpg"]);
    assert!(text.starts_with("val/ holds 'cats', which train/ lacks"), "{text}");
}

proptest! {
    #[test]
    fn no_file_is_lost_and_the_order_of_the_paths_does_not_matter(
        paths in proptest::collection::vec("(train/|val/|)([ab]|train)/[.a-c]{1,2}(/d)?(\\.(jpg|txt))?", 0..30),
    ) {
        let forward = Folder::from_paths(paths.clone());
        let backward = Folder::from_paths(paths.iter().rev().cloned());
        match (forward, backward) {
            (Ok(a), Ok(b)) => {
                let distinct = paths.iter().collect::<BTreeSet<_>>().len();
                prop_assert_eq!(a.train.len() + a.val.iter().flatten().count() + a.ignored.len(), distinct);
                prop_assert!(a.train.is_sorted_by(|x, y| x.path < y.path));
                prop_assert_eq!(a, b);
            }
            (Err(a), Err(b)) => prop_assert_eq!(a.to_string(), b.to_string()),
            (a, b) => prop_assert!(false, "{:?} and {:?}", a, b),
        }
    }
}

/// Files of a tree: each name with `*` gets the classes in its place, and each class two files.
fn tree(patterns: &[&str], classes: &[&str]) -> Vec<String> {
    let files = |pattern: &&str| -> Vec<String> {
        let names = if pattern.contains('*') { classes } else { &[""][..] };
        names
            .iter()
            .flat_map(|class| [1, 2].map(|i| format!("{}/{i}.jpg", pattern.replace('*', class))))
            .collect()
    };
    patterns.iter().flat_map(files).collect()
}

#[test]
fn popular_trees_are_read_as_they_are_meant_and_what_was_guessed_is_said() {
    // The files, the folder to learn from, the one to measure on, and a word of what must be said, if anything.
    let cases: [(&[&str], &str, Option<&str>, &str); 22] = [
        (
            &["seg_train/seg_train/*", "seg_test/seg_test/*", "seg_pred/seg_pred"],
            "seg_train/seg_train",
            Some("seg_test/seg_test"),
            "seg_pred/ is left out",
        ),
        (&["train/*", "valid/*", "test/*"], "train", Some("valid"), "valid/ is read as the validation split"),
        (&["train/*", "validation/*"], "train", Some("validation"), "validation/"),
        (&["train/*", "Val/*", "test/*"], "train", Some("Val"), "Val/ as the validation split"),
        (
            &["training_set/training_set/*", "test_set/test_set/*"],
            "training_set/training_set",
            Some("test_set/test_set"),
            "no other split",
        ),
        (&["Training/*", "Testing/*", "samples"], "Training", Some("Testing"), "samples/"),
        (
            &["train2017/*", "val2017/*"],
            "train2017",
            Some("val2017"),
            "train2017/ is read as the training split",
        ),
        (&["TRAIN/*", "TEST/*"], "TRAIN", Some("TEST"), "TEST/ is measured on"),
        (
            &["imagenette2/train/*", "imagenette2/val/*"],
            "imagenette2/train",
            Some("imagenette2/val"),
            "imagenette2",
        ),
        (&["CUB/images/*", "CUB/segmentations/*"], "CUB/images", None, "CUB/images"),
        (&["101_ObjectCategories/*"], "101_ObjectCategories", None, "101_ObjectCategories"),
        (&["food-101/images/*"], "food-101/images", None, "food-101/images"),
        (&["2750/*"], "2750", None, "2750"),
        (&["Images/*", "Annotation/*"], "Images", None, "Images/"),
        (&["PetImages/*"], "PetImages", None, "PetImages/"),
        (
            &["archive/dataset/train/*", "archive/dataset/test/*"],
            "archive/dataset/train",
            Some("archive/dataset/test"),
            "measured on",
        ),
        (
            &["chest_xray/chest_xray/train/*", "chest_xray/test/*", "chest_xray/train/*", "chest_xray/val/*"],
            "chest_xray/train",
            Some("chest_xray/val"),
            "chest_xray/chest_xray/ is left out",
        ),
        (
            &["asl_alphabet_train/asl_alphabet_train/*", "asl_alphabet_test/asl_alphabet_test"],
            "asl_alphabet_train/asl_alphabet_train",
            None,
            "no class folders",
        ),
        (&["*/train", "*/val"], "", Some("val"), "within the class folders"),
        (&["*", "val/*"], "", Some("val"), "the same classes"),
        (&["*/images", "*/masks"], "", None, "left out"),
        (
            &["trainingSet/trainingSet/*", "testSet/testSet", "trainingSample/trainingSample/*"],
            "trainingSet/trainingSet",
            None,
            "testSet",
        ),
    ];
    for (patterns, train, val, said) in cases {
        let folder = Folder::from_paths(tree(patterns, &["cat", "cow", "dog"]))
            .unwrap_or_else(|why| panic!("{patterns:?}: {why}"));
        assert_eq!(folder.classes.names(), ["cat", "cow", "dog"], "{patterns:?}");
        assert_eq!(
            (folder.layout.train.as_str(), folder.layout.val.as_deref()),
            (train, val),
            "{patterns:?}"
        );
        assert_eq!(folder.train.len(), 6, "{patterns:?}");
        assert_eq!(folder.val.as_ref().map(Vec::len), val.map(|_| 6), "{patterns:?}");
        let text = [&folder.notes[..], &folder.warnings[..]].concat().join("; ");
        assert!(text.contains(said), "{patterns:?}: {text}");
    }
    // The usual names need no word.
    let usual = Folder::from_paths(tree(&["train/*", "val/*"], &["cat", "dog"])).unwrap();
    assert_eq!((usual.notes, usual.warnings), (vec![], vec![]));
}

#[test]
fn trees_with_two_readings_are_refused_with_both() {
    for (patterns, words) in [
        (&["color/*", "grayscale/*", "segmented/*"][..], "versions of one set"),
        (&["fold1/*", "fold2/*"], "portions"),
        (&["*", "flowers/*"], "second copy"),
        (&["*", "test"], "'test' lies beside class folders"),
        (&["*", "val"], "'val' lies beside class folders"),
        (&["train/*", "training/*", "val/*"], "both look like the training split"),
        (&["train/*", "val/*", "valid/*"], "both look like images to measure on"),
        (&["*/train", "*/val", "bird"], "has no train/"),
        (&["train/session1", "tank/session1", "bus/session1"], "beside it"),
        (&["train/images", "valid/images"], "valid/ holds 2 images but no class folders"),
        (&["train/*/images", "val/images"], "val/ holds 2 images but no class folders"),
        (&["images", "labels"], "not sorted into classes"),
        (&["images"], "not sorted into classes"),
    ] {
        let error = Folder::from_paths(tree(patterns, &["cat", "cow", "dog"])).map(|folder| folder.layout);
        let text = error.expect_err(&format!("{patterns:?}")).to_string();
        assert!(text.contains(words), "{patterns:?}: {text}");
    }
}

#[test]
fn a_test_split_is_left_out_where_a_share_to_hold_out_was_named() {
    let folder = Folder::from_paths(tree(&["train/*", "test/*"], &["cat", "dog"])).unwrap();
    assert!(folder.layout.val_is_test && folder.warnings[0].contains("measured on"));
    let folder = folder.without_test_split();
    assert_eq!((&folder.val, folder.ignored.len(), folder.warnings.len()), (&None, 4, 0));
    let given = Folder::from_paths(tree(&["train/*", "val/*"], &["cat", "dog"])).unwrap();
    assert_eq!(given.clone().without_test_split(), given);
}

#[test]
fn class_folders_without_images_are_named() {
    let paths = [tree(&["train/*", "val/*"], &["a", "b"]), vec!["train/d/notes.txt".to_owned()]].concat();
    let folder = Folder::from_tree(paths, ["train/c", "val/c", "train/@eaDir"].map(str::to_owned)).unwrap();
    assert!(
        folder.warnings[0].starts_with("'train/c', 'train/d', 'val/c' without any image are no class"),
        "{:?}",
        folder.warnings
    );
    let folder = Folder::from_tree(tree(&["train/*"], &["a", "b"]), ["val".to_owned()]).unwrap();
    assert!(folder.warnings[0].starts_with("'val' holds no images"), "{:?}", folder.warnings);
    // The folder of a class is no wrapper where one for another class lies beside it.
    let text = Folder::from_tree(tree(&["cat/*"], &["x", "y"]), ["dog".to_owned()]).unwrap_err().to_string();
    assert!(text.contains("'cat' is the only class ('dog' without any image)"), "{text}");
}

#[test]
fn names_that_look_alike_are_joined_across_splits_and_warned_of_within_one() {
    let (nfc, nfd) = ("Caf\u{e9}", "Cafe\u{301}");
    let paths = |train: &[&str], val: &[&str]| [tree(&["train/*"], train), tree(&["val/*"], val)].concat();
    let folder = Folder::from_paths(paths(&[nfc, "dog"], &[nfd, "Dog"])).unwrap();
    assert_eq!(
        folder.val.unwrap().iter().map(|entry| entry.class).collect::<Vec<_>>(),
        [0, 0, 1, 1].map(|c| c)
    );
    assert!(folder.notes.iter().any(|note| note.contains("another Unicode form")), "{:?}", folder.notes);
    let folder = Folder::from_paths(tree(&["*"], &[nfc, nfd, "dog"])).unwrap();
    assert!(
        folder.warnings[0].contains("U+00E9") && folder.warnings[0].contains("U+0301"),
        "{:?}",
        folder.warnings
    );
    let folder = Folder::from_paths(tree(&["*"], &["Cat", "cat", "dog"])).unwrap();
    assert!(folder.warnings[0].contains("'Cat' and 'cat'"), "{:?}", folder.warnings);
    // Which of two is meant is not plain.
    let text = Folder::from_paths(paths(&["Cat", "cat"], &["CAT", "cat"])).unwrap_err().to_string();
    assert!(text.contains("'CAT' (beside 'Cat', the same but for capital letters)"), "{text}");
}

proptest! {
    #[test]
    fn wrapping_a_tree_or_adding_junk_changes_nothing_and_no_file_is_in_both_splits(
        paths in proptest::collection::btree_set("(train|val|test)?/?[ab]/[a-c]{1,2}\\.jpg", 4..30),
        wrapper in "(photos|archive/dataset|PetImages|data)",
        junk in "(@eaDir|#recycle|lost\\+found|a/\\._x|__MACOSX/a)",
    ) {
        let plain = Folder::from_paths(paths.iter().cloned());
        let wrapped = Folder::from_paths(paths.iter().map(|path| format!("{wrapper}/{path}")));
        let littered = Folder::from_paths(paths.iter().cloned().chain([format!("{junk}/1.jpg")]));
        let Ok(plain) = plain else { return Ok(()) };
        let (wrapped, littered) = (wrapped.unwrap(), littered.unwrap());
        let bare = |entries: &[Entry]| -> Vec<(String, u32)> {
            let bare = |entry: &Entry| (entry.path.replacen(&format!("{wrapper}/"), "", 1), entry.class);
            entries.iter().map(bare).collect()
        };
        prop_assert_eq!(bare(&wrapped.train), bare(&plain.train));
        prop_assert_eq!(wrapped.val.as_deref().map(bare), plain.val.as_deref().map(bare));
        prop_assert_eq!((&littered.train, &littered.val), (&plain.train, &plain.val));
        let train: BTreeSet<&str> = plain.train.iter().map(|entry| entry.path.as_str()).collect();
        prop_assert!(plain.val.iter().flatten().all(|entry| !train.contains(entry.path.as_str())));
        prop_assert!(plain.train.iter().all(|entry| !entry.path.starts_with("val/") && !entry.path.starts_with("test/")));
    }
}
