//! Worked examples of MRE's selection, each with what MRE's code gives and with what it means.

// A helper that fails fails its test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use matchcut_model::replay::Previous;
use matchcut_model::time::MediaTime;
use serde_json::json;
use support::{Scenario, lasting};

const FEATURES: [(&str, f64); 3] = [("A", 90.0), ("B", 40.0), ("C", 10.0)];

fn replay(duration: f64, tolerance: f64) -> Scenario {
    Scenario::new(lasting(duration, tolerance, &FEATURES))
}

/// MRE's result, and the intended one.
#[track_caller]
fn gives(scenario: &Scenario, mre: &str, intent: &str) {
    assert_eq!(scenario.brief("mre"), mre, "compat");
    assert_eq!(scenario.brief("none"), intent, "intent");
}

#[test]
fn example_1_everything_fits() {
    let scenario = replay(60.0, 30.0)
        .segment(0.0, 10.0, &["A"])
        .segment(20.0, 35.0, &["B"])
        .segment(40.0, 45.0, &[]);
    gives(&scenario, "0:- 20:-", "0:- 20:-");
    let document = json!({
        "processed": true, "total_score": 0,
        "selected": [
            {"start": 0.0, "end": 10.0, "score": "-"},
            {"start": 20.0, "end": 35.0, "score": "-"},
        ],
    });
    assert_eq!(scenario.document("none"), document);
    let stored = scenario.stored(&[0.0, 20.0]);
    gives(&stored, "!0:- 20:-", "!0:- 20:-");
    let nothing = json!({"processed": false, "selected": [], "total_score": 0});
    assert_eq!(stored.document("none"), nothing);
    assert_eq!(stored.document("mre"), nothing);
}

fn greedy(tolerance: f64) -> Scenario {
    replay(40.0, tolerance)
        .segment(0.0, 20.0, &["A"])
        .segment(30.0, 60.0, &["B"])
        .segment(70.0, 95.0, &["A", "B"])
        .segment(100.0, 110.0, &["C"])
}

#[test]
fn example_2_the_best_that_fit() {
    gives(&greedy(10.0), "0:90 70:130", "0:90 70:130");
    assert_eq!(greedy(10.0).document("none")["total_score"], 220);
}

#[test]
fn example_2b_what_does_not_fit_is_skipped() {
    gives(&greedy(1.0), "70:130 100:10", "70:130 100:10");
    let skipped: Vec<String> = greedy(1.0)
        .selection("none")
        .left_out
        .iter()
        .map(|entry| format!("{}: {}", entry.start, entry.reason))
        .collect();
    assert_eq!(
        skipped,
        [
            "0.000: does not fit: needs 20.000 s, 16.000 s left",
            "30.000: does not fit: needs 30.000 s, 16.000 s left",
        ]
    );
}

#[test]
fn example_3_the_best_is_too_long() {
    let scenario = replay(40.0, 10.0)
        .segment(0.0, 60.0, &["A", "B"])
        .segment(100.0, 125.0, &["A"])
        .segment(200.0, 215.0, &["B"]);
    gives(&scenario, "100:90 200:40", "100:90 200:40");
}

#[test]
fn example_4_of_equal_scores_the_earliest() {
    let scenario = replay(40.0, 1.0)
        .segment(0.0, 20.0, &["A"])
        .segment(30.0, 50.0, &["A"])
        .segment(60.0, 80.0, &["A"]);
    gives(&scenario, "0:90 30:90", "0:90 30:90");
}

fn spread() -> Scenario {
    replay(50.0, 10.0)
        .segment(10.0, 30.0, &["A", "B"])
        .segment(50.0, 70.0, &["A"])
        .segment(100.0, 120.0, &["A"])
        .segment(600.0, 620.0, &["B"])
        .segment(700.0, 720.0, &["C"])
        .segment(900.0, 920.0, &["B", "C"])
}

