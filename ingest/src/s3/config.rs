//! Options of an `s3` source.

use matchcut_aws::s3::Requester;
use matchcut_aws::{AwsOptions, Patience, S3Address};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::Access;
use crate::config::{Audio, AudioSchema, DirectoryOptions, HlsOptions, LiveStart, Variant};
use crate::describe::{OptionSpec, Options, TextDuration, options_of, own_options, take_options};
use crate::error::ConfigError;
use crate::fetch::FetchOptions;

/// What means something only where a playlist is read.
const OF_PLAYLISTS: [&str; 6] = [
    "variant",
    "cut_variant",
    "audio",
    "start",
    "reload",
    "stale_after",
];

/// What means something only where a prefix is listed.
const OF_PREFIXES: [&str; 5] = ["prefix", "extension", "follow", "poll", "queue"];

/// Options of an `s3` source, without those of AWS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct S3Options {
    /// Of a playlist: which stream of a master playlist is read: highest or lowest bandwidth, or a size such
    /// as 1280x720.
    #[schemars(with = "String")]
    pub variant: Variant,
    /// Of a playlist: which stream of a master playlist clips are cut from, where it is not the one that is
    /// analysed.
    #[schemars(with = "Option<String>")]
    pub cut_variant: Option<Variant>,
    /// Of a playlist: which separate audio playlists of the stream are followed: all, default, none, or a
    /// list of names.
    #[schemars(with = "AudioSchema")]
    pub audio: Audio,
    /// Of a playlist: where a live one is entered: at its first chunk, or live, three target durations
    /// before its end.
    pub start: LiveStart,
    /// Of a playlist: time between two loads of a live one. Without it: the target duration after a
    /// change, half of it after none.
    pub reload: Option<TextDuration>,
    /// Of a playlist: a live one that gets no new chunk for so long ends the source with an error.
    pub stale_after: TextDuration,
    /// Of a prefix: what stands before the number in the names of the objects. Needed when the prefix holds
    /// several series.
    pub prefix: Option<String>,
    /// Of a prefix: extension of the objects, without the dot.
    pub extension: String,
    /// Of a prefix: whether objects are still being written: wait for more.
    pub follow: bool,
    /// Of a prefix that is followed: time between two listings. Without it 2 s, and 30 s with a queue.
    pub poll: Option<TextDuration>,
    /// Of a prefix that is followed: the URL of an SQS queue of this source's own that S3 tells of new
    /// objects, directly, through SNS or through EventBridge. What it tells is listed at once; what it does
    /// not tell, with `poll`.
    pub queue: Option<String>,
    /// No new chunk for so long is the end. Without it 60 s for a prefix that is followed; a playlist ends
    /// with EXT-X-ENDLIST.
    pub finished_after: Option<TextDuration>,
    /// How many chunks back one that changed, or that comes after it was declared missing, is still
    /// taken.
    pub late_window: u64,
    /// When live: a number that was passed over, or an object that a playlist lists and that is not
    /// there, is awaited for so long.
    pub missing_after: TextDuration,
    /// Time limit of one request.
    pub timeout: TextDuration,
    /// How often a request that failed for a reason that may pass (SlowDown, 500 to 599, a broken
    /// connection, a time-out) is sent again, with pauses that double.
    pub retries: u32,
    /// A chunk larger than this is refused, in bytes.
    pub max_bytes: u64,
}

impl Default for S3Options {
    fn default() -> Self {
        let hls = HlsOptions::default();
        let directory = DirectoryOptions::default();
        S3Options {
            variant: hls.variant,
            cut_variant: hls.cut_variant,
            audio: hls.audio,
            start: hls.start,
            reload: hls.reload,
            stale_after: hls.stale_after,
            prefix: directory.prefix,
            extension: directory.extension,
            follow: directory.follow,
            poll: None,
            queue: None,
            finished_after: None,
            late_window: hls.late_window,
            missing_after: hls.missing_after,
            timeout: hls.timeout,
            retries: hls.retries,
            max_bytes: hls.max_bytes,
        }
    }
}

/// An `s3` source as it is configured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct S3Config {
    /// Its own options.
    pub options: S3Options,
    /// How AWS is reached.
    pub aws: AwsOptions,
    /// As whom the bucket is read.
    pub requester: Requester,
}

/// The options of the type, for its description.
pub(crate) fn options() -> Vec<OptionSpec> {
    let mut options = options_of::<S3Options>();
    options.extend(options_of::<AwsOptions>());
    options.extend(options_of::<Requester>());
    options
}

/// Whether an address is that of a playlist.
pub(crate) fn is_playlist(uri: &Url) -> bool {
    let path = uri.path().to_ascii_lowercase();
    path.ends_with(".m3u8") || path.ends_with(".m3u")
}

