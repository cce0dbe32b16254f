//! Rendering: clips are decoded, brought to one size, one frame rate and one loudness, joined with
//! transitions, and encoded as one MP4 that plays everywhere. Frames and samples pass through one by
//! one; what is encoded goes to a file beside the result, so memory does not grow with its length.

mod canvas;
mod film;
mod loudness;
mod mixing;
mod plan;
mod resample;
mod soundtrack;
mod spool;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use matchcut_model::time::{FrameRate, MediaTime, TimeRange};

use crate::cut::{Cut, CutChunk, CutError, to_decode, write_rendered};
use crate::decode::DecodeError;
use crate::encode::EncodeError;
use crate::file::{FileError, MediaFile};
use crate::view::UnsupportedFormat;

pub use loudness::Measured;
pub use plan::{Fit, Loudness, RESOLUTIONS, RenderPlan, Resolution, Transition, UnknownResolution};

/// Where the clips come from. They are asked for one after the other, and twice when loudness is
/// measured; only one is kept at a time.
pub trait Pieces {
    /// How many there are.
    fn count(&self) -> usize;

    /// Clip number `index`, from 0, selected with [`to_decode`]. Its audio tracks become those of
    /// the result in their order. An error is a text for people.
    fn piece(&mut self, index: usize) -> Result<Cut, String>;
}

impl Pieces for Vec<Cut> {
    fn count(&self) -> usize {
        self.len()
    }

    fn piece(&mut self, index: usize) -> Result<Cut, String> {
        self.get(index)
            .cloned()
            .ok_or_else(|| format!("there is no clip {index}"))
    }
}

/// How far rendering is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The clip that is being rendered, from 0.
    pub clip: usize,
    /// How many there are.
    pub clips: usize,
    /// Frames that were rendered.
    pub frames: u64,
}

/// Why there is no rendered file.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// Nothing to render.
    #[error("there is no clip to render")]
    NoClips,
    /// No clip has pictures.
    #[error("there are no pictures to render")]
    NoPictures,
    /// A clip is not to be had.
    #[error("clip {number} of {count}: {message}")]
    Piece {
        /// From 1.
        number: usize,
        /// How many there are.
        count: usize,
        /// Why.
        message: String,
    },
    /// The transition cannot be read.
    #[error("the transition {path} cannot be used: {message}")]
    Transition {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// A clip cannot be decoded.
    #[error("a clip cannot be decoded: {0}")]
    Decode(#[from] DecodeError),
    /// Pixels that cannot be brought to the output's format.
    #[error(transparent)]
    Pixels(#[from] UnsupportedFormat),
    /// The encoder failed.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// Loudness cannot be measured.
    #[error("the loudness cannot be measured: {0}")]
    Loudness(String),
    /// The file cannot be laid out.
    #[error(transparent)]
    Cut(#[from] CutError),
    /// A file cannot be written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The caller wanted it to end.
    #[error("rendering was cancelled")]
    Cancelled,
}

/// What was rendered.
#[derive(Clone, Debug, PartialEq)]
pub struct RenderReport {
    /// Number of frames.
    pub frames: u64,
    /// How long it is.
    pub duration: MediaTime,
    /// Where each clip lies in the file.
    pub clips: Vec<TimeRange>,
    /// Width and height.
    pub size: (u32, u32),
    /// Frames a second.
    pub frame_rate: FrameRate,
    /// Loudness as it was, and what was done about it, for each audio track that has sound.
    pub loudness: Vec<Measured>,
    /// What else the receiver should know.
    pub notes: Vec<String>,
}

/// One after the other in the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Clip(usize),
    Transition,
}

fn elements(clips: usize, transition: &Transition) -> Vec<Element> {
    let between = matches!(
        transition,
        Transition::Image { .. } | Transition::Clip { .. }
    );
    let mut out = Vec::new();
    for clip in 0..clips {
        if clip > 0 && between {
            out.push(Element::Transition);
        }
        out.push(Element::Clip(clip));
    }
    out
}

/// How a clip appears and disappears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fades {
    into: MediaTime,
    out: MediaTime,
}

impl Fades {
    /// Nothing before the first and after the last.
    fn of(transition: &Transition, clip: usize, clips: usize) -> Fades {
        match transition {
            Transition::Fade { out, into, .. } => Fades {
                into: if clip > 0 { *into } else { MediaTime::ZERO },
                out: if clip + 1 < clips {
                    *out
                } else {
                    MediaTime::ZERO
                },
            },
            _ => Fades::default(),
        }
    }
}

/// Renders `pieces` one after the other into `path`. `watch` is asked after every frame whether to
/// go on. The file appears under its name when it is complete.
pub fn render(
    pieces: &mut dyn Pieces,
    plan: &RenderPlan,
    path: &Path,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<RenderReport, RenderError> {
    crate::init::init().map_err(DecodeError::from)?;
    let count = pieces.count();
    if count == 0 {
        return Err(RenderError::NoClips);
    }
    let transition = transition_clip(&plan.transition)?;
    let mut source = Source {
        pieces,
        transition,
        elements: elements(count, &plan.transition),
        plan,
    };
    let gains = match plan.loudness {
        Some(loudness) => soundtrack::measure(&mut source, loudness, watch)?,
        None => Vec::new(),
    };
    let film = film::make(&mut source, &gains, path, watch)?;
    let partial = spool::beside(path, "partial");
    let io = |error: std::io::Error| RenderError::Io {
        path: partial.clone(),
        error,
    };
    let written = File::create(&partial).map_err(io).and_then(|file| {
        let mut out = BufWriter::new(file);
        write_rendered(&film.pictures, &film.sounds, &mut out)?;
        out.flush().map_err(io)?;
        fs::rename(&partial, path).map_err(|error| RenderError::Io {
            path: path.to_owned(),
            error,
        })
    });
    if written.is_err() {
        // Half a file is of no use.
        let _ = fs::remove_file(&partial);
    }
    written?;
    let mut report = film.report;
    report.loudness = gains.into_iter().flatten().collect();
    Ok(report)
}

/// The clips and what stands between them.
struct Source<'a> {
    pieces: &'a mut dyn Pieces,
    transition: Option<Cut>,
    elements: Vec<Element>,
    plan: &'a RenderPlan,
}

impl Source<'_> {
    /// What an element is cut of; `None` for a still.
    fn cut(&mut self, element: Element) -> Result<Option<Cut>, RenderError> {
        match element {
            Element::Transition => Ok(self.transition.clone()),
            Element::Clip(index) => {
                let count = self.pieces.count();
                let piece = self.pieces.piece(index);
                piece.map(Some).map_err(|message| RenderError::Piece {
                    number: index + 1,
                    count,
                    message,
                })
            }
        }
    }

    /// How long an element is.
    fn duration(&self, cut: Option<&Cut>) -> MediaTime {
        match (cut, &self.plan.transition) {
            (Some(cut), _) => cut
                .parts
                .iter()
                .fold(MediaTime::ZERO, |all, part| all + part.duration),
            (None, Transition::Image { duration, .. }) => *duration,
            (None, _) => MediaTime::ZERO,
        }
    }

    fn fades(&self, element: Element) -> Fades {
        match element {
            Element::Clip(index) => Fades::of(&self.plan.transition, index, self.pieces.count()),
            Element::Transition => Fades::default(),
        }
    }
}

