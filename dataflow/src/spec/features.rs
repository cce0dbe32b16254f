//! Features of replays: names of what an operator observes, `OPERATOR.ATTRIBUTE` or
//! `OPERATOR.ATTRIBUTE=VALUE`, checked against what the operator says of itself.

use matchcut_model::replay::FeatureKey;
use matchcut_model::value::Value;
use matchcut_operators::sdk::{AttributeKind, AttributeSpec};

use super::diagnostic::Report;
use super::graph::operator_of;
use super::parts::{Draft, Word};
use super::suggest;

/// Reads `OPERATOR.ATTRIBUTE` or `OPERATOR.ATTRIBUTE=VALUE`.
pub(super) fn feature(
    word: &Word,
    owner: &str,
    draft: &Draft,
    report: &mut Report,
) -> Option<FeatureKey> {
    let text = word.text.as_str();
    let Some((operator, rest)) = text.split_once('.') else {
        let message = format!("feature \"{text}\" of {owner} names no attribute");
        let hint = match operator_of(draft, text).and_then(|(_, o)| o.description.as_ref()) {
            Some(description) if !description.attributes.is_empty() => {
                Some(format!("write {}", examples(text, &description.attributes)))
            }
            _ => Some("write \"OPERATOR.ATTRIBUTE\" or \"OPERATOR.ATTRIBUTE=VALUE\"".to_owned()),
        };
        report.error(word.span, message, hint);
        return None;
    };
    let Some((_, found)) = operator_of(draft, operator) else {
        let names: Vec<&str> = draft
            .operators
            .iter()
            .map(|o| o.name.text.as_str())
            .collect();
        let message = format!("feature \"{text}\" of {owner}: there is no operator \"{operator}\"");
        report.no_such(
            word.span,
            message,
            suggest::hint(operator, "there are", &names),
        );
        return None;
    };
    let description = found.description.as_ref()?;
    let (attribute, value) = match rest.split_once('=') {
        Some((attribute, value)) => (attribute, Some(value)),
        None => (rest, None),
    };
    let kind = match attribute_kind(attribute, &description.attributes) {
        Ok(kind) => kind,
        Err(known) => {
            let message = format!("operator \"{operator}\" has no attribute \"{attribute}\"");
            report.no_such(
                word.span,
                message,
                suggest::hint(attribute, "it has", &known),
            );
            return None;
        }
    };
    let value = match typed_value(kind, value) {
        Ok(value) => value,
        Err(message) => {
            let message = format!("feature \"{text}\" of {owner}: {message}");
            let hint = format!("write \"{operator}.{attribute}=…\" with the value that counts");
            report.error(word.span, message, value.is_none().then_some(hint));
            return None;
        }
    };
    Some(FeatureKey::new(operator, attribute, value))
}

fn examples(operator: &str, attributes: &[AttributeSpec]) -> String {
    let name = |attribute: &AttributeSpec| match attribute.kind {
        AttributeKind::Boolean => format!("\"{operator}.{}\"", attribute.name),
        _ => format!("\"{operator}.{}=VALUE\"", attribute.name),
    };
    attributes.iter().map(name).collect::<Vec<_>>().join(" or ")
}

/// The type of an attribute, or the names that there are.
pub(super) fn attribute_kind(
    name: &str,
    attributes: &[AttributeSpec],
) -> Result<AttributeKind, Vec<&'static str>> {
    if let Some(found) = attributes.iter().find(|attribute| attribute.name == name) {
        return Ok(found.kind);
    }
    match attributes.iter().find(|attribute| attribute.name == "*") {
        Some(any) if !name.is_empty() => Ok(any.kind),
        _ => Err(attributes
            .iter()
            .map(|a| a.name)
            .filter(|name| *name != "*")
            .collect()),
    }
}

fn typed_value(kind: AttributeKind, text: Option<&str>) -> Result<Value, String> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    match (kind, text) {
        (AttributeKind::Boolean | AttributeKind::Any, None | Some("true")) => Ok(Value::Bool(true)),
        (AttributeKind::Boolean | AttributeKind::Any, Some("false")) => Ok(Value::Bool(false)),
        (AttributeKind::Boolean, Some(text)) => {
            Err(format!("the attribute is true or false, not \"{text}\""))
        }
        (AttributeKind::Number, Some(text)) => match number(text) {
            Some(number) => Ok(Value::from(number)),
            None => Err(format!("the attribute is a number, not \"{text}\"")),
        },
        (AttributeKind::Any, Some(text)) => {
            Ok(number(text).map_or_else(|| Value::from(text), Value::from))
        }
        (AttributeKind::Text, Some(text)) => Ok(Value::from(text)),
        (AttributeKind::Number, None) => Err("the attribute is a number".to_owned()),
        (AttributeKind::Text, None) => Err("the attribute is text".to_owned()),
    }
}
