//! How long is waited for AWS and how often something is asked again. The SDKs' own retries are off, so that
//! what is said here is all that happens.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use matchcut_model::failure::Retry;

use crate::AwsError;

/// The first pause; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Limits of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Time limit of one request, from its start to the last byte of the answer.
    pub timeout: Duration,
    /// How often a request that failed for a reason that may pass is sent again: after 0.2 s, 0.4 s and so
    /// on up to 20 s, of which up to a half is left out at random.
    pub retries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            timeout: Duration::from_secs(20),
            retries: 3,
        }
    }
}

impl Patience {
    /// Asks until there is an answer, or no hope.
    pub(crate) async fn ask<T, F>(&self, mut ask: impl FnMut() -> F) -> Result<T, AwsError>
    where
        F: Future<Output = Result<T, AwsError>>,
    {
        let mut count = 0;
        loop {
            let error = match ask().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if count >= self.retries || error.retry() == Retry::No {
                return Err(error);
            }
            let pause = pause(count);
            tracing::debug!(%error, ?pause, "trying again");
            tokio::time::sleep(pause).await;
            count += 1;
        }
    }
}

/// The pause before retry `count`, counted from 0.
pub(crate) fn pause(count: u32) -> Duration {
    let whole = FIRST_PAUSE
        .saturating_mul(1 << count.min(16))
        .min(LONGEST_PAUSE);
    // Those who wait for the same server do not come back all at once.
    let share = RandomState::new().hash_one(count) % 1024;
    whole.mul_f64(1.0 - share as f64 / 2048.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit() {
        for (count, whole) in [(0, 200), (1, 400), (3, 1600), (7, 20_000), (40, 20_000)] {
            let pause = pause(count).as_millis();
            assert!(pause > whole / 2 - 1 && pause <= whole, "{count}: {pause}");
        }
    }
}