#[test]
fn example_5_equal_distribution() {
    gives(
        &spread().equal(),
        "10:130 50:90 900:50",
        "10:130 50:90 900:50",
    );
    assert_eq!(spread().equal().document("none")["total_score"], 270);
    gives(&spread(), "10:130 50:90 100:90", "10:130 50:90 100:90");
    let reasons: Vec<String> = spread()
        .equal()
        .selection("none")
        .selected
        .iter()
        .map(|e| e.reason.to_string())
        .collect();
    assert_eq!(
        reasons,
        [
            "number 1 by turns, in part 1",
            "number 3 by turns, in part 1",
            "number 2 by turns, in part 2",
        ]
    );
}

#[test]
fn example_6_equal_distribution_over_an_hour() {
    let scenario = replay(50.0, 10.0)
        .equal()
        .segment(10.0, 30.0, &["A", "B"])
        .segment(1000.0, 1020.0, &["A"])
        .segment(2000.0, 2020.0, &["B"])
        .segment(3000.0, 3020.0, &["C"])
        .segment(3900.0, 3920.0, &["A", "C"]);
    gives(
        &scenario,
        "10:130 1000:90 3900:100",
        "10:130 1000:90 3900:100",
    );
}

#[test]
fn example_7_a_first_pass_that_takes_nothing() {
    let scenario = replay(30.0, 10.0)
        .segment(0.0, 70.0, &["A"])
        .segment(75.0, 80.0, &["B"])
        .segment(500.0, 580.0, &["A"])
        .segment(585.0, 590.0, &["B"]);
    gives(&scenario, "75:40 585:40", "75:40 585:40");
    gives(&scenario.clone().equal(), "!", "75:40 585:40");
    assert_eq!(scenario.equal().document("mre")["processed"], false);
}

fn at_the_border(start: f64) -> Scenario {
    replay(20.0, 1.0)
        .equal()
        .segment(0.0, 10.0, &["A"])
        .segment(start, 60.7, &["A"])
        .segment(91.4, 101.4, &["A"])
}

#[test]
fn example_8_the_crack_between_buckets() {
    gives(&at_the_border(50.701), "0:90 91.4:90", "0:90 50.701:90");
    gives(&at_the_border(50.702), "0:90 50.702:90", "0:90 50.702:90");
}

fn liked() -> Scenario {
    replay(30.0, 10.0)
        .segment(0.0, 20.0, &["A"])
        .segment(30.0, 50.0, &[])
        .segment(60.0, 80.0, &["A", "B"])
        .segment(90.0, 110.0, &["B"])
}

#[test]
fn example_9_liked() {
    let scenario = liked().likes(30.0);
    gives(&scenario, "0:90 60:130", "0:90 60:130");
    let scenario = scenario.set("IncludeLikedSegments", json!(true));
    gives(&scenario, "30:1000000029 60:130", "30:1000000029 60:130");
    assert_eq!(scenario.document("none")["total_score"], 1_000_000_159_i64);
    // The last word on the same clip counts, other tracks and sides do not.
    let scenario = scenario.says(30.0, "original", "-");
    gives(&scenario, "0:90 60:130", "0:90 60:130");
    let other = liked()
        .says(30.0, "optimized", "like")
        .set("IncludeLikedSegments", json!(true));
    gives(&other, "0:90 60:130", "0:90 60:130");
}

#[test]
fn example_10_liked_and_too_long() {
    let scenario = replay(30.0, 10.0)
        .segment(0.0, 20.0, &["A"])
        .segment(30.0, 80.0, &[])
        .segment(90.0, 110.0, &["B"])
        .set("IncludeLikedSegments", json!(true))
        .likes(30.0);
    gives(&scenario, "0:90 90:40", "0:90 90:40");
}

#[test]
fn example_11_two_liked() {
    let scenario = replay(20.0, 5.0)
        .segment(0.0, 20.0, &["A"])
        .segment(30.0, 50.0, &[])
        .segment(60.0, 80.0, &[])
        .segment(90.0, 110.0, &["B"])
        .set("IncludeLikedSegments", json!(true))
        .likes(30.0)
        .likes(60.0);
    gives(&scenario, "60:1000000059", "60:1000000059");
}

#[test]
fn example_12_disliked() {
    let scenario = liked().dislikes(60.0);
    gives(&scenario, "0:90 60:130", "0:90 60:130");
    let scenario = scenario.set("IgnoreDislikedSegments", json!(true));
    gives(&scenario, "0:- 90:-", "0:- 90:-");
}

