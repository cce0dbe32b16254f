//! The rules of the event timeline, by example and by property.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use matchcut_model::chunk::{ChunkRef, Container, PlacedChunk, Position, Resource, TrackNumber};
use matchcut_model::time::{FrameRate, MediaTime, TimeRange, Timestamp};
use matchcut_model::timeline::{
    AudioTimes, EventTimeline, PlaceError, StreamTimes, Surroundings, Timeline, VideoTimes,
};
use proptest::prelude::*;

const CLOCK: u32 = 90_000;
const WRAP: i64 = 1 << 33;
/// 2019-09-08T20:00:00Z
const UTC: i64 = 1_567_972_800_000_000;

fn chunk(position: u64) -> ChunkRef {
    ChunkRef {
        source: "court".into(),
        position: Position(position),
        media: Resource::whole(format!("file:///c_{position}.ts")),
        init: None,
        container: Container::MpegTs,
        window: None,
        declared_duration: Some(MediaTime::from_seconds(2)),
        discontinuity: false,
        program_date_time: None,
        audio: Vec::new(),
        cut_from: None,
        cues: Vec::new(),
    }
}

fn ticks(ticks: i64) -> Timestamp {
    Timestamp {
        ticks,
        timescale: CLOCK,
    }
}

fn video(pts: impl IntoIterator<Item = i64>, rate: (u32, u32)) -> StreamTimes {
    StreamTimes {
        video: Some(VideoTimes {
            pts: pts.into_iter().map(ticks).collect(),
            last_duration: None,
            timecodes: Vec::new(),
            frame_rate: FrameRate::new(rate.0, rate.1),
        }),
        audio: Vec::new(),
    }
}

/// 2 s at 25 frames a second from `start`.
fn two_seconds(start: i64) -> StreamTimes {
    video((0..50).map(|n| start + n * 3600), (25, 1))
}

fn audio(start: i64, end: i64) -> StreamTimes {
    let track = TrackNumber::FIRST;
    let audio = AudioTimes {
        track,
        start: ticks(start),
        end: ticks(end),
    };
    StreamTimes {
        video: None,
        audio: vec![audio],
    }
}

fn place(timeline: &mut Timeline, chunk: ChunkRef, times: &StreamTimes) -> PlacedChunk {
    timeline.place(chunk, times, 1000).unwrap()
}

fn seconds(start: f64, end: f64) -> TimeRange {
    let time = |seconds| MediaTime::from_seconds_f64(seconds).unwrap();
    TimeRange::new(time(start), time(end))
}

#[test]
fn zero_is_the_first_frame_however_late_it_is() {
    let mut timeline = Timeline::default();
    let mut times = two_seconds(7_000_000_000);
    // Sound that starts before the picture is before the origin.
    times.audio = audio(7_000_000_000 - 1800, 7_000_180_000).audio;
    let first = place(&mut timeline, chunk(0), &times);
    assert_eq!(first.span, seconds(0.0, 2.0));
    assert_eq!(first.frames.get(0).unwrap().pts, ticks(7_000_000_000));
    assert_eq!(
        first.frames.get(49).unwrap().time,
        MediaTime::from_millis(1960)
    );
    assert_eq!(first.audio_tracks, [TrackNumber::FIRST]);
    assert_eq!(
        (first.first_frame, first.stretch, first.utc, first.bytes),
        (0, 0, None, 1000)
    );
    let second = place(&mut timeline, chunk(1), &two_seconds(7_000_180_000));
    assert_eq!(second.span, seconds(2.0, 4.0));
    assert_eq!((second.first_frame, second.stretch), (50, 0));
    assert_eq!(second.offset, first.offset);
}

