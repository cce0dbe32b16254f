//! What programs outside do for an event: they take what MRE would invoke a plugin with, call the plugin, and hand back
//! what it returned. What the plugin saves and asks for meanwhile goes through MRE's data plane.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use matchcut_operators::board;
use serde_json::Value;

use super::{Named, Problem, ROOT, blocking};
use crate::context::App;
use crate::endpoint::pairs;
use crate::runs::Runs;
use crate::work::{self, Work};

/// By this header a program knows what it finishes.
const TASK: HeaderName = HeaderName::from_static("matchcut-task");

/// How long a program may wait for work, and has it for itself, in seconds.
const LONGEST_WAIT: f64 = 20.0;
const USUAL_LEASE: f64 = 900.0;

/// `GET /events/ID/work?operator=…&wait=…&lease=…`.
pub async fn take(
    State(app): State<App>,
    named: Named,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (mut operator, mut wait, mut lease) = (None, 0.0, USUAL_LEASE);
    for (name, value) in pairs(&query.unwrap_or_default()) {
        let seconds = |most: f64| {
            let seconds: Option<f64> = value.parse().ok();
            let seconds = seconds.filter(|seconds| (0.0..=most).contains(seconds));
            let wrong = || Problem::bad_request(format!("{name} is 0 to {most} seconds"));
            seconds.ok_or_else(wrong)
        };
        match name.as_str() {
            "operator" => operator = Some(value),
            "wait" => wait = seconds(LONGEST_WAIT)?,
            "lease" => lease = seconds(USUAL_LEASE)?,
            _ => {
                let detail = format!("there is no parameter {name}: operator, wait, lease");
                return Err(Problem::bad_request(detail));
            }
        }
    }
    let id = named.id.clone();
    let taken = blocking(&app, move |runs| {
        let work = of(runs, &id)?;
        let names = (work.program.as_str(), work.event.as_str());
        let lease = Duration::from_secs_f64(lease);
        // In steps, so that a service that is to stop waits for nobody.
        let mut left = wait;
        loop {
            let step = left.clamp(0.0, 0.5);
            let step = Duration::from_secs_f64(step);
            let taken = board::take(names, operator.as_deref(), step, lease);
            left -= 0.5;
            if taken.is_some() || left <= 0.0 || *runs.stopping().borrow() {
                return Ok(taken);
            }
            if board::id(names).is_err() {
                std::thread::sleep(step);
            }
        }
    });
    Ok(match taken.await? {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(taken) => {
            let place = format!("{ROOT}/events/{}/work/{}", named.id, taken.id);
            let headers = [
                (CONTENT_TYPE, "application/json".to_owned()),
                (TASK, taken.id),
                (LOCATION, place),
            ];
            (headers, taken.payload.to_string()).into_response()
        }
    })
}

/// `POST /events/ID/work/TASK`: what the plugin returned, or `{"errorMessage": …}` as Lambda has it.
pub async fn finish(
    State(app): State<App>,
    named: Named,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let returned: Value = serde_json::from_slice(&body)
        .map_err(|error| Problem::bad_request(format!("the body is wrong: {error}")))?;
    let said = work::returned(&returned)
        .map_err(|wrong| Problem::bad_request(format!("the body is wrong: {wrong}")))?;
    let finished = blocking(&app, move |runs| {
        let work = of(runs, &named.id)?;
        let names = (work.program.as_str(), work.event.as_str());
        Ok(board::finish(names, &named.rest, said))
    });
    match finished.await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::new(
            StatusCode::GONE,
            "nobody waits for this any more: its time is over, or it was finished",
        )),
    }
}

fn of(runs: &Runs, id: &str) -> Result<Work, Problem> {
    let run = runs.get(id)?;
    Work::of(&run).ok_or_else(|| {
        Problem::not_found("the event has no operator that programs outside work for")
    })
}
