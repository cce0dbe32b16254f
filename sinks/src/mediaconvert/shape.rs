//! The JSON of MediaConvert's CreateJob, as far as plans use it. Codec settings stand where they are made; what
//! plans decide on stands here by name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What a job has under this name is what its outputs refer to.
pub(super) const AUDIO: &str = "Audio Selector 1";

/// The body of CreateJob.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateJob {
    pub acceleration_settings: AccelerationSettings,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_tags_source: Option<String>,
    pub client_request_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_template: Option<String>,
    pub priority: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    pub role: String,
    pub settings: JobSettings,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub tags: BTreeMap<String, String>,
    pub user_metadata: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct AccelerationSettings {
    pub mode: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobSettings {
    /// Frames of the outputs are counted from 0.
    pub timecode_config: TimecodeConfig,
    pub inputs: Vec<Input>,
    pub output_groups: Vec<OutputGroup>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TimecodeConfig {
    pub source: String,
}

/// One after the other these make the outputs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_input: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_generator: Option<Json>,
    /// Frames of a file are counted from 0, whatever timecode it carries.
    pub timecode_source: String,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub input_clippings: Vec<InputClipping>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub audio_selectors: BTreeMap<String, AudioSelector>,
}

/// First and last frame, both included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InputClipping {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_timecode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_timecode: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AudioSelector {
    pub default_selection: String,
    pub selector_type: String,
    pub tracks: Vec<u32>,
}

impl AudioSelector {
    /// The track with this number, counted from 1; silence where it is missing.
    pub(super) fn track(number: u32) -> BTreeMap<String, AudioSelector> {
        let selector = AudioSelector {
            default_selection: "NOT_DEFAULT".to_owned(),
            selector_type: "TRACK".to_owned(),
            tracks: vec![number],
        };
        BTreeMap::from([(AUDIO.to_owned(), selector)])
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutputGroup {
    pub name: String,
    pub output_group_settings: Json,
    pub outputs: Vec<Json>,
}
