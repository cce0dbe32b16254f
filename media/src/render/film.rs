//! The pictures of the result, frame by frame on its own grid: each is the picture that the source
//! shows at that time, so that their number is exact whatever the rate of the source is.

use std::ops::ControlFlow;
use std::path::Path;

use gstreamer as gst;
use gstreamer_video::VideoInfo;
use matchcut_model::time::{FrameRate, MediaTime, TimeRange};

use super::canvas::Canvas;
use super::loudness::Measured;
use super::plan::{RenderPlan, Transition};
use super::soundtrack::Soundtracks;
use super::spool::Spool;
use super::{Element, Fades, Progress, RenderError, RenderReport, Source};
use crate::cut::{Cut, RenderedPictures, RenderedSound, VideoPart};
use crate::decode::DecodeError;
use crate::decode::element::{Output, Stage};
use crate::decode::pictures::pictures;
use crate::doctor::is_present;
use crate::encode::{PictureEncoder, PictureSettings};
use crate::samples::Codec;

/// Times that were rounded on the way may come so much late.
const TOLERANCE: MediaTime = MediaTime::from_millis(1);
/// A variable rate is rendered with at most so many frames a second.
const MOST_FRAMES: i64 = 60;
/// Seconds from one IDR to the next.
const GROUP_SECONDS: u32 = 2;
/// The quality of H.264 where no resolution says it.
const QUALITY: u32 = 20;
/// The rate where no resolution says it: bits a second.
const MAX_BITRATE: u32 = 6_000_000;

/// Everything that goes into the file.
pub(super) struct Film {
    pub pictures: RenderedPictures,
    pub sounds: Vec<RenderedSound>,
    pub report: RenderReport,
}

/// What the result is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    pub rate: FrameRate,
    pub size: (u32, u32),
}

impl Format {
    /// By the plan, and by the first clip with pictures where the plan leaves it open.
    pub(super) fn of(source: &mut Source<'_>) -> Result<Format, RenderError> {
        let plan = source.plan;
        for index in 0..source.pieces.count() {
            let Some(cut) = source.cut(Element::Clip(index))? else {
                continue;
            };
            let Some(video) = cut.parts.iter().find_map(|part| part.video.as_ref()) else {
                continue;
            };
            let size = match plan.resolution {
                Some(resolution) => (resolution.width, resolution.height),
                None => shown_size(video),
            };
            let rate = plan.frame_rate.unwrap_or_else(|| rate_of(video));
            return Ok(Format { rate, size });
        }
        Err(RenderError::NoPictures)
    }

    /// The number of the first frame at or after a time, when times are rounded.
    pub(super) fn frame(&self, time: MediaTime) -> i64 {
        let half = MediaTime::from_flicks(self.rate.frame_duration().flicks() / 2);
        self.rate.frame_at(time + half)
    }
}

/// The size with square pixels, both sides even.
fn shown_size(video: &VideoPart) -> (u32, u32) {
    let (h, v) = video.pixel_aspect.unwrap_or((1, 1));
    let width = u64::from(video.width) * u64::from(h) / u64::from(v.max(1));
    let even = |value: u64| u32::try_from(value.max(2) / 2 * 2).unwrap_or(2);
    (even(width), even(u64::from(video.height)))
}

/// The rate of the source, or for a variable one that of its closest frames.
fn rate_of(video: &VideoPart) -> FrameRate {
    let fallback = || {
        let mut pts: Vec<i64> = video.samples.iter().map(|sample| sample.pts).collect();
        pts.sort_unstable();
        let steps = pts.windows(2).map(|pair| pair[1] - pair[0]);
        let closest = steps.filter(|step| *step > 0).min().unwrap_or(0);
        let step = MediaTime::from_ticks(closest, video.timescale).flicks();
        let second = MediaTime::from_seconds(1).flicks();
        let whole = (second + step / 2).checked_div(step).unwrap_or(25);
        let whole = u32::try_from(whole.clamp(1, MOST_FRAMES)).unwrap_or(25);
        FrameRate::new(whole, 1)
    };
    let steady = video.frame_rate.or_else(fallback);
    steady.unwrap_or(FrameRate { num: 25, den: 1 })
}

