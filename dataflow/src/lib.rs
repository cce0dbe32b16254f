//! The only crate that knows timely and differential: spec, plan, dataflow.

// The fuzz targets read specs and run nothing, and what runs takes minutes to build with coverage.
#[cfg(not(fuzzing))]
pub mod flow;
pub mod plan;
#[cfg(not(fuzzing))]
pub mod run;
pub mod spec;
