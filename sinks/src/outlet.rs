//! Somebody who carries messages to those who wait for them. What is given to an outlet is in the outbox of the
//! event and stays there until it has arrived, so an outlet may fail at any moment and be asked again.

use matchcut_model::failure::Domain;

use crate::messages::Message;

/// A message in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Its number: greater than that of all before it, and never used twice.
    pub id: i64,
    /// What it says.
    pub message: Message,
}

/// Carries messages of one event.
pub trait Outlet: Send {
    /// Carries all of `batch`, in order; those that have arrived already are left out. When this returns, every
    /// one has arrived once; after an error, none of them or all.
    fn carry(&mut self, batch: &[Posted]) -> Result<(), OutletError>;

    /// How long the end of a run waits for what could not be carried yet.
    fn patience(&self) -> std::time::Duration;
}

/// Why messages could not be carried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OutletError {
    /// What happened.
    pub message: String,
    /// What would mend it.
    pub hint: Option<String>,
    /// Whose business it is.
    pub domain: Domain,
    /// Trying again will not help.
    pub is_final: bool,
}
