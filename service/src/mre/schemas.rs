//! What bodies must be like: the limits that MRE sets, as JSON Schema. The order of keywords is the order in
//! which errors are told.

use serde_json::{Value, json};

use super::data_schemas::DataSchemas;
use super::{event_schemas, replay_schemas};
use crate::validation::Schema;

/// The classes of plugins.
pub const CLASSES: [&str; 4] = ["Classifier", "Optimizer", "Featurer", "Labeler"];

/// A schema for each kind of body.
pub struct Schemas {
    /// Of a model that is registered.
    pub model: Schema,
    /// Of a plugin that is registered.
    pub plugin: Schema,
    /// Of a prompt that is created.
    pub prompt: Schema,
    /// Of a profile that is created.
    pub profile: Schema,
    /// Of a profile that is changed.
    pub profile_update: Schema,
    /// Of what switches something on or off.
    pub status: Schema,
    /// Of a parameter of the system.
    pub configuration: Schema,
    /// Of an event that is created.
    pub event: Schema,
    /// Of an event that is changed.
    pub event_update: Schema,
    /// Of context variables that are set.
    pub variables: Schema,
    /// Of the audio tracks of an event.
    pub audio_tracks: Schema,
    /// Of a request for a replay.
    pub replay: Schema,
    /// Of an engine of custom priorities that is registered.
    pub priorities: Schema,
    /// Of one that is changed.
    pub priorities_update: Schema,
    /// Of the data plane.
    pub data: DataSchemas,
}

impl Schemas {
    /// Makes all of them.
    pub fn new() -> Result<Schemas, String> {
        Ok(Schemas {
            model: Schema::new(model())?,
            plugin: Schema::new(plugin())?,
            prompt: Schema::new(prompt())?,
            profile: Schema::new(profile())?,
            profile_update: Schema::new(profile_update())?,
            status: Schema::new(status())?,
            configuration: Schema::new(configuration())?,
            event: Schema::new(event_schemas::event())?,
            event_update: Schema::new(event_schemas::update())?,
            variables: Schema::new(variables())?,
            audio_tracks: Schema::new(event_schemas::audio_tracks())?,
            replay: Schema::new(replay_schemas::replay())?,
            priorities: Schema::new(replay_schemas::priorities())?,
            priorities_update: Schema::new(replay_schemas::priorities_update())?,
            data: DataSchemas::new()?,
        })
    }
}

/// An object that holds nothing else.
pub fn closed(properties: Value, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "required": required,
    })
}

/// See [`Schemas::status`].
pub fn status() -> Value {
    closed(json!({ "Enabled": { "type": "boolean" } }), &["Enabled"])
}

/// See [`Schemas::variables`].
pub fn variables() -> Value {
    event_schemas::variables(&["string", "number", "boolean"])
}

/// A line of text.
pub fn line(min: usize, max: usize) -> Value {
    json!({ "type": "string", "pattern": "^(.*)$", "minLength": min, "maxLength": max })
}

/// Text of any number of lines.
pub fn lines(min: usize, max: usize) -> Value {
    json!({ "type": "string", "minLength": min, "maxLength": max })
}

/// A list without doubles.
pub fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items, "minItems": 1, "uniqueItems": true })
}

fn content_groups() -> Value {
    list(line(3, 50))
}

fn model_endpoint() -> Value {
    let version = line(1, 5);
    closed(
        json!({ "Name": line(3, 150), "Version": version }),
        &["Name", "Version"],
    )
}

/// See [`Schemas::model`].
pub fn model() -> Value {
    closed(
        json!({
            "Name": line(3, 150),
            "Description": lines(3, 250),
            "ContentGroups": content_groups(),
            "Endpoint": line(3, 250),
            "PluginClass": { "type": "string", "enum": CLASSES },
        }),
        &["Name", "ContentGroups", "Endpoint", "PluginClass"],
    )
}

/// Functions of Lambda in every partition of AWS.
const FUNCTION: &str = r"^arn:aws[a-z-]*:lambda:[a-z]{2}(-[a-z]+)+-\d{1}:\d{12}:function:[a-zA-Z0-9_-]+:(\$LATEST|[0-9]+)";

/// See [`Schemas::plugin`].
pub fn plugin() -> Value {
    closed(
        json!({
            "Name": line(3, 150),
            "Description": lines(3, 250),
            "Class": { "type": "string", "enum": CLASSES },
            "ExecutionType": { "type": "string", "enum": ["Sync", "SyncModel"] },
            "SupportedMediaType": { "type": "string", "enum": ["Video", "Audio"] },
            "ContentGroups": content_groups(),
            "ExecuteLambdaQualifiedARN": { "type": "string", "pattern": FUNCTION },
            "ModelEndpoints": list(model_endpoint()),
            "Configuration": { "type": "object" },
            "OutputAttributes": { "type": "object" },
            "DependentPlugins": list(line(3, 150)),
        }),
        &[
            "Name",
            "Class",
            "ExecutionType",
            "SupportedMediaType",
            "ContentGroups",
            "ExecuteLambdaQualifiedARN",
        ],
    )
}

