//! What the media stage said of a chunk, kept until it says something else. Decoders and models run
//! once for each admitted chunk and cannot be asked to repeat an old answer, so that this is where
//! differences begin: a corrected chunk takes back the rows of the one it replaces.

use std::collections::{BTreeMap, HashMap};

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::{AsCollection, VecCollection};
use matchcut_model::change::ChunkRow;
use matchcut_model::chunk::{Position, TrackNumber};
use matchcut_model::failure::Failure;
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::{Capability, Operator};

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
    /// The chunk will never come; its place in the order counts as present.
    Gap,
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

/// The rows that stand, as differences.
pub fn remember<'scope>(
    scanned: StreamVec<'scope, u64, Scanned>,
) -> VecCollection<'scope, u64, (Position, ScanRow), isize> {
    let route = Exchange::new(|scanned: &Scanned| scanned.position.0);
    scanned
        .unary_frontier(route, "Remember", move |_, _| {
            let mut pending: BTreeMap<u64, (Capability<u64>, Vec<Scanned>)> = BTreeMap::new();
            let mut known: HashMap<Position, Vec<ScanRow>> = HashMap::new();
            move |(input, frontier), output| {
                input.for_each(|capability, items| {
                    let Some(capability) = capability.retain_least(0) else {
                        return;
                    };
                    let epoch = *capability.time();
                    let (_, waiting) = pending
                        .entry(epoch)
                        .or_insert_with(|| (capability, Vec::new()));
                    waiting.append(items);
                });
                while let Some(first) = pending.first_entry() {
                    if frontier.less_equal(first.key()) {
                        break; // an earlier epoch may still say something of the same chunk
                    }
                    let (epoch, (capability, scanned)) = first.remove_entry();
                    let mut diffs = Vec::new();
                    for Scanned { position, mut rows } in scanned {
                        rows.sort();
                        rows.dedup();
                        diffs.extend(rows.iter().map(|row| ((position, row.clone()), 1)));
                        let before = if rows.is_empty() {
                            known.remove(&position)
                        } else {
                            known.insert(position, rows)
                        };
                        let before = before.into_iter().flatten();
                        diffs.extend(before.map(|row| ((position, row), -1)));
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
