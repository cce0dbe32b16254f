//! A fixed number of threads for work that must not run on a timely worker: decoding, cutting.
//! Jobs start in the order in which they were given; threads end when the last handle is dropped.

use std::thread;

use crossbeam_channel::{Sender, unbounded};

type Job = Box<dyn FnOnce() + Send>;

/// Handle of the pool; cheap to clone.
#[derive(Clone)]
pub struct Pool {
    jobs: Sender<Job>,
}

impl Pool {
    /// Starts `threads` threads named `NAME-0`, `NAME-1`, …
    pub fn new(name: &str, threads: usize) -> std::io::Result<Pool> {
        let (jobs, queue) = unbounded::<Job>();
        for index in 0..threads.max(1) {
            let queue = queue.clone();
            thread::Builder::new()
                .name(format!("{name}-{index}"))
                .spawn(move || {
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
