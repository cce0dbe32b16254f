//! Reading attribute values the way every operator reads them.

use matchcut_model::value::{Attributes, Value};

/// Whether a value says yes. Recorded observations carry `"True"` and 1 where a boolean is meant.
pub(crate) fn is_set(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::Null => false,
        Value::Integer(value) => *value != 0,
        Value::Number(value) => value.get() != 0.0,
        Value::Text(text) => !text.is_empty() && !text.eq_ignore_ascii_case("false"),
        Value::List(items) => !items.is_empty(),
        Value::Map(map) => !map.is_empty(),
    }
}

/// Whether attribute `name` is there and says yes.
pub(crate) fn has(attributes: &Attributes, name: &str) -> bool {
    attributes.get(name).is_some_and(is_set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_yes() {
        for yes in [
            Value::from(true),
            Value::from("True"),
            Value::from(1),
            Value::from(0.5),
        ] {
            assert!(is_set(&yes), "{yes:?}");
        }
        for no in [
            Value::from(false),
            Value::from("False"),
            Value::from(0),
            Value::Null,
        ] {
            assert!(!is_set(&no), "{no:?}");
        }
        assert!(!has(&Attributes::new(), "peak"));
    }
}
