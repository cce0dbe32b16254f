//! The loader: takes chunks from a source, fetches a few ahead, reads their timestamps and gives each
//! its place on the timeline. Runs on its own thread, since it waits for networks and for credits. What
//! comes late, or comes again with other bytes, takes its place between the others.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use matchcut_ingest::{Missing, Source, SourceCursor};
use matchcut_media::samples::Demuxed;
use matchcut_model::change::GapRow;
use matchcut_model::chunk::{ChunkRef, ContentId, PlacedChunk, Position};
use matchcut_model::cue::Cue;
use matchcut_model::failure::{Domain, Failure, Retry};
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::timeline::Surroundings;
use matchcut_operators::cues;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::listen::{Listening, Sources};
use super::log::InputProgress;
use super::media::{Loaded, MediaStore, Read, can_be_fetched, load};
use super::meter::Meter;
use super::reader::{AHEAD, Fetched, Item, read, stopped};
use super::remarks::{Entries, key_of};
use super::times::{stream_times, unwrap_to};
use crate::flow::{Control, ScanRow};

/// How often feedback files are looked at.
const FEEDBACK_POLL: Duration = Duration::from_millis(300);

/// The first and the longest pause before a chunk that could not be fetched is tried again.
const AGAIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// An entry for the log.
pub enum Entry {
    /// A chunk, with its media.
    Chunk(Arc<PlacedChunk>, Loaded),
    /// A chunk that is missing, what is said of it, and what could be tried again.
    Gap(Position, Vec<ScanRow>, Option<ChunkRef>),
    /// Anything else.
    Controls(Entries),
}

/// What the loader tells.
pub enum Loads {
    /// The next entry of the log, its size in bytes, and how far the inputs were read with it.
    Entry(Entry, u64, Box<InputProgress>),
    /// Nothing comes any more; the event ends here.
    End {
        /// When.
        at: MediaTime,
        /// Why the source ended early, if it did.
        broken: Option<Failure>,
        /// Somebody wanted it to end: the event itself may go on.
        interrupted: bool,
        /// How far the inputs were read.
        progress: Box<InputProgress>,
    },
}

/// Where a run stands when its loader starts.
#[derive(Default)]
pub struct Start {
    /// How far the inputs were read.
    pub progress: InputProgress,
    /// The last positions.
    pub recent: BTreeMap<Position, Place>,
    /// Where observations from outside were told, by what they say.
    pub observed: BTreeMap<u64, Position>,
}

impl Start {
    /// Takes over what an earlier process had heard.
    pub(super) fn heard(&mut self, controls: &[(Control, i64)]) {
        for (control, diff) in controls {
            if let Control::Observation {
                position,
                observation,
            } = control
            {
                match *diff > 0 {
                    true => drop(self.observed.insert(key_of(observation), *position)),
                    false => drop(self.observed.remove(&key_of(observation))),
                }
            }
        }
    }
}

/// What stands at a position.
#[derive(Clone, Debug)]
pub enum Place {
    /// A chunk.
    Placed(Arc<PlacedChunk>),
    /// Nothing, where it was expected; what could be tried again.
    Gap(TimeRange, Option<ChunkRef>),
}

/// What a loader works with.
pub struct Setting<'a> {
    /// Where chunks go for the scans and clips.
    pub store: &'a Arc<MediaStore>,
    /// What runs fetches.
    pub runtime: &'a Runtime,
    /// Becomes true when nothing more is to be read.
    pub stop: &'a Arc<AtomicBool>,
    /// Positions that stay correctable.
    pub window: usize,
    /// Who is listened to.
    pub sources: &'a Sources,
    /// Operators that read what the stream marks in itself.
    pub cues: &'a [u32],
    /// Counts.
    pub meter: &'a Meter,
}

