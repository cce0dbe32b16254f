//! What the media stage said of a chunk, kept until it says something else. Decoders and models run
//! once for each admitted chunk and cannot be asked to repeat an old answer, so that this is where
//! differences begin: a corrected chunk takes back the rows of the one it replaces. Only the last
//! positions are kept; what comes later than that is refused, as a row.

use std::collections::BTreeMap;

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::{AsCollection, VecCollection};
use matchcut_model::change::{ChunkRow, GapRow};
use matchcut_model::chunk::{Position, TrackNumber};
use matchcut_model::failure::{Domain, Failure, Retry};
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;

use super::epochs::Epochs;

/// One thing that the media stage says of a chunk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ScanRow {
    /// The chunk is there, with its place on the timeline.
    Chunk(ChunkRow),
    /// The signature of an operator's scan.
    Signature {
        /// Index of the operator in the plan.
        operator: u32,
        /// The audio track, for operators that listen.
        track: Option<TrackNumber>,
        /// The signature.
        bytes: Vec<u8>,
    },
    /// The chunk is missing; its place in the order counts as present.
    Gap(GapRow),
    /// Something went wrong.
    Failure(Failure),
}

/// Everything that the media stage says of one chunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scanned {
    /// The chunk.
    pub position: Position,
    /// What is said of it; empty when the chunk was taken back.
    pub rows: Vec<ScanRow>,
}

/// What was said of the last positions.
#[derive(Debug)]
pub(super) struct Known {
    window: usize,
    rows: BTreeMap<Position, Vec<ScanRow>>,
    /// Positions below it are final.
    retired: Position,
}

impl Known {
    pub(super) fn new(window: usize) -> Self {
        Known {
            window: window.max(1),
            rows: BTreeMap::new(),
            retired: Position(0),
        }
    }

    /// Takes what is said of a chunk now; what comes and what goes by it.
    pub(super) fn tell(&mut self, scanned: Scanned, told: &mut Vec<((Position, ScanRow), isize)>) {
        let Scanned { position, mut rows } = scanned;
        if position < self.retired {
            told.push(((position, ScanRow::Failure(refusal(position))), 1));
            return;
        }
        rows.sort();
        rows.dedup();
        told.extend(rows.iter().map(|row| ((position, row.clone()), 1)));
        let before = if rows.is_empty() {
            self.rows.remove(&position)
        } else {
            self.rows.insert(position, rows)
        };
        let before = before.into_iter().flatten();
        told.extend(before.map(|row| ((position, row), -1)));
        while self.rows.len() > self.window {
            let Some((position, _)) = self.rows.pop_first() else {
                break;
            };
            self.retired = Position(position.0.saturating_add(1));
        }
    }
}

/// What is said of a chunk that comes too late.
pub(super) fn refusal(position: Position) -> Failure {
    Failure {
        position: Some(position),
        input: "correction".to_owned(),
        operator: None,
        message: "it came after the correction window had passed and was refused; a larger \
                  correction_window takes it"
            .to_owned(),
        domain: Domain::External,
        retry: Retry::No,
    }
}

/// The rows that stand, as differences. All on one worker, so that the window is the same however
/// many there are.
pub fn remember<'scope>(
    scanned: StreamVec<'scope, u64, Scanned>,
    window: usize,
    route: u64,
) -> VecCollection<'scope, u64, (Position, ScanRow), isize> {
    let route = Exchange::new(move |_: &Scanned| route);
    scanned
        .unary_frontier(route, "Remember", move |_, _| {
            let mut epochs = Epochs::new();
            let mut known = Known::new(window);
            move |(input, frontier), output| {
                input.for_each(|capability, rows| epochs.receive(capability.retain_least(0), rows));
                // In order: an earlier epoch may still say something of the same chunk.
                while let Some((epoch, capability, mut scanned)) = epochs.next(frontier) {
                    // Workers and pool bring the chunks of one epoch in any order.
                    scanned.sort_by_key(|scanned| scanned.position);
                    let mut diffs = Vec::new();
                    for scanned in scanned {
                        known.tell(scanned, &mut diffs);
                    }
                    consolidate(&mut diffs);
                    let mut session = output.session(&capability);
                    for (row, diff) in diffs {
                        session.give((row, epoch, diff));
                    }
                }
            }
        })
        .as_collection()
}
