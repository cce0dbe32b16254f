//! The operator SDK and the built-in operators, by class.

pub mod cues;
mod featurers;
mod hosts;
mod labelers;
mod optimizers;
pub mod registry;
pub mod sdk;
mod segmenters;
mod values;
mod wire;

pub use hosts::{Usage, usage};

#[doc(hidden)]
pub mod testing;
