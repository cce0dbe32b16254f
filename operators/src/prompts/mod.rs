//! Operators that put a question in plain words to a language model: stories of a transcript, labels of
//! segments, what a text says. Which model answers is somebody else's ([`Asks`]); answers are JSON of a
//! declared shape, and stand in the log like every other answer from outside.

mod label;
mod segment;
mod shape;
mod texts;
mod transcript;

pub(crate) use label::LabelByPrompt;
pub(crate) use segment::SegmentByPrompt;
pub(crate) use texts::TextByPrompt;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::hosts::Endpoint;
use crate::sdk::{OptionError, OptionSpec, Options, options_of, parse_options};

/// Somebody who answers questions.
pub(crate) trait Asks: Send + Sync + 'static {
    /// The answer to `question`, which is valid under the JSON Schema `schema`; or why there is none.
    fn ask(&self, question: &str, schema: &Json) -> Result<Json, String>;
}

impl<F> Asks for F
where
    F: Fn(&str, &Json) -> Result<Json, String> + Send + Sync + 'static,
{
    fn ask(&self, question: &str, schema: &Json) -> Result<Json, String> {
        self(question, schema)
    }
}

/// The options of an operator that asks: its own, and those of who is asked.
fn options_with_endpoint<T: JsonSchema + Default + Serialize>() -> Vec<OptionSpec> {
    let mut options = options_of::<T>();
    options.extend(Endpoint::options());
    options
}

/// Reads them; what is wrong goes to `errors`.
fn read<T: DeserializeOwned + Default>(
    options: &Options,
    errors: &mut Vec<OptionError>,
) -> (T, Option<Endpoint>) {
    let mut own = options.clone();
    let endpoint = Endpoint::take(&mut own, errors);
    let own = parse_options(&own).unwrap_or_else(|wrong| {
        errors.extend(wrong);
        T::default()
    });
    (own, endpoint)
}

/// Puts values in the place of `{name}`. Other braces stay: questions often show JSON.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    'text: while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        for (name, value) in values {
            let after = rest[1..].strip_prefix(name);
            if let Some(after) = after.and_then(|after| after.strip_prefix('}')) {
                out.push_str(value);
                rest = after;
                continue 'text;
            }
        }
        out.push('{');
        rest = &rest[1..];
    }
    out.push_str(rest);
    out
}

/// A question must say where the text goes that it is about.
fn names(template: &str, name: &str) -> Result<(), String> {
    if template.contains(&format!("{{{name}}}")) {
        return Ok(());
    }
    Err(format!("it must contain {{{name}}}, where that is put in"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_are_filled_in() {
        let text = fill("{a}{b} {\"c\": {a}} {", &[("a", "{b}"), ("b", "2")]);
        assert_eq!(text, "{b}2 {\"c\": {b}} {");
        assert!(names("say {text}", "text").is_ok());
        assert_eq!(
            names("say it", "text"),
            Err("it must contain {text}, where that is put in".to_owned())
        );
    }
}
