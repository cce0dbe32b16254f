//! Shape: which parts a spec has and which keys each part has. What one part says wrongly never
//! hides what is wrong with another; the wiring between parts is checked in `graph`.

use std::path::Path;

use matchcut_media::render::RenderPlan;
use matchcut_model::replay::Score;
use matchcut_operators::sdk::{Description, OptionSpec, Options};

use super::catalog::{Catalog, PartCheck, PartType};
use super::diagnostic::{Report, Span};
use super::options::{self, pipeline_options, replay_options};
use super::settings::{Mode, Pipeline, ReplaySettings};
use super::suggest;
use super::tree::{Entry, Node, Table, Tree};

/// Text with its place.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub text: String,
    pub span: Span,
}

/// Parts of every section, as far as they could be read. A part that is wrong in itself is still
/// here, so that names that refer to it are not said to be wrong as well.
#[derive(Default)]
pub(super) struct Draft {
    pub pipeline: Pipeline,
    pub pipeline_span: Span,
    pub sources: Vec<SourceDraft>,
    pub operators: Vec<OperatorDraft>,
    pub replays: Vec<ReplayDraft>,
    pub sinks: Vec<SinkDraft>,
    pub feeds: Vec<FeedDraft>,
}

pub(super) struct SourceDraft {
    pub name: Word,
    pub kind: String,
    pub uri: String,
    pub options: Options,
}

pub(super) struct OperatorDraft {
    pub name: Word,
    pub kind: String,
    pub description: Option<Description>,
    pub inputs: Inputs,
    pub options: Options,
    pub table: Table,
}

#[derive(Default)]
pub(super) struct Inputs {
    pub words: Vec<Word>,
    /// Where `inputs` itself stands, if it is there.
    pub key: Option<Span>,
    /// Whether all of it could be read.
    pub whole: bool,
}

pub(super) struct ReplayDraft {
    pub name: Word,
    pub inputs: Inputs,
    pub settings: ReplaySettings,
    pub render: Option<RenderPlan>,
    pub weights: Vec<(Word, f64)>,
    pub include: Vec<Word>,
}

pub(super) struct SinkDraft {
    pub name: Word,
    pub kind: Option<PartType>,
    pub inputs: Inputs,
    pub options: Options,
}

pub(super) struct FeedDraft {
    pub name: Word,
    pub kind: String,
    pub options: Options,
}

const SECTIONS: [&str; 7] = [
    "pipeline",
    "sources",
    "feeds",
    "operators",
    "replays",
    "sinks",
    "tests",
];

pub(super) fn read(root: &Table, base: &Path, catalog: &Catalog, report: &mut Report) -> Draft {
    let mut draft = Draft::default();
    for entry in &root.0 {
        match entry.key.as_str() {
            "pipeline" => {
                draft.pipeline_span = entry.key_span;
                if let Some(table) = table_of(entry, "[pipeline]", report) {
                    draft.pipeline = pipeline(table, entry.key_span, report);
                }
            }
            "sources" => parts(entry, "source", report, |part, table, report| {
                draft
                    .sources
                    .push(source(part, table, base, catalog, report));
            }),
            "operators" => parts(entry, "operator", report, |part, table, report| {
                draft
                    .operators
                    .push(operator(part, table, base, catalog, report));
            }),
            "replays" => parts(entry, "replay", report, |part, table, report| {
                draft.replays.push(replay(part, table, base, report));
            }),
            "sinks" => parts(entry, "sink", report, |part, table, report| {
                draft.sinks.push(sink(part, table, base, catalog, report));
            }),
            "feeds" => parts(entry, "feed", report, |part, table, report| {
                draft.feeds.push(feed(part, table, base, catalog, report));
            }),
            "tests" => {}
            other => {
                let of_pipeline = pipeline_options().iter().any(|option| option.name == other);
                let hint = match of_pipeline {
                    true => Some(format!("\"{other}\" belongs below [pipeline]")),
                    false => suggest::hint(other, "a spec has", &SECTIONS),
                };
                report.error(
                    entry.key_span,
                    format!("a spec has no section \"{other}\""),
                    hint,
                );
            }
        }
    }
    if root.get("pipeline").is_none() {
        let hint = Some("begin with [pipeline] and name = \"…\"".to_owned());
        report.missing(Span::default(), "[pipeline] is missing", hint);
    }
    draft
}

fn table_of<'a>(entry: &'a Entry, what: &str, report: &mut Report) -> Option<&'a Table> {
    match &entry.node.value {
        Tree::Table(table) => Some(table),
        Tree::Broken => None,
        other => {
            let message = format!("{what}: a table expected, this is {}", other.kind());
            report.error(entry.node.span, message, None);
            None
        }
    }
}

