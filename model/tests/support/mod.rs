//! Scenarios for replay selection, written as the files that a user would have: lines of
//! observations, segments and feedback, and the body of a request.

// Each test file uses a part of it, and a helper that fails fails its test.
#![allow(dead_code, clippy::unwrap_used)]

use matchcut_model::lines::{Recording, read_feedback};
use matchcut_model::replay::{Previous, ReplayDocument, ReplayRequest, Selection};
use matchcut_model::time::MediaTime;
use serde_json::{Value, json};

/// The files of one scenario.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    pub records: String,
    pub feedback: String,
    pub request: Value,
    pub previous: Vec<f64>,
}

impl Scenario {
    pub fn new(request: Value) -> Self {
        Scenario {
            request,
            ..Scenario::default()
        }
    }

    pub fn line(mut self, line: Value) -> Self {
        self.records.push_str(&format!("{line}\n"));
        self
    }

    /// A segment, and a point at its start with every attribute true.
    pub fn segment(self, start: f64, end: f64, attributes: &[&str]) -> Self {
        self.marked(start, end, None).point(start, attributes)
    }

    pub fn marked(self, start: f64, end: f64, opto: Option<[f64; 2]>) -> Self {
        let mut line = json!({"operator": "seg", "class": "segmenter", "start": start, "end": end});
        if let Some(opto) = opto {
            line["opto"] = json!({ "1": opto });
        }
        self.line(line)
    }

    pub fn point(self, at: f64, attributes: &[&str]) -> Self {
        let map: serde_json::Map<String, Value> = attributes
            .iter()
            .map(|name| ((*name).to_owned(), Value::Bool(true)))
            .collect();
        self.observed("P", at, Value::Object(map))
    }

    pub fn observed(self, operator: &str, at: f64, attributes: Value) -> Self {
        self.line(json!({
            "operator": operator, "class": "featurer", "start": at, "attributes": attributes
        }))
    }

    pub fn says(mut self, start: f64, side: &str, feedback: &str) -> Self {
        let line = json!({"start": start, "track": 1, "side": side, "feedback": feedback});
        self.feedback.push_str(&format!("{line}\n"));
        self
    }

    pub fn likes(self, start: f64) -> Self {
        self.says(start, "original", "like")
    }

    pub fn dislikes(self, start: f64) -> Self {
        self.says(start, "original", "dislike")
    }

    pub fn stored(mut self, starts: &[f64]) -> Self {
        self.previous = starts.to_vec();
        self
    }

    pub fn set(mut self, field: &str, value: Value) -> Self {
        self.request[field] = value;
        self
    }

    pub fn equal(mut self) -> Self {
        self.request["DurationbasedSummarization"]["EqualDistribution"] = Value::Bool(true);
        self
    }

    pub fn selection(&self, compat: &str) -> Selection {
        let mut recording = Recording::default();
        recording
            .read("records.jsonl", self.records.as_bytes())
            .unwrap();
        let feedback = read_feedback("feedback.jsonl", self.feedback.as_bytes()).unwrap();
        let body = self
            .clone()
            .set("compat", json!(compat))
            .request
            .to_string();
        let (request, unknown) = ReplayRequest::from_json(&body).unwrap();
        assert_eq!(unknown, []);
        let previous: Vec<Previous> = self
            .previous
            .iter()
            .map(|&start| Previous::start(MediaTime::from_seconds_f64(start).unwrap()))
            .collect();
        recording.select(&request, &feedback, &previous)
    }

    pub fn document(&self, compat: &str) -> Value {
        serde_json::to_value(ReplayDocument::brief(&self.selection(compat))).unwrap()
    }

    /// `start:score` of what is chosen, with `!` before it where it is not news.
    pub fn brief(&self, compat: &str) -> String {
        let selection = self.selection(compat);
        let entries: Vec<String> = selection
            .selected
            .iter()
            .map(|entry| {
                let score = entry
                    .score
                    .map_or("-".to_owned(), |score| score.to_string());
                let start = entry.range.start.to_string();
                format!(
                    "{}:{score}",
                    start.trim_end_matches('0').trim_end_matches('.')
                )
            })
            .collect();
        let mark = if selection.processed { "" } else { "!" };
        format!("{mark}{}", entries.join(" "))
    }
}

/// A request of mode duration for track 1.
pub fn lasting(duration: f64, tolerance: f64, features: &[(&str, f64)]) -> Value {
    let clips: Vec<Value> = features
        .iter()
        .map(|(attribute, weight)| {
            json!({
                "Name": format!("P | {attribute} | true"), "PluginName": "P",
                "AttribName": attribute, "AttribValue": true, "Weight": weight
            })
        })
        .collect();
    json!({
        "Program": "Cup", "Event": "Final", "AudioTrack": 1,
        "DurationbasedSummarization": {"Duration": duration, "ToleranceMaxLimitInSecs": tolerance},
        "Priorities": {"Clips": clips},
    })
}
