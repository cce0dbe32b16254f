//! Segments and replays as lists of edits.

use std::collections::BTreeMap;

use matchcut_model::change::{ChoiceRow, EventState};
use matchcut_model::chunk::TrackNumber;
use matchcut_model::lines::{ClipEntry, Cut as CutKind};
use matchcut_model::observation::Class;
use matchcut_model::segment::{Segment, SegmentId};
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::timecode::Timecode;
use matchcut_model::timeline::EventTimeline;
use matchcut_model::value::Name;
use serde_json::{Map, Value as Json, json};

use crate::error::SinkError;
use crate::exact::{Exact, input_name};
use crate::info::{EventInfo, Media};
use crate::place::Places;
use crate::replay_document::{Replay, key_of};
use crate::sequence::{ClipFile, Colour, Cut, FrameRange, Sequence, Source, Subject};

/// Makes lists of edits of one event.
#[derive(Debug)]
pub(crate) struct EditLists<'a> {
    info: &'a EventInfo,
    timeline: &'a EventTimeline,
    exact: &'a Exact<'a>,
    media: &'a Media,
    record_start: Timecode,
    places: Places,
    /// Segmenters in the order of the spec.
    colours: BTreeMap<&'a Name, Colour>,
}

impl<'a> EditLists<'a> {
    /// Fails when the start timecode does not exist at the frame rate of the event.
    pub(crate) fn new(
        info: &'a EventInfo,
        timeline: &'a EventTimeline,
        exact: &'a Exact<'a>,
        media: &'a Media,
    ) -> Result<Self, SinkError> {
        let operators = info.profile.operators.iter();
        let segmenters = operators.filter(|operator| operator.class == Class::Segmenter);
        Ok(EditLists {
            info,
            timeline,
            exact,
            media,
            record_start: Timecode::parse(&info.edl.start_timecode, exact.zero().rate())?,
            places: Places::new(timeline, exact.frames()),
            colours: segmenters
                .enumerate()
                .map(|(index, operator)| (&operator.name, Colour::of(index)))
                .collect(),
        })
    }

