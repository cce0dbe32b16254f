//! The running instances of one program. Whoever needs one waits for it; one that broke is started again
//! after a pause, and where it breaks every time, nobody waits any more.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::describe::Described;
use super::launch::Launch;
use super::program::{Greeting, Program};

/// The longest pause before a program is started again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Failures in a row after which a chunk is given up at once while the pause lasts.
const PATIENT: u32 = 3;

pub(super) struct Pool {
    launch: Arc<Launch>,
    own: Arc<Described>,
    instances: usize,
    inner: Mutex<Inner>,
    freed: Condvar,
}

#[derive(Default)]
struct Inner {
    idle: Vec<Program>,
    out: usize,
    failures: u32,
    last: String,
    again: Option<Instant>,
}

impl Pool {
    pub(super) fn new(launch: Arc<Launch>, own: Arc<Described>, instances: usize) -> Self {
        Pool {
            launch,
            own,
            instances: instances.max(1),
            inner: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    pub(super) fn own(&self) -> &Described {
        &self.own
    }

    pub(super) fn timeout(&self) -> Duration {
        self.launch.timeout
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An instance for one chunk or step. Everyone takes theirs in the order of the plan and before the
    /// first frame, so that two chunks never wait for each other.
    pub(super) fn lease(self: &Arc<Self>) -> Result<Lease, String> {
        let mut inner = self.lock();
        while inner.idle.is_empty() && inner.out >= self.instances {
            inner = self
                .freed
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
        inner.out += 1;
        let mut lease = Lease {
            pool: Arc::clone(self),
            program: inner.idle.pop(),
        };
        if lease.program.is_some() {
            return Ok(lease);
        }
        let now = Instant::now();
        let pause = inner
            .again
            .map(|again| again.saturating_duration_since(now));
        let pause = pause.filter(|pause| !pause.is_zero());
        if let Some(pause) = pause {
            if inner.failures > PATIENT {
                let (times, last) = (inner.failures, inner.last.clone());
                drop(inner);
                return Err(format!(
                    "it is not asked, since it broke {times} times in a row: {last}"
                ));
            }
            drop(inner);
            thread::sleep(pause);
        } else {
            drop(inner);
        }
        match self.start() {
            Ok(program) => {
                lease.program = Some(program);
                Ok(lease)
            }
            Err(message) => {
                lease.broke(&message);
                Err(message)
            }
        }
    }

    fn start(&self) -> Result<Program, String> {
        let (mut program, greeting) = Program::start(&self.launch)?;
        match greeting {
            Greeting::Ready(ready) if *ready == self.own.ready => {}
            Greeting::Ready(_) => {
                return Err(
                    "it says something else of itself than when it was described".to_owned(),
                );
            }
            Greeting::Refused(_) => {
                return Err("it refuses options that it took when it was described".to_owned());
            }
        }
        program.get_ready(self.launch.start_timeout)?;
        tracing::debug!(operator = self.own.name, "started");
        Ok(program)
    }
}

/// An instance that somebody uses. It ends unless it is given back.
pub(super) struct Lease {
    pool: Arc<Pool>,
    program: Option<Program>,
}

impl Lease {
    pub(super) fn program(&mut self) -> Option<&mut Program> {
        self.program.as_mut()
    }

    /// It did what it was asked and can be used again.
    pub(super) fn give_back(mut self) {
        let mut inner = self.pool.lock();
        inner.failures = 0;
        inner.again = None;
        inner.idle.extend(self.program.take());
    }

    /// It broke, and this is what is said of it.
    pub(super) fn broke(self, message: &str) {
        let mut inner = self.pool.lock();
        let doubled = 1_u32.checked_shl(inner.failures).unwrap_or(u32::MAX);
        let pause = self
            .pool
            .launch
            .restart
            .saturating_mul(doubled)
            .min(LONGEST_PAUSE);
        inner.failures = inner.failures.saturating_add(1);
        inner.again = Some(Instant::now() + pause);
        message.clone_into(&mut inner.last);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // It ends before another takes its place.
        drop(self.program.take());
        self.pool.lock().out -= 1;
        self.pool.freed.notify_one();
    }
}
