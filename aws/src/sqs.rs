//! Queues of SQS: messages are received and deleted.

use std::time::Duration;

use aws_sdk_sqs::Client;

use crate::{AwsError, Connection};

/// The longest that a queue makes a receiver wait.
const LONGEST_WAIT: u64 = 20;

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub body: String,
    /// What it is deleted by.
    receipt: String,
}

/// A queue; cheap to clone.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    connection: Connection,
    url: String,
}

impl Queue {
    /// The queue with this URL. Nothing is asked.
    pub fn new(connection: Connection, url: &str) -> Self {
        Queue {
            client: Client::new(&connection.config),
            connection,
            url: url.to_owned(),
        }
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Up to ten messages, waiting up to `wait` (at most 20 s, and a little less than the time limit of a
    /// request) for the first. They come again unless they are deleted.
    pub async fn receive(&self, wait: Duration) -> Result<Vec<Message>, AwsError> {
        let limit = self.connection.patience.timeout;
        let longest = limit.as_secs().saturating_sub(1).min(LONGEST_WAIT);
        let seconds = i32::try_from(wait.as_secs().min(longest)).unwrap_or_default();
        let ask = async || {
            let request = self
                .client
                .receive_message()
                .queue_url(&self.url)
                .max_number_of_messages(10)
                .wait_time_seconds(seconds);
            let answered = request.send().await;
            answered.map_err(|error| AwsError::of(&self.url, "sqs:ReceiveMessage", limit, error))
        };
        let received = self.connection.patience.ask(ask).await?;
        let messages = received.messages().iter().filter_map(|message| {
            Some(Message {
                body: message.body().unwrap_or_default().to_owned(),
                receipt: message.receipt_handle()?.to_owned(),
            })
        });
        Ok(messages.collect())
    }

    /// Deletes a message.
    pub async fn delete(&self, message: &Message) -> Result<(), AwsError> {
        let limit = self.connection.patience.timeout;
        let ask = async || {
            let request = self
                .client
                .delete_message()
                .queue_url(&self.url)
                .receipt_handle(&message.receipt);
            let deleted = request.send().await.map(drop);
            deleted.map_err(|error| AwsError::of(&self.url, "sqs:DeleteMessage", limit, error))
        };
        self.connection.patience.ask(ask).await
    }
}
