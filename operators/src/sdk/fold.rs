//! The ordered part of an operator: a deterministic fold over the chunks of an event in timeline
//! order. The runtime keeps a snapshot of the state after every chunk inside the correction window
//! and re-runs the fold from there when a chunk is corrected or comes late; what was emitted for a
//! position stands until the fold, run again, no longer emits it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use matchcut_model::chunk::{ChunkExtent, Position, TrackNumber};
use matchcut_model::observation::Observation;
use matchcut_model::segment::Segment;
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::value::Attributes;

use super::call::{Caller, Calling, Recall};
use super::timed::{Stopwatch, Timed};

/// What a fold sees at one position.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Step<'a> {
    /// The position; the end of the event is the position after the last.
    pub position: Position,
    /// Event time of the chunk; `None` at the end of the event.
    pub extent: Option<&'a ChunkExtent>,
    /// End of the unbroken run of chunks up to this position: nothing before it can still be
    /// missing. At the end of the event it is the end of the event.
    pub watermark: MediaTime,
    /// Whether this is the end of the event (nothing follows).
    pub end_of_event: bool,
    /// The track of this fold, for folds of audio operators.
    pub track: Option<TrackNumber>,
    /// The signature of the operator's own scan, if it has one and the scan succeeded.
    #[serde(skip)]
    pub signature: Option<&'a [u8]>,
    /// What the inputs observed at this position, sorted by start.
    pub observations: &'a [Observation],
    /// Complete segments that the input segmenter marked at this position, sorted by start.
    pub segments: &'a [Segment],
}

impl Step<'_> {
    /// A position at which there is nothing.
    pub fn at(position: Position, watermark: MediaTime) -> Self {
        Step {
            position,
            extent: None,
            watermark,
            end_of_event: false,
            track: None,
            signature: None,
            observations: &[],
            segments: &[],
        }
    }
}

/// What a fold emits at a position.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum Emission {
    /// By featurers. `operator` and `track` of the observation are filled in by the runtime.
    Observation {
        /// When it begins.
        start: MediaTime,
        /// When it ends; equal to `start` for a point.
        end: MediaTime,
        /// What was observed.
        attributes: Attributes,
    },
    /// By segmenters: a complete segment, or a partial one (`end` `None`, in `tail` only).
    Segment {
        /// Mark-in.
        start: MediaTime,
        /// Mark-out.
        end: Option<MediaTime>,
        /// What the segmenter says of it.
        attributes: Attributes,
    },
    /// By optimizers: new marks of a segment on a track.
    Optimized {
        /// Original mark-in of the segment.
        segment: MediaTime,
        /// The track they are for.
        track: TrackNumber,
        /// The optimized marks.
        marks: TimeRange,
        /// What else is said of them (codes).
        attributes: Attributes,
    },
    /// By labelers: the label of a segment.
    Labelled {
        /// Original mark-in of the segment.
        segment: MediaTime,
        /// What it is called.
        label: Option<String>,
        /// What else is said of it.
        attributes: Attributes,
    },
    /// By operators that can fail: nothing is said at this position, and why. It is shown to the user.
    Failure {
        /// What went wrong, and how it is mended.
        message: String,
    },
}

/// Which mark of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Mark-in.
    In,
    /// Mark-out.
    Out,
}

/// A deterministic fold. `State` must be `Eq` so that a correction stops re-running where nothing
/// changes any more: keep no ever-growing part in it.
pub trait Fold: Send + Sync + 'static {
    /// What is carried from one chunk to the next.
    type State: Clone + Eq + Default + fmt::Debug + Send + 'static;

    /// Advances over one position; what is emitted is final as long as the inputs stand.
    fn step(&self, step: &Step<'_>, state: &mut Self::State, emit: &mut Vec<Emission>);

    /// What can be said if nothing follows (an open segment); retracted when something does.
    /// Not called after the end of the event.
    fn tail(&self, _state: &Self::State, _emit: &mut Vec<Emission>) {}
}

/// A snapshot of the state of some fold.
pub struct FoldState(Box<dyn AnyState>);

