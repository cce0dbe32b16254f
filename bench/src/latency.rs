//! How long it takes from a chunk that can be read to what comes of it: its observations, a segment, a
//! changed selection, the playlist of a replay, a clip. Measured inside the process that runs the
//! event, against the clock by which the playback made the chunk readable.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use matchcut_dataflow::plan::Plan;
use matchcut_dataflow::run::convert;
use matchcut_dataflow::run::engine::{self, Progress, Results, RunOptions};
use matchcut_dataflow::run::log::EventStore;
use matchcut_dataflow::run::post::Post;
use matchcut_dataflow::run::publish::News;
use matchcut_dataflow::run::target::Target;
use matchcut_dataflow::spec::Catalog;
use matchcut_model::change::{Change, Row};
use matchcut_model::segment::SegmentId;
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_sinks::files::safe_file_name;

use crate::Error;
use crate::outlet::Readable;
use crate::{process, topics};

/// What is measured, in the order of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The chunk's observations are committed.
    Observed,
    /// A segment is complete, or its marks or label have changed.
    Segment,
    /// The same, from the chunk that holds its end: with all that had to be waited for.
    SegmentEnd,
    /// A complete segment can be read from the topic of a sink.
    Topic,
    /// What is in a replay has changed.
    Selection,
    /// The playlist of a replay is written.
    Playlist,
    /// A clip is written.
    Clip,
}

impl Stage {
    /// All of them.
    pub const ALL: [Stage; 7] = [
        Stage::Observed,
        Stage::Segment,
        Stage::SegmentEnd,
        Stage::Topic,
        Stage::Selection,
        Stage::Playlist,
        Stage::Clip,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Observed => "observations",
            Stage::Segment => "segment",
            Stage::SegmentEnd => "segment, from its last chunk",
            Stage::Topic => "segment on a topic",
            Stage::Selection => "selection",
            Stage::Playlist => "replay playlist",
            Stage::Clip => "clip",
        }
    }
}

/// What came of a run on a playback.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Milliseconds, by stage.
    pub stages: BTreeMap<Stage, Vec<f64>>,
    /// Media seconds and milliseconds of each segment, for a picture.
    pub segments: Vec<(f64, f64)>,
    /// Failures that were told.
    pub failures: Vec<String>,
    /// Chunks committed.
    pub chunks: usize,
    /// Segments that stand at the end.
    pub kept: usize,
    /// How much media.
    pub media: Duration,
    /// Bytes of it.
    pub media_bytes: u64,
    /// By the clock.
    pub wall: Duration,
    /// Processor time of the process, playback included.
    pub processor: Duration,
    /// The most memory that the process had, in bytes.
    pub peak: u64,
}

/// A commit that made something: when, and since when its chunk could be read.
#[derive(Clone, Copy)]
struct Made {
    at: SystemTime,
    readable: SystemTime,
}

#[derive(Default)]
struct Log {
    measured: Measured,
    /// Since when the chunks on the timeline could be read.
    placed: Vec<(TimeRange, SystemTime)>,
    /// Commits by the files that come of them: stems of clips, directories of replays.
    clips: BTreeMap<String, Vec<Made>>,
    playlists: BTreeMap<String, Vec<Made>>,
    ends: BTreeMap<SegmentId, Option<MediaTime>>,
    /// Since when the chunk of an epoch could be read.
    epochs: BTreeMap<u64, SystemTime>,
}

fn millis(from: SystemTime, to: SystemTime) -> f64 {
    // Clocks of files go in steps; what seems to be before its cause came at once.
    to.duration_since(from).unwrap_or_default().as_secs_f64() * 1e3
}

impl Log {
    fn add(&mut self, stage: Stage, from: SystemTime, to: SystemTime) {
        let stages = &mut self.measured.stages;
        stages.entry(stage).or_default().push(millis(from, to));
    }

