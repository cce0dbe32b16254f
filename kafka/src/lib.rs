//! Topics of an event in Apache Kafka: what is told of it is written there exactly once, and what is said
//! of it there is read. This crate alone knows Kafka and its client.

mod client;
mod error;
mod feed;
mod options;
mod progress;
mod sink;
mod topics;

pub use error::KafkaError;
pub use feed::{From, Heard, KafkaFeed, Listen};
pub use options::{Compression, FeedOptions, KafkaOptions, Mechanism, Security};
pub use sink::KafkaSink;
pub use topics::{PROGRESS, name_of, prepare};
