//! The dataflow equals the batch function at every epoch: chunks in random order, some twice, some
//! corrected, feedback and replays that come at any time, for 1, 2 and 4 workers.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use matchcut_model::change::{ChunkRow, GapRow, Row};
use matchcut_model::chunk::{ChunkExtent, Position, TrackNumber};
use matchcut_model::observation::{Class, Observation};
use matchcut_model::replay::{
    Compat, FeatureKey, Feedback, Mode, Priority, ReplayRequest, Score, Side, Verdict,
};
use matchcut_model::segment::SegmentId;
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::value::{Attributes, Name, Value};
use matchcut_operators::sdk::{
    Answer, AudioScan, AudioScanner, Caller, ChunkContext, Emission, Fold, FoldBox, Operator, Step,
};

use super::batch::{self, Log};
use super::*;
use crate::run::pool::Pool;

/// SplitMix64: seeded, so that a failure repeats.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

const CHUNK: i64 = 4;

fn second(seconds: i64) -> MediaTime {
    MediaTime::from_seconds(seconds)
}

/// A featurer that listens: each byte of the signature is a second, loud from 128.
struct Loud;
impl Fold for Loud {
    type State = bool;
    fn step(&self, step: &Step<'_>, before: &mut bool, emit: &mut Vec<Emission>) {
        let (Some(bytes), Some(extent)) = (step.signature, step.extent) else {
            return;
        };
        for (index, level) in (0..).zip(bytes) {
            let loud = *level >= 128;
            let start = extent.span.start + second(index);
            let attributes = Attributes::from([
                ("loud".into(), Value::Bool(loud)),
                ("onset".into(), Value::Bool(loud && !*before)),
                ("level".into(), Value::Integer(i64::from(*level / 64))),
            ]);
            emit.push(Emission::Observation {
                start,
                end: start + second(1),
                attributes,
            });
            *before = loud;
        }
    }
}

struct Silent;
struct SilentScan;
impl AudioScanner for Silent {
    fn start(&self, _: &ChunkContext) -> Box<dyn AudioScan> {
        Box::new(SilentScan)
    }
}
impl AudioScan for SilentScan {
    fn block(&mut self, _: &matchcut_model::frame::AudioBlock<'_>) -> Result<(), String> {
        Ok(())
    }
    fn finish(self: Box<Self>) -> Result<Vec<u8>, String> {
        Ok(Vec::new())
    }
}

/// A segmenter: runs of loud seconds on track 1, at most 7 s long.
struct Runs;
impl Fold for Runs {
    type State = Option<(MediaTime, MediaTime)>;
    fn step(&self, step: &Step<'_>, open: &mut Self::State, emit: &mut Vec<Emission>) {
        for seen in step
            .observations
            .iter()
            .filter(|o| o.is_on(TrackNumber::FIRST))
        {
            let loud = seen.attributes.get("loud") == Some(&Value::Bool(true));
            match (*open, loud) {
                (Some((start, end)), true) if end == seen.start && end - start < second(7) => {
                    *open = Some((start, seen.end));
                }
                (Some((start, end)), _) => {
                    let attributes = Attributes::from([("run".into(), Value::Bool(true))]);
                    emit.push(Emission::Segment {
                        start,
                        end: Some(end),
                        attributes,
                    });
                    *open = loud.then_some((seen.start, seen.end));
                }
                (None, true) => *open = Some((seen.start, seen.end)),
                (None, false) => {}
            }
        }
        if step.end_of_event
            && let Some((start, end)) = open.take()
        {
            let attributes = Attributes::new();
            emit.push(Emission::Segment {
                start,
                end: Some(end),
                attributes,
            });
        }
    }
    fn tail(&self, open: &Self::State, emit: &mut Vec<Emission>) {
        emit.extend(open.map(|(start, _)| Emission::Segment {
            start,
            end: None,
            attributes: Attributes::new(),
        }));
    }
}

