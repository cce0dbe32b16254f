//! What a plugin of MRE is invoked with. Equal chunks of an event have equal payloads, byte by byte.

use jiff::Timestamp;
use matchcut_model::chunk::{PlacedChunk, TrackNumber};
use matchcut_model::time::{FrameRate, MediaTime};
use serde_json::{Map, Value as Json, json};

use super::options::LambdaOptions;
use super::place::Place;

/// The payload for one chunk, or one audio track of it.
pub(in crate::hosts) fn payload(
    own: &LambdaOptions,
    placed: &PlacedChunk,
    track: Option<TrackNumber>,
    place: &Place,
) -> Json {
    let name = |given: &Option<String>| given.clone().unwrap_or_default();
    let (program, event) = (name(&own.mre_program), name(&own.mre_event));
    let plugin = own.mre_plugin.as_ref().unwrap_or(&own.function);
    let (kind, endpoint) = match &own.model_endpoint {
        Some(endpoint) => ("SyncModel", Some(endpoint)),
        None => ("Sync", None),
    };
    let described = |name: &String| (name.clone(), json!({"Description": name}));
    let outputs: Map<String, Json> = own.output_attributes.keys().map(described).collect();
    let mut about = json!({
        "Name": plugin,
        "Class": "Featurer",
        "ExecutionType": kind,
        "DependentPlugins": [],
        "Configuration": own.configuration,
        "OutputAttributes": outputs,
    });
    if let (Some(endpoint), Some(about)) = (endpoint, about.as_object_mut()) {
        about.insert("ModelEndpoint".to_owned(), json!(endpoint));
    }
    let duration = placed.span.duration();
    let size = own.chunk_size.unwrap_or_else(|| {
        let seconds = duration.as_seconds_f64().ceil();
        // Chunks are at most some minutes long.
        (seconds as u32).max(1)
    });
    let start = placed.span.start;
    let first = placed.frames.first();
    let pts = first.map_or(start - placed.offset, |frame| frame.pts.time());
    let tracks: Vec<u32> = placed.audio_tracks.iter().map(|track| track.0).collect();
    let mut payload = json!({
        "Event": {
            "Name": event,
            "Program": program,
            "Start": own.event_start.clone().unwrap_or_else(|| start_of(placed)),
            "TimecodeSource": own.timecode_source,
            "GenerateOrigClips": true,
            "GenerateOptoClips": true,
            "GenerateOrigThumbNails": true,
            "GenerateOptoThumbNails": true,
            "AudioTracks": tracks,
        },
        "Input": {
            "ExecutionId": execution(&program, &event, placed),
            "Media": {"S3Bucket": place.object.bucket, "S3Key": place.object.key},
            "Metadata": {
                "HLSSegment": {
                    "StartTime": start.rounded_seconds(),
                    "StartTimeUtc": clock(start),
                    "StartPtsTime": pts.rounded_seconds(),
                    "StartPtsTimeUtc": clock(pts),
                    "Duration": duration.rounded_seconds(),
                    "FrameRate": frame_rate(placed),
                },
            },
        },
        "Plugin": about,
        "Profile": {
            "Name": name(&own.mre_profile),
            "ChunkSize": size,
            "MaxSegmentLengthSeconds": own.max_segment.as_seconds_f64().round() as i64,
            "ProcessingFrameRate": own.processing_frame_rate,
            "Classifier": {
                "Name": own.mre_classifier,
                "Configuration": {},
                "DependentPlugins": [],
            },
            "Featurers": [{
                "Name": plugin,
                "Configuration": own.configuration,
                "DependentPlugins": [],
            }],
        },
    });
    if let (Some(track), Some(payload)) = (track, payload.as_object_mut()) {
        payload.insert("TrackNumber".to_owned(), json!(track.0));
    }
    payload
}

/// Start of the clock of the stream that a chunk has, in seconds as the payload tells it.
pub(in crate::hosts) fn stream_start(payload: &Json) -> Option<f64> {
    payload
        .pointer("/Input/Metadata/HLSSegment/StartPtsTime")?
        .as_f64()
}

/// Frames a second as MRE has them, a whole number: that of the stream, or how many there are.
fn frame_rate(placed: &PlacedChunk) -> u32 {
    let counted = || {
        let seconds = placed.span.duration().as_seconds_f64();
        let frames = placed.frames.len() as f64;
        // A chunk without pictures has none.
        if seconds > 0.0 {
            (frames / seconds).round() as u32
        } else {
            0
        }
    };
    placed.frame_rate.map_or_else(counted, FrameRate::nominal)
}

/// MRE writes seconds as a time of day, beginning anew after 24 h.
fn clock(time: MediaTime) -> String {
    let millis = time.to_millis().rem_euclid(86_400_000);
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{millis:03}", seconds % 60)
}

/// When the event began, as far as the stream tells.
fn start_of(placed: &PlacedChunk) -> String {
    let began = placed.utc.and_then(|utc| {
        let since = placed.span.start.to_ticks(1_000_000);
        Timestamp::from_microsecond(utc.checked_sub(since)?).ok()
    });
    let began = began.unwrap_or(Timestamp::UNIX_EPOCH);
    began.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// An identity of the form that MRE gives, made of what the chunk is.
fn execution(program: &str, event: &str, placed: &PlacedChunk) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [program.as_bytes(), event.as_bytes()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.update(&placed.chunk.position.0.to_le_bytes());
    hasher.update(&placed.content.0.to_le_bytes());
    let hex = hasher.finalize().to_hex();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    format!(
        "{}-{}-4{}-8{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 15),
        part(15, 18),
        part(18, 30)
    )
}
