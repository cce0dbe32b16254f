//! Reading lines. Every error names file and line and what is wrong; a bad line never hides the
//! errors of the lines after it.

use serde_json::{Map, Value as Json};

use super::fields::{FieldError, Fields, seconds};
use super::plain;
use crate::chunk::TrackNumber;
use crate::observation::{Class, Observation};
use crate::replay::{Feedback, Recorded, Side, Verdict};
use crate::segment::Segment;
use crate::time::{FLICKS_PER_MILLISECOND, MediaTime, TimeRange};
use crate::value::{Attributes, Name, Value};

/// What one line of an observations file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A segment with all that is known of it.
    Segment(Recorded),
    /// A result of a featurer.
    Observation(Observation),
    /// What a labeler or an optimizer says of the time of a segment.
    Remark(Observation),
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct LineError {
    /// Name of the file.
    pub file: String,
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: LineProblem,
}

/// What can be wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineProblem {
    /// Bytes that are no text.
    #[error("not UTF-8 text")]
    NotText,
    /// Text that is no JSON.
    #[error("not JSON, column {column}: {message}")]
    NotJson {
        /// Where, from 1.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// JSON that is no object.
    #[error("not an object; a line is one JSON object")]
    NotAnObject,
    /// A field is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
}

/// Reads all lines of an observations file; all errors when there are any.
pub fn read_records(file: &str, bytes: &[u8]) -> Result<Vec<Record>, Vec<LineError>> {
    let mut reader = RecordReader::default();
    read_all(file, without_mark(bytes), |line| reader.read(line))
}

/// Reads an observations file line by line.
#[derive(Debug, Default)]
pub struct RecordReader {
    names: plain::Names,
}

impl RecordReader {
    /// What a line says, with or without its end; a blank one is `None`.
    pub fn read(&mut self, line: &[u8]) -> Result<Option<Record>, LineProblem> {
        match plain::observation(line, &mut self.names) {
            Some(observation) => Ok(Some(Record::Observation(observation))),
            None => parse_record(line),
        }
    }
}

/// The bytes of a file without the byte order mark that it may begin with.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Reads all lines of a feedback file; all errors when there are any.
pub fn read_feedback(file: &str, bytes: &[u8]) -> Result<Vec<Feedback>, Vec<LineError>> {
    read_all(file, without_mark(bytes), parse_feedback)
}

fn read_all<T>(
    file: &str,
    bytes: &[u8],
    mut parse: impl FnMut(&[u8]) -> Result<Option<T>, LineProblem>,
) -> Result<Vec<T>, Vec<LineError>> {
    let (mut rows, mut errors) = (Vec::new(), Vec::new());
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        match parse(line) {
            Ok(row) => rows.extend(row),
            Err(problem) => {
                errors.push(LineError {
                    file: file.to_owned(),
                    line: index + 1,
                    problem,
                });
            }
        }
    }
    if errors.is_empty() {
        Ok(rows)
    } else {
        Err(errors)
    }
}

/// The object on a line, `None` on a blank one.
pub(super) fn object(line: &[u8]) -> Result<Option<Map<String, Json>>, LineProblem> {
    let text = std::str::from_utf8(line).map_err(|_| LineProblem::NotText)?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    match serde_json::from_str(text) {
        Ok(Json::Object(map)) => Ok(Some(map)),
        Ok(_) => Err(LineProblem::NotAnObject),
        Err(error) => {
            let message = error.to_string();
            let message = message
                .split(" at line ")
                .next()
                .unwrap_or_default()
                .to_owned();
            Err(LineProblem::NotJson {
                column: error.column(),
                message,
            })
        }
    }
}

/// Reads one line of an observations file; a blank one is `None`.
pub fn parse_record(line: &[u8]) -> Result<Option<Record>, LineProblem> {
    let Some(map) = object(line)? else {
        return Ok(None);
    };
    let fields = Fields::new(&map);
    let record = match class(&fields)? {
        Class::Segmenter => Record::Segment(segment(&fields)?),
        Class::Featurer => Record::Observation(observation(&fields)?),
        Class::Labeler | Class::Optimizer => Record::Remark(observation(&fields)?),
    };
    Ok(Some(record))
}

fn class(fields: &Fields<'_>) -> Result<Class, FieldError> {
    match fields.required_text("class")? {
        "featurer" => Ok(Class::Featurer),
        "segmenter" => Ok(Class::Segmenter),
        "optimizer" => Ok(Class::Optimizer),
        "labeler" => Ok(Class::Labeler),
        other => {
            let problem = format!(
                "\"{other}\" is not known; it is \"featurer\", \"segmenter\", \"optimizer\" or \
                 \"labeler\""
            );
            Err(fields.error("class", problem))
        }
    }
}

pub(super) fn observation(fields: &Fields<'_>) -> Result<Observation, FieldError> {
    let start = required_time(fields, "start")?;
    let end = time(fields, "end")?.unwrap_or(start);
    ordered(fields, start, end)?;
    Ok(Observation {
        start,
        end,
        operator: Name::new(fields.required_text("operator")?),
        track: fields.track("track")?,
        attributes: attributes(fields)?,
    })
}

