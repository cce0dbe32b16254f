//! The operator SDK and the built-in operators, by class.

pub mod board;
pub mod cues;
mod declared;
mod featurers;
pub mod hosts;
pub mod kit;
mod labelers;
mod optimizers;
mod prompts;
pub mod registry;
pub mod sdk;
mod segmenters;
mod values;
mod wire;

pub use hosts::{Usage, usage};

#[doc(hidden)]
pub mod testing;

/// The page of the book, so that its code is run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/src/how-to/write-an-operator-rust.md")]
mod page {}