impl FoldState {
    /// Hides the type of `state`.
    pub(super) fn new<S: Clone + Eq + fmt::Debug + Send + 'static>(state: S) -> Self {
        FoldState(Box::new(state))
    }

    /// The state, where it has this type: the runtime keeps states by operator, so that no other comes.
    pub(super) fn get<S: 'static>(&self) -> Option<&S> {
        (*self.0).as_any().downcast_ref()
    }

    /// The same to be changed.
    pub(super) fn get_mut<S: 'static>(&mut self) -> Option<&mut S> {
        (*self.0).as_any_mut().downcast_mut()
    }
}

trait AnyState: Send {
    fn clone_box(&self) -> Box<dyn AnyState>;
    fn equals(&self, other: &dyn AnyState) -> bool;
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn debug(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl<S: Clone + Eq + fmt::Debug + Send + 'static> AnyState for S {
    fn clone_box(&self) -> Box<dyn AnyState> {
        Box::new(self.clone())
    }
    fn equals(&self, other: &dyn AnyState) -> bool {
        other.as_any().downcast_ref::<S>() == Some(self)
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
    fn debug(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Clone for FoldState {
    fn clone(&self) -> Self {
        FoldState((*self.0).clone_box())
    }
}

impl PartialEq for FoldState {
    fn eq(&self, other: &Self) -> bool {
        (*self.0).equals(&*other.0)
    }
}

impl Eq for FoldState {}

impl fmt::Debug for FoldState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (*self.0).debug(f)
    }
}

/// A fold whose state type is hidden, so that one runtime runs them all.
#[derive(Clone)]
pub struct FoldBox(Arc<dyn DynFold>);

pub(super) trait DynFold: Send + Sync {
    fn initial(&self) -> FoldState;
    fn step(&self, step: &Step<'_>, state: &mut FoldState, emit: &mut Vec<Emission>);
    fn tail(&self, state: &FoldState, emit: &mut Vec<Emission>);

    fn calls_out(&self) -> bool {
        false
    }

    fn remembering(&self, _operator: u32, _recall: Arc<dyn Recall>) -> Option<FoldBox> {
        None
    }

    fn forget(&self, _position: Position) {}
}

impl<F: Fold> DynFold for F {
    fn initial(&self) -> FoldState {
        FoldState::new(F::State::default())
    }

    fn step(&self, step: &Step<'_>, state: &mut FoldState, emit: &mut Vec<Emission>) {
        if let Some(state) = state.get_mut::<F::State>() {
            Fold::step(self, step, state, emit);
        }
    }

    fn tail(&self, state: &FoldState, emit: &mut Vec<Emission>) {
        if let Some(state) = state.get::<F::State>() {
            Fold::tail(self, state, emit);
        }
    }
}

impl FoldBox {
    /// Hides the type of `fold`.
    pub fn new(fold: impl Fold) -> Self {
        FoldBox(Arc::new(fold))
    }

    /// An ordered part that calls out.
    pub fn calling(caller: impl Caller) -> Self {
        FoldBox::of(Calling::new(caller))
    }

    pub(super) fn of(fold: impl DynFold + 'static) -> Self {
        FoldBox(Arc::new(fold))
    }

    /// Whether a step may take long or fail: it must run on a thread of its own.
    pub fn calls_out(&self) -> bool {
        self.0.calls_out()
    }

    /// The same fold, as operator number `operator` of a plan, with a memory for what it asks. Folds that
    /// do not call out need none.
    pub fn remembering(&self, operator: u32, recall: Arc<dyn Recall>) -> Self {
        let fold = self.0.remembering(operator, recall);
        fold.unwrap_or_else(|| self.clone())
    }

    /// The same fold, whose steps are timed.
    pub fn timed(self, watch: Stopwatch) -> Self {
        FoldBox::of(Timed::new(self, watch))
    }

    /// Positions before `position` are final.
    pub fn forget(&self, position: Position) {
        self.0.forget(position);
    }

    /// The state before the first chunk.
    pub fn initial(&self) -> FoldState {
        self.0.initial()
    }

    /// See [`Fold::step`].
    pub fn step(&self, step: &Step<'_>, state: &mut FoldState, emit: &mut Vec<Emission>) {
        self.0.step(step, state, emit);
    }

    /// See [`Fold::tail`].
    pub fn tail(&self, state: &FoldState, emit: &mut Vec<Emission>) {
        self.0.tail(state, emit);
    }
}