/// An optimizer: moves mark-out to the next onset within 5 s, once that time has been seen.
struct ToOnset;
impl Fold for ToOnset {
    type State = (
        Vec<(MediaTime, MediaTime)>,
        Vec<(MediaTime, Option<TrackNumber>)>,
    );
    fn step(&self, step: &Step<'_>, (waiting, onsets): &mut Self::State, emit: &mut Vec<Emission>) {
        waiting.extend(
            step.segments
                .iter()
                .filter_map(|s| Some((s.start(), s.end?))),
        );
        let is_onset = |o: &&Observation| o.attributes.get("onset") == Some(&Value::Bool(true));
        onsets.extend(
            step.observations
                .iter()
                .filter(is_onset)
                .map(|o| (o.start, o.track)),
        );
        onsets.sort();
        waiting.retain(|(start, end)| {
            if *end + second(5) > step.watermark && !step.end_of_event {
                return true;
            }
            for track in [TrackNumber(1), TrackNumber(2)] {
                let next = onsets
                    .iter()
                    .find(|(at, of)| *of == Some(track) && *at >= *end && *at < *end + second(5));
                if let Some((at, _)) = next {
                    let marks = TimeRange::new(*start, *at);
                    let attributes = Attributes::new();
                    emit.push(Emission::Optimized {
                        segment: *start,
                        track,
                        marks,
                        attributes,
                    });
                }
            }
            false
        });
    }
}

/// A labeler: counts the segments.
struct Count;
impl Fold for Count {
    type State = u32;
    fn step(&self, step: &Step<'_>, count: &mut u32, emit: &mut Vec<Emission>) {
        for segment in step.segments {
            *count += 1;
            emit.push(Emission::Labelled {
                segment: segment.start(),
                label: Some(format!("run {count}")),
                attributes: Attributes::from([(
                    "long".into(),
                    Value::Bool(segment.end.is_some_and(|e| e - segment.start() > second(3))),
                )]),
            });
        }
    }
}

/// The same, asked outside; nothing comes of the chunks in `silent`.
struct Outside<F> {
    fold: F,
    silent: Option<Position>,
}

impl<F: Fold> Caller for Outside<F>
where
    F::State: serde::Serialize + serde::de::DeserializeOwned,
{
    fn call(&self, step: &Step<'_>, state: &[u8]) -> Result<Answer, String> {
        if self.silent == Some(step.position) {
            return Err("nobody answers".to_owned());
        }
        let text = |error: serde_json::Error| error.to_string();
        let mut state = match state {
            [] => F::State::default(),
            bytes => serde_json::from_slice(bytes).map_err(text)?,
        };
        let mut answer = Answer::default();
        self.fold.step(step, &mut state, &mut answer.emissions);
        self.fold.tail(&state, &mut answer.tail);
        answer.state = serde_json::to_vec(&state).map_err(text)?;
        Ok(answer)
    }
}

fn outside(
    fold: impl Fold<State: serde::Serialize + serde::de::DeserializeOwned>,
    silent: Option<u64>,
) -> FoldBox {
    let silent = silent.map(Position);
    FoldBox::calling(Outside { fold, silent })
}

fn graph() -> EventGraph {
    windowed(usize::MAX)
}

fn windowed(window: usize) -> EventGraph {
    let node =
        |name: &str, class, operator, observations: &[usize], segmenter, rank| OperatorNode {
            name: name.into(),
            class,
            operator,
            observations: observations.to_vec(),
            segmenter,
            rank,
        };
    let fold = |fold: FoldBox| Some(Operator::Fold(fold));
    EventGraph {
        operators: vec![
            node(
                "loud",
                Class::Featurer,
                Some(Operator::Audio {
                    scanner: Arc::new(Silent),
                    fold: FoldBox::new(Loud),
                }),
                &[],
                None,
                0,
            ),
            node("outside", Class::Featurer, None, &[], None, 0),
            node(
                "runs",
                Class::Segmenter,
                fold(outside(Runs, None)),
                &[0],
                None,
                0,
            ),
            node(
                "trim",
                Class::Optimizer,
                fold(FoldBox::new(ToOnset)),
                &[0],
                Some(2),
                0,
            ),
            node(
                "count",
                Class::Labeler,
                fold(outside(Count, Some(2))),
                &[],
                Some(2),
                1,
            ),
        ],
        window,
        mre: true,
    }
}

#[derive(Clone, Debug)]
enum Entry {
    Chunk(Scanned),
    Controls(Vec<(Control, isize)>),
}

fn chunk(random: &mut Random, position: u64) -> Scanned {
    let start = second(position as i64 * CHUNK);
    let mut rows = vec![ScanRow::Chunk(ChunkRow {
        extent: ChunkExtent {
            position: Position(position),
            span: TimeRange::new(start, start + second(CHUNK)),
            stretch: 0,
            audio_tracks: vec![TrackNumber(1), TrackNumber(2)],
            frame_rate: None,
        },
        uri: format!("chunk-{position}"),
        frames: random.below(3),
        bytes: 1,
    })];
    for track in [1, 2] {
        let bytes = (0..CHUNK)
            .map(|_| if random.chance(35) { 20 } else { 200 })
            .collect();
        rows.push(ScanRow::Signature {
            operator: 0,
            track: Some(TrackNumber(track)),
            bytes,
        });
    }
    Scanned {
        position: Position(position),
        rows,
    }
}

