//! The runtime of ordered folds: one timely operator for each operator of the spec, with a snapshot
//! of its state after every position inside the correction window.
//!
//! Epochs are the order of admission, positions the order of the timeline. Whole epochs are worked
//! off as the frontier passes them. A change at an old position (a late or corrected chunk, or an
//! observation that another fold took back) re-runs the fold from the snapshot before it and stops
//! where input and state agree again with what was there; only what differs leaves, as +1 and -1.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::{AsCollection, VecCollection};
use matchcut_model::chunk::{ChunkExtent, Position, TrackNumber};
use matchcut_model::observation::Observation;
use matchcut_model::segment::Segment;
use matchcut_model::time::MediaTime;
use matchcut_operators::sdk::{Emission, FoldBox, FoldState, Step};
use serde::{Deserialize, Serialize};
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;

use super::epochs::Epochs;

/// The position of the end of the event: after every chunk.
pub const END_POSITION: Position = Position(u64::MAX);

/// Something a fold sees at a position.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Item {
    /// The chunk is there, and covers this time.
    Extent(Arc<ChunkExtent>),
    /// The chunk will never come.
    Gap,
    /// The event ends here (at [`END_POSITION`]).
    End(MediaTime),
    /// The signature of the operator's own scan, by audio track.
    Signature(Option<TrackNumber>, Arc<Vec<u8>>),
    /// What an input observed.
    Observation(Arc<Observation>),
    /// What the input segmenter marked.
    Segment(Arc<Segment>),
}

/// What a fold emitted, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Emitted {
    /// The position it was emitted at.
    pub position: Position,
    /// The track of the fold, for audio operators.
    pub track: Option<TrackNumber>,
    /// What it is.
    pub emission: Emission,
}

/// A change to a position that has left the correction window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Refused {
    /// The position.
    pub position: Position,
}

/// A row that leaves a fold.
pub type FoldOutput = Result<Emitted, Refused>;

/// How one operator of the spec is folded.
pub struct OrderedFold {
    /// Its name in the spec: the name of the timely operator.
    pub name: String,
    /// The fold itself.
    pub fold: FoldBox,
    /// Whether there is one state for each audio track.
    pub per_track: bool,
    /// Positions that stay correctable.
    pub window: usize,
    /// Where it runs: `route % workers`.
    pub route: u64,
}

/// The state between two positions.
#[derive(Clone, PartialEq, Eq)]
struct Snapshot {
    /// By track; `None` for operators without tracks.
    states: BTreeMap<Option<TrackNumber>, FoldState>,
    /// The first position that is not in the unbroken run.
    next: Position,
    /// The end of the unbroken run.
    watermark: MediaTime,
}

struct Slot {
    items: BTreeMap<Item, isize>,
    emitted: Vec<(Emitted, isize)>,
    after: Option<Snapshot>,
}

/// The positions inside the window and the state before them.
pub(super) struct Track {
    fold: FoldBox,
    per_track: bool,
    before: Snapshot,
    slots: BTreeMap<Position, Slot>,
    tail: Vec<(Emitted, isize)>,
    /// Positions below it are final.
    retired: Position,
}

impl Track {
    pub(super) fn new(fold: FoldBox, per_track: bool) -> Self {
        let mut states = BTreeMap::new();
        if !per_track {
            states.insert(None, fold.initial());
        }
        Track {
            fold,
            per_track,
            before: Snapshot {
                states,
                next: Position(0),
                watermark: MediaTime::ZERO,
            },
            slots: BTreeMap::new(),
            tail: Vec::new(),
            retired: Position(0),
        }
    }

