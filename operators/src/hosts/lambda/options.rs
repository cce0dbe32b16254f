//! Options of `lambda`: the function, where chunks lie for it, and what MRE's payload tells besides.

use std::collections::BTreeMap;

use matchcut_aws::{AwsOptions, S3Address};
use matchcut_model::time::MediaTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hosts::take;
use crate::sdk::{MAX_SEGMENT, OptionError, Options, parse_options, text_duration};

/// What a plugin looks at (SupportedMediaType).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::hosts) enum Media {
    /// Each chunk once.
    #[default]
    Video,
    /// Each audio track of each chunk.
    Audio,
}

/// The type of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::hosts) enum Type {
    /// Text.
    Text,
    /// A number, or text that is one.
    Number,
    /// true or false, or text that says so.
    Boolean,
}

/// What times of results count from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::hosts) enum TimeBase {
    /// The start of the event, as `get_segment_absolute_time(t)` of MRE's helper gives them.
    #[default]
    Event,
    /// The clock of the stream, as `get_segment_absolute_time(t, True)` gives them.
    Pts,
    /// The start of the chunk.
    Chunk,
}

/// Where timecodes come from, as MRE names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::hosts) enum TimecodeSource {
    /// There are none.
    #[default]
    NotEmbedded,
    /// They count from zero.
    ZeroBased,
    /// They are the time of day.
    UtcBased,
}

/// Options of `lambda`, without those of AWS.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::hosts) struct LambdaOptions {
    /// The function: its name or its ARN.
    pub function: String,
    /// A version or an alias of it; `$LATEST` without one.
    pub qualifier: Option<String>,
    /// What the plugin looks at: `video`, each chunk once; `audio`, each audio track of each chunk, named by
    /// `TrackNumber`.
    pub media: Media,
    /// What it returns, by name: `text`, `number` or `boolean`. Others are left out; without any, all is
    /// taken as it comes.
    pub output_attributes: BTreeMap<String, Type>,
    /// The parameters of the plugin (Configuration), as a profile of MRE has them.
    pub configuration: Options,
    /// The endpoint of the plugin's model (ModelEndpoint); with it the plugin is of the kind SyncModel.
    pub model_endpoint: Option<String>,
    /// What times of results count from: `event`, `pts` or `chunk`.
    pub time_base: TimeBase,
    /// Where chunks are put for the function that do not lie in S3 as they are: `s3://bucket/prefix/`. Their
    /// keys come from their content.
    pub stage: Option<String>,
    /// The address of the server of `stage`, where it is another one than `endpoint`.
    pub stage_endpoint: Option<String>,
    /// Whether a chunk that was put there is removed when the function has answered.
    pub remove_staged: bool,
    /// How long the function may take, up to 15 minutes.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    pub timeout: MediaTime,
    /// How often the function is invoked again when Lambda has too many requests, fails (500 to 599) or
    /// cannot be reached, and when the plugin raises MREExecutionError: after 0.5 s, 1 s, 2 s and so on up to
    /// 30 s. A function that was too slow or failed otherwise is not invoked again.
    pub retries: u32,
    /// At most so many invocations at once.
    pub concurrency: usize,
    /// Name of the plugin (Plugin.Name); that of the operator.
    pub mre_plugin: Option<String>,
    /// Name of the program (Event.Program); that of the pipeline.
    pub mre_program: Option<String>,
    /// Name of the event (Event.Name); that of the pipeline.
    pub mre_event: Option<String>,
    /// Name of the profile (Profile.Name); that of the pipeline.
    pub mre_profile: Option<String>,
    /// Name of the profile's segmenter (Profile.Classifier).
    pub mre_classifier: String,
    /// When the event starts (Event.Start), as 2025-01-31T18:00:00Z; without it as the stream tells.
    pub event_start: Option<String>,
    /// Event.TimecodeSource: `NOT_EMBEDDED`, `ZERO_BASED` or `UTC_BASED`.
    pub timecode_source: TimecodeSource,
    /// Profile.ChunkSize in seconds; without it the length of the chunk, rounded up.
    pub chunk_size: Option<u32>,
    /// Profile.MaxSegmentLengthSeconds; that of the pipeline.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    pub max_segment: MediaTime,
    /// Profile.ProcessingFrameRate: how many frames a second the plugin should look at.
    pub processing_frame_rate: u32,
}

