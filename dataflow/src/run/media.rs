//! The media of an event in memory: what the loader has demuxed and a scan or a clip still needs.
//! A scan finds its chunk pinned here, by epoch; clips look it up, and fetch it again when it has been dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::files::OpenFiles;
use matchcut_ingest::{FetchError, Fetcher};
use matchcut_media::demux::demux;
use matchcut_media::samples::{AudioRendition, Demuxed};
use matchcut_model::chunk::{
    ChunkRef, Container, ContentId, Epoch, PlacedChunk, Position, Rendition, Resource,
};
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
    /// Sound in playlists of its own that did not come: the chunk is there without it.
    pub unheard: Vec<Failure>,
}

impl Read {
    /// The addresses of sound that did not come, and that may come when it is asked for again.
    pub fn may_be_heard(&self) -> Vec<String> {
        let passing = self
            .unheard
            .iter()
            .filter(|failure| failure.retry == Retry::WithBackoff);
        passing.map(|failure| failure.input.clone()).collect()
    }
}

struct Recent {
    chunk: Arc<Demuxed>,
    bytes: u64,
    content: ContentId,
}

/// Which media of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    /// What operators look at.
    Analysed,
    /// What clips are cut from, where that is another variant.
    Cut,
}

/// Held by who fetches a chunk.
type Turn = Arc<Mutex<()>>;

#[derive(Default)]
struct Held {
    pinned: BTreeMap<Epoch, Loaded>,
    recent: BTreeMap<(Position, Side), Recent>,
    bytes: u64,
}

impl Held {
    fn keep(&mut self, key: (Position, Side), recent: Recent, budget: Budget) {
        self.bytes += recent.bytes;
        if let Some(before) = self.recent.insert(key, recent) {
            self.bytes -= before.bytes;
        }
        while (self.bytes > budget.bytes || self.recent.len() > budget.chunks)
            && self.recent.len() > 1
        {
            let oldest = self.recent.keys().copied().find(|kept| *kept != key);
            let Some(dropped) = oldest.and_then(|kept| self.recent.remove(&kept)) else {
                break;
            };
            self.bytes -= dropped.bytes;
        }
    }
}

/// How much recent media is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes.
    pub bytes: u64,
    /// Chunks.
    pub chunks: usize,
}

/// Demuxed chunks: pinned until they are scanned, by the epoch that scans them, and as many recent
/// ones, by position, as fit into a budget.
pub struct MediaStore {
    held: Mutex<Held>,
    /// Chunks that somebody fetches now: who wants the same one waits for it.
    turns: Mutex<BTreeMap<(Position, Side), Turn>>,
    budget: Budget,
    fetcher: Fetcher,
    files: OpenFiles,
    runtime: Handle,
}