/// Renders pictures and sound.
pub(super) fn make(
    source: &mut Source<'_>,
    gains: &[Option<Measured>],
    path: &Path,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Film, RenderError> {
    let format = Format::of(source)?;
    let plan = source.plan;
    let mut canvas = Canvas::new(format.size, plan.fit)?;
    let still = match &plan.transition {
        Transition::Image { path, .. } => Some(still(path, &mut canvas)?),
        _ => None,
    };
    let mut screen = Screen {
        encoder: PictureEncoder::start(&settings(plan, format, &canvas))?,
        canvas,
        spool: Spool::create(path)?,
        format,
        shown: 0,
        clip: 0,
        clips: source.pieces.count(),
        watch,
    };
    let mut sounds = Soundtracks::new(plan.audio_bitrate, gains);
    let mut clips = Vec::new();
    let mut lost = 0;
    let mut at = MediaTime::ZERO;
    for element in source.elements.clone() {
        let cut = source.cut(element)?;
        let begin = at;
        at += source.duration(cut.as_ref());
        let first = screen.shown;
        let end = format.frame(at).max(first);
        if let Element::Clip(clip) = element {
            screen.clip = clip;
            clips.push(TimeRange::new(
                format.rate.time_of(first),
                format.rate.time_of(end),
            ));
        }
        let fading = Fading::new(
            source.fades(element),
            format,
            (first, end),
            &plan.transition,
        );
        match (&cut, &still) {
            (Some(cut), _) => lost += screen.play(cut, begin, &fading)?,
            (None, Some(still)) => screen.hold(still, end, &fading)?,
            (None, None) => {}
        }
        let span = TimeRange::new(format.rate.time_of(first), format.rate.time_of(end));
        let any = element == Element::Transition;
        sounds.add(cut.as_ref(), any, span, fading.sound())?;
    }
    let frames = u64::try_from(screen.shown).unwrap_or(0);
    let duration = format.rate.time_of(screen.shown);
    let pictures = screen.finish()?;
    let mut notes = Vec::new();
    if lost > 0 {
        notes.push(format!(
            "{lost} pictures could not be decoded; the one before stands longer"
        ));
    }
    Ok(Film {
        pictures,
        sounds: sounds.finish(duration)?,
        report: RenderReport {
            frames,
            duration,
            clips,
            size: format.size,
            frame_rate: format.rate,
            loudness: Vec::new(),
            notes,
        },
    })
}

fn settings(plan: &RenderPlan, format: Format, canvas: &Canvas) -> PictureSettings {
    let resolution = plan.resolution;
    let quality = plan.quality.or(resolution.map(|known| known.quality));
    let bitrate = plan.max_bitrate.or(resolution.map(|r| r.max_bitrate));
    PictureSettings {
        codec: Codec::H264,
        caps: canvas.caps((format.rate.num, format.rate.den)),
        quality: quality.unwrap_or(QUALITY),
        max_kbits: Some((bitrate.unwrap_or(MAX_BITRATE) / 1000).max(1)),
        b_frames: 2,
        group: format.rate.nominal().max(1) * GROUP_SECONDS,
        interlaced: false,
    }
}

/// Which frames of an element fade, and into what.
struct Fading {
    first: i64,
    end: i64,
    /// Frames that appear, and frames that disappear.
    frames: (i64, i64),
    times: Fades,
    colour: [u8; 3],
}

impl Fading {
    fn new(fades: Fades, format: Format, (first, end): (i64, i64), plan: &Transition) -> Self {
        let half = (end - first) / 2;
        let frames = |time: MediaTime| format.frame(time).min(half);
        let frames = (frames(fades.into), frames(fades.out));
        let time = |frames| format.rate.time_of(frames);
        Fading {
            first,
            end,
            frames,
            times: Fades {
                into: time(frames.0),
                out: time(frames.1),
            },
            colour: match plan {
                Transition::Fade { colour, .. } => *colour,
                _ => [0; 3],
            },
        }
    }

    /// How much of 256 is left of a frame.
    fn keep(&self, frame: i64) -> u32 {
        let (into, out) = self.frames;
        let since = frame - self.first;
        let left = self.end - 1 - frame;
        let share = |at: i64, all: i64| ((at + 1) * 256 / (all + 1)).clamp(0, 256) as u32;
        match () {
            () if since < into => share(since, into),
            () if left < out => share(left, out),
            () => 256,
        }
    }

    fn sound(&self) -> Fades {
        self.times
    }
}

/// Takes the frames of the result in order.
struct Screen<'a> {
    canvas: Canvas,
    encoder: PictureEncoder,
    spool: Spool,
    format: Format,
    /// Frames so far.
    shown: i64,
    clip: usize,
    clips: usize,
    watch: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
}

