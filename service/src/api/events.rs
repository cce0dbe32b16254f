//! Events as they are asked for, listed, stopped, gone on with and removed.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, RawQuery, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use matchcut_dataflow::spec::Severity;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::problem::findings;
use super::{Kind, Named, Problem, ROOT, blocking, event, is_id};
use crate::auth::Role;
use crate::config::Sources;
use crate::context::App;
use crate::endpoint::pairs;
use crate::retention;
use crate::runs::{Removal, Removing, Runs, RunsError, Wanted, allowed, spec};
use crate::store::asked_by::What;
use crate::store::runs::Run;

/// How many events a page has, when nothing else is asked for, and at most.
const USUAL_PAGE: usize = 100;
const LONGEST_PAGE: usize = 1000;

/// The longest Idempotency-Key.
const LONGEST_KEY: usize = 255;

/// The header by which a request may come twice and is done once.
const KEY: &str = "idempotency-key";

/// A request for an event.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewEvent {
    id: Option<String>,
    spec: String,
    clips: Option<String>,
    retention: Option<String>,
}

impl NewEvent {
    /// Out of a body, and for a spec by itself the query.
    fn read(headers: &HeaderMap, query: &str, body: &Bytes) -> Result<NewEvent, Problem> {
        match Kind::of(headers)? {
            Kind::Json => serde_json::from_slice(body)
                .map_err(|error| Problem::bad_request(format!("the body is wrong: {error}"))),
            Kind::Toml => {
                let spec = String::from_utf8(body.to_vec())
                    .map_err(|_| Problem::bad_request("the body is not UTF-8"))?;
                let mut new = NewEvent {
                    id: None,
                    spec,
                    clips: None,
                    retention: None,
                };
                for (name, value) in pairs(query) {
                    match name.as_str() {
                        "id" => new.id = Some(value),
                        "clips" => new.clips = Some(value),
                        "retention" => new.retention = Some(value),
                        _ => {
                            let detail =
                                format!("there is no parameter {name}: id, clips, retention");
                            return Err(Problem::bad_request(detail));
                        }
                    }
                }
                Ok(new)
            }
        }
    }

