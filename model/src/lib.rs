//! The vocabulary of matchcut: time, chunks, frames, observations, segments and replays.
//! Pure data and pure decisions; nothing here reads, writes or asks a clock.

pub mod change;
pub mod chunk;
pub mod failure;
pub mod frame;
pub mod observation;
pub mod segment;
pub mod time;
pub mod timeline;
pub mod timecode;
pub mod value;
