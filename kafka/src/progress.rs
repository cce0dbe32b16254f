//! How much of an event has arrived: a record that is written in the same transaction as the messages it
//! speaks of, so that it is true whenever it can be read. It is kept in a topic of which only the last
//! record of each key counts.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as Client;
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use crate::client::{CALL, Details, consumer};
use crate::error::KafkaError;
use crate::options::KafkaOptions;
use crate::topics;

/// How much has arrived of an outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Which store the outbox is of.
    pub incarnation: String,
    /// The number of the last row that has arrived.
    pub id: i64,
}

/// Reading all of the topic may take so long.
const READ: Duration = Duration::from_secs(60);

/// What stands under `key`.
pub(crate) fn read(options: &KafkaOptions, key: &str) -> Result<Option<Progress>, KafkaError> {
    const WHAT: &str = "what was published before cannot be read";
    let failed = KafkaError::of(WHAT);
    let topic = topics::progress(options);
    let reader: BaseConsumer<Details> = consumer(options)?
        .create_with_context(Details)
        .map_err(&failed)?;
    let (_, end) = reader.fetch_watermarks(&topic, 0, CALL).map_err(&failed)?;
    if end == 0 {
        return Ok(None);
    }
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(&topic, 0, Offset::Beginning)
        .map_err(&failed)?;
    reader.assign(&from).map_err(&failed)?;
    let deadline = Instant::now() + READ;
    let mut found = None;
    while Instant::now() < deadline {
        match reader.poll(Duration::from_millis(200)) {
            None => {}
            Some(Err(Client::PartitionEOF(_))) => return Ok(found),
            Some(Err(error)) if error.rdkafka_error_code().is_some_and(passes) => {}
            Some(Err(error)) => return Err(failed(error)),
            Some(Ok(record)) if record.key() == Some(key.as_bytes()) => {
                found = record
                    .payload()
                    .map(serde_json::from_slice)
                    .transpose()
                    .map_err(|error| KafkaError::Progress {
                        key: key.to_owned(),
                        reason: error.to_string(),
                    })?;
            }
            Some(Ok(_)) => {}
        }
    }
    Err(failed(Client::Global(
        rdkafka::types::RDKafkaErrorCode::OperationTimedOut,
    )))
}

/// What the client tells on the way and mends itself.
fn passes(code: rdkafka::types::RDKafkaErrorCode) -> bool {
    use rdkafka::types::RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::BrokerTransportFailure | Code::AllBrokersDown | Code::Resolve
    )
}
