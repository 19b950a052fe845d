//! All forms present the same files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Opened, open};
use crate::data::Folder;

type Files<'a> = [(&'a str, &'a [u8])];

/// A tar as GNU's program and Python write it.
fn tar(files: &Files<'_>) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

/// A tar of one entry whose name, type and link are what they are, with a good checksum.
fn raw(name: &[u8], kind: u8, link: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    let block = header.as_mut_bytes();
    block[..name.len()].copy_from_slice(name);
    block[156] = kind;
    block[157..157 + link.len()].copy_from_slice(link);
    header.set_cksum();
    let mut all = header.as_bytes().to_vec();
    all.extend(bytes);
    all.resize(all.len().next_multiple_of(512), 0);
    all
}

const END: [u8; 1024] = [0; 1024];

struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn all(&self, files: &Files<'_>) {
        files.iter().for_each(|(name, bytes)| drop(self.write(name, bytes)));
    }
}

/// The files of a source, with their bytes, and what is left out.
fn read(path: &Path) -> (BTreeMap<String, Vec<u8>>, Vec<String>) {
    let Opened { tree, .. } = open(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let scan = tree.scan().unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    assert!(scan.paths.is_sorted());
    let bytes = |path: &String| {
        let bytes = tree.read(path, 1 << 20).unwrap();
        assert_eq!(tree.size(path), Some(bytes.len() as u64));
        (path.clone(), bytes)
    };
    let problems =
        scan.problems.iter().map(|problem| format!("{}: {}", problem.path, problem.reason)).collect();
    (scan.paths.iter().map(bytes).collect(), problems)
}

fn names(path: &Path) -> String {
    read(path).0.into_keys().collect::<Vec<_>>().join(" ")
}

fn error(path: &Path) -> String {
    let failed = open(path).and_then(|opened| opened.tree.scan());
    failed.err().unwrap_or_else(|| panic!("{} can be read", path.display())).to_string()
}

fn taken_for(path: &Path) -> String {
    open(path).unwrap().taken_for.unwrap_or_default()
}

const LONG: &str =
    "a-folder-whose-name-is-so-long-that-no-header-of-a-plain-tar-has-room-for-it-and-then-for-the-file";

#[test]
fn a_tar_of_a_folder_holds_the_files_of_the_folder() {
    let deep = format!("train/{LONG}/{LONG}/1.jpg");
    let files: Vec<(&str, &[u8])> = vec![
        ("train/cat/1.jpg", b"one"),
        ("train/cat/2.jpg", &[7; 1025]),
        ("train/dog/empty.jpg", b""),
        (&deep, b"deep"),
        ("val/cat/\u{e9}.jpg", b"e"),
    ];
    let root = Root::new();
    files.iter().for_each(|(name, bytes)| drop(root.write(&format!("folder/{name}"), bytes)));
    let dotted: Vec<(String, &[u8])> =
        files.iter().map(|(name, bytes)| (format!("./{name}"), *bytes)).collect();
    let dotted: Vec<(&str, &[u8])> = dotted.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    let mut pax = tar::Builder::new(Vec::new());
    for (name, bytes) in &files {
        let mut header = tar::Header::new_ustar();
        header.set_path("cut-off").unwrap();
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        pax.append_pax_extensions([("path", name.as_bytes())]).unwrap();
        pax.append(&header, *bytes).unwrap();
    }
    let plain = read(&root.path("folder"));
    assert_eq!(plain.0.len(), 5);
    for (name, bytes) in
        [("gnu.tar", tar(&files)), ("dotted.tar", tar(&dotted)), ("pax.tar", pax.into_inner().unwrap())]
    {
        let path = root.write(name, bytes);
        assert_eq!(read(&path), plain, "{name}");
        assert_eq!(taken_for(&path), "a tar of images, read in place");
    }
    // By its content, whatever its name is.
    assert_eq!(read(&root.write("unnamed", tar(&files))), plain);
    let opened = open(&root.path("gnu.tar")).unwrap().tree;
    assert_eq!(opened.name(), "gnu");
    assert_eq!(opened.place("").as_os_str(), root.path("gnu.tar").as_os_str());
    assert_eq!(opened.place("val/cat/\u{e9}.jpg"), root.path("gnu.tar/val/cat/\u{e9}.jpg"));
    assert_eq!(opened.read("train/cat/2.jpg", 1024).unwrap_err().kind(), std::io::ErrorKind::FileTooLarge);
    assert_eq!(opened.read("train/cat/3.jpg", 1024).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn links_and_names_that_leave_a_tar_are_never_followed() {
    let root = Root::new();
    let mut bytes = tar(&[("cat/1.jpg", b"one"), ("cat/1.jpg", b"later"), ("dog/1.jpg", b"dog")]);
    bytes.truncate(bytes.len() - 1024);
    bytes.extend(raw(b"cat/hard.jpg", b'1', b"dog/1.jpg", b""));
    bytes.extend(raw(b"cat/twice.jpg", b'1', b"cat/hard.jpg", b""));
    bytes.extend(raw(b"cat/lost.jpg", b'1', b"dog/9.jpg", b""));
    bytes.extend(raw(b"cat/soft.jpg", b'2', b"/etc/passwd", b""));
    bytes.extend(raw(b"../up.jpg", b'0', b"", b"up"));
    bytes.extend(raw(b"/root.jpg", b'0', b"", b"root"));
    bytes.extend(raw(b"a/../../b.jpg", b'0', b"", b"b"));
    bytes.extend(raw(b"cat/\xff.jpg", b'0', b"", b"?"));
    bytes.extend(raw(b"cat/pipe.jpg", b'6', b"", b""));
    bytes.extend(raw(b"none/", b'5', b"", b""));
    bytes.extend(raw(b"none/deep/", b'5', b"", b""));
    bytes.extend(raw(b"dog/", b'5', b"", b""));
    bytes.extend(END);
    let path = root.write("a.tar", bytes);
    let (files, problems) = read(&path);
    let shown: Vec<String> =
        files.iter().map(|(name, bytes)| format!("{name}={}", String::from_utf8_lossy(bytes))).collect();
    assert_eq!(shown, ["cat/1.jpg=later", "cat/hard.jpg=dog", "cat/twice.jpg=dog", "dog/1.jpg=dog"]);
    let named: Vec<&str> = problems.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
    assert_eq!(
        named,
        [
            "../up.jpg",
            "/root.jpg",
            "a/../../b.jpg",
            "cat/\\xff.jpg",
            "cat/lost.jpg",
            "cat/pipe.jpg",
            "cat/soft.jpg"
        ]
    );
    assert_eq!(open(&path).unwrap().tree.scan().unwrap().empty, ["none"]);
}

#[test]
fn an_archive_that_is_cut_off_anywhere_is_refused_and_never_short() {
    let root = Root::new();
    let inner = tar(&[("1.jpg", b"one"), ("2.jpg", &[5; 600])]);
    let whole = tar(&[("n01.tar", &inner), ("n02.tar", &inner)]);
    let path = root.write("a.tar", &whole);
    assert_eq!(names(&path), "n01/1.jpg n01/2.jpg n02/1.jpg n02/2.jpg");
    for len in (0..whole.len() - 1024 + 511).step_by(73).chain([512, 1024, whole.len() - 1024]) {
        fs::write(&path, &whole[..len]).unwrap();
        let text = error(&path);
        assert!(
            text.contains("a.tar") && (text.contains("cut off") || text.contains("damaged")),
            "{len}: {text}"
        );
    }
    // The inner one alone.
    for len in [0, 100, 512, 1024, 2000, inner.len() - 1024] {
        fs::write(&path, tar(&[("n01.tar", &inner), ("n02.tar", &inner[..len])])).unwrap();
        let text = error(&path);
        assert!(text.contains("n02.tar' in '") && text.contains("a.tar"), "{len}: {text}");
    }
    // A header that is damaged.
    let mut damaged = whole.clone();
    damaged[2] ^= 1;
    fs::write(&path, damaged).unwrap();
    assert!(error(&path).contains("damaged, or no tar"), "{}", error(&path));
}

#[test]
fn what_cannot_be_read_in_place_is_refused_with_what_to_do() {
    let root = Root::new();
    for (name, start, word) in [
        ("a.tar.gz", &b"\x1f\x8b\x08"[..], "gunzip"),
        ("b.tar", b"\x1f\x8b\x08", "gunzip"),
        ("c.tar.zst", b"\x28\xb5\x2f\xfd", "unzstd"),
        ("d.tar.xz", b"\xfd7zXZ\0", "unxz"),
        ("e.tbz2", b"BZh9", "bunzip2"),
        ("f.zip", b"PK\x03\x04", "unzip"),
    ] {
        let text = error(&root.write(name, start));
        assert!(text.contains(name) && text.contains("is compressed") && text.contains(word), "{text}");
    }
    root.write("only/a.tar.gz", b"\x1f\x8b\x08");
    assert!(error(&root.path("only")).contains("gunzip"), "{}", error(&root.path("only")));
    assert!(error(&root.write("x.jpg", b"not an archive")).contains("is a file; give the folder"));
    assert!(error(&root.path("gone.tar")).contains("is not there"));
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNUSparse);
    header.set_path("cat/1.jpg").unwrap();
    header.set_size(0);
    header.as_gnu_mut().unwrap().set_real_size(0);
    header.set_cksum();
    let sparse = [&header.as_bytes()[..], &END].concat();
    let text = error(&root.write("sparse.tar", sparse));
    assert!(
        text.contains("'cat/1.jpg' in") && text.contains("sparse.tar' is stored as a sparse file"),
        "{text}"
    );
    let mut pax = tar::Builder::new(Vec::new());
    pax.append_pax_extensions([("GNU.sparse.major", &b"1"[..])]).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_path("cat/2.jpg").unwrap();
    header.set_size(0);
    header.set_cksum();
    pax.append(&header, &b""[..]).unwrap();
    let text = error(&root.write("pax.tar", pax.into_inner().unwrap()));
    assert!(text.contains("sparse") && text.contains("cat/2.jpg"), "{text}");
}

#[test]
fn several_tars_are_splits_classes_or_parts() {
    let root = Root::new();
    root.write("splits/train.tar", tar(&[("cat/1.jpg", b"1"), ("dog/1.jpg", b"2")]));
    root.write("splits/val.tar", tar(&[("val/cat/2.jpg", b"3"), ("val/dog/2.jpg", b"4")]));
    assert_eq!(names(&root.path("splits")), "train/cat/1.jpg train/dog/1.jpg val/cat/2.jpg val/dog/2.jpg");
    root.write("classes/n01.tar", tar(&[("1.jpg", b"1")]));
    root.write("classes/n02.tar", tar(&[("1.jpg", b"2")]));
    assert_eq!(names(&root.path("classes/n*.tar")), "n01/1.jpg n02/1.jpg");
    root.write("parts/a.tar", tar(&[("train/cat/1.jpg", b"1"), ("train/dog/1.jpg", b"2")]));
    root.write("parts/b.tar", tar(&[("train/cat/2.jpg", b"3")]));
    assert_eq!(names(&root.path("parts/{a,b}.tar")), "train/cat/1.jpg train/cat/2.jpg train/dog/1.jpg");
    assert_eq!(taken_for(&root.path("parts")), "2 tars that are parts of one folder, read in place");
    root.write("parts/c.tar", tar(&[("train/cat/1.jpg", b"again")]));
    let text = error(&root.path("parts"));
    assert!(text.contains("'train/cat/1.jpg' is there twice") && text.contains("c.tar"), "{text}");
    assert!(error(&root.path("parts/{a,q}.tar")).contains("1 of 2 files are missing"));
    // More than are kept open.
    for part in 0..80 {
        root.write(
            &format!("many/{part:02}.tar"),
            tar(&[(&format!("c{}/{part}.jpg", part % 2), &[part; 9])]),
        );
    }
    let (files, _) = read(&root.path("many/*.tar"));
    assert!(files.len() == 80 && files["c1/79.jpg"] == [79; 9] && files["c0/0.jpg"] == [0; 9]);
}

const META: &[u8] = include_bytes!("../../../tests/data/imagenet/meta.mat");
/// Classes of the images by [`META`]: 1 is the last name but one in byte order, 3 the first.
const TRUTH: &str = "1\n3\n2\n3\n";
const VAL: &str = "val/n01440764/ILSVRC2012_val_00000002.JPEG val/n01440764/ILSVRC2012_val_00000004.JPEG \
                   val/n02100735/ILSVRC2012_val_00000003.JPEG val/n02119789/ILSVRC2012_val_00000001.JPEG";
const TRAIN: &str =
    "train/n01440764/n01440764_1.JPEG train/n02100735/n02100735_1.JPEG train/n02119789/n02119789_1.JPEG";

fn val_files() -> Vec<(String, Vec<u8>)> {
    (1..=4).map(|n| (format!("ILSVRC2012_val_{n:08}.JPEG"), format!("val {n}").into_bytes())).collect()
}

fn official(root: &Root) -> PathBuf {
    let classes = ["n01440764", "n02100735", "n02119789"];
    let inner: Vec<(String, Vec<u8>)> = classes
        .map(|class| (format!("{class}.tar"), tar(&[(&format!("{class}_1.JPEG"), class.as_bytes())])))
        .into();
    let borrowed = |files: &[(String, Vec<u8>)]| {
        let files: Vec<(&str, &[u8])> =
            files.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])).collect();
        tar(&files)
    };
    root.write("set/ILSVRC2012_img_train.tar", borrowed(&inner));
    root.write("set/ILSVRC2012_img_val.tar", borrowed(&val_files()));
    root.path("set")
}

