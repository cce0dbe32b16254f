//! Results of plugins as MRE's rows: what operators of matchcut said of an event that runs or has run, and what clients
//! have kept beside that, put together by their starts.

use std::collections::BTreeMap;

use matchcut_operators::board::{self, millis};
use serde_json::{Value, json};

use super::super::pipeline::{SLOTS, dependents};
use super::super::to_spec::operator_name;
use super::super::{no_event, rounded, text};
use crate::api;
use crate::context::Context;
use crate::errors::ApiError;
use crate::runs::RunsError;
use crate::store::named::{self, PROFILE};
use crate::store::runs::Run;
use crate::store::{Row, StoreError, events, kept};
use crate::validation::text_between;

/// Between the parts of a name.
pub const AND: char = '\u{1f}';

/// What a row says that nobody has worked on.
pub const NOT_ATTEMPTED: &str = "Not Attempted";

/// An event that there is.
pub struct Event {
    pub id: String,
    pub program: String,
    pub name: String,
    pub profile: String,
}

impl Event {
    /// That of a program and a name.
    pub fn of(context: &Context, program: &str, name: &str) -> Result<Event, ApiError> {
        text_between(name, 3, 150)?;
        text_between(program, 3, 150)?;
        let found = context.database.read(|db| events::get(db, program, name))?;
        let row = found.ok_or_else(|| no_event(program, name))?;
        Ok(Event {
            id: text(&row, "Id").to_owned(),
            program: program.to_owned(),
            name: name.to_owned(),
            profile: text(&row, "Profile").to_owned(),
        })
    }

