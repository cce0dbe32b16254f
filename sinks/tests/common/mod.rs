//! A made-up event for tests and for looking at the report: chunks at a chosen frame rate, four
//! operators, two segmenters' worth of trouble (an open segment, hostile labels, a point at a border)
//! and two replays. Everything follows from a counter; nothing is random.

#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;

use matchcut_model::change::{
    Change, ChoiceRow, ChunkRow, EpochChanges, EventState, FoundFeature, ReplayRow, Row,
};
use matchcut_model::chunk::{
    ChunkRef, Container, ContentId, Epoch, FrameTable, PlacedChunk, Position, Resource, TrackNumber,
};
use matchcut_model::failure::{Domain, Failure, Retry};
use matchcut_model::lines::{ClipEntry, Cut};
use matchcut_model::observation::{Class, Observation};
use matchcut_model::replay::{
    FeatureKey, Feedback, Mode, Priority, Recorded, ReplayRequest, Score, SelectionInput, Side,
    Verdict, select,
};
use matchcut_model::segment::Segment;
use matchcut_model::time::{FrameRate, MediaTime, TimeRange};
use matchcut_model::timeline::EventTimeline;
use matchcut_model::value::{Attributes, Name, Number, Value};
use matchcut_sinks::{
    EventInfo, FileSink, FrameIndex, Media, OperatorInfo, Profile, ReplayInfo, ReplayMedia,
};

/// How large the event is.
pub struct Size {
    pub rate: FrameRate,
    pub chunks: u64,
    pub segments: i64,
    pub hostile: bool,
}

pub struct Sample {
    pub info: EventInfo,
    pub timeline: EventTimeline,
    pub epochs: Vec<EpochChanges>,
    pub media: Media,
}

pub fn rate(num: u32, den: u32) -> FrameRate {
    FrameRate::new(num, den).unwrap()
}

pub fn millis(millis: i64) -> MediaTime {
    MediaTime::from_millis(millis)
}

pub const HOSTILE: &str =
    "</script><img src=x onerror=alert(1)>\n002  AX V C \"quoted\" & {{data}} \u{2028}é";

/// Six seconds of frames.
pub fn chunk(position: u64, rate: FrameRate, first_frame: u64, start: MediaTime) -> PlacedChunk {
    let frames = rate.frame_at(millis(6000)) as u64;
    let time = |n: u64| start + rate.time_of(n as i64);
    let ticks = |time: MediaTime| (time + MediaTime::from_seconds(10)).to_ticks(90_000);
    PlacedChunk {
        chunk: ChunkRef {
            source: "court".into(),
            position: Position(position),
            media: Resource::whole(format!("file:///media/court_{position:05}.ts")),
            init: None,
            container: Container::MpegTs,
            window: None,
            declared_duration: Some(millis(6000)),
            discontinuity: false,
            program_date_time: None,
            audio: Vec::new(),
            cut_from: None,
            cues: Vec::new(),
        },
        span: TimeRange::new(start, time(frames)),
        offset: MediaTime::from_seconds(-10),
        stretch: 0,
        frames: FrameTable::new(
            90_000,
            (0..frames).map(|n| ticks(time(n))),
            MediaTime::from_seconds(-10),
        ),
        first_frame,
        frame_rate: Some(rate),
        timecodes: Vec::new(),
        audio_tracks: vec![TrackNumber(1), TrackNumber(2)],
        utc: Some(1_567_972_800_000_000 + start.to_ticks(1_000_000)),
        bytes: 1_500_000,
        content: ContentId(position),
    }
}

fn attributes(list: &[(&str, Value)]) -> Attributes {
    list.iter()
        .map(|(name, value)| (Name::new(name), value.clone()))
        .collect()
}

fn wave(n: i64, period: i64) -> f64 {
    ((n * 7919) % period) as f64 / period as f64
}

