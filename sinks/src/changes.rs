//! The log of an event as lines: every row that came or went, with its epoch. What stays equal to a
//! reader (a row whose text does not change) is no change.

use std::collections::BTreeMap;
use std::fmt::Write;

use matchcut_model::change::{ChoiceRow, ChunkRow, EpochChanges, Row};
use matchcut_model::failure::Failure;
use matchcut_model::replay::ReplayEntry;
use matchcut_model::time::MediaTime;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::exact::{Exact, input_name};
use crate::replay_document;

/// By this the lines of an epoch are sorted: kind, identity, then what goes before what comes. The
/// value stands last, as the JSON that is written.
type Key = (&'static str, MediaTime, String, String);

/// The lines of an epoch, each with its line feed.
pub(crate) fn lines(epoch: &EpochChanges, exact: &Exact<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let mut net: BTreeMap<Key, i64> = BTreeMap::new();
    for change in &epoch.changes {
        if let Some(key) = describe(&change.row, exact)? {
            *net.entry(key).or_default() += change.diff;
        }
    }
    let mut sorted: Vec<(Key, i64)> = net.into_iter().filter(|(_, diff)| *diff != 0).collect();
    sorted.sort_by(|(one, one_diff), (other, other_diff)| {
        (one.0, one.1, &one.2, one_diff, &one.3)
            .cmp(&(other.0, other.1, &other.2, other_diff, &other.3))
    });
    let mut text = String::new();
    for ((kind, _, _, value), diff) in sorted {
        let epoch = epoch.epoch;
        // Writing to a string cannot fail; kinds are plain words.
        let _ = writeln!(
            text,
            "{{\"epoch\":{epoch},\"kind\":\"{kind}\",\"diff\":{diff},\"value\":{value}}}"
        );
    }
    Ok(text.into_bytes())
}

/// Kind, identity and value of a row. A segment that a replay leaves out, and the replay as a whole,
/// are no results of their own.
fn describe(row: &Row, exact: &Exact<'_>) -> Result<Option<Key>, serde_json::Error> {
    Ok(match row {
        Row::Chunk(row) => Some((
            "chunk",
            row.extent.span.start,
            String::new(),
            chunk(row).to_string(),
        )),
        Row::Failure(row) => {
            let position = row.position.map_or(0, |position| position.0);
            let operator = row
                .operator
                .as_ref()
                .map_or("", |operator| operator.as_str());
            let time = MediaTime::from_flicks(i64::try_from(position).unwrap_or(i64::MAX));
            Some(("error", time, operator.to_owned(), failure(row).to_string()))
        }
        Row::Observation(row) => {
            let value = serde_json::to_string(&exact.observation(row))?;
            Some(("observation", row.start, row.operator.to_string(), value))
        }
        Row::Segment(row) => {
            let value = serde_json::to_string(&exact.segment(row))?;
            Some(("segment", row.start(), row.id.segmenter.to_string(), value))
        }
        Row::Choice(row) if row.chosen => {
            let segment = row
                .segment
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            let name = format!("{} {segment}", row.replay);
            Some(("replay", row.original.start, name, choice(row)?))
        }
        Row::Choice(_) | Row::Replay(_) => None,
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

/// A failure, for the log and the report.
pub(crate) fn failure(row: &Failure) -> Json {
    json!({
        "position": row.position,
        "input": input_name(&row.input),
        "operator": row.operator,
        "message": row.message,
        "domain": row.domain,
        "retry": row.retry,
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
