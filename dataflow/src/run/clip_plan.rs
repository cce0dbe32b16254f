//! Which clips there are to be: a pure decision from segments and the timeline, so that the log alone
//! determines what is told of clips, and when. Making them is the work of [`super::clips`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use matchcut_model::change::{Change, ClipRow, Row};
use matchcut_model::chunk::{ContentId, PlacedChunk, Position, TrackNumber};
use matchcut_model::segment::{Segment, SegmentId};
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::timeline::EventTimeline;
use matchcut_sinks::FrameIndex;
use matchcut_sinks::files::safe_file_name;

use super::clips::ClipMode;
use super::media::content_of;

/// The clips of one segment.
type Clips = BTreeMap<TrackNumber, ClipRow>;

/// What is to be done for the clips of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClipJob {
    /// The segment.
    pub segment: SegmentId,
    /// Its clips now; none when it is gone.
    pub clips: Vec<ClipRow>,
    /// Files that nobody names any more.
    pub gone: Vec<String>,
}

/// Decides on clips, epoch by epoch.
#[derive(Debug)]
pub struct ClipPlanner {
    mode: ClipMode,
    /// Complete segments, as they are now.
    complete: BTreeMap<SegmentId, Arc<Segment>>,
    /// Those whose surroundings are not there yet.
    waiting: BTreeSet<SegmentId>,
    planned: BTreeMap<SegmentId, Clips>,
}

impl ClipPlanner {
    /// A planner for clips that are cut in this way.
    pub fn new(mode: ClipMode) -> Self {
        ClipPlanner {
            mode,
            complete: BTreeMap::new(),
            waiting: BTreeSet::new(),
            planned: BTreeMap::new(),
        }
    }

    /// Takes the changes of an epoch. A clip is told when its segment is complete and the chunk behind
    /// its last mark is there (or the event has `ended`), and told again when its marks or the chunks
    /// that it shows change; `placed` is the chunk that the epoch brings, if any.
    pub fn update(
        &mut self,
        changes: &[Change],
        timeline: &EventTimeline,
        placed: Option<&PlacedChunk>,
        ended: bool,
    ) -> (Vec<Change>, Vec<ClipJob>) {
        if self.mode == ClipMode::None {
            return (Vec::new(), Vec::new());
        }
        let mut touched = BTreeSet::new();
        for change in changes.iter().filter(|change| change.diff < 0) {
            if let Row::Segment(segment) = &change.row {
                self.complete.remove(&segment.id);
                touched.insert(segment.id.clone());
            }
        }
        for change in changes.iter().filter(|change| change.diff > 0) {
            if let Row::Segment(segment) = &change.row {
                touched.insert(segment.id.clone());
                if segment.end.is_some() {
                    self.complete
                        .insert(segment.id.clone(), Arc::clone(segment));
                }
            }
        }
        if let Some(placed) = placed {
            touched.extend(self.shown_near(placed.span));
        }
        touched.append(&mut self.waiting);

        let (mut told, mut jobs) = (Vec::new(), Vec::new());
        for id in touched {
            let wanted = match self.complete.get(&id) {
                Some(segment) => {
                    let wanted = self.clips(segment, timeline);
                    let last = wanted.values().map(|clip| clip.marks.end).max();
                    if !ended && last.is_none_or(|last| last >= timeline.end()) {
                        self.waiting.insert(id.clone());
                        // What was cut before stays until there is better.
                        if self.planned.contains_key(&id) {
                            continue;
                        }
                        Clips::new()
                    } else {
                        wanted
                    }
                }
                None => Clips::new(),
            };
            let before = self.planned.remove(&id).unwrap_or_default();
            if before != wanted {
                told.extend(
                    before
                        .iter()
                        .filter(|(track, clip)| wanted.get(track) != Some(clip))
                        .map(|(_, clip)| Change::retract(clip.clone())),
                );
                told.extend(
                    wanted
                        .iter()
                        .filter(|(track, clip)| before.get(track) != Some(clip))
                        .map(|(_, clip)| Change::insert(clip.clone())),
                );
                let named: BTreeSet<&String> = wanted.values().map(|clip| &clip.path).collect();
                let gone = before.values().map(|clip| &clip.path);
                jobs.push(ClipJob {
                    segment: id.clone(),
                    gone: gone.filter(|path| !named.contains(path)).cloned().collect(),
                    clips: wanted.values().cloned().collect(),
                });
            }
            if !wanted.is_empty() {
                self.planned.insert(id, wanted);
            }
        }
        (told, jobs)
    }

