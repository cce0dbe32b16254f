//! What an event consists of, for who wants to follow a part of it: the operators of its spec, and the replays that
//! are asked for now.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::{Named, Problem, blocking};
use crate::context::App;
use crate::runs::spec;

/// `GET /events/ID/graph`.
pub async fn graph(State(app): State<App>, named: Named) -> Result<Json<Value>, Problem> {
    let items = blocking(&app, move |runs| {
        let run = runs.get(&named.id)?;
        let dir = runs.dir(&run.id);
        let planned = spec::plan(&run.spec, &dir);
        let (plan, _) = planned.map_err(|error| Problem::of_spec(&error, &dir))?;
        let mut items = Vec::new();
        for operator in &plan.operators {
            let mut item = json!({
                "name": operator.name,
                "class": operator.class,
                "type": operator.kind,
            });
            let segmenter = operator.segmenter.and_then(|at| plan.operators.get(at));
            if let Some(segmenter) = segmenter {
                item["segmenter"] = json!(segmenter.name);
            }
            items.push(item);
        }
        let replays = runs.replays(&run)?.into_iter();
        items.extend(replays.map(|(name, _)| json!({ "name": name, "class": "replay" })));
        Ok(items)
    });
    Ok(Json(json!({ "items": items.await? })))
}
