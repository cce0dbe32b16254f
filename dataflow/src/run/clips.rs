//! Clips: media files of segments and replays, cut while the event runs, as [`super::clip_plan`] wants
//! them. A clip that is made again is byte for byte the same.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use matchcut_media::cut::{Cut, CutReport, smart, write_mp4, write_replay_mp4_with_chapters};
use matchcut_media::render::{Pieces, RenderPlan, render};
use matchcut_media::thumbnail;
use matchcut_model::change::ClipRow;
use matchcut_model::chunk::{Epoch, PlacedChunk, Position, TrackNumber};
use matchcut_model::failure::{Domain, Failure, Retry};
use matchcut_model::lines::{ClipEntry, Cut as CutKind};
use matchcut_model::segment::SegmentId;
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::timeline::EventTimeline;
use matchcut_model::value::Name;
use matchcut_sinks::ReplayMedia;
use matchcut_sinks::files::{safe_file_name, write_atomically};
use serde::{Deserialize, Serialize};

use super::catchup::CatchUp;
use super::clip_plan::stem_of;
use super::cuts::{StoredPieces, cut_to_render, exact_cut};
use super::media::{MediaStore, content_of};
use super::playlist::{self, Instant, Wanted};
use super::pool;
use super::target::Place;
use crate::plan::PlanReplay;
use crate::spec::RenderBy;

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

impl ClipMode {
    /// How a clip says that it was cut.
    pub fn kind(self) -> CutKind {
        match self {
            ClipMode::Instant => CutKind::Instant,
            ClipMode::Smart => CutKind::Smart,
            ClipMode::Render => CutKind::Render,
            ClipMode::None | ClipMode::Exact => CutKind::Exact,
        }
    }

    /// Of the files of clips.
    pub fn extension(self) -> &'static str {
        match self {
            ClipMode::Instant => "m3u8",
            ClipMode::None | ClipMode::Exact | ClipMode::Smart | ClipMode::Render => "mp4",
        }
    }
}

/// What was made for a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeClips {
    /// Its clips.
    pub clips: Vec<ClipEntry>,
    /// Its picture.
    pub thumbnail: Option<String>,
    /// Whether all that was wanted could be made.
    pub complete: bool,
}

/// A piece of a replay.
#[derive(Debug)]
pub struct Piece {
    /// The marks that are played.
    pub marks: TimeRange,
    /// The audio track.
    pub track: TrackNumber,
    /// What its chapter is called.
    pub title: String,
    /// What it is called in playlists: the segment, or a range that nobody has named.
    pub id: String,
    /// What a labeler calls it.
    pub label: Option<String>,
}

/// Makes clips in directories of results.
pub struct ClipMaker {
    mode: ClipMode,
    store: Arc<MediaStore>,
    /// Whether cutting lets everything else go first.
    background: bool,
    failures: Vec<Failure>,
    /// What was said already: a clip that cannot be made is tried once more at the end.
    said: BTreeSet<(String, String)>,
}

impl ClipMaker {
    /// A maker of clips that are cut in this way, in the `background` or not.
    pub fn new(mode: ClipMode, store: Arc<MediaStore>, background: bool) -> Self {
        ClipMaker {
            mode,
            store,
            background,
            failures: Vec::new(),
            said: BTreeSet::new(),
        }
    }

    /// Whether anything is made.
    pub fn is_active(&self) -> bool {
        self.mode != ClipMode::None
    }

    /// Makes the clips of a segment in each of the directories.
    pub fn make(
        &mut self,
        segment: &SegmentId,
        clips: &[ClipRow],
        timeline: &EventTimeline,
        places: &[Place],
    ) -> MadeClips {
        let mut made = MadeClips {
            complete: true,
            ..MadeClips::default()
        };
        let (entries, thumbnail) = self.aside(|| {
            let each = clips.iter().map(|clip| self.clip(clip, timeline, places));
            let entries: Vec<Result<ClipEntry, String>> = each.collect();
            let thumbnail = clips.first().map(|first| {
                let half = MediaTime::from_flicks(first.marks.duration().flicks() / 2);
                let middle = first.marks.start + half;
                self.thumbnail(&stem_of(segment), middle, timeline, places)
            });
            (entries, thumbnail)
        });
        for entry in entries {
            match entry {
                Ok(entry) => made.clips.push(entry),
                Err(message) => {
                    made.complete = false;
                    self.fail(format!("clip of {segment}"), message);
                }
            }
        }
        match thumbnail {
            Some(Ok(path)) => made.thumbnail = path,
            Some(Err(message)) => {
                made.complete = false;
                self.fail(format!("thumbnail of {segment}"), message);
            }
            None => {}
        }
        made
    }

    /// Does what may take a while of the processor.
    fn aside<T: Send>(&self, work: impl Fn() -> T + Sync) -> T {
        match self.background {
            true => pool::in_background("clips", work),
            false => work(),
        }
    }

