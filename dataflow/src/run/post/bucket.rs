//! Sinks that follow a directory are told when it has changed, behind what changed it.

use matchcut_model::chunk::Epoch;
use matchcut_sinks::bucket::Tick;
use matchcut_sinks::messages::MadeOf;

use super::{End, Payloads, Teller};

pub(super) struct BucketTeller;

fn tick(epoch: Epoch, ended: bool) -> Payloads {
    let epoch = epoch.0;
    Ok(vec![serde_json::to_string(&Tick { epoch, ended })?])
}

impl Teller for BucketTeller {
    fn of_clips(&self, (epoch, _): (Epoch, bool), _: &MadeOf<'_>) -> Payloads {
        tick(epoch, false)
    }

    fn of_versions(&self, epoch: Epoch) -> Payloads {
        tick(epoch, false)
    }

    fn of_end(&self, end: &End<'_>) -> Payloads {
        tick(end.state.epoch().unwrap_or(Epoch(0)), true)
    }
}
