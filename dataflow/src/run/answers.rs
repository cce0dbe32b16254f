//! What operators that call out were answered. Every answer goes into the log with the epoch that is
//! committed next, and is read back from there, so that a log leads to the same results again and nothing
//! is asked twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use matchcut_model::chunk::Position;
use matchcut_operators::sdk::{Answer, Recall};
use serde::{Deserialize, Serialize};

use crate::flow::EventGraph;

/// An answer as it stands in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// Number of the operator in the plan.
    pub operator: u32,
    /// The position that it was asked about.
    pub position: Position,
    /// BLAKE3 of the question: what was there to be seen, and the operator's state.
    pub question: [u8; 32],
    /// What was answered, or why nothing was.
    pub answer: Result<Answer, String>,
}

type Known = BTreeMap<(u32, Position), BTreeMap<[u8; 32], Result<Answer, String>>>;

#[derive(Debug, Default)]
struct Inner {
    known: Known,
    /// Not in the log yet.
    new: Vec<Answered>,
}

/// The answers of one event; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Answers(Arc<Mutex<Inner>>);

impl Answers {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same graph, with these answers for the operators that call out.
    pub fn serve(&self, mut graph: EventGraph) -> EventGraph {
        for (number, node) in (0..).zip(&mut graph.operators) {
            node.operator = node.operator.take().map(|operator| {
                let fold = operator.fold().remembering(number, Arc::new(self.clone()));
                operator.with_fold(fold)
            });
        }
        graph
    }

    /// Takes over what stands in the log.
    pub fn learn(&self, answered: impl IntoIterator<Item = Answered>) {
        let mut inner = self.inner();
        for answered in answered {
            let place = (answered.operator, answered.position);
            let known = inner.known.entry(place).or_default();
            known.insert(answered.question, answered.answer);
        }
    }

    /// What is not in the log yet. Everything that an epoch depends on is here before it is delivered.
    pub fn take_new(&self) -> Vec<Answered> {
        std::mem::take(&mut self.inner().new)
    }
}

impl Recall for Answers {
    fn recall(
        &self,
        operator: u32,
        position: Position,
        question: &[u8],
        ask: &mut dyn FnMut() -> Result<Answer, String>,
    ) -> Result<Answer, String> {
        let question = *blake3::hash(question).as_bytes();
        let place = (operator, position);
        let known = |inner: &Inner| inner.known.get(&place)?.get(&question).cloned();
        if let Some(answer) = known(&self.inner()) {
            return answer;
        }
        // Not held meanwhile: operators ask side by side.
        let answer = ask();
        let mut inner = self.inner();
        let known = inner.known.entry(place).or_default();
        known.insert(question, answer.clone());
        inner.new.push(Answered {
            operator,
            position,
            question,
            answer: answer.clone(),
        });
        answer
    }

    fn forget(&self, operator: u32, position: Position) {
        let mut inner = self.inner();
        let gone = inner
            .known
            .range((operator, Position(0))..(operator, position));
        let gone: Vec<(u32, Position)> = gone.map(|(place, _)| *place).collect();
        for place in gone {
            inner.known.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(answers: &Answers, position: u64, question: &[u8], asked: &mut u32) -> Vec<u8> {
        let mut ask = || {
            *asked += 1;
            Ok(Answer {
                state: vec![*asked as u8],
                ..Answer::default()
            })
        };
        let answer = answers.recall(3, Position(position), question, &mut ask);
        answer.unwrap().state
    }

    #[test]
    fn nothing_is_asked_twice_also_after_a_restart() {
        let (answers, mut asked) = (Answers::default(), 0);
        assert_eq!(ask(&answers, 0, b"a", &mut asked), [1]);
        assert_eq!(ask(&answers, 0, b"a", &mut asked), [1]);
        assert_eq!(ask(&answers, 0, b"b", &mut asked), [2]);
        assert_eq!(ask(&answers, 1, b"a", &mut asked), [3]);
        let log = answers.take_new();
        assert_eq!(log.len(), 3);
        assert!(answers.take_new().is_empty());

        let again = Answers::default();
        let bytes = rmp_serde::to_vec_named(&log).unwrap();
        again.learn(rmp_serde::from_slice::<Vec<Answered>>(&bytes).unwrap());
        assert_eq!(ask(&again, 0, b"b", &mut asked), [2]);
        assert_eq!(ask(&again, 1, b"a", &mut asked), [3]);
        assert_eq!(asked, 3);
        assert!(again.take_new().is_empty());

        again.forget(3, Position(1));
        assert_eq!(ask(&again, 1, b"a", &mut asked), [3]);
        assert_eq!(ask(&again, 0, b"a", &mut asked), [4]);
    }

    #[test]
    fn a_failure_is_an_answer_too() {
        let answers = Answers::default();
        let mut asked = 0;
        let mut fail = || {
            asked += 1;
            Err(format!("timed out {asked}"))
        };
        let first = answers.recall(0, Position(0), b"q", &mut fail);
        assert_eq!(first, Err("timed out 1".to_owned()));
        assert_eq!(answers.recall(0, Position(0), b"q", &mut fail), first);
        assert_eq!(answers.take_new().len(), 1);
    }
}