fn observations(end: MediaTime, segments: &[Segment]) -> Vec<Observation> {
    let mut rows = Vec::new();
    let mut add =
        |start: i64, end: i64, operator: &str, track: Option<u32>, list: &[(&str, Value)]| {
            rows.push(Observation {
                start: millis(start),
                end: millis(end),
                operator: Name::new(operator),
                track: track.map(TrackNumber),
                attributes: attributes(list),
            });
        };
    let end = end.to_millis();
    let inside = |at: i64| {
        let at = millis(at);
        segments
            .iter()
            .any(|segment| segment.range().is_some_and(|range| range.contains(at)))
    };
    for (n, at) in (0..end).step_by(400).enumerate() {
        let n = n as i64;
        let view = match (inside(at), n % 11) {
            (true, 0) => "near",
            (true, _) => "far",
            (false, 0..5) => "close_up",
            (false, _) => "near",
        };
        let share = if view == "far" { 0.6 } else { 0.1 } + 0.3 * wave(n, 97);
        add(
            at,
            at,
            "view",
            None,
            &[("view", view.into()), ("share", Value::rounded(share, 3))],
        );
    }
    for (n, at) in (1700..end).step_by(5300).enumerate() {
        let score = 28.0 + 60.0 * wave(n as i64, 53);
        add(
            at,
            at,
            "cuts",
            None,
            &[
                ("hard_cut", true.into()),
                ("score", Value::rounded(score, 1)),
            ],
        );
    }
    for (n, segment) in segments.iter().enumerate() {
        let Some(segment_end) = segment.end.filter(|_| n % 3 != 2) else {
            continue;
        };
        let level = -30.0 + 25.0 * wave(n as i64, 31);
        let at = segment_end.to_millis() - 400;
        let list = [
            ("peak", true.into()),
            ("level_db", Value::rounded(level, 1)),
        ];
        add(
            at,
            at + 1500 + (n as i64 % 5) * 300,
            "cheers",
            Some(1),
            &list,
        );
        if n % 4 == 0 {
            add(at + 200, at + 900, "cheers", Some(2), &list);
        }
    }
    rows
}

fn segments(count: i64, end: MediaTime, hostile: bool) -> Vec<Segment> {
    let spacing = end.to_millis() / count.max(1);
    let mut segments: Vec<Segment> = (0..count)
        .map(|n| {
            let start = n * spacing + 1000 + (n * 37) % 400;
            let length = 4000 + ((n * 7919) % 9000) * spacing.min(40_000) / 40_000;
            let last = n + 1 == count;
            let stop = (start + length.min(spacing - 1500)).max(start + 500);
            let mut segment = Segment::new(
                Name::new("rally"),
                millis(start),
                (!last).then(|| millis(stop)),
            );
            if !last && n % 5 != 4 {
                let marks = TimeRange::new(millis(start + 200), millis(stop - 160));
                segment.opto.insert(TrackNumber(1), marks);
            }
            if n % 7 != 6 {
                segment.label = Some(format!("Game {}, point {}", n / 6 + 1, n % 6 + 1));
            }
            segment.attributes = attributes(&[("shots", (n % 14 + 1).into())]);
            if n % 9 == 0 {
                segment.attributes.insert("ace".into(), true.into());
            }
            segment
        })
        .collect();
    if let Some(first) = segments.first_mut().filter(|_| hostile) {
        first.label = Some(HOSTILE.to_owned());
        first
            .attributes
            .insert(Name::new("<b>note</b>"), "</script>".into());
    }
    segments
}

fn operator(name: &str, class: Class, inputs: &[&str], audio: bool, list: &[&str]) -> OperatorInfo {
    OperatorInfo {
        name: Name::new(name),
        class,
        inputs: inputs.iter().map(Name::new).collect(),
        audio,
        attributes: list.iter().map(Name::new).collect(),
        options: serde_json::Map::new(),
    }
}

