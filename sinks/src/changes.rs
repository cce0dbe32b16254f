//! The log of an event as lines: every segment, choice of a replay and clip that came or went, with its
//! epoch. What stays equal to a reader (a row whose text does not change) is no change, and what goes is
//! told in the words in which it came.

use std::collections::BTreeMap;
use std::fmt::Write;

use matchcut_model::change::{ChoiceRow, ClipRow, EpochChanges, Row};
use matchcut_model::replay::ReplayEntry;
use matchcut_model::time::MediaTime;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::exact::Exact;
use crate::replay_document;

/// What a line speaks of: kind, when it starts, and its name. By this the lines of an epoch are sorted.
type Key = (&'static str, MediaTime, String);

/// The values of the rows that stand, as they were told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told(BTreeMap<Key, String>);

/// The lines of an epoch, each with its line feed.
pub(crate) fn lines(
    epoch: &EpochChanges,
    exact: &Exact<'_>,
    told: &mut Told,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut now: BTreeMap<Key, Option<String>> = BTreeMap::new();
    for change in epoch.consolidated() {
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
        if let Some(value) = value {
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
