//! The media of an event in memory: what the loader has demuxed and a scan or a clip still needs.
//! A scan finds its chunk pinned here, by epoch; clips look it up, and fetch it again when it has been dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::files::OpenFiles;
use matchcut_ingest::Fetcher;
use matchcut_media::demux::demux;
use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::{ChunkRef, Container, ContentId, Epoch, PlacedChunk, Position};
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

/// A chunk as it was fetched.
pub struct Read {
    /// Its samples.
    pub demuxed: Demuxed,
    /// Number of its bytes.
    pub bytes: u64,
    /// Their identity.
    pub content: ContentId,
}

struct Recent {
    chunk: Arc<Demuxed>,
    bytes: u64,
    content: ContentId,
}

#[derive(Default)]
struct Held {
    pinned: BTreeMap<Epoch, Loaded>,
    recent: BTreeMap<Position, Recent>,
    bytes: u64,
}

impl Held {
    fn keep(&mut self, position: Position, recent: Recent, budget: u64) {
        self.bytes += recent.bytes;
        if let Some(before) = self.recent.insert(position, recent) {
            self.bytes -= before.bytes;
        }
        while self.bytes > budget && self.recent.len() > 1 {
            let oldest = self.recent.keys().copied().find(|kept| *kept != position);
            let Some(dropped) = oldest.and_then(|kept| self.recent.remove(&kept)) else {
                break;
            };
            self.bytes -= dropped.bytes;
        }
    }
}

/// Demuxed chunks: pinned until they are scanned, by the epoch that scans them, and as many recent
/// ones, by position, as fit into a number of bytes.
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

    /// What fetches its chunks.
    pub fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a chunk until `epoch` takes it.
    pub fn pin(&self, epoch: Epoch, loaded: Loaded) {
        self.lock().pinned.insert(epoch, loaded);
    }

    /// Keeps a chunk for clips, as long as there is room.
    pub fn keep(&self, placed: &PlacedChunk, chunk: &Arc<Demuxed>) {
        let recent = Recent {
            chunk: Arc::clone(chunk),
            bytes: placed.bytes,
            content: placed.content,
        };
        self.lock().keep(placed.chunk.position, recent, self.budget);
    }

    /// The chunk pinned for `epoch`, which is pinned no more.
    pub fn take(&self, epoch: Epoch) -> Option<Loaded> {
        self.lock().pinned.remove(&epoch)
    }

    /// A chunk, from memory or from where it came.
    pub fn get(&self, placed: &PlacedChunk) -> Result<Arc<Demuxed>, Failure> {
        let position = placed.chunk.position;
        if let Some(recent) = self.lock().recent.get(&position)
            && recent.content == placed.content
        {
            return Ok(Arc::clone(&recent.chunk));
        }
        let loading = load(&self.fetcher, &self.files, &placed.chunk);
        let Read {
            mut demuxed,
            content,
            ..
        } = self.runtime.block_on(loading)?;
        if content != placed.content {
            return Err(Failure {
                position: Some(position),
                input: placed.chunk.media.uri.clone(),
                operator: None,
                message: "it holds other bytes now than when it was analysed".to_owned(),
                domain: Domain::External,
                retry: Retry::No,
            });
        }
        unwrap_to(placed, &mut demuxed);
        let chunk = Arc::new(demuxed);
        self.keep(placed, &chunk);
        Ok(chunk)
    }
}

/// The identity of bytes.
pub fn content_of(parts: &[&[u8]]) -> ContentId {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    let mut id = [0; 8];
    hasher.finalize_xof().fill(&mut id);
    ContentId(u64::from_be_bytes(id))
}

/// Fetches and demuxes a chunk.
pub async fn load(fetcher: &Fetcher, files: &OpenFiles, chunk: &ChunkRef) -> Result<Read, Failure> {
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
    let content = content_of(&[init.as_deref().unwrap_or_default(), &media]);
    let demuxed = demux(chunk.container, init.as_deref(), &media)
        .map_err(|error| failed(error.to_string(), Domain::External, Retry::No))?;
    Ok(Read {
        demuxed,
        bytes: media.len() as u64,
        content,
    })
}

fn read_part(files: &OpenFiles, chunk: &ChunkRef) -> Result<Read, String> {
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
    // A file is read while it is whole: its window names what a part holds.
    let window = format!("{}-{}", window.start.flicks(), window.end.flicks());
    Ok(Read {
        demuxed,
        bytes,
        content: content_of(&[window.as_bytes()]),
    })
}