    /// Segments with clips that a chunk over `span` may show in, or lead up to.
    fn shown_near(&self, span: TimeRange) -> Vec<SegmentId> {
        let margin = span.duration() + MediaTime::from_seconds(1);
        let near = TimeRange::new(span.start - margin, span.end + margin);
        self.planned
            .iter()
            .filter(|(_, clips)| clips.values().any(|clip| clip.marks.overlaps(&near)))
            .map(|(id, _)| id.clone())
            .collect()
    }

    fn clips(&self, segment: &Segment, timeline: &EventTimeline) -> Clips {
        let Some(marks) = marks_of(segment, timeline) else {
            return Clips::new();
        };
        let frames = FrameIndex::new(timeline, None);
        let number = |number: i64| u64::try_from(number).unwrap_or_default();
        let stem = stem_of(&segment.id);
        let extension = self.mode.extension();
        let clip = |(track, marks): (TrackNumber, TimeRange)| {
            let (first, end) = frames.frames_of(marks);
            let row = ClipRow {
                segment: segment.id.clone(),
                track,
                cut: self.mode.kind(),
                path: format!("clips/{stem}_t{track}.{extension}"),
                marks,
                first_frame: number(first),
                end_frame: number(end),
                content: content(marks, timeline),
            };
            (track, row)
        };
        marks.into_iter().map(clip).collect()
    }
}

/// The name of the files of a segment, without extension.
pub fn stem_of(id: &SegmentId) -> String {
    let name = safe_file_name(&id.segmenter);
    format!("{name}_{:09}", id.start.to_millis().max(0))
}

/// The marks of a complete segment by track: every track that is there between them.
fn marks_of(
    segment: &Segment,
    timeline: &EventTimeline,
) -> Option<BTreeMap<TrackNumber, TimeRange>> {
    let range = segment.range()?;
    let mut tracks: BTreeSet<TrackNumber> = segment.opto.keys().copied().collect();
    for chunk in timeline.chunks_covering(range) {
        tracks.extend(chunk.audio_tracks.iter().copied());
    }
    if tracks.is_empty() {
        tracks.insert(TrackNumber::FIRST);
    }
    let marks = tracks
        .into_iter()
        .filter_map(|track| Some((track, segment.effective(track)?)));
    Some(marks.collect())
}

/// The identity of the chunks that a clip shows, and of those beside it that decoders start in and
/// whose sound reaches in.
pub(super) fn content(marks: TimeRange, timeline: &EventTimeline) -> ContentId {
    let shown = timeline.chunks_covering(marks);
    let first = shown.first().map(|first| first.chunk.position.0);
    let before = first.and_then(|first| timeline.get(Position(first.checked_sub(1)?)));
    let last = shown.last().map(|last| last.chunk.position);
    let behind = timeline.locate(marks.end);
    let behind = behind.filter(|behind| last.is_some_and(|last| behind.chunk.position > last));
    let ids: Vec<[u8; 8]> = before
        .into_iter()
        .chain(shown)
        .chain(behind)
        .map(|placed| placed.content.0.to_be_bytes())
        .collect();
    let parts: Vec<&[u8]> = ids.iter().map(<[u8; 8]>::as_slice).collect();
    content_of(&parts)
}
