//! Cues of media playlists: EXT-X-DATERANGE, and the tags by which packagers mark breaks, of
//! which there are several dialects.

use jiff::Timestamp;
use matchcut_model::cue::{Cue, CueKind, CueTime};
use matchcut_model::scte35::{self, SpliceInfo};
use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Name, Value};

use super::attributes::{Attribute, attributes};
use super::media::decimal;
use crate::hash::hash;

/// Says in an Out cue that the break began earlier: of use to who joins in the middle of it.
pub(crate) const CONTINUED: &str = "continued";

/// A range of dates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateRange {
    /// The line of its first tag.
    pub line: usize,
    /// The number of chunks that stand before it.
    pub before: usize,
    /// Its ID.
    pub id: String,
    /// What it says.
    pub cue: Cue,
    /// A hash of everything that it says, to see that it says something new.
    pub fingerprint: u64,
}

/// A tag that says when or that the programme is left or goes on, or carries an SCTE-35 message.
#[derive(Debug)]
pub(super) enum CueTag {
    /// A cue of its own.
    Cue(Cue),
    /// A message that belongs to the cue beside it, or is one by itself.
    Message(SpliceInfo),
}

fn cue(kind: CueKind, duration: Option<MediaTime>, attributes: Attributes) -> Cue {
    Cue {
        at: CueTime::ChunkStart,
        kind,
        duration,
        attributes,
    }
}

/// Reads a cue tag; `None` when it is none, an error when it is one and cannot be read. An error
/// comes with what could be read.
pub(super) fn read(name: &str, value: &str) -> Option<(Option<CueTag>, Option<String>)> {
    let of = |cue: Cue| Some((Some(CueTag::Cue(cue)), None));
    match name {
        "#EXT-X-CUE-OUT" => {
            let mut tag = Tag::read(value);
            let duration = decimal(value).or(tag.time(&["duration"]));
            Some(tag.finish(CueKind::Out, duration))
        }
        "#EXT-X-CUE-OUT-CONT" => {
            let (elapsed, duration) = value.split_once('/').unwrap_or((value, ""));
            let mut tag = Tag::read(value);
            let elapsed = decimal(elapsed).or(tag.time(&["elapsedtime", "elapsed"]));
            let duration = decimal(duration).or(tag.time(&["duration"]));
            tag.attributes.insert(CONTINUED.into(), Value::from(true));
            if let Some(elapsed) = elapsed {
                let seconds = Value::rounded(elapsed.as_seconds_f64(), 3);
                tag.attributes.insert("elapsed".into(), seconds);
            }
            Some(tag.finish(CueKind::Out, duration))
        }
        "#EXT-X-CUE-IN" => of(cue(CueKind::In, None, Attributes::new())),
        "#EXT-X-CUE" => {
            let mut tag = Tag::read(value);
            let duration = tag.time(&["duration"]);
            let kind = tag.attributes.get("type").and_then(Value::as_str);
            let kind = match kind.map(str::to_ascii_lowercase) {
                Some(kind) if kind.contains("out") => CueKind::Out,
                Some(kind) if kind.contains("in") => CueKind::In,
                _ => CueKind::Scte35,
            };
            Some(tag.finish(kind, duration))
        }
        "#EXT-X-SCTE35" => {
            let mut tag = Tag::read(value);
            let duration = tag.time(&["duration"]);
            let mut take = |name: &str| {
                let value = tag.attributes.remove(name)?;
                value.as_str().map(str::to_ascii_uppercase)
            };
            let (out, back) = (take("cue_out"), take("cue_in"));
            let kind = match (out.as_deref(), back.as_deref()) {
                (Some("CONT"), _) => {
                    tag.attributes.insert(CONTINUED.into(), Value::from(true));
                    CueKind::Out
                }
                (Some("YES"), _) => CueKind::Out,
                (_, Some("YES")) => CueKind::In,
                _ => CueKind::Scte35,
            };
            Some(tag.finish(kind, duration))
        }
        "#EXT-OATCLS-SCTE35" | "#EXT-X-SPLICEPOINT-SCTE35" => {
            Some(match scte35::parse_text(value) {
                Ok(info) => (Some(CueTag::Message(info)), None),
                Err(error) => (None, Some(error.to_string())),
            })
        }
        _ => None,
    }
}

/// The attributes of a tag, with the SCTE-35 message among them.
struct Tag {
    attributes: Attributes,
    message: Option<SpliceInfo>,
    problem: Option<String>,
}

impl Tag {
    fn read(list: &str) -> Self {
        let mut tag = Tag {
            attributes: Attributes::new(),
            message: None,
            problem: None,
        };
        for attribute in attributes(list) {
            let name = attribute.name.to_ascii_uppercase();
            if matches!(
                name.as_str(),
                "CUE" | "SCTE35" | "SCTE35-OUT" | "SCTE35-IN" | "SCTE35-CMD"
            ) && let Some(info) = tag.message(attribute.value)
            {
                tag.message.get_or_insert(info);
                if name.contains('-') {
                    tag.set(attribute);
                }
                continue;
            }
            tag.set(attribute);
        }
        tag
    }

    fn message(&mut self, text: &str) -> Option<SpliceInfo> {
        match scte35::parse_text(text) {
            Ok(info) => Some(info),
            Err(error) => {
                self.problem = Some(error.to_string());
                None
            }
        }
    }

    fn set(&mut self, attribute: Attribute<'_>) {
        let name = attribute.name.to_ascii_lowercase().replace('-', "_");
        self.attributes.insert(name.into(), value_of(attribute));
    }

