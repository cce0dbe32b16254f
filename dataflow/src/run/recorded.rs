//! Segments and replays again from recorded observations, without decoding anything: the same
//! dataflow, fed with what featurers said before.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use matchcut_model::change::{Change, ChunkRow, EpochChanges, EventState, Row};
use matchcut_model::chunk::{ChunkExtent, Epoch, Position, TrackNumber};
use matchcut_model::observation::{Class, Observation};
use matchcut_model::replay::Feedback;
use matchcut_model::segment::Segment;
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::timeline::EventTimeline;
use matchcut_model::value::Name;
use matchcut_operators::sdk::Operator;
use matchcut_sinks::Media;

use super::convert;
use super::engine::RunError;
use super::pool::Pool;
use super::target::Target;
use crate::flow::{ChunkEntry, Control, Delivery, Part, ScanRow, Scanned, Scanner, install};
use crate::plan::Plan;

/// The length of the steps in which a recording is told: that of a usual chunk.
const STEP: MediaTime = MediaTime::from_seconds(6);

/// What was recorded of an event.
#[derive(Clone, Debug, Default)]
pub struct RecordedEvent {
    /// What featurers observed.
    pub observations: Vec<Arc<Observation>>,
    /// Segments that were marked. Those of a segmenter that can be run again are not used.
    pub segments: Vec<Segment>,
    /// What viewers said, in order.
    pub feedback: Vec<Feedback>,
    /// When the event ended; else with the last thing that was recorded.
    pub end: Option<MediaTime>,
}

impl RecordedEvent {
    /// When the event ends.
    pub fn end(&self) -> MediaTime {
        let observed = self.observations.iter().map(|o| o.end.max(o.start));
        let marked = self.segments.iter().map(|s| s.end.unwrap_or(s.start()));
        let last = observed.chain(marked).max().unwrap_or_default();
        // A point at the very end is inside too.
        let last = MediaTime::from_flicks(last.flicks().saturating_add(1));
        self.end.unwrap_or(last).max(MediaTime::ZERO)
    }

    /// The audio tracks that it speaks of; track 1 where it speaks of none.
    fn tracks(&self) -> Vec<TrackNumber> {
        let mut tracks: BTreeSet<TrackNumber> =
            self.observations.iter().filter_map(|o| o.track).collect();
        tracks.extend(self.segments.iter().flat_map(|s| s.opto.keys().copied()));
        tracks.insert(TrackNumber::FIRST);
        tracks.into_iter().collect()
    }
}

/// Which operators are not run: featurers that look at media or whose results were recorded, and
/// segmenters (with all that updates their segments) for which only segments were recorded.
fn not_run(plan: &Plan, event: &RecordedEvent) -> BTreeSet<Name> {
    let observed: BTreeSet<&Name> = event.observations.iter().map(|o| &o.operator).collect();
    let marked: BTreeSet<&Name> = event.segments.iter().map(|s| &s.id.segmenter).collect();
    let mut names = BTreeSet::new();
    for operator in &plan.operators {
        let looks = !matches!(operator.operator, Operator::Fold(_));
        let recorded = match operator.class {
            Class::Featurer => looks || observed.contains(&operator.name),
            Class::Segmenter => {
                let fed = operator
                    .observations
                    .iter()
                    .any(|input| observed.contains(&plan.operators[*input].name));
                marked.contains(&operator.name) && !fed
            }
            // What was said of recorded segments stands on their lines.
            Class::Optimizer | Class::Labeler => operator
                .segmenter
                .is_some_and(|segmenter| names.contains(&plan.operators[segmenter].name)),
        };
        if recorded {
            names.insert(operator.name.clone());
        }
    }
    names
}

/// The log of a recording: all of it in one epoch.
fn log(event: &RecordedEvent, recorded: &BTreeSet<Name>) -> (Vec<ChunkEntry>, Vec<Control>) {
    let end = event.end();
    let steps = end.flicks() / STEP.flicks() + i64::from(end.flicks() % STEP.flicks() > 0);
    let tracks = event.tracks();
    let chunk = |index: i64| {
        let start = STEP.times(index);
        let position = Position(index.unsigned_abs());
        let extent = ChunkExtent {
            position,
            span: TimeRange::new(start, (start + STEP).min(end)),
            stretch: 0,
            audio_tracks: tracks.clone(),
            frame_rate: None,
        };
        let row = ChunkRow {
            extent,
            uri: "recording".to_owned(),
            frames: 0,
            bytes: 0,
        };
        ChunkEntry::Scanned(Scanned {
            position,
            rows: vec![ScanRow::Chunk(row)],
        })
    };
    // Something is told in the step in which it ends: no sooner could it have been known.
    let told_at = |time: MediaTime| {
        let step = time.flicks().max(0) / STEP.flicks();
        Position(step.min((steps - 1).max(0)).unsigned_abs())
    };
    let mut controls: Vec<Control> = event
        .observations
        .iter()
        .map(|observation| {
            let position = told_at(observation.end.max(observation.start));
            Control::observation(position, observation.clone())
        })
        .collect();
    for segment in event
        .segments
        .iter()
        .filter(|s| recorded.contains(&s.id.segmenter))
    {
        let position = told_at(segment.end.unwrap_or(segment.start()));
        let attributes = segment.attributes.clone();
        let mut parts = vec![Part::Marked {
            end: segment.end,
            attributes,
        }];
        parts.extend(segment.opto.iter().map(|(track, marks)| Part::Optimized {
            rank: 0,
            track: *track,
            marks: *marks,
            attributes: Default::default(),
        }));
        if segment.label.is_some() {
            let label = segment.label.clone();
            parts.push(Part::Labelled {
                rank: 0,
                label,
                attributes: Default::default(),
            });
        }
        let id = &segment.id;
        let told = parts.into_iter();
        controls.extend(told.map(|part| Control::part(position, id.clone(), part)));
    }
    controls.extend(
        (0..)
            .zip(&event.feedback)
            .map(|(sequence, feedback)| Control::Feedback {
                sequence,
                feedback: *feedback,
            }),
    );
    controls.push(Control::End(end));
    ((0..steps).map(chunk).collect(), controls)
}