    /// Applies the changes of one epoch; what comes and goes by them.
    pub(super) fn advance(
        &mut self,
        window: usize,
        changes: Vec<((Position, Item), isize)>,
    ) -> Vec<(FoldOutput, isize)> {
        let mut diffs = Vec::new();
        let refused = self.apply(window, changes, &mut diffs);
        consolidate(&mut diffs);
        let rows = diffs.into_iter().map(|(row, diff)| (Ok(row), diff));
        let refused = refused.into_iter();
        rows.chain(refused.map(|position| (Err(Refused { position }), 1)))
            .collect()
    }

    /// Applies the changes of one epoch; returns the positions refused.
    fn apply(
        &mut self,
        window: usize,
        mut changes: Vec<((Position, Item), isize)>,
        diffs: &mut Vec<(Emitted, isize)>,
    ) -> BTreeSet<Position> {
        let mut refused = BTreeSet::new();
        let mut dirty = BTreeSet::new();
        consolidate(&mut changes);
        for ((position, item), diff) in changes {
            if position < self.retired {
                refused.insert(position);
                continue;
            }
            let slot = self.slots.entry(position).or_insert_with(|| Slot {
                items: BTreeMap::new(),
                emitted: Vec::new(),
                after: None,
            });
            let count = slot.items.entry(item);
            if let std::collections::btree_map::Entry::Occupied(mut entry) = count {
                *entry.get_mut() += diff;
                if *entry.get() == 0 {
                    entry.remove();
                }
            } else {
                count.or_insert(diff);
            }
            dirty.insert(position);
        }
        if let Some(&first) = dirty.first() {
            let kept_from = self.kept_from(window);
            self.rerun(first, kept_from, dirty, diffs);
        }
        while self.slots.len() > window.max(1) {
            let Some((position, slot)) = self.slots.pop_first() else {
                break;
            };
            if let Some(after) = slot.after {
                self.before = after;
            }
            self.retired = Position(position.0.saturating_add(1));
            self.fold.forget(self.retired);
        }
        refused
    }

    /// The last position that is about to leave the window: what was before it nobody asks for any
    /// more. A recording brings all positions at once, and most leave as soon as they have come.
    fn kept_from(&self, window: usize) -> Position {
        let full = self.slots.iter().filter(|(_, slot)| !slot.items.is_empty());
        let leaving = full.clone().count().saturating_sub(window.max(1));
        let last = leaving
            .checked_sub(1)
            .and_then(|last| full.clone().nth(last));
        last.map_or(Position(0), |(position, _)| *position)
    }

    /// Re-runs the fold from the snapshot before `first`. Snapshots before `kept_from` are not taken.
    fn rerun(
        &mut self,
        first: Position,
        kept_from: Position,
        mut dirty: BTreeSet<Position>,
        diffs: &mut Vec<(Emitted, isize)>,
    ) {
        let last_dirty = dirty.last().copied().unwrap_or(first);
        let mut state = match self.slots.range(..first).next_back() {
            Some((
                _,
                Slot {
                    after: Some(after), ..
                },
            )) => after.clone(),
            _ => self.before.clone(),
        };
        let mut ended = false;
        let mut emptied = Vec::new();
        let mut converged = false;
        for (&position, slot) in self.slots.range_mut(first..) {
            let mut emitted = Vec::new();
            if slot.items.is_empty() {
                emptied.push(position);
            } else {
                ended = position == END_POSITION;
                run_step(
                    &self.fold,
                    self.per_track,
                    position,
                    &slot.items,
                    &mut state,
                    &mut emitted,
                );
            }
            diffs.extend(emitted.iter().cloned());
            let before = std::mem::replace(&mut slot.emitted, emitted);
            diffs.extend(before.into_iter().map(|(out, diff)| (out, -diff)));
            let clean = !dirty.remove(&position);
            if clean && position > last_dirty && slot.after.as_ref() == Some(&state) {
                converged = true; // from here on, everything is as it was
                break;
            }
            slot.after = (position >= kept_from).then(|| state.clone());
        }
        for position in emptied {
            self.slots.remove(&position);
        }
        if converged {
            return;
        }
        let mut tail = Vec::new();
        if !ended {
            let position = state.next;
            for (&track, fold_state) in &state.states {
                let mut emissions = Vec::new();
                self.fold.tail(fold_state, &mut emissions);
                let rows = emissions.into_iter();
                tail.extend(rows.map(|emission| {
                    (
                        Emitted {
                            position,
                            track,
                            emission,
                        },
                        1,
                    )
                }));
            }
        }
        diffs.extend(tail.iter().cloned());
        let before = std::mem::replace(&mut self.tail, tail);
        diffs.extend(before.into_iter().map(|(out, diff)| (out, -diff)));
    }
}

