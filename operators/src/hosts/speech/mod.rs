//! `speech`: ranges in which somebody speaks, by the model Silero VAD. The model remembers what it heard,
//! so that it must hear an event in order: the scan of a chunk only makes samples at the rate that the
//! model takes, which are its signature, and the ordered part runs the model over them, from one chunk
//! into the next. Chunks are heard as if they were one.

mod caller;
mod model;
mod ranges;
pub(super) mod resample;
pub(super) mod samples;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use matchcut_model::observation::Class;
use matchcut_model::time::MediaTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::onnx::{ModelFile, Sessions};
use crate::sdk::{
    AttributeKind, AttributeSpec, Description, EdgeKind, FoldBox, InputRule, Operator,
    OperatorType, OptionError, Options, options_of, parse_options, text_duration,
};
use caller::Listener;
use model::Silero;
use ranges::Rules;
use samples::SampleScanner;

/// Options of `speech`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct SpeechOptions {
    /// The model, silero_vad.onnx of the Python package silero-vad; relative to the spec.
    #[schemars(extend("format" = "path"))]
    model: String,
    /// The library of ONNX Runtime (libonnxruntime.so). Unless it is given: what ORT_DYLIB_PATH says, else
    /// the one of the Python package onnxruntime.
    #[schemars(extend("format" = "path"))]
    library: Option<String>,
    /// From this probability speech begins; it ends when the probability stays 0.15 below.
    threshold: f64,
    /// Shorter speech is left out.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    min_speech: MediaTime,
    /// Shorter pauses do not end speech.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    min_silence: MediaTime,
    /// What is added before and after; at most half of `min_silence`, so that ranges stay apart.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    padding: MediaTime,
}

impl Default for SpeechOptions {
    fn default() -> Self {
        SpeechOptions {
            model: String::new(),
            library: None,
            threshold: 0.5,
            min_speech: MediaTime::from_millis(250),
            min_silence: MediaTime::from_millis(100),
            padding: MediaTime::from_millis(30),
        }
    }
}

/// The operator type `speech`.
pub(crate) struct Speech;

impl OperatorType for Speech {
    fn describe(&self) -> Description {
        Description {
            name: "speech",
            class: Class::Featurer,
            summary: "Speech, by the model Silero VAD: a range for each audio track, from where somebody \
                speaks to the next pause.",
            inputs: vec![InputRule::one(EdgeKind::Audio)],
            attributes: vec![
                AttributeSpec {
                    name: "speech",
                    kind: AttributeKind::Boolean,
                    description: "true: somebody speaks in this range",
                },
                AttributeSpec {
                    name: "confidence",
                    kind: AttributeKind::Number,
                    description: "the mean probability of speech in it, 0 to 1",
                },
            ],
            options: options_of::<SpeechOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: SpeechOptions = parse_options(options)?;
        let mut errors = Vec::new();
        if !(0.01..=0.99).contains(&options.threshold) {
            errors.push(OptionError::new("threshold", "not between 0.01 and 0.99"));
        }
        let minute = MediaTime::from_seconds(60);
        for (name, length) in [
            ("min_speech", options.min_speech),
            ("min_silence", options.min_silence),
        ] {
            if length > minute {
                errors.push(OptionError::new(name, "more than a minute"));
            }
        }
        if options.padding.times(2) > options.min_silence {
            errors.push(OptionError::new(
                "padding",
                "more than half of `min_silence`, so that ranges would overlap",
            ));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let file = ModelFile {
            path: Path::new(&options.model),
            library: options.library.as_deref().map(Path::new),
            threads: None,
            instances: None,
        };
        let model = Silero::new(Sessions::open(&file)?)
            .map_err(|message| vec![OptionError::new("model", message)])?;
        let rules = Rules {
            threshold: options.threshold,
            min_speech: options.min_speech,
            min_silence: options.min_silence,
            padding: options.padding,
        };
        Ok(Operator::Audio {
            scanner: Arc::new(SampleScanner),
            fold: FoldBox::calling(Listener { model, rules }),
        })
    }
}