#[test]
fn audio_only_starts_at_its_first_sample() {
    let mut timeline = Timeline::default();
    assert_eq!(
        place(&mut timeline, chunk(0), &audio(9000, 189_000)).span,
        seconds(0.0, 2.0)
    );
    let second = place(&mut timeline, chunk(1), &audio(189_000, 369_000));
    assert_eq!((second.span, second.stretch), (seconds(2.0, 4.0), 0));
    assert!(second.frames.is_empty());
    let lookup: EventTimeline = [second].into_iter().collect();
    assert_eq!(
        lookup.pts_of(MediaTime::from_seconds(3)),
        Some(ticks(279_000))
    );
    assert_eq!(lookup.frame_at(MediaTime::from_seconds(3)), None);
}

#[test]
fn an_open_gop_shares_the_border_as_it_is_shown() {
    // The frame shown as number 49 is stored at the head of the second chunk, after I50.
    let mut timeline = Timeline::default();
    let first = place(
        &mut timeline,
        chunk(0),
        &video((0..49).map(|n| n * 3600), (25, 1)),
    );
    let stored = [50, 49, 51, 52].map(|n| n * 3600);
    let second = place(&mut timeline, chunk(1), &video(stored, (25, 1)));
    assert_eq!(first.span, seconds(0.0, 1.96));
    assert_eq!(second.span, seconds(1.96, 2.12));
    assert_eq!(second.frames.get(0).unwrap().pts, ticks(49 * 3600));
    assert_eq!(second.first_frame, 49);
}

#[test]
fn a_marked_discontinuity_goes_on_by_durations() {
    let mut timeline = Timeline::default();
    place(&mut timeline, chunk(0), &two_seconds(500_000));
    // Even when the timestamps would fit.
    let marked = ChunkRef {
        discontinuity: true,
        ..chunk(1)
    };
    let second = place(&mut timeline, marked, &two_seconds(680_000 + 9000));
    assert_eq!((second.span, second.stretch), (seconds(2.0, 4.0), 1));
    assert_eq!(second.frames.get(0).unwrap().pts, ticks(689_000));
}

#[test]
fn jumps_open_a_stretch_and_jitter_does_not() {
    for (jump, stretch, start) in [
        (9000, 0, 2.1),
        (-9000, 0, 1.9),
        (45_000, 0, 2.5),
        (45_001, 1, 2.0),
        (-45_001, 1, 2.0),
        (900_000, 1, 2.0),
        (-100_000_000, 1, 2.0),
    ] {
        let mut timeline = Timeline::default();
        place(&mut timeline, chunk(0), &two_seconds(200_000_000));
        let second = place(&mut timeline, chunk(1), &two_seconds(200_180_000 + jump));
        assert_eq!(second.stretch, stretch, "jump of {jump} ticks");
        assert_eq!(
            second.span,
            seconds(start, start + 2.0),
            "jump of {jump} ticks"
        );
        assert_eq!(second.frames.get(0).unwrap().pts, ticks(200_180_000 + jump));
    }
}

#[test]
fn a_restarted_counter_is_a_jump_and_keeps_its_value() {
    let mut timeline = Timeline::default();
    place(&mut timeline, chunk(0), &two_seconds(6_000_000_000));
    let second = place(&mut timeline, chunk(1), &two_seconds(0));
    assert_eq!((second.span, second.stretch), (seconds(2.0, 4.0), 1));
    assert_eq!(second.frames.get(0).unwrap().pts, ticks(0));
}

#[test]
fn picture_that_drops_out_while_sound_goes_on_keeps_the_clock() {
    let mut timeline = Timeline::default();
    let mut first = two_seconds(0);
    first.audio = audio(0, 180_000).audio;
    place(&mut timeline, chunk(0), &first);
    let mut late = video((25..50).map(|n| 180_000 + n * 3600), (25, 1));
    late.audio = audio(180_000, 360_000).audio;
    let second = place(&mut timeline, chunk(1), &late);
    assert_eq!((second.span, second.stretch), (seconds(3.0, 4.0), 0));
}

