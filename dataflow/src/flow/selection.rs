//! Replay selection as a query that is kept up to date: observations that a replay asks for are
//! joined with its segments by time, each segment is judged, and an ordered set of candidates per
//! replay is filled again whenever one of them changes. The rules are those of
//! [`matchcut_model::replay`], and its batch function is what this is compared with.
//!
//! A catch-up replay is told at every change; any other one when the event has ended.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::{AsCollection, Hashable, VecCollection};
use matchcut_model::change::{ChoiceRow, FoundFeature, ReplayRow, Row};
use matchcut_model::failure::{Domain, Failure, Retry};
use matchcut_model::observation::Observation;
use matchcut_model::replay::{
    Candidate, Compat, Feature, Feedback, Hit, Mode, Reason, ReplayRequest, Score, Selected,
    SelectionInput, Side, Subject, Verdict, consider, decide, hit_by_observation, hit_by_segment,
    is_news, select, settle,
};
use matchcut_model::segment::{Segment, SegmentId};
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::value::{Name, Number};
use serde::{Deserialize, Serialize};
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;

use super::epochs::Epochs;
use super::event::{Control, ReplayDefinition};
use super::overlap::{BUCKET, Interval, overlap_join};
use super::ranking::Ranking;

type Rows<'scope, D> = VecCollection<'scope, u64, D, isize>;
type Definition = Arc<ReplayDefinition>;

/// What is known of a segment that a replay may choose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Evidence {
    Segment(Definition, Segment),
    Verdict(Side, Verdict),
    Hit(Hit),
}

/// What the ranking of a replay is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Told {
    Replay(Definition),
    Candidate(Candidate),
    End,
}

/// What a replay under MRE's own rules depends on: everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Whole {
    Replay(Definition),
    Segment(Segment),
    Observation(Arc<Observation>),
    Feedback(u64, Feedback),
    End,
}

/// The selections of all replays that are asked for, as rows. Replays under MRE's own rules need `mre`.
pub fn select_replays<'scope>(
    segments: Rows<'scope, Segment>,
    observations: Rows<'scope, Arc<Observation>>,
    told: Rows<'scope, Control>,
    featurers: Arc<BTreeSet<Name>>,
    mre: bool,
) -> Rows<'scope, Row> {
    let replays = told.clone().flat_map(|control| match control {
        Control::Replay(definition) => Some(definition),
        _ => None,
    });
    let feedback = last_feedback(told.clone());
    let ended = told.flat_map(|control| matches!(control, Control::End(_)).then_some(()));
    let ends = replays
        .clone()
        .map(|definition| ((), definition.name.clone()))
        .join_map(ended.map(|()| ((), ())), |(), name, ()| name.clone());

    let by_intent = replays.clone().filter(|d| d.request.compat == Compat::None);
    let candidates = candidates(
        segments.clone(),
        observations.clone(),
        by_intent,
        feedback.clone(),
        featurers.clone(),
    );
    let own = |definition: &Definition| (definition.name.clone(), Told::Replay(definition.clone()));
    let ranked = replays
        .clone()
        .filter(|d| d.request.compat == Compat::None)
        .map(move |definition| own(&definition))
        .concat(candidates.map(|(name, candidate)| (name, Told::Candidate(candidate))))
        .concat(ends.clone().map(|name| (name, Told::End)));
    let by_mre = replays.filter(|d| d.request.compat == Compat::Mre);
    rank(ranked).concat(if mre {
        wholes(segments, observations, by_mre, feedback, ends, featurers)
    } else {
        by_mre.map(|definition| Row::from(not_asked_in_time(&definition)))
    })
}

/// What is said of a replay under MRE's own rules that the event was not begun with.
fn not_asked_in_time(definition: &ReplayDefinition) -> Failure {
    Failure {
        position: None,
        input: definition.name.to_string(),
        operator: None,
        message: "a replay with compat = \"mre\" must stand in the spec before the event begins: \
                  what it needs was not kept"
            .to_owned(),
        domain: Domain::User,
        retry: Retry::No,
    }
}