    /// By what programs outside know its desk.
    pub fn names(&self) -> board::Names<'_> {
        (&self.program, &self.name)
    }

    /// Its run; none where nothing has run it yet.
    pub fn run(&self, context: &Context) -> Result<Option<Run>, ApiError> {
        match context.runs.get(&self.id) {
            Ok(run) => Ok(Some(run)),
            Err(RunsError::Unknown(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What MRE calls the partition of a plugin and a track.
    pub fn key(&self, plugin: &str, track: Option<&str>) -> String {
        let key = format!("{}#{}#{plugin}", self.program, self.name);
        track.map_or(key.clone(), |track| format!("{key}#{track}"))
    }
}

/// Which tracks are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On<'a> {
    /// What is of no track, and of the first.
    First,
    /// What is of no track, and of this.
    Track(&'a str),
    /// All.
    Any,
}

impl On<'_> {
    fn has(self, track: &str) -> bool {
        track.is_empty()
            || match self {
                On::First => track == "1",
                On::Track(own) => track == own,
                On::Any => true,
            }
    }
}

/// The name under which results are kept.
pub fn name(plugin: &str, track: Option<&str>) -> String {
    format!("{plugin}{AND}{}", track.unwrap_or_default())
}

/// A number of a row.
pub fn number(row: &Row, key: &str) -> Option<f64> {
    row.get(key).and_then(Value::as_f64)
}

/// Start and end of a row.
pub fn span(row: &Row) -> (f64, f64) {
    let start = number(row, "Start").unwrap_or_default();
    (start, number(row, "End").unwrap_or(start))
}

/// Whether a segment has an end.
pub fn is_complete(row: &Row) -> bool {
    let (start, end) = span(row);
    millis(start) != millis(end)
}

/// A chunk of the timeline.
#[derive(Clone, Debug)]
pub struct Piece {
    pub number: u64,
    pub start: f64,
    pub end: f64,
}

/// What is said of an event.
pub struct Said<'a> {
    context: &'a Context,
    event: &'a Event,
    run: Option<Run>,
    operators: toml::Table,
    pieces: Vec<Piece>,
    /// By operator.
    observations: BTreeMap<String, Vec<Value>>,
    segments: BTreeMap<String, Vec<Value>>,
}

impl<'a> Said<'a> {
    /// Reads it.
    pub fn read(context: &'a Context, event: &'a Event) -> Result<Said<'a>, ApiError> {
        let run = event.run(context)?;
        let mut said = Said {
            context,
            event,
            operators: toml::Table::new(),
            pieces: Vec::new(),
            observations: BTreeMap::new(),
            segments: BTreeMap::new(),
            run: None,
        };
        let Some(run) = run else {
            return Ok(said);
        };
        let spec: toml::Table = run.spec.parse().unwrap_or_default();
        if let Some(operators) = spec.get("operators").and_then(|part| part.as_table()) {
            said.operators.clone_from(operators);
        }
        let standing = |kind: &str| {
            let rows = api::standing(&context.runs, &run, kind);
            rows.map_err(|_| ApiError::internal())
        };
        for chunk in standing("chunk")?.iter() {
            let number = |key: &str| chunk.get(key).and_then(Value::as_f64);
            let position = chunk.get("position").and_then(Value::as_u64);
            if let (Some(position), Some(start), Some(end)) =
                (position, number("start"), number("end"))
            {
                let number = position.saturating_add(1);
                said.pieces.push(Piece { number, start, end });
            }
        }
        for observation in standing("observation")?.iter() {
            push(&mut said.observations, observation.clone());
        }
        let segments = api::segments_of(&context.runs, &run).map_err(|_| ApiError::internal())?;
        for segment in segments.iter() {
            push(&mut said.segments, segment.clone());
        }
        said.run = Some(run);
        Ok(said)
    }

    /// The chunks, by time.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The number of the chunk that a time is in.
    fn chunk(&self, at: f64) -> u64 {
        let after = self.pieces.partition_point(|piece| piece.start <= at);
        let piece = self.pieces.get(after.saturating_sub(1));
        piece.map_or(0, |piece| piece.number)
    }

    /// Whether matchcut itself marks the segments of a plugin.
    fn marks(&self, plugin: &str) -> bool {
        self.run.is_some() && self.operators.contains_key(&operator_name(plugin))
    }

    /// The rows of a plugin, by time.
    pub fn rows(&self, plugin: &str, on: On<'_>) -> Result<Vec<Row>, ApiError> {
        let operator = operator_name(plugin);
        let mut rows = Vec::new();
        for observation in self.observations.get(&operator).into_iter().flatten() {
            let row = self.observation(plugin, observation);
            if on.has(text(&row, "AudioTrack")) {
                rows.push(row);
            }
        }
        for segment in self.segments.get(&operator).into_iter().flatten() {
            rows.push(self.segment(plugin, segment));
        }
        let segmenter = self.segments.contains_key(&operator);
        let whole = segmenter && self.marks(plugin);
        let mut by_start: BTreeMap<i64, usize> = BTreeMap::new();
        for (index, row) in rows.iter().enumerate() {
            by_start.entry(millis(span(row).0)).or_insert(index);
        }
        for (place, row) in self.kept(plugin, on)? {
            match by_start.get(&place).and_then(|index| rows.get_mut(*index)) {
                Some(told) => beside(told, row),
                // What is marked here and no more was taken back.
                None if whole => {}
                None => rows.push(row),
            }
        }
        rows.sort_by(|a, b| span(a).0.total_cmp(&span(b).0));
        Ok(rows)
    }

    fn kept(&self, plugin: &str, on: On<'_>) -> Result<Vec<(i64, Row)>, ApiError> {
        let prefix = format!("{plugin}{AND}");
        let all: Result<Vec<(String, Row)>, StoreError> = self
            .context
            .database
            .read(|db| kept::of_kind(db, &self.event.id, kept::RESULT));
        let mine = all?.into_iter().filter_map(|(name, row)| {
            let track = name.strip_prefix(&prefix)?;
            on.has(track).then(|| (millis(span(&row).0), row))
        });
        Ok(mine.collect())
    }

    /// The rows of all plugins that are known of the event.
    pub fn all(&self) -> Result<Vec<Row>, ApiError> {
        let mut plugins: BTreeMap<String, String> = self
            .observations
            .keys()
            .chain(self.segments.keys())
            .map(|operator| (operator.clone(), operator.clone()))
            .collect();
        let profile = &self.event.profile;
        let (profile, kept) = self.context.database.read(|db| {
            let kept = kept::of_kind(db, &self.event.id, kept::RESULT)?;
            let found: Result<_, StoreError> = Ok((named::get(db, PROFILE, profile)?, kept));
            found
        })?;
        for (name, _) in &kept {
            let plugin = name.split(AND).next().unwrap_or_default();
            plugins.insert(operator_name(plugin), plugin.to_owned());
        }
        for name in profile.iter().flat_map(names_of) {
            let operator = operator_name(&name);
            if let Some(plugin) = plugins.get_mut(&operator) {
                *plugin = name;
            }
        }
        let mut rows = Vec::new();
        for plugin in plugins.values() {
            rows.extend(self.rows(plugin, On::Any)?);
        }
        rows.sort_by(|a, b| span(a).0.total_cmp(&span(b).0));
        Ok(rows)
    }

    fn common(&self, plugin: &str, class: &str, start: f64, track: Option<&str>) -> Row {
        let event = self.event;
        let row = json!({
            "PK": event.key(plugin, track),
            "ProgramEvent": format!("{}#{}", event.program, event.name),
            "ProgramEventPluginName": event.key(plugin, None),
            "Program": event.program,
            "Event": event.name,
            "ProfileName": event.profile,
            "PluginName": plugin,
            "PluginClass": class,
            "ChunkNumber": self.chunk(start),
        });
        match row {
            Value::Object(row) => row,
            _ => Row::new(),
        }
    }

    fn observation(&self, plugin: &str, told: &Value) -> Row {
        let number = |key: &str| told.get(key).and_then(Value::as_f64);
        let start = rounded(number("start").unwrap_or_default());
        let end = rounded(number("end").unwrap_or(start));
        let track = told.get("track").and_then(Value::as_u64);
        let track = track.map(|track| track.to_string());
        let mut row = Row::new();
        if let Some(attributes) = told.get("attributes").and_then(Value::as_object) {
            row.extend(attributes.clone());
        }
        row.extend(self.common(plugin, "Featurer", start, track.as_deref()));
        row.insert("Start".to_owned(), json!(start));
        row.insert("End".to_owned(), json!(end));
        if let Some(track) = track {
            row.insert("AudioTrack".to_owned(), json!(track));
        }
        row
    }

    fn segment(&self, plugin: &str, told: &Value) -> Row {
        let number = |key: &str| told.get(key).and_then(Value::as_f64);
        let start = rounded(number("start").unwrap_or_default());
        let end = number("end").map(rounded);
        let mut row = Row::new();
        if let Some(attributes) = told.get("attributes").and_then(Value::as_object) {
            row.extend(attributes.clone());
        }
        let common = self.common(plugin, "Classifier", end.unwrap_or(start), None);
        let chunk = common.get("ChunkNumber").cloned();
        row.extend(common);
        let (mut starts, mut ends) = (Row::new(), Row::new());
        let marks = told.get("opto").and_then(Value::as_object);
        for (track, marks) in marks.into_iter().flatten() {
            let at = |index: usize| marks.get(index).and_then(Value::as_f64).map(rounded);
            if let (Some(start), Some(end)) = (at(0), at(1)) {
                starts.insert(track.clone(), json!(start));
                ends.insert(track.clone(), json!(end));
            }
        }
        let label = told.get("label").and_then(Value::as_str);
        let code = |done: bool, told: &str| match done {
            true => told.to_owned(),
            false => NOT_ATTEMPTED.to_owned(),
        };
        let optimized = !starts.is_empty();
        let more = json!({
            "Start": start,
            "End": end.unwrap_or(start),
            "OptoStart": starts,
            "OptoEnd": ends,
            "OriginalClipStatus": {},
            "OriginalClipLocation": {},
            "OptimizedClipStatus": {},
            "OptimizedClipLocation": {},
            "Label": label.unwrap_or_default(),
        });
        if let Value::Object(more) = more {
            row.extend(more);
        }
        for (key, done, told) in [
            ("OptoStartCode", optimized, "Opto succeeded"),
            ("OptoEndCode", optimized, "Opto succeeded"),
            ("LabelCode", label.is_some(), "Success"),
        ] {
            row.entry(key).or_insert_with(|| json!(code(done, told)));
        }
        if let (Some(chunk), true, false) = (chunk, end.is_some(), optimized) {
            row.insert("NonOptoChunkNumber".to_owned(), chunk);
        }
        row
    }
}

