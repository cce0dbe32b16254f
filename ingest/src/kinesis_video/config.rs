//! Options of a `kinesis_video` source.

use jiff::Timestamp;
use matchcut_aws::kinesis_video::Stream;
use matchcut_aws::{AwsOptions, Patience};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::address;
use crate::config::{HlsOptions, LiveStart};
use crate::describe::{OptionSpec, Options, TextDuration, options_of, own_options, take_options};
use crate::error::ConfigError;
use crate::fetch::FetchOptions;

/// The shortest and the longest life of a session, in seconds.
const SESSION: (i64, i64) = (300, 43_200);

/// The most fragments that a playlist can have.
pub(super) const MOST_FRAGMENTS: u32 = 5000;

/// What is played of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Playback {
    /// What is ingested now.
    #[default]
    Live,
    /// What was ingested from a time on, at the pace at which it was, and then what is ingested now.
    LiveReplay,
    /// What was ingested between two times.
    OnDemand,
}

/// How fragments come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// In sessions of HLS.
    #[default]
    Hls,
    /// As they were ingested, in Matroska (GetMedia).
    Media,
}

/// Whose clock counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Timestamps {
    /// The producer's.
    #[default]
    Producer,
    /// The service's.
    Server,
}

/// How chunks of HLS are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Packing {
    /// Fragmented MP4.
    #[default]
    FragmentedMp4,
    /// MPEG-2 transport stream.
    MpegTs,
}

/// Options of a `kinesis_video` source, without those of AWS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KinesisVideoOptions {
    /// What is played: live, live_replay from a time on, or on_demand between two times.
    pub playback: Playback,
    /// How fragments come: hls, in sessions that are renewed, or media, as the producer sent them.
    pub delivery: Delivery,
    /// Whose clock dates fragments and selects them: producer or server.
    pub timestamps: Timestamps,
    /// The first moment that is played, as `2026-06-06T14:00:00Z`. Needed for live_replay and on_demand.
    pub from: Option<String>,
    /// The last moment: a fragment that begins later is not played. Needed for on_demand.
    pub to: Option<String>,
    /// Of hls: how chunks are packed, fragmented_mp4 or mpeg_ts.
    pub container: Packing,
    /// Of hls: how long a session lives, 5 minutes to 12 hours. It is renewed before it ends.
    pub session: TextDuration,
    /// Of hls: how many fragments a live playlist shows. What slides out of it while nobody looks is read from
    /// what the stream keeps.
    pub fragments: u32,
    /// Address of a server that gives sessions and media as Kinesis Video does. Without it the one that the
    /// service names for the stream.
    pub data_endpoint: Option<String>,
    /// Of hls: time between two loads of a live playlist. Without it: the target duration after a change, half
    /// of it after none.
    pub reload: Option<TextDuration>,
    /// A live stream that gets no new fragment for so long ends the source with an error.
    pub stale_after: TextDuration,
    /// A live stream that gets no new fragment for so long has ended. Streams do not say that they end.
    pub finished_after: Option<TextDuration>,
    /// Time limit of one request, and of a stream of media that says nothing.
    pub timeout: TextDuration,
    /// How often a request that failed for a reason that may pass is sent again, with pauses that double.
    pub retries: u32,
    /// A fragment larger than this is refused, in bytes.
    pub max_bytes: u64,
}

impl Default for KinesisVideoOptions {
    fn default() -> Self {
        let hls = HlsOptions::default();
        KinesisVideoOptions {
            playback: Playback::Live,
            delivery: Delivery::Hls,
            timestamps: Timestamps::Producer,
            from: None,
            to: None,
            container: Packing::FragmentedMp4,
            session: TextDuration::seconds(3600),
            fragments: 10,
            data_endpoint: None,
            reload: None,
            stale_after: TextDuration::seconds(300),
            finished_after: None,
            timeout: hls.timeout,
            retries: hls.retries,
            max_bytes: hls.max_bytes,
        }
    }
}

/// A `kinesis_video` source as it is configured.
#[derive(Clone, Debug, PartialEq)]
pub struct KinesisVideoConfig {
    /// Its own options.
    pub options: KinesisVideoOptions,
    /// How AWS is reached.
    pub aws: AwsOptions,
    /// The first moment that is played, in milliseconds since the Unix epoch.
    pub from: Option<i64>,
    /// The last one.
    pub to: Option<i64>,
}

/// The options of the type, for its description.
pub(crate) fn options() -> Vec<OptionSpec> {
    let mut options = options_of::<KinesisVideoOptions>();
    options.extend(options_of::<AwsOptions>());
    options
}