/// Reads a source to its end, or until it is stopped. `tell` blocks while no more may be admitted, and
/// returns false when nobody listens any more. How many bytes of each feedback file were heard comes back.
pub fn run(
    source: Source,
    setting: &Setting<'_>,
    start: Start,
    tell: impl FnMut(Loads) -> bool,
) -> Vec<u64> {
    let (sender, mut fetched) = mpsc::channel(AHEAD);
    let last = start.progress.timeline.last_position();
    let reading = setting.runtime.spawn(read(
        source,
        sender.clone(),
        setting.store.files().clone(),
        Arc::clone(setting.stop),
        last,
        setting.meter.clone(),
    ));
    let mut loader = Loader::new(setting, start, sender, tell);
    let (mut broken, mut interrupted) = (None, false);
    let mut looked = Instant::now();
    loader.retry_all();
    let mut listens = loader.feedback(false);
    while listens {
        if setting.stop.load(Ordering::SeqCst) {
            interrupted = true;
            break;
        }
        if looked.elapsed() >= FEEDBACK_POLL {
            looked = Instant::now();
            listens = loader.feedback(false);
            continue;
        }
        // Late chunks keep the channel open: the end of the source is its own item.
        let next = setting
            .runtime
            .block_on(async { tokio::time::timeout(FEEDBACK_POLL, fetched.recv()).await });
        let (item, cursor) = match next {
            Err(_) => continue,
            Ok(None | Some(Item::End)) => break,
            Ok(Some(Item::Fetched(item, cursor))) => (item, cursor),
        };
        listens = match item {
            Fetched::Chunk(chunk, handle) => {
                let loaded = setting.runtime.block_on(async {
                    tokio::select! {
                        loaded = handle => Some(loaded),
                        () = stopped(setting.stop) => None,
                    }
                });
                // A server that hangs does not hold up who wants to stop.
                let Some(loaded) = loaded else {
                    interrupted = true;
                    break;
                };
                let result = loaded.unwrap_or_else(|error| {
                    Err(failure(
                        &chunk,
                        format!("loading the chunk panicked: {error}"),
                    ))
                });
                loader.read_to(cursor);
                loader.chunk(chunk, result)
            }
            Fetched::Missing(missing) => {
                let count = missing.count;
                let mut listens = true;
                for number in 0..count {
                    if setting.stop.load(Ordering::SeqCst) || !listens {
                        break;
                    }
                    if number + 1 == count {
                        loader.read_to(cursor.clone());
                    }
                    let hole = Hole::of_missing(&missing, number);
                    listens = loader.gap(hole, missing.failure.clone());
                }
                listens
            }
            Fetched::Notice(failure) => {
                loader.read_to(cursor);
                loader.controls(vec![(Control::failure(failure), 1)])
            }
            Fetched::Late(chunk, read) => loader.chunk(chunk, Ok(read)),
            Fetched::Failed(failure) => {
                broken = Some(failure);
                break;
            }
        };
    }
    reading.abort();
    loader.end(broken, interrupted)
}

/// Hears what was said of an event that is over, since it was heard last: of files, as feeds have ended with it. How
/// many bytes of each were heard comes back.
pub fn revise(setting: &Setting<'_>, start: Start, tell: impl FnMut(Loads) -> bool) -> Vec<u64> {
    let sources = Sources {
        feeds: Vec::new(),
        ..setting.sources.clone()
    };
    let setting = Setting {
        sources: &sources,
        ..*setting
    };
    let (sender, _) = mpsc::channel(AHEAD);
    let mut loader = Loader::new(&setting, start, sender, tell);
    loader.feedback(true);
    loader.listening.cursor().bytes()
}

fn failure(chunk: &ChunkRef, message: String) -> Failure {
    Failure {
        position: Some(chunk.position),
        input: chunk.media.uri.clone(),
        operator: None,
        message,
        domain: Domain::External,
        retry: Retry::No,
    }
}

struct Loader<'a, F> {
    setting: &'a Setting<'a>,
    progress: InputProgress,
    recent: BTreeMap<Position, Place>,
    /// The chunk placed last: the next one needs its end.
    before: Option<(Position, ContentId, Arc<Demuxed>)>,
    listening: Listening,
    again: HashMap<Position, JoinHandle<()>>,
    sender: mpsc::Sender<Item>,
    tell: F,
}

impl<'a, F: FnMut(Loads) -> bool> Loader<'a, F> {
    fn new(setting: &'a Setting<'a>, start: Start, sender: mpsc::Sender<Item>, tell: F) -> Self {
        let said = start.progress.feedback.clone();
        let listening = Listening::new(setting.sources, said, start.observed);
        Loader {
            setting,
            progress: start.progress,
            recent: start.recent,
            before: None,
            listening,
            again: HashMap::new(),
            sender,
            tell,
        }
    }

    /// The source was read up to here.
    fn read_to(&mut self, cursor: Option<SourceCursor>) {
        self.progress.source = cursor.or(self.progress.source.take());
    }

