//! Frames and samples of a chunk on their way to a program.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, ThreadId};

use matchcut_model::chunk::{Position, TrackNumber};
use matchcut_model::frame::{AudioBlock, Frame, ViewSpec};

use super::message::Request;
use super::pool::Pool;
use super::talk::Talk;
use super::wire::seconds;
use crate::sdk::{AudioScan, AudioScanner, ChunkContext, VideoScan, VideoScanner};

/// Scans frames.
pub(super) struct Frames {
    pool: Arc<Pool>,
    view: ViewSpec,
}

impl Frames {
    pub(super) fn new(pool: Arc<Pool>, view: ViewSpec) -> Self {
        Frames { pool, view }
    }
}

impl VideoScanner for Frames {
    fn view(&self) -> ViewSpec {
        self.view
    }

    fn start(&self, chunk: &ChunkContext) -> Box<dyn VideoScan> {
        Box::new(FrameScan(Talk::new(Arc::clone(&self.pool), &chunk.extent)))
    }

    fn waits(&self) -> bool {
        true
    }
}

struct FrameScan(Talk);

impl VideoScan for FrameScan {
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        let request = Request::Frame {
            time: frame.time,
            seconds: seconds(frame.time),
            index: frame.index,
            width: frame.width,
            height: frame.height,
            format: frame.format,
            bytes: frame.data.len(),
        };
        self.0.send(None, &request, frame.data)
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<u8>, String> {
        self.0.finish(None)
    }
}

/// Scans samples. The tracks of a chunk come one after the other and share an instance: two that had to
/// be had at the same time could wait for each other.
pub(super) struct Samples {
    pool: Arc<Pool>,
    /// By who scans it: a chunk may come again, with other bytes, while it is scanned.
    chunks: Mutex<HashMap<(ThreadId, Position), Chunk>>,
}

/// A chunk whose tracks are being scanned.
struct Chunk {
    talk: Weak<Mutex<Talk>>,
    tracks: BTreeSet<TrackNumber>,
}

impl Samples {
    pub(super) fn new(pool: Arc<Pool>) -> Self {
        Samples {
            pool,
            chunks: Mutex::default(),
        }
    }

    /// The talk of a chunk that `track` has no part in yet.
    fn talk(&self, chunk: &ChunkContext, track: TrackNumber) -> Arc<Mutex<Talk>> {
        let chunks = || self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (thread::current().id(), chunk.extent.position);
        if let Some(known) = chunks().get_mut(&key)
            && let Some(talk) = known.talk.upgrade()
            && known.tracks.insert(track)
        {
            return talk;
        }
        // This may wait for an instance, and others must get at theirs meanwhile.
        let talk = Arc::new(Mutex::new(Talk::new(Arc::clone(&self.pool), &chunk.extent)));
        let mut chunks = chunks();
        chunks.retain(|_, chunk| chunk.talk.strong_count() > 0);
        let known = Chunk {
            talk: Arc::downgrade(&talk),
            tracks: BTreeSet::from([track]),
        };
        chunks.insert(key, known);
        talk
    }
}

impl AudioScanner for Samples {
    fn start(&self, chunk: &ChunkContext) -> Box<dyn AudioScan> {
        let track = chunk.track.unwrap_or(TrackNumber::FIRST);
        Box::new(SampleScan {
            talk: self.talk(chunk, track),
            track,
            bytes: Vec::new(),
        })
    }

    fn waits(&self) -> bool {
        true
    }
}

struct SampleScan {
    talk: Arc<Mutex<Talk>>,
    track: TrackNumber,
    bytes: Vec<u8>,
}

impl SampleScan {
    fn talk(talk: &Mutex<Talk>) -> MutexGuard<'_, Talk> {
        talk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AudioScan for SampleScan {
    fn block(&mut self, block: &AudioBlock<'_>) -> Result<(), String> {
        self.bytes.clear();
        self.bytes
            .extend(block.samples.iter().flat_map(|sample| sample.to_le_bytes()));
        let request = Request::Audio {
            time: block.time,
            seconds: seconds(block.time),
            sample_rate: block.sample_rate,
            channels: block.channels,
            bytes: self.bytes.len(),
        };
        Self::talk(&self.talk).send(Some(self.track), &request, &self.bytes)
    }

    fn finish(self: Box<Self>) -> Result<Vec<u8>, String> {
        Self::talk(&self.talk).finish(Some(self.track))
    }
}
