//! Two checkpoints of a training, written in turns.
//!
//! The newer is replaced only when the next is whole, as every file is. Still a disk may lose or spoil what was written, so the
//! one before it stays: a checkpoint that cannot be read costs the work between the two, and not the whole training. What the
//! training comes to is the same, whichever it goes on from.

use super::{Kept, KeptError, Observer, RunError, StorageError};

/// Ending of a file that is none of ours where a checkpoint belongs.
const ASIDE: &str = ".not-tilepress";

/// The names of a training's two checkpoints.
fn files(training: &str) -> [String; 2] {
    [format!("{training}.checkpoint"), format!("{training}.2.checkpoint")]
}

/// The checkpoints of one training.
pub(super) struct Rotation<'a> {
    kept: Kept<'a>,
    files: [String; 2],
    /// Number of the newest writing, and which file has it; the next goes to the other one.
    newest: (u64, usize),
}

impl<'a> Rotation<'a> {
    /// Those of a training that has none yet.
    fn new(kept: Kept<'a>, training: &str) -> Self {
        Self { kept, files: files(training), newest: (0, 1) }
    }

    /// The checkpoints of a training in a storage, and the bytes and name of the one to go on from, if there is one. Of one that
    /// cannot be read the observer is told, and it is mended by the other.
    ///
    /// # Errors
    /// [`RunError::Kept`] or [`RunError::Storage`] where none can be read, and where a file lies there that belongs elsewhere.
    #[allow(clippy::type_complexity, reason = "a file is its name and its bytes")]
    pub(super) fn open(
        kept: Kept<'a>,
        training: &str,
        observer: &dyn Observer,
    ) -> Result<(Self, Option<(String, Vec<u8>)>), RunError> {
        let mut rotation = Self::new(kept, training);
        let [first, second] = [0, 1].map(|slot| kept.read_turn(&rotation.files[slot]));
        let (slot, found) = match (first, second) {
            (Ok(None), Ok(None)) => return Ok((rotation, None)),
            (Ok(Some(one)), Ok(None)) => (0, one),
            (Ok(Some(one)), Ok(Some(other))) if other.0 < one.0 => (0, one),
            (Ok(_), Ok(Some(other))) => (1, other),
            (Ok(Some(one)), Err(why)) => (0, rotation.mended(1, one, why, observer)?),
            (Err(why), Ok(Some(other))) => (1, rotation.mended(0, other, why, observer)?),
            (Err(why), Err(other)) => {
                observer
                    .warn(&format!("{other}; the other checkpoint of that training cannot be used either"));
                return Err(why);
            }
            (Err(why), Ok(None)) | (Ok(None), Err(why)) => return Err(why),
        };
        let (turn, bytes) = found;
        rotation.newest = (turn, slot);
        let shown = kept.shown(&rotation.files[slot]);
        Ok((rotation, Some((shown, bytes))))
    }

    /// Writes the checkpoint that can be read over the one that cannot, so that there are two again and nothing is in the way of
    /// removing them. The readable one stays the newest: the next goes to the mended file.
    fn mended(
        &self,
        spoilt: usize,
        (turn, bytes): (u64, Vec<u8>),
        why: RunError,
        observer: &dyn Observer,
    ) -> Result<(u64, Vec<u8>), RunError> {
        let [file, good] = [spoilt, 1 - spoilt].map(|slot| self.kept.shown(&self.files[slot]));
        let why = match why {
            RunError::Kept(KeptError::Changed { .. }) => {
                "was changed or cut off since tilepress wrote it".to_owned()
            }
            RunError::Storage(StorageError::Io { source, .. }) => format!("cannot be read ({source})"),
            RunError::Kept(KeptError::Foreign { .. }) => {
                let aside = self.kept.put_aside(&self.files[spoilt], ASIDE)?;
                format!("is no checkpoint of tilepress, and was renamed to '{aside}'")
            }
            // A file that is whole, and belongs elsewhere.
            other => return Err(other),
        };
        observer.warn(&format!("'{file}' {why}: that training goes on from the checkpoint '{good}'"));
        self.kept.write_turn(&self.files[spoilt], turn.saturating_sub(1), &bytes)?;
        Ok((turn, bytes))
    }

    /// Keeps a checkpoint in place of the older one.
    ///
    /// # Errors
    /// [`RunError::Storage`]; those that are there are then untouched.
    pub(super) fn save(&mut self, bytes: &[u8]) -> Result<(), RunError> {
        let next = (self.newest.0.saturating_add(1), 1 - self.newest.1);
        self.kept.write_turn(&self.files[next.1], next.0, bytes)?;
        self.newest = next;
        Ok(())
    }
}

