//! MRE's data plane: the segments of events that the service has run, or runs, here; what plugins say and ask for, media,
//! chunks, clips and features in the files beside this one. Files are named by addresses that expire.

mod clips;
mod features;
mod media;
mod metadata;
mod replays;
mod results;
mod rows;
mod workflow;

use serde_json::{Value, json};

use super::to_spec::operator_name;
use super::{FRAMEWORK_VERSION, event_names, no_event, rounded, text};
use crate::api;
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, get};
use crate::errors::ApiError;
use crate::runs::RunsError;
use crate::store::events;

pub use rows::Event;

/// Segments of a page.
const PAGE: usize = 100;

/// How long the address of a clip is good, in seconds.
const CLIP: u64 = 24 * 60 * 60;

/// What a card says that has no label.
const NO_LABEL: &str = "<no label plugin configured>";

/// The routes.
pub fn routes() -> Routes {
    let path =
        "/event/{event}/program/{program}/profileClassifier/{classifier}/track/{track}/segments";
    Routes::new()
        .route("/version", get(version))
        .route(path, get(cards))
        .route(&format!("{path}/v2"), get(page))
        .route(&format!("{path}/for/edl"), get(for_edl))
        .route(
            "/segments/all/program/{program}/event/{event}/classifier/{classifier}/replay",
            get(for_replay),
        )
        .merge(clips::routes())
        .merge(features::routes())
        .merge(media::routes())
        .merge(metadata::routes())
        .merge(replays::routes())
        .merge(results::routes())
        .merge(workflow::routes())
}

fn version(_: &Call, _: &Context) -> Answer {
    Ok(json!({ "api_version": FRAMEWORK_VERSION }))
}

/// A segment that has an end.
struct Segment {
    /// As the event tells it.
    row: Value,
    start: f64,
    end: f64,
    /// The clips of its tracks, as addresses.
    clips: Vec<(String, String)>,
}

impl Segment {
    fn marks(&self, track: &str) -> Option<(f64, f64)> {
        let marks = self.row.get("opto")?.get(track)?;
        Some((marks.get(0)?.as_f64()?, marks.get(1)?.as_f64()?))
    }

    /// The clip of a track.
    fn clip(&self, track: &str) -> String {
        let mut clips = self.clips.iter();
        let mine = clips.find(|(own, _)| own == track);
        mine.map_or_else(String::new, |(_, address)| address.clone())
    }

    /// Clips are cut by optimized marks where there are such.
    fn clips(&self, track: &str) -> (String, String) {
        match self.marks(track) {
            Some(_) => (String::new(), self.clip(track)),
            None => (self.clip(track), String::new()),
        }
    }

    fn tracks(&self) -> impl Iterator<Item = &String> {
        let opto = self.row.get("opto").and_then(Value::as_object);
        opto.into_iter().flatten().map(|(track, _)| track)
    }

    fn card(&self, track: &str) -> Value {
        let length = |(start, end): (f64, f64)| rounded(end - start);
        let (original, optimized) = self.clips(track);
        let label = self.row.get("label").and_then(Value::as_str);
        let lengths = self.tracks().filter_map(|track| {
            let marks = self.marks(track)?;
            Some(json!({ track: length(marks) }))
        });
        let lengths: Vec<Value> = lengths.collect();
        let opto = self.marks(track);
        let code = match opto {
            Some(_) => "Opto succeeded",
            None => "Not Attempted",
        };
        json!({
            "OriginalClipLocation": original,
            "OriginalThumbnailLocation": "",
            "OptimizedClipLocation": optimized,
            "OptimizedThumbnailLocation": "",
            "StartTime": self.start,
            "Label": label.filter(|label| !label.is_empty()).unwrap_or(NO_LABEL),
            "FeatureCount": "TBD",
            "OrigLength": length((self.start, self.end)),
            "OptoLength": opto.map_or(0.0, length),
            "OptimizedDurationPerTrack": lengths,
            "OptoStartCode": code,
            "OptoEndCode": code,
        })
    }

    /// The optimized marks of all tracks: mark-ins, or mark-outs.
    fn all_marks(&self, of: impl Fn((f64, f64)) -> f64) -> Value {
        self.tracks()
            .filter_map(|track| Some((track.clone(), json!(of(self.marks(track)?)))))
            .collect()
    }
}

/// The track that a clip is of, as MRE writes it.
fn track_of(clip: &Value) -> String {
    clip.get("track").map_or_else(String::new, Value::to_string)
}

