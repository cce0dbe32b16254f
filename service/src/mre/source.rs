//! Where the video of an event comes from: an address, a bucket that somebody else fills, or a channel of MediaLive that
//! is to write into the bucket of the service.

use matchcut_dataflow::run::open::source_type;
use serde::Deserialize;
use serde_json::{Value, json};

use super::text;
use crate::config::Sources;
use crate::runs::allowed;
use crate::store::Row;

/// `[mre]` of the configuration.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MreOptions {
    /// The bucket into which channels of MediaLive write for events.
    pub(crate) bucket: Option<String>,
    /// The channels that events of roles below admin may start and stop.
    pub(crate) channels: Vec<String>,
    /// The region of buckets and channels; that of the environment when it is left out.
    pub(crate) region: Option<String>,
}

/// An event that is read until it is ended waits so long for what comes next.
const UNTIL_ENDED: &str = "168h";

/// Where what MRE reads of an event lies in a bucket: program, event, profile, file.
fn below(event: &Row) -> String {
    format!(
        "{}/{}/{}/",
        text(event, "Program"),
        text(event, "Name"),
        text(event, "Profile")
    )
}

/// Refuses a source that an event of who is no admin may not reach.
pub(super) fn check(event: &Row, sources: &Sources, options: &MreOptions) -> Result<(), String> {
    let bucket = text(event, "SourceVideoBucket");
    let address = match (text(event, "SourceVideoUrl"), text(event, "Channel")) {
        ("", "") if bucket.is_empty() => return Ok(()),
        ("", "") => format!("s3://{bucket}/{}", below(event)),
        ("", channel) if options.channels.iter().any(|may| may == channel) => return Ok(()),
        ("", channel) => {
            return Err(format!(
                "Channel: the channel {channel} may not be used: the service does not allow it"
            ));
        }
        (url, _) => url.to_owned(),
    };
    allowed::source(&address, sources).map_err(|error| error.to_string())
}

/// The source of an event as a table of a spec; what is missing.
pub(super) fn source(event: &Row, profile: &Row, options: &MreOptions) -> Result<Value, String> {
    let url = text(event, "SourceVideoUrl");
    if !url.is_empty() {
        return Ok(json!({ "type": source_type(url), "uri": url }));
    }
    let below = below(event);
    let mut source = match (text(event, "SourceVideoBucket"), text(event, "Channel")) {
        ("", "") => return Err("the event has no source".to_owned()),
        ("", channel) => {
            let bucket = options.bucket.as_deref().ok_or(
                "no bucket is configured into which channels write: set `bucket` in `[mre]` of the service's \
                 configuration",
            )?;
            let stop = event.get("StopMediaLiveChannel") == Some(&Value::Bool(true));
            let seconds = profile.get("ChunkSize").and_then(Value::as_u64);
            let minutes = event.get("DurationMinutes").and_then(Value::as_u64);
            json!({
                "type": "medialive",
                "channel": channel,
                "uri": format!("s3://{bucket}/{channel}/{below}"),
                "segment_length": seconds.map(|seconds| format!("{seconds}s")),
                "duration": minutes.map(|minutes| format!("{minutes}m")),
                "attach": true,
                "start": true,
                "stop": stop,
                "detach": stop,
            })
        }
        (bucket, _) => json!({
            "type": "s3",
            "uri": format!("s3://{bucket}/{below}"),
            "follow": true,
            "finished_after": UNTIL_ENDED,
        }),
    };
    if let (Some(region), Some(source)) = (&options.region, source.as_object_mut()) {
        source.insert("region".to_owned(), json!(region));
    }
    Ok(source)
}

/// Whether an event ends when its time is over, and not by itself.
pub(super) fn ends_by_time(event: &Row) -> bool {
    !text(event, "SourceVideoBucket").is_empty()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::runs::spec;

    fn row(value: Value) -> Row {
        value.as_object().cloned().unwrap_or_default()
    }

    fn event(with: &Value) -> Row {
        let mut event = row(json!({
            "Program": "Cup", "Name": "Final", "Profile": "tennis", "DurationMinutes": 180,
            "StopMediaLiveChannel": true,
        }));
        event.extend(row(with.clone()));
        event
    }

    fn made(with: &Value, options: &MreOptions) -> Result<Value, String> {
        source(&event(with), &row(json!({ "ChunkSize": 10 })), options)
    }

    #[test]
    fn events_are_read_from_where_mre_has_them_written() {
        let options = MreOptions {
            bucket: Some("media".to_owned()),
            region: Some("eu-west-1".to_owned()),
            ..MreOptions::default()
        };
        let filled = json!({ "SourceVideoBucket": "chunks" });
        assert_eq!(
            made(&filled, &options),
            Ok(json!({
                "type": "s3", "uri": "s3://chunks/Cup/Final/tennis/", "follow": true,
                "finished_after": "168h", "region": "eu-west-1",
            }))
        );
        let channel = json!({ "Channel": "1234567" });
        let from_channel = json!({
            "type": "medialive", "channel": "1234567",
            "uri": "s3://media/1234567/Cup/Final/tennis/", "segment_length": "10s",
            "duration": "180m", "attach": true, "start": true, "stop": true, "detach": true,
            "region": "eu-west-1",
        });
        assert_eq!(made(&channel, &options), Ok(from_channel));
        let url = json!({ "SourceVideoUrl": "https://example.com/a.m3u8" });
        let none = MreOptions::default();
        assert_eq!(
            made(&url, &none),
            Ok(json!({ "type": "hls", "uri": "https://example.com/a.m3u8" }))
        );
        let missing = made(&channel, &none).unwrap_err();
        assert!(missing.starts_with("no bucket is configured"), "{missing}");
        assert!(ends_by_time(&event(&filled)) && !ends_by_time(&event(&channel)));
    }

    #[test]
    fn who_is_no_admin_reaches_what_is_allowed() {
        let options = MreOptions {
            channels: vec!["1".to_owned()],
            ..MreOptions::default()
        };
        let check = |with: Value| check(&event(&with), &Sources::default(), &options);
        assert_eq!(check(json!({ "Channel": "1" })), Ok(()));
        assert_eq!(
            check(json!({ "Channel": "2" })),
            Err("Channel: the channel 2 may not be used: the service does not allow it".to_owned())
        );
        assert_eq!(check(json!({ "SourceVideoBucket": "chunks" })), Ok(()));
        assert!(check(json!({ "SourceVideoUrl": "http://127.0.0.1/a.m3u8" })).is_err());
    }

    #[test]
    fn what_is_made_is_a_source() {
        let options = MreOptions {
            bucket: Some("media".to_owned()),
            region: Some("eu-west-1".to_owned()),
            ..MreOptions::default()
        };
        for with in [
            json!({ "SourceVideoBucket": "chunks" }),
            json!({ "Channel": "1" }),
        ] {
            let source = made(&with, &options).unwrap();
            let lines = source.as_object().unwrap().iter();
            let lines: Vec<String> = lines
                .map(|(key, value)| format!("{key} = {value}"))
                .collect();
            let text = format!(
                "[pipeline]\nname = \"a\"\n[sources.video]\n{}\n[operators.a]\ntype = \"scene_change\"\n\
                 inputs = [\"video.video\"]\n",
                lines.join("\n")
            );
            let planned = spec::plan(&text, Path::new("/nowhere"));
            assert!(
                planned.is_ok(),
                "{:?}",
                planned.err().map(|error| error.to_string())
            );
        }
    }
}
