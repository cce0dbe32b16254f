//! Threads that carry what is in the outbox, one for each sink. A sink that cannot be reached holds up nobody:
//! what is for it stays in the outbox, it is tried again, and what happens is told when it begins and when it ends.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use matchcut_model::failure::Domain;
use matchcut_model::value::Name;
use matchcut_sinks::outlet::{Carried, Notice, Outlet, OutletError, Posted};
use matchcut_store::{Outbox, StoreError};

use super::meter::{Meter, SinkMeter};

/// Rows that are carried together.
const BATCH: usize = 5000;

/// How long a sink that failed is left alone: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// An outbox is looked at again after so long, also when nobody says that there is something in it.
const IDLE: Duration = Duration::from_secs(5);

/// How often is counted what waits in an outbox.
const COUNTING: Duration = Duration::from_secs(1);

/// How often is looked whether everything is carried, at the end.
const DRAINING: Duration = Duration::from_millis(10);

/// What happened to a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It cannot be reached, or refuses. It is told once, until it is reached again.
    Trouble {
        /// The sink.
        sink: Name,
        /// Why.
        error: OutletError,
    },
    /// It is reached again.
    Recovered {
        /// The sink.
        sink: Name,
        /// For how long it was not.
        after: Duration,
    },
    /// It has something to say.
    Notice {
        /// The sink.
        sink: Name,
        /// What.
        notice: Notice,
    },
}

/// What a thread and those who wait for it have in common.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// How often something was posted.
    posted: u64,
    /// When the oldest chunk was seen of which something may wait.
    oldest: Option<Instant>,
    /// The thread is to end: at once, or when it has nothing left or this moment has come.
    end: Option<Instant>,
    news: Vec<News>,
}

impl Shared {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let done = act(&mut state);
        self.changed.notify_all();
        done
    }

    /// Waits while `holds`, but not longer than `longest`.
    fn wait_while(&self, longest: Duration, holds: impl Fn(&State) -> bool) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |state: &mut State| holds(state);
        let waited = self.changed.wait_timeout_while(state, longest, holds);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// A thread that carries the messages of one sink.
pub struct Publisher {
    sink: Name,
    patience: Duration,
    shared: Arc<Shared>,
    thread: JoinHandle<u64>,
}

impl Publisher {
    /// Begins to carry what is in the outbox.
    pub fn start(
        sink: Name,
        outbox: Outbox,
        outlet: Box<dyn Outlet>,
        meter: &Meter,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let patience = outlet.patience();
        let carrier = Carrier {
            sink: sink.clone(),
            outbox,
            outlet,
            shared: Arc::clone(&shared),
            meter: meter.of_sink(&sink),
            counted: None,
            trouble: None,
            pause: FIRST_PAUSE,
        };
        let thread = thread::Builder::new()
            .name(format!("publish {sink}"))
            .spawn(move || carrier.run())?;
        Ok(Publisher {
            sink,
            patience,
            shared,
            thread,
        })
    }
}

/// All threads of a run.
#[derive(Default)]
pub struct Publishers {
    all: Vec<Publisher>,
}