/// The complete segments of a classifier, by time.
fn segments_of(call: &Call, context: &Context) -> Result<Vec<Segment>, ApiError> {
    let (program, name) = event_names(call)?;
    let event = context.database.read(|db| events::get(db, program, name))?;
    let event = event.ok_or_else(|| no_event(program, name))?;
    let id = text(&event, "Id");
    let rows = match context.runs.get(id) {
        Ok(run) => api::segments_of(&context.runs, &run),
        // Nothing has run it yet.
        Err(RunsError::Unknown(_)) => return Ok(Vec::new()),
        Err(error) => Err(error.into()),
    };
    let rows = rows.map_err(|_| ApiError::internal())?;
    let classifier = operator_name(call.param("classifier"));
    let expires = api::lasting(CLIP);
    let address = |clip: &Value| {
        let path = clip.get("path")?.as_str()?;
        let path = format!("{}/events/{id}/files/{path}", api::ROOT);
        let signed = context.addresses.sign(&path, expires);
        Some((track_of(clip), format!("{}{signed}", call.base)))
    };
    let mine = rows.iter().filter_map(|row| {
        let of_it = row.get("operator").and_then(Value::as_str) == Some(&classifier);
        let (start, end) = (row.get("start")?.as_f64()?, row.get("end")?.as_f64()?);
        let clips = row.get("clips").and_then(Value::as_array);
        let clips = clips.into_iter().flatten().filter_map(address).collect();
        of_it.then_some(Segment {
            row: row.clone(),
            start,
            end,
            clips,
        })
    });
    Ok(mine.collect())
}

/// The newest first.
fn newest_first(call: &Call, context: &Context) -> Result<Vec<Segment>, ApiError> {
    let mut segments = segments_of(call, context)?;
    segments.reverse();
    Ok(segments)
}

fn cards(call: &Call, context: &Context) -> Answer {
    let segments = newest_first(call, context)?;
    let track = call.param("track");
    let cards: Vec<Value> = segments.iter().map(|segment| segment.card(track)).collect();
    Ok(json!({ "Segments": cards }))
}

fn page(call: &Call, context: &Context) -> Answer {
    let limit = match call.query("limit").map(str::parse) {
        None => PAGE,
        Some(Ok(limit)) if limit > 0 => limit,
        Some(_) => return Err(ApiError::bad_request("limit is not a number of segments")),
    };
    let wrong = || ApiError::bad_request("LastEvaluatedKey is not one of this list");
    let before = match call.query("LastEvaluatedKey").filter(|key| !key.is_empty()) {
        None => None,
        Some(key) => {
            let key: Value = serde_json::from_str(key).map_err(|_| wrong())?;
            Some(key.get("Start").and_then(Value::as_f64).ok_or_else(wrong)?)
        }
    };
    let mut segments = newest_first(call, context)?;
    segments.retain(|segment| before.is_none_or(|before| segment.start < before));
    let last = match segments.len() > limit {
        true => segments
            .get(limit - 1)
            .map(|segment| json!({ "Start": segment.start })),
        false => None,
    };
    let track = call.param("track");
    let cards: Vec<Value> = segments
        .iter()
        .take(limit)
        .map(|segment| segment.card(track))
        .collect();
    Ok(json!({
        "LastEvaluatedKey": last.unwrap_or_else(|| json!("")),
        "Items": { "Segments": cards },
    }))
}

fn for_edl(call: &Call, context: &Context) -> Answer {
    let track = call.param("track");
    let segments = segments_of(call, context)?;
    let one = |segment: &Segment| {
        let mut row = json!({ "Start": segment.start, "End": segment.end });
        if let Some((start, end)) = segment.marks(track) {
            row["OptoStart"] = json!(start);
            row["OptoEnd"] = json!(end);
        }
        row
    };
    Ok(segments.iter().map(one).collect())
}

fn for_replay(call: &Call, context: &Context) -> Answer {
    let segments = segments_of(call, context)?;
    let one = |segment: &Segment| {
        let tracks = || segment.clips.iter().map(|(track, _)| track);
        let location = |of: fn((String, String)) -> String| -> Value {
            let all = tracks().map(|track| (track, of(segment.clips(track))));
            let there = all.filter(|(_, path)| !path.is_empty());
            there
                .map(|(track, path)| (track.clone(), json!(path)))
                .collect()
        };
        json!({
            "Start": segment.start,
            "End": segment.end,
            "OptoStart": segment.all_marks(|(start, _)| start),
            "OptoEnd": segment.all_marks(|(_, end)| end),
            "OriginalClipLocation": location(|(original, _)| original),
            "OptimizedClipLocation": location(|(_, optimized)| optimized),
            "PluginClass": "Classifier",
        })
    };
    Ok(segments.iter().map(one).collect())
}
