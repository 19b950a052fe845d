//! The answers of a student: right or wrong for each validation image.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Right or wrong for every validation image, one bit each, in the order of the images.
///
/// Written as text, the number of images and the bits in hexadecimal, the first image in the lowest bit of the first
/// digit pair: `"10:ff01"`. 50,000 images take 12.5 kB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Correct {
    images: usize,
    bytes: Vec<u8>,
}

impl Correct {
    /// Answers compared with labels: the class that was answered for every image, and its label.
    pub fn of(answers: &[u32], labels: &[u32]) -> Self {
        answers.iter().zip(labels).map(|(answer, label)| answer == label).collect()
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.images
    }

    /// `true` without images.
    pub fn is_empty(&self) -> bool {
        self.images == 0
    }

    /// `true` for an image that was right; `false` for one that does not exist.
    pub fn get(&self, image: usize) -> bool {
        image < self.images && self.bytes[image / 8] >> (image % 8) & 1 == 1
    }

    /// Every image in order.
    pub fn iter(&self) -> impl Iterator<Item = bool> + '_ {
        (0..self.images).map(|image| self.get(image))
    }

    /// Number of images that were right.
    pub fn count(&self) -> usize {
        self.bytes.iter().map(|byte| byte.count_ones() as usize).sum()
    }
}

impl FromIterator<bool> for Correct {
    fn from_iter<I: IntoIterator<Item = bool>>(answers: I) -> Self {
        let mut correct = Self::default();
        for right in answers {
            if correct.images.is_multiple_of(8) {
                correct.bytes.push(0);
            }
            if let Some(last) = correct.bytes.last_mut() {
                *last |= u8::from(right) << (correct.images % 8);
            }
            correct.images += 1;
        }
        correct
    }
}

impl Serialize for Correct {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = format!("{}:", self.images);
        for byte in &self.bytes {
            text.push_str(&format!("{byte:02x}"));
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Correct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| {
            serde::de::Error::custom("answers must read 'IMAGES:HEXADECIMAL DIGITS', two for eight images")
        })
    }
}

fn parse(text: &str) -> Option<Correct> {
    let (images, digits) = text.split_once(':')?;
    let images: usize = images.parse().ok()?;
    if !digits.is_ascii() || digits.len() != 2 * images.div_ceil(8) {
        return None;
    }
    let bytes = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok());
    let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
    // Bits beyond the last image would be counted.
    let beyond = bytes.last().is_some_and(|&last| !images.is_multiple_of(8) && last >> (images % 8) != 0);
    (!beyond).then_some(Correct { images, bytes })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_is_right_where_it_is_the_label() {
        let correct = Correct::of(&[0, 1, 2, 2], &[0, 1, 1, 2]);
        assert_eq!(correct.iter().collect::<Vec<_>>(), [true, true, false, true]);
        assert_eq!((correct.len(), correct.count()), (4, 3));
        assert!(!correct.get(4));
        assert_eq!(serde_json::to_string(&correct).expect("text"), r#""4:0b""#);
    }

    #[test]
    fn what_is_no_such_text_is_refused() {
        for text in ["", "4", "4:", "4:0b0b", "4:zz", "4:1b", "-1:00", "9:ff", "2:\u{e9}"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("0:"), Some(Correct::default()));
    }

    proptest! {
        #[test]
        fn answers_read_back_what_they_write(answers in prop::collection::vec(any::<bool>(), 0..70)) {
            let correct: Correct = answers.iter().copied().collect();
            prop_assert_eq!(correct.iter().collect::<Vec<_>>(), answers.clone());
            prop_assert_eq!(correct.count(), answers.iter().filter(|&&right| right).count());
            let text = serde_json::to_string(&correct).expect("text");
            prop_assert_eq!(serde_json::from_str::<Correct>(&text).expect("what was written"), correct);
        }
    }
}