#[test]
fn example_13_a_feature_that_is_false() {
    let mut request = lasting(60.0, 30.0, &[]);
    request["Priorities"]["Clips"] = json!([
        {"Name": "P | A | false", "PluginName": "P", "AttribName": "A", "AttribValue": false,
         "Weight": 50}
    ]);
    let scenario = Scenario::new(request)
        .segment(0.0, 20.0, &["A"])
        .marked(30.0, 50.0, None)
        .observed("P", 30.0, json!({"A": false}));
    gives(&scenario, "!", "30:-");
}

#[test]
fn example_14_one_attribute_of_two_operators() {
    let mut request = lasting(30.0, 10.0, &[]);
    request["Priorities"]["Clips"] = json!([
        {"Name": "P1 | A | true", "PluginName": "P1", "AttribName": "A", "Weight": 50},
        {"Name": "P2 | A | true", "PluginName": "P2", "AttribName": "A", "Weight": 30}
    ]);
    let mut scenario = Scenario::new(request);
    for (start, end) in [(0.0, 20.0), (30.0, 50.0), (60.0, 80.0)] {
        scenario = scenario
            .marked(start, end, None)
            .observed("P1", start, json!({"A": true}))
            .observed("P2", start, json!({"A": true}));
    }
    gives(&scenario, "0:50 30:50", "0:80 30:80");
}

#[test]
fn example_15_features_mode() {
    let mut request = lasting(30.0, 10.0, &[]);
    request["ClipfeaturebasedSummarization"] = json!(true);
    request["Priorities"]["Clips"] = json!([
        {"Name": "P | A | true", "PluginName": "P", "AttribName": "A", "Include": true},
        {"Name": "P | B | true", "PluginName": "P", "AttribName": "B", "Include": false}
    ]);
    let scenario = Scenario::new(request)
        .segment(0.0, 20.0, &["A"])
        .segment(30.0, 50.0, &["B"])
        .segment(60.0, 80.0, &["A", "B"]);
    gives(&scenario, "0:- 60:-", "0:- 60:-");
    gives(
        &scenario
            .clone()
            .set("DisregardZeroWeightSegments", json!(true)),
        "",
        "0:- 60:-",
    );
    // MRE stores every time, the intent only what is new.
    gives(
        &scenario.clone().stored(&[0.0, 60.0]),
        "0:- 60:-",
        "!0:- 60:-",
    );
    // Without any match an empty list is stored.
    let mut nothing = scenario;
    nothing.request["Priorities"]["Clips"][0]["AttribName"] = json!("Z");
    let document = json!({"processed": true, "selected": [], "total_score": 0});
    assert_eq!(nothing.document("mre"), document);
    assert_eq!(nothing.document("none"), document);
}

fn custom(duration: f64, points: &[(f64, f64, serde_json::Value)]) -> Scenario {
    let scenario = replay(duration, 10.0).set(
        "CustomSignificance",
        json!({"x1": 7, "x2": 3, "x3": 0, "unused": null}),
    );
    points
        .iter()
        .fold(scenario, |scenario, (start, end, attributes)| {
            scenario
                .marked(*start, *end, None)
                .observed("P", *start, attributes.clone())
        })
}

#[test]
fn example_16_custom_priorities() {
    let id = "custom_priorities_engine_correlation_id";
    let scenario = custom(
        30.0,
        &[
            (0.0, 20.0, json!({"A": true, id: "x1"})),
            (30.0, 50.0, json!({"A": true, "B": true, id: "x2"})),
            (60.0, 80.0, json!({"A": true, id: "x3"})),
            (90.0, 110.0, json!({"A": true, id: "zz"})),
        ],
    );
    gives(&scenario, "0:7 30:6", "0:7 30:6");
    // An empty map falls back to the weights.
    gives(
        &scenario.set("CustomSignificance", json!({})),
        "0:90 30:130",
        "0:90 30:130",
    );
}

#[test]
fn example_17_custom_priorities_of_no_weight() {
    let id = "custom_priorities_engine_correlation_id";
    let points = [
        (0.0, 20.0, json!({"A": true, id: "x1"})),
        (60.0, 80.0, json!({"A": true, id: "x3"})),
    ];
    gives(&custom(60.0, &points), "0:- 60:-", "0:- 60:-");
    let scenario = custom(60.0, &points).set("DisregardZeroWeightSegments", json!(true));
    gives(&scenario, "0:-", "0:-");
}

