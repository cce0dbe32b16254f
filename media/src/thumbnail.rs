//! A still picture of the frame that is shown at a time, as JPEG in the shape viewers see it.
//! Only what that frame refers to is decoded.

use std::time::Duration;

use gstreamer as gst;
use gstreamer_video::{VideoFormat, VideoFrameRef, VideoInfo};
use matchcut_model::frame::{FrameChoice, PixelFormat, ViewSpec};
use matchcut_model::time::MediaTime;

use crate::decode::element::{Output, Stage};
use crate::decode::run::{self, Setup, Unit};
use crate::decode::{Deadline, DecodeError, codec, preroll};
use crate::doctor::is_present;
use crate::init;
use crate::samples::{Demuxed, Sample, SyncKind, VideoTrack};
use crate::view::{UnsupportedFormat, Viewer};

/// JPEG quality: no visible damage at the size of a thumbnail.
const QUALITY: i32 = 80;
/// No codec holds back more pictures than this.
const MOST_AFTER: usize = 16;
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThumbnailError {
    /// The chunk has no video.
    #[error("there is no video to take a picture of")]
    NoVideo,
    /// The frame could not be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The picture could not be written as JPEG.
    #[error("the JPEG encoder failed: {0}")]
    Encode(String),
}

/// The frame of `chunk` that is shown at event time `at` (the first one, when `at` is before it), at
/// most `max_width` pixels wide and never enlarged, with square pixels. `offset` is event time minus
/// stream time, `preroll` the chunk before as for [`crate::decode::decode`].
pub fn jpeg(
    chunk: &Demuxed,
    preroll: Option<&Demuxed>,
    at: MediaTime,
    offset: MediaTime,
    max_width: u32,
) -> Result<Vec<u8>, ThumbnailError> {
    init::init().map_err(DecodeError::from)?;
    let track = chunk.video.as_ref().ok_or(ThumbnailError::NoVideo)?;
    let target = shown_at(track, at - offset).ok_or(ThumbnailError::NoVideo)?;
    let before = preroll.and_then(|p| p.video.as_ref());
    let path = path_to(track, before, target);
    let setup = Setup {
        element: codec::choose_video(track)?,
        caps: codec::video_caps(track),
        threads: 1,
        max_errors: -1,
    };
    // Some decoders give no picture that nothing follows, if it does not begin the stream.
    let after = &track.samples[target + 1..];
    let mut said = None;
    for more in [0, after.len().min(MOST_AFTER)] {
        let mut units: Vec<Unit<'_>> = path
            .iter()
            .copied()
            .chain(&after[..more])
            .map(|sample| Unit {
                sample,
                prefix: Vec::new(),
            })
            .collect();
        if let Some(first) = units.first_mut() {
            first.prefix = track.parameter_sets.annex_b();
        }
        let wanted = path.len() - 1;
        let mut picture = None;
        said = run::run(&setup, &units, Deadline::after(TIME_LIMIT), |decoded| {
            if decoded.unit == Some(wanted) && picture.is_none() {
                picture = Some(shrink(&decoded, track, max_width)?);
            }
            Ok(())
        })?;
        if let Some(picture) = picture {
            return encode(&picture);
        }
    }
    Err(ThumbnailError::Decode(DecodeError::NothingDecoded {
        stream: format!("the video ({})", track.codec),
        samples: path.len(),
        message: said.unwrap_or_else(|| "the decoder gave no frame and no reason".to_owned()),
    }))
}

/// The sample whose frame is shown at stream time `at`.
fn shown_at(track: &VideoTrack, at: MediaTime) -> Option<usize> {
    let time = |index: &usize| track.pts(&track.samples[*index]).time();
    let all = 0..track.samples.len();
    all.clone()
        .filter(|index| time(index) <= at)
        .max_by_key(time)
        .or_else(|| all.min_by_key(time))
}

/// The samples to decode, in order, so that the last of them is `target`.
fn path_to<'a>(
    track: &'a VideoTrack,
    before: Option<&'a VideoTrack>,
    target: usize,
) -> Vec<&'a Sample> {
    let wanted = &track.samples[target];
    let usable = |s: &Sample| {
        s.sync == SyncKind::Idr || (s.sync == SyncKind::OpenGop && s.pts <= wanted.pts)
    };
    let start = track.samples[..=target].iter().rposition(usable);
    let mut path = match start {
        Some(_) => Vec::new(),
        None => preroll::of_video(track, before),
    };
    let between = &track.samples[start.unwrap_or(0)..target];
    path.extend(between.iter().filter(|s| s.reference));
    path.push(wanted);
    path
}

struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

