//! How a source is configured: its type, its URI and its options. Reading a configuration opens
//! nothing; the comments of the options are their reference.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

use crate::describe::{Options, TextDuration, parse_options};
use crate::error::ConfigError;
use crate::fetch::FetchOptions;
#[cfg(feature = "kinesis_video")]
use crate::kinesis_video::KinesisVideoConfig;
#[cfg(feature = "medialive")]
use crate::medialive::MediaLiveConfig;
use crate::reach::Reach;
#[cfg(feature = "s3")]
use crate::s3::S3Config;
use crate::uri;

/// Which of the streams of a master playlist is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Variant {
    /// The one with the highest bandwidth.
    #[default]
    Highest,
    /// The one with the lowest bandwidth that has video.
    Lowest,
    /// The one with this size; of several, that with the highest bandwidth.
    Size(u64, u64),
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Variant::Highest => f.write_str("highest"),
            Variant::Lowest => f.write_str("lowest"),
            Variant::Size(width, height) => write!(f, "{width}x{height}"),
        }
    }
}

impl FromStr for Variant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "highest" => Ok(Variant::Highest),
            "lowest" => Ok(Variant::Lowest),
            size => size
                .split_once('x')
                .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)))
                .map(|(width, height)| Variant::Size(width, height))
                .ok_or_else(|| {
                    format!("\"{text}\" is not a variant; write highest, lowest or 1280x720")
                }),
        }
    }
}

impl Serialize for Variant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Variant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Where a live playlist is entered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LiveStart {
    /// At the oldest chunk that it offers.
    #[default]
    First,
    /// Three target durations before its end.
    Live,
}

/// Which separate audio is followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Audio {
    /// All of the variant's audio group.
    #[default]
    All,
    /// The one that players take by themselves.
    Default,
    /// None: only audio inside the chunks is heard.
    None,
    /// Those with these names.
    Names(Vec<String>),
}

/// `all`, `default` or `none`, or a list of names.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) enum AudioSchema {
    /// `all`, `default` or `none`.
    Word(AudioWord),
    /// Names of renditions.
    Names(Vec<String>),
}

/// Which separate audio is followed, in a word.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) enum AudioWord {
    /// All of the variant's audio group.
    All,
    /// The one that players take by themselves.
    Default,
    /// None.
    None,
}

impl Serialize for Audio {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Audio::All => serializer.serialize_str("all"),
            Audio::Default => serializer.serialize_str("default"),
            Audio::None => serializer.serialize_str("none"),
            Audio::Names(names) => names.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Audio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let value = serde_json::Value::deserialize(deserializer)?;
        match &value {
            serde_json::Value::String(text) => match text.as_str() {
                "all" => Ok(Audio::All),
                "default" => Ok(Audio::Default),
                "none" => Ok(Audio::None),
                other => Err(D::Error::custom(format!(
                    "\"{other}\" is not all, default or none; write names as a list: [\"{other}\"]"
                ))),
            },
            _ => serde_json::from_value(value)
                .map(Audio::Names)
                .map_err(|_| D::Error::custom("not all, default, none or a list of names")),
        }
    }
}

/// Options of an HLS source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HlsOptions {
    /// Which stream of a master playlist is read: highest or lowest bandwidth, or a size such as
    /// 1280x720.
    #[schemars(with = "String")]
    pub variant: Variant,
    /// Which stream of a master playlist clips are cut from, where it is not the one that is
    /// analysed: so that a small one is decoded and the best one delivered. A chunk without a
    /// counterpart in it is cut itself.
    #[schemars(with = "Option<String>")]
    pub cut_variant: Option<Variant>,
    /// Which separate audio playlists of the stream are followed: all of its group (each is an
    /// audio track, after those inside the chunks), default, none, or a list of names.
    #[schemars(with = "AudioSchema")]
    pub audio: Audio,
    /// Where a live playlist is entered: at its first chunk, or live, three target durations
    /// before its end.
    pub start: LiveStart,
    /// Whether parts of chunks that a low-latency playlist offers are chunks of their own: results
    /// come earlier, at the price of more and smaller chunks.
    pub parts: bool,
    /// Time between two loads of a live playlist. Without it: the target duration after a change,
    /// half of it after none.
    pub reload: Option<TextDuration>,
    /// A live playlist that gets no new chunk for so long ends the source with an error.
    pub stale_after: TextDuration,
    /// A live playlist that gets no new chunk for so long has ended. Without it only
    /// EXT-X-ENDLIST ends it.
    pub finished_after: Option<TextDuration>,
    /// How many chunks back one that changed, or that comes after it was declared missing, is still
    /// taken.
    pub late_window: u64,
    /// When live: a chunk that the playlist lists and the server does not have yet is asked for
    /// again for so long.
    pub missing_after: TextDuration,
    /// Time limit of one request.
    pub timeout: TextDuration,
    /// How often a request that failed for a reason that may pass is sent again.
    pub retries: u32,
    /// A chunk larger than this is refused, in bytes.
    pub max_bytes: u64,
    /// Whether a playlist that cannot be loaded is no silence that `finished_after` counts. No spec sets it.
    #[serde(skip)]
    #[schemars(skip)]
    pub only_heard: bool,
}

