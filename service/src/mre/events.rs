//! Events, as records: created, read, changed and deleted. When they run is said in `schedule`.

use jiff::civil::DateTime;
use serde_json::{Value, json};

use super::event_schemas::{self, STATES};
use super::{event_names, no_event, now, object, schemas, source, text};
use crate::auth::Role;
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, delete, get, patch, post, put};
use crate::errors::ApiError;
use crate::runs::RunsError;
use crate::store::asked_by::{self, What};
use crate::store::names::{self, PROGRAM};
use crate::store::{Row, StoreError, events, kept, replays, significance};
use crate::validation::{one_of, python, text_between};

/// The routes of one event.
pub fn routes() -> Routes {
    let path = |rest: &str| format!("/event/{{event}}/program/{{program}}{rest}");
    Routes::new()
        .route("/event", post(create).takes(event_schemas::event))
        .route(
            &path(""),
            get(one)
                .merge(put(update).takes(event_schemas::update))
                .merge(delete(remove)),
        )
        .route(&path("/status"), get(status))
        .route(&path("/status/{status}"), put(set_status))
        .route(&path("/hasreplays"), put(has_replays))
        .route(
            &path("/context-variables"),
            get(variables).merge(patch(set_variables).takes(schemas::variables)),
        )
        .route(&path("/timecode/firstpts"), get(first_pts))
        .route(&path("/timecode/firstpts/{value}"), put(set_first_pts))
        .route(&path("/timecode/firstframe/{value}"), put(set_first_frame))
        .route(&path("/framerate/{value}"), put(set_frame_rate))
        .route(
            "/event/metadata/track/audio",
            post(set_audio_tracks).takes(event_schemas::audio_tracks),
        )
}

/// Refuses with 400 a time that is not of MRE's form.
pub fn check_time(text: &str) -> Result<(), ApiError> {
    DateTime::strptime("%Y-%m-%dT%H:%M:%SZ", text)
        .map(|_| ())
        .map_err(|_| {
            let told = python(&Value::from(text));
            ApiError::bad_request(format!("{told} is not a 'date-time'"))
        })
}

fn create(call: &Call, context: &Context) -> Answer {
    let body = call.json().map_err(|_| ApiError::internal())?;
    context.schemas.event.check(&body)?;
    let given = object(body)?;
    check_time(text(&given, "Start"))?;
    let defaults = json!({
        "BootstrapTimeInMinutes": 0,
        "GenerateOrigClips": true,
        "GenerateOptoClips": true,
        "GenerateOrigThumbNails": true,
        "GenerateOptoThumbNails": true,
        "TimecodeSource": "NOT_EMBEDDED",
        "StopMediaLiveChannel": false,
    });
    let mut event = object(defaults)?;
    event.extend(given);
    let (auth, variables) = (
        take(&mut event, "SourceVideoAuth"),
        take(&mut event, "Variables"),
    );
    for (key, value) in [
        ("Id", json!(uuid::Uuid::new_v4().to_string())),
        ("Status", json!("Queued")),
        ("Created", json!(now())),
        ("HlsMasterManifest", json!({})),
        ("EdlLocation", json!({})),
    ] {
        event.insert(key.to_owned(), value);
    }
    check_source(call, context, &event)?;
    let (program, name) = (text(&event, "Program"), text(&event, "Name"));
    let key = (program, name, text(&event, "Start"));
    context.database.write(|db| {
        asked_by::set(db, text(&event, "Id"), call.role.name(), What::Source)?;
        let variables = variables.clone().unwrap_or_default();
        names::put(db, PROGRAM, program)?;
        match events::add(db, key, &event, &variables, auth.as_ref())? {
            true => Ok(json!({})),
            false => Err(ApiError::conflict(format!(
                "Event '{name}' in program '{program}' already exists"
            ))),
        }
    })
}

/// Refuses with 403 a source that an event of who asks may not reach.
fn check_source(call: &Call, context: &Context, event: &Row) -> Result<(), ApiError> {
    if call.role == Role::Admin {
        return Ok(());
    }
    source::check(event, &context.sources, &context.mre).map_err(ApiError::forbidden)
}

fn take(row: &mut Row, key: &str) -> Option<Row> {
    match row.remove(key) {
        Some(Value::Object(taken)) => Some(taken),
        _ => None,
    }
}