    /// Removes files that nobody names any more.
    pub fn remove<'a>(&self, paths: impl Iterator<Item = &'a String>, places: &[Place]) {
        for path in paths {
            for place in places {
                // A file that is gone already is what is wanted.
                let _ = fs::remove_file(place.dir.join(path));
            }
        }
    }

    fn fail(&mut self, input: String, message: String) {
        if !self.said.insert((input.clone(), message.clone())) {
            return;
        }
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
        clip: &ClipRow,
        timeline: &EventTimeline,
        places: &[Place],
    ) -> Result<ClipEntry, String> {
        let max_error_frames = match self.mode {
            ClipMode::Instant => {
                let wanted = Wanted {
                    id: clip.segment.to_string(),
                    label: None,
                    range: clip.marks,
                };
                let mut error = 0;
                for place in places {
                    // Chunks on this machine are named relative to the playlist.
                    let (file, copies) = (place.dir.join(&clip.path), place.copies());
                    let wanted = std::slice::from_ref(&wanted);
                    let copies = copies.as_deref();
                    let list = playlist::instant(&self.store, timeline, wanted, &file, copies)?;
                    write_list(&list)?;
                    error = list.max_error_frames;
                }
                error
            }
            ClipMode::Render => {
                let tracks = [clip.track];
                let cut = cut_to_render(&self.store, clip.marks, Some(&tracks), timeline)?;
                let paths: Vec<PathBuf> = places
                    .iter()
                    .map(|place| place.dir.join(&clip.path))
                    .collect();
                render_to(&mut vec![cut], &RenderPlan::default(), &paths)?;
                0
            }
            ClipMode::None | ClipMode::Exact | ClipMode::Smart => {
                let cut = self.cut(clip.marks, clip.track, timeline)?;
                let mut bytes = Vec::new();
                write_mp4(&cut, &mut bytes).map_err(|error| error.to_string())?;
                for place in places {
                    write(&place.dir.join(&clip.path), &bytes)?;
                }
                cut.report.max_error_frames
            }
        };
        Ok(ClipEntry {
            track: clip.track.0,
            cut: clip.cut,
            path: clip.path.clone(),
            first_frame: clip.first_frame,
            end_frame: clip.end_frame,
            max_error_frames,
        })
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

    fn thumbnail(
        &self,
        stem: &str,
        at: MediaTime,
        timeline: &EventTimeline,
        places: &[Place],
    ) -> Result<Option<String>, String> {
        let Some(placed) = timeline
            .locate(at)
            .filter(|placed| !placed.frames.is_empty())
        else {
            return Ok(None);
        };
        let media = |placed| self.store.get_for_cut(placed);
        let chunk = media(placed).map_err(|failure| failure.message)?;
        // Where the chunk begins with a key frame, it is not needed.
        let before = before(placed, timeline).and_then(|before| media(before).ok());
        let jpeg = thumbnail::jpeg(
            &chunk,
            before.as_deref(),
            at,
            placed.offset,
            THUMBNAIL_WIDTH,
        )
        .map_err(|error| error.to_string())?;
        let path = format!("thumbnails/{stem}.jpg");
        for place in places {
            write(&place.dir.join(&path), &jpeg)?;
        }
        Ok(Some(path))
    }

    /// Publishes a version of the playlist of a catch-up replay in each of the directories, if the epoch
    /// changed what it plays. The last `keep` versions stay, all if it is 0.
    pub fn catch_up<'a>(
        &mut self,
        name: &Name,
        pieces: &[Piece],
        (epoch, keep): (Epoch, u32),
        timeline: &EventTimeline,
        catchups: impl Iterator<Item = &'a mut CatchUp>,
    ) -> Option<String> {
        let wanted = wanted(pieces);
        let mut index = None;
        for catchup in catchups {
            let copies = catchup.copies();
            let make = |path: &Path| {
                playlist::instant(&self.store, timeline, &wanted, path, copies.as_deref())
            };
            match catchup.update(name, &wanted, epoch, keep, timeline, make) {
                Ok(path) => index = path.or(index),
                Err(message) => self.fail(format!("playlist of replay {name}"), message),
            }
        }
        index
    }

    /// Says that no version of a catch-up replay follows.
    pub fn finish_catch_up(&mut self, catchups: &mut [CatchUp]) {
        for catchup in catchups {
            if let Err(message) = catchup.finish() {
                self.fail("catch-up replays".to_owned(), message);
            }
        }
    }

    /// Writes the playlist of a replay over the source chunks; its path.
    fn playlist(
        &mut self,
        name: &Name,
        pieces: &[Piece],
        timeline: &EventTimeline,
        places: &[Place],
    ) -> Option<String> {
        let path = format!("replays/{}/index.m3u8", safe_file_name(name));
        let wanted = wanted(pieces);
        for place in places {
            let (file, copies) = (place.dir.join(&path), place.copies());
            let list = playlist::instant(&self.store, timeline, &wanted, &file, copies.as_deref());
            let written = list.and_then(|list| write_list(&list));
            if let Err(message) = written {
                self.fail(format!("playlist of replay {name}"), message);
                return None;
            }
        }
        Some(path)
    }

    /// What the videos of a replay are made of: equal for equal ones.
    pub fn digest_of(&self, replay: &PlanReplay, pieces: &[Piece]) -> u64 {
        let (render, by) = (&replay.render, replay.render_by);
        let how = (self.mode, replay.request.catchup, render, by);
        content_of(&[format!("{how:?} {pieces:?}").as_bytes()]).0
    }

    /// Makes the videos of a replay: the playlist, and one MP4, rendered when its spec says how or when
    /// all clips are. The playlist of a catch-up replay is there already.
    pub fn replay(
        &mut self,
        name: &Name,
        pieces: &[Piece],
        (catchup, plan, by): (bool, Option<&RenderPlan>, RenderBy),
        timeline: &EventTimeline,
        places: &[Place],
    ) -> ReplayMedia {
        let mut media = ReplayMedia::default();
        if !self.is_active() || pieces.is_empty() {
            return media;
        }
        if !catchup {
            media.hls = self.playlist(name, pieces, timeline, places);
        }
        // Nothing is encoded here for what is encoded elsewhere.
        if by == RenderBy::MediaConvert {
            return media;
        }
        let path = {
            let name = safe_file_name(name);
            format!("replays/{name}/{name}.mp4")
        };
        let usual = RenderPlan::default();
        let plan = plan.or((self.mode == ClipMode::Render).then_some(&usual));
        if let Some(plan) = plan {
            let paths: Vec<PathBuf> = places.iter().map(|place| place.dir.join(&path)).collect();
            let rendered = self.aside(|| {
                let mut stored = StoredPieces {
                    pieces,
                    store: &self.store,
                    timeline,
                };
                render_to(&mut stored, plan, &paths)
            });
            match rendered {
                Ok(()) => media.mp4 = Some(path),
                Err(message) => self.fail(format!("video of replay {name}"), message),
            }
            return media;
        }
        let (mut cuts, mut titles) = (Vec::new(), Vec::new());
        let each = self.aside(|| {
            let each = pieces.iter();
            let cut = |piece: &Piece| self.cut(piece.marks, piece.track, timeline);
            each.map(cut).collect::<Vec<Result<Cut, String>>>()
        });
        for (piece, cut) in pieces.iter().zip(each) {
            match cut {
                Ok(cut) => {
                    cuts.push(cut);
                    titles.push(piece.title.clone());
                }
                // The others make a replay all the same.
                Err(message) => {
                    self.fail(format!("{} s of replay {name}", piece.marks), message);
                }
            }
        }
        if cuts.is_empty() {
            return media;
        }
        let mp4 = self.aside(|| {
            let mut bytes = Vec::new();
            write_replay_mp4_with_chapters(&cuts, &titles, &mut bytes)
                .map_err(|error| error.to_string())?;
            places
                .iter()
                .try_for_each(|place| write(&place.dir.join(&path), &bytes))
        });
        match mp4 {
            Ok(()) => media.mp4 = Some(path),
            Err(message) => self.fail(format!("video of replay {name}"), message),
        }
        media
    }

    /// What could not be made, since the last call.
    pub fn take_failures(&mut self) -> Vec<Failure> {
        std::mem::take(&mut self.failures)
    }
}