#[test]
fn date_times_place_a_stretch_where_the_clock_says() {
    let with_utc = |position, utc| ChunkRef {
        program_date_time: Some(utc),
        ..chunk(position)
    };
    let marked = |chunk| ChunkRef {
        discontinuity: true,
        ..chunk
    };
    let mut timeline = Timeline::default();
    let first = place(&mut timeline, with_utc(0, UTC), &two_seconds(0));
    assert_eq!(first.utc, Some(UTC));
    // Ten seconds of the wall clock are missing.
    let second = with_utc(1, UTC + 12_000_000);
    let second = place(&mut timeline, marked(second), &two_seconds(0));
    assert_eq!((second.span, second.stretch), (seconds(12.0, 14.0), 1));
    assert_eq!(second.utc, Some(UTC + 12_000_000));
    // The next one carries none: durations are added, UTC goes on.
    let third = place(&mut timeline, marked(chunk(2)), &two_seconds(0));
    assert_eq!((third.span, third.stretch), (seconds(14.0, 16.0), 2));
    assert_eq!(third.utc, Some(UTC + 14_000_000));
    // A clock that was set back would overlap what was placed; the chunk keeps its own UTC.
    let fourth = place(&mut timeline, marked(with_utc(3, UTC)), &two_seconds(0));
    assert_eq!((fourth.span, fourth.utc), (seconds(16.0, 18.0), Some(UTC)));
    // Days away: a wrong clock, not a hole.
    let far = with_utc(4, UTC + 86_400_000_000);
    let fifth = place(&mut timeline, marked(far), &two_seconds(0));
    assert_eq!(fifth.span, seconds(18.0, 20.0));
    // Milliseconds away: rounding of the playlist, not a hole.
    let near = with_utc(5, UTC + 86_400_000_000 + 2_003_000);
    let sixth = place(&mut timeline, marked(near), &two_seconds(0));
    assert_eq!(sixth.span, seconds(20.0, 22.0));
    // In a stretch the timestamps rule, whatever the playlist says.
    let drift = with_utc(6, UTC);
    let seventh = place(&mut timeline, drift, &two_seconds(180_000));
    assert_eq!((seventh.span, seventh.stretch), (seconds(22.0, 24.0), 5));
    assert_eq!(seventh.utc, Some(UTC + 86_400_000_000 + 4_003_000));
}

#[test]
fn a_missing_chunk_leaves_its_place_empty() {
    let mut timeline = Timeline::default();
    place(&mut timeline, chunk(0), &two_seconds(0));
    timeline.skip(Position(1), None).unwrap();
    timeline
        .skip(Position(2), Some(MediaTime::from_seconds(2)))
        .unwrap();
    let fourth = place(&mut timeline, chunk(3), &two_seconds(540_000));
    assert_eq!(
        (fourth.span, fourth.stretch, fourth.first_frame),
        (seconds(6.0, 8.0), 0, 150)
    );
    // Nobody said that 4 is missing; its place is kept all the same.
    let sixth = place(&mut timeline, chunk(5), &two_seconds(900_000));
    assert_eq!((sixth.span, sixth.stretch), (seconds(10.0, 12.0), 0));
    // The clock restarted in the hole.
    timeline
        .skip(Position(6), Some(MediaTime::from_seconds(3)))
        .unwrap();
    let eighth = place(&mut timeline, chunk(7), &two_seconds(0));
    assert_eq!((eighth.span, eighth.stretch), (seconds(15.0, 17.0), 1));
    let wrong = timeline.place(chunk(7), &two_seconds(0), 0).unwrap_err();
    assert_eq!(
        wrong,
        PlaceError::OutOfOrder {
            position: Position(7),
            last: Position(7)
        }
    );
}