#[test]
fn example_18_two_tracks() {
    let line = |start: f64, end: f64| {
        json!({
            "operator": "seg", "class": "segmenter", "start": start, "end": end,
            "opto": {"1": [start, end], "2": [start, end]}
        })
    };
    let scenario = replay(30.0, 10.0)
        .line(line(0.0, 20.0))
        .line(line(50.0, 70.0))
        .point(0.0, &["A"])
        .point(50.0, &["B"]);
    gives(&scenario, "0:90 0:90", "0:- 50:-");
    // The same, recorded as one line for each track.
    let mut lines = replay(30.0, 10.0).point(0.0, &["A"]).point(50.0, &["B"]);
    for (start, end) in [(0.0, 20.0), (50.0, 70.0)] {
        for track in ["1", "2"] {
            lines = lines.line(json!({
                "operator": "seg", "class": "segmenter", "start": start, "end": end,
                "track": track.parse::<u32>().unwrap(), "opto": {track: [start, end]}
            }));
        }
    }
    gives(&lines, "0:90 0:90", "0:- 50:-");
}

#[test]
fn example_19_optimized_marks_at_0() {
    let scenario = |duration: f64| {
        replay(duration, 1.0)
            .marked(0.0, 20.0, Some([0.0, 18.0]))
            .marked(30.0, 50.0, Some([28.0, 52.0]))
            .point(0.0, &["A"])
            .point(30.0, &["A"])
    };
    gives(&scenario(22.0), "0:90", "0:90");
    // 19 s hold the optimized 18 s, not the original 20 s.
    gives(&scenario(18.0), "!", "0:90");
}

#[test]
fn example_20_one_after_the_other() {
    let mut scenario = replay(30.0, 10.0)
        .set("Catchup", json!(true))
        .segment(0.0, 20.0, &["B"]);
    gives(&scenario, "0:-", "0:-");
    scenario = scenario.stored(&[0.0]).segment(30.0, 50.0, &["A"]);
    gives(&scenario, "0:- 30:-", "0:- 30:-");
    scenario = scenario
        .stored(&[0.0, 30.0])
        .segment(60.0, 80.0, &["A", "B"]);
    gives(&scenario, "30:90 60:130", "30:90 60:130");
    scenario = scenario.stored(&[30.0, 60.0]).segment(90.0, 110.0, &["B"]);
    gives(&scenario, "!30:90 60:130", "!30:90 60:130");
    scenario = scenario.segment(120.0, 140.0, &[]);
    gives(&scenario, "!30:90 60:130", "!30:90 60:130");
}

#[test]
fn example_21_the_last_one_is_disliked() {
    let scenario = replay(60.0, 30.0)
        .segment(0.0, 20.0, &["A"])
        .dislikes(0.0)
        .set("IgnoreDislikedSegments", json!(true))
        .stored(&[0.0]);
    gives(&scenario, "!", "");
    let document = json!({"processed": true, "selected": [], "total_score": 0});
    assert_eq!(scenario.document("none"), document);
    gives(&scenario.stored(&[]), "!", "!");
}

#[test]
fn example_22_the_mark_out_moved() {
    let before = replay(60.0, 30.0)
        .segment(0.0, 20.0, &["A"])
        .selection("none");
    let previous: Vec<Previous> = before.selected.iter().map(Previous::from).collect();
    let now = replay(60.0, 30.0).segment(0.0, 25.0, &["A"]);
    // Where only starts are known nothing can be noticed.
    gives(&now.clone().stored(&[0.0]), "!0:-", "!0:-");
    let selected = now.selection("none").selected;
    let mode = matchcut_model::replay::Mode::Duration;
    assert!(matchcut_model::replay::is_news(&selected, &previous, mode));
    assert!(!matchcut_model::replay::is_news(
        &before.selected,
        &previous,
        mode
    ));
    assert_eq!(selected[0].range.end, MediaTime::from_seconds(25));
}

