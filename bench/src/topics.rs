//! When complete segments can be read from the topics of a run, by a consumer that reads what was committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use matchcut_dataflow::plan::Plan;
use matchcut_kafka::{From, KafkaFeed, KafkaOptions, Listen, name_of, prepare};
use matchcut_operators::sdk::parse_options;
use matchcut_sinks::messages::Topic;
use serde_json::Value as Json;

use crate::Error;

/// Consumers of the topics of a run.
pub struct Listeners {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<(u64, SystemTime)>>>,
}

/// Begins to read the segments of every Kafka sink of a plan.
pub fn listen(plan: &Plan) -> Result<Listeners, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut threads = Vec::new();
    for sink in plan.sinks.iter().filter(|sink| sink.kind == "kafka") {
        let options: KafkaOptions = parse_options(&sink.options).unwrap_or_default();
        prepare(&options)?;
        let feed = KafkaFeed::start(Listen {
            topic: name_of(&options, Topic::Segments),
            options,
            key: plan.pipeline.event().to_owned(),
            from: From::Latest,
            next: Default::default(),
        })?;
        let stop = Arc::clone(&stop);
        threads.push(thread::Builder::new().spawn(move || read(&feed, &stop))?);
    }
    Ok(Listeners { stop, threads })
}

fn read(feed: &KafkaFeed, stop: &AtomicBool) -> Vec<(u64, SystemTime)> {
    let mut arrived = Vec::new();
    loop {
        let last = stop.load(Ordering::SeqCst);
        let heard = match last {
            true => feed.take_rest(),
            false => feed.take(),
        };
        let at = SystemTime::now();
        for heard in heard {
            let value: Json = serde_json::from_slice(&heard.value).unwrap_or_default();
            let complete = value["segment"]["end"].is_number() && value["change"] != "retracted";
            if let (Some(epoch), true) = (value["epoch"].as_u64(), complete) {
                arrived.push((epoch, at));
            }
        }
        if last {
            return arrived;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

impl Listeners {
    /// The epochs of the segments that have arrived, and when.
    pub fn arrived(self) -> Vec<(u64, SystemTime)> {
        self.stop.store(true, Ordering::SeqCst);
        let joined = self.threads.into_iter().map(JoinHandle::join);
        joined.flatten().flatten().collect()
    }
}
