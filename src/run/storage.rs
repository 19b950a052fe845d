//! The place for a run's results. It is a folder for the program and memory for a test; here is only the interface.

use crate::fault::{Fault, Faulty};

/// A place for files. Names are relative to it, with `/` between their parts.
pub trait Storage: Sync {
    /// The bytes of a file; `None` where there is none.
    ///
    /// # Errors
    /// [`StorageError`] when the file exists and cannot be read.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError>;

    /// Writes a file whole or not at all, over the one of that name if there is one.
    ///
    /// # Errors
    /// [`StorageError`]; the former file, if any, is then untouched.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError>;

    /// Removes a file, if it is there, and its folder when that is empty then.
    ///
    /// # Errors
    /// [`StorageError`] when it cannot be removed.
    fn remove(&self, name: &str) -> Result<(), StorageError>;

    /// `true` where there is a file of this name.
    fn has(&self, name: &str) -> bool;

    /// The names of all files, in byte order, without those that are the storage's own and temporary. Links count as files and
    /// are not followed.
    ///
    /// # Errors
    /// [`StorageError`] when the place cannot be read.
    fn list(&self) -> Result<Vec<String>, StorageError>;

    /// Takes the place for this run until it ends: makes it if it is not there, keeps other processes away, tries whether it
    /// can be written, and removes what a killed run left half-written, and nothing else.
    ///
    /// # Errors
    /// [`StorageError::Unusable`] when it cannot be written or another process has it.
    fn claim(&self) -> Result<(), StorageError>;

    /// Number of bytes that can still be written; `None` where that is not known.
    fn room(&self) -> Option<u64>;

    /// Begins a folder whose files appear together when it is finished, in place of one of that name.
    ///
    /// # Errors
    /// [`StorageError`].
    fn folder(&self, name: &str) -> Result<Box<dyn NewFolder + '_>, StorageError>;

    /// The location of a file, in words for a message; for the empty name, that of the place itself.
    fn shown(&self, name: &str) -> String;
}

/// A folder that is being filled. One that is dropped unfinished leaves nothing behind.
pub trait NewFolder: Sync {
    /// Adds a file. Called from several threads.
    ///
    /// # Errors
    /// [`StorageError`].
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError>;

    /// Puts the folder in its place, its files safe on the disk.
    ///
    /// # Errors
    /// [`StorageError`]; the former folder is then untouched, or put back when the place is claimed again.
    fn finish(self: Box<Self>) -> Result<(), StorageError>;
}

/// A file that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The system refused.
    #[error("cannot {action} '{what}'")]
    Io {
        /// The act that failed, such as `write`.
        action: &'static str,
        /// The file or folder.
        what: String,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The place cannot be used for results.
    #[error("{0}")]
    Unusable(String),
}

impl Faulty for StorageError {
    fn fault(&self) -> Fault {
        match self {
            Self::Io { .. } => Fault::Run,
            Self::Unusable(_) => Fault::Data,
        }
    }
}

#[cfg(test)]
pub(crate) mod memory {
    //! A storage in memory, which fails when it is told to.

    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    pub(crate) struct Memory {
        pub(crate) files: Mutex<BTreeMap<String, Vec<u8>>>,
        /// Number of writes that succeed before the first that fails; with 0 all succeed.
        pub(crate) fails_after: usize,
        /// Number of reads that succeed before the first that fails; with `None` all succeed.
        pub(crate) unread_after: Option<usize>,
        /// The read that fails, alone, counted from 0.
        unread: Option<usize>,
        /// Bytes that are free.
        pub(crate) room: Option<u64>,
        written: AtomicUsize,
        read: AtomicUsize,
    }

    impl Memory {
        pub(crate) fn failing_after(writes: usize) -> Self {
            Self { fails_after: writes, ..Self::default() }
        }

        pub(crate) fn with_room(bytes: u64) -> Self {
            Self { room: Some(bytes), ..Self::default() }
        }

        /// The same files, in a storage where all succeeds.
        pub(crate) fn healed(&self) -> Self {
            Self { files: Mutex::new(self.files.lock().unwrap().clone()), ..Self::default() }
        }

        /// The same files, in a storage where one read fails, counted from 0.
        pub(crate) fn unreadable_at(&self, read: usize) -> Self {
            Self { unread: Some(read), ..self.healed() }
        }

