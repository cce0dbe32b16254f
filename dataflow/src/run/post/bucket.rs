//! Sinks that follow a directory are told when it has changed, behind what changed it.

use matchcut_model::chunk::Epoch;
use matchcut_sinks::bucket::Tick;
use matchcut_sinks::messages::MadeOf;

use super::{End, Payloads, Teller};

pub(super) struct BucketTeller;

fn tick(ended: bool) -> Payloads {
    let removed = false;
    Ok(vec![serde_json::to_string(&Tick { ended, removed })?])
}

impl Teller for BucketTeller {
    fn of_clips(&self, _: (Epoch, bool), _: &MadeOf<'_>) -> Payloads {
        tick(false)
    }

    fn of_versions(&self) -> Payloads {
        tick(false)
    }

    fn of_end(&self, _: &End<'_>) -> Payloads {
        tick(true)
    }
}
