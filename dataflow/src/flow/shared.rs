//! Equal attributes are kept once. A featurer says the same few things thousands of times in an event,
//! and everything that it said is kept.

use std::collections::HashSet;

use matchcut_model::value::Attributes;

/// So many different attributes are known at a time: those of one featurer over minutes.
const KNOWN: usize = 4096;

/// Attributes that were seen lately.
#[derive(Debug, Default)]
pub struct Shared(HashSet<Attributes>);

impl Shared {
    /// Equal attributes, in the same place as those that were seen before.
    pub fn share(&mut self, attributes: Attributes) -> Attributes {
        if let Some(known) = self.0.get(&attributes) {
            return known.clone();
        }
        if self.0.len() >= KNOWN {
            self.0.clear();
        }
        self.0.insert(attributes.clone());
        attributes
    }
}
