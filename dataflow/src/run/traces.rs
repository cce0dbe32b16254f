//! A trace for each chunk, for whoever collects spans: what was done with it on which thread, and for how long. Names of
//! chunks stay out of it, as their addresses may carry tokens. Where nobody wants spans there are none, and nothing is
//! kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use matchcut_model::chunk::{Epoch, Position};
use matchcut_model::segment::SegmentId;
use metrics::SharedString;
use tracing::{Span, field::Empty, info_span};

/// Chunks under way that are remembered; some are never committed, as they came too late.
const OPEN: usize = 1024;

/// The traces of an event; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Traces {
    event: SharedString,
    open: Arc<Mutex<BTreeMap<Position, Span>>>,
}

impl Traces {
    /// Of an event.
    pub fn of(event: SharedString) -> Traces {
        Traces {
            event,
            open: Arc::default(),
        }
    }

    /// The source tells of a chunk: its trace begins.
    pub fn begin(&self, position: Position) {
        let event = &*self.event;
        let span = info_span!(parent: None, "chunk", event, position = number(position.0));
        if span.is_disabled() {
            return;
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(position, span);
        if open.len() > OPEN {
            open.pop_first();
        }
    }

    /// What is to be closed when a chunk is through.
    pub fn end(&self, position: Option<Position>) -> Span {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let found = position.and_then(|position| open.remove(&position));
        found.unwrap_or_else(Span::none)
    }

    fn chunk(&self, position: Position) -> Span {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&position).cloned().unwrap_or_else(Span::none)
    }

    /// A chunk is fetched and demuxed.
    pub fn fetch(&self, position: Position) -> Span {
        let (event, chunk) = (&*self.event, self.chunk(position));
        info_span!(parent: &chunk, "fetch chunk", event, position = number(position.0), otel.status_code = Empty)
    }

    /// A chunk is decoded, and looked at.
    pub fn decode(&self, position: Position) -> Span {
        let (event, chunk) = (&*self.event, self.chunk(position));
        info_span!(parent: &chunk, "decode chunk", event, position = number(position.0), otel.status_code = Empty)
    }

    /// An epoch is committed, and what it wants done.
    pub fn commit(&self, chunk: &Span, epoch: Epoch) -> Span {
        let event = &*self.event;
        info_span!(parent: chunk, "commit epoch", event, epoch = number(epoch.0), changes = Empty)
    }

    /// The clips of a segment are cut.
    pub fn clip(&self, segment: &SegmentId, clips: usize) -> Span {
        let event = &*self.event;
        let clips = number(clips as u64);
        info_span!("cut clips", event, %segment, clips, otel.status_code = Empty)
    }
}

/// A number as OpenTelemetry has them.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Says of a span that what it did has failed.
pub(super) fn failed(span: &Span) {
    span.record("otel.status_code", "ERROR");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nobody_wants_spans_nothing_is_kept() {
        let traces = Traces::default();
        traces.begin(Position(1));
        assert!(traces.open.lock().unwrap().is_empty());
        assert!(traces.fetch(Position(1)).is_disabled());
        assert!(traces.end(Some(Position(1))).is_disabled());
    }
}
