//! What a sink is fed: the differences of one epoch, as rows that come (+1) and go (-1).
//! [`EventState`] adds them up to what is present now, and refuses any multiplicity but 0 and 1.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::chunk::{ChunkExtent, ContentId, Epoch, Position, TrackNumber};
use crate::failure::Failure;
use crate::lines::Cut;
use crate::observation::Observation;
use crate::segment::{Segment, SegmentId};
use crate::time::{MediaTime, TimeRange};
use crate::value::{Name, Number, Value};

/// What the results say of an admitted chunk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChunkRow {
    /// Its place on the timeline.
    pub extent: ChunkExtent,
    /// Where it lies.
    pub uri: String,
    /// Number of video frames.
    pub frames: u64,
    /// Size of the media in bytes.
    pub bytes: u64,
}

/// A chunk that is missing: its place on the timeline is empty until it comes after all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GapRow {
    /// Its place in playlist order.
    pub position: Position,
    /// Event time that it would cover, as far as is known.
    pub span: TimeRange,
    /// Why it is missing.
    pub reason: String,
}

/// A clip: the media file of a segment on one audio track, as it is to be. It is told when it can be
/// cut, and told again when what it shows changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClipRow {
    /// The segment.
    pub segment: SegmentId,
    /// The audio track.
    pub track: TrackNumber,
    /// How it is cut.
    pub cut: Cut,
    /// Where it lies, relative to the directory of results.
    pub path: String,
    /// Event time that it shows.
    pub marks: TimeRange,
    /// Number of its first frame in the event.
    pub first_frame: u64,
    /// Number of the first frame after it.
    pub end_frame: u64,
    /// The identity of the chunks that it is cut from.
    pub content: ContentId,
}

/// A feature of a replay that was found in a segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FoundFeature {
    /// Operator that observed it.
    pub operator: Name,
    /// Its attribute.
    pub attribute: Name,
    /// The value that counts.
    pub value: Value,
    /// What it adds to the score; `None` in feature mode, where it only decides.
    pub weight: Option<Number>,
}

/// The state of one replay as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReplayRow {
    /// Name of the replay in the spec.
    pub name: Name,
    /// The audio track whose marks and sound it takes.
    pub track: TrackNumber,
    /// Whether a selection was stored.
    pub processed: bool,
    /// Sum of the scores of the chosen segments; 0 where nothing was scored.
    pub total_score: Number,
}

/// What one replay decided on one segment, chosen or left out, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChoiceRow {
    /// Name of the replay in the spec.
    pub replay: Name,
    /// Place in the order asked for, in timestamps mode; 0 in the others, which go by time. So a
    /// segment that comes in changes no row of another.
    pub order: u32,
    /// The segment; `None` for a range that a request names by its times.
    pub segment: Option<SegmentId>,
    /// Original marks.
    pub original: TimeRange,
    /// The marks that count on the replay's track: optimized where there are such.
    pub marks: TimeRange,
    /// Whether it is in the replay.
    pub chosen: bool,
    /// Its score; `None` where nothing was scored (printed as "-").
    pub score: Option<Number>,
    /// Why it was chosen or left out, in words.
    pub reason: String,
    /// What was found in it.
    pub features: Vec<FoundFeature>,
}

/// A row of a result. It is shared: on its way from the operator that says it to the sinks it stands in
/// many places, and is copied in none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "lowercase")]
pub enum Row {
    /// A chunk that was admitted and placed.
    Chunk(Arc<ChunkRow>),
    /// A chunk that is missing.
    Gap(Arc<GapRow>),
    /// What a featurer observed.
    Observation(Arc<Observation>),
    /// A segment, with everything that is known of it.
    Segment(Arc<Segment>),
    /// A clip of a segment.
    Clip(Arc<ClipRow>),
    /// A replay as a whole.
    Replay(Arc<ReplayRow>),
    /// A replay's decision on a segment.
    Choice(Arc<ChoiceRow>),
    /// Something that went wrong.
    Failure(Arc<Failure>),
}

/// Rows from what they say.
macro_rules! rows {
    ($($variant:ident: $content:ty,)*) => {$(
        impl From<$content> for Row {
            fn from(content: $content) -> Self {
                Row::$variant(Arc::new(content))
            }
        }
    )*};
}

rows! {
    Chunk: ChunkRow,
    Gap: GapRow,
    Observation: Observation,
    Segment: Segment,
    Clip: ClipRow,
    Replay: ReplayRow,
    Choice: ChoiceRow,
    Failure: Failure,
}

/// A row that comes or goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Change {
    /// What.
    pub row: Row,
    /// By how much its multiplicity changes: 1 or -1 once consolidated.
    pub diff: i64,
}

