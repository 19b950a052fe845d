//! What a long run tells to others than its terminal: a file of events, TensorBoard, and whoever asks for its metrics.
//!
//! The console is the run's one observer and hands on what it is told. Who listens is a [`Listener`]; one that cannot go on is
//! dropped with a warning, and never ends or holds up the run.

mod address;
mod audience;
mod crc32c;
mod event;
mod events;
mod metrics;
mod tensorboard;

pub(super) use self::address::Address;
pub(super) use self::audience::{Every, Watch};
pub(super) use self::event::{Event, Listener};
pub(super) use self::events::Events;
pub(super) use self::metrics::Metrics;
pub(super) use self::tensorboard::TensorBoard;