fn info() -> EventInfo {
    let weigh = |key: &str, weight: i32| {
        Priority::weighted(key.parse::<FeatureKey>().unwrap(), Score::from(weight))
    };
    let best = ReplayRequest {
        duration: millis(60_000),
        tolerance: millis(10_000),
        catchup: true,
        priorities: vec![weigh("cheers.peak", 90), weigh("cuts.hard_cut", 10)],
        ..ReplayRequest::default()
    };
    let aces = ReplayRequest {
        mode: Mode::Features,
        priorities: vec![Priority::included("rally.ace".parse().unwrap())],
        ..ReplayRequest::default()
    };
    let segmenter = Some(Name::new("rally"));
    EventInfo {
        program: "tennis".into(),
        event: "Final 2019".into(),
        id: "tennis-final-2019".into(),
        source: "court".into(),
        profile: Profile {
            name: "tennis".into(),
            chunk_duration: Some(millis(6000)),
            max_segment: millis(120_000),
            operators: vec![
                operator("view", Class::Featurer, &[], false, &["view", "share"]),
                operator("cuts", Class::Featurer, &[], false, &["hard_cut", "score"]),
                operator("cheers", Class::Featurer, &[], true, &["peak", "level_db"]),
                operator(
                    "rally",
                    Class::Segmenter,
                    &["view"],
                    false,
                    &["shots", "ace"],
                ),
                operator("trim", Class::Optimizer, &["rally", "cuts"], false, &[]),
                operator("name", Class::Labeler, &["rally"], false, &["label"]),
            ],
        },
        replays: BTreeMap::from([
            (
                Name::new("best"),
                ReplayInfo {
                    request: best,
                    segmenter: segmenter.clone(),
                },
            ),
            (
                Name::new("aces"),
                ReplayInfo {
                    request: aces,
                    segmenter,
                },
            ),
        ]),
        feedback: vec![
            Feedback {
                start: millis(1000),
                track: TrackNumber(1),
                side: Side::Optimized,
                verdict: Verdict::Like,
            },
            Feedback {
                start: millis(1000),
                track: TrackNumber(2),
                side: Side::Original,
                verdict: Verdict::Dislike,
            },
        ],
        ..EventInfo::default()
    }
}

/// The rows of a replay, as the dataflow makes them.
fn replay_rows(
    name: &Name,
    replay: &ReplayInfo,
    segments: &[Segment],
    observations: &[Observation],
) -> Vec<Row> {
    let recorded: Vec<Recorded> = segments.iter().cloned().map(Recorded::from).collect();
    let featurers = ["view", "cuts", "cheers"]
        .into_iter()
        .map(Name::new)
        .collect();
    let selection = select(&SelectionInput {
        segments: &recorded,
        observations,
        featurers: &featurers,
        feedback: &[],
        request: &replay.request,
        previous: &[],
    });
    let number = |score: Score| Number::new(score.as_f64()).unwrap();
    let mut rows: Vec<Row> = selection
        .selected
        .iter()
        .zip(0..)
        .map(|(piece, order)| {
            Row::from(ChoiceRow {
                replay: name.clone(),
                order,
                segment: piece.segment.clone(),
                original: piece.range,
                marks: piece.effective,
                chosen: true,
                score: piece.score.map(number),
                reason: piece.reason.to_string(),
                features: piece
                    .features
                    .iter()
                    .map(|feature| FoundFeature {
                        operator: feature.key.operator.clone().unwrap(),
                        attribute: feature.key.attribute.clone(),
                        value: feature.key.value.clone(),
                        weight: feature.points.map(number),
                    })
                    .collect(),
            })
        })
        .collect();
    rows.push(Row::from(ReplayRow {
        name: name.clone(),
        track: replay.request.track,
        processed: selection.processed,
        total_score: number(selection.total_score),
    }));
    rows
}