impl KinesisVideoConfig {
    /// Reads the options of a source. Says everything that is wrong; asks nobody.
    pub(crate) fn read(options: &Options) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Vec::new();
        let mut rest = options.clone();
        let aws: AwsOptions = take_options(&mut rest, &mut errors);
        let own: KinesisVideoOptions = own_options(rest, &mut errors);
        let mut wrong = |option: &str, message: &str| {
            errors.push(ConfigError {
                option: Some(option.to_owned()),
                message: message.to_owned(),
            });
        };
        for (option, message) in aws.check() {
            wrong(option, &message);
        }
        let mut time = |option: &str, text: &Option<String>| {
            let text = text.as_deref()?;
            match text.trim().parse::<Timestamp>() {
                Ok(at) => Some(at.as_millisecond()),
                Err(_) => {
                    wrong(option, "a time expected, as 2026-06-06T14:00:00Z");
                    None
                }
            }
        };
        let (from, to) = (time("from", &own.from), time("to", &own.to));
        let live = own.playback == Playback::Live;
        if live && own.from.is_some() {
            wrong(
                "from",
                "of no use: what is live begins now; live_replay begins earlier",
            );
        }
        if !live && own.from.is_none() {
            wrong("from", "needed: the first moment that is played");
        }
        if own.playback == Playback::OnDemand && own.to.is_none() {
            wrong("to", "needed: the last moment that is played");
        }
        if live && own.to.is_some() {
            wrong("to", "of no use: what is live goes on");
        }
        if from.zip(to).is_some_and(|(from, to)| to <= from) {
            wrong("to", "it must be later than \"from\"");
        }
        let seconds = own.session.0.to_ticks(1);
        if !(SESSION.0..=SESSION.1).contains(&seconds) {
            wrong("session", "5m to 12h expected");
        }
        if !(3..=MOST_FRAGMENTS).contains(&own.fragments) {
            wrong("fragments", "3 to 5000 expected");
        }
        if own.delivery == Delivery::Media {
            for option in ["container", "session", "fragments", "reload"] {
                if options.contains_key(option) {
                    wrong(
                        option,
                        "of no use: media come as the producer sent them, without sessions",
                    );
                }
            }
        }
        let address = |text: &str| {
            let rest = text
                .strip_prefix("https://")
                .or(text.strip_prefix("http://"));
            rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', ' ', '?']))
        };
        if own
            .data_endpoint
            .as_deref()
            .is_some_and(|text| !address(text))
        {
            wrong(
                "data_endpoint",
                "an http or https address expected, such as http://localhost:9000",
            );
        }
        match errors.is_empty() {
            true => Ok(KinesisVideoConfig {
                options: own,
                aws,
                from,
                to,
            }),
            false => Err(errors),
        }
    }

    /// The stream at an address.
    pub(super) fn stream(&self, url: &Url) -> Stream {
        let patience = Patience {
            timeout: self.options.timeout.std(),
            retries: self.options.retries,
        };
        let what = format!("stream {} of Kinesis Video", address::name_of(url));
        let endpoint = self.options.data_endpoint.clone();
        Stream::new(
            self.aws.clone(),
            patience,
            address::stream_of(url),
            &what,
            endpoint,
        )
    }

    /// How its chunks are fetched.
    pub(crate) fn fetch_options(&self) -> FetchOptions {
        FetchOptions {
            timeout: self.options.timeout,
            retries: self.options.retries,
            max_bytes: self.options.max_bytes,
            ..FetchOptions::default()
        }
    }

    /// As the playlist that is made of its sessions is read.
    pub(crate) fn as_playlist(&self) -> HlsOptions {
        let options = self.options.clone();
        HlsOptions {
            start: LiveStart::First,
            reload: options.reload,
            stale_after: options.stale_after,
            finished_after: options.finished_after,
            timeout: options.timeout,
            retries: options.retries,
            max_bytes: options.max_bytes,
            only_heard: true,
            ..HlsOptions::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wrong(options: serde_json::Value) -> Vec<String> {
        let errors = KinesisVideoConfig::read(options.as_object().unwrap()).unwrap_err();
        errors
            .into_iter()
            .filter_map(|error| error.option)
            .collect()
    }

    #[test]
    fn times_fit_what_is_played() {
        let options = json!({
            "playback": "on_demand", "from": "2026-06-06T14:00:00Z", "to": "2026-06-06T16:00:00.5+01:00",
        });
        let config = KinesisVideoConfig::read(options.as_object().unwrap()).unwrap();
        let (from, to) = (config.from.unwrap(), config.to.unwrap());
        assert_eq!(to - from, 3_600_500);
        assert_eq!(
            wrong(json!({"playback": "live", "from": "2026-06-06T14:00:00Z"})),
            ["from"]
        );
        assert_eq!(wrong(json!({"playback": "live_replay"})), ["from"]);
        assert_eq!(wrong(json!({"playback": "on_demand"})), ["from", "to"]);
        let turned = json!({
            "playback": "on_demand", "from": "2026-06-06T14:00:00Z", "to": "2026-06-06T14:00:00Z",
        });
        assert_eq!(wrong(turned), ["to"]);
    }

    #[test]
    fn everything_wrong_is_said() {
        let options = json!({
            "delivery": "media", "session": "1m", "fragments": 2, "data_endpoint": "ftp://x", "region": " ",
        });
        let expected = [
            "region",
            "session",
            "fragments",
            "session",
            "fragments",
            "data_endpoint",
        ];
        assert_eq!(wrong(options), expected);
        assert_eq!(
            wrong(json!({"playback": "then", "stream": "x"})),
            ["playback", "stream"]
        );
    }
}