fn gap(position: Position) -> GapRow {
    let start = second(position.0 as i64 * CHUNK);
    GapRow {
        position,
        span: TimeRange::new(start, start + second(CHUNK)),
        reason: "lost".to_owned(),
    }
}

fn request(random: &mut Random) -> ReplayRequest {
    let weight = |random: &mut Random| Score::from(random.below(90) as i32);
    let mut priorities = vec![
        Priority::weighted(FeatureKey::new("loud", "onset", true), weight(random)),
        Priority::weighted(FeatureKey::new("loud", "level", 3), weight(random)),
        Priority::weighted(FeatureKey::new("outside", "goal", true), weight(random)),
        Priority::weighted(FeatureKey::new("runs", "run", true), weight(random)),
        Priority::weighted(FeatureKey::new("count", "long", true), weight(random)),
    ];
    random.shuffle(&mut priorities);
    priorities.truncate(1 + random.below(5) as usize);
    ReplayRequest {
        mode: [
            Mode::Duration,
            Mode::Duration,
            Mode::Features,
            Mode::Timestamps,
        ][random.below(4) as usize],
        duration: second(5 + random.below(40) as i64),
        tolerance: second(random.below(10) as i64),
        equal_distribution: random.chance(30),
        include_liked: random.chance(50),
        ignore_disliked: random.chance(50),
        disregard_zero_weight: random.chance(50),
        track: TrackNumber(1 + random.below(2) as u32),
        catchup: random.chance(70),
        compat: if random.chance(25) {
            Compat::Mre
        } else {
            Compat::None
        },
        priorities,
        timestamps: vec![
            TimeRange::new(second(3), second(9)),
            TimeRange::new(second(1), second(2)),
        ],
        ..ReplayRequest::default()
    }
}

fn log(random: &mut Random) -> Vec<Entry> {
    let chunks = 14;
    let mut entries: Vec<Entry> = (0..chunks)
        .map(|p| Entry::Chunk(chunk(random, p)))
        .collect();
    if random.chance(60) {
        random.shuffle(&mut entries);
    }
    for _ in 0..6 {
        // A duplicate, a correction, or a chunk taken back, anywhere behind its first time.
        let at = random.below(entries.len() as u64) as usize;
        let Entry::Chunk(first) = entries[at].clone() else {
            continue;
        };
        let again = match random.below(5) {
            0 => first,
            4 => Scanned {
                rows: vec![ScanRow::Gap(gap(first.position))],
                ..first
            },
            1 => Scanned {
                rows: Vec::new(),
                ..first
            },
            _ => chunk(random, first.position.0),
        };
        let to = at + 1 + random.below((entries.len() - at) as u64) as usize;
        entries.insert(to, Entry::Chunk(again));
    }
    let mut sequence = 0;
    for index in 0..12 {
        let controls = match random.below(4) {
            3 => vec![(edit(random, chunks), 1)],
            0 => {
                let definition = ReplayDefinition {
                    name: Name::new(format!("replay-{index}")),
                    segmenter: "runs".into(),
                    request: request(random),
                    asked: None,
                };
                vec![(Control::Replay(Arc::new(definition)), 1)]
            }
            1 => {
                sequence += 1;
                let feedback = Feedback {
                    start: second(random.below(60) as i64),
                    track: TrackNumber(1 + random.below(2) as u32),
                    side: if random.chance(50) {
                        Side::Original
                    } else {
                        Side::Optimized
                    },
                    verdict: [Verdict::Like, Verdict::Dislike, Verdict::None]
                        [random.below(3) as usize],
                };
                vec![(Control::Feedback { sequence, feedback }, 1)]
            }
            _ => {
                let start = second(random.below(60) as i64);
                let observation = Observation {
                    start,
                    end: start + second(random.below(6) as i64),
                    operator: "outside".into(),
                    track: None,
                    attributes: Attributes::from([("goal".into(), Value::Bool(random.chance(70)))]),
                };
                let position = Position(random.below(chunks));
                vec![(
                    Control::Observation {
                        position,
                        observation: observation.into(),
                    },
                    1,
                )]
            }
        };
        let to = random.below(entries.len() as u64 + 1) as usize;
        entries.insert(to, Entry::Controls(controls));
    }
    if random.chance(70) {
        entries.push(Entry::Controls(vec![(
            Control::End(second(chunks as i64 * CHUNK)),
            1,
        )]));
    }
    entries
}