#[test]
fn timestamps_mode_plays_the_given_times() {
    let mut request = lasting(30.0, 10.0, &[]);
    request["SpecifiedTimestamps"] = json!("40, 45.5\n10,20");
    request["Priorities"]["Clips"] = json!([
        {"Name": "1", "StartTime": 40, "EndTime": 45.5}, {"Name": "2", "StartTime": 10, "EndTime": 20}
    ]);
    let scenario = Scenario::new(request).segment(0.0, 20.0, &["A"]);
    gives(&scenario, "", "40:- 10:-");
    // Without clips the text itself is read.
    let mut text = scenario;
    text.request.as_object_mut().unwrap().remove("Priorities");
    gives(&text, "", "40:- 10:-");
    gives(&text.clone().stored(&[40.0, 10.0]), "", "!40:- 10:-");
    gives(&text.stored(&[10.0, 40.0]), "", "40:- 10:-");
}

#[test]
fn labels_and_values_count_as_meant() {
    let mut request = lasting(60.0, 0.0, &[]);
    request["Priorities"]["Clips"] = json!([
        {"Name": "view | view | far", "Weight": 20},
        {"Name": "label | winner | true", "Weight": 70},
        {"Name": "seg | long | true", "Weight": 5}
    ]);
    let scenario = Scenario::new(request)
        .observed("view", 5.0, json!({"view": "far"}))
        .observed("view", 35.0, json!({"view": "near"}))
        .line(
            json!({"operator": "seg", "class": "segmenter", "start": 0, "end": 30,
            "attributes": {"long": true}}),
        )
        .line(json!({"operator": "seg", "class": "segmenter", "start": 30, "end": 60}))
        .line(json!({"operator": "seg", "class": "segmenter", "start": 60, "end": 90}))
        .line(
            json!({"operator": "label", "class": "labeler", "start": 60, "end": 90,
            "attributes": {"winner": true}}),
        );
    // MRE sees only what the segmenter says: at 30 not, as nothing of it stands there.
    gives(&scenario, "0:-", "0:- 60:-");
    let mut short = scenario;
    short.request["DurationbasedSummarization"]["Duration"] = json!(30);
    gives(&short, "0:-", "60:70");
    let features: Vec<String> = short
        .selection("none")
        .left_out
        .iter()
        .map(|e| format!("{}: {}", e.start, e.reason))
        .collect();
    assert_eq!(
        features,
        [
            "0.000: does not fit: needs 30.000 s, 0.000 s left",
            "30.000: no wanted feature"
        ]
    );
}

#[test]
fn a_point_on_a_shared_border_is_of_the_later_segment() {
    let scenario = replay(60.0, 0.0)
        .segment(0.0, 20.0, &[])
        .segment(20.0, 40.0, &["A"]);
    gives(&scenario, "0:- 20:-", "20:-");
}

#[test]
fn a_range_counts_where_it_overlaps() {
    let scenario = replay(60.0, 0.0)
        .marked(0.0, 20.0, None)
        .marked(20.0, 40.0, None)
        .line(
            json!({"operator": "P", "class": "featurer", "start": 15, "end": 25,
            "attributes": {"A": true}}),
        );
    gives(&scenario, "0:-", "0:- 20:-");
}

#[test]
fn observations_of_another_track_do_not_count() {
    let scenario = replay(60.0, 0.0).marked(0.0, 20.0, None).line(json!({
        "operator": "P", "class": "featurer", "start": 5, "track": 2, "attributes": {"A": true}
    }));
    gives(&scenario, "!", "!");
    let second = scenario.set("AudioTrack", json!(2));
    // Without optimized marks MRE caches the sound of track 1 only.
    gives(&second, "!", "0:-");
}

#[test]
fn an_open_segment_waits() {
    let scenario = replay(60.0, 0.0)
        .point(5.0, &["A"])
        .line(json!({"operator": "seg", "class": "segmenter", "start": 0, "end": null}));
    gives(&scenario, "!", "!");
    assert_eq!(
        scenario.selection("none").left_out[0].reason.to_string(),
        "still open"
    );
    // A later line of the same segment completes it.
    let complete =
        scenario.line(json!({"operator": "seg", "class": "segmenter", "start": 0, "end": 20}));
    gives(&complete, "0:-", "0:-");
}