        /// The same files, in a storage that is full.
        pub(crate) fn filled(&self) -> Self {
            Self { fails_after: 1, written: AtomicUsize::new(1), ..self.healed() }
        }

        /// The same files, in a storage whose files cannot be read after that many reads.
        #[cfg(feature = "flex")]
        pub(crate) fn unreadable_after(&self, reads: usize) -> Self {
            Self { unread_after: Some(reads), ..self.healed() }
        }

        /// Number of reads so far, those that failed among them.
        #[cfg(feature = "flex")]
        pub(crate) fn reads(&self) -> usize {
            self.read.load(Ordering::Relaxed)
        }

        pub(crate) fn names(&self) -> Vec<String> {
            self.files.lock().unwrap().keys().cloned().collect()
        }

        fn may_write(&self, name: &str) -> Result<(), StorageError> {
            let before = self.written.fetch_add(1, Ordering::Relaxed);
            if self.fails_after == 0 || before < self.fails_after {
                return Ok(());
            }
            Err(StorageError::Io {
                action: "write",
                what: name.to_owned(),
                source: "the disk is full".into(),
            })
        }

        fn may_read(&self, name: &str) -> Result<(), StorageError> {
            let before = self.read.fetch_add(1, Ordering::Relaxed);
            if self.unread_after.is_none_or(|reads| before < reads) && self.unread != Some(before) {
                return Ok(());
            }
            Err(StorageError::Io { action: "read", what: name.to_owned(), source: "a bad sector".into() })
        }
    }

    /// Lets every single read fail once of a run that goes on from what `begun` holds. Whether the run ends with an error then or
    /// can do without, no file is lost, and the next run comes to what `check` looks at.
    #[cfg(feature = "flex")]
    pub(crate) fn at_any_read<R: std::fmt::Debug, E: Faulty + std::fmt::Debug + std::fmt::Display>(
        begun: &Memory,
        made: impl Fn(&Memory) -> Result<R, E>,
        check: impl Fn(&Memory, &R),
    ) {
        for reads in 0.. {
            let out = begun.unreadable_after(reads);
            let ended = made(&out);
            if out.reads() <= reads {
                ended.expect("nothing failed");
                assert!(reads > 2, "{reads} reads were all");
                break;
            }
            let left = out.names();
            assert!(begun.names().iter().all(|name| left.contains(name)), "{left:?} after {reads} reads");
            if let Err(error) = ended {
                assert_eq!(error.fault(), Fault::Run, "{error}");
            }
            let again = out.healed();
            let result = made(&again).expect("the files can be read again");
            check(&again, &result);
        }
    }

    impl Storage for Memory {
        fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
            self.may_read(name)?;
            Ok(self.files.lock().unwrap().get(name).cloned())
        }

        fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
            self.may_write(name)?;
            self.files.lock().unwrap().insert(name.to_owned(), bytes.to_vec());
            Ok(())
        }

        fn remove(&self, name: &str) -> Result<(), StorageError> {
            self.files.lock().unwrap().remove(name);
            Ok(())
        }

        fn has(&self, name: &str) -> bool {
            self.files.lock().unwrap().contains_key(name)
        }

        fn list(&self) -> Result<Vec<String>, StorageError> {
            self.may_read("")?;
            Ok(self.names())
        }

        fn claim(&self) -> Result<(), StorageError> {
            Ok(())
        }

        fn room(&self) -> Option<u64> {
            self.room
        }

        fn folder(&self, name: &str) -> Result<Box<dyn NewFolder + '_>, StorageError> {
            Ok(Box::new(Filling { memory: self, name: name.to_owned(), files: Mutex::default() }))
        }

        fn shown(&self, name: &str) -> String {
            format!("memory/{name}")
        }
    }

    struct Filling<'a> {
        memory: &'a Memory,
        name: String,
        files: Mutex<BTreeMap<String, Vec<u8>>>,
    }

    impl NewFolder for Filling<'_> {
        fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
            self.memory.may_write(name)?;
            self.files.lock().unwrap().insert(format!("{}/{name}", self.name), bytes.to_vec());
            Ok(())
        }

        fn finish(self: Box<Self>) -> Result<(), StorageError> {
            let mut all = self.memory.files.lock().unwrap();
            all.retain(|name, _| !name.starts_with(&format!("{}/", self.name)));
            all.extend(self.files.into_inner().unwrap());
            Ok(())
        }
    }
}
