//! The operator SDK and the built-in operators, by class.

pub mod registry;
pub mod sdk;
