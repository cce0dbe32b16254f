//! Somebody who carries what an event has for others: messages, files, jobs. What is given to an outlet is in the
//! outbox of the event and stays there until it has arrived, so an outlet may fail at any moment and be asked again.

use matchcut_model::failure::Domain;
use serde::de::DeserializeOwned;

/// A row of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Its number: greater than that of all before it, and never used twice.
    pub id: i64,
    /// What is to be carried, as JSON; of what kind it is, the sink knows whose outbox it is.
    pub payload: String,
}

impl Posted {
    /// What is to be carried. The error is final: this row will never be readable.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, OutletError> {
        serde_json::from_str(&self.payload).map_err(|error| OutletError {
            message: format!("row {} of the outbox cannot be read: {error}", self.id),
            hint: None,
            domain: Domain::Internal,
            is_final: true,
        })
    }
}

/// Carries what is in the outbox of one sink.
pub trait Outlet: Send {
    /// Carries all of `batch`, in order; those that have arrived already are left out. When this returns, every
    /// one has arrived once; after an error, none of them or all.
    fn carry(&mut self, batch: &[Posted]) -> Result<(), OutletError>;

    /// How long the end of a run waits for what could not be carried yet.
    fn patience(&self) -> std::time::Duration;
}

/// Why it could not be carried.
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