impl Change {
    /// A row that comes.
    pub fn insert(row: impl Into<Row>) -> Self {
        let row = row.into();
        Change { row, diff: 1 }
    }

    /// A row that goes.
    pub fn retract(row: impl Into<Row>) -> Self {
        let row = row.into();
        Change { row, diff: -1 }
    }
}

/// Everything that one epoch changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochChanges {
    /// The epoch.
    pub epoch: Epoch,
    /// Its differences, in any order; see [`EpochChanges::consolidated`].
    pub changes: Vec<Change>,
}

impl EpochChanges {
    /// The net differences: one change a row, none of them 0, sorted by row.
    pub fn consolidated(&self) -> Vec<Change> {
        let mut sorted: Vec<&Change> = self.changes.iter().collect();
        // Most often they come sorted, and then this is one look at each.
        sorted.sort_by(|one, other| one.row.cmp(&other.row));
        let mut net: Vec<Change> = Vec::with_capacity(sorted.len());
        for change in sorted {
            match net.last_mut() {
                Some(last) if last.row == change.row => last.diff += change.diff,
                _ => net.push(change.clone()),
            }
        }
        net.retain(|change| change.diff != 0);
        net
    }
}

/// Differences that do not add up to a set of rows: a bug upstream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// A row would be there more than once, or a negative number of times.
    #[error("epoch {epoch}: the multiplicity of a row would be {multiplicity}, not 0 or 1: {row}")]
    Multiplicity {
        /// The epoch that breaks the rule.
        epoch: Epoch,
        /// What it would become.
        multiplicity: i64,
        /// The row, as JSON.
        row: String,
    },
    /// Two different rows for one segment or replay.
    #[error("epoch {epoch}: a second, different row for {id}")]
    Identity {
        /// The epoch that breaks the rule.
        epoch: Epoch,
        /// Which segment or replay.
        id: String,
    },
    /// Epochs must come in order, each once.
    #[error("epoch {epoch} comes after epoch {last}")]
    Order {
        /// The epoch that came.
        epoch: Epoch,
        /// The last one before it.
        last: Epoch,
    },
}

/// What is present now: the sum of all differences so far, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventState {
    epoch: Option<Epoch>,
    chunks: BTreeSet<Arc<ChunkRow>>,
    gaps: BTreeMap<Position, Arc<GapRow>>,
    observations: BTreeSet<Arc<Observation>>,
    segments: BTreeMap<SegmentId, Arc<Segment>>,
    clips: BTreeMap<(SegmentId, TrackNumber), Arc<ClipRow>>,
    replays: BTreeMap<Name, Arc<ReplayRow>>,
    choices: BTreeMap<Name, BTreeSet<Arc<ChoiceRow>>>,
    failures: BTreeSet<Arc<Failure>>,
}

impl EventState {
    /// Adds the differences of the next epoch. After an error the state is to be thrown away.
    pub fn apply(&mut self, epoch: &EpochChanges) -> Result<(), StateError> {
        self.apply_consolidated(epoch.epoch, epoch.consolidated())
    }

    /// As [`EventState::apply`], for differences that are already consolidated.
    pub fn apply_consolidated(
        &mut self,
        epoch: Epoch,
        mut changes: Vec<Change>,
    ) -> Result<(), StateError> {
        if let Some(last) = self.epoch.filter(|&last| last >= epoch) {
            return Err(StateError::Order { epoch, last });
        }
        self.epoch = Some(epoch);
        // Old versions leave before new ones come, or a changed segment would collide with itself.
        changes.sort_by_key(|change| change.diff);
        if self.observations.is_empty() {
            changes = self.first_observations(changes);
        }
        for Change { row, diff } in changes {
            self.apply_one(epoch, row, diff)?;
        }
        Ok(())
    }

    /// Takes the first observations all together, which for a recording are nearly everything; what
    /// is left of the changes.
    fn first_observations(&mut self, changes: Vec<Change>) -> Vec<Change> {
        let is_first =
            |change: &Change| change.diff == 1 && matches!(change.row, Row::Observation(_));
        let sorted = changes
            .is_sorted_by(|one, other| !is_first(one) || !is_first(other) || one.row < other.row);
        // Rows of a kind stand together when they are sorted; else each is looked at on its own.
        let runs = changes
            .chunk_by(|one, other| is_first(one) == is_first(other))
            .filter(|run| run.first().is_some_and(is_first))
            .count();
        if !sorted || runs != 1 {
            return changes;
        }
        let mut rest = Vec::new();
        let mut observations = Vec::new();
        for change in changes {
            match change {
                Change {
                    row: Row::Observation(row),
                    diff: 1,
                } => observations.push(row),
                other => rest.push(other),
            }
        }
        self.observations = observations.into_iter().collect();
        rest
    }

