//! Reading the body of a replay request: defaults, every field, and what is said of a wrong one.

// A helper that fails fails its test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use matchcut_model::chunk::TrackNumber;
use matchcut_model::replay::{Compat, FeatureKey, Mode, ReplayRequest, Score, UnknownField};
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::value::Value;
use proptest::prelude::*;
use serde_json::json;

fn read(body: &serde_json::Value) -> ReplayRequest {
    let (request, unknown) = ReplayRequest::from_json(&body.to_string()).unwrap();
    assert_eq!(unknown, []);
    request
}

fn error(text: &str) -> String {
    ReplayRequest::from_json(text).unwrap_err().to_string()
}

#[test]
fn what_is_absent_has_a_default() {
    let request = read(&json!({"DurationbasedSummarization": {"Duration": 60}}));
    let defaults = ReplayRequest {
        duration: MediaTime::from_seconds(60),
        ..Default::default()
    };
    assert_eq!(request, defaults);
    assert_eq!(request.tolerance, MediaTime::from_seconds(30));
    assert_eq!(request.limit(), MediaTime::from_seconds(90));
    assert_eq!(request.track, TrackNumber(1));
    let none = read(&json!({
        "DurationbasedSummarization": {"Duration": 60, "ToleranceMaxLimitInSecs": 0}
    }));
    assert_eq!(none.limit(), MediaTime::from_seconds(60));
    let null = read(&json!({
        "DurationbasedSummarization": {"Duration": 60.5, "ToleranceMaxLimitInSecs": null},
        "AudioTrack": null, "Catchup": null, "Priorities": null, "CustomSignificance": null,
        "SpecifiedTimestamps": null, "ClipfeaturebasedSummarization": false
    }));
    assert_eq!(null.limit(), MediaTime::from_millis(90_500));
}

#[test]
fn a_whole_body() {
    let request = read(&json!({
        "Program": "Cup", "Event": "Final", "AudioTrack": 2.0, "Description": "d", "UxLabel": "l",
        "Requester": "r", "Catchup": true, "CreateHls": false, "CreateMp4": true,
        "Resolutions": ["720p (1280 x 720)"], "TransitionName": "None",
        "TransitionOverride": {"FadeInMs": 500}, "IgnoreDislikedSegments": true,
        "IncludeLikedSegments": true, "DisregardZeroWeightSegments": true,
        "IgnoredSegments": [], "compat": "mre",
        "DurationbasedSummarization": {
            "Duration": 60, "FillToExact": true, "EqualDistribution": true,
            "ToleranceMaxLimitInSecs": 10
        },
        "Priorities": {
            "Clips": [
                {"Name": "Goals | goal | true", "Weight": 90.5, "AttribName": "goal",
                 "PluginName": "Goals", "AttribValue": true, "Duration": "3"},
                {"Name": "View | view | far", "Include": true},
                {"Name": "x", "AttribName": "y", "PluginName": "z", "AttribValue": 3}
            ],
            "CustomPrioritiesEngine": {"CustomPrioritiesEngineName": "e"}
        },
        "CustomSignificance": {"a": 1.5, "b": null}
    }));
    assert_eq!(request.mode, Mode::Duration);
    assert_eq!(request.track, TrackNumber(2));
    assert!(request.equal_distribution && request.catchup && request.include_liked);
    assert!(request.ignore_disliked && request.disregard_zero_weight);
    assert_eq!(request.compat, Compat::Mre);
    assert_eq!(
        request.significance,
        [("a".to_owned(), Score::from_micros(1_500_000))].into()
    );
    let [goal, view, other] = request.priorities.as_slice() else {
        panic!()
    };
    assert_eq!(goal.key, FeatureKey::new("Goals", "goal", true));
    assert_eq!(goal.weight, Score::from_f64(90.5));
    assert_eq!(goal.name, "Goals | goal | true");
    assert_eq!(view.key, FeatureKey::new("View", "view", "far"));
    assert_eq!((view.weight, view.include), (None, Some(true)));
    assert_eq!(other.key, FeatureKey::new("z", "y", 3));
}

