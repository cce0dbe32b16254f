//! Playlists over the source chunks: nothing is cut, so they cost nothing and are there at once.
//! The placed chunks of each range are handed to the playlist writer of the media crate, named
//! relative to the playlist.

use std::path::Path;
use std::sync::Arc;

use matchcut_media::hls::{self, HlsChunk, VodPlaylist};
use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::{Container, PlacedChunk, Resource};
use matchcut_model::time::TimeRange;
use matchcut_model::timeline::EventTimeline;
use url::Url;

use super::media::MediaStore;

/// A playlist, and how far its ends may be from the marks.
pub struct Instant {
    /// The text of the playlist.
    pub text: String,
    /// In frames, the worst of all its pieces.
    pub max_error_frames: u64,
    /// Whether browsers can start at each of its pieces.
    pub browser: bool,
}

/// A VOD playlist (RFC 8216) that plays `ranges` one after the other, for a file at `path`: chunks
/// on this machine are named relative to it.
pub fn instant(
    store: &MediaStore,
    timeline: &EventTimeline,
    ranges: &[TimeRange],
    path: &Path,
) -> Result<Instant, String> {
    let base = std::path::absolute(path)
        .ok()
        .and_then(|path| Url::from_file_path(path).ok());
    let mut playlist = VodPlaylist::default();
    let mut max_error_frames = 0;
    let mut browser = true;
    for range in ranges {
        let chunks = timeline.chunks_covering(*range);
        // Times jump between stretches, and a player must be told.
        for run in chunks.chunk_by(|a, b| a.stretch == b.stretch) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else {
                continue;
            };
            let part = TimeRange::new(
                range.start.max(first.span.start),
                range.end.min(last.span.end),
            );
            let (mut clip, report) = clip(store, run, part, base.as_ref())?;
            clip.program_date_time = timeline.utc_of(report.played.start);
            max_error_frames = max_error_frames.max(report.max_error_frames);
            browser &= report.browser;
            playlist.clips.push(clip);
        }
    }
    if playlist.clips.is_empty() {
        return Err("there is no chunk between the marks".to_owned());
    }
    Ok(Instant {
        text: playlist.to_m3u8(),
        max_error_frames,
        browser,
    })
}

fn clip(
    store: &MediaStore,
    run: &[&PlacedChunk],
    range: TimeRange,
    base: Option<&Url>,
) -> Result<(hls::PlaylistClip, hls::InstantReport), String> {
    let named = |resource: &Resource| Resource {
        uri: relative(&resource.uri, base),
        ..resource.clone()
    };
    let media: Vec<(Resource, Option<Resource>, Arc<Demuxed>)> = run
        .iter()
        .map(|placed| {
            let init = placed.chunk.init.as_ref().map(named);
            // Without its samples a chunk is played whole: less exact, and still right.
            let is_file = placed.chunk.container == Container::FilePart;
            let demuxed = if is_file {
                None
            } else {
                store.get(placed).ok()
            };
            (
                named(&placed.chunk.media),
                init,
                demuxed.unwrap_or_default(),
            )
        })
        .collect();
    let chunks: Vec<HlsChunk<'_>> = run
        .iter()
        .zip(&media)
        .map(|(placed, (media, init, demuxed))| HlsChunk {
            demuxed,
            offset: placed.offset,
            media,
            init: init.as_ref(),
            container: placed.chunk.container,
            bytes: Some(placed.bytes),
            span: placed.span,
        })
        .collect();
    hls::instant(&chunks, range).map_err(|error| error.to_string())
}

/// A file is named relative to the playlist, so that both can be moved together.
fn relative(uri: &str, base: Option<&Url>) -> String {
    let named = base
        .zip(Url::parse(uri).ok())
        .filter(|(_, url)| url.scheme() == "file")
        .and_then(|(base, url)| base.make_relative(&url));
    named.unwrap_or_else(|| uri.to_owned())
}