/// Runs the fold (of every track) over one position.
fn run_step(
    fold: &FoldBox,
    per_track: bool,
    position: Position,
    items: &BTreeMap<Item, isize>,
    snapshot: &mut Snapshot,
    emitted: &mut Vec<(Emitted, isize)>,
) {
    let mut extent = None;
    let mut gap = false;
    let mut end = None;
    let mut signatures = BTreeMap::new();
    let mut observations: Vec<Observation> = Vec::new();
    let mut segments: Vec<Segment> = Vec::new();
    for (item, _) in items.iter().filter(|(_, count)| **count > 0) {
        match item {
            Item::Extent(found) => extent = Some(&**found),
            Item::Gap => gap = true,
            Item::End(at) => end = Some(*at),
            Item::Signature(track, bytes) => drop(signatures.insert(*track, bytes.as_slice())),
            Item::Observation(observation) => observations.push(Observation::clone(observation)),
            Item::Segment(segment) => segments.push(Segment::clone(segment)),
        }
    }
    // Items are sorted, and both types sort by their start first.
    if (extent.is_some() || gap) && position == snapshot.next {
        snapshot.next = Position(position.0 + 1);
        let end = extent.map_or(snapshot.watermark, |extent| extent.span.end);
        snapshot.watermark = snapshot.watermark.max(end);
    }
    if let Some(end) = end {
        snapshot.watermark = end;
    }
    if per_track {
        let tracks = extent
            .map(|e| e.audio_tracks.as_slice())
            .unwrap_or_default();
        for track in tracks {
            snapshot
                .states
                .entry(Some(*track))
                .or_insert_with(|| fold.initial());
        }
    }
    let watermark = snapshot.watermark;
    for (&track, state) in &mut snapshot.states {
        let step = Step {
            position,
            extent,
            watermark,
            end_of_event: end.is_some(),
            track,
            signature: signatures.get(&track).copied(),
            observations: &observations,
            segments: &segments,
        };
        let mut emissions = Vec::new();
        fold.step(&step, state, &mut emissions);
        let rows = emissions.into_iter();
        emitted.extend(rows.map(|emission| {
            (
                Emitted {
                    position,
                    track,
                    emission,
                },
                1,
            )
        }));
    }
}

/// Folds the items of one operator of the spec in order of position.
pub fn ordered_fold<'scope>(
    input: VecCollection<'scope, u64, (Position, Item), isize>,
    ordered: OrderedFold,
) -> VecCollection<'scope, u64, FoldOutput, isize> {
    let OrderedFold {
        name,
        fold,
        per_track,
        window,
        route,
    } = ordered;
    input
        .inner
        .unary_frontier(
            Exchange::new(move |_| route),
            &format!("Fold {name}"),
            move |_, _| {
                let mut epochs = Epochs::new();
                let mut track = Track::new(fold, per_track);
                move |(input, frontier), output| {
                    input.for_each(|capability, rows| {
                        epochs.receive_differences(capability.retain_least(0), rows);
                    });
                    while let Some((epoch, capability, changes)) = epochs.next(frontier) {
                        let rows = track.advance(window, changes);
                        let mut session = output.session(&capability);
                        for (row, diff) in rows {
                            session.give((row, epoch, diff));
                        }
                    }
                }
            },
        )
        .as_collection()
}
