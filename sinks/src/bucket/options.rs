//! Options of an `s3` sink, as they stand in a spec.

use std::collections::BTreeMap;
use std::time::Duration;

use matchcut_aws::s3::{Encryption, Requester};
use matchcut_aws::{AwsOptions, Patience, S3Address};
use matchcut_model::time::MediaTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::edl::EdlStyle;
use crate::export::{ExportFormat, Link};

/// Classes of storage, as AWS names them.
const CLASSES: [&str; 11] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "OUTPOSTS",
    "GLACIER_IR",
    "SNOW",
    "EXPRESS_ONEZONE",
];

/// An object has at most so many tags.
const MAX_TAGS: usize = 10;

/// Options of the `s3` sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BucketOptions {
    /// Where results go: `s3://BUCKET/PREFIX`. `{program}`, `{event}` and `{sink}` stand for names, in which
    /// everything but letters, digits, `.`, `_` and `-` becomes `_`.
    pub uri: String,
    /// Whether chunks of the source that playlists name are copied beside them, so that the bucket alone can be
    /// played. Without it playlists name chunks where they lie.
    pub copy_chunks: bool,
    /// Whether what no longer holds (retracted clips, old versions of playlists) is removed from the bucket.
    pub remove: bool,
    /// `Cache-Control` of what never changes under its name: copied chunks and versions of playlists.
    pub cache_control: String,
    /// `Cache-Control` of everything else.
    pub cache_control_latest: String,
    /// The class of storage, in AWS's words: STANDARD_IA, INTELLIGENT_TIERING and so on.
    pub storage_class: Option<String>,
    /// How objects are encrypted: as the bucket is set to, with keys of `s3` (AES256), or with one of `kms`.
    pub encryption: Encryption,
    /// The key of KMS by id, ARN or alias; that of the account where nothing is said.
    pub kms_key: Option<String>,
    /// Tags of all objects. Rules of the bucket can act on them, as to let objects expire.
    pub tags: BTreeMap<String, String>,
    /// Objects that are written at the same time.
    #[schemars(range(min = 1, max = 64))]
    pub parallel: u32,
    /// How long the end of a run waits for a bucket that cannot be reached.
    #[serde(with = "matchcut_model::duration_text")]
    #[schemars(with = "String")]
    pub drain: MediaTime,
    /// Time limit of one request.
    #[serde(with = "matchcut_model::duration_text")]
    #[schemars(with = "String")]
    pub timeout: MediaTime,
    /// How often a request that failed for a reason that may pass is sent again at once, with pauses that
    /// double; then the sink is left alone for a while, and begins again.
    pub retries: u32,
    /// The forms that results are written in; those of `[pipeline]` where nothing is said.
    pub exports: Option<Vec<ExportFormat>>,
    /// For which editor edit decision lists are written; as `[pipeline]` says where nothing is said.
    pub edl_style: Option<EdlStyle>,
    /// What the clips of OpenTimelineIO and Final Cut Pro XML refer to; as `[pipeline]` says where
    /// nothing is said.
    pub export_media: Option<Link>,
    /// The region, as `eu-central-1`. Without it that of the environment (AWS_REGION), of the profile or of
    /// the machine.
    pub region: Option<String>,
    /// Address of a server that speaks as S3 does, as `http://localhost:9000`. Without it
    /// AWS_ENDPOINT_URL, or else AWS itself.
    pub endpoint: Option<String>,
    /// The profile of `~/.aws/config` and `~/.aws/credentials`. Without it AWS_PROFILE, or else `default`.
    pub profile: Option<String>,
    /// Whether the name of the bucket stands in the path of an address instead of in front of its host.
    /// Without it that is so where `endpoint` is set.
    pub path_style: Option<bool>,
    /// Whether who asks pays, as buckets of the kind "requester pays" want it.
    pub requester_pays: bool,
    /// The account that must own the bucket, 12 digits: a bucket of somebody else is refused.
    pub expected_owner: Option<String>,
}

impl Default for BucketOptions {
    fn default() -> Self {
        BucketOptions {
            uri: String::new(),
            copy_chunks: true,
            remove: true,
            cache_control: "public, max-age=31536000, immutable".to_owned(),
            cache_control_latest: "no-cache".to_owned(),
            storage_class: None,
            encryption: Encryption::default(),
            kms_key: None,
            tags: BTreeMap::new(),
            parallel: 4,
            drain: MediaTime::from_seconds(60),
            timeout: MediaTime::from_seconds(60),
            retries: 3,
            exports: None,
            edl_style: None,
            export_media: None,
            region: None,
            endpoint: None,
            profile: None,
            path_style: None,
            requester_pays: false,
            expected_owner: None,
        }
    }
}

