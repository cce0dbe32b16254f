//! Prompts: texts for models, by name and version.

use serde_json::json;

use super::versioned::{self, Kind, publish};
use super::{now, object, schemas, text};
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, post};
use crate::errors::ApiError;

/// Prompts.
struct Prompt;

impl Kind for Prompt {
    const KEY: &'static str = "prompt";
    const TITLE: &'static str = "Prompt";
    const NOUN: &'static str = "prompt";
    const NAME_MAX: usize = 50;
    const VERSION_MIN: usize = 2;
}

/// The routes.
pub fn routes() -> Routes {
    versioned::routes::<Prompt>().route("/prompt", post(create).takes(schemas::prompt))
}

fn create(call: &Call, context: &Context) -> Answer {
    let unable = "Unable to add or publish a new version of the prompt";
    let body = call
        .json()
        .map_err(|error| ApiError::view(format!("{unable}: {error}")))?;
    context.schemas.prompt.check(&body)?;
    let mut body = object(body)?;
    let name = text(&body, "Name").to_owned();
    let row = json!({
        "Description": text(&body, "Description"),
        "ContentGroups": body.remove("ContentGroups"),
        "Template": body.remove("Template"),
        "Created": now(),
        "Enabled": true,
    });
    let row = object(row)?;
    let version = context
        .database
        .write(|db| publish::<Prompt>(db, &name, row))?;
    Ok(json!({ "Name": name, "Version": version }))
}