impl S3Config {
    /// Reads the options of a source at `uri`. Says everything that is wrong; asks nobody.
    pub(crate) fn read(options: &Options, uri: Option<&Url>) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Vec::new();
        let mut rest = options.clone();
        let aws: AwsOptions = take_options(&mut rest, &mut errors);
        let requester: Requester = take_options(&mut rest, &mut errors);
        let own: S3Options = own_options(rest, &mut errors);
        let wrong = |(option, message): (&str, String)| ConfigError {
            option: Some(option.to_owned()),
            message,
        };
        errors.extend(aws.check().into_iter().map(wrong));
        errors.extend(requester.check().into_iter().map(wrong));
        if let Some(uri) = uri {
            let (others, why) = match is_playlist(uri) {
                true => (
                    &OF_PREFIXES[..],
                    "a playlist is read here, and no prefix listed",
                ),
                false => (
                    &OF_PLAYLISTS[..],
                    "a prefix is listed here, and no playlist read",
                ),
            };
            let given = others.iter().filter(|name| options.contains_key(**name));
            errors.extend(given.map(|name| wrong((*name, format!("of no use: {why}")))));
            let file = uri.path().rsplit('/').next().unwrap_or_default();
            if !is_playlist(uri) && file.contains('.') {
                let text = format!(
                    "\"{file}\" is one object; name a playlist (.m3u8) or a prefix of numbered objects \
                     (s3://bucket/prefix/)"
                );
                errors.push(wrong(("uri", text)));
            }
        }
        if let Some(queue) = &own.queue {
            if !(queue.starts_with("https://") || queue.starts_with("http://")) {
                let text = "the URL of a queue expected, such as \
                            https://sqs.eu-central-1.amazonaws.com/123456789012/chunks";
                errors.push(wrong(("queue", text.to_owned())));
            }
            if !own.follow {
                let text = "of no use without follow = true: what is there is read once";
                errors.push(wrong(("queue", text.to_owned())));
            }
        }
        match errors.is_empty() {
            true => Ok(S3Config {
                options: own,
                aws,
                requester,
            }),
            false => Err(errors),
        }
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

    pub(crate) fn access(&self) -> Access {
        let patience = Patience {
            timeout: self.options.timeout.std(),
            retries: self.options.retries,
        };
        Access::new(self.aws.clone(), self.requester.clone(), patience)
    }

    /// As a playlist is read.
    pub(crate) fn as_playlist(&self) -> HlsOptions {
        let options = self.options.clone();
        HlsOptions {
            variant: options.variant,
            cut_variant: options.cut_variant,
            audio: options.audio,
            start: options.start,
            reload: options.reload,
            stale_after: options.stale_after,
            finished_after: options.finished_after,
            late_window: options.late_window,
            missing_after: options.missing_after,
            timeout: options.timeout,
            retries: options.retries,
            max_bytes: options.max_bytes,
            ..HlsOptions::default()
        }
    }

    /// As a prefix is listed. An object appears when all of it is there.
    pub(crate) fn as_listing(&self) -> DirectoryOptions {
        let options = self.options.clone();
        let usual = match options.queue {
            Some(_) => TextDuration::seconds(30),
            None => TextDuration::seconds(2),
        };
        DirectoryOptions {
            prefix: options.prefix,
            extension: options.extension,
            follow: options.follow,
            finished_after: options.finished_after.unwrap_or(TextDuration::seconds(60)),
            stable_for: TextDuration::seconds(0),
            missing_after: options.missing_after,
            late_window: options.late_window,
            poll: options.poll.unwrap_or(usual),
            max_bytes: options.max_bytes,
        }
    }

    /// What is listed: a prefix without a slash at its end is meant with it.
    pub(crate) fn folder(uri: &Url) -> Result<S3Address, String> {
        let mut address = S3Address::of_uri(uri.as_str())?;
        if !address.key.is_empty() && !address.key.ends_with('/') {
            address.key.push('/');
        }
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(uri: &str, options: serde_json::Value) -> Result<S3Config, Vec<String>> {
        let uri = Url::parse(uri).unwrap();
        let read = S3Config::read(options.as_object().unwrap(), Some(&uri));
        read.map_err(|errors| {
            let line = |e: ConfigError| format!("{}: {}", e.option.unwrap_or_default(), e.message);
            errors.into_iter().map(line).collect()
        })
    }

    #[test]
    fn options_of_both_forms_and_of_aws() {
        let options = json!({
            "follow": true, "queue": "https://sqs.example/1/q", "region": "eu-central-1",
            "requester_pays": true,
        });
        let config = read("s3://b/live/", options).unwrap();
        assert_eq!(config.as_listing().poll, TextDuration::seconds(30));
        assert_eq!(config.aws.region.as_deref(), Some("eu-central-1"));
        assert!(config.requester.requester_pays);
        let config = read("s3://b/live/index.m3u8", json!({"variant": "lowest"})).unwrap();
        assert_eq!(config.as_playlist().variant, Variant::Lowest);
        let folder = |uri: &str| S3Config::folder(&Url::parse(uri).unwrap()).unwrap().key;
        assert_eq!([folder("s3://b/a%20b"), folder("s3://b")], ["a b/", ""]);
    }

    #[test]
    fn what_does_not_fit_the_form_is_said() {
        let errors = read("s3://b/x.m3u8", json!({"follow": true, "queue": "q"})).unwrap_err();
        let starts: Vec<_> = errors.iter().filter_map(|e| e.split_once(": ")).collect();
        assert_eq!(
            starts[0],
            (
                "follow",
                "of no use: a playlist is read here, and no prefix listed"
            )
        );
        assert_eq!(starts[1].0, "queue");
        assert!(
            starts[2].1.starts_with("the URL of a queue expected"),
            "{errors:?}"
        );
        let errors = read("s3://b/a/match.mp4", json!({"start": "live"})).unwrap_err();
        assert!(
            errors[0].starts_with("start: of no use: a prefix is listed"),
            "{errors:?}"
        );
        assert!(
            errors[1].starts_with("uri: \"match.mp4\" is one object"),
            "{errors:?}"
        );
    }
}
