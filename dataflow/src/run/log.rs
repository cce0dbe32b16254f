//! The log of an event as it is kept: what was admitted in each epoch, what the media stage made of it,
//! and how far the inputs were read with it. From these a run is taken up again without reading or
//! decoding anything twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use matchcut_ingest::SourceCursor;
use matchcut_media::demux::TrackNumbers;
use matchcut_model::change::{Change, ReplayRow, Row};
use matchcut_model::chunk::{ChunkRef, PlacedChunk, Position};
use matchcut_model::segment::{Segment, SegmentId};
use matchcut_model::timeline::Timeline;
use matchcut_model::value::Name;
use matchcut_store::{
    ChangeRecord, EpochRecord, Outbox, OutboxRow, Posting, Store, StoreError, StoreState,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::answers::Answered;
use super::clips::ClipMode;
use super::listen::ListenCursor;
use super::media::content_of;
use super::post::{CLIPS, is_outside};
use crate::flow::{Control, ScanRow, Scanned};
use crate::plan::Plan;

pub use matchcut_store::Lock;

/// Where a run keeps its store, inside its directory of results.
pub const STORE_DIR: &str = ".matchcut";

/// What an epoch brings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LogInput {
    /// A chunk.
    Chunk(Arc<PlacedChunk>),
    /// A chunk that is missing at a position, and what could be tried again.
    Gap(Position, Option<Box<ChunkRef>>),
    /// Anything else, with 1 for what comes and -1 for what is taken back.
    Controls(Vec<(Control, i64)>),
}

impl LogInput {
    fn kind(&self) -> &'static str {
        match self {
            LogInput::Chunk(_) => "chunk",
            LogInput::Gap(..) => "gap",
            LogInput::Controls(_) => "controls",
        }
    }

    /// The position that it is about.
    pub fn position(&self) -> Option<Position> {
        match self {
            LogInput::Chunk(placed) => Some(placed.chunk.position),
            LogInput::Gap(position, _) => Some(*position),
            LogInput::Controls(_) => None,
        }
    }

    /// Whether it ends the event.
    pub fn ends(&self) -> bool {
        match self {
            LogInput::Controls(controls) => controls
                .iter()
                .any(|(control, _)| matches!(control, Control::End(_))),
            _ => false,
        }
    }
}

/// How far the inputs of an event were read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InputProgress {
    /// The source.
    pub source: Option<SourceCursor>,
    /// Where the next chunk is placed.
    pub timeline: Timeline,
    /// Where the newest chunk was placed: it may come again.
    pub newest: Timeline,
    /// Which audio track has which number.
    #[serde(default)]
    pub tracks: TrackNumbers,
    /// Sound of the last chunks that did not come and may come yet, by its addresses.
    #[serde(default)]
    pub unheard: BTreeMap<Position, Vec<String>>,
    /// What is said of the event.
    pub feedback: ListenCursor,
}

/// Why a run cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The store could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something else is run now.
    #[error(
        "{} was begun with another spec or other options; what was admitted cannot be continued \
         under new rules", dir.display()
    )]
    Changed {
        /// The directory of results.
        dir: PathBuf,
    },
    /// The log gives other results than it did.
    #[error(
        "{}: entry {epoch} of the log leads to other results than it did when it was written, \
         by another version of this program", dir.display()
    )]
    Diverged {
        /// The directory of results.
        dir: PathBuf,
        /// Where.
        epoch: u64,
    },
    /// An entry cannot be understood.
    #[error("{}: entry {epoch} of the log cannot be read: {reason}", dir.display())]
    Entry {
        /// The directory of results.
        dir: PathBuf,
        /// Which.
        epoch: u64,
        /// Why.
        reason: String,
    },
}

/// An entry of the log, read back.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Its epoch.
    pub epoch: u64,
    /// What it brings.
    pub input: LogInput,
    /// What the media stage said.
    pub rows: Vec<ScanRow>,
    /// What operators that call out were answered until then.
    pub answers: Vec<Answered>,
    /// Of what it changed.
    pub digest: Vec<u8>,
}

impl Logged {
    /// What the media stage said of the chunk.
    pub fn scanned(&self) -> Option<Scanned> {
        let position = self.input.position()?;
        Some(Scanned {
            position,
            rows: self.rows.clone(),
        })
    }
}

/// The store of a run: an event's log in its directory of results.
#[derive(Debug)]
pub struct EventStore {
    store: Store,
    dir: PathBuf,
    /// Held as long as the run writes.
    _lock: Lock,
}

/// How a directory of results is taken.
#[derive(Debug)]
pub enum Taken {
    /// There is nothing to go on with.
    Fresh {
        /// Nobody else writes there.
        lock: Lock,
        /// There is a store, but nothing was committed to it.
        was_there: bool,
    },
    /// There is an event to go on with.
    Begun(EventStore),
}

