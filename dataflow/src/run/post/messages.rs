//! Sinks that carry messages are told everything that changes.

use matchcut_model::chunk::Epoch;
use matchcut_model::value::Name;
use matchcut_sinks::messages::{MadeOf, Message, Messages, Told};
use matchcut_sinks::{EventInfo, ReplayInfo};

use super::{End, Payloads, Teller};
use crate::plan::PlanReplay;

pub(super) struct MessageTeller(Messages);

impl MessageTeller {
    pub fn new(info: EventInfo) -> Self {
        MessageTeller(Messages::new(info))
    }
}

fn written(messages: &[Message]) -> Payloads {
    messages.iter().map(serde_json::to_string).collect()
}

impl Teller for MessageTeller {
    fn of_epoch(&mut self, told: &Told<'_>) -> Payloads {
        written(&self.0.of_epoch(told)?)
    }

    fn of_clips(&self, (epoch, at_end): (Epoch, bool), clips: &MadeOf<'_>) -> Payloads {
        written(&self.0.of_clips(epoch, at_end, clips))
    }

    fn of_end(&self, end: &End<'_>) -> Payloads {
        let takes = |name: &_| end.wanted.takes_replay(name) && end.replays.contains(name);
        written(
            &self
                .0
                .of_end(end.state, &end.media.replays, takes, end.again),
        )
    }

    fn ask(&mut self, replay: &PlanReplay, info: ReplayInfo) {
        self.0.ask(&replay.name, info);
    }

    fn withdraw(&mut self, name: &Name) {
        self.0.withdraw(name);
    }
}
