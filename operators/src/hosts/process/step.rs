//! The ordered part of a program: it is asked what follows from one position, with the state that it gave
//! back at the one before.

use std::sync::Arc;

use matchcut_model::time::MediaTime;

use super::answer::of_step;
use super::describe::Described;
use super::message::{Extent, Marked, Observed, Reply, Request, StepRequest};
use super::patience::Patience;
use super::pipe::PipeError;
use super::pool::Pool;
use super::wire::seconds;
use crate::sdk::{Answer, Caller, Step};

pub(super) struct Steps {
    pool: Arc<Pool>,
    own: Arc<Described>,
    max_segment: MediaTime,
}

impl Steps {
    pub(super) fn new(pool: Arc<Pool>, own: Arc<Described>, max_segment: MediaTime) -> Self {
        Steps {
            pool,
            own,
            max_segment,
        }
    }
}

impl Caller for Steps {
    fn call(&self, step: &Step<'_>, state: &[u8]) -> Result<Answer, String> {
        let rows = step.signature.map(serde_json::from_slice).transpose();
        let rows =
            rows.map_err(|error| format!("its rows of the chunk cannot be read: {error}"))?;
        let mut lease = self.pool.lease()?;
        let mut patience = Patience::new(self.pool.timeout());
        let mut request = StepRequest {
            id: 0,
            // The end is behind every chunk.
            position: (!step.end_of_event).then_some(step.position),
            chunk: step.extent.map(Extent::of),
            watermark: step.watermark,
            watermark_seconds: seconds(step.watermark),
            end_of_event: step.end_of_event,
            track: step.track,
            rows,
            observations: step.observations.iter().map(Observed::of).collect(),
            segments: step.segments.iter().map(Marked::of).collect(),
            bytes: state.len(),
        };
        let ask = || {
            let program = lease.program().ok_or(PipeError::Ended)?;
            let id = program.next_id();
            request.id = id;
            let request = Request::Step(Box::new(request));
            program.tell(&request, state, &mut patience)?;
            match program.hear(&mut patience)? {
                (Reply::Result(said), state) if said.id == id => Ok(Ok((said, state))),
                (Reply::Error { id: of, message }, _) if of == id => Ok(Err(message)),
                _ => Err(PipeError::Nonsense(
                    "not the answer to this step".to_owned(),
                )),
            }
        };
        match ask() {
            Ok(reply) => {
                lease.give_back();
                let (said, state) = reply?;
                of_step(*said, state, &self.own, self.max_segment)
            }
            Err(error) => {
                let message = match lease.program() {
                    Some(program) => program.broke(error, &patience),
                    None => error.to_string(),
                };
                lease.broke(&message);
                Err(message)
            }
        }
    }
}