fn parts(
    entry: &Entry,
    kind: &str,
    report: &mut Report,
    mut read: impl FnMut(&Entry, &Table, &mut Report),
) {
    let Some(section) = table_of(entry, &format!("[{}]", entry.key), report) else {
        return;
    };
    for part in &section.0 {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if part.key.is_empty() || !part.key.chars().all(fits) {
            let message = format!("\"{}\" cannot be a name of {kind}s", part.key);
            let hint = Some("a name has letters (a to z), digits, _ and -".to_owned());
            report.error(part.key_span, message, hint);
        }
        if let Some(table) = table_of(part, &format!("{kind} \"{}\"", part.key), report) {
            read(part, table, report);
        }
    }
}

fn pipeline(table: &Table, header: Span, report: &mut Report) -> Pipeline {
    let (options, _) = options::read(table, "[pipeline]", &pipeline_options(), &[], report);
    match table.get("name") {
        None => {
            let hint = Some("give the pipeline a name: name = \"…\"".to_owned());
            report.missing(header, "\"name\" of [pipeline] is missing", hint);
        }
        Some(Entry {
            node:
                Node {
                    span,
                    value: Tree::Text(name),
                },
            ..
        }) if name.trim().is_empty() => {
            report.error(*span, "\"name\" of [pipeline] is empty", None);
        }
        Some(_) => {}
    }
    if let Some(entry) = table.get("start_timecode")
        && let Tree::Text(text) = &entry.node.value
        && !is_timecode(text)
    {
        let message = format!("\"{text}\" is not a timecode");
        let hint = Some("write HH:MM:SS:FF, or HH:MM:SS;FF for drop-frame".to_owned());
        report.error(entry.node.span, message, hint);
    }
    let pipeline: Pipeline = settings(&options, table, "[pipeline]", header, report);
    if pipeline.max_segment == matchcut_model::time::MediaTime::ZERO
        && let Some(entry) = table.get("max_segment")
    {
        report.error(
            entry.node.span,
            "\"max_segment\" of [pipeline] must be more than 0",
            None,
        );
    }
    pipeline
}

fn is_timecode(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 11
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            2 | 5 => *byte == b':',
            8 => *byte == b':' || *byte == b';',
            3 | 6 => (b'0'..=b'5').contains(byte),
            _ => byte.is_ascii_digit(),
        })
}

/// Reads options whose shape was checked already; every wrong one is said and left out.
fn settings<T: serde::de::DeserializeOwned + Default>(
    options: &Options,
    table: &Table,
    owner: &str,
    header: Span,
    report: &mut Report,
) -> T {
    match matchcut_operators::sdk::parse_options(options) {
        Ok(settings) => settings,
        Err(errors) => {
            let mut rest = options.clone();
            rest.retain(|key, _| {
                errors
                    .iter()
                    .all(|error| error.option.as_ref() != Some(key))
            });
            options::report_build_errors(errors, table, owner, header, report);
            matchcut_operators::sdk::parse_options(&rest).unwrap_or_default()
        }
    }
}

/// The `type` of a part, if it has one that is text.
fn type_of(
    part: &Entry,
    table: &Table,
    owner: &str,
    known: &[&str],
    report: &mut Report,
) -> Option<Word> {
    match table.get("type") {
        None => {
            let hint = (!known.is_empty()).then(|| format!("types: {}", suggest::list(known)));
            report.missing(
                part.key_span,
                format!("\"type\" of {owner} is missing"),
                hint,
            );
            None
        }
        Some(entry) => word(&entry.node, &format!("\"type\" of {owner}"), report),
    }
}

fn no_such_type(word: &Word, kind: &str, known: &[&str], report: &mut Report) {
    let hint = suggest::hint(&word.text, "types", known);
    report.error(
        word.span,
        format!("there is no {kind} type \"{}\"", word.text),
        hint,
    );
}

fn word(node: &Node, what: &str, report: &mut Report) -> Option<Word> {
    match &node.value {
        Tree::Text(text) => Some(Word {
            text: text.clone(),
            span: node.span,
        }),
        Tree::Broken => None,
        other => {
            report.error(
                node.span,
                format!("{what}: text expected, this is {}", other.kind()),
                None,
            );
            None
        }
    }
}

