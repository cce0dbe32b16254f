//! Options of a `medialive` source.

use matchcut_aws::medialive::Channel;
use matchcut_aws::s3::Requester;
use matchcut_aws::{AwsOptions, Patience, S3Address};
use matchcut_model::time::MediaTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::plan::Wanted;
use crate::config::HlsOptions;
use crate::describe::{OptionSpec, Options, TextDuration, options_of, own_options, take_options};
use crate::error::ConfigError;
use crate::fetch::FetchOptions;
use crate::s3::Access;

/// Which pipelines of a channel are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PipelineChoice {
    /// Both: when one stops or leaves a chunk out, the other takes over.
    #[default]
    #[serde(rename = "both")]
    Both,
    /// The first alone.
    #[serde(rename = "0")]
    First,
    /// The second alone.
    #[serde(rename = "1")]
    Second,
}

/// Options of a `medialive` source, without those of AWS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MediaLiveOptions {
    /// The id of the channel. Needed.
    pub channel: String,
    /// Where the second pipeline writes, `s3://bucket/prefix/`. Without it beside the first one: those write
    /// below `0/` and `1/` of `uri`.
    pub second: Option<String>,
    /// Which pipelines are read: both, 0 or 1. When one of both stops or leaves a chunk out, the other
    /// takes over.
    pub pipelines: PipelineChoice,
    /// A pipeline of both that brings nothing for so long while the other one does is left.
    pub take_over: TextDuration,
    /// The name of everything that is added to the channel; what bears it may be changed and taken away.
    pub output: String,
    /// Length of the chunks, in whole seconds.
    pub segment_length: TextDuration,
    /// A video description of the channel that is used as it is, instead of encoding once more.
    pub video: Option<String>,
    /// Whether a run attaches the output to the channel before it reads, if it is not there as it should be.
    pub attach: bool,
    /// Whether a run starts the channel, if it is idle.
    pub start: bool,
    /// Whether a run stops the channel when the event is over.
    pub stop: bool,
    /// Whether a run takes the output away from the channel when the event is over and the channel idle.
    pub detach: bool,
    /// The event is over when so much of it was read. Without it when the channel stops.
    pub duration: Option<TextDuration>,
    /// The input attachment that the channel switches to before it is started: a file, for an event that is a
    /// recording.
    pub input: Option<String>,
    /// What stands for the variable part of the addresses of that input, where it is a dynamic one.
    pub input_url: Option<String>,
    /// Time between two looks at the state of the channel and its alerts.
    pub watch: TextDuration,
    /// Starting, stopping and changing the channel may take so long.
    pub patience: TextDuration,
    /// Time between two loads of the playlists. Without it: the length of a chunk after a change, half of
    /// it after none.
    pub reload: Option<TextDuration>,
    /// A channel that brings no new chunk for so long ends the source with an error.
    pub stale_after: TextDuration,
    /// No new chunk for so long is the end. Without it the channel ends it.
    pub finished_after: Option<TextDuration>,
    /// How many chunks back one that was declared missing is still taken.
    pub late_window: u64,
    /// A chunk that a playlist lists and that is not there is awaited for so long.
    pub missing_after: TextDuration,
    /// Time limit of one request.
    pub timeout: TextDuration,
    /// How often a request that failed for a reason that may pass is sent again, with pauses that double.
    pub retries: u32,
    /// A chunk larger than this is refused, in bytes.
    pub max_bytes: u64,
}

impl Default for MediaLiveOptions {
    fn default() -> Self {
        let hls = HlsOptions::default();
        MediaLiveOptions {
            channel: String::new(),
            second: None,
            pipelines: PipelineChoice::Both,
            take_over: TextDuration::seconds(20),
            output: "matchcut".to_owned(),
            segment_length: TextDuration::seconds(6),
            video: None,
            attach: false,
            start: false,
            stop: false,
            detach: false,
            duration: None,
            input: None,
            input_url: None,
            watch: TextDuration::seconds(10),
            patience: TextDuration::seconds(600),
            reload: None,
            stale_after: TextDuration::seconds(300),
            finished_after: None,
            late_window: hls.late_window,
            missing_after: hls.missing_after,
            timeout: hls.timeout,
            retries: hls.retries,
            max_bytes: hls.max_bytes,
        }
    }
}

