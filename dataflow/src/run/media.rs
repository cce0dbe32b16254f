//! The media of an event in memory: what the loader has demuxed and a scan or a clip still needs.
//! A scan finds its chunk pinned here; clips look it up, and fetch it again when it has been dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::files::OpenFiles;
use matchcut_ingest::Fetcher;
use matchcut_media::demux::demux;
use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::{ChunkRef, Container, PlacedChunk, Position};
use matchcut_model::failure::{Domain, Failure, Retry};
use tokio::runtime::Handle;

use super::times::unwrap_to;

/// A chunk with the one before it on the same stretch, whose end a decoder needs to start well.
#[derive(Clone)]
pub struct Loaded {
    /// The chunk.
    pub chunk: Arc<Demuxed>,
    /// The one before.
    pub preroll: Option<Arc<Demuxed>>,
}

#[derive(Default)]
struct Held {
    pinned: BTreeMap<Position, Loaded>,
    recent: BTreeMap<Position, (Arc<Demuxed>, u64)>,
    bytes: u64,
}

/// Demuxed chunks by position: pinned until they are scanned, and as many recent ones as fit into
/// a number of bytes.
pub struct MediaStore {
    held: Mutex<Held>,
    budget: u64,
    fetcher: Fetcher,
    files: OpenFiles,
    runtime: Handle,
}

impl MediaStore {
    /// A store that keeps up to `budget` bytes of chunks that are not pinned.
    pub fn new(budget: u64, fetcher: Fetcher, runtime: Handle) -> Self {
        MediaStore {
            held: Mutex::default(),
            budget,
            fetcher,
            files: OpenFiles::default(),
            runtime,
        }
    }

    /// The files that its chunks are parts of.
    pub fn files(&self) -> &OpenFiles {
        &self.files
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a chunk until [`MediaStore::take`], and for clips as long as there is room.
    pub fn pin(&self, position: Position, loaded: Loaded, bytes: u64) {
        let mut held = self.lock();
        held.recent
            .insert(position, (Arc::clone(&loaded.chunk), bytes));
        held.bytes += bytes;
        held.pinned.insert(position, loaded);
        while held.bytes > self.budget && held.recent.len() > 1 {
            let Some((_, (_, bytes))) = held.recent.pop_first() else {
                break;
            };
            held.bytes -= bytes;
        }
    }

    /// The pinned chunk, which is pinned no more.
    pub fn take(&self, position: Position) -> Option<Loaded> {
        self.lock().pinned.remove(&position)
    }

    /// A chunk, from memory or from where it came.
    pub fn get(&self, placed: &PlacedChunk) -> Result<Arc<Demuxed>, Failure> {
        let position = placed.chunk.position;
        if let Some((chunk, _)) = self.lock().recent.get(&position) {
            return Ok(Arc::clone(chunk));
        }
        let loading = load(&self.fetcher, &self.files, &placed.chunk);
        let (mut chunk, _) = self.runtime.block_on(loading)?;
        unwrap_to(placed, &mut chunk);
        let chunk = Arc::new(chunk);
        let mut held = self.lock();
        held.recent
            .insert(position, (Arc::clone(&chunk), placed.bytes));
        held.bytes += placed.bytes;
        while held.bytes > self.budget && held.recent.len() > 1 {
            let oldest = held.recent.keys().copied().find(|kept| *kept != position);
            let Some((_, bytes)) = oldest.and_then(|kept| held.recent.remove(&kept)) else {
                break;
            };
            held.bytes -= bytes;
        }
        Ok(chunk)
    }
}

/// Fetches and demuxes a chunk; the number of its bytes beside it.
pub async fn load(
    fetcher: &Fetcher,
    files: &OpenFiles,
    chunk: &ChunkRef,
) -> Result<(Demuxed, u64), Failure> {
    let failed = |message: String, domain, retry| Failure {
        position: Some(chunk.position),
        input: chunk.media.uri.clone(),
        operator: None,
        message,
        domain,
        retry,
    };
    if chunk.container == Container::FilePart {
        let (files, chunk) = (files.clone(), chunk.clone());
        let read = tokio::task::spawn_blocking(move || read_part(&files, &chunk)).await;
        return read
            .map_err(|error| error.to_string())
            .and_then(|read| read)
            .map_err(|message| failed(message, Domain::External, Retry::No));
    }
    let fetch = async |resource| {
        fetcher
            .fetch(resource)
            .await
            .map_err(|error| failed(error.to_string(), error.domain(), error.retry()))
    };
    let init = match &chunk.init {
        Some(init) => Some(fetch(init).await?),
        None => None,
    };
    let media = fetch(&chunk.media).await?;
    let bytes = media.len() as u64;
    let demuxed = demux(chunk.container, init.as_deref(), &media)
        .map_err(|error| failed(error.to_string(), Domain::External, Retry::No))?;
    Ok((demuxed, bytes))
}

fn read_part(files: &OpenFiles, chunk: &ChunkRef) -> Result<(Demuxed, u64), String> {
    let window = chunk.window.ok_or("a part of a file without its times")?;
    let path = matchcut_ingest::uri::to_path(&chunk.media.uri.parse().map_err(|_| "not a URI")?)
        .ok_or("not a path of this machine")?;
    let file = files.open(&path).map_err(|error| error.to_string())?;
    let demuxed = file.read(window).map_err(|error| error.to_string())?;
    let video = demuxed.video.iter().flat_map(|track| &track.samples);
    let audio = demuxed.audio.iter().flat_map(|track| &track.samples);
    let bytes = video
        .chain(audio)
        .map(|sample| sample.data.len() as u64)
        .sum();
    Ok((demuxed, bytes))
}
