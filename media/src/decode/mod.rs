//! Decoding one chunk: each access unit goes through a decoder once, frames come out scaled to the
//! views that were asked for, samples as blocks, both with the times of the stream, exactly.
//!
//! A chunk decoded alone gives the same frames and samples as the whole stream: what its first
//! frames refer to is decoded from the chunk before (`preroll`) and dropped. One thing no decoder
//! can repeat is the noise that AAC (PNS) and AC-3 leave to chance; its level is the same, its
//! values depend on where decoding began.

use std::time::{Duration, Instant};

use matchcut_model::chunk::TrackNumber;
use matchcut_model::frame::{AudioBlock, Frame, ViewSpec};
use matchcut_model::time::MediaTime;

use crate::audio::UnsupportedSamples;
use crate::init::{self, InitError};
use crate::samples::Demuxed;
use crate::view::UnsupportedFormat;

pub(crate) mod codec;
pub(crate) mod element;
mod likely;
pub(crate) mod order;
pub(crate) mod pictures;
pub(crate) mod preroll;
pub(crate) mod run;
mod sound;
mod video;

pub use preroll::needs_preroll;

/// Which audio tracks to decode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AudioPlan {
    /// None.
    #[default]
    None,
    /// Every track of the chunk.
    All,
    /// These. One that the chunk lacks makes the result degraded.
    Tracks(Vec<TrackNumber>),
}

/// What to make of a chunk.
#[derive(Clone, Debug)]
pub struct DecodePlan {
    /// Event time minus stream time.
    pub offset: MediaTime,
    /// The views to make, each once.
    pub views: Vec<ViewSpec>,
    /// Decode video also when there is no view, to count frames and find damage.
    pub check_video: bool,
    /// The audio tracks to decode.
    pub audio: AudioPlan,
    /// Threads inside the video decoder. Chunks are decoded side by side, so one is best.
    pub threads_per_decoder: u32,
    /// How long the whole chunk may take.
    pub timeout: Duration,
}

impl Default for DecodePlan {
    fn default() -> Self {
        DecodePlan {
            offset: MediaTime::ZERO,
            views: Vec::new(),
            check_video: false,
            audio: AudioPlan::None,
            threads_per_decoder: 1,
            timeout: Duration::from_secs(120),
        }
    }
}

/// Receives what a chunk holds: first the audio tracks one after the other, then the frames, each in
/// order of presentation.
pub trait FrameSink {
    /// A frame of view number `view` of the plan.
    fn video(&mut self, view: usize, frame: &Frame<'_>);

    /// The next samples of a track.
    fn audio(&mut self, block: &AudioBlock<'_>);
}

/// What one audio track gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodedAudio {
    /// Which track.
    pub track: TrackNumber,
    /// Samples of each channel.
    pub samples: u64,
    /// Samples a second; 0 when nothing was decoded.
    pub sample_rate: u32,
    /// Channels; 0 when nothing was decoded.
    pub channels: u32,
}

/// What a chunk gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecodeReport {
    /// Frames of this chunk that were decoded (of all views the same).
    pub frames: u64,
    /// Access units of this chunk that gave no frame.
    pub lost_frames: u64,
    /// Frames that the decoder marked as damaged because what they refer to was not there.
    pub damaged_frames: u64,
    /// The audio tracks that were asked for and are there.
    pub audio: Vec<DecodedAudio>,
    /// What was not as it should be, in one line; `None` when all is well.
    pub degraded: Option<String>,
}