#[test]
fn chunks_without_a_place_change_nothing() {
    let mut timeline = Timeline::default();
    place(&mut timeline, chunk(0), &two_seconds(0));
    let before = timeline.clone();
    let empty = timeline
        .place(chunk(1), &StreamTimes::default(), 0)
        .unwrap_err();
    assert_eq!(
        empty,
        PlaceError::Empty {
            position: Position(1)
        }
    );
    let mut jump = two_seconds(180_000);
    jump.video
        .as_mut()
        .unwrap()
        .pts
        .push(ticks(180_000 + 10 * 3600 * 90_000));
    let message = timeline.place(chunk(1), &jump, 0).unwrap_err().to_string();
    assert_eq!(
        message,
        "the timestamps of chunk 1 span 36000.040 s where 2.000 s were expected: \
         they jump inside the chunk"
    );
    assert_eq!(timeline, before);
    let second = place(&mut timeline, chunk(1), &two_seconds(180_000));
    assert_eq!(second.span, seconds(2.0, 4.0));
}

#[test]
fn lookups_are_half_open_and_exact() {
    let mut timeline = Timeline::default();
    let with_utc = ChunkRef {
        program_date_time: Some(UTC),
        ..chunk(1)
    };
    let first = place(&mut timeline, chunk(0), &two_seconds(1_000_000));
    let second = place(&mut timeline, with_utc, &two_seconds(1_180_000));
    let marked = ChunkRef {
        discontinuity: true,
        program_date_time: Some(UTC + 5_000_000),
        ..chunk(2)
    };
    let third = place(&mut timeline, marked, &two_seconds(0));
    assert_eq!(third.span, seconds(7.0, 9.0));
    // Out of order, and one of them twice.
    let mut lookup = EventTimeline::new();
    for chunk in [&third, &first, &second, &first] {
        lookup.insert(chunk.clone());
    }
    assert_eq!(
        (lookup.len(), lookup.end()),
        (3, MediaTime::from_seconds(9))
    );
    let at = |millis| {
        lookup
            .locate(MediaTime::from_millis(millis))
            .map(|c| c.chunk.position.0)
    };
    let expected = [
        (0, Some(0)),
        (1999, Some(0)),
        (2000, Some(1)),
        (3999, Some(1)),
    ];
    for (millis, position) in expected {
        assert_eq!(at(millis), position, "at {millis} ms");
    }
    for (millis, position) in [
        (-1, None),
        (4000, None),
        (6999, None),
        (7000, Some(2)),
        (9000, None),
    ] {
        assert_eq!(at(millis), position, "at {millis} ms");
    }
    let frame = lookup.frame_at(MediaTime::from_millis(2079)).unwrap();
    assert_eq!((frame.index, frame.number), (1, 51));
    assert_eq!(frame.frame.pts, ticks(1_183_600));
    // The three seconds without pictures count as the 75 frames that they would hold.
    assert_eq!(
        lookup.frame(175).unwrap().frame.time,
        MediaTime::from_seconds(7)
    );
    assert_eq!((lookup.frame(174), lookup.frame(225)), (None, None));
    assert_eq!(
        lookup.pts_of(MediaTime::from_millis(2080)),
        Some(ticks(1_187_200))
    );
    assert_eq!(lookup.pts_of(MediaTime::from_millis(7001)), Some(ticks(90)));
    assert_eq!(
        lookup.utc_of(MediaTime::from_millis(3500)),
        Some(UTC + 1_500_000)
    );
    // Before the anchor of its stretch.
    assert_eq!(
        lookup.utc_of(MediaTime::from_millis(500)),
        Some(UTC - 1_500_000)
    );
    let covering = |start, end| -> Vec<u64> {
        let found = lookup.chunks_covering(seconds(start, end));
        found.iter().map(|chunk| chunk.chunk.position.0).collect()
    };
    assert_eq!(covering(0.0, 2.0), [0]);
    assert_eq!(covering(1.999, 7.001), [0, 1, 2]);
    assert_eq!(covering(4.0, 7.0), [0u64; 0]);
    assert_eq!(covering(3.0, 3.0), [0u64; 0]);
}

