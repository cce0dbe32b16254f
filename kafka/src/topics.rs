//! The topics of a sink: their names, and that they are there.

use std::collections::BTreeSet;

use futures_executor::block_on;
use matchcut_sinks::messages::Topic;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::types::RDKafkaErrorCode as Code;

use crate::client::{CALL, Details, config};
use crate::error::KafkaError;
use crate::options::KafkaOptions;

/// The topic that says how much of each event has arrived.
pub const PROGRESS: &str = "progress.v1";

/// A topic as it is to be.
struct Wanted {
    name: String,
    partitions: u32,
    is_state: bool,
}

/// The name of a topic.
pub fn name_of(options: &KafkaOptions, topic: Topic) -> String {
    format!("{}.{}", options.prefix, topic.suffix())
}

pub(crate) fn progress(options: &KafkaOptions) -> String {
    format!("{}.{PROGRESS}", options.prefix)
}

fn wanted(options: &KafkaOptions) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = Topic::ALL
        .iter()
        .map(|&topic| Wanted {
            name: name_of(options, topic),
            partitions: options.partitions,
            is_state: topic.is_state(),
        })
        .collect();
    wanted.push(Wanted {
        name: progress(options),
        partitions: 1,
        is_state: true,
    });
    wanted
}

/// Sees to it that all topics of a sink are there, before anything is published.
pub fn prepare(options: &KafkaOptions) -> Result<(), KafkaError> {
    let producer: BaseProducer<Details> = config(options)?
        .create_with_context(Details)
        .map_err(KafkaError::of("the Kafka client cannot be made"))?;
    ensure(options, &producer)
}

/// Sees to it that all topics are there.
pub(crate) fn ensure(
    options: &KafkaOptions,
    producer: &impl Producer<Details>,
) -> Result<(), KafkaError> {
    let there = producer
        .client()
        .fetch_metadata(None, CALL)
        .map_err(KafkaError::of(
            "the brokers cannot be asked for their topics",
        ))?;
    let there: BTreeSet<&str> = there.topics().iter().map(|topic| topic.name()).collect();
    let mut missing = wanted(options);
    missing.retain(|topic| !there.contains(topic.name.as_str()));
    let Some(first) = missing.first() else {
        return Ok(());
    };
    if !options.create_topics {
        return Err(no_topic(options, first, None));
    }
    create(options, &missing)
}

fn create(options: &KafkaOptions, missing: &[Wanted]) -> Result<(), KafkaError> {
    const WHAT: &str = "topics cannot be created";
    let admin: AdminClient<Details> = config(options)?
        .create_with_context(Details)
        .map_err(KafkaError::of(WHAT))?;
    let copies = options
        .replication
        .and_then(|copies| i32::try_from(copies).ok());
    let topics: Vec<NewTopic<'_>> = missing
        .iter()
        .map(|topic| {
            let partitions = i32::try_from(topic.partitions).unwrap_or(1);
            let copies = TopicReplication::Fixed(copies.unwrap_or(-1));
            let new = NewTopic::new(&topic.name, partitions, copies);
            match topic.is_state {
                true => new.set("cleanup.policy", "compact"),
                false => new,
            }
        })
        .collect();
    let limits = AdminOptions::new()
        .operation_timeout(Some(CALL))
        .request_timeout(Some(CALL));
    let created = block_on(admin.create_topics(&topics, &limits)).map_err(KafkaError::of(WHAT))?;
    for (result, topic) in created.into_iter().zip(missing) {
        match result {
            // Somebody else was quicker.
            Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(no_topic(options, topic, Some(code.to_string()))),
        }
    }
    tracing::info!(
        topics = missing.len(),
        prefix = options.prefix,
        "topics created"
    );
    Ok(())
}

fn no_topic(options: &KafkaOptions, topic: &Wanted, reason: Option<String>) -> KafkaError {
    let broker = options.brokers.first().map_or("HOST:PORT", String::as_str);
    let mut command = format!(
        "kafka-topics.sh --bootstrap-server {broker} --create --topic {} --partitions {}",
        topic.name, topic.partitions
    );
    if topic.is_state {
        command.push_str(" --config cleanup.policy=compact");
    }
    if reason.is_none() {
        command.push_str("; or set create_topics = true");
    }
    KafkaError::NoTopic {
        topic: topic.name.clone(),
        reason,
        command,
    }
}
