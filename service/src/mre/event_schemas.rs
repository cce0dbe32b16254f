//! What bodies about events must be like.

use serde_json::{Map, Value, json};

use super::schemas::{closed, line, lines};

/// The states of an event.
pub const STATES: [&str; 3] = ["Queued", "In Progress", "Complete"];

/// Context variables: names, and values of these types.
pub fn variables(types: &[&str]) -> Value {
    json!({
        "type": "object",
        "propertyNames": { "pattern": "^[A-Za-z][A-Za-z0-9_]{0,29}$" },
        "minProperties": 1,
        "additionalProperties": { "type": types },
    })
}

/// What can be changed later.
fn changeable() -> Vec<(&'static str, Value)> {
    let some = || json!({ "type": "object", "minProperties": 1 });
    let flag = || json!({ "type": "boolean" });
    let minutes = |min: u32| json!({ "type": "integer", "minimum": min, "maximum": 1440 });
    vec![
        ("Description", lines(3, 100)),
        ("ProgramId", lines(3, 50)),
        ("SourceVideoUrl", lines(3, 2000)),
        ("SourceVideoAuth", some()),
        ("SourceVideoMetadata", some()),
        (
            "SourceVideoBucket",
            json!({ "type": "string", "pattern": "^([a-z]+)([a-z0-9-]*)$" }),
        ),
        ("BootstrapTimeInMinutes", minutes(0)),
        ("Profile", line(3, 150)),
        ("ContentGroup", line(3, 50)),
        ("Start", json!({ "type": "string" })),
        ("DurationMinutes", minutes(1)),
        ("Archive", flag()),
        ("GenerateOrigClips", flag()),
        ("GenerateOptoClips", flag()),
        ("GenerateOrigThumbNails", flag()),
        ("GenerateOptoThumbNails", flag()),
        (
            "TimecodeSource",
            json!({ "type": "string", "enum": ["ZERO_BASED", "UTC_BASED", "NOT_EMBEDDED"] }),
        ),
        ("StopMediaLiveChannel", flag()),
        ("Variables", variables(&["string"])),
    ]
}

fn properties(parts: Vec<(&'static str, Value)>) -> Value {
    let own = |(key, value): (&str, Value)| (key.to_owned(), value);
    Value::Object(parts.into_iter().map(own).collect::<Map<_, _>>())
}

/// An event that is created. It may hold anything else beside this.
pub fn event() -> Value {
    let mut parts = vec![
        ("Name", line(3, 150)),
        ("Program", line(3, 150)),
        ("Channel", line(3, 50)),
    ];
    parts.extend(changeable());
    json!({
        "type": "object",
        "properties": properties(parts),
        "oneOf": [
            { "required": ["Channel"] },
            { "required": ["SourceVideoUrl"] },
            { "required": ["SourceVideoBucket"] },
        ],
        "required": [
            "Name",
            "Program",
            "Profile",
            "ContentGroup",
            "Start",
            "DurationMinutes",
            "Archive",
        ],
    })
}

/// What of an event is changed.
pub fn update() -> Value {
    closed(properties(changeable()), &[])
}

/// Which audio tracks an event has.
pub fn audio_tracks() -> Value {
    let tracks = json!({ "type": "array", "items": { "type": ["string", "number"] } });
    closed(
        json!({ "Name": line(3, 150), "Program": line(3, 150), "AudioTracks": tracks }),
        &["Name", "Program", "AudioTracks"],
    )
}