#[test]
fn replacing_the_last_chunk_moves_the_end() {
    let mut timeline = Timeline::default();
    let first = place(&mut timeline, chunk(0), &two_seconds(0));
    let mut lookup: EventTimeline = [first.clone()].into_iter().collect();
    let shorter = PlacedChunk {
        span: seconds(0.0, 1.0),
        ..first
    };
    assert_eq!(lookup.insert(shorter).unwrap().span, seconds(0.0, 2.0));
    assert_eq!(lookup.end(), MediaTime::from_seconds(1));
    assert!(lookup.locate(MediaTime::from_millis(1500)).is_none());
}

/// The rates of television, and the clock tick at which frame `n` of each is written.
fn rate() -> impl Strategy<Value = (u32, u32)> {
    prop::sample::select(vec![
        (25, 1),
        (30_000, 1001),
        (50, 1),
        (60_000, 1001),
        (24_000, 1001),
    ])
}

fn tick_of(n: i64, (num, den): (u32, u32)) -> i64 {
    FrameRate::new(num, den).unwrap().time_of(n).to_ticks(CLOCK)
}

proptest! {
    /// Wherever the counter wraps, event time runs on: start at any value, chunks of any length.
    #[test]
    fn contiguous_frames_have_contiguous_times(
        rate in rate(),
        start in 0..WRAP,
        sizes in prop::collection::vec(1i64..150, 1..12),
    ) {
        let mut timeline = Timeline::default();
        let mut lookup = EventTimeline::new();
        let mut number = 0;
        for (position, size) in sizes.iter().enumerate() {
            let raw = (number..number + size).map(|n| (start + tick_of(n, rate)) % WRAP);
            let declared_duration = None;
            let chunk = ChunkRef { declared_duration, ..chunk(position as u64) };
            let placed = place(&mut timeline, chunk, &video(raw, rate));
            prop_assert_eq!(placed.stretch, 0);
            prop_assert_eq!(placed.first_frame, number as u64);
            for (index, frame) in placed.frames.iter().enumerate() {
                let expected = MediaTime::from_ticks(tick_of(number + index as i64, rate), CLOCK);
                prop_assert_eq!(frame.time, expected);
                prop_assert_eq!(frame.pts.ticks, start + tick_of(number + index as i64, rate));
            }
            number += size;
            lookup.insert(placed);
        }
        // No instant between the first and the last frame is without a frame, and each frame is
        // found at its time with the very timestamp that the stream had.
        for n in 0..number {
            let time = MediaTime::from_ticks(tick_of(n, rate), CLOCK);
            let found = lookup.frame_at(time).unwrap();
            prop_assert_eq!(found.number, n as u64);
            prop_assert_eq!(lookup.pts_of(time).unwrap().ticks, start + tick_of(n, rate));
            let before_next = MediaTime::from_ticks(tick_of(n + 1, rate), CLOCK)
                - MediaTime::from_flicks(1);
            if n + 1 < number {
                prop_assert_eq!(lookup.frame_at(before_next).unwrap().number, n as u64);
            }
        }
        // The end is within a tick of where the next frame would be.
        let off = lookup.end() - MediaTime::from_ticks(tick_of(number, rate), CLOCK);
        prop_assert!(off.abs() <= MediaTime::from_ticks(1, CLOCK));
    }

    /// A clock that holds the rate exactly leaves no difference at all.
    #[test]
    fn exact_clocks_are_exact(rate in rate(), sizes in prop::collection::vec(1i64..150, 1..8)) {
        let mut timeline = Timeline::default();
        let mut number = 0;
        for (position, size) in sizes.iter().enumerate() {
            let pts = (number..number + size)
                .map(|n| Timestamp { ticks: n * i64::from(rate.1), timescale: rate.0 })
                .collect();
            let frame_rate = FrameRate::new(rate.0, rate.1);
            let video = VideoTimes { pts, frame_rate, ..VideoTimes::default() };
            let times = StreamTimes { video: Some(video), audio: Vec::new() };
            let container = Container::FragmentedMp4;
            let declared_duration = None;
            let chunk = ChunkRef { container, declared_duration, ..chunk(position as u64) };
            let placed = place(&mut timeline, chunk, &times);
            let grid = frame_rate.unwrap();
            prop_assert_eq!(placed.span.start, grid.time_of(number));
            prop_assert_eq!(placed.span.end, grid.time_of(number + size));
            number += size;
        }
    }

    /// Any mixture of marked breaks, unmarked jumps, holes and jitter: chunks never overlap by
    /// more than the tolerance, time never runs back, frames keep their spacing, and a stretch
    /// has one offset.
    #[test]
    fn time_never_runs_back(
        steps in prop::collection::vec((0u8..5, -40_000i64..40_000, 0..WRAP), 1..20),
    ) {
        let mut timeline = Timeline::default();
        let mut pts = 3_000_000_000;
        let mut position = 0;
        let mut before: Option<PlacedChunk> = None;
        for (kind, jitter, elsewhere) in steps {
            let mut next = chunk(position);
            match kind {
                0 => next.discontinuity = true,
                1 => pts = elsewhere,
                2 => pts += jitter,
                3 => {
                    timeline.skip(Position(position), None).unwrap();
                    position += 1;
                    next = chunk(position);
                    pts += 180_000;
                }
                _ => {}
            }
            pts = pts.rem_euclid(WRAP);
            let raw = (0..50).map(|n| (pts + n * 3600) % WRAP);
            let placed = place(&mut timeline, next, &video(raw, (25, 1)));
            let frames: Vec<_> = placed.frames.iter().collect();
            for pair in frames.windows(2) {
                prop_assert_eq!(pair[1].time - pair[0].time, MediaTime::from_millis(40));
            }
            prop_assert_eq!(placed.frames.get(0).unwrap().pts.ticks.rem_euclid(WRAP), pts);
            prop_assert_eq!(placed.span.duration(), MediaTime::from_seconds(2));
            if let Some(before) = before {
                let hole = placed.span.start - before.span.end;
                prop_assert!(hole >= -MediaTime::from_millis(500));
                if placed.stretch == before.stretch {
                    prop_assert_eq!(placed.offset, before.offset);
                } else {
                    prop_assert_eq!(placed.stretch, before.stretch + 1);
                    prop_assert!(hole >= MediaTime::ZERO);
                }
            } else {
                prop_assert_eq!(placed.span.start, MediaTime::ZERO);
            }
            before = Some(placed);
            pts += 180_000;
            position += 1;
        }
    }
}

