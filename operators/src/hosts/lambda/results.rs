//! What a plugin of MRE returns: `Output.Results`, rows with `Start`, perhaps `End`, and attributes. What is
//! not of that shape is an error in words.

use matchcut_model::chunk::PlacedChunk;
use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Name, Value};
use serde_json::{Map, Value as Json};

use super::options::TimeBase;
use crate::declared;
use crate::hosts::http::quoted;
use crate::sdk::{AttributeKind, AttributeSpec, Said};

/// A result farther from its chunk is of another time base.
const FAR: MediaTime = MediaTime::from_seconds(60);

/// MRE's times are rounded to milliseconds: a frame is meant that is nearer than half of one.
const ROUNDED: MediaTime = MediaTime::from_flicks(MediaTime::from_millis(1).flicks() / 2);

/// How a plugin's results are read.
pub(in crate::hosts) struct Shape<'a> {
    pub(in crate::hosts) attributes: &'a [AttributeSpec],
    pub(in crate::hosts) time_base: TimeBase,
    /// Start of the chunk on the clock of the stream, as the plugin was told.
    pub(in crate::hosts) stream_start: f64,
    pub(in crate::hosts) placed: &'a PlacedChunk,
}

/// The results of a function that did not fail.
pub(in crate::hosts) fn read(payload: &[u8], shape: &Shape<'_>) -> Result<Vec<Said>, String> {
    let returned: Json = serde_json::from_slice(payload).map_err(|error| {
        format!(
            "what it returned is not JSON ({error}): \"{}\"",
            quoted(payload)
        )
    })?;
    let wrong = |what: &str| {
        format!(
            "it did not return what plugins of MRE return: {what}; {{\"Output\": {{\"Status\": \
             \"Complete\", \"Results\": [{{\"Start\": 1.5, …}}]}}}} expected, this is \"{}\"",
            quoted(payload)
        )
    };
    let output = returned.get("Output").and_then(Json::as_object);
    let output = output.ok_or_else(|| wrong("Output is missing"))?;
    match output.get("Status") {
        None | Some(Json::Null) => {}
        Some(Json::String(status)) if status.eq_ignore_ascii_case("complete") => {}
        Some(status) => {
            let status = status.as_str().map_or(status.to_string(), str::to_owned);
            return Err(format!(
                "it reports the status {status}, not Complete; see its log"
            ));
        }
    }
    let results = output.get("Results").and_then(Json::as_array);
    let results = results.ok_or_else(|| wrong("Output.Results is no list"))?;
    let mut said = Vec::new();
    for (number, result) in results.iter().enumerate() {
        let row = result
            .as_object()
            .ok_or_else(|| wrong("a result is no object"))?;
        said.push(
            shape
                .row(row)
                .map_err(|why| format!("result {}: {why}", number + 1))?,
        );
    }
    Ok(said)
}

/// What a function says that raised an exception or broke down.
pub(in crate::hosts) fn failure(returned: &Json) -> Option<String> {
    let message = returned.get("errorMessage")?.as_str().unwrap_or_default();
    let message = quoted(message.as_bytes());
    Some(match kind(returned) {
        Some(kind) => format!("it failed with {kind}: {message}; see its log"),
        None => format!("it failed: {message}; see its log"),
    })
}

/// The type of the exception of a function that failed.
pub(in crate::hosts) fn kind(returned: &Json) -> Option<&str> {
    returned.get("errorType")?.as_str()
}

impl Shape<'_> {
    /// What a row says.
    pub(in crate::hosts) fn row(&self, row: &Map<String, Json>) -> Result<Said, String> {
        let start = row.get("Start").ok_or("it has no Start")?;
        let start = self.time("Start", start)?;
        let end = match row.get("End") {
            None | Some(Json::Null) => start,
            Some(end) => self.time("End", end)?,
        };
        let span = self.placed.span;
        if start < span.start - FAR || start > span.end + FAR {
            return Err(format!(
                "Start is at {start} s of the event, and the chunk from {} s to {} s; time_base says what \
                 times count from",
                span.start, span.end
            ));
        }
        if end < start {
            return Err(format!("it ends at {end} s, before its start at {start} s"));
        }
        let attributes = attributes_of(row, self.attributes, &["Start", "End"])?;
        Ok(Said {
            start,
            end,
            attributes,
        })
    }

    /// A time of a result on the timeline of the event.
    fn time(&self, what: &str, value: &Json) -> Result<MediaTime, String> {
        let seconds = match value {
            Json::Number(number) => number.as_f64(),
            Json::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let not_a_time = || format!("{what} is no number of seconds: {value}");
        let seconds = seconds
            .filter(|seconds: &f64| seconds.is_finite())
            .ok_or_else(not_a_time)?;
        let start = self.placed.span.start;
        // What the plugin added to was rounded: what counts is what it added.
        let base = match self.time_base {
            TimeBase::Event => start.rounded_seconds(),
            TimeBase::Pts => self.stream_start,
            TimeBase::Chunk => 0.0,
        };
        let inside = MediaTime::from_seconds_f64(seconds - base).ok_or_else(not_a_time)?;
        let time = self.frame(start + inside);
        if time.is_negative() {
            return Err(format!("{what} is before the event: {time} s"));
        }
        Ok(time)
    }

    /// The frame that is meant by a time, if one is.
    fn frame(&self, time: MediaTime) -> MediaTime {
        let frames = &self.placed.frames;
        let near = frames.get(frames.before(time - ROUNDED));
        let near = near.filter(|frame| (frame.time - time).abs() <= ROUNDED);
        near.map_or(time, |frame| frame.time)
    }
}

/// The attributes of a row but for those that are something else.
pub(in crate::hosts) fn attributes_of(
    row: &Map<String, Json>,
    specs: &[AttributeSpec],
    others: &[&str],
) -> Result<Attributes, String> {
    let mut attributes = Attributes::new();
    let open = specs.iter().any(|spec| spec.name == "*");
    for (name, value) in row {
        if others.contains(&name.as_str()) || value.is_null() {
            continue;
        }
        let declared = specs.iter().find(|spec| spec.name == name.as_str());
        if let Some(spec) = declared {
            attributes.insert(Name::new(name), plain(value, spec.kind));
        } else if open {
            attributes.insert(Name::new(name), Value::from(value.clone()));
        }
    }
    declared::check(&attributes, specs)?;
    Ok(attributes)
}

/// A value of the type that is declared, where it says the same as text: MRE's plugins often do.
fn plain(value: &Json, kind: AttributeKind) -> Value {
    match (kind, value) {
        (AttributeKind::Boolean, Json::String(text)) if text.eq_ignore_ascii_case("true") => {
            Value::from(true)
        }
        (AttributeKind::Boolean, Json::String(text)) if text.eq_ignore_ascii_case("false") => {
            Value::from(false)
        }
        (AttributeKind::Number, Json::String(text)) => match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Value::from(number),
            _ => Value::from(value.clone()),
        },
        (AttributeKind::Text, Json::Number(number)) => Value::from(number.to_string()),
        (AttributeKind::Text, Json::Bool(yes)) => Value::from(yes.to_string()),
        (AttributeKind::Text, Json::Array(_) | Json::Object(_)) => Value::from(value.to_string()),
        _ => Value::from(value.clone()),
    }
}