fn inputs(part: &Entry, table: &Table, owner: &str, report: &mut Report) -> Inputs {
    let Some(entry) = table.get("inputs") else {
        report.missing(
            part.key_span,
            format!("\"inputs\" of {owner} is missing"),
            None,
        );
        return Inputs::default();
    };
    let what = format!("\"inputs\" of {owner}");
    let key = Some(entry.key_span);
    match &entry.node.value {
        Tree::Array(items) => {
            let words: Vec<Option<Word>> =
                items.iter().map(|item| word(item, &what, report)).collect();
            let whole = words.iter().all(Option::is_some);
            let words: Vec<Word> = words.into_iter().flatten().collect();
            for (at, word) in words.iter().enumerate() {
                if words[..at].iter().any(|earlier| earlier.text == word.text) {
                    let message = format!("{what}: \"{}\" stands there twice", word.text);
                    report.error(word.span, message, None);
                }
            }
            Inputs { words, key, whole }
        }
        Tree::Broken => Inputs {
            key,
            ..Inputs::default()
        },
        other => {
            let hint = match other {
                Tree::Text(text) => Some(format!("write inputs = [\"{text}\"]")),
                _ => None,
            };
            let message = format!("{what}: an array expected, this is {}", other.kind());
            report.error(entry.node.span, message, hint);
            Inputs {
                key,
                ..Inputs::default()
            }
        }
    }
}

fn source(
    part: &Entry,
    table: &Table,
    base: &Path,
    catalog: &Catalog,
    report: &mut Report,
) -> SourceDraft {
    let owner = format!("source \"{}\"", part.key);
    let known: Vec<&str> = catalog.sources.iter().map(|kind| kind.name).collect();
    let kind = type_of(part, table, &owner, &known, report);
    let mut uri = String::new();
    match table.get("uri") {
        None => report.missing(
            part.key_span,
            format!("\"uri\" of {owner} is missing"),
            None,
        ),
        Some(entry) => {
            if let Some(word) = word(&entry.node, &format!("\"uri\" of {owner}"), report) {
                if word.text.trim().is_empty() {
                    report.error(word.span, format!("\"uri\" of {owner} is empty"), None);
                }
                uri = resolve(&word.text, word.span, base);
            }
        }
    }
    let mut options = Options::new();
    if let Some(word) = &kind {
        match catalog.source(&word.text) {
            Some(kind) => {
                let common = ["type", "uri"];
                (options, _) = options::read(table, &owner, &kind.options, &common, report);
                resolve_paths(&mut options, table, &kind.options, base);
                let (name, part_kind) = (part.key.as_str(), kind.name);
                let check = PartCheck {
                    name,
                    kind: part_kind,
                    uri: &uri,
                    options: &options,
                };
                // That the URI is not there was said above.
                let errors = (kind.check)(&check).into_iter();
                let errors = errors.filter(|error| {
                    !uri.trim().is_empty() || error.option.as_deref() != Some("uri")
                });
                let errors = errors.collect();
                options::report_build_errors(errors, table, &owner, part.key_span, report);
            }
            None => no_such_type(word, "source", &known, report),
        }
    }
    SourceDraft {
        name: name_of(part),
        kind: kind.map(|word| word.text).unwrap_or_default(),
        uri,
        options,
    }
}

fn name_of(part: &Entry) -> Word {
    Word {
        text: part.key.clone(),
        span: part.key_span,
    }
}

fn operator(
    part: &Entry,
    table: &Table,
    base: &Path,
    catalog: &Catalog,
    report: &mut Report,
) -> OperatorDraft {
    let owner = format!("operator \"{}\"", part.key);
    let descriptions: Vec<Description> = catalog.operators.iter().map(|k| k.describe()).collect();
    let known: Vec<&str> = descriptions.iter().map(|d| d.name).collect();
    let kind = type_of(part, table, &owner, &known, report);
    let takes_none = |word: &Word| {
        let found = descriptions.iter().find(|d| d.name == word.text);
        found.is_some_and(|description| description.inputs.is_empty())
    };
    // A type that takes nothing needs no empty list.
    let inputs = match table.get("inputs") {
        None if kind.as_ref().is_some_and(takes_none) => Inputs {
            whole: true,
            ..Inputs::default()
        },
        _ => inputs(part, table, &owner, report),
    };
    let mut options = Options::new();
    let mut description = None;
    if let Some(word) = &kind {
        match catalog.operator(&word.text) {
            None => no_such_type(word, "operator", &known, report),
            Some((kind, found)) => {
                let common = ["type", "inputs"];
                let good;
                (options, good) = options::read(table, &owner, &found.options, &common, report);
                // A path that is left out is where its default says, beside the spec.
                for option in found.options.iter().filter(|option| is_path(option)) {
                    if option.default.is_string() {
                        let default = || option.default.clone();
                        options.entry(option.name.clone()).or_insert_with(default);
                    }
                }
                resolve_paths(&mut options, table, &found.options, base);
                // Options that were left out may be what the type would miss.
                let built = kind.build(&options);
                let wrong = built.is_err();
                match built {
                    Err(errors) if good => {
                        options::report_build_errors(errors, table, &owner, part.key_span, report);
                    }
                    Err(errors) => {
                        let present = |e: &matchcut_operators::sdk::OptionError| {
                            let key = e.option.as_deref().and_then(|key| key.split('.').next());
                            key.is_some_and(|key| options.contains_key(key))
                        };
                        let errors = errors.into_iter().filter(present).collect();
                        options::report_build_errors(errors, table, &owner, part.key_span, report);
                    }
                    Ok(_) => {}
                }
                // What nothing is known of is wired to nothing wrongly.
                description = match wrong {
                    true => (!kind.varies()).then_some(found),
                    false => Some(kind.describe_with(&options)),
                };
            }
        }
    }
    OperatorDraft {
        name: name_of(part),
        kind: kind.map(|word| word.text).unwrap_or_default(),
        description,
        inputs,
        options,
        table: table.clone(),
    }
}