impl Default for LambdaOptions {
    fn default() -> Self {
        LambdaOptions {
            function: String::new(),
            qualifier: None,
            media: Media::Video,
            output_attributes: BTreeMap::new(),
            configuration: Options::new(),
            model_endpoint: None,
            time_base: TimeBase::Event,
            stage: None,
            stage_endpoint: None,
            remove_staged: false,
            timeout: MediaTime::from_seconds(60),
            retries: 3,
            concurrency: 4,
            mre_plugin: None,
            mre_program: None,
            mre_event: None,
            mre_profile: None,
            mre_classifier: String::new(),
            event_start: None,
            timecode_source: TimecodeSource::NotEmbedded,
            chunk_size: None,
            max_segment: MAX_SEGMENT,
            processing_frame_rate: 5,
        }
    }
}

/// All options, as far as they are right.
pub(in crate::hosts) fn read(
    options: &Options,
    errors: &mut Vec<OptionError>,
) -> (LambdaOptions, AwsOptions) {
    let mut rest = options.clone();
    let aws = take(&mut rest, errors);
    let own = parse_options(&rest).unwrap_or_else(|wrong| {
        errors.extend(wrong);
        LambdaOptions::default()
    });
    (own, aws)
}

impl LambdaOptions {
    /// Says what is wrong; where chunks are staged.
    pub(in crate::hosts) fn check(&self, errors: &mut Vec<OptionError>) -> Option<S3Address> {
        let mut wrong =
            |option: &str, message: &str| errors.push(OptionError::new(option, message));
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_:$".contains(c);
        if self.function.is_empty() {
            wrong("function", "missing: the name or ARN of a function");
        } else if self.function.len() > 170 || !self.function.chars().all(fits) {
            wrong("function", "the name or ARN of a function expected");
        }
        if self
            .qualifier
            .as_deref()
            .is_some_and(|text| !text.chars().all(fits) || text.is_empty())
        {
            wrong("qualifier", "a version, an alias or $LATEST expected");
        }
        let seconds = self.timeout.as_seconds_f64();
        if !(0.1..=900.0).contains(&seconds) {
            wrong(
                "timeout",
                "not between 0.1 s and 15 min, the longest that a function runs",
            );
        }
        if self.retries > 10 {
            wrong("retries", "more than 10");
        }
        if !(1..=64).contains(&self.concurrency) {
            wrong("concurrency", "not between 1 and 64");
        }
        if self.processing_frame_rate == 0 {
            wrong("processing_frame_rate", "not more than 0");
        }
        if self.chunk_size == Some(0) {
            wrong("chunk_size", "not more than 0");
        }
        if let Some(start) = &self.event_start
            && start.parse::<jiff::Timestamp>().is_err()
        {
            wrong("event_start", "a time as 2025-01-31T18:00:00Z expected");
        }
        let reserved = ["Start", "End"];
        if self
            .output_attributes
            .keys()
            .any(|name| reserved.contains(&name.as_str()))
        {
            wrong(
                "output_attributes",
                "Start and End are times, which every result has",
            );
        }
        if self.stage.is_none() && self.remove_staged {
            wrong("remove_staged", "of no use without \"stage\"");
        }
        let endpoint = AwsOptions {
            endpoint: self.stage_endpoint.clone(),
            ..AwsOptions::default()
        };
        for (_, message) in endpoint.check() {
            wrong("stage_endpoint", &message);
        }
        match self.stage.as_deref().map(S3Address::parse) {
            None => None,
            Some(Ok(mut address)) => {
                if !address.key.is_empty() && !address.key.ends_with('/') {
                    address.key.push('/');
                }
                Some(address)
            }
            Some(Err(message)) => {
                wrong("stage", &message);
                None
            }
        }
    }
}