impl Publishers {
    /// One more.
    pub fn add(&mut self, publisher: Publisher) {
        self.all.push(publisher);
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// There is something new in the outbox; of a chunk that was `seen` then, if it is of one.
    pub fn posted(&self, seen: Option<Instant>) {
        for publisher in &self.all {
            publisher.shared.with(|state| {
                state.posted += 1;
                state.oldest = state.oldest.or(seen);
            });
        }
    }

    /// What has happened since the last call.
    pub fn news(&self) -> Vec<News> {
        let take = |publisher: &Publisher| {
            publisher
                .shared
                .with(|state| std::mem::take(&mut state.news))
        };
        self.all.iter().flat_map(take).collect()
    }

    /// Waits until everything is carried, for as long as each sink has patience, and tells the news meanwhile;
    /// what is left of each.
    pub fn drain(&mut self, tell: &mut dyn FnMut(&News)) -> Vec<(Name, u64)> {
        for publisher in &self.all {
            let end = Instant::now() + publisher.patience;
            publisher.shared.with(|state| state.end = Some(end));
        }
        while self.all.iter().any(|one| !one.thread.is_finished()) {
            self.news().iter().for_each(&mut *tell);
            thread::sleep(DRAINING);
        }
        self.news().iter().for_each(tell);
        let mut left = Vec::new();
        for publisher in self.all.drain(..) {
            // A thread that panicked leaves everything in the outbox; how much it was is not known.
            let rest = publisher.thread.join().unwrap_or(u64::MAX);
            if rest > 0 {
                left.push((publisher.sink, rest));
            }
        }
        left
    }
}

impl Drop for Publishers {
    fn drop(&mut self) {
        for publisher in &self.all {
            let now = Instant::now();
            publisher.shared.with(|state| state.end = Some(now));
        }
    }
}

/// How far the outbox is carried.
enum Did {
    /// There was nothing in it.
    Nothing,
    /// A batch has arrived.
    All,
    /// Rows are on their way, to be looked after again.
    Some(Duration),
}

/// What one thread does.
struct Carrier {
    sink: Name,
    outbox: Outbox,
    outlet: Box<dyn Outlet>,
    shared: Arc<Shared>,
    meter: SinkMeter,
    /// When was counted what waits.
    counted: Option<Instant>,
    /// Since when the sink cannot be reached.
    trouble: Option<Instant>,
    pause: Duration,
}

impl Carrier {
    /// Until the end is asked for; how many messages are left.
    fn run(mut self) -> u64 {
        self.meter.up(true);
        loop {
            let (seen, end) = self.shared.with(|state| (state.posted, state.end));
            self.count();
            match self.carry() {
                Ok(Did::All) => continue,
                Ok(Did::Some(again)) => {
                    let now = Instant::now();
                    if end.is_some_and(|end| now >= end) {
                        return self.give_up();
                    }
                    let left = end.map_or(again, |end| end - now);
                    let ending = end.is_some();
                    self.shared.wait_while(again.min(left), |state| {
                        state.posted == seen && state.end.is_some() == ending
                    });
                }
                Ok(Did::Nothing) if end.is_some() => return 0,
                Ok(Did::Nothing) => self
                    .shared
                    .wait_while(IDLE, |state| state.posted == seen && state.end.is_none()),
                Err(error) => {
                    let is_final = error.is_final;
                    self.tell(error);
                    let now = Instant::now();
                    if is_final || end.is_some_and(|end| now >= end) {
                        return self.give_up();
                    }
                    let left = end.map_or(self.pause, |end| end - now);
                    let pause = self.pause.min(left);
                    // What is posted meanwhile does not hurry a sink that fails; an end does.
                    self.shared
                        .wait_while(pause, |state| state.end.is_some() == end.is_some());
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Says how much waits, now and then: counting looks at every row.
    fn count(&mut self) {
        let lately = |at: Instant| at.elapsed() < COUNTING;
        if self.meter.is_kept() && !self.counted.is_some_and(lately) {
            self.counted = Some(Instant::now());
            self.meter.waiting(self.outbox.len().unwrap_or_default());
        }
    }

    /// Carries one batch.
    fn carry(&mut self) -> Result<Did, OutletError> {
        let rows = self.outbox.first(BATCH).map_err(broken)?;
        if rows.is_empty() {
            self.meter.waiting(0);
            // What is posted from now on is of a later chunk.
            if let Some(oldest) = self.shared.with(|state| state.oldest.take()) {
                self.meter.emptied(oldest);
            }
            return Ok(Did::Nothing);
        }
        let batch = rows.into_iter().map(|row| Posted {
            id: row.id,
            payload: row.payload,
        });
        let batch: Vec<Posted> = batch.collect();
        let begun = Instant::now();
        let carried = self.outlet.carry(&batch);
        let arrived = carried.as_ref().ok().map(|carried| match carried {
            Carried::All => batch.len() as u64,
            Carried::Some { rows, .. } => *rows as u64,
        });
        self.meter.tried(begun.elapsed(), arrived);
        let notices = self.outlet.notices();
        self.pass_on(notices);
        let (arrived, did) = match carried? {
            Carried::All => (batch.len(), Did::All),
            Carried::Some { rows, again } => (rows, Did::Some(again)),
        };
        let last = arrived.checked_sub(1).and_then(|last| batch.get(last));
        if let Some(last) = last {
            self.outbox.done(last.id).map_err(broken)?;
        }
        self.pause = FIRST_PAUSE;
        if let Some(since) = self.trouble.take() {
            self.meter.up(true);
            let (sink, after) = (self.sink.clone(), since.elapsed());
            tracing::info!(%sink, seconds = after.as_secs(), "sink reached again");
            self.shared
                .with(|state| state.news.push(News::Recovered { sink, after }));
        }
        Ok(did)
    }

    fn pass_on(&self, notices: Vec<Notice>) {
        let sink = &self.sink;
        let news = notices.into_iter().map(|notice| News::Notice {
            sink: sink.clone(),
            notice,
        });
        self.shared.with(|state| state.news.extend(news));
    }

    fn tell(&mut self, error: OutletError) {
        if self.trouble.is_none() || error.is_final {
            // Whoever sees that it is away sees what waits for it, too.
            self.counted = None;
            self.count();
            self.meter.up(false);
            self.trouble.get_or_insert_with(Instant::now);
            let sink = self.sink.clone();
            self.shared
                .with(|state| state.news.push(News::Trouble { sink, error }));
        }
    }

    /// How much is left. A sink that gave up waits for the end, so that its outbox still counts.
    fn give_up(&self) -> u64 {
        while self.shared.with(|state| state.end.is_none()) {
            self.shared.wait_while(IDLE, |state| state.end.is_none());
        }
        let left = self.outbox.len().unwrap_or(u64::MAX);
        self.meter.waiting(left);
        left
    }
}

fn broken(error: StoreError) -> OutletError {
    OutletError {
        message: error.to_string(),
        hint: None,
        domain: Domain::Internal,
        is_final: false,
    }
}
