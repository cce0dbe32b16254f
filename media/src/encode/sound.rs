//! Sound to AAC-LC: one stream from the first sample to the last, so that nothing is lost or doubled
//! where clips join.

use bytes::Bytes;
use gstreamer as gst;

use super::{EncodeError, need};
use crate::decode::element::{Output, Stage};

/// Samples that the encoder puts before the first one: an edit list hides them.
pub(crate) const PRIMING: i64 = 1024;

/// An encoder that is fed with interleaved samples.
pub(crate) struct SoundEncoder {
    stage: Stage,
    channels: u32,
    rate: u32,
    pushed: u64,
    /// AudioSpecificConfig.
    config: Bytes,
    frames: Vec<Bytes>,
}

impl SoundEncoder {
    pub(crate) fn start(rate: u32, channels: u32, bitrate: u32) -> Result<Self, EncodeError> {
        let element = need("avenc_aac", "AAC")?;
        let whole = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        let caps = gst::Caps::builder("audio/x-raw")
            .field("format", "F32LE")
            .field("layout", "interleaved")
            .field("rate", whole(rate))
            .field("channels", whole(channels))
            .field_if_some(
                "channel-mask",
                (channels == 2).then(|| gst::Bitmask::new(3)),
            )
            .build();
        let stage = Stage::start(element, &caps, |stage| {
            stage.set_text("bitrate", &bitrate.to_string());
        })?;
        Ok(SoundEncoder {
            stage,
            channels,
            rate,
            pushed: 0,
            config: Bytes::new(),
            frames: Vec::new(),
        })
    }

    /// Takes the next samples, interleaved.
    pub(crate) fn push(&mut self, samples: &[f32]) -> Result<(), EncodeError> {
        if samples.is_empty() {
            return Ok(());
        }
        let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        let time = |samples: u64| {
            let ns = u128::from(samples) * 1_000_000_000 / u128::from(self.rate.max(1));
            gst::ClockTime::from_nseconds(u64::try_from(ns).unwrap_or(u64::MAX - 1))
        };
        let length = samples.len() as u64 / u64::from(self.channels.max(1));
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(time(self.pushed));
            buffer.set_duration(time(self.pushed + length) - time(self.pushed));
        }
        self.pushed += length;
        self.stage.push(buffer)?;
        self.collect()
    }

    /// How many samples of each channel went in.
    pub(crate) fn pushed(&self) -> u64 {
        self.pushed
    }

    /// The stream: its AudioSpecificConfig and its frames of 1024 samples.
    pub(crate) fn finish(mut self) -> Result<(Bytes, Vec<Bytes>), EncodeError> {
        self.stage.finish();
        self.collect()?;
        Ok((self.config, self.frames))
    }

    fn collect(&mut self) -> Result<(), EncodeError> {
        let failed = |message: String| EncodeError::Encoder {
            element: "avenc_aac".to_owned(),
            message,
        };
        while let Some(output) = self.stage.take() {
            match output {
                Output::Caps(caps) => {
                    let config = caps
                        .structure(0)
                        .and_then(|s| s.get::<gst::Buffer>("codec_data").ok());
                    if let Some(config) = config {
                        let map = config.map_readable().map_err(|e| failed(e.to_string()))?;
                        self.config = Bytes::copy_from_slice(&map);
                    }
                }
                Output::Buffer(buffer) => {
                    let map = buffer.map_readable().map_err(|e| failed(e.to_string()))?;
                    self.frames.push(Bytes::copy_from_slice(&map));
                }
            }
        }
        Ok(())
    }
}
