//! The log of an event as lines: every segment, choice of a replay and clip that came or went, with its
//! epoch; and beside it the log of what they follow from: chunks, gaps, observations and errors. What
//! stays equal to a reader (a row whose text does not change) is no change, and what goes is
//! told in the words in which it came.

use std::collections::BTreeMap;
use std::fmt::Write;

use matchcut_model::change::{Change, ChoiceRow, ChunkRow, ClipRow, EpochChanges, GapRow, Row};
use matchcut_model::chunk::Position;
use matchcut_model::failure::Failure;
use matchcut_model::replay::ReplayEntry;
use matchcut_model::time::MediaTime;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::exact::{Exact, input_name};
use crate::replay_document;

/// What a line speaks of: kind, when it starts, and its name. By this the lines of an epoch are sorted.
type Key = (&'static str, MediaTime, String);

/// The values of the rows that stand, as they were told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told(BTreeMap<Key, String>);

/// What an epoch was told and saw, each line with its line feed, sorted by kind, time and name, and what
/// goes before what comes.
pub(crate) fn log_lines(
    epoch: &EpochChanges,
    exact: &Exact<'_>,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut sorted = Vec::new();
    for change in epoch.consolidated() {
        if let Some((key, value)) = logged(&change.row, exact)? {
            sorted.push((key, change.diff, value));
        }
    }
    sorted.sort();
    let mut text = String::new();
    for ((kind, ..), diff, value) in sorted {
        line(&mut text, epoch, kind, diff, Some(&value));
    }
    Ok(text.into_bytes())
}

fn logged(row: &Row, exact: &Exact<'_>) -> Result<Option<(Key, String)>, serde_json::Error> {
    let at =
        |position: Position| MediaTime::from_flicks(i64::try_from(position.0).unwrap_or(i64::MAX));
    Ok(match row {
        Row::Chunk(row) => {
            let key = ("chunk", row.extent.span.start, String::new());
            Some((key, chunk(row).to_string()))
        }
        Row::Gap(row) => Some((("gap", row.span.start, String::new()), gap(row).to_string())),
        Row::Failure(row) => {
            let operator = row.operator.as_ref().map_or("", |name| name.as_str());
            let at = row.position.map(at).unwrap_or_default();
            Some((("error", at, operator.to_owned()), failure(row).to_string()))
        }
        Row::Observation(row) => {
            let value = serde_json::to_string(&exact.observation(row))?;
            Some((("observation", row.start, row.operator.to_string()), value))
        }
        Row::Segment(_) | Row::Clip(_) | Row::Choice(_) | Row::Replay(_) => None,
    })
}

fn chunk(row: &ChunkRow) -> Json {
    json!({
        "position": row.extent.position,
        "start": row.extent.span.start.rounded_seconds(),
        "end": row.extent.span.end.rounded_seconds(),
        "input": input_name(&row.uri),
        "frames": row.frames,
        "bytes": row.bytes,
    })
}

fn gap(row: &GapRow) -> Json {
    json!({
        "position": row.position,
        "start": row.span.start.rounded_seconds(),
        "end": row.span.end.rounded_seconds(),
        "reason": row.reason,
    })
}

fn failure(row: &Failure) -> Json {
    json!({
        "position": row.position,
        "input": input_name(&row.input),
        "operator": row.operator,
        "message": row.message,
        "domain": row.domain,
        "retry": row.retry,
    })
}

/// The results that an epoch changed, each line with its line feed.
pub(crate) fn lines(
    epoch: &EpochChanges,
    exact: &Exact<'_>,
    told: &mut Told,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut now: BTreeMap<Key, Option<String>> = BTreeMap::new();
    let told_here = |change: &&Change| {
        let row = &change.row;
        matches!(row, Row::Segment(_) | Row::Clip(_) | Row::Choice(_))
    };
    let own = EpochChanges {
        epoch: epoch.epoch,
        changes: epoch.changes.iter().filter(told_here).cloned().collect(),
    };
    for change in own.consolidated() {
        let Some(key) = key(&change.row) else {
            continue;
        };
        if change.diff > 0 {
            let value = value(&change.row, exact)?;
            now.insert(key, Some(value));
        } else {
            now.entry(key).or_default();
        }
    }
    let mut text = String::new();
    for (key, value) in now {
        let before = told.0.remove(&key);
        if before != value {
            line(&mut text, epoch, key.0, -1, before.as_deref());
            line(&mut text, epoch, key.0, 1, value.as_deref());
        }
        if let Some(mut value) = value {
            value.shrink_to_fit();
            told.0.insert(key, value);
        }
    }
    Ok(text.into_bytes())
}

fn line(text: &mut String, epoch: &EpochChanges, kind: &str, diff: i64, value: Option<&str>) {
    if let Some(value) = value {
        let epoch = epoch.epoch;
        // Writing to a string cannot fail; kinds are plain words.
        let _ = writeln!(
            text,
            "{{\"epoch\":{epoch},\"kind\":\"{kind}\",\"diff\":{diff},\"value\":{value}}}"
        );
    }
}

/// What a row is called in the log. A segment that a replay leaves out, and the replay as a whole, are no
/// results of their own.
fn key(row: &Row) -> Option<Key> {
    match row {
        Row::Segment(row) => Some(("segment", row.start(), row.id.segmenter.to_string())),
        Row::Clip(row) => {
            let (segment, track) = (&row.segment, row.track);
            Some((
                "clip",
                segment.start,
                format!("{} {track}", segment.segmenter),
            ))
        }
        Row::Choice(row) if row.chosen => {
            let segment = row.segment.as_ref().map(ToString::to_string);
            let name = format!(
                "{} {:06} {}",
                row.replay,
                row.order,
                segment.unwrap_or_default()
            );
            Some(("replay", row.original.start, name))
        }
        _ => None,
    }
}

fn value(row: &Row, exact: &Exact<'_>) -> Result<String, serde_json::Error> {
    match row {
        Row::Segment(row) => serde_json::to_string(&exact.segment(row)),
        Row::Clip(row) => Ok(clip(row).to_string()),
        Row::Choice(row) => choice(row),
        _ => Ok(String::new()),
    }
}

fn clip(row: &ClipRow) -> Json {
    json!({
        "operator": row.segment.segmenter,
        "start": row.segment.start.rounded_seconds(),
        "segment": row.segment.to_string(),
        "track": row.track,
        "cut": row.cut,
        "path": row.path,
        "marks": [row.marks.start.rounded_seconds(), row.marks.end.rounded_seconds()],
        "first_frame": row.first_frame,
        "end_frame": row.end_frame,
        "content": row.content.to_string(),
    })
}

fn choice(row: &ChoiceRow) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Value<'a> {
        replay: &'a str,
        #[serde(flatten)]
        entry: ReplayEntry,
    }
    let mut entry = replay_document::entry(row, None);
    // The track is the replay's; where a feature was seen stands in replay.json.
    entry.features = None;
    serde_json::to_string(&Value {
        replay: &row.replay,
        entry,
    })
}
