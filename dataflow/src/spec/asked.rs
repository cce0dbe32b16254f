//! Replays that somebody asks for beside those that a spec has: the table that a spec would have for one, put into the
//! tree of the spec before it is checked. So what may be asked for is what may be written.

use std::path::Path;

use serde_json::{Map, Value as Json};

use super::catalog::Catalog;
use super::diagnostic::Span;
use super::overrides::{self, Override};
use super::tree::{self, Entry, Node, Table, Tree};
use super::{Spec, SpecError, check};

/// A replay that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedReplay {
    /// Its name; one that the spec has is replaced.
    pub name: String,
    /// Its table, as TOML.
    pub text: String,
}

impl AskedReplay {
    /// Of a table as JSON; nulls are left out, as TOML has none.
    pub fn from_json(name: &str, table: &Map<String, Json>) -> Result<Self, String> {
        let table = without_nulls(table);
        let text = toml::to_string(&table).map_err(|error| error.to_string())?;
        let name = name.to_owned();
        Ok(AskedReplay { name, text })
    }

    /// What findings in its text call it.
    pub fn file(&self) -> String {
        format!("replay {}", self.name)
    }
}

fn without_nulls(table: &Map<String, Json>) -> Map<String, Json> {
    let kept = table.iter().filter(|(_, value)| !value.is_null());
    let kept = kept.map(|(key, value)| {
        let value = match value {
            Json::Object(inner) => Json::Object(without_nulls(inner)),
            other => other.clone(),
        };
        (key.clone(), value)
    });
    kept.collect()
}

/// Checks the text of a spec with a replay that is asked for beside it. What is wrong with the replay points into
/// its own text.
pub fn parse_with(
    text: &str,
    path: &Path,
    overrides: &[Override],
    asked: &AskedReplay,
    catalog: &Catalog,
) -> Result<Spec, SpecError> {
    let mut sources = super::texts(text, path, overrides);
    let origin = sources.len();
    sources.push((asked.file(), asked.text.clone()));
    check(path, sources, catalog, |usage, report| {
        let mut root = tree::document(text, 0, report);
        overrides::apply(overrides, &mut root, catalog, usage, report);
        let table = tree::document(&asked.text, origin, report);
        put(&mut root, &asked.name, table, origin, asked.text.len());
        root
    })
}

fn put(root: &mut Table, name: &str, table: Table, origin: usize, end: usize) {
    let span = Span {
        origin,
        start: 0,
        end,
    };
    let entry = |key: &str, table: Table| Entry {
        key: key.to_owned(),
        key_span: span,
        node: Node {
            span,
            value: Tree::Table(table),
        },
    };
    if root.get("replays").is_none() {
        root.0.push(entry("replays", Table::default()));
    }
    if let Some(replays) = root.get_mut("replays")
        && let Tree::Table(replays) = &mut replays.node.value
    {
        replays.0.retain(|replay| replay.key != name);
        replays.0.push(entry(name, table));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan;

    const SPEC: &str = r#"
[pipeline]
name = "court"
[sources.court]
type = "hls"
uri = "court.m3u8"
[operators.cuts]
type = "scene_change"
inputs = ["court.video"]
[operators.rally]
type = "segment_by_shot"
inputs = ["cuts"]
[replays.best]
inputs = ["rally"]
duration = "60s"
weights = { "cuts.hard_cut" = 1 }
"#;

    fn ask(name: &str, text: &str) -> Result<Spec, SpecError> {
        let asked = AskedReplay {
            name: name.to_owned(),
            text: text.to_owned(),
        };
        parse_with(
            SPEC,
            Path::new("spec.toml"),
            &[],
            &asked,
            &Catalog::built_in(),
        )
    }

    #[test]
    fn what_is_asked_for_stands_beside_what_is_written() {
        let table =
            "inputs = [\"rally\"]\nduration = \"20s\"\nweights = { \"cuts.hard_cut\" = 3 }\n";
        let spec = ask("late", table).unwrap();
        let names: Vec<&str> = spec.replays.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["best", "late"]);
        let written = format!("{SPEC}[replays.late]\n{table}");
        let written =
            super::super::parse(&written, Path::new("spec.toml"), &[], &Catalog::built_in());
        let plans = [spec, written.unwrap()].map(|spec| {
            let plan = plan::compile(&spec, &Catalog::built_in()).unwrap();
            serde_json::to_string(&plan).unwrap()
        });
        assert_eq!(plans[0], plans[1]);
        // One that is there is replaced.
        let spec = ask("best", table).unwrap();
        assert_eq!(spec.replays.len(), 1);
    }

    #[test]
    fn what_is_wrong_points_into_what_was_asked() {
        let Err(SpecError::Invalid(found)) =
            ask("late", "inputs = [\"rally\"]\nduratoin = \"20s\"\n")
        else {
            panic!("it was taken")
        };
        let first = found.iter().next().unwrap();
        assert_eq!((first.file.as_str(), first.line), ("replay late", 2));
        assert!(first.message.contains("duratoin"), "{}", first.message);
        let json = serde_json::json!({ "inputs": ["rally"], "duration": "20s", "track": null });
        let asked = AskedReplay::from_json("late", json.as_object().unwrap()).unwrap();
        assert!(!asked.text.contains("track"), "{}", asked.text);
        assert!(ask("late", &asked.text).is_ok());
    }
}
