//! Clients of a broker, from the options of a sink. What the client library logs goes where this program
//! logs, at the level of details, because what matters comes back as an error.

use std::fs;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError as Client;
use rdkafka::producer::{DeliveryResult, ProducerContext};

use crate::error::KafkaError;
use crate::options::{Compression, KafkaOptions, Mechanism, Security};

/// A call of a broker may take so long.
pub(crate) const CALL: Duration = Duration::from_secs(10);

/// Passes on what the client library says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Details;

impl ClientContext for Details {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "librdkafka");
    }

    fn error(&self, error: Client, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
    }
}

impl ConsumerContext for Details {}

impl ProducerContext for Details {
    type DeliveryOpaque = ();

    // A transaction that is committed says that everything in it has arrived.
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// What all clients of a sink have in common.
pub(crate) fn config(options: &KafkaOptions) -> Result<ClientConfig, KafkaError> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", options.brokers.join(","));
    config.set("client.id", "matchcut");
    config.set("reconnect.backoff.max.ms", "2000");
    config.set("allow.auto.create.topics", "false");
    let protocol = match options.security {
        Security::Plaintext => "plaintext",
        Security::Ssl => "ssl",
        Security::SaslPlaintext => "sasl_plaintext",
        Security::SaslSsl => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if let Some(username) = &options.username {
        let mechanism = match options.mechanism {
            Mechanism::Plain => "PLAIN",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
        };
        config.set("sasl.mechanisms", mechanism);
        config.set("sasl.username", username);
        config.set("sasl.password", password(options)?);
    }
    let files = [
        ("ssl.ca.location", &options.ca),
        ("ssl.certificate.location", &options.certificate),
        ("ssl.key.location", &options.key),
    ];
    for (name, file) in files {
        if let Some(file) = file {
            config.set(name, file);
        }
    }
    for (name, value) in &options.properties {
        config.set(name, value);
    }
    Ok(config)
}

/// A producer makes transactions under `id`.
pub(crate) fn producer(options: &KafkaOptions, id: &str) -> Result<ClientConfig, KafkaError> {
    let mut config = config(options)?;
    let codec = match options.compression {
        Compression::None => "none",
        Compression::Gzip => "gzip",
        Compression::Snappy => "snappy",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
    };
    config.set("compression.codec", codec);
    config.set("enable.idempotence", "true");
    config.set("transactional.id", id);
    let has = |name: &str| options.properties.contains_key(name);
    if !has("linger.ms") && !has("queue.buffering.max.ms") {
        // The end of a transaction sends at once what still waits for more, so this delays nobody.
        config.set("linger.ms", "20");
    }
    if !has("message.max.bytes") {
        // The broker counts compressed bytes and decides; a replay of a thousand pieces is a megabyte of JSON.
        config.set("message.max.bytes", "16000000");
    }
    if !has("transaction.timeout.ms") {
        config.set("transaction.timeout.ms", "30000");
        config.set("message.timeout.ms", "25000");
    }
    Ok(config)
}

/// A consumer that reads what was committed, and says where a partition ends.
pub(crate) fn consumer(options: &KafkaOptions) -> Result<ClientConfig, KafkaError> {
    let mut config = config(options)?;
    config.set("group.id", "matchcut");
    config.set("enable.auto.commit", "false");
    config.set("enable.partition.eof", "true");
    config.set("isolation.level", "read_committed");
    config.set("auto.offset.reset", "earliest");
    // What only producers know.
    for name in options.properties.keys() {
        if OF_PRODUCERS.iter().any(|own| name.starts_with(own)) {
            config.remove(name);
        }
    }
    Ok(config)
}

/// Settings that consumers warn of.
const OF_PRODUCERS: [&str; 7] = [
    "linger.ms",
    "batch.",
    "queue.buffering.",
    "message.timeout.ms",
    "transaction.timeout.ms",
    "delivery.",
    "message.max.bytes",
];

fn password(options: &KafkaOptions) -> Result<String, KafkaError> {
    if let Some(name) = &options.password_env {
        return std::env::var(name).map_err(|_| {
            KafkaError::Secret(format!("the variable {name} of the environment is not set"))
        });
    }
    let Some(path) = &options.password_file else {
        return Ok(String::new());
    };
    let text = fs::read_to_string(path)
        .map_err(|error| KafkaError::Secret(format!("{path} cannot be read: {error}")))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
