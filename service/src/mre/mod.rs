//! MRE's control plane: paths, bodies, answers and errors as its services have them. Where those are broken, what
//! was meant is done; docs/src/reference/rest.md says where.

pub mod convert;
mod data_schemas;
mod dataplane;
mod dependencies;
mod engine;
mod event_lists;
mod event_schemas;
mod events;
mod executions;
mod late;
mod models;
mod names;
mod pipeline;
mod plugins;
mod priorities;
mod profiles;
mod prompts;
mod replay_schemas;
mod replay_spec;
mod replays;
mod schedule;
mod schemas;
mod source;
mod system;
pub(crate) mod to_spec;
mod versioned;

use jiff::Timestamp;
use matchcut_model::time::MediaTime;
use serde_json::Value;

use crate::endpoint::Call;
use crate::endpoint::Routes;
use crate::errors::ApiError;
use crate::store::Row;
use crate::validation::text_between;

pub use dataplane::routes as data_routes;
pub use engine::Engines;
pub use schedule::tick;
pub use schemas::Schemas;
pub(crate) use source::MreOptions;

/// The version of MRE whose API this is.
const FRAMEWORK_VERSION: &str = "2.10.1";

/// All routes of the control plane.
pub fn routes() -> Routes {
    Routes::new()
        .merge(names::routes())
        .merge(models::routes())
        .merge(plugins::routes())
        .merge(prompts::routes())
        .merge(profiles::routes())
        .merge(events::routes())
        .merge(executions::routes())
        .merge(event_lists::routes())
        .merge(replays::routes())
        .merge(priorities::routes())
        .merge(system::routes())
}

/// The time of day as MRE writes it.
fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Seconds as MRE shows them.
fn rounded(seconds: f64) -> f64 {
    MediaTime::from_seconds_f64(seconds).map_or(seconds, MediaTime::rounded_seconds)
}

/// A body that its schema calls an object.
fn object(value: Value) -> Result<Row, ApiError> {
    match value {
        Value::Object(row) => Ok(row),
        _ => Err(ApiError::internal()),
    }
}

/// A text of a row; empty where there is none.
fn text<'a>(row: &'a Row, key: &str) -> &'a str {
    row.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The texts of a list in a row.
fn texts<'a>(row: &'a Row, key: &str) -> impl Iterator<Item = &'a str> {
    let list = row.get(key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// Refuses a pair of names that no event has.
fn event_names(call: &Call) -> Result<(&str, &str), ApiError> {
    let (program, name) = (call.param("program"), call.param("event"));
    text_between(name, 3, 150)?;
    text_between(program, 3, 150)?;
    Ok((program, name))
}

/// What is said of an event that is not there.
fn no_event(program: &str, name: &str) -> ApiError {
    ApiError::not_found(format!("Event '{name}' in program '{program}' not found"))
}

/// Whether a row says that it is enabled.
fn enabled(row: &Row) -> bool {
    row.get("Enabled").and_then(Value::as_bool).unwrap_or(false)
}
