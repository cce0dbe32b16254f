//! Cuts of a timeline whose media is in a store: the chunks around a range are fetched, and handed
//! to whatever selects from them.

use std::sync::Arc;

use matchcut_media::cut::{Cut, CutChunk, CutError, exact, to_decode};
use matchcut_media::render::Pieces;
use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::{PlacedChunk, TrackNumber};
use matchcut_model::time::TimeRange;
use matchcut_model::timeline::EventTimeline;

use super::clips::{Piece, around};
use super::media::MediaStore;

type Select = fn(&[CutChunk<'_>], TimeRange, Option<&[TrackNumber]>) -> Result<Cut, CutError>;

fn select(
    store: &MediaStore,
    range: TimeRange,
    tracks: Option<&[TrackNumber]>,
    timeline: &EventTimeline,
    by: Select,
) -> Result<Cut, String> {
    let mut chunks: Vec<(&PlacedChunk, Arc<Demuxed>)> = Vec::new();
    let mut beside = None;
    for placed in around(range, timeline) {
        match store.get_for_cut(placed) {
            Ok(chunk) => chunks.push((placed, chunk)),
            Err(failure) if placed.span.overlaps(&range) => return Err(failure.to_string()),
            // It may not be needed: it is there for a key frame, and for sound at the edge.
            Err(failure) => {
                tracing::debug!(%failure, "the clip is cut without the chunk beside it");
                beside = Some(failure);
            }
        }
    }
    let cut_chunks: Vec<CutChunk<'_>> = chunks
        .iter()
        .map(|(placed, demuxed)| CutChunk {
            demuxed,
            offset: placed.offset,
            stretch: placed.stretch,
        })
        .collect();
    let cut = by(&cut_chunks, range, tracks);
    match (cut, beside) {
        (cut, None) => cut.map_err(|error| error.to_string()),
        (Ok(cut), Some(_)) if cut.report.frames == frames_in(range, timeline) => Ok(cut),
        // Another variant may have some of the frames in it.
        (Ok(_), Some(failure)) => Err(failure.to_string()),
        (Err(error), Some(failure)) => Err(format!("{error} ({failure})")),
    }
}

/// The number of frames that a range shows.
fn frames_in(range: TimeRange, timeline: &EventTimeline) -> u64 {
    let chunks = timeline.chunks_covering(range).into_iter();
    let frames = chunks.flat_map(|placed| placed.frames.iter());
    frames.filter(|frame| range.contains(frame.time)).count() as u64
}

/// The exact cut of a range with some audio tracks, or with all (`None`).
pub fn exact_cut(
    store: &MediaStore,
    range: TimeRange,
    tracks: Option<&[TrackNumber]>,
    timeline: &EventTimeline,
) -> Result<Cut, String> {
    select(store, range, tracks, timeline, exact)
}

/// The same for rendering, where every codec will do.
pub fn cut_to_render(
    store: &MediaStore,
    range: TimeRange,
    tracks: Option<&[TrackNumber]>,
    timeline: &EventTimeline,
) -> Result<Cut, String> {
    select(store, range, tracks, timeline, to_decode)
}

/// The pieces of a replay for the renderer, which asks for one after the other.
pub struct StoredPieces<'a> {
    /// What is played, in order.
    pub pieces: &'a [Piece],
    /// Where its media is.
    pub store: &'a MediaStore,
    /// The event.
    pub timeline: &'a EventTimeline,
}

impl Pieces for StoredPieces<'_> {
    fn count(&self) -> usize {
        self.pieces.len()
    }

    fn piece(&mut self, index: usize) -> Result<Cut, String> {
        let piece = self.pieces.get(index).ok_or("there is no such clip")?;
        let track = [piece.track];
        cut_to_render(self.store, piece.marks, Some(&track), self.timeline)
    }
}
