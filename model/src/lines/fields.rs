//! Typed access to the fields of a JSON object from outside. A missing field and `null` are the
//! same; what is wrong is told with the path of the field, what it is and what it should be.

use serde_json::{Map, Value as Json};

use crate::chunk::TrackNumber;
use crate::time::MediaTime;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldError {
    /// Path of the field, `Priorities.Clips[2].Weight`.
    pub field: String,
    /// What is wrong and what would be right: lower case, no period.
    pub problem: String,
}

/// The fields of an object, with the path that leads to it.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    path: String,
    map: &'a Map<String, Json>,
}

/// What a JSON value is, in words.
fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

impl<'a> Fields<'a> {
    pub(crate) fn new(map: &'a Map<String, Json>) -> Self {
        Fields {
            path: String::new(),
            map,
        }
    }

    fn path_of(&self, field: &str) -> String {
        if self.path.is_empty() {
            field.to_owned()
        } else {
            format!("{}.{field}", self.path)
        }
    }

    pub(crate) fn error(&self, field: &str, problem: impl Into<String>) -> FieldError {
        FieldError {
            field: self.path_of(field),
            problem: problem.into(),
        }
    }

    fn mismatch(&self, field: &str, found: &Json, wanted: &str) -> FieldError {
        self.error(field, format!("is {}, expected {wanted}", kind(found)))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.map.keys().map(String::as_str)
    }

    pub(crate) fn get(&self, field: &str) -> Option<&'a Json> {
        self.map.get(field).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, field: &str) -> Result<Option<&'a str>, FieldError> {
        match self.get(field) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.mismatch(field, other, "a string")),
        }
    }

    pub(crate) fn required_text(&self, field: &str) -> Result<&'a str, FieldError> {
        match self.text(field)? {
            Some(text) if !text.is_empty() => Ok(text),
            Some(_) => Err(self.error(field, "is empty")),
            None => Err(self.error(field, "is missing")),
        }
    }

    pub(crate) fn flag(&self, field: &str) -> Result<Option<bool>, FieldError> {
        match self.get(field) {
            None => Ok(None),
            Some(Json::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.mismatch(field, other, "true or false")),
        }
    }

    pub(crate) fn number(&self, field: &str) -> Result<Option<f64>, FieldError> {
        match self.get(field) {
            None => Ok(None),
            Some(Json::Number(number)) => match number.as_f64() {
                Some(value) if value.is_finite() => Ok(Some(value)),
                _ => Err(self.error(field, format!("{number} is out of range"))),
            },
            Some(other) => Err(self.mismatch(field, other, "a number")),
        }
    }

    pub(crate) fn seconds(&self, field: &str) -> Result<Option<MediaTime>, FieldError> {
        match self.get(field) {
            None => Ok(None),
            Some(value) => seconds(value)
                .map(Some)
                .map_err(|problem| self.error(field, problem)),
        }
    }

    /// A track number; a whole number that is written with a fraction of 0 is one too.
    pub(crate) fn track(&self, field: &str) -> Result<Option<TrackNumber>, FieldError> {
        let Some(number) = self.number(field)? else {
            return Ok(None);
        };
        let whole = number.trunc();
        if number == whole && (1.0..=f64::from(u32::MAX)).contains(&whole) {
            Ok(Some(TrackNumber(whole as u32)))
        } else {
            Err(self.error(
                field,
                format!("{number} is not a track; tracks count 1, 2, …"),
            ))
        }
    }

    pub(crate) fn object(&self, field: &str) -> Result<Option<Fields<'a>>, FieldError> {
        match self.get(field) {
            None => Ok(None),
            Some(Json::Object(map)) => Ok(Some(Fields {
                path: self.path_of(field),
                map,
            })),
            Some(other) => Err(self.mismatch(field, other, "an object")),
        }
    }

    /// The objects of a list.
    pub(crate) fn objects(&self, field: &str) -> Result<Vec<Fields<'a>>, FieldError> {
        let items = match self.get(field) {
            None => return Ok(Vec::new()),
            Some(Json::Array(items)) => items,
            Some(other) => return Err(self.mismatch(field, other, "a list of objects")),
        };
        items
            .iter()
            .enumerate()
            .map(|(index, item)| match item {
                Json::Object(map) => Ok(Fields {
                    path: format!("{}[{index}]", self.path_of(field)),
                    map,
                }),
                other => Err(self.mismatch(&format!("{field}[{index}]"), other, "an object")),
            })
            .collect()
    }
}

/// A time from a JSON number of seconds.
pub(crate) fn seconds(value: &Json) -> Result<MediaTime, String> {
    let Json::Number(number) = value else {
        return Err(format!("is {}, expected a number of seconds", kind(value)));
    };
    number
        .as_f64()
        .and_then(MediaTime::from_seconds_f64)
        .ok_or_else(|| format!("{number} s is out of range"))
}
