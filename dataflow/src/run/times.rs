//! The timestamps of a demuxed chunk, as the event timeline wants them.

use matchcut_media::samples::Demuxed;
use matchcut_model::time::{MediaTime, Timestamp};
use matchcut_model::timeline::{AudioTimes, StreamTimes, VideoTimes};

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
