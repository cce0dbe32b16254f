//! From a request for a replay to the replay of a spec: lengths, features with their weights, and which feedback counts.

use matchcut_model::replay::{Mode, Priority, ReplayRequest};
use serde_json::{Value, json};

use super::to_spec::operator_name;
use crate::store::Row;

/// The replay, of the segments that `input` leaves; else what is wrong with the request. `significance` is what an
/// engine of custom priorities says that single observations are worth, where there is one; then all features count
/// that the request names.
pub fn replay(request: &Row, input: &str, significance: &Row) -> Result<Value, String> {
    let text = Value::Object(request.clone()).to_string();
    // Rows hold more than requests do; what is unknown was let in when it was asked for.
    let (asked, _) = ReplayRequest::from_json(&text).map_err(|error| error.to_string())?;
    let mut made = json!({
        "description": request.get("Description").cloned().unwrap_or_default(),
        "inputs": [input],
        "mode": asked.mode,
        "track": asked.track,
        "catchup": asked.catchup,
        "include_liked": asked.include_liked,
        "ignore_disliked": asked.ignore_disliked,
        "disregard_zero_weight": asked.disregard_zero_weight,
        "compat": asked.compat,
    });
    if asked.mode == Mode::Duration {
        made["duration"] = json!(asked.duration.as_seconds_f64());
        made["tolerance"] = json!(asked.tolerance.as_seconds_f64());
        made["equal_distribution"] = json!(asked.equal_distribution);
    }
    if asked.mode == Mode::Timestamps {
        let stretch = |range: &matchcut_model::time::TimeRange| {
            json!([range.start.as_seconds_f64(), range.end.as_seconds_f64()])
        };
        made["timestamps"] = asked.timestamps.iter().map(stretch).collect();
        return Ok(made);
    }
    let (mut weights, mut include) = (Row::new(), Vec::new());
    for priority in &asked.priorities {
        let feature = feature(priority)?;
        match priority.weight {
            Some(weight) => drop(weights.insert(feature, json!(weight.as_f64()))),
            None if priority.include == Some(true) => include.push(feature),
            // What is not weighed is found as well: the engine says what it is worth.
            None if !significance.is_empty() => drop(weights.insert(feature, json!(0))),
            None => {}
        }
    }
    if asked.mode == Mode::Features {
        // What is weighed is wanted there as well.
        include.extend(weights.keys().cloned());
        made["include"] = json!(include);
    } else {
        made["weights"] = Value::Object(weights);
    }
    if !significance.is_empty() {
        made["significance"] = Value::Object(significance.clone());
    }
    Ok(made)
}

/// A feature as a spec writes it.
fn feature(priority: &Priority) -> Result<String, String> {
    let mut key = priority.key.clone();
    match &key.operator {
        Some(plugin) => {
            key.operator = Some(operator_name(plugin).as_str().into());
            Ok(key.to_string())
        }
        None => Err(format!("\"{}\" names no plugin", priority.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: Value) -> Row {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_request_is_a_replay_of_a_spec() {
        let request = row(json!({
            "Description": "The best",
            "AudioTrack": 2,
            "DurationbasedSummarization": { "Duration": 60, "ToleranceMaxLimitInSecs": 10, "EqualDistribution": true },
            "Priorities": { "Clips": [
                { "Name": "Scene Change | hard_cut | true", "Weight": 40 },
                { "Name": "View | view | far", "Weight": 7.5 },
            ] },
            "Catchup": true,
            "IncludeLikedSegments": true,
        }));
        assert_eq!(
            replay(&request, "Trim", &Row::new()).unwrap(),
            json!({
                "description": "The best",
                "inputs": ["Trim"],
                "mode": "duration",
                "track": 2,
                "catchup": true,
                "include_liked": true,
                "ignore_disliked": false,
                "disregard_zero_weight": false,
                "compat": "none",
                "duration": 60.0,
                "tolerance": 10.0,
                "equal_distribution": true,
                "weights": { "Scene_Change.hard_cut": 40.0, "View.view=far": 7.5 },
            })
        );
        let times = row(json!({ "SpecifiedTimestamps": "1,2.5\n10,20" }));
        let made = replay(&times, "Trim", &Row::new()).unwrap();
        assert_eq!(made["timestamps"], json!([[1.0, 2.5], [10.0, 20.0]]));
        let features = row(json!({
            "ClipfeaturebasedSummarization": true,
            "Priorities": { "Clips": [{ "Name": "Cuts | hard_cut", "Include": true }] },
        }));
        assert_eq!(
            replay(&features, "Trim", &Row::new()).unwrap()["include"],
            json!(["Cuts.hard_cut"])
        );
        let nameless = row(json!({
            "DurationbasedSummarization": { "Duration": 60 },
            "Priorities": { "Clips": [{ "Name": "hard_cut", "Weight": 1 }] },
        }));
        let wrong = replay(&nameless, "Trim", &Row::new()).unwrap_err();
        assert_eq!(wrong, "\"hard_cut\" names no plugin");
    }

    #[test]
    fn what_an_engine_says_stands_beside_the_features_that_it_weighs() {
        let worth = row(json!({ "x1": 7.0 }));
        let request = row(json!({
            "DurationbasedSummarization": { "Duration": 60 },
            "Priorities": { "Clips": [
                { "Name": "Play | ace | true", "Weight": 40 },
                { "Name": "Play | fault | true" },
            ] },
        }));
        let made = replay(&request, "Trim", &worth).unwrap();
        assert_eq!(
            made["weights"],
            json!({ "Play.ace": 40.0, "Play.fault": 0 })
        );
        assert_eq!(made["significance"], json!({ "x1": 7.0 }));
        let plain = replay(&request, "Trim", &Row::new()).unwrap();
        assert_eq!(plain["weights"], json!({ "Play.ace": 40.0 }));
        assert_eq!(plain.get("significance"), None);
    }
}
