//! Files that a run keeps for itself, to go on with after a stop: proxies' logs, students' outcomes, checkpoints.
//!
//! A run trusts them with days of work, so each is sealed: before its bytes stands a line of JSON with its name, the
//! fingerprint of what it depends on and a hash of all three. A file that was changed, cut off or swapped for another, that
//! belongs to another run, or that tilepress did not write, is an error with its name, and never part of a result.

use serde::{Deserialize, Serialize};

use super::error::{KeptError, RunError};
use super::storage::{Storage, StorageError};
use crate::data::ContentHash;

/// The beginning of a seal, by which a file of ours is told from any other.
pub const SEALED: &[u8] = b"{\"tilepress\":\"kept\",";
/// Version of the seal; it is raised by a change that an older reader cannot read.
const FORM: u32 = 1;

/// The line before the bytes of a kept file.
#[derive(Serialize, Deserialize)]
struct Seal {
    /// `kept`.
    tilepress: String,
    form: u32,
    /// Number of the writing, where two files are written in turns: the newer has the higher.
    #[serde(default, skip_serializing_if = "is_first")]
    turn: u64,
    /// Name of the file, with its folder.
    name: String,
    /// Fingerprint of what the file depends on.
    of: ContentHash,
    /// [`hash`] of the three.
    blake3: ContentHash,
}

/// A folder of kept files in a storage, and the fingerprint of the run that they belong to.
#[derive(Clone, Copy)]
pub struct Kept<'a> {
    storage: &'a dyn Storage,
    folder: &'a str,
    of: ContentHash,
}

impl<'a> Kept<'a> {
    /// The kept files in `folder` that depend on what `of` is the hash of: options, images and method.
    pub fn new(storage: &'a dyn Storage, folder: &'a str, of: ContentHash) -> Self {
        Self { storage, folder, of }
    }

    /// The same folder, for files that depend on `more`, too.
    #[must_use]
    pub fn and(self, more: ContentHash) -> Self {
        let mut both = [0; 64];
        both[..32].copy_from_slice(&self.of.0);
        both[32..].copy_from_slice(&more.0);
        Self { of: ContentHash::of(&both), ..self }
    }

    /// The bytes of a file, as they were kept; `None` where there is none.
    ///
    /// # Errors
    /// [`RunError::Kept`] for a file that is not what was kept, [`RunError::Storage`] for one that cannot be read.
    pub fn read(&self, file: &str) -> Result<Option<Vec<u8>>, RunError> {
        Ok(self.read_turn(file)?.map(|(_, bytes)| bytes))
    }

    /// The same, with the number of the writing.
    ///
    /// # Errors
    /// The errors of [`read`](Self::read).
    pub fn read_turn(&self, file: &str) -> Result<Option<(u64, Vec<u8>)>, RunError> {
        let name = self.name(file);
        let Some(mut bytes) = self.storage.read(&name)? else { return Ok(None) };
        let (turn, begin) = self.check(&name, &bytes)?;
        bytes.drain(..begin);
        Ok(Some((turn, bytes)))
    }

    /// Keeps a file, in place of one of that name if there is one.
    ///
    /// # Errors
    /// [`RunError::Storage`]; the former file, if any, is then untouched.
    pub fn write(&self, file: &str, bytes: &[u8]) -> Result<(), RunError> {
        self.write_turn(file, 0, bytes)
    }

    /// The same, with the number of the writing.
    ///
    /// # Errors
    /// The errors of [`write`](Self::write).
    pub fn write_turn(&self, file: &str, turn: u64, bytes: &[u8]) -> Result<(), RunError> {
        let name = self.name(file);
        let seal = Seal {
            tilepress: "kept".to_owned(),
            form: FORM,
            turn,
            blake3: hash(&name, self.of, turn, bytes),
            of: self.of,
            name,
        };
        let mut sealed = serde_json::to_vec(&seal)?;
        sealed.push(b'\n');
        sealed.extend_from_slice(bytes);
        Ok(self.storage.write(&seal.name, &sealed)?)
    }

    /// Removes a file, if it is there and was kept for this run.
    ///
    /// # Errors
    /// The errors of [`read`](Self::read); [`RunError::Storage`] when it cannot be removed.
    pub fn remove(&self, file: &str) -> Result<(), RunError> {
        if self.read(file)?.is_some() {
            self.storage.remove(&self.name(file))?;
        }
        Ok(())
    }

