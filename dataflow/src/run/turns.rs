//! Turns: how many do a kind of work at once. Whoever waits longest is next, so that events that share turns get on alike
//! however much each of them has to do.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Handle of the turns; cheap to clone.
#[derive(Clone, Debug)]
pub struct Turns {
    inside: Arc<(Mutex<Counted>, Condvar)>,
    at_once: u64,
}

/// Turns are numbered in the order in which they are asked for.
#[derive(Debug, Default)]
struct Counted {
    asked: u64,
    given_back: u64,
}

/// A turn, given back when it is dropped.
#[derive(Debug)]
pub struct Turn<'a>(&'a Turns);

impl Turns {
    /// At most `at_once` have one at a time; at least one has.
    pub fn new(at_once: usize) -> Self {
        Turns {
            inside: Arc::default(),
            at_once: at_once.max(1) as u64,
        }
    }

    /// As many as leave a processor to everything else; one where there is only one.
    pub fn all_processors_but_one() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Turns::new(processors - 1)
    }

    /// How many have one at a time.
    pub fn at_once(&self) -> usize {
        usize::try_from(self.at_once).unwrap_or(usize::MAX)
    }

    /// Waits for a turn.
    pub fn wait(&self) -> Turn<'_> {
        let mut counted = self.lock();
        let mine = counted.asked;
        counted.asked += 1;
        let early = |counted: &mut Counted| mine >= counted.given_back + self.at_once;
        let waited = self.inside.1.wait_while(counted, early);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        Turn(self)
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        let locked = self.inside.0.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().given_back += 1;
        self.0.inside.1.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use crossbeam_channel::unbounded;

    use super::*;

    #[test]
    fn no_more_than_so_many_have_a_turn() {
        assert_eq!(Turns::new(0).at_once(), 1);
        let turns = Turns::new(2);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                let turns = turns.clone();
                let (now, most) = (&now, &most);
                scope.spawn(move || {
                    for _ in 0..5 {
                        let _turn = turns.wait();
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::sleep(Duration::from_millis(1));
                        now.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn who_asks_again_at_once_comes_after_those_who_wait() {
        let turns = Turns::new(1);
        let (tell, told) = unbounded();
        let first = turns.wait();
        thread::scope(|scope| {
            for number in 1..=2 {
                let (turns, tell) = (&turns, tell.clone());
                scope.spawn(move || {
                    let _turn = turns.wait();
                    tell.send(number).unwrap();
                });
                // Until it waits.
                while turns.lock().asked <= number {
                    thread::yield_now();
                }
            }
            drop(first);
            let _again = turns.wait();
            tell.send(3).unwrap();
        });
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [1, 2, 3]);
    }
}
