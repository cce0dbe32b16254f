//! How often may be asked: a bucket for each who asks, which fills with time and of which each request takes one. What is
//! kept is bounded, however many ask.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::LimitOptions;

/// Those of whom a bucket remembers anything; full ones are forgotten first.
const REMEMBERED: usize = 100_000;

/// How many seconds of requests may come at once.
const AT_ONCE: u32 = 2;

/// All limits of a server.
pub struct Limits {
    known: Buckets<String>,
    anonymous: Buckets<IpAddr>,
    failures: Buckets<IpAddr>,
}

impl Limits {
    /// With nobody having asked yet.
    pub fn new(options: &LimitOptions) -> Limits {
        let second = |most: u32| (most, Duration::from_secs(1), most.saturating_mul(AT_ONCE));
        let minute = Duration::from_secs(60);
        let failures = options.failures_per_minute;
        Limits {
            known: Buckets::new(second(options.requests_per_second)),
            anonymous: Buckets::new(second(options.anonymous_per_second)),
            failures: Buckets::new((failures, minute, failures)),
        }
    }

    /// Takes one for a key or subject; else says how long to wait.
    pub fn known(&self, who: &str) -> Result<(), Duration> {
        self.known.take(who.to_owned(), Instant::now())
    }

    /// Takes one for an address without credentials.
    pub fn anonymous(&self, peer: SocketAddr) -> Result<(), Duration> {
        self.anonymous.take(network(peer), Instant::now())
    }

    /// Whether an address may try once more; takes nothing.
    pub fn may_try(&self, peer: SocketAddr) -> Result<(), Duration> {
        self.failures.look(network(peer), Instant::now())
    }

    /// Takes one for an address whose credentials were wrong.
    pub fn failed(&self, peer: SocketAddr) {
        // Whether there was one left is asked before the next try.
        let _ = self.failures.take(network(peer), Instant::now());
    }
}

/// Whose addresses count as one: who has an address of IPv6 has a whole network of them.
fn network(peer: SocketAddr) -> IpAddr {
    match peer.ip().to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// A bucket for each; none where the limit is 0. Of each is known when its bucket will be full again.
pub(crate) struct Buckets<K> {
    /// How long one request takes to come back; zero where there is no limit.
    each: Duration,
    /// How long an empty bucket takes to fill.
    whole: Duration,
    full_at: Mutex<HashMap<K, Instant>>,
}

impl<K: Eq + Hash> Buckets<K> {
    /// So many in a stretch of time, and at most `at_once` at once.
    pub(crate) fn new((most, stretch, at_once): (u32, Duration, u32)) -> Buckets<K> {
        let each = stretch.checked_div(most).unwrap_or_default();
        Buckets {
            each,
            whole: each.saturating_mul(at_once.max(1)),
            full_at: Mutex::default(),
        }
    }

    pub(crate) fn look(&self, key: K, now: Instant) -> Result<(), Duration> {
        let full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let until = full_at.get(&key).copied().unwrap_or(now).max(now);
        self.wait(until, now)
    }

    /// How long until one is there.
    fn wait(&self, full_at: Instant, now: Instant) -> Result<(), Duration> {
        let owed = full_at.saturating_duration_since(now) + self.each;
        match owed.checked_sub(self.whole).filter(|wait| !wait.is_zero()) {
            Some(wait) => Err(wait),
            None => Ok(()),
        }
    }

    pub(crate) fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        if self.each.is_zero() {
            return Ok(());
        }
        let mut all = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED && !all.contains_key(&key) {
            all.retain(|_, full_at| *full_at > now);
            if all.len() >= REMEMBERED {
                // So many at once are no single client: forgetting is better than refusing everybody.
                all.clear();
            }
        }
        let full_at = all.entry(key).or_insert(now);
        *full_at = (*full_at).max(now);
        self.wait(*full_at, now)?;
        *full_at += self.each;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_fills_with_time_and_is_one_of_each() {
        let buckets = Buckets::new((10, Duration::from_secs(1), 3));
        let now = Instant::now();
        let at = |ms: u64| now + Duration::from_millis(ms);
        for _ in 0..3 {
            assert_eq!(buckets.look("a", at(0)), Ok(()));
            assert_eq!(buckets.take("a", at(0)), Ok(()));
        }
        let wait = Err(Duration::from_millis(100));
        assert_eq!(buckets.take("a", at(0)), wait);
        assert_eq!(buckets.look("a", at(0)), wait);
        assert_eq!(buckets.take("b", at(0)), Ok(()));
        assert_eq!(buckets.take("a", at(99)), Err(Duration::from_millis(1)));
        assert_eq!(buckets.take("a", at(100)), Ok(()));
        assert!(buckets.take("a", at(100)).is_err());
        // After a long time it is full, and not more than full.
        let later = (0..9).filter(|_| buckets.take("a", at(60_000)).is_ok());
        assert_eq!(later.count(), 3);
        let none = Buckets::new((0, Duration::from_secs(1), 0));
        assert!((0..10_000).all(|_| none.take("a", now).is_ok()));
        assert_eq!(none.look("a", now), Ok(()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let buckets = Buckets::new((1, Duration::from_secs(1), 1));
        let now = Instant::now();
        for key in 0..=REMEMBERED {
            assert_eq!(buckets.take(key, now), Ok(()));
        }
        assert!(buckets.full_at.lock().unwrap().len() <= REMEMBERED);
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7:80"), "192.0.2.7");
        assert_eq!(of("[::ffff:192.0.2.7]:80"), "192.0.2.7");
        assert_eq!(of("[2001:db8:1:2:3:4:5:6]:80"), "2001:db8:1:2::");
    }
}
