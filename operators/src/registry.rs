//! The operator types that a spec can name. Documentation, validation and the command line list
//! what stands here.

use crate::sdk::OperatorType;

/// Every operator type, by class and then in order of use.
pub fn all() -> Vec<&'static dyn OperatorType> {
    Vec::new()
}

/// The type with this name.
pub fn find(name: &str) -> Option<&'static dyn OperatorType> {
    all().into_iter().find(|kind| kind.describe().name == name)
}
