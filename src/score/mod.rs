//! Score: EL2N and the other training dynamics of every sample.
