//! Made-up flights told by value, and any flight against a function that has everything before it.

use matchcut_model::observation::Observation;
use matchcut_model::value::{Attributes, Value};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::look::{Area, Reading, UNIT};
use super::track::{Sample, Tracker, Tracking};
use super::*;
use crate::sdk::FoldBox;
use crate::testing::{Script, fold_of, observations};

/// A box by left, top, width and height.
pub(super) fn at(label: &str, [left, top, width, height]: [f64; 4]) -> Json {
    json!({
        "label": label, "confidence": 0.8,
        "left": left, "top": top, "width": width, "height": height,
    })
}

/// A box around a place.
fn around(label: &str, [x, y]: [f64; 2], size: f64) -> Json {
    at(label, [x - size / 2.0, y - size / 2.0, size, size])
}

/// When the ball is hit and when it bounces.
pub(super) fn kinds(told: &[(i64, i64, Attributes)]) -> Vec<(i64, &'static str)> {
    let kind = |said: &Attributes| match (said.contains_key("hit"), said.contains_key("bounce")) {
        (true, false) => Some("hit"),
        (false, true) => Some("bounce"),
        _ => None,
    };
    let kinds = told
        .iter()
        .filter_map(|(start, _, said)| Some((*start, kind(said)?)));
    kinds.collect()
}

/// Where a ball is that flies straight between places: milliseconds, x, y.
fn flight(knots: &[(i64, f64, f64)], at: i64) -> Option<[f64; 2]> {
    let pair = knots
        .windows(2)
        .find(|pair| (pair[0].0..=pair[1].0).contains(&at))?;
    let (from, to) = (pair[0], pair[1]);
    let share = (at - from.0) as f64 / (to.0 - from.0) as f64;
    Some([
        from.1 + (to.1 - from.1) * share,
        from.2 + (to.2 - from.2) * share,
    ])
}

/// A look every `every` milliseconds at a ball on its flight, and at whatever else there is.
fn script(
    length: i64,
    every: i64,
    knots: &[(i64, f64, f64)],
    others: impl Fn(i64) -> Vec<Json>,
) -> Script {
    let mut script = Script::new(length, 1);
    for at in (0..length).step_by(every as usize) {
        let ball = flight(knots, at).map(|place| around("ball", place, 0.01));
        let boxes: Vec<Json> = ball.into_iter().chain(others(at)).collect();
        if !boxes.is_empty() {
            script.point("eyes", at, &[("boxes", Json::from(boxes))]);
        }
    }
    script
}

fn rows(script: &Script, fold: &FoldBox) -> Vec<(i64, i64, Json)> {
    let rows = observations(&script.run(fold)).into_iter();
    rows.map(|(start, end, attributes)| (start, end, serde_json::to_value(&attributes).unwrap()))
        .collect()
}

/// Hit by one player at 1.0 s, bounces at 1.6, hit by the other at 2.2, not seen from 3.0 on.
const FLIGHT: [(i64, f64, f64); 5] = [
    (0, 0.2, 0.3),
    (1000, 0.5, 0.8),
    (1400, 0.6, 0.4),
    (2200, 0.9, 0.45),
    (3000, 0.5, 0.6),
];

fn two_players(_: i64) -> Vec<Json> {
    vec![
        around("player", [0.5, 0.85], 0.2),
        around("player", [0.93, 0.45], 0.06),
    ]
}