pub(super) fn segment(fields: &Fields<'_>) -> Result<Recorded, FieldError> {
    let segmenter = Name::new(fields.required_text("operator")?);
    let start = required_time(fields, "start")?;
    let end = time(fields, "end")?;
    if let Some(end) = end {
        ordered(fields, start, end)?;
    }
    let mut segment = Segment::new(segmenter, start, end);
    if let Some(opto) = fields.object("opto")? {
        let exact = fields.object("opto_flicks")?;
        for track in opto.names() {
            if let Some(marks) = opto.get(track) {
                let exact = exact.as_ref().and_then(|exact| exact.get(track));
                let (track, marks) = optimized(&opto, track, marks, exact)?;
                segment.opto.insert(track, marks);
            }
        }
    }
    segment.label = fields.text("label")?.map(str::to_owned);
    segment.attributes = attributes(fields)?;
    Ok(Recorded {
        segment,
        track: fields.track("track")?,
    })
}

/// The optimized marks of one track: `"1": [10.2, 31.0]`.
fn optimized(
    opto: &Fields<'_>,
    name: &str,
    marks: &Json,
    exact: Option<&Json>,
) -> Result<(TrackNumber, TimeRange), FieldError> {
    let track = match name.parse() {
        Ok(number) if number > 0 => TrackNumber(number),
        _ => return Err(opto.error(name, "is not a track; tracks count 1, 2, …")),
    };
    let Some([start, end]) = marks.as_array().map(Vec::as_slice) else {
        return Err(opto.error(name, "is not [start, end]"));
    };
    let flicks = |index: usize| {
        exact
            .and_then(|exact| exact.get(index))
            .and_then(Json::as_i64)
    };
    let mark = |json: &Json, index: usize| {
        seconds(json)
            .map(|time| refine(time, flicks(index)))
            .map_err(|problem| opto.error(name, problem))
    };
    let (start, end) = (mark(start, 0)?, mark(end, 1)?);
    if end < start {
        return Err(opto.error(name, format!("ends at {end}, before its start {start}")));
    }
    Ok((track, TimeRange { start, end }))
}

fn attributes(fields: &Fields<'_>) -> Result<Attributes, FieldError> {
    match fields.get("attributes") {
        None => Ok(Attributes::new()),
        Some(Json::Object(map)) => Ok(map
            .iter()
            .map(|(name, value)| (Name::new(name), Value::from(value.clone())))
            .collect()),
        Some(_) => Err(fields.error("attributes", "is not an object of names and values")),
    }
}

fn required_time(fields: &Fields<'_>, field: &str) -> Result<MediaTime, FieldError> {
    time(fields, field)?.ok_or_else(|| fields.error(field, "is missing"))
}

/// A time in seconds, made exact by its flicks where these agree with it.
fn time(fields: &Fields<'_>, field: &str) -> Result<Option<MediaTime>, FieldError> {
    let Some(time) = fields.seconds(field)? else {
        return Ok(None);
    };
    let exact = fields
        .get(&format!("{field}_flicks"))
        .and_then(Json::as_i64);
    Ok(Some(refine(time, exact)))
}

/// The seconds were perhaps edited and the flicks not: then the seconds hold.
pub(super) fn refine(time: MediaTime, flicks: Option<i64>) -> MediaTime {
    let exact = flicks.map(MediaTime::from_flicks);
    // Seconds far from 0 are a little off, as the number in the text has only so many bits.
    let bits = time.abs().flicks() >> 51;
    exact
        .filter(|&exact| exact.abs() <= MediaTime::FARTHEST)
        .filter(|&exact| (exact - time).abs().flicks() <= FLICKS_PER_MILLISECOND / 2 + bits)
        .unwrap_or(time)
}

fn ordered(fields: &Fields<'_>, start: MediaTime, end: MediaTime) -> Result<(), FieldError> {
    if end < start {
        return Err(fields.error("end", format!("{end} is before start {start}")));
    }
    Ok(())
}

/// Reads one line of a feedback file; a blank one is `None`. A line without `track` is of track 1,
/// one without `side` of the original clip.
pub fn parse_feedback(line: &[u8]) -> Result<Option<Feedback>, LineProblem> {
    let Some(map) = object(line)? else {
        return Ok(None);
    };
    Ok(Some(feedback(&Fields::new(&map))?))
}

pub(super) fn feedback(fields: &Fields<'_>) -> Result<Feedback, FieldError> {
    let word = |field: &str| {
        Ok::<_, FieldError>(
            fields
                .text(field)?
                .map(|text| text.trim().to_ascii_lowercase()),
        )
    };
    let side = match word("side")?.as_deref() {
        None | Some("original") => Side::Original,
        Some("optimized") => Side::Optimized,
        Some(other) => {
            let problem = format!("\"{other}\" is not known; it is \"original\" or \"optimized\"");
            return Err(fields.error("side", problem));
        }
    };
    let verdict = match word("feedback")?.as_deref() {
        None | Some("-") => Verdict::None,
        Some("like") => Verdict::Like,
        Some("dislike") => Verdict::Dislike,
        Some(other) => {
            let problem = format!("\"{other}\" is not known; it is \"like\", \"dislike\" or \"-\"");
            return Err(fields.error("feedback", problem));
        }
    };
    Ok(Feedback {
        start: required_time(fields, "start")?,
        track: fields.track("track")?.unwrap_or(TrackNumber::FIRST),
        side,
        verdict,
    })
}
