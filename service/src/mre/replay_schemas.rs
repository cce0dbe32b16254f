//! What requests for replays, and engines of custom priorities, must be like.

use serde_json::{Value, json};

use super::schemas::{closed, line, lines};

fn number(min: u32, max: u32) -> Value {
    json!({ "type": "number", "minimum": min, "maximum": max })
}

fn flag() -> Value {
    json!({ "type": "boolean" })
}

/// A request for a replay.
pub fn replay() -> Value {
    let timestamps = r"^\d+(\.\d+)?,\d+(\.\d+)?(\r?\n\d+(\.\d+)?,\d+(\.\d+)?)*\n?$";
    let clip = json!({
        "type": "object",
        "properties": {
            "Name": line(1, 150),
            "Weight": number(1, 100),
            "Include": flag(),
            "AttribName": line(1, 100),
            "AttribValue": flag(),
            "PluginName": line(1, 150),
            "StartTime": number(0, 10_000),
            "EndTime": number(0, 10_000),
            "Duration": line(1, 50),
        },
        "required": ["Name"],
    });
    let engine = json!({
        "type": "object",
        "properties": {
            "CustomPrioritiesEngineName": line(1, 150),
            "CustomPrioritiesEngineEndpointPathVariables": { "type": "object" },
        },
    });
    let ads = closed(
        json!({
            "ScheduleInMins": { "type": "number" },
            "ScheduleDimensionInMins": { "type": "number" },
        }),
        &["ScheduleInMins", "ScheduleDimensionInMins"],
    );
    closed(
        json!({
            "Program": line(3, 150),
            "Event": line(3, 150),
            "AudioTrack": number(1, 20),
            "Description": lines(1, 500),
            "UxLabel": line(3, 150),
            "Requester": line(3, 50),
            "DurationbasedSummarization": closed(
                json!({
                    "Duration": number(1, 10_000),
                    "FillToExact": flag(),
                    "EqualDistribution": flag(),
                    "ToleranceMaxLimitInSecs": number(1, 10_000),
                }),
                &["Duration"],
            ),
            "SpecifiedTimestamps": {
                "type": "string",
                "minLength": 1,
                "maxLength": 500,
                "pattern": timestamps,
            },
            "Priorities": closed(
                json!({
                    "Clips": { "type": "array", "items": clip, "minItems": 1 },
                    "CustomPrioritiesEngine": engine,
                }),
                &["Clips"],
            ),
            "ClipfeaturebasedSummarization": flag(),
            "Catchup": flag(),
            "Resolutions": { "type": "array" },
            "CreateHls": flag(),
            "CreateMp4": flag(),
            "TransitionName": line(3, 50),
            "TransitionOverride": closed(
                json!({ "FadeInMs": number(1, 100_000), "FadeOutMs": number(1, 100_000) }),
                &[],
            ),
            "IgnoreDislikedSegments": flag(),
            "IncludeLikedSegments": flag(),
            "DisregardZeroWeightSegments": flag(),
            "IgnoredSegments": { "type": "array" },
            "MediaTailorChannel": {
                "type": "object",
                "properties": {
                    "ChannelName": { "type": "string" },
                    "AdInsertionConfig": { "type": "string" },
                    "PositionAtBeginning": flag(),
                    "AdSetting": ads,
                },
                "required": ["ChannelName", "AdInsertionConfig", "PositionAtBeginning", "AdSetting"],
            },
        }),
        &[
            "Program",
            "Event",
            "AudioTrack",
            "Description",
            "UxLabel",
            "Requester",
        ],
    )
}

fn engine(with_name: bool) -> Value {
    let mut properties = json!({
        "Description": lines(3, 250),
        "EndpointSsmParam": line(3, 150),
        "SecretsManagerApiKeyArn": line(3, 150),
    });
    if let (true, Value::Object(properties)) = (with_name, &mut properties) {
        properties.shift_insert(0, "Name".to_owned(), line(3, 150));
    }
    properties
}

/// An engine of custom priorities.
pub fn priorities() -> Value {
    let required = ["Name", "EndpointSsmParam", "SecretsManagerApiKeyArn"];
    closed(engine(true), &required)
}

/// What of an engine of custom priorities is changed.
pub fn priorities_update() -> Value {
    closed(engine(false), &[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validation::Schema;

    #[test]
    fn a_request_is_as_mre_takes_it() {
        let schema = Schema::new(replay()).unwrap();
        let good = json!({
            "Program": "Tennis", "Event": "Final", "AudioTrack": 1, "Description": "d",
            "UxLabel": "Best of", "Requester": "Editor",
            "DurationbasedSummarization": { "Duration": 300, "EqualDistribution": false },
            "Priorities": { "Clips": [{ "Name": "Detect | Ace | true", "Weight": 90, "extra": 1 }] },
        });
        let told = |key: &str, value: Value| {
            let mut body = good.clone();
            body[key] = value;
            schema.check(&body).map_err(|error| error.message)
        };
        assert_eq!(
            told("SpecifiedTimestamps", json!("1.5,3\n10,12.25")),
            Ok(())
        );
        let refused = |message: &str| Err(message.to_owned());
        let wrong = told("SpecifiedTimestamps", json!("3"));
        assert!(wrong.unwrap_err().starts_with("'3' does not match "));
        assert_eq!(
            told("AudioTrack", json!("1")),
            refused("'1' is not of type 'number'")
        );
        assert_eq!(
            told("AudioTrack", json!(21)),
            refused("21 is greater than the maximum of 20")
        );
        assert_eq!(
            told("Priorities", json!({})),
            refused("'Clips' is a required property")
        );
        assert_eq!(
            told("Weights", json!(1)),
            refused("Additional properties are not allowed ('Weights' was unexpected)")
        );
        let no_name = json!({ "EndpointSsmParam": "abc", "SecretsManagerApiKeyArn": "abc" });
        let schema = Schema::new(priorities()).unwrap();
        let told = schema.check(&no_name).map_err(|error| error.message);
        assert_eq!(told, refused("'Name' is a required property"));
    }
}