#[test]
fn a_first_chunk_that_is_missing_does_not_move_the_origin() {
    let mut timeline = Timeline::default();
    let gap = timeline.skip(Position(0), Some(MediaTime::from_seconds(2)));
    assert_eq!(gap.unwrap(), seconds(0.0, 2.0));
    let second = place(&mut timeline, chunk(1), &two_seconds(180_000));
    assert_eq!((second.span, second.first_frame), (seconds(2.0, 4.0), 50));
    let around = Surroundings {
        before: None,
        replaced: None,
        after: Some(&second),
        expected: seconds(0.0, 2.0),
    };
    let first = timeline.place_late(chunk(0), &two_seconds(0), 1000, around);
    let first = first.unwrap();
    assert_eq!((first.span, first.first_frame), (seconds(0.0, 2.0), 0));
    assert_eq!((first.stretch, first.offset), (0, second.offset));
}

#[test]
fn a_late_chunk_with_another_clock_stands_where_it_was_expected() {
    let mut timeline = Timeline::default();
    let first = place(&mut timeline, chunk(0), &two_seconds(0));
    let expected = timeline.skip(Position(1), None).unwrap();
    let third = place(&mut timeline, chunk(2), &two_seconds(360_000));
    let around = Surroundings {
        before: Some(&first),
        replaced: None,
        after: Some(&third),
        expected,
    };
    let late = timeline.place_late(chunk(1), &two_seconds(7_000_000), 1, around);
    let late = late.unwrap();
    assert_eq!((late.span, late.first_frame), (seconds(2.0, 4.0), 50));
    assert!(late.stretch != first.stretch && late.stretch != third.stretch);
    // It comes again, longer than its place.
    let long = video((0..100).map(|n| 180_000 + n * 3600), (25, 1));
    let error = timeline.place_late(chunk(1), &long, 1, around).unwrap_err();
    assert_eq!(
        error.to_string(),
        "chunk 1 came late and covers 2.000..6.000 s by its timestamps, where its place is \
         2.000..4.000 s"
    );
}

