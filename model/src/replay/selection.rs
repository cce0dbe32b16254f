//! What a replay consists of: the chosen segments with the reason, and the others with the reason.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::key::FeatureKey;
use super::score::Score;
use crate::chunk::TrackNumber;
use crate::segment::SegmentId;
use crate::time::{MediaTime, TimeRange};

/// A feature that a chosen segment has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Feature {
    /// Which.
    pub key: FeatureKey,
    /// When it was observed.
    pub at: MediaTime,
    /// What it is worth; `None` where it is only included.
    pub points: Option<Score>,
}

/// Why a segment is in a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Everything that has a feature fits, so nothing is weighed.
    EverythingFits,
    /// It has a wanted feature, in mode `features`.
    HasFeature,
    /// Somebody likes it.
    Liked,
    /// It was the `rank`-th best that fitted.
    Rank(usize),
    /// It was the `rank`-th that fitted when the parts of the event took turns.
    Turn {
        /// Place in the order of taking, from 1.
        rank: usize,
        /// Part of the event, from 0.
        bucket: usize,
    },
    /// The request names its time.
    Given,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::EverythingFits => f.write_str("everything with a feature fits"),
            Reason::HasFeature => f.write_str("has a wanted feature"),
            Reason::Liked => f.write_str("liked"),
            Reason::Rank(rank) => write!(f, "number {rank} by score"),
            Reason::Turn { rank, bucket } => {
                write!(f, "number {rank} by turns, in part {}", bucket + 1)
            }
            Reason::Given => f.write_str("time given in the request"),
        }
    }
}

/// Why a segment is not in a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftOut {
    /// It has no end yet.
    Open,
    /// It was recorded for another audio track.
    OtherTrack(TrackNumber),
    /// None of the wanted features was observed in it.
    NoFeature,
    /// Its features are worth nothing in sum, and the request drops such.
    ZeroWeight,
    /// Somebody dislikes it, and the request drops such.
    Disliked,
    /// It did not fit.
    NoRoom {
        /// Its length.
        needs: MediaTime,
        /// What was left at its turn.
        left: MediaTime,
    },
    /// Its turn never came.
    NotReached,
    /// It has no length.
    Empty,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LeftOut::Open => f.write_str("still open"),
            LeftOut::OtherTrack(track) => write!(f, "of track {track}"),
            LeftOut::NoFeature => f.write_str("no wanted feature"),
            LeftOut::ZeroWeight => f.write_str("its features weigh nothing"),
            LeftOut::Disliked => f.write_str("disliked"),
            LeftOut::NoRoom { needs, left } => {
                write!(f, "does not fit: needs {needs} s, {left} s left")
            }
            LeftOut::NotReached => f.write_str("its turn never came"),
            LeftOut::Empty => f.write_str("has no length"),
        }
    }
}

/// A piece of a replay.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Selected {
    /// Original marks.
    pub range: TimeRange,
    /// The segment; `None` for a time that the request gives.
    pub segment: Option<SegmentId>,
    /// The marks to play.
    pub effective: TimeRange,
    /// Audio track to play.
    pub track: TrackNumber,
    /// What it was scored, where anything was.
    pub score: Option<Score>,
    /// Why it is in.
    pub reason: Reason,
    /// The features it has.
    pub features: Vec<Feature>,
}

/// A segment that stayed out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Skipped {
    /// Original mark-in.
    pub start: MediaTime,
    /// Original mark-out, if complete.
    pub end: Option<MediaTime>,
    /// The segment; `None` for a time that the request gives.
    pub segment: Option<SegmentId>,
    /// Its score, where it came that far.
    pub score: Option<Score>,
    /// Why it is out.
    pub reason: LeftOut,
}

/// The outcome of a replay request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Selection {
    /// Whether it is to be stored: it differs from the previous one.
    pub processed: bool,
    /// What the rules choose, in order of playing, also where it is not news.
    pub selected: Vec<Selected>,
    /// The sum of the whole points of each scored segment.
    pub total_score: Score,
    /// Every other segment with the reason, in order of start.
    pub left_out: Vec<Skipped>,
}
