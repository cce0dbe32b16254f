//! Clips: media files of segments and replays, cut while the event runs. A clip is made when its
//! segment is complete and the chunks around its marks are there, and made again when the marks
//! change; what no segment asks for at the end is removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use matchcut_media::cut::{Cut, CutReport, smart, write_mp4, write_replay_mp4};
use matchcut_media::render::{Pieces, RenderPlan, RenderReport, render};
use matchcut_media::thumbnail;
use matchcut_model::chunk::{PlacedChunk, Position, TrackNumber};
use matchcut_model::failure::{Domain, Failure, Retry};
use matchcut_model::lines::{ClipEntry, Cut as CutKind};
use matchcut_model::segment::{Segment, SegmentId};
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::timeline::EventTimeline;
use matchcut_model::value::Name;
use matchcut_sinks::files::{safe_file_name, write_atomically};
use matchcut_sinks::{FrameIndex, Media};

use super::cuts::{StoredPieces, cut_to_render, exact_cut};
use super::media::MediaStore;

/// The width of thumbnails in pixels.
const THUMBNAIL_WIDTH: u32 = 480;

/// How clips are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClipMode {
    /// Not at all.
    None,
    /// As playlists over the source chunks: no new media, accurate to a chunk or key frame.
    Instant,
    /// As MP4 files with the very frames.
    #[default]
    Exact,
    /// The same without edit lists for the pictures: their edges are encoded anew.
    Smart,
    /// The same, encoded anew as H.264 and AAC that play everywhere.
    Render,
}

/// What a clip was made of: when this changes it is made again.
type Marks = BTreeMap<TrackNumber, TimeRange>;

/// Makes the clips of an event in a directory.
pub struct ClipMaker {
    dir: PathBuf,
    mode: ClipMode,
    store: Arc<MediaStore>,
    made: BTreeMap<SegmentId, Marks>,
    failed: BTreeSet<SegmentId>,
    media: Media,
    failures: Vec<Failure>,
}

/// A piece of a replay.
pub struct Piece {
    /// The marks that are played.
    pub marks: TimeRange,
    /// The audio track.
    pub track: TrackNumber,
}

impl ClipMaker {
    /// A maker that writes into `dir`.
    pub fn new(dir: &Path, mode: ClipMode, store: Arc<MediaStore>) -> Self {
        ClipMaker {
            dir: dir.to_owned(),
            mode,
            store,
            made: BTreeMap::new(),
            failed: BTreeSet::new(),
            media: Media::default(),
            failures: Vec::new(),
        }
    }

