//! Filling a length with the best pieces: plain greedy, where a piece that does not fit is skipped
//! and a later one may still fit, and by rows of buckets for equal distribution.

use serde::{Deserialize, Serialize};

use super::score::Score;
use crate::time::MediaTime;

/// A candidate reduced to what filling needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Piece {
    /// What it is worth.
    pub score: Score,
    /// Original mark-in: of equal scores the earlier comes first.
    pub start: MediaTime,
    /// What it needs of the length.
    pub length: MediaTime,
}

/// What became of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// It is in, as the `rank`-th piece that was taken, from 1.
    Taken {
        /// Its place in the order of taking.
        rank: usize,
    },
    /// It was longer than what was left at its turn.
    NoRoom {
        /// What was left.
        left: MediaTime,
    },
    /// Its turn never came (only where a pass that takes nothing ends everything).
    NotReached,
}

/// The indexes of `pieces`, best first; of equal scores the earlier start, then the order given.
fn best_first(pieces: &[Piece], mut indexes: Vec<usize>) -> Vec<usize> {
    indexes.sort_by(|&a, &b| {
        let (a, b) = (&pieces[a], &pieces[b]);
        b.score.cmp(&a.score).then(a.start.cmp(&b.start))
    });
    indexes
}

struct Filling<'a> {
    pieces: &'a [Piece],
    limit: MediaTime,
    used: MediaTime,
    taken: usize,
    outcomes: Vec<Outcome>,
}

impl<'a> Filling<'a> {
    fn new(pieces: &'a [Piece], limit: MediaTime) -> Self {
        Filling {
            pieces,
            limit,
            used: MediaTime::ZERO,
            taken: 0,
            outcomes: vec![Outcome::NotReached; pieces.len()],
        }
    }

    fn offer(&mut self, index: usize) {
        let length = self.pieces[index].length;
        self.outcomes[index] = if self.used + length <= self.limit {
            self.used += length;
            self.taken += 1;
            Outcome::Taken { rank: self.taken }
        } else {
            Outcome::NoRoom {
                left: self.limit - self.used,
            }
        };
    }
}

/// Takes pieces best first into `limit`; what does not fit is skipped, an exact fit is one.
/// One outcome for each piece, in the order given.
pub fn fill(pieces: &[Piece], limit: MediaTime) -> Vec<Outcome> {
    let mut filling = Filling::new(pieces, limit);
    for index in best_first(pieces, (0..pieces.len()).collect()) {
        filling.offer(index);
    }
    filling.outcomes
}

/// Takes pieces in rows: the best of every bucket, then the second best of every bucket, and so
/// on; a row is taken best first, of equal scores the earlier bucket. A piece that does not fit is
/// not offered again. `buckets` hold indexes into `pieces`; what is in none is never reached.
/// With `give_up` everything ends after a row when nothing has been taken so far.
pub fn fill_rows(
    pieces: &[Piece],
    buckets: &[Vec<usize>],
    limit: MediaTime,
    give_up: bool,
) -> Vec<Outcome> {
    let buckets: Vec<Vec<usize>> = buckets
        .iter()
        .map(|bucket| best_first(pieces, bucket.clone()))
        .collect();
    let depth = buckets.iter().map(Vec::len).max().unwrap_or(0);
    let mut filling = Filling::new(pieces, limit);
    for pass in 0..depth {
        let mut row: Vec<usize> = buckets
            .iter()
            .filter_map(|bucket| bucket.get(pass).copied())
            .collect();
        row.sort_by_key(|&index| std::cmp::Reverse(pieces[index].score));
        for index in row {
            filling.offer(index);
        }
        if give_up && filling.taken == 0 {
            break;
        }
    }
    filling.outcomes
}
