//! Failures in few lines: a source without sound says so of every chunk, and that is one line for
//! the first and one for all that follow.

use std::collections::BTreeMap;

use matchcut_model::chunk::Position;
use matchcut_model::failure::Failure;
use matchcut_model::value::Name;

/// Lines for failures that are told in order.
#[derive(Default)]
pub struct FailureLines {
    /// By operator and message: the last chunk that it was said of, and how many follow the last
    /// one that has a line.
    last: BTreeMap<(Option<Name>, String), (Position, u64)>,
}

impl FailureLines {
    /// The lines to print now. None for a chunk that fails like the one before it.
    pub fn tell(&mut self, failure: &Failure) -> Vec<String> {
        let Some(position) = failure.position else {
            return vec![failure.to_string()];
        };
        let key = (failure.operator.clone(), failure.message.clone());
        match self.last.get_mut(&key) {
            Some((last, more)) if position.0 == last.0.saturating_add(1) => {
                *last = position;
                *more += 1;
                Vec::new()
            }
            _ => {
                let before = self.last.insert(key.clone(), (position, 0));
                let mut lines: Vec<String> = before
                    .and_then(|told| rest(&key.1, told))
                    .into_iter()
                    .collect();
                lines.push(failure.to_string());
                lines
            }
        }
    }

    /// The lines about chunks that had none yet.
    pub fn end(self) -> Vec<String> {
        let last = self.last.into_iter();
        last.filter_map(|((_, message), told)| rest(&message, told))
            .collect()
    }
}

fn rest(message: &str, (last, more): (Position, u64)) -> Option<String> {
    match more {
        0 => None,
        1 => Some(format!("chunk {last}, too: {message}")),
        more => {
            let first = Position(last.0 - more + 1);
            Some(format!("chunks {first} to {last}, too: {message}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use matchcut_model::failure::{Domain, Retry};

    use super::*;

    fn failure(position: Option<u64>, message: &str) -> Failure {
        Failure {
            position: position.map(Position),
            input: "x".to_owned(),
            operator: None,
            message: message.to_owned(),
            domain: Domain::External,
            retry: Retry::No,
        }
    }

    #[test]
    fn chunks_that_fail_alike_share_a_line() {
        let mut lines = FailureLines::default();
        let mut told = Vec::new();
        let all = [
            (Some(0), "silent"),
            (Some(1), "silent"),
            (Some(1), "short"),
            (Some(2), "silent"),
            (Some(5), "silent"),
            (Some(6), "silent"),
            (None, "slow"),
            (None, "slow"),
        ];
        for (position, message) in all {
            told.extend(lines.tell(&failure(position, message)));
        }
        told.extend(lines.end());
        assert_eq!(
            told,
            [
                "chunk 0 (x): silent",
                "chunk 1 (x): short",
                "chunks 1 to 2, too: silent",
                "chunk 5 (x): silent",
                "x: slow",
                "x: slow",
                "chunk 6, too: silent",
            ]
        );
    }
}
