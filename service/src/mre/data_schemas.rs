//! What bodies of MRE's data plane must be like.

use serde_json::{Value, json};

use super::schemas::{CLASSES, closed};
use crate::validation::Schema;

/// A schema for each kind of body.
pub struct DataSchemas {
    /// Results of a plugin.
    pub result: Schema,
    /// What a plugin asks of those that it reads.
    pub dependents: Schema,
    /// What a segmenter asks for.
    pub segment_state: Schema,
    /// What a labeler asks for.
    pub labeling_state: Schema,
    /// What an optimizer asks for.
    pub optimization_state: Schema,
    /// Key frames of a chunk.
    pub frames: Schema,
    /// A chunk.
    pub chunk: Schema,
    /// What is asked for segments to make clips of.
    pub clip_segments: Schema,
    /// What is asked for the chunks of a segment.
    pub clip_chunks: Schema,
    /// Clips that were made.
    pub clips: Schema,
    /// What somebody thinks of a clip.
    pub feedback: Schema,
    /// What is asked for features of a segment.
    pub features: Schema,
    /// Which attributes are asked for.
    pub attributes: Schema,
    /// What is asked for an export.
    pub export: Schema,
    /// What a replay has chosen.
    pub replay: Schema,
    /// An execution of the workflow.
    pub execution: Schema,
}

/// The schema of a body, for the document of the API.
pub fn body_of(which: fn(&DataSchemas) -> &Schema) -> Value {
    // They are the same at each start, which fails where one is wrong.
    DataSchemas::new().map_or(Value::Bool(true), |all| which(&all).source().clone())
}

fn text() -> Value {
    json!({ "type": "string", "pattern": "^(.*)$" })
}

fn number() -> Value {
    json!({ "type": "number" })
}

fn integer() -> Value {
    json!({ "type": "integer" })
}

fn from_zero(kind: &str) -> Value {
    json!({ "type": kind, "minimum": 0 })
}

fn texts() -> Value {
    json!({ "type": "array", "items": { "type": "string" }, "uniqueItems": true })
}

fn keys() -> Value {
    json!({ "type": "object" })
}

/// Plugins with what they look at.
fn named_media() -> Value {
    let media = json!({ "type": "string", "enum": ["Video", "Audio"] });
    json!({
        "type": "array",
        "items": closed(
            json!({ "Name": { "type": "string" }, "SupportedMediaType": media }),
            &["Name", "SupportedMediaType"],
        ),
        "uniqueItems": true,
    })
}

/// An object of these properties, of which all but the last `optional` must be there.
fn all_but(optional: usize, properties: Vec<(&str, Value)>) -> Result<Schema, String> {
    let required: Vec<&str> = properties
        .iter()
        .take(properties.len().saturating_sub(optional))
        .map(|(name, _)| *name)
        .collect();
    let own = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
    let made: serde_json::Map<String, Value> = properties.iter().map(own).collect();
    Schema::new(closed(Value::Object(made), &required))
}

impl DataSchemas {
    /// Makes all of them.
    pub fn new() -> Result<DataSchemas, String> {
        let event = || vec![("Program", text()), ("Event", text())];
        let with = |more: Vec<(&'static str, Value)>| {
            let mut all = event();
            all.extend(more);
            all
        };
        Ok(DataSchemas {
            result: result()?,
            dependents: all_but(
                2,
                with(vec![
                    ("ChunkNumber", integer()),
                    ("DependentPlugins", named_media()),
                    ("AudioTrack", integer()),
                    ("LastEvaluatedKeys", keys()),
                ]),
            )?,
            segment_state: all_but(
                1,
                with(vec![
                    ("PluginName", text()),
                    ("DependentPlugins", texts()),
                    ("ChunkNumber", integer()),
                    ("ChunkStart", number()),
                    ("MaxSegmentLength", integer()),
                    ("LastEvaluatedKeys", keys()),
                ]),
            )?,
            labeling_state: all_but(
                1,
                with(vec![
                    ("Classifier", json!({ "type": "string" })),
                    ("DependentPlugins", texts()),
                    ("ChunkNumber", integer()),
                    ("LastEvaluatedKeys", keys()),
                ]),
            )?,
            optimization_state: all_but(
                3,
                with(vec![
                    ("ChunkNumber", integer()),
                    ("Classifier", json!({ "type": "string" })),
                    ("SearchWindowSeconds", integer()),
                    ("Detectors", named_media()),
                    ("AudioTrack", integer()),
                    ("LastEvaluatedKeys", keys()),
                ]),
            )?,
            frames: frames()?,
            chunk: all_but(
                0,
                with(vec![
                    ("Profile", text()),
                    ("Filename", text()),
                    ("Start", number()),
                    ("StartPts", number()),
                    ("Duration", number()),
                    ("S3Bucket", text()),
                    ("S3Key", text()),
                ]),
            )?,
            clip_segments: all_but(
                1,
                with(vec![("Classifier", text()), ("LastEvaluatedKey", keys())]),
            )?,
            clip_chunks: all_but(
                0,
                with(vec![
                    ("Profile", text()),
                    ("Start", number()),
                    ("End", number()),
                ]),
            )?,
            clips: clips()?,
            feedback: feedback()?,
            features: all_but(
                1,
                with(vec![
                    ("PluginName", text()),
                    ("Start", number()),
                    ("End", number()),
                    ("OutputAttributes", texts()),
                    ("AudioTrack", integer()),
                ]),
            )?,
            attributes: all_but(0, vec![("pluginAttributes", texts())])?,
            export: all_but(
                2,
                vec![
                    ("Name", text()),
                    ("Program", text()),
                    ("Classifier", text()),
                    ("OutputAttributes", json!({ "type": "array" })),
                    ("PluginsInProfile", json!({ "type": "array" })),
                    ("Limit", json!({ "type": "integer", "minimum": 1 })),
                    ("LastStartValue", keys_or_number()),
                ],
            )?,
            replay: Schema::new(json!({
                "type": "object",
                "properties": {
                    "Program": text(), "Event": text(), "ReplayId": text(),
                    "ReplayResults": { "type": "array", "items": { "type": "object" } },
                    "LastSegmentStartTime": number(), "HasFeedback": { "type": "boolean" },
                },
                "required": ["Program", "Event", "ReplayId", "ReplayResults"],
            }))?,
            execution: all_but(
                0,
                with(vec![
                    ("ExecutionId", text()),
                    (
                        "ChunkNumber",
                        json!({ "type": "integer", "minimum": 0, "maximum": 1_000_000 }),
                    ),
                    ("Filename", text()),
                ]),
            )?,
        })
    }
}

