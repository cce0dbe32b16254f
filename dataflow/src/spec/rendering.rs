//! `render` of a replay: how its video is made when it is not only joined but encoded, as plain
//! settings that become a plan for the renderer.

use std::fmt;
use std::path::{Path, PathBuf};

use matchcut_media::render::{Fit, Loudness, RenderPlan, Transition};
use matchcut_model::time::{FrameRate, MediaTime};
use matchcut_operators::sdk::text_duration;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// What happens to pictures of another shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FitChoice {
    /// The output is filled, and what stands out is cut off.
    #[default]
    Crop,
    /// Everything is shown, with black bars.
    Pad,
}

/// What stands between two clips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransitionKind {
    /// A hard cut.
    #[default]
    None,
    /// Pictures and sound go over into a colour and come out of it.
    Fade,
    /// A still picture.
    Image,
    /// A video.
    Clip,
}

/// `transition` of `render`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TransitionSettings {
    /// What stands between two clips.
    #[serde(rename = "type")]
    pub kind: TransitionKind,
    /// How long each clip takes to disappear and the next one to appear (`fade`), or how long the
    /// picture is shown (`image`).
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    pub duration: MediaTime,
    /// The colour of a `fade`.
    #[schemars(regex(pattern = r"^#[0-9a-fA-F]{6}$"))]
    pub color: String,
    /// The file of an `image` (PNG, JPEG) or `clip` (MP4, Matroska, WebM), as seen from the spec.
    pub path: String,
}

impl Default for TransitionSettings {
    fn default() -> Self {
        TransitionSettings {
            kind: TransitionKind::None,
            duration: MediaTime::from_millis(500),
            color: "#000000".to_owned(),
            path: String::new(),
        }
    }
}

/// Who makes the video of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RenderBy {
    /// This machine, with GStreamer.
    #[default]
    Local,
    /// The sink of type `mediaconvert` that takes the replay; none is made here.
    MediaConvert,
}

/// `render` as it is written: a table, or only who.
pub(super) fn text_or_table<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<RenderSettings>, D::Error> {
    struct Either;
    impl<'de> Visitor<'de> for Either {
        type Value = Option<RenderSettings>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("\"local\", \"mediaconvert\" or a table")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            let by = RenderBy::deserialize(text.into_deserializer())?;
            Ok(Some(RenderSettings {
                by,
                ..RenderSettings::default()
            }))
        }

        fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Self::Value, A::Error> {
            RenderSettings::deserialize(MapAccessDeserializer::new(table)).map(Some)
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }
    from.deserialize_any(Either)
}

/// The schema of [`text_or_table`].
pub(super) fn text_or_table_schema(generator: &mut SchemaGenerator) -> Schema {
    let (text, table) = (
        generator.subschema_for::<RenderBy>(),
        generator.subschema_for::<RenderSettings>(),
    );
    schemars::json_schema!({ "anyOf": [text, table, { "type": "null" }] })
}

/// `render` of `[replays.X]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RenderSettings {
    /// Who makes it. `render = "mediaconvert"` is short for a table with this alone.
    pub by: RenderBy,
    /// `4K`, `2K`, `16:9`, `1:1`, `4:5`, `9:16`, `720p`, `480p` or `360p`; the size of the source
    /// by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    /// What happens to pictures of another shape.
    pub fit: FitChoice,
    /// Frames a second, `25` or `30000/1001`; those of the source by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<String>,
    /// Constant rate factor of H.264, smaller is better; that of the resolution by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 51))]
    pub quality: Option<u32>,
    /// At most so many bits a second; as much as the resolution allows by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 50_000, max = 200_000_000))]
    pub max_bitrate: Option<u32>,
    /// What stands between two clips.
    pub transition: TransitionSettings,
    /// Integrated loudness in LUFS that the sound is brought to; unchanged by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -70, max = -5))]
    pub loudness: Option<f64>,
    /// What the true peak must not exceed, in dBTP, when `loudness` is given; -1 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -20, max = 0))]
    pub true_peak: Option<f64>,
}

fn between<T: PartialOrd + std::fmt::Display + Copy>(
    name: &str,
    value: Option<T>,
    (min, max): (T, T),
) -> Result<(), String> {
    match value {
        Some(value) if !(value >= min && value <= max) => Err(format!(
            "\"{name}\" is {value}, it must be between {min} and {max}"
        )),
        _ => Ok(()),
    }
}

/// Reads `25` or `30000/1001`.
pub fn frame_rate(text: &str) -> Result<FrameRate, String> {
    let wrong = || format!("\"{text}\" is no frame rate; write for example 25 or 30000/1001");
    let (num, den) = text.split_once('/').unwrap_or((text, "1"));
    let number = |text: &str| text.trim().parse::<u32>().ok();
    let (num, den) = number(num).zip(number(den)).ok_or_else(wrong)?;
    FrameRate::new(num, den)
        .filter(|rate| (1.0..=240.0).contains(&rate.as_f64()))
        .ok_or_else(wrong)
}

fn color(text: &str) -> Result<[u8; 3], String> {
    let wrong = || format!("\"{text}\" is no colour; write for example \"#000000\"");
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
    let value = digits
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .ok_or_else(wrong)?;
    let [_, red, green, blue] = value.to_be_bytes();
    Ok([red, green, blue])
}

