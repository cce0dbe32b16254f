//! What a live event does to its timeline: midnight, encoders that restart, clocks that jump back,
//! rates that change, sound and pictures that come late or drop out.

#![allow(clippy::unwrap_used)]

use matchcut_model::chunk::{ChunkRef, Container, PlacedChunk, Position, Resource, TrackNumber};
use matchcut_model::time::{FrameRate, MediaTime, TimeRange, Timestamp};
use matchcut_model::timecode::{EmbeddedTimecode, TimecodeMark, TimecodeRate};
use matchcut_model::timeline::{AudioTimes, EventTimeline, StreamTimes, Timeline, VideoTimes};

const CLOCK: u32 = 90_000;
const TURN: i64 = 1 << 33;
/// 23:59:58 UTC on the last day of 2025.
const LATE: i64 = 1_767_225_598_000_000;

fn chunk(position: u64) -> ChunkRef {
    let media = Resource::whole(format!("file:///court_{position}.ts"));
    ChunkRef {
        declared_duration: Some(MediaTime::from_seconds(2)),
        ..ChunkRef::new("court", Position(position), media, Container::MpegTs)
    }
}

fn dated(position: u64, utc: i64) -> ChunkRef {
    ChunkRef {
        program_date_time: Some(utc),
        ..chunk(position)
    }
}

fn ticks(ticks: i64) -> Timestamp {
    Timestamp {
        ticks: ticks.rem_euclid(TURN),
        timescale: CLOCK,
    }
}

/// 2 s of pictures from `start` ticks.
fn video(start: i64, rate: i64) -> StreamTimes {
    let step = 90_000 / rate;
    let pts = (0..2 * rate).map(|frame| ticks(start + frame * step));
    StreamTimes {
        video: Some(VideoTimes {
            pts: pts.collect(),
            frame_rate: FrameRate::new(rate as u32, 1),
            ..VideoTimes::default()
        }),
        audio: Vec::new(),
    }
}

/// 2 s of sound on these tracks.
fn audio(start: i64, tracks: &[u32]) -> StreamTimes {
    let track = |number: &u32| AudioTimes {
        track: TrackNumber(*number),
        start: ticks(start),
        end: ticks(start + 180_000),
    };
    StreamTimes {
        video: None,
        audio: tracks.iter().map(track).collect(),
    }
}

fn both(start: i64, tracks: &[u32]) -> StreamTimes {
    StreamTimes {
        video: video(start, 25).video,
        audio: audio(start, tracks).audio,
    }
}

fn place(timeline: &mut Timeline, chunk: ChunkRef, times: &StreamTimes) -> PlacedChunk {
    timeline.place(chunk, times, 1000).unwrap()
}

fn seconds(start: i64, end: i64) -> TimeRange {
    TimeRange::new(MediaTime::from_seconds(start), MediaTime::from_seconds(end))
}

#[test]
fn midnight_is_a_moment_like_any_other() {
    let mut timeline = Timeline::default();
    let chunks = (0..4).map(|n| {
        let utc = LATE + n * 2_000_000;
        place(
            &mut timeline,
            dated(n as u64, utc),
            &video(900_000 + n * 180_000, 25),
        )
    });
    let lookup: EventTimeline = chunks.collect();
    for chunk in lookup.iter() {
        let n = chunk.chunk.position.0 as i64;
        assert_eq!((chunk.stretch, chunk.span), (0, seconds(2 * n, 2 * n + 2)));
        assert_eq!(chunk.utc, Some(LATE + n * 2_000_000));
    }
    let rate = TimecodeRate::new(FrameRate::new(25, 1).unwrap(), true);
    let label = |frame: i64| {
        let time = FrameRate::new(25, 1).unwrap().time_of(frame);
        rate.at_utc(lookup.utc_of(time).unwrap()).to_string()
    };
    assert_eq!(label(0), "23:59:58:00");
    assert_eq!(label(49), "23:59:59:24");
    assert_eq!(label(50), "00:00:00:00");
    assert_eq!(label(51), "00:00:00:01");
}

#[test]
fn an_encoder_that_restarts_stands_where_the_clock_says() {
    let mut timeline = Timeline::default();
    place(&mut timeline, dated(0, LATE), &video(900_000, 25));
    // Nobody marks it. It was away for 20 s, over midnight, and counts from zero again.
    let second = place(&mut timeline, dated(1, LATE + 22_000_000), &video(0, 25));
    assert_eq!((second.span, second.stretch), (seconds(22, 24), 1));
    assert_eq!(
        (second.utc, second.first_frame),
        (Some(LATE + 22_000_000), 550),
        "the frames that it would have sent are counted"
    );
    let third = place(
        &mut timeline,
        dated(2, LATE + 24_000_000),
        &video(180_000, 25),
    );
    assert_eq!((third.span, third.stretch), (seconds(24, 26), 1));
    // Without a date nothing says how long it was away.
    let fourth = place(&mut timeline, chunk(3), &video(5_000_000, 25));
    assert_eq!((fourth.span, fourth.stretch), (seconds(26, 28), 2));
    assert_eq!(fourth.utc, Some(LATE + 26_000_000));
}

