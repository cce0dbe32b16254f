//! The JSON Schema of a spec, for editors: made from the same descriptions that a spec is checked
//! against, so that what an editor offers is what is understood.

use matchcut_operators::sdk::OptionSpec;
use serde_json::{Map, Value as Json, json};

use super::catalog::Catalog;
use super::options::{pipeline_options, replay_options};

const NAME: &str = "^[A-Za-z0-9_-]+$";

/// The schema, draft 2020-12.
pub fn schema(catalog: &Catalog) -> Json {
    let sources = catalog.sources.iter().map(|kind| {
        let uri = json!({
            "type": "string", "minLength": 1,
            "description": "Where it is. A relative path is relative to the spec.",
        });
        Branch {
            name: kind.name,
            summary: kind.summary.to_owned(),
            common: vec![("uri", uri)],
            options: kind.options.clone(),
            required: vec!["type", "uri"],
        }
    });
    let operators = catalog.operators.iter().map(|kind| {
        let description = kind.describe();
        let takes: Vec<String> = description
            .inputs
            .iter()
            .map(|rule| rule.kind.to_string())
            .collect();
        let (takes, required) = match takes.is_empty() {
            true => ("Takes nothing.".to_owned(), vec!["type"]),
            false => (
                format!("Takes {}.", takes.join(" and ")),
                vec!["type", "inputs"],
            ),
        };
        Branch {
            name: description.name,
            summary: format!("{}: {}", description.class, description.summary),
            common: vec![("inputs", inputs(&takes))],
            options: description.options,
            required,
        }
    });
    let sinks = catalog.sinks.iter().map(|kind| Branch {
        name: kind.name,
        summary: kind.summary.to_owned(),
        common: vec![(
            "inputs",
            inputs("Takes observations, segments and replays."),
        )],
        options: kind.options.clone(),
        required: vec!["type", "inputs"],
    });
    let feeds = catalog.feeds.iter().map(|kind| Branch {
        name: kind.name,
        summary: kind.summary.to_owned(),
        common: Vec::new(),
        options: kind.options.clone(),
        required: vec!["type"],
    });
    let mut pipeline = object(&pipeline_options(), &[], &["name"]);
    pipeline["properties"]["name"]["minLength"] = json!(1);
    if let Some(name) = pipeline["properties"]["name"].as_object_mut() {
        name.remove("default");
    }
    let segments = inputs("An operator that gives segments.");
    let replay = object(&replay_options(), &[("inputs", segments)], &["inputs"]);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "matchcut pipeline spec",
        "type": "object",
        "additionalProperties": false,
        "required": ["pipeline"],
        "properties": {
            "pipeline": pipeline,
            "sources": parts("Where chunks come from.", typed(sources.collect())),
            "operators": parts("What looks at them.", typed(operators.collect())),
            "replays": parts("Selections of segments.", replay),
            "sinks": parts("Where results go.", typed(sinks.collect())),
            "feeds": parts("What others say of the event while it runs.", typed(feeds.collect())),
            "tests": tests(),
        },
    })
}

/// One type of a part.
struct Branch {
    name: &'static str,
    summary: String,
    common: Vec<(&'static str, Json)>,
    options: Vec<OptionSpec>,
    required: Vec<&'static str>,
}

fn inputs(description: &str) -> Json {
    json!({
        "type": "array", "items": { "type": "string" }, "uniqueItems": true,
        "description": description,
    })
}

fn parts(description: &str, part: Json) -> Json {
    json!({
        "type": "object",
        "description": description,
        "propertyNames": { "pattern": NAME },
        "additionalProperties": part,
    })
}

/// Which keys a part has hangs on its type: editors follow `if` and `then` to complete them.
fn typed(branches: Vec<Branch>) -> Json {
    let names: Vec<Json> = branches
        .iter()
        .map(|branch| json!({ "const": branch.name, "description": branch.summary }))
        .collect();
    let rules: Vec<Json> = branches
        .iter()
        .map(|branch| {
            let kind = json!({ "const": branch.name, "description": branch.summary });
            let common: Vec<(&str, Json)> = branch
                .common
                .iter()
                .cloned()
                .chain([("type", kind)])
                .collect();
            let mut then = object(&branch.options, &common, &branch.required);
            then["description"] = json!(branch.summary);
            json!({
                "if": { "properties": { "type": { "const": branch.name } }, "required": ["type"] },
                "then": then,
            })
        })
        .collect();
    json!({
        "type": "object",
        "required": ["type"],
        "properties": { "type": { "oneOf": names } },
        "allOf": rules,
    })
}

fn object(options: &[OptionSpec], common: &[(&str, Json)], required: &[&str]) -> Json {
    let mut properties = Map::new();
    for (name, schema) in common {
        properties.insert((*name).to_owned(), schema.clone());
    }
    for option in options {
        let mut schema = option.schema.clone();
        if let Some(schema) = schema.as_object_mut() {
            if !option.description.is_empty() {
                schema.insert("description".to_owned(), json!(option.description));
            }
            // TOML cannot write null: an option without a default is one that is left out.
            match option.default.is_null() {
                true => drop(schema.remove("default")),
                false => drop(schema.insert("default".to_owned(), option.default.clone())),
            }
        }
        properties.insert(option.name.clone(), schema);
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn tests() -> Json {
    let time = |description: &str| {
        json!({
            "anyOf": [{ "type": "number", "minimum": 0 }, { "type": "string" }],
            "description": description,
        })
    };
    let range = json!({
        "anyOf": [
            { "type": "array", "items": time("Start, then end."), "minItems": 2, "maxItems": 2 },
            {
                "type": "object",
                "properties": { "start": time("Mark-in."), "end": time("Mark-out.") },
                "required": ["start", "end"],
                "additionalProperties": false,
            },
        ],
    });
    let track =
        json!({ "type": "integer", "minimum": 1, "maximum": 20, "description": "Audio track." });
    let observation = json!({
        "type": "object",
        "description": "An observation; further keys are its attributes.",
        "properties": {
            "operator": { "type": "string", "description": "A featurer of the spec." },
            "at": time("A point in time."),
            "start": time("Start of a range."),
            "end": time("End of a range."),
            "track": track,
            "attributes": { "type": "object", "description": "Attributes named like other keys." },
        },
        "required": ["operator"],
    });
    let segment = json!({
        "type": "object",
        "properties": {
            "operator": { "type": "string", "description": "Its segmenter." },
            "start": time("Original mark-in."),
            "end": time("Original mark-out."),
            "opto": {
                "type": "object",
                "description": "Optimized marks by track.",
                "additionalProperties": range,
            },
            "label": { "type": "string", "description": "Its label." },
        },
        "required": ["start"],
        "additionalProperties": false,
    });
    json!({
        "type": "array",
        "description": "Given observations, expected segments and replays.",
        "items": {
            "type": "object",
            "properties": {
                "name": { "type": "string", "description": "What it is called." },
                "observations": { "type": "array", "items": observation },
                "end": time("End of the event; that of the last observation when left out."),
                "segments": {
                    "type": "array", "items": segment,
                    "description": "The segments that come out, no others.",
                },
                "replays": {
                    "type": "object",
                    "description": "The ranges that replays select, in order.",
                    "additionalProperties": { "type": "array", "items": range },
                },
            },
            "required": ["name"],
            "additionalProperties": false,
        },
    })
}
