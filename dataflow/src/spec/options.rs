//! Reads the options of a part against their descriptions: keys that no option has, values of
//! another type, values out of range, names that are none of the choices.

use matchcut_operators::sdk::{OptionError, OptionSpec, Options, options_of};
use serde_json::Value as Json;

use super::diagnostic::{Report, Span};
use super::settings::{Pipeline, ReplaySettings};
use super::suggest;
use super::tree::{Entry, Node, Table, Tree};

/// The keys of `[pipeline]`.
pub fn pipeline_options() -> Vec<OptionSpec> {
    options_of::<Pipeline>()
}

/// The keys of `[replays.X]` without `inputs`.
pub fn replay_options() -> Vec<OptionSpec> {
    options_of::<ReplaySettings>()
}

/// Reads all keys of `table` but the `common` ones. What is wrong is reported and left out.
pub(super) fn read(
    table: &Table,
    owner: &str,
    specs: &[OptionSpec],
    common: &[&str],
    report: &mut Report,
) -> (Options, bool) {
    let mut options = Options::new();
    let mut good = true;
    for entry in &table.0 {
        if common.contains(&entry.key.as_str()) {
            continue;
        }
        let Some(spec) = specs.iter().find(|spec| spec.name == entry.key) else {
            unknown_key(entry, owner, specs, common, report);
            good = false;
            continue;
        };
        let Some(value) = entry.node.json(report) else {
            good = false;
            continue;
        };
        if let Some(problem) = mismatch(&spec.schema, &entry.node) {
            let Problem { at, message, hint } = problem;
            report.error(at, format!("\"{}\" of {owner}: {message}", entry.key), hint);
            good = false;
            continue;
        }
        options.insert(entry.key.clone(), value);
    }
    (options, good)
}

fn unknown_key(
    entry: &Entry,
    owner: &str,
    specs: &[OptionSpec],
    common: &[&str],
    report: &mut Report,
) {
    let known: Vec<&str> = common
        .iter()
        .copied()
        .chain(specs.iter().map(|spec| spec.name.as_str()))
        .collect();
    let hint = suggest::hint(&entry.key, "its keys are", &known);
    report.error(
        entry.key_span,
        format!("{owner} has no key \"{}\"", entry.key),
        hint,
    );
}

/// Puts what a type itself says of its options where those options stand.
pub(super) fn report_build_errors(
    errors: Vec<OptionError>,
    table: &Table,
    owner: &str,
    header: Span,
    report: &mut Report,
) {
    for error in errors {
        let message = plain(&error.message);
        match &error.option {
            Some(key) => match place(table, key) {
                Some(span) => {
                    let message = format!("\"{key}\" of {owner}: {message}");
                    report.error(span, message, None);
                }
                None => report.missing(header, format!("\"{key}\" of {owner}: {message}"), None),
            },
            None => report.error(header, format!("{owner}: {message}"), None),
        }
    }
}

/// Where the value of `key` stands. A key such as `options.threshold` leads into tables and arrays; where
/// it leads nowhere, the value that it would be in is the place.
fn place(table: &Table, key: &str) -> Option<Span> {
    if let Some(entry) = table.get(key) {
        return Some(entry.node.span);
    }
    let mut steps = key.split('.');
    let mut node = &table.get(steps.next()?)?.node;
    for step in steps {
        let inside = match &node.value {
            Tree::Table(table) => table.get(step).map(|entry| &entry.node),
            Tree::Array(items) => step.parse().ok().and_then(|at: usize| items.get(at)),
            _ => None,
        };
        match inside {
            Some(inside) => node = inside,
            None => break,
        }
    }
    Some(node.span)
}

/// What serde says, in the words of this program.
fn plain(message: &str) -> String {
    if message.contains("did not match any variant of untagged enum") {
        return "this is in none of the forms that it can have".to_owned();
    }
    message
        .replace("invalid type: ", "not usable: ")
        .replace("invalid value: ", "not usable: ")
        .replace("expected f64", "a number is expected")
        .replace('`', "\"")
}

pub(super) struct Problem {
    pub at: Span,
    pub message: String,
    pub hint: Option<String>,
}

