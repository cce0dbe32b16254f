//! The loader: takes chunks from a source in playlist order, fetches a few ahead, reads their
//! timestamps, gives each its place on the timeline and admits it to the log. Runs on its own
//! thread, since it waits for networks and for credits.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use matchcut_ingest::{Fetcher, Source, SourceItem};
use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::{ChunkRef, Container, PlacedChunk, Position, Resource};
use matchcut_model::failure::{Domain, Failure, Retry};
use matchcut_model::time::MediaTime;
use matchcut_model::timeline::Timeline;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::files::OpenFiles;
use super::media::{Loaded, MediaStore, load};
use super::times::{stream_times, unwrap_to};
use crate::flow::{ChunkEntry, ScanRow, Scanned};

/// Chunks that are fetched ahead.
const AHEAD: usize = 3;

/// The length of the chunks that a file is divided into, at the key frame nearest to it.
pub const FILE_CHUNK: MediaTime = MediaTime::from_seconds(6);

/// What the loader tells.
pub enum Loads {
    /// The next entry of the log, and its size in bytes.
    Entry(ChunkEntry, u64),
    /// Something that the user should know, of no chunk.
    Notice(Failure),
    /// Nothing comes any more; the event ends here. With the reason, if the source failed.
    End(MediaTime, Option<Failure>),
}

enum Fetched {
    Chunk(ChunkRef, JoinHandle<Result<(Demuxed, u64), Failure>>),
    Missing(Position, u64, Option<MediaTime>, Failure),
    Notice(Failure),
    Failed(Failure),
}

/// Reads a source to its end, or until `stop`. `tell` blocks while no more may be admitted, and
/// returns false when nobody listens any more.
pub fn run(
    source: Source,
    store: &Arc<MediaStore>,
    runtime: &tokio::runtime::Runtime,
    stop: &Arc<AtomicBool>,
    mut tell: impl FnMut(Loads) -> bool,
) {
    let (sender, mut fetched) = mpsc::channel(AHEAD);
    let reading = runtime.spawn(read(
        source,
        sender,
        store.files().clone(),
        Arc::clone(stop),
    ));
    let mut loader = Loader {
        timeline: Timeline::default(),
        before: None,
        store,
    };
    let mut broken = None;
    while let Some(next) = fetched.blocking_recv() {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let told = match next {
            Fetched::Chunk(chunk, handle) => {
                let loaded = runtime.block_on(async {
                    tokio::select! {
                        loaded = handle => Some(loaded),
                        () = stopped(stop) => None,
                    }
                });
                // A server that hangs does not hold up who wants to stop.
                let Some(loaded) = loaded else { break };
                let result = loaded.unwrap_or_else(|error| {
                    Err(failure(
                        &chunk,
                        format!("loading the chunk panicked: {error}"),
                    ))
                });
                let (entry, bytes) = loader.place(chunk, result);
                tell(Loads::Entry(entry, bytes))
            }
            Fetched::Missing(position, count, each, failure) => {
                let entries = (0..count).map(|n| Position(position.0 + n));
                entries.into_iter().all(|position| {
                    if stop.load(Ordering::SeqCst) {
                        return false;
                    }
                    let entry = loader.gap(position, each, failure.clone());
                    tell(Loads::Entry(entry, 0))
                })
            }
            Fetched::Notice(failure) => tell(Loads::Notice(failure)),
            Fetched::Failed(failure) => {
                broken = Some(failure);
                break;
            }
        };
        if !told {
            break;
        }
    }
    reading.abort();
    tell(Loads::End(loader.timeline.end(), broken));
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

struct Loader<'a> {
    timeline: Timeline,
    /// The chunk before, and its stretch.
    before: Option<(u32, Arc<Demuxed>)>,
    store: &'a Arc<MediaStore>,
}

