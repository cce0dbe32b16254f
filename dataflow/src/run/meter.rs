//! What a run counts of itself, for whoever installs a recorder of the `metrics` facade; without one nothing is
//! kept. Every source, operator and sink is counted here, by name, so that none of them can forget to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use matchcut_model::change::{Change, Row};
use matchcut_model::chunk::{Epoch, Position};
use matchcut_model::failure::Failure;
use matchcut_model::observation::Class;
use matchcut_model::time::MediaTime;
use matchcut_operators::sdk::Stopwatch;
use metrics::{Label, SharedString, Unit, counter, gauge, histogram};

use super::traces::Traces;
use crate::plan::Plan;

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Spread of durations, in seconds.
    Histogram,
}

/// A metric that every run has.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels beside `event`.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

const OPEN: &str = "matchcut_source_open";
const CHUNKS: &str = "matchcut_chunks_total";
const BYTES: &str = "matchcut_chunk_bytes_total";
const FRAMES: &str = "matchcut_frames_total";
const DECODE: &str = "matchcut_decode_seconds";
const OPERATOR: &str = "matchcut_operator_seconds";
const OBSERVATIONS: &str = "matchcut_observations_total";
const CHANGES: &str = "matchcut_changes_total";
const FAILURES: &str = "matchcut_failures_total";
const SEGMENTS: &str = "matchcut_segments";
const CHOSEN: &str = "matchcut_replay_segments";
const EPOCH: &str = "matchcut_epoch";
const END: &str = "matchcut_event_seconds";
const EPOCHS_IN_FLIGHT: &str = "matchcut_epochs_in_flight";
const BYTES_IN_FLIGHT: &str = "matchcut_bytes_in_flight";
const STAGE: &str = "matchcut_stage_seconds";
const CLIPS: &str = "matchcut_clips_total";
const OUTBOX: &str = "matchcut_outbox_rows";
const CARRIED: &str = "matchcut_sink_rows_total";
const CARRYING: &str = "matchcut_sink_batch_seconds";
const ERRORS: &str = "matchcut_sink_errors_total";
const UP: &str = "matchcut_sink_up";

const fn metric(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric {
        name,
        kind,
        labels,
        help,
    }
}

/// Every metric of a run.
#[rustfmt::skip]
pub const METRICS: &[Metric] = &[
    metric(OPEN, Kind::Gauge, &["source"], "1 while a source is read, 0 when it has ended"),
    metric(CHUNKS, Kind::Counter, &["source", "outcome"], "Chunks that entered the log: placed on the timeline, or declared missing"),
    metric(BYTES, Kind::Counter, &["source"], "Bytes of the media of chunks that entered the log"),
    metric(FRAMES, Kind::Counter, &[], "Frames of committed chunks"),
    metric(DECODE, Kind::Histogram, &[], "Decoding of one chunk, without what operators did with its frames"),
    metric(OPERATOR, Kind::Histogram, &["operator", "part"], "Time of an operator: its scan of one chunk, or one ordered step"),
    metric(OBSERVATIONS, Kind::Counter, &["operator"], "Observations that were committed"),
    metric(CHANGES, Kind::Counter, &["kind", "diff"], "Changes of committed results, additions and retractions"),
    metric(FAILURES, Kind::Counter, &["operator"], "Failures that became part of the results; of the input where no operator is named"),
    metric(SEGMENTS, Kind::Gauge, &["segmenter"], "Segments that stand now"),
    metric(CHOSEN, Kind::Gauge, &["replay"], "Segments that a replay plays now"),
    metric(EPOCH, Kind::Gauge, &[], "The last committed epoch"),
    metric(END, Kind::Gauge, &[], "How far the committed timeline of the event reaches, in seconds"),
    metric(EPOCHS_IN_FLIGHT, Kind::Gauge, &[], "Epochs that are admitted and not committed"),
    metric(BYTES_IN_FLIGHT, Kind::Gauge, &[], "Bytes of media of epochs that are admitted and not committed"),
    metric(STAGE, Kind::Histogram, &["stage"], "Since a chunk was seen in its source: committed, its clips cut, its messages carried (one for each sink)"),
    metric(CLIPS, Kind::Counter, &["outcome"], "Segments whose clips were made, failed, or were removed"),
    metric(OUTBOX, Kind::Gauge, &["sink"], "What waits in the outbox of a sink"),
    metric(CARRIED, Kind::Counter, &["sink"], "What a sink has carried"),
    metric(CARRYING, Kind::Histogram, &["sink"], "One try of a sink to carry a batch"),
    metric(ERRORS, Kind::Counter, &["sink"], "Tries of a sink that failed"),
    metric(UP, Kind::Gauge, &["sink"], "1 while a sink can be reached, 0 while it cannot"),
];

