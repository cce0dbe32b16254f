//! Waits at a queue until it tells of new objects. Nothing is lost with a message: whoever is woken lists
//! what is there, and lists now and then without being woken.

use matchcut_aws::sqs::{Message, Queue};
use matchcut_aws::{AwsError, S3Address};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, sleep_until, timeout_at};

use super::Access;
use super::notice::{About, about};

/// The queue of a source.
#[derive(Debug)]
pub(super) struct Wake {
    url: String,
    queue: Option<Queue>,
    /// What is being received. It goes on when nobody waits for it: messages that arrive at a connection that
    /// was given up would be hidden from others for a while.
    receiving: Option<JoinHandle<Result<Vec<Message>, AwsError>>>,
    /// What was said of its failing, so that it is said once.
    failing: Option<String>,
    /// It was said that it tells of other things.
    shared: bool,
}

impl Wake {
    pub(super) fn new(url: &str) -> Self {
        Wake {
            url: url.to_owned(),
            queue: None,
            receiving: None,
            failing: None,
            shared: false,
        }
    }

    /// Waits until `until`, or until there is news of `prefix`.
    pub(super) async fn wait(&mut self, access: &Access, prefix: &S3Address, until: Instant) {
        if self.queue.is_none() {
            self.queue = Some(Queue::new(access.connection().await, &self.url));
        }
        let Some(queue) = &self.queue else { return };
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left < Duration::from_secs(1) {
                return sleep_until(until).await;
            }
            let receiving = self.receiving.get_or_insert_with(|| {
                let queue = queue.clone();
                tokio::spawn(async move { queue.receive(left).await })
            });
            let Ok(received) = timeout_at(until, receiving).await else {
                return;
            };
            self.receiving = None;
            let messages = match received {
                Ok(Ok(messages)) => messages,
                // The runtime ends.
                Err(_) => return sleep_until(until).await,
                Ok(Err(error)) => {
                    let message = error.to_string();
                    if self.failing.as_ref() != Some(&message) {
                        tracing::warn!(%error, "the queue is not heard: objects are listed now and then");
                    }
                    self.failing = Some(message);
                    return sleep_until(until).await;
                }
            };
            self.failing = None;
            let mut woken = false;
            for message in &messages {
                match about(&message.body, &prefix.bucket, &prefix.key) {
                    About::Ours => woken = true,
                    About::Test => {}
                    About::Other => {
                        if !std::mem::replace(&mut self.shared, true) {
                            tracing::warn!(
                                queue = %queue.url(),
                                %prefix,
                                "the queue tells of other things too, which are left in it"
                            );
                        }
                        continue;
                    }
                }
                // One that stays wakes once more, no worse.
                if let Err(error) = queue.delete(message).await {
                    tracing::debug!(%error, "a message stays in the queue");
                }
            }
            if woken {
                return;
            }
        }
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        if let Some(receiving) = &self.receiving {
            receiving.abort();
        }
    }
}
