//! Times and pictures as the protocol writes them: whole flicks, with seconds beside them for people.

use matchcut_model::frame::{PixelFormat, ViewSpec};
use matchcut_model::time::{FrameRate, MediaTime};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;

/// A time that the program says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flicks(pub(super) MediaTime);

impl<'de> Deserialize<'de> for Flicks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let value = Json::deserialize(deserializer)?;
        let time = value.as_i64().map(MediaTime::from_flicks);
        match time {
            Some(time) if time.abs() <= MediaTime::FARTHEST => Ok(Flicks(time)),
            Some(_) => Err(D::Error::custom(format!(
                "the time {value} is too far away"
            ))),
            None => {
                let text = "times are whole numbers of flicks (705600000 a second)";
                Err(D::Error::custom(format!("{value} is not a time: {text}")))
            }
        }
    }
}

/// Seconds for reading.
pub(super) fn seconds(time: MediaTime) -> f64 {
    time.rounded_seconds()
}

/// Frames as the program wants them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct View {
    width: u32,
    height: u32,
    format: PixelFormat,
    #[serde(default)]
    rate: Option<Rate>,
}

/// A frame rate: a whole number, or text such as `30000/1001`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub(super) enum Rate {
    /// Whole.
    Whole(u32),
    /// A fraction.
    Text(String),
}

impl Rate {
    pub(super) fn read(&self) -> Result<FrameRate, String> {
        let (num, den) = match self {
            Rate::Whole(rate) => (Some(*rate), Some(1)),
            Rate::Text(text) => {
                let (num, den) = text.split_once('/').unwrap_or((text, "1"));
                (num.trim().parse().ok(), den.trim().parse().ok())
            }
        };
        num.zip(den)
            .and_then(|(num, den)| FrameRate::new(num, den))
            .filter(|rate| (0.01..=240.0).contains(&rate.as_f64()))
            .ok_or_else(|| "not a frame rate; write for example 5 or \"30000/1001\"".to_owned())
    }
}

/// The greatest side of a view.
pub(super) const LARGEST_SIDE: u32 = 4096;

impl View {
    pub(super) fn read(&self) -> Result<ViewSpec, String> {
        let side = |side: u32| (1..=LARGEST_SIDE).contains(&side);
        if !side(self.width) || !side(self.height) {
            let (width, height) = (self.width, self.height);
            return Err(format!(
                "a view of {width} x {height}; 1 to {LARGEST_SIDE} each"
            ));
        }
        let rate = self.rate.as_ref().map(Rate::read).transpose();
        Ok(ViewSpec {
            width: self.width,
            height: self.height,
            format: self.format,
            rate: rate.map_err(|message| format!("\"rate\" of its view: {message}"))?,
            frames: matchcut_model::frame::FrameChoice::All,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_numbers() {
        let read = |text: &str| serde_json::from_str::<Flicks>(text);
        assert_eq!(read("705600000").unwrap().0, MediaTime::from_seconds(1));
        assert_eq!(read("-5").unwrap().0, MediaTime::from_flicks(-5));
        for wrong in ["1.5", "\"1\"", "null", "1e30", "9223372036854775807"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn views_have_bounds() {
        let read = |text: &str| {
            serde_json::from_str::<View>(text)
                .map_err(|e| e.to_string())?
                .read()
        };
        let view =
            read(r#"{"width":64,"height":36,"format":"gray8","rate":"30000/1001"}"#).unwrap();
        assert_eq!(
            (view.width, view.height, view.format),
            (64, 36, PixelFormat::Gray8)
        );
        assert_eq!(view.rate, FrameRate::new(30_000, 1001));
        for wrong in [
            r#"{"width":0,"height":36,"format":"gray8"}"#,
            r#"{"width":64,"height":5000,"format":"gray8"}"#,
            r#"{"width":64,"height":36,"format":"cmyk"}"#,
            r#"{"width":64,"height":36,"format":"gray8","rate":0}"#,
            r#"{"width":64,"height":36,"format":"gray8","fps":5}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