    fn committed(&mut self, epoch: u64, changes: &[Change], at: SystemTime, readable: &Readable) {
        let mut since = None;
        let new = |change: &&Change| change.diff > 0;
        for change in changes.iter().filter(new) {
            if let Row::Chunk(chunk) = &change.row {
                let path = chunk.uri.split(['?', '#']).next().unwrap_or_default();
                let file = path.rsplit('/').next().unwrap_or_default();
                self.measured.chunks += 1;
                self.measured.media_bytes += chunk.bytes;
                let Some(time) = readable.before(file, at) else {
                    continue;
                };
                self.placed.push((chunk.extent.span, time));
                since = since.max(Some(time));
            }
        }
        // The end of the event, and what is told before its start, come of no chunk.
        let Some(since) = since else { return };
        self.add(Stage::Observed, since, at);
        self.epochs.insert(epoch, since);
        let made = Made {
            at,
            readable: since,
        };
        for change in changes.iter().filter(new) {
            if let Row::Segment(segment) = &change.row {
                let known = self.ends.insert(segment.id.clone(), segment.end);
                let Some(end) = segment.end else { continue };
                self.add(Stage::Segment, since, at);
                self.measured
                    .segments
                    .push((end.as_seconds_f64(), millis(since, at)));
                if known.flatten() != Some(end) {
                    let last = MediaTime::from_flicks(end.flicks().saturating_sub(1));
                    let held = self
                        .placed
                        .iter()
                        .rev()
                        .find(|(span, _)| span.contains(last));
                    if let Some((_, time)) = held.copied() {
                        self.add(Stage::SegmentEnd, time, at);
                    }
                }
                self.clips.entry(stem(&segment.id)).or_default().push(made);
            }
        }
        let mut replays: Vec<&str> = changes
            .iter()
            .filter_map(|change| match &change.row {
                Row::Choice(choice) => Some(choice.replay.as_str()),
                _ => None,
            })
            .collect();
        replays.sort_unstable();
        replays.dedup();
        for replay in replays {
            self.add(Stage::Selection, since, at);
            let dir = safe_file_name(replay);
            self.playlists.entry(dir).or_default().push(made);
        }
    }

    /// A file was written at `at`: since when could be read what it comes of?
    fn written(&mut self, stage: Stage, name: &str, at: SystemTime) {
        let made = match stage {
            Stage::Clip => self.clips.iter().find(|(stem, _)| is_of(name, stem)),
            _ => self.playlists.get_key_value(name),
        };
        let Some((_, commits)) = made else { return };
        let slack = at + FILE_CLOCK;
        let cause = commits.iter().rev().find(|made| made.at <= slack);
        if let Some(made) = cause.copied() {
            self.add(stage, made.readable, at);
        }
    }
}

/// The clock of files goes in steps of so much at most.
const FILE_CLOCK: Duration = Duration::from_millis(10);

/// What the files of a segment's clips begin with.
fn stem(id: &SegmentId) -> String {
    let name = safe_file_name(&id.segmenter);
    format!("{name}_{:09}", id.start.to_millis().max(0))
}

fn is_of(file: &str, stem: &str) -> bool {
    file.strip_prefix(stem)
        .is_some_and(|rest| rest.starts_with(['.', '_']))
}

/// How often it is looked for new files.
const LOOK: Duration = Duration::from_millis(4);

/// Looks at clips and playlists until `stop`, and tells each version of each.
fn watch(dir: &Path, log: &Mutex<Log>, stop: &AtomicBool) {
    let mut seen: BTreeMap<PathBuf, SystemTime> = BTreeMap::new();
    let mut look = |path: PathBuf, stage: Stage, name: String| {
        let Ok(time) = fs::metadata(&path).and_then(|found| found.modified()) else {
            return;
        };
        if seen.insert(path, time) != Some(time) {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.written(stage, &name, time);
        }
    };
    loop {
        let last = stop.load(Ordering::SeqCst);
        for (path, name) in listed(&dir.join("clips")) {
            if !name.starts_with('.') {
                look(path, Stage::Clip, name);
            }
        }
        for (path, name) in listed(&dir.join("replays")) {
            look(path.join("index.m3u8"), Stage::Playlist, name);
        }
        if last {
            return;
        }
        thread::sleep(LOOK);
    }
}

fn listed(dir: &Path) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            (
                entry.path(),
                entry.file_name().to_string_lossy().into_owned(),
            )
        })
        .collect()
}

