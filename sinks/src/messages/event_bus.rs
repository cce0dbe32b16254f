//! Notifications with the states and payloads of MRE's event bus, for consumers that were written for
//! it. A state is told after what it speaks of is committed, and once.

use std::collections::BTreeMap;

use matchcut_model::change::ReplayRow;
use matchcut_model::failure::Failure;
use matchcut_model::lines::ClipEntry;
use matchcut_model::replay::{Feedback, Side, Verdict};
use matchcut_model::segment::{Segment, SegmentId};
use matchcut_model::value::Name;
use serde_json::{Map, Value as Json, json};

use crate::exact::input_name;
use crate::info::{EventInfo, ReplayMedia};

pub(super) fn event(info: &EventInfo) -> Json {
    json!({ "Name": info.event, "Program": info.program })
}

pub(super) fn failed(info: &EventInfo, failure: &Failure) -> Json {
    json!({
        "Payload": {
            "Event": event(info),
            "Input": input_name(&failure.input),
            "PluginName": failure.operator,
            "Error": failure.message,
        },
    })
}

/// The states that a segment is told with.
pub(super) fn of_segment(
    info: &EventInfo,
    words: &[&str],
    segment: &Segment,
) -> Vec<(&'static str, Json)> {
    let row = || json!({ "Segment": row(info, segment) });
    let mut states = Vec::new();
    for word in words {
        match *word {
            "partial" => states.push(("SEGMENT_START", row())),
            "complete" => states.push(("SEGMENT_END", row())),
            "optimized" => states.push(("OPTIMIZED_SEGMENT_END", row())),
            _ => {}
        }
    }
    states
}

/// A replay is wanted.
pub(super) fn asked(info: &EventInfo, replay: &Name) -> Json {
    json!({ "Event": { "Name": info.event, "Program": info.program, "ReplayId": replay } })
}

/// The state that tells what a viewer said of a clip.
pub(super) fn of_feedback(
    info: &EventInfo,
    feedback: &Feedback,
    segment: &Segment,
) -> (&'static str, Json) {
    let verdict = match feedback.verdict {
        Verdict::Like => "Like",
        Verdict::Dislike => "Dislike",
        Verdict::None => "-",
    };
    let (state, field) = match feedback.side {
        Side::Original => ("SEGMENT_CLIP_FEEDBACK", "OriginalFeedback"),
        Side::Optimized => ("OPTIMIZED_SEGMENT_CLIP_FEEDBACK", "OptimizedFeedback"),
    };
    let mut row = row(info, segment);
    if let Json::Object(row) = &mut row {
        row.insert("AudioTrack".into(), feedback.track.0.into());
        row.insert(field.into(), json!({ "Feedback": verdict }));
    }
    (
        state,
        json!({ "Segment": row, "EventSource": "ClipFeedback" }),
    )
}

/// A segment as MRE keeps it; times are seconds.
fn row(info: &EventInfo, segment: &Segment) -> Json {
    let by_track = |start: bool| -> BTreeMap<String, f64> {
        let marks = segment.opto.iter();
        marks
            .map(|(track, marks)| {
                let at = if start { marks.start } else { marks.end };
                (track.0.to_string(), at.rounded_seconds())
            })
            .collect()
    };
    let code = match segment.opto.is_empty() {
        true => "Not Attempted",
        false => "Opto succeeded",
    };
    let mut row = Map::new();
    for (name, value) in &segment.attributes {
        row.insert(name.to_string(), json!(value));
    }
    let fields = json!({
        "Program": info.program,
        "Event": info.event,
        "ProfileName": info.profile.name,
        "Classifier": segment.id.segmenter,
        "PluginName": segment.id.segmenter,
        "PluginClass": "Classifier",
        "Start": segment.start().rounded_seconds(),
        "OptoStart": by_track(true),
        "OptoEnd": by_track(false),
        "OptoStartCode": code,
        "OptoEndCode": code,
        "Label": segment.label.clone().unwrap_or_default(),
        "LabelCode": if segment.label.is_some() { "Succeeded" } else { "Not Attempted" },
    });
    if let Json::Object(fields) = fields {
        row.extend(fields);
    }
    if let Some(end) = segment.end {
        row.insert("End".into(), end.rounded_seconds().into());
    }
    Json::Object(row)
}

pub(super) fn clips(
    info: &EventInfo,
    segment: &SegmentId,
    made: &[ClipEntry],
    thumbnail: Option<&str>,
) -> Json {
    let places: BTreeMap<String, &str> = made
        .iter()
        .map(|clip| (clip.track.to_string(), clip.path.as_str()))
        .collect();
    json!({
        "Event": {
            "EventInfo": { "EventName": info.event, "ProgramName": info.program },
            "EventType": "EVENT_CLIP_GEN",
        },
        "SegmentClipDetail": {
            "Classifier": segment.segmenter,
            "Start": segment.start.rounded_seconds(),
            "ClipLocation": places,
            "ThumbnailLocation": thumbnail,
        },
    })
}

pub(super) fn replay(info: &EventInfo, row: &ReplayRow, media: &ReplayMedia) -> Json {
    json!({
        "Event": {
            "Event": event(info),
            "ReplayRequest": { "Event": info.event, "Program": info.program, "ReplayId": row.name },
        },
        "Mp4Location": media.mp4,
        "HlsLocation": media.hls,
    })
}