/// Whether somebody keeps what is counted.
static KEPT: AtomicBool = AtomicBool::new(false);

/// Tells the recorder what the metrics mean. Once, when a recorder is installed: runs that begin later are counted.
pub fn describe() {
    for metric in METRICS {
        let help = metric.help;
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, help),
            Kind::Gauge => metrics::describe_gauge!(metric.name, help),
            Kind::Histogram => metrics::describe_histogram!(metric.name, Unit::Seconds, help),
        }
    }
    KEPT.store(true, Ordering::SeqCst);
}

/// A number as gauges take it. Exact up to 2^53, which nothing that is counted here reaches.
fn number(value: impl TryInto<u64>) -> f64 {
    value.try_into().unwrap_or(u64::MAX) as f64
}

/// Names of labels beside `event`, with their values.
type Labels<'a> = &'a [(&'static str, &'a str)];

/// Chunks that are remembered until they are committed; some never are, as they came too late.
const SEEN: usize = 1024;

/// Counts what happens in one event, if somebody keeps it; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    kept: bool,
    event: SharedString,
    source: SharedString,
    seen: Arc<Mutex<BTreeMap<Position, Instant>>>,
    traces: Traces,
}

impl Meter {
    /// Of the event of a plan.
    pub fn of(plan: &Plan) -> Self {
        let shared = |text: &str| SharedString::from_shared(Arc::from(text));
        let source = plan.sources.first();
        let event = shared(plan.pipeline.event());
        Meter {
            kept: KEPT.load(Ordering::SeqCst),
            traces: Traces::of(event.clone()),
            event,
            source: shared(source.map_or("", |source| source.name.as_str())),
            seen: Arc::default(),
        }
    }

    /// The same under another name, for a process that runs several events.
    pub fn called(mut self, event: &str) -> Self {
        self.event = SharedString::from_shared(Arc::from(event));
        self.traces = Traces::of(self.event.clone());
        self
    }

    /// Who times what is done with each chunk.
    pub(super) fn traces(&self) -> &Traces {
        &self.traces
    }

    fn labels(&self, more: Labels<'_>) -> Vec<Label> {
        let event = Label::new("event", self.event.clone());
        let more = more.iter();
        let more = more.map(|(name, value)| Label::new(*name, (*value).to_owned()));
        std::iter::once(event).chain(more).collect()
    }

    fn count(&self, name: &'static str, labels: Labels<'_>, by: u64) {
        if self.kept {
            counter!(name, self.labels(labels)).increment(by);
        }
    }

    fn set(&self, name: &'static str, labels: Labels<'_>, value: f64) {
        if self.kept {
            gauge!(name, self.labels(labels)).set(value);
        }
    }

    fn add(&self, name: &'static str, labels: Labels<'_>, difference: i64) {
        if self.kept {
            gauge!(name, self.labels(labels)).increment(difference as f64);
        }
    }

    fn time(&self, name: &'static str, labels: Labels<'_>, took: Duration) {
        if self.kept {
            histogram!(name, self.labels(labels)).record(took);
        }
    }