impl Default for HlsOptions {
    fn default() -> Self {
        let fetch = FetchOptions::default();
        HlsOptions {
            variant: Variant::Highest,
            cut_variant: None,
            audio: Audio::All,
            parts: false,
            start: LiveStart::First,
            reload: None,
            stale_after: TextDuration::seconds(60),
            finished_after: None,
            late_window: 20,
            missing_after: fetch.missing_after,
            timeout: fetch.timeout,
            retries: fetch.retries,
            max_bytes: fetch.max_bytes,
            only_heard: false,
        }
    }
}

/// Options of a directory source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DirectoryOptions {
    /// What stands before the number in the names of the files. Needed when the directory holds
    /// several series.
    pub prefix: Option<String>,
    /// Extension of the files, without the dot.
    pub extension: String,
    /// Whether files are still being written: wait for more.
    pub follow: bool,
    /// When following: no new file for so long is the end. A playlist in the directory that says
    /// EXT-X-ENDLIST ends it at once.
    pub finished_after: TextDuration,
    /// When following: a file is complete when the next one is there, or when its size has not
    /// changed for so long.
    pub stable_for: TextDuration,
    /// When following: a number that was passed over is awaited for so long.
    pub missing_after: TextDuration,
    /// How many chunks back a file that changed, or that comes after it was declared missing, is still
    /// taken.
    pub late_window: u64,
    /// When following: time between two looks at the directory.
    pub poll: TextDuration,
    /// A file larger than this is refused, in bytes.
    pub max_bytes: u64,
}

impl Default for DirectoryOptions {
    fn default() -> Self {
        DirectoryOptions {
            prefix: None,
            extension: "ts".into(),
            follow: false,
            finished_after: TextDuration::seconds(30),
            stable_for: TextDuration::seconds(2),
            missing_after: TextDuration::seconds(10),
            late_window: 20,
            poll: TextDuration(matchcut_model::time::MediaTime::from_millis(500)),
            max_bytes: FetchOptions::default().max_bytes,
        }
    }
}

/// Options of a file source: it has none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FileOptions {}

/// The type of a source with its options.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceKind {
    /// `hls`
    Hls(HlsOptions),
    /// `directory`
    Directory(DirectoryOptions),
    /// `file`
    File(FileOptions),
    /// `s3`
    #[cfg(feature = "s3")]
    S3(Box<S3Config>),
    /// `medialive`
    #[cfg(feature = "medialive")]
    MediaLive(Box<MediaLiveConfig>),
    /// `kinesis_video`
    #[cfg(feature = "kinesis_video")]
    KinesisVideo(Box<KinesisVideoConfig>),
}

/// A source as a spec declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceConfig {
    /// Its name in the spec.
    pub name: String,
    /// Where it is.
    pub uri: Url,
    /// What it is.
    pub kind: SourceKind,
    /// What may be reached for it: everything, unless somebody says otherwise. No spec sets it.
    pub reach: Reach,
}

impl SourceConfig {
    /// Reads a configuration; relative paths are relative to `base`. Reports everything that is
    /// wrong; opens nothing.
    pub fn new(
        name: &str,
        kind: &str,
        uri: &str,
        base: &Path,
        options: &Options,
    ) -> Result<Self, Vec<ConfigError>> {
        let located = uri::locate(uri, base);
        let kind = match kind {
            "hls" => parse_options(options).map(SourceKind::Hls),
            "directory" => parse_options(options).map(SourceKind::Directory),
            "file" => parse_options(options).map(SourceKind::File),
            #[cfg(feature = "s3")]
            "s3" => {
                let uri = located.as_ref().ok().filter(|uri| uri.scheme() == "s3");
                S3Config::read(options, uri).map(|config| SourceKind::S3(Box::new(config)))
            }
            #[cfg(feature = "medialive")]
            "medialive" => {
                let uri = located.as_ref().ok().filter(|uri| uri.scheme() == "s3");
                let config = MediaLiveConfig::read(options, uri);
                config.map(|config| SourceKind::MediaLive(Box::new(config)))
            }
            #[cfg(feature = "kinesis_video")]
            "kinesis_video" => KinesisVideoConfig::read(options)
                .map(|config| SourceKind::KinesisVideo(Box::new(config))),
            other => Err(vec![ConfigError {
                option: Some("type".into()),
                message: format!("\"{other}\" is not a source type; there are {}", names()),
            }]),
        };
        let located = located.and_then(|url| match kind.as_ref().map(|kind| kind.schemes()) {
            Ok(schemes) if !schemes.contains(&url.scheme()) => Err(refused(schemes, url.scheme())),
            _ => Ok(url),
        });
        let located = located.map_err(|message| ConfigError {
            option: Some("uri".into()),
            message: format!("\"{uri}\": {message}"),
        });
        match (kind, located) {
            (Ok(kind), Ok(uri)) => Ok(SourceConfig {
                name: name.into(),
                uri,
                kind,
                reach: Reach::everything(),
            }),
            (kind, located) => Err(kind
                .err()
                .into_iter()
                .flatten()
                .chain(located.err())
                .collect()),
        }
    }

