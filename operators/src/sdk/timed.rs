//! An ordered part that somebody times. What it says and remembers is that of the part within.

use std::sync::Arc;
use std::time::{Duration, Instant};

use matchcut_model::chunk::Position;

use super::call::Recall;
use super::fold::{DynFold, Emission, FoldBox, FoldState, Step};

/// Is told how long each step took.
pub type Stopwatch = Arc<dyn Fn(Duration) + Send + Sync>;

pub(super) struct Timed {
    inner: FoldBox,
    watch: Stopwatch,
}

impl Timed {
    pub fn new(inner: FoldBox, watch: Stopwatch) -> Self {
        Timed { inner, watch }
    }
}

impl DynFold for Timed {
    fn initial(&self) -> FoldState {
        self.inner.initial()
    }

    fn step(&self, step: &Step<'_>, state: &mut FoldState, emit: &mut Vec<Emission>) {
        let begun = Instant::now();
        self.inner.step(step, state, emit);
        (self.watch)(begun.elapsed());
    }

    fn tail(&self, state: &FoldState, emit: &mut Vec<Emission>) {
        self.inner.tail(state, emit);
    }

    fn calls_out(&self) -> bool {
        self.inner.calls_out()
    }

    fn remembering(&self, operator: u32, recall: Arc<dyn Recall>) -> Option<FoldBox> {
        let inner = self.inner.remembering(operator, recall);
        Some(inner.timed(Arc::clone(&self.watch)))
    }

    fn forget(&self, position: Position) {
        self.inner.forget(position);
    }
}
