//! What a plugin that decides in order needs of what was before: what the plugins that it reads have said, and the
//! segments that it has marked, or that wait for it. It goes from chunk to chunk with the answers in the log.

use std::collections::BTreeMap;

use matchcut_model::observation::Observation;
use matchcut_model::time::MediaTime;
use matchcut_model::value::Attributes;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::options::PluginOptions;
use crate::board::{Row, millis};
use crate::sdk::Step;

/// Segments that are remembered of those that are over.
const MARKED: usize = 32;

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marked {
    pub(super) start: MediaTime,
    /// None while it is open.
    pub(super) end: Option<MediaTime>,
    pub(super) attributes: Attributes,
    /// Number of the chunk at which it was last told.
    pub(super) chunk: u64,
    /// How often a plugin was asked about it.
    #[serde(default)]
    pub(super) asked: u32,
}

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// What MRE would invoke the plugin with at the last chunk that could be laid down, and the number of that.
    pub(super) payload: Option<Json>,
    pub(super) asked_at: u64,
    /// Number of the last chunk.
    pub(super) chunk: u64,
    /// What other plugins have said, by their names, by time.
    pub(super) rows: BTreeMap<String, Vec<Row>>,
    /// Segments by time: its own, or those that wait for it.
    pub(super) segments: Vec<Marked>,
    /// Times that milliseconds do not hold, by what MRE makes of them.
    instants: BTreeMap<i64, MediaTime>,
}

impl Memory {
    pub(super) fn read(state: &[u8]) -> Result<Memory, String> {
        if state.is_empty() {
            return Ok(Memory::default());
        }
        serde_json::from_slice(state)
            .map_err(|error| format!("what was remembered cannot be read: {error}"))
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(self).map_err(|error| error.to_string())
    }

    /// Takes in a step; whether there is a chunk that the plugin can be asked about.
    pub(super) fn see(&mut self, step: &Step<'_>, own: &PluginOptions) -> Result<bool, String> {
        let mut there = false;
        if let (Some(signature), Some(_)) = (step.signature, step.extent) {
            let payload = serde_json::from_slice(signature)
                .map_err(|error| format!("what is known of the chunk cannot be read: {error}"))?;
            self.payload = Some(payload);
            self.asked_at = step.position.0.saturating_add(1);
            there = true;
        }
        if step.extent.is_some() {
            self.chunk = step.position.0.saturating_add(1);
        }
        for observation in step.observations {
            let mut known = own.dependents.iter();
            let known = known.find(|one| observation.operator.as_str() == one.operator);
            let plugin = known.map_or(observation.operator.as_str(), |one| one.name.as_str());
            let row = self.row_of(observation, plugin, own);
            self.rows.entry(plugin.to_owned()).or_default().push(row);
        }
        // Those that have said nothing yet are asked for, too.
        for one in &own.dependents {
            self.rows.entry(one.name.clone()).or_default();
        }
        for rows in self.rows.values_mut() {
            rows.sort_by(|a, b| start(a).total_cmp(&start(b)));
        }
        Ok(there)
    }

    fn row_of(&mut self, observation: &Observation, plugin: &str, own: &PluginOptions) -> Row {
        let (program, event) = own.names();
        let (start, end) = (
            self.seconds(observation.start),
            self.seconds(observation.end),
        );
        let mut row = plain(&observation.attributes);
        let mut key = format!("{program}#{event}#{plugin}");
        if let Some(track) = observation.track {
            key = format!("{key}#{track}");
            row.insert("AudioTrack".to_owned(), json!(track.to_string()));
        }
        for (name, value) in [
            ("PK", json!(key)),
            ("Start", json!(start)),
            ("End", json!(end)),
            ("Program", json!(program)),
            ("Event", json!(event)),
            ("PluginName", json!(plugin)),
            ("PluginClass", json!("Featurer")),
            ("ChunkNumber", json!(self.chunk)),
        ] {
            row.insert(name.to_owned(), value);
        }
        row
    }

    /// A segment as MRE has it; `plugin` is its segmenter.
    pub(super) fn segment(&mut self, marked: &Marked, plugin: &str, own: &PluginOptions) -> Row {
        let (program, event) = own.names();
        let start = self.seconds(marked.start);
        let end = marked.end.map_or(start, |end| self.seconds(end));
        let mut row = plain(&marked.attributes);
        for (name, value) in [
            ("PK", json!(format!("{program}#{event}#{plugin}"))),
            ("Start", json!(start)),
            ("End", json!(end)),
            ("Program", json!(program)),
            ("Event", json!(event)),
            ("PluginName", json!(plugin)),
            ("PluginClass", json!("Classifier")),
            ("ChunkNumber", json!(marked.chunk)),
            ("OptoStart", json!({})),
            ("OptoEnd", json!({})),
            ("OptoStartCode", json!("Not Attempted")),
            ("OptoEndCode", json!("Not Attempted")),
            ("LabelCode", json!("Not Attempted")),
            ("Label", json!("")),
        ] {
            row.insert(name.to_owned(), value);
        }
        row
    }

    /// A time as MRE writes it; it is known again by that.
    fn seconds(&mut self, time: MediaTime) -> f64 {
        let rounded = time.to_millis();
        if MediaTime::from_millis(rounded) != time {
            self.instants.insert(rounded, time);
        }
        time.rounded_seconds()
    }

    /// The time that MRE's seconds mean.
    pub(super) fn time(&self, seconds: f64) -> Option<MediaTime> {
        let time = MediaTime::from_seconds_f64(seconds).filter(|_| seconds.is_finite())?;
        let known = self.instants.get(&millis(seconds));
        Some(known.copied().unwrap_or(time))
    }

    /// Forgets what ended before a time, or at it.
    pub(super) fn forget_until(&mut self, time: MediaTime) {
        let until = time.to_millis();
        for rows in self.rows.values_mut() {
            rows.retain(|row| millis(end(row)) > until);
        }
        // Marks of segments that are still to be repeated are among these.
        let first = self
            .segments
            .iter()
            .map(|segment| segment.start.to_millis());
        let first = first.min().unwrap_or(until).min(until);
        self.instants.retain(|known, _| *known >= first);
    }

    /// Keeps a segment in its place; the oldest that is over makes room.
    pub(super) fn keep(&mut self, marked: Marked) {
        let at = self
            .segments
            .partition_point(|segment| segment.start <= marked.start);
        self.segments.insert(at, marked);
        while self.segments.len() > MARKED {
            self.segments.remove(0);
        }
    }
}

fn plain(attributes: &Attributes) -> Row {
    match serde_json::to_value(attributes) {
        Ok(Json::Object(row)) => row,
        _ => Row::new(),
    }
}

pub(super) fn start(row: &Row) -> f64 {
    row.get("Start").and_then(Json::as_f64).unwrap_or_default()
}

pub(super) fn end(row: &Row) -> f64 {
    let end = row.get("End").and_then(Json::as_f64);
    end.unwrap_or_else(|| start(row))
}
