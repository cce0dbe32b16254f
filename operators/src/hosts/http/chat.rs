//! Chat completions with pictures, as OpenAI defined them and many servers offer: some pictures of a
//! stretch of time go out with a question, JSON comes back, and is said of that stretch.

use std::sync::Arc;

use matchcut_model::frame::{Frame, PixelFormat, ViewSpec};
use matchcut_model::time::{FrameRate, MediaTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::answer::{self, Schema};
use super::client::Client;
use super::completion::{Ask, text_of};
use super::image::{ImageFormat, data_url};
use crate::sdk::{
    AttributeSpec, ChunkContext, OptionError, Options, Said, VideoScan, VideoScanner, signature_of,
    text_duration,
};

/// Options of chat completions.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ChatOptions {
    /// `chat`: the question that goes with the pictures.
    prompt: String,
    /// `chat`: what the model is told before the question.
    system: Option<String>,
    /// `chat`: a JSON Schema of the answer; its properties become attributes.
    schema: Options,
    /// `chat`: a file with the schema, instead of `schema`.
    #[schemars(extend("format" = "path"))]
    schema_file: Option<String>,
    /// `chat`: one question for each stretch of this length, counted from the begin of the event; one for
    /// each chunk unless it is given. A stretch ends where a chunk does.
    #[serde(with = "text_duration::optional")]
    #[schemars(with = "Option<text_duration::Schema>")]
    every: Option<MediaTime>,
    /// `chat`: at most so many pictures with a question, spread over the stretch. They have `width` and
    /// `height`, 512x288 unless these are given.
    images: usize,
    /// `chat`: the form of the pictures, `jpeg` or `png`.
    image_format: ImageFormat,
    /// `chat`: the quality of JPEG, 1 to 100.
    quality: u8,
    /// `chat`: the longest answer, in tokens.
    max_tokens: u32,
    /// `chat`: whether the schema goes with the question (`response_format`). Servers that do not know it
    /// may refuse the question.
    response_format: bool,
}

impl Default for ChatOptions {
    fn default() -> Self {
        ChatOptions {
            prompt: String::new(),
            system: None,
            schema: Options::new(),
            schema_file: None,
            every: None,
            images: 4,
            image_format: ImageFormat::Jpeg,
            quality: 80,
            max_tokens: 500,
            response_format: true,
        }
    }
}

impl ChatOptions {
    /// The attributes of the answers.
    pub(super) fn attributes(&self) -> Vec<AttributeSpec> {
        answer::attributes(&self.schema, self.schema_file.as_deref())
    }
}

/// More pictures are not asked about at once.
const MOST_IMAGES: usize = 64;

struct Chat {
    client: Arc<Client>,
    model: String,
    options: ChatOptions,
    schema: Schema,
    view: ViewSpec,
}

pub(super) struct ChatScanner(Arc<Chat>);

impl ChatScanner {
    pub(super) fn new(
        client: Arc<Client>,
        model: &str,
        options: &ChatOptions,
        (width, height, rate): (u32, u32, Option<FrameRate>),
    ) -> Result<ChatScanner, Vec<OptionError>> {
        let mut errors = Vec::new();
        if model.trim().is_empty() {
            errors.push(OptionError::new(
                "model",
                "missing: the name of a model of the server",
            ));
        }
        if options.prompt.trim().is_empty() {
            errors.push(OptionError::new(
                "prompt",
                "missing: what is asked about the pictures",
            ));
        }
        if !(1..=MOST_IMAGES).contains(&options.images) {
            let message = format!("not between 1 and {MOST_IMAGES}");
            errors.push(OptionError::new("images", message));
        }
        if !(1..=100).contains(&options.quality) {
            errors.push(OptionError::new("quality", "not between 1 and 100"));
        }
        if options
            .every
            .is_some_and(|every| every < MediaTime::from_millis(100))
        {
            errors.push(OptionError::new("every", "shorter than 0.1 s"));
        }
        let schema = Schema::new(&options.schema, options.schema_file.as_deref());
        match schema {
            Ok(schema) if errors.is_empty() => Ok(ChatScanner(Arc::new(Chat {
                client,
                model: model.to_owned(),
                options: options.clone(),
                schema,
                view: ViewSpec {
                    width,
                    height,
                    format: PixelFormat::Rgb24,
                    rate,
                    frames: matchcut_model::frame::FrameChoice::All,
                },
            }))),
            Ok(_) => Err(errors),
            Err(error) => {
                errors.push(error);
                Err(errors)
            }
        }
    }
}

