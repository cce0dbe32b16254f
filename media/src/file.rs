//! Opens one media file and reads it in windows of presentation time, so that a recording can be
//! analysed like a stream. A window holds whole groups of pictures, and every sample of the file
//! belongs to exactly one window.

mod ebml;
mod index;
mod matroska;
mod mp4;
mod windows;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use matchcut_model::chunk::Container;
use matchcut_model::cue::CueTime;
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::timecode::{self, TimecodeMark};
use serde::{Deserialize, Serialize};

use crate::demux::video::mark_leading;
use crate::demux::{DemuxError, demux};
use crate::mp4::Mp4Error;
use crate::samples::{AudioTrack, Demuxed, Sample, VideoTrack};
use index::Index;
use windows::{Group, Layout, Unplaced};

/// A transport stream or fragmented MP4 that is one file is read as a whole, up to this size.
pub const MOST_BYTES_AT_ONCE: u64 = 4 << 30;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileContainer {
    /// MP4 or QuickTime with one table of all samples.
    Mp4,
    /// MP4 in fragments.
    FragmentedMp4,
    /// MPEG-2 transport stream.
    MpegTs,
    /// Matroska.
    Matroska,
    /// WebM.
    Webm,
}

impl std::fmt::Display for FileContainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            FileContainer::Mp4 => "mp4",
            FileContainer::FragmentedMp4 => "fragmented-mp4",
            FileContainer::MpegTs => "mpeg-ts",
            FileContainer::Matroska => "matroska",
            FileContainer::Webm => "webm",
        })
    }
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system says no.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There are no bytes.
    #[error("{} is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// None of the containers that are known.
    #[error(
        "{} is no media file that can be read (it begins {head}); MP4, MOV, Matroska, WebM and \
         MPEG transport streams can be", path.display()
    )]
    NotMedia {
        /// The file.
        path: PathBuf,
        /// Its first bytes, in hexadecimal.
        head: String,
    },
    /// The file ends before what is needed to read it.
    #[error("{} is cut off: {what}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// A container without anything to see or hear.
    #[error("{} has no video or audio that can be read: {what}", path.display())]
    NoTracks {
        /// The file.
        path: PathBuf,
        /// What it has instead.
        what: String,
    },
    /// The container is damaged.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and how.
        what: String,
    },
    /// A container that can only be read as a whole.
    #[error(
        "{} is {bytes} bytes long; a {container} file is read as a whole and may have {most}: \
         remux it to MP4 or Matroska", path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What it is.
        container: FileContainer,
        /// Its size.
        bytes: u64,
        /// The largest size.
        most: u64,
    },
    /// The samples of a file that is read as a whole cannot be told apart.
    #[error("{}: {source}", path.display())]
    Demux {
        /// The file.
        path: PathBuf,
        /// Why.
        source: DemuxError,
    },
}

enum Content {
    /// Where every sample lies in the file.
    Index(Index),
    /// All samples.
    Whole(Demuxed),
}

struct Inner {
    path: PathBuf,
    file: File,
    container: FileContainer,
    content: Content,
    layout: Layout,
}

/// An open media file whose samples are known. Clones share it.
#[derive(Clone)]
pub struct MediaFile(Arc<Inner>);

impl std::fmt::Debug for MediaFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "MediaFile({}, {})",
            self.0.path.display(),
            self.0.container
        )
    }
}

/// Where the bytes of a file are.
#[derive(Clone, Copy)]
enum Store<'a> {
    /// On disk.
    File(&'a File),
    /// In memory.
    Bytes(&'a [u8]),
}

impl Store<'_> {
    fn read_exact_at(self, out: &mut [u8], at: u64) -> io::Result<()> {
        match self {
            Store::File(file) => file.read_exact_at(out, at),
            Store::Bytes(bytes) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                let end = at.saturating_add(out.len());
                let part = bytes.get(at..end).ok_or(io::ErrorKind::UnexpectedEof)?;
                out.copy_from_slice(part);
                Ok(())
            }
        }
    }
}

/// A file under its name, while it is being opened.
struct Opening<'a> {
    path: &'a Path,
    file: Store<'a>,
    size: u64,
}

