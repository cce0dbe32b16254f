//! Requests for replays, as records: taken, listed, changed and deleted. Those that are there when their event begins
//! are made with it, others are asked of it at once.

use serde_json::{Value, json};

use super::{event_names, late, no_event, now, object, pipeline, plugins, replay_schemas, text};
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, delete, get, post, put};
use crate::errors::ApiError;
use crate::store::{Row, StoreError, events, named, replays, significance};
use crate::validation::{python, text_between};

/// How much longer than asked for a replay may be where nothing is said, in seconds.
const TOLERANCE: u32 = 30;

/// The routes.
pub fn routes() -> Routes {
    let path = |rest: &str| format!("/replay/program/{{program}}/event/{{event}}{rest}");
    Routes::new()
        .route("/replay", post(create).takes(replay_schemas::replay))
        .route("/replay/all", get(all))
        .route("/replay/all/contentgroup/{group}", get(of_group))
        .route(&path("/all"), get(of_event))
        .route(&path("/segmentend"), get(unfinished))
        .route(&path("/features"), get(features))
        .route(&path("/replayid/{id}"), get(one))
        .route(
            &path("/replayid/{id}/status/update/{status}"),
            put(set_status),
        )
        .route(
            "/replay/track/{track}/program/{program}/event/{event}",
            get(unfinished_of_track),
        )
        .route(
            "/replay/completed/events/track/{track}/program/{program}/event/{event}",
            get(queued_of_completed),
        )
        .route(
            "/replay/event/{event}/program/{program}/id/{id}",
            delete(remove),
        )
}

fn create(call: &Call, context: &Context) -> Answer {
    let unable = "Unable to add a new Replay Request";
    let body = call
        .json()
        .map_err(|error| ApiError::view(format!("{unable}: {error}")))?;
    context.schemas.replay.check(&body)?;
    let mut replay = object(body)?;
    if let Some(Value::Object(duration)) = replay.get_mut("DurationbasedSummarization") {
        let tolerance = duration.entry("ToleranceMaxLimitInSecs");
        tolerance.or_insert(Value::from(TOLERANCE));
    }
    for (key, default) in [
        ("TransitionName", json!("None")),
        ("IgnoreDislikedSegments", json!(false)),
        ("IncludeLikedSegments", json!(false)),
    ] {
        replay.entry(key).or_insert(default);
    }
    let (id, created) = (uuid::Uuid::new_v4().to_string(), now());
    for (key, value) in [
        ("ReplayId", json!(id)),
        ("Created", json!(created)),
        ("LastModified", json!(created)),
        ("Status", json!("Queued")),
        ("Enabled", json!(true)),
        ("HlsLocation", json!("-")),
        ("EdlLocation", json!("-")),
        ("HlsThumbnailLoc", json!("-")),
        ("Mp4Location", json!({})),
        ("Mp4ThumbnailLocation", json!({})),
        ("IgnoredSegments", json!([])),
    ] {
        replay.insert(key.to_owned(), value);
    }
    let (program, event) = (text(&replay, "Program"), text(&replay, "Event"));
    context.database.write(|db| {
        if events::get(db, program, event)?.is_none() {
            return Err(ApiError::conflict(format!(
                "Event '{event}' does not exist in Program '{program}'"
            )));
        }
        replays::add(db, (program, event, &id), &replay)?;
        Ok(())
    })?;
    late::ask(context, &replay)?;
    Ok(json!({}))
}

/// A row with what lists say of it.
fn with_mode(mut replay: Row) -> Value {
    let duration = replay.get("DurationbasedSummarization");
    let duration = duration
        .and_then(|duration| duration.get("Duration"))
        .cloned();
    let features = replay.get("ClipfeaturebasedSummarization") == Some(&Value::Bool(true));
    let (mode, duration) = match duration {
        _ if replay.contains_key("SpecifiedTimestamps") => ("TIMESTAMPS", None),
        _ if features => ("FEATURES", None),
        Some(duration) => ("DURATION", Some(duration)),
        None => ("Error", None),
    };
    replay.insert("Mode".to_owned(), Value::from(mode));
    let duration = duration.unwrap_or_else(|| Value::from("N/A"));
    replay.insert("Duration".to_owned(), duration);
    Value::Object(replay)
}

fn all(_: &Call, context: &Context) -> Answer {
    let rows = context.database.read(replays::all)?;
    let items: Vec<Value> = rows.into_iter().map(with_mode).collect();
    Ok(json!({ "Items": items }))
}

fn of_group(call: &Call, context: &Context) -> Answer {
    let group = call.param("group");
    text_between(group, 3, 50)?;
    let rows: Result<Vec<Row>, StoreError> = context.database.read(|db| {
        let mut found = Vec::new();
        for replay in replays::all(db)? {
            let event = events::get(db, text(&replay, "Program"), text(&replay, "Event"))?;
            if event.is_some_and(|event| text(&event, "ContentGroup") == group) {
                found.push(replay);
            }
        }
        Ok(found)
    });
    Ok(rows?.into_iter().map(with_mode).collect())
}

