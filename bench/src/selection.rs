//! How soon a new segment is in a replay: from the admission of its log entries to the delivery of
//! the changed selection, against choosing again from everything.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use matchcut_dataflow::flow::{Control, EventGraph, OperatorNode, Part, ReplayDefinition};
use matchcut_dataflow::run::told::ToldEvent;
use matchcut_model::change::{Change, EventState, Row};
use matchcut_model::chunk::Position;
use matchcut_model::observation::{Class, Observation};
use matchcut_model::replay::{
    FeatureKey, Priority, Recorded, ReplayRequest, Score, SelectionInput, select,
};
use matchcut_model::segment::{Segment, SegmentId};
use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Name, Value};

use crate::Error;
use crate::report::Section;
use crate::stats::Sample;

/// The rallies of a long tennis match, and of all matches of a tournament.
const SIZES: [usize; 2] = [282, 20_000];
const UPDATES: usize = 200;
/// After so many updates the batch function is timed once.
const BATCH_EVERY: usize = 10;

/// With the larger state, an update may take such a part of choosing again from everything.
const LIMIT: f64 = 50.0;

const SEGMENTER: &str = "rally";
const FEATURER: &str = "signs";
const REPLAY: &str = "best";

/// A segment's worth is a number of so many binary digits, each a feature of twice the weight.
const DIGITS: u32 = 12;

fn digit(number: u32) -> Name {
    Name::new(format!("digit{number}"))
}

/// The best ten minutes.
fn request() -> ReplayRequest {
    let weighted = |number| {
        let key = FeatureKey::new(FEATURER, digit(number), true);
        Priority::weighted(key, Score::from(1 << number))
    };
    ReplayRequest {
        duration: MediaTime::from_seconds(600),
        catchup: true,
        priorities: (0..DIGITS).map(weighted).collect(),
        ..ReplayRequest::default()
    }
}

fn graph() -> EventGraph {
    let node = |name: &str, class| OperatorNode {
        name: Name::new(name),
        class,
        operator: None,
        observations: Vec::new(),
        segmenter: None,
        rank: 0,
    };
    let operators = vec![
        node(FEATURER, Class::Featurer),
        node(SEGMENTER, Class::Segmenter),
    ];
    EventGraph {
        operators,
        window: 16,
        mre: false,
    }
}

/// Everything that was told, as the batch function wants it.
#[derive(Default)]
struct Told {
    segments: Vec<Recorded>,
    observations: Vec<Observation>,
}

impl Told {
    /// The next segment, worth `worth`, with an observation for each of its digits.
    fn next(&mut self, worth: u32) -> (SegmentId, Vec<Control>) {
        let start = MediaTime::from_seconds(10).times(self.segments.len() as i64);
        let end = start + MediaTime::from_seconds(6);
        let segment = Segment::new(Name::new(SEGMENTER), start, Some(end));
        let id = segment.id.clone();
        let part = Part::Marked {
            end: Some(end),
            attributes: Attributes::new(),
        };
        let position = Position(0);
        let mut controls = vec![Control::part(position, id.clone(), part)];
        self.segments.push(Recorded::from(segment));
        for number in (0..DIGITS).filter(|number| worth & (1 << number) != 0) {
            let at = start + MediaTime::from_millis(400).times(i64::from(number));
            let observation = Observation {
                start: at,
                end: at,
                operator: Name::new(FEATURER),
                track: None,
                attributes: Attributes::from([(digit(number), Value::Bool(true))]),
            };
            self.observations.push(observation.clone());
            controls.push(Control::observation(position, observation));
        }
        (id, controls)
    }

    fn batch(&self, request: &ReplayRequest) -> BTreeSet<SegmentId> {
        let selection = select(&SelectionInput {
            segments: &self.segments,
            observations: &self.observations,
            featurers: &BTreeSet::from([Name::new(FEATURER)]),
            feedback: &[],
            request,
            previous: &[],
        });
        selection
            .selected
            .into_iter()
            .filter_map(|selected| selected.segment)
            .collect()
    }
}

