//! How long a program is waited for: only the time in which nothing else is done counts, so that a slow
//! decoder is not held against it.

use std::time::{Duration, Instant};

/// What is left of a time limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    limit: Duration,
    left: Duration,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Patience { limit, left: limit }
    }

    /// The whole limit.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Waits by `wait`, which is told how long it may.
    pub(super) fn wait<T>(&mut self, wait: impl FnOnce(Duration) -> T) -> T {
        let begun = Instant::now();
        let result = wait(self.left);
        self.left = self.left.saturating_sub(begun.elapsed());
        result
    }
}
