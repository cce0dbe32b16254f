//! `matchcut operators`: lists and describes operator types, from what they say of themselves.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use matchcut_dataflow::spec::{Catalog, suggest};
use matchcut_operators::sdk::{AttributeKind, Description, InputRule};

use crate::render::{CommandError, wrapped};

/// List operator types, or describe some.
#[derive(Args, Clone, Debug)]
pub struct OperatorsArgs {
    /// Types to describe; without any, all are listed.
    #[arg(value_name = "TYPE")]
    pub types: Vec<String>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = OperatorsFormat::Text)]
    pub format: OperatorsFormat,
}

/// How types are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OperatorsFormat {
    /// For people.
    Text,
    /// One JSON array with everything.
    Json,
}

/// Prints the types on stdout.
pub fn run(args: &OperatorsArgs) -> Result<ExitCode, CommandError> {
    let all: Vec<Description> = Catalog::built_in()
        .operators
        .iter()
        .map(|kind| kind.describe())
        .collect();
    let mut chosen: Vec<&Description> = Vec::new();
    for name in &args.types {
        let Some(found) = all.iter().find(|description| description.name == name) else {
            let near = suggest::nearest(name, all.iter().map(|description| description.name));
            return Err(CommandError::Usage {
                message: format!("there is no operator type \"{name}\""),
                hint: near.map(|near| format!("did you mean \"{near}\"?")),
            });
        };
        chosen.push(found);
    }
    let describe = !chosen.is_empty();
    if !describe {
        chosen = all.iter().collect();
    }
    let mut out = io::stdout().lock();
    match args.format {
        OperatorsFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &chosen).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        OperatorsFormat::Text if describe => {
            let texts: Vec<String> = chosen.into_iter().map(described).collect();
            out.write_all(texts.join("\n").as_bytes())?;
        }
        OperatorsFormat::Text => out.write_all(listed(&chosen).as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn listed(all: &[&Description]) -> String {
    let mut out = String::new();
    let width = all
        .iter()
        .map(|description| description.name.len())
        .max()
        .unwrap_or(0);
    let mut class = None;
    for description in all {
        if class != Some(description.class) {
            class = Some(description.class);
            let gap = if out.is_empty() { "" } else { "\n" };
            let _ = writeln!(out, "{gap}{}s", description.class);
        }
        let _ = writeln!(
            out,
            "  {:width$}  {}",
            description.name, description.summary
        );
    }
    out.push_str("\nmatchcut operators TYPE describes one, with its options.\n");
    out
}

fn described(description: &Description) -> String {
    let Description {
        name,
        class,
        summary,
        inputs,
        attributes,
        options,
    } = description;
    let mut out = format!("{name} ({class})\n");
    out.push_str(&wrapped(summary, 2, 96));
    let takes: Vec<String> = inputs.iter().map(rule).collect();
    let takes = if takes.is_empty() {
        "nothing".to_owned()
    } else {
        takes.join(", ")
    };
    let _ = writeln!(out, "\n  inputs: {takes}");
    if !attributes.is_empty() {
        out.push_str("\n  attributes\n");
        for attribute in attributes {
            let kind = match attribute.kind {
                AttributeKind::Boolean => "true or false",
                AttributeKind::Number => "number",
                AttributeKind::Text => "text",
                AttributeKind::Any => "anything",
            };
            let _ = writeln!(out, "    {} ({kind})", attribute.name);
            out.push_str(&wrapped(attribute.description, 6, 96));
        }
    }
    if !options.is_empty() {
        out.push_str("\n  options\n");
        for option in options {
            let default = match &option.default {
                serde_json::Value::Null => "not set".to_owned(),
                value => value.to_string(),
            };
            let _ = writeln!(out, "    {} (default {default})", option.name);
            out.push_str(&wrapped(&option.description, 6, 96));
        }
    }
    out
}

fn rule(rule: &InputRule) -> String {
    let number = match (rule.min, rule.max) {
        (1, Some(1)) => "one of".to_owned(),
        (0, Some(1)) => "perhaps one of".to_owned(),
        (0, None) => "any number of".to_owned(),
        (min, None) => format!("at least {min} of"),
        (min, Some(max)) if min == max => format!("{min} of"),
        (min, Some(max)) => format!("{min} to {max} of"),
    };
    format!("{number} {}", rule.kind)
}
