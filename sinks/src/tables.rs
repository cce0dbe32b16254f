//! The tables: segments of an event, and pieces of a replay, with times in seconds, timecode and
//! frames.

use std::collections::BTreeSet;

use matchcut_model::chunk::TrackNumber;
use matchcut_model::segment::Segment;
use matchcut_model::time::MediaTime;

use crate::csv::{Field, Table};
use crate::exact::Exact;
use crate::info::Media;
use crate::sequence::Sequence;

/// `exports/segments.csv`: a line for each segment and audio track. What is still open has no end.
pub(crate) fn segments<'a>(
    segments: impl Iterator<Item = &'a Segment>,
    tracks: &BTreeSet<TrackNumber>,
    media: &Media,
    exact: &Exact<'_>,
) -> String {
    let mut table = Table::new(&[
        "segment",
        "segmenter",
        "label",
        "audio_track",
        "start",
        "end",
        "duration",
        "start_timecode",
        "end_timecode",
        "start_frame",
        "end_frame",
        "frames",
        "optimized",
        "original_start",
        "original_end",
        "start_utc",
        "clip",
        "attributes",
    ]);
    for segment in segments {
        let clips = media.clips.get(&segment.id).map(Vec::as_slice);
        for &track in tracks {
            let marks = segment.effective(track);
            let start = marks.map_or(segment.start(), |marks| marks.start);
            let end = marks.map(|marks| marks.end);
            let first = exact.frames().at_or_after(start);
            let last = end.map(|end| exact.frames().at_or_after(end));
            let clip = clips
                .unwrap_or_default()
                .iter()
                .find(|clip| clip.track == track.0);
            let utc = exact.times(start).and_then(|times| times.utc);
            let attributes = serde_json::to_string(&segment.attributes).ok();
            table.row(vec![
                Field::free(Some(&segment.id)),
                Field::free(Some(&segment.id.segmenter)),
                Field::free(segment.label.as_ref()),
                Field::plain(Some(track)),
                Field::plain(Some(start)),
                Field::plain(end),
                Field::plain(marks.map(|marks| marks.duration())),
                Field::plain(Some(exact.timecode(start))),
                Field::plain(end.map(|end| exact.timecode(end))),
                Field::plain(Some(first)),
                Field::plain(last),
                Field::plain(last.map(|last| (last - first).max(0))),
                Field::plain(Some(segment.opto.contains_key(&track))),
                Field::plain(Some(segment.start())),
                Field::plain(segment.end),
                Field::plain(utc),
                Field::free(clip.map(|clip| &clip.path)),
                Field::free(attributes.filter(|_| !segment.attributes.is_empty())),
            ]);
        }
    }
    table.into_text()
}

/// `exports/replay_NAME.csv`: a line for each piece of a replay in its order. `shown` are the
/// durations that the pieces have when they are played.
pub(crate) fn replay(list: &Sequence, shown: &[MediaTime], exact: &Exact<'_>) -> String {
    let mut table = Table::new(&[
        "number",
        "segment",
        "label",
        "audio_track",
        "start",
        "end",
        "duration",
        "start_timecode",
        "end_timecode",
        "start_frame",
        "end_frame",
        "frames",
        "replay_start",
        "replay_end",
        "record_in",
        "record_out",
        "score",
        "reason",
        "clip",
    ]);
    let mut at = MediaTime::ZERO;
    for ((number, edit), shown) in (1..).zip(&list.edits).zip(shown) {
        let cut = &edit.cut;
        let start = at;
        at += *shown;
        table.row(vec![
            Field::plain(Some(number)),
            Field::free(cut.segment.as_ref()),
            Field::free(Some(&cut.name)),
            Field::plain(Some(list.track)),
            Field::plain(Some(cut.marks.start)),
            Field::plain(Some(cut.marks.end)),
            Field::plain(Some(cut.marks.duration())),
            Field::plain(Some(exact.timecode(cut.marks.start))),
            Field::plain(Some(exact.timecode(cut.marks.end))),
            Field::plain(Some(cut.source.first)),
            Field::plain(Some(cut.source.end)),
            Field::plain(Some(cut.source.len())),
            Field::plain(Some(start)),
            Field::plain(Some(at)),
            Field::plain(Some(list.record_start.plus(edit.record.first))),
            Field::plain(Some(list.record_start.plus(edit.record.end))),
            Field::plain(cut.score),
            Field::free(Some(&cut.note)),
            Field::free(cut.file.as_ref().map(|file| &file.path)),
        ]);
    }
    table.into_text()
}
