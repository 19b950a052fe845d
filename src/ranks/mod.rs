//! Ranks: the processes of one training, started by a launcher, and how they reach each other.
//!
//! [`mpi`] goes through an MPI library that has the standard's ABI, opened at run time; [`tcp`] needs nothing but the variables that
//! `torchrun` and many job scripts set.

#[expect(unsafe_code, reason = "functions of a library that is opened at run time")]
mod mpi;
mod tcp;

use std::sync::Arc;

use crate::train::{Ranks, RanksError};

/// The launcher whose processes train together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launcher {
    /// `mpirun`, `mpiexec` or `srun`, with an MPI library of version 5 or one that has its ABI.
    Mpi,
    /// Whatever sets `RANK`, `WORLD_SIZE`, `MASTER_ADDR` and `MASTER_PORT`, as `torchrun` does.
    Env,
}

impl std::str::FromStr for Launcher {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "mpi" => Ok(Self::Mpi),
            "env" => Ok(Self::Env),
            _ => Err(format!("'{text}' is no launcher; give mpi or env")),
        }
    }
}

/// Meets the other processes that the launcher started. Without a launcher this process is the only rank.
///
/// # Errors
/// [`RanksError`] where the library, a variable or another rank is missing.
pub fn connect(launcher: Launcher) -> Result<Arc<dyn Ranks>, RanksError> {
    let ranks: Arc<dyn Ranks> = match launcher {
        Launcher::Mpi => Arc::new(mpi::Mpi::connect()?),
        Launcher::Env => Arc::new(tcp::Tcp::connect(&tcp::Place::of_environment()?)?),
    };
    if ![1, 2, 4, 8].contains(&ranks.count()) {
        return Err(RanksError::Count(ranks.count()));
    }
    Ok(ranks)
}
