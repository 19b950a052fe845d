//! Files that are no images by their names: what systems and programs leave behind, and other kinds of files.

/// Folders that systems and programs leave behind, in lower case.
const LEFT_BEHIND: [&str; 17] = [
    "#recycle",
    "#snapshot",
    "$recycle.bin",
    "@eadir",
    "@recently-snapshot",
    "@recycle",
    "@sharebin",
    "@tmp",
    "__pycache__",
    "found.000",
    "lost+found",
    "lost.dir",
    "network trash folder",
    "system volume information",
    "temporary items",
    "~snapshot",
    "$extend",
];

/// Files that they leave behind, in lower case.
const LEFT_FILES: [&str; 7] = [
    "thumbs.db",
    "thumbs.db:encryptable",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    "picasa.ini",
    "icon\r",
];

/// Extensions of files that often lie beside images and are none. Anything else is tried: the type is
/// told by the content.
const NOT_IMAGES: [&str; 55] = [
    "arrow",
    "avi",
    "bak",
    "bin",
    "cfg",
    "crdownload",
    "csv",
    "db",
    "docx",
    "gz",
    "h5",
    "htm",
    "html",
    "ini",
    "ipynb",
    "js",
    "json",
    "jsonl",
    "license",
    "lmdb",
    "lnk",
    "log",
    "lst",
    "mat",
    "md",
    "mkv",
    "mov",
    "mp3",
    "mp4",
    "npy",
    "npz",
    "parquet",
    "pdf",
    "part",
    "pickle",
    "pkl",
    "pt",
    "pth",
    "py",
    "pyc",
    "rst",
    "safetensors",
    "sh",
    "tar",
    "tgz",
    "tmp",
    "toml",
    "tsv",
    "txt",
    "url",
    "wav",
    "xml",
    "yaml",
    "yml",
    "zip",
];

/// `true` for a path of which one part is hidden or left behind by a system, so that nothing in it is the user's.
pub fn is_junk(path: &str) -> bool {
    junk(path).is_some()
}

fn junk(path: &str) -> Option<&'static str> {
    path.split('/').find_map(|part| {
        if part.starts_with('.') || part.eq_ignore_ascii_case("__MACOSX") {
            return Some("hidden");
        }
        // A name in a data set may well be Recycler in other letters.
        let left = part == "RECYCLER" || LEFT_BEHIND.contains(&part.to_ascii_lowercase().as_str());
        left.then_some("left by the operating system")
    })
}

/// Reason for which a file is no image, as far as its name tells.
pub(super) fn unusable(path: &str) -> Option<String> {
    if let Some(reason) = junk(path) {
        return Some(reason.to_owned());
    }
    let lower = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    if LEFT_FILES.contains(&lower.as_str()) {
        return Some("left by the operating system".to_owned());
    }
    let (_, extension) = lower.rsplit_once('.')?;
    NOT_IMAGES.contains(&extension).then(|| format!("not an image (.{extension})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systems_leave_behind_is_junk_anywhere_in_a_path() {
        for path in [
            "@eaDir/1.jpg",
            "cat/@eaDir/0.jpg/SYNOPHOTO_THUMB_XL.jpg",
            "#recycle/old.jpg",
            "$RECYCLE.BIN/S-1-5/$R1.jpg",
            "System Volume Information/x",
            "lost+found/1.jpg",
            "cat/__pycache__/x.pyc",
            "cat/.ipynb_checkpoints/1-checkpoint.jpg",
            "cat/._1.jpg",
            "a/__MACOSX/a/1.jpg",
            ".Trash-1000/files/1.jpg",
        ] {
            assert!(is_junk(path) && unusable(path).is_some(), "{path}");
        }
        for path in ["cat/1.jpg", "recycler/1.jpg", "found/1.jpg", "a.b/1.jpg", "#1/1.jpg"] {
            assert!(!is_junk(path) && unusable(path).is_none(), "{path}");
        }
        assert_eq!(unusable("cat/1.jpg.part").as_deref(), Some("not an image (.part)"));
    }
}