    /// Takes a time in seconds out of the attributes.
    fn time(&mut self, names: &[&str]) -> Option<MediaTime> {
        let name = names
            .iter()
            .find(|name| self.attributes.contains_key(**name))?;
        decimal(&self.attributes.remove(*name)?.plain_text())
    }

    fn finish(
        mut self,
        kind: CueKind,
        duration: Option<MediaTime>,
    ) -> (Option<CueTag>, Option<String>) {
        let mut cue = cue(kind, duration, std::mem::take(&mut self.attributes));
        if let Some(info) = self.message {
            if kind == CueKind::Scte35 {
                cue.kind = info.kind();
            }
            join(&mut cue, &info);
        }
        (Some(CueTag::Cue(cue)), self.problem)
    }
}

/// Adds what a message says to a cue that is about the same thing.
pub(super) fn join(cue: &mut Cue, info: &SpliceInfo) {
    cue.duration = cue.duration.or(info.duration());
    for (name, value) in info.attributes() {
        if !cue.attributes.contains_key(&*name) {
            cue.attributes.insert(name, value);
        }
    }
}

/// A number where it is one and stands without quotes, else text.
fn value_of(attribute: Attribute<'_>) -> Value {
    let text = attribute.value;
    let number = || {
        let digits = text.strip_prefix('-').unwrap_or(text);
        decimal(digits)?;
        let integer = text.parse::<i64>().ok().map(Value::from);
        integer.or_else(|| text.parse::<f64>().ok().map(Value::from))
    };
    match attribute.quoted {
        true => Value::from(text),
        false => number().unwrap_or_else(|| Value::from(text)),
    }
}

/// The ranges of a playlist: tags with the same ID are one, of which each says more.
#[derive(Debug, Default)]
pub(super) struct DateRanges {
    /// The line of the first tag, the chunks before it, its ID, and everything that is said of it.
    tags: Vec<(usize, usize, String, Vec<Said>)>,
}

/// An attribute: its name, its value, and whether that stood in quotes.
type Said = (String, String, bool);

impl DateRanges {
    /// Takes a tag; gives what is wrong with it.
    pub fn tag(&mut self, line: usize, before: usize, list: &str) -> Result<(), String> {
        let id = attributes(list).find(|attribute| attribute.name == "ID");
        let id = id.ok_or("a range of dates without ID")?.value;
        let index = match self.tags.iter().position(|tag| tag.2 == id) {
            Some(index) => index,
            None => {
                self.tags.push((line, before, id.to_owned(), Vec::new()));
                self.tags.len() - 1
            }
        };
        if let Some((.., said)) = self.tags.get_mut(index) {
            for Attribute {
                name,
                value,
                quoted,
            } in attributes(list)
            {
                if !said.iter().any(|(said, ..)| said == name) {
                    said.push((name.to_owned(), value.to_owned(), quoted));
                }
            }
        }
        Ok(())
    }

    /// The ranges in order, and what is wrong with others: line and message.
    pub fn finish(self) -> (Vec<DateRange>, Vec<(usize, String)>) {
        let mut ranges = Vec::new();
        let mut problems = Vec::new();
        for (line, before, id, mut said) in self.tags {
            said.sort();
            let parts: Vec<&[u8]> = said
                .iter()
                .flat_map(|(name, value, _)| [name.as_bytes(), value.as_bytes()])
                .collect();
            let fingerprint = hash(&parts);
            match range(&said, &mut problems, line) {
                Ok(cue) => ranges.push(DateRange {
                    line,
                    before,
                    id,
                    cue,
                    fingerprint,
                }),
                Err(message) => problems.push((line, message)),
            }
        }
        (ranges, problems)
    }
}

fn range(said: &[Said], problems: &mut Vec<(usize, String)>, line: usize) -> Result<Cue, String> {
    let find = |name: &str| said.iter().find(|(said, ..)| said == name);
    let date = |name: &str| {
        let (_, text, _) = find(name)?;
        text.parse::<Timestamp>()
            .ok()
            .map(Timestamp::as_microsecond)
    };
    let start = date("START-DATE").ok_or("a range of dates without a START-DATE that is one")?;
    let seconds = |name: &str| find(name).and_then(|(_, text, _)| decimal(text));
    let to_end = date("END-DATE")
        .and_then(|end| MediaTime::from_seconds_f64(end.checked_sub(start)? as f64 / 1e6))
        .filter(|duration| !duration.is_negative());
    let mut cue = Cue {
        at: CueTime::Utc(start),
        kind: CueKind::DateRange,
        duration: seconds("DURATION")
            .or(to_end)
            .or(seconds("PLANNED-DURATION")),
        attributes: Attributes::new(),
    };
    for (name, value, quoted) in said {
        if matches!(name.as_str(), "START-DATE" | "DURATION") {
            continue;
        }
        let key = Name::from(name.to_ascii_lowercase().replace('-', "_"));
        let value = match (name.as_str(), value.as_str()) {
            ("END-ON-NEXT", text) => Value::from(text == "YES"),
            _ => value_of(Attribute {
                name,
                value,
                quoted: *quoted,
            }),
        };
        cue.attributes.insert(key, value);
    }
    let messages = ["SCTE35-OUT", "SCTE35-IN", "SCTE35-CMD"];
    for (_, text, _) in messages.iter().filter_map(|name| find(name)) {
        match scte35::parse_text(text) {
            Ok(info) => join(&mut cue, &info),
            Err(error) => problems.push((line, error.to_string())),
        }
    }
    Ok(cue)
}