/// Something that a person says of a segment, that is there or not.
fn edit(random: &mut Random, chunks: u64) -> Control {
    let start = second(random.below(56) as i64);
    let segment = SegmentId {
        start,
        segmenter: "runs".into(),
    };
    match random.below(3) {
        0 => {
            let part = Part::Edited {
                end: start + second(1 + random.below(9) as i64),
                attributes: Attributes::from([("run".into(), Value::Bool(true))]),
            };
            Control::part(Position(random.below(chunks + 1)), segment, part)
        }
        1 => Control::remark(
            segment,
            Remark::Label(format!("by hand {}", random.below(3))),
        ),
        _ => {
            let trim = Remark::Trim {
                track: TrackNumber(1 + random.below(2) as u32),
                marks: TimeRange::new(start + second(1), start + second(2)),
            };
            Control::remark(segment, trim)
        }
    }
}

/// A live event under a small window: chunks in order or a little out of it, some lost for a while or
/// for ever, some corrected in time and some too late.
fn live_log(random: &mut Random) -> Vec<Entry> {
    let chunks = 24;
    let mut entries = Vec::new();
    let mut later: Vec<(u64, Scanned)> = Vec::new();
    for position in 0..chunks {
        let now = chunk(random, position);
        let delay = random.below(9);
        match random.below(6) {
            // Lost: a gap is declared, and most often it comes after all.
            0 => {
                entries.push(Entry::Chunk(Scanned {
                    position: Position(position),
                    rows: vec![ScanRow::Gap(gap(Position(position)))],
                }));
                if random.chance(80) {
                    later.push((position + delay, now));
                }
            }
            // Corrected.
            1 => {
                entries.push(Entry::Chunk(now));
                later.push((position + delay, chunk(random, position)));
            }
            // Out of order.
            2 => later.push((position + 1 + random.below(2), now)),
            _ => entries.push(Entry::Chunk(now)),
        }
        let (due, waits) = later.into_iter().partition(|(when, _)| *when <= position);
        later = waits;
        let due: Vec<(u64, Scanned)> = due;
        entries.extend(due.into_iter().map(|(_, scanned)| Entry::Chunk(scanned)));
        if position == 3 {
            for number in 0..3 {
                let definition = ReplayDefinition {
                    name: Name::new(format!("replay-{number}")),
                    segmenter: "runs".into(),
                    request: request(random),
                    asked: None,
                };
                entries.push(Entry::Controls(vec![(
                    Control::Replay(Arc::new(definition)),
                    1,
                )]));
            }
        }
    }
    entries.extend(later.into_iter().map(|(_, scanned)| Entry::Chunk(scanned)));
    entries.push(Entry::Controls(vec![(
        Control::End(second(chunks as i64 * CHUNK)),
        1,
    )]));
    entries
}

/// What each epoch delivers.
fn run(graph: EventGraph, workers: usize, entries: Vec<Entry>) -> Vec<Delivery<Row>> {
    let (sender, results) = mpsc::channel();
    let sender = Arc::new(Mutex::new(sender));
    timely::execute(timely::Config::process(workers), move |worker| {
        let sender = sender.lock().unwrap().clone();
        let pool = Pool::new("test", 2).unwrap();
        let scanner: Scanner = Arc::new(|entry| match entry {
            ChunkEntry::Scanned(scanned) => scanned.clone(),
            ChunkEntry::Placed { .. } => panic!("the tests bring their own results"),
        });
        let send = move |delivery| drop(sender.send(delivery));
        let Some(mut inputs) = install(worker, &graph, 0, pool, scanner, send) else {
            return;
        };
        for (epoch, entry) in (0..).zip(&entries) {
            match entry {
                Entry::Chunk(scanned) => inputs.chunk(epoch, ChunkEntry::Scanned(scanned.clone())),
                Entry::Controls(controls) => inputs.controls(epoch, controls.clone()),
            }
            if epoch % 5 == 0 {
                worker.step();
            }
        }
    })
    .unwrap()
    .join()
    .into_iter()
    .for_each(|worker| worker.unwrap());
    results.iter().collect()
}