pub fn sample(size: &Size) -> Sample {
    let mut timeline = EventTimeline::new();
    let (mut first_frame, mut start) = (0, MediaTime::ZERO);
    for position in 0..size.chunks {
        let placed = chunk(position, size.rate, first_frame, start);
        first_frame += placed.frames.len() as u64;
        start = placed.span.end;
        timeline.insert(placed);
    }
    let segments = segments(size.segments, timeline.end(), size.hostile);
    let observations = observations(timeline.end(), &segments);
    let info = info();

    // One epoch a chunk; segments come open and are closed, and replays change at every epoch that
    // closes one.
    let mut epochs = Vec::new();
    let mut told: Vec<Row> = Vec::new();
    let every = (size.chunks / 8).max(1);
    for (number, placed) in timeline.iter().enumerate() {
        let span = placed.span;
        let mut changes = vec![Change::insert(Row::from(ChunkRow {
            extent: placed.extent(),
            uri: placed.chunk.media.uri.clone(),
            frames: placed.frames.len() as u64,
            bytes: placed.bytes,
        }))];
        for row in observations.iter().filter(|row| span.contains(row.start)) {
            changes.push(Change::insert(Row::from(row.clone())));
        }
        for segment in &segments {
            let open = Row::from(Segment::new(
                segment.id.segmenter.clone(),
                segment.start(),
                None,
            ));
            let starts = span.contains(segment.start());
            let ends = segment.end.is_some_and(|end| span.contains(end));
            if starts && !ends {
                changes.push(Change::insert(open.clone()));
            }
            if ends {
                changes.extend((!starts).then(|| Change::retract(open)));
                changes.push(Change::insert(Row::from(segment.clone())));
            }
        }
        let last = number as u64 + 1 == size.chunks;
        if number as u64 % every == every - 1 || last {
            let closed: Vec<Segment> = segments
                .iter()
                .filter(|segment| segment.end.is_some_and(|end| end < span.end))
                .cloned()
                .collect();
            let rows: Vec<Row> = info
                .replays
                .iter()
                .flat_map(|(name, replay)| replay_rows(name, replay, &closed, &observations))
                .collect();
            changes.extend(told.drain(..).map(Change::retract));
            changes.extend(rows.iter().cloned().map(Change::insert));
            told = rows;
        }
        if number == 2 {
            changes.push(Change::insert(Row::from(Failure {
                position: Some(Position(2)),
                input: placed.chunk.media.uri.clone(),
                operator: Some("cheers".into()),
                message: "audio track 2 stops 1.2 s before the end of the chunk".into(),
                domain: Domain::External,
                retry: Retry::No,
            })));
        }
        epochs.push(EpochChanges {
            epoch: Epoch(number as u64),
            changes,
        });
    }

    let frames = FrameIndex::new(&timeline, None);
    let mut media = Media::default();
    for segment in segments.iter().filter(|segment| segment.end.is_some()) {
        let range = segment.effective(TrackNumber(1)).unwrap();
        let (first, end) = frames.frames_of(range);
        let file = matchcut_sinks::files::safe_file_name(&segment.id.to_string());
        let clip = ClipEntry {
            track: 1,
            cut: Cut::Exact,
            path: format!("clips/{file}.mp4"),
            first_frame: first as u64,
            end_frame: end as u64,
            max_error_frames: 0,
        };
        media.clips.insert(segment.id.clone(), vec![clip]);
        media
            .thumbnails
            .insert(segment.id.clone(), format!("thumbnails/{file}.jpg"));
    }
    let replay = ReplayMedia {
        mp4: Some("replays/best/best.mp4".into()),
        hls: Some("replays/best/index.m3u8".into()),
    };
    media.replays.insert("best".into(), replay);
    Sample {
        info,
        timeline,
        epochs,
        media,
    }
}

impl Sample {
    pub fn state(&self) -> EventState {
        let mut state = EventState::default();
        for epoch in &self.epochs {
            state.apply(epoch).unwrap();
        }
        state
    }

    /// Writes everything into `dir`.
    pub fn write(&self, dir: &std::path::Path) -> matchcut_sinks::Written {
        let mut sink = FileSink::create(dir, false, self.info.clone()).unwrap();
        for epoch in &self.epochs {
            sink.commit(epoch, &self.timeline).unwrap();
        }
        sink.finish(&self.state(), &self.timeline, &self.media)
            .unwrap()
    }
}
