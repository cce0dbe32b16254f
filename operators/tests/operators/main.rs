//! Operators from the outside: made-up and real pictures and sounds, chunks of every length.

// The helpers here are as much test as the tests that call them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod audio;
mod color;
mod conformance;
mod cues;
mod events;
mod footage;
mod loudness;
mod process;
mod scene;
mod scoreboard;
mod shots;