    fn tell(&mut self, entry: Entry, bytes: u64) -> bool {
        let progress = Box::new(self.progress.clone());
        (self.tell)(Loads::Entry(entry, bytes, progress))
    }

    fn controls(&mut self, entries: Entries) -> bool {
        entries.is_empty() || self.tell(Entry::Controls(entries), 0)
    }

    /// Tells what people said since the last time.
    fn feedback(&mut self, ended: bool) -> bool {
        if self.listening.is_empty() {
            return true;
        }
        let next = self.next_position();
        let entries = self.listening.poll(next, ended);
        self.progress.feedback = self.listening.cursor().clone();
        self.controls(entries)
    }

    fn next_position(&self) -> Position {
        let last = self.progress.timeline.last_position();
        last.map_or(Position(0), |last| Position(last.0 + 1))
    }

    /// What could not be fetched before a restart is tried again.
    fn retry_all(&mut self) {
        let waits = |(position, place): (&Position, &Place)| match place {
            Place::Gap(_, chunk) => Some((chunk.clone()?, Vec::new())),
            Place::Placed(placed) => {
                let unheard = self.progress.unheard.get(position)?;
                Some((placed.chunk.clone(), unheard.clone()))
            }
        };
        let all: Vec<(ChunkRef, Vec<String>)> = self.recent.iter().filter_map(waits).collect();
        for (chunk, unheard) in all {
            self.try_again(chunk, unheard);
        }
    }

    /// Tries to fetch a chunk until it comes, or is too old. One that is there but for some sound
    /// (`unheard`) is fetched when that is there.
    fn try_again(&mut self, chunk: ChunkRef, unheard: Vec<String>) {
        let position = chunk.position;
        let (fetcher, files) = (
            self.setting.store.fetcher().clone(),
            self.setting.store.files().clone(),
        );
        let sender = self.sender.clone();
        let task = self.setting.runtime.spawn(async move {
            let (mut pause, longest) = AGAIN;
            loop {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(longest);
                if !can_be_fetched(&fetcher, &chunk, &unheard).await {
                    continue;
                }
                if let Ok(read) = load(&fetcher, &files, &chunk).await
                    && (unheard.is_empty() || read.may_be_heard() != unheard)
                {
                    let _ = sender
                        .send(Item::Fetched(Fetched::Late(chunk, read), None))
                        .await;
                    return;
                }
            }
        });
        if let Some(before) = self.again.insert(position, task) {
            before.abort();
        }
    }

    /// A chunk of the source: the next one, one that was missing, or one that comes again.
    fn chunk(&mut self, chunk: ChunkRef, loaded: Result<Read, Failure>) -> bool {
        let position = chunk.position;
        if let Some(task) = self.again.remove(&position) {
            task.abort();
        }
        let last = self.progress.timeline.last_position();
        let is_next = last.is_none_or(|last| position > last);
        let read = match loaded {
            Ok(read) => read,
            Err(failure) if is_next => {
                let again = failure.retry == Retry::WithBackoff;
                return self.gap(Hole::left_by(&chunk, again), failure);
            }
            // What stands there stays.
            Err(failure) => return self.controls(vec![(Control::failure(failure), 1)]),
        };
        if is_next {
            return self.next(chunk, read);
        }
        let stands = self.recent.get(&position).cloned();
        match &stands {
            None => {
                let message = "it came after the correction window had passed and was left out; a \
                               larger correction_window takes it";
                let failure = failure(&chunk, message.to_owned());
                return self.controls(vec![(Control::failure(failure), 1)]);
            }
            Some(Place::Placed(placed)) if placed.content == read.content => {
                tracing::debug!(%position, "the chunk came again unchanged");
                let unheard = read.may_be_heard();
                if !unheard.is_empty() {
                    self.try_again(chunk, unheard);
                }
                return true;
            }
            Some(_) => {}
        }
        if last == Some(position) {
            // Nothing was placed behind it: it is as if it came for the first time.
            let timeline =
                std::mem::replace(&mut self.progress.timeline, self.progress.newest.clone());
            let listens = self.next_or(chunk, read, |loader, failure| {
                loader.progress.timeline = timeline;
                loader.controls(vec![(Control::failure(failure), 1)])
            });
            return listens;
        }
        self.late(chunk, read, stands)
    }

