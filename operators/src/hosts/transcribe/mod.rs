//! `transcribe`: what is said, as text, by a speech model behind a server (`/audio/transcriptions`, as
//! OpenAI defined it and whisper servers offer it) or by a whisper model that is a file. Sound is heard in
//! whole phrases, which are cut where it is quiet and never where a chunk happens to end.

mod caller;
mod heard;
mod phrases;
mod request;
#[cfg(test)]
mod tests;
#[cfg(feature = "whisper")]
mod whisper;

use std::path::Path;
use std::sync::Arc;
use std::thread;

use matchcut_model::observation::Class;
use matchcut_model::time::MediaTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::http::{Client, ClientOptions};
use super::speech::samples::SampleScanner;
use super::take;
use crate::sdk::{
    AttributeKind, AttributeSpec, Description, EdgeKind, FoldBox, InputRule, Operator,
    OperatorType, OptionError, Options, options_of, parse_options, text_duration,
};
use caller::Transcriber;
use heard::Hears;
use phrases::Rules;
use request::Request;

/// Options of `transcribe`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TranscribeOptions {
    /// What the server calls the model, `whisper-1` for example.
    model: String,
    /// A whisper model in the format of whisper.cpp (`ggml-base.bin`), which this program runs itself;
    /// relative to the spec. Instead of `url` and `model`.
    #[schemars(extend("format" = "path"))]
    file: Option<String>,
    /// How many threads compute, with `file`; as many as there are processors when left out.
    threads: Option<usize>,
    /// The language, as `en` or `de`; the model finds out when it is left out.
    language: Option<String>,
    /// Text that helps the model: names, words of the trade.
    prompt: Option<String>,
    /// Sound below this is quiet, in dB of full scale (mean power of 20 ms).
    quiet: f64,
    /// A phrase ends where it is quiet for so long.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    pause: MediaTime,
    /// A phrase that is longer is cut at its quietest place of the last 5 s.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    max_phrase: MediaTime,
}

impl Default for TranscribeOptions {
    fn default() -> Self {
        TranscribeOptions {
            model: String::new(),
            file: None,
            threads: None,
            language: None,
            prompt: None,
            quiet: -45.0,
            pause: MediaTime::from_millis(600),
            max_phrase: MediaTime::from_seconds(25),
        }
    }
}

/// More threads are taken for a mistake.
const MOST_THREADS: usize = 64;

/// The operator type `transcribe`.
pub(crate) struct Transcribe;

fn read(options: &Options, errors: &mut Vec<OptionError>) -> (TranscribeOptions, ClientOptions) {
    let mut rest = options.clone();
    let client = take(&mut rest, errors);
    let own = parse_options(&rest).unwrap_or_else(|wrong| {
        errors.extend(wrong);
        TranscribeOptions::default()
    });
    (own, client)
}

impl OperatorType for Transcribe {
    fn describe(&self) -> Description {
        let mut options = options_of::<TranscribeOptions>();
        options.extend(options_of::<ClientOptions>());
        let text = |name, description| AttributeSpec {
            name,
            kind: AttributeKind::Text,
            description,
        };
        Description {
            name: "transcribe",
            class: Class::Featurer,
            summary: "What is said, as text, by a speech model behind a server or a whisper model that is a file.",
            inputs: vec![InputRule::one(EdgeKind::Audio)],
            attributes: vec![
                text("text", "what is said"),
                text("language", "its language, where the model tells"),
                AttributeSpec {
                    name: "confidence",
                    kind: AttributeKind::Number,
                    description: "mean probability of a token, 0 to 1, where the model tells",
                },
            ],
            options,
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let mut errors = Vec::new();
        let (own, client) = read(options, &mut errors);
        if !(-120.0..=0.0).contains(&own.quiet) {
            errors.push(OptionError::new("quiet", "not between -120 and 0 dB"));
        }
        if own.pause < MediaTime::from_millis(100) || own.pause > MediaTime::from_seconds(10) {
            errors.push(OptionError::new("pause", "not between 0.1 s and 10 s"));
        }
        let longest = own.max_phrase;
        if longest < MediaTime::from_seconds(6) || longest > MediaTime::from_seconds(600) {
            errors.push(OptionError::new("max_phrase", "not between 6 s and 10 min"));
        }
        let rules = Rules::new(own.quiet, own.pause, own.max_phrase);
        match model(options, own, &client) {
            Ok(model) if errors.is_empty() => Ok(Operator::Audio {
                scanner: Arc::new(SampleScanner),
                fold: FoldBox::calling(Transcriber { rules, model }),
            }),
            Ok(_) => Err(errors),
            Err(wrong) => {
                errors.extend(wrong);
                Err(errors)
            }
        }
    }
}

/// Who hears.
fn model(
    given: &Options,
    own: TranscribeOptions,
    client: &ClientOptions,
) -> Result<Box<dyn Hears>, Vec<OptionError>> {
    if let Some(file) = &own.file {
        let others = options_of::<ClientOptions>();
        let names = others.iter().map(|option| option.name.as_str());
        let mut wrong: Vec<OptionError> = names
            .chain(["model"])
            .filter(|name| given.contains_key(*name))
            .map(|name| OptionError::new(name, "is for a server, and `file` names a model"))
            .collect();
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let threads = own.threads.unwrap_or(processors);
        if !(1..=MOST_THREADS).contains(&threads) {
            let message = format!("not between 1 and {MOST_THREADS}");
            wrong.push(OptionError::new("threads", message));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        return local(Path::new(file), &own, threads)
            .map_err(|message| vec![OptionError::new("file", message)]);
    }
    let mut wrong = Vec::new();
    if own.model.is_empty() {
        let message =
            "missing: what the server calls the model (or `file`, a model that is run here)";
        wrong.push(OptionError::new("model", message));
    }
    if own.threads.is_some() {
        let message = "is for a model that is run here, which `file` names";
        wrong.push(OptionError::new("threads", message));
    }
    match Client::new(client, &own.model) {
        Ok(client) if wrong.is_empty() => Ok(Box::new(Request {
            client,
            model: own.model,
            language: own.language,
            prompt: own.prompt,
        })),
        Ok(_) => Err(wrong),
        Err(more) => {
            wrong.extend(more);
            Err(wrong)
        }
    }
}

#[cfg(feature = "whisper")]
fn local(file: &Path, own: &TranscribeOptions, threads: usize) -> Result<Box<dyn Hears>, String> {
    let (language, prompt) = (own.language.clone(), own.prompt.clone());
    let model = whisper::Whisper::open(file, language, prompt, threads)?;
    Ok(Box::new(model))
}

#[cfg(not(feature = "whisper"))]
fn local(_: &Path, _: &TranscribeOptions, _: usize) -> Result<Box<dyn Hears>, String> {
    Err("this program was built without whisper.cpp (the feature `whisper`)".to_owned())
}
