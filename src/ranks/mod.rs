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

/// Number of a rank among those of its machine, from 0, by which it takes a device. Launchers tell it; where none does, the rank itself,
/// which gives each its own device where machines have as many ranks as devices.
pub fn own_place(ranks: &dyn Ranks) -> usize {
    own_place_by(|name| std::env::var(name).ok()).unwrap_or_else(|| ranks.rank())
}

/// The number by the variables of `torchrun`, Open MPI, MPICH and Slurm.
fn own_place_by(variable: impl Fn(&str) -> Option<String>) -> Option<usize> {
    const NAMES: [&str; 5] =
        ["LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "PMI_LOCAL_RANK", "SLURM_LOCALID"];
    NAMES.iter().find_map(|name| variable(name)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::own_place_by;

    #[test]
    fn a_ranks_place_on_its_machine_is_told_by_the_launcher() {
        let of = |set: &[(&str, &str)]| {
            own_place_by(|name| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("SLURM_LOCALID", "3")]), Some(3));
        assert_eq!(of(&[("SLURM_LOCALID", "0"), ("LOCAL_RANK", "2")]), Some(2), "the nearest launcher");
        assert_eq!(of(&[("LOCAL_RANK", "x"), ("MPI_LOCALRANKID", "1")]), Some(1));
    }
}
