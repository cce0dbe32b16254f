//! What replays have chosen: as an engine of a client has told it, else as the event itself has chosen.

use std::fs;
use std::io;

use matchcut_operators::board::millis;
use serde_json::{Value, json};

use super::super::{event_names, no_event, object, text};
use super::results::body;
use super::rows::{Event, number, span};
use super::segments_of;
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, get, post};
use crate::errors::ApiError;
use crate::mre::data_schemas::body_of;
use crate::store::{Row, StoreError, events, kept, replays};

/// Segments of a page.
const PAGE: usize = 100;

/// The routes.
pub fn routes() -> Routes {
    let cards = "/event/{event}/program/{program}/profileClassifier/{classifier}/track/{track}/replay/{id}/segments";
    Routes::new()
        .route(
            "/event/{event}/program/{program}/replay/{id}/segments",
            get(of_replay),
        )
        .route(
            "/replay/result",
            post(store).takes(|| body_of(|all| &all.replay)),
        )
        .route(cards, get(cards_of))
        .route(&format!("{cards}/v2"), get(page_of))
}

/// The segments of a replay, as MRE's exports have them. There are none before the event is over.
fn of_replay(call: &Call, context: &Context) -> Answer {
    chosen(call, context).map(Value::Array)
}

fn chosen(call: &Call, context: &Context) -> Result<Vec<Value>, ApiError> {
    let (program, name) = event_names(call)?;
    let id = call.param("id");
    let (event, replay, told) = context.database.read(|db| {
        let event = events::get(db, program, name)?;
        let event = event.ok_or_else(|| no_event(program, name))?;
        let of = (text(&event, "Id"), kept::REPLAY, id);
        let told = kept::get(db, of, 0)?;
        let found: Result<_, ApiError> = Ok((event, replays::get(db, (program, name, id))?, told));
        found
    })?;
    if let Some(mut told) = told {
        return Ok(match told.remove("ReplayResults") {
            Some(Value::Array(results)) => results,
            _ => Vec::new(),
        });
    }
    if replay.is_none() {
        return Err(ApiError::not_found(format!("Replay '{id}' not found")));
    }
    let dir = context.runs.dir(text(&event, "Id"));
    // The id is one that was made here.
    let path = dir.join("exports").join(format!("replay_{id}.json"));
    let mut document: Value = match fs::read(path) {
        Ok(document) => serde_json::from_slice(&document).map_err(|_| ApiError::internal())?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            tracing::error!(%error, "a replay cannot be read");
            return Err(ApiError::internal());
        }
    };
    match document["Segments"].take() {
        Value::Array(segments) => Ok(segments),
        _ => Ok(Vec::new()),
    }
}

/// Keeps what an engine of a client has chosen; what is older than what is kept is refused, but for feedback.
fn store(call: &Call, context: &Context) -> Answer {
    let body = body(call, "Unable to store the result of the Replay Engine")?;
    context.schemas.data.replay.check(&body)?;
    let body = object(body)?;
    let event = Event::of(context, text(&body, "Program"), text(&body, "Event"))?;
    let of = (event.id.as_str(), kept::REPLAY, text(&body, "ReplayId"));
    let by_feedback = body.get("HasFeedback").and_then(Value::as_bool) == Some(true);
    let last = |row: &Row| number(row, "LastSegmentStartTime").unwrap_or_default();
    let kept: Result<bool, StoreError> = context.database.write(|db| {
        let before = kept::get(db, of, 0)?;
        let newer = before.is_none_or(|before| last(&before) <= last(&body));
        if newer || by_feedback {
            kept::put(db, of, 0, &body)?;
        }
        Ok(newer || by_feedback)
    });
    Ok(Value::Bool(kept?))
}

fn cards(call: &Call, context: &Context) -> Result<Vec<Value>, ApiError> {
    let chosen = chosen(call, context)?;
    let starts: Vec<i64> = chosen
        .iter()
        .filter_map(Value::as_object)
        .map(|row| millis(span(row).0))
        .collect();
    let track = call.param("track");
    let segments = segments_of(call, context)?;
    let mine = segments.iter().filter(|segment| {
        let marks = segment.marks(track).map(|(start, _)| millis(start));
        starts.contains(&millis(segment.start)) || marks.is_some_and(|mark| starts.contains(&mark))
    });
    Ok(mine.map(|segment| segment.card(track)).collect())
}

fn cards_of(call: &Call, context: &Context) -> Answer {
    cards(call, context).map(Value::Array)
}

/// A page; its key is the number of its last item, with which the next one begins.
fn page_of(call: &Call, context: &Context) -> Answer {
    let number = |name: &str, usual: usize| match call.query(name).filter(|text| !text.is_empty()) {
        None => Ok(usual),
        Some(text) => text
            .parse()
            .map_err(|_| ApiError::bad_request(format!("{name} is not a number"))),
    };
    let limit = number("limit", PAGE)?.max(1);
    let from = number("LastEvaluatedKey", 0)?;
    let cards = cards(call, context)?;
    let end = from.saturating_add(limit);
    let last = match end < cards.len() {
        true => json!(end - 1),
        false => json!(""),
    };
    let items: Vec<&Value> = cards.iter().skip(from).take(limit).collect();
    Ok(json!({ "LastEvaluatedKey": last, "Items": items }))
}