/// Runs the event of `plan`, whose source is a playback that tells what is `readable`. Clips and
/// playlists are looked for in `out`.
pub fn run(
    plan: &Plan,
    options: &RunOptions,
    targets: &mut [Target],
    out: &Path,
    readable: &Readable,
    stop: &Arc<AtomicBool>,
) -> Result<Measured, Error> {
    let log = Arc::new(Mutex::new(Log::default()));
    let finished = Arc::new(AtomicBool::new(false));
    let watching = {
        let (dir, log, finished) = (out.to_owned(), Arc::clone(&log), Arc::clone(&finished));
        thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || watch(&dir, &log, &finished))?
    };
    let (before, started) = (process::processor_time()?, Instant::now());
    let lock = || log.lock().unwrap_or_else(PoisonError::into_inner);
    let mut listen = |progress: Progress<'_>| match progress {
        Progress::Committed { epoch, changes, .. } => {
            lock().committed(epoch.0, changes, SystemTime::now(), readable);
        }
        Progress::Failure(failure) => lock().measured.failures.push(failure.to_string()),
        Progress::Sink(News::Trouble { sink, error }) => {
            lock().measured.failures.push(format!("{sink}: {error}"));
        }
        Progress::Sink(News::Recovered { .. } | News::Notice { .. }) => {}
        // Videos of the whole event follow; they come of no chunk.
        Progress::Finishing => finished.store(true, Ordering::SeqCst),
    };
    // As a run does: its log is kept beside the results.
    let lock_of_store = EventStore::take_anew(out)?;
    let mut store = EventStore::create(out, lock_of_store, "bench")?;
    let info = convert::event_info(plan, &Catalog::built_in());
    let results = Results {
        targets,
        post: Post::open(plan, &info, Some(&store))?,
        store: Some(&mut store),
    };
    let topics = topics::listen(plan)?;
    let outcome = engine::run(plan, options, results, stop, &mut listen);
    finished.store(true, Ordering::SeqCst);
    watching.join().map_err(|_| "looking for files panicked")?;
    let outcome = outcome?;
    let mut log = lock();
    for (epoch, at) in topics.arrived() {
        // What is told behind the end comes of no chunk.
        if let Some(since) = log.epochs.get(&epoch).copied() {
            log.add(Stage::Topic, since, at);
        }
    }
    let mut measured = std::mem::take(&mut log.measured);
    measured
        .failures
        .extend(outcome.broken.map(|f| f.to_string()));
    measured.kept = outcome.state.segments().len();
    measured.media = Duration::try_from_secs_f64(outcome.state.end().as_seconds_f64())?;
    measured.wall = started.elapsed();
    measured.processor = process::processor_time()?.saturating_sub(before);
    measured.peak = process::peak()?;
    Ok(measured)
}

#[cfg(test)]
mod tests {
    use matchcut_model::change::ChunkRow;
    use matchcut_model::chunk::{ChunkExtent, Position};
    use matchcut_model::segment::Segment;
    use matchcut_model::value::Name;

    use super::*;

    fn chunk(number: u64) -> Change {
        let at = |seconds| MediaTime::from_seconds(i64::try_from(seconds).unwrap());
        Change::insert(Row::from(ChunkRow {
            extent: ChunkExtent {
                position: Position(number),
                span: TimeRange::new(at(number * 6), at(number * 6 + 6)),
                stretch: 0,
                audio_tracks: Vec::new(),
                frame_rate: None,
            },
            uri: format!("http://127.0.0.1:9/{number}.ts?x"),
            frames: 150,
            bytes: 1000,
        }))
    }

    #[test]
    fn each_stage_counts_from_the_chunk_that_it_comes_of() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let at = |millis| start + Duration::from_millis(millis);
        let readable = Readable::default();
        for number in 0..2 {
            readable.add(&format!("{number}.ts"), at(number * 6000));
        }
        let mut log = Log::default();
        log.committed(0, &[chunk(0)], at(100), &readable);
        // Decided by the second chunk, but over in the first.
        let end = MediaTime::from_seconds(5);
        let segment = Segment::new(Name::new("rally"), MediaTime::from_seconds(2), Some(end));
        let changes = [chunk(1), Change::insert(segment.clone())];
        log.committed(0, &changes, at(6200), &readable);
        // The end of the event comes of no chunk.
        log.committed(0, &[Change::retract(segment)], at(9000), &readable);
        log.written(Stage::Clip, "rally_000002000.mp4", at(6350));
        log.written(Stage::Clip, "rally_0000020001.mp4", at(6350));
        let stages = &log.measured.stages;
        assert_eq!(stages[&Stage::Observed], [100.0, 200.0]);
        assert_eq!(stages[&Stage::Segment], [200.0]);
        assert_eq!(stages[&Stage::SegmentEnd], [6200.0]);
        assert_eq!(stages[&Stage::Clip], [350.0]);
        assert_eq!((log.measured.chunks, log.measured.media_bytes), (2, 2000));
    }
}
