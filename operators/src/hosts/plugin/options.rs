//! Options of `plugin`: who is asked, for how long, and what MRE's payload tells.

use std::collections::BTreeMap;
use std::time::Duration;

use matchcut_aws::AwsOptions;
use matchcut_model::observation::Class;
use matchcut_model::time::MediaTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hosts::lambda::{LambdaOptions, Media, Type};
use crate::hosts::take;
use crate::sdk::{MAX_SEGMENT, OptionError, Options, parse_options, text_duration};

/// What a plugin says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Says {
    /// Observations.
    #[default]
    Featurer,
    /// Segments.
    Segmenter,
    /// New marks of segments.
    Optimizer,
    /// Names of segments.
    Labeler,
}

/// A plugin that this one reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Dependent {
    /// Its operator.
    pub operator: String,
    /// What MRE calls it.
    pub name: String,
}

/// Options of `plugin`, without those of AWS.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PluginOptions {
    /// What it says: `featurer`, `segmenter` (Classifier), `optimizer` or `labeler`.
    pub class: Says,
    /// A function of Lambda that is asked; without one a program outside fetches its work from the service.
    pub function: Option<String>,
    /// What the plugin looks at: `video`, each chunk once; `audio`, each audio track of each chunk.
    pub media: Media,
    /// How long is waited for what it says of a chunk.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    pub wait: MediaTime,
    /// How many chunks of a featurer that reads no other may be worked on at once.
    pub concurrency: usize,
    /// How far behind the end of a segment an optimizer looks: it is asked when so much has passed.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    pub look_ahead: MediaTime,
    /// The plugins that it reads, each with its operator.
    pub dependents: Vec<Dependent>,
    /// What it returns, by name: `text`, `number` or `boolean`. Others are left out; without any, all is taken as it
    /// comes.
    pub output_attributes: BTreeMap<String, Type>,
    /// The parameters of the plugin (Configuration), as a profile of MRE has them.
    pub configuration: Options,
    /// The endpoint of the plugin's model (ModelEndpoint).
    pub model_endpoint: Option<String>,
    /// Name of the plugin (Plugin.Name); that of the operator.
    pub mre_plugin: Option<String>,
    /// Name of the program (Event.Program); that of the pipeline.
    pub mre_program: Option<String>,
    /// Name of the event (Event.Name); that of the pipeline.
    pub mre_event: Option<String>,
    /// Name of the profile (Profile.Name); that of the pipeline.
    pub mre_profile: Option<String>,
    /// What it says it returns (Plugin.OutputAttributes); the names in `output_attributes`.
    pub mre_outputs: Options,
    /// Classifier, Optimizer, Labeler and Featurers of the profile, as MRE tells plugins of them.
    pub mre_parts: Options,
    /// When the event starts (Event.Start), as 2025-01-31T18:00:00Z; without it as the stream tells.
    pub event_start: Option<String>,
    /// Profile.ChunkSize in seconds; without it the length of the chunk, rounded up.
    pub chunk_size: Option<u32>,
    /// Profile.MaxSegmentLengthSeconds; that of the pipeline. An open segment that gets longer is closed.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    pub max_segment: MediaTime,
    /// Profile.ProcessingFrameRate: how many frames a second the plugin should look at.
    pub processing_frame_rate: u32,
}

impl Default for PluginOptions {
    fn default() -> Self {
        PluginOptions {
            class: Says::Featurer,
            function: None,
            media: Media::Video,
            wait: MediaTime::from_seconds(60),
            concurrency: 4,
            look_ahead: MediaTime::from_seconds(5),
            dependents: Vec::new(),
            output_attributes: BTreeMap::new(),
            configuration: Options::new(),
            model_endpoint: None,
            mre_plugin: None,
            mre_program: None,
            mre_event: None,
            mre_profile: None,
            mre_outputs: Options::new(),
            mre_parts: Options::new(),
            event_start: None,
            chunk_size: None,
            max_segment: MAX_SEGMENT,
            processing_frame_rate: 5,
        }
    }
}