    /// The same for a file that is of no more use: one of ours that was changed or cut off is removed, too.
    ///
    /// # Errors
    /// The other errors of [`remove`](Self::remove).
    pub fn remove_spoilt(&self, file: &str) -> Result<(), RunError> {
        match self.remove(file) {
            Err(RunError::Kept(KeptError::Changed { .. })) => Ok(self.storage.remove(&self.name(file))?),
            other => other,
        }
    }

    /// Gives a file that is none of ours another name, so that ours can be written: its own with `ending` behind it.
    ///
    /// # Errors
    /// [`RunError::Storage`] when it cannot be read or written, or there is a file of the other name; it is then where it was.
    pub fn put_aside(&self, file: &str, ending: &str) -> Result<String, RunError> {
        let name = self.name(file);
        let other = format!("{name}{ending}");
        if self.storage.has(&other) {
            let why = format!("'{}' is in the way: move it to another folder", self.storage.shown(&other));
            return Err(StorageError::Unusable(why).into());
        }
        if let Some(bytes) = self.storage.read(&name)? {
            self.storage.write(&other, &bytes)?;
            self.storage.remove(&name)?;
        }
        Ok(self.storage.shown(&other))
    }

    /// A file's name for messages.
    pub fn shown(&self, file: &str) -> String {
        self.storage.shown(&self.name(file))
    }

    fn name(&self, file: &str) -> String {
        format!("{}/{file}", self.folder)
    }

    /// The number of the writing, and the place where the kept bytes begin.
    fn check(&self, name: &str, bytes: &[u8]) -> Result<(u64, usize), KeptError> {
        let file = || self.storage.shown(name);
        let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else {
            // A file of ours that was cut off within its first line, or something else.
            let ours = bytes.starts_with(SEALED) || SEALED.starts_with(bytes) || is_spoilt(bytes);
            return Err(if ours {
                KeptError::Changed { file: file() }
            } else {
                KeptError::Foreign { file: file() }
            });
        };
        if !bytes.starts_with(SEALED) {
            let file = file();
            return Err(if is_spoilt(bytes) {
                KeptError::Changed { file }
            } else {
                KeptError::Foreign { file }
            });
        }
        let (line, kept) = (&bytes[..end], &bytes[end + 1..]);
        let seal: Seal = serde_json::from_slice(line).map_err(|_| KeptError::Changed { file: file() })?;
        let whole = seal.blake3 == hash(&seal.name, seal.of, seal.turn, kept);
        if seal.form != FORM {
            // What is sealed as this form seals is of no other form: its number was changed.
            let file = file();
            return Err(if whole { KeptError::Changed { file } } else { KeptError::Foreign { file } });
        }
        // A line that reads the same and is another, such as one with a capital among the digits of a hash.
        let as_written = serde_json::to_vec(&seal).is_ok_and(|written| written == line);
        if !(whole && as_written) {
            return Err(KeptError::Changed { file: file() });
        }
        // The run comes first: of two names in two runs, the run is what is wrong.
        if seal.of != self.of && seal.name == name {
            return Err(KeptError::OtherRun { file: file() });
        }
        if seal.name != name {
            return Err(KeptError::Swapped { file: file(), name: seal.name });
        }
        Ok((seal.turn, end + 1))
    }
}

