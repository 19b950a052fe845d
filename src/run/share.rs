//! A share of work that several processes do without a word to each other.

use std::ops::Range;

/// One of several equal shares, such as the second of eight: `2/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    number: usize,
    of: usize,
}

/// Most shares that work is cut into.
const MOST: usize = 100_000;

impl Share {
    /// Which it is, from 1.
    pub fn number(self) -> usize {
        self.number
    }

    /// How many there are.
    pub fn of(self) -> usize {
        self.of
    }

    /// The places of `count` things that are its own. All shares together have each once, in order.
    pub fn range(self, count: usize) -> Range<usize> {
        let until = |number: usize| (count as u128 * number as u128 / self.of as u128) as usize;
        until(self.number - 1)..until(self.number)
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl std::str::FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "'{text}' is no shard; give its number and how many there are, such as 2/8 (at most {MOST} of them)"
            )
        };
        let (number, of) = text.split_once('/').ok_or_else(wrong)?;
        let whole = |text: &str| -> Option<usize> {
            text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
        };
        let (number, of) = whole(number).zip(whole(of)).ok_or_else(wrong)?;
        if number == 0 || number > of || of > MOST {
            return Err(wrong());
        }
        Ok(Self { number, of })
    }
}

impl serde::Serialize for Share {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Share {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Why shares do not make a whole.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShareError {
    /// None were given.
    #[error("no shards were given: name the folders of all of them")]
    None,
    /// One that is missing.
    #[error(
        "shard {missing} is missing: {given} of {of} were given; make it with the same options and `shard` {missing}/{of}"
    )]
    Missing {
        /// Its number.
        missing: usize,
        /// How many were given.
        given: usize,
        /// How many there are.
        of: usize,
    },
    /// One that was given twice.
    #[error("shard {share} was given twice: {first} and {second}")]
    Twice {
        /// Which it is.
        share: Share,
        /// Where it was given first.
        first: String,
        /// Where it was given again.
        second: String,
    },
    /// Shares of another cut, of other data, or of other options.
    #[error("{second} is a shard of other data or options than {first}: {why}")]
    Other {
        /// The first of all.
        first: String,
        /// One that does not belong to it.
        second: String,
        /// What differs.
        why: String,
    },
}

/// The places of `shares` in their order, where these are all shares of one cut, each once. Each comes with what it is called.
///
/// # Errors
/// [`ShareError`].
pub fn in_order(shares: &[(Share, String)]) -> Result<Vec<usize>, ShareError> {
    let (first, called) = shares.first().ok_or(ShareError::None)?;
    let of = first.of;
    let mut places: Vec<Option<usize>> = vec![None; of];
    for (place, (share, name)) in shares.iter().enumerate() {
        if share.of != of {
            return Err(ShareError::Other {
                first: called.clone(),
                second: name.clone(),
                why: format!("it is shard {share}, not one of {of}"),
            });
        }
        if let Some(earlier) = places[share.number - 1].replace(place) {
            let first = shares[earlier].1.clone();
            return Err(ShareError::Twice { share: *share, first, second: name.clone() });
        }
    }
    let missing = places.iter().position(Option::is_none).map(|at| at + 1);
    match missing {
        Some(missing) => Err(ShareError::Missing { missing, given: shares.len(), of }),
        None => Ok(places.into_iter().flatten().collect()),
    }
}

impl crate::fault::Faulty for ShareError {
    fn fault(&self) -> crate::fault::Fault {
        crate::fault::Fault::Usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(text: &str) -> Share {
        text.parse().unwrap()
    }

    #[test]
    fn shares_have_each_thing_once_and_in_order() {
        for (count, of) in [(0, 3), (1, 8), (10, 3), (1_281_167, 7), (5, 5)] {
            let ranges = (1..=of).map(|number| Share { number, of }.range(count));
            let all: Vec<usize> = ranges.clone().flatten().collect();
            assert_eq!(all, (0..count).collect::<Vec<_>>());
            let sizes: Vec<usize> = ranges.map(|range| range.len()).collect();
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
        }
    }

    #[test]
    fn a_share_is_written_as_it_is_read_and_what_is_none_is_refused() {
        assert_eq!(share("2/8").to_string(), "2/8");
        assert_eq!(serde_json::from_str::<Share>("\"2/8\"").unwrap(), share("2/8"));
        for wrong in ["", "2", "0/8", "9/8", "1/0", "-1/8", "1/ 8", "1/8/2", "a/8", "+1/8", "1/100001"] {
            assert!(wrong.parse::<Share>().unwrap_err().contains("such as 2/8"), "{wrong}");
        }
    }

    #[test]
    fn shares_are_ordered_and_what_makes_no_whole_is_named() {
        let named = |all: &[&str]| -> Vec<(Share, String)> {
            all.iter().enumerate().map(|(at, text)| (share(text), format!("out{at}"))).collect()
        };
        assert_eq!(in_order(&named(&["3/3", "1/3", "2/3"])), Ok(vec![1, 2, 0]));
        assert_eq!(in_order(&[]), Err(ShareError::None));
        let said = |all: &[&str]| in_order(&named(all)).unwrap_err().to_string();
        assert!(said(&["3/3", "1/3"]).starts_with("shard 2 is missing: 2 of 3 were given"));
        assert_eq!(said(&["1/2", "2/2", "1/2"]), "shard 1/2 was given twice: out0 and out2");
        assert!(said(&["1/2", "2/3"]).contains("out1 is a shard of other data or options than out0"));
    }
}
