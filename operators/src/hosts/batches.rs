//! Scans that give frames to a model, some at once, and keep what its tensors say.

use std::sync::Arc;

use matchcut_model::frame::{Frame, ViewSpec};
use matchcut_model::time::MediaTime;

use super::output::Output;
use super::picture::Picture;
use super::tensor::Model;
use crate::sdk::{ChunkContext, Said, VideoScan, VideoScanner, signature_of};

/// Starts scans with one model.
pub(super) struct Batches {
    pub(super) model: Arc<dyn Model>,
    pub(super) picture: Picture,
    pub(super) output: Output,
    /// The model is a server.
    pub(super) waits: bool,
}

/// A scan shares these with its scanner.
pub(super) struct BatchScanner(pub(super) Arc<Batches>);

impl VideoScanner for BatchScanner {
    fn view(&self) -> ViewSpec {
        self.0.picture.view()
    }

    fn start(&self, _chunk: &ChunkContext) -> Box<dyn VideoScan> {
        Box::new(BatchScan {
            batches: Arc::clone(&self.0),
            times: Vec::new(),
            frames: Vec::new(),
            said: Vec::new(),
        })
    }

    fn waits(&self) -> bool {
        self.0.waits
    }
}

struct BatchScan {
    batches: Arc<Batches>,
    times: Vec<MediaTime>,
    /// The frames that the model has not seen yet, one after the other.
    frames: Vec<u8>,
    said: Vec<Said>,
}

impl VideoScan for BatchScan {
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        let (size, found) = (self.batches.picture.size(), frame.data.len());
        if found != size {
            return Err(format!("expected pictures of {size} bytes, got {found}"));
        }
        self.times.push(frame.time);
        self.frames.extend_from_slice(frame.data);
        if self.times.len() >= self.batches.picture.batch {
            self.run()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<u8>, String> {
        self.run()?;
        signature_of(self.said)
    }
}

impl BatchScan {
    fn run(&mut self) -> Result<(), String> {
        if self.times.is_empty() {
            return Ok(());
        }
        let Batches {
            model,
            picture,
            output,
            ..
        } = &*self.batches;
        let batch = picture.batch_of(&self.frames);
        let pictures = picture.pictures(self.times.len());
        let tensors = model.run(&batch)?;
        for (number, time) in self.times.drain(..).enumerate() {
            self.said
                .extend(output.read(time, &tensors, number, pictures)?);
        }
        self.frames.clear();
        Ok(())
    }
}