#[test]
fn the_official_archives_are_read_with_the_devkits_numbers_or_a_list() {
    let root = Root::new();
    let set = official(&root);
    let text = error(&set);
    assert!(
        text.contains("ILSVRC2012_img_val.tar")
            && text.contains("devkit")
            && text.contains("LOC_val_solution.csv")
    );
    // Numbers that nothing explains.
    root.write("set/ILSVRC2012_validation_ground_truth.txt", TRUTH);
    assert!(error(&set).contains("meta.mat"), "{}", error(&set));
    fs::remove_file(root.path("set/ILSVRC2012_validation_ground_truth.txt")).unwrap();

    let kit = tar(&[
        ("ILSVRC2012_devkit_t12/data/meta.mat", META),
        ("ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt", TRUTH.as_bytes()),
    ]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, &kit).unwrap();
    let kit = packed.finish().unwrap();
    let boxes = "ImageId,PredictionString\nILSVRC2012_val_00000001,n02119789 1 2 3 4 n02119789 5 6 7 8\n\
                 ILSVRC2012_val_00000002,n01440764 1 2 3 4\nILSVRC2012_val_00000003,n02100735 1 2 3 4\n\
                 ILSVRC2012_val_00000004,n01440764 1 2 3 4\n";
    let by_name = "val/ILSVRC2012_val_00000001.JPEG n02119789\nILSVRC2012_val_00000002.JPEG\tn01440764\n\
                   ILSVRC2012_val_00000003.JPEG n02100735\nILSVRC2012_val_00000004.JPEG n01440764\n";
    let by_place = "ILSVRC2012_val_00000001.JPEG 2\nILSVRC2012_val_00000002.JPEG 0\nILSVRC2012_val_00000003.JPEG 1\n\
                    ILSVRC2012_val_00000004.JPEG 0\n";
    let in_order = "n02119789\nn01440764\nn02100735\nn01440764\n";
    let lists: [&Files<'_>; 7] = [
        &[("ILSVRC2012_devkit_t12.tar.gz", &kit)],
        &[
            ("ILSVRC2012_devkit_t12/data/meta.mat", META),
            ("ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt", TRUTH.as_bytes()),
        ],
        &[("data/meta.mat", META), ("data/ILSVRC2012_validation_ground_truth.txt", TRUTH.as_bytes())],
        &[("LOC_val_solution.csv", boxes.as_bytes())],
        &[("val.txt", by_name.as_bytes())],
        &[("val.txt", by_place.as_bytes())],
        &[("imagenet_2012_validation_synset_labels.txt", in_order.as_bytes())],
    ];
    for list in lists {
        list.iter().for_each(|(name, bytes)| drop(root.write(&format!("set/{name}"), bytes)));
        let name = list[0].0;
        assert_eq!(names(&set), format!("{TRAIN} {VAL}"), "{name}");
        let (files, problems) = read(&set);
        assert_eq!(
            (files["val/n02119789/ILSVRC2012_val_00000001.JPEG"].as_slice(), problems.len()),
            (&b"val 1"[..], 0)
        );
        assert!(taken_for(&set).contains("of 3 tars"), "{}", taken_for(&set));
        list.iter().for_each(|(name, _)| fs::remove_file(root.path(&format!("set/{name}"))).unwrap());
    }
    // Lists that are of something else.
    for (text, words) in [
        ("other_1.JPEG n01440764\n", "names none of the 4 validation images"),
        ("ILSVRC2012_val_00000001.JPEG 3\nILSVRC2012_val_00000002.JPEG 1\n", "its numbers go from 1 to 3"),
        ("ILSVRC2012_val_00000001.JPEG 7\n", "it names class 7, and there are 3"),
        ("ILSVRC2012_val_00000001.JPEG\n", "line 1: a file name and its class"),
        ("ILSVRC2012_val_00000001.JPEG 1\nILSVRC2012_val_00000001.JPEG 2\n", "line 2: "),
    ] {
        root.write("set/val.txt", text);
        assert!(error(&set).contains(words), "{text}: {}", error(&set));
    }
    // One image that a list leaves out is listed.
    root.write("set/val.txt", by_name.lines().take(3).collect::<Vec<_>>().join("\n"));
    assert_eq!(read(&set).1, ["val/ILSVRC2012_val_00000004.JPEG: val.txt does not tell its class"]);
    // Without validation images there is nothing to tell.
    fs::remove_file(root.path("set/ILSVRC2012_img_val.tar")).unwrap();
    assert_eq!(names(&set), TRAIN);
    assert_eq!(names(&root.path("set/ILSVRC2012_img_train.tar")), TRAIN.replace("train/", ""));
}

