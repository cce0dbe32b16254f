//! `onnx`: a model in the ONNX format that looks at pictures, run in this process by ONNX Runtime. Its
//! library is loaded when a spec first asks for it, so that nobody else needs it.

mod library;
mod session;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use matchcut_model::observation::Class;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batches::{BatchScanner, Batches};
use super::output::{self, Output, OutputOptions};
use super::picture::{Picture, PictureOptions};
use super::take;
use super::tensor::{Batch, Model, Tensor};
use crate::sdk::{
    Description, EdgeKind, InputRule, Operator, OperatorType, OptionError, Options, options_of,
    parse_options,
};
#[cfg(test)]
pub(super) use library::testing;
pub(super) use session::{Given, ModelFile, Sessions};

/// Options of `onnx` that say which model is run, and how.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct OnnxOptions {
    /// The model, a file in the ONNX format; relative to the spec.
    #[schemars(extend("format" = "path"))]
    model: String,
    /// The library of ONNX Runtime (libonnxruntime.so). Unless it is given: what ORT_DYLIB_PATH says, else
    /// the one of the Python package onnxruntime.
    #[schemars(extend("format" = "path"))]
    library: Option<String>,
    /// Threads that compute for one batch. Several chunks are looked at at once anyway.
    threads: Option<usize>,
    /// How many batches are computed at once, each with a copy of the model; as many as there are
    /// processors unless it is given.
    instances: Option<usize>,
}

/// The operator type `onnx`.
pub(crate) struct Onnx;

impl OperatorType for Onnx {
    fn describe(&self) -> Description {
        let mut options = options_of::<OnnxOptions>();
        options.extend(options_of::<PictureOptions>());
        options.extend(options_of::<OutputOptions>());
        Description {
            name: "onnx",
            class: Class::Featurer,
            summary: "What a model in the ONNX format says of pictures: a class, boxes, an embedding or \
                named values.",
            inputs: vec![InputRule::one(EdgeKind::Video)],
            attributes: output::all_attributes(),
            options,
        }
    }

    fn describe_with(&self, options: &Options) -> Description {
        Description {
            attributes: output::attributes_with(options),
            ..self.describe()
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let (mut rest, mut errors) = (options.clone(), Vec::new());
        let pictures: PictureOptions = take(&mut rest, &mut errors);
        let outputs: OutputOptions = take(&mut rest, &mut errors);
        let options: OnnxOptions = parse_options(&rest).unwrap_or_else(|wrong| {
            errors.extend(wrong);
            OnnxOptions::default()
        });
        if !errors.is_empty() {
            return Err(errors);
        }
        let file = ModelFile {
            path: Path::new(&options.model),
            library: options.library.as_deref().map(Path::new),
            threads: options.threads,
            instances: options.instances,
        };
        let sessions = Sessions::open(&file)?;
        let [input] = sessions.inputs() else {
            let names: Vec<String> = sessions.inputs().iter().map(ToString::to_string).collect();
            let message = format!(
                "the model has the inputs {}; one alone is expected, for pictures",
                names.join(", ")
            );
            return Err(vec![OptionError::new("model", message)]);
        };
        let bytes = match input.kind.as_str() {
            "float32" => false,
            "uint8" => true,
            _ => {
                let message = format!("the input {input} takes neither float32 nor uint8");
                return Err(vec![OptionError::new("model", message)]);
            }
        };
        let name = input.name.clone();
        let picture = Picture::new(&pictures, Some(input), bytes)?;
        let output = Output::new(&outputs, picture.framing)?;
        output
            .check(sessions.outputs(), picture.batch)
            .map_err(|error| vec![error])?;
        let fold = output.fold(picture.interval());
        let model = Arc::new(PictureModel {
            sessions,
            input: name,
        });
        let batches = Batches {
            model,
            picture,
            output,
            waits: false,
        };
        Ok(Operator::Video {
            scanner: Arc::new(BatchScanner(Arc::new(batches))),
            fold,
        })
    }
}

/// A model whose one input is pictures.
struct PictureModel {
    sessions: Sessions,
    input: String,
}

impl Model for PictureModel {
    fn run(&self, batch: &Batch) -> Result<Vec<Tensor>, String> {
        let given = Given::Pixels(&batch.shape, &batch.pixels);
        self.sessions.run(&[(&self.input, given)])
    }
}