/// The picture that the source shows at a time.
struct Current {
    info: VideoInfo,
    buffer: gst::Buffer,
    /// In the format of the result, once it is needed.
    ready: Option<gst::Buffer>,
}

impl Screen<'_> {
    /// Shows a cut that begins at `begin`; returns how many of its pictures were lost.
    fn play(&mut self, cut: &Cut, begin: MediaTime, fading: &Fading) -> Result<u64, RenderError> {
        let mut lost = 0;
        let mut at = begin;
        for part in &cut.parts {
            let start = at;
            at += part.duration;
            let end = self.format.frame(at);
            match &part.video {
                Some(video) => {
                    let stop = video.media_time + part.duration.to_ticks(video.timescale);
                    lost += self.run(video, stop, start, end, fading)?;
                }
                None => {
                    let blank = self.canvas.blank([0; 3])?;
                    self.hold(&blank, end, fading)?;
                }
            }
        }
        Ok(lost)
    }

    fn run(
        &mut self,
        video: &VideoPart,
        stop: i64,
        start: MediaTime,
        end: i64,
        fading: &Fading,
    ) -> Result<u64, RenderError> {
        let track = video.as_track(0..video.samples.len());
        let wanted = |pts: i64| pts >= video.media_time && pts < stop;
        let mut lost = track.samples.iter().filter(|s| wanted(s.pts)).count() as u64;
        let mut current: Option<Current> = None;
        let mut failed = None;
        let decoded = pictures(&track, |picture| {
            let pts = track.samples[picture.sample].pts;
            if !wanted(pts) {
                return Ok(());
            }
            lost = lost.saturating_sub(1);
            let time = MediaTime::from_ticks(pts - video.media_time, video.timescale);
            let due = |screen: &Self| {
                screen.shown < end
                    && screen.format.rate.time_of(screen.shown) - start + TOLERANCE < time
            };
            while let Some(current) = current.as_mut().filter(|_| due(self)) {
                if let Err(error) = self.show_current(current, video, fading) {
                    failed = Some(error);
                    return Err(DecodeError::Stopped);
                }
            }
            current = Some(Current {
                info: picture.info.clone(),
                buffer: picture.buffer.clone(),
                ready: None,
            });
            Ok(())
        });
        if let Some(failed) = failed {
            return Err(failed);
        }
        let said = decoded?;
        let Some(mut current) = current else {
            if end <= self.shown {
                return Ok(lost);
            }
            return Err(RenderError::Decode(DecodeError::NothingDecoded {
                stream: format!("the video ({})", video.codec),
                samples: track.samples.len(),
                message: said.unwrap_or_else(|| "the decoder gave no reason".to_owned()),
            }));
        };
        while self.shown < end {
            self.show_current(&mut current, video, fading)?;
        }
        Ok(lost)
    }

    fn show_current(
        &mut self,
        current: &mut Current,
        video: &VideoPart,
        fading: &Fading,
    ) -> Result<(), RenderError> {
        let ready = match current.ready.take() {
            Some(ready) => ready,
            None => self
                .canvas
                .take(&current.info, &current.buffer, video.pixel_aspect)?,
        };
        self.show(&ready, fading)?;
        current.ready = Some(ready);
        Ok(())
    }

    /// Shows one picture until frame `end`.
    fn hold(
        &mut self,
        picture: &gst::Buffer,
        end: i64,
        fading: &Fading,
    ) -> Result<(), RenderError> {
        while self.shown < end {
            self.show(picture, fading)?;
        }
        Ok(())
    }

    /// Shows a picture for one frame.
    fn show(&mut self, picture: &gst::Buffer, fading: &Fading) -> Result<(), RenderError> {
        let keep = fading.keep(self.shown);
        if keep < 256 {
            let mut mixed = picture.copy_deep().map_err(|error| {
                RenderError::Pixels(crate::view::UnsupportedFormat(error.to_string()))
            })?;
            self.canvas.mix(&mut mixed, fading.colour, keep)?;
            self.encoder.push(&mixed)?;
        } else {
            self.encoder.push(picture)?;
        }
        self.shown += 1;
        self.store()?;
        let progress = Progress {
            clip: self.clip,
            clips: self.clips,
            frames: u64::try_from(self.shown).unwrap_or(0),
        };
        match (self.watch)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(RenderError::Cancelled),
        }
    }

    fn store(&mut self) -> Result<(), RenderError> {
        while let Some(encoded) = self.encoder.take() {
            self.spool.add(&encoded)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<RenderedPictures, RenderError> {
        self.encoder.finish()?;
        self.store()?;
        let (pictures, sets, spool) = self.spool.finish()?;
        if pictures.len() as u64 != self.encoder.pushed() {
            let (came, all) = (pictures.len(), self.encoder.pushed());
            return Err(RenderError::Encode(crate::encode::EncodeError::Encoder {
                element: "x264enc".to_owned(),
                message: format!("{came} of {all} pictures came out"),
            }));
        }
        Ok(RenderedPictures {
            rate: self.format.rate,
            sets,
            size: self.format.size,
            pictures,
            spool,
        })
    }
}

/// Reads a still picture and brings it to the size of the result.
fn still(path: &Path, canvas: &mut Canvas) -> Result<gst::Buffer, RenderError> {
    let failed = |message: String| RenderError::Transition {
        path: path.to_owned(),
        message,
    };
    let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let (element, kind) = if bytes.starts_with(b"\x89PNG") {
        ("pngdec", "image/png")
    } else if bytes.starts_with(&[0xff, 0xd8]) {
        ("jpegdec", "image/jpeg")
    } else {
        return Err(failed("it is neither PNG nor JPEG".into()));
    };
    if !is_present(element) {
        return Err(RenderError::Decode(DecodeError::MissingElement {
            codec: kind.to_owned(),
            elements: element.to_owned(),
            package: "gstreamer1.0-plugins-good",
        }));
    }
    let caps = gst::Caps::builder(kind)
        .field("framerate", gst::Fraction::new(1, 1))
        .build();
    let mut stage = Stage::start(element, &caps, |_| {}).map_err(|e| failed(e.message))?;
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_pts(gst::ClockTime::ZERO);
    }
    let pushed = stage.push(buffer).map_err(|error| error.message);
    stage.finish();
    let mut info = None;
    while let Some(output) = stage.take() {
        match output {
            Output::Caps(caps) => info = VideoInfo::from_caps(&caps).ok(),
            Output::Buffer(buffer) => {
                if let Some(info) = &info {
                    return Ok(canvas.take(info, &buffer, None)?);
                }
            }
        }
    }
    let said = stage.complaints().summary();
    let message = pushed.err().or(said);
    Err(failed(
        message.unwrap_or_else(|| "no picture came out of it".to_owned()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fades_take_the_frames_that_they_should() {
        let rate = FrameRate::new(25, 1).unwrap();
        let format = Format {
            rate,
            size: (16, 16),
        };
        let fades = Fades {
            into: MediaTime::from_millis(120),
            out: MediaTime::from_millis(120),
        };
        let fading = Fading::new(fades, format, (100, 110), &Transition::None);
        let keep: Vec<u32> = (100..110).map(|frame| fading.keep(frame)).collect();
        assert_eq!(keep, [64, 128, 192, 256, 256, 256, 256, 192, 128, 64]);
        // A clip that is shorter than its fades: each has one half.
        let fading = Fading::new(fades, format, (0, 4), &Transition::None);
        assert_eq!(fading.frames, (2, 2));
        assert_eq!(format.frame(MediaTime::from_millis(119)), 3);
    }
}