proptest! {
    /// Chunks that are lost and come after all get the places that they would have had.
    #[test]
    fn late_chunks_lie_where_they_would_have_been(
        rate in rate(),
        start in 0..WRAP,
        sizes in prop::collection::vec(20i64..150, 3..12),
        lost in prop::collection::vec(any::<bool>(), 12),
    ) {
        let mut numbers = Vec::new();
        let mut number = 0;
        for size in &sizes {
            numbers.push(number..number + size);
            number += size;
        }
        let times = |position: usize| {
            let frames = numbers[position].clone();
            video(frames.map(|n| (start + tick_of(n, rate)) % WRAP), rate)
        };
        let chunk = |position: usize| {
            let frames = sizes[position];
            let declared = FrameRate::new(rate.0, rate.1).unwrap().time_of(frames);
            ChunkRef { declared_duration: Some(declared), ..chunk(position as u64) }
        };
        let mut undisturbed = Timeline::default();
        let wanted: Vec<PlacedChunk> = (0..sizes.len())
            .map(|position| place(&mut undisturbed, chunk(position), &times(position)))
            .collect();

        // The last chunk comes, or nothing would be behind the others.
        let is_lost = |position: usize| lost[position] && position + 1 < sizes.len() && position > 0;
        let mut timeline = Timeline::default();
        let mut placed: Vec<Option<PlacedChunk>> = vec![None; sizes.len()];
        let mut expected = Vec::new();
        for (position, slot) in placed.iter_mut().enumerate() {
            let skipped = Position(position as u64);
            if is_lost(position) {
                let declared = chunk(position).declared_duration;
                expected.push((position, timeline.skip(skipped, declared).unwrap()));
            } else {
                *slot = Some(place(&mut timeline, chunk(position), &times(position)));
            }
        }
        for (position, expected) in expected {
            let around = Surroundings {
                before: placed[..position].iter().rev().flatten().next(),
                replaced: None,
                after: placed[position..].iter().flatten().next(),
                expected,
            };
            let late = timeline.place_late(chunk(position), &times(position), 1000, around);
            placed[position] = Some(late.unwrap());
        }
        let placed: Vec<PlacedChunk> = placed.into_iter().flatten().collect();
        prop_assert_eq!(placed, wanted);
    }
}

#[test]
fn what_was_cut_off_a_chunk_is_a_hole_and_moves_nothing_behind_it() {
    let mut timeline = Timeline::default();
    let start = 900_000;
    timeline.place(chunk(0), &two_seconds(start), 1).unwrap();
    // Of two seconds, the first half second arrived.
    let torn = video((0..13).map(|n| start + 180_000 + n * 3600), (25, 1));
    timeline.place(chunk(1), &torn, 1).unwrap();
    let placed = timeline
        .place(chunk(2), &two_seconds(start + 360_000), 1)
        .unwrap();
    assert_eq!(placed.stretch, 0);
    assert_eq!(placed.span.start, MediaTime::from_seconds(4));
}
