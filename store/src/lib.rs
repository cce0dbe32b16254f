//! The store of an event: the log of its inputs, what became of them, and what is still to be
//! published, in one SQLite file. What the entries mean is up to its
//! user, to whom they are bytes and text.

mod error;
mod lock;
mod outbox;
mod schema;
mod store;

pub use error::StoreError;
pub use lock::Lock;
pub use outbox::{Outbox, OutboxRow};
pub use store::{ChangeRecord, EpochRecord, LogRecord, Posting, Store, StoreState};