/// Removes the checkpoints of a training whose result is kept, spoilt ones too.
///
/// # Errors
/// [`RunError::Storage`] when one is there and cannot be removed, [`RunError::Kept`] when one is not ours.
pub(super) fn forget(kept: Kept<'_>, training: &str) -> Result<(), RunError> {
    files(training).iter().try_for_each(|file| kept.remove_spoilt(file))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::data::ContentHash;
    use crate::run::memory::Memory;
    use crate::run::{Stage, Storage as _};

    const NAMES: [&str; 2] = ["logs/7.checkpoint", "logs/7.2.checkpoint"];

    #[derive(Default)]
    struct Listener(Mutex<Vec<String>>);

    impl Observer for Listener {
        fn say(&self, _text: &str) {}

        fn warn(&self, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }

        fn stage(&self, _name: &'static str, _unit: &'static str, _total: usize) -> Box<dyn Stage + '_> {
            Box::new(crate::run::Silent)
        }

        fn wants_stop(&self) -> bool {
            false
        }

        fn seconds(&self) -> f64 {
            0.0
        }
    }

    fn kept(storage: &Memory) -> Kept<'_> {
        Kept::new(storage, "logs", ContentHash::of(b"run"))
    }

    /// The checkpoint to go on from, and the warnings.
    fn found(storage: &Memory) -> (Result<Option<Vec<u8>>, RunError>, Vec<String>) {
        let listener = Listener::default();
        let found = Rotation::open(kept(storage), "7", &listener);
        (found.map(|(_, found)| found.map(|(_, bytes)| bytes)), listener.0.into_inner().unwrap())
    }

    fn saved(checkpoints: &[&[u8]]) -> Memory {
        let storage = Memory::default();
        for bytes in checkpoints {
            // A new process each time.
            let (mut rotation, _) = Rotation::open(kept(&storage), "7", &crate::run::Silent).unwrap();
            rotation.save(bytes).unwrap();
        }
        storage
    }

    #[test]
    fn the_newest_of_two_is_read_and_the_older_is_replaced() {
        assert_eq!(found(&Memory::default()).0.unwrap(), None);
        let all: [&[u8]; 5] = [b"one", b"two", b"three", b"four", b"five"];
        for count in 1..=all.len() {
            let storage = saved(&all[..count]);
            assert_eq!(storage.names().len(), count.min(2));
            let (newest, warnings) = found(&storage);
            assert_eq!(newest.unwrap().unwrap(), all[count - 1]);
            assert!(warnings.is_empty());
            forget(kept(&storage), "7").unwrap();
            assert!(storage.names().is_empty());
        }
        // In one process, too.
        let storage = Memory::default();
        let (mut rotation, _) = Rotation::open(kept(&storage), "7", &crate::run::Silent).unwrap();
        all.iter().for_each(|bytes| rotation.save(bytes).unwrap());
        assert_eq!((found(&storage).0.unwrap().unwrap(), storage.names().len()), (b"five".to_vec(), 2));
    }

    #[test]
    fn a_checkpoint_of_an_earlier_version_is_the_first() {
        let storage = Memory::default();
        kept(&storage).write("7.checkpoint", b"earlier").unwrap();
        let (mut rotation, found_first) = Rotation::open(kept(&storage), "7", &crate::run::Silent).unwrap();
        assert_eq!(found_first.unwrap().1, b"earlier");
        rotation.save(b"next").unwrap();
        assert_eq!(storage.names().len(), 2);
        assert_eq!(found(&storage).0.unwrap().unwrap(), b"next");
    }

    /// What becomes of a file's bytes.
    type Damage = fn(&[u8]) -> Vec<u8>;

    /// Ways in which a disk, or somebody, spoils a file.
    fn damages() -> Vec<(&'static str, Damage)> {
        vec![
            ("emptied", |_| Vec::new()),
            ("cut off in its first line", |bytes| bytes[..30].to_vec()),
            ("cut off in its middle", |bytes| bytes[..bytes.len() - 2].to_vec()),
            ("longer", |bytes| [bytes, b"x"].concat()),
            ("a bit of its bytes changed", |bytes| {
                let mut bytes = bytes.to_vec();
                *bytes.last_mut().unwrap() ^= 4;
                bytes
            }),
            ("a bit of its first letters changed", |bytes| {
                let mut bytes = bytes.to_vec();
                bytes[3] ^= 4;
                bytes
            }),
            ("zeros", |bytes| vec![0; bytes.len()]),
            ("its end zeros", |bytes| {
                let mut bytes = bytes.to_vec();
                let half = bytes.len() / 2;
                bytes[half..].fill(0);
                bytes
            }),
        ]
    }

    #[test]
    fn one_that_is_spoilt_in_any_way_is_named_and_the_one_before_it_taken_and_both_are_whole_again() {
        for (damage, spoil) in damages() {
            // The newest in either file, and the older one.
            for (checkpoints, spoilt, expected) in [
                (&[&b"one"[..], b"two"][..], 1, &b"one"[..]),
                (&[b"one", b"two", b"three"], 0, b"two"),
                (&[b"one", b"two", b"three"], 1, b"three"),
            ] {
                let storage = saved(checkpoints);
                let whole = storage.read(NAMES[spoilt]).unwrap().unwrap();
                storage.write(NAMES[spoilt], &spoil(&whole)).unwrap();
                let (taken, warnings) = found(&storage);
                assert_eq!(taken.unwrap().unwrap(), expected, "{damage}");
                assert_eq!(warnings.len(), 1, "{damage}");
                let [bad, good] = [NAMES[spoilt], NAMES[1 - spoilt]];
                assert!(
                    warnings[0].starts_with(&format!("'memory/{bad}' "))
                        && warnings[0].ends_with(&format!("from the checkpoint 'memory/{good}'")),
                    "{damage}: {warnings:?}"
                );
                let (again, warnings) = found(&storage);
                assert_eq!((again.unwrap().unwrap(), warnings.len()), (expected.to_vec(), 0), "{damage}");
                // The good one is not what the next replaces.
                let good_bytes = storage.read(good).unwrap();
                let (mut rotation, _) = Rotation::open(kept(&storage), "7", &crate::run::Silent).unwrap();
                rotation.save(b"next").unwrap();
                assert_eq!(storage.read(good).unwrap(), good_bytes, "{damage}");
                assert_eq!(found(&storage).0.unwrap().unwrap(), b"next", "{damage}");
                forget(kept(&storage), "7").unwrap();
                assert!(storage.names().is_empty(), "{damage}");
            }
        }
    }

    #[test]
    fn one_that_the_disk_does_not_give_back_is_as_spoilt() {
        let storage = saved(&[b"one", b"two"]);
        // The first read is that of the first file.
        let failing = storage.unreadable_at(0);
        let (taken, warnings) = found(&failing);
        assert_eq!(taken.unwrap().unwrap(), b"two");
        assert!(warnings[0].contains("a bad sector"), "{warnings:?}");
        let failing = storage.unreadable_at(1);
        let (taken, warnings) = found(&failing);
        assert_eq!(taken.unwrap().unwrap(), b"one");
        assert!(warnings[0].starts_with("'memory/logs/7.2.checkpoint' cannot be read"), "{warnings:?}");
        assert_eq!(found(&failing).0.unwrap().unwrap(), b"one", "it was mended");
    }

    #[test]
    fn somebody_elses_file_is_put_aside_and_not_lost() {
        let storage = saved(&[b"one", b"two"]);
        storage.write(NAMES[1], b"my notes\n").unwrap();
        let (taken, warnings) = found(&storage);
        assert_eq!(taken.unwrap().unwrap(), b"one");
        let aside = format!("{}.not-tilepress", NAMES[1]);
        assert!(warnings[0].contains(&format!("renamed to 'memory/{aside}'")), "{warnings:?}");
        assert_eq!(storage.read(&aside).unwrap().unwrap(), b"my notes\n");
        // A second one would overwrite it.
        storage.write(NAMES[1], b"other notes\n").unwrap();
        let error = found(&storage).0.unwrap_err().to_string();
        assert!(error.contains(&aside) && error.contains("in the way"), "{error}");
        assert_eq!(storage.read(NAMES[1]).unwrap().unwrap(), b"other notes\n");
    }

    #[test]
    fn without_another_a_spoilt_one_ends_the_run_and_two_spoilt_ones_are_both_named() {
        for (damage, spoil) in damages() {
            let storage = saved(&[b"one"]);
            let whole = storage.read(NAMES[0]).unwrap().unwrap();
            storage.write(NAMES[0], &spoil(&whole)).unwrap();
            let (taken, _) = found(&storage);
            assert!(matches!(taken, Err(RunError::Kept(KeptError::Changed { .. }))), "{damage}");
            let storage = saved(&[b"one", b"two"]);
            for name in NAMES {
                let whole = storage.read(name).unwrap().unwrap();
                storage.write(name, &spoil(&whole)).unwrap();
            }
            let (taken, warnings) = found(&storage);
            let error = taken.unwrap_err().to_string();
            assert!(error.contains(NAMES[0]) && warnings[0].contains(NAMES[1]), "{error} {warnings:?}");
        }
    }

    #[test]
    fn one_that_belongs_elsewhere_is_refused_and_stays() {
        let storage = saved(&[b"one", b"two"]);
        let first = storage.read(NAMES[0]).unwrap().unwrap();
        storage.write(NAMES[1], &first).unwrap();
        assert!(matches!(found(&storage).0, Err(RunError::Kept(KeptError::Swapped { .. }))));
        let other = Memory::default();
        Kept::new(&other, "logs", ContentHash::of(b"other run"))
            .write_turn("7.2.checkpoint", 9, b"x")
            .unwrap();
        let bytes = other.read(NAMES[1]).unwrap().unwrap();
        storage.write(NAMES[1], &bytes).unwrap();
        assert!(matches!(found(&storage).0, Err(RunError::Kept(KeptError::OtherRun { .. }))));
        assert_eq!(storage.read(NAMES[1]).unwrap().unwrap(), bytes);
    }

    #[test]
    fn a_write_that_fails_leaves_both() {
        let storage = saved(&[b"one", b"two"]);
        let full = storage.filled();
        let (mut rotation, _) = Rotation::open(kept(&full), "7", &crate::run::Silent).unwrap();
        rotation.save(b"three").unwrap_err();
        assert_eq!(found(&full).0.unwrap().unwrap(), b"two");
    }
}
