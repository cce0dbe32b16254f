//! The keys of `[pipeline]` and `[replays.X]` as plain structs: their documentation and defaults
//! become the JSON Schema and the messages.

use std::collections::BTreeMap;

use matchcut_model::time::MediaTime;
use matchcut_operators::sdk::text_duration;
use matchcut_sinks::edl::EdlStyle;
use matchcut_sinks::export::{ExportFormat, Link};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rendering::{self, RenderSettings};

/// Where timecode in exports comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimecodeSource {
    /// Timecode in the source is not used: source times count from 00:00:00:00.
    #[default]
    NotEmbedded,
    /// The timecode that the source carries; from 00:00:00:00 where it carries none.
    ZeroBased,
    /// The timecode that the source carries, as the time of day in UTC; where it carries none, from the
    /// program date and time of the source.
    UtcBased,
}

/// `[pipeline]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pipeline {
    /// The name of the pipeline.
    pub name: String,
    /// For people.
    pub description: String,
    /// The program in exports; the name of the pipeline when empty.
    pub program: String,
    /// The event in exports; the name of the pipeline when empty.
    pub event: String,
    /// An open segment is closed at this length.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    pub max_segment: MediaTime,
    /// A late or corrected chunk is taken when at most this many chunks follow it.
    #[schemars(range(min = 1, max = 100_000))]
    pub correction_window: u32,
    /// Where timecode in exports comes from.
    pub timecode: TimecodeSource,
    /// Record timecode at which edit lists begin.
    #[schemars(regex(pattern = r"^\d\d:[0-5]\d:[0-5]\d[:;]\d\d$"))]
    pub start_timecode: String,
    /// Drop-frame timecode at 29.97 and 59.94 frames a second.
    pub drop_frame: bool,
    /// The forms that results are written in, beside JSON lines.
    pub exports: Vec<ExportFormat>,
    /// For which editor edit decision lists are written.
    pub edl_style: EdlStyle,
    /// What the clips of OpenTimelineIO and Final Cut Pro XML refer to.
    pub export_media: Link,
}

impl Default for Pipeline {
    fn default() -> Self {
        Pipeline {
            name: String::new(),
            description: String::new(),
            program: String::new(),
            event: String::new(),
            max_segment: MediaTime::from_seconds(300),
            correction_window: 20,
            timecode: TimecodeSource::NotEmbedded,
            start_timecode: "00:00:00:00".to_owned(),
            drop_frame: true,
            exports: ExportFormat::ALL.into(),
            edl_style: EdlStyle::default(),
            export_media: Link::default(),
        }
    }
}

impl Pipeline {
    /// The program in exports.
    pub fn program(&self) -> &str {
        if self.program.is_empty() {
            &self.name
        } else {
            &self.program
        }
    }

    /// The event in exports.
    pub fn event(&self) -> &str {
        if self.event.is_empty() {
            &self.name
        } else {
            &self.event
        }
    }
}

/// How a replay chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The best segments that fit in `duration`.
    #[default]
    Duration,
    /// Every segment with one of the features in `include`.
    Features,
    /// The ranges in `timestamps`.
    Timestamps,
}

/// Whose rules hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compat {
    /// The documented rules.
    #[default]
    None,
    /// What AWS Media Replay Engine does, bugs included.
    Mre,
}

/// A time in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Moment(
    /// The time.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    pub MediaTime,
);

/// A range in a list: `["10s", "25s"]` or `{ start = "10s", end = "25s" }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a range is written [\"10s\", \"25s\"] or { start = \"10s\", end = \"25s\" }"
)]
pub enum Stretch {
    /// Start and end.
    Pair([Moment; 2]),
    /// By name.
    Named {
        /// Start.
        start: Moment,
        /// End.
        end: Moment,
    },
}

impl Stretch {
    /// Start and end as written: the end may come first.
    pub fn bounds(&self) -> (MediaTime, MediaTime) {
        match self {
            Stretch::Pair([start, end]) | Stretch::Named { start, end } => (start.0, end.0),
        }
    }
}

/// `[replays.X]` without `inputs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReplaySettings {
    /// For people.
    pub description: String,
    /// How segments are chosen.
    pub mode: Mode,
    /// Length of the replay (mode `duration`).
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    pub duration: MediaTime,
    /// The replay may be longer by this much (mode `duration`).
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    pub tolerance: MediaTime,
    /// What features are worth, 0 to 100: `"OPERATOR.ATTRIBUTE"`, or `"OPERATOR.ATTRIBUTE=VALUE"`
    /// when the attribute is not a boolean.
    #[schemars(inner(range(min = 0, max = 100)))]
    pub weights: BTreeMap<String, f64>,
    /// What single observations are worth, by the text or number that they carry in the attribute
    /// `custom_priorities_engine_correlation_id`: in the place of weights. Features that are weighed or included then
    /// count where they are observed with one of these ids. Empty: weights count.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub significance: BTreeMap<String, f64>,
    /// Features of which a segment needs one (mode `features`), written as in `weights`.
    pub include: Vec<String>,
    /// The ranges of the replay, in order (mode `timestamps`).
    pub timestamps: Vec<Stretch>,
    /// Spread the replay evenly over the event.
    pub equal_distribution: bool,
    /// Take every segment that was liked.
    pub include_liked: bool,
    /// Leave out segments that were disliked.
    pub ignore_disliked: bool,
    /// Leave out segments that score 0.
    pub disregard_zero_weight: bool,
    /// Audio track whose marks and features count.
    #[schemars(range(min = 1, max = 20))]
    pub track: u32,
    /// Publish while the event runs.
    pub catchup: bool,
    /// Versions of its playlist that a catch-up replay keeps; 0 keeps all.
    pub keep_versions: u32,
    /// Whose rules hold where they differ.
    pub compat: Compat,
    /// Encode the video of the replay, to a size, with transitions, to a loudness; without it the
    /// clips are joined as they are. `"local"` or `"mediaconvert"` alone says who encodes it.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "rendering::text_or_table"
    )]
    #[schemars(schema_with = "rendering::text_or_table_schema")]
    pub render: Option<RenderSettings>,
}

impl Default for ReplaySettings {
    fn default() -> Self {
        ReplaySettings {
            description: String::new(),
            mode: Mode::Duration,
            duration: MediaTime::from_seconds(60),
            tolerance: MediaTime::from_seconds(30),
            weights: BTreeMap::new(),
            significance: BTreeMap::new(),
            include: Vec::new(),
            timestamps: Vec::new(),
            equal_distribution: false,
            include_liked: false,
            ignore_disliked: false,
            disregard_zero_weight: false,
            track: 1,
            catchup: false,
            keep_versions: 0,
            compat: Compat::None,
            render: None,
        }
    }
}