#[test]
fn hits_and_the_rally_around_them() {
    let expected = [
        (
            0,
            4000,
            json!({"rally": true, "hits": 3, "bounces": 0, "speed": 0.616}),
        ),
        (
            1000,
            1000,
            json!({"hit": true, "turn": 109, "speed": 0.616, "x": 0.5, "y": 0.8}),
        ),
        (
            1400,
            1400,
            json!({"hit": true, "turn": 71, "speed": 0.377, "x": 0.6, "y": 0.4}),
        ),
        (
            2200,
            2200,
            json!({"hit": true, "turn": 163, "speed": 0.511, "x": 0.9, "y": 0.45}),
        ),
    ];
    let whole = script(6000, 40, &FLIGHT, two_players);
    let fold = fold_of("rally", json!({}));
    for chunk in [200, 700, 1000, 6000] {
        let told = rows(&whole.clone().chunked(chunk), &fold);
        assert_eq!(told, expected, "chunks of {chunk} ms");
    }
    // Looks that are rare: the same turns, at the same moments.
    let rare = script(6000, 200, &FLIGHT, two_players);
    let told: Vec<(i64, i64)> = rows(&rare, &fold)
        .iter()
        .map(|(start, end, _)| (*start, *end))
        .collect();
    assert_eq!(told, [(0, 4000), (1000, 1000), (1400, 1400), (2200, 2200)]);
}

#[test]
fn a_fall_that_ends_is_a_bounce_unless_it_leaves_a_player_fast() {
    // Falls to 0.8 s and goes on slowly.
    let knots = [(0, 0.2, 0.1), (800, 0.4, 0.8), (1600, 0.5, 0.7)];
    let fold = fold_of("rally", json!({"hold": "0.2s"}));
    let told = |knots: &[(i64, f64, f64)], player: Option<[f64; 4]>| {
        let players = |_| {
            player
                .map(|place| at("player", place))
                .into_iter()
                .collect()
        };
        let told = observations(&script(4000, 40, knots, players).run(&fold));
        let rally = told.iter().find(|(_, _, said)| said.contains_key("rally"));
        assert_eq!(rally.map(|(start, end, _)| (*start, *end)), Some((0, 1800)));
        kinds(&told)
    };
    let bounce = [(800, "bounce")];
    let close = Some([0.42, 0.5, 0.1, 0.45]);
    assert_eq!(told(&knots, None), bounce);
    assert_eq!(told(&knots, Some([0.8, 0.5, 0.1, 0.45])), bounce);
    assert_eq!(told(&knots, close), bounce);
    // Faster than it came: off a racket, but not in front of a player's feet.
    let fast = [(0, 0.2, 0.1), (800, 0.4, 0.8), (1600, 0.9, 0.0)];
    assert_eq!(told(&fast, close), [(800, "hit")]);
    assert_eq!(told(&fast, Some([0.42, 0.35, 0.1, 0.45])), bounce);
    assert_eq!(told(&fast, None), bounce);
}

#[test]
fn a_flight_that_bends_slowly_is_no_turn() {
    // Up and down again, as gravity bends it: 0.4 widths a second, each second.
    let mut script = Script::new(4000, 2);
    for at in (0..3000).step_by(40) {
        let t = at as f64 / 1000.0;
        let y = 0.9 - (0.6 * t - 0.2 * t * t) * 16.0 / 9.0;
        let boxes = vec![around("ball", [0.3 + 0.02 * t, y], 0.01)];
        script.point("eyes", at, &[("boxes", Json::from(boxes))]);
    }
    let told = observations(&script.run(&fold_of("rally", json!({}))));
    assert_eq!(kinds(&told), []);
    let ranges: Vec<(i64, i64)> = told.iter().map(|(start, end, _)| (*start, *end)).collect();
    assert_eq!(ranges, [(0, 3960)]);
}

#[test]
fn a_ball_that_lies_about_and_a_mark_far_away_are_not_played() {
    // A surer ball rests from 0 on; from 1 s on it is known to rest, and the other one is followed.
    let knots = [(0, 0.2, 0.3), (2400, 0.9, 0.3)];
    let sure = |mut one: Json| {
        one["confidence"] = json!(0.95);
        one
    };
    let lies = |at: i64| {
        let mut others = vec![sure(around("ball", [0.1, 0.9], 0.01))];
        if at == 2000 {
            // Once, something that no ball reaches so fast.
            others.push(sure(around("ball", [0.1, 0.1], 0.01)));
        }
        others
    };
    let fold = fold_of("rally", json!({"hold": "0.2s", "min_duration": "0.5s"}));
    let told = rows(&script(4000, 40, &knots, lies), &fold);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].0, told[0].1), (1000, 2600));
    assert_eq!(told[0].2["speed"], json!(0.292));
}

