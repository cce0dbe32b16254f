//! The lines that recordings consist of, read without anything between text and observation.
//! Whatever is not written as plainly as `run` writes it is left to the careful reader, which also
//! knows what to say of what is wrong.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::read::refine;
use crate::chunk::TrackNumber;
use crate::observation::Observation;
use crate::time::MediaTime;
use crate::value::{Attributes, Name, Value};

/// Names that were read before: a recording says the same few names over and over.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<Name>);

/// So many names are looked through for one that is known.
const KNOWN: usize = 32;

impl Names {
    fn name(&mut self, text: &str) -> Name {
        if let Some(known) = self.0.iter().find(|known| known.as_str() == text) {
            return known.clone();
        }
        let name = Name::new(text);
        if self.0.len() < KNOWN {
            self.0.push(name.clone());
        }
        name
    }
}

/// The observation on a line of a featurer. `None` says nothing of the line but that the careful
/// reader has to read it.
pub(super) fn observation(line: &[u8], names: &mut Names) -> Option<Observation> {
    let mut reader = serde_json::Deserializer::from_slice(line);
    let found = Line(names).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    found
}

/// The fields of a line, by name.
#[derive(Clone, Copy, Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    Operator,
    Class,
    Start,
    End,
    Track,
    Attributes,
    StartFlicks,
    EndFlicks,
    Pts,
    Timescale,
    Frame,
    Utc,
    Timecode,
    EndPts,
    EndTimescale,
    EndFrame,
    EndUtc,
    EndTimecode,
}

struct Line<'n>(&'n mut Names);

impl<'de> DeserializeSeed<'de> for Line<'_> {
    type Value = Option<Observation>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Line<'_> {
    type Value = Option<Observation>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an observation")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut operator = None;
        let mut is_featurer = false;
        let (mut start, mut end) = (None, None);
        let (mut start_flicks, mut end_flicks) = (None, None);
        let mut track = None;
        let mut attributes = None;
        let mut seen = 0_u32;
        while let Some(field) = map.next_key::<Field>()? {
            // Of a field that is there twice the careful reader takes the last one.
            let bit = 1 << (field as u32);
            if seen & bit != 0 {
                return Err(serde::de::Error::custom("a field is there twice"));
            }
            seen |= bit;
            match field {
                Field::Operator => operator = Some(self.0.name(map.next_value::<&str>()?)),
                Field::Class => is_featurer = map.next_value::<&str>()? == "featurer",
                Field::Start => start = Some(map.next_value::<f64>()?),
                Field::End => end = map.next_value::<Option<f64>>()?,
                Field::Track => track = map.next_value::<Option<u32>>()?,
                Field::Attributes => {
                    attributes = Some(map.next_value_seed(Pairs(&mut *self.0))?);
                }
                Field::StartFlicks => start_flicks = map.next_value::<Option<i64>>()?,
                Field::EndFlicks => end_flicks = map.next_value::<Option<i64>>()?,
                // The rest is for readers of the file.
                Field::Pts | Field::EndPts => {
                    map.next_value::<Option<i64>>()?;
                }
                Field::Timescale | Field::EndTimescale | Field::Frame | Field::EndFrame => {
                    map.next_value::<Option<u64>>()?;
                }
                Field::Utc | Field::EndUtc | Field::Timecode | Field::EndTimecode => {
                    map.next_value::<Option<&str>>()?;
                }
            }
        }
        Ok(observed(
            operator.filter(|name| is_featurer && !name.is_empty()),
            (start, start_flicks),
            (end, end_flicks),
            track,
            attributes,
        ))
    }
}

fn observed(
    operator: Option<Name>,
    (start, start_flicks): (Option<f64>, Option<i64>),
    (end, end_flicks): (Option<f64>, Option<i64>),
    track: Option<u32>,
    attributes: Option<Attributes>,
) -> Option<Observation> {
    if track == Some(0) {
        return None;
    }
    let time = |seconds: f64, flicks: Option<i64>| {
        MediaTime::from_seconds_f64(seconds).map(|time| refine(time, flicks))
    };
    let start = time(start?, start_flicks)?;
    let end = match end {
        Some(end) => time(end, end_flicks)?,
        None => start,
    };
    (start <= end).then_some(Observation {
        start,
        end,
        operator: operator?,
        track: track.map(TrackNumber),
        attributes: attributes.unwrap_or_default(),
    })
}

struct Pairs<'n>(&'n mut Names);

impl<'de> DeserializeSeed<'de> for Pairs<'_> {
    type Value = Attributes;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Attributes, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Pairs<'_> {
    type Value = Attributes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of names and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes, A::Error> {
        let mut pairs = Vec::with_capacity(4);
        while let Some(name) = map.next_key::<&str>()? {
            pairs.push((self.0.name(name), map.next_value::<Value>()?));
        }
        Ok(pairs.into_iter().collect())
    }
}
