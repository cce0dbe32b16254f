//! What an event has come to, as JSON. While it runs this is what its changes amount to; when it is over, the documents
//! that it wrote.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Named, Problem, blocking};
use crate::context::App;
use crate::runs::Runs;
use crate::store::runs::Run;

/// A line of changes.
#[derive(Deserialize)]
struct Change {
    epoch: u64,
    kind: String,
    diff: i64,
    value: Value,
}

/// `GET /events/ID/segments`.
pub async fn segments(State(app): State<App>, named: Named) -> Result<Json<Value>, Problem> {
    let items = blocking(&app, move |runs| {
        let run = runs.get(&named.id)?;
        segments_of(runs, &run)
    });
    Ok(items_of(items.await?))
}

/// The segments of an event, by time.
pub fn segments_of(runs: &Runs, run: &Run) -> Result<Vec<Value>, Problem> {
    let path = runs.dir(&run.id).join("segments.jsonl");
    match run.state.is_over() && path.is_file() {
        true => documents(&path).map_err(|error| Problem::internal(&error)),
        false => standing(runs, run, "segment"),
    }
}

/// `GET /events/ID/clips`.
pub async fn clips(State(app): State<App>, named: Named) -> Result<Json<Value>, Problem> {
    let items = blocking(&app, move |runs| {
        let run = runs.get(&named.id)?;
        standing(runs, &run, "clip")
    });
    Ok(items_of(items.await?))
}

/// `GET /events/ID/replays`.
pub async fn replays(State(app): State<App>, named: Named) -> Result<Json<Value>, Problem> {
    let items = blocking(&app, move |runs| all_replays(runs, &named.id));
    Ok(items_of(items.await?))
}

/// `GET /events/ID/replays/NAME`.
pub async fn replay(State(app): State<App>, named: Named) -> Result<Json<Value>, Problem> {
    let name = named.rest;
    let items = blocking(&app, move |runs| all_replays(runs, &named.id)).await?;
    let found = items.into_iter().find(|item| item["name"] == name.as_str());
    let missing = || Problem::not_found(format!("the event has no replay \"{name}\""));
    found.map(Json).ok_or_else(missing)
}

fn items_of(items: Vec<Value>) -> Json<Value> {
    Json(json!({ "items": items }))
}

/// The replays that are asked for, each with its table and what `replay.json` holds; while the event runs with
/// what is chosen now.
fn all_replays(runs: &Runs, id: &str) -> Result<Vec<Value>, Problem> {
    let run = runs.get(id)?;
    let mut chosen: Option<Vec<Value>> = None;
    let mut items = Vec::new();
    for (name, asked) in runs.replays(&run)? {
        let path = runs.dir(id).join("replays").join(&name).join("replay.json");
        let mut item = json!({ "name": name, "asked": asked });
        if run.state.is_over() && path.is_file() {
            let text = fs::read(&path).map_err(|error| Problem::internal(&error))?;
            let document: Value =
                serde_json::from_slice(&text).map_err(|error| Problem::internal(&error))?;
            if let (Value::Object(item), Value::Object(document)) = (&mut item, document) {
                item.extend(document);
            }
        } else {
            let chosen = match &mut chosen {
                Some(chosen) => chosen,
                none => none.insert(standing(runs, &run, "replay")?),
            };
            let mine = chosen.iter().filter(|row| row["replay"] == name.as_str());
            let selected = mine.cloned().map(|mut row| {
                if let Some(row) = row.as_object_mut() {
                    row.shift_remove("replay");
                }
                row
            });
            item["selected"] = selected.collect();
        }
        items.push(item);
    }
    Ok(items)
}

/// The values of one kind that stand, by when they start.
pub fn standing(runs: &Runs, run: &Run, kind: &str) -> Result<Vec<Value>, Problem> {
    let Some(until) = run.epoch else {
        return Ok(Vec::new());
    };
    // What was taken in and observed is apart from what came of it.
    let file = match kind {
        "segment" | "clip" | "replay" => "changes.jsonl",
        _ => "log.jsonl",
    };
    let path = runs.dir(&run.id).join(file);
    fold(&path, kind, until).map_err(|error| Problem::internal(&error))
}

fn fold(path: &Path, kind: &str, until: u64) -> io::Result<Vec<Value>> {
    // By its text a value is found again; by its number the order is kept.
    let mut rows: BTreeMap<String, (usize, Value)> = BTreeMap::new();
    for (number, line) in lines(path)?.enumerate() {
        let line = line?;
        // The last line may still be written.
        let Ok(change) = serde_json::from_str::<Change>(&line) else {
            break;
        };
        if change.epoch > until {
            break;
        }
        if change.kind == kind {
            let text = change.value.to_string();
            match change.diff > 0 {
                true => drop(rows.insert(text, (number, change.value))),
                false => drop(rows.remove(&text)),
            }
        }
    }
    let mut rows: Vec<(usize, Value)> = rows.into_values().collect();
    let start = |row: &Value| row["start"].as_f64().unwrap_or_default();
    rows.sort_by(|(a, one), (b, other)| start(one).total_cmp(&start(other)).then(a.cmp(b)));
    Ok(rows.into_iter().map(|(_, value)| value).collect())
}

/// The documents of a file of JSON lines.
fn documents(path: &Path) -> io::Result<Vec<Value>> {
    lines(path)?
        .map(|line| Ok(serde_json::from_str(&line?)?))
        .collect()
}

fn lines(path: &Path) -> io::Result<impl Iterator<Item = io::Result<String>>> {
    let reader: Box<dyn BufRead> = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Box::new(io::empty()),
        file => Box::new(BufReader::new(file?)),
    };
    Ok(reader.lines())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_is_what_changes_amount_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("changes.jsonl");
        assert_eq!(fold(&path, "segment", 9).unwrap(), Vec::<Value>::new());
        let line = |epoch: u64, kind: &str, diff: i64, start: f64, end: Option<f64>| {
            let value = json!({ "start": start, "end": end });
            json!({ "epoch": epoch, "kind": kind, "diff": diff, "value": value }).to_string() + "\n"
        };
        let text = line(1, "segment", 1, 4.0, None)
            + &line(1, "clip", 1, 0.0, None)
            + &line(2, "segment", -1, 4.0, None)
            + &line(2, "segment", 1, 4.0, Some(6.2))
            + &line(3, "segment", 1, 1.0, Some(2.0))
            + &line(4, "segment", -1, 1.0, Some(2.0))
            + "{\"epoch\":4,";
        fs::write(&path, text).unwrap();
        let at = |until| fold(&path, "segment", until).unwrap();
        let four = json!({ "start": 4.0, "end": 6.2 });
        assert_eq!(at(0), Vec::<Value>::new());
        assert_eq!(at(1), [json!({ "start": 4.0, "end": null })]);
        assert_eq!(at(3), [json!({ "start": 1.0, "end": 2.0 }), four.clone()]);
        assert_eq!(at(9), [four]);
    }
}
