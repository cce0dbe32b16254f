//! Which audio tracks a segment is optimized for.

use std::collections::BTreeSet;

use matchcut_model::chunk::TrackNumber;

use crate::sdk::Step;

/// The tracks heard so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tracks(BTreeSet<TrackNumber>);

impl Tracks {
    pub(crate) fn see(&mut self, step: &Step<'_>) {
        self.0
            .extend(step.extent.iter().flat_map(|extent| &extent.audio_tracks));
    }

    /// All of them; track 1 where nothing is heard.
    pub(crate) fn all(&self) -> Vec<TrackNumber> {
        if self.0.is_empty() {
            return vec![TrackNumber::FIRST];
        }
        self.0.iter().copied().collect()
    }
}