/// What was kept beside a row: its own values stand where clients have changed none, and tracks are put together.
fn beside(told: &mut Row, kept: Row) {
    for (key, value) in kept {
        match (told.get_mut(&key), value) {
            (Some(Value::Object(told)), Value::Object(more)) => told.extend(more),
            (Some(_), _) if key == "Start" || key == "End" => {}
            (Some(told), Value::String(code)) if code == NOT_ATTEMPTED && told.is_string() => {}
            (Some(told), Value::String(none)) if none.is_empty() && told.is_string() => {}
            (_, value) => {
                told.insert(key, value);
            }
        }
    }
}

fn push(rows: &mut BTreeMap<String, Vec<Value>>, row: Value) {
    let operator = row.get("operator").and_then(Value::as_str);
    let operator = operator.unwrap_or_default().to_owned();
    rows.entry(operator).or_default().push(row);
}

/// The plugins that a profile names.
fn names_of(profile: &Row) -> Vec<String> {
    let single = SLOTS.into_iter().filter_map(|slot| profile.get(slot));
    let featurers = profile.get("Featurers").and_then(Value::as_array);
    let all = single
        .chain(featurers.into_iter().flatten())
        .filter_map(Value::as_object);
    all.flat_map(|plugin| std::iter::once(plugin).chain(dependents(plugin)))
        .map(|plugin| text(plugin, "Name").to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_stands_beside_what_is_told() {
        let row = |value: Value| value.as_object().unwrap().clone();
        let mut told = row(json!({
            "Start": 1.0, "End": 2.0, "OptoStart": { "1": 0.5 }, "LabelCode": "Success", "Label": "a",
        }));
        beside(
            &mut told,
            row(json!({
                "Start": 1.0, "End": 1.0, "OptoStart": { "2": 0.7 }, "LabelCode": NOT_ATTEMPTED, "Label": "",
                "Winner": true,
            })),
        );
        assert_eq!(
            Value::Object(told),
            json!({
                "Start": 1.0, "End": 2.0, "OptoStart": { "1": 0.5, "2": 0.7 }, "LabelCode": "Success",
                "Label": "a", "Winner": true,
            })
        );
        assert!(On::First.has("") && On::First.has("1") && !On::First.has("2"));
        assert!(On::Track("2").has("2") && !On::Track("2").has("1") && On::Any.has("7"));
    }
}