/// What a playlist is asked for.
fn wanted(pieces: &[Piece]) -> Vec<Wanted> {
    let wanted = pieces.iter().map(|piece| Wanted {
        id: piece.id.clone(),
        label: piece.label.clone(),
        range: piece.marks,
    });
    wanted.collect()
}

fn write_list(list: &Instant) -> Result<(), String> {
    list.files
        .iter()
        .try_for_each(|(path, text)| write(path, text.as_bytes()))
}

/// Writes a file whole, with the directories above it.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
    }
    write_atomically(path, bytes).map_err(|error| error.to_string())
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
fn cut_of(
    store: &MediaStore,
    range: TimeRange,
    track: Option<TrackNumber>,
    timeline: &EventTimeline,
) -> Result<Cut, String> {
    let track = track.as_ref().map(std::slice::from_ref);
    exact_cut(store, range, track, timeline)
}

/// Renders once, for all places.
fn render_to(pieces: &mut dyn Pieces, plan: &RenderPlan, paths: &[PathBuf]) -> Result<(), String> {
    let Some((first, others)) = paths.split_first() else {
        return Ok(());
    };
    if let Some(parent) = first.parent() {
        fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
    }
    render(pieces, plan, first, &mut |_| ControlFlow::Continue(()))
        .map_err(|error| error.to_string())?;
    for other in others {
        let bytes = fs::read(first).map_err(|error| format!("{}: {error}", first.display()))?;
        write(other, &bytes)?;
    }
    Ok(())
}

/// What an exact cut to a file says of itself.
pub fn write_clip(cut: &Cut, path: &Path) -> io::Result<CutReport> {
    let mut bytes = Vec::new();
    write_mp4(cut, &mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    write_atomically(path, &bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(cut.report.clone())
}
