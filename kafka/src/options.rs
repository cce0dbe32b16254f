//! Options of a Kafka sink, as they stand in a spec. Secrets are named and never written down.

use std::collections::BTreeMap;
use std::time::Duration;

use matchcut_model::time::MediaTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::feed::From;

/// How a connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// Not at all.
    #[default]
    Plaintext,
    /// By TLS.
    Ssl,
    /// With a user, in the clear.
    SaslPlaintext,
    /// With a user, by TLS.
    SaslSsl,
}

/// How a user is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// User and password as they are.
    Plain,
    /// By challenge, SHA-256.
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// By challenge, SHA-512.
    #[default]
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
}

/// How messages are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// DEFLATE.
    Gzip,
    /// Snappy.
    Snappy,
    /// LZ4.
    Lz4,
    /// Zstandard.
    #[default]
    Zstd,
}

/// Options of the `kafka` sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaOptions {
    /// Brokers to ask first, each HOST:PORT.
    pub brokers: Vec<String>,
    /// What names of topics begin with: PREFIX.segments.v1 and so on.
    pub prefix: String,
    /// Whether topics that are missing are created.
    pub create_topics: bool,
    /// Partitions of topics that are created. Messages of one event stay in one partition.
    #[schemars(range(min = 1, max = 10_000))]
    pub partitions: u32,
    /// Copies of topics that are created; what the broker is set to where nothing is said.
    #[schemars(range(min = 1, max = 100))]
    pub replication: Option<u32>,
    /// How messages are compressed.
    pub compression: Compression,
    /// How the connection is protected.
    pub security: Security,
    /// How the user is told to the broker.
    pub mechanism: Mechanism,
    /// The user.
    pub username: Option<String>,
    /// The variable of the environment that holds the password.
    pub password_env: Option<String>,
    /// The file that holds the password.
    #[schemars(extend("format" = "path"))]
    pub password_file: Option<String>,
    /// Certificates of those who may sign for brokers, in PEM; those of the system where nothing is said.
    #[schemars(extend("format" = "path"))]
    pub ca: Option<String>,
    /// The own certificate, in PEM.
    #[schemars(extend("format" = "path"))]
    pub certificate: Option<String>,
    /// The key of the own certificate, in PEM.
    #[schemars(extend("format" = "path"))]
    pub key: Option<String>,
    /// How long the end of a run waits for what could not be published yet.
    #[serde(with = "matchcut_model::duration_text")]
    #[schemars(with = "String")]
    pub drain: MediaTime,
    /// The name under which transactions are made; PREFIX/EVENT/SINK where nothing is said. Of two who use the
    /// same one, the later keeps the earlier from publishing.
    pub transactional_id: Option<String>,
    /// Other settings of librdkafka, by their names.
    pub properties: BTreeMap<String, String>,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        KafkaOptions {
            brokers: vec!["localhost:9092".to_owned()],
            prefix: "matchcut".to_owned(),
            create_topics: true,
            partitions: 6,
            replication: None,
            compression: Compression::default(),
            security: Security::default(),
            mechanism: Mechanism::default(),
            username: None,
            password_env: None,
            password_file: None,
            ca: None,
            certificate: None,
            key: None,
            drain: MediaTime::from_seconds(60),
            transactional_id: None,
            properties: BTreeMap::new(),
        }
    }
}

/// Options of a `kafka` feed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FeedOptions {
    /// Brokers to ask first, each HOST:PORT.
    pub brokers: Vec<String>,
    /// The topic. Each message is one JSON object, as in a line of a feedback file; its key is the event
    /// that it is about.
    pub topic: String,
    /// Where a topic is begun that was never read.
    pub from: From,
    /// How the connection is protected.
    pub security: Security,
    /// How the user is told to the broker.
    pub mechanism: Mechanism,
    /// The user.
    pub username: Option<String>,
    /// The variable of the environment that holds the password.
    pub password_env: Option<String>,
    /// The file that holds the password.
    #[schemars(extend("format" = "path"))]
    pub password_file: Option<String>,
    /// Certificates of those who may sign for brokers, in PEM; those of the system where nothing is said.
    #[schemars(extend("format" = "path"))]
    pub ca: Option<String>,
    /// The own certificate, in PEM.
    #[schemars(extend("format" = "path"))]
    pub certificate: Option<String>,
    /// The key of the own certificate, in PEM.
    #[schemars(extend("format" = "path"))]
    pub key: Option<String>,
    /// Other settings of librdkafka, by their names.
    pub properties: BTreeMap<String, String>,
}

impl Default for FeedOptions {
    fn default() -> Self {
        let usual = KafkaOptions::default();
        FeedOptions {
            brokers: usual.brokers,
            topic: "matchcut.feedback.v1".to_owned(),
            from: From::default(),
            security: usual.security,
            mechanism: usual.mechanism,
            username: None,
            password_env: None,
            password_file: None,
            ca: None,
            certificate: None,
            key: None,
            properties: BTreeMap::new(),
        }
    }
}