fn replay(part: &Entry, table: &Table, base: &Path, report: &mut Report) -> ReplayDraft {
    let owner = format!("replay \"{}\"", part.key);
    let inputs = inputs(part, table, &owner, report);
    let (options, _) = options::read(table, &owner, &replay_options(), &["inputs"], report);
    let settings: ReplaySettings = settings(&options, table, &owner, part.key_span, report);
    let mut weights = Vec::new();
    if let Some(Tree::Table(entries)) = table.get("weights").map(|entry| &entry.node.value) {
        for entry in &entries.0 {
            if let Some(weight) = settings.weights.get(&entry.key) {
                weights.push((name_of(entry), *weight));
            }
        }
    }
    let mut include = Vec::new();
    if let Some(Tree::Array(items)) = table.get("include").map(|entry| &entry.node.value) {
        for item in items {
            if let Tree::Text(text) = &item.value {
                include.push(Word {
                    text: text.clone(),
                    span: item.span,
                });
            }
        }
    }
    check_replay(&settings, table, &owner, part.key_span, report);
    let render = match (&settings.render, table.get("render")) {
        (Some(render), Some(entry)) => render
            .plan(base)
            .map_err(|message| {
                let message = format!("\"render\" of {owner}: {message}");
                report.error(entry.node.span, message, None);
            })
            .ok(),
        _ => None,
    };
    ReplayDraft {
        name: name_of(part),
        inputs,
        settings,
        render,
        weights,
        include,
    }
}

/// What the keys of a replay say together.
fn check_replay(
    settings: &ReplaySettings,
    table: &Table,
    owner: &str,
    header: Span,
    report: &mut Report,
) {
    let zero = matchcut_model::time::MediaTime::ZERO;
    if let Some(entry) = table.get("duration")
        && settings.duration == zero
        && !matches!(entry.node.value, Tree::Broken)
    {
        report.error(
            entry.node.span,
            format!("\"duration\" of {owner} must be more than 0"),
            None,
        );
    }
    let (mode, needed) = match settings.mode {
        Mode::Duration => ("duration", None),
        Mode::Features => ("features", Some("include")),
        Mode::Timestamps => ("timestamps", Some("timestamps")),
    };
    if let Some(key) = needed
        && table.get(key).is_none()
    {
        let hint = Some(format!("list what the replay takes: {key} = […]"));
        report.missing(
            header,
            format!("mode \"{mode}\" of {owner} needs \"{key}\""),
            hint,
        );
    }
    let of_mode = [
        ("include", Mode::Features, "features"),
        ("timestamps", Mode::Timestamps, "timestamps"),
        ("weights", Mode::Duration, "duration"),
        ("duration", Mode::Duration, "duration"),
        ("tolerance", Mode::Duration, "duration"),
        ("equal_distribution", Mode::Duration, "duration"),
        ("disregard_zero_weight", Mode::Duration, "duration"),
    ];
    for (key, its_mode, its_name) in of_mode {
        if settings.mode != its_mode
            && let Some(entry) = table.get(key)
        {
            let message = format!("\"{key}\" of {owner} has no effect in mode \"{mode}\"");
            let hint = Some(format!("it belongs to mode = \"{its_name}\""));
            report.warning(entry.key_span, message, hint);
        }
    }
    if let Some(entry) = table.get("significance") {
        check_significance(settings, entry, owner, report);
    }
    if let Some(Tree::Array(items)) = table.get("timestamps").map(|entry| &entry.node.value) {
        for (item, stretch) in items.iter().zip(&settings.timestamps) {
            let (start, end) = stretch.bounds();
            if start >= end {
                let message = format!("the range ends at {end}, not after its start at {start}");
                report.error(item.span, message, None);
            }
        }
    }
}

