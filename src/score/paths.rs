//! Finding an image by a path that another program wrote.

use std::collections::HashMap;

/// Looks paths up, with or without a leading `./` or `train/` on either side.
pub(crate) struct PathIndex<'a> {
    exact: HashMap<&'a str, usize>,
    bare: HashMap<&'a str, usize>,
}

impl<'a> PathIndex<'a> {
    /// The index of these paths; of two paths that differ only in their prefix, both are found as
    /// they are written and the first is found by the bare path.
    pub(crate) fn new(paths: impl Iterator<Item = &'a str>) -> Self {
        let (mut exact, mut bare) = (HashMap::new(), HashMap::new());
        for (i, path) in paths.enumerate() {
            exact.entry(path).or_insert(i);
            bare.entry(strip(path)).or_insert(i);
        }
        Self { exact, bare }
    }

    /// The place of this path in the list the index was made from.
    pub(crate) fn get(&self, path: &str) -> Option<usize> {
        self.exact.get(path).or_else(|| self.bare.get(strip(path))).copied()
    }
}

fn strip(path: &str) -> &str {
    let path = path.strip_prefix("./").unwrap_or(path);
    path.strip_prefix("train/").unwrap_or(path)
}
