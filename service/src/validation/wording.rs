//! The words of python-jsonschema: values as Python prints them, and a sentence for each kind of error.

use std::fmt::Write;

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::{Number, Value};

/// A value as Python's `repr` prints it.
pub fn python(value: &Value) -> String {
    let mut out = String::new();
    print(value, &mut out);
    out
}

fn print(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => out.push_str(&number_text(number)),
        Value::String(text) => quote(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(index, out);
                print(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                separate(index, out);
                quote(key, out);
                out.push_str(": ");
                print(item, out);
            }
            out.push('}');
        }
    }
}

fn separate(index: usize, out: &mut String) {
    if index > 0 {
        out.push_str(", ");
    }
}

/// Rust and Python write floats alike but for the exponent.
fn number_text(number: &Number) -> String {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
        return number.to_string();
    };
    let text = format!("{float:?}");
    match text.split_once('e') {
        Some((digits, exponent)) => match exponent.strip_prefix('-') {
            Some(exponent) => format!("{digits}e-{exponent:0>2}"),
            None => format!("{digits}e+{exponent:0>2}"),
        },
        None => text,
    }
}

fn quote(text: &str, out: &mut String) {
    let mark = match text.contains('\'') && !text.contains('"') {
        true => '"',
        false => '\'',
    };
    out.push(mark);
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            _ if character == mark => {
                out.push('\\');
                out.push(mark);
            }
            _ if character.is_control() => {
                // Control characters all lie below 0x100. Writing to a string cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push(mark);
}

/// The sentence about an error.
pub fn message(error: &ValidationError<'_>, schema: &Value) -> String {
    let instance = || python(error.instance());
    let too_small = |limit: u64| match limit {
        1 => "should be non-empty",
        _ => "is too short",
    };
    let too_large = |limit: u64| match limit {
        0 => "is expected to be empty",
        _ => "is too long",
    };
    match error.kind() {
        Kind::Required { property } => format!("{} is a required property", python(property)),
        Kind::Type { kind } => {
            let names: Vec<String> = match kind {
                TypeKind::Single(one) => vec![format!("'{one}'")],
                // The set has an order of its own; the schema's is the one to tell.
                TypeKind::Multiple(set) => match schema.pointer(error.schema_path().as_str()) {
                    Some(Value::Array(names)) => names.iter().map(python).collect(),
                    _ => set.iter().map(|one| format!("'{one}'")).collect(),
                },
            };
            format!("{} is not of type {}", instance(), names.join(", "))
        }
        Kind::Enum { options } => format!("{} is not one of {}", instance(), python(options)),
        Kind::Constant { expected_value } => format!("{} was expected", python(expected_value)),
        Kind::MinLength { limit } | Kind::MinItems { limit } => {
            format!("{} {}", instance(), too_small(*limit))
        }
        Kind::MaxLength { limit } | Kind::MaxItems { limit } => {
            format!("{} {}", instance(), too_large(*limit))
        }
        Kind::MinProperties { limit: 1 } => format!("{} should be non-empty", instance()),
        Kind::MinProperties { .. } => format!("{} does not have enough properties", instance()),
        Kind::MaxProperties { limit: 0 } => format!("{} is expected to be empty", instance()),
        Kind::MaxProperties { .. } => format!("{} has too many properties", instance()),
        Kind::Minimum { limit } => {
            format!(
                "{} is less than the minimum of {}",
                instance(),
                python(limit)
            )
        }
        Kind::Maximum { limit } => format!(
            "{} is greater than the maximum of {}",
            instance(),
            python(limit)
        ),
        Kind::ExclusiveMinimum { limit } => format!(
            "{} is less than or equal to the minimum of {}",
            instance(),
            python(limit)
        ),
        Kind::ExclusiveMaximum { limit } => format!(
            "{} is greater than or equal to the maximum of {}",
            instance(),
            python(limit)
        ),
        Kind::UniqueItems => format!("{} has non-unique elements", instance()),
        Kind::Pattern { pattern } => format!(
            "{} does not match {}",
            instance(),
            python(&Value::from(pattern.as_str()))
        ),
        Kind::Format { format } => {
            format!(
                "{} is not a {}",
                instance(),
                python(&Value::from(&**format))
            )
        }
        Kind::AdditionalProperties { unexpected } => {
            let mut names = unexpected.clone();
            names.sort();
            let verb = match names.len() {
                1 => "was",
                _ => "were",
            };
            let names: Vec<String> = names
                .into_iter()
                .map(|name| python(&Value::String(name)))
                .collect();
            format!(
                "Additional properties are not allowed ({} {verb} unexpected)",
                names.join(", ")
            )
        }
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => {
            format!("{} is not valid under any of the given schemas", instance())
        }
        Kind::PropertyNames { error } => message(error, schema),
        Kind::OneOfMultipleValid { context } => several(&instance(), error, context, schema),
        _ => error.to_string(),
    }
}

/// Python names the alternatives that hold beside the first, then the first.
fn several(
    instance: &str,
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'static>>],
    schema: &Value,
) -> String {
    let options = schema.pointer(error.schema_path().as_str());
    let options = options.and_then(Value::as_array);
    let mut valid: Vec<String> = options
        .into_iter()
        .flatten()
        .zip(context)
        .filter(|(_, errors)| errors.is_empty())
        .map(|(option, _)| python(option))
        .collect();
    if !valid.is_empty() {
        valid.rotate_left(1);
    }
    format!("{instance} is valid under each of {}", valid.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_printed_as_python_does() {
        for (value, printed) in [
            (json!(null), "None"),
            (json!([true, false]), "[True, False]"),
            (json!({ "a": 1, "b": {} }), "{'a': 1, 'b': {}}"),
            (json!("it's"), "\"it's\""),
            (json!("it's \"so\""), r#"'it\'s "so"'"#),
            (json!("a\\b\n\u{7}é"), "'a\\\\b\\n\\x07é'"),
            (json!(1.0), "1.0"),
            (json!(0.0001), "0.0001"),
            (json!(0.00001), "1e-05"),
            (json!(1e16), "1e+16"),
            (json!(1.5e300), "1.5e+300"),
            (json!(-3), "-3"),
            (json!(9_007_199_254_740_993_u64), "9007199254740993"),
        ] {
            assert_eq!(python(&value), printed);
        }
    }
}
