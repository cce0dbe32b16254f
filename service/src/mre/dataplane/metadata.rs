//! Chunks and their key frames: kept as MRE's workflow tells them, else as the event itself knows them.

use matchcut_operators::board::{self, millis};
use serde_json::{Value, json};

use super::super::{object, rounded, text};
use super::results::body;
use super::rows::{Event, Said, number};
use crate::api::chunk_of;
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, get, post};
use crate::errors::ApiError;
use crate::mre::data_schemas::body_of;
use crate::store::{Row, StoreError, kept};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(
            "/metadata/frame",
            post(store_frames).takes(|| body_of(|all| &all.frames)),
        )
        .route(
            "/metadata/chunk",
            post(store_chunk).takes(|| body_of(|all| &all.chunk)),
        )
        .route(
            "/metadata/chunk/start/{program}/{event}/{profile}/{time}",
            get(chunk_start),
        )
        .route(
            "/metadata/timecode/{program}/{event}/{file}/{frame}",
            get(timecode),
        )
}

fn store_frames(call: &Call, context: &Context) -> Answer {
    let unable = "Unable to store the frame metadata of the HLS Segment (Chunk)";
    let body = body(call, unable)?;
    context.schemas.data.frames.check(&body)?;
    let body = object(body)?;
    let event = Event::of(context, text(&body, "Program"), text(&body, "Event"))?;
    let frames = body.get("Frames").and_then(Value::as_array);
    let of = (event.id.as_str(), kept::FRAME, text(&body, "Filename"));
    context.database.write(|db| {
        let rows = frames.into_iter().flatten().filter_map(Value::as_object);
        for frame in rows {
            let number = frame.get("FrameNumber").and_then(Value::as_i64);
            kept::put(db, of, number.unwrap_or_default(), frame)?;
        }
        Ok::<(), ApiError>(())
    })?;
    Ok(json!({}))
}

fn store_chunk(call: &Call, context: &Context) -> Answer {
    let unable = "Unable to store the metadata of the HLS Segment (Chunk)";
    let body = body(call, unable)?;
    context.schemas.data.chunk.check(&body)?;
    let mut body = object(body)?;
    let event = Event::of(context, text(&body, "Program"), text(&body, "Event"))?;
    for key in ["Start", "StartPts", "Duration"] {
        let time = number(&body, key).unwrap_or_default();
        body.insert(key.to_owned(), json!(rounded(time)));
    }
    let place = millis(number(&body, "Start").unwrap_or_default());
    let of = (event.id.as_str(), kept::CHUNK, text(&body, "Profile"));
    let stored: Result<(), StoreError> =
        context.database.write(|db| kept::put(db, of, place, &body));
    stored?;
    Ok(json!({}))
}

/// The chunks of an event by time: as they were kept for a profile, else as the event has them.
pub fn chunks(context: &Context, event: &Event, profile: &str) -> Result<Vec<Row>, ApiError> {
    let of = (event.id.as_str(), kept::CHUNK, profile);
    let kept: Result<Vec<(i64, Row)>, StoreError> = context.database.read(|db| kept::all(db, of));
    let kept = kept?;
    if !kept.is_empty() {
        return Ok(kept.into_iter().map(|(_, row)| row).collect());
    }
    let said = Said::read(context, event)?;
    let dir = context.runs.dir(&event.id);
    let row = |piece: &super::rows::Piece| {
        let named = |extension: &str| format!("chunk_{:05}.{extension}", piece.number);
        let there = |extension: &&str| chunk_of(&dir, &named(extension)).is_some();
        let extension = ["ts", "mp4", "mkv"].into_iter().find(there);
        let file = named(extension.unwrap_or("ts"));
        let row = json!({
            "Program": event.program,
            "Event": event.name,
            "Profile": event.profile,
            "Filename": file,
            "Start": rounded(piece.start),
            "Duration": rounded(piece.end - piece.start),
            "S3Bucket": event.id,
            "S3Key": format!("chunks/{file}"),
        });
        object(row)
    };
    said.pieces().iter().map(row).collect()
}

fn zero_based(call: &Call) -> bool {
    call.query("pts") == Some("false")
}

fn time_of(text: &str) -> Result<f64, ApiError> {
    let time: Option<f64> = text.parse().ok();
    let time = time.filter(|time| time.is_finite());
    time.ok_or_else(|| ApiError::bad_request(format!("'{text}' is not a number")))
}

fn chunk_start(call: &Call, context: &Context) -> Answer {
    let event = Event::of(context, call.param("program"), call.param("event"))?;
    let time = millis(time_of(call.param("time"))?);
    let key = if zero_based(call) {
        "Start"
    } else {
        "StartPts"
    };
    let chunks = chunks(context, &event, call.param("profile"))?;
    let starts = chunks.iter().filter_map(|row| number(row, key));
    let before = starts.filter(|start| millis(*start) <= time);
    Ok(json!(before.max_by(f64::total_cmp)))
}

fn timecode(call: &Call, context: &Context) -> Answer {
    let event = Event::of(context, call.param("program"), call.param("event"))?;
    let file = call.param("file");
    let frame = time_of(call.param("frame"))?;
    // Frames that are counted in parts are those that they are parts of.
    let number_of = frame.trunc().clamp(0.0, 1e9) as i64;
    let zero_based = zero_based(call);
    let of = (event.id.as_str(), kept::FRAME, file);
    let known: Result<Option<Row>, StoreError> =
        context.database.read(|db| kept::last(db, of, number_of));
    if let Some(key) = known? {
        let time = if zero_based {
            "FrameTime"
        } else {
            "FramePtsTime"
        };
        let value = |key_of: &str| number(&key, key_of).unwrap_or_default();
        let behind = frame.trunc() - value("FrameNumber");
        return Ok(json!(rounded(value(time) + behind * value("DurationTime"))));
    }
    let known = usize::try_from(number_of).ok();
    let known = known.and_then(|number| board::frame(event.names(), file, number));
    match known {
        Some((time, pts)) => Ok(json!(rounded(if zero_based { time } else { pts }))),
        None => Err(ApiError::not_found(format!(
            "No key frame at or before frame '{}' of '{file}' is known",
            call.param("frame")
        ))),
    }
}
