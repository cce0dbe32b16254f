//! Media as addresses that expire. Only what belongs to an event of this service has one: its bucket is the Id of the
//! event, its key the path below it.

use serde_json::Value;

use crate::api::{self, chunk_of, file_of, is_plain, lasting};
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, get};
use crate::errors::ApiError;
use crate::runs::RunsError;

/// How long an address of a chunk is good, in seconds.
const CHUNK: u64 = 300;

/// The largest playlist that is read, in bytes.
const LARGEST: u64 = 10 * 1024 * 1024;

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route("/media/{bucket}/{key}", get(media))
        .route("/manifest/{bucket}/{key}/{version}", get(manifest))
}

/// The file of a bucket and a key.
fn file(call: &Call, context: &Context) -> Result<std::path::PathBuf, ApiError> {
    let (id, key) = (call.param("bucket"), call.param("key"));
    let missing = || ApiError::not_found(format!("There is no object '{key}' in bucket '{id}'"));
    match context.runs.get(id) {
        Ok(_) => {}
        Err(RunsError::Unknown(_)) => return Err(missing()),
        Err(error) => return Err(error.into()),
    }
    let dir = context.runs.dir(id);
    let found = match key.split_once('/') {
        Some(("chunks", name)) => chunk_of(&dir, name),
        Some(("files", path)) if is_plain(path) => file_of(&dir, path),
        _ => None,
    };
    found.ok_or_else(missing)
}

fn media(call: &Call, context: &Context) -> Answer {
    file(call, context)?;
    let path = format!(
        "{}/events/{}/{}",
        api::ROOT,
        call.param("bucket"),
        call.param("key")
    );
    let address = context.addresses.sign(&path, lasting(CHUNK));
    Ok(Value::String(format!("{}{address}", call.base)))
}

fn manifest(call: &Call, context: &Context) -> Answer {
    let path = file(call, context)?;
    let unable = |why: &dyn std::fmt::Display| {
        let text = "Unable to get the HLS Manifest file content";
        ApiError::view(format!("{text}: {why}"))
    };
    let size = std::fs::metadata(&path).map_err(|_| unable(&"it cannot be read"))?;
    if size.len() > LARGEST {
        return Err(unable(&"it is no playlist"));
    }
    let text = std::fs::read_to_string(&path).map_err(|_| unable(&"it is no text"))?;
    Ok(Value::String(text))
}
