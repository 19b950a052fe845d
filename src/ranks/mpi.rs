//! Ranks over MPI, through the standard's ABI (MPI 5.0, chapter 20): nothing of MPI is needed to build, and any library that has the
//! ABI does, whoever made it. Constants are those of the standard's `mpi_abi.h`.

use std::ffi::{c_char, c_int, c_void};
use std::path::PathBuf;
use std::sync::Mutex;

use libloading::Library;

use crate::train::{Ranks, RanksError};

/// Variable that names the library where the system does not find it.
const VARIABLE: &str = "TILEPRESS_MPI_LIBRARY";
const NAMES: [&str; 4] = ["libmpi_abi.so.1", "libmpi_abi.so", "libmpi_abi.dylib", "mpi_abi.dll"];

const COMM_WORLD: *mut c_void = 0x101 as *mut c_void;
const ERRORS_RETURN: *mut c_void = 0x143 as *mut c_void;
const BYTE: *mut c_void = 0x247 as *mut c_void;
const STATUS_IGNORE: *mut c_void = std::ptr::null_mut();
const THREAD_SERIALIZED: c_int = 2048;
const SUCCESS: c_int = 0;
const MAX_ERROR_STRING: usize = 512;
/// A tag of ours.
const TAG: c_int = 77;
/// Bytes of a message; counts are 32 bits wide.
const MESSAGE: usize = 1 << 30;

type SendReceive = unsafe extern "C" fn(
    *const c_void,
    c_int,
    *mut c_void,
    c_int,
    c_int,
    *mut c_void,
    c_int,
    *mut c_void,
    c_int,
    c_int,
    *mut c_void,
    *mut c_void,
) -> c_int;
type ErrorString = unsafe extern "C" fn(c_int, *mut c_char, *mut c_int) -> c_int;

/// Ranks over MPI. A process whose work is done calls [`leave`](Ranks::leave); one that failed ends without, by which the launcher
/// knows that it must end the others.
#[derive(Debug)]
pub(super) struct Mpi {
    rank: usize,
    count: usize,
    /// The library's functions, called by one thread at a time.
    calls: Mutex<Calls>,
}

#[derive(Debug)]
struct Calls {
    send_receive: SendReceive,
    error_string: ErrorString,
    finalize: unsafe extern "C" fn() -> c_int,
    /// The functions are this library's.
    _library: Library,
}

impl Mpi {
    /// Opens the library and meets the other ranks.
    pub(super) fn connect() -> Result<Self, RanksError> {
        let library = open()?;
        // SAFETY: the names and types are those of the standard's ABI, which the library says it has by its own name; the arguments
        // point to numbers of this function.
        unsafe {
            let init: unsafe extern "C" fn(*mut c_int, *mut c_void, c_int, *mut c_int) -> c_int =
                symbol(&library, b"MPI_Init_thread\0")?;
            let of_world: unsafe extern "C" fn(*mut c_void, *mut c_int) -> c_int =
                symbol(&library, b"MPI_Comm_rank\0")?;
            let size: unsafe extern "C" fn(*mut c_void, *mut c_int) -> c_int =
                symbol(&library, b"MPI_Comm_size\0")?;
            let handler: unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int =
                symbol(&library, b"MPI_Comm_set_errhandler\0")?;
            let calls = Calls {
                send_receive: symbol(&library, b"MPI_Sendrecv\0")?,
                error_string: symbol(&library, b"MPI_Error_string\0")?,
                finalize: symbol(&library, b"MPI_Finalize\0")?,
                _library: library,
            };
            let (mut threads, mut rank, mut count) = (0, 0, 0);
            let began = |code: c_int| match code {
                SUCCESS => Ok(()),
                code => Err(RanksError::Launch(format!("MPI cannot begin: {}", calls.words(code)))),
            };
            began(init(std::ptr::null_mut(), std::ptr::null_mut(), THREAD_SERIALIZED, &raw mut threads))?;
            if threads < THREAD_SERIALIZED {
                return Err(RanksError::Launch("this MPI library takes calls of one thread only".to_owned()));
            }
            began(handler(COMM_WORLD, ERRORS_RETURN))?;
            began(of_world(COMM_WORLD, &raw mut rank))?;
            began(size(COMM_WORLD, &raw mut count))?;
            Ok(Self { rank: rank as usize, count: count as usize, calls: Mutex::new(calls) })
        }
    }
}