/// A `medialive` source as it is configured.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaLiveConfig {
    /// Its own options.
    pub options: MediaLiveOptions,
    /// How AWS is reached.
    pub aws: AwsOptions,
    /// As whom the buckets are read.
    pub requester: Requester,
    /// Where the pipelines write: what stands before `index`.
    pub prefixes: [S3Address; 2],
}

/// The options of the type, for its description.
pub(crate) fn options() -> Vec<OptionSpec> {
    let mut options = options_of::<MediaLiveOptions>();
    options.extend(options_of::<AwsOptions>());
    options.extend(options_of::<Requester>());
    options
}

fn folder(text: &str) -> Result<S3Address, String> {
    let mut address = S3Address::parse(text)?;
    if !address.key.is_empty() && !address.key.ends_with('/') {
        address.key.push('/');
    }
    // Playlists name what lies beside them.
    match address.key.to_ascii_lowercase().trim_end_matches('/') {
        key if key.ends_with(".m3u8") => {
            Err("a prefix expected, below which the channel writes".into())
        }
        _ => Ok(address),
    }
}

impl MediaLiveConfig {
    /// Reads the options of a source at `uri`. Says everything that is wrong; asks nobody.
    pub(crate) fn read(options: &Options, uri: Option<&Url>) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Vec::new();
        let mut rest = options.clone();
        let aws: AwsOptions = take_options(&mut rest, &mut errors);
        let requester: Requester = take_options(&mut rest, &mut errors);
        let own: MediaLiveOptions = own_options(rest, &mut errors);
        let mut wrong = |option: &str, message: String| {
            errors.push(ConfigError {
                option: Some(option.to_owned()),
                message,
            });
        };
        for (option, message) in aws.check().into_iter().chain(requester.check()) {
            wrong(option, message);
        }
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let unset = own.channel.is_empty() && !options.contains_key("channel");
        if unset {
            wrong(
                "channel",
                "the id of a channel is needed, as channel = \"1234567\"".into(),
            );
        } else if own.channel.is_empty() || !plain(&own.channel) {
            wrong(
                "channel",
                "the id of a channel expected, such as \"1234567\"".into(),
            );
        }
        if own.output.is_empty() || own.output.len() > 24 || !plain(&own.output) {
            wrong(
                "output",
                "1 to 24 letters, digits and hyphens expected".into(),
            );
        }
        let whole = MediaTime::from_seconds(own.seconds());
        if own.segment_length.0 != whole || !(1..=60).contains(&own.seconds()) {
            wrong("segment_length", "whole seconds expected, 1 to 60".into());
        }
        if own.input_url.is_some() && own.input.is_none() {
            wrong("input_url", "of no use without \"input\"".into());
        }
        let zero = TextDuration::seconds(0);
        for (option, value) in [("watch", own.watch), ("patience", own.patience)] {
            if value == zero {
                wrong(option, "it must be longer than nothing".into());
            }
        }
        let first = match uri.map(|uri| S3Address::of_uri(uri.as_str())) {
            Some(Ok(address)) => folder(&address.to_string()),
            Some(Err(message)) => Err(message),
            None => folder("s3://bucket/"),
        };
        let below = |first: &S3Address, n: u8| first.at(format!("{}{n}/", first.key));
        let second = own.second.as_deref().map(folder).transpose();
        let second = second.unwrap_or_else(|message| {
            wrong("second", message);
            None
        });
        let prefixes = first.map(|first| {
            let other = second.unwrap_or_else(|| first.clone());
            [below(&first, 0), below(&other, 1)]
        });
        match prefixes {
            Err(message) => {
                wrong("uri", message);
                Err(errors)
            }
            Ok(_) if !errors.is_empty() => Err(errors),
            Ok(prefixes) => Ok(MediaLiveConfig {
                options: own,
                aws,
                requester,
                prefixes,
            }),
        }
    }

    fn patience(&self) -> Patience {
        Patience {
            timeout: self.options.timeout.std(),
            retries: self.options.retries,
        }
    }

    /// The channel.
    pub fn channel(&self) -> Channel {
        Channel::new(self.aws.clone(), self.patience(), &self.options.channel)
    }

    /// What is to be attached to it.
    pub fn wanted(&self) -> Wanted {
        let url = |address: &S3Address| format!("s3ssl://{}/{}index", address.bucket, address.key);
        Wanted {
            name: self.options.output.clone(),
            urls: self.prefixes.each_ref().map(url),
            segment_length: self.options.seconds(),
            video: self.options.video.clone(),
        }
    }

    pub(crate) fn access(&self) -> Access {
        Access::new(self.aws.clone(), self.requester.clone(), self.patience())
    }

    /// How its chunks are fetched.
    pub(crate) fn fetch_options(&self) -> FetchOptions {
        FetchOptions {
            timeout: self.options.timeout,
            retries: self.options.retries,
            missing_after: self.options.missing_after,
            max_bytes: self.options.max_bytes,
            ..FetchOptions::default()
        }
    }

    /// As the playlist that is made of both is read.
    pub(crate) fn as_playlist(&self) -> HlsOptions {
        let options = self.options.clone();
        HlsOptions {
            reload: options.reload,
            stale_after: options.stale_after,
            finished_after: options.finished_after,
            late_window: options.late_window,
            missing_after: options.missing_after,
            timeout: options.timeout,
            retries: options.retries,
            max_bytes: options.max_bytes,
            only_heard: true,
            ..HlsOptions::default()
        }
    }
}

