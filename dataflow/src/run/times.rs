//! The timestamps of a demuxed chunk, as the event timeline wants them.

use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::{Container, PlacedChunk};
use matchcut_model::time::{MediaTime, Timestamp};
use matchcut_model::timeline::{AudioTimes, StreamTimes, VideoTimes};

/// Brings the times of a transport stream chunk, which its demuxer reads modulo 2^33, to the clock
/// of the timeline.
pub fn unwrap_to(placed: &PlacedChunk, chunk: &mut Demuxed) {
    if placed.chunk.container != Container::MpegTs {
        return;
    }
    let video = chunk.video.iter().flat_map(|track| &track.samples);
    let first = match video.map(|sample| sample.pts).min() {
        Some(first) => first,
        None => {
            let audio = chunk.audio.iter().flat_map(|track| &track.samples);
            let Some(first) = audio.map(|sample| sample.pts).min() else {
                return;
            };
            first
        }
    };
    let start = (placed.span.start - placed.offset).to_ticks(90_000);
    let want = placed.frames.first().map_or(start, |frame| frame.pts.ticks);
    let turns = (want - first + (1 << 32)).div_euclid(1 << 33);
    if turns != 0 {
        chunk.turn_clock(turns);
    }
}

/// What the timeline places a chunk by.
pub fn stream_times(chunk: &Demuxed) -> StreamTimes {
    let video = chunk
        .video
        .as_ref()
        .filter(|track| !track.samples.is_empty())
        .map(|track| {
            let mut samples: Vec<_> = track.samples.iter().collect();
            samples.sort_by_key(|sample| sample.pts);
            let last = samples
                .last()
                .map(|sample| sample.duration)
                .filter(|ticks| *ticks > 0);
            VideoTimes {
                pts: samples.iter().map(|sample| track.pts(sample)).collect(),
                last_duration: last.map(|ticks| MediaTime::from_ticks(ticks, track.timescale)),
                frame_rate: track.frame_rate,
            }
        });
    let audio = chunk.audio.iter().filter_map(|track| {
        let (first, last) = (track.samples.first()?, track.samples.last()?);
        let duration = if last.duration > 0 {
            last.duration
        } else {
            track.frame_duration().to_ticks(track.timescale)
        };
        Some(AudioTimes {
            track: track.number,
            start: track.pts(first),
            end: Timestamp {
                ticks: last.pts + duration,
                timescale: track.timescale,
            },
        })
    });
    StreamTimes {
        video,
        audio: audio.collect(),
    }
}
