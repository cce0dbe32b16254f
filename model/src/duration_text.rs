//! Durations in options, as people write them: `500ms`, `5s`, `1m30s`. For `#[serde(with = "…")]`.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

use crate::time::MediaTime;

/// Reads one; it is not negative.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<MediaTime, D::Error> {
    let time: MediaTime = String::deserialize(from)?
        .parse()
        .map_err(D::Error::custom)?;
    match time.is_negative() {
        true => Err(D::Error::custom("a duration cannot be negative")),
        false => Ok(time),
    }
}

/// Writes one in seconds.
pub fn serialize<S: Serializer>(time: &MediaTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&format!("{}s", time.rounded_seconds()))
}
