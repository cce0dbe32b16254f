//! Running an event: admission of chunks, pools for blocking work, the loop that feeds the dataflow
//! and commits what it delivers, and the same without media from a recording.

pub mod admission;
mod admitter;
mod answers;
mod asked;
pub mod asks;
pub mod catchup;
pub mod clip_plan;
pub mod clips;
mod commit;
pub mod convert;
pub mod cuts;
pub mod engine;
pub mod feedback;
mod files;
pub mod home;
pub mod listen;
pub mod loader;
pub mod log;
pub mod look_back;
pub mod media;
pub mod meter;
mod naming;
pub mod open;
pub mod playlist;
pub mod pool;
pub mod post;
pub mod publish;
mod reader;
pub mod recorded;
pub mod remarks;
pub mod removal;
mod scan;
pub mod target;
#[cfg(test)]
mod testing;
mod times;
pub mod told;
mod traces;
pub mod turns;
mod wanted;

pub use scan::MediaScanner;
pub use times::stream_times;