#[test]
fn the_devkits_list_must_be_long_enough_and_of_its_own_numbers() {
    let root = Root::new();
    let set = official(&root);
    root.write("set/data/meta.mat", META);
    for (truth, words) in [
        ("1\n3\n", "it has 2 lines, and there is an image of number 4"),
        ("1\n3\n9\n3\n", "'9' is no ILSVRC2012_ID"),
    ] {
        root.write("set/data/ILSVRC2012_validation_ground_truth.txt", truth);
        assert!(error(&set).contains(words), "{}", error(&set));
    }
    root.write("set/data/meta.mat", b"MATLAB 5.0 MAT-file");
    assert!(error(&set).contains("no MATLAB file of version 5"), "{}", error(&set));
}

#[test]
fn the_kaggle_layout_is_known_from_wherever_it_is_named() {
    let root = Root::new();
    let at = "kaggle/imagenet/ILSVRC/Data/CLS-LOC";
    for path in TRAIN.split(' ') {
        root.write(&format!("{at}/{path}"), path);
    }
    for (name, bytes) in val_files() {
        root.write(&format!("{at}/val/{name}"), bytes);
        root.write(&format!("{at}/test/{}", name.replace("val", "test")), "test");
    }
    root.write("kaggle/imagenet/ILSVRC/Annotations/CLS-LOC/val/ILSVRC2012_val_00000001.xml", "<a/>");
    root.write("kaggle/imagenet/ILSVRC/ImageSets/CLS-LOC/val.txt", "ILSVRC2012_val_00000001 1\n");
    assert!(error(&root.path("kaggle/imagenet")).contains("nothing tells the classes"));
    root.write(
        "kaggle/imagenet/LOC_val_solution.csv",
        "ImageId,PredictionString\nILSVRC2012_val_00000001,n02119789 1 2 3 4\nILSVRC2012_val_00000002,n01440764 1 2 3 4\n\
         ILSVRC2012_val_00000003,n02100735 1 2 3 4\nILSVRC2012_val_00000004,n01440764 1 2 3 4\n",
    );
    for named in ["kaggle", "kaggle/imagenet", "kaggle/imagenet/ILSVRC", at] {
        let path = root.path(named);
        let folder = Folder::from_paths(read(&path).0.into_keys()).unwrap();
        let paths = |entries: &[crate::data::Entry]| {
            entries.iter().map(|entry| entry.path.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            (paths(&folder.train), paths(&folder.val.unwrap())),
            (TRAIN.to_owned(), VAL.to_owned()),
            "{named}"
        );
    }
}

const CLS: &Files<'static> = &[
    ("a1.jpg", b"A"),
    ("a1.cls", b"0"),
    ("b.1.jpg", b"B"),
    ("b.1.cls", b"11\n"),
    ("b.2.png", b"C"),
    ("b.2.cls", b"2"),
];

