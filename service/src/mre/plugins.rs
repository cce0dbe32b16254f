//! Plugins: functions that detect, segment, optimize or label, by name and version.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::dependencies::tree;
use super::schemas::{self, CLASSES};
use super::versioned::{self, Kind, in_group, list, publish};
use super::{FRAMEWORK_VERSION, enabled, models, now, object, text, texts};
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, get, post};
use crate::errors::ApiError;
use crate::store::{self, Row, StoreError};
use crate::validation::{one_of, text_between};

/// Plugins.
struct Plugin;

impl Kind for Plugin {
    const KEY: &'static str = "plugin";
    const TITLE: &'static str = "Plugin";
    const NOUN: &'static str = "plugin";
    const NAME_MAX: usize = 150;
    const VERSION_MIN: usize = 1;
}

/// The routes.
pub fn routes() -> Routes {
    versioned::routes::<Plugin>()
        .route("/plugin", post(register).takes(schemas::plugin))
        .route("/plugin/class/{class}/all", get(of_class))
        .route(
            "/plugin/class/{class}/contentgroup/{group}/all",
            get(of_class_and_group),
        )
        .route("/plugin/{name}/dependentplugins/all", get(dependencies))
}

/// The newest version of a plugin.
pub fn newest(db: &Connection, name: &str) -> Result<Option<Row>, StoreError> {
    store::versioned::get(db, Plugin::KEY, name, 0)
}

fn register(call: &Call, context: &Context) -> Answer {
    let body = call.json().map_err(|_| ApiError::internal())?;
    context.schemas.plugin.check(&body)?;
    let mut body = object(body)?;
    let name = text(&body, "Name").to_owned();
    let with_model = text(&body, "ExecutionType") == "SyncModel";
    if with_model && !body.contains_key("ModelEndpoints") {
        let message = "Missing required key 'ModelEndpoints' in the input";
        return Err(ApiError::bad_request(message));
    }
    context.database.write(|db| {
        if with_model {
            models::check_all(db, body.get("ModelEndpoints"))?;
        }
        check_dependencies(db, &name, &body)?;
        let id = match newest(db, &name)? {
            Some(before) => text(&before, "Id").to_owned(),
            None => uuid::Uuid::new_v4().to_string(),
        };
        let models = body.remove("ModelEndpoints").filter(|_| with_model);
        let row = json!({
            "Id": id,
            "Class": body.remove("Class"),
            "Description": text(&body, "Description"),
            "ContentGroups": body.remove("ContentGroups"),
            "ExecutionType": body.remove("ExecutionType"),
            "SupportedMediaType": body.remove("SupportedMediaType"),
            "ExecuteLambdaQualifiedARN": body.remove("ExecuteLambdaQualifiedARN"),
            "ModelEndpoints": models.unwrap_or_else(|| json!([])),
            "Configuration": body.remove("Configuration").unwrap_or_else(|| json!({})),
            "OutputAttributes": body.remove("OutputAttributes").unwrap_or_else(|| json!({})),
            "DependentPlugins": body.remove("DependentPlugins").unwrap_or_else(|| json!([])),
            "Created": now(),
            "Enabled": true,
            "FrameworkVersion": FRAMEWORK_VERSION,
        });
        let version = publish::<Plugin>(db, &name, object(row)?)?;
        Ok(json!({ "Id": id, "Version": version }))
    })
}

/// Plugins that a plugin depends on have to be there and enabled, and must not depend on it.
fn check_dependencies(db: &Connection, name: &str, body: &Row) -> Result<(), ApiError> {
    let bad = |message| Err(ApiError::bad_request(message));
    for dependency in texts(body, "DependentPlugins") {
        if dependency == name {
            return bad(format!("Plugin '{name}' cannot be a dependent of itself"));
        }
        match newest(db, dependency)? {
            None => {
                let message = format!("Dependent plugin '{dependency}' not found");
                return Err(ApiError::not_found(message));
            }
            Some(row) if !enabled(&row) => {
                return bad(format!(
                    "Dependent plugin '{dependency}' is disabled in the system"
                ));
            }
            Some(_) => {}
        }
    }
    for dependency in texts(body, "DependentPlugins") {
        let below = tree(dependency, |name| newest(db, name))?;
        if below.iter().any(|found| found.name == name) {
            return bad(format!(
                "Found Circular Dependency between plugin: '{dependency}' and '{name}'"
            ));
        }
    }
    Ok(())
}

fn dependencies(call: &Call, context: &Context) -> Answer {
    let name = call.param("name");
    text_between(name, 3, Plugin::NAME_MAX)?;
    context.database.read(|db| {
        if newest(db, name)?.is_none() {
            return Err(ApiError::not_found(format!("Plugin '{name}' not found")));
        }
        let found = tree(name, |name| newest(db, name))?;
        let told = found.into_iter().map(|dependency| {
            json!({
                "Name": dependency.name,
                "pluginData": dependency.row,
                "DependentFor": dependency.parents,
            })
        });
        Ok(Value::Array(told.collect()))
    })
}

fn of_class(call: &Call, context: &Context) -> Answer {
    let class = call.param("class");
    one_of(class, &CLASSES)?;
    list(call, context, Plugin::KEY, |row| {
        text(row, "Class") == class
    })
}

fn of_class_and_group(call: &Call, context: &Context) -> Answer {
    let (class, group) = (call.param("class"), call.param("group"));
    one_of(class, &CLASSES)?;
    text_between(group, 3, 50)?;
    list(call, context, Plugin::KEY, |row| {
        text(row, "Class") == class && in_group(row, group)
    })
}