impl MediaStore {
    /// A store that keeps as much as `budget` allows of chunks that are not pinned.
    pub fn new(budget: Budget, fetcher: Fetcher, runtime: Handle) -> Self {
        MediaStore {
            held: Mutex::default(),
            turns: Mutex::default(),
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
        let key = (placed.chunk.position, Side::Analysed);
        self.lock().keep(key, recent, self.budget);
    }

    /// The chunk pinned for `epoch`, which is pinned no more.
    pub fn take(&self, epoch: Epoch) -> Option<Loaded> {
        self.lock().pinned.remove(&epoch)
    }

    /// A chunk, from memory or from where it came.
    pub fn get(&self, placed: &PlacedChunk) -> Result<Arc<Demuxed>, Failure> {
        let key = (placed.chunk.position, Side::Analysed);
        self.recent_or(key, placed, || self.fetch_again(placed))
    }

    fn fetch_again(&self, placed: &PlacedChunk) -> Result<Arc<Demuxed>, Failure> {
        let position = placed.chunk.position;
        let loading = load(&self.fetcher, &self.files, &placed.chunk);
        let Read {
            mut demuxed,
            content,
            unheard,
            ..
        } = self.runtime.block_on(loading)?;
        if content != placed.content {
            // Its sound was there when it was analysed.
            if let Some(failure) = unheard.into_iter().next() {
                return Err(failure);
            }
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

    /// A chunk as it came, as one file: the initialization section first, nothing encrypted.
    pub fn file(&self, placed: &PlacedChunk) -> Result<Vec<u8>, String> {
        let chunk = &placed.chunk;
        let fetched: Result<_, FetchError> = self.runtime.block_on(async {
            let init = match &chunk.init {
                Some(init) => Some(self.fetcher.fetch(init).await?),
                None => None,
            };
            Ok((init, self.fetcher.fetch(&chunk.media).await?))
        });
        let (init, media) = fetched.map_err(|error| error.to_string())?;
        let init = init.unwrap_or_default();
        // With sound of other playlists the identity is that of more than these bytes.
        if chunk.audio.is_empty() && content_of(&[&init, &media]) != placed.content {
            return Err("it holds other bytes now than when it was loaded".to_owned());
        }
        Ok([&*init, &*media].concat())
    }

    /// The bytes of a resource, encrypted where it is.
    pub fn as_it_lies(&self, resource: &Resource) -> Result<bytes::Bytes, String> {
        let plain = Resource {
            encryption: None,
            ..resource.clone()
        };
        let fetched = self.runtime.block_on(self.fetcher.fetch(&plain));
        fetched.map_err(|error| error.to_string())
    }

    /// A chunk from memory, or else what `fetch` brings, which is asked once however many want it.
    fn recent_or(
        &self,
        key: (Position, Side),
        placed: &PlacedChunk,
        fetch: impl FnOnce() -> Result<Arc<Demuxed>, Failure>,
    ) -> Result<Arc<Demuxed>, Failure> {
        if let Some(chunk) = self.recent(key, placed) {
            return Ok(chunk);
        }
        let turns = || self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = Arc::clone(turns().entry(key).or_default());
        let mine = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let chunk = match self.recent(key, placed) {
            Some(chunk) => Ok(chunk),
            None => fetch(),
        };
        drop(mine);
        turns().remove(&key);
        chunk
    }

    fn recent(&self, key: (Position, Side), placed: &PlacedChunk) -> Option<Arc<Demuxed>> {
        let held = self.lock();
        let recent = held.recent.get(&key)?;
        (recent.content == placed.content).then(|| Arc::clone(&recent.chunk))
    }

    /// What clips of a chunk are cut from: the variant for that where there is one, else the chunk.
    pub fn get_for_cut(&self, placed: &PlacedChunk) -> Result<Arc<Demuxed>, Failure> {
        let Some(variant) = &placed.chunk.cut_from else {
            return self.get(placed);
        };
        let key = (placed.chunk.position, Side::Cut);
        self.recent_or(key, placed, || self.fetch_for_cut(placed, variant))
    }

    fn fetch_for_cut(
        &self,
        placed: &PlacedChunk,
        variant: &Rendition,
    ) -> Result<Arc<Demuxed>, Failure> {
        let key = (placed.chunk.position, Side::Cut);
        let loading = load_rendition(&self.fetcher, &placed.chunk, variant);
        let (mut demuxed, bytes, _) = self.runtime.block_on(loading)?;
        unwrap_to(placed, &mut demuxed);
        if !placed.chunk.audio.is_empty() {
            // What is heard is what was analysed, under the same numbers.
            demuxed.share_audio(&*self.get(placed)?);
        }
        let chunk = Arc::new(demuxed);
        let recent = Recent {
            chunk: Arc::clone(&chunk),
            bytes,
            content: placed.content,
        };
        self.lock().keep(key, recent, self.budget);
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
    let mut content = content_of(&[init.as_deref().unwrap_or_default(), &media]);
    let mut demuxed = demux(chunk.container, init.as_deref(), &media)
        .map_err(|error| failed(error.to_string(), Domain::External, Retry::No))?;
    let mut bytes = media.len() as u64;
    let (mut sounds, mut unheard) = (Vec::new(), Vec::new());
    for rendition in &chunk.audio {
        let sound = match load_rendition(fetcher, chunk, rendition).await {
            Ok((sound, size, id)) => {
                bytes += size;
                content = content_of(&[&content.0.to_be_bytes(), &id.0.to_be_bytes()]);
                sound
            }
            // Its pictures and its other sound are there all the same.
            Err(failure) => {
                demuxed.warnings.push(format!(
                    "audio rendition \"{}\" cannot be heard: {}",
                    rendition.name, failure.message
                ));
                unheard.push(failure);
                Demuxed::default()
            }
        };
        sounds.push(audio_of(rendition, sound));
    }
    demuxed.add_audio(sounds);
    Ok(Read {
        demuxed,
        bytes,
        content,
        unheard,
    })
}

/// Whether the parts of a chunk with these addresses can be fetched now.
pub async fn can_be_fetched(fetcher: &Fetcher, chunk: &ChunkRef, addresses: &[String]) -> bool {
    let renditions = chunk.audio.iter();
    let parts = renditions.flat_map(|rendition| rendition.init.iter().chain(&rendition.media));
    let asked = parts.filter(|part| addresses.contains(&part.uri));
    let asked: Vec<Resource> = asked.cloned().collect();
    for part in asked {
        if fetcher.fetch(&part).await.is_err() {
            return false;
        }
    }
    true
}

fn audio_of(rendition: &Rendition, demuxed: Demuxed) -> AudioRendition {
    AudioRendition {
        demuxed,
        name: rendition.name.clone(),
        language: rendition.language.clone(),
        wraps: rendition.container != Container::FragmentedMp4,
    }
}

/// Fetches and demuxes a rendition: its segments one after the other.
async fn load_rendition(
    fetcher: &Fetcher,
    chunk: &ChunkRef,
    rendition: &Rendition,
) -> Result<(Demuxed, u64, ContentId), Failure> {
    let failed = |input: &Resource, message: String, domain, retry| Failure {
        position: Some(chunk.position),
        input: input.uri.clone(),
        operator: None,
        message,
        domain,
        retry,
    };
    let fetch = async |resource: &Resource| {
        fetcher
            .fetch(resource)
            .await
            .map_err(|error| failed(resource, error.to_string(), error.domain(), error.retry()))
    };
    let init = match &rendition.init {
        Some(init) => Some(fetch(init).await?),
        None => None,
    };
    let mut whole: Option<Demuxed> = None;
    let (mut bytes, mut content) = (0, ContentId::default());
    for resource in &rendition.media {
        let media = fetch(resource).await?;
        bytes += media.len() as u64;
        content = content_of(&[&content.0.to_be_bytes(), &media]);
        let part = demux(rendition.container, init.as_deref(), &media)
            .map_err(|error| failed(resource, error.to_string(), Domain::External, Retry::No))?;
        match &mut whole {
            Some(whole) => whole.append(part),
            None => whole = Some(part),
        }
    }
    Ok((whole.unwrap_or_default(), bytes, content))
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
        unheard: Vec::new(),
    })
}