    /// The next chunk in playlist order.
    fn next(&mut self, chunk: ChunkRef, read: Read) -> bool {
        let hole = Hole::left_by(&chunk, false);
        self.next_or(chunk, read, |loader, failure| loader.gap(hole, failure))
    }

    fn next_or(
        &mut self,
        chunk: ChunkRef,
        mut read: Read,
        refused: impl FnOnce(&mut Self, Failure) -> bool,
    ) -> bool {
        let before = self.progress.timeline.clone();
        let uri = chunk.clone();
        self.progress.tracks.assign(&mut read.demuxed);
        let times = stream_times(&read.demuxed);
        match self.progress.timeline.place(chunk, &times, read.bytes) {
            Ok(placed) => {
                self.progress.newest = before;
                self.place(placed, read)
            }
            Err(error) => {
                let failure = failure(&uri, with_warning(error.to_string(), &read.demuxed));
                refused(self, failure)
            }
        }
    }

    /// A chunk whose place is between others.
    fn late(&mut self, chunk: ChunkRef, mut read: Read, stands: Option<Place>) -> bool {
        let position = chunk.position;
        self.progress.tracks.assign(&mut read.demuxed);
        let placed = |place: &'_ Place| match place {
            Place::Placed(placed) => Some(Arc::clone(placed)),
            Place::Gap(..) => None,
        };
        let before = self.recent.range(..position).rev();
        let before = before.filter_map(|(_, place)| placed(place)).next();
        let after = self.recent.range(Position(position.0 + 1)..);
        let after = after.filter_map(|(_, place)| placed(place)).next();
        let replaced = stands.as_ref().and_then(placed);
        let expected = match (&stands, &replaced) {
            (_, Some(replaced)) => replaced.span,
            (Some(Place::Gap(expected, _)), _) => *expected,
            _ => TimeRange::default(),
        };
        let around = Surroundings {
            before: before.as_deref(),
            replaced: replaced.as_deref(),
            after: after.as_deref(),
            expected,
        };
        let uri = chunk.clone();
        let times = stream_times(&read.demuxed);
        let timeline = &self.progress.timeline;
        match timeline.place_late(chunk, &times, read.bytes, around) {
            Ok(placed) => self.place(placed, read) && self.scan_again(position),
            Err(error) => {
                let failure = failure(&uri, with_warning(error.to_string(), &read.demuxed));
                self.controls(vec![(Control::failure(failure), 1)])
            }
        }
    }

    /// Tells a chunk that has its place.
    fn place(&mut self, mut placed: PlacedChunk, read: Read) -> bool {
        let unheard = read.may_be_heard();
        let Read {
            mut demuxed,
            bytes,
            content,
            ..
        } = read;
        placed.content = content;
        let position = placed.chunk.position;
        match unheard.is_empty() {
            true => drop(self.progress.unheard.remove(&position)),
            false => {
                self.try_again(placed.chunk.clone(), unheard.clone());
                self.progress.unheard.insert(position, unheard);
            }
        }
        unwrap_to(&placed, &mut demuxed);
        self.admit(Arc::new(placed), Arc::new(demuxed), bytes)
    }

    fn admit(&mut self, placed: Arc<PlacedChunk>, chunk: Arc<Demuxed>, bytes: u64) -> bool {
        let position = placed.chunk.position;
        let preroll = self.preroll(&placed);
        self.setting.store.keep(&placed, &chunk);
        if self.progress.timeline.last_position() == Some(position) {
            self.before = Some((position, placed.content, Arc::clone(&chunk)));
        }
        self.remember(position, Place::Placed(Arc::clone(&placed)));
        self.tell(Entry::Chunk(placed, Loaded { chunk, preroll }), bytes)
    }

    /// The chunk in front, which a decoder needs the end of.
    fn preroll(&self, placed: &PlacedChunk) -> Option<Arc<Demuxed>> {
        let position = Position(placed.chunk.position.0.checked_sub(1)?);
        let Some(Place::Placed(before)) = self.recent.get(&position) else {
            return None;
        };
        if before.stretch != placed.stretch {
            return None;
        }
        match &self.before {
            Some((at, content, chunk)) if *at == position && *content == before.content => {
                Some(Arc::clone(chunk))
            }
            _ => match self.setting.store.get(before) {
                Ok(chunk) => Some(chunk),
                Err(failure) => {
                    tracing::warn!(%failure, "the chunk behind it is decoded without its end");
                    None
                }
            },
        }
    }

    /// The chunk behind a late one was decoded without its end: it is looked at again.
    fn scan_again(&mut self, position: Position) -> bool {
        let next = Position(position.0 + 1);
        let stretch = |place: Option<&Place>| match place {
            Some(Place::Placed(placed)) => Some((placed.stretch, Arc::clone(placed))),
            _ => None,
        };
        let here = stretch(self.recent.get(&position));
        let Some((_, placed)) = stretch(self.recent.get(&next))
            .filter(|(stretch, _)| here.is_some_and(|(here, _)| here == *stretch))
        else {
            return true;
        };
        match self.setting.store.get(&placed) {
            Ok(chunk) => {
                let bytes = placed.bytes;
                self.admit(placed, chunk, bytes)
            }
            Err(failure) => {
                tracing::warn!(%failure, "it stays as it was decoded without the chunk before it");
                true
            }
        }
    }

    /// A chunk that is missing. One that is known at that position stays.
    fn gap(&mut self, hole: Hole, failure: Failure) -> bool {
        let Hole {
            position,
            each,
            cues: marks,
            utc,
            again,
        } = hole;
        let before = self.progress.timeline.clone();
        let Ok(span) = self.progress.timeline.skip(position, each) else {
            return true;
        };
        self.progress.newest = before;
        let reason = failure.message.clone();
        let mut rows = vec![
            ScanRow::Gap(GapRow {
                position,
                span,
                reason,
            }),
            ScanRow::Failure(Failure {
                position: Some(position),
                ..failure
            }),
        ];
        // What its playlist marks in it holds all the same; who fills the hole says it again.
        let signature = match marks.is_empty() {
            true => None,
            false => cues::signature_of_gap(&marks, utc, span).ok(),
        };
        if let Some(bytes) = signature {
            let operators = self.setting.cues.iter();
            rows.extend(operators.map(|operator| ScanRow::Signature {
                operator: *operator,
                track: None,
                bytes: bytes.clone(),
            }));
        }
        self.remember(position, Place::Gap(span, again.clone()));
        if let Some(chunk) = again.clone() {
            self.try_again(chunk, Vec::new());
        }
        self.tell(Entry::Gap(position, rows, again), 0)
    }

    fn remember(&mut self, position: Position, place: Place) {
        self.recent.insert(position, place);
        while self.recent.len() > self.setting.window.max(1) {
            let Some((old, _)) = self.recent.pop_first() else {
                break;
            };
            self.progress.unheard.remove(&old);
            if let Some(task) = self.again.remove(&old) {
                task.abort();
            }
        }
    }

    /// The end of what was read; how far files were.
    fn end(mut self, broken: Option<Failure>, interrupted: bool) -> Vec<u64> {
        self.again.values().for_each(JoinHandle::abort);
        let listens = broken.is_some() || interrupted || self.feedback(true);
        let heard = self.listening.cursor().bytes();
        if !listens {
            return heard;
        }
        (self.tell)(Loads::End {
            at: self.progress.timeline.end(),
            broken,
            interrupted,
            progress: Box::new(self.progress),
        });
        heard
    }
}

/// A position where nothing is, and what is known of it.
struct Hole {
    position: Position,
    /// How long what is missing was to be.
    each: Option<MediaTime>,
    /// What its playlist marks in it.
    cues: Vec<Cue>,
    /// The time of day at its start.
    utc: Option<i64>,
    /// What could be tried again.
    again: Option<ChunkRef>,
}

impl Hole {
    /// One of several chunks that are missing.
    fn of_missing(missing: &Missing, number: u64) -> Self {
        Hole {
            position: Position(missing.position.0 + number),
            each: missing.each,
            cues: missing.cues.clone(),
            utc: missing.program_date_time,
            again: None,
        }
    }

    /// The hole of a chunk that could not be read.
    fn left_by(chunk: &ChunkRef, again: bool) -> Self {
        Hole {
            position: chunk.position,
            each: chunk.declared_duration,
            cues: chunk.cues.clone(),
            utc: chunk.program_date_time,
            again: again.then(|| chunk.clone()),
        }
    }
}

fn with_warning(message: String, demuxed: &Demuxed) -> String {
    match demuxed.warnings.first() {
        Some(warning) => format!("{message} ({warning})"),
        None => message,
    }
}
