//! Options of the `mediaconvert` sink, as they stand in a spec.

use std::collections::BTreeMap;
use std::time::Duration;

use matchcut_aws::{AwsOptions, S3Address};
use matchcut_model::time::MediaTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::resolution::Resolution;

/// Whether MediaConvert divides a job among several machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Acceleration {
    /// No.
    #[default]
    Disabled,
    /// Where the job allows it.
    Preferred,
    /// Yes; a job that does not allow it fails.
    Enabled,
}

impl Acceleration {
    pub(super) fn mode(self) -> &'static str {
        match self {
            Acceleration::Disabled => "DISABLED",
            Acceleration::Preferred => "PREFERRED",
            Acceleration::Enabled => "ENABLED",
        }
    }
}

/// What videos are written as.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One file.
    Mp4,
    /// HLS: a master playlist, and a playlist with chunks of 10 s for each size.
    Hls,
}

/// Options of the `mediaconvert` sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MediaConvertOptions {
    /// Where outputs go: `s3://bucket/prefix/`. Below it each event has a directory.
    pub destination: String,
    /// The role that MediaConvert reads chunks and writes outputs as: `arn:aws:iam::123456789012:role/NAME`.
    pub role: String,
    /// The queue, by name or ARN; the default queue of the account where nothing is said.
    pub queue: Option<String>,
    /// The job template, by name or ARN. It gives what jobs do not say themselves.
    pub job_template: Option<String>,
    /// Whether a job is divided among several machines, which costs more.
    pub acceleration: Acceleration,
    /// The place of jobs in their queue: those with greater numbers first.
    #[schemars(range(min = -50, max = 50))]
    pub priority: i32,
    /// Tags of jobs. Costs are told by them.
    pub tags: BTreeMap<String, String>,
    /// Sizes of the videos, all made by one job: `4K`, `2K`, `16:9`, `1:1`, `4:5`, `9:16`, `720p`, `480p`, `360p`.
    /// Without any, the `resolution` of the replay's `render`, or else the size of the source.
    pub resolutions: Vec<String>,
    /// What videos are written as.
    pub formats: Vec<Format>,
    /// Whether a picture of the middle is made of each.
    pub thumbnails: bool,
    /// Quality level of QVBR, larger is better; that of the size where nothing is said.
    #[schemars(range(min = 1, max = 10))]
    pub quality: Option<u32>,
    /// Where chunks lie in S3 that are read from elsewhere: beginnings of addresses, and what stands there instead,
    /// as `{ "https://cdn.example.com/cup/" = "s3://media/cup/" }`.
    pub media: BTreeMap<String, String>,
    /// The URL of an SQS queue to which EventBridge brings the state changes of jobs. Without it jobs are asked for.
    pub queue_events: Option<String>,
    /// How soon a job is asked for how far it is; each time it takes a half longer, up to ten times that.
    #[serde(with = "matchcut_model::duration_text")]
    #[schemars(with = "String")]
    pub poll: MediaTime,
    /// Jobs that are with MediaConvert at a time.
    #[schemars(range(min = 1, max = 500))]
    pub in_flight: u32,
    /// How long the end of a run waits for jobs.
    #[serde(with = "matchcut_model::duration_text")]
    #[schemars(with = "String")]
    pub drain: MediaTime,
    /// US dollars for a normalized minute, to estimate costs.
    pub price: f64,
    /// The region, as `eu-central-1`. Without it that of the environment (AWS_REGION), of the profile or of the machine.
    pub region: Option<String>,
    /// The profile of `~/.aws/config` and `~/.aws/credentials`. Without it AWS_PROFILE, or else `default`.
    pub profile: Option<String>,
    /// Address of a server that speaks as MediaConvert does. Without it AWS_ENDPOINT_URL_MEDIACONVERT, or else AWS
    /// itself.
    pub endpoint: Option<String>,
}

impl Default for MediaConvertOptions {
    fn default() -> Self {
        MediaConvertOptions {
            destination: String::new(),
            role: String::new(),
            queue: None,
            job_template: None,
            acceleration: Acceleration::default(),
            priority: 0,
            tags: BTreeMap::new(),
            resolutions: Vec::new(),
            formats: vec![Format::Mp4],
            thumbnails: true,
            quality: None,
            media: BTreeMap::new(),
            queue_events: None,
            poll: MediaTime::from_seconds(5),
            in_flight: 20,
            drain: MediaTime::from_seconds(3600),
            price: 0.0075,
            region: None,
            profile: None,
            endpoint: None,
        }
    }
}

