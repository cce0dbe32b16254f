//! What a component saw, checked before anybody else sees it: it may say what it described, about the time
//! that it was shown.

use std::collections::BTreeMap;

use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Value};

use super::wit;
use crate::sdk::Said;

/// Nothing is said about times that are farther from the chunk.
const FAR: MediaTime = MediaTime::from_seconds(3600);

/// More is not said of one chunk.
const MOST: usize = 100_000;

/// Longer texts are refused.
const LONGEST: usize = 64 << 10;

/// The attributes that a component has.
pub(super) struct Observed(BTreeMap<String, wit::AttributeKind>);

impl Observed {
    pub(super) fn new(attributes: &[wit::Attribute]) -> Result<Observed, String> {
        let mut known = BTreeMap::new();
        for attribute in attributes {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if attribute.name.is_empty() || !attribute.name.chars().all(fits) {
                return Err(format!(
                    "an attribute \"{}\" (a name has letters, digits, _ and -)",
                    attribute.name.escape_debug()
                ));
            }
            known.insert(attribute.name.clone(), attribute.kind);
        }
        Ok(Observed(known))
    }

    pub(super) fn check_count(&self, count: usize) -> Result<(), String> {
        match count <= MOST {
            true => Ok(()),
            false => Err(format!(
                "the component says more than {MOST} things of one chunk"
            )),
        }
    }

    /// What was seen in a chunk from `start` to `end`.
    pub(super) fn read(
        &self,
        seen: Vec<wit::Observation>,
        start: MediaTime,
        end: MediaTime,
    ) -> Result<Vec<Said>, String> {
        self.check_count(seen.len())?;
        let (first, last) = (start - FAR, end + FAR);
        let one = |seen: wit::Observation| {
            let from = MediaTime::from_flicks(seen.start);
            let to = MediaTime::from_flicks(seen.end);
            if from > to || from < first || to > last {
                return Err(format!(
                    "the component says something of {} to {} flicks in a chunk from {start} to {end}",
                    seen.start, seen.end
                ));
            }
            let attributes = seen
                .attributes
                .into_iter()
                .map(|(name, value)| self.value(name, value));
            Ok(Said {
                start: from,
                end: to,
                attributes: attributes.collect::<Result<Attributes, String>>()?,
            })
        };
        seen.into_iter().map(one).collect()
    }

    fn value(
        &self,
        name: String,
        value: wit::Value,
    ) -> Result<(matchcut_model::value::Name, Value), String> {
        use wit::AttributeKind as Kind;
        let Some(kind) = self.0.get(&name) else {
            let name = name.escape_debug();
            return Err(format!(
                "the component says \"{name}\", which is none of the attributes that it described"
            ));
        };
        let value = match (kind, value) {
            (Kind::Boolean, wit::Value::Boolean(yes)) => Value::from(yes),
            (Kind::Number, wit::Value::Integer(number)) => Value::from(number),
            (Kind::Number, wit::Value::Number(number)) if number.is_finite() => Value::from(number),
            (Kind::Text, wit::Value::Text(text)) if text.len() <= LONGEST => Value::from(text),
            (kind, _) => {
                let expected = match kind {
                    Kind::Boolean => "true or false".to_owned(),
                    Kind::Number => "a finite number".to_owned(),
                    Kind::Text => format!("text of at most {LONGEST} bytes"),
                };
                return Err(format!(
                    "the component gives \"{name}\" something else than {expected}"
                ));
            }
        };
        Ok((name.into(), value))
    }
}