impl Opening<'_> {
    fn read(&self, at: u64, length: usize) -> Result<Vec<u8>, FileError> {
        let mut out = vec![0; length];
        match self.file.read_exact_at(&mut out, at) {
            Ok(()) => Ok(out),
            Err(source) => Err(self.unreadable(source)),
        }
    }

    fn unreadable(&self, source: io::Error) -> FileError {
        let path = self.path.to_owned();
        FileError::Read { path, source }
    }

    fn truncated(&self, what: impl Into<String>) -> FileError {
        let (path, what) = (self.path.to_owned(), what.into());
        FileError::Truncated { path, what }
    }

    fn damaged(&self, what: impl Into<String>) -> FileError {
        let (path, what) = (self.path.to_owned(), what.into());
        FileError::Damaged { path, what }
    }

    fn no_tracks(&self, what: impl Into<String>) -> FileError {
        let (path, what) = (self.path.to_owned(), what.into());
        FileError::NoTracks { path, what }
    }

    fn mp4(&self, error: Mp4Error) -> FileError {
        match error {
            Mp4Error::NoTracks(listed) => self.no_tracks(format!("its tracks are: {listed}")),
            other => self.damaged(other.to_string()),
        }
    }

    /// Everything at once, for containers without an index.
    fn whole(&self, container: FileContainer) -> Result<Demuxed, FileError> {
        if self.size > MOST_BYTES_AT_ONCE {
            return Err(FileError::TooLarge {
                path: self.path.to_owned(),
                container,
                bytes: self.size,
                most: MOST_BYTES_AT_ONCE,
            });
        }
        let length = usize::try_from(self.size).unwrap_or(usize::MAX);
        let bytes = Bytes::from(self.read(0, length)?);
        let kind = match container {
            FileContainer::MpegTs => Container::MpegTs,
            _ => Container::FragmentedMp4,
        };
        demux(kind, None, &bytes).map_err(|source| {
            let path = self.path.to_owned();
            FileError::Demux { path, source }
        })
    }
}

/// Whether packets of a transport stream begin at a usual distance.
fn is_transport_stream(head: &[u8]) -> bool {
    [(0, 188), (4, 192), (0, 204)]
        .iter()
        .any(|(first, stride)| {
            let mut syncs = head.iter().skip(*first).step_by(*stride).take(4).peekable();
            syncs.peek().is_some() && syncs.all(|byte| *byte == 0x47)
        })
}

fn open(opening: &Opening<'_>) -> Result<(FileContainer, Content), FileError> {
    let length = usize::try_from(opening.size.min(1024)).unwrap_or(1024);
    let head = opening.read(0, length)?;
    if head.is_empty() {
        let path = opening.path.to_owned();
        return Err(FileError::Empty { path });
    }
    let boxes: [&[u8]; 8] = [
        b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"pnot",
    ];
    if head.get(4..8).is_some_and(|kind| boxes.contains(&kind)) {
        return Ok(match mp4::open(opening)? {
            Some(index) => (FileContainer::Mp4, Content::Index(index)),
            None => {
                let container = FileContainer::FragmentedMp4;
                (container, Content::Whole(opening.whole(container)?))
            }
        });
    }
    if head.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
        let (container, index) = matroska::open(opening)?;
        return Ok((container, Content::Index(index)));
    }
    if is_transport_stream(&head) {
        let container = FileContainer::MpegTs;
        return Ok((container, Content::Whole(opening.whole(container)?)));
    }
    let head: Vec<String> = head.iter().take(8).map(|b| format!("{b:02x}")).collect();
    Err(FileError::NotMedia {
        path: opening.path.to_owned(),
        head: head.join(" "),
    })
}

impl MediaFile {
    /// Opens a file and finds all of its samples.
    pub fn open(path: &Path) -> Result<MediaFile, FileError> {
        let unreadable = |source| {
            let path = path.to_owned();
            FileError::Read { path, source }
        };
        let file = File::open(path).map_err(unreadable)?;
        let meta = file.metadata().map_err(unreadable)?;
        if meta.is_dir() {
            return Err(unreadable(io::ErrorKind::IsADirectory.into()));
        }
        let opening = Opening {
            path,
            file: Store::File(&file),
            size: meta.len(),
        };
        let (container, content) = open(&opening)?;
        let layout = match &content {
            Content::Index(index) => index.layout(),
            Content::Whole(demuxed) => windows::of_samples(demuxed),
        };
        let layout = layout.map_err(|unplaced| match unplaced {
            Unplaced::NoSamples => opening.no_tracks("not one complete sample"),
            Unplaced::TooFar(at) => opening.damaged(format!(
                "a sample says that it is shown at {at} s, more than a century from the start"
            )),
        })?;
        Ok(MediaFile(Arc::new(Inner {
            path: path.to_owned(),
            file,
            container,
            content,
            layout,
        })))
    }

    /// How it is packed.
    pub fn container(&self) -> FileContainer {
        self.0.container
    }

    /// Presentation time from the first sample to the end of the last.
    pub fn span(&self) -> TimeRange {
        self.0.layout.span
    }

