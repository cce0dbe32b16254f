//! One audio track of a chunk: each compressed frame becomes a block whose time is that of the frame
//! in the stream, so blocks of neighbouring chunks join without a seam.

use gstreamer_audio::{AudioBufferRef, AudioInfo};
use matchcut_model::frame::AudioBlock;
use matchcut_model::time::MediaTime;

use super::run::{self, Setup, Unit};
use super::{Deadline, DecodeError, DecodedAudio, FrameSink, codec, preroll};
use crate::audio::{UnsupportedSamples, interleave};
use crate::samples::AudioTrack;

/// Decodes `track` and counts what came of it in `decoded`.
pub(super) fn decode(
    track: &AudioTrack,
    before: Option<&AudioTrack>,
    offset: MediaTime,
    deadline: Deadline,
    sink: &mut dyn FrameSink,
    decoded: &mut DecodedAudio,
    remarks: &mut Vec<String>,
) -> Result<(), DecodeError> {
    if track.samples.is_empty() {
        return Ok(());
    }
    let (decoder, element) = codec::choose_audio(track)?;
    let overlap = preroll::of_audio(track, before, decoder.preroll);
    let dropped = overlap.len();
    let units: Vec<Unit<'_>> = overlap
        .iter()
        .chain(&track.samples)
        .map(|sample| Unit {
            sample,
            prefix: Vec::new(),
        })
        .collect();
    let setup = Setup {
        element,
        caps: codec::audio_caps(track),
        threads: 1,
        max_errors: -1,
    };
    let mut blocks = Blocks {
        track,
        offset,
        dropped,
        place: None,
        samples: Vec::new(),
    };
    let said = run::run(&setup, &units, deadline, |output| {
        let info = AudioInfo::from_caps(&output.caps)
            .map_err(|_| UnsupportedSamples(output.caps.to_string()))?;
        let buffer = AudioBufferRef::from_buffer_ref_readable(&output.buffer, &info)
            .map_err(|error| UnsupportedSamples(format!("{} ({error})", info.format())))?;
        let Some(time) = blocks.time_of(output.unit, &buffer) else {
            return Ok(());
        };
        interleave(&buffer, &mut blocks.samples)?;
        decoded.samples += buffer.n_samples() as u64;
        decoded.sample_rate = info.rate();
        decoded.channels = info.channels();
        sink.audio(&AudioBlock {
            time,
            track: track.number,
            sample_rate: info.rate(),
            channels: info.channels(),
            samples: &blocks.samples,
        });
        Ok(())
    })?;
    if decoded.samples == 0 {
        return Err(DecodeError::NothingDecoded {
            stream: format!("audio track {} ({})", track.number, track.codec),
            samples: track.samples.len(),
            message: said.unwrap_or_else(|| "the decoder gave no sample and no reason".to_owned()),
        });
    }
    let heard = MediaTime::from_ticks(
        i64::try_from(decoded.samples).unwrap_or(i64::MAX),
        decoded.sample_rate,
    );
    let stored = track.frame_duration().times(track.samples.len() as i64);
    // Some decoders keep back part of a frame at either end; more than two frames were lost.
    if stored - heard > track.frame_duration().times(2) {
        remarks.push(format!(
            "audio track {}: {heard} s of {stored} s could be decoded",
            track.number
        ));
    }
    if let Some(said) = said {
        remarks.push(format!(
            "the decoder of audio track {} says: {said}",
            track.number
        ));
    }
    Ok(())
}

/// Finds the time of each block.
struct Blocks<'a> {
    track: &'a AudioTrack,
    offset: MediaTime,
    /// Units before the first of the chunk.
    dropped: usize,
    /// The unit of the last block, and how much of it has been heard.
    place: Option<(usize, MediaTime)>,
    samples: Vec<f32>,
}

impl Blocks<'_> {
    /// When the block is heard; `None` when it belongs to the pre-roll. A unit that gives several
    /// blocks, or a block that names no unit, goes on where the last one ended.
    fn time_of(
        &mut self,
        unit: Option<usize>,
        buffer: &AudioBufferRef<&gstreamer::BufferRef>,
    ) -> Option<MediaTime> {
        let length = MediaTime::from_ticks(
            i64::try_from(buffer.n_samples()).unwrap_or(i64::MAX),
            buffer.rate(),
        );
        let (unit, heard) = match (unit, self.place) {
            (Some(unit), Some((last, heard))) if unit == last => (unit, heard),
            (Some(unit), _) => (unit, MediaTime::ZERO),
            (None, Some(place)) => place,
            (None, None) => (0, MediaTime::ZERO),
        };
        self.place = Some((unit, heard + length));
        let sample = self.track.samples.get(unit.checked_sub(self.dropped)?)?;
        Some(self.track.pts(sample).time() + heard + self.offset)
    }
}
