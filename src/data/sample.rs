//! Samples and classes: the identity of an image file, and the name of its label.

use serde::{Deserialize, Serialize};

use super::DataError;

/// The identity of an image file: its path and the hash of its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Path relative to the data folder, `/` between its parts on every system
    /// (`train/n01440764/a.JPEG`). Tables are joined by it.
    pub path: String,
    /// Index into the [`ClassMap`].
    pub class: u32,
    /// BLAKE3 of the file's bytes.
    pub hash: ContentHash,
}

/// BLAKE3 hash of a file's bytes; written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl std::fmt::Display for ContentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for ContentHash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        blake3::Hash::from_hex(text)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|_| format!("'{text}' is not a hash of 64 hexadecimal digits"))
    }
}

impl Serialize for ContentHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The classes, in the order that gives each its number: the byte order of their folder names.
///
/// Written as a plain list of names; a list in another order, or with a name twice, is not read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<String>", try_from = "Vec<String>")]
pub struct ClassMap {
    names: Vec<String>,
}

impl ClassMap {
    /// The classes of these folder names, sorted by bytes, each once.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort_unstable();
        names.dedup();
        Self { names }
    }

    /// Number of classes.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// `true` without classes.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The folder names; a class's number is its place here.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The folder name of a class.
    ///
    /// # Panics
    /// When there is no such class.
    pub fn name(&self, class: u32) -> &str {
        &self.names[class as usize]
    }

    /// The number of a folder name.
    pub fn index(&self, name: &str) -> Option<u32> {
        self.names.binary_search_by(|known| known.as_str().cmp(name)).ok().map(|i| i as u32)
    }

    /// Checks that an earlier stage numbered the same classes in the same way.
    ///
    /// # Errors
    /// [`DataError::ClassesDiffer`], which names what is missing from `self` and what is new in it.
    pub fn ensure_same(&self, earlier: &Self) -> Result<(), DataError> {
        let only_in = |a: &Self, b: &Self| -> Vec<String> {
            a.names.iter().filter(|name| b.index(name).is_none()).cloned().collect()
        };
        let (missing, added) = (only_in(earlier, self), only_in(self, earlier));
        if missing.is_empty() && added.is_empty() {
            return Ok(());
        }
        Err(DataError::ClassesDiffer { missing, added })
    }
}

impl TryFrom<Vec<String>> for ClassMap {
    type Error = DataError;

    /// The classes of a list that is already in order.
    fn try_from(names: Vec<String>) -> Result<Self, DataError> {
        match names.windows(2).find(|pair| pair[0] >= pair[1]) {
            None => Ok(Self { names }),
            Some(pair) => Err(DataError::ClassOrder { first: pair[0].clone(), second: pair[1].clone() }),
        }
    }
}

impl From<ClassMap> for Vec<String> {
    fn from(classes: ClassMap) -> Self {
        classes.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(names: &[&str]) -> ClassMap {
        ClassMap::new(names.iter().map(|&name| name.to_owned()))
    }

    #[test]
    fn classes_are_numbered_in_the_byte_order_of_their_names() {
        let map = classes(&["b", "a10", "B", "a9", "é", "b"]);
        assert_eq!(map.names(), ["B", "a10", "a9", "b", "é"]);
        assert_eq!((map.index("a9"), map.index("c"), map.name(0)), (Some(2), None, "B"));
    }

    #[test]
    fn a_class_list_is_read_back_only_in_its_order() {
        let map = classes(&["cat", "dog"]);
        let json = serde_json::to_string(&map).unwrap();
        assert_eq!(json, r#"["cat","dog"]"#);
        assert_eq!(serde_json::from_str::<ClassMap>(&json).unwrap(), map);
        let error = serde_json::from_str::<ClassMap>(r#"["dog","cat"]"#).unwrap_err().to_string();
        assert!(error.contains("'cat' after 'dog'"), "{error}");
        assert!(serde_json::from_str::<ClassMap>(r#"["cat","cat"]"#).is_err());
    }

    #[test]
    fn classes_that_differ_from_an_earlier_stage_are_named() {
        let earlier = classes(&["ant", "bee", "cow"]);
        assert!(earlier.ensure_same(&earlier.clone()).is_ok());
        let error = classes(&["ant", "cow", "dog"]).ensure_same(&earlier).unwrap_err().to_string();
        assert!(error.contains("missing: 'bee'") && error.contains("new: 'dog'"), "{error}");
        let error = classes(&["ant", "cow"]).ensure_same(&earlier).unwrap_err().to_string();
        assert!(error.contains("missing: 'bee'") && !error.contains("new:"), "{error}");
    }

    #[test]
    fn a_hash_is_read_back_as_it_is_written() {
        let hash = ContentHash::of(b"");
        assert_eq!(hash.to_string(), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert!("af13".parse::<ContentHash>().is_err());
    }
}