/// Opens the library that the variable names; without it the first that the system finds, or that lies beside the launcher.
fn open() -> Result<Library, RanksError> {
    let places = match std::env::var_os(VARIABLE) {
        Some(named) => vec![PathBuf::from(named)],
        None => NAMES.iter().map(PathBuf::from).chain(beside_launcher()).collect(),
    };
    let mut reasons = Vec::new();
    for place in &places {
        // SAFETY: what a library does when it is opened is its own; the user has named it, or installed it as MPI.
        match unsafe { Library::new(place) } {
            Ok(library) => return Ok(library),
            Err(why) => reasons.push(why.to_string()),
        }
    }
    // One that is there and cannot be opened says more than one that is not there.
    let of_file = places.iter().position(|place| place.is_file()).unwrap_or(0);
    Err(RanksError::Launch(format!(
        "no MPI library with the standard's ABI can be opened ({}): install one (`pip install mpich` brings it), or name its file in \
         {VARIABLE}",
        reasons[of_file]
    )))
}

/// Where a library lies that was installed with its launcher outside of the system's folders, as pip and conda do: `PREFIX/lib` of
/// every `PREFIX/bin/mpiexec` in `PATH`.
fn beside_launcher() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let launcher =
        |folder: &PathBuf| ["mpiexec", "mpiexec.exe"].iter().any(|name| folder.join(name).is_file());
    let folders = std::env::split_paths(&path).filter(launcher);
    folders
        .flat_map(|folder| {
            let lib = folder.parent().map(|prefix| prefix.join("lib")).into_iter().chain([folder]);
            lib.flat_map(|lib| NAMES.map(|name| lib.join(name))).collect::<Vec<_>>()
        })
        .filter(|place| place.is_file())
        .collect()
}

/// A function of the library.
///
/// # Safety
/// The function has the type `F`.
unsafe fn symbol<F: Copy>(library: &Library, name: &[u8]) -> Result<F, RanksError> {
    // SAFETY: the caller's promise.
    let found = unsafe { library.get::<F>(name) };
    let lacks = |why| RanksError::Launch(format!("the MPI library lacks a function of the standard: {why}"));
    found.map(|function| *function).map_err(lacks)
}

impl Calls {
    /// An error of MPI in words.
    fn words(&self, code: c_int) -> String {
        let (mut text, mut length) = ([0u8; MAX_ERROR_STRING + 1], 0);
        // SAFETY: the text has room for the longest error and the byte that ends it.
        let told = unsafe { (self.error_string)(code, text.as_mut_ptr().cast(), &raw mut length) };
        match told {
            SUCCESS => {
                String::from_utf8_lossy(&text[..(length as usize).min(MAX_ERROR_STRING)]).trim().to_owned()
            }
            _ => format!("error {code}"),
        }
    }

    /// Sends one message and receives another, each of at most [`MESSAGE`] bytes.
    fn message(&self, peer: usize, sent: &[u8], received: &mut [u8]) -> Result<(), String> {
        let peer = peer as c_int;
        // SAFETY: both buffers have the lengths that are told, and live until the call returns.
        let code = unsafe {
            (self.send_receive)(
                sent.as_ptr().cast(),
                sent.len() as c_int,
                BYTE,
                peer,
                TAG,
                received.as_mut_ptr().cast(),
                received.len() as c_int,
                BYTE,
                peer,
                TAG,
                COMM_WORLD,
                STATUS_IGNORE,
            )
        };
        if code == SUCCESS { Ok(()) } else { Err(self.words(code)) }
    }

    fn exchange(&self, peer: usize, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut length = [0; 8];
        self.message(peer, &(bytes.len() as u64).to_le_bytes(), &mut length)?;
        let length = usize::try_from(u64::from_le_bytes(length)).map_err(|why| why.to_string())?;
        let mut received = vec![0; length];
        // Both make as many calls as the longer one takes.
        for place in (0..bytes.len().max(length)).step_by(MESSAGE) {
            let part = |length: usize| place.min(length)..(place + MESSAGE).min(length);
            let own = part(length);
            self.message(peer, &bytes[part(bytes.len())], &mut received[own])?;
        }
        Ok(received)
    }
}

impl Ranks for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn count(&self) -> usize {
        self.count
    }

    fn exchange(&self, peer: usize, bytes: &[u8]) -> Result<Vec<u8>, RanksError> {
        let calls = self.calls.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        calls.exchange(peer, bytes).map_err(|why| RanksError::Lost { rank: self.rank, peer, why })
    }

    fn leave(&self) {
        let calls = self.calls.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // SAFETY: MPI has begun, and nothing is called after it. Nobody could do anything about its failure.
        unsafe { (calls.finalize)() };
    }
}
