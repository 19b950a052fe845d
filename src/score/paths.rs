//! Finding an image by a path that another program wrote.

use std::collections::{BTreeSet, HashMap};

use crate::data::composed;

/// Finds each of `wanted` among `known`: its place there.
///
/// Paths are compared as they stand, then with or without a leading `./` or `train/` on either side. Where that does not find
/// all, the two lists may differ in the way a whole table is written: `\\` between the parts, another Unicode form, and folders
/// in front (an absolute path, the data folder's own name, a split), the same for all paths of a list.
pub(crate) fn find_all(known: &[&str], wanted: &[&str]) -> Vec<Option<usize>> {
    let index = PathIndex::new(known.iter().copied());
    let found: Vec<Option<usize>> = wanted.iter().map(|path| index.get(path)).collect();
    if found.iter().all(Option::is_some) {
        return found;
    }
    let plain = |paths: &[&str]| -> Vec<String> {
        let plain = |path: &&str| composed(&path.replace('\\', "/")).trim_start_matches("./").to_owned();
        paths.iter().map(plain).collect()
    };
    aligned(&plain(known), &plain(wanted)).map_or(found, |places| places.into_iter().map(Some).collect())
}

/// Looks paths up, with or without a leading `./` or `train/` on either side.
struct PathIndex<'a> {
    exact: HashMap<&'a str, usize>,
    bare: HashMap<&'a str, usize>,
}

impl<'a> PathIndex<'a> {
    /// The index of these paths; of two paths that differ only in their prefix, both are found as
    /// they are written and the first is found by the bare path.
    fn new(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut exact, mut bare) = (HashMap::new(), HashMap::new());
        for (i, path) in paths.into_iter().enumerate() {
            exact.entry(path).or_insert(i);
            bare.entry(strip(path)).or_insert(i);
        }
        Self { exact, bare }
    }

    /// The place of this path in the list the index was made from.
    fn get(&self, path: &str) -> Option<usize> {
        self.exact.get(path).or_else(|| self.bare.get(strip(path))).copied()
    }
}

fn strip(path: &str) -> &str {
    let path = path.strip_prefix("./").unwrap_or(path);
    path.strip_prefix("train/").unwrap_or(path)
}

/// The places of all of `wanted` among `known`, where one folder in front of the one list and one in front of the other make
/// them equal, and no other two do. At least a folder and a file must be equal.
fn aligned(known: &[String], wanted: &[String]) -> Option<Vec<usize>> {
    let first = wanted.first()?;
    let fronts = first.match_indices('/').map(|(at, _)| &first[..=at]);
    let fronts = std::iter::once("")
        .chain(fronts)
        .take_while(|front| wanted.iter().all(|path| path.starts_with(front)));
    for front in fronts {
        let tail = &first[front.len()..];
        if !tail.contains('/') {
            return None;
        }
        let before = |path: &'_ String| -> Option<usize> {
            let at = path.strip_suffix(tail)?.len();
            (at == 0 || path.as_bytes()[at - 1] == b'/').then_some(at)
        };
        let others: BTreeSet<&str> = known.iter().filter_map(|path| Some(&path[..before(path)?])).collect();
        let mut ways = others.iter().filter_map(|other| places(known, other, wanted, front.len()));
        match (ways.next(), ways.next()) {
            (Some(places), None) => return Some(places),
            (Some(_), Some(_)) => return None,
            (None, _) => {}
        }
    }
    None
}

/// The places of all of `wanted`, each without its first `skipped` bytes, among those of `known` that lie in `folder`.
fn places(known: &[String], folder: &str, wanted: &[String], skipped: usize) -> Option<Vec<usize>> {
    let mut index: HashMap<&str, Option<usize>> = HashMap::new();
    for (place, path) in known.iter().enumerate() {
        if let Some(tail) = path.strip_prefix(folder) {
            index.entry(tail).and_modify(|twice| *twice = None).or_insert(Some(place));
        }
    }
    wanted.iter().map(|path| index.get(&path[skipped..]).copied().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OURS: [&str; 3] = ["train/cat/0.jpg", "train/cat/1.jpg", "train/dog/0.jpg"];

    fn found(known: &[&str], wanted: &[&str]) -> Vec<Option<usize>> {
        find_all(known, wanted)
    }

    #[test]
    fn a_table_may_have_other_folders_and_bars_in_front_of_all_its_paths() {
        for front in
            ["", "./", "train/", "data/train/", "/home/me/data/train/", "C:\\data\\train\\", "train\\"]
        {
            let theirs: Vec<String> = ["dog/0.jpg", "cat/1.jpg", "cat/0.jpg"]
                .map(|path| {
                    format!(
                        "{front}{}",
                        if front.contains('\\') { path.replace('/', "\\") } else { path.into() }
                    )
                })
                .into();
            let theirs: Vec<&str> = theirs.iter().map(String::as_str).collect();
            assert_eq!(found(&theirs, &OURS), [Some(2), Some(1), Some(0)], "{front}");
            assert_eq!(found(&OURS, &theirs), [Some(2), Some(1), Some(0)], "{front}");
        }
    }

    #[test]
    fn what_is_not_plain_is_not_found() {
        // Names alone, or two folders that fit alike.
        assert_eq!(found(&["0.jpg", "1.jpg"], &["a/0.jpg", "a/1.jpg"]), [None, None]);
        let twice = ["x/cat/0.jpg", "y/cat/0.jpg", "x/dog/0.jpg", "y/dog/0.jpg"];
        assert_eq!(found(&twice, &["cat/0.jpg", "dog/0.jpg"]), [None, None]);
        // Another folder for each path is no way of writing a table.
        assert_eq!(found(&["x/cat/0.jpg", "y/dog/0.jpg"], &["cat/0.jpg", "dog/0.jpg"]), [None, None]);
        // The split is told by what fits more of the path.
        let both = ["/d/train/cat/0.jpg", "/d/val/cat/0.jpg"];
        assert_eq!(found(&both, &["train/cat/0.jpg"]), [Some(0)]);
    }

    proptest! {
        #[test]
        fn folders_in_front_never_change_which_image_is_meant(
            paths in proptest::collection::btree_set("[ab]/[a-c]{1,2}", 1..12),
            front in "([xy]/){0,3}",
        ) {
            let ours: Vec<&str> = paths.iter().map(String::as_str).collect();
            let theirs: Vec<String> = paths.iter().map(|path| format!("{front}{path}")).collect();
            let theirs: Vec<&str> = theirs.iter().map(String::as_str).collect();
            let want: Vec<Option<usize>> = (0..ours.len()).map(Some).collect();
            prop_assert_eq!(found(&theirs, &ours), want.clone());
            prop_assert_eq!(found(&ours, &theirs), want);
        }
    }
}