/// Compares with the batch function at every epoch; how many choices there were.
fn compare(what: &str, graph: &EventGraph, workers: usize, entries: &[Entry]) -> usize {
    let deliveries = run(graph.clone(), workers, entries.to_vec());
    assert_eq!(deliveries.len(), entries.len() + 1);
    let mut chosen = 0;
    let mut have: BTreeMap<Row, isize> = BTreeMap::new();
    let mut known = Log::default();
    for (delivery, entry) in deliveries.iter().zip(entries) {
        let Delivery::Epoch { epoch, changes } = delivery else {
            panic!("too few epochs")
        };
        for (row, diff) in changes {
            *have.entry(row.clone()).or_default() += diff;
        }
        have.retain(|_, count| *count != 0);
        match entry {
            Entry::Chunk(scanned) => known.scanned.push(scanned.clone()),
            Entry::Controls(controls) => {
                let controls = controls.iter().map(|(control, _)| control.clone());
                known.controls.extend(controls);
            }
        }
        let want: BTreeMap<Row, isize> = batch::rows(graph, &known)
            .into_iter()
            .map(|row| (row, 1))
            .collect();
        let missing: Vec<_> = want.keys().filter(|row| !have.contains_key(row)).collect();
        let extra: Vec<_> = have
            .iter()
            .filter(|(row, n)| want.get(row) != Some(n))
            .collect();
        assert!(
            missing.is_empty() && extra.is_empty(),
            "{what}, {workers} workers, epoch {epoch}: missing {missing:#?}, extra {extra:#?}"
        );
        let choices = have.keys().filter(|row| matches!(row, Row::Choice(_)));
        chosen += choices.count();
    }
    chosen
}

#[test]
fn equals_the_batch_function_at_every_epoch() {
    let mut chosen = 0;
    for seed in 0..12 {
        let entries = log(&mut Random(seed));
        for workers in [1, 2, 4] {
            chosen += compare(&format!("seed {seed}"), &graph(), workers, &entries);
        }
    }
    assert!(chosen > 1_000, "the logs really choose something: {chosen}");
}

#[test]
fn equals_the_batch_function_under_losses_and_corrections_in_a_window() {
    let mut refused = 0;
    for seed in 100..112 {
        let entries = live_log(&mut Random(seed));
        let graph = windowed(6);
        for workers in [1, 2] {
            compare(&format!("seed {seed}"), &graph, workers, &entries);
        }
        let mut known = Log::default();
        known
            .scanned
            .extend(entries.iter().filter_map(|entry| match entry {
                Entry::Chunk(scanned) => Some(scanned.clone()),
                Entry::Controls(_) => None,
            }));
        let rows = batch::rows(&graph, &known);
        refused += rows
            .iter()
            .filter(|row| matches!(row, Row::Failure(_)))
            .count();
    }
    assert!(refused > 5, "some really come too late: {refused}");
}

#[test]
fn a_correction_before_the_window_is_refused_as_a_row() {
    let random = &mut Random(7);
    let mut entries: Vec<Entry> = (0..10).map(|p| Entry::Chunk(chunk(random, p))).collect();
    entries.push(Entry::Chunk(chunk(random, 2)));
    let (sender, results) = mpsc::channel();
    let sender = Mutex::new(Some(sender));
    timely::execute(timely::Config::process(1), move |worker| {
        let sender = sender.lock().unwrap().take().unwrap();
        let scanner: Scanner = Arc::new(|entry| match entry {
            ChunkEntry::Scanned(scanned) => scanned.clone(),
            ChunkEntry::Placed { .. } => unreachable!("the tests bring their own results"),
        });
        let graph = EventGraph {
            window: 4,
            mre: true,
            ..graph()
        };
        let send = move |delivery| drop(sender.send(delivery));
        let pool = Pool::new("test", 1).unwrap();
        let mut inputs = install(worker, &graph, 0, pool, scanner, send).unwrap();
        for (epoch, entry) in (0..).zip(&entries) {
            let Entry::Chunk(scanned) = entry else {
                continue;
            };
            inputs.chunk(epoch, ChunkEntry::Scanned(scanned.clone()));
        }
    })
    .unwrap()
    .join()
    .into_iter()
    .for_each(|worker| worker.unwrap());
    let deliveries: Vec<Delivery<Row>> = results.iter().collect();
    let Delivery::Epoch { changes, .. } = &deliveries[10] else {
        panic!("epoch 10 is missing")
    };
    let refused: Vec<_> = changes
        .iter()
        .filter_map(|(row, diff)| match row {
            Row::Failure(failure) => Some((failure.operator.clone(), failure.position, *diff)),
            _ => None,
        })
        .collect();
    assert_eq!(
        refused,
        [(None, Some(Position(2)), 1)],
        "refused once, for all operators"
    );
    assert!(
        !changes
            .iter()
            .any(|(row, _)| matches!(row, Row::Observation(_) | Row::Segment(_)))
    );
}
