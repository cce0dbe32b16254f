//! What replays show after an epoch: whole, because whoever plays a replay wants all of it. A replay
//! is told when what it shows, or how it is scored, reads differently than before.

use std::collections::{BTreeMap, BTreeSet};

use matchcut_model::change::{Change, ChoiceRow, ReplayRow, Row};
use matchcut_model::replay::Score;
use matchcut_model::time::MediaTime;
use matchcut_model::value::Name;
use serde_json::{Value as Json, json};

use super::{Outgoing, Told, Topic};
use crate::exact::Exact;
use crate::replay_document;

pub(super) fn tell(
    net: &[Change],
    told: &Told<'_>,
    exact: &Exact<'_>,
    last: &mut BTreeMap<Name, String>,
    out: &mut Outgoing<'_>,
) -> Result<(), serde_json::Error> {
    for name in &touched(net, told) {
        let row = told.state.replays().find(|row| row.name == *name);
        let now = match row {
            Some(row) => Some(document(row, told, exact)?),
            None => None,
        };
        let text = now.as_ref().map(Json::to_string);
        if last.get(name) == text.as_ref() {
            continue;
        }
        match text {
            Some(text) => drop(last.insert(name.clone(), text)),
            None => drop(last.remove(name)),
        }
        let (kind, change) = match now {
            Some(_) => ("matchcut.replay.changed", "changed"),
            None => ("matchcut.replay.retracted", "retracted"),
        };
        let mut data = json!({ "change": change, "replay": name });
        if let (Some(Json::Object(fields)), Some(data)) = (now.clone(), data.as_object_mut()) {
            data.extend(fields);
        }
        out.push(Topic::Replays, kind, name, data);
        out.state(Topic::ReplaysState, "matchcut.replay.state", name, now);
    }
    Ok(())
}

/// The replays that may read differently: those whose rows changed, and those that show a segment of
/// which something changed.
fn touched(net: &[Change], told: &Told<'_>) -> BTreeSet<Name> {
    let mut touched = BTreeSet::new();
    let mut segments = BTreeSet::new();
    for change in net {
        match &change.row {
            Row::Replay(row) => drop(touched.insert(row.name.clone())),
            Row::Choice(row) => drop(touched.insert(row.replay.clone())),
            Row::Segment(row) => drop(segments.insert(&row.id)),
            Row::Clip(row) => drop(segments.insert(&row.segment)),
            _ => {}
        }
    }
    if !segments.is_empty() {
        for replay in told.state.replays() {
            let mut shown = told.state.chosen(&replay.name);
            let shows = shown.any(|choice| {
                let id = choice.segment.as_ref();
                id.is_some_and(|id| segments.contains(id))
            });
            if shows {
                touched.insert(replay.name.clone());
            }
        }
    }
    touched
}

/// A replay as it stands.
fn document(
    row: &ReplayRow,
    told: &Told<'_>,
    exact: &Exact<'_>,
) -> Result<Json, serde_json::Error> {
    let chosen: Vec<&ChoiceRow> = match row.processed {
        true => told.state.chosen(&row.name).collect(),
        false => Vec::new(),
    };
    let mut length = MediaTime::ZERO;
    let mut selected = Vec::with_capacity(chosen.len());
    for choice in chosen {
        length += choice.marks.duration();
        let mut entry = serde_json::to_value(replay_document::entry(choice, None))?;
        if let Some(entry) = entry.as_object_mut() {
            entry.remove("features");
            let features: Vec<String> = choice
                .features
                .iter()
                .map(|feature| replay_document::key_of(feature).to_string())
                .collect();
            entry.insert("features".into(), features.into());
            let segment = choice.segment.as_ref();
            let label = segment
                .and_then(|id| told.state.segment(id))
                .and_then(|segment| segment.label.clone());
            entry.insert("label".into(), label.into());
            let clip = segment.and_then(|id| told.state.clip(id, row.track));
            entry.insert("clip".into(), clip.map(|clip| clip.path.clone()).into());
            let flicks = [choice.marks.start.flicks(), choice.marks.end.flicks()];
            entry.insert("effective_flicks".into(), json!(flicks));
            let utc = exact.times(choice.marks.start).and_then(|times| times.utc);
            entry.insert("utc".into(), utc.into());
        }
        selected.push(entry);
    }
    Ok(json!({
        "replay": row.name,
        "track": row.track,
        "processed": row.processed,
        "total_score": Score::from_f64(row.total_score.get()).unwrap_or_default(),
        "duration": length.rounded_seconds(),
        "selected": selected,
    }))
}
