//! Whether a body is as its schema says, and which of its errors is told: the one that python-jsonschema
//! would choose, in its words, since clients of MRE look for them.

mod path;
mod wording;

use std::cmp::Reverse;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use crate::errors::ApiError;

pub use path::{one_of, text_between};
pub use wording::python;

/// A schema that can be asked.
pub struct Schema {
    source: Value,
    validator: Validator,
}

impl Schema {
    /// Makes it of its JSON.
    pub fn new(source: Value) -> Result<Schema, String> {
        let validator = jsonschema::draft7::new(&source).map_err(|error| error.to_string())?;
        Ok(Schema { source, validator })
    }

    /// Its JSON.
    pub fn source(&self) -> &Value {
        &self.source
    }

    /// Refuses with 400 what is not as it says.
    pub fn check(&self, value: &Value) -> Result<(), ApiError> {
        let errors = self.validator.iter_errors(value);
        let worst = errors.min_by_key(|error| self.rank(error));
        match worst {
            Some(error) => Err(ApiError::bad_request(wording::message(
                &error,
                &self.source,
            ))),
            None => Ok(()),
        }
    }

    /// Errors further up in the value come first, alternatives last, wrong types before all else that
    /// is wrong with a value; then the order of the schema decides.
    fn rank(&self, error: &ValidationError<'_>) -> (usize, bool, Reverse<bool>, Vec<usize>) {
        let depth = error.instance_path().segments().count();
        let alternatives = matches!(
            error.kind(),
            ValidationErrorKind::AnyOf { .. }
                | ValidationErrorKind::OneOfNotValid { .. }
                | ValidationErrorKind::OneOfMultipleValid { .. }
        );
        let of_type = matches!(error.kind(), ValidationErrorKind::Type { .. });
        let place = self.place(error.schema_path().as_str());
        (depth, alternatives, Reverse(of_type), place)
    }

    /// Where a keyword stands in the schema, as numbers that compare like that.
    fn place(&self, pointer: &str) -> Vec<usize> {
        let mut at = Some(&self.source);
        let mut place = Vec::new();
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let (number, next) = match at {
                Some(Value::Object(map)) => {
                    (map.keys().position(|key| *key == token), map.get(&token))
                }
                Some(Value::Array(items)) => {
                    let number = token.parse::<usize>().ok();
                    (number, number.and_then(|number| items.get(number)))
                }
                _ => (None, None),
            };
            place.push(number.unwrap_or(usize::MAX));
            at = next;
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(schema: Value, value: Value) -> String {
        let schema = Schema::new(schema).unwrap();
        match schema.check(&value) {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.message,
        }
    }

    #[test]
    fn one_error_is_told_in_the_words_of_python_jsonschema() {
        let schema = || {
            json!({
                "type": "object",
                "properties": {
                    "Name": { "type": "string", "pattern": "^(.*)$", "minLength": 3, "maxLength": 5 },
                    "Size": { "type": "integer", "minimum": 1, "maximum": 10 },
                    "More": { "type": "integer", "exclusiveMinimum": 0 },
                    "Class": { "type": "string", "enum": ["A", "B"] },
                    "Groups": {
                        "type": "array",
                        "items": { "type": "string", "minLength": 3 },
                        "minItems": 1,
                        "maxItems": 2,
                        "uniqueItems": true
                    },
                    "Any": { "type": ["integer", "string"] },
                    "Map": { "type": "object", "minProperties": 1 },
                },
                "additionalProperties": false,
                "required": ["Name", "Size"],
            })
        };
        let good = || json!({ "Name": "Final", "Size": 3 });
        let with = |key: &str, value: Value| {
            let mut body = good();
            body[key] = value;
            body
        };
        for (body, message) in [
            (good(), "ok"),
            (json!({}), "'Name' is a required property"),
            (json!({ "Name": "Final" }), "'Size' is a required property"),
            (json!([1]), "[1] is not of type 'object'"),
            (with("Name", json!("ab")), "'ab' is too short"),
            (with("Name", json!("abcdef")), "'abcdef' is too long"),
            (
                with("Name", json!("a\nb")),
                r"'a\nb' does not match '^(.*)$'",
            ),
            (with("Size", json!("15")), "'15' is not of type 'integer'"),
            (with("Size", json!(1.5)), "1.5 is not of type 'integer'"),
            (with("Size", json!(true)), "True is not of type 'integer'"),
            (with("Size", json!(0)), "0 is less than the minimum of 1"),
            (
                with("Size", json!(11)),
                "11 is greater than the maximum of 10",
            ),
            (
                with("More", json!(0)),
                "0 is less than or equal to the minimum of 0",
            ),
            (with("Class", json!("C")), "'C' is not one of ['A', 'B']"),
            (with("Groups", json!([])), "[] should be non-empty"),
            (
                with("Groups", json!(["abc", "abc"])),
                "['abc', 'abc'] has non-unique elements",
            ),
            (
                with("Groups", json!(["abc", "abd", "abe"])),
                "['abc', 'abd', 'abe'] is too long",
            ),
            (with("Groups", json!(["abc", "x"])), "'x' is too short"),
            (
                with("Any", json!(null)),
                "None is not of type 'integer', 'string'",
            ),
            (with("Map", json!({})), "{} should be non-empty"),
            (
                with("Wrong", json!(1)),
                "Additional properties are not allowed ('Wrong' was unexpected)",
            ),
            (
                json!({ "Name": "Final", "Size": 3, "b": 1, "a": 2 }),
                "Additional properties are not allowed ('a', 'b' were unexpected)",
            ),
        ] {
            assert_eq!(told(schema(), body.clone()), message, "{body}");
        }
    }

    #[test]
    fn wrong_types_are_told_first_and_what_lies_deeper_last() {
        let schema = || {
            json!({
                "type": "object",
                "properties": {
                    "Deep": { "type": "object", "properties": { "List": { "type": "array", "minItems": 1 } } },
                    "Class": { "type": "string", "enum": ["A"] },
                    "One": { "type": "integer" },
                    "Two": { "type": "string" },
                },
            })
        };
        let body = json!({ "Deep": { "List": [] }, "Class": "C", "Two": 2, "One": "1" });
        assert_eq!(told(schema(), body), "'1' is not of type 'integer'");
        let body = json!({ "Deep": { "List": [] }, "Class": "C" });
        assert_eq!(told(schema(), body), "'C' is not one of ['A']");
    }

    #[test]
    fn alternatives_are_told_last() {
        let schema = || {
            json!({
                "type": "object",
                "oneOf": [{ "required": ["A"] }, { "required": ["B"] }],
                "required": ["Name"],
            })
        };
        assert_eq!(told(schema(), json!({})), "'Name' is a required property");
        assert_eq!(
            told(schema(), json!({ "Name": "x" })),
            "{'Name': 'x'} is not valid under any of the given schemas"
        );
        assert_eq!(
            told(schema(), json!({ "Name": "x", "A": 1, "B": 2 })),
            "{'Name': 'x', 'A': 1, 'B': 2} is valid under each of {'required': ['B']}, {'required': ['A']}"
        );
    }
}