fn one(call: &Call, context: &Context) -> Answer {
    let (program, name) = event_names(call)?;
    let found = context.database.read(|db| events::get(db, program, name))?;
    found
        .map(Value::Object)
        .ok_or_else(|| no_event(program, name))
}

/// Changes the row of an event.
fn change(
    call: &Call,
    context: &Context,
    work: impl FnOnce(&mut Row) -> Result<(), ApiError>,
) -> Answer {
    let (program, name) = event_names(call)?;
    change_one(context, program, name, work)
}

fn change_one(
    context: &Context,
    program: &str,
    name: &str,
    work: impl FnOnce(&mut Row) -> Result<(), ApiError>,
) -> Answer {
    context.database.write(|db| {
        let found = events::get(db, program, name)?;
        let mut event = found.ok_or_else(|| no_event(program, name))?;
        work(&mut event)?;
        events::set(db, (program, name, text(&event, "Start")), &event)?;
        Ok(json!({}))
    })
}

fn update(call: &Call, context: &Context) -> Answer {
    let (program, name) = event_names(call)?;
    let unable = format!("Unable to update the event '{name}' in program '{program}'");
    let body = call
        .json()
        .map_err(|error| ApiError::view(format!("{unable}: {error}")))?;
    context.schemas.event_update.check(&body)?;
    let mut changes = object(body)?;
    if changes.contains_key("Start") {
        check_time(text(&changes, "Start"))?;
    }
    if changes.contains_key("Profile") && !changes.contains_key("ContentGroup") {
        let message = "'ContentGroup' is a required property";
        return Err(ApiError::bad_request(message));
    }
    let auth = take(&mut changes, "SourceVideoAuth");
    let variables = take(&mut changes, "Variables");
    context.database.write(|db| {
        let found = events::get(db, program, name)?;
        let mut event = found.ok_or_else(|| no_event(program, name))?;
        let id = text(&changes, "ProgramId");
        if !id.is_empty() && events::has_program_id(db, id, (program, name))? {
            return Err(ApiError::conflict(format!(
                "ProgramId '{id}' is that of another event"
            )));
        }
        let of_source = ["SourceVideoUrl", "SourceVideoBucket", "Channel"];
        let other_source = of_source.iter().any(|key| changes.contains_key(*key));
        if other_source {
            asked_by::set(db, text(&event, "Id"), call.role.name(), What::Source)?;
        }
        event.extend(std::mem::take(&mut changes));
        if other_source {
            check_source(call, context, &event)?;
        }
        events::set(db, (program, name, text(&event, "Start")), &event)?;
        if let Some(auth) = &auth {
            events::set_auth(db, program, name, auth)?;
        }
        if let Some(given) = variables {
            let mut all = events::variables(db, program, name)?.unwrap_or_default();
            all.extend(given);
            events::set_variables(db, program, name, &all)?;
        }
        Ok(json!({}))
    })
}

fn remove(call: &Call, context: &Context) -> Answer {
    let (program, name) = event_names(call)?;
    let found = context.database.read(|db| events::get(db, program, name))?;
    let event = found.ok_or_else(|| no_event(program, name))?;
    if text(&event, "Status") == "In Progress" {
        return Err(ApiError::bad_request(format!(
            "Cannot delete the event '{name}' in program '{program}' as it is currently in progress"
        )));
    }
    forget(context, &event)?;
    match context.runs.delete(text(&event, "Id"), false) {
        Ok(()) | Err(RunsError::Unknown(_)) => Ok(json!({})),
        Err(error) => Err(of_runs(error)),
    }
}

/// Forgets an event, with everything that is kept of it beside its run.
pub fn forget(context: &Context, event: &Row) -> Result<(), StoreError> {
    let (program, name) = (text(event, "Program"), text(event, "Name"));
    context.database.write(|db| {
        replays::remove_all(db, program, name)?;
        kept::remove_all(db, text(event, "Id"))?;
        significance::remove_all(db, text(event, "Id"))?;
        events::remove(db, program, name)
    })
}

fn of_runs(error: RunsError) -> ApiError {
    match error {
        RunsError::Store(error) => error.into(),
        error => ApiError::view(error.to_string()),
    }
}