    /// Makes what is ready: the clips of complete segments whose surroundings are on the timeline.
    /// With `ended` nothing follows, and every complete segment is ready.
    pub fn update<'a>(
        &mut self,
        segments: impl Iterator<Item = &'a Segment>,
        timeline: &EventTimeline,
        ended: bool,
    ) {
        if self.mode == ClipMode::None {
            return;
        }
        let mut present = BTreeSet::new();
        for segment in segments {
            present.insert(segment.id.clone());
            let Some(marks) = marks_of(segment, timeline) else {
                continue;
            };
            let last = marks
                .values()
                .map(|range| range.end)
                .max()
                .unwrap_or_default();
            let ready = ended || last < timeline.end();
            let again = ended && self.failed.remove(&segment.id);
            if ready && (again || self.made.get(&segment.id) != Some(&marks)) {
                let complete = self.make(segment, &marks, timeline);
                // What failed while the event ran is tried once more at its end.
                if !complete && !ended {
                    self.failed.insert(segment.id.clone());
                }
                self.made.insert(segment.id.clone(), marks);
            }
        }
        let gone: Vec<SegmentId> = self
            .made
            .keys()
            .filter(|id| !present.contains(id))
            .cloned()
            .collect();
        for id in gone {
            self.made.remove(&id);
            let clips = self.media.clips.remove(&id).unwrap_or_default();
            let paths = clips.into_iter().map(|clip| clip.path);
            for path in paths.chain(self.media.thumbnails.remove(&id)) {
                // A file that is gone already is what is wanted.
                let _ = fs::remove_file(self.dir.join(path));
            }
        }
    }

    /// Makes the clips of a segment; whether all could be made.
    fn make(&mut self, segment: &Segment, marks: &Marks, timeline: &EventTimeline) -> bool {
        let failures = self.failures.len();
        let stem = stem_of(&segment.id);
        let mut entries = Vec::new();
        for (&track, &range) in marks {
            match self.clip(&stem, range, track, timeline) {
                Ok(entry) => entries.push(entry),
                Err(message) => self.fail(format!("clip of {}", segment.id), message),
            }
        }
        self.media.clips.insert(segment.id.clone(), entries);
        let Some(range) = marks.values().next() else {
            return true;
        };
        let middle = range.start + MediaTime::from_flicks(range.duration().flicks() / 2);
        match self.thumbnail(&stem, middle, timeline) {
            Ok(Some(path)) => drop(self.media.thumbnails.insert(segment.id.clone(), path)),
            Ok(None) => {}
            Err(message) => self.fail(format!("thumbnail of {}", segment.id), message),
        }
        self.failures.len() == failures
    }

    fn fail(&mut self, input: String, message: String) {
        self.failures.push(Failure {
            position: None,
            input,
            operator: None,
            message,
            domain: Domain::External,
            retry: Retry::No,
        });
    }

    fn clip(
        &self,
        stem: &str,
        range: TimeRange,
        track: TrackNumber,
        timeline: &EventTimeline,
    ) -> Result<ClipEntry, String> {
        let (first_frame, end_frame) = FrameIndex::new(timeline, None).frames_of(range);
        let frame = |number: i64| u64::try_from(number).unwrap_or_default();
        let (path, cut, max_error_frames) = match self.mode {
            ClipMode::Instant => {
                let path = format!("clips/{stem}_t{track}.m3u8");
                let file = self.dir.join(&path);
                let clip = super::playlist::instant(&self.store, timeline, &[range], &file)?;
                self.write(&path, clip.text.as_bytes())?;
                (path, CutKind::Instant, clip.max_error_frames)
            }
            ClipMode::Render => {
                let path = format!("clips/{stem}_t{track}.mp4");
                let cut = cut_to_render(&self.store, range, Some(&[track]), timeline)?;
                self.render(&mut vec![cut], &RenderPlan::default(), &path)?;
                (path, CutKind::Render, 0)
            }
            _ => {
                let path = format!("clips/{stem}_t{track}.mp4");
                let cut = self.cut(range, track, timeline)?;
                let mut bytes = Vec::new();
                write_mp4(&cut, &mut bytes).map_err(|error| error.to_string())?;
                self.write(&path, &bytes)?;
                let kind = match self.mode {
                    ClipMode::Smart => CutKind::Smart,
                    _ => CutKind::Exact,
                };
                (path, kind, cut.report.max_error_frames)
            }
        };
        Ok(ClipEntry {
            track: track.0,
            cut,
            path,
            first_frame: frame(first_frame),
            end_frame: frame(end_frame),
            max_error_frames,
        })
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), String> {
        let path = self.dir.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
        }
        write_atomically(&path, bytes).map_err(|error| error.to_string())
    }

    fn cut(
        &self,
        range: TimeRange,
        track: TrackNumber,
        timeline: &EventTimeline,
    ) -> Result<Cut, String> {
        let cut = cut_of(&self.store, range, Some(track), timeline)?;
        match self.mode {
            ClipMode::Smart => smart(cut).map_err(|error| error.to_string()),
            _ => Ok(cut),
        }
    }

    fn render(
        &self,
        pieces: &mut dyn Pieces,
        plan: &RenderPlan,
        path: &str,
    ) -> Result<RenderReport, String> {
        let path = self.dir.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
        }
        let report = render(pieces, plan, &path, &mut |_| ControlFlow::Continue(()));
        report.map_err(|error| error.to_string())
    }

    fn thumbnail(
        &self,
        stem: &str,
        at: MediaTime,
        timeline: &EventTimeline,
    ) -> Result<Option<String>, String> {
        let Some(placed) = timeline
            .locate(at)
            .filter(|placed| !placed.frames.is_empty())
        else {
            return Ok(None);
        };
        let chunk = self.store.get(placed).map_err(|failure| failure.message)?;
        let before = before(placed, timeline);
        let before = match before {
            Some(before) => Some(self.store.get(before).map_err(|failure| failure.message)?),
            None => None,
        };
        let jpeg = thumbnail::jpeg(
            &chunk,
            before.as_deref(),
            at,
            placed.offset,
            THUMBNAIL_WIDTH,
        )
        .map_err(|error| error.to_string())?;
        let path = format!("thumbnails/{stem}.jpg");
        self.write(&path, &jpeg)?;
        Ok(Some(path))
    }

    /// Writes the playlist of a replay over the source chunks, so that a catch-up replay can be
    /// watched while the event runs.
    pub fn playlist(&mut self, name: &Name, pieces: &[Piece], timeline: &EventTimeline) {
        if self.mode == ClipMode::None || pieces.is_empty() {
            return;
        }
        let path = format!("replays/{}/index.m3u8", safe_file_name(name));
        let file = self.dir.join(&path);
        let ranges: Vec<TimeRange> = pieces.iter().map(|piece| piece.marks).collect();
        let written = super::playlist::instant(&self.store, timeline, &ranges, &file)
            .and_then(|list| self.write(&path, list.text.as_bytes()));
        match written {
            Ok(()) => self.media.replays.entry(name.clone()).or_default().hls = Some(path),
            Err(message) => self.fail(format!("playlist of replay {name}"), message),
        }
    }

    /// Makes the videos of a replay: the playlist, and one MP4, rendered when its spec says how or
    /// when all clips are.
    pub fn replay(
        &mut self,
        name: &Name,
        pieces: &[Piece],
        plan: Option<&RenderPlan>,
        timeline: &EventTimeline,
    ) {
        if self.mode == ClipMode::None || pieces.is_empty() {
            return;
        }
        self.playlist(name, pieces, timeline);
        let usual = RenderPlan::default();
        let plan = plan.or((self.mode == ClipMode::Render).then_some(&usual));
        if let Some(plan) = plan {
            return self.rendered_replay(name, pieces, plan, timeline);
        }
        let mut cuts = Vec::new();
        for piece in pieces {
            match self.cut(piece.marks, piece.track, timeline) {
                Ok(cut) => cuts.push(cut),
                // The others make a replay all the same.
                Err(message) => {
                    self.fail(format!("{} s of replay {name}", piece.marks), message);
                }
            }
        }
        if cuts.is_empty() {
            return;
        }
        let mut bytes = Vec::new();
        let mp4 = write_replay_mp4(&cuts, &mut bytes)
            .map_err(|error| error.to_string())
            .and_then(|()| {
                let name = safe_file_name(name);
                let path = format!("replays/{name}/{name}.mp4");
                self.write(&path, &bytes)?;
                Ok(path)
            });
        match mp4 {
            Ok(path) => self.media.replays.entry(name.clone()).or_default().mp4 = Some(path),
            Err(message) => self.fail(format!("video of replay {name}"), message),
        }
    }

    fn rendered_replay(
        &mut self,
        name: &Name,
        pieces: &[Piece],
        plan: &RenderPlan,
        timeline: &EventTimeline,
    ) {
        let file = safe_file_name(name);
        let path = format!("replays/{file}/{file}.mp4");
        let mut stored = StoredPieces {
            pieces,
            store: &self.store,
            timeline,
        };
        match self.render(&mut stored, plan, &path) {
            Ok(_) => self.media.replays.entry(name.clone()).or_default().mp4 = Some(path),
            Err(message) => self.fail(format!("video of replay {name}"), message),
        }
    }

    /// What was made.
    pub fn media(&self) -> &Media {
        &self.media
    }

    /// What could not be made, since the last call.
    pub fn take_failures(&mut self) -> Vec<Failure> {
        std::mem::take(&mut self.failures)
    }
}

