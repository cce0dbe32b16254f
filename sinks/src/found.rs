//! Observations found by time, for everything that is said of a segment from what was observed in it.

use matchcut_model::observation::Observation;
use matchcut_model::time::{MediaTime, TimeRange};

/// Observations by start.
#[derive(Debug)]
pub(crate) struct Observed<'a> {
    sorted: Vec<&'a Observation>,
    /// No observation is longer: how far back a look has to go.
    longest: MediaTime,
}

impl<'a> Observed<'a> {
    pub(crate) fn new(observations: impl Iterator<Item = &'a Observation>) -> Self {
        let mut sorted: Vec<_> = observations.collect();
        sorted.sort_by_key(|observation| observation.start);
        let longest = sorted
            .iter()
            .map(|o| o.end - o.start)
            .max()
            .unwrap_or_default();
        Observed { sorted, longest }
    }

    /// Those with an instant in common with `range`, by start.
    pub(crate) fn during(&self, range: TimeRange) -> impl Iterator<Item = &'a Observation> + '_ {
        let first = self
            .sorted
            .partition_point(|o| o.start + self.longest < range.start);
        self.sorted
            .get(first..)
            .unwrap_or_default()
            .iter()
            .copied()
            .take_while(move |observation| observation.start < range.end)
            .filter(move |observation| observation.intersects(&range))
    }
}
