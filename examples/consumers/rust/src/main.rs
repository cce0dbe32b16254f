//! Follows the segments of events, as they come, change and go.
//!
//! ```sh
//! cargo run -- localhost:9092 matchcut
//! ```

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use serde_json::Value;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let brokers = args.next().unwrap_or_else(|| "localhost:9092".to_owned());
    let prefix = args.next().unwrap_or_else(|| "matchcut".to_owned());
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "follow-rust")
        .set("auto.offset.reset", "earliest")
        // What was committed and nothing else: every change is seen once.
        .set("isolation.level", "read_committed")
        .create()?;
    consumer.subscribe(&[&format!("{prefix}.segments.v1")])?;
    loop {
        let Some(message) = consumer.poll(Duration::from_secs(1)) else {
            continue;
        };
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                eprintln!("waiting: {error}");
                continue;
            }
        };
        let value: Value = serde_json::from_slice(message.payload().unwrap_or_default())?;
        let segment = &value["segment"];
        println!(
            "{}  {} {} - {}  {}  {}",
            value["event"].as_str().unwrap_or_default(),
            segment["operator"].as_str().unwrap_or_default(),
            segment["start"],
            segment["end"],
            value["changes"],
            segment["label"].as_str().unwrap_or_default(),
        );
    }
}
