//! A selection as JSON: what `matchcut select` prints, and with more detail `replay.json`.

use serde::{Serialize, Serializer};

use super::score::Score;
use super::selection::{Feature, Selection};

/// The document: `{"processed": …, "selected": […], "total_score": …}`.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayDocument {
    /// Whether the selection is to be stored.
    pub processed: bool,
    /// The chosen segments; empty where nothing is to be stored.
    pub selected: Vec<ReplayEntry>,
    /// The sum of the whole points.
    pub total_score: Score,
    /// Every other segment, in the detailed document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<Vec<SkippedEntry>>,
}

/// A chosen segment. Times are seconds with 3 decimals, original marks.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayEntry {
    /// Mark-in.
    pub start: f64,
    /// Mark-out.
    pub end: f64,
    /// The score, `"-"` where nothing was scored.
    #[serde(serialize_with = "score_or_dash")]
    pub score: Option<Score>,
    /// `SEGMENTER:START_IN_FLICKS`, in the detailed document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// Audio track, in the detailed document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track: Option<u32>,
    /// The marks that are played, in the detailed document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective: Option<[f64; 2]>,
    /// Why it is in, in the detailed document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The features it has, in the detailed document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<FeatureEntry>>,
}

/// A feature of a chosen segment.
#[derive(Clone, Debug, Serialize)]
pub struct FeatureEntry {
    /// `OPERATOR.ATTRIBUTE[=VALUE]`.
    pub feature: String,
    /// When it was observed.
    pub at: f64,
    /// What it is worth, where it is weighed.
    pub points: Option<Score>,
}

/// A segment that stayed out.
#[derive(Clone, Debug, Serialize)]
pub struct SkippedEntry {
    /// Mark-in.
    pub start: f64,
    /// Mark-out, `null` while it is open.
    pub end: Option<f64>,
    /// Its score, where it came that far.
    pub score: Option<Score>,
    /// Why it is out.
    pub reason: String,
}

fn score_or_dash<S: Serializer>(score: &Option<Score>, serializer: S) -> Result<S::Ok, S::Error> {
    match score {
        Some(score) => score.serialize(serializer),
        None => serializer.serialize_str("-"),
    }
}

impl From<&Feature> for FeatureEntry {
    fn from(feature: &Feature) -> Self {
        FeatureEntry {
            feature: feature.key.to_string(),
            at: feature.at.rounded_seconds(),
            points: feature.points,
        }
    }
}

impl ReplayDocument {
    /// What `matchcut select` prints: start, end and score of what is to be stored.
    pub fn brief(selection: &Selection) -> Self {
        if !selection.processed {
            return ReplayDocument {
                processed: false,
                selected: Vec::new(),
                total_score: Score::ZERO,
                left_out: None,
            };
        }
        let selected = selection.selected.iter().map(|entry| ReplayEntry {
            start: entry.range.start.rounded_seconds(),
            end: entry.range.end.rounded_seconds(),
            score: entry.score,
            segment: None,
            track: None,
            effective: None,
            reason: None,
            features: None,
        });
        ReplayDocument {
            processed: true,
            selected: selected.collect(),
            total_score: selection.total_score,
            left_out: None,
        }
    }

    /// The same with segment, track, marks played, reason and features of each, and with what was
    /// left out.
    pub fn detailed(selection: &Selection) -> Self {
        let mut document = ReplayDocument::brief(selection);
        for (entry, selected) in document.selected.iter_mut().zip(&selection.selected) {
            entry.segment = selected.segment.as_ref().map(ToString::to_string);
            entry.track = Some(selected.track.0);
            entry.effective = Some([
                selected.effective.start.rounded_seconds(),
                selected.effective.end.rounded_seconds(),
            ]);
            entry.reason = Some(selected.reason.to_string());
            entry.features = Some(selected.features.iter().map(FeatureEntry::from).collect());
        }
        let left_out = selection.left_out.iter().map(|entry| SkippedEntry {
            start: entry.start.rounded_seconds(),
            end: entry.end.map(|end| end.rounded_seconds()),
            score: entry.score,
            reason: entry.reason.to_string(),
        });
        document.left_out = Some(left_out.collect());
        document
    }
}