fn shrink(
    decoded: &run::Decoded,
    track: &VideoTrack,
    max_width: u32,
) -> Result<Picture, DecodeError> {
    let info = VideoInfo::from_caps(&decoded.caps)
        .map_err(|_| UnsupportedFormat(decoded.caps.to_string()))?;
    let frame = VideoFrameRef::from_buffer_ref_readable(&decoded.buffer, &info)
        .map_err(|error| UnsupportedFormat(format!("{} ({error})", info.name())))?;
    let par = info.par();
    let par = match (par.numer(), par.denom()) {
        (1, 1) => track.pixel_aspect.unwrap_or((1, 1)),
        (n, d) => (n.unsigned_abs(), d.unsigned_abs()),
    };
    let (width, height) = display_size(info.width(), info.height(), par, max_width);
    let view = ViewSpec {
        width,
        height,
        format: PixelFormat::Rgb24,
        rate: None,
        frames: FrameChoice::All,
    };
    let mut rgb = Vec::new();
    Viewer::new(&[view]).render(0, &frame, &[true], |_, _, data| rgb = data.to_vec())?;
    Ok(Picture { width, height, rgb })
}

/// The size with square pixels, at most `max_width` wide, neither side enlarged.
fn display_size(width: u32, height: u32, par: (u32, u32), max_width: u32) -> (u32, u32) {
    let (num, den) = (f64::from(par.0.max(1)), f64::from(par.1.max(1)));
    // Wide pixels are shown by fewer lines, narrow ones by fewer columns.
    let (w, h) = if num >= den {
        (f64::from(width), f64::from(height) * den / num)
    } else {
        (f64::from(width) * num / den, f64::from(height))
    };
    let scale = (f64::from(max_width.max(1)) / w).min(1.0);
    (
        (w * scale).round().max(1.0) as u32,
        (h * scale).round().max(1.0) as u32,
    )
}

fn encode(picture: &Picture) -> Result<Vec<u8>, ThumbnailError> {
    if !is_present("jpegenc") {
        return Err(ThumbnailError::Decode(DecodeError::MissingElement {
            codec: "JPEG".to_owned(),
            elements: "jpegenc".to_owned(),
            package: "gstreamer1.0-plugins-good",
        }));
    }
    let fail = |error: &dyn std::fmt::Display| ThumbnailError::Encode(error.to_string());
    let info = VideoInfo::builder(VideoFormat::Rgb, picture.width, picture.height)
        .fps(gst::Fraction::new(1, 1))
        .build()
        .map_err(|error| fail(&error))?;
    let caps = info.to_caps().map_err(|error| fail(&error))?;
    let mut stage = Stage::start("jpegenc", &caps, |stage| stage.set("quality", QUALITY))
        .map_err(|error| fail(&error))?;
    let mut buffer = gst::Buffer::from_mut_slice(padded(picture, &info));
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_pts(gst::ClockTime::ZERO);
    }
    stage.push(buffer).map_err(|error| fail(&error))?;
    stage.finish();
    while let Some(output) = stage.take() {
        if let Output::Buffer(buffer) = output {
            let map = buffer.map_readable().map_err(|error| fail(&error))?;
            return Ok(map.to_vec());
        }
    }
    Err(ThumbnailError::Encode(
        stage
            .complaints()
            .summary()
            .unwrap_or_else(|| "nothing came out".to_owned()),
    ))
}

/// Rows as GStreamer lays them out, each at a multiple of four bytes.
fn padded(picture: &Picture, info: &VideoInfo) -> Vec<u8> {
    let stride = info
        .stride()
        .first()
        .map_or(0, |s| usize::try_from(*s).unwrap_or(0));
    let row = picture.width as usize * 3;
    let mut data = vec![0; info.size().max(stride * picture.height as usize)];
    if stride >= row {
        for (to, from) in data.chunks_mut(stride).zip(picture.rgb.chunks_exact(row)) {
            to[..row].copy_from_slice(from);
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_become_square_and_nothing_is_enlarged() {
        assert_eq!(display_size(1920, 1080, (1, 1), 320), (320, 180));
        assert_eq!(display_size(320, 180, (1, 1), 640), (320, 180));
        // PAL 16:9: 720x576 with pixels of 64:45 is shown as 1024x576.
        assert_eq!(display_size(720, 576, (64, 45), 320), (320, 180));
        // Narrow pixels: 720x480 with 8:9 is shown as 640x480.
        assert_eq!(display_size(720, 480, (8, 9), 4000), (640, 480));
        assert_eq!(display_size(2, 4000, (1, 1), 1), (1, 2000));
    }
}