/// The last word on each clip, with its place in the order of arrival.
fn last_feedback<'scope>(told: Rows<'scope, Control>) -> Rows<'scope, (u64, Feedback)> {
    told.flat_map(|control| match control {
        Control::Feedback { sequence, feedback } => {
            let key = (feedback.start.to_millis(), feedback.track, feedback.side);
            Some((key, (sequence, feedback)))
        }
        _ => None,
    })
    .reduce_named(
        "Last feedback",
        |_, said, last: &mut Vec<((u64, Feedback), isize)>| {
            // Sorted by sequence: the last one is the newest.
            last.extend(said.last().map(|(newest, _)| (**newest, 1)));
        },
    )
    .map(|(_, feedback)| feedback)
}

/// The segments that may come into each replay, judged.
fn candidates<'scope>(
    segments: Rows<'scope, Segment>,
    observations: Rows<'scope, Arc<Observation>>,
    replays: Rows<'scope, Definition>,
    feedback: Rows<'scope, (u64, Feedback)>,
    featurers: Arc<BTreeSet<Name>>,
) -> Rows<'scope, (Name, Candidate)> {
    // Each replay with the complete segments it chooses from.
    let chosen_from = segments
        .filter(|segment| segment.end.is_some())
        .map(|segment| (segment.id.segmenter.clone(), segment))
        .join_map(
            replays
                .clone()
                .map(|definition| (definition.segmenter.clone(), definition)),
            |_, segment, definition| (definition.clone(), segment.clone()),
        );

    let ranges = chosen_from.clone().flat_map(|(definition, segment)| {
        let effective = segment.effective(definition.request.track)?;
        Some(((segment.id, definition), Interval::of_range(effective)))
    });
    // Observations stand here once, whatever replays weigh: one that is asked for late sees them all.
    let hits = overlap_join(
        ranges,
        (observations, |observation: &Arc<Observation>| {
            Interval::of_observation(observation)
        }),
        BUCKET,
        "Features in segments",
        |(segment, definition), observation| {
            let hits = hits_of(observation, &definition.request);
            let key = (!hits.is_empty()).then(|| (definition.name.clone(), segment.clone()));
            hits.into_iter()
                .zip(std::iter::repeat(key))
                .filter_map(|(hit, key)| Some((key?, Evidence::Hit(hit))))
        },
    );

    let verdicts = chosen_from
        .clone()
        .map(|(definition, segment)| {
            let track = definition.request.track;
            (
                (segment.start().to_millis(), track),
                (definition.name.clone(), segment.id),
            )
        })
        .join_map(
            feedback.map(|(_, said)| ((said.start.to_millis(), said.track), said)),
            |_, key, said| (key.clone(), Evidence::Verdict(said.side, said.verdict)),
        );

    chosen_from
        .map(|(definition, segment)| {
            let key = (definition.name.clone(), segment.id.clone());
            (key, Evidence::Segment(definition, segment))
        })
        .concat(verdicts)
        .concat(hits)
        .reduce_named(
            "Judge segment",
            move |_, evidence, judged: &mut Vec<(Candidate, isize)>| {
                let evidence = evidence.iter().map(|(evidence, _)| *evidence);
                judged.extend(judge(evidence, &featurers).map(|candidate| (candidate, 1)));
            },
        )
        .map(|((replay, _), candidate)| (replay, candidate))
}

