//! Models: where the models are that plugins use, by name and version.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::schemas::{self, CLASSES};
use super::versioned::{self, Kind, in_group, list, publish};
use super::{enabled, now, object, text};
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, get, post};
use crate::errors::ApiError;
use crate::store::{self, Row};
use crate::validation::{one_of, text_between};

/// Models.
struct Model;

impl Kind for Model {
    const KEY: &'static str = "model";
    const TITLE: &'static str = "Machine Learning model endpoint";
    const NOUN: &'static str = "model";
    const NAME_MAX: usize = 150;
    const VERSION_MIN: usize = 1;
}

/// The routes.
pub fn routes() -> Routes {
    versioned::routes::<Model>()
        .route("/model", post(register).takes(schemas::model))
        .route("/model/pluginclass/{class}/all", get(of_class))
        .route(
            "/model/pluginclass/{class}/contentgroup/{group}/all",
            get(of_class_and_group),
        )
}

fn register(call: &Call, context: &Context) -> Answer {
    let unable =
        "Unable to register or publish a new version of the Machine Learning model endpoint";
    let body = call
        .json()
        .map_err(|error| ApiError::view(format!("{unable}: {error}")))?;
    context.schemas.model.check(&body)?;
    let mut body = object(body)?;
    let name = text(&body, "Name").to_owned();
    let row = json!({
        "Description": text(&body, "Description"),
        "ContentGroups": body.remove("ContentGroups"),
        "Endpoint": body.remove("Endpoint"),
        "PluginClass": body.remove("PluginClass"),
        "Created": now(),
        "Enabled": true,
    });
    let row = object(row)?;
    let version = context
        .database
        .write(|db| publish::<Model>(db, &name, row))?;
    Ok(json!({ "Name": name, "Version": version }))
}

fn of_class(call: &Call, context: &Context) -> Answer {
    let class = call.param("class");
    one_of(class, &CLASSES)?;
    list(call, context, Model::KEY, |row| {
        text(row, "PluginClass") == class
    })
}

fn of_class_and_group(call: &Call, context: &Context) -> Answer {
    let (class, group) = (call.param("class"), call.param("group"));
    one_of(class, &CLASSES)?;
    text_between(group, 3, 50)?;
    list(call, context, Model::KEY, |row| {
        text(row, "PluginClass") == class && in_group(row, group)
    })
}

/// Refuses a reference to a model that is not there, or disabled.
pub fn check(db: &Connection, reference: &Row) -> Result<(), ApiError> {
    let (name, version) = (text(reference, "Name"), text(reference, "Version"));
    let told = format!("Model endpoint '{name}' with version '{version}'");
    let found = match versioned::number(version) {
        Some(number) => store::versioned::get(db, Model::KEY, name, number)?,
        None => None,
    };
    match found {
        None => Err(ApiError::not_found(format!("{told} not found"))),
        Some(row) if !enabled(&row) => Err(ApiError::bad_request(format!(
            "{told} is disabled in the system"
        ))),
        Some(_) => Ok(()),
    }
}

/// Checks every reference in a list.
pub fn check_all(db: &Connection, references: Option<&Value>) -> Result<(), ApiError> {
    let list = references.and_then(Value::as_array);
    let mut rows = list.into_iter().flatten().filter_map(Value::as_object);
    rows.try_for_each(|row| check(db, row))
}