impl Loader<'_> {
    /// Gives a chunk its place; what cannot be read becomes a gap with the reason.
    fn place(
        &mut self,
        chunk: ChunkRef,
        loaded: Result<(Demuxed, u64), Failure>,
    ) -> (ChunkEntry, u64) {
        let (position, declared) = (chunk.position, chunk.declared_duration);
        let (mut demuxed, bytes) = match loaded {
            Ok(loaded) => loaded,
            Err(failure) => return (self.gap(position, declared, failure), 0),
        };
        let uri = chunk.clone();
        match self.timeline.place(chunk, &stream_times(&demuxed), bytes) {
            Ok(placed) => {
                unwrap_to(&placed, &mut demuxed);
                (self.keep(placed, Arc::new(demuxed)), bytes)
            }
            Err(error) => {
                let message = match demuxed.warnings.first() {
                    Some(warning) => format!("{error} ({warning})"),
                    None => error.to_string(),
                };
                (self.gap(position, declared, failure(&uri, message)), 0)
            }
        }
    }

    fn keep(&mut self, placed: PlacedChunk, demuxed: Arc<Demuxed>) -> ChunkEntry {
        let preroll = self
            .before
            .take()
            .filter(|(stretch, _)| *stretch == placed.stretch)
            .map(|(_, before)| before);
        self.before = Some((placed.stretch, Arc::clone(&demuxed)));
        let loaded = Loaded {
            chunk: demuxed,
            preroll,
        };
        self.store.pin(placed.chunk.position, loaded, placed.bytes);
        ChunkEntry::Placed(Arc::new(placed))
    }

    fn gap(&mut self, position: Position, each: Option<MediaTime>, failure: Failure) -> ChunkEntry {
        self.before = None;
        let mut rows = vec![ScanRow::Gap];
        // A gap that the timeline refuses has come twice: its place is taken already.
        if self.timeline.skip(position, each).is_ok() {
            let failure = Failure {
                position: Some(position),
                ..failure
            };
            rows.push(ScanRow::Failure(failure));
        }
        ChunkEntry::Scanned(Scanned { position, rows })
    }
}

/// Takes items from the source and starts to fetch them, a few ahead of who reads them.
async fn read(
    mut source: Source,
    sender: mpsc::Sender<Fetched>,
    files: OpenFiles,
    stop: Arc<AtomicBool>,
) {
    let fetcher = source.fetcher().clone();
    let mut next_position = Position(0);
    loop {
        let item = tokio::select! {
            item = source.next() => item,
            () = stopped(&stop) => return,
        };
        let fetched = match item {
            Ok(SourceItem::End) => return,
            Ok(SourceItem::Chunk(chunk)) => {
                next_position = Position(chunk.position.0 + 1);
                fetch(&fetcher, &files, chunk)
            }
            Ok(SourceItem::Missing(missing)) => Fetched::Missing(
                missing.position,
                missing.count,
                missing.each,
                missing.failure,
            ),
            Ok(SourceItem::Notice(failure)) => Fetched::Notice(failure),
            Ok(SourceItem::File(path)) => match parts(&files, &path, next_position).await {
                Ok(chunks) => {
                    for chunk in chunks {
                        next_position = Position(chunk.position.0 + 1);
                        if sender.send(fetch(&fetcher, &files, chunk)).await.is_err() {
                            return;
                        }
                    }
                    continue;
                }
                Err(message) => Fetched::Failed(Failure {
                    position: None,
                    input: path.display().to_string(),
                    operator: None,
                    message,
                    domain: Domain::User,
                    retry: Retry::No,
                }),
            },
            Err(error) => Fetched::Failed(Failure {
                position: None,
                input: "source".to_owned(),
                operator: None,
                message: error.to_string(),
                domain: error.domain(),
                retry: error.retry(),
            }),
        };
        if sender.send(fetched).await.is_err() {
            return;
        }
    }
}

async fn stopped(stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn fetch(fetcher: &Fetcher, files: &OpenFiles, chunk: ChunkRef) -> Fetched {
    let task = {
        let (fetcher, files, chunk) = (fetcher.clone(), files.clone(), chunk.clone());
        tokio::spawn(async move { load(&fetcher, &files, &chunk).await })
    };
    Fetched::Chunk(chunk, task)
}

/// The chunks of a file, divided at key frames.
async fn parts(files: &OpenFiles, path: &Path, first: Position) -> Result<Vec<ChunkRef>, String> {
    let (files, path) = (files.clone(), path.to_owned());
    let divide = move || -> Result<Vec<ChunkRef>, String> {
        let absolute = std::path::absolute(&path).map_err(|error| error.to_string())?;
        let uri = matchcut_ingest::uri::from_path(&absolute)
            .ok_or_else(|| "its path cannot be written as a URI".to_owned())?
            .to_string();
        let file = files.open(&absolute).map_err(|error| error.to_string())?;
        let windows = file.parts(FILE_CHUNK).into_iter();
        Ok(windows
            .zip(first.0..)
            .map(|(window, position)| ChunkRef {
                source: "file".to_owned(),
                position: Position(position),
                media: Resource::whole(uri.clone()),
                init: None,
                container: Container::FilePart,
                window: Some(window),
                declared_duration: Some(window.duration()),
                discontinuity: false,
                program_date_time: None,
                audio: Vec::new(),
                cut_from: None,
                cues: Vec::new(),
            })
            .collect())
    };
    tokio::task::spawn_blocking(divide)
        .await
        .map_err(|error| error.to_string())?
}
