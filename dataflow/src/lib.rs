//! The only crate that knows timely and differential: spec, plan, dataflow.

pub mod flow;
pub mod plan;
pub mod run;
pub mod spec;
