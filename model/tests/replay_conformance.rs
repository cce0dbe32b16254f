//! The recorded cases of MRE's selection, each written as the files a user would have.

// A helper that fails fails its test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::{Value, json};
use support::{Scenario, lasting};

fn cases() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("data/replay-selection.json")).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn scenario(case: &Value) -> Scenario {
    let flag = |name: &str| case[name].as_bool().unwrap();
    let number = |value: &Value| value.as_f64().unwrap();
    let mut request = lasting(
        number(&case["duration"]),
        number(&case["tolerance"]).max(0.0),
        &[],
    );
    let clips = case["priorities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|priority| {
            let attribute = priority["attr"].as_str().unwrap();
            let mut clip = json!({
                "Name": format!("P | {attribute} | true"), "PluginName": "P",
                "AttribName": attribute, "AttribValue": true
            });
            if let Some(weight) = priority.get("weight") {
                clip["Weight"] = weight.clone();
            }
            if let Some(include) = priority.get("include") {
                clip["Include"] = include.clone();
            }
            clip
        });
    request["Priorities"]["Clips"] = clips.collect();
    request["ClipfeaturebasedSummarization"] = json!(case["mode"] == "clips");
    request["IncludeLikedSegments"] = json!(flag("include_liked"));
    request["IgnoreDislikedSegments"] = json!(flag("ignore_disliked"));
    request["DisregardZeroWeightSegments"] = json!(flag("disregard_zero"));
    request["CustomSignificance"] = case["custom_significance"].clone();
    let mut scenario = Scenario::new(request);
    if flag("equal") {
        scenario = scenario.equal();
    }
    for segment in case["segments"].as_array().unwrap() {
        let start = number(&segment["start"]);
        let opto = segment
            .get("opto")
            .map(|marks| [number(&marks[0]), number(&marks[1])]);
        let attributes: Vec<&str> = segment["attrs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        let at = segment.get("point").map_or(start, number);
        scenario = scenario
            .marked(start, number(&segment["end"]), opto)
            .point(at, &attributes);
    }
    for row in case["feedback"].as_array().unwrap() {
        for (side, field) in [
            ("original", "OriginalFeedback"),
            ("optimized", "OptimizedFeedback"),
        ] {
            if let Some(feedback) = row[field]["Feedback"].as_str() {
                scenario = scenario.says(number(&row["Start"]), side, feedback);
            }
        }
    }
    let starts: Vec<f64> = case["previous_starts"]
        .as_array()
        .unwrap()
        .iter()
        .map(number)
        .collect();
    scenario.stored(&starts)
}

/// What MRE stored, as a document; where it stored nothing the list is empty and the total 0.
fn expected(case: &Value) -> Value {
    let mre = &case["mre"];
    let entries = mre["selected"].as_array().cloned().unwrap_or_default();
    let entries: Vec<Value> = entries
        .iter()
        .map(|entry| {
            json!({
                "start": entry["start"].as_f64().unwrap(), "end": entry["end"].as_f64().unwrap(),
                "score": entry["score"]
            })
        })
        .collect();
    let total = if mre["total_score"].is_null() {
        json!(0)
    } else {
        mre["total_score"].clone()
    };
    json!({"processed": mre["processed"], "selected": entries, "total_score": total})
}

#[test]
fn compat_chooses_what_mre_chose_in_all_cases() {
    let cases = cases();
    assert_eq!(cases.len(), 100);
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let (found, wanted) = (scenario(case).document("mre"), expected(case));
            (found != wanted)
                .then(|| format!("{}\n  found {found}\n  wanted {wanted}", case["name"]))
        })
        .collect();
    assert_eq!(wrong, Vec::<String>::new(), "{}", wrong.join("\n"));
}

/// Where the first pass of equal distribution takes nothing, MRE gives up; the next passes go on.
const FIRST_PASS_TAKES_NOTHING: [(&str, &str); 3] = [
    (
        "fuzz-95",
        "31.792:1000000030.792 42.224:84 88.93:15 184.855:122",
    ),
    ("fuzz-125", "32.582:99"),
    ("fuzz-344", "895.472:73"),
];

#[test]
fn intent_agrees_with_mre_but_for_the_first_pass() {
    let mut compared = 0;
    for case in cases() {
        let name = case["name"].as_str().unwrap();
        // A point at the original mark-in lies before the optimized one, so that with optimized
        // marks it is outside; moved to the mark that holds, it is inside for both.
        let scenario = scenario(&at_effective_start(&case));
        let intended = FIRST_PASS_TAKES_NOTHING
            .iter()
            .find(|(known, _)| *known == name);
        match intended {
            Some((_, intended)) => assert_eq!(scenario.brief("none"), *intended, "{name}"),
            None => {
                assert_eq!(scenario.document("none"), expected(&case), "{name}");
                compared += 1;
            }
        }
        assert_eq!(
            scenario.document("mre"),
            expected(&case),
            "{name} in compat"
        );
    }
    assert_eq!(compared, 97);
}

/// The case with its points where the optimized marks begin.
fn at_effective_start(case: &Value) -> Value {
    let mut case = case.clone();
    for segment in case["segments"].as_array_mut().unwrap() {
        if let Some(start) = segment.get("opto").map(|marks| marks[0].clone()) {
            segment["point"] = start;
        }
    }
    case
}

#[test]
fn a_feature_before_the_optimized_mark_in_is_outside() {
    let mut optimized = 0;
    for case in cases() {
        if case["segments"]
            .as_array()
            .unwrap()
            .iter()
            .all(|segment| segment.get("opto").is_none())
        {
            continue;
        }
        optimized += 1;
        let selection = scenario(&case).selection("none");
        for entry in &selection.selected {
            let has_feature = !entry.features.is_empty();
            let moved = entry.effective != entry.range;
            assert!(!(has_feature && moved), "{}: {entry:?}", case["name"]);
        }
    }
    assert_eq!(optimized, 28);
}
