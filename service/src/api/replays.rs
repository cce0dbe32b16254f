//! Replays that are asked for, changed and taken back at any time: before an event, while it runs and when it is over. A
//! request is the table that a spec has for a replay, and is checked like one.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use matchcut_dataflow::spec::{AskedReplay, Severity};
use serde_json::{Map, Value, json};

use super::problem::findings_if;
use super::{Kind, Named, Problem, ROOT, blocking};
use crate::context::App;
use crate::runs::spec;

/// `PUT /events/ID/replays/NAME`.
pub async fn ask(
    State(app): State<App>,
    named: Named,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let Named { id, rest: name } = named;
    let asked = read(&headers, &name, &body)?;
    let place = format!("{ROOT}/events/{id}/replays/{name}");
    let told = blocking(&app, move |runs| {
        let run = runs.get(&id)?;
        let dir = runs.dir(&id);
        let found = spec::replay(&run.spec, &dir, &asked);
        let (table, warnings) = found.map_err(|error| Problem::of_spec(&error, &dir))?;
        runs.ask(&id, &name, &table)?;
        let mut told = json!({ "name": name, "asked": table });
        // What the spec had no use for before is no news of the replay.
        let warnings = findings_if(&warnings, |found| {
            found.severity == Severity::Warning && found.file == asked.file()
        });
        if !warnings.is_empty() {
            told["warnings"] = Value::Array(warnings);
        }
        Ok(told)
    });
    let told = told.await?;
    Ok((StatusCode::ACCEPTED, [(LOCATION, place)], Json(told)).into_response())
}

/// `DELETE /events/ID/replays/NAME`.
pub async fn withdraw(State(app): State<App>, named: Named) -> Result<StatusCode, Problem> {
    let Named { id, rest: name } = named;
    blocking(&app, move |runs| {
        let run = runs.get(&id)?;
        match runs.replays(&run)?.iter().any(|(known, _)| *known == name) {
            true => Ok(runs.withdraw(&id, &name)?),
            false => Err(Problem::not_found(format!(
                "the event has no replay \"{name}\""
            ))),
        }
    })
    .await?;
    Ok(StatusCode::ACCEPTED)
}

/// The table of a body.
fn read(headers: &HeaderMap, name: &str, body: &Bytes) -> Result<AskedReplay, Problem> {
    let wrong = |error: String| Problem::bad_request(format!("the body is wrong: {error}"));
    match Kind::of(headers)? {
        Kind::Json => {
            let table: Map<String, Value> =
                serde_json::from_slice(body).map_err(|error| wrong(error.to_string()))?;
            AskedReplay::from_json(name, &table).map_err(wrong)
        }
        Kind::Toml => {
            let text = String::from_utf8(body.to_vec())
                .map_err(|_| Problem::bad_request("the body is not UTF-8"))?;
            let name = name.to_owned();
            Ok(AskedReplay { name, text })
        }
    }
}
