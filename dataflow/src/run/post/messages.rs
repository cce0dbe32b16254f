//! Sinks that carry messages are told everything that changes.

use matchcut_model::chunk::Epoch;
use matchcut_sinks::EventInfo;
use matchcut_sinks::messages::{MadeOf, Message, Messages, Told};

use super::{End, Payloads, Teller};

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
        let takes = |name: &_| end.wanted.takes_replay(name);
        written(&self.0.of_end(end.state, &end.media.replays, takes))
    }
}