#[test]
fn the_parts_of_a_name() {
    let key = |clip: serde_json::Value| {
        let body = json!({
            "ClipfeaturebasedSummarization": true, "Priorities": {"Clips": [clip]}
        });
        let request = read(&body);
        assert_eq!(request.mode, Mode::Features);
        request.priorities[0].key.clone()
    };
    assert_eq!(
        key(json!({"Name": "P|A|false"})),
        FeatureKey::new("P", "A", false)
    );
    assert_eq!(
        key(json!({"Name": "P | A"})),
        FeatureKey::new("P", "A", true)
    );
    let any = FeatureKey {
        operator: None,
        attribute: "A".into(),
        value: Value::from(true),
    };
    assert_eq!(key(json!({"Name": "A"})), any);
    assert_eq!(key(json!({"AttribName": "A"})), any);
    // The name says the value where the boolean field cannot.
    let clip = json!({"Name": "P | A | far", "AttribValue": true});
    assert_eq!(key(clip), FeatureKey::new("P", "A", "far"));
    let clip = json!({"Name": "P | A", "AttribValue": false});
    assert_eq!(key(clip), FeatureKey::new("P", "A", false));
}

#[test]
fn times_come_from_clips_or_from_the_text() {
    let range =
        |start, end| TimeRange::new(MediaTime::from_millis(start), MediaTime::from_millis(end));
    let text = read(&json!({"SpecifiedTimestamps": "1,2.5\n\n 10.25 , 12\n"}));
    assert_eq!(text.mode, Mode::Timestamps);
    assert_eq!(text.timestamps, [range(1000, 2500), range(10_250, 12_000)]);
    let clips = read(&json!({
        "SpecifiedTimestamps": "1,2",
        "Priorities": {"Clips": [{"Name": "a", "StartTime": 3, "EndTime": 4}, {"Name": "b"}]}
    }));
    assert_eq!(clips.timestamps, [range(3000, 4000)]);
    assert_eq!(clips.priorities, []);
}

#[test]
fn wrong_fields_are_named() {
    let duration = |more: &str| {
        error(&format!(
            "{{\"DurationbasedSummarization\": {{\"Duration\": 60}}, {more}}}"
        ))
    };
    assert_eq!(
        error("{}"),
        "DurationbasedSummarization: is missing; a request needs it, or \
         ClipfeaturebasedSummarization, or SpecifiedTimestamps"
    );
    assert_eq!(
        error("{\"DurationbasedSummarization\": {}}"),
        "DurationbasedSummarization.Duration: is missing"
    );
    assert_eq!(
        error("{\"DurationbasedSummarization\": {\"Duration\": -1}}"),
        "DurationbasedSummarization.Duration: is negative"
    );
    assert_eq!(
        duration("\"AudioTrack\": \"1\""),
        "AudioTrack: is a string, expected a number"
    );
    assert_eq!(
        duration("\"AudioTrack\": 1.5"),
        "AudioTrack: 1.5 is not a track; tracks count 1, 2, …"
    );
    assert_eq!(
        duration("\"Catchup\": 1"),
        "Catchup: is a number, expected true or false"
    );
    assert_eq!(
        duration("\"compat\": \"aws\""),
        "compat: \"aws\" is not known; it is \"mre\" or \"none\""
    );
    assert_eq!(
        duration("\"Priorities\": {\"Clips\": [{\"Name\": \"a|b|true\"}, 7]}"),
        "Priorities.Clips[1]: is a number, expected an object"
    );
    assert_eq!(
        duration("\"Priorities\": {\"Clips\": [{\"Name\": \"a|b|true\", \"Weight\": \"9\"}]}"),
        "Priorities.Clips[0].Weight: is a string, expected a number"
    );
    assert_eq!(
        duration("\"Priorities\": {\"Clips\": [{\"Weight\": 9}]}"),
        "Priorities.Clips[0].AttribName: is missing, and Name does not say the attribute"
    );
    assert_eq!(
        duration("\"CustomSignificance\": {\"x\": []}"),
        "CustomSignificance.x: is a list, expected a number"
    );
    assert_eq!(
        error("{\"SpecifiedTimestamps\": \"1,2\\n3\"}"),
        "SpecifiedTimestamps: \"3\" is not START,END in seconds"
    );
    assert_eq!(
        error("[]"),
        "a replay request is an object, as in the body of POST /replay"
    );
    assert_eq!(error("{\n\"a\" 1}"), "2:5: expected `:`");
}

#[test]
fn fields_that_mean_nothing_are_told() {
    let (_, unknown) = ReplayRequest::from_json(
        "{\"DurationbasedSummarization\": {\"Duration\": 60}, \"EqualDistributon\": true}",
    )
    .unwrap();
    assert_eq!(unknown, [UnknownField("EqualDistributon".to_owned())]);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,60}") {
        let _ = ReplayRequest::from_json(&text);
    }
}
