//! Properties of selection: filling against a plain reference, independence of the order of the
//! input, and that a selection that was stored is not stored again.

// A helper that fails fails its test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use matchcut_model::chunk::TrackNumber;
use matchcut_model::observation::Observation;
use matchcut_model::replay::{
    Compat, FeatureKey, Feedback, Mode, Outcome, Piece, Previous, Priority, Recorded,
    ReplayRequest, Score, Selection, SelectionInput, Side, Subject, Verdict, fill, fill_rows, hits,
    select,
};
use matchcut_model::segment::Segment;
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::value::{Attributes, Name, Value};
use proptest::prelude::*;

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    prop::collection::vec((0i32..5, 1i64..30), 0..12).prop_map(|parts| {
        let pieces = parts.into_iter().enumerate();
        pieces
            .map(|(index, (score, length))| Piece {
                score: Score::from(score),
                start: MediaTime::from_seconds(index as i64 * 40),
                length: MediaTime::from_seconds(length),
            })
            .collect()
    })
}

fn taken(outcomes: &[Outcome]) -> Vec<usize> {
    let mut taken: Vec<(usize, usize)> = outcomes
        .iter()
        .enumerate()
        .filter_map(|(index, outcome)| match outcome {
            Outcome::Taken { rank } => Some((*rank, index)),
            _ => None,
        })
        .collect();
    taken.sort_unstable();
    taken.into_iter().map(|(_, index)| index).collect()
}

/// Whether `a` comes before `b`.
fn better(pieces: &[Piece], a: usize, b: usize) -> bool {
    let (x, y) = (&pieces[a], &pieces[b]);
    x.score > y.score || x.score == y.score && (x.start, a) < (y.start, b)
}

/// Greedy by definition: again and again the best piece that was not looked at.
fn naive(pieces: &[Piece], offered: &[usize], limit: MediaTime) -> Vec<usize> {
    let mut open: Vec<usize> = offered.to_vec();
    let mut used = MediaTime::ZERO;
    let mut taken = Vec::new();
    while let Some(&best) = open
        .iter()
        .find(|&&a| open.iter().all(|&b| a == b || better(pieces, a, b)))
    {
        open.retain(|&index| index != best);
        if used + pieces[best].length <= limit {
            used += pieces[best].length;
            taken.push(best);
        }
    }
    taken
}

proptest! {
    #[test]
    fn filling_is_greedy(pieces in pieces(), limit in 0i64..100) {
        let limit = MediaTime::from_seconds(limit);
        let outcomes = fill(&pieces, limit);
        prop_assert_eq!(taken(&outcomes), naive(&pieces, &(0..pieces.len()).collect::<Vec<_>>(), limit));
        let used: MediaTime = taken(&outcomes).iter().map(|&index| pieces[index].length).sum();
        prop_assert!(used <= limit);
        for (piece, outcome) in pieces.iter().zip(&outcomes) {
            if let Outcome::NoRoom { left } = outcome {
                prop_assert!(piece.length > *left);
                // What was left at its turn only shrinks, so that it does not fit at the end either.
                prop_assert!(piece.length > limit - used);
            }
        }
    }

    #[test]
    fn rows_take_turns(pieces in pieces(), limit in 0i64..100, count in 1usize..4, give_up: bool) {
        let limit = MediaTime::from_seconds(limit);
        let mut buckets = vec![Vec::new(); count];
        for index in 0..pieces.len() {
            buckets[index * count / pieces.len()].push(index);
        }
        // By definition: pass after pass, each piece with its rank inside its bucket.
        let rank = |index: usize| {
            let bucket = buckets.iter().find(|bucket| bucket.contains(&index)).unwrap();
            bucket.iter().filter(|&&other| other != index && better(&pieces, other, index)).count()
        };
        let mut used = MediaTime::ZERO;
        let mut wanted = Vec::new();
        for pass in 0..pieces.len() {
            let mut row: Vec<usize> = (0..pieces.len()).filter(|&index| rank(index) == pass).collect();
            row.sort_by(|&a, &b| if better(&pieces, a, b) { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater });
            for index in row {
                if used + pieces[index].length <= limit {
                    used += pieces[index].length;
                    wanted.push(index);
                }
            }
            if give_up && wanted.is_empty() {
                break;
            }
        }
        prop_assert_eq!(taken(&fill_rows(&pieces, &buckets, limit, give_up)), wanted);
    }

    #[test]
    fn one_bucket_is_plain_filling(pieces in pieces(), limit in 0i64..100) {
        let limit = MediaTime::from_seconds(limit);
        let all = vec![(0..pieces.len()).collect::<Vec<_>>()];
        prop_assert_eq!(fill_rows(&pieces, &all, limit, false), fill(&pieces, limit));
    }
}

