//! MRE's control plane: paths, bodies, answers and errors as its services have them. Where those are broken, what
//! was meant is done; docs/src/reference/rest.md says where.

mod dependencies;
mod models;
mod names;
mod pipeline;
mod plugins;
mod profiles;
mod prompts;
mod schemas;
mod system;
mod versioned;

use axum::Router;
use jiff::Timestamp;
use serde_json::Value;

use crate::context::App;
use crate::errors::ApiError;
use crate::store::Row;

pub use schemas::Schemas;

/// The version of MRE whose API this is.
const FRAMEWORK_VERSION: &str = "2.10.1";

/// All routes of the control plane.
pub fn routes() -> Router<App> {
    Router::new()
        .merge(names::routes())
        .merge(models::routes())
        .merge(plugins::routes())
        .merge(prompts::routes())
        .merge(profiles::routes())
        .merge(system::routes())
}

/// The time of day as MRE writes it.
fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
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

/// Whether a row says that it is enabled.
fn enabled(row: &Row) -> bool {
    row.get("Enabled").and_then(Value::as_bool).unwrap_or(false)
}
