//! Profiles: saved pipelines. A plugin that is published again changes no profile; a profile that is changed takes
//! the versions of that moment.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::pipeline::{self, SLOTS};
use super::versioned::{in_group, switch_of};
use super::{enabled, now, object, schemas, text, texts};
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, delete, get, post, put};
use crate::errors::ApiError;
use crate::store::named::{self, PROFILE, PROFILE_VARIABLES};
use crate::store::names::{self, CONTENT_GROUP};
use crate::store::{Row, StoreError};
use crate::validation::text_between;

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route("/profile", post(create).takes(schemas::profile))
        .route("/profile/all", get(all))
        .route("/profile/contentgroup/{group}/all", get(of_group))
        .route(
            "/profile/{name}",
            get(one)
                .merge(put(update).takes(schemas::profile_update))
                .merge(delete(remove)),
        )
        .route("/profile/{name}/status", put(switch).takes(schemas::status))
        .route("/profile/{name}/context-variables", get(variables))
}

fn name(call: &Call) -> Result<&str, ApiError> {
    let name = call.param("name");
    text_between(name, 3, 150).map(|()| name)
}

fn missing(name: &str) -> ApiError {
    ApiError::not_found(format!("Profile '{name}' not found"))
}

fn create(call: &Call, context: &Context) -> Answer {
    let body = call.json().map_err(|_| ApiError::internal())?;
    context.schemas.profile.check(&body)?;
    let mut profile = object(body)?;
    let name = text(&profile, "Name").to_owned();
    let given = profile.remove("Variables");
    context.database.write(|db| {
        let unable = "Unable to create the processing profile";
        pipeline::complete(db, &name, &mut profile, unable)?;
        if named::get(db, PROFILE, &name)?.is_some() {
            let message = format!("Profile '{name}' already exists");
            return Err(ApiError::conflict(message));
        }
        let created = now();
        for (key, value) in [
            ("Id", Value::from(uuid::Uuid::new_v4().to_string())),
            ("Created", Value::from(created.clone())),
            ("LastModified", Value::from(created)),
            ("Enabled", Value::from(true)),
        ] {
            profile.insert(key.to_owned(), value);
        }
        keep(db, &name, &profile, given)?;
        Ok(json!({}))
    })
}

/// Keeps a profile, the content groups that it names, and its variables, each of which takes the place of
/// one with its name.
fn keep(
    db: &Connection,
    name: &str,
    profile: &Row,
    variables: Option<Value>,
) -> Result<(), StoreError> {
    for group in texts(profile, "ContentGroups") {
        names::put(db, CONTENT_GROUP, group)?;
    }
    named::put(db, PROFILE, name, profile)?;
    if let Some(Value::Object(given)) = variables {
        let mut all = named::get(db, PROFILE_VARIABLES, name)?.unwrap_or_default();
        all.extend(given);
        named::put(db, PROFILE_VARIABLES, name, &all)?;
    }
    Ok(())
}

fn list(call: &Call, context: &Context, wanted: impl Fn(&Row) -> bool) -> Answer {
    let mut rows = context.database.read(|db| named::all(db, PROFILE))?;
    let with_disabled = call.include_disabled();
    rows.retain(|row| (with_disabled || enabled(row)) && wanted(row));
    Ok(rows.into_iter().map(Value::Object).collect())
}

fn all(call: &Call, context: &Context) -> Answer {
    list(call, context, |_| true)
}

fn of_group(call: &Call, context: &Context) -> Answer {
    let group = call.param("group");
    text_between(group, 3, 50)?;
    list(call, context, |row| in_group(row, group))
}

fn one(call: &Call, context: &Context) -> Answer {
    let name = name(call)?;
    let found = context.database.read(|db| named::get(db, PROFILE, name))?;
    found.map(Value::Object).ok_or_else(|| missing(name))
}

fn update(call: &Call, context: &Context) -> Answer {
    let name = name(call)?;
    let unable = format!("Unable to update the profile '{name}'");
    let body = call
        .json()
        .map_err(|error| ApiError::view(format!("{unable}: {error}")))?;
    context.schemas.profile_update.check(&body)?;
    let mut changes = object(body)?;
    let given = changes.remove("Variables");
    context.database.write(|db| {
        let found = named::get(db, PROFILE, name)?;
        let mut profile = found.ok_or_else(|| missing(name))?;
        for (key, value) in std::mem::take(&mut changes) {
            match value.as_object() {
                Some(plugin) if plugin.is_empty() => {
                    profile.remove(&key);
                }
                Some(plugin) if SLOTS.contains(&&*key) && !plugin.contains_key("Name") => {
                    return Err(ApiError::bad_request("'Name' is a required property"));
                }
                _ => {
                    profile.insert(key, value);
                }
            }
        }
        pipeline::complete(db, name, &mut profile, &unable)?;
        profile.insert("LastModified".to_owned(), Value::from(now()));
        keep(db, name, &profile, given)?;
        Ok(json!({}))
    })
}

fn switch(call: &Call, context: &Context) -> Answer {
    let name = name(call)?;
    let unable = format!("Unable to update the status of the profile '{name}'");
    let on = switch_of(call, context, &unable)?;
    context.database.write(|db| {
        let found = named::get(db, PROFILE, name)?;
        let mut profile = found.ok_or_else(|| missing(name))?;
        profile.insert("Enabled".to_owned(), Value::from(on));
        named::put(db, PROFILE, name, &profile)?;
        Ok(json!({}))
    })
}

fn remove(call: &Call, context: &Context) -> Answer {
    let name = name(call)?;
    context.database.write(|db| {
        named::remove(db, PROFILE_VARIABLES, name)?;
        match named::remove(db, PROFILE, name)? {
            true => Ok(json!({})),
            false => Err(missing(name)),
        }
    })
}

fn variables(call: &Call, context: &Context) -> Answer {
    let name = name(call)?;
    let found = context
        .database
        .read(|db| named::get(db, PROFILE_VARIABLES, name))?;
    Ok(Value::Object(found.unwrap_or_default()))
}
