//! How many requests go out: so many a second, so many at once. Whoever is over the limit waits.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub(in crate::hosts) struct Limits {
    /// The time between two requests.
    interval: Duration,
    /// When the next may go out.
    next: Mutex<Option<Instant>>,
    /// How many may be under way still.
    free: Mutex<usize>,
    given_back: Condvar,
}

impl Limits {
    /// At most `per_second` requests a second (0 is any number) and `at_once` at once.
    pub(in crate::hosts) fn new(per_second: f64, at_once: usize) -> Limits {
        Limits {
            interval: match per_second > 0.0 {
                true => Duration::from_secs_f64(1.0 / per_second),
                false => Duration::ZERO,
            },
            next: Mutex::new(None),
            free: Mutex::new(at_once.max(1)),
            given_back: Condvar::new(),
        }
    }

    /// Waits until a request may go out; the place is given back when the result is dropped.
    pub(in crate::hosts) fn wait(&self) -> Place<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            let waited = self.given_back.wait(free);
            free = waited.unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        drop(free);
        let place = Place(self);
        if self.interval > Duration::ZERO {
            let now = Instant::now();
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = next.map_or(now, |next| next.max(now));
            *next = Some(turn + self.interval);
            drop(next);
            thread::sleep(turn - now);
        }
        place
    }
}

/// A request that is under way.
pub(in crate::hosts) struct Place<'a>(&'a Limits);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free += 1;
        self.0.given_back.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn requests_keep_their_distance() {
        let limits = Limits::new(100.0, 8);
        let began = Instant::now();
        (0..6).for_each(|_| drop(limits.wait()));
        // Five intervals of 10 ms lie between six requests.
        assert!(began.elapsed() >= Duration::from_millis(50));
    }

    #[test]
    fn no_more_than_allowed_are_under_way() {
        let limits = Limits::new(0.0, 2);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let place = limits.wait();
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(5));
                    now.fetch_sub(1, Ordering::SeqCst);
                    drop(place);
                });
            }
        });
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }
}