/// What an observation is worth to a replay, wherever it may lie.
fn hits_of(observation: &Observation, request: &ReplayRequest) -> Vec<Hit> {
    let asked = |index: &usize| {
        let key = request.priorities.get(*index).map(|priority| &priority.key);
        key.is_some_and(|key| observation.attributes.contains_key(&key.attribute))
    };
    let mut asked = (0..request.priorities.len()).filter(asked).peekable();
    if asked.peek().is_none() {
        return Vec::new();
    }
    // A segment that the observation certainly intersects: the join decides which ones really do.
    let everywhere = Segment::new(observation.operator.clone(), observation.start, None);
    let all = TimeRange {
        start: MediaTime::from_flicks(i64::MIN),
        end: MediaTime::MAX,
    };
    let subject = Subject {
        segment: &everywhere,
        effective: all,
        track: request.track,
    };
    asked
        .filter_map(|index| hit_by_observation(&subject, observation, request, index))
        .collect()
}

/// Judges one segment for one replay by all that is known of it.
fn judge<'a>(
    evidence: impl Iterator<Item = &'a Evidence>,
    featurers: &BTreeSet<Name>,
) -> Option<Candidate> {
    let mut found = None;
    let mut verdicts = BTreeMap::new();
    let mut hits = Vec::new();
    for evidence in evidence {
        match evidence {
            Evidence::Segment(definition, segment) => found = Some((definition, segment)),
            Evidence::Verdict(side, verdict) => drop(verdicts.insert(*side, *verdict)),
            Evidence::Hit(hit) => hits.push(*hit),
        }
    }
    let (definition, segment) = found?;
    let request = &definition.request;
    let (range, effective) = segment.range().zip(segment.effective(request.track))?;
    let subject = Subject {
        segment,
        effective,
        track: request.track,
    };
    let own = 0..request.priorities.len();
    hits.extend(own.filter_map(|i| hit_by_segment(&subject, featurers, request, i)));
    let optimized = segment.opto.contains_key(&request.track);
    let side = if optimized {
        Side::Optimized
    } else {
        Side::Original
    };
    let verdict = verdicts.get(&side).copied().unwrap_or_default();
    consider(&subject, range, settle(hits, request), verdict, request).ok()
}

/// The order in which a limit is filled: the best score first, of equal scores the earlier start.
type Rank = (Reverse<Score>, TimeRange, SegmentId);

#[derive(Default)]
struct Board {
    definition: Option<Definition>,
    ended: bool,
    candidates: BTreeMap<(TimeRange, SegmentId), Candidate>,
    ranking: Ranking<Rank>,
    told: Vec<Row>,
}

impl Board {
    fn apply(&mut self, told: Told, diff: isize) {
        match (told, diff > 0) {
            (Told::Replay(definition), true) => self.definition = Some(definition),
            (Told::Replay(definition), false) => {
                // A changed request: the new one may have come first.
                if self.definition.as_ref() == Some(&definition) {
                    self.definition = None;
                }
            }
            (Told::End, there) => self.ended = there,
            (Told::Candidate(candidate), there) => {
                let key = (candidate.range, candidate.segment.clone());
                let rank = (Reverse(candidate.score), key.0, key.1.clone());
                if there {
                    self.ranking.insert(rank, candidate.effective.duration());
                    self.candidates.insert(key, candidate);
                } else {
                    self.ranking.remove(&rank);
                    if self.candidates.get(&key) == Some(&candidate) {
                        self.candidates.remove(&key);
                    }
                }
            }
        }
    }

    /// The rows that hold now.
    fn rows(&self) -> Vec<Row> {
        let Some(definition) = &self.definition else {
            return Vec::new();
        };
        if !(definition.request.catchup || self.ended) {
            return Vec::new();
        }
        let (selected, total) = self.choose(&definition.request);
        rows_of(definition, &selected, total)
    }