    /// The event begins, or is gone on with: what an earlier run of it has left here holds no longer.
    pub(super) fn begin(&self, plan: &Plan) {
        let segmenters = plan.operators.iter();
        for operator in segmenters.filter(|operator| operator.class == Class::Segmenter) {
            self.set(SEGMENTS, &[("segmenter", &operator.name)], 0.0);
        }
        for replay in &plan.replays {
            self.set(CHOSEN, &[("replay", &replay.name)], 0.0);
        }
    }

    /// Whether the source is read.
    pub(super) fn open(&self, open: bool) {
        let open = f64::from(u8::from(open));
        self.set(OPEN, &[("source", &self.source)], open);
    }

    /// The source tells of a chunk.
    pub(super) fn seen(&self, position: Position) {
        self.traces.begin(position);
        if !self.kept {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(position, Instant::now());
        if seen.len() > SEEN {
            seen.pop_first();
        }
    }

    /// When the source told of a chunk; only once.
    pub(super) fn take_seen(&self, position: Position) -> Option<Instant> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.remove(&position)
    }

    /// A chunk entered the log.
    pub(super) fn placed(&self, bytes: u64) {
        self.count(BYTES, &[("source", &self.source)], bytes);
        self.chunk("placed");
    }

    /// A chunk was declared missing.
    pub(super) fn missing(&self) {
        self.chunk("missing");
    }

    fn chunk(&self, outcome: &'static str) {
        let labels = [("source", &*self.source), ("outcome", outcome)];
        self.count(CHUNKS, &labels, 1);
    }

    /// A chunk was decoded.
    pub(super) fn decoded(&self, took: Duration) {
        self.time(DECODE, &[], took);
    }

    /// An operator scanned a chunk.
    pub(super) fn scanned(&self, operator: &str, took: Duration) {
        self.time(OPERATOR, &[("operator", operator), ("part", "scan")], took);
    }

    /// Times the ordered part of an operator.
    pub(super) fn stopwatch(&self, operator: &str) -> Option<Stopwatch> {
        if !self.kept {
            return None;
        }
        let labels = self.labels(&[("operator", operator), ("part", "step")]);
        let histogram = histogram!(OPERATOR, labels);
        Some(Arc::new(move |took| histogram.record(took)))
    }

    /// An epoch was committed. One that an earlier process had committed counts only for what stands now.
    pub(super) fn committed(&self, changes: &[Change], is_new: bool) {
        if !self.kept {
            return;
        }
        let mut sums = Sums::default();
        changes.iter().for_each(|change| sums.add(change));
        for (segmenter, count) in sums.segments {
            self.add(SEGMENTS, &[("segmenter", segmenter)], count);
        }
        for (replay, count) in sums.chosen {
            self.add(CHOSEN, &[("replay", replay)], count);
        }
        if !is_new {
            return;
        }
        self.count(FRAMES, &[], sums.frames);
        for (operator, count) in sums.observations {
            self.count(OBSERVATIONS, &[("operator", operator)], count);
        }
        for (operator, count) in sums.failures {
            self.count(FAILURES, &[("operator", operator)], count);
        }
        for ((kind, diff), count) in sums.kinds {
            self.count(CHANGES, &[("kind", kind), ("diff", diff)], count);
        }
    }

    /// How far it is.
    pub(super) fn reached(&self, epoch: Epoch, end: MediaTime) {
        self.set(EPOCH, &[], number(epoch.0));
        self.set(END, &[], end.as_seconds_f64());
    }

    /// Something failed outside of the dataflow.
    pub(super) fn failure(&self, failure: &Failure) {
        self.count(FAILURES, &[("operator", operator_of(failure))], 1);
    }

    /// What is under way.
    pub(super) fn in_flight(&self, (epochs, bytes): (usize, u64)) {
        self.set(EPOCHS_IN_FLIGHT, &[], number(epochs));
        self.set(BYTES_IN_FLIGHT, &[], number(bytes));
    }

    /// How long after a chunk was seen something had come of it.
    pub(super) fn stage(&self, stage: &'static str, took: Duration) {
        self.time(STAGE, &[("stage", stage)], took);
    }