impl RenderSettings {
    /// The plan for the renderer; an error says what is wrong with which key. Files are looked for
    /// in `base`.
    pub fn plan(&self, base: &Path) -> Result<RenderPlan, String> {
        let resolution = self.resolution.as_deref().map(str::parse).transpose();
        let rate = self.frame_rate.as_deref().map(frame_rate).transpose()?;
        between("quality", self.quality, (0, 51))?;
        between("max_bitrate", self.max_bitrate, (50_000, 200_000_000))?;
        between("loudness", self.loudness, (-70.0, -5.0))?;
        between("true_peak", self.true_peak, (-20.0, 0.0))?;
        if self.true_peak.is_some() && self.loudness.is_none() {
            return Err("\"true_peak\" has no effect without \"loudness\"".to_owned());
        }
        let usual = Loudness::default();
        Ok(RenderPlan {
            resolution: resolution
                .map_err(|error: matchcut_media::render::UnknownResolution| error.to_string())?,
            fit: match self.fit {
                FitChoice::Crop => Fit::Crop,
                FitChoice::Pad => Fit::Pad,
            },
            frame_rate: rate,
            quality: self.quality,
            max_bitrate: self.max_bitrate,
            transition: self.transition.plan(base)?,
            loudness: self.loudness.map(|target| Loudness {
                target,
                true_peak: self.true_peak.unwrap_or(usual.true_peak),
            }),
            ..RenderPlan::default()
        })
    }
}

impl TransitionSettings {
    fn plan(&self, base: &Path) -> Result<Transition, String> {
        let file = |kind: &str| -> Result<PathBuf, String> {
            if self.path.is_empty() {
                return Err(format!("a transition of type \"{kind}\" needs \"path\""));
            }
            Ok(base.join(&self.path))
        };
        let lasting = || {
            (self.duration > MediaTime::ZERO)
                .then_some(self.duration)
                .ok_or_else(|| "the \"duration\" of a transition must be more than 0".to_owned())
        };
        Ok(match self.kind {
            TransitionKind::None => Transition::None,
            TransitionKind::Fade => Transition::Fade {
                out: lasting()?,
                into: lasting()?,
                colour: color(&self.color)?,
            },
            TransitionKind::Image => Transition::Image {
                path: file("image")?,
                duration: lasting()?,
            },
            TransitionKind::Clip => Transition::Clip {
                path: file("clip")?,
            },
        })
    }

    /// In a few words.
    pub fn words(&self) -> &'static str {
        match self.kind {
            TransitionKind::None => "hard cuts",
            TransitionKind::Fade => "fades",
            TransitionKind::Image => "a still between clips",
            TransitionKind::Clip => "a video between clips",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Result<RenderPlan, String> {
        let settings: RenderSettings = toml::from_str(text).map_err(|e| e.to_string())?;
        settings.plan(Path::new("/specs"))
    }

    #[test]
    fn settings_become_a_plan() {
        let full = plan(
            "resolution = \"9:16\"\nfit = \"pad\"\nframe_rate = \"30000/1001\"\nquality = 18\n\
             max_bitrate = 2000000\nloudness = -16\n\
             transition = { type = \"fade\", duration = \"250ms\", color = \"#ff8000\" }",
        )
        .unwrap();
        assert_eq!(full.resolution.unwrap().width, 608);
        assert_eq!(full.fit, Fit::Pad);
        assert_eq!(full.frame_rate, FrameRate::new(30_000, 1001));
        assert_eq!(
            (full.quality, full.max_bitrate),
            (Some(18), Some(2_000_000))
        );
        let quarter = MediaTime::from_millis(250);
        let fade = Transition::Fade {
            out: quarter,
            into: quarter,
            colour: [255, 128, 0],
        };
        assert_eq!(full.transition, fade);
        let loudness = full.loudness.unwrap();
        assert_eq!((loudness.target, loudness.true_peak), (-16.0, -1.0));
        let still = plan("transition = { type = \"image\", path = \"a.png\" }").unwrap();
        let Transition::Image { path, .. } = still.transition else {
            panic!("{still:?}");
        };
        assert_eq!(path, Path::new("/specs/a.png"));
        assert_eq!(plan("").unwrap(), RenderPlan::default());
    }

    #[test]
    fn who_renders_is_said_in_two_ways() {
        #[derive(Deserialize)]
        struct Replay {
            #[serde(default, deserialize_with = "text_or_table")]
            render: Option<RenderSettings>,
        }
        let by = |text: &str| -> Option<RenderBy> {
            let replay: Replay = toml::from_str(text).unwrap();
            replay.render.map(|render| render.by)
        };
        assert_eq!(by(""), None);
        assert_eq!(by("render = \"local\""), Some(RenderBy::Local));
        assert_eq!(
            by("render = \"mediaconvert\""),
            Some(RenderBy::MediaConvert)
        );
        let table = "render = { by = \"mediaconvert\", resolution = \"720p\" }";
        assert_eq!(by(table), Some(RenderBy::MediaConvert));
        assert_eq!(by("render = {}"), Some(RenderBy::Local));
        assert!(toml::from_str::<Replay>("render = \"cloud\"").is_err());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, part) in [
            ("resolution = \"1080p\"", "is no resolution"),
            ("frame_rate = \"x\"", "is no frame rate"),
            ("quality = 60", "between 0 and 51"),
            ("true_peak = -2.0", "without \"loudness\""),
            ("loudness = 3.0", "between -70 and -5"),
            ("transition = { type = \"clip\" }", "needs \"path\""),
            (
                "transition = { type = \"fade\", duration = 0 }",
                "more than 0",
            ),
            (
                "transition = { type = \"fade\", color = \"red\" }",
                "is no colour",
            ),
            ("sharpness = 1", "unknown field"),
        ] {
            let error = plan(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