/// What is wrong with an option.
pub type BucketError = (&'static str, String);

impl BucketOptions {
    /// What is wrong, by option. Opens nothing.
    pub fn problems(&self) -> Vec<BucketError> {
        let mut wrong = Vec::new();
        let mut say = |option, text: &str| wrong.push((option, text.to_owned()));
        match S3Address::parse(&self.uri) {
            Err(_) if self.uri.is_empty() => {
                say("uri", "s3://BUCKET/PREFIX expected, this is not said");
            }
            Err(error) => say("uri", &format!("s3://BUCKET/PREFIX expected: {error}")),
            Ok(address) => {
                if let Some(name) = unknown_place(&address.key) {
                    let text = "is not known; {program}, {event} and {sink} are";
                    say("uri", &format!("{{{name}}} {text}"));
                }
                if address.bucket.contains(['{', '}']) {
                    say("uri", "the bucket is to be named as it is");
                }
            }
        }
        if let Some(class) = &self.storage_class
            && !CLASSES.contains(&class.as_str())
        {
            let known = CLASSES.join(", ");
            say(
                "storage_class",
                &format!("\"{class}\" is not a class of storage; there are {known}"),
            );
        }
        if self.kms_key.is_some() && self.encryption != Encryption::Kms {
            say("kms_key", "needs encryption = \"kms\"");
        }
        if self.tags.len() > MAX_TAGS {
            say("tags", "an object has at most 10 tags");
        }
        if self.tags.iter().any(|(key, value)| {
            key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256
        }) {
            say(
                "tags",
                "a tag has a name of 1 to 128 and a value of at most 256 characters",
            );
        }
        let fits = |c: char| c.is_alphanumeric() || " +-=._:/@".contains(c);
        let texts = self.tags.iter().flat_map(|(key, value)| [key, value]);
        for text in texts.filter(|text| !text.chars().all(fits)) {
            say(
                "tags",
                &format!("\"{text}\": letters, digits, spaces and + - = . _ : / @ expected"),
            );
        }
        for (option, value) in [
            ("cache_control", &self.cache_control),
            ("cache_control_latest", &self.cache_control_latest),
        ] {
            if !value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
                say(option, "the value of a header expected, in ASCII");
            }
        }
        if !(1..=64).contains(&self.parallel) {
            say("parallel", "1 to 64 expected");
        }
        if self.timeout <= MediaTime::ZERO {
            say("timeout", "a time above 0 expected");
        }
        wrong.extend(self.aws().check());
        wrong.extend(self.requester().check());
        wrong
    }

    /// Where everything of an event goes. Ends with a slash unless it is the whole bucket.
    pub fn prefix(&self, program: &str, event: &str, sink: &str) -> Result<S3Address, String> {
        let address = S3Address::parse(&self.uri)?;
        let named = |text: &str| crate::files::safe_file_name(text);
        let mut key = address
            .key
            .replace("{program}", &named(program))
            .replace("{event}", &named(event))
            .replace("{sink}", &named(sink));
        if !key.is_empty() && !key.ends_with('/') {
            key.push('/');
        }
        Ok(address.at(key))
    }

    /// How AWS is reached.
    pub fn aws(&self) -> AwsOptions {
        AwsOptions {
            region: self.region.clone(),
            endpoint: self.endpoint.clone(),
            profile: self.profile.clone(),
            path_style: self.path_style,
            keys: None,
        }
    }

    /// As whom the bucket is written.
    pub fn requester(&self) -> Requester {
        Requester {
            requester_pays: self.requester_pays,
            expected_owner: self.expected_owner.clone(),
        }
    }

    /// Limits of requests.
    pub fn patience(&self) -> Patience {
        Patience {
            timeout: duration(self.timeout),
            retries: self.retries,
        }
    }

    /// How long the end of a run waits.
    pub fn drain(&self) -> Duration {
        duration(self.drain)
    }
}

fn duration(time: MediaTime) -> Duration {
    Duration::from_micros(time.to_ticks(1_000_000).unsigned_abs())
}

/// A placeholder that stands for nothing.
fn unknown_place(key: &str) -> Option<&str> {
    let places = key.split('{').skip(1);
    let mut names = places.map(|rest| rest.split('}').next().unwrap_or(rest));
    names.find(|name| !["program", "event", "sink"].contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(json: &str) -> BucketOptions {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_cannot_be_is_told_by_option() {
        let wrong = options(
            r#"{"uri": "s3://media/{programme}/", "storage_class": "COLD", "kms_key": "alias/a",
                "tags": {"": "x", "a": "b&c"}, "parallel": 0, "region": "eu central", "expected_owner": "1"}"#,
        );
        let found: Vec<_> = wrong.problems().into_iter().map(|(at, _)| at).collect();
        let expected = [
            "uri",
            "storage_class",
            "kms_key",
            "tags",
            "tags",
            "parallel",
            "region",
            "expected_owner",
        ];
        assert_eq!(found, expected);
        assert_eq!(
            wrong.problems()[0].1,
            "{programme} is not known; {program}, {event} and {sink} are"
        );
        assert_eq!(
            BucketOptions::default().problems(),
            [(
                "uri",
                "s3://BUCKET/PREFIX expected, this is not said".to_owned()
            )]
        );
        assert_eq!(options(r#"{"uri": "s3://media"}"#).problems(), []);
    }

    #[test]
    fn names_stand_in_keys_safely() {
        let at = |uri: &str| {
            let options = options(&format!(r#"{{"uri": "{uri}"}}"#));
            let prefix = options.prefix("US Open", "../Final", "bucket");
            prefix.unwrap().to_string()
        };
        assert_eq!(at("s3://m/{program}/{event}"), "s3://m/US_Open/_Final/");
        assert_eq!(at("s3://m/a/"), "s3://m/a/");
        assert_eq!(at("s3://m"), "s3://m/");
        assert_eq!(at("s3://m/{sink}-{event}"), "s3://m/bucket-_Final/");
    }
}