/// What single observations are worth.
fn check_significance(settings: &ReplaySettings, entry: &Entry, owner: &str, report: &mut Report) {
    if settings.mode == Mode::Timestamps {
        let message = format!("\"significance\" of {owner} has no effect in mode \"timestamps\"");
        report.warning(entry.key_span, message, None);
    }
    let Tree::Table(worths) = &entry.node.value else {
        return;
    };
    for worth in &worths.0 {
        let known = settings.significance.get(&worth.key);
        if known.is_some_and(|worth| Score::within_bounds(*worth).is_none()) {
            let message = format!(
                "\"significance\" of {owner}: \"{}\" is not worth a number from -1e9 to 1e9",
                worth.key
            );
            report.error(worth.node.span, message, None);
        }
    }
}

fn sink(
    part: &Entry,
    table: &Table,
    base: &Path,
    catalog: &Catalog,
    report: &mut Report,
) -> SinkDraft {
    let owner = format!("sink \"{}\"", part.key);
    let known: Vec<&str> = catalog.sinks.iter().map(|kind| kind.name).collect();
    let kind = type_of(part, table, &owner, &known, report);
    let inputs = inputs(part, table, &owner, report);
    let mut options = Options::new();
    let mut found = None;
    if let Some(word) = &kind {
        match catalog.sink(&word.text) {
            Some(kind) => {
                let common = ["type", "inputs"];
                options = checked(part, table, base, (&owner, &common, kind), report);
                found = Some(kind.clone());
            }
            None => no_such_type(word, "sink", &known, report),
        }
    }
    SinkDraft {
        name: name_of(part),
        kind: found,
        inputs,
        options,
    }
}

fn feed(
    part: &Entry,
    table: &Table,
    base: &Path,
    catalog: &Catalog,
    report: &mut Report,
) -> FeedDraft {
    let owner = format!("feed \"{}\"", part.key);
    let known: Vec<&str> = catalog.feeds.iter().map(|kind| kind.name).collect();
    let kind = type_of(part, table, &owner, &known, report);
    let mut options = Options::new();
    if let Some(word) = &kind {
        match catalog.feed(&word.text) {
            Some(kind) => options = checked(part, table, base, (&owner, &["type"], kind), report),
            None => no_such_type(word, "feed", &known, report),
        }
    }
    FeedDraft {
        name: name_of(part),
        kind: kind.map(|word| word.text).unwrap_or_default(),
        options,
    }
}

/// The options of a sink or feed with their defaults, looked through by its type.
fn checked(
    part: &Entry,
    table: &Table,
    base: &Path,
    (owner, common, kind): (&str, &[&str], &PartType),
    report: &mut Report,
) -> Options {
    let (mut options, _) = options::read(table, owner, &kind.options, common, report);
    for option in &kind.options {
        let default = || option.default.clone();
        options.entry(option.name.clone()).or_insert_with(default);
    }
    resolve_paths(&mut options, table, &kind.options, base);
    let errors = (kind.check)(&PartCheck {
        name: part.key.as_str(),
        kind: kind.name,
        uri: "",
        options: &options,
    });
    options::report_build_errors(errors, table, owner, part.key_span, report);
    options
}

fn is_path(spec: &OptionSpec) -> bool {
    spec.schema
        .get("format")
        .is_some_and(|format| format == "path")
}

/// Paths among options: `"format": "path"` in the schema says which.
fn resolve_paths(options: &mut Options, table: &Table, specs: &[OptionSpec], base: &Path) {
    for spec in specs.iter().filter(|spec| is_path(spec)) {
        if let Some(serde_json::Value::String(text)) = options.get_mut(&spec.name) {
            let span = table
                .get(&spec.name)
                .map(|entry| entry.node.span)
                .unwrap_or_default();
            *text = resolve(text, span, base);
        }
    }
}

/// A path in a spec is relative to the spec; one on the command line to where the user stands.
fn resolve(text: &str, span: Span, base: &Path) -> String {
    let has_scheme = text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    if has_scheme || span.origin > 0 || text.is_empty() || Path::new(text).is_absolute() {
        return text.to_owned();
    }
    let text = text.strip_prefix("./").unwrap_or(text);
    match base.as_os_str().is_empty() {
        true => text.to_owned(),
        false if text == "." => base.to_string_lossy().into_owned(),
        false => base.join(text).to_string_lossy().into_owned(),
    }
}
