//! What a spec says of a program.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use matchcut_model::frame::PixelFormat;
use matchcut_model::time::MediaTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::describe::{Described, Media};
use super::launch::Launch;
use super::wire::{LARGEST_SIDE, Rate};
use crate::sdk::{MAX_SEGMENT, OptionError, Options, text_duration};

/// Options of `process`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ProcessOptions {
    /// The program and its arguments. A program with a directory in its name is relative to
    /// `directory`, any other is looked for on the PATH.
    command: Vec<String>,
    /// Where the program runs, and what relative paths in `command` are relative to; relative to the
    /// spec, and the directory of the spec when left out.
    #[schemars(extend("format" = "path"))]
    directory: String,
    /// The program's own options, checked against what it says of them.
    options: Options,
    /// How many of it run at the same time, for frames and samples (1 to 64). Steps are taken one after
    /// the other.
    pub(super) instances: u32,
    /// How long it is waited for, for one chunk or step, before it counts as hung.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    timeout: MediaTime,
    /// How long it may take to load what it needs, before the first chunk.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    start_timeout: MediaTime,
    /// The pause before it is started again after it broke; twice as long each time that it breaks
    /// again, up to 30 seconds.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    restart: MediaTime,
    /// Variables of its environment, beside those of matchcut itself.
    env: BTreeMap<String, String>,
    /// Width of the frames it gets, in place of what it asks for.
    width: Option<u32>,
    /// Height of the frames it gets, in place of what it asks for.
    height: Option<u32>,
    /// Format of the frames it gets (gray8, yuv444 or rgb24), in place of what it asks for.
    format: Option<Format>,
    /// How many frames a second it gets (5 or "30000/1001"), in place of what it asks for.
    rate: Option<Rate>,
    /// The longest segment that it may mark; it is told. The pipeline's `max_segment` when left out.
    #[serde(with = "text_duration::optional")]
    #[schemars(with = "Option<text_duration::Schema>")]
    max_segment: Option<MediaTime>,
}

/// [`PixelFormat`], with its documentation in the schema.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Gray8,
    Yuv444,
    Rgb24,
}

impl Default for ProcessOptions {
    fn default() -> Self {
        ProcessOptions {
            command: Vec::new(),
            directory: ".".to_owned(),
            options: Options::new(),
            instances: 1,
            timeout: MediaTime::from_seconds(30),
            start_timeout: MediaTime::from_seconds(60),
            restart: MediaTime::from_millis(500),
            env: BTreeMap::new(),
            width: None,
            height: None,
            format: None,
            rate: None,
            max_segment: None,
        }
    }
}

impl ProcessOptions {
    /// How the program is started. All that is wrong is said together.
    pub(super) fn launch(&self) -> Result<Launch, Vec<OptionError>> {
        let mut errors = Vec::new();
        let mut wrong =
            |option: &str, message: &str| errors.push(OptionError::new(option, message));
        match self.command.first() {
            None => wrong(
                "command",
                "the program is missing; write for example [\"python3\", \"luma.py\"]",
            ),
            Some(name) if name.trim().is_empty() => {
                wrong("command", "the name of the program is empty")
            }
            Some(_) if self.command.iter().any(|word| word.contains('\0')) => {
                wrong("command", "a word with a NUL in it");
            }
            Some(_) => {}
        }
        let named = |name: &String| !name.is_empty() && !name.contains(['=', '\0']);
        if !self
            .env
            .iter()
            .all(|(name, value)| named(name) && !value.contains('\0'))
        {
            wrong(
                "env",
                "a name is empty or has = in it, or something has a NUL in it",
            );
        }
        if !(1..=64).contains(&self.instances) {
            wrong("instances", "not between 1 and 64");
        }
        for (option, value, most) in [
            ("timeout", self.timeout, 3600),
            ("start_timeout", self.start_timeout, 3600),
            ("restart", self.restart, 30),
        ] {
            if value <= MediaTime::ZERO || value > MediaTime::from_seconds(most) {
                wrong(option, &format!("more than 0 and at most {most}s expected"));
            }
        }
        let max_segment = self.max_segment.unwrap_or(MAX_SEGMENT);
        if max_segment <= MediaTime::ZERO {
            wrong("max_segment", "must be more than 0");
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Launch {
            command: self.command.clone(),
            directory: PathBuf::from(match self.directory.as_str() {
                "" => ".",
                directory => directory,
            }),
            env: self.env.clone(),
            options: self.options.clone(),
            max_segment,
            timeout: duration(self.timeout),
            start_timeout: duration(self.start_timeout),
            restart: duration(self.restart),
        })
    }

    /// What the program gets to see or hear, with what the spec says otherwise.
    pub(super) fn media(&self, own: &Described) -> Result<Media, Vec<OptionError>> {
        let mut errors = Vec::new();
        let Media::Frames(mut view) = own.media else {
            let given = [
                ("width", self.width.is_some()),
                ("height", self.height.is_some()),
                ("format", self.format.is_some()),
                ("rate", self.rate.is_some()),
            ];
            let given = given.into_iter().filter(|(_, given)| *given);
            let errors: Vec<OptionError> = given
                .map(|(option, _)| OptionError::new(option, "the program looks at no frames"))
                .collect();
            return if errors.is_empty() {
                Ok(own.media)
            } else {
                Err(errors)
            };
        };
        for (option, side, target) in [
            ("width", self.width, &mut view.width),
            ("height", self.height, &mut view.height),
        ] {
            match side {
                Some(side) if (1..=LARGEST_SIDE).contains(&side) => *target = side,
                Some(_) => {
                    let message = format!("not between 1 and {LARGEST_SIDE}");
                    errors.push(OptionError::new(option, message));
                }
                None => {}
            }
        }
        if let Some(format) = self.format {
            view.format = match format {
                Format::Gray8 => PixelFormat::Gray8,
                Format::Yuv444 => PixelFormat::Yuv444,
                Format::Rgb24 => PixelFormat::Rgb24,
            };
        }
        match self.rate.as_ref().map(Rate::read) {
            Some(Ok(rate)) => view.rate = Some(rate),
            Some(Err(message)) => errors.push(OptionError::new("rate", message)),
            None => {}
        }
        if errors.is_empty() {
            Ok(Media::Frames(view))
        } else {
            Err(errors)
        }
    }
}

fn duration(time: MediaTime) -> Duration {
    Duration::from_millis(u64::try_from(time.to_millis().max(1)).unwrap_or(1))
}
