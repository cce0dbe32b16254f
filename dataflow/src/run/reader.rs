//! Takes items from a source and starts to fetch their chunks, a few ahead of who reads them, in the
//! order of the source. A file is divided into chunks here, at its key frames.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use matchcut_ingest::{Fetcher, Missing, Source, SourceCursor, SourceItem};
use matchcut_model::chunk::{ChunkRef, Container, Position, Resource};
use matchcut_model::failure::{Domain, Failure, Retry};
use matchcut_model::time::MediaTime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{Instrument, Span};

use super::files::OpenFiles;
use super::media::{Read, load};
use super::meter::Meter;
use super::traces;

/// Chunks that are fetched ahead.
pub(super) const AHEAD: usize = 3;

/// The length of the chunks that a file is divided into, at the key frame nearest to it.
const FILE_CHUNK: MediaTime = MediaTime::from_seconds(6);

/// What came of an item of the source.
pub(super) enum Fetched {
    Chunk(ChunkRef, JoinHandle<Result<Read, Failure>>),
    Missing(Missing),
    Notice(Failure),
    Failed(Failure),
    /// A chunk that could not be fetched before.
    Late(ChunkRef, Read),
}

/// What goes to the loader: something of the source, with how far it was read, or its end.
pub(super) enum Item {
    Fetched(Fetched, Option<SourceCursor>),
    End,
}

/// Takes items from the source and starts to fetch them, a few ahead of who reads them. Parts of a
/// file up to `last` are known.
pub(super) async fn read(
    mut source: Source,
    sender: mpsc::Sender<Item>,
    files: OpenFiles,
    stop: Arc<AtomicBool>,
    last: Option<Position>,
    meter: Meter,
) {
    let fetcher = source.fetcher().clone();
    loop {
        let item = tokio::select! {
            item = source.next() => item,
            () = stopped(&stop) => return,
        };
        let cursor = Some(source.cursor());
        let fetched = match item {
            Ok(SourceItem::End) => {
                let _ = sender.send(Item::End).await;
                return;
            }
            Ok(SourceItem::Chunk(chunk)) => {
                meter.seen(chunk.position);
                fetch(&fetcher, &files, &meter, chunk)
            }
            Ok(SourceItem::Missing(missing)) => Fetched::Missing(missing),
            Ok(SourceItem::Notice(failure)) => Fetched::Notice(failure),
            Ok(SourceItem::File(path)) => match parts(&files, &path).await {
                Ok(chunks) => {
                    let new = |chunk: &ChunkRef| last.is_none_or(|last| chunk.position > last);
                    for chunk in chunks.into_iter().filter(new) {
                        meter.seen(chunk.position);
                        let item = Item::Fetched(fetch(&fetcher, &files, &meter, chunk), None);
                        if sender.send(item).await.is_err() {
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
        if sender.send(Item::Fetched(fetched, cursor)).await.is_err() {
            return;
        }
    }
}

/// Returns when nothing more is to be read.
pub(super) async fn stopped(stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn fetch(fetcher: &Fetcher, files: &OpenFiles, meter: &Meter, chunk: ChunkRef) -> Fetched {
    let task = {
        let (fetcher, files, chunk) = (fetcher.clone(), files.clone(), chunk.clone());
        let span = meter.traces().fetch(chunk.position);
        let loading = async move {
            let loaded = load(&fetcher, &files, &chunk).await;
            if loaded.is_err() {
                traces::failed(&Span::current());
            }
            loaded
        };
        tokio::spawn(loading.instrument(span))
    };
    Fetched::Chunk(chunk, task)
}

/// The chunks of a file, divided at key frames.
async fn parts(files: &OpenFiles, path: &Path) -> Result<Vec<ChunkRef>, String> {
    let (files, path) = (files.clone(), path.to_owned());
    let divide = move || -> Result<Vec<ChunkRef>, String> {
        let absolute = std::path::absolute(&path).map_err(|error| error.to_string())?;
        let uri = matchcut_ingest::uri::from_path(&absolute)
            .ok_or_else(|| "its path cannot be written as a URI".to_owned())?
            .to_string();
        let file = files.open(&absolute).map_err(|error| error.to_string())?;
        let windows = file.parts(FILE_CHUNK).into_iter();
        Ok(windows
            .zip(0..)
            .map(|(window, position)| {
                let media = Resource::whole(uri.clone());
                let position = Position(position);
                ChunkRef {
                    window: Some(window),
                    declared_duration: Some(window.duration()),
                    ..ChunkRef::new("file", position, media, Container::FilePart)
                }
            })
            .collect())
    };
    tokio::task::spawn_blocking(divide)
        .await
        .map_err(|error| error.to_string())?
}
