//! The recorded cases of MRE's selection, each written as the files a user would have.

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
    let mut request =
        lasting(number(&case["duration"]), number(&case["tolerance"]).max(0.0), &[]);
    let clips = case["priorities"].as_array().unwrap().iter().map(|priority| {
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
        let opto = segment.get("opto").map(|marks| [number(&marks[0]), number(&marks[1])]);
        let attributes: Vec<&str> =
            segment["attrs"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        scenario = scenario.marked(start, number(&segment["end"]), opto).point(start, &attributes);
    }
    for row in case["feedback"].as_array().unwrap() {
        for (side, field) in [("original", "OriginalFeedback"), ("optimized", "OptimizedFeedback")] {
            if let Some(feedback) = row[field]["Feedback"].as_str() {
                scenario = scenario.says(number(&row["Start"]), side, feedback);
            }
        }
    }
    let starts: Vec<f64> = case["previous_starts"].as_array().unwrap().iter().map(number).collect();
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
    let total = if mre["total_score"].is_null() { json!(0) } else { mre["total_score"].clone() };
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
            (found != wanted).then(|| format!("{}\n  found {found}\n  wanted {wanted}", case["name"]))
        })
        .collect();
    assert_eq!(wrong, Vec::<String>::new(), "{}", wrong.join("\n"));
}

#[test]
fn intent_survey() {
    for case in cases() {
        let (found, wanted) = (scenario(&case).document("none"), expected(&case));
        if found != wanted {
            let opto = case["segments"].as_array().unwrap().iter().any(|s| s.get("opto").is_some());
            println!("{} mode {} equal {} opto {opto} disregard {} \n found {found}\n wanted {wanted}", case["name"], case["mode"], case["equal"], case["disregard_zero"]);
        }
    }
}
