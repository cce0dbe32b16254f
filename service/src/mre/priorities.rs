//! Engines of custom priorities, as records: where somebody else can be asked how much segments matter.

use serde_json::{Value, json};

use super::versioned::switch_of;
use super::{now, object, replay_schemas, schemas, text};
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, delete, get, post, put};
use crate::errors::ApiError;
use crate::store::Row;
use crate::store::named::{self, PRIORITIES};
use crate::validation::text_between;

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(
            "/custompriorities",
            post(create).takes(replay_schemas::priorities),
        )
        .route("/custompriorities/all", get(all))
        .route(
            "/custompriorities/{name}",
            get(one)
                .merge(put(update).takes(replay_schemas::priorities_update))
                .merge(delete(remove)),
        )
        .route(
            "/custompriorities/{name}/status",
            put(switch).takes(schemas::status),
        )
}

fn name(call: &Call) -> Result<&str, ApiError> {
    let name = call.param("name");
    text_between(name, 3, 150).map(|()| name)
}

fn missing(name: &str) -> ApiError {
    ApiError::not_found(format!("Custom Priorities Engine '{name}' not found"))
}

fn create(call: &Call, context: &Context) -> Answer {
    let unable = "Unable to create the custom priorities engine";
    let body = call
        .json()
        .map_err(|error| ApiError::view(format!("{unable}: {error}")))?;
    context.schemas.priorities.check(&body)?;
    let mut engine = object(body)?;
    let created = now();
    for (key, value) in [
        ("Created", json!(created)),
        ("LastModified", json!(created)),
        ("Enabled", json!(true)),
    ] {
        engine.insert(key.to_owned(), value);
    }
    let name = text(&engine, "Name");
    context.database.write(|db| {
        if named::get(db, PRIORITIES, name)?.is_some() {
            let message = format!("Custom Priorities Engine '{name}' already exists");
            return Err(ApiError::conflict(message));
        }
        named::put(db, PRIORITIES, name, &engine)?;
        Ok(json!({}))
    })
}

fn all(_: &Call, context: &Context) -> Answer {
    let rows = context.database.read(|db| named::all(db, PRIORITIES))?;
    Ok(rows.into_iter().map(Value::Object).collect())
}

fn one(call: &Call, context: &Context) -> Answer {
    let name = name(call)?;
    let found = context
        .database
        .read(|db| named::get(db, PRIORITIES, name))?;
    found.map(Value::Object).ok_or_else(|| missing(name))
}

fn change(context: &Context, name: &str, changes: Row) -> Answer {
    context.database.write(|db| {
        let found = named::get(db, PRIORITIES, name)?;
        let mut engine = found.ok_or_else(|| missing(name))?;
        engine.extend(changes);
        engine.insert("LastModified".to_owned(), Value::from(now()));
        named::put(db, PRIORITIES, name, &engine)?;
        Ok(json!({}))
    })
}

fn update(call: &Call, context: &Context) -> Answer {
    let name = name(call)?;
    let unable = format!("Unable to update the custom priorities engine '{name}'");
    let body = call
        .json()
        .map_err(|error| ApiError::view(format!("{unable}: {error}")))?;
    context.schemas.priorities_update.check(&body)?;
    change(context, name, object(body)?)
}

fn switch(call: &Call, context: &Context) -> Answer {
    let name = name(call)?;
    let unable = format!("Unable to update the status of the custom priorities engine '{name}'");
    let on = switch_of(call, context, &unable)?;
    change(context, name, object(json!({ "Enabled": on }))?)
}

fn remove(call: &Call, context: &Context) -> Answer {
    let name = name(call)?;
    let removed = context
        .database
        .write(|db| named::remove(db, PRIORITIES, name))?;
    match removed {
        true => Ok(json!({})),
        false => Err(missing(name)),
    }
}
