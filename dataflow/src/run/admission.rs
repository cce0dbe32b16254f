//! Backpressure by credits, as timely has none: a source waits here for the number of its next
//! input while too many epochs or bytes are in flight. Credits return when an epoch is committed.
//! One input larger than the whole budget is admitted alone, otherwise it would wait for ever.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use matchcut_model::chunk::Epoch;

struct State {
    next: u64,
    in_flight: BTreeMap<u64, u64>,
    bytes: u64,
    closed: bool,
}

/// Admits at most `epochs` epochs and `bytes` bytes at a time.
#[derive(Clone)]
pub struct Gate {
    state: Arc<(Mutex<State>, Condvar)>,
    epochs: usize,
    bytes: u64,
}

impl Gate {
    /// `next` is the first epoch to admit.
    pub fn new(next: Epoch, epochs: usize, bytes: u64) -> Gate {
        let state = State {
            next: next.0,
            in_flight: BTreeMap::new(),
            bytes: 0,
            closed: false,
        };
        Gate {
            state: Arc::new((Mutex::new(state), Condvar::new())),
            epochs: epochs.max(1),
            bytes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room and returns the epoch of this input, or `None` once the gate is closed.
    pub fn admit(&self, bytes: u64) -> Option<Epoch> {
        let full = |s: &mut State| {
            let room = s.in_flight.len() < self.epochs && s.bytes + bytes <= self.bytes;
            !(s.closed || room || s.in_flight.is_empty())
        };
        let mut state = self
            .state
            .1
            .wait_while(self.lock(), full)
            .unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return None;
        }
        let epoch = state.next;
        state.next += 1;
        state.bytes += bytes;
        state.in_flight.insert(epoch, bytes);
        Some(Epoch(epoch))
    }

    /// All epochs up to and including `epoch` are committed.
    pub fn committed(&self, epoch: Epoch) {
        let mut state = self.lock();
        while let Some(first) = state
            .in_flight
            .first_entry()
            .filter(|e| *e.key() <= epoch.0)
        {
            let bytes = first.remove();
            state.bytes -= bytes;
            self.state.1.notify_all();
        }
    }

    /// Lets every waiting source go, for shutdown.
    pub fn close(&self) {
        self.lock().closed = true;
        self.state.1.notify_all();
    }

    /// Epochs and bytes in flight.
    pub fn in_flight(&self) -> (usize, u64) {
        let state = self.lock();
        (state.in_flight.len(), state.bytes)
    }

    /// The number of epochs admitted since the log began.
    pub fn admitted(&self) -> u64 {
        self.lock().next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn the_window_is_used_and_never_exceeded() {
        let gate = Gate::new(Epoch(7), 2, 100);
        assert_eq!(gate.admit(10), Some(Epoch(7)));
        assert_eq!(gate.admit(90), Some(Epoch(8)));
        assert_eq!(gate.in_flight(), (2, 100));
        let waiting = thread::spawn({
            let gate = gate.clone();
            move || gate.admit(5_000)
        });
        gate.committed(Epoch(7));
        assert_eq!(
            gate.in_flight(),
            (1, 90),
            "too large while anything is in flight"
        );
        gate.committed(Epoch(8));
        assert_eq!(waiting.join().unwrap(), Some(Epoch(9)), "admitted alone");
        assert_eq!(gate.in_flight(), (1, 5_000));
    }

    #[test]
    fn a_closed_gate_lets_sources_go() {
        let gate = Gate::new(Epoch(0), 1, 10);
        assert_eq!(gate.admit(1), Some(Epoch(0)));
        let waiting = thread::spawn({
            let gate = gate.clone();
            move || gate.admit(1)
        });
        gate.close();
        assert_eq!(waiting.join().unwrap(), None);
    }
}
