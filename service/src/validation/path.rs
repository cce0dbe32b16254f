//! Parts of paths, checked in the same words as bodies.

use serde_json::Value;

use super::wording::python;
use crate::errors::ApiError;

/// Refuses with 400 a text of another length than this many characters, or with more than a line.
pub fn text_between(text: &str, min: usize, max: usize) -> Result<(), ApiError> {
    let told = python(&Value::from(text));
    if text.contains('\n') {
        return Err(ApiError::bad_request(format!(
            "{told} does not match '^(.*)$'"
        )));
    }
    let length = text.chars().count();
    if length < min {
        return Err(ApiError::bad_request(format!("{told} is too short")));
    }
    if length > max {
        return Err(ApiError::bad_request(format!("{told} is too long")));
    }
    Ok(())
}

/// Refuses with 400 a text that is none of these.
pub fn one_of(text: &str, options: &[&str]) -> Result<(), ApiError> {
    if options.contains(&text) {
        return Ok(());
    }
    let (told, options) = (python(&Value::from(text)), python(&Value::from(options)));
    Err(ApiError::bad_request(format!(
        "{told} is not one of {options}"
    )))
}
