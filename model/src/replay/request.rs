//! What a replay asks for: its mode, its length, what it weighs and which feedback it heeds.
//! Requests come from the replay tables of a spec and from the bodies of MRE's `POST /replay`.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::key::FeatureKey;
use super::score::Score;
use crate::chunk::TrackNumber;
use crate::time::{MediaTime, TimeRange};

/// How a replay chooses.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The best segments that fit into a length.
    #[default]
    Duration,
    /// Every segment with one of the features.
    Features,
    /// The given times, as they are.
    Timestamps,
}

/// Whose rules hold where MRE's code and its intent differ.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Compat {
    /// What MRE means to do.
    #[default]
    None,
    /// What MRE does.
    Mre,
}

/// A text that names no compatibility mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("compat \"{0}\" is not known; it is \"mre\" or \"none\"")]
pub struct ParseCompatError(pub String);

impl FromStr for Compat {
    type Err = ParseCompatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_ascii_lowercase().as_str() {
            "mre" => Ok(Compat::Mre),
            "none" | "" => Ok(Compat::None),
            _ => Err(ParseCompatError(text.to_owned())),
        }
    }
}

/// One feature that a replay weighs or includes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Priority {
    /// What must be observed.
    pub key: FeatureKey,
    /// What it is worth.
    pub weight: Option<Score>,
    /// Whether it counts where no weight is given.
    pub include: Option<bool>,
    /// As MRE names it, `Operator | Attribute | value`; its last part is what MRE's code tests.
    pub name: String,
}

impl Priority {
    /// A feature that is worth `weight`.
    pub fn weighted(key: FeatureKey, weight: Score) -> Self {
        Priority {
            name: mre_name(&key),
            key,
            weight: Some(weight),
            include: None,
        }
    }

    /// A feature that is included, whatever it is worth.
    pub fn included(key: FeatureKey) -> Self {
        Priority {
            name: mre_name(&key),
            key,
            weight: None,
            include: Some(true),
        }
    }

    /// Whether it can choose segments at all: a weight above 0, or without a weight the wish to
    /// include it.
    pub fn counts(&self) -> bool {
        match self.weight {
            Some(weight) => weight > Score::ZERO,
            None => self.include == Some(true),
        }
    }
}

fn mre_name(key: &FeatureKey) -> String {
    let operator = key
        .operator
        .as_ref()
        .map_or("*", |operator| operator.as_str());
    format!(
        "{operator} | {} | {}",
        key.attribute,
        key.value.plain_text()
    )
}

/// One replay, as asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReplayRequest {
    /// How it chooses.
    pub mode: Mode,
    /// Wanted length, in mode `duration`.
    pub duration: MediaTime,
    /// How much longer it may get.
    pub tolerance: MediaTime,
    /// Spread the choice over the whole event.
    pub equal_distribution: bool,
    /// Segments that somebody likes come in without a feature, and first.
    pub include_liked: bool,
    /// Segments that somebody dislikes stay out.
    pub ignore_disliked: bool,
    /// Segments whose features are worth nothing in sum stay out.
    pub disregard_zero_weight: bool,
    /// Audio track: whose observations, optimized marks and feedback count.
    pub track: TrackNumber,
    /// Kept up to date while the event runs.
    pub catchup: bool,
    /// Whose rules hold.
    pub compat: Compat,
    /// What is weighed, in order.
    pub priorities: Vec<Priority>,
    /// The times of mode `timestamps`, in the order given.
    pub timestamps: Vec<TimeRange>,
    /// Significance by correlation id, in place of a custom priorities engine. When it is not
    /// empty it replaces the weights.
    pub significance: BTreeMap<String, Score>,
}

impl ReplayRequest {
    /// How much longer than asked a replay may get when a request does not say: 30 s.
    pub const DEFAULT_TOLERANCE: MediaTime = MediaTime::from_seconds(30);

    /// The most a replay of mode `duration` may last.
    pub fn limit(&self) -> MediaTime {
        self.duration + self.tolerance
    }
}

/// A replay of no length with every option at its default.
impl Default for ReplayRequest {
    fn default() -> Self {
        ReplayRequest {
            mode: Mode::Duration,
            duration: MediaTime::ZERO,
            tolerance: Self::DEFAULT_TOLERANCE,
            equal_distribution: false,
            include_liked: false,
            ignore_disliked: false,
            disregard_zero_weight: false,
            track: TrackNumber::FIRST,
            catchup: false,
            compat: Compat::None,
            priorities: Vec::new(),
            timestamps: Vec::new(),
            significance: BTreeMap::new(),
        }
    }
}
