//! Results leave the dataflow as whole epochs, consolidated, in order, also when nothing changed,
//! so that a store can write one epoch in one transaction.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::{ExchangeData, VecCollection};
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;

/// What the receiver of results sees, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery<D> {
    /// Everything that changed in one epoch, sorted by data, no zero and no repeated row.
    Epoch {
        /// The epoch.
        epoch: u64,
        /// Rows and how their multiplicity changes.
        changes: Vec<(D, isize)>,
    },
    /// The dataflow is complete. A receiver that hangs up without it was cancelled.
    End,
}

/// Hands `collection` to `send` on worker `owner`, one epoch at a time, from epoch `from` on
/// (earlier epochs are already stored). `send` must not block.
///
/// When the inputs are dropped, the frontier may jump from any epoch straight to empty, and then
/// nothing in it tells how many epochs there were: the owner keeps the returned cell at the number
/// of epochs admitted, and trailing epochs without changes are delivered too.
pub fn deliver<'scope, D: ExchangeData>(
    collection: VecCollection<'scope, u64, D, isize>,
    owner: usize,
    from: u64,
    mut send: impl FnMut(Delivery<D>) + 'static,
) -> Rc<Cell<u64>> {
    let admitted = Rc::new(Cell::new(from));
    let known = Rc::clone(&admitted);
    let mine = collection.scope().index() == owner;
    let mut waiting: BTreeMap<u64, Vec<(D, isize)>> = BTreeMap::new();
    let mut next = from;
    let mut ended = false;
    collection.inner.sink(
        Exchange::new(move |_| owner as u64),
        "Deliver",
        move |(input, frontier)| {
            input.for_each(|_, rows| {
                for (data, epoch, diff) in rows.drain(..).filter(|(_, epoch, _)| *epoch >= from) {
                    waiting.entry(epoch).or_default().push((data, diff));
                }
            });
            if !mine || ended {
                return;
            }
            let upper = frontier.frontier().first().copied();
            let end = upper.unwrap_or_else(|| known.get());
            while next < end {
                let mut changes = waiting.remove(&next).unwrap_or_default();
                consolidate(&mut changes);
                send(Delivery::Epoch {
                    epoch: next,
                    changes,
                });
                next += 1;
            }
            if upper.is_none() {
                ended = true;
                send(Delivery::End);
            }
        },
    );
    admitted
}
