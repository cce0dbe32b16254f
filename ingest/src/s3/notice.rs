//! What a message of a queue says: an event of S3, told directly, through SNS or through EventBridge.

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// An object of the prefix.
    Ours,
    /// Nothing: S3 tries whether the queue can be written to.
    Test,
    /// Something else.
    Other,
}

/// What a message is about, for who listens to `bucket` and `prefix`.
pub(super) fn about(body: &str, bucket: &str, prefix: &str) -> About {
    let Ok(message) = serde_json::from_str::<Value>(body) else {
        return About::Other;
    };
    let event = match message.get("Message").and_then(Value::as_str) {
        Some(inner) if message.get("Type").is_some() => match serde_json::from_str(inner) {
            Ok(inner) => inner,
            Err(_) => return About::Other,
        },
        _ => message,
    };
    if event.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return About::Test;
    }
    let text = |value: &Value, path: &str| {
        let found = value.pointer(path).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let ours = |bucket_told: &str, key: &str| bucket_told == bucket && key.starts_with(prefix);
    let bridged = text(&event, "/source") == "aws.s3"
        && ours(
            &text(&event, "/detail/bucket/name"),
            &text(&event, "/detail/object/key"),
        );
    let records = event.get("Records").and_then(Value::as_array);
    let told = records.into_iter().flatten().any(|record| {
        // S3 escapes keys as forms do.
        let key = text(record, "/s3/object/key").replace('+', " ");
        let key = percent_decode_str(&key).decode_utf8_lossy();
        ours(&text(record, "/s3/bucket/name"), &key)
    });
    match bridged || told {
        true => About::Ours,
        false => About::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_by_every_way() {
        let of = |value: &Value| about(&value.to_string(), "media", "cup a/");
        let direct = |bucket: &str, key: &str| {
            json!({"Records": [{"eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 3}}}]})
        };
        let event = direct("media", "cup+a/c_%31.ts");
        assert_eq!(of(&event), About::Ours);
        assert_eq!(of(&direct("media", "other/c_1.ts")), About::Other);
        assert_eq!(of(&direct("elsewhere", "cup+a/c_1.ts")), About::Other);
        let through_sns = json!({"Type": "Notification", "Message": event.to_string()});
        assert_eq!(of(&through_sns), About::Ours);
        let bridged = json!({"source": "aws.s3", "detail-type": "Object Created",
            "detail": {"bucket": {"name": "media"}, "object": {"key": "cup a/c_1.ts"}}});
        assert_eq!(of(&bridged), About::Ours);
        assert_eq!(
            of(&json!({"Event": "s3:TestEvent", "Bucket": "media"})),
            About::Test
        );
        assert_eq!(about("not json", "media", ""), About::Other);
        assert_eq!(of(&json!({"Records": "?"})), About::Other);
    }
}