/// See [`Schemas::prompt`].
pub fn prompt() -> Value {
    closed(
        json!({
            "Name": line(3, 50),
            "Description": lines(3, 150),
            "ContentGroups": content_groups(),
            "Template": lines(3, 1_000_000),
        }),
        &["Name", "ContentGroups", "Template"],
    )
}

/// A plugin that a profile names.
fn plugin_ref(featurer: bool, required: &[&str]) -> Value {
    let dependent = closed(
        json!({
            "Name": line(3, 150),
            "ModelEndpoint": model_endpoint(),
            "Configuration": { "type": "object" },
            "DependentFor": list(line(3, 150)),
        }),
        &["Name", "DependentFor"],
    );
    let mut properties = json!({
        "Name": line(3, 150),
        "ModelEndpoint": model_endpoint(),
        "Configuration": { "type": "object" },
    });
    if let Value::Object(properties) = &mut properties {
        if featurer {
            properties.insert(
                "IsPriorityForReplay".to_owned(),
                json!({ "type": "boolean" }),
            );
        }
        // MRE asks for one at least, and its own interface sends none.
        let list = json!({ "type": "array", "items": dependent, "uniqueItems": true });
        properties.insert("DependentPlugins".to_owned(), list);
    }
    closed(properties, required)
}

fn profile_properties(slot: &[&str]) -> Value {
    let number = || json!({ "type": "integer", "minimum": 1, "maximum": 10_000_000 });
    json!({
        "Description": lines(3, 250),
        "ContentGroups": content_groups(),
        "ChunkSize": number(),
        "MaxSegmentLengthSeconds": number(),
        "ProcessingFrameRate": number(),
        "Classifier": plugin_ref(false, &["Name"]),
        "Optimizer": plugin_ref(false, slot),
        "Labeler": plugin_ref(false, slot),
        "Featurers": { "type": "array", "items": plugin_ref(true, &["Name"]) },
        "Variables": {
            "type": "object",
            "additionalProperties": { "type": "string" },
            "minProperties": 1,
        },
    })
}

/// See [`Schemas::profile`].
pub fn profile() -> Value {
    let mut properties = json!({ "Name": line(3, 150) });
    if let (Value::Object(all), Value::Object(more)) =
        (&mut properties, profile_properties(&["Name"]))
    {
        all.extend(more);
    }
    closed(
        properties,
        &[
            "Name",
            "ContentGroups",
            "ChunkSize",
            "MaxSegmentLengthSeconds",
            "ProcessingFrameRate",
            "Classifier",
        ],
    )
}

/// See [`Schemas::profile_update`].
pub fn profile_update() -> Value {
    // An empty optimizer or labeler takes it away.
    closed(profile_properties(&[]), &[])
}

/// See [`Schemas::configuration`].
pub fn configuration() -> Value {
    closed(
        json!({
            "Name": line(3, 150),
            "Value": { "type": ["array", "boolean", "integer", "number", "object", "string"] },
        }),
        &["Name", "Value"],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_every_partition_are_plugins() {
        let schemas = Schemas::new().unwrap();
        let told = |arn: &str| {
            let body = json!({
                "Name": "SegmentByShot",
                "Class": "Classifier",
                "ExecutionType": "Sync",
                "SupportedMediaType": "Video",
                "ContentGroups": ["Tennis"],
                "ExecuteLambdaQualifiedARN": arn,
            });
            schemas.plugin.check(&body).map_err(|error| error.message)
        };
        assert_eq!(
            told("arn:aws:lambda:eu-west-1:123456789012:function:Shot_1:$LATEST"),
            Ok(())
        );
        assert_eq!(
            told("arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:Shot:7"),
            Ok(())
        );
        let short = "arn:aws:lambda:eu-west-1:123456789012:function:Shot";
        let refused = told(short).unwrap_err();
        assert!(
            refused.starts_with(&format!("'{short}' does not match '^arn:")),
            "{refused}"
        );
    }

    #[test]
    fn of_a_profile_the_wrong_type_is_told() {
        let schemas = Schemas::new().unwrap();
        let body = json!({
            "Name": "Tennis",
            "ContentGroups": ["Tennis"],
            "ChunkSize": "120",
            "MaxSegmentLengthSeconds": 300,
            "ProcessingFrameRate": 30,
            "Classifier": { "Name": 1, "DependentPlugins": [{}] },
            "Variables": { "key": "value" },
        });
        let told = schemas.profile.check(&body).unwrap_err();
        assert_eq!(told.message, "'120' is not of type 'integer'");
        assert_eq!(
            schemas
                .profile_update
                .check(&json!({ "Optimizer": {}, "Labeler": {} })),
            Ok(())
        );
    }
}