/// Why a chunk could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// GStreamer is not usable.
    #[error(transparent)]
    Init(#[from] InitError),
    /// No decoder is known for the codec.
    #[error(
        "no decoder for \"{codec}\"; H.264 and HEVC video, AAC, MP3 and AC-3 audio can be decoded, \
         run `matchcut doctor` for the whole list"
    )]
    UnknownCodec {
        /// As the container names it.
        codec: String,
    },
    /// The decoder is not installed.
    #[error(
        "{codec} needs the GStreamer element {elements}, which is not installed; mend it with \
         `apt-get install {package}` (run `matchcut doctor` for all that is missing)"
    )]
    MissingElement {
        /// The codec.
        codec: String,
        /// The elements that would do.
        elements: String,
        /// The Debian package of the first.
        package: &'static str,
    },
    /// Not one frame or sample came out.
    #[error("nothing of {stream} could be decoded ({samples} access units): {message}")]
    NothingDecoded {
        /// "the video" or "audio track 1".
        stream: String,
        /// How many access units went in.
        samples: usize,
        /// What the decoder said.
        message: String,
    },
    /// The decoder's pixels are not understood.
    #[error(transparent)]
    Pixels(#[from] UnsupportedFormat),
    /// The decoder's samples are not understood.
    #[error(transparent)]
    Samples(#[from] UnsupportedSamples),
    /// The receiver of the frames wants no more.
    #[error("decoding was stopped")]
    Stopped,
    /// A decoder could not be set up.
    #[error("the decoder {element} could not start: {message}")]
    Decoder {
        /// Which element.
        element: String,
        /// What it said.
        message: String,
    },
    /// It took too long.
    #[error("decoding did not end within {} s ({done} of {samples} access units done)", limit.as_secs_f64())]
    Timeout {
        /// The limit of the plan.
        limit: Duration,
        /// Access units of the stream that were decoded by then.
        done: usize,
        /// Access units of the stream.
        samples: usize,
    },
}

/// Decodes a chunk and hands everything in it to `sink`.
///
/// `preroll` is the chunk before it on the same stretch of the timeline, if there is one: its last
/// audio frames, and for an open group of pictures or a start without a key frame its last group,
/// are decoded and dropped. [`needs_preroll`] says whether that chunk is worth fetching.
///
/// Blocking, on the calling thread. Audio that was handed over stays valid when the video fails.
pub fn decode(
    chunk: &Demuxed,
    preroll: Option<&Demuxed>,
    plan: &DecodePlan,
    sink: &mut dyn FrameSink,
) -> Result<DecodeReport, DecodeError> {
    init::init()?;
    let deadline = Deadline::after(plan.timeout);
    let mut report = DecodeReport::default();
    let mut remarks = Vec::new();
    let wants_video = plan.check_video || !plan.views.is_empty();
    let video = chunk
        .video
        .as_ref()
        .filter(|v| wants_video && !v.samples.is_empty());

    let audio_failure = decode_audio(
        chunk,
        preroll,
        plan,
        deadline,
        sink,
        &mut report,
        &mut remarks,
    )?;
    if let Some(track) = video {
        let before = preroll.and_then(|p| p.video.as_ref());
        video::decode(
            track,
            before,
            plan,
            deadline,
            sink,
            &mut report,
            &mut remarks,
        )?;
    } else if let Some(failure) = audio_failure {
        // Nothing else was asked for, so there is nothing to go on with.
        if report.audio.iter().all(|audio| audio.samples == 0) {
            return Err(failure);
        }
    }
    report.degraded = (!remarks.is_empty()).then(|| remarks.join("; "));
    Ok(report)
}

/// Decodes the tracks of the plan; returns the first failure of a track, which the others survive.
fn decode_audio(
    chunk: &Demuxed,
    preroll: Option<&Demuxed>,
    plan: &DecodePlan,
    deadline: Deadline,
    sink: &mut dyn FrameSink,
    report: &mut DecodeReport,
    remarks: &mut Vec<String>,
) -> Result<Option<DecodeError>, DecodeError> {
    let numbers: Vec<TrackNumber> = match &plan.audio {
        AudioPlan::None => Vec::new(),
        AudioPlan::All => chunk.audio.iter().map(|track| track.number).collect(),
        AudioPlan::Tracks(numbers) => numbers.clone(),
    };
    let mut first_failure = None;
    for number in numbers {
        let Some(track) = chunk.audio_track(number) else {
            remarks.push(format!("audio track {number} is missing"));
            continue;
        };
        let before = preroll.and_then(|p| p.audio_track(number));
        let mut decoded = DecodedAudio {
            track: number,
            samples: 0,
            sample_rate: 0,
            channels: 0,
        };
        let result = sound::decode(
            track,
            before,
            plan.offset,
            deadline,
            sink,
            &mut decoded,
            remarks,
        );
        report.audio.push(decoded);
        match result {
            Ok(()) => {}
            Err(error @ DecodeError::Timeout { .. }) => return Err(error),
            Err(error) => {
                let text = error.to_string();
                let track = format!("audio track {number}");
                remarks.push(if text.contains(&track) {
                    text
                } else {
                    format!("{track}: {text}")
                });
                first_failure.get_or_insert(error);
            }
        }
    }
    Ok(first_failure)
}

/// When to give up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    end: Option<Instant>,
    limit: Duration,
}

impl Deadline {
    /// So long from now.
    pub(crate) fn after(limit: Duration) -> Self {
        Deadline {
            end: Instant::now().checked_add(limit),
            limit,
        }
    }

    /// An error once the time is over.
    pub(crate) fn check(&self, done: usize, samples: usize) -> Result<(), DecodeError> {
        match self.end {
            Some(end) if Instant::now() > end => Err(DecodeError::Timeout {
                limit: self.limit,
                done,
                samples,
            }),
            _ => Ok(()),
        }
    }
}