    /// All complete segments with the marks that count on `track`, one after the other.
    pub(crate) fn event<'b>(
        &self,
        segments: impl Iterator<Item = &'b Segment>,
        track: TrackNumber,
    ) -> Sequence {
        let subject = self.subject(&self.info.event, track);
        Sequence::butted(subject, self.segments(segments, track))
    }

    /// The same at their places on a timeline that holds the whole event.
    pub(crate) fn event_in_place<'b>(
        &self,
        segments: impl Iterator<Item = &'b Segment>,
        track: TrackNumber,
    ) -> Sequence {
        let subject = self.subject(&self.info.event, track);
        let place = |cut: &Cut| self.places.of(cut.source.first);
        Sequence::placed(subject, self.segments(segments, track), place)
    }

    /// The event itself: its frames with its holes left open.
    pub(crate) fn whole(&self, track: TrackNumber) -> Sequence {
        let cuts = self.places.runs().iter().map(|run| Cut {
            source: run.frames,
            name: self.info.source.clone(),
            ..Cut::default()
        });
        let subject = self.subject(&self.info.event, track);
        let place = |cut: &Cut| self.places.of(cut.source.first);
        Sequence::placed(subject, cuts.collect(), place)
    }

    /// The pieces of a replay in its order. `name_of` names a piece by its segment.
    pub(crate) fn replay(
        &self,
        replay: &Replay<'_>,
        segment_of: impl Fn(&SegmentId) -> Option<&'a Segment>,
    ) -> Sequence {
        let row = replay.row;
        let subject = self.subject(&format!("{} {}", self.info.event, row.name), row.track);
        let cuts = replay.chosen.iter().map(|choice| {
            let segment = choice.segment.as_ref().and_then(&segment_of);
            self.choice(choice, segment, row.track)
        });
        Sequence::butted(subject, cuts.collect())
    }

    /// What a reader of the lists has to know.
    pub(crate) fn warning(&self) -> Option<String> {
        self.places.is_variable().then(|| {
            format!(
                "the frame rate of the source varies: edit lists count its frames one by one, as if \
                 there were {} a second; times in tables, chapters and JSON are those of the frames",
                self.exact.frames().rate()
            )
        })
    }

    /// How long the frames of a range are shown. Where it crosses from one stretch of the stream to
    /// the next, what lies between them is not part of it.
    pub(crate) fn shown(&self, range: TimeRange) -> MediaTime {
        let mut stretches: BTreeMap<u32, TimeRange> = BTreeMap::new();
        for chunk in self.timeline.chunks_covering(range) {
            let first = chunk.frames.before(range.start);
            let end = chunk.frames.before(range.end);
            let Some(start) = chunk.frames.get(first).filter(|_| first < end) else {
                continue;
            };
            let end = chunk.frames.get(end).map_or(chunk.span.end, |f| f.time);
            stretches
                .entry(chunk.stretch)
                .and_modify(|all| all.end = all.end.max(end))
                .or_insert(TimeRange::new(start.time, end));
        }
        if self.exact.frames().is_empty() {
            return range.duration();
        }
        stretches.values().map(TimeRange::duration).sum()
    }

    fn subject(&self, title: &str, track: TrackNumber) -> Subject {
        let frames = self.exact.frames();
        let uri = self.info.source_uri.trim_end_matches('/');
        let address = match uri.contains("://") {
            true => input_name(uri),
            // A path: where it lies is no part of the results.
            false => uri.rsplit('/').next().unwrap_or(uri).to_owned(),
        };
        let address = Some(address).filter(|name| !name.is_empty());
        let last = self.places.runs().last().map(|run| run.frames.end);
        Subject {
            title: title.to_owned(),
            source: Source {
                name: self.info.source.clone(),
                address,
                zero: self.exact.zero(),
                frames: last.unwrap_or(0),
            },
            track,
            video: frames.has_video(),
            record_start: self.record_start,
        }
    }

    fn segments<'b>(
        &self,
        segments: impl Iterator<Item = &'b Segment>,
        track: TrackNumber,
    ) -> Vec<Cut> {
        let cut = |segment: &'b Segment| {
            let marks = segment.effective(track)?;
            let (details, note) = (self.details(segment, marks, track), String::new());
            Some(self.cut(
                marks,
                clip_name(segment),
                Some((segment, track)),
                details,
                note,
            ))
        };
        segments.filter_map(cut).collect()
    }

    fn choice(&self, choice: &ChoiceRow, segment: Option<&Segment>, track: TrackNumber) -> Cut {
        let marks = choice.marks;
        let name = choice_name(choice, segment);
        let mut details = match segment {
            Some(segment) => self.details(segment, marks, track),
            None => marks_of(choice.original, marks),
        };
        let features = choice.features.iter();
        let features: Vec<String> = features.map(|f| key_of(f).to_string()).collect();
        details.insert("features".into(), json!(features));
        details.insert("reason".into(), json!(choice.reason));
        let score = choice.score.map(|score| score.get());
        details.insert("score".into(), json!(score));
        Cut {
            score,
            ..self.cut(
                marks,
                name,
                segment.map(|s| (s, track)),
                details,
                choice.reason.clone(),
            )
        }
    }

    fn cut(
        &self,
        marks: TimeRange,
        name: String,
        of: Option<(&Segment, TrackNumber)>,
        details: Map<String, Json>,
        note: String,
    ) -> Cut {
        let (first, end) = self.exact.frames().frames_of(marks);
        let source = FrameRange::new(first, end);
        let colour = of.and_then(|(segment, _)| self.colours.get(&segment.id.segmenter));
        Cut {
            source,
            marks,
            name,
            colour: colour.copied().unwrap_or_default(),
            note,
            segment: of.map(|(segment, _)| segment.id.to_string()),
            score: None,
            file: of.and_then(|(segment, track)| self.file(&segment.id, track, source)),
            details,
        }
    }

    /// The exact clip with these frames.
    fn file(
        &self,
        segment: &SegmentId,
        track: TrackNumber,
        frames: FrameRange,
    ) -> Option<ClipFile> {
        let clips = self.media.clips.get(segment)?.iter();
        let file = |clip: &ClipEntry| {
            let first = i64::try_from(clip.first_frame).ok()?;
            let end = i64::try_from(clip.end_frame).ok()?;
            (clip.cut == CutKind::Exact && clip.max_error_frames == 0).then(|| ClipFile {
                path: clip.path.clone(),
                frames: FrameRange::new(first, end),
            })
        };
        clips
            .filter(|clip| clip.track == track.0)
            .filter_map(file)
            .find(|file| file.frames.first <= frames.first && frames.end <= file.frames.end)
    }

    fn details(
        &self,
        segment: &Segment,
        marks: TimeRange,
        track: TrackNumber,
    ) -> Map<String, Json> {
        let original = segment.range().unwrap_or(marks);
        let mut details = marks_of(original, marks);
        details.insert("segment".into(), json!(segment.id.to_string()));
        details.insert("segmenter".into(), json!(segment.id.segmenter));
        details.insert("label".into(), json!(segment.label));
        details.insert("attributes".into(), json!(segment.attributes));
        details.insert("audio_track".into(), json!(track));
        details
    }
}

/// Exact marks in flicks: as the segmenter set them, and as they count.
fn marks_of(original: TimeRange, marks: TimeRange) -> Map<String, Json> {
    let flicks = |range: TimeRange| json!([range.start.flicks(), range.end.flicks()]);
    let mut map = Map::new();
    map.insert("original_flicks".into(), flicks(original));
    map.insert("marks_flicks".into(), flicks(marks));
    map
}

/// What a clip is called: its label, else its segmenter and when it starts.
fn clip_name(segment: &Segment) -> String {
    segment
        .label
        .clone()
        .filter(|label| !label.trim().is_empty())
        .unwrap_or_else(|| format!("{} {}", segment.id.segmenter, at(segment.start())))
}

/// What a piece of a replay is called, in every list, table and chapter.
pub fn name_of_choice(state: &EventState, choice: &ChoiceRow) -> String {
    let segment = choice.segment.as_ref().and_then(|id| state.segment(id));
    choice_name(choice, segment)
}

fn choice_name(choice: &ChoiceRow, segment: Option<&Segment>) -> String {
    segment.map_or_else(|| at(choice.original.start), clip_name)
}

fn at(time: MediaTime) -> String {
    format!("{time} s")
}
