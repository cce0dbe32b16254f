//! From candidates to a selection: everything when it fits, else the best, plain or spread over
//! the event. The candidates are all that counts here; where they come from does not.

use super::candidate::Candidate;
use super::equal::Buckets;
use super::fill::{Outcome, Piece, fill, fill_rows};
use super::request::{Compat, Mode, ReplayRequest};
use super::score::Score;
use super::selection::{Feature, LeftOut, Reason, Selected, Skipped};
use crate::compat;
use crate::time::{MediaTime, TimeRange};

/// What was chosen of the candidates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// In order of playing.
    pub selected: Vec<Selected>,
    /// The others.
    pub left_out: Vec<Skipped>,
    /// The sum of the whole points of each scored segment.
    pub total_score: Score,
}

/// Chooses among `candidates`, which are in order of their original start. Not for mode
/// `timestamps`, which has no candidates.
pub fn decide(candidates: &[Candidate], request: &ReplayRequest) -> Decision {
    let reason = |candidate: &Candidate, other| {
        if candidate.liked {
            Reason::Liked
        } else {
            other
        }
    };
    let mut decision = Decision::default();
    if request.mode != Mode::Duration {
        for candidate in candidates {
            decision.take(
                candidate,
                None,
                reason(candidate, Reason::HasFeature),
                request,
            );
        }
        return decision;
    }
    let limit = request.limit();
    let pieces: Vec<Piece> = candidates
        .iter()
        .map(|candidate| Piece {
            score: candidate.score,
            start: candidate.range.start,
            length: candidate.effective.duration(),
        })
        .collect();
    if pieces.iter().map(|piece| piece.length).sum::<MediaTime>() <= limit {
        for candidate in candidates {
            decision.take(
                candidate,
                None,
                reason(candidate, Reason::EverythingFits),
                request,
            );
        }
        return decision;
    }
    let buckets = request
        .equal_distribution
        .then(|| spread(candidates, request.compat));
    let outcomes = match &buckets {
        None => fill(&pieces, limit),
        Some(buckets) => fill_rows(&pieces, buckets, limit, request.compat == Compat::Mre),
    };
    for (index, (candidate, outcome)) in candidates.iter().zip(outcomes).enumerate() {
        match outcome {
            Outcome::Taken { rank } => {
                let by_rank = match &buckets {
                    None => Reason::Rank(rank),
                    Some(buckets) => Reason::Turn {
                        rank,
                        bucket: buckets.iter().position(|b| b.contains(&index)).unwrap_or(0),
                    },
                };
                let score = Some(candidate.score);
                decision.take(candidate, score, reason(candidate, by_rank), request);
            }
            Outcome::NoRoom { left } => {
                let needs = candidate.effective.duration();
                decision.leave(candidate, LeftOut::NoRoom { needs, left });
            }
            Outcome::NotReached => decision.leave(candidate, LeftOut::NotReached),
        }
    }
    decision
}

/// The indexes of `candidates` by part of the event.
fn spread(candidates: &[Candidate], rules: Compat) -> Vec<Vec<usize>> {
    let end = candidates
        .last()
        .map_or(MediaTime::ZERO, |last| last.effective.end);
    let starts = candidates.iter().map(|candidate| candidate.effective.start);
    if rules == Compat::Mre {
        return compat::buckets(end, starts);
    }
    let parts = Buckets::of(end);
    let mut buckets = vec![Vec::new(); parts.count];
    for (index, start) in starts.enumerate() {
        if let Some(bucket) = buckets.get_mut(parts.index(start)) {
            bucket.push(index);
        }
    }
    buckets
}

impl Decision {
    fn take(
        &mut self,
        candidate: &Candidate,
        score: Option<Score>,
        reason: Reason,
        request: &ReplayRequest,
    ) {
        let features = candidate.hits.iter().filter_map(|hit| {
            let key = request.priorities.get(hit.priority)?.key.clone();
            Some(Feature {
                key,
                at: hit.at,
                points: hit.points,
            })
        });
        self.total_score = self.total_score + whole(score);
        self.selected.push(Selected {
            range: candidate.range,
            segment: Some(candidate.segment.clone()),
            effective: candidate.effective,
            track: request.track,
            score,
            reason,
            features: features.collect(),
        });
    }

    fn leave(&mut self, candidate: &Candidate, reason: LeftOut) {
        self.left_out.push(Skipped {
            start: candidate.range.start,
            end: Some(candidate.range.end),
            segment: Some(candidate.segment.clone()),
            score: Some(candidate.score),
            reason,
        });
    }
}

fn whole(score: Option<Score>) -> Score {
    score.map_or(Score::ZERO, |score| {
        Score::from_micros(score.micros() - score.micros() % 1_000_000)
    })
}

/// Mode `timestamps`: the times of the request as they are, in the order given.
pub(super) fn given(request: &ReplayRequest) -> Decision {
    let mut decision = Decision::default();
    for &range in &request.timestamps {
        let TimeRange { start, end } = range;
        if range.is_empty() {
            decision.left_out.push(Skipped {
                start,
                end: Some(end),
                segment: None,
                score: None,
                reason: LeftOut::Empty,
            });
            continue;
        }
        decision.selected.push(Selected {
            range,
            segment: None,
            effective: range,
            track: request.track,
            score: None,
            reason: Reason::Given,
            features: Vec::new(),
        });
    }
    decision
}
