//! What an answer is to look like: names with their types. The JSON Schema that the model gets and the
//! attributes that the operator declares both come from here.

use std::collections::BTreeMap;

use matchcut_model::value::{Attributes, Name, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::sdk::{AttributeKind, AttributeSpec, OptionError, intern};

/// The type of one part of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Kind {
    /// `"text"`, `"number"` or `"boolean"`.
    Plain(Plain),
    /// One of several words.
    Choice(Vec<String>),
}

/// A type without choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Plain {
    /// Text.
    Text,
    /// A number.
    Number,
    /// true or false
    Boolean,
}

/// Parts of an answer by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Shape(pub BTreeMap<String, Kind>);

impl Shape {
    /// With text parts that are always there.
    pub(super) fn with_texts(&self, names: &[&str]) -> Shape {
        let mut all = self.0.clone();
        for name in names {
            all.insert((*name).to_owned(), Kind::Plain(Plain::Text));
        }
        Shape(all)
    }

    /// What is wrong with it; `taken` are names that the operator uses itself.
    pub(super) fn check(&self, taken: &[&str]) -> Vec<OptionError> {
        let mut errors = Vec::new();
        for (name, kind) in &self.0 {
            if name.is_empty() || taken.contains(&name.as_str()) {
                let message = format!("\"{name}\" cannot be the name of a part of its own");
                errors.push(OptionError::new("answer", message));
            }
            if matches!(kind, Kind::Choice(words) if words.is_empty()) {
                let message = format!("\"{name}\" has no choices");
                errors.push(OptionError::new("answer", message));
            }
        }
        errors
    }

    /// The attributes of such an answer.
    pub(super) fn attributes(&self) -> Vec<AttributeSpec> {
        let attribute = |(name, kind): (&String, &Kind)| AttributeSpec {
            name: intern(name),
            kind: match kind {
                Kind::Plain(Plain::Boolean) => AttributeKind::Boolean,
                Kind::Plain(Plain::Number) => AttributeKind::Number,
                Kind::Plain(Plain::Text) | Kind::Choice(_) => AttributeKind::Text,
            },
            description: match kind {
                Kind::Plain(_) => "as the model answers",
                Kind::Choice(words) => intern(&words.join(", ")),
            },
        };
        self.0.iter().map(attribute).collect()
    }

    /// The JSON Schema of an object of this shape, with `more` properties.
    pub(super) fn schema(&self, more: &[(&str, Json)]) -> Json {
        let mut properties = Map::new();
        for (name, schema) in more {
            properties.insert((*name).to_owned(), schema.clone());
        }
        for (name, kind) in &self.0 {
            let schema = match kind {
                Kind::Plain(Plain::Text) => json!({"type": "string"}),
                Kind::Plain(Plain::Number) => json!({"type": "number"}),
                Kind::Plain(Plain::Boolean) => json!({"type": "boolean"}),
                Kind::Choice(words) => json!({"type": "string", "enum": words}),
            };
            properties.insert(name.clone(), schema);
        }
        let required: Vec<&String> = properties.keys().collect();
        json!({
            "type": "object",
            "required": required,
            "additionalProperties": false,
            "properties": properties,
        })
    }

    /// The attributes of one answer. Whoever asked has checked it against the schema; a part that is
    /// of another type all the same is an error.
    pub(super) fn read(&self, answer: &Json) -> Result<Attributes, String> {
        let mut attributes = Attributes::new();
        for (name, kind) in &self.0 {
            let value = answer.get(name).unwrap_or(&Json::Null);
            let good = match kind {
                Kind::Plain(Plain::Text) => value.is_string(),
                Kind::Plain(Plain::Number) => value.is_number(),
                Kind::Plain(Plain::Boolean) => value.is_boolean(),
                Kind::Choice(words) => value
                    .as_str()
                    .is_some_and(|said| words.iter().any(|word| word == said)),
            };
            if !good {
                let asked = match kind {
                    Kind::Plain(Plain::Text) => "text".to_owned(),
                    Kind::Plain(Plain::Number) => "a number".to_owned(),
                    Kind::Plain(Plain::Boolean) => "true or false".to_owned(),
                    Kind::Choice(words) => format!("one of {}", words.join(", ")),
                };
                return Err(format!("\"{name}\" of the answer is {value}, not {asked}"));
            }
            attributes.insert(Name::new(name), Value::from(value.clone()));
        }
        Ok(attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentiment() -> Shape {
        let shape =
            json!({"sentiment": ["good", "bad"], "confidence": "number", "sure": "boolean"});
        serde_json::from_value(shape).unwrap()
    }

    #[test]
    fn the_schema_has_every_part() {
        let schema = sentiment().schema(&[("start", json!({"type": "number"}))]);
        assert_eq!(
            schema["properties"],
            json!({
                "start": {"type": "number"},
                "sentiment": {"type": "string", "enum": ["good", "bad"]},
                "confidence": {"type": "number"},
                "sure": {"type": "boolean"},
            })
        );
        assert_eq!(schema["required"].as_array().map(Vec::len), Some(4));
    }

    #[test]
    fn answers_become_attributes_or_say_what_is_wrong() {
        let answer = json!({"sentiment": "good", "confidence": 0.5, "sure": true});
        let attributes = sentiment().read(&answer).unwrap();
        assert_eq!(attributes.get("sentiment"), Some(&Value::from("good")));
        assert_eq!(attributes.get("confidence"), Some(&Value::from(0.5)));
        let answer = json!({"sentiment": "so-so", "confidence": 0.5, "sure": true});
        assert_eq!(
            sentiment().read(&answer),
            Err("\"sentiment\" of the answer is \"so-so\", not one of good, bad".to_owned())
        );
        let answer = json!({"sentiment": "good", "sure": true});
        assert_eq!(
            sentiment().read(&answer),
            Err("\"confidence\" of the answer is null, not a number".to_owned())
        );
    }

    #[test]
    fn names_of_its_own_and_empty_choices_are_refused() {
        let shape: Shape = serde_json::from_value(json!({"start": "number", "mood": []})).unwrap();
        let errors: Vec<String> = shape
            .check(&["start"])
            .into_iter()
            .map(|error| error.message)
            .collect();
        assert_eq!(
            errors,
            [
                "\"mood\" has no choices",
                "\"start\" cannot be the name of a part of its own"
            ]
        );
    }
}