#[derive(Clone, Debug)]
struct World {
    segments: Vec<Recorded>,
    observations: Vec<Observation>,
    feedback: Vec<Feedback>,
    request: ReplayRequest,
}

fn attributes() -> impl Strategy<Value = Attributes> {
    let value = prop_oneof![
        Just(Value::from(true)),
        Just(Value::from(false)),
        Just(Value::from("far"))
    ];
    prop::collection::btree_map(
        prop::sample::select(vec!["a", "b", "c"]).prop_map(Name::from),
        value,
        0..3,
    )
    .prop_map(|map| map.into_iter().collect())
}

fn segments() -> impl Strategy<Value = Vec<Recorded>> {
    let one = (
        1i64..20,
        1i64..20,
        prop::option::of((-2i64..3, -2i64..3)),
        any::<bool>(),
        attributes(),
    );
    prop::collection::vec(one, 0..10).prop_map(|parts| {
        let mut at = 0;
        let mut segments = Vec::new();
        for (gap, length, moved, open, attributes) in parts {
            let start = at + gap - 1;
            at = start + length;
            let time = |seconds: i64| MediaTime::from_seconds(seconds.max(0));
            let end = (!open || length % 4 != 0).then(|| time(at));
            let mut segment = Segment::new("seg".into(), time(start), end);
            if let (Some((a, b)), Some(_)) = (moved, end) {
                segment.opto.insert(
                    TrackNumber(1),
                    TimeRange::new(time(start + a), time(at + b)),
                );
            }
            if length % 3 == 0 {
                segment.attributes = attributes;
            }
            segments.push(segment.into());
        }
        segments
    })
}

fn observations() -> impl Strategy<Value = Vec<Observation>> {
    let one = (
        0i64..200,
        prop_oneof![2 => Just(0i64), 1 => 1i64..60],
        prop::sample::select(vec!["p", "q", "seg"]),
        prop::option::of(1u32..3),
        attributes(),
    );
    prop::collection::vec(one, 0..30).prop_map(|parts| {
        let parts = parts.into_iter();
        parts
            .map(|(start, length, operator, track, attributes)| Observation {
                start: MediaTime::from_seconds(start),
                end: MediaTime::from_seconds(start + length),
                operator: operator.into(),
                track: track.map(TrackNumber),
                attributes,
            })
            .collect()
    })
}

fn request() -> impl Strategy<Value = ReplayRequest> {
    let key = (
        prop::sample::select(vec!["p", "q", "seg", "label"]),
        prop::sample::select(vec!["a", "b", "c"]),
        prop::sample::select(vec![
            Value::from(true),
            Value::from(false),
            Value::from("far"),
        ]),
    )
        .prop_map(|(operator, attribute, value)| FeatureKey::new(operator, attribute, value));
    let priority = prop_oneof![
        (key.clone(), 0i32..50).prop_map(|(key, weight)| Priority::weighted(key, weight.into())),
        key.prop_map(Priority::included),
    ];
    (
        prop::collection::vec(priority, 0..5),
        0i64..120,
        any::<[bool; 5]>(),
        any::<bool>(),
        1u32..3,
    )
        .prop_map(
            |(priorities, duration, flags, compat, track)| ReplayRequest {
                mode: if flags[0] {
                    Mode::Features
                } else {
                    Mode::Duration
                },
                duration: MediaTime::from_seconds(duration),
                tolerance: MediaTime::ZERO,
                equal_distribution: flags[1],
                include_liked: flags[2],
                ignore_disliked: flags[3],
                disregard_zero_weight: flags[4],
                track: TrackNumber(track),
                compat: if compat { Compat::Mre } else { Compat::None },
                priorities,
                ..ReplayRequest::default()
            },
        )
}