    /// The clips of a segment were made, failed, or were removed.
    pub(super) fn clips(&self, outcome: &'static str) {
        self.count(CLIPS, &[("outcome", outcome)], 1);
    }

    /// Counts for one of its sinks.
    pub(super) fn of_sink(&self, sink: &str) -> SinkMeter {
        SinkMeter {
            meter: self.clone(),
            sink: sink.to_owned(),
        }
    }
}

/// What the changes of an epoch come to.
#[derive(Default)]
struct Sums<'a> {
    frames: u64,
    observations: BTreeMap<&'a str, u64>,
    failures: BTreeMap<&'a str, u64>,
    segments: BTreeMap<&'a str, i64>,
    chosen: BTreeMap<&'a str, i64>,
    kinds: BTreeMap<(&'static str, &'static str), u64>,
}

impl<'a> Sums<'a> {
    fn add(&mut self, change: &'a Change) {
        let more = u64::try_from(change.diff).unwrap_or_default();
        let kind = match &change.row {
            Row::Chunk(chunk) => {
                self.frames += chunk.frames * more;
                "chunk"
            }
            Row::Gap(_) => "gap",
            Row::Observation(observation) => {
                let operator = observation.operator.as_str();
                *self.observations.entry(operator).or_default() += more;
                "observation"
            }
            Row::Segment(segment) => {
                let segmenter = segment.id.segmenter.as_str();
                *self.segments.entry(segmenter).or_default() += change.diff;
                "segment"
            }
            Row::Clip(_) => "clip",
            Row::Replay(_) => "replay",
            Row::Choice(choice) => {
                if choice.chosen {
                    *self.chosen.entry(choice.replay.as_str()).or_default() += change.diff;
                }
                "choice"
            }
            Row::Failure(failure) => {
                *self.failures.entry(operator_of(failure)).or_default() += more;
                "failure"
            }
        };
        let diff = if change.diff > 0 { "1" } else { "-1" };
        *self.kinds.entry((kind, diff)).or_default() += change.diff.unsigned_abs();
    }
}

fn operator_of(failure: &Failure) -> &str {
    failure.operator.as_ref().map_or("", |name| name.as_str())
}

/// Counts what happens to one sink.
#[derive(Clone, Debug)]
pub(super) struct SinkMeter {
    meter: Meter,
    sink: String,
}

impl SinkMeter {
    /// Whether somebody keeps it.
    pub fn is_kept(&self) -> bool {
        self.meter.kept
    }

    /// So much waits for it.
    pub fn waiting(&self, rows: u64) {
        let labels = [("sink", &*self.sink)];
        self.meter.set(OUTBOX, &labels, number(rows));
    }

    /// Whether it can be reached.
    pub fn up(&self, up: bool) {
        let labels = [("sink", &*self.sink)];
        self.meter.set(UP, &labels, f64::from(u8::from(up)));
    }

    /// It was tried: how much has arrived, or that it failed.
    pub fn tried(&self, took: Duration, arrived: Option<u64>) {
        let labels = [("sink", &*self.sink)];
        self.meter.time(CARRYING, &labels, took);
        let failed = u64::from(arrived.is_none());
        self.meter
            .count(CARRIED, &labels, arrived.unwrap_or_default());
        self.meter.count(ERRORS, &labels, failed);
    }

    /// Nothing waits for it any more, since something that was posted for a chunk.
    pub fn emptied(&self, seen: Instant) {
        self.meter.stage("carried", seen.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_has_every_metric() {
        let page = include_str!("../../../docs/src/reference/metrics.md");
        for metric in METRICS {
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            let labels: Vec<String> = metric.labels.iter().map(|l| format!("`{l}`")).collect();
            let named = format!("`{}`", metric.name);
            let described = format!("| {kind} | {} |", labels.join(", ")).replace("  ", " ");
            let row = page
                .lines()
                .find(|line| line.starts_with("| `") && line.contains(&named));
            let row = row.unwrap_or_else(|| panic!("{} has no row", metric.name));
            assert!(row.contains(&described), "{described} is not in {row}");
        }
    }
}
