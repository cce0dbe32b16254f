//! The program's own options against the JSON Schema that it gives for them.

use jsonschema::error::ValidationErrorKind;
use serde_json::Value as Json;

use crate::sdk::{OptionError, Options};

/// What is wrong with `options`; an error is about the schema itself.
pub(super) fn check(schema: &Json, options: &Options) -> Result<Vec<OptionError>, String> {
    let validator = jsonschema::validator_for(schema)
        .map_err(|error| format!("what it says of its options is no JSON Schema: {error}"))?;
    let options = Json::Object(options.clone());
    let mut errors = Vec::new();
    for error in validator.iter_errors(&options) {
        let at = path(error.instance_path().as_str());
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let known: Vec<&str> = names(schema).collect();
                for name in unexpected {
                    let message =
                        format!("the program has no such option; it has {}", listed(&known));
                    errors.push(OptionError::new(&format!("{at}.{name}"), message));
                }
            }
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                errors.push(OptionError::new(
                    &format!("{at}.{name}"),
                    "the program needs it",
                ));
            }
            _ => errors.push(OptionError::new(&at, error.to_string())),
        }
    }
    Ok(errors)
}

/// `/a/b` as the key in the spec.
fn path(pointer: &str) -> String {
    format!("options{}", pointer.replace('/', "."))
}

fn names(schema: &Json) -> impl Iterator<Item = &str> {
    let properties = schema.get("properties").and_then(Json::as_object);
    properties
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_wrong_option_is_named() {
        let schema = json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["model"],
            "properties": {
                "model": { "type": "string" },
                "threshold": { "type": "number", "minimum": 0 },
                "classes": { "type": "array", "items": { "type": "string" } },
            },
        });
        let wrong = |options: Json| {
            let mut found: Vec<String> = check(&schema, options.as_object().unwrap())
                .unwrap()
                .into_iter()
                .map(|error| format!("{}: {}", error.option.unwrap(), error.message))
                .collect();
            found.sort();
            found
        };
        assert_eq!(
            wrong(json!({"model": "a", "threshold": 1, "classes": []})),
            [] as [&str; 0]
        );
        let found = wrong(json!({"treshold": 1, "threshold": "high", "classes": ["a", 1]}));
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(found[0], "options.classes.1: 1 is not of type \"string\"");
        assert_eq!(found[1], "options.model: the program needs it");
        assert_eq!(
            found[2],
            "options.threshold: \"high\" is not of type \"number\""
        );
        assert_eq!(
            found[3],
            "options.treshold: the program has no such option; it has model, threshold, classes"
        );
        assert!(check(&json!({"type": 5}), &Options::new()).is_err());
    }
}
