//! Rows wait here until their epoch is complete: an operator that decides by everything that is said in
//! an epoch takes them epoch by epoch, in order, and sees each once.

use std::collections::BTreeMap;

use timely::dataflow::operators::Capability;
use timely::progress::frontier::MutableAntichain;

/// Rows with their differences.
type Rows<D> = Vec<(D, isize)>;

/// Rows of epochs that may still grow.
pub struct Epochs<D> {
    waiting: BTreeMap<u64, (Capability<u64>, Rows<D>)>,
}

/// An epoch of which everything was said.
pub struct CompleteEpoch<D> {
    /// Its number.
    pub epoch: u64,
    /// With this its results are told.
    pub capability: Capability<u64>,
    /// What was said, as it came.
    pub rows: Vec<(D, isize)>,
}

impl<D> Epochs<D> {
    /// None yet.
    pub fn new() -> Self {
        let waiting = BTreeMap::new();
        Epochs { waiting }
    }

    /// Takes the rows of a message; `None` for a message that has no time, and so no rows.
    pub fn receive(
        &mut self,
        capability: Option<Capability<u64>>,
        rows: &mut Vec<(D, u64, isize)>,
    ) {
        let Some(capability) = capability else {
            return;
        };
        for (row, epoch, diff) in rows.drain(..) {
            let held = || (capability.delayed(&epoch), Vec::new());
            let (_, waiting) = self.waiting.entry(epoch).or_insert_with(held);
            waiting.push((row, diff));
        }
    }

    /// The next epoch that is complete behind `frontier`.
    pub fn next(&mut self, frontier: &MutableAntichain<u64>) -> Option<CompleteEpoch<D>> {
        let first = self.waiting.first_entry()?;
        if frontier.less_equal(first.key()) {
            return None;
        }
        let (epoch, (capability, rows)) = first.remove_entry();
        Some(CompleteEpoch {
            epoch,
            capability,
            rows,
        })
    }
}
