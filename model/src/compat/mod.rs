//! Replay selection exactly as MRE's code does it, for comparing with it and for moving from it.
//! What the code means to do is in [`crate::replay`]; the deviations below are all on purpose.
//!
//! - A segment is looked at once for every track that it has optimized marks on, whatever track the
//!   replay asks for: a segment with two tracks can be chosen twice. Without optimized marks only
//!   the audio observations of track 1 are seen.
//! - An observation belongs to a segment when its start lies within the *original* marks, both
//!   ends inclusive; how long it lasts does not matter. What a segmenter says of a segment is such
//!   a point at the segment's start. Labelers are not asked; where a file holds labels merged into
//!   the segment, they cannot be told from the segmenter's own words.
//! - A feature matches when the text after the last `|` of its name is "true" and the attribute is
//!   true (or 1). Its operator and its value are ignored, and of features with the same attribute
//!   only the first one that matches counts.
//! - The zero-weight flag works in mode `features` too, where it drops all but liked segments.
//! - Optimized marks that begin at 0 are taken for missing.
//! - The buckets of equal distribution have cracks of a millisecond, their bounds are running sums
//!   of doubles, and a decimal start is compared exactly with them; a first pass that takes nothing
//!   ends the selection.
//! - Nothing is stored when there is no candidate, or when the starts are those of the stored
//!   selection; in mode `features` everything is stored. Mode `timestamps` stores an empty list.
//!
//! Times are looked at in whole milliseconds, as MRE stores them. A feature without `AttribName`,
//! which ends MRE's worker with an error, takes the attribute from its name.

mod bounds;
mod matching;

pub use bounds::buckets;

use crate::chunk::TrackNumber;
use crate::replay::{
    Candidate, Decision, Hit, LeftOut, Mode, Previous, Recorded, Score, Selected, Selection,
    SelectionInput, Side, Skipped, Verdict, Verdicts, decide,
};
use crate::segment::Segment;
use crate::time::{MediaTime, TimeRange};
use matching::Points;

/// A segment as MRE caches it: for one track.
struct CacheObject<'a> {
    segment: &'a Segment,
    track: TrackNumber,
    optimized: Option<TimeRange>,
    range: TimeRange,
}

fn millis(time: MediaTime) -> MediaTime {
    MediaTime::from_millis(time.to_millis())
}

fn in_millis(range: TimeRange) -> TimeRange {
    TimeRange {
        start: millis(range.start),
        end: millis(range.end),
    }
}

impl CacheObject<'_> {
    /// Both optimized marks above 0, else the original ones.
    fn effective(&self) -> TimeRange {
        match self.optimized {
            Some(range) if range.start > MediaTime::ZERO && range.end > MediaTime::ZERO => range,
            _ => self.range,
        }
    }

    fn verdict(&self, verdicts: &Verdicts, track: TrackNumber) -> Verdict {
        let side = if self.optimized.is_some() {
            Side::Optimized
        } else {
            Side::Original
        };
        verdicts.at(self.range.start, track, side)
    }
}

/// One object for each complete segment and track, in order of start; what is recorded again
/// replaces what was recorded before, as the same name does in a cache.
fn cache<'a>(recorded: &'a [Recorded]) -> Vec<CacheObject<'a>> {
    let mut objects = std::collections::BTreeMap::new();
    for Recorded { segment, track } in recorded {
        let Some(range) = segment.range().map(in_millis) else {
            continue;
        };
        let mut put = |track: TrackNumber, optimized: Option<TimeRange>| {
            let object = CacheObject {
                segment,
                track,
                optimized,
                range,
            };
            objects.insert((range.start, range.end, track), object);
        };
        let marks = |track: &TrackNumber| segment.opto.get(track).copied().map(in_millis);
        match track {
            Some(track) => put(*track, marks(track)),
            None if segment.opto.is_empty() => put(TrackNumber::FIRST, None),
            None => segment
                .opto
                .keys()
                .for_each(|track| put(*track, marks(track))),
        }
    }
    objects.into_values().collect()
}

/// What MRE would choose and store.
pub fn select(input: &SelectionInput<'_>) -> Selection {
    let request = input.request;
    if request.mode == Mode::Timestamps {
        return Selection {
            processed: true,
            selected: Vec::new(),
            total_score: Score::ZERO,
            left_out: Vec::new(),
        };
    }
    let verdicts: Verdicts = input.feedback.iter().collect();
    let points = Points::new(input);
    let mut left_out = open(input.segments);
    let mut candidates = Vec::new();
    for object in cache(input.segments) {
        let verdict = object.verdict(&verdicts, request.track);
        let liked = request.include_liked && verdict == Verdict::Like;
        let hits = if liked {
            Vec::new()
        } else {
            points.hits(&object.range, object.track, request)
        };
        let score: Score = hits.iter().filter_map(|hit: &Hit| hit.points).sum();
        let reason = if request.ignore_disliked && verdict == Verdict::Dislike {
            Some(LeftOut::Disliked)
        } else if !liked && hits.is_empty() {
            Some(LeftOut::NoFeature)
        } else if !liked && request.disregard_zero_weight && score == Score::ZERO {
            Some(LeftOut::ZeroWeight)
        } else {
            None
        };
        match reason {
            Some(reason) => left_out.push(Skipped {
                start: object.range.start,
                end: Some(object.range.end),
                segment: Some(object.segment.id.clone()),
                score: None,
                reason,
            }),
            None => candidates.push(Candidate {
                range: object.range,
                segment: object.segment.id.clone(),
                effective: object.effective(),
                score: if liked {
                    Score::liked(object.range.start)
                } else {
                    score
                },
                liked,
                hits,
            }),
        }
    }
    let Decision {
        selected,
        left_out: skipped,
        total_score,
    } = decide(&candidates, request);
    left_out.extend(skipped);
    left_out.sort();
    let processed = match request.mode {
        Mode::Duration => !candidates.is_empty() && !same_starts(&selected, input.previous),
        Mode::Features | Mode::Timestamps => true,
    };
    Selection {
        processed,
        selected,
        total_score,
        left_out,
    }
}

fn same_starts(selected: &[Selected], previous: &[Previous]) -> bool {
    let mut now: Vec<i64> = selected
        .iter()
        .map(|entry| entry.range.start.to_millis())
        .collect();
    let mut before: Vec<i64> = previous
        .iter()
        .map(|entry| entry.start.to_millis())
        .collect();
    now.sort_unstable();
    before.sort_unstable();
    now == before
}

/// Segments without an end are never cached.
fn open(recorded: &[Recorded]) -> Vec<Skipped> {
    let open = recorded.iter().filter(|entry| entry.segment.end.is_none());
    open.map(|entry| Skipped {
        start: entry.segment.start(),
        end: None,
        segment: Some(entry.segment.id.clone()),
        score: None,
        reason: LeftOut::Open,
    })
    .collect()
}
