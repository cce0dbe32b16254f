//! The dataflow of one event: pieces that are rendered from a graph. Only this module and what is
//! below it knows timely and differential.
//!
//! ```text
//! chunks -> media stage -> remember -> ordered folds -> observations, parts of segments
//!                                        parts -> merge -> segments
//! segments x observations x replays -> hits -> judged candidates -> selection
//!                                        everything -> deliver, one epoch at a time
//! ```

pub mod batch;
mod calling;
mod deliver;
mod epochs;
mod event;
mod fold;
mod merge;
mod offload;
mod once;
mod overlap;
mod ranking;
mod remember;
mod render;
mod selection;
mod shared;

pub use deliver::Delivery;
pub use event::{ChunkEntry, Control, EventGraph, OperatorNode, ReplayDefinition};
pub use fold::END_POSITION;
pub use merge::{Part, Remark, merge};
pub use remember::{ScanRow, Scanned};
pub use render::{EventInputs, Scanner, install};
pub(crate) use render::{chunk_row, panicked};
pub use selection::rows_of;

#[cfg(test)]
mod property_tests;
