//! What MRE's system service knows without AWS: versions, ids, and parameters of the system.

use serde_json::{Value, json};

use super::{FRAMEWORK_VERSION, object, schemas, text};
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, get, put};
use crate::errors::ApiError;
use crate::store::named::{self, CONFIGURATION};
use crate::validation::text_between;

/// The version of the API.
const API_VERSION: &str = "1.0.0";

/// Parameters that are counts.
const COUNTS: [&str; 2] = ["MaxConcurrentWorkflows", "ReplayClipsRetentionPeriod"];

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route("/system/version", get(version))
        .route("/system/uuid", get(id))
        .route(
            "/system/configuration",
            put(configure).takes(schemas::configuration),
        )
        .route("/system/configuration/all", get(all))
        .route("/system/configuration/{name}", get(one))
}

fn version(_: &Call, _: &Context) -> Answer {
    Ok(json!({ "api_version": API_VERSION, "framework_version": FRAMEWORK_VERSION }))
}

fn id(_: &Call, _: &Context) -> Answer {
    Ok(Value::from(uuid::Uuid::new_v4().to_string()))
}

fn configure(call: &Call, context: &Context) -> Answer {
    let unable = "Unable to upsert the system configuration parameter";
    let body = call
        .json()
        .map_err(|error| ApiError::view(format!("{unable}: {error}")))?;
    context.schemas.configuration.check(&body)?;
    let row = object(body)?;
    let name = text(&row, "Name");
    let count = row.get("Value").and_then(Value::as_i64);
    if COUNTS.contains(&name) && count.is_none_or(|count| count < 1) {
        let message = format!("{name} must have a value greater than 0");
        return Err(ApiError::bad_request(message));
    }
    context
        .database
        .write(|db| named::put(db, CONFIGURATION, name, &row))?;
    Ok(json!({}))
}

fn all(_: &Call, context: &Context) -> Answer {
    let rows = context.database.read(|db| named::all(db, CONFIGURATION))?;
    Ok(rows.into_iter().map(Value::Object).collect())
}

fn one(call: &Call, context: &Context) -> Answer {
    let name = call.param("name");
    text_between(name, 3, 150)?;
    let found = context
        .database
        .read(|db| named::get(db, CONFIGURATION, name))?;
    let value = found.and_then(|mut row| row.remove("Value"));
    value.ok_or_else(|| {
        ApiError::not_found(format!("System configuration parameter '{name}' not found"))
    })
}
