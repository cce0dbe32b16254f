//! Addresses that open one file of an event, or the stream of its changes, by themselves, for whom credentials cannot be
//! given: a player, a page, a person, a plugin.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::changes::FOLLOWED;
use super::files::{chunk_of, find, is_plain};
use super::{Named, Problem, ROOT, blocking};
use crate::auth::LONGEST_ADDRESS;
use crate::context::App;
use crate::ssm::base;

/// How long an address is good where nothing is said, in seconds.
const USUAL: u64 = 3600;

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Below the event: `files/…`, `chunks/…`, or what can be followed.
    path: String,
    /// In seconds.
    lifetime: Option<u64>,
}

/// `POST /events/ID/urls`.
pub async fn make(
    State(app): State<App>,
    named: Named,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let asked: Asked = serde_json::from_slice(&body)
        .map_err(|error| Problem::bad_request(format!("the body is wrong: {error}")))?;
    let lifetime = asked.lifetime.unwrap_or(USUAL);
    if !(1..=LONGEST_ADDRESS).contains(&lifetime) {
        let detail = format!("a lifetime is 1 to {LONGEST_ADDRESS} seconds");
        return Err(Problem::bad_request(detail));
    }
    let (id, path) = (named.id.clone(), asked.path.clone());
    let found = blocking(&app, move |runs| {
        runs.get(&id)?;
        let dir = runs.dir(&id);
        Ok(match path.split_once('/') {
            Some(("files", path)) if is_plain(path) => find(&dir, path).is_some(),
            Some(("chunks", name)) => chunk_of(&dir, name).is_some(),
            None => FOLLOWED.contains(&path.as_str()),
            _ => false,
        })
    });
    if !found.await? {
        let detail = "there is no such file: files/PATH, chunks/NAME, changes or log of the event";
        return Err(Problem::not_found(detail));
    }
    let expires = now().saturating_add(lifetime);
    let path = format!("{ROOT}/events/{}/{}", named.id, asked.path);
    let address = app.context.addresses.sign(&path, expires);
    let until = i64::try_from(expires).ok();
    let until = until.and_then(|seconds| Timestamp::from_second(seconds).ok());
    Ok(Json(json!({
        "url": format!("{}{address}", base(&app, &headers)),
        "expires": until.map(|until| until.to_string()),
    })))
}

/// Seconds since the Unix epoch.
fn now() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or_default()
}

/// When an address that is to be good for so many seconds expires. Those that are good for long get a common end, so
/// that the same file has the same address for a while and caches know it again.
pub fn lasting(seconds: u64) -> u64 {
    let step = if seconds > 7200 { 3600 } else { 1 };
    now().saturating_add(seconds).next_multiple_of(step)
}