    /// Windows of presentation time of about `target` that cover the file without holes. Each
    /// begins at a key frame, where there is video.
    pub fn parts(&self, target: MediaTime) -> Vec<TimeRange> {
        self.0.layout.parts(target)
    }

    /// The samples of a window: groups of pictures whose key frame lies in it, in decode order,
    /// and the audio frames that begin in it.
    pub fn read(&self, window: TimeRange) -> Result<Demuxed, FileError> {
        let inner = &*self.0;
        let groups: Vec<&Group> = inner
            .layout
            .groups
            .iter()
            .filter(|group| window.contains(group.time))
            .collect();
        let first = window.contains(inner.layout.span.start);
        match &inner.content {
            Content::Index(index) => index
                .read(Store::File(&inner.file), &groups, window, first)
                .map_err(|source| FileError::Read {
                    path: inner.path.clone(),
                    source,
                }),
            Content::Whole(whole) => Ok(cut_out(whole, &groups, window, first)),
        }
    }
}

/// All samples of Matroska that is in memory.
pub(crate) fn demux_matroska(bytes: &[u8]) -> Result<Demuxed, DemuxError> {
    let unread = |error: &dyn std::fmt::Display| DemuxError::NoSamples {
        detail: error.to_string(),
    };
    let store = Store::Bytes(bytes);
    let opening = Opening {
        path: Path::new("the chunk"),
        file: store,
        size: bytes.len() as u64,
    };
    if !bytes.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
        return Err(unread(&"it does not begin as Matroska does"));
    }
    let (_, index) = matroska::open(&opening).map_err(|error| unread(&error))?;
    let layout = index.layout().map_err(|unplaced| match unplaced {
        Unplaced::NoSamples => unread(&"none is complete"),
        Unplaced::TooFar(at) => unread(&format!(
            "one says that it is shown at {at} s, more than a century from the start"
        )),
    })?;
    let groups: Vec<&Group> = layout.groups.iter().collect();
    let read = index.read(store, &groups, layout.span, true);
    read.map_err(|error| unread(&error))
}

/// The part of a file that is in memory.
fn cut_out(whole: &Demuxed, groups: &[&Group], window: TimeRange, first: bool) -> Demuxed {
    let video = whole.video.as_ref().map(|track| {
        let mut samples: Vec<_> = groups
            .iter()
            .flat_map(|group| track.samples[group.samples.clone()].iter().cloned())
            .collect();
        mark_leading(&mut samples);
        let timecodes = timecodes_of(track, &samples);
        VideoTrack {
            timecodes,
            samples,
            // They are offsets in the file, not in a chunk.
            random_access_points: Vec::new(),
            ..shell(track)
        }
    });
    let audio = whole.audio.iter().map(|track| AudioTrack {
        samples: track
            .samples
            .iter()
            .filter(|sample| window.contains(track.pts(sample).time()))
            .cloned()
            .collect(),
        config: track.config.clone(),
        codec: track.codec.clone(),
        language: track.language.clone(),
        ..*track
    });
    Demuxed {
        video: video.filter(|track| !track.samples.is_empty()),
        audio: audio.filter(|track| !track.samples.is_empty()).collect(),
        cues: whole
            .cues
            .iter()
            .filter(|cue| match cue.at {
                CueTime::Pts(pts) => window.contains(pts.time()),
                CueTime::ChunkStart | CueTime::Utc(_) => first,
            })
            .cloned()
            .collect(),
        warnings: if first {
            whole.warnings.clone()
        } else {
            Vec::new()
        },
    }
}

/// The timecodes of some neighbouring samples of a track.
fn timecodes_of(track: &VideoTrack, samples: &[Sample]) -> Vec<TimecodeMark> {
    let Some(first) = samples.iter().map(|sample| sample.pts).min() else {
        return Vec::new();
    };
    let before = track
        .samples
        .iter()
        .filter(|sample| sample.pts < first)
        .count();
    let from = u32::try_from(before).unwrap_or(u32::MAX);
    let to = from.saturating_add(u32::try_from(samples.len()).unwrap_or(u32::MAX));
    timecode::marks_within(&track.timecodes, from, to, track.frame_rate)
}

/// A track without its samples.
fn shell(track: &VideoTrack) -> VideoTrack {
    VideoTrack {
        codec: track.codec.clone(),
        samples: Vec::new(),
        parameter_sets: track.parameter_sets.clone(),
        profile: track.profile.clone(),
        level: track.level.clone(),
        random_access_points: Vec::new(),
        timecodes: Vec::new(),
        ..*track
    }
}