struct Measured {
    preload: Duration,
    updates: Vec<Duration>,
    batches: Vec<Duration>,
    chosen: usize,
}

fn measure_one(size: usize, workers: usize) -> Result<Measured, Error> {
    let request = request();
    let definition = ReplayDefinition {
        name: Name::new(REPLAY),
        segmenter: Name::new(SEGMENTER),
        request: request.clone(),
        asked: None,
    };
    let mut told = Told::default();
    let mut controls = vec![Control::Replay(Arc::new(definition))];
    let half = 1 << (DIGITS - 1);
    for number in 0..size as u32 {
        // Below half of what is possible, without a pattern.
        let worth = 1 + number.wrapping_mul(2_654_435_761) % (half - 1);
        controls.extend(told.next(worth).1);
    }
    let mut event = ToldEvent::start(&graph(), workers)?;
    let mut state = EventState::default();
    let started = Instant::now();
    state.apply(&event.tell(controls)?)?;
    let preload = started.elapsed();

    let (mut updates, mut batches) = (Vec::new(), Vec::new());
    for update in 0..UPDATES {
        // Better than all before, so that every update changes the selection.
        let (id, controls) = told.next(half + update as u32);
        let started = Instant::now();
        let changes = event.tell(controls)?;
        updates.push(started.elapsed());
        if !changes.changes.iter().any(|change| chooses(change, &id)) {
            return Err(format!("{id} did not come into the replay").into());
        }
        state.apply(&changes)?;
        if update % BATCH_EVERY == 0 {
            let started = Instant::now();
            let chosen = told.batch(&request);
            batches.push(started.elapsed());
            let kept: BTreeSet<SegmentId> = state
                .chosen(REPLAY)
                .filter_map(|choice| choice.segment.clone())
                .collect();
            if kept != chosen {
                return Err("the dataflow and the batch function chose differently".into());
            }
        }
    }
    event.close()?;
    Ok(Measured {
        preload,
        updates,
        batches,
        chosen: state.chosen(REPLAY).count(),
    })
}

fn chooses(change: &Change, id: &SegmentId) -> bool {
    matches!(&change.row, Row::Choice(choice)
        if change.diff > 0 && choice.chosen && choice.segment.as_ref() == Some(id))
}

/// Both sizes on one and two workers.
pub fn measure() -> Result<Section, Error> {
    let about = format!(
        "A new segment with its observations (6 of them, about) becomes the best of a replay of ten \
         minutes. From its admission to the delivery of the changed selection, {UPDATES} times in \
         a row, against the batch function over everything told so far, in the same process; both \
         choose the same. The state before is told as one epoch.",
    );
    let head = [
        "segments",
        "workers",
        "chosen",
        "tell the state, ms",
        "update p50, ms",
        "update p99, ms",
        "batch p50, ms",
        "batch / update",
    ];
    let mut section = Section::new("Selection", about, &head);
    for size in SIZES {
        for workers in [1, 2] {
            let measured = measure_one(size, workers)?;
            let updates = Sample::of_times(&measured.updates);
            let batch = Sample::of_times(&measured.batches).median();
            section.row([
                size.to_string(),
                workers.to_string(),
                measured.chosen.to_string(),
                format!("{:.0}", measured.preload.as_secs_f64() * 1e3),
                format!("{:.2}", updates.median()),
                format!("{:.2}", updates.quantile(0.99)),
                format!("{batch:.2}"),
                format!("**{:.1}**", batch / updates.median()),
            ]);
            if Some(&size) == SIZES.last() {
                let part = batch / updates.median();
                section.verdict(
                    format!(
                        "with {size} segments on {workers} worker(s) an update takes 1/{part:.0} of \
                         the batch function; at most 1/{LIMIT:.0} allowed"
                    ),
                    part >= LIMIT,
                );
            }
        }
    }
    Ok(section)
}
