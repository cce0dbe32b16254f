//! A whole match as it looks when a pipeline has watched and heard it: the points and strokes of the
//! US Open final of 2019, which people annotated, and around them what a camera and a microphone
//! would have said. The annotations are real (BSD-3-Clause, see `demo/usopen2019/NOTICE.md`); view
//! labels at 5 a second and levels at 6.4 a second are made from them and a seed.

use std::io::{self, Write};

use matchcut_model::chunk::TrackNumber;
use matchcut_model::lines::{LineError, ObservationLine, Recording};
use matchcut_model::observation::Observation;
use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Name, Value};

use crate::random::Random;

/// The pipeline that goes with it: three segmenters, an optimizer, labelers and ten replays.
pub const SPEC: &str = include_str!("../usopen.toml");

/// The seed of the recording that figures are told of.
pub const SEED: u64 = 2019;

/// A picture is looked at five times a second.
const VIEW_STEP: MediaTime = MediaTime::from_millis(200);

/// A level is that of 7500 samples at 48 kHz.
const LEVEL_STEP: MediaTime = MediaTime::from_flicks(7500 * 705_600_000 / 48_000);

/// From here a hall is loud, in tenths of a decibel of full scale.
const LOUD: i64 = -200;

/// A point of the match: from serve to applause.
struct Point {
    start: MediaTime,
    end: MediaTime,
    strokes: i64,
}

/// The annotated observations with views and levels, by time.
pub fn generate(annotated: &[Observation], seed: u64) -> Vec<Observation> {
    let mut points: Vec<Point> = annotated
        .iter()
        .filter(|observation| observation.attributes.contains_key("point"))
        .map(|observation| Point {
            start: observation.start,
            end: observation.end,
            strokes: match observation.attributes.get("strokes") {
                Some(Value::Integer(strokes)) => *strokes,
                _ => 0,
            },
        })
        .collect();
    points.sort_by_key(|point| (point.start, point.end));
    let end = annotated.iter().map(|o| o.end).max().unwrap_or_default();
    let mut all = annotated.to_vec();
    all.extend(views(&points, end, &mut Random::new(seed)));
    // Sequences of their own: a change of one leaves the other as it was.
    all.extend(levels(&points, end, &mut Random::new(seed ^ u64::MAX)));
    all.sort();
    all
}

/// Reads the annotations, and writes the whole match as lines.
pub fn write(
    annotations: (&str, &[u8]),
    seed: u64,
    out: &mut impl Write,
) -> Result<usize, GenerateError> {
    let mut recording = Recording::default();
    recording
        .read(annotations.0, annotations.1)
        .map_err(GenerateError::Lines)?;
    let all = generate(&recording.observations, seed);
    for observation in &all {
        serde_json::to_writer(&mut *out, &ObservationLine::new(observation))
            .map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    }
    Ok(all.len())
}

/// Why the match cannot be generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The annotations are no observations.
    #[error("the annotations cannot be read: {}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Lines(Vec<LineError>),
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// A camera position, from when on it is seen.
type Shot = (MediaTime, &'static str);

/// A point is shown from afar; between points come players, benches and the crowd.
fn shots(points: &[Point], end: MediaTime, random: &mut Random) -> Vec<Shot> {
    let mut shots = Vec::new();
    let mut at = MediaTime::ZERO;
    for point in points {
        let far_from = (point.start - MediaTime::from_millis(random.between(400, 1900))).max(at);
        between(&mut shots, at, far_from, random);
        shots.push((far_from, "far"));
        at = point.end + MediaTime::from_millis(random.between(100, 1200));
    }
    between(&mut shots, at, end, random);
    shots
}

fn between(shots: &mut Vec<Shot>, from: MediaTime, to: MediaTime, random: &mut Random) {
    let mut at = from;
    while at < to {
        let view = match random.below(10) {
            0..6 => "close_up",
            6..9 => "near",
            // A replay of the point, seen as it was played.
            _ => "far",
        };
        shots.push((at, view));
        at += MediaTime::from_millis(random.between(1500, 7000));
    }
}

fn views(points: &[Point], end: MediaTime, random: &mut Random) -> Vec<Observation> {
    let shots = shots(points, end, random);
    let mut views = Vec::new();
    let (mut next, mut current) = (0, "close_up");
    let mut at = MediaTime::ZERO;
    while at < end {
        while let Some((_, view)) = shots.get(next).filter(|(from, _)| *from <= at) {
            current = view;
            next += 1;
        }
        // One picture in a hundred is taken for something else.
        let seen = match (random.happens(10_000), current) {
            (false, view) => view,
            (true, "far") => "near",
            (true, _) => "far",
        };
        let share = match seen {
            "far" => random.between(480, 880),
            "near" => random.between(180, 420),
            _ => random.between(0, 120),
        };
        let attributes = [
            ("share", Value::rounded(share as f64 / 1000.0, 3)),
            ("view", Value::from(seen)),
        ];
        views.push(observation("view", at, None, attributes));
        at += VIEW_STEP;
    }
    views
}

/// Silence while the ball is played, then applause that is louder and longer after a long rally.
fn levels(points: &[Point], end: MediaTime, random: &mut Random) -> Vec<Observation> {
    let mut levels = Vec::new();
    let mut next = 0;
    let mut at = MediaTime::ZERO;
    while at < end {
        while points.get(next).is_some_and(|point| point.end <= at) {
            next += 1;
        }
        let playing = points.get(next).is_some_and(|point| point.start <= at);
        let last = next.checked_sub(1).and_then(|last| points.get(last));
        let clapped = last.map_or(i64::MIN, |last| {
            let since = (at - last.end).to_millis();
            let peak = -260 + last.strokes.min(30) * 6;
            peak - since / (40 + last.strokes.min(30) * 2)
        });
        let floor = if playing { -420 } else { -330 };
        let level = floor.max(clapped) + random.between(-25, 25);
        let attributes = [
            ("level_db", Value::rounded(level as f64 / 10.0, 1)),
            ("loud", Value::Bool(level >= LOUD)),
        ];
        levels.push(observation(
            "level",
            at,
            Some(TrackNumber::FIRST),
            attributes,
        ));
        at += LEVEL_STEP;
    }
    levels
}

fn observation<const N: usize>(
    operator: &str,
    at: MediaTime,
    track: Option<TrackNumber>,
    attributes: [(&str, Value); N],
) -> Observation {
    let attributes = attributes.map(|(name, value)| (Name::new(name), value));
    Observation {
        start: at,
        end: at,
        operator: Name::new(operator),
        track,
        attributes: Attributes::from(attributes),
    }
}
