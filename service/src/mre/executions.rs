//! Executions of MRE's workflow, one for each chunk, with how far each plugin is in it. A plugin that an event waits for
//! is through with its chunk when it is said to be.

use matchcut_operators::board::{self, Which};
use serde_json::{Value, json};

use super::dataplane::Event;
use super::{object, text};
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, get, post, put};
use crate::errors::ApiError;
use crate::mre::data_schemas::body_of;
use crate::store::{Row, StoreError, kept};
use crate::validation::text_between;

/// How far a plugin is that is not through.
const UNDER_WAY: [&str; 2] = ["Waiting", "In Progress"];

/// The routes.
pub fn routes() -> Routes {
    let path =
        "/workflow/execution/program/{program}/event/{event}/chunk/{chunk}/plugin/{plugin}/status";
    Routes::new()
        .route(
            "/workflow/execution",
            post(record).takes(|| body_of(|all| &all.execution)),
        )
        .route(&format!("{path}/{{status}}"), put(set_status))
        .route(path, get(status))
        .route(&format!("{path}/incomplete"), get(incomplete))
}

fn record(call: &Call, context: &Context) -> Answer {
    let unable = "Unable to record the details of the workflow execution";
    let body = call
        .json()
        .map_err(|error| ApiError::view(format!("{unable}: {error}")))?;
    context.schemas.data.execution.check(&body)?;
    let body = object(body)?;
    let event = Event::of(context, text(&body, "Program"), text(&body, "Event"))?;
    let place = body.get("ChunkNumber").and_then(Value::as_i64);
    let of = (event.id.as_str(), kept::EXECUTION, "");
    let kept: Result<(), StoreError> = context.database.write(|db| {
        let place = place.unwrap_or_default();
        // How far plugins are in it stands, also where a chunk is told twice.
        let mut row = kept::get(db, of, place)?.unwrap_or_default();
        row.extend(body.clone());
        kept::put(db, of, place, &row)
    });
    kept?;
    Ok(json!({}))
}

fn of(call: &Call, context: &Context) -> Result<(Event, i64), ApiError> {
    let event = Event::of(context, call.param("program"), call.param("event"))?;
    let chunk = call.param("chunk");
    let number: Option<i64> = chunk.parse().ok().filter(|number| *number >= 0);
    let number =
        number.ok_or_else(|| ApiError::bad_request(format!("'{chunk}' is not a chunk number")))?;
    Ok((event, number))
}

fn set_status(call: &Call, context: &Context) -> Answer {
    let (event, place) = of(call, context)?;
    let (plugin, status) = (call.param("plugin"), call.param("status"));
    text_between(status, 3, 50)?;
    let of = (event.id.as_str(), kept::EXECUTION, "");
    let kept: Result<(), StoreError> = context.database.write(|db| {
        let mut row = kept::get(db, of, place)?.unwrap_or_default();
        row.insert("ChunkNumber".to_owned(), json!(place));
        row.insert(plugin.to_owned(), json!(status));
        kept::put(db, of, place, &row)
    });
    kept?;
    let returned = match status {
        "Complete" => Some(Ok(Vec::new())),
        "Error" => Some(Err("it reports the status Error".to_owned())),
        _ => None,
    };
    if let Some(returned) = returned {
        let which = Which {
            plugin,
            chunk: u64::try_from(place).unwrap_or_default(),
            track: None,
        };
        board::finish_of(event.names(), which, returned);
    }
    Ok(json!({}))
}

fn status(call: &Call, context: &Context) -> Answer {
    let (event, place) = of(call, context)?;
    let of = (event.id.as_str(), kept::EXECUTION, "");
    let found: Result<Option<Row>, StoreError> =
        context.database.read(|db| kept::get(db, of, place));
    let mut row = found?.unwrap_or_default();
    Ok(row.remove(call.param("plugin")).unwrap_or_default())
}

fn incomplete(call: &Call, context: &Context) -> Answer {
    let (event, place) = of(call, context)?;
    let plugin = call.param("plugin");
    let of = (event.id.as_str(), kept::EXECUTION, "");
    let rows: Result<Vec<(i64, Row)>, StoreError> = context.database.read(|db| kept::all(db, of));
    let key = format!("{}#{}", event.program, event.name);
    let before = rows?.into_iter().filter(|(number, row)| {
        let status = text(row, plugin);
        *number < place && (status.is_empty() || UNDER_WAY.contains(&status))
    });
    Ok(before
        .map(|(number, _)| json!({ "PK": key, "ChunkNumber": number }))
        .collect())
}