impl FeedOptions {
    /// How a broker is reached.
    pub fn connection(&self) -> KafkaOptions {
        KafkaOptions {
            brokers: self.brokers.clone(),
            security: self.security,
            mechanism: self.mechanism,
            username: self.username.clone(),
            password_env: self.password_env.clone(),
            password_file: self.password_file.clone(),
            ca: self.ca.clone(),
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            properties: self.properties.clone(),
            ..KafkaOptions::default()
        }
    }

    /// What is wrong: the option, and why.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = self.connection().problems();
        if !is_topic(&self.topic) {
            problems.push(("topic", TOPIC.to_owned()));
        }
        problems
    }
}

const TOPIC: &str = "names of topics have letters (a to z), digits, \".\", \"_\" and \"-\"";

fn is_topic(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !name.is_empty() && name.len() <= 200 && name.chars().all(fits)
}

/// Durations as they are written in a spec: `"90s"`.
/// Settings that decide whether a message arrives once, and those that have options of their own.
const OWN: [(&str, &str); 15] = [
    ("bootstrap.servers", "brokers"),
    ("metadata.broker.list", "brokers"),
    ("compression.codec", "compression"),
    ("compression.type", "compression"),
    ("security.protocol", "security"),
    ("sasl.mechanism", "mechanism"),
    ("sasl.mechanisms", "mechanism"),
    ("sasl.username", "username"),
    ("sasl.password", "password_env or password_file"),
    ("ssl.ca.location", "ca"),
    ("ssl.certificate.location", "certificate"),
    ("ssl.key.location", "key"),
    ("transactional.id", "transactional_id"),
    ("enable.idempotence", ""),
    ("acks", ""),
];

impl KafkaOptions {
    /// What is wrong: the option, and why.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.brokers.is_empty() {
            let message = "at least one broker is needed: [\"HOST:PORT\"]";
            problems.push(("brokers", message.to_owned()));
        }
        for broker in &self.brokers {
            let port = broker
                .rsplit_once(':')
                .filter(|(host, _)| !host.is_empty() && !host.contains('/'))
                .and_then(|(_, port)| port.parse::<u16>().ok());
            if port.is_none() {
                let message =
                    format!("\"{broker}\" is no broker; write HOST:PORT, without a scheme");
                problems.push(("brokers", message));
            }
        }
        if !is_topic(&self.prefix) {
            problems.push(("prefix", TOPIC.to_owned()));
        }
        let has_password = self.password_env.is_some() || self.password_file.is_some();
        if self.password_env.is_some() && self.password_file.is_some() {
            let message = "the password is in one place: password_env or password_file";
            problems.push(("password_file", message.to_owned()));
        }
        match self.security {
            Security::SaslPlaintext | Security::SaslSsl => {
                if self.username.is_none() {
                    problems.push(("username", "is needed with this security".to_owned()));
                }
                if !has_password {
                    let message = "or password_file is needed with this security";
                    problems.push(("password_env", message.to_owned()));
                }
            }
            Security::Plaintext | Security::Ssl => {
                if self.username.is_some() || has_password {
                    let message = "a user is told only with \"sasl_ssl\" or \"sasl_plaintext\"";
                    problems.push(("security", message.to_owned()));
                }
            }
        }
        if self.certificate.is_some() != self.key.is_some() {
            let message = "certificate and key belong together";
            problems.push(("certificate", message.to_owned()));
        }
        for name in self.properties.keys() {
            if let Some((_, option)) = OWN.iter().find(|(own, _)| own == name) {
                let message = match *option {
                    "" => format!("{name} is set so that every message arrives once"),
                    option => format!("{name} is set by {option}"),
                };
                problems.push(("properties", message));
            } else if name.contains("password") || name.contains("secret") || name.ends_with(".pem")
            {
                let message = format!("{name} would stand in the spec for all to read");
                problems.push(("properties", message));
            }
        }
        problems
    }

    /// How long the end of a run waits.
    pub fn drain(&self) -> Duration {
        Duration::from_secs_f64(self.drain.as_seconds_f64().max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(json: &str) -> Vec<String> {
        let options: KafkaOptions = serde_json::from_str(json).unwrap();
        let problems = options.problems().into_iter();
        problems
            .map(|(option, why)| format!("{option}: {why}"))
            .collect()
    }

    #[test]
    fn defaults_and_full_security_are_fine() {
        assert_eq!(problems("{}"), [""; 0]);
        let full = r#"{"brokers": ["a.example.com:9093", "[::1]:9093"], "security": "sasl_ssl",
            "mechanism": "scram-sha-512", "username": "m", "password_env": "KAFKA_PASSWORD", "ca": "ca.pem",
            "properties": {"linger.ms": "20"}}"#;
        assert_eq!(problems(full), [""; 0]);
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        let wrong = r#"{"brokers": ["kafka://a:1", "b"], "prefix": "a b", "security": "sasl_ssl",
            "certificate": "me.pem", "properties": {"acks": "0", "sasl.password": "x",
            "ssl.keystore.password": "y"}}"#;
        let found = problems(wrong);
        assert_eq!(found.len(), 9, "{found:#?}");
        assert!(found[0].contains("\"kafka://a:1\" is no broker"));
        assert!(found.iter().all(|problem| !problem.contains("\"y\"")));
    }
}
