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
mod probe;
mod read;
mod regular;
mod share;
mod store;
mod streamed;
mod tree;

pub use apart::ensure_apart;
pub use dataset::{write_about, write_dataset};
pub use folder::{FolderError, Loaded, Scan, scan};
pub use keep::Wanted;
pub use memory::{free_memory, used_memory};
pub use output::{OutputError, write_atomic};
pub use pack::{Container, PackError, PackForm, PackOptions, Packed, check, merge as merge_packs, pack};
pub use probe::{Holdings, Probed, holdings, probe};
pub use read::{Listing, ReadOptions, Reading, list, list_whole, load, read_folder, read_set, tune};
pub use regular::{open_named, open_regular, read_named, read_regular};
pub use share::{combine_share, merge_sets, shared_command};
pub use store::OutputFolder;
pub use streamed::Streamed;
pub use tree::{Disk, Info, Opened, SourceError, SourceTree, SplitInfo, Tree, name_of, open};
