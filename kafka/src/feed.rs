//! What is said of an event on a topic, read by a thread of its own as it comes. How far it was read is kept by
//! whoever takes what was heard, together with what became of it; nothing is committed to the broker.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as Client;
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client::{CALL, Details, consumer};
use crate::error::KafkaError;
use crate::options::KafkaOptions;

/// Messages that wait to be taken.
const WAITING: usize = 10_000;

/// Pauses between attempts to reach a broker.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long the end of an event waits for the end of each partition.
const CATCH_UP: Duration = Duration::from_secs(5);

/// Where a topic is begun that was never read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum From {
    /// At its first message: what was said before the run began counts.
    #[default]
    Earliest,
    /// Behind its last message; a run that is taken up begins there again in partitions of which nothing
    /// was heard yet.
    Latest,
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The partition.
    pub partition: i32,
    /// Its number there.
    pub offset: i64,
    /// What it says.
    pub value: Vec<u8>,
}

/// What the thread and its owner share.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// Partitions that were read to their end at least once.
    ends: Mutex<Option<BTreeMap<i32, bool>>>,
    trouble: Mutex<Option<String>>,
}

/// A topic that is listened to.
pub struct KafkaFeed {
    topic: String,
    heard: Receiver<Heard>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What to listen to.
#[derive(Clone, Debug)]
pub struct Listen {
    /// How to reach a broker.
    pub options: KafkaOptions,
    /// The topic.
    pub topic: String,
    /// Only messages with this key, or without any, are heard.
    pub key: String,
    /// Where it is begun.
    pub from: From,
    /// The next offset of partitions that were read before.
    pub next: BTreeMap<i32, i64>,
}

impl KafkaFeed {
    /// Begins to listen. A broker that cannot be reached is tried again and again.
    pub fn start(listen: Listen) -> std::io::Result<Self> {
        let (sender, heard) = sync_channel(WAITING);
        let shared = Arc::new(Shared::default());
        let topic = listen.topic.clone();
        let ear = Ear {
            next: listen.next.clone(),
            listen,
            sender,
            shared: Arc::clone(&shared),
        };
        let thread = std::thread::Builder::new()
            .name(format!("listen {topic}"))
            .spawn(move || ear.run())?;
        Ok(KafkaFeed {
            topic,
            heard,
            shared,
            thread: Some(thread),
        })
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// What was heard since the last call.
    pub fn take(&self) -> Vec<Heard> {
        self.heard.try_iter().collect()
    }

    /// What was heard until every partition was at its end, for the end of an event; a broker that is not
    /// reached is not waited for long.
    pub fn take_rest(&self) -> Vec<Heard> {
        {
            let mut ends = self.lock_ends();
            for at_end in ends.iter_mut().flat_map(BTreeMap::values_mut) {
                *at_end = false;
            }
        }
        let deadline = Instant::now() + CATCH_UP;
        let mut all = Vec::new();
        while Instant::now() < deadline {
            all.extend(self.take());
            let done = self
                .lock_ends()
                .as_ref()
                .is_some_and(|ends| ends.values().all(|&at_end| at_end));
            if done {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        all.extend(self.take());
        all
    }

    /// Why nothing can be heard, told once each time.
    pub fn trouble(&self) -> Option<String> {
        let mut trouble = self
            .shared
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        trouble.take()
    }

    fn lock_ends(&self) -> std::sync::MutexGuard<'_, Option<BTreeMap<i32, bool>>> {
        self.shared
            .ends
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for KafkaFeed {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread does.
struct Ear {
    listen: Listen,
    next: BTreeMap<i32, i64>,
    sender: SyncSender<Heard>,
    shared: Arc<Shared>,
}

impl Ear {
    fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        let mut told = false;
        while !self.stops() {
            let Err(error) = self.listen(&mut told) else {
                return;
            };
            if !std::mem::replace(&mut told, true) {
                let mut trouble = self
                    .shared
                    .trouble
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                *trouble = Some(error.to_string());
            }
            if error.is_final() {
                return;
            }
            let until = Instant::now() + pause;
            while Instant::now() < until && !self.stops() {
                std::thread::sleep(Duration::from_millis(50));
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn stops(&self) -> bool {
        self.shared.stop.load(Ordering::SeqCst)
    }

    /// Listens until it is to stop, or something goes wrong.
    fn listen(&mut self, told: &mut bool) -> Result<(), KafkaError> {
        let failed = KafkaError::of("the topic cannot be read");
        let reader: BaseConsumer<Details> = consumer(&self.listen.options)?
            .create_with_context(Details)
            .map_err(&failed)?;
        let topic = self.listen.topic.as_str();
        let metadata = reader.fetch_metadata(Some(topic), CALL).map_err(&failed)?;
        let partitions: Vec<i32> = metadata
            .topics()
            .iter()
            .flat_map(|topic| topic.partitions())
            .map(|partition| partition.id())
            .collect();
        if partitions.is_empty() {
            return Err(KafkaError::NoTopic {
                topic: topic.to_owned(),
                reason: None,
                command: format!("kafka-topics.sh --create --topic {topic}"),
            });
        }
        let mut from = TopicPartitionList::new();
        for &partition in &partitions {
            let at = match self.next.get(&partition) {
                Some(&next) => Offset::Offset(next),
                None if self.listen.from == From::Earliest => Offset::Beginning,
                None => Offset::End,
            };
            from.add_partition_offset(topic, partition, at)
                .map_err(&failed)?;
        }
        reader.assign(&from).map_err(&failed)?;
        {
            let mut ends = self
                .shared
                .ends
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *ends = Some(partitions.iter().map(|&id| (id, false)).collect());
        }
        while !self.stops() {
            match reader.poll(Duration::from_millis(100)) {
                // Asked of the broker only when nothing comes: it is a call for each partition.
                None => self.still_at_end(&reader),
                Some(Err(Client::PartitionEOF(partition))) => {
                    *told = false;
                    self.at_end(partition);
                }
                Some(Err(error)) => return Err(failed(error)),
                Some(Ok(message)) => {
                    *told = false;
                    let (partition, offset) = (message.partition(), message.offset());
                    let mine = message
                        .key()
                        .is_none_or(|key| key.is_empty() || key == self.listen.key.as_bytes());
                    if let (true, Some(value)) = (mine, message.payload()) {
                        let value = value.to_vec();
                        self.send(Heard {
                            partition,
                            offset,
                            value,
                        });
                    }
                    self.next.insert(partition, offset + 1);
                }
            }
        }
        Ok(())
    }

    fn at_end(&self, partition: i32) {
        let mut ends = self
            .shared
            .ends
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(at_end) = ends.as_mut().and_then(|ends| ends.get_mut(&partition)) {
            *at_end = true;
        }
    }

    /// The client says once that a partition is at its end. Whoever asks later is told by comparing where
    /// it stands with where the partition ends.
    fn still_at_end(&self, reader: &BaseConsumer<Details>) {
        let open: Vec<i32> = {
            let ends = self
                .shared
                .ends
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let all = ends.iter().flatten();
            all.filter(|(_, at_end)| !**at_end)
                .map(|(&partition, _)| partition)
                .collect()
        };
        if open.is_empty() {
            return;
        }
        let Ok(position) = reader.position() else {
            return;
        };
        for partition in open {
            let at = position
                .find_partition(&self.listen.topic, partition)
                .and_then(|at| at.offset().to_raw());
            let Some(at) = at.filter(|&at| at >= 0) else {
                continue;
            };
            let ends = reader.fetch_watermarks(&self.listen.topic, partition, CALL);
            if ends.is_ok_and(|(_, end)| at >= end) {
                self.at_end(partition);
            }
        }
    }

    /// Waits while too much waits to be taken.
    fn send(&self, heard: Heard) {
        let mut heard = heard;
        while !self.stops() {
            match self.sender.try_send(heard) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(back)) => {
                    heard = back;
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        }
    }
}