    fn choose(&self, request: &ReplayRequest) -> (Vec<Selected>, Score) {
        let limited = request.mode == Mode::Duration && self.ranking.total() > request.limit();
        if request.mode == Mode::Timestamps {
            return without_candidates(request);
        }
        if !limited || request.equal_distribution {
            let all: Vec<Candidate> = self.candidates.values().cloned().collect();
            let decision = decide(&all, request);
            return (decision.selected, decision.total_score);
        }
        let mut total = Score::ZERO;
        let mut selected: Vec<Selected> = Vec::new();
        for (index, (_, range, segment)) in self.ranking.fill(request.limit()).iter().enumerate() {
            let Some(candidate) = self.candidates.get(&(*range, segment.clone())) else {
                continue;
            };
            total = total + Score::from_micros(candidate.score.whole() * 1_000_000);
            selected.push(take(candidate, index + 1, request));
        }
        selected.sort_by(|a, b| a.range.cmp(&b.range).then(a.segment.cmp(&b.segment)));
        (selected, total)
    }
}

fn take(candidate: &Candidate, rank: usize, request: &ReplayRequest) -> Selected {
    let features = candidate.hits.iter().filter_map(|hit| {
        let key = request.priorities.get(hit.priority)?.key.clone();
        Some(Feature {
            key,
            at: hit.at,
            points: hit.points,
        })
    });
    Selected {
        range: candidate.range,
        segment: Some(candidate.segment.clone()),
        effective: candidate.effective,
        track: request.track,
        score: Some(candidate.score),
        reason: if candidate.liked {
            Reason::Liked
        } else {
            Reason::Rank(rank)
        },
        features: features.collect(),
    }
}

fn without_candidates(request: &ReplayRequest) -> (Vec<Selected>, Score) {
    let selection = select(&SelectionInput {
        segments: &[],
        observations: &[],
        featurers: &BTreeSet::new(),
        feedback: &[],
        request,
        previous: &[],
    });
    (selection.selected, selection.total_score)
}

/// A selection as rows: the replay as a whole, and each piece with its place in it.
pub fn rows_of(definition: &ReplayDefinition, selected: &[Selected], total: Score) -> Vec<Row> {
    let number = |score: Score| Number::new(score.as_f64());
    // MRE may choose one segment once for each track: only its place tells the two apart.
    let in_given_order =
        definition.request.mode == Mode::Timestamps || definition.request.compat == Compat::Mre;
    let mut rows: Vec<Row> = selected
        .iter()
        .enumerate()
        .map(|(order, piece)| {
            let features = piece.features.iter().map(|feature| FoundFeature {
                operator: feature
                    .key
                    .operator
                    .clone()
                    .unwrap_or_else(|| Name::new("*")),
                attribute: feature.key.attribute.clone(),
                value: feature.key.value.clone(),
                weight: feature.points.and_then(number),
            });
            Row::from(ChoiceRow {
                replay: definition.name.clone(),
                // Elsewhere the time is the order, and one new piece leaves the others as they are.
                order: if in_given_order {
                    u32::try_from(order).unwrap_or(u32::MAX)
                } else {
                    0
                },
                segment: piece.segment.clone(),
                original: piece.range,
                marks: piece.effective,
                chosen: true,
                score: piece.score.and_then(number),
                reason: piece.reason.to_string(),
                features: features.collect(),
            })
        })
        .collect();
    rows.extend(number(total).map(|total_score| {
        Row::from(ReplayRow {
            name: definition.name.clone(),
            track: definition.request.track,
            processed: is_news(selected, &[], definition.request.mode),
            total_score,
        })
    }));
    rows
}

