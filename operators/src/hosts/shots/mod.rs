//! `shots`: where a shot changes, by the model TransNetV2. It looks at 100 small pictures at a time, from one
//! chunk into the next, so that the scan of a chunk only makes the pictures, which are its signature, and the
//! ordered part runs the model over them. Chunks are looked at as if they were one.

mod caller;
mod changes;
mod model;
mod pictures;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use matchcut_model::observation::Class;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::onnx::{ModelFile, Sessions};
use crate::sdk::{
    AttributeKind, AttributeSpec, Description, EdgeKind, FoldBox, InputRule, Operator,
    OperatorType, OptionError, Options, options_of, parse_options,
};
use caller::Looker;
use model::TransNet;
use pictures::PictureScanner;

/// Options of `shots`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ShotsOptions {
    /// The model, an ONNX file of TransNetV2; relative to the spec.
    #[schemars(extend("format" = "path"))]
    model: String,
    /// The library of ONNX Runtime (libonnxruntime.so). Unless it is given: what ORT_DYLIB_PATH says, else
    /// the one of the Python package onnxruntime.
    #[schemars(extend("format" = "path"))]
    library: Option<String>,
    /// A shot changes where the probability is above this.
    threshold: f64,
    /// How many threads compute for one window; 1 when left out.
    threads: Option<usize>,
}

impl Default for ShotsOptions {
    fn default() -> Self {
        ShotsOptions {
            model: String::new(),
            library: None,
            threshold: 0.5,
            threads: None,
        }
    }
}

/// The operator type `shots`.
pub(crate) struct Shots;

impl OperatorType for Shots {
    fn describe(&self) -> Description {
        let attribute = |name, kind, description| AttributeSpec {
            name,
            kind,
            description,
        };
        Description {
            name: "shots",
            class: Class::Featurer,
            summary: "Where a shot changes, hard or softly, by the model TransNetV2: a point at the first frame \
                after a cut, a range from the first frame of a soft change to the first after it.",
            inputs: vec![InputRule::one(EdgeKind::Video)],
            attributes: vec![
                attribute(
                    "new_shot",
                    AttributeKind::Boolean,
                    "true: a shot changes here, in whatever way",
                ),
                attribute(
                    "hard_cut",
                    AttributeKind::Boolean,
                    "true: from one frame to the next",
                ),
                attribute(
                    "gradual",
                    AttributeKind::Boolean,
                    "true: over several frames (a fade, a dissolve, a wipe)",
                ),
                attribute(
                    "confidence",
                    AttributeKind::Number,
                    "the highest probability that the model gives, 0 to 1",
                ),
            ],
            options: options_of::<ShotsOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: ShotsOptions = parse_options(options)?;
        if !(0.01..=0.99).contains(&options.threshold) {
            let message = "not between 0.01 and 0.99";
            return Err(vec![OptionError::new("threshold", message)]);
        }
        let file = ModelFile {
            path: Path::new(&options.model),
            library: options.library.as_deref().map(Path::new),
            threads: options.threads,
            instances: None,
        };
        let model = TransNet::new(Sessions::open(&file)?)
            .map_err(|message| vec![OptionError::new("model", message)])?;
        Ok(Operator::Video {
            scanner: Arc::new(PictureScanner),
            fold: FoldBox::calling(Looker {
                model,
                threshold: options.threshold,
            }),
        })
    }
}