#[test]
fn volleys_are_hit_at_the_net_out_of_the_air() {
    // From the baseline (at 0.8 s) to a player at the net, who hits it out of the air at 1.8 s; then it
    // bounces at 2.6 s and is hit again by him at 3.2 s, and by the one at the baseline at 4.2 s.
    let knots = [
        (0, 0.5, 0.9),
        (800, 0.3, 0.85),
        (1800, 0.5, 0.55),
        (2600, 0.7, 0.95),
        (3200, 0.5, 0.6),
        (4200, 0.3, 0.85),
        (5000, 0.6, 0.4),
    ];
    let players = |_| {
        vec![
            at("player", [0.47, 0.45, 0.08, 0.24]),
            at("player", [0.26, 0.75, 0.08, 0.22]),
        ]
    };
    let options = json!({"net": [0.25, 0.4, 0.75, 0.7]});
    let told = rows(
        &script(6000, 40, &knots, players),
        &fold_of("rally", options),
    );
    let hits: Vec<(i64, &Json)> = told
        .iter()
        .filter(|(_, _, said)| said["hit"] == true)
        .map(|(start, _, said)| (*start, &said["volley"]))
        .collect();
    let (yes, no) = (json!(true), json!(false));
    assert_eq!(hits, [(800, &no), (1800, &yes), (3200, &no), (4200, &no)]);
    let at_net: Vec<(i64, i64)> = told
        .iter()
        .filter(|(_, _, said)| said["at_net"] == true)
        .map(|(start, end, _)| (*start, *end))
        .collect();
    assert_eq!(at_net, [(0, 6000)]);
    let rally = told
        .iter()
        .find(|(_, _, said)| said["rally"] == true)
        .unwrap();
    assert_eq!(rally.2["volleys"], json!(1));
}

#[test]
fn a_rally_is_told_as_it_stands_until_it_goes_on() {
    let fold = fold_of("rally", json!({}));
    let whole = script(3000, 40, &FLIGHT, two_players);
    let open: Vec<_> = observations(&whole.tail(&fold))
        .into_iter()
        .filter(|(_, _, said)| said.contains_key("rally"))
        .map(|(start, end, _)| (start, end))
        .collect();
    assert_eq!(open, [(0, 3960)]);
    // At the end of the event nothing is held beyond it.
    let told = rows(&whole, &fold);
    assert_eq!((told[0].0, told[0].1), (0, 3000));
}

#[test]
fn wrong_options_are_named() {
    let options = json!({
        "ball": [], "players": ["a"], "min_confidence": 2, "max_speed": 30, "min_speed": 0,
        "min_change": 0, "reach": -1, "hold": "90s", "min_duration": "90s", "aspect": "wide",
        "net": [0.5, 0.5, 0.2, 0.9],
    });
    let errors = Rally.build(options.as_object().unwrap()).err().unwrap();
    let named: Vec<_> = errors.iter().filter_map(|e| e.option.as_deref()).collect();
    assert_eq!(
        named,
        [
            "ball",
            "min_confidence",
            "max_speed",
            "min_speed",
            "min_change",
            "reach",
            "hold",
            "min_duration",
            "aspect",
            "net"
        ]
    );
    let both = json!({"ball": ["a"], "players": ["a"]});
    let errors = Rally.build(both.as_object().unwrap()).err().unwrap();
    assert_eq!(errors[0].option.as_deref(), Some("players"));
}

/// What the rules say, told with all samples at hand.
mod batch {
    use super::*;