#[test]
fn shards_are_read_by_their_keys_and_labels() {
    let root = Root::new();
    root.write("w/imagenet1k-train-0000.tar", tar(CLS));
    root.write(
        "w/imagenet1k-train-0001.tar",
        tar(&[("x/d.JPG", b"D"), ("x/d.json", br#"{"label": 2, "width": 5}"#), ("x/d.txt", b"a cat")]),
    );
    root.write(
        "w/imagenet1k-validation-0.tar",
        tar(&[("e.jpg", b"E"), ("e.cls", b"0"), ("e.seg.png", b"mask"), ("e.webp", b"W")]),
    );
    let numbers = "train/00/a1.jpg train/02/b.2.png train/02/x/d.jpg train/11/b.1.jpg val/00/e.jpg";
    assert_eq!(names(&root.path("w")), numbers);
    assert_eq!(names(&root.path("w/imagenet1k-{train-{0000..0001},validation-0}.tar")), numbers);
    assert!(
        taken_for(&root.path("w")).contains("3 shards of a WebDataset with 5 samples"),
        "{}",
        taken_for(&root.path("w"))
    );
    let (files, problems) = read(&root.path("w"));
    assert_eq!(
        (files["train/11/b.1.jpg"].as_slice(), files["val/00/e.jpg"].as_slice(), problems.len()),
        (&b"B"[..], &b"E"[..], 0)
    );
    // Names of classes beside the shards, which labels must fit.
    let synsets: String = (0..12).map(|class| format!("n{class:08}\n")).collect();
    root.write("w/imagenet_synsets.txt", &synsets);
    assert!(
        names(&root.path("w")).starts_with("train/n00000000/a1.jpg train/n00000002/b.2.png"),
        "{}",
        names(&root.path("w"))
    );
    root.write("w/imagenet_synsets.txt", synsets.lines().take(5).collect::<Vec<_>>().join("\n"));
    let text = error(&root.path("w"));
    assert!(text.contains("'b.1' has label 11") && text.contains("names 5 classes (0 to 4)"), "{text}");
    // Without a split in their names, there is none.
    root.write("plain/0.tar", tar(CLS));
    assert_eq!(names(&root.path("plain/0.tar")), "00/a1.jpg 02/b.2.png 11/b.1.jpg");
}

#[test]
fn labels_that_are_missing_or_contradict_are_named() {
    let root = Root::new();
    let (files, problems) = read(&root.write(
        "a.tar",
        tar(&[
            ("a.jpg", b"A"),
            ("a.cls", b"0"),
            ("b.jpg", b"B"),
            ("c.jpg", b"C"),
            ("c.cls", b"-1"),
            ("d.jpg", b"D"),
            ("d.json", b"{"),
            ("e.jpg", b"E"),
            ("e.cls", b"1"),
            ("e.json", br#"{"label": 0}"#),
            ("f.jpg", b"F"),
            ("f.cls", b"n01440764"),
        ]),
    ));
    assert_eq!(files.into_keys().collect::<Vec<_>>(), ["0/a.jpg", "n01440764/f.jpg"]);
    let named: Vec<&str> = problems.iter().map(|problem| &problem[..5]).collect();
    assert_eq!(named, ["b.jpg", "c.jpg", "d.jpg", "e.jpg"], "{problems:?}");
    assert!(problems[3].contains("its cls says class 1, and its json 0"), "{problems:?}");
    // A key that occurs twice, within a shard and across shards.
    root.write("t/0.tar", tar(&[("a.jpg", b"A"), ("a.cls", b"0"), ("a.jpg", b"B")]));
    assert!(
        error(&root.path("t/0.tar")).contains("'a.jpg' is in it twice"),
        "{}",
        error(&root.path("t/0.tar"))
    );
    root.write("u/0.tar", tar(&[("a.jpg", b"A"), ("a.cls", b"0")]));
    root.write("u/1.tar", tar(&[("a.jpg", b"B"), ("a.cls", b"0")]));
    let text = error(&root.path("u"));
    assert!(text.contains("'0/a.jpg' is there twice") && text.contains("1.tar"), "{text}");
    root.write(
        "v.tar",
        tar(&[
            ("a.jpg", b""),
            ("a.json", br#"{"label":0,"class":"x"}"#),
            ("b.jpg", b""),
            ("b.json", br#"{"label":0,"class":"y"}"#),
        ]),
    );
    assert!(error(&root.path("v.tar")).contains("label 0 of 'b' is class 'y', and was 'x' before"));
}

#[test]
fn an_info_file_names_splits_shards_and_classes() {
    let root = Root::new();
    root.write("w/part-0.tar", tar(CLS));
    root.write("w/part-1.tar", tar(&[("v.jpg", b"V"), ("v.cls", b"0")]));
    let info = |train: usize| {
        format!(
            r#"{{"splits": {{"train": {{"name": "train", "filenames": ["part-0.tar"], "shard_lengths": [{train}], "num_samples": 3}},
                "validation": {{"filenames": ["part-1.tar"], "shard_lengths": [1]}}}}, "other": 1}}"#
        )
    };
    let path = root.write("w/_info.json", info(3));
    let expected = "train/00/a1.jpg train/02/b.2.png train/11/b.1.jpg val/00/v.jpg";
    assert_eq!((names(&path), names(&root.path("w"))), (expected.to_owned(), expected.to_owned()));
    root.write("w/_info.json", info(4));
    assert!(error(&path).contains("it holds 3 samples, and _info.json says 4"), "{}", error(&path));
    root.write("w/_info.json", info(3).replace("part-0.tar", "part-7.tar"));
    assert!(error(&path).contains("1 of 2 files are missing") && error(&path).contains("part-7.tar"));
    root.write("w/_info.json", info(3).replace("part-0.tar", "../part-0.tar"));
    assert!(error(&path).contains("'../part-0.tar' lies in another folder"), "{}", error(&path));
    root.write("w/_info.json", r#"{"version": 2}"#);
    assert!(error(&path).contains("no _info.json of a WebDataset"), "{}", error(&path));
    // A hole in a numbered row.
    root.write("g/t-00.tar", tar(&[("a.jpg", b"A"), ("a.cls", b"0")]));
    root.write("g/t-02.tar", tar(&[("b.jpg", b"A"), ("b.cls", b"1")]));
    let warnings = open(&root.path("g")).unwrap().warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("such as number 1"), "{warnings:?}");
}

#[test]
fn a_path_of_a_foreign_sample_is_no_path_of_ours() {
    let root = Root::new();
    let json = |path: &str| format!(r#"{{"label": 0, "class": "cat", "path": "{path}"}}"#).into_bytes();
    for (path, expected) in [
        ("train/cat/x.y.JPEG", "train/cat/x.y.JPEG"),
        ("../cat/x.jpg", "cat/a.jpg"),
        ("/home/cat/x.jpg", "cat/a.jpg"),
        ("x.jpg", "cat/a.jpg"),
        ("dogs/x.jpg", "cat/a.jpg"),
    ] {
        let shard = root.write("a.tar", tar(&[("a.jpg", b"A"), ("a.json", &json(path))]));
        assert_eq!(names(&shard), expected, "{path}");
    }
    let shard =
        root.write("b.tar", tar(&[("a.jpg", b"A"), ("a.json", br#"{"label": 0, "class": "../../x"}"#)]));
    assert_eq!(names(&shard), "_.._.._x/a.jpg");
}

#[test]
fn a_folder_with_class_folders_or_images_stays_a_folder() {
    let root = Root::new();
    root.all(&[
        ("f/cat/1.jpg", b"1"),
        ("f/dog/1.jpg", b"2"),
        ("f/old.tar", b"junk"),
        ("f/_info.json", b"{}"),
    ]);
    assert_eq!(open(&root.path("f")).unwrap().taken_for, None);
    root.all(&[("g/train/cat/1.jpg", b"1"), ("g/val/cat/1.jpg", b"2"), ("g/val.txt", b"1 cat")]);
    assert_eq!(open(&root.path("g")).unwrap().taken_for, None);
    // Class folders are all there to tell: a flat split without a list is refused as before.
    root.all(&[("h/train/cat/1.jpg", b"1"), ("h/train/dog/1.jpg", b"1"), ("h/val/1.jpg", b"2")]);
    assert!(
        Folder::from_paths(read(&root.path("h")).0.into_keys())
            .unwrap_err()
            .to_string()
            .contains("no class folders")
    );
    root.write("h/val.csv", "filename,label\n1.jpg,dog\n");
    assert_eq!(names(&root.path("h")).split(' ').next_back(), Some("val/dog/1.jpg"));
}

#[test]
fn tiny_imagenets_validation_images_have_the_classes_of_their_annotations() {
    let root = Root::new();
    root.all(&[
        ("up/tiny/train/n01/images/n01_0.JPEG", b"1"),
        ("up/tiny/train/n01/n01_boxes.txt", b"n01_0.JPEG\t0\t0\t9\t9"),
        ("up/tiny/train/n02/images/n02_0.JPEG", b"2"),
        ("up/tiny/val/images/val_0.JPEG", b"v0"),
        ("up/tiny/val/images/val_1.JPEG", b"v1"),
        ("up/tiny/val/images/val_2.JPEG", b"v2"),
        ("up/tiny/test/images/test_0.JPEG", b"t0"),
        ("up/tiny/wnids.txt", b"n02\nn01\n"),
    ]);
    let refused = |path: &Path| Folder::from_paths(read(path).0.into_keys()).unwrap_err().to_string();
    assert!(refused(&root.path("up/tiny")).contains("no class folders"), "nothing tells the classes yet");
    root.write(
        "up/tiny/val/val_annotations.txt",
        "val_0.JPEG\tn02\t0\t0\t62\t62\nval_1.JPEG\tn01\t1\t1\t9\t9\n",
    );
    for named in ["up", "up/tiny"] {
        let (files, problems) = read(&root.path(named));
        assert_eq!(
            (files["val/n02/val_0.JPEG"].as_slice(), files["val/n01/val_1.JPEG"].as_slice()),
            (&b"v0"[..], &b"v1"[..])
        );
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].starts_with("val/images/val_2.JPEG")
                && problems[0].contains("does not tell its class")
        );
        let folder = Folder::from_paths(files.into_keys()).unwrap();
        assert_eq!((folder.train.len(), folder.val.map(|val| val.len())), (2, Some(2)), "{named}");
    }
    // A class that is called images has others beside it.
    root.all(&[
        ("i/train/images/1.jpg", b"1"),
        ("i/train/cat/1.jpg", b"2"),
        ("i/val/images/1.jpg", b"3"),
        ("i/val/cat/1.jpg", b"4"),
    ]);
    root.write("i/val/val_annotations.txt", "1.jpg\tcat\n");
    assert_eq!(open(&root.path("i")).unwrap().taken_for, None);
}