    fn apply_one(&mut self, epoch: Epoch, row: Row, diff: i64) -> Result<(), StateError> {
        if diff == 0 {
            return Ok(());
        }
        let before = i64::from(self.contains(&row));
        let multiplicity = before + diff;
        if !matches!(multiplicity, 0 | 1) {
            let row = serde_json::to_string(&row).unwrap_or_else(|_| format!("{row:?}"));
            return Err(StateError::Multiplicity {
                epoch,
                multiplicity,
                row,
            });
        }
        if multiplicity == 1 {
            self.insert(epoch, row)
        } else {
            self.remove(&row)
        }
    }

    fn contains(&self, row: &Row) -> bool {
        match row {
            Row::Chunk(row) => self.chunks.contains(row),
            Row::Gap(row) => self.gaps.get(&row.position) == Some(row),
            Row::Observation(row) => self.observations.contains(row),
            Row::Segment(row) => self.segments.get(&row.id) == Some(row),
            Row::Clip(row) => {
                let clip = self.clips.get(&(row.segment.clone(), row.track));
                clip == Some(row)
            }
            Row::Replay(row) => self.replays.get(&row.name) == Some(row),
            Row::Choice(row) => self
                .choices
                .get(&row.replay)
                .is_some_and(|set| set.contains(row)),
            Row::Failure(row) => self.failures.contains(row),
        }
    }

    fn insert(&mut self, epoch: Epoch, row: Row) -> Result<(), StateError> {
        let taken = match row {
            Row::Chunk(row) => {
                self.chunks.insert(row);
                None
            }
            Row::Gap(row) => {
                let position = row.position;
                let taken = self.gaps.insert(position, row);
                taken.map(|_| format!("the gap at {position}"))
            }
            Row::Observation(row) => {
                self.observations.insert(row);
                None
            }
            Row::Segment(row) => {
                let id = row.id.clone();
                self.segments
                    .insert(id.clone(), row)
                    .map(|_| format!("segment {id}"))
            }
            Row::Clip(row) => {
                let id = (row.segment.clone(), row.track);
                let text = format!("clip of {} on track {}", id.0, id.1);
                self.clips.insert(id, row).map(|_| text)
            }
            Row::Replay(row) => {
                let name = row.name.clone();
                self.replays
                    .insert(name.clone(), row)
                    .map(|_| format!("replay {name}"))
            }
            Row::Choice(row) => {
                self.choices
                    .entry(row.replay.clone())
                    .or_default()
                    .insert(row);
                None
            }
            Row::Failure(row) => {
                self.failures.insert(row);
                None
            }
        };
        taken.map_or(Ok(()), |id| Err(StateError::Identity { epoch, id }))
    }

    fn remove(&mut self, row: &Row) -> Result<(), StateError> {
        match row {
            Row::Chunk(row) => {
                self.chunks.remove(row);
            }
            Row::Gap(row) => {
                self.gaps.remove(&row.position);
            }
            Row::Observation(row) => {
                self.observations.remove(row);
            }
            Row::Segment(row) => {
                self.segments.remove(&row.id);
            }
            Row::Clip(row) => {
                self.clips.remove(&(row.segment.clone(), row.track));
            }
            Row::Replay(row) => {
                self.replays.remove(&row.name);
            }
            Row::Choice(row) => {
                if let Some(set) = self.choices.get_mut(&row.replay) {
                    set.remove(row);
                    if set.is_empty() {
                        self.choices.remove(&row.replay);
                    }
                }
            }
            Row::Failure(row) => {
                self.failures.remove(row);
            }
        }
        Ok(())
    }

