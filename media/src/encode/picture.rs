//! Pictures to H.264 or HEVC with constant quality: closed groups, parameter sets in front of every
//! IDR, and the same bytes on every machine, since the number of threads is fixed.

use std::collections::VecDeque;

use gstreamer as gst;

use super::{EncodeError, need};
use crate::decode::element::{Output, Stage};
use crate::samples::Codec;

/// The distance of two pictures in the encoder's time.
const SPACING: u64 = 10_000_000;

/// How to encode.
#[derive(Clone, Debug)]
pub(crate) struct PictureSettings {
    /// H.264 or HEVC.
    pub codec: Codec,
    /// Format of the pictures, with their rate.
    pub caps: gst::Caps,
    /// Constant rate factor: smaller is better.
    pub quality: u32,
    /// At most so many kilobits a second.
    pub max_kbits: Option<u32>,
    /// B pictures between two others.
    pub b_frames: u32,
    /// Pictures from one IDR to the next at most; 0 for one IDR at the start alone.
    pub group: u32,
    /// Two fields in each picture.
    pub interlaced: bool,
}

/// One encoded picture, in decode order.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    /// Its place in order of presentation.
    pub place: u64,
    /// An IDR.
    pub key: bool,
    /// NAL units with start codes.
    pub data: Vec<u8>,
}

/// An encoder that is fed picture by picture.
pub(crate) struct PictureEncoder {
    stage: Stage,
    pushed: u64,
    /// Encoder time of the first picture: encoders move all times to leave room for negative ones.
    origin: Option<u64>,
    ready: VecDeque<Encoded>,
}

impl PictureEncoder {
    pub(crate) fn start(settings: &PictureSettings) -> Result<Self, EncodeError> {
        let stage = match settings.codec {
            Codec::Hevc => hevc(settings)?,
            _ => h264(settings)?,
        };
        Ok(PictureEncoder {
            stage,
            pushed: 0,
            origin: None,
            ready: VecDeque::new(),
        })
    }

    /// Takes the next picture in order of presentation.
    pub(crate) fn push(&mut self, picture: &gst::Buffer) -> Result<(), EncodeError> {
        // A copy of the description; the pixels are shared.
        let mut buffer = picture.copy();
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_nseconds(self.pushed * SPACING));
            buffer.set_dts(gst::ClockTime::NONE);
            buffer.set_duration(gst::ClockTime::from_nseconds(SPACING));
        }
        self.pushed += 1;
        self.stage.push(buffer)?;
        self.collect()
    }

    /// Nothing follows.
    pub(crate) fn finish(&mut self) -> Result<(), EncodeError> {
        self.stage.finish();
        self.collect()
    }

    /// The next encoded picture.
    pub(crate) fn take(&mut self) -> Option<Encoded> {
        self.ready.pop_front()
    }

    /// How many pictures went in.
    pub(crate) fn pushed(&self) -> u64 {
        self.pushed
    }

    fn collect(&mut self) -> Result<(), EncodeError> {
        while let Some(output) = self.stage.take() {
            let Output::Buffer(buffer) = output else {
                continue;
            };
            let failed = |message: &str| EncodeError::Encoder {
                element: "video encoder".to_owned(),
                message: message.to_owned(),
            };
            let time = buffer
                .pts()
                .ok_or_else(|| failed("a picture came out without a time"))?
                .nseconds();
            // The first that comes out is the first that is shown.
            let origin = *self.origin.get_or_insert(time);
            let since = time
                .checked_sub(origin)
                .ok_or_else(|| failed("a picture came out before the first"))?;
            let map = buffer
                .map_readable()
                .map_err(|error| failed(&error.to_string()))?;
            self.ready.push_back(Encoded {
                place: (since + SPACING / 2) / SPACING,
                key: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
                data: map.to_vec(),
            });
        }
        Ok(())
    }
}

fn h264(settings: &PictureSettings) -> Result<Stage, EncodeError> {
    let element = need("x264enc", "H.264")?;
    let wanted = gst::Caps::builder("video/x-h264")
        .field("stream-format", "byte-stream")
        .field("alignment", "au")
        .build();
    let group = match settings.group {
        0 => i32::MAX as u32,
        group => group,
    };
    let (rate, buffer) = match settings.max_kbits {
        Some(rate) => (rate, 2000),
        None => (0, 0),
    };
    let stage = Stage::start_into(element, &settings.caps, Some(wanted), |stage| {
        stage.set_text("pass", "qual");
        stage.set_text("quantizer", &settings.quality.to_string());
        if rate > 0 {
            stage.set_text("bitrate", &rate.to_string());
        }
        stage.set_text("vbv-buf-capacity", &buffer.to_string());
        stage.set_text("speed-preset", "veryfast");
        stage.set_text("bframes", &settings.b_frames.to_string());
        stage.set_text("key-int-max", &group.to_string());
        stage.set_text("threads", "4");
        stage.set_text("aud", "false");
        stage.set_text(
            "interlaced",
            if settings.interlaced { "true" } else { "false" },
        );
        stage.set_text("option-string", "open-gop=0:repeat-headers=1");
    })?;
    Ok(stage)
}

fn hevc(settings: &PictureSettings) -> Result<Stage, EncodeError> {
    let element = need("x265enc", "HEVC")?;
    // With several threads its bytes differ from run to run.
    let mut options = format!(
        "crf={}:bframes={}:open-gop=0:repeat-headers=1:aud=0:pools=none:wpp=0:frame-threads=1:\
         lookahead-slices=0:log-level=error",
        settings.quality, settings.b_frames
    );
    let group = match settings.group {
        0 => i32::MAX as u32,
        group => group,
    };
    if let Some(rate) = settings.max_kbits {
        options.push_str(&format!(":vbv-maxrate={rate}:vbv-bufsize={}", rate * 2));
    }
    let stage = Stage::start(element, &settings.caps, |stage| {
        stage.set_text("speed-preset", "veryfast");
        stage.set_text("key-int-max", &group.to_string());
        stage.set_text("option-string", &options);
    })?;
    Ok(stage)
}