    fn millis(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    /// The way between two samples, in units a second.
    fn way(from: &Sample, to: &Sample) -> (f64, f64) {
        let seconds = (to.time - from.time).as_seconds_f64();
        (
            (to.place.x - from.place.x) as f64 / seconds,
            (to.place.y - from.place.y) as f64 / seconds,
        )
    }

    fn speed((x, y): (f64, f64)) -> f64 {
        (x * x + y * y).sqrt()
    }

    /// The ways before and after: to the farthest sample within 120 ms, else to the next within 500 ms.
    fn ways(all: &[Sample], at: usize) -> [Option<(f64, f64)>; 2] {
        let here = &all[at];
        let within = |other: &&Sample, most| (other.time - here.time).abs() <= millis(most);
        // Those of the same ball.
        let from = (0..=at)
            .rev()
            .find(|number| all[*number].fresh)
            .unwrap_or(0);
        let to = (at + 1..all.len())
            .find(|number| all[*number].fresh)
            .unwrap_or(all.len());
        let (earlier, later) = (&all[from..at], &all[at + 1..to]);
        let before = earlier.iter().find(|other| within(other, 120));
        let before = before.or(earlier.last().filter(|other| within(other, 500)));
        let after = later.iter().rev().find(|other| within(other, 120));
        let after = after.or(later.first().filter(|other| within(other, 500)));
        [
            before.map(|from| way(from, here)),
            after.map(|to| way(here, to)),
        ]
    }

    /// By how much the ball changes its way at a sample, where that is much.
    fn change(all: &[Sample], at: usize, rules: &Rules) -> Option<f64> {
        let [Some(before), Some(after)] = ways(all, at) else {
            return None;
        };
        let change = speed((after.0 - before.0, after.1 - before.1));
        let much = change >= 0.7 * speed(before).max(speed(after));
        (much && change >= rules.min_change).then_some(change)
    }

    pub struct Rules {
        pub min_speed: f64,
        pub min_change: f64,
        pub hold: i64,
        pub min_duration: i64,
        pub end: MediaTime,
    }

    /// Start, end and what is said: `hit`, `bounce`, or hits and bounces of a rally.
    pub fn told(all: &[Sample], rules: &Rules) -> Vec<(MediaTime, MediaTime, String)> {
        let mut told = Vec::new();
        let changes: Vec<Option<f64>> = (0..all.len()).map(|at| change(all, at, rules)).collect();
        let turns = |at: usize| {
            let here = changes[at]?;
            let beaten = (0..all.len()).any(|other| {
                let near = (all[other].time - all[at].time).abs() <= millis(150);
                other != at
                    && near
                    && changes[other].is_some_and(|c| c > here || (c == here && other < at))
            });
            if beaten {
                return None;
            }
            let [before, after] = ways(all, at).map(Option::unwrap);
            let falls = before.1 > 0.0 && after.1 < 0.35 * before.1;
            let faster = speed(after) > 0.8 * speed(before);
            let player = all[at].player;
            let by_him = player.is_some_and(|p| p.close && !p.at_feet);
            Some(!falls || by_him && faster)
        };
        let moving: Vec<usize> = (0..all.len())
            .filter(|at| {
                let ways = ways(all, *at);
                ways.iter()
                    .flatten()
                    .any(|way| speed(*way) >= rules.min_speed)
            })
            .collect();
        let follows = |a: &usize, b: &usize| all[*b].time - all[*a].time <= millis(rules.hold);
        for rally in moving.chunk_by(follows) {
            let kinds: Vec<bool> = rally.iter().filter_map(|at| turns(*at)).collect();
            let hits = kinds.iter().filter(|hit| **hit).count();
            let (start, last) = (all[rally[0]].time, all[*rally.last().unwrap()].time);
            if last - start >= millis(rules.min_duration) {
                let end = (last + millis(rules.hold)).min(rules.end);
                let bounces = kinds.len() - hits;
                told.push((start, end, format!("{hits} hits, {bounces} bounces")));
            }
        }
        for (at, sample) in all.iter().enumerate() {
            if let Some(hit) = turns(at) {
                let what = if hit { "hit" } else { "bounce" };
                told.push((sample.time, sample.time, what.to_owned()));
            }
        }
        told.sort();
        told
    }
}

/// Steps of a wild ball: milliseconds since the look before, x and y in thousandths, whether a player is
/// seen and where.
fn steps() -> impl Strategy<Value = Vec<(i64, i64, i64, Option<i64>)>> {
    let gap = prop_oneof![8 => 20_i64..60, 2 => 100_i64..300, 1 => 400_i64..1500];
    let player = prop::option::of(0_i64..1000);
    prop::collection::vec((gap, 0_i64..1000, 0_i64..1000, player), 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_fold_tells_what_the_rules_say(
        steps in steps(),
        smooth in any::<bool>(),
        chunk in 150_i64..5000,
        seen in any::<u8>(),
    ) {
        let (mut at, mut x, mut y) = (0, 500, 500);
        let mut looks = Vec::new();
        for (gap, to_x, to_y, player) in steps {
            at += gap;
            // A smooth ball goes a part of the way, a wild one jumps.
            (x, y) = if smooth { (x + (to_x - x) / 12, y + (to_y - y) / 12) } else { (to_x, to_y) };
            let place = [x as f64 / 1000.0, y as f64 / 1000.0];
            let mut boxes = vec![around("ball", place, 0.01)];
            if let Some(player) = player.filter(|_| seen % 2 == 0) {
                boxes.push(around("player", [player as f64 / 1000.0, 0.5], 0.3));
            }
            looks.push((at, Json::from(boxes)));
        }
        let length = at + 300;
        let mut script = Script::new(length, 1);
        for (at, boxes) in &looks {
            script.point("eyes", *at, &[("boxes", boxes.clone())]);
        }
        let fold = fold_of("rally", json!({"hold": "0.7s", "min_duration": "0.3s"}));
        let kind = |said: &Attributes| match (said.get("hits"), said.get("hit")) {
            (Some(hits), _) => {
                let bounces = said.get("bounces").unwrap().plain_text();
                format!("{} hits, {bounces} bounces", hits.plain_text())
            }
            (None, Some(_)) => "hit".to_owned(),
            (None, None) => "bounce".to_owned(),
        };
        let mut told: Vec<(MediaTime, MediaTime, String)> = Vec::new();
        for (_, emission) in script.clone().chunked(chunk).run(&fold) {
            if let crate::sdk::Emission::Observation { start, end, attributes } = emission {
                told.push((start, end, kind(&attributes)));
            }
        }
        told.sort();

        let reading = Reading {
            ball: vec!["ball".to_owned()],
            players: vec!["player".to_owned()],
            min_confidence: 0.3,
            aspect: (16, 9),
        };
        let tracking = Tracking {
            max_speed: 3.0 * UNIT as f64,
            reach: (0.05 * UNIT as f64) as i64,
            net: None::<Area>,
        };
        let seen: Vec<Observation> = looks
            .iter()
            .map(|(at, boxes)| Observation {
                start: MediaTime::from_millis(*at),
                end: MediaTime::from_millis(*at),
                operator: "eyes".into(),
                track: None,
                attributes: Attributes::from([("boxes".into(), Value::from(boxes.clone()))]),
            })
            .collect();
        let mut tracker = Tracker::default();
        let looks = reading.looks(&seen);
        let samples: Vec<Sample> = looks
            .iter()
            .filter_map(|look| tracker.look(look, &tracking).ball)
            .collect();
        let rules = batch::Rules {
            min_speed: 0.1 * UNIT as f64,
            min_change: 0.2 * UNIT as f64,
            hold: 700,
            min_duration: 300,
            end: MediaTime::from_millis(length),
        };
        prop_assert_eq!(told, batch::told(&samples, &rules));
    }
}
