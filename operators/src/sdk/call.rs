//! Ordered parts that call out: to another program, a server, a sandbox. They may take long, fail, or
//! answer otherwise the second time, so that the runtime calls them on a thread of their own, keeps
//! every answer in the log of the event, and never asks for one that it has.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use matchcut_model::chunk::Position;
use serde::{Deserialize, Serialize};

use super::fold::{DynFold, Emission, FoldBox, FoldState, Step};

/// What an ordered part says of one position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What is final as long as the inputs stand.
    pub emissions: Vec<Emission>,
    /// What can be said if nothing follows (open segments); withdrawn when something does.
    #[serde(default)]
    pub tail: Vec<Emission>,
    /// What is carried to the next position, in a form of its own.
    #[serde(default)]
    pub state: Vec<u8>,
}

/// An ordered part that calls out. The state before the first position is empty.
pub trait Caller: Send + Sync + 'static {
    /// Says what follows from one position, within a time limit of its own. An error costs what would
    /// have been said at this position; its text is shown to the user, and the state stays.
    fn call(&self, step: &Step<'_>, state: &[u8]) -> Result<Answer, String>;
}

/// Keeps answers, so that nothing is asked twice and a log leads to the same results again.
pub trait Recall: Send + Sync {
    /// The answer to `question`, put by operator number `operator` of the plan at a position; `ask` is
    /// called when it is not known. Errors are kept like answers.
    fn recall(
        &self,
        operator: u32,
        position: Position,
        question: &[u8],
        ask: &mut dyn FnMut() -> Result<Answer, String>,
    ) -> Result<Answer, String>;

    /// Nothing before `position` will be asked by this operator any more.
    fn forget(&self, operator: u32, position: Position);
}

/// Asks every time; for work without a log.
struct Afresh;

impl Recall for Afresh {
    fn recall(
        &self,
        _: u32,
        _: Position,
        _: &[u8],
        ask: &mut dyn FnMut() -> Result<Answer, String>,
    ) -> Result<Answer, String> {
        ask()
    }

    fn forget(&self, _: u32, _: Position) {}
}

/// What a calling fold carries: the caller's state, and what would be said if nothing followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Carried {
    state: Vec<u8>,
    tail: Vec<Emission>,
}

/// A caller as a fold.
pub(super) struct Calling {
    caller: Arc<dyn Caller>,
    recall: Arc<dyn Recall>,
    operator: u32,
}

impl Calling {
    pub(super) fn new(caller: impl Caller) -> Self {
        Calling {
            caller: Arc::new(caller),
            recall: Arc::new(Afresh),
            operator: 0,
        }
    }

    fn answer(&self, step: &Step<'_>, state: &[u8]) -> Result<Answer, String> {
        let mut question =
            serde_json::to_vec(&(step, state.len(), step.signature.map(<[u8]>::len)))
                .map_err(|error| error.to_string())?;
        question.extend_from_slice(state);
        question.extend_from_slice(step.signature.unwrap_or_default());
        self.recall
            .recall(self.operator, step.position, &question, &mut || {
                catch_unwind(AssertUnwindSafe(|| self.caller.call(step, state)))
                    .unwrap_or_else(|_| Err("the call broke down inside matchcut".to_owned()))
            })
    }
}

impl DynFold for Calling {
    fn initial(&self) -> FoldState {
        FoldState::new(Carried::default())
    }

    fn step(&self, step: &Step<'_>, state: &mut FoldState, emit: &mut Vec<Emission>) {
        let Some(carried) = state.get_mut::<Carried>() else {
            return;
        };
        match self.answer(step, &carried.state) {
            Ok(answer) => {
                emit.extend(answer.emissions);
                carried.state = answer.state;
                carried.tail = answer.tail;
            }
            Err(message) => emit.push(Emission::Failure { message }),
        }
    }

    fn tail(&self, state: &FoldState, emit: &mut Vec<Emission>) {
        if let Some(carried) = state.get::<Carried>() {
            emit.extend(carried.tail.iter().cloned());
        }
    }

    fn calls_out(&self) -> bool {
        true
    }

    fn remembering(&self, operator: u32, recall: Arc<dyn Recall>) -> Option<FoldBox> {
        Some(FoldBox::of(Calling {
            caller: Arc::clone(&self.caller),
            recall,
            operator,
        }))
    }

    fn forget(&self, position: Position) {
        self.recall.forget(self.operator, position);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use matchcut_model::time::MediaTime;

    /// Counts what it was asked, and fails at position 1.
    struct Counts;

    impl Caller for Counts {
        fn call(&self, step: &Step<'_>, state: &[u8]) -> Result<Answer, String> {
            if step.position == Position(1) {
                return Err("no".to_owned());
            }
            assert_ne!(
                step.position,
                Position(2),
                "a panic is a failure, not a crash"
            );
            let asked = state.first().copied().unwrap_or(0) + 1;
            let open = Emission::Segment {
                start: MediaTime::from_seconds(i64::from(asked)),
                end: None,
                attributes: Default::default(),
            };
            Ok(Answer {
                emissions: Vec::new(),
                tail: vec![open],
                state: vec![asked],
            })
        }
    }

    #[test]
    fn failures_are_emitted_and_leave_the_state() {
        let fold = FoldBox::calling(Counts);
        assert!(fold.calls_out());
        let mut state = fold.initial();
        let mut said = Vec::new();
        for position in 0..4 {
            let step = Step::at(Position(position), MediaTime::ZERO);
            let mut emitted = Vec::new();
            fold.step(&step, &mut state, &mut emitted);
            said.push(emitted);
        }
        let texts: Vec<Vec<String>> = said
            .into_iter()
            .map(|emitted| {
                let text = |emission| match emission {
                    Emission::Failure { message } => message,
                    other => format!("{other:?}"),
                };
                emitted.into_iter().map(text).collect()
            })
            .collect();
        let none = Vec::<String>::new();
        assert_eq!(texts[0], none);
        assert_eq!(texts[1], ["no"]);
        assert_eq!(texts[2], ["the call broke down inside matchcut"]);
        assert_eq!(texts[3], none);
        let mut tail = Vec::new();
        fold.tail(&state, &mut tail);
        // Two calls were answered.
        assert!(
            matches!(&tail[..], [Emission::Segment { start, end: None, .. }]
            if *start == MediaTime::from_seconds(2))
        );
    }
}
