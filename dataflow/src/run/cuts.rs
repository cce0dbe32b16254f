//! Cuts of a timeline whose media is in a store: the chunks around a range are fetched, and handed
//! to whatever selects from them.

use std::sync::Arc;

use matchcut_media::cut::{Cut, CutChunk, CutError, exact, to_decode};
use matchcut_media::render::Pieces;
use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::TrackNumber;
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
    let placed = around(range, timeline);
    let chunks: Vec<Arc<Demuxed>> = placed
        .iter()
        .map(|placed| {
            let media = store.get_for_cut(placed);
            media.map_err(|failure| failure.to_string())
        })
        .collect::<Result<_, _>>()?;
    let cut_chunks: Vec<CutChunk<'_>> = placed
        .iter()
        .zip(&chunks)
        .map(|(placed, demuxed)| CutChunk {
            demuxed,
            offset: placed.offset,
            stretch: placed.stretch,
        })
        .collect();
    by(&cut_chunks, range, tracks).map_err(|error| error.to_string())
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
