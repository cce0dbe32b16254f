//! A fixed number of threads for work that must not run on a timely worker: decoding, cutting.
//! Jobs start in the order in which they were given; threads end when the last handle is dropped.

use std::panic::resume_unwind;
use std::thread;

use crossbeam_channel::{Sender, unbounded};

type Job = Box<dyn FnOnce() + Send>;

/// Handle of the pool; cheap to clone.
#[derive(Clone)]
pub struct Pool {
    jobs: Sender<Job>,
}

/// How much less processor time background work gets where others want it, as a nice value: about a tenth.
const BACKGROUND: i32 = 10;

impl Pool {
    /// Starts `threads` threads named `NAME-0`, `NAME-1`, …
    pub fn new(name: &str, threads: usize) -> std::io::Result<Pool> {
        Pool::start(name, threads, || {})
    }

    /// The same for work that lets others go first: whoever answers requests, or decides what the results are. Threads
    /// that its jobs start do so, too.
    pub fn background(name: &str, threads: usize) -> std::io::Result<Pool> {
        Pool::start(name, threads, let_others_first)
    }

    fn start(name: &str, threads: usize, first: fn()) -> std::io::Result<Pool> {
        let (jobs, queue) = unbounded::<Job>();
        for index in 0..threads.max(1) {
            let queue = queue.clone();
            thread::Builder::new()
                .name(format!("{name}-{index}"))
                .spawn(move || {
                    first();
                    for job in queue {
                        job();
                    }
                })?;
        }
        Ok(Pool { jobs })
    }

    /// Queues a job. A job that panics must be caught by its giver.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) {
        // The threads live as long as this handle, so that a send cannot fail.
        let _ = self.jobs.send(Box::new(job));
    }
}

/// This thread, and those that it starts, let others go first.
fn let_others_first() {
    let thread = Some(rustix::thread::gettid());
    let done = rustix::process::getpriority_process(thread)
        // Who is nicer already stays so.
        .and_then(|nice| rustix::process::setpriority_process(thread, nice.max(BACKGROUND)));
    if let Err(error) = done {
        tracing::debug!(%error, "media takes as much as everything else");
    }
}

/// Does something on a thread that lets others go first, and waits for it. A thread cannot take its place back, so it is
/// one of its own.
pub fn in_background<T: Send>(name: &str, work: impl Fn() -> T + Sync) -> T {
    let span = tracing::Span::current();
    let done = thread::scope(|scope| {
        let started = thread::Builder::new()
            .name(name.to_owned())
            .spawn_scoped(scope, || {
                let _span = span.enter();
                let_others_first();
                work()
            });
        started.ok().map(thread::ScopedJoinHandle::join)
    });
    match done {
        Some(Ok(done)) => done,
        Some(Err(panic)) => resume_unwind(panic),
        // There is no thread to be had.
        None => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nice_of(pool: &Pool) -> i32 {
        let (tell, told) = unbounded();
        pool.run(move || {
            let thread = rustix::thread::gettid();
            let nice = rustix::process::getpriority_process(Some(thread)).unwrap();
            tell.send(nice).unwrap();
        });
        told.recv().unwrap()
    }

    #[test]
    fn background_work_lets_others_go_first() {
        let usual = nice_of(&Pool::new("usual", 1).unwrap());
        let background = nice_of(&Pool::background("background", 1).unwrap());
        assert_eq!(background, usual.max(BACKGROUND));
        let aside = in_background("aside", || {
            rustix::process::getpriority_process(Some(rustix::thread::gettid()))
        });
        assert_eq!(aside, Ok(background));
        // Who waits for it stays what it was.
        let own = rustix::process::getpriority_process(Some(rustix::thread::gettid()));
        assert_eq!(own, Ok(usual));
    }
}