fn stem_of(id: &SegmentId) -> String {
    let name = safe_file_name(&id.segmenter);
    format!("{name}_{:09}", id.start.to_millis().max(0))
}

/// The marks of a complete segment by track: every track that is there between them.
fn marks_of(segment: &Segment, timeline: &EventTimeline) -> Option<Marks> {
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

/// The chunk before on the same stretch.
fn before<'a>(placed: &PlacedChunk, timeline: &'a EventTimeline) -> Option<&'a PlacedChunk> {
    let position = Position(placed.chunk.position.0.checked_sub(1)?);
    timeline
        .get(position)
        .filter(|before| before.stretch == placed.stretch)
}

/// Chunks that cover a range with one chunk of margin on both sides.
pub(super) fn around(range: TimeRange, timeline: &EventTimeline) -> Vec<&PlacedChunk> {
    let inside = timeline.chunks_covering(range);
    let (Some(first), Some(last)) = (inside.first(), inside.last()) else {
        return Vec::new();
    };
    let next = Position(last.chunk.position.0 + 1);
    let mut all: Vec<&PlacedChunk> = before(first, timeline).into_iter().collect();
    all.extend(inside.iter().copied());
    all.extend(
        timeline
            .get(next)
            .filter(|after| after.stretch == last.stretch),
    );
    all
}

/// The exact cut of a range.
pub fn cut_of(
    store: &MediaStore,
    range: TimeRange,
    track: Option<TrackNumber>,
    timeline: &EventTimeline,
) -> Result<Cut, String> {
    exact_cut(
        store,
        range,
        track.as_ref().map(std::slice::from_ref),
        timeline,
    )
}

/// What an exact cut to a file says of itself.
pub fn write_clip(cut: &Cut, path: &Path) -> io::Result<CutReport> {
    let mut bytes = Vec::new();
    write_mp4(cut, &mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    write_atomically(path, &bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(cut.report.clone())
}