/// What is wrong with a value by its schema; only what can be said better than by the type itself.
pub(super) fn mismatch(schema: &Json, node: &Node) -> Option<Problem> {
    if matches!(node.value, Tree::Broken) {
        return None;
    }
    let problem = |message: String| {
        Some(Problem {
            at: node.span,
            message,
            hint: None,
        })
    };
    let alternatives = alternatives(schema);
    let kinds: Vec<&str> = alternatives.iter().flat_map(|s| types(s)).collect();
    let untyped = alternatives.iter().any(|s| types(s).is_empty());
    if !untyped && !kinds.iter().any(|kind| is_kind(kind, &node.value)) {
        let mut expected: Vec<&str> = kinds.iter().map(|kind| kind_name(kind)).collect();
        expected.dedup();
        let expected = expected.join(" or ");
        return problem(format!(
            "{expected} expected, this is {}",
            node.value.kind()
        ));
    }
    if let Tree::Text(text) = &node.value
        && let Some(choices) = choices(schema)
        && !choices.contains(&text.as_str())
    {
        let hint = suggest::hint(text, "it is one of", &choices);
        let message = format!("\"{text}\" is none of the choices");
        return Some(Problem {
            at: node.span,
            message,
            hint,
        });
    }
    if let Some(number) = match node.value {
        Tree::Integer(value) => Some(value as f64),
        Tree::Float(value) => Some(value),
        _ => None,
    } {
        let bound = |key: &str| schema.get(key).and_then(Json::as_f64);
        let (min, max) = (bound("minimum"), bound("maximum"));
        if min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max) {
            let range = match (min, max) {
                (Some(min), Some(max)) => format!("between {min} and {max}"),
                (Some(min), None) => format!("at least {min}"),
                (_, Some(max)) => format!("at most {max}"),
                (None, None) => String::new(),
            };
            return problem(format!("{range} expected, this is {number}"));
        }
        if bound("exclusiveMinimum").is_some_and(|min| number <= min) {
            let min = bound("exclusiveMinimum").unwrap_or_default();
            return problem(format!("more than {min} expected, this is {number}"));
        }
    }
    match &node.value {
        Tree::Array(items) => {
            let schema = alternatives.iter().find_map(|schema| schema.get("items"))?;
            items.iter().find_map(|item| mismatch(schema, item))
        }
        Tree::Table(table) => {
            let inside = |schema: &&&Json| {
                schema
                    .get("additionalProperties")
                    .is_some_and(Json::is_object)
            };
            let schema = alternatives.iter().find(inside)?;
            let schema = schema.get("additionalProperties")?;
            table.0.iter().find_map(|entry| {
                let mut problem = mismatch(schema, &entry.node)?;
                // cheers.peak = 90 is a table in a table.
                if let Tree::Table(inner) = &entry.node.value
                    && let Some(first) = inner.0.first()
                {
                    let key = format!("{}.{}", entry.key, first.key);
                    problem.hint = Some(format!("put the whole key in quotes: \"{key}\""));
                    problem.at = entry.key_span;
                }
                Some(problem)
            })
        }
        _ => None,
    }
}

fn alternatives(schema: &Json) -> Vec<&Json> {
    let list = schema
        .get("anyOf")
        .or_else(|| schema.get("oneOf"))
        .and_then(Json::as_array);
    match list {
        Some(list) => list
            .iter()
            .filter(|schema| schema.get("type").is_none_or(|kind| kind != "null"))
            .flat_map(alternatives)
            .collect(),
        None => vec![schema],
    }
}

fn types(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(kind)) => vec![kind],
        Some(Json::Array(kinds)) => {
            // TOML has no null: an optional value is one that is not written.
            kinds
                .iter()
                .filter_map(Json::as_str)
                .filter(|kind| *kind != "null")
                .collect()
        }
        _ if schema.get("const").is_some_and(Json::is_string) => vec!["string"],
        _ => Vec::new(),
    }
}

fn is_kind(kind: &str, value: &Tree) -> bool {
    match value {
        Tree::Boolean(_) => kind == "boolean",
        Tree::Integer(_) => kind == "integer" || kind == "number",
        Tree::Float(_) => kind == "number",
        Tree::Text(_) | Tree::Datetime(_) => kind == "string",
        Tree::Array(_) => kind == "array",
        Tree::Table(_) => kind == "object",
        Tree::Broken => true,
    }
}

fn kind_name(kind: &str) -> &'static str {
    match kind {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "text",
        "array" => "an array",
        "object" => "a table",
        _ => "something else",
    }
}

/// The texts that a schema allows, if it lists them.
fn choices(schema: &Json) -> Option<Vec<&str>> {
    if let Some(list) = schema.get("enum").and_then(Json::as_array) {
        return list.iter().map(Json::as_str).collect();
    }
    let mut found = Vec::new();
    for alternative in alternatives(schema) {
        if let Some(list) = alternative.get("enum").and_then(Json::as_array) {
            found.extend(list.iter().filter_map(Json::as_str));
        } else if let Some(text) = alternative.get("const").and_then(Json::as_str) {
            found.push(text);
        } else if types(alternative).contains(&"string") || types(alternative).is_empty() {
            return None;
        }
    }
    (!found.is_empty()).then_some(found)
}