impl MediaLiveOptions {
    /// Length of the chunks in seconds.
    fn seconds(&self) -> i64 {
        self.segment_length.0.to_ticks(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(uri: &str, options: serde_json::Value) -> Result<MediaLiveConfig, Vec<String>> {
        let uri = Url::parse(uri).unwrap();
        let read = MediaLiveConfig::read(options.as_object().unwrap(), Some(&uri));
        read.map_err(|errors| {
            let line = |e: ConfigError| format!("{}: {}", e.option.unwrap_or_default(), e.message);
            errors.into_iter().map(line).collect()
        })
    }

    #[test]
    fn pipelines_write_beside_each_other_or_elsewhere() {
        let config = read("s3://media/cup%20a/court", json!({"channel": "42"})).unwrap();
        let urls = [
            "s3ssl://media/cup a/court/0/index",
            "s3ssl://media/cup a/court/1/index",
        ];
        assert_eq!(config.wanted().urls, urls);
        let options = json!({"channel": "42", "second": "s3://other/x/", "region": "eu-west-1"});
        let config = read("s3://media/", options).unwrap();
        let urls = ["s3ssl://media/0/index", "s3ssl://other/x/1/index"];
        assert_eq!(config.wanted().urls, urls);
        assert_eq!(config.aws.region.as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn everything_wrong_is_said() {
        let wrong = |uri: &str, options: serde_json::Value| -> Vec<String> {
            let errors = read(uri, options).unwrap_err().into_iter();
            let option = |error: String| error.split(':').next().unwrap_or_default().to_owned();
            errors.map(option).collect()
        };
        let options = json!({"pipelines": "2", "chanel": "1", "profile": " "});
        let expected = ["pipelines", "chanel", "profile", "channel", "uri"];
        assert_eq!(wrong("s3://media/a/index.m3u8", options), expected);
        let options = json!({
            "second": "nowhere", "output": "a b", "segment_length": "2.5s", "input_url": "x",
            "channel": "a/b", "watch": 0,
        });
        let expected = [
            "channel",
            "output",
            "segment_length",
            "input_url",
            "watch",
            "second",
        ];
        assert_eq!(wrong("s3://media/a/", options), expected);
    }
}
