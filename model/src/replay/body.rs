//! Reads a replay request from the body of MRE's `POST /replay`. Fields that MRE's schema makes
//! optional may be missing or null, and so may most others: what is absent has a default.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::key::{FeatureKey, parse_value};
use super::request::{Compat, Mode, Priority, ReplayRequest};
use super::score::Score;
use crate::lines::{FieldError, Fields};
use crate::time::{MediaTime, TimeRange};
use crate::value::{Name, Value};

/// The fields of the body that mean something, here or to MRE.
const KNOWN: [&str; 26] = [
    "AudioTrack",
    "Catchup",
    "ClipfeaturebasedSummarization",
    "Compat",
    "CreateHls",
    "CreateMp4",
    "CustomSignificance",
    "Description",
    "DisregardZeroWeightSegments",
    "DurationbasedSummarization",
    "Event",
    "IgnoreDislikedSegments",
    "IgnoredSegments",
    "IncludeLikedSegments",
    "MediaTailorChannel",
    "Priorities",
    "Program",
    "ReplayId",
    "Requester",
    "Resolutions",
    "SpecifiedTimestamps",
    "Status",
    "TransitionName",
    "TransitionOverride",
    "UxLabel",
    "compat",
];

/// Why a body is not a replay request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not JSON at all.
    #[error("{line}:{column}: {message}")]
    Json {
        /// Line of the text, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// JSON, but no object.
    #[error("a replay request is an object, as in the body of POST /replay")]
    NotAnObject,
    /// A field is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
}

/// A field of the body that means nothing: perhaps a mistyped one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnknownField(pub String);

impl ReplayRequest {
    /// Reads the body of a `POST /replay`. The fields that mean nothing come beside the request.
    pub fn from_json(text: &str) -> Result<(Self, Vec<UnknownField>), RequestError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let json: Json = serde_json::from_str(text).map_err(|error| {
            let message = error.to_string();
            let message = message
                .split(" at line ")
                .next()
                .unwrap_or_default()
                .to_owned();
            RequestError::Json {
                line: error.line(),
                column: error.column(),
                message,
            }
        })?;
        let Json::Object(map) = &json else {
            return Err(RequestError::NotAnObject);
        };
        let body = Fields::new(map);
        let unknown = body.names().filter(|name| !KNOWN.contains(name));
        let unknown = unknown.map(|name| UnknownField(name.to_owned())).collect();
        Ok((read(&body)?, unknown))
    }
}

fn read(body: &Fields<'_>) -> Result<ReplayRequest, FieldError> {
    let flag = |field: &str| Ok::<_, FieldError>(body.flag(field)?.unwrap_or(false));
    let text = body
        .text("SpecifiedTimestamps")?
        .filter(|text| !text.trim().is_empty());
    let mode = if text.is_some() {
        Mode::Timestamps
    } else if flag("ClipfeaturebasedSummarization")? {
        Mode::Features
    } else {
        Mode::Duration
    };
    let clips = match body.object("Priorities")? {
        Some(priorities) => priorities.objects("Clips")?,
        None => Vec::new(),
    };
    let mut request = ReplayRequest {
        mode,
        include_liked: flag("IncludeLikedSegments")?,
        ignore_disliked: flag("IgnoreDislikedSegments")?,
        disregard_zero_weight: flag("DisregardZeroWeightSegments")?,
        catchup: flag("Catchup")?,
        track: body
            .track("AudioTrack")?
            .unwrap_or(ReplayRequest::default().track),
        compat: compat(body)?,
        significance: significance(body)?,
        ..ReplayRequest::default()
    };
    match text {
        Some(text) => request.timestamps = times(body, &clips, text)?,
        None => request.priorities = clips.iter().map(priority).collect::<Result<_, _>>()?,
    }
    match body.object("DurationbasedSummarization")? {
        Some(summarization) => {
            let length = |field: &str| match summarization.seconds(field)? {
                Some(length) if length.is_negative() => {
                    Err(summarization.error(field, "is negative"))
                }
                length => Ok(length),
            };
            let equal = summarization.flag("EqualDistribution")?;
            request.equal_distribution = equal.unwrap_or(false);
            request.tolerance =
                length("ToleranceMaxLimitInSecs")?.unwrap_or(ReplayRequest::DEFAULT_TOLERANCE);
            request.duration = match length("Duration")? {
                Some(duration) => duration,
                None if mode == Mode::Duration => {
                    return Err(summarization.error("Duration", "is missing"));
                }
                None => MediaTime::ZERO,
            };
        }
        None if mode == Mode::Duration => {
            let problem = "is missing; a request needs it, or ClipfeaturebasedSummarization, or \
                           SpecifiedTimestamps";
            return Err(body.error("DurationbasedSummarization", problem));
        }
        None => {}
    }
    Ok(request)
}