fn keys_or_number() -> Value {
    json!({ "type": ["object", "number"] })
}

fn result() -> Result<Schema, String> {
    let location = closed(
        json!({ "S3Bucket": text(), "S3Key": text() }),
        &["S3Bucket", "S3Key"],
    );
    let row = json!({
        "type": "object",
        "properties": { "Start": number(), "End": number() },
        "additionalProperties": true,
        "required": ["Start"],
    });
    Schema::new(closed(
        json!({
            "Program": text(),
            "Event": text(),
            "ProfileName": text(),
            "ChunkSize": integer(),
            "ProcessingFrameRate": integer(),
            "Classifier": { "type": "string" },
            "ExecutionId": text(),
            "AudioTrack": integer(),
            "Filename": text(),
            "ChunkNumber": integer(),
            "PluginName": text(),
            "PluginClass": { "type": "string", "enum": CLASSES },
            "ModelEndpoint": text(),
            "Configuration": { "type": "object" },
            "OutputAttributesNameList": texts(),
            "Location": location,
            "Results": { "type": "array", "items": row, "minItems": 1 },
        }),
        &[
            "Program",
            "Event",
            "ProfileName",
            "ChunkSize",
            "ProcessingFrameRate",
            "Classifier",
            "ExecutionId",
            "Filename",
            "ChunkNumber",
            "PluginName",
            "PluginClass",
            "Location",
            "Results",
        ],
    ))
}

fn frames() -> Result<Schema, String> {
    let length = |max: u32| json!({ "type": "string", "minLength": 1, "maxLength": max });
    let frame = closed(
        json!({
            "ExecutionId": length(128),
            "Filename": length(256),
            "FrameNumber": from_zero("integer"),
            "FramePtsTime": from_zero("number"),
            "FrameTime": from_zero("number"),
            "KeyFrame": { "type": "integer", "enum": [0, 1] },
            "PictType": { "type": "string", "enum": ["I", "P", "B"] },
            "DurationTime": from_zero("number"),
        }),
        &["FrameNumber", "FramePtsTime", "FrameTime", "DurationTime"],
    );
    Schema::new(closed(
        json!({
            "Program": text(),
            "Event": text(),
            "Filename": length(256),
            "Frames": { "type": "array", "items": frame, "minItems": 1, "maxItems": 50 },
        }),
        &["Program", "Event", "Filename", "Frames"],
    ))
}

fn clips() -> Result<Schema, String> {
    let row = closed(
        json!({
            "Start": number(),
            "End": number(),
            "OriginalClipStatus": text(),
            "OriginalClipLocation": text(),
            "OriginalThumbnailLocation": text(),
            "OptimizedClipStatus": text(),
            "OptimizedClipLocation": text(),
            "OptimizedThumbnailLocation": text(),
            "AudioTrack": { "type": ["integer", "string"] },
        }),
        &["Start"],
    );
    Schema::new(closed(
        json!({
            "Program": text(),
            "Event": text(),
            "Classifier": text(),
            "Results": { "type": "array", "items": row, "minItems": 1 },
        }),
        &["Program", "Event", "Classifier", "Results"],
    ))
}

fn feedback() -> Result<Schema, String> {
    let said = || {
        closed(
            json!({ "Feedback": text(), "FeedbackDetail": { "type": "string" } }),
            &["Feedback"],
        )
    };
    Schema::new(closed(
        json!({
            "Program": text(),
            "Event": text(),
            "Classifier": text(),
            "StartTime": number(),
            "AudioTrack": integer(),
            "Reviewer": text(),
            "ActionSource": { "type": "string", "enum": ["Original", "Optimized"] },
            "IsOptimizerConfiguredInProfile": { "type": "boolean" },
            "OriginalFeedback": said(),
            "OptimizedFeedback": said(),
        }),
        &[
            "Program",
            "Event",
            "Classifier",
            "AudioTrack",
            "StartTime",
            "ActionSource",
            "IsOptimizerConfiguredInProfile",
        ],
    ))
}
