//! Publishes the messages of an event, each exactly once: a batch and the record of how far it reaches are one
//! transaction. After any doubt the session is given up and begun anew; then the record says what has
//! arrived.

use std::time::{Duration, Instant};

use matchcut_sinks::messages::Message;
use matchcut_sinks::outlet::{Outlet, OutletError, Posted};
use rdkafka::error::{KafkaError as Client, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, PurgeConfig};

use crate::client::{Details, producer};
use crate::error::KafkaError;
use crate::options::KafkaOptions;
use crate::progress::{self, Progress};
use crate::topics;

/// Beginning a session may take so long: a transaction that somebody left open is ended first.
const BEGIN: Duration = Duration::from_secs(20);

/// A transaction may take so long to be committed.
const COMMIT: Duration = Duration::from_secs(30);

/// Topics of one event.
pub struct KafkaSink {
    options: KafkaOptions,
    /// CloudEvents `source`.
    source: String,
    /// Under this name how far the outbox has arrived is kept.
    key: String,
    incarnation: String,
    session: Option<Session>,
}

/// A producer that may make transactions, and what has arrived.
struct Session {
    producer: BaseProducer<Details>,
    last: i64,
}

impl KafkaSink {
    /// The sink `name` of an event. `incarnation` names the store whose outbox is published. Nothing is
    /// connected before there is something to carry.
    pub fn new(
        options: KafkaOptions,
        (program, event): (&str, &str),
        name: &str,
        incarnation: &str,
    ) -> Self {
        KafkaSink {
            options,
            source: format!("/matchcut/{}/{}", escaped(program), escaped(event)),
            key: format!("{event}/{name}"),
            incarnation: incarnation.to_owned(),
            session: None,
        }
    }

    fn transactional_id(&self) -> String {
        let given = self.options.transactional_id.clone();
        given.unwrap_or_else(|| format!("{}/{}", self.options.prefix, self.key))
    }

    fn begin(&self) -> Result<Session, KafkaError> {
        let id = self.transactional_id();
        let producer: BaseProducer<Details> = producer(&self.options, &id)?
            .create_with_context(Details)
            .map_err(KafkaError::of("the Kafka client cannot be made"))?;
        topics::ensure(&self.options, &producer)?;
        producer
            .init_transactions(BEGIN)
            .map_err(|error| self.judged("no transaction can be made", error))?;
        let last = match progress::read(&self.options, &self.key)? {
            Some(progress) if progress.incarnation == self.incarnation => progress.id,
            // Another store had this name: nothing of this one has arrived.
            _ => 0,
        };
        tracing::info!(key = self.key, last, "publishing to Kafka");
        Ok(Session { producer, last })
    }

    /// An error of a transaction: that somebody else has taken over is final.
    fn judged(&self, what: &'static str, error: Client) -> KafkaError {
        let code = match &error {
            Client::Transaction(error) => Some(error.code()),
            other => other.rdkafka_error_code(),
        };
        match code {
            Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch) => {
                let id = self.transactional_id();
                KafkaError::Fenced { id }
            }
            _ => KafkaError::of(what)(error),
        }
    }

    /// Publishes messages up to the row `last` of the outbox.
    fn transact(
        &self,
        session: &Session,
        last: i64,
        messages: &[Message],
    ) -> Result<(), KafkaError> {
        let producer = &session.producer;
        producer
            .begin_transaction()
            .map_err(|error| self.judged("a transaction cannot be begun", error))?;
        for message in messages {
            self.send(producer, message)?;
        }
        let progress = Progress {
            incarnation: self.incarnation.clone(),
            id: last,
        };
        let value = serde_json::to_vec(&progress).unwrap_or_default();
        let topic = topics::progress(&self.options);
        let record = BaseRecord::to(&topic).key(&self.key).payload(&value);
        self.queue(producer, record)?;
        producer
            .commit_transaction(COMMIT)
            .map_err(|error| self.judged("a transaction cannot be committed", error))
    }

    fn send(&self, producer: &BaseProducer<Details>, message: &Message) -> Result<(), KafkaError> {
        let topic = topics::name_of(&self.options, message.topic);
        let mut headers = OwnedHeaders::new();
        let attributes = [
            ("ce_specversion", "1.0"),
            ("ce_id", &message.id),
            ("ce_source", &self.source),
            ("ce_type", &message.kind),
            ("ce_subject", &message.subject),
            ("content-type", "application/json"),
        ];
        for (key, value) in attributes {
            if !value.is_empty() {
                let value = Some(value);
                headers = headers.insert(Header { key, value });
            }
        }
        let mut record = BaseRecord::to(&topic).key(&message.key).headers(headers);
        if let Some(value) = &message.value {
            record = record.payload(value);
        }
        self.queue(producer, record)
    }

    /// Hands a record to the client, which has room for so many.
    fn queue<P: rdkafka::message::ToBytes + ?Sized>(
        &self,
        producer: &BaseProducer<Details>,
        record: BaseRecord<'_, String, P>,
    ) -> Result<(), KafkaError> {
        let deadline = Instant::now() + COMMIT;
        let mut record = record;
        loop {
            match producer.send(record) {
                Ok(()) => return Ok(()),
                Err((Client::MessageProduction(Code::QueueFull), back))
                    if Instant::now() < deadline =>
                {
                    producer.poll(Duration::from_millis(50));
                    record = back;
                }
                Err((error, _)) => return Err(self.judged("a message cannot be sent", error)),
            }
        }
    }
}

impl Outlet for KafkaSink {
    fn carry(&mut self, batch: &[Posted]) -> Result<(), OutletError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.begin()?,
        };
        let new = batch.partition_point(|row| row.id <= session.last);
        let new = batch.get(new..).unwrap_or_default();
        let Some(last) = new.last().map(|row| row.id) else {
            self.session = Some(session);
            return Ok(());
        };
        let messages = new.iter().map(Posted::read);
        let messages = messages.collect::<Result<Vec<Message>, _>>()?;
        match self.transact(&session, last, &messages) {
            Ok(()) => {
                session.last = last;
                self.session = Some(session);
                Ok(())
            }
            Err(error) => {
                // What was sent and not committed is not worth waiting for.
                let all = PurgeConfig::default().queue().inflight();
                session.producer.purge(all);
                Err(error.into())
            }
        }
    }

    fn patience(&self) -> Duration {
        self.options.drain()
    }
}

/// A part of a URI reference.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_uri_references() {
        let sink = KafkaSink::new(
            KafkaOptions::default(),
            ("US Open", "Final 2019/Men's"),
            "topic",
            "1",
        );
        assert_eq!(sink.source, "/matchcut/US%20Open/Final%202019%2FMen%27s");
        assert_eq!(sink.transactional_id(), "matchcut/Final 2019/Men's/topic");
    }
}