/// Reads the video that stands between clips.
fn transition_clip(transition: &Transition) -> Result<Option<Cut>, RenderError> {
    let Transition::Clip { path } = transition else {
        return Ok(None);
    };
    let failed = |message: String| RenderError::Transition {
        path: path.clone(),
        message,
    };
    let read = |path: &Path| -> Result<_, FileError> {
        let file = MediaFile::open(path)?;
        let span = file.span();
        Ok((span, file.read(span)?))
    };
    let (span, demuxed) = read(path).map_err(|error| failed(error.to_string()))?;
    let chunk = CutChunk {
        demuxed: &demuxed,
        offset: MediaTime::ZERO,
        stretch: 0,
    };
    // Every track of the result gets the first one of the transition.
    let cut = to_decode(&[chunk], span, None).map_err(|error| failed(error.to_string()))?;
    if cut.parts.iter().all(|part| part.video.is_none()) {
        return Err(failed("it has no pictures".into()));
    }
    Ok(Some(cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transitions_stand_between_clips_only() {
        let image = Transition::Image {
            path: "a.png".into(),
            duration: MediaTime::from_seconds(1),
        };
        use Element::{Clip, Transition as Between};
        assert_eq!(elements(3, &Transition::None), [Clip(0), Clip(1), Clip(2)]);
        assert_eq!(elements(2, &image), [Clip(0), Between, Clip(1)]);
        let second = MediaTime::from_seconds(1);
        let fade = Transition::Fade {
            out: second,
            into: second,
            colour: [0; 3],
        };
        assert_eq!(elements(2, &fade), [Clip(0), Clip(1)]);
        let fades = |clip| {
            let fades = Fades::of(&fade, clip, 3);
            (fades.into == second, fades.out == second)
        };
        assert_eq!(
            [fades(0), fades(1), fades(2)],
            [(false, true), (true, true), (true, false)]
        );
    }
}
