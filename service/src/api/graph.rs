//! What an event consists of, for who wants to follow a part of it: the operators of its spec, and the replays that
//! are asked for now.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::{Named, Problem, blocking};
use crate::context::App;
use crate::runs::spec;

/// So many are kept; then all are made again when somebody asks.
const KEPT: usize = 256;

/// The operators of events, by the directory and the number of each: what an event consists of never changes, and to find
/// out means to load its models.
static MADE: Mutex<Made> = Mutex::new(BTreeMap::new());

type Made = BTreeMap<(PathBuf, i64), Arc<[Value]>>;

/// `GET /events/ID/graph`.
pub async fn graph(State(app): State<App>, named: Named) -> Result<Json<Value>, Problem> {
    let items = blocking(&app, move |runs| {
        let run = runs.get(&named.id)?;
        let dir = runs.dir(&run.id);
        let mut items = operators(&run.spec, &dir, run.number)?.to_vec();
        let replays = runs.replays(&run)?.into_iter();
        items.extend(replays.map(|(name, _)| json!({ "name": name, "class": "replay" })));
        Ok(items)
    });
    Ok(Json(json!({ "items": items.await? })))
}

/// The operators of a spec. One is made at a time.
fn operators(text: &str, dir: &Path, number: i64) -> Result<Arc<[Value]>, Problem> {
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (dir.to_owned(), number);
    if let Some(known) = made.get(&key) {
        return Ok(Arc::clone(known));
    }
    let planned = spec::plan(text, dir);
    let (plan, _) = planned.map_err(|error| Problem::of_spec(&error, dir))?;
    let items = plan.operators.iter().map(|operator| {
        let mut item = json!({
            "name": operator.name,
            "class": operator.class,
            "type": operator.kind,
        });
        let segmenter = operator.segmenter.and_then(|at| plan.operators.get(at));
        if let Some(segmenter) = segmenter {
            item["segmenter"] = json!(segmenter.name);
        }
        item
    });
    let items: Arc<[Value]> = items.collect();
    if made.len() >= KEPT {
        made.clear();
    }
    made.insert(key, Arc::clone(&items));
    Ok(items)
}
