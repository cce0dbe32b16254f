//! `http_inference`: models behind servers that are asked by HTTP: tensors by the Open Inference Protocol,
//! or questions about pictures by chat completions.

mod answer;
mod chat;
mod client;
mod completion;
mod endpoint;
mod image;
mod limits;
mod oip;
#[cfg(test)]
mod tests;
mod usage;

use std::sync::Arc;

use matchcut_model::observation::Class;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batches::{BatchScanner, Batches};
use super::output::{self, Output, OutputOptions};
use super::picture::{Picture, PictureOptions};
use super::take;
use crate::sdk::{
    Description, EdgeKind, InputRule, Operator, OperatorType, OptionError, Options, options_of,
    parse_options, pass_on,
};
use chat::{ChatOptions, ChatScanner};
pub(super) use client::{Client, ClientOptions, quoted};
#[cfg(feature = "lambda")]
pub(super) use client::{FIRST_PAUSE, pause};
pub(crate) use endpoint::Endpoint;
#[cfg(feature = "lambda")]
pub(super) use limits::Limits;
use oip::{OipModel, OipOptions};
#[cfg(feature = "lambda")]
pub(super) use usage::Counters;
pub use usage::{Usage, usage};

/// How a server is talked to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Protocol {
    /// Tensors, by the Open Inference Protocol.
    #[default]
    Oip,
    /// Questions, by chat completions.
    Chat,
}

/// Options of `http_inference` that do not depend on the protocol.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct HttpOptions {
    /// `oip`: tensors by the Open Inference Protocol, version 2; `chat`: questions by chat completions.
    protocol: Protocol,
    /// What the server calls the model.
    model: String,
}

/// The operator type `http_inference`.
pub(crate) struct HttpInference;

/// All options, as far as they are right.
struct Read {
    own: HttpOptions,
    client: ClientOptions,
    oip: OipOptions,
    chat: ChatOptions,
    pictures: PictureOptions,
    outputs: OutputOptions,
}

fn read(options: &Options, errors: &mut Vec<OptionError>) -> Read {
    let mut rest = options.clone();
    let client = take(&mut rest, errors);
    let oip = take(&mut rest, errors);
    let chat = take(&mut rest, errors);
    let pictures = take(&mut rest, errors);
    let outputs = take(&mut rest, errors);
    let own = parse_options(&rest).unwrap_or_else(|wrong| {
        errors.extend(wrong);
        HttpOptions::default()
    });
    Read {
        own,
        client,
        oip,
        chat,
        pictures,
        outputs,
    }
}

impl OperatorType for HttpInference {
    fn describe(&self) -> Description {
        let mut options = options_of::<HttpOptions>();
        options.extend(options_of::<ClientOptions>());
        options.extend(options_of::<OipOptions>());
        options.extend(options_of::<PictureOptions>());
        options.extend(options_of::<OutputOptions>());
        options.extend(options_of::<ChatOptions>());
        Description {
            name: "http_inference",
            class: Class::Featurer,
            summary: "What a model behind a server says of pictures: by the Open Inference Protocol, or as \
                the answer to a question.",
            inputs: vec![InputRule::one(EdgeKind::Video)],
            attributes: output::all_attributes(),
            options,
        }
    }

    fn describe_with(&self, options: &Options) -> Description {
        let read = read(options, &mut Vec::new());
        Description {
            attributes: match read.own.protocol {
                Protocol::Oip => output::attributes_with(options),
                Protocol::Chat => read.chat.attributes(),
            },
            ..self.describe()
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let mut errors = Vec::new();
        let read = read(options, &mut errors);
        match Client::new(&read.client, &read.own.model) {
            Ok(client) if errors.is_empty() => build(&read, Arc::new(client)),
            Ok(_) => Err(errors),
            Err(wrong) => {
                errors.extend(wrong);
                Err(errors)
            }
        }
    }
}

fn build(read: &Read, client: Arc<Client>) -> Result<Operator, Vec<OptionError>> {
    match read.own.protocol {
        Protocol::Oip => {
            let picture = Picture::new(&read.pictures, None, read.oip.bytes())?;
            let output = Output::new(&read.outputs, picture.framing)?;
            let fold = output.fold(picture.interval());
            let model = OipModel::new(client, &read.own.model, &read.oip)?;
            Ok(Operator::Video {
                scanner: Arc::new(BatchScanner(Arc::new(Batches {
                    model: Arc::new(model),
                    picture,
                    output,
                    waits: true,
                }))),
                fold,
            })
        }
        Protocol::Chat => {
            let view = read.pictures.for_people()?;
            let scanner = ChatScanner::new(client, &read.own.model, &read.chat, view)?;
            Ok(Operator::Video {
                scanner: Arc::new(scanner),
                fold: pass_on(),
            })
        }
    }
}
