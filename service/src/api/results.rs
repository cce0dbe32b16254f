//! What an event has come to, as JSON. While it runs this is what its changes amount to; when it is over, the documents
//! that it wrote.

use std::io;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::folded::{Fold, Rows};
use super::{Named, Problem, blocking};
use crate::context::App;
use crate::runs::Runs;
use crate::store::runs::Run;

/// An answer that is written where it holds up nobody.
pub type Told = ([(HeaderName, &'static str); 1], Bytes);

const JSON: [(HeaderName, &str); 1] = [(CONTENT_TYPE, "application/json")];

/// `GET /events/ID/segments`.
pub async fn segments(State(app): State<App>, named: Named) -> Result<Told, Problem> {
    let told = blocking(&app, move |runs| {
        let run = runs.get(&named.id)?;
        Ok(segments_of(runs, &run)?.told())
    });
    Ok((JSON, told.await?))
}

/// The segments of an event, by time.
pub fn segments_of(runs: &Runs, run: &Run) -> Result<Arc<Rows>, Problem> {
    let path = runs.dir(&run.id).join("segments.jsonl");
    let written = match run.state.is_over() {
        true => runs.folds().document(&path),
        false => Ok(None),
    };
    match written.map_err(|error| Problem::internal(&error))? {
        Some(written) => Ok(written),
        None => standing(runs, run, "segment"),
    }
}

/// `GET /events/ID/clips`.
pub async fn clips(State(app): State<App>, named: Named) -> Result<Told, Problem> {
    let told = blocking(&app, move |runs| {
        let run = runs.get(&named.id)?;
        Ok(standing(runs, &run, "clip")?.told())
    });
    Ok((JSON, told.await?))
}

/// `GET /events/ID/replays`.
pub async fn replays(State(app): State<App>, named: Named) -> Result<Told, Problem> {
    let told = blocking(&app, move |runs| {
        let items = some_replays(runs, &named.id, |_| true)?;
        Ok(Rows::new(items).told())
    });
    Ok((JSON, told.await?))
}

/// `GET /events/ID/replays/NAME`.
pub async fn replay(State(app): State<App>, named: Named) -> Result<Told, Problem> {
    let name = named.rest;
    let told = blocking(&app, move |runs| {
        let items = some_replays(runs, &named.id, |other| other == name)?;
        let missing = || Problem::not_found(format!("the event has no replay \"{name}\""));
        let found = items.first().ok_or_else(missing)?;
        Ok(Bytes::from(found.to_string()))
    });
    Ok((JSON, told.await?))
}

/// The replays that are asked for, each with its table and what `replay.json` holds; while the event runs with
/// what is chosen now.
fn some_replays(
    runs: &Runs,
    id: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Value>, Problem> {
    let run = runs.get(id)?;
    let mut chosen: Option<Arc<Rows>> = None;
    let mut items = Vec::new();
    let all = runs.replays(&run)?.into_iter();
    for (name, asked) in all.filter(|(name, _)| wanted(name)) {
        let path = runs.dir(id).join("replays").join(&name).join("replay.json");
        let mut item = json!({ "name": name, "asked": asked });
        let written = match run.state.is_over() {
            true => runs.folds().document(&path),
            false => Ok(None),
        };
        let written = written.map_err(|error| Problem::internal(&error))?;
        let document = written.as_ref().and_then(|written| written.first());
        if let Some(Value::Object(document)) = document {
            if let Value::Object(item) = &mut item {
                item.extend(document.clone());
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
pub fn standing(runs: &Runs, run: &Run, kind: &str) -> Result<Arc<Rows>, Problem> {
    let Some(until) = run.epoch else {
        return Ok(Arc::default());
    };
    // What was taken in and observed is apart from what came of it.
    let file = match kind {
        "segment" | "clip" | "replay" => "changes.jsonl",
        _ => "log.jsonl",
    };
    let path = runs.dir(&run.id).join(file);
    let internal = |error: io::Error| Problem::internal(&error);
    // Observations are many, and asked for seldom.
    if file == "log.jsonl" {
        let mut fold = Fold::default();
        fold.read(&path, kind, until).map_err(internal)?;
        return Ok(fold.sorted());
    }
    let which = (run.number, kind);
    runs.folds().rows(which, &path, until).map_err(internal)
}
