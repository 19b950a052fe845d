//! Files: reads labelled folders and writes results, for the program and for native users of the library.
//!
//! [`scan`] lists a folder, [`list`] sorts it into classes and splits, [`load`] reads it into a
//! [`Dataset`](crate::pipeline::Dataset); [`read_folder`] does all three. [`OutputFolder`] is the
//! [`Storage`](crate::run::Storage) of a run: no file in it is ever half-written, and no file of the user's is overwritten
//! unless asked. [`write_dataset`] writes a compressed set.

mod apart;
mod dataset;
mod folder;
mod keep;
mod lock;
mod memory;
mod output;
mod pack;
mod read;
mod regular;
mod store;
mod streamed;
mod tree;

pub use apart::ensure_apart;
pub use dataset::{write_about, write_dataset};
pub use folder::{FolderError, Loaded, Scan, scan};
pub use keep::Wanted;
pub use memory::{free_memory, used_memory};
pub use output::{OutputError, write_atomic};
pub use pack::{Container, PackError, PackForm, PackOptions, Packed, check, pack};
pub use read::{Listing, ReadOptions, Reading, list, list_whole, load, read_folder, read_set, tune};
pub use regular::{open_regular, read_named, read_regular};
pub use store::OutputFolder;
pub use streamed::Streamed;
pub use tree::{Disk, Info, Opened, SourceError, SourceTree, SplitInfo, Tree, name_of, open};