fn world() -> impl Strategy<Value = World> {
    let verdict = prop::sample::select(vec![Verdict::Like, Verdict::Dislike, Verdict::None]);
    let side = prop::sample::select(vec![Side::Original, Side::Optimized]);
    let feedback = prop::collection::vec((0usize..10, side, verdict), 0..6);
    (segments(), observations(), feedback, request()).prop_map(
        |(segments, observations, feedback, request)| {
            let feedback = feedback
                .into_iter()
                .filter_map(|(index, side, verdict)| {
                    let start = segments.get(index)?.segment.start();
                    Some(Feedback {
                        start,
                        track: TrackNumber(1),
                        side,
                        verdict,
                    })
                })
                .collect();
            World {
                segments,
                observations,
                feedback,
                request,
            }
        },
    )
}

fn featurers() -> BTreeSet<Name> {
    ["p", "q"].map(Name::from).into()
}

fn choose(world: &World, previous: &[Previous]) -> Selection {
    select(&SelectionInput {
        segments: &world.segments,
        observations: &world.observations,
        featurers: &featurers(),
        feedback: &world.feedback,
        request: &world.request,
        previous,
    })
}

proptest! {
    #[test]
    fn the_order_of_the_input_does_not_matter(world in world(), seed in any::<u64>()) {
        let mut mixed = world.clone();
        // A permutation that depends on the seed, and everything observed twice.
        let key = |index: usize| (index as u64 + 1).wrapping_mul(seed | 1).rotate_left(17);
        mixed.observations.extend(world.observations.clone());
        let mut order: Vec<usize> = (0..mixed.observations.len()).collect();
        order.sort_by_key(|&index| key(index));
        mixed.observations = order.iter().map(|&index| mixed.observations[index].clone()).collect();
        let mut order: Vec<usize> = (0..mixed.segments.len()).collect();
        order.sort_by_key(|&index| key(index));
        mixed.segments = order.iter().map(|&index| mixed.segments[index].clone()).collect();
        prop_assert_eq!(choose(&mixed, &[]), choose(&world, &[]));
    }

    #[test]
    fn every_segment_is_chosen_or_left_out_for_a_reason(world in world()) {
        let selection = choose(&world, &[]);
        prop_assert_eq!(selection.selected.len() + selection.left_out.len(), world.segments.len());
        let length: MediaTime = selection.selected.iter().map(|one| one.effective.duration()).sum();
        if world.request.mode == Mode::Duration {
            prop_assert!(length <= world.request.limit());
        }
        let starts: Vec<MediaTime> = selection.selected.iter().map(|one| one.range.start).collect();
        prop_assert!(starts.is_sorted());
        let points: Score = selection.selected.iter().filter_map(|one| one.score).sum();
        prop_assert_eq!(points.whole(), selection.total_score.whole());
    }

    #[test]
    fn what_was_stored_is_not_stored_again(world in world()) {
        let first = choose(&world, &[]);
        let stored: Vec<Previous> = first.selected.iter().map(Previous::from).collect();
        let again = choose(&world, &stored);
        prop_assert_eq!(&again.selected, &first.selected);
        let always = world.request.mode == Mode::Features
            && (world.request.compat == Compat::Mre || first.selected.is_empty());
        prop_assert_eq!(again.processed, always);
    }

    #[test]
    fn hits_by_time_are_the_hits_of_all(world in world()) {
        let request = ReplayRequest {
            mode: Mode::Features,
            compat: Compat::None,
            include_liked: false,
            ignore_disliked: false,
            ..world.request.clone()
        };
        let selection = choose(&World { request: request.clone(), ..world.clone() }, &[]);
        let mut wanted = Vec::new();
        for Recorded { segment, .. } in &world.segments {
            let Some(effective) = segment.effective(request.track) else { continue };
            let subject = Subject { segment, effective, track: request.track };
            let hits = hits(&subject, &world.observations, &featurers(), &request);
            if !hits.is_empty() {
                wanted.push((segment.start(), hits.len()));
            }
        }
        let found: Vec<(MediaTime, usize)> =
            selection.selected.iter().map(|one| (one.range.start, one.features.len())).collect();
        prop_assert_eq!(found, wanted);
    }
}