impl EventStore {
    /// Takes the directory of a run: whether there is something to go on with.
    pub fn take(dir: &Path) -> Result<Taken, StoreError> {
        let home = dir.join(STORE_DIR);
        let lock = Lock::take(&home)?;
        Ok(match Store::open(&home)? {
            StoreState::None => Taken::Fresh {
                lock,
                was_there: false,
            },
            StoreState::Empty => Taken::Fresh {
                lock,
                was_there: true,
            },
            StoreState::Begun(store) => Taken::Begun(EventStore {
                store,
                dir: dir.to_owned(),
                _lock: lock,
            }),
        })
    }

    /// Takes the directory of a run to begin anew, whatever it holds.
    pub fn take_anew(dir: &Path) -> Result<Lock, StoreError> {
        Lock::take(&dir.join(STORE_DIR))
    }

    /// Begins anew, in the place of what was there.
    pub fn create(dir: &Path, lock: Lock, identity: &str) -> Result<Self, StoreError> {
        Ok(EventStore {
            store: Store::create(&dir.join(STORE_DIR), identity)?,
            dir: dir.to_owned(),
            _lock: lock,
        })
    }

    /// Removes the store of a run that nobody is to go on with.
    pub fn discard(dir: &Path) -> Result<(), StoreError> {
        let home = dir.join(STORE_DIR);
        if !home.exists() {
            return Ok(());
        }
        let lock = Lock::take(&home)?;
        let removed = std::fs::remove_dir_all(&home);
        drop(lock);
        removed.map_err(|source| StoreError::Io { path: home, source })
    }

    /// Refuses another identity than the one it was begun with.
    pub fn check(&self, identity: &str) -> Result<(), ResumeError> {
        if self.store.identity()? == identity {
            return Ok(());
        }
        let dir = self.dir.clone();
        Err(ResumeError::Changed { dir })
    }

    /// The directory of results that it lies in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The number of epochs that it holds.
    pub fn epochs(&self) -> u64 {
        self.store.next_epoch()
    }

    /// How far the inputs were read.
    pub fn progress(&self) -> Result<InputProgress, ResumeError> {
        let bytes = self.store.progress()?;
        serde_json::from_slice(&bytes).map_err(|error| ResumeError::Entry {
            dir: self.dir.clone(),
            epoch: self.epochs().saturating_sub(1),
            reason: error.to_string(),
        })
    }

    /// Hands every entry to `each`, in order.
    pub fn read(
        &self,
        mut each: impl FnMut(Logged) -> Result<(), ResumeError>,
    ) -> Result<(), ResumeError> {
        self.store.read_log(|record| {
            let damaged = |reason: String| ResumeError::Entry {
                dir: self.dir.clone(),
                epoch: record.epoch,
                reason,
            };
            let input = serde_json::from_slice(&record.input)
                .map_err(|error| damaged(error.to_string()))?;
            let (rows, answers) = rmp_serde::from_slice(&record.results)
                .map_err(|error| damaged(error.to_string()))?;
            each(Logged {
                epoch: record.epoch,
                input,
                rows,
                answers,
                digest: record.digest,
            })
        })
    }

    /// Commits an epoch: all of it or nothing.
    pub fn commit(&mut self, epoch: u64, entry: &Committed<'_>) -> Result<(), ResumeError> {
        let unwritable = |reason: String| ResumeError::Entry {
            dir: self.dir.clone(),
            epoch,
            reason,
        };
        let input =
            serde_json::to_vec(entry.input).map_err(|error| unwritable(error.to_string()))?;
        let results = rmp_serde::to_vec_named(&(entry.rows, entry.answers))
            .map_err(|error| unwritable(error.to_string()))?;
        let changes =
            change_records(entry.changes).map_err(|error| unwritable(error.to_string()))?;
        self.store.commit(&EpochRecord {
            epoch,
            kind: entry.input.kind(),
            position: entry.input.position().map(|position| position.0),
            input: &input,
            results: &results,
            digest: &digest(&changes),
            changes: &changes,
            outbox: entry.outbox,
            progress: entry.progress,
        })?;
        Ok(())
    }

    /// Whether a stored epoch led to the same changes as it does now.
    pub fn verify(&self, epoch: u64, stored: &[u8], changes: &[Change]) -> Result<(), ResumeError> {
        let same = change_records(changes).is_ok_and(|records| digest(&records) == stored);
        if same {
            return Ok(());
        }
        let dir = self.dir.clone();
        Err(ResumeError::Diverged { dir, epoch })
    }

    /// The clips that are still to be made.
    pub fn clips_to_make(&self) -> Result<Vec<OutboxRow>, StoreError> {
        self.store.outbox(CLIPS)
    }

    /// How many messages are still to be carried.
    pub fn to_carry(&self) -> Result<u64, StoreError> {
        self.store.posted_by_others(CLIPS)
    }

    /// A way to the messages that are posted under `kind`.
    pub fn open_outbox(&self, kind: &str) -> Result<Outbox, StoreError> {
        self.store.open_outbox(kind)
    }

