//! A language model behind a server, for operators that ask it in words: the options that they share, and
//! questions with answers of a given shape.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::answer::Schema;
use super::client::{Client, ClientOptions};
use super::completion::{Ask, text_of};
use crate::hosts::take;
use crate::prompts::Asks;
use crate::sdk::{OptionError, OptionSpec, Options, options_of};

/// Options of whoever asks a language model.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct EndpointOptions {
    /// What the server calls the model.
    model: String,
    /// What the model is told before the question.
    system: Option<String>,
    /// The longest answer, in tokens.
    max_tokens: u32,
    /// Whether the schema goes with the question (`response_format`). Servers that do not know it may
    /// refuse the question.
    response_format: bool,
}

impl Default for EndpointOptions {
    fn default() -> Self {
        EndpointOptions {
            model: String::new(),
            system: None,
            max_tokens: 2000,
            response_format: true,
        }
    }
}

/// A language model behind a server.
pub(crate) struct Endpoint {
    client: Client,
    options: EndpointOptions,
}

impl Endpoint {
    /// The options that it takes.
    pub(crate) fn options() -> Vec<OptionSpec> {
        let mut options = options_of::<EndpointOptions>();
        options.extend(options_of::<ClientOptions>());
        options
    }

    /// Takes its options out of `rest`; `None` when something is wrong with them.
    pub(crate) fn take(rest: &mut Options, errors: &mut Vec<OptionError>) -> Option<Endpoint> {
        let before = errors.len();
        let options: EndpointOptions = take(rest, errors);
        let client: ClientOptions = take(rest, errors);
        if options.model.is_empty() {
            let message = "missing: what the server calls the model";
            errors.push(OptionError::new("model", message));
        }
        match Client::new(&client, &options.model) {
            Ok(client) if errors.len() == before => Some(Endpoint { client, options }),
            Ok(_) => None,
            Err(wrong) => {
                errors.extend(wrong);
                None
            }
        }
    }
}

impl Asks for Endpoint {
    fn ask(&self, question: &str, schema: &Json) -> Result<Json, String> {
        let ask = Ask {
            model: &self.options.model,
            system: self.options.system.as_deref(),
            content: Json::from(question),
            max_tokens: self.options.max_tokens,
            schema: self.options.response_format.then_some(schema),
        };
        let body = serde_json::to_vec(&ask.body()).map_err(|error| error.to_string())?;
        let headers = [("Content-Type", "application/json")];
        let answer = self.client.post("/chat/completions", &body, &headers)?;
        let read = || Schema::of(schema.clone())?.json(&text_of(&self.client, &answer.body)?);
        read().map_err(|message| {
            self.client.counters.failure();
            let model = &self.options.model;
            format!("the answer of \"{model}\" cannot be used: {message}")
        })
    }
}