/// The requests of an event that are wanted.
fn those(call: &Call, context: &Context, wanted: impl Fn(&Row) -> bool) -> Answer {
    let (program, event) = event_names(call)?;
    let rows = context
        .database
        .read(|db| replays::of_event(db, program, event))?;
    let rows = rows.into_iter().filter(wanted);
    Ok(rows.map(Value::Object).collect())
}

fn of_event(call: &Call, context: &Context) -> Answer {
    those(call, context, |_| true)
}

fn is_unfinished(replay: &Row) -> bool {
    !matches!(text(replay, "Status"), "Complete" | "Error")
}

fn unfinished(call: &Call, context: &Context) -> Answer {
    those(call, context, is_unfinished)
}

/// The audio track of a path.
fn track(call: &Call) -> Result<f64, ApiError> {
    let track = call.param("track");
    let number = track.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| {
        let told = python(&Value::from(track));
        ApiError::bad_request(format!("{told} is not the number of an audio track"))
    })
}

fn is_of(replay: &Row, track: f64) -> bool {
    replay.get("AudioTrack").and_then(Value::as_f64) == Some(track)
}

fn unfinished_of_track(call: &Call, context: &Context) -> Answer {
    let track = track(call)?;
    those(call, context, |replay| {
        is_unfinished(replay) && is_of(replay, track)
    })
}

fn queued_of_completed(call: &Call, context: &Context) -> Answer {
    let track = track(call)?;
    let (program, name) = event_names(call)?;
    let event = context.database.read(|db| events::get(db, program, name))?;
    let over = event.is_some_and(|event| text(&event, "Status") == "Complete");
    those(call, context, |replay| {
        over && text(replay, "Status") == "Queued" && is_of(replay, track)
    })
}

fn missing(id: &str) -> ApiError {
    ApiError::not_found(format!("Replay '{id}' not found"))
}

fn one(call: &Call, context: &Context) -> Answer {
    let (program, event) = event_names(call)?;
    let id = call.param("id");
    let found = context
        .database
        .read(|db| replays::get(db, (program, event, id)))?;
    let mut replay = found.ok_or_else(|| missing(id))?;
    replay.insert("PreviewVideoUrls".to_owned(), json!([]));
    Ok(Value::Object(replay))
}

fn set_status(call: &Call, context: &Context) -> Answer {
    let (program, event) = event_names(call)?;
    let id = call.param("id");
    context.database.write(|db| {
        let found = replays::get(db, (program, event, id))?;
        let mut replay = found.ok_or_else(|| missing(id))?;
        if call.param("status") == "Queued"
            && let Some(event) = events::get(db, program, event)?
        {
            // It is to be made anew, so its engine is asked anew.
            significance::forget(db, (text(&event, "Id"), id))?;
            replay.shift_remove("StatusMessage");
        }
        replay.insert("Status".to_owned(), Value::from(call.param("status")));
        replay.insert("LastModified".to_owned(), Value::from(now()));
        replays::set(db, (program, event, id), &replay)?;
        Ok(json!({ "Status": "Replay request status updated" }))
    })
}

fn remove(call: &Call, context: &Context) -> Answer {
    let (program, name) = event_names(call)?;
    let id = call.param("id");
    let event = context.database.write(|db| {
        let found = replays::get(db, (program, name, id))?;
        let replay = found.ok_or_else(|| missing(id))?;
        if text(&replay, "Status") == "In Progress" {
            return Err(ApiError::bad_request(format!(
                "Cannot delete the replay '{id}' as it is currently in progress"
            )));
        }
        replays::remove(db, (program, name, id))?;
        if let Some(event) = events::get(db, program, name)? {
            significance::forget(db, (text(&event, "Id"), id))?;
        }
        let left = replays::of_event(db, program, name)?;
        let complete = left.iter().any(|left| text(left, "Status") == "Complete");
        if let Some(mut event) = events::get(db, program, name)?
            && !complete
            && event.remove("hasReplays").is_some()
        {
            events::set(db, (program, name, text(&event, "Start")), &event)?;
        }
        Ok::<_, ApiError>(events::get(db, program, name)?)
    })?;
    if let Some(event) = event {
        late::withdraw(context, &event, id)?;
    }
    Ok(json!({}))
}

/// What replays of an event can weigh: `PLUGIN | ATTRIBUTE`.
fn features(call: &Call, context: &Context) -> Answer {
    let (program, name) = event_names(call)?;
    context.database.read(|db| {
        let event = events::get(db, program, name)?.ok_or_else(|| no_event(program, name))?;
        let wanted = text(&event, "Profile");
        let profile = named::get(db, named::PROFILE, wanted)?
            .ok_or_else(|| ApiError::not_found(format!("Profile '{wanted}' not found")))?;
        let mut features: Vec<Value> = Vec::new();
        for plugin in pipeline::names_by_feature(&profile) {
            let row = plugins::newest(db, plugin)?.unwrap_or_default();
            let attributes = row.get("OutputAttributes").and_then(Value::as_object);
            for attribute in attributes.into_iter().flat_map(Row::keys) {
                let feature = Value::from(format!("{plugin} | {attribute}"));
                if !features.contains(&feature) {
                    features.push(feature);
                }
            }
        }
        Ok(Value::Array(features))
    })
}