    /// Every row that is present.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        let chunks = self.chunks.iter().cloned().map(Row::Chunk);
        let gaps = self.gaps.values().cloned().map(Row::Gap);
        let observations = self.observations.iter().cloned().map(Row::Observation);
        let segments = self.segments.values().cloned().map(Row::Segment);
        let clips = self.clips.values().cloned().map(Row::Clip);
        let replays = self.replays.values().cloned().map(Row::Replay);
        let choices = self.choices.values().flatten().cloned().map(Row::Choice);
        let failures = self.failures.iter().cloned().map(Row::Failure);
        let media = chunks.chain(gaps).chain(observations);
        let chosen = segments.chain(clips).chain(replays).chain(choices);
        media.chain(chosen).chain(failures)
    }

    /// The last epoch that was added.
    pub fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }

    /// Chunks in timeline order.
    pub fn chunks(&self) -> impl ExactSizeIterator<Item = &ChunkRow> {
        self.chunks.iter().map(|row| &**row)
    }

    /// Missing chunks in timeline order.
    pub fn gaps(&self) -> impl ExactSizeIterator<Item = &GapRow> {
        self.gaps.values().map(|row| &**row)
    }

    /// Clips by segment and track.
    pub fn clips(&self) -> impl ExactSizeIterator<Item = &ClipRow> {
        self.clips.values().map(|row| &**row)
    }

    /// The clip of a segment on a track.
    pub fn clip(&self, segment: &SegmentId, track: TrackNumber) -> Option<&ClipRow> {
        self.clips.get(&(segment.clone(), track)).map(|row| &**row)
    }

    /// Observations by start, end, operator.
    pub fn observations(&self) -> impl ExactSizeIterator<Item = &Observation> {
        self.observations.iter().map(|row| &**row)
    }

    /// Segments by start, then segmenter.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = &Segment> {
        self.segments.values().map(|row| &**row)
    }

    /// One segment.
    pub fn segment(&self, id: &SegmentId) -> Option<&Segment> {
        self.segments.get(id).map(|row| &**row)
    }

    /// Replays by name.
    pub fn replays(&self) -> impl ExactSizeIterator<Item = &ReplayRow> {
        self.replays.values().map(|row| &**row)
    }

    /// Decisions of one replay, in its order: chosen and left out.
    pub fn choices(&self, replay: &str) -> impl Iterator<Item = &ChoiceRow> {
        self.choices
            .get(replay)
            .into_iter()
            .flatten()
            .map(|row| &**row)
    }

    /// The segments that are in a replay, in its order.
    pub fn chosen(&self, replay: &str) -> impl Iterator<Item = &ChoiceRow> {
        self.choices(replay).filter(|choice| choice.chosen)
    }

    /// Failures by position, then input.
    pub fn failures(&self) -> impl ExactSizeIterator<Item = &Failure> {
        self.failures.iter().map(|row| &**row)
    }

    /// Where the event ends, as far as chunks came.
    pub fn end(&self) -> MediaTime {
        self.chunks
            .iter()
            .map(|chunk| chunk.extent.span.end)
            .max()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(start: i64, end: Option<i64>) -> Segment {
        let time = MediaTime::from_seconds;
        Segment::new(Name::new("rally"), time(start), end.map(time))
    }

    fn epoch(number: u64, changes: Vec<Change>) -> EpochChanges {
        EpochChanges {
            epoch: Epoch(number),
            changes,
        }
    }

    #[test]
    fn a_changed_segment_replaces_itself_whatever_the_order() {
        let mut state = EventState::default();
        let open = Row::from(segment(10, None));
        let closed = Row::from(segment(10, Some(20)));
        state
            .apply(&epoch(0, vec![Change::insert(open.clone())]))
            .unwrap();
        assert_eq!(state.segments().next().unwrap().end, None);
        let changes = vec![Change::insert(closed), Change::retract(open)];
        state.apply(&epoch(1, changes)).unwrap();
        assert_eq!(state.segments().len(), 1);
        assert_eq!(
            state.segments().next().unwrap().end,
            Some(MediaTime::from_seconds(20))
        );
        assert_eq!(state.epoch(), Some(Epoch(1)));
    }

    #[test]
    fn differences_that_cancel_leave_nothing() {
        let row = Row::from(segment(1, None));
        let both = vec![Change::insert(row.clone()), Change::retract(row)];
        assert_eq!(epoch(0, both.clone()).consolidated(), []);
        let mut state = EventState::default();
        state.apply(&epoch(0, both)).unwrap();
        assert_eq!(state.segments().len(), 0);
    }

    #[test]
    fn only_0_and_1_are_multiplicities() {
        let row = Row::from(segment(1, None));
        let mut state = EventState::default();
        let error = state
            .apply(&epoch(0, vec![Change::retract(row.clone())]))
            .unwrap_err();
        assert!(
            matches!(
                error,
                StateError::Multiplicity {
                    multiplicity: -1,
                    ..
                }
            ),
            "{error}"
        );

        let mut state = EventState::default();
        let twice = vec![Change::insert(row.clone()), Change::insert(row.clone())];
        let error = state.apply(&epoch(0, twice)).unwrap_err();
        assert!(
            matches!(
                error,
                StateError::Multiplicity {
                    multiplicity: 2,
                    ..
                }
            ),
            "{error}"
        );

        let mut state = EventState::default();
        state.apply(&epoch(0, vec![Change::insert(row)])).unwrap();
        let other = Row::from(segment(1, Some(2)));
        let error = state
            .apply(&epoch(1, vec![Change::insert(other)]))
            .unwrap_err();
        assert!(matches!(error, StateError::Identity { .. }), "{error}");
    }

    #[test]
    fn epochs_come_in_order() {
        let mut state = EventState::default();
        state.apply(&epoch(3, vec![])).unwrap();
        let error = state.apply(&epoch(3, vec![])).unwrap_err();
        assert_eq!(
            error,
            StateError::Order {
                epoch: Epoch(3),
                last: Epoch(3)
            }
        );
    }
}