    /// Tells this store from others in its place.
    pub fn incarnation(&self) -> Result<String, StoreError> {
        self.store.incarnation()
    }

    /// Notes what was published in an epoch, and what is told of it.
    pub fn published(
        &mut self,
        done: &[i64],
        left: &[(String, Option<String>)],
        epoch: u64,
        told: &[Posting],
    ) -> Result<(), StoreError> {
        self.store.published(done, left, (epoch, told))
    }

    /// What was published before.
    pub fn all_published(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.store.all_published()
    }

    /// Notes that the run is over and its results are written, what was `left` with them, and what is told of it.
    pub fn finish(
        &mut self,
        left: &[(String, String)],
        told: &[Posting],
    ) -> Result<(), StoreError> {
        let last = self.epochs().saturating_sub(1);
        self.store.finish(last, left, told)
    }

    /// Of all rows of a kind that ever came, what `each` reads in them.
    fn ever<T: DeserializeOwned, N: Ord>(
        &self,
        kind: &str,
        name: impl Fn(T) -> N,
    ) -> Result<BTreeSet<N>, ResumeError> {
        let mut names = BTreeSet::new();
        for value in self.store.ever(kind)? {
            let row = serde_json::from_str(&value).map_err(|error| ResumeError::Entry {
                dir: self.dir.clone(),
                epoch: self.epochs().saturating_sub(1),
                reason: error.to_string(),
            })?;
            names.insert(name(row));
        }
        Ok(names)
    }

    /// All segments that there ever were.
    pub fn all_segments(&self) -> Result<BTreeSet<SegmentId>, ResumeError> {
        self.ever("segment", |segment: Segment| segment.id)
    }

    /// All replays that there ever were.
    pub fn all_replays(&self) -> Result<BTreeSet<Name>, ResumeError> {
        self.ever("replay", |replay: ReplayRow| replay.name)
    }

    /// Notes that the event is removed, and what is told of it in the place of all that was still to be told.
    pub fn take_back(&mut self, told: &[Posting]) -> Result<(), StoreError> {
        self.store.take_back(told)
    }

    /// Whether the event is removed.
    pub fn is_taken_back(&self) -> Result<bool, StoreError> {
        self.store.is_taken_back()
    }

    /// Whether the run is over and its results are written.
    pub fn is_finished(&self) -> Result<bool, StoreError> {
        self.store.is_finished()
    }
}

/// What is committed of an epoch.
pub struct Committed<'a> {
    /// What it brings.
    pub input: &'a LogInput,
    /// What the media stage said.
    pub rows: &'a [ScanRow],
    /// What operators that call out were answered and is not in the log yet.
    pub answers: &'a [Answered],
    /// What it changes, consolidated.
    pub changes: &'a [Change],
    /// What is to be published.
    pub outbox: &'a [Posting],
    /// How far the inputs were read, encoded.
    pub progress: &'a [u8],
}

/// Says what is run: an event that was begun under one identity is not continued under another.
pub fn identity(plan: &Plan, mode: ClipMode) -> String {
    let renders: Vec<_> = plan.replays.iter().map(|replay| &replay.render).collect();
    let made = format!("{mode:?} {renders:?}");
    let mut plan = plan.clone();
    // How those who carry messages are reached may be mended while messages wait for it.
    for sink in plan.sinks.iter_mut().filter(|sink| is_outside(sink)) {
        sink.options.clear();
    }
    for feed in &mut plan.feeds {
        feed.options.clear();
    }
    let plan = serde_json::to_vec(&plan).unwrap_or_default();
    content_of(&[&plan, made.as_bytes()]).to_string()
}

fn change_records(changes: &[Change]) -> serde_json::Result<Vec<ChangeRecord>> {
    let record = |change: &Change| {
        let (kind, value) = match &change.row {
            Row::Chunk(row) => ("chunk", serde_json::to_string(row)?),
            Row::Gap(row) => ("gap", serde_json::to_string(row)?),
            Row::Observation(row) => ("observation", serde_json::to_string(row)?),
            Row::Segment(row) => ("segment", serde_json::to_string(row)?),
            Row::Clip(row) => ("clip", serde_json::to_string(row)?),
            Row::Replay(row) => ("replay", serde_json::to_string(row)?),
            Row::Choice(row) => ("choice", serde_json::to_string(row)?),
            Row::Failure(row) => ("failure", serde_json::to_string(row)?),
        };
        Ok(ChangeRecord {
            kind,
            diff: change.diff,
            value,
        })
    };
    changes.iter().map(record).collect()
}

fn digest(changes: &[ChangeRecord]) -> [u8; 8] {
    let diffs: Vec<[u8; 8]> = changes
        .iter()
        .map(|change| change.diff.to_be_bytes())
        .collect();
    let parts: Vec<&[u8]> = changes
        .iter()
        .zip(&diffs)
        .flat_map(|(change, diff)| [change.kind.as_bytes(), diff, change.value.as_bytes()])
        .collect();
    content_of(&parts).0.to_be_bytes()
}