    /// How the chunks of this source are fetched.
    pub fn fetch_options(&self) -> FetchOptions {
        match &self.kind {
            SourceKind::Hls(options) => FetchOptions {
                timeout: options.timeout,
                retries: options.retries,
                missing_after: options.missing_after,
                max_bytes: options.max_bytes,
                ..FetchOptions::default()
            },
            SourceKind::Directory(options) => FetchOptions {
                max_bytes: options.max_bytes,
                ..FetchOptions::default()
            },
            SourceKind::File(_) => FetchOptions::default(),
            #[cfg(feature = "s3")]
            SourceKind::S3(config) => config.fetch_options(),
            #[cfg(feature = "medialive")]
            SourceKind::MediaLive(config) => config.fetch_options(),
            #[cfg(feature = "kinesis_video")]
            SourceKind::KinesisVideo(config) => config.fetch_options(),
        }
    }
}

impl SourceKind {
    /// The schemes that its `uri` may have.
    fn schemes(&self) -> &'static [&'static str] {
        match self {
            SourceKind::Hls(_) => &["http", "https", "file"],
            SourceKind::Directory(_) | SourceKind::File(_) => &["file"],
            #[cfg(feature = "s3")]
            SourceKind::S3(_) => &["s3"],
            #[cfg(feature = "medialive")]
            SourceKind::MediaLive(_) => &["s3"],
            #[cfg(feature = "kinesis_video")]
            SourceKind::KinesisVideo(_) => &["kvs"],
        }
    }
}

/// Why an address of another scheme cannot be read.
fn refused(schemes: &[&str], scheme: &str) -> String {
    match scheme {
        _ if schemes == ["s3"] => "an address as s3://bucket/prefix/ expected".into(),
        _ if schemes == ["kvs"] => "a stream as kvs://NAME expected".into(),
        "s3" => "objects of S3 are read by a source of type \"s3\"".into(),
        "kvs" => "streams of Kinesis Video are read by a source of type \"kinesis_video\"".into(),
        _ => "only files can be read by this source; serve it as HLS, or download it".into(),
    }
}

/// The types that there are.
fn names() -> String {
    let mut names: Vec<&str> = crate::source_types().iter().map(|kind| kind.name).collect();
    let last = names.pop().unwrap_or_default();
    format!("{} and {last}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(kind: &str, uri: &str, options: serde_json::Value) -> Result<SourceConfig, String> {
        let options = options.as_object().unwrap().clone();
        SourceConfig::new("court", kind, uri, Path::new("/specs"), &options).map_err(|errors| {
            let line = |e: &ConfigError| format!("{}: {e}\n", e.option.as_deref().unwrap_or("-"));
            errors.iter().map(line).collect()
        })
    }

    #[test]
    fn options_have_defaults_and_units() {
        let options = json!({"variant": "1280x720", "stale_after": "1m30s", "reload": 2});
        let config = read("hls", "court/index.m3u8", options).unwrap();
        assert_eq!(config.uri.as_str(), "file:///specs/court/index.m3u8");
        let SourceKind::Hls(options) = config.kind else {
            panic!("{:?}", config.kind)
        };
        assert_eq!(options.variant, Variant::Size(1280, 720));
        assert_eq!(options.stale_after, TextDuration::seconds(90));
        assert_eq!(options.reload, Some(TextDuration::seconds(2)));
        assert_eq!(options.retries, 3);
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let options = json!({"variant": "big", "retrys": 1, "timeout": "-3s"});
        let errors = read("hls", "rtmp://x/y", options).unwrap_err();
        let lines: Vec<_> = errors.lines().collect();
        assert_eq!(lines.len(), 4, "{errors}");
        assert!(
            lines[0].starts_with("variant: \"big\" is not a variant"),
            "{errors}"
        );
        assert!(
            lines[1].starts_with("retrys: unknown field `retrys`"),
            "{errors}"
        );
        assert!(
            lines[2].starts_with("timeout: \"-3s\" is not a duration"),
            "{errors}"
        );
        assert!(
            lines[3].starts_with("uri: \"rtmp://x/y\": \"rtmp\" is not a scheme"),
            "{errors}"
        );
        let errors = read("file", "https://x/y.mp4", json!({})).unwrap_err();
        assert!(
            errors.starts_with("uri: \"https://x/y.mp4\": only files"),
            "{errors}"
        );
        let errors = read("hsl", "x", json!({})).unwrap_err();
        assert!(
            errors.starts_with("type: \"hsl\" is not a source type"),
            "{errors}"
        );
    }

    #[test]
    fn every_option_is_documented() {
        for source in crate::source_types() {
            for option in source.options {
                let name = format!("{}.{}", source.name, option.name);
                assert!(
                    option.description.ends_with('.'),
                    "{name}: {}",
                    option.description
                );
            }
        }
        let hls = &crate::source_types()[0];
        let stale = hls
            .options
            .iter()
            .find(|o| o.name == "stale_after")
            .unwrap();
        assert_eq!(stale.default, json!("60s"));
    }
}