/// `true` for bytes that are no seal and hardly anybody's work: a seal of which a few letters are others, and the zeros that a file
/// system leaves of a file after a power failure.
fn is_spoilt(bytes: &[u8]) -> bool {
    const OTHERS: usize = 4;
    let equal = bytes.iter().zip(SEALED).filter(|(byte, seal)| byte == seal).count();
    equal + OTHERS >= SEALED.len() || bytes.iter().all(|&byte| byte == 0)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_first(turn: &u64) -> bool {
    *turn == 0
}

/// Hash of a file's name, what it depends on, the number of its writing where that counts, and its bytes.
fn hash(name: &str, of: ContentHash, turn: u64, bytes: &[u8]) -> ContentHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes()).update(&of.0).update(bytes);
    if !is_first(&turn) {
        hasher.update(&turn.to_le_bytes());
    }
    ContentHash(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Fault, Faulty as _};
    use crate::run::memory::Memory;

    const NAME: &str = "students/pca-0.json";

    fn kept<'a>(storage: &'a Memory, run: &[u8]) -> Kept<'a> {
        Kept::new(storage, "students", ContentHash::of(run))
    }

    fn refused(storage: &Memory, file: &str) -> KeptError {
        match kept(storage, b"run").read(file) {
            Err(RunError::Kept(error)) => {
                assert!(error.to_string().contains(&format!("'memory/students/{file}'")), "{error}");
                assert_eq!(RunError::Kept(error).fault(), Fault::Data);
                match kept(storage, b"run").read(file) {
                    Err(RunError::Kept(error)) => error,
                    _ => unreachable!("it was refused before"),
                }
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_kept_is_read_back_and_may_be_anything() {
        let storage = Memory::default();
        for bytes in [&b""[..], b"\n", b"a\nb", &[0, 255, 10]] {
            kept(&storage, b"run").write("pca-0.json", bytes).unwrap();
            assert_eq!(kept(&storage, b"run").read("pca-0.json").unwrap().as_deref(), Some(bytes));
        }
        assert_eq!(kept(&storage, b"run").read("other.json").unwrap(), None);
        assert_eq!(storage.names(), [NAME]);
        kept(&storage, b"run").remove("pca-0.json").unwrap();
        kept(&storage, b"run").remove("pca-0.json").unwrap();
        assert!(storage.names().is_empty());
    }

    #[test]
    fn a_file_that_is_changed_anywhere_or_cut_off_anywhere_is_named() {
        let storage = Memory::default();
        kept(&storage, b"run").write("pca-0.json", b"seventy").unwrap();
        let whole = storage.read(NAME).unwrap().unwrap();
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            storage.write(NAME, &changed).unwrap();
            refused(&storage, "pca-0.json");
            storage.write(NAME, &whole[..place]).unwrap();
            assert!(matches!(refused(&storage, "pca-0.json"), KeptError::Changed { .. }), "{place}");
        }
        storage.write(NAME, &[&whole[..], b"x"].concat()).unwrap();
        assert!(matches!(refused(&storage, "pca-0.json"), KeptError::Changed { .. }));
    }

    #[test]
    fn a_spoilt_beginning_is_told_from_the_work_of_others() {
        let storage = Memory::default();
        kept(&storage, b"run").write_turn("pca-0.json", 7, b"seventy").unwrap();
        assert_eq!(kept(&storage, b"run").read_turn("pca-0.json").unwrap(), Some((7, b"seventy".to_vec())));
        let whole = storage.read(NAME).unwrap().unwrap();
        // One bit anywhere, the number of the form and that of the writing among them.
        for bit in 0..8 * whole.len() {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            storage.write(NAME, &changed).unwrap();
            assert!(matches!(refused(&storage, "pca-0.json"), KeptError::Changed { .. }), "bit {bit}");
        }
        storage.write(NAME, &vec![0; 4096]).unwrap();
        assert!(matches!(refused(&storage, "pca-0.json"), KeptError::Changed { .. }));
        storage.write(NAME, &whole.iter().map(|byte| byte ^ 0x55).collect::<Vec<_>>()).unwrap();
        assert!(matches!(refused(&storage, "pca-0.json"), KeptError::Foreign { .. }));
    }

    #[test]
    fn a_file_that_is_swapped_for_another_says_which_it_is() {
        let storage = Memory::default();
        kept(&storage, b"run").write("pca-0.json", b"seventy").unwrap();
        let whole = storage.read(NAME).unwrap().unwrap();
        storage.write("students/random-0.json", &whole).unwrap();
        let error = refused(&storage, "random-0.json");
        assert!(error.to_string().contains("written as 'students/pca-0.json'"), "{error}");
    }

    #[test]
    fn a_file_of_another_run_or_of_nobody_is_refused_and_not_removed() {
        let storage = Memory::default();
        kept(&storage, b"another run").write("pca-0.json", b"seventy").unwrap();
        assert!(matches!(refused(&storage, "pca-0.json"), KeptError::OtherRun { .. }));
        kept(&storage, b"run").and(ContentHash::of(b"images")).write("pca-0.json", b"seventy").unwrap();
        assert!(matches!(refused(&storage, "pca-0.json"), KeptError::OtherRun { .. }));
        for foreign in [&b"{\"seed\":0}"[..], b"{\"seed\":\n0}", &[0, 0, 10, 0]] {
            storage.write(NAME, foreign).unwrap();
            assert!(matches!(refused(&storage, "pca-0.json"), KeptError::Foreign { .. }));
        }
        assert!(kept(&storage, b"run").remove("pca-0.json").is_err());
        assert_eq!(storage.names(), [NAME]);
    }
}
