//! `--set PATH=VALUE`: values from the command line put into the tree of a spec before it is
//! checked. A value is TOML, else text; what is wrong with it points at the argument.

use toml::de::DeTable;

use super::catalog::Catalog;
use super::diagnostic::{Report, Span};
use super::options::{pipeline_options, replay_options};
use super::suggest;
use super::tree::{self, Entry, Node, Table, Tree};

/// One `--set PATH=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override(pub String);

/// Puts every override into `table`. What is reported here is wrong use of the command line.
pub(super) fn apply(
    overrides: &[Override],
    table: &mut Table,
    catalog: &Catalog,
    usage: &mut Report,
    report: &mut Report,
) {
    for (index, Override(text)) in overrides.iter().enumerate() {
        let origin = index + 1;
        if let Some((path, node)) = parse(text, origin, usage, report)
            && check(&path, table, catalog, usage).is_some()
        {
            put(table, &path, node);
        }
    }
}

struct Step {
    key: String,
    span: Span,
}

fn parse(
    text: &str,
    origin: usize,
    usage: &mut Report,
    report: &mut Report,
) -> Option<(Vec<Step>, Node)> {
    let whole = Span {
        origin,
        start: 0,
        end: text.len(),
    };
    let help = || Some("write for example --set sources.court.uri=court.m3u8".to_owned());
    let Some(at) = equals_sign(text) else {
        usage.error(
            whole,
            "a path and a value expected, with = between them",
            help(),
        );
        return None;
    };
    // TOML itself reads the path, so that quoted keys work as they do in a spec.
    let head = format!("{}=0", &text[..at]);
    let (parsed, errors) = DeTable::parse_recoverable(&head);
    let mut path = Vec::new();
    let mut level = parsed.get_ref();
    while let Some((key, value)) = level.iter().next() {
        let span = key.span();
        path.push(Step {
            key: key.get_ref().to_string(),
            span: Span {
                origin,
                start: span.start,
                end: span.end,
            },
        });
        match value.get_ref().as_table() {
            Some(table) => level = table,
            None => break,
        }
    }
    if !errors.is_empty() || path.is_empty() {
        usage.error(
            Span { end: at, ..whole },
            "this is not a path of a spec",
            help(),
        );
        return None;
    }
    let raw = &text[at + 1..];
    let trimmed = raw.trim_start();
    let offset = text.len() - trimmed.len();
    let node = tree::value(trimmed.trim_end(), origin, offset, report).unwrap_or_else(|| Node {
        span: Span {
            origin,
            start: at + 1,
            end: text.len(),
        },
        value: Tree::Text(raw.to_owned()),
    });
    Some((path, node))
}

/// The first = outside quotes.
fn equals_sign(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '=') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

/// Whether the path leads somewhere: into a part that the spec has, to a key that its type has.
fn check(path: &[Step], table: &Table, catalog: &Catalog, usage: &mut Report) -> Option<()> {
    let mut refuse = |step: &Step, message: String, what: &str, known: &[&str]| {
        usage.error(step.span, message, suggest::hint(&step.key, what, known));
        None
    };
    let (first, rest) = path.split_first()?;
    let sections = [
        "pipeline",
        "sources",
        "feeds",
        "operators",
        "replays",
        "sinks",
    ];
    if !sections.contains(&first.key.as_str()) {
        let message = format!("\"{}\" is no part of a spec that can be set", first.key);
        return refuse(first, message, "these can", &sections);
    }
    let Some((second, rest)) = rest.split_first() else {
        return refuse(first, "a path to one value expected".into(), "", &[]);
    };
    let section = match table.get(&first.key).map(|entry| &entry.node.value) {
        Some(Tree::Table(section)) => Some(section),
        _ => None,
    };
    let (owner, key, keys): (String, &Step, Option<Vec<String>>) = if first.key == "pipeline" {
        let keys = pipeline_options().into_iter().map(|o| o.name).collect();
        ("[pipeline]".into(), second, Some(keys))
    } else {
        let kind = first.key.trim_end_matches('s');
        let names: Vec<&str> = section
            .map(|s| s.0.iter().map(|e| e.key.as_str()).collect())
            .unwrap_or_default();
        let Some(part) = section.and_then(|s| s.get(&second.key)) else {
            let message = format!("the spec has no {kind} \"{}\"", second.key);
            return refuse(second, message, "it has", &names);
        };
        let Some(key) = rest.first() else {
            return refuse(
                second,
                format!("a key of {kind} \"{}\" expected", second.key),
                "",
                &[],
            );
        };
        let owner = format!("{kind} \"{}\"", second.key);
        (owner, key, keys_of(&first.key, &part.node, catalog))
    };
    if let Some(keys) = keys
        && !keys.contains(&key.key)
    {
        let known: Vec<&str> = keys.iter().map(String::as_str).collect();
        return refuse(
            key,
            format!("{owner} has no key \"{}\"", key.key),
            "it has",
            &known,
        );
    }
    Some(())
}

/// The keys of a part; `None` when its type is not known, which is said elsewhere.
fn keys_of(section: &str, part: &Node, catalog: &Catalog) -> Option<Vec<String>> {
    let names = |options: Vec<matchcut_operators::sdk::OptionSpec>, common: &[&str]| {
        let common = common.iter().map(|name| (*name).to_owned());
        Some(common.chain(options.into_iter().map(|o| o.name)).collect())
    };
    if section == "replays" {
        return names(replay_options(), &["inputs"]);
    }
    let Tree::Table(table) = &part.value else {
        return None;
    };
    let Tree::Text(kind) = &table.get("type")?.node.value else {
        return None;
    };
    match section {
        "sources" => names(catalog.source(kind)?.options.clone(), &["type", "uri"]),
        "feeds" => names(catalog.feed(kind)?.options.clone(), &["type"]),
        "sinks" => names(catalog.sink(kind)?.options.clone(), &["type", "inputs"]),
        _ => names(catalog.operator(kind)?.1.options, &["type", "inputs"]),
    }
}

fn put(table: &mut Table, path: &[Step], node: Node) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if table.get(&first.key).is_none() {
        let empty = Node {
            span: first.span,
            value: Tree::Table(Table::default()),
        };
        table.0.push(Entry {
            key: first.key.clone(),
            key_span: first.span,
            node: empty,
        });
    }
    let Some(entry) = table.get_mut(&first.key) else {
        return;
    };
    if rest.is_empty() {
        entry.key_span = first.span;
        entry.node = node;
        return;
    }
    if !matches!(entry.node.value, Tree::Table(_)) {
        entry.node = Node {
            span: first.span,
            value: Tree::Table(Table::default()),
        };
    }
    if let Tree::Table(inner) = &mut entry.node.value {
        put(inner, rest, node);
    }
}
