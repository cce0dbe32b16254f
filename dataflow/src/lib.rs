//! The only crate that knows timely and differential: spec, plan, dataflow.