/// The latest time of an event: a 24/7 channel is cut into events far shorter than this. Larger
/// numbers are most often times of day.
const LATEST: MediaTime = MediaTime::from_seconds(30 * 24 * 3600);

fn check(event: &RecordedEvent) -> Result<(), RunError> {
    let earliest = MediaTime::ZERO - LATEST;
    let observed = event
        .observations
        .iter()
        .flat_map(|o| [(&o.operator, o.start), (&o.operator, o.end)]);
    let marked = event.segments.iter().flat_map(|s| {
        [
            (&s.id.segmenter, s.start()),
            (&s.id.segmenter, s.end.unwrap_or(s.start())),
        ]
    });
    let outside = |at: MediaTime| at > LATEST || at < earliest;
    let wrong = observed.chain(marked).find(|(_, at)| outside(*at));
    let wrong = wrong.map(|(name, at)| (name.to_string(), at));
    let end = event
        .end
        .filter(|at| outside(*at))
        .map(|at| ("--end".to_owned(), at));
    match wrong.or(end) {
        None => Ok(()),
        Some((name, at)) => Err(RunError::Recorded { name, at }),
    }
}

/// What the plan makes of a recording. Operators of the plan that nothing was recorded of say
/// nothing.
pub fn replay(plan: &Plan, event: &RecordedEvent, workers: usize) -> Result<EventState, RunError> {
    check(event)?;
    let names = not_run(plan, event);
    let (chunks, mut controls) = log(event, &names);
    controls.extend(convert::replays(plan));
    dedup(&mut controls);
    let graph = convert::graph(plan, |name| names.contains(name));
    let (sender, deliveries) = mpsc::channel();
    let pool = Pool::new("recorded", 1).map_err(|error| RunError::Start(error.to_string()))?;
    let slot = Mutex::new(Some((sender, chunks, controls)));
    let guards = timely::execute(timely::Config::process(workers.max(1)), move |worker| {
        let scanner: Scanner = Arc::new(|entry| match entry {
            ChunkEntry::Scanned(scanned) => scanned.clone(),
            ChunkEntry::Placed { placed, .. } => Scanned {
                position: placed.chunk.position,
                rows: Vec::new(),
            },
        });
        let mut mine = None;
        if worker.index() == 0 {
            mine = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
        let sender = mine.as_ref().map(|(sender, _, _)| sender.clone());
        let send = move |delivery| {
            if let Some(sender) = &sender {
                let _ = sender.send(delivery);
            }
        };
        let inputs = install(worker, &graph, 0, pool.clone(), scanner, send);
        if let (Some(mut inputs), Some((_, chunks, controls))) = (inputs, mine) {
            inputs.together(0, chunks, controls);
        }
    })
    .map_err(RunError::Start)?;
    let mut state = EventState::default();
    let mut complete = false;
    for delivery in &deliveries {
        let Delivery::Epoch { epoch, changes } = delivery else {
            complete = true;
            break;
        };
        let changes = changes
            .into_iter()
            .filter(|(row, _)| !matches!(row, Row::Chunk(_)))
            .map(|(row, diff)| Change {
                row,
                diff: diff as i64,
            })
            .collect();
        state.apply_consolidated(Epoch(epoch), changes)?;
    }
    if complete {
        // Nobody has to wait until the workers have given back what they held; where there is no thread
        // for it, it is waited for here.
        let _ = thread::Builder::new().spawn(move || drop(guards));
        return Ok(state);
    }
    for result in guards.join() {
        result.map_err(RunError::Worker)?;
    }
    Err(RunError::Worker(
        "it hung up before the end of the event".to_owned(),
    ))
}

/// The same line may stand in two files. In one epoch the order of entries says nothing.
fn dedup(controls: &mut Vec<Control>) {
    controls.sort();
    controls.dedup();
}

/// Writes what came of a recording.
pub fn write(state: &EventState, targets: &mut [Target]) -> Result<Vec<String>, RunError> {
    let timeline = EventTimeline::new();
    let changes = EpochChanges {
        epoch: Epoch(0),
        changes: state.rows().map(Change::insert).collect(),
    };
    let mut warnings = Vec::new();
    for target in targets {
        target.leave_log_empty();
        target.commit(&changes, &timeline)?;
        warnings.extend(target.finish(state, &timeline, &Media::default(), &[])?);
    }
    Ok(warnings)
}
