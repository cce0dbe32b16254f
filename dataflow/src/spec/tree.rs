//! The text of a spec as a tree in which every key and value knows where it stands. `--set` puts
//! values of its own into it, so that what is wrong with them points at the argument.

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Report, Span};

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub span: Span,
    pub value: Tree,
}

#[derive(Clone, Debug)]
pub(super) enum Tree {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Datetime(String),
    Array(Vec<Node>),
    Table(Table),
    /// Said to be wrong already.
    Broken,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub key_span: Span,
    pub node: Node,
}

/// Entries in the order of the text.
#[derive(Clone, Debug, Default)]
pub(super) struct Table(pub Vec<Entry>);

impl Table {
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.0.iter_mut().find(|entry| entry.key == key)
    }
}

impl Tree {
    /// With its article, as messages say it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Tree::Boolean(_) => "a boolean",
            Tree::Integer(_) | Tree::Float(_) => "a number",
            Tree::Text(_) => "text",
            Tree::Datetime(_) => "a date",
            Tree::Array(_) => "an array",
            Tree::Table(_) => "a table",
            Tree::Broken => "broken",
        }
    }
}

impl Node {
    /// As JSON; dates become text. `None` for what was said to be wrong already.
    pub(super) fn json(&self, report: &mut Report) -> Option<Json> {
        Some(match &self.value {
            Tree::Boolean(value) => Json::Bool(*value),
            Tree::Integer(value) => Json::from(*value),
            Tree::Float(value) => match serde_json::Number::from_f64(*value) {
                Some(number) => Json::Number(number),
                None => {
                    report.error(self.span, format!("{value} is not a finite number"), None);
                    return None;
                }
            },
            Tree::Text(text) | Tree::Datetime(text) => Json::String(text.clone()),
            Tree::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| item.json(report)).collect();
                Json::Array(items.into_iter().collect::<Option<_>>()?)
            }
            Tree::Table(table) => {
                let mut map = serde_json::Map::new();
                let mut whole = true;
                for entry in &table.0 {
                    match entry.node.json(report) {
                        Some(value) => drop(map.insert(entry.key.clone(), value)),
                        None => whole = false,
                    }
                }
                if !whole {
                    return None;
                }
                Json::Object(map)
            }
            Tree::Broken => return None,
        })
    }
}

/// Reads TOML as far as it goes; every syntax error is reported.
pub(super) fn document(text: &str, origin: usize, report: &mut Report) -> Table {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        let span = Span {
            origin,
            start: span.start,
            end: span.end,
        };
        report.syntax(span, error.message().to_owned());
    }
    from_table(table.into_inner(), origin, 0, report)
}

/// Reads one TOML value; `None` when it is none.
pub(super) fn value(text: &str, origin: usize, offset: usize, report: &mut Report) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    Some(from_value(value, origin, offset, report))
}

fn from_table(table: DeTable<'_>, origin: usize, offset: usize, report: &mut Report) -> Table {
    let mut entries: Vec<Entry> = table
        .into_iter()
        .map(|(key, value)| {
            let span = key.span();
            Entry {
                key_span: Span {
                    origin,
                    start: span.start + offset,
                    end: span.end + offset,
                },
                key: key.into_inner().into_owned(),
                node: from_value(value, origin, offset, report),
            }
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_span);
    Table(entries)
}

fn from_value(
    value: Spanned<DeValue<'_>>,
    origin: usize,
    offset: usize,
    report: &mut Report,
) -> Node {
    let span = value.span();
    let span = Span {
        origin,
        start: span.start + offset,
        end: span.end + offset,
    };
    let value = match value.into_inner() {
        DeValue::Boolean(value) => Tree::Boolean(value),
        DeValue::Integer(value) => {
            // The digits come without the underscores and the sign of the radix.
            match i64::from_str_radix(value.as_str(), value.radix()) {
                Ok(value) => Tree::Integer(value),
                Err(_) => {
                    report.error(span, format!("{value} does not fit in 64 bits"), None);
                    Tree::Broken
                }
            }
        }
        DeValue::Float(value) => match value.as_str().parse() {
            Ok(value) => Tree::Float(value),
            Err(_) => {
                report.error(span, format!("{value} is not a number"), None);
                Tree::Broken
            }
        },
        DeValue::String(text) => Tree::Text(text.into_owned()),
        DeValue::Datetime(date) => Tree::Datetime(date.to_string()),
        DeValue::Array(items) => Tree::Array(
            items
                .into_iter()
                .map(|item| from_value(item, origin, offset, report))
                .collect(),
        ),
        DeValue::Table(table) => Tree::Table(from_table(table, origin, offset, report)),
    };
    Node { span, value }
}