/// Keeps the board of every replay and tells what changes on it.
fn rank<'scope>(told: Rows<'scope, (Name, Told)>) -> Rows<'scope, Row> {
    let route = Exchange::new(|row: &((Name, Told), u64, isize)| row.0.0.hashed());
    told.inner
        .unary_frontier(route, "Select", move |_, _| {
            let mut epochs = Epochs::new();
            let mut boards: HashMap<Name, Board> = HashMap::new();
            move |(input, frontier), output| {
                input.for_each(|capability, rows| {
                    epochs.receive_differences(capability.retain_least(0), rows)
                });
                while let Some((epoch, capability, mut changes)) = epochs.next(frontier) {
                    consolidate(&mut changes);
                    // What goes first, so that a changed row does not take its successor along.
                    changes.sort_by_key(|(_, diff)| *diff);
                    let mut touched = BTreeSet::new();
                    for ((name, told), diff) in changes {
                        boards.entry(name.clone()).or_default().apply(told, diff);
                        touched.insert(name);
                    }
                    let mut diffs = Vec::new();
                    for name in touched {
                        let Some(board) = boards.get_mut(&name) else {
                            continue;
                        };
                        let rows = board.rows();
                        diffs.extend(rows.iter().map(|row| (row.clone(), 1)));
                        let before = std::mem::replace(&mut board.told, rows);
                        diffs.extend(before.into_iter().map(|row| (row, -1)));
                    }
                    consolidate(&mut diffs);
                    let mut session = output.session(&capability);
                    for (row, diff) in diffs {
                        session.give((row, epoch, diff));
                    }
                }
            }
        })
        .as_collection()
}

/// Replays under MRE's own rules, which mix everything with everything: recomputed as a whole.
fn wholes<'scope>(
    segments: Rows<'scope, Segment>,
    observations: Rows<'scope, Arc<Observation>>,
    replays: Rows<'scope, Definition>,
    feedback: Rows<'scope, (u64, Feedback)>,
    ends: Rows<'scope, Name>,
    featurers: Arc<BTreeSet<Name>>,
) -> Rows<'scope, Row> {
    let names = replays
        .clone()
        .map(|definition| ((), definition.name.clone()));
    let for_all = |rows: Rows<'scope, Whole>| {
        rows.map(|row| ((), row))
            .join_map(names.clone(), |(), row, name| (name.clone(), row.clone()))
    };
    let segments = segments
        .map(|segment| (segment.id.segmenter.clone(), segment))
        .join_map(
            replays
                .clone()
                .map(|d| (d.segmenter.clone(), d.name.clone())),
            |_, segment, name| (name.clone(), Whole::Segment(segment.clone())),
        );
    replays
        .map(|definition| (definition.name.clone(), Whole::Replay(definition)))
        .concat(segments)
        .concat(for_all(observations.map(Whole::Observation)))
        .concat(for_all(
            feedback.map(|(sequence, said)| Whole::Feedback(sequence, said)),
        ))
        .concat(ends.map(|name| (name, Whole::End)))
        .reduce_named(
            "Select as MRE",
            move |_, rows, out: &mut Vec<(Row, isize)>| {
                let rows = rows.iter().map(|(row, _)| *row);
                let mut chosen = select_whole(rows, &featurers);
                chosen.sort();
                out.extend(chosen.into_iter().map(|row| (row, 1)));
            },
        )
        .map(|(_, row)| row)
}

fn select_whole<'a>(rows: impl Iterator<Item = &'a Whole>, featurers: &BTreeSet<Name>) -> Vec<Row> {
    let mut definition = None;
    let mut ended = false;
    let (mut segments, mut observations) = (Vec::new(), Vec::new());
    let mut feedback = Vec::new();
    for row in rows {
        match row {
            Whole::Replay(found) => definition = Some(found),
            Whole::Segment(segment) => segments.push(segment.clone().into()),
            Whole::Observation(observation) => observations.push(Observation::clone(observation)),
            Whole::Feedback(sequence, said) => feedback.push((*sequence, *said)),
            Whole::End => ended = true,
        }
    }
    let Some(definition) = definition.filter(|d| d.request.catchup || ended) else {
        return Vec::new();
    };
    feedback.sort_by_key(|(sequence, _)| *sequence);
    let feedback: Vec<Feedback> = feedback.into_iter().map(|(_, said)| said).collect();
    let selection = select(&SelectionInput {
        segments: &segments,
        observations: &observations,
        featurers,
        feedback: &feedback,
        request: &definition.request,
        previous: &[],
    });
    rows_of(definition, &selection.selected, selection.total_score)
}
