//! Why a broker could not be used, in words for those who run matchcut.

use matchcut_model::failure::Domain;
use matchcut_sinks::outlet::OutletError;
use rdkafka::error::{KafkaError as Client, RDKafkaErrorCode as Code};

/// Something went wrong with a broker, or on the way to it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KafkaError {
    /// The client refuses a setting. Its value is not told, because it may be secret.
    #[error("the Kafka client refuses {key}: {reason}")]
    Setting {
        /// The setting, as librdkafka calls it.
        key: String,
        /// Why.
        reason: String,
    },
    /// A secret is not where the options say.
    #[error("{0}")]
    Secret(String),
    /// A topic is missing and was not to be created, or may not be.
    #[error("the topic \"{topic}\" does not exist{}", reason.as_ref().map_or(String::new(), |r| format!(" and cannot be created: {r}")))]
    NoTopic {
        /// Its name.
        topic: String,
        /// Why it could not be created.
        reason: Option<String>,
        /// What would create it.
        command: String,
    },
    /// Somebody else publishes the same event.
    #[error(
        "another matchcut has begun to publish this event as \"{id}\"; this one stops publishing"
    )]
    Fenced {
        /// The transactional id.
        id: String,
    },
    /// No broker answers in time, or one refuses.
    #[error("{what}: {source}")]
    Broker {
        /// What was tried.
        what: &'static str,
        /// What the client says.
        source: Client,
    },
    /// The record of what has arrived cannot be understood.
    #[error("the record of what was published of \"{key}\" cannot be read: {reason}")]
    Progress {
        /// Its key.
        key: String,
        /// Why.
        reason: String,
    },
}

impl KafkaError {
    /// What the client says of something that was tried.
    pub(crate) fn of(what: &'static str) -> impl Fn(Client) -> KafkaError {
        move |source| match source {
            Client::ClientConfig(_, reason, key, _) => KafkaError::Setting { key, reason },
            source => KafkaError::Broker { what, source },
        }
    }

    fn code(&self) -> Option<Code> {
        match self {
            KafkaError::Broker { source, .. } => source.rdkafka_error_code(),
            _ => None,
        }
    }

    /// Whether trying again will not help.
    pub fn is_final(&self) -> bool {
        match self {
            KafkaError::Setting { .. } | KafkaError::Secret(_) | KafkaError::Fenced { .. } => true,
            KafkaError::NoTopic { .. }
            | KafkaError::Broker { .. }
            | KafkaError::Progress { .. } => false,
        }
    }

    /// Whose business it is.
    pub fn domain(&self) -> Domain {
        match self {
            KafkaError::Setting { .. } | KafkaError::Secret(_) | KafkaError::NoTopic { .. } => {
                Domain::User
            }
            KafkaError::Broker { .. } if self.is_refusal() => Domain::User,
            _ => Domain::External,
        }
    }

    fn is_refusal(&self) -> bool {
        matches!(
            self.code(),
            Some(
                Code::Authentication
                    | Code::SaslAuthenticationFailed
                    | Code::TopicAuthorizationFailed
                    | Code::ClusterAuthorizationFailed
                    | Code::TransactionalIdAuthorizationFailed
                    | Code::SSL
            )
        )
    }

    /// What would mend it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            KafkaError::NoTopic { command, .. } => format!("create it: {command}"),
            KafkaError::Fenced { .. } => {
                "let one of the two end, or give them different events or sinks".to_owned()
            }
            KafkaError::Secret(_) => {
                "password_env names a variable of the environment, password_file a file".to_owned()
            }
            KafkaError::Broker { .. } if self.is_refusal() => {
                "look at security, mechanism, username and certificates of the sink, and at what \
                 the user may do on the broker (write, and a transactional id)"
                    .to_owned()
            }
            KafkaError::Broker { .. } if self.code() == Some(Code::MessageSizeTooLarge) => {
                "a message is larger than the topic takes, and what is behind it waits: raise \
                 max.message.bytes of the topic (kafka-configs.sh --alter --entity-type topics \
                 --add-config max.message.bytes=…), or compress with zstd"
                    .to_owned()
            }
            KafkaError::Broker { .. } => {
                "what is not published is kept in the outbox and goes out when a broker answers"
                    .to_owned()
            }
            _ => return None,
        })
    }
}

impl From<KafkaError> for OutletError {
    fn from(error: KafkaError) -> Self {
        OutletError {
            message: error.to_string(),
            hint: error.hint(),
            domain: error.domain(),
            is_final: error.is_final(),
        }
    }
}
