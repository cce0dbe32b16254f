//! Rows wait here until their epoch is complete: an operator that decides by everything that is said in
//! an epoch takes them epoch by epoch, in order, and sees each once.

use std::collections::BTreeMap;

use timely::dataflow::operators::Capability;
use timely::progress::frontier::MutableAntichain;

/// Rows of epochs that may still grow.
pub struct Epochs<R> {
    waiting: BTreeMap<u64, (Capability<u64>, Vec<R>)>,
}

impl<R> Epochs<R> {
    /// None yet.
    pub fn new() -> Self {
        let waiting = BTreeMap::new();
        Epochs { waiting }
    }

    /// Takes rows of the epoch of their message; `None` for a message that has no time, and so no rows.
    pub fn receive(&mut self, capability: Option<Capability<u64>>, rows: &mut Vec<R>) {
        if let Some(capability) = capability {
            let epoch = *capability.time();
            self.waiting_for(epoch, &capability).append(rows);
        }
    }

    /// The next epoch of which everything was said behind `frontier`: its number, what its results are
    /// told with, and its rows as they came.
    pub fn next(
        &mut self,
        frontier: &MutableAntichain<u64>,
    ) -> Option<(u64, Capability<u64>, Vec<R>)> {
        let first = self.waiting.first_entry()?;
        if frontier.less_equal(first.key()) {
            return None;
        }
        let (epoch, (capability, rows)) = first.remove_entry();
        Some((epoch, capability, rows))
    }

    fn waiting_for(&mut self, epoch: u64, capability: &Capability<u64>) -> &mut Vec<R> {
        let held = || (capability.delayed(&epoch), Vec::new());
        &mut self.waiting.entry(epoch).or_insert_with(held).1
    }
}

impl<D> Epochs<(D, isize)> {
    /// The same for differences, each of which names its own epoch.
    pub fn receive_differences(
        &mut self,
        capability: Option<Capability<u64>>,
        rows: &mut Vec<(D, u64, isize)>,
    ) {
        let Some(capability) = capability else {
            return;
        };
        for (row, epoch, diff) in rows.drain(..) {
            self.waiting_for(epoch, &capability).push((row, diff));
        }
    }
}
