//! Writing lines: `serde_json::to_string` of these gives one line without its line feed. The first
//! keys are those of the format, the exact times follow.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::observation::{Class, Observation};
use crate::segment::Segment;
use crate::time::MediaTime;

/// What a stream says of one instant beside its place on the event timeline. All of it is for
/// readers of the file and ignored when the line is read again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExactTimes {
    /// Presentation time in ticks of the stream.
    pub pts: Option<i64>,
    /// Ticks in a second.
    pub timescale: Option<u32>,
    /// Number of the frame in the event, from 0.
    pub frame: Option<u64>,
    /// Wall clock, RFC 3339.
    pub utc: Option<String>,
    /// SMPTE timecode.
    pub timecode: Option<String>,
}

impl ExactTimes {
    fn entries<M: SerializeMap>(&self, prefix: &str, map: &mut M) -> Result<(), M::Error> {
        let key = |name: &str| format!("{prefix}{name}");
        if let Some(pts) = self.pts {
            map.serialize_entry(&key("pts"), &pts)?;
        }
        if let Some(timescale) = self.timescale {
            map.serialize_entry(&key("timescale"), &timescale)?;
        }
        if let Some(frame) = self.frame {
            map.serialize_entry(&key("frame"), &frame)?;
        }
        if let Some(utc) = &self.utc {
            map.serialize_entry(&key("utc"), utc)?;
        }
        if let Some(timecode) = &self.timecode {
            map.serialize_entry(&key("timecode"), timecode)?;
        }
        Ok(())
    }
}

fn seconds(time: MediaTime) -> f64 {
    time.rounded_seconds()
}

/// The line of an observation.
#[derive(Clone, Debug)]
pub struct ObservationLine<'a> {
    /// What was observed.
    pub observation: &'a Observation,
    /// Class of the operator, nearly always a featurer.
    pub class: Class,
    /// Exact times of its start.
    pub start: Option<ExactTimes>,
    /// Exact times of its end.
    pub end: Option<ExactTimes>,
}

impl<'a> ObservationLine<'a> {
    /// The line of what a featurer observed, without exact times.
    pub fn new(observation: &'a Observation) -> Self {
        ObservationLine {
            observation,
            class: Class::Featurer,
            start: None,
            end: None,
        }
    }
}

impl Serialize for ObservationLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let observation = self.observation;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("operator", &observation.operator)?;
        map.serialize_entry("class", &self.class)?;
        map.serialize_entry("start", &seconds(observation.start))?;
        map.serialize_entry("end", &seconds(observation.end))?;
        map.serialize_entry("track", &observation.track)?;
        map.serialize_entry("attributes", &observation.attributes)?;
        map.serialize_entry("start_flicks", &observation.start.flicks())?;
        map.serialize_entry("end_flicks", &observation.end.flicks())?;
        if let Some(start) = &self.start {
            start.entries("", &mut map)?;
        }
        if let Some(end) = &self.end {
            end.entries("end_", &mut map)?;
        }
        map.end()
    }
}

/// How a clip was cut.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Cut {
    /// A playlist over the source chunks.
    Instant,
    /// A file with exactly the frames of the segment.
    Exact,
    /// The same, its edges encoded anew.
    Smart,
    /// The same, all of it encoded anew.
    Render,
}

/// A media file of a segment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClipEntry {
    /// Audio track.
    pub track: u32,
    /// How it was cut.
    pub cut: Cut,
    /// Where it lies, relative to the directory of results.
    pub path: String,
    /// Number of its first frame in the event.
    pub first_frame: u64,
    /// Number of the first frame after it.
    pub end_frame: u64,
    /// How far its marks may be from those of the segment.
    pub max_error_frames: u64,
}

/// The line of a segment.
#[derive(Clone, Debug)]
pub struct SegmentLine<'a> {
    /// The segment.
    pub segment: &'a Segment,
    /// Exact times of its mark-in.
    pub start: Option<ExactTimes>,
    /// Exact times of its mark-out.
    pub end: Option<ExactTimes>,
    /// Its media files; `None` leaves the field out.
    pub clips: Option<Vec<ClipEntry>>,
}

impl<'a> SegmentLine<'a> {
    /// The line of a segment, without exact times and clips.
    pub fn new(segment: &'a Segment) -> Self {
        SegmentLine {
            segment,
            start: None,
            end: None,
            clips: None,
        }
    }
}

impl Serialize for SegmentLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let segment = self.segment;
        let marks: BTreeMap<u32, [f64; 2]> = segment
            .opto
            .iter()
            .map(|(track, range)| (track.0, [seconds(range.start), seconds(range.end)]))
            .collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("operator", &segment.id.segmenter)?;
        map.serialize_entry("class", &Class::Segmenter)?;
        map.serialize_entry("start", &seconds(segment.start()))?;
        map.serialize_entry("end", &segment.end.map(seconds))?;
        map.serialize_entry("opto", &marks)?;
        map.serialize_entry("label", &segment.label)?;
        map.serialize_entry("attributes", &segment.attributes)?;
        map.serialize_entry("id", &segment.id.to_string())?;
        map.serialize_entry("start_flicks", &segment.start().flicks())?;
        map.serialize_entry("end_flicks", &segment.end.map(MediaTime::flicks))?;
        let exact: BTreeMap<u32, [i64; 2]> = segment
            .opto
            .iter()
            .map(|(track, range)| (track.0, [range.start.flicks(), range.end.flicks()]))
            .collect();
        map.serialize_entry("opto_flicks", &exact)?;
        if let Some(start) = &self.start {
            start.entries("", &mut map)?;
        }
        if let Some(end) = &self.end {
            end.entries("end_", &mut map)?;
        }
        if let Some(clips) = &self.clips {
            map.serialize_entry("clips", clips)?;
        }
        map.end()
    }
}
