//! What is said of one chunk, to one instance of a program: its tracks one after the other, or its frames.

use std::collections::BTreeMap;
use std::sync::Arc;

use matchcut_model::chunk::{ChunkExtent, TrackNumber};

use super::answer::signature;
use super::message::{Extent, Reply, Request};
use super::patience::Patience;
use super::pipe::PipeError;
use super::pool::{Lease, Pool};

/// Which part of a chunk: a track, or its frames.
type Part = Option<TrackNumber>;

pub(super) struct Talk {
    pool: Arc<Pool>,
    extent: ChunkExtent,
    lease: Option<Lease>,
    /// What is under way, with its number.
    open: Option<(Part, u64)>,
    done: BTreeMap<Part, Result<Vec<u8>, String>>,
    /// Why nothing more can be said.
    failed: Option<String>,
    patience: Patience,
}

impl Talk {
    /// Takes an instance for a chunk; this may wait for one.
    pub(super) fn new(pool: Arc<Pool>, extent: &ChunkExtent) -> Self {
        let (lease, failed) = match pool.lease() {
            Ok(lease) => (Some(lease), None),
            Err(message) => (None, Some(message)),
        };
        Talk {
            patience: Patience::new(pool.timeout()),
            pool,
            extent: extent.clone(),
            lease,
            open: None,
            done: BTreeMap::new(),
            failed,
        }
    }

    /// Sends a frame or samples of a part.
    pub(super) fn send(
        &mut self,
        part: Part,
        request: &Request<'_>,
        body: &[u8],
    ) -> Result<(), String> {
        self.turn_to(part)?;
        self.with(|lease, patience| match lease.program() {
            Some(program) => program.tell(request, body, patience),
            None => Err(PipeError::Ended),
        })
    }

    /// What the program says of a part.
    pub(super) fn finish(&mut self, part: Part) -> Result<Vec<u8>, String> {
        if !self.done.contains_key(&part) {
            self.turn_to(part)?;
            self.close()?;
        }
        let done = self.done.remove(&part);
        done.unwrap_or_else(|| Err("its tracks are not one after the other".to_owned()))
    }

    /// Begins a part, and ends the one before it.
    fn turn_to(&mut self, part: Part) -> Result<(), String> {
        if let Some(message) = &self.failed {
            return Err(message.clone());
        }
        if self.open.is_some_and(|(open, _)| open == part) {
            return Ok(());
        }
        self.close()?;
        if self.done.contains_key(&part) {
            return Err("its tracks are not one after the other".to_owned());
        }
        self.patience = Patience::new(self.pool.timeout());
        let extent = self.extent.clone();
        let id = self.with(|lease, patience| {
            let program = lease.program().ok_or(PipeError::Ended)?;
            let id = program.next_id();
            let request = Request::Chunk {
                id,
                extent: Extent::of(&extent),
                track: part,
            };
            program.tell(&request, &[], patience).map(|()| id)
        })?;
        self.open = Some((part, id));
        Ok(())
    }

    /// Ends the part under way and keeps what is said of it.
    fn close(&mut self) -> Result<(), String> {
        let Some((part, id)) = self.open else {
            return Ok(());
        };
        let reply = self.with(|lease, patience| {
            let program = lease.program().ok_or(PipeError::Ended)?;
            program.tell(&Request::EndChunk { id }, &[], patience)?;
            match program.hear(patience)? {
                (Reply::Result(said), _) if said.id == id => Ok(Ok(said)),
                (Reply::Error { id: of, message }, _) if of == id => Ok(Err(message)),
                _ => Err(PipeError::Nonsense(
                    "not the answer to this chunk".to_owned(),
                )),
            }
        })?;
        self.open = None;
        let own = self.pool.own();
        let said = reply.and_then(|said| {
            if !said.metrics.is_empty() {
                tracing::debug!(operator = own.name, position = self.extent.position.0, metrics = ?said.metrics);
            }
            signature(*said, own, &self.extent)
        });
        self.done.insert(part, said);
        Ok(())
    }

    /// Speaks with the program. One that breaks is ended, and nothing more can be said to it.
    fn with<T>(
        &mut self,
        speak: impl FnOnce(&mut Lease, &mut Patience) -> Result<T, PipeError>,
    ) -> Result<T, String> {
        let mut lease = self
            .lease
            .take()
            .ok_or_else(|| "the program is gone".to_owned())?;
        match speak(&mut lease, &mut self.patience) {
            Ok(result) => {
                self.lease = Some(lease);
                Ok(result)
            }
            Err(error) => {
                let message = match lease.program() {
                    Some(program) => program.broke(error, &self.patience),
                    None => error.to_string(),
                };
                lease.broke(&message);
                self.failed = Some(message.clone());
                Err(message)
            }
        }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        // One that still waits for the end of a chunk is of no use to another.
        if self.open.is_none()
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
    }
}
