//! The timestamps of a demuxed chunk, as the event timeline wants them.

use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::{Container, PlacedChunk};
use matchcut_model::time::{MediaTime, Timestamp};
use matchcut_model::timeline::{AudioTimes, StreamTimes, VideoTimes};

/// Brings the times of a chunk of a transport stream or of packed audio, which its demuxer reads
/// modulo 2^33, to the clock of the timeline, and gives its audio tracks the numbers that they were
/// placed with.
pub fn unwrap_to(placed: &PlacedChunk, chunk: &mut Demuxed) {
    // The tracks are those that were placed, in the same order; one without a sample has no place.
    let tracks = chunk.audio.iter_mut();
    let heard = tracks.filter(|track| !track.samples.is_empty());
    for (track, number) in heard.zip(&placed.audio_tracks) {
        track.number = *number;
    }
    let wraps = matches!(
        placed.chunk.container,
        Container::MpegTs | Container::PackedAudio
    );
    if !wraps {
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
                timecodes: track.timecodes.clone(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use matchcut_media::samples::{AudioTrack, Codec, ParameterSets, Sample, SyncKind, VideoTrack};
    use matchcut_model::chunk::{ChunkRef, Position, Resource, TrackNumber};
    use matchcut_model::timeline::Timeline;

    /// 25 frames from `first`, as a demuxer reads them: modulo 2^33.
    fn chunk(first: i64) -> Demuxed {
        let samples = (0..25)
            .map(|frame| Sample {
                pts: (first + frame * 3600).rem_euclid(1 << 33),
                dts: (first + frame * 3600).rem_euclid(1 << 33),
                duration: 3600,
                sync: SyncKind::Idr,
                leading: false,
                reference: true,
                data: Bytes::new(),
            })
            .collect();
        let video = VideoTrack {
            codec: Codec::H264,
            timescale: 90_000,
            samples,
            parameter_sets: ParameterSets::default(),
            width: 640,
            height: 360,
            pixel_aspect: None,
            frame_rate: None,
            profile: None,
            level: None,
            open_gop: false,
            b_pyramid: false,
            mmco: false,
            random_access_points: Vec::new(),
            timecodes: Vec::new(),
        };
        Demuxed {
            video: Some(video),
            ..Demuxed::default()
        }
    }

    #[test]
    fn samples_keep_their_event_time_when_the_clock_wraps() {
        let mut timeline = Timeline::default();
        // The second chunk begins right at the wrap, the third has it behind it.
        let start = (1 << 33) - 25 * 3600;
        for number in 0i64..3 {
            let mut demuxed = chunk(start + number * 25 * 3600);
            let reference = ChunkRef {
                source: "court".into(),
                position: Position(number.unsigned_abs()),
                media: Resource::whole(format!("file:///court_{number}.ts")),
                init: None,
                container: Container::MpegTs,
                window: None,
                declared_duration: None,
                discontinuity: false,
                program_date_time: None,
                audio: Vec::new(),
                cut_from: None,
                cues: Vec::new(),
            };
            let times = stream_times(&demuxed);
            let placed = timeline.place(reference, &times, 1).unwrap();
            unwrap_to(&placed, &mut demuxed);
            let track = demuxed.video.as_ref().unwrap();
            for (frame, sample) in track.samples.iter().enumerate() {
                let event = track.pts(sample).time() + placed.offset;
                let expected = MediaTime::from_ticks(number * 25 + frame as i64, 25);
                assert_eq!(event, expected, "chunk {number}, frame {frame}");
            }
        }
    }

    #[test]
    fn tracks_that_are_read_again_have_the_numbers_of_their_place() {
        let reference = ChunkRef::new(
            "court",
            Position(0),
            Resource::whole("file:///court_0.ts"),
            Container::MpegTs,
        );
        let track = |number: u32| AudioTrack {
            number: TrackNumber(number),
            id: Some(256 + number),
            codec: Codec::Aac,
            timescale: 90_000,
            sample_rate: 48_000,
            channels: 2,
            frame_samples: 1024,
            language: None,
            config: Bytes::new(),
            samples: chunk(0)
                .video
                .map(|track| track.samples)
                .unwrap_or_default(),
        };
        let mut demuxed = chunk(0);
        demuxed.audio = vec![track(3), track(1)];
        let mut timeline = Timeline::default();
        let placed = timeline
            .place(reference, &stream_times(&demuxed), 1)
            .unwrap();
        demuxed.audio = vec![track(1), track(2)];
        unwrap_to(&placed, &mut demuxed);
        let numbers: Vec<u32> = demuxed.audio.iter().map(|track| track.number.0).collect();
        assert_eq!(numbers, [3, 1]);
    }
}
