//! What EventBridge says of jobs, as SQS brings it. Nothing depends on it: a message only says which job is worth
//! asking for, so that one which comes twice, late or never costs at most the time to the next question.

use serde_json::Value as Json;

/// The job that a message is about, and the name that its creator gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub job: String,
    pub token: Option<String>,
}

/// Reads the body of a message; nothing where it is about something else. What SNS has wrapped is unwrapped.
pub(super) fn read(body: &str) -> Option<Change> {
    let mut event: Json = serde_json::from_str(body).ok()?;
    if event["Type"] == "Notification" {
        event = serde_json::from_str(event["Message"].as_str()?).ok()?;
    }
    if event["source"] != "aws.mediaconvert" {
        return None;
    }
    let detail = &event["detail"];
    let text = |value: &Json| value.as_str().map(str::to_owned);
    Some(Change {
        job: text(&detail["jobId"])?,
        token: text(&detail["userMetadata"]["matchcut"]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_of_jobs_are_read() {
        let event = json!({
            "source": "aws.mediaconvert",
            "detail-type": "MediaConvert Job State Change",
            "detail": { "jobId": "1-a", "status": "COMPLETE", "userMetadata": { "matchcut": "t" } },
        });
        let change = Change {
            job: "1-a".to_owned(),
            token: Some("t".to_owned()),
        };
        assert_eq!(read(&event.to_string()), Some(change.clone()));
        let wrapped = json!({ "Type": "Notification", "Message": event.to_string() });
        assert_eq!(read(&wrapped.to_string()), Some(change));
        for other in [
            "",
            "{}",
            "[1]",
            r#"{"source": "aws.s3", "detail": {"jobId": "1"}}"#,
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