impl VideoScanner for ChatScanner {
    fn view(&self) -> ViewSpec {
        self.0.view
    }

    fn start(&self, chunk: &ChunkContext) -> Box<dyn VideoScan> {
        Box::new(ChatScan {
            chat: Arc::clone(&self.0),
            start: chunk.extent.span.start,
            end: chunk.extent.span.end,
            frames: Vec::new(),
        })
    }

    fn waits(&self) -> bool {
        true
    }
}

struct ChatScan {
    chat: Arc<Chat>,
    /// Of the chunk.
    start: MediaTime,
    end: MediaTime,
    /// All pictures, by time.
    frames: Vec<(MediaTime, Vec<u8>)>,
}

impl VideoScan for ChatScan {
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        self.frames.push((frame.time, frame.data.to_vec()));
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Vec<u8>, String> {
        let mut said = Vec::new();
        let of_stretch = self
            .frames
            .chunk_by(|a, b| self.stretch(a.0) == self.stretch(b.0));
        for frames in of_stretch {
            let Some((time, _)) = frames.first() else {
                continue;
            };
            let (start, end) = self.bounds(*time);
            said.push(Said {
                start,
                end,
                attributes: self.chat.ask(&spread(frames, self.chat.options.images))?,
            });
        }
        signature_of(said)
    }
}

impl ChatScan {
    /// The number of the stretch that a picture belongs to.
    fn stretch(&self, time: MediaTime) -> i64 {
        match self.chat.options.every {
            Some(every) => time.flicks().div_euclid(every.flicks().max(1)),
            None => 0,
        }
    }

    /// Its part of the chunk.
    fn bounds(&self, time: MediaTime) -> (MediaTime, MediaTime) {
        let Some(every) = self.chat.options.every else {
            return (self.start.min(time), self.end.max(time));
        };
        let number = self.stretch(time);
        let (start, end) = (every.times(number), every.times(number + 1));
        (start.max(self.start).min(time), end.min(self.end).max(time))
    }
}

/// At most `most` pictures, in the middle of parts of equal length.
fn spread(frames: &[(MediaTime, Vec<u8>)], most: usize) -> Vec<&[u8]> {
    let count = most.min(frames.len());
    let middle = |part: usize| (2 * part + 1) * frames.len() / (2 * count.max(1));
    (0..count)
        .filter_map(|part| frames.get(middle(part)))
        .map(|(_, frame)| &frame[..])
        .collect()
}

impl Chat {
    fn ask(&self, frames: &[&[u8]]) -> Result<matchcut_model::value::Attributes, String> {
        let body = self.question(frames)?;
        let body = serde_json::to_vec(&body).map_err(|error| error.to_string())?;
        let headers = [("Content-Type", "application/json")];
        let answer = self.client.post("/chat/completions", &body, &headers)?;
        self.attributes(&answer.body).map_err(|message| {
            self.client.counters.failure();
            format!("the answer of \"{}\" cannot be used: {message}", self.model)
        })
    }

    fn question(&self, frames: &[&[u8]]) -> Result<Json, String> {
        let ChatOptions {
            image_format,
            quality,
            ..
        } = self.options;
        let mut content = vec![json!({"type": "text", "text": self.options.prompt})];
        for frame in frames {
            let (width, height) = (self.view.width, self.view.height);
            let url = data_url(frame, width, height, image_format, quality)?;
            content.push(json!({"type": "image_url", "image_url": {"url": url}}));
        }
        let ask = Ask {
            model: &self.model,
            system: self.options.system.as_deref(),
            content: Json::Array(content),
            max_tokens: self.options.max_tokens,
            schema: self.options.response_format.then_some(&self.schema.json),
        };
        Ok(ask.body())
    }

    fn attributes(&self, body: &[u8]) -> Result<matchcut_model::value::Attributes, String> {
        let text = text_of(&self.client, body)?;
        self.schema.read(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_spread() {
        let frames: Vec<_> = (0..10_u8)
            .map(|n| (MediaTime::from_millis(i64::from(n) * 200), vec![n]))
            .collect();
        let numbers = |most| {
            spread(&frames, most)
                .iter()
                .map(|f| f[0])
                .collect::<Vec<_>>()
        };
        assert_eq!(numbers(1), [5]);
        assert_eq!(numbers(3), [1, 5, 8]);
        assert_eq!(numbers(20), (0..10).collect::<Vec<_>>());
        assert!(spread(&[], 4).is_empty());
    }
}