    /// What says whether another request is the same.
    fn digest(&self) -> String {
        let parts = (&self.id, &self.spec, &self.clips);
        let text = match &self.retention {
            // As keys of an earlier version have it.
            None => json!([parts.0, parts.1, parts.2]).to_string(),
            Some(retention) => json!([parts.0, parts.1, parts.2, retention]).to_string(),
        };
        let digest = Sha256::digest(text.as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// `POST /events`.
pub async fn create(
    State(app): State<App>,
    Extension(role): Extension<Role>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let new = NewEvent::read(&headers, &query.unwrap_or_default(), &body)?;
    let key = match headers.get(KEY).map(|key| key.to_str()) {
        None => None,
        Some(Ok(key)) if (1..=LONGEST_KEY).contains(&key.len()) => Some(key.to_owned()),
        Some(_) => {
            let detail = format!("an Idempotency-Key has 1 to {LONGEST_KEY} letters");
            return Err(Problem::bad_request(detail));
        }
    };
    if let Some(id) = new.id.as_deref().filter(|id| !is_id(id)) {
        return Err(Problem::bad_request(format!(
            "\"{id}\" cannot be an id: up to 100 letters, digits and . _ -, the first a letter, digit or _"
        )));
    }
    let sources = app.context.sources.clone();
    let retention = match &new.retention {
        Some(text) => retention::parse(text)
            .map_err(|error| Problem::bad_request(format!("retention: {error}")))?,
        None => app.context.retention,
    };
    let work = move |runs: &Runs| admit(runs, &new, key.as_deref(), retention, role, &sources);
    let (id, told) = blocking(&app, work).await?;
    let place = format!("{ROOT}/events/{id}");
    Ok((StatusCode::ACCEPTED, [(LOCATION, place)], Json(told)).into_response())
}

fn admit(
    runs: &Runs,
    new: &NewEvent,
    key: Option<&str>,
    retention: Option<i64>,
    role: Role,
    sources: &Sources,
) -> Result<(String, Value), Problem> {
    let clips = new.clips.as_deref().unwrap_or("exact");
    if spec::clips(clips).is_none() {
        let detail = format!("clips cannot be \"{clips}\": none, instant, exact, smart or render");
        return Err(Problem::bad_request(detail));
    }
    if role < Role::Admin && spec::starts_programs(&new.spec) {
        let detail = "operators of type \"process\" start programs of this machine, which needs the role admin";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let id = match &new.id {
        Some(id) => id.clone(),
        None => Uuid::new_v4().to_string(),
    };
    let dir = runs.dir(&id);
    if role < Role::Admin {
        let may = allowed::check(&new.spec, &dir, sources, What::Spec);
        may.map_err(|error| Problem::new(StatusCode::FORBIDDEN, error.to_string()))?;
    }
    let (plan, warnings) =
        spec::plan(&new.spec, &dir).map_err(|error| Problem::of_spec(&error, &dir))?;
    let digest = new.digest();
    let id = runs.create(&Wanted {
        id: &id,
        name: &plan.pipeline.name,
        spec: &new.spec,
        clips,
        asked: key.map(|key| (key, digest.as_str())),
        by: Some(role.name()),
        retention,
    })?;
    let mut told = told(&runs.get(&id)?);
    let warnings = findings(&warnings, Severity::Warning);
    if !warnings.is_empty() {
        told["warnings"] = Value::Array(warnings);
    }
    Ok((id, told))
}

/// What is told of an event.
fn told(run: &Run) -> Value {
    json!({
        "id": run.id,
        "name": run.name,
        "state": run.state,
        "reason": run.reason,
        "epoch": run.epoch,
        "counts": run.counts,
        "clips": run.clips,
        "created": run.created,
        "started": run.started,
        "ended": run.ended,
        "expires": expires(run),
    })
}

/// When an event that is over is removed, where it is.
fn expires(run: &Run) -> Option<String> {
    let ended: Timestamp = run.ended.as_deref()?.parse().ok()?;
    let kept = SignedDuration::from_secs(run.retention?);
    Some(ended.checked_add(kept).ok()?.to_string())
}

/// `GET /events`.
pub async fn list(
    State(app): State<App>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let (mut limit, mut before) = (USUAL_PAGE, None);
    for (name, value) in pairs(&query.unwrap_or_default()) {
        match name.as_str() {
            "limit" => {
                let parsed = value.parse().ok();
                let parsed = parsed.filter(|limit| (1..=LONGEST_PAGE).contains(limit));
                limit = parsed.ok_or_else(|| {
                    Problem::bad_request(format!("limit is a number from 1 to {LONGEST_PAGE}"))
                })?;
            }
            "cursor" => {
                let parsed = value.parse::<i64>().ok().filter(|number| *number > 0);
                let wrong =
                    || Problem::bad_request("cursor is not what an earlier answer had as next");
                before = Some(parsed.ok_or_else(wrong)?);
            }
            _ => {
                let detail = format!("there is no parameter {name}: limit, cursor");
                return Err(Problem::bad_request(detail));
            }
        }
    }
    let page = blocking(&app, move |runs| Ok(runs.list(before, limit + 1)?)).await?;
    let more = page.len() > limit;
    let last = page.get(limit - 1).map(|run| run.number.to_string());
    let items: Vec<Value> = page.iter().take(limit).map(told).collect();
    let next = last.filter(|_| more);
    Ok(Json(json!({ "items": items, "next": next })))
}

/// `GET /events/ID`.
pub async fn one(State(app): State<App>, named: Named) -> Result<Json<Value>, Problem> {
    Ok(Json(told(&event(&app, named.id).await?)))
}

/// `POST /events/ID/stop`.
pub async fn stop(State(app): State<App>, named: Named) -> Result<Response, Problem> {
    change(&app, named.id, Runs::stop).await
}

/// `POST /events/ID/end`.
pub async fn end(State(app): State<App>, named: Named) -> Result<Response, Problem> {
    change(&app, named.id, Runs::end).await
}

/// `POST /events/ID/resume`.
pub async fn resume(State(app): State<App>, named: Named) -> Result<Response, Problem> {
    change(&app, named.id, Runs::resume).await
}

/// `DELETE /events/ID`.
pub async fn remove(
    State(app): State<App>,
    named: Named,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Problem> {
    let mut force = false;
    for (name, value) in pairs(&query.unwrap_or_default()) {
        match (name.as_str(), value.as_str()) {
            ("force", "true") => force = true,
            ("force", "false") => {}
            ("force", _) => return Err(Problem::bad_request("force is true or false")),
            _ => {
                let detail = format!("there is no parameter {name}: force");
                return Err(Problem::bad_request(detail));
            }
        }
    }
    blocking(&app, move |runs| Ok(runs.delete(&named.id, force)?)).await?;
    Ok(StatusCode::ACCEPTED)
}

/// `GET /removals`.
pub async fn removals(State(app): State<App>) -> Result<Json<Value>, Problem> {
    let all = blocking(&app, |runs| Ok(runs.removals()?)).await?;
    let told = |(run, removing): &Removal| {
        let removing = removing.as_deref();
        json!({
            "id": run.id,
            "name": run.name,
            "left": removing.map_or(0, Removing::left),
            "reason": removing.and_then(Removing::trouble),
        })
    };
    let items: Vec<Value> = all.iter().map(told).collect();
    Ok(Json(json!({ "items": items })))
}

async fn change(
    app: &App,
    id: String,
    change: fn(&Runs, &str) -> Result<(), RunsError>,
) -> Result<Response, Problem> {
    let run = blocking(app, move |runs| {
        change(runs, &id)?;
        Ok(runs.get(&id)?)
    });
    let told = told(&run.await?);
    Ok((StatusCode::ACCEPTED, Json(told)).into_response())
}