#[test]
fn a_clock_that_goes_back_never_takes_time_back() {
    let mut timeline = Timeline::default();
    place(&mut timeline, dated(0, LATE), &video(90_000_000, 25));
    // The stream repeats itself: a minute earlier, by its clock and by its date.
    let second = place(
        &mut timeline,
        dated(1, LATE - 60_000_000),
        &video(84_600_000, 25),
    );
    assert_eq!((second.span, second.stretch), (seconds(2, 4), 1));
    assert_eq!(second.utc, Some(LATE - 60_000_000));
    assert_eq!(second.frames.first().unwrap().pts, ticks(84_600_000));
    // And again, from where it was.
    let third = place(
        &mut timeline,
        dated(2, LATE + 2_000_000),
        &video(90_180_000, 25),
    );
    assert_eq!(third.stretch, 2);
    assert!(third.span.start >= second.span.end);
}

#[test]
fn the_rate_may_change_between_chunks() {
    let mut timeline = Timeline::default();
    let first = place(&mut timeline, chunk(0), &video(900_000, 25));
    let second = place(&mut timeline, chunk(1), &video(1_080_000, 50));
    let third = place(&mut timeline, chunk(2), &video(1_260_000, 30));
    let rates = [&first, &second, &third].map(|chunk| chunk.frame_rate.unwrap().num);
    assert_eq!(rates, [25, 50, 30]);
    assert_eq!((second.stretch, third.stretch), (0, 0));
    assert_eq!((second.first_frame, third.first_frame), (50, 150));
    assert_eq!(third.span, seconds(4, 6));
    let lookup: EventTimeline = [first, second, third].into_iter().collect();
    for (frame, time) in [(49, 1960), (50, 2000), (51, 2020), (149, 3980), (150, 4000)] {
        let found = lookup.frame(frame).unwrap();
        assert_eq!(
            found.frame.time,
            MediaTime::from_millis(time),
            "frame {frame}"
        );
    }
}

#[test]
fn tracks_come_late_and_vanish() {
    let mut timeline = Timeline::default();
    let mut tracks = Vec::new();
    for (n, times) in [
        video(0, 25),
        both(180_000, &[1]),
        both(360_000, &[1, 2]),
        audio(540_000, &[2]),
        both(720_000, &[2]),
        video(900_000, 25),
    ]
    .iter()
    .enumerate()
    {
        let placed = place(&mut timeline, chunk(n as u64), times);
        let n = n as i64;
        assert_eq!(
            (placed.span, placed.stretch),
            (seconds(2 * n, 2 * n + 2), 0),
            "chunk {n}"
        );
        tracks.push(
            placed
                .audio_tracks
                .iter()
                .map(|track| track.0)
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(
        tracks,
        [vec![], vec![1], vec![1, 2], vec![2], vec![2], vec![]]
    );
}

#[test]
fn the_clock_may_wrap_twice_and_start_anywhere() {
    for start in [0, 1, TURN / 2, TURN - 180_000, TURN - 90_000, TURN - 1] {
        let mut timeline = Timeline::default();
        for n in 0..3 {
            let placed = place(
                &mut timeline,
                chunk(n as u64),
                &both(start + n * 180_000, &[1]),
            );
            assert_eq!(
                (placed.span, placed.stretch),
                (seconds(2 * n, 2 * n + 2), 0),
                "{start}"
            );
            assert_eq!(
                placed.frames.first().unwrap().pts.ticks,
                start + n * 180_000,
                "unwrapped"
            );
        }
    }
    // 53 hours of a stream of which only every 10000th chunk is there.
    let mut timeline = Timeline::default();
    for n in 0..10_i64 {
        let at = n * 10_000;
        if n > 0 {
            for missing in at - 9_999..at {
                let two = Some(MediaTime::from_seconds(2));
                timeline.skip(Position(missing as u64), two).unwrap();
            }
        }
        let placed = place(
            &mut timeline,
            chunk(at as u64),
            &video(TURN - 90_000 + at * 180_000, 25),
        );
        assert_eq!(
            (placed.span.start, placed.stretch),
            (MediaTime::from_seconds(2 * at), 0)
        );
    }
}

#[test]
fn a_restart_right_at_the_wrap_is_a_restart() {
    let mut timeline = Timeline::default();
    place(&mut timeline, chunk(0), &video(TURN - 1_000_000, 25));
    // It would go on at TURN - 820000.
    let second = place(&mut timeline, chunk(1), &video(0, 25));
    assert_eq!((second.span, second.stretch), (seconds(2, 4), 1));
    assert_eq!(
        second.frames.first().unwrap().pts,
        ticks(0),
        "as the stream wrote it"
    );
}

#[test]
fn timecode_goes_with_its_chunk() {
    let timecode = EmbeddedTimecode {
        hours: 10,
        minutes: 0,
        seconds: 0,
        frames: 0,
        drop_frame: false,
    };
    let mark = TimecodeMark { frame: 3, timecode };
    let mut times = video(0, 25);
    times.video.as_mut().unwrap().timecodes.push(mark);
    let mut timeline = Timeline::default();
    let placed = place(&mut timeline, chunk(0), &times);
    assert_eq!(placed.timecodes, [mark]);
    // A log that was written before there was any is still read.
    let mut json = serde_json::to_value(&placed).unwrap();
    json.as_object_mut().unwrap().remove("timecodes");
    let old: PlacedChunk = serde_json::from_value(json).unwrap();
    assert_eq!(old.timecodes, []);
    let none = place(&mut timeline, chunk(1), &video(180_000, 25));
    assert!(!serde_json::to_string(&none).unwrap().contains("timecodes"));
}