/// All options, as far as they are right.
pub(super) fn read(
    options: &Options,
    errors: &mut Vec<OptionError>,
) -> (PluginOptions, AwsOptions) {
    let mut rest = options.clone();
    let aws = take(&mut rest, errors);
    let own = parse_options(&rest).unwrap_or_else(|wrong| {
        errors.extend(wrong);
        PluginOptions::default()
    });
    (own, aws)
}

impl PluginOptions {
    /// Says what is wrong.
    pub(super) fn check(&self, errors: &mut Vec<OptionError>) {
        let mut wrong =
            |option: &str, message: &str| errors.push(OptionError::new(option, message));
        let seconds = self.wait.as_seconds_f64();
        if !(0.1..=900.0).contains(&seconds) {
            wrong("wait", "not between 0.1 s and 15 min");
        }
        if !(1..=64).contains(&self.concurrency) {
            wrong("concurrency", "not between 1 and 64");
        }
        if self.look_ahead.is_negative() || self.look_ahead > MediaTime::from_seconds(600) {
            wrong("look_ahead", "not between 0 s and 10 min");
        }
        if self.processing_frame_rate == 0 {
            wrong("processing_frame_rate", "not more than 0");
        }
        if self.chunk_size == Some(0) {
            wrong("chunk_size", "not more than 0");
        }
        if self.max_segment < MediaTime::from_millis(100) {
            wrong("max_segment", "less than 0.1 s");
        }
        // The same that are wrong for a function.
        let mut of_function = Vec::new();
        self.lambda().check(&mut of_function);
        let common = ["event_start", "output_attributes"];
        let named = |error: &OptionError| {
            let option = error.option.as_deref().unwrap_or_default();
            common.contains(&option) || self.function.is_some() && option == "function"
        };
        errors.extend(of_function.into_iter().filter(named));
    }

    /// Its class.
    pub(super) fn class(&self) -> Class {
        match self.class {
            Says::Featurer => Class::Featurer,
            Says::Segmenter => Class::Segmenter,
            Says::Optimizer => Class::Optimizer,
            Says::Labeler => Class::Labeler,
        }
    }

    /// Whether it decides in order: it reads others, or what it said before.
    pub(super) fn ordered(&self) -> bool {
        self.class() != Class::Featurer || !self.dependents.is_empty()
    }

    /// How long is waited.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs_f64(self.wait.as_seconds_f64().max(0.0))
    }

    /// What MRE calls its class.
    pub(super) fn mre_class(&self) -> &'static str {
        match self.class() {
            Class::Featurer => "Featurer",
            Class::Segmenter => "Classifier",
            Class::Optimizer => "Optimizer",
            Class::Labeler => "Labeler",
        }
    }

    /// What it is called there.
    pub(super) fn plugin(&self) -> String {
        self.mre_plugin.clone().unwrap_or_default()
    }

    /// Program and event.
    pub(super) fn names(&self) -> (&str, &str) {
        (
            self.mre_program.as_deref().unwrap_or_default(),
            self.mre_event.as_deref().unwrap_or_default(),
        )
    }

    /// The options of a function that are the same.
    pub(super) fn lambda(&self) -> LambdaOptions {
        LambdaOptions {
            function: self.function.clone().unwrap_or_else(|| "none".to_owned()),
            media: self.media,
            output_attributes: self.output_attributes.clone(),
            configuration: self.configuration.clone(),
            model_endpoint: self.model_endpoint.clone(),
            timeout: self.wait,
            retries: 0,
            concurrency: self.concurrency,
            mre_plugin: self.mre_plugin.clone(),
            mre_program: self.mre_program.clone(),
            mre_event: self.mre_event.clone(),
            mre_profile: self.mre_profile.clone(),
            event_start: self.event_start.clone(),
            chunk_size: self.chunk_size,
            max_segment: self.max_segment,
            processing_frame_rate: self.processing_frame_rate,
            ..LambdaOptions::default()
        }
    }
}