impl MediaConvertOptions {
    /// What is wrong: the option, and why.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut wrong: Vec<(&'static str, String)> = Vec::new();
        match S3Address::parse(&self.destination) {
            _ if self.destination.is_empty() => wrong.push((
                "destination",
                "is needed: where outputs go, as s3://bucket/prefix/".to_owned(),
            )),
            Err(message) => wrong.push(("destination", message)),
            Ok(_) if self.destination.contains('$') => {
                let text = "what stands behind a \"$\" is filled in by MediaConvert; use no \"$\"";
                wrong.push(("destination", text.to_owned()));
            }
            Ok(_) => {}
        }
        let is_role = self.role.starts_with("arn:") && self.role.contains(":role/");
        if !is_role {
            let text = "the ARN of the role that MediaConvert works as is needed: \
                        arn:aws:iam::123456789012:role/NAME";
            wrong.push(("role", text.to_owned()));
        }
        let mut seen: Vec<&'static str> = Vec::new();
        for name in &self.resolutions {
            match Resolution::named(name) {
                None => wrong.push((
                    "resolutions",
                    format!(
                        "\"{name}\" is no resolution; there are 4K, 2K, 16:9, 1:1, 4:5, 9:16, 720p, 480p and 360p"
                    ),
                )),
                Some(known) if seen.contains(&known.name) => {
                    wrong.push(("resolutions", format!("\"{}\" stands there twice", known.name)));
                }
                Some(known) => seen.push(known.name),
            }
        }
        if self.formats.is_empty() {
            wrong.push(("formats", "at least one of \"mp4\" and \"hls\"".to_owned()));
        }
        for (from, to) in &self.media {
            if let Err(message) = S3Address::parse(to) {
                wrong.push(("media", format!("\"{from}\": {message}")));
            }
            if from.contains(['?', '#']) || !from.contains("://") {
                let text = format!(
                    "\"{from}\" is no beginning of an address; write for example https://cdn.example.com/cup/"
                );
                wrong.push(("media", text));
            }
        }
        if let Some(url) = &self.queue_events
            && !(url.starts_with("https://") || url.starts_with("http://"))
        {
            let text =
                "the URL of an SQS queue expected, https://sqs.REGION.amazonaws.com/ACCOUNT/NAME";
            wrong.push(("queue_events", text.to_owned()));
        }
        if self.poll <= MediaTime::ZERO {
            wrong.push(("poll", "must be more than 0".to_owned()));
        }
        if !(self.price.is_finite() && self.price >= 0.0) {
            wrong.push(("price", "must be 0 or more".to_owned()));
        }
        for key in self.tags.keys() {
            if key.is_empty() || key.len() > 128 || key.starts_with("aws:") {
                let text = format!("\"{key}\" cannot be the name of a tag");
                wrong.push(("tags", text));
            }
        }
        wrong.extend(self.aws().check());
        wrong
    }

    /// How MediaConvert is reached.
    pub fn aws(&self) -> AwsOptions {
        AwsOptions {
            region: self.region.clone(),
            endpoint: self.endpoint.clone(),
            profile: self.profile.clone(),
            ..AwsOptions::default()
        }
    }

    /// How long the end of a run waits.
    pub fn patience(&self) -> Duration {
        Duration::from_secs_f64(self.drain.as_seconds_f64().max(0.0))
    }

    /// How soon a job is asked for.
    pub fn first_poll(&self) -> Duration {
        Duration::from_secs_f64(self.poll.as_seconds_f64().max(0.01))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right() -> MediaConvertOptions {
        MediaConvertOptions {
            destination: "s3://media/out/".to_owned(),
            role: "arn:aws:iam::123456789012:role/convert".to_owned(),
            ..MediaConvertOptions::default()
        }
    }

    #[test]
    fn what_cannot_be_is_told() {
        assert_eq!(right().problems(), []);
        let named = |options: &MediaConvertOptions| -> Vec<&str> {
            let problems = options.problems().into_iter();
            problems.map(|(option, _)| option).collect()
        };
        assert_eq!(
            named(&MediaConvertOptions::default()),
            ["destination", "role"]
        );
        let wrong = MediaConvertOptions {
            destination: "s3://media/$dt$/".to_owned(),
            role: "convert".to_owned(),
            resolutions: vec!["720P".into(), "720p".into(), "1080p".into()],
            formats: vec![],
            media: [("https://a/?b".to_owned(), "b/c".to_owned())].into(),
            queue_events: Some("events".to_owned()),
            poll: MediaTime::ZERO,
            price: -1.0,
            tags: [("aws:x".to_owned(), "y".to_owned())].into(),
            region: Some("eu central".to_owned()),
            ..MediaConvertOptions::default()
        };
        let expected = [
            "destination",
            "role",
            "resolutions",
            "resolutions",
            "formats",
            "media",
            "media",
            "queue_events",
            "poll",
            "price",
            "tags",
            "region",
        ];
        assert_eq!(named(&wrong), expected);
    }

    #[test]
    fn options_are_read_as_they_are_written() {
        let json = serde_json::to_string(&right()).unwrap();
        assert!(json.contains("\"drain\":\"3600s\""), "{json}");
        assert_eq!(
            serde_json::from_str::<MediaConvertOptions>(&json).unwrap(),
            right()
        );
        assert!(serde_json::from_str::<MediaConvertOptions>(r#"{"poll": "-1s"}"#).is_err());
    }
}
