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
    /// What there is to tell the user.
    notices: Vec<String>,
    /// It was told that the queue tells of other things.
    shared: bool,
}

impl Wake {
    pub(super) fn new(url: &str) -> Self {
        Wake {
            url: url.to_owned(),
            queue: None,
            receiving: None,
            notices: Vec::new(),
            shared: false,
        }
    }

    /// What there is to tell since the last time.
    pub(super) fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
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
                    let text = format!("{error}; new objects are found by listing now and then");
                    self.notices.push(text);
                    return sleep_until(until).await;
                }
            };
            let (mut woken, mut others) = (false, false);
            for message in &messages {
                match about(&message.body, &prefix.bucket, &prefix.key) {
                    About::Ours => woken = true,
                    About::Test => {}
                    About::Other => {
                        others = true;
                        continue;
                    }
                }
                // One that stays wakes once more, no worse.
                if let Err(error) = queue.delete(message).await {
                    tracing::debug!(%error, "a message stays in the queue");
                }
            }
            let news = others && !self.shared;
            self.shared |= others;
            if news {
                self.notices.push(format!(
                    "the queue {} tells of other things than {prefix} too, which are left in it; give each \
                     source a queue of its own",
                    queue.url()
                ));
            }
            if woken || news {
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
