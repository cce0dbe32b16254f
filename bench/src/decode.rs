//! Decoding alone: what a run is compared with. The same demultiplexer, decoder and number of
//! threads over the same chunks, no view, no sound and nobody who looks.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bytes::Bytes;
use matchcut_media::decode::{DecodePlan, FrameSink, decode};
use matchcut_media::demux::demux;
use matchcut_model::chunk::Container;
use matchcut_model::frame::{AudioBlock, Frame};

use crate::child::Done;
use crate::{Error, material};

struct Nobody;

impl FrameSink for Nobody {
    fn video(&mut self, _view: usize, _frame: &Frame<'_>) {}

    fn audio(&mut self, _block: &AudioBlock<'_>) {}
}

/// Decodes every chunk of the playlist, `threads` at a time.
pub fn decode_all(playlist: &Path, threads: usize) -> Result<Done, Error> {
    let chunks = material::chunks(playlist)?;
    let next = AtomicUsize::new(0);
    let work = || -> Result<u64, Error> {
        let mut frames = 0;
        while let Some(path) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
            frames += decode_one(path)?;
        }
        Ok(frames)
    };
    let counts: Result<Vec<u64>, Error> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = running.into_iter().map(|thread| thread.join());
        joined
            .map(|count| count.unwrap_or_else(|_| Err("decoding panicked".into())))
            .collect()
    });
    Ok(Done {
        frames: counts?.iter().sum(),
        results: 0,
    })
}

fn decode_one(path: &PathBuf) -> Result<u64, Error> {
    let chunk = demux(Container::MpegTs, None, &Bytes::from(std::fs::read(path)?))?;
    let plan = DecodePlan {
        check_video: true,
        ..DecodePlan::default()
    };
    let report = decode(&chunk, None, &plan, &mut Nobody)?;
    match report.degraded {
        Some(remark) => Err(format!("{}: {remark}", path.display()).into()),
        None => Ok(report.frames),
    }
}
