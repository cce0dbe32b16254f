//! What a language model answers: JSON that keeps to a schema, whose properties are the attributes.

use std::fs;

use jsonschema::Validator;
use matchcut_model::value::{Attributes, Value};
use serde_json::Value as Json;

use super::client::quoted;
use crate::sdk::{AttributeKind, AttributeSpec, OptionError, Options, intern};

/// A schema that answers must keep to.
pub(super) struct Schema {
    pub(super) json: Json,
    validator: Validator,
}

impl Schema {
    pub(super) fn new(inline: &Options, file: Option<&str>) -> Result<Schema, OptionError> {
        let (option, json) = read(inline, file)?;
        let wrong = |message: String| OptionError::new(option, message);
        let is_object = json.get("type").is_some_and(|kind| kind == "object");
        let properties = json.get("properties").and_then(Json::as_object);
        if !is_object || properties.is_none_or(|properties| properties.is_empty()) {
            return Err(wrong(
                "an object with properties expected: type = \"object\", and what it says in `properties`"
                    .to_owned(),
            ));
        }
        Schema::of(json).map_err(wrong)
    }

    /// A schema that this program made.
    pub(super) fn of(json: Json) -> Result<Schema, String> {
        let validator = jsonschema::validator_for(&json)
            .map_err(|error| format!("this is not a JSON Schema: {error}"))?;
        Ok(Schema { json, validator })
    }

    /// An answer as JSON that keeps to the schema.
    pub(super) fn json(&self, text: &str) -> Result<Json, String> {
        let answer: Json = serde_json::from_str(unfenced(text)).map_err(|error| {
            format!("it is not JSON: {error} in \"{}\"", quoted(text.as_bytes()))
        })?;
        if let Some(error) = self.validator.iter_errors(&answer).next() {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() {
                String::new()
            } else {
                format!(" at {place}")
            };
            return Err(format!(
                "it does not keep to the schema{place}: {error}, in \"{}\"",
                quoted(text.as_bytes())
            ));
        }
        Ok(answer)
    }

    /// The attributes of an answer.
    pub(super) fn read(&self, text: &str) -> Result<Attributes, String> {
        let Json::Object(properties) = self.json(text)? else {
            return Err("it is not an object".to_owned());
        };
        let attributes = properties.into_iter().filter(|(_, value)| !value.is_null());
        Ok(attributes
            .map(|(name, value)| (name.into(), Value::from(value)))
            .collect())
    }
}

/// The schema and the option that it comes from.
fn read(inline: &Options, file: Option<&str>) -> Result<(&'static str, Json), OptionError> {
    match (inline.is_empty(), file) {
        (true, None) => Err(OptionError::new(
            "schema",
            "missing: a JSON Schema of the answer, here or in `schema_file`",
        )),
        (false, Some(_)) => Err(OptionError::new(
            "schema_file",
            "given as well as `schema`; give one of them",
        )),
        (false, None) => Ok(("schema", Json::Object(inline.clone()))),
        (true, Some(path)) => {
            let wrong = |message: String| OptionError::new("schema_file", message);
            let text = fs::read_to_string(path)
                .map_err(|error| wrong(format!("cannot read \"{path}\": {error}")))?;
            let json = serde_json::from_str(&text)
                .map_err(|error| wrong(format!("\"{path}\" is not JSON: {error}")))?;
            Ok(("schema_file", json))
        }
    }
}

/// The attributes that a schema promises.
pub(super) fn attributes(inline: &Options, file: Option<&str>) -> Vec<AttributeSpec> {
    let Ok((_, json)) = read(inline, file) else {
        return Vec::new();
    };
    let properties = json.get("properties").and_then(Json::as_object);
    let attribute = |(name, property): (&String, &Json)| {
        let description = property.get("description").and_then(Json::as_str);
        AttributeSpec {
            name: intern(name),
            kind: match property.get("type").and_then(Json::as_str) {
                Some("boolean") => AttributeKind::Boolean,
                Some("number" | "integer") => AttributeKind::Number,
                Some("string") => AttributeKind::Text,
                _ => AttributeKind::Any,
            },
            description: description.map_or("a property of the answer", intern),
        }
    };
    properties.into_iter().flatten().map(attribute).collect()
}

/// Some models put their answer into a block of code.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let inside = text
        .strip_prefix("```json")
        .or_else(|| text.strip_prefix("```"));
    inside
        .and_then(|text| text.strip_suffix("```"))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn options(json: Json) -> Options {
        json.as_object().unwrap().clone()
    }

    fn luma() -> Options {
        options(json!({
            "type": "object",
            "properties": {
                "luma": {"type": "number", "description": "mean luma"},
                "dark": {"type": "boolean"},
            },
            "required": ["luma"],
            "additionalProperties": false,
        }))
    }

    #[test]
    fn answers_become_attributes() {
        let schema = Schema::new(&luma(), None).unwrap();
        let said = schema
            .read("```json\n{\"luma\": 3.5, \"dark\": true}\n```")
            .unwrap();
        assert_eq!(
            serde_json::to_value(said).unwrap(),
            json!({"luma": 3.5, "dark": true})
        );
        let out_of_schema = schema.read("{\"luma\": \"bright\"}").unwrap_err();
        assert_eq!(
            out_of_schema,
            "it does not keep to the schema at /luma: \"bright\" is not of type \"number\", in \
             \"{\"luma\": \"bright\"}\""
        );
        assert!(
            schema
                .read("The picture is dark.")
                .unwrap_err()
                .starts_with("it is not JSON: ")
        );
        assert!(
            schema
                .read("{}")
                .unwrap_err()
                .contains("\"luma\" is a required property")
        );
    }

    #[test]
    fn attributes_come_from_properties() {
        let said = attributes(&luma(), None);
        let said: Vec<_> = said
            .iter()
            .map(|a| (a.name, a.kind, a.description))
            .collect();
        assert_eq!(
            said,
            [
                ("luma", AttributeKind::Number, "mean luma"),
                ("dark", AttributeKind::Boolean, "a property of the answer"),
            ]
        );
    }

    #[test]
    fn schemas_that_are_none_are_told() {
        let wrong = |schema: Json| Schema::new(&options(schema), None).err().unwrap().message;
        assert!(wrong(json!({})).starts_with("missing"));
        assert!(wrong(json!({"type": "array"})).starts_with("an object with properties expected"));
        let odd = json!({"type": "object", "properties": {"a": {"type": "nothing"}}});
        assert!(wrong(odd).starts_with("this is not a JSON Schema: "));
    }
}
