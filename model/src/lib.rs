//! The vocabulary of matchcut: time, chunks, frames, observations, segments and replays.
//! Pure data and pure decisions; nothing here reads, writes or asks a clock.

pub mod attributes;
pub mod change;
pub mod chunk;
pub mod compat;
pub mod cue;
pub mod duration_text;
pub mod failure;
pub mod frame;
pub mod lines;
pub mod observation;
pub mod replay;
pub mod scte35;
pub mod segment;
pub mod time;
pub mod timecode;
pub mod timeline;
pub mod value;