/// A value of the row of an event.
fn read(call: &Call, context: &Context, key: &str) -> Result<Option<Value>, ApiError> {
    let (program, name) = event_names(call)?;
    let found = context.database.read(|db| events::get(db, program, name))?;
    let mut event = found.ok_or_else(|| no_event(program, name))?;
    Ok(event.remove(key))
}

fn status(call: &Call, context: &Context) -> Answer {
    read(call, context, "Status").map(Option::unwrap_or_default)
}

fn set_status(call: &Call, context: &Context) -> Answer {
    let status = call.param("status");
    one_of(status, &STATES)?;
    if status == "Complete" {
        // What runs is drained, and is complete then.
        let id = read(call, context, "Id")?.unwrap_or_default();
        let id = id.as_str().unwrap_or_default();
        match context.runs.get(id) {
            Ok(run) if !run.state.is_over() => {
                return context.runs.end(id).map(|()| json!({})).map_err(of_runs);
            }
            Ok(_) | Err(RunsError::Unknown(_)) => {}
            Err(error) => return Err(of_runs(error)),
        }
    }
    change(call, context, |event| {
        event.insert("Status".to_owned(), Value::from(status));
        Ok(())
    })
}

fn has_replays(call: &Call, context: &Context) -> Answer {
    change(call, context, |event| {
        event.insert("hasReplays".to_owned(), Value::from(true));
        Ok(())
    })
}

fn variables(call: &Call, context: &Context) -> Answer {
    let (program, name) = event_names(call)?;
    let found: Result<Option<Row>, StoreError> = context
        .database
        .read(|db| events::variables(db, program, name));
    Ok(Value::Object(found?.unwrap_or_default()))
}

fn set_variables(call: &Call, context: &Context) -> Answer {
    let (program, name) = event_names(call)?;
    let unable = format!(
        "Unable to update the context variables of the event '{name}' in program '{program}'"
    );
    let body = call
        .json()
        .map_err(|error| ApiError::view(format!("{unable}: {error}")))?;
    context.schemas.variables.check(&body)?;
    let given = object(body)?;
    context.database.write(|db| {
        let found = events::variables(db, program, name)?;
        let mut all = found.ok_or_else(|| no_event(program, name))?;
        all.extend(given);
        events::set_variables(db, program, name, &all)?;
        Ok(json!({}))
    })
}

fn first_pts(call: &Call, context: &Context) -> Answer {
    read(call, context, "FirstPts").map(Option::unwrap_or_default)
}

fn set_first_pts(call: &Call, context: &Context) -> Answer {
    let value = call.param("value");
    let number: f64 = value.parse().unwrap_or(f64::NAN);
    if !number.is_finite() || number < 0.0 {
        let told = python(&Value::from(value));
        return Err(ApiError::bad_request(format!("{told} is not a time")));
    }
    change(call, context, |event| {
        event.insert("FirstPts".to_owned(), Value::from(number));
        Ok(())
    })
}

fn set_first_frame(call: &Call, context: &Context) -> Answer {
    let value = call.param("value");
    text_between(value, 3, 50)?;
    change(call, context, |event| {
        event.insert("FirstEmbeddedTimecode".to_owned(), Value::from(value));
        Ok(())
    })
}

fn set_frame_rate(call: &Call, context: &Context) -> Answer {
    let value = call.param("value");
    text_between(value, 1, 3)?;
    if !value.bytes().all(|byte| byte.is_ascii_digit()) {
        let told = python(&Value::from(value));
        return Err(ApiError::bad_request(format!("{told} is not a number")));
    }
    change(call, context, |event| {
        event.insert("FrameRate".to_owned(), Value::from(value));
        Ok(())
    })
}

fn set_audio_tracks(call: &Call, context: &Context) -> Answer {
    let unable = "Unable to store the audio tracks of the event";
    let body = call
        .json()
        .map_err(|error| ApiError::view(format!("{unable}: {error}")))?;
    context.schemas.audio_tracks.check(&body)?;
    let mut given = object(body)?;
    let tracks = given.remove("AudioTracks").unwrap_or_default();
    let (program, name) = (text(&given, "Program"), text(&given, "Name"));
    change_one(context, program, name, |event| {
        event.insert("AudioTracks".to_owned(), tracks);
        Ok(())
    })
}
