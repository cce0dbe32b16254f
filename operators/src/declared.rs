//! Attributes against what an operator says that it emits: none that it does not declare, and each of the
//! type that it declares, since weights and templates of a spec were checked against that.

use matchcut_model::value::{Attributes, Value};

use crate::sdk::{AttributeKind, AttributeSpec};

/// What is wrong with `attributes`, if anything is.
pub(crate) fn check(attributes: &Attributes, declared: &[AttributeSpec]) -> Result<(), String> {
    for (name, value) in attributes.iter() {
        let found = declared
            .iter()
            .find(|spec| spec.name == name.as_str() || on_track(name) == Some(spec.name));
        let any = || declared.iter().find(|spec| spec.name == "*");
        let Some(spec) = found.or_else(any) else {
            let names: Vec<&str> = declared.iter().map(|spec| spec.name).collect();
            let names = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            return Err(format!(
                "attribute \"{name}\" is not declared (declared: {names})"
            ));
        };
        let (fits, expected) = match spec.kind {
            AttributeKind::Boolean => (matches!(value, Value::Bool(_)), "true or false"),
            AttributeKind::Number => (value.as_f64().is_some(), "a number"),
            AttributeKind::Text => (matches!(value, Value::Text(_)), "text"),
            AttributeKind::Any => (true, "anything"),
        };
        if !fits {
            let value = value.plain_text();
            return Err(format!(
                "attribute \"{name}\" is declared as {expected}, this is {value}"
            ));
        }
    }
    Ok(())
}

/// What an attribute of one audio track is called on the first: `code` for `code_2`.
fn on_track(name: &str) -> Option<&str> {
    let (name, track) = name.rsplit_once('_')?;
    track.parse::<u32>().ok().map(|_| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec(name: &'static str, kind: AttributeKind) -> AttributeSpec {
        AttributeSpec {
            name,
            kind,
            description: "",
        }
    }

    #[test]
    fn only_what_is_declared_as_it_is_declared() {
        let declared = [
            spec("ball", AttributeKind::Boolean),
            spec("luma", AttributeKind::Number),
            spec("who", AttributeKind::Text),
            spec("box", AttributeKind::Any),
        ];
        let says = |value: serde_json::Value| {
            let attributes: Attributes = serde_json::from_value(value).unwrap();
            check(&attributes, &declared).err().unwrap_or_default()
        };
        assert_eq!(
            says(json!({"ball": true, "luma": 3, "who": "far", "box": [1, 2]})),
            ""
        );
        assert_eq!(says(json!({"luma": 0.5, "luma_2": 0.5})), "");
        assert_eq!(
            says(json!({"ball": 1})),
            "attribute \"ball\" is declared as true or false, this is 1"
        );
        assert_eq!(
            says(json!({"luma": "3"})),
            "attribute \"luma\" is declared as a number, this is 3"
        );
        assert_eq!(
            says(json!({"who": null})),
            "attribute \"who\" is declared as text, this is null"
        );
        let undeclared = "attribute \"x\" is not declared (declared: ball, luma, who, box)";
        assert_eq!(says(json!({"x": 1})), undeclared);
        let open = [spec("*", AttributeKind::Any)];
        let attributes: Attributes = serde_json::from_value(json!({"x": 1})).unwrap();
        assert_eq!(check(&attributes, &open), Ok(()));
    }
}
