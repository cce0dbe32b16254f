//! The sound of a cut, on its own grid of samples: from two frames before the start, which the
//! decoder needs to settle, to the frame that holds the end.

use matchcut_model::chunk::TrackNumber;
use matchcut_model::time::{MediaTime, TimeRange};

use super::exact::Purpose;
use super::{AudioPart, CutChunk, CutError};
use crate::decode::codec::audio_preroll;
use crate::samples::{AudioTrack, Codec, Sample};

/// Frames that are decoded before the one that holds the start.
const PRE_ROLL: usize = 2;

/// Which track of the source becomes which of the result.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub slot: usize,
    pub number: TrackNumber,
}

/// The sound of one part, and what there is to say of it.
pub(super) struct Selected {
    pub part: AudioPart,
    pub span: TimeRange,
    pub hidden: MediaTime,
    pub notes: Vec<String>,
}

struct Placed<'a> {
    time: MediaTime,
    sample: &'a Sample,
}

fn format(track: &AudioTrack) -> String {
    format!(
        "{} {} Hz {} channels",
        track.codec, track.sample_rate, track.channels
    )
}

fn same_format(a: &AudioTrack, b: &AudioTrack) -> bool {
    a.codec == b.codec
        && a.sample_rate == b.sample_rate
        && a.channels == b.channels
        && a.config == b.config
}

/// Selects the frames of one stretch: at most one run of them for a copy, and as many as there are
/// formats for decoding.
pub(super) fn select(
    chunks: &[CutChunk<'_>],
    range: TimeRange,
    slot: Slot,
    purpose: Purpose,
) -> Result<Vec<Selected>, CutError> {
    let mut runs = Vec::new();
    let mut begin = 0;
    let mut known: Option<&AudioTrack> = None;
    for (index, chunk) in chunks.iter().enumerate() {
        let Some(track) = chunk.demuxed.audio_track(slot.number) else {
            continue;
        };
        if purpose == Purpose::Decode && known.is_some_and(|known| !same_format(known, track)) {
            runs.push(&chunks[begin..index]);
            begin = index;
        }
        known = Some(track);
    }
    runs.push(&chunks[begin..]);
    let mut out = Vec::new();
    for run in runs {
        out.extend(select_run(run, range, slot, purpose)?);
    }
    Ok(out)
}

/// Selects the frames of one format; `None` when there is no sound in the range.
fn select_run(
    chunks: &[CutChunk<'_>],
    range: TimeRange,
    slot: Slot,
    purpose: Purpose,
) -> Result<Option<Selected>, CutError> {
    let number = slot.number;
    let mut all: Vec<Placed<'_>> = Vec::new();
    let mut first: Option<&AudioTrack> = None;
    for chunk in chunks {
        let Some(track) = chunk.demuxed.audio_track(number) else {
            continue;
        };
        let known = *first.get_or_insert(track);
        if !same_format(known, track) {
            return Err(CutError::AudioChanges {
                from: format(known),
                to: format(track),
            });
        }
        for sample in &track.samples {
            let time = MediaTime::from_ticks(sample.pts, track.timescale) + chunk.offset;
            // Playlists may repeat a frame at the border of two chunks.
            let half = MediaTime::from_flicks(track.frame_duration().flicks() / 2);
            if all.last().is_none_or(|last| time >= last.time + half) {
                all.push(Placed { time, sample });
            }
        }
    }
    let Some(track) = first else { return Ok(None) };
    if purpose == Purpose::Copy && matches!(track.codec, Codec::Other(_)) {
        return Err(CutError::Codec {
            what: "audio",
            codec: track.codec.clone(),
        });
    }
    let frame = track.frame_duration();
    // The last frame that begins at or before the start, else the first one there is.
    let holds = all
        .iter()
        .rposition(|placed| placed.time <= range.start)
        .unwrap_or(0);
    let pre_roll = match purpose {
        Purpose::Copy => PRE_ROLL,
        Purpose::Decode => audio_preroll(track),
    };
    let begin = holds.saturating_sub(pre_roll);
    let end = all
        .iter()
        .position(|placed| placed.time >= range.end)
        .unwrap_or(all.len());
    let Some(kept) = all.get(begin..end).filter(|kept| !kept.is_empty()) else {
        return Ok(None);
    };
    let heard_end = kept
        .last()
        .map_or(range.start, |last| last.time + frame)
        .min(range.end);
    let heard_start = kept[0].time.max(range.start);
    if heard_end <= heard_start {
        return Ok(None);
    }
    let mut notes = Vec::new();
    let tick = MediaTime::from_ticks(1, track.timescale.min(track.sample_rate.max(1)));
    if heard_end + tick < range.end {
        notes.push(format!(
            "the sound ends {} before the clip",
            range.end - heard_end
        ));
    }
    if heard_start > range.start + tick {
        notes.push(format!(
            "the sound begins {} after the clip",
            heard_start - range.start
        ));
    }
    let rate = track.sample_rate;
    let samples = with_durations(kept, track, &mut notes);
    let media_time = (heard_start - kept[0].time).to_ticks(rate);
    let part = AudioPart {
        slot: slot.slot,
        number,
        codec: track.codec.clone(),
        sample_rate: rate,
        channels: track.channels,
        config: track.config.clone(),
        language: track.language.clone(),
        samples,
        media_time,
        delay: heard_start - range.start,
        duration: heard_end - heard_start,
    };
    Ok(Some(Selected {
        part,
        span: TimeRange::new(heard_start, heard_end),
        hidden: heard_start - kept[0].time,
        notes,
    }))
}

/// Durations in PCM samples. Frames follow one another without rounding; only where sound is
/// missing does the frame before last longer, so that what follows stays in sync.
fn with_durations(
    kept: &[Placed<'_>],
    track: &AudioTrack,
    notes: &mut Vec<String>,
) -> Vec<(u32, bytes::Bytes)> {
    let nominal = i64::from(track.frame_samples);
    let tolerance = (nominal / 4).max(1);
    let base = kept[0].time;
    let mut expected = 0i64;
    let mut out: Vec<(u32, bytes::Bytes)> = Vec::with_capacity(kept.len());
    for placed in kept {
        let at = (placed.time - base).to_ticks(track.sample_rate);
        if (at - expected).abs() > tolerance
            && let Some((duration, _)) = out.last_mut()
        {
            let missing = at - expected;
            *duration = u32::try_from(i64::from(*duration) + missing)
                .unwrap_or(1)
                .max(1);
            expected = at;
            if missing > 0 {
                let gap = MediaTime::from_ticks(missing, track.sample_rate);
                notes.push(format!(
                    "{gap} s of sound are missing at {}",
                    placed.time - gap
                ));
            }
        }
        expected += nominal;
        out.push((track.frame_samples, placed.sample.data.clone()));
    }
    out
}
