//! Samples as the decoder gives them, turned into interleaved floating point: what operators see.
//! Nothing is resampled or mixed; full scale is -1.0 to 1.0.

use gstreamer_audio::{AudioBufferRef, AudioFormat, AudioLayout};

/// The decoder gave samples in a format that this crate does not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the decoder gives samples as {0}, which is not read")]
pub struct UnsupportedSamples(pub String);

/// Writes the samples of `buffer` to `out`, replacing what was there.
pub(crate) fn interleave(
    buffer: &AudioBufferRef<&gstreamer::BufferRef>,
    out: &mut Vec<f32>,
) -> Result<(), UnsupportedSamples> {
    let channels = buffer.channels() as usize;
    let frames = buffer.n_samples();
    let format = buffer.format();
    out.clear();
    out.resize(frames * channels, 0.0);
    if channels == 0 {
        return Ok(());
    }
    let plane = |index: usize| {
        buffer
            .plane_data(index as u32)
            .map_err(|error| UnsupportedSamples(error.to_string()))
    };
    if buffer.layout() == AudioLayout::NonInterleaved {
        for channel in 0..channels {
            convert(format, plane(channel)?, out, channel, channels)?;
        }
        Ok(())
    } else {
        convert(format, plane(0)?, out, 0, 1)
    }
}

/// Writes each value of `plane` to every `step`th place of `out` from `first` on.
fn convert(
    format: AudioFormat,
    plane: &[u8],
    out: &mut [f32],
    first: usize,
    step: usize,
) -> Result<(), UnsupportedSamples> {
    let places = out.iter_mut().skip(first).step_by(step);
    fn each<'a, const N: usize>(
        plane: &[u8],
        places: impl Iterator<Item = &'a mut f32>,
        value: impl Fn([u8; N]) -> f32,
    ) {
        for (place, bytes) in places.zip(plane.as_chunks::<N>().0) {
            *place = value(*bytes);
        }
    }
    match format {
        AudioFormat::F32le => each(plane, places, f32::from_le_bytes),
        AudioFormat::F64le => each(plane, places, |b| f64::from_le_bytes(b) as f32),
        AudioFormat::S16le => each(plane, places, |b| {
            f32::from(i16::from_le_bytes(b)) / 32_768.0
        }),
        AudioFormat::S32le => {
            each(plane, places, |b| {
                (f64::from(i32::from_le_bytes(b)) / 2_147_483_648.0) as f32
            });
        }
        AudioFormat::U8 => each(plane, places, |b: [u8; 1]| {
            (f32::from(b[0]) - 128.0) / 128.0
        }),
        other => return Err(UnsupportedSamples(other.to_str().to_string())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_reaches_full_scale() {
        let mut out = [0.0; 4];
        convert(AudioFormat::S16le, &[0, 0x80, 0, 0x40], &mut out, 0, 2).unwrap();
        convert(AudioFormat::F32le, &0.25_f32.to_le_bytes(), &mut out, 1, 2).unwrap();
        convert(AudioFormat::U8, &[0, 192], &mut out[3..], 0, 1).unwrap();
        assert_eq!(out, [-1.0, 0.25, 0.5, -1.0]);
        convert(AudioFormat::S32le, &[0, 0, 0, 0xc0], &mut out, 0, 1).unwrap();
        convert(AudioFormat::F64le, &0.125_f64.to_le_bytes(), &mut out, 1, 1).unwrap();
        assert_eq!(out[..2], [-0.5, 0.125]);
        assert!(convert(AudioFormat::S24be, &[0; 3], &mut out, 0, 1).is_err());
    }
}
