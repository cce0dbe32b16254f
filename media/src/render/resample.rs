//! Sound of any sample rate brought to that of the result, without a shift in time.

use gstreamer as gst;

use super::RenderError;
use super::soundtrack::{CHANNELS, RATE};
use crate::decode::DecodeError;
use crate::decode::element::{Output, Stage, StageError};
use crate::doctor::is_present;

/// A resampler of two channels that is fed block by block.
pub(super) enum Resampler {
    /// Nothing to do.
    Same,
    /// Through an element.
    Stage {
        stage: Stage,
        rate: u32,
        pushed: u64,
    },
}

fn failed(StageError { element, message }: StageError) -> RenderError {
    RenderError::Decode(DecodeError::Decoder { element, message })
}

fn caps(rate: u32) -> gst::Caps {
    let whole = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    gst::Caps::builder("audio/x-raw")
        .field("format", "F32LE")
        .field("layout", "interleaved")
        .field("rate", whole(rate))
        .field("channels", whole(CHANNELS))
        .field("channel-mask", gst::Bitmask::new(3))
        .build()
}

impl Resampler {
    pub(super) fn new(rate: u32) -> Result<Resampler, RenderError> {
        if rate == RATE {
            return Ok(Resampler::Same);
        }
        if !is_present("audioresample") {
            return Err(RenderError::Decode(DecodeError::MissingElement {
                codec: format!("sound of {rate} Hz"),
                elements: "audioresample".to_owned(),
                package: "gstreamer1.0-plugins-base",
            }));
        }
        let stage = Stage::start_into("audioresample", &caps(rate), Some(caps(RATE)), |stage| {
            stage.set_text("quality", "8");
        })
        .map_err(failed)?;
        Ok(Resampler::Stage {
            stage,
            rate,
            pushed: 0,
        })
    }

    /// Takes samples and hands on what is ready.
    pub(super) fn push(
        &mut self,
        samples: &[f32],
        out: &mut dyn FnMut(&[f32]) -> Result<(), RenderError>,
    ) -> Result<(), RenderError> {
        let Resampler::Stage {
            stage,
            rate,
            pushed,
        } = self
        else {
            return out(samples);
        };
        if samples.is_empty() {
            return Ok(());
        }
        let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        let time = |samples: u64| {
            let ns = u128::from(samples) * 1_000_000_000 / u128::from((*rate).max(1));
            gst::ClockTime::from_nseconds(u64::try_from(ns).unwrap_or(u64::MAX - 1))
        };
        let next = *pushed + samples.len() as u64 / u64::from(CHANNELS);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(time(*pushed));
            buffer.set_duration(time(next) - time(*pushed));
            buffer.set_offset(*pushed);
            buffer.set_offset_end(next);
        }
        *pushed = next;
        stage.push(buffer).map_err(failed)?;
        drain(stage, out)
    }

    /// Hands on what is left.
    pub(super) fn finish(
        &mut self,
        out: &mut dyn FnMut(&[f32]) -> Result<(), RenderError>,
    ) -> Result<(), RenderError> {
        let Resampler::Stage { stage, .. } = self else {
            return Ok(());
        };
        stage.finish();
        drain(stage, out)
    }
}

fn drain(
    stage: &mut Stage,
    out: &mut dyn FnMut(&[f32]) -> Result<(), RenderError>,
) -> Result<(), RenderError> {
    while let Some(output) = stage.take() {
        if let Output::Buffer(buffer) = output {
            let map = buffer.map_readable().map_err(|error| {
                failed(StageError {
                    element: "audioresample".to_owned(),
                    message: error.to_string(),
                })
            })?;
            let (values, _) = map.as_chunks::<4>();
            let samples: Vec<f32> = values.iter().map(|b| f32::from_le_bytes(*b)).collect();
            out(&samples)?;
        }
    }
    Ok(())
}