fn compat(body: &Fields<'_>) -> Result<Compat, FieldError> {
    for field in ["compat", "Compat"] {
        if let Some(text) = body.text(field)? {
            return text.parse().map_err(|_| {
                body.error(
                    field,
                    format!("\"{text}\" is not known; it is \"mre\" or \"none\""),
                )
            });
        }
    }
    Ok(Compat::None)
}

fn significance(body: &Fields<'_>) -> Result<BTreeMap<String, Score>, FieldError> {
    let Some(map) = body.object("CustomSignificance")? else {
        return Ok(BTreeMap::new());
    };
    // An entry without a number says nothing, as for MRE.
    let entries = map.names().filter(|id| map.get(id).is_some());
    entries
        .map(|id| Ok((id.to_owned(), score(&map, id)?.unwrap_or_default())))
        .collect()
}

fn score(fields: &Fields<'_>, field: &str) -> Result<Option<Score>, FieldError> {
    let Some(number) = fields.number(field)? else {
        return Ok(None);
    };
    match Score::within_bounds(number) {
        Some(score) => Ok(Some(score)),
        None => Err(fields.error(field, format!("{number} is out of range"))),
    }
}

/// A feature: `Name` is `Operator | Attribute | value` by convention, the other fields say its
/// parts more exactly. The value is `AttribValue` where that is no boolean, else the one of the
/// name, which is what MRE tests; a boolean field cannot say `far`.
fn priority(clip: &Fields<'_>) -> Result<Priority, FieldError> {
    let name = clip.text("Name")?.unwrap_or_default();
    let parts: Vec<&str> = name.splitn(3, '|').map(str::trim).collect();
    let (operator, attribute, value) = match parts.as_slice() {
        [operator, attribute, value] => (Some(*operator), *attribute, Some(*value)),
        [operator, attribute] => (Some(*operator), *attribute, None),
        [attribute] => (None, *attribute, None),
        _ => (None, "", None),
    };
    let operator = clip
        .text("PluginName")?
        .or(operator)
        .filter(|name| !name.is_empty());
    let attribute = clip.text("AttribName")?.unwrap_or(attribute);
    if attribute.is_empty() {
        return Err(clip.error(
            "AttribName",
            "is missing, and Name does not say the attribute",
        ));
    }
    let stated = clip
        .get("AttribValue")
        .map(|json| Value::from(json.clone()));
    let named = value.filter(|value| !value.is_empty()).map(parse_value);
    let value = match stated {
        Some(value) if value.as_bool().is_none() => value,
        stated => named.or(stated).unwrap_or(Value::Bool(true)),
    };
    let weight = score(clip, "Weight")?;
    if weight.is_some_and(|weight| weight < Score::ZERO) {
        return Err(clip.error("Weight", "is negative"));
    }
    let key = FeatureKey {
        operator: operator.map(Name::new),
        attribute: Name::new(attribute),
        value,
    };
    let name = if name.is_empty() {
        Priority::included(key.clone()).name
    } else {
        name.to_owned()
    };
    Ok(Priority {
        key,
        weight,
        include: clip.flag("Include")?,
        name,
    })
}

/// The times of `Priorities.Clips`; where these carry none, those of the text they come from.
fn times(
    body: &Fields<'_>,
    clips: &[Fields<'_>],
    text: &str,
) -> Result<Vec<TimeRange>, FieldError> {
    let mut times = Vec::new();
    for clip in clips {
        match (clip.seconds("StartTime")?, clip.seconds("EndTime")?) {
            (Some(start), Some(end)) => times.push(TimeRange::new(start, end)),
            (None, None) => {}
            (Some(_), None) => return Err(clip.error("EndTime", "is missing")),
            (None, Some(_)) => return Err(clip.error("StartTime", "is missing")),
        }
    }
    if !times.is_empty() {
        return Ok(times);
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (start, end) = line.split_once(',')?;
            let time = |text: &str| {
                let seconds: f64 = text.trim().parse().ok()?;
                MediaTime::from_seconds_f64(seconds).filter(|time| !time.is_negative())
            };
            Some(TimeRange::new(time(start)?, time(end)?))
        })
        .zip(text.lines().map(str::trim).filter(|line| !line.is_empty()))
        .map(|(range, line)| {
            range.ok_or_else(|| {
                let problem = format!("\"{line}\" is not START,END in seconds");
                body.error("SpecifiedTimestamps", problem)
            })
        })
        .collect()
}
