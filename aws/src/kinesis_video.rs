//! Streams of Kinesis Video: sessions of HLS, and media as Matroska. What a session or a position in a stream
//! is known by gives access to the stream, so it is printed nowhere.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tokio::sync::Mutex;

use crate::rest::{Ask, Rest, Service};
use crate::{AwsError, AwsOptions, Body, Patience};

const SERVICE: Service = Service {
    name: "kinesisvideo",
    variable: "AWS_ENDPOINT_URL_KINESIS_VIDEO",
};

/// What a stream is named by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamId {
    /// By its name, in the account and region of who asks.
    Name(String),
    /// By its ARN.
    Arn(String),
}

/// Text that gives access to something; it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where `GetMedia` begins.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaStart {
    /// With what is ingested next.
    Now,
    /// With the oldest that is kept.
    Earliest,
    /// Behind a fragment.
    After(String),
    /// Where an answer ended.
    Token(Secret),
    /// At a time of the producer's clock or of the server's, in milliseconds since the Unix epoch.
    At {
        /// Whether the producer's clock counts.
        producer: bool,
        /// When.
        millis: i64,
    },
}

/// A stream; cheap to clone.
#[derive(Clone, Debug)]
pub struct Stream {
    rest: Rest,
    id: StreamId,
    what: String,
    /// Where media are, when it is not where the service says.
    data_endpoint: Option<String>,
    endpoints: Arc<Mutex<HashMap<&'static str, String>>>,
}

impl Stream {
    /// A stream; errors call it `what`. Nothing is asked.
    pub fn new(
        options: AwsOptions,
        patience: Patience,
        id: StreamId,
        what: &str,
        data_endpoint: Option<String>,
    ) -> Self {
        Stream {
            rest: Rest::new(SERVICE, options, patience),
            id,
            what: what.to_owned(),
            data_endpoint,
            endpoints: Arc::default(),
        }
    }

    /// Its name or ARN, as the services take it.
    fn named(&self, mut body: Json) -> Json {
        let (key, value) = match &self.id {
            StreamId::Name(name) => ("StreamName", name),
            StreamId::Arn(arn) => ("StreamARN", arn),
        };
        body[key] = value.clone().into();
        body
    }

    fn post<'a>(
        &'a self,
        endpoint: Option<&'a str>,
        path: &str,
        body: Json,
        permission: &'static str,
    ) -> Ask<'a> {
        Ask {
            method: "POST",
            endpoint,
            path: path.to_owned(),
            body: Some(body),
            what: &self.what,
            permission,
        }
    }

    /// Where an operation on media is asked for.
    async fn endpoint(&self, operation: &'static str) -> Result<String, AwsError> {
        if let Some(endpoint) = &self.data_endpoint {
            return Ok(endpoint.clone());
        }
        let mut known = self.endpoints.lock().await;
        if let Some(endpoint) = known.get(operation) {
            return Ok(endpoint.clone());
        }
        let body = self.named(json!({"APIName": operation}));
        let ask = self.post(
            None,
            "/getDataEndpoint",
            body,
            "kinesisvideo:GetDataEndpoint",
        );
        let answer = self.rest.json(&ask).await?;
        let endpoint = self.text(&answer, "DataEndpoint")?;
        known.insert(operation, endpoint.clone());
        Ok(endpoint)
    }

    fn text(&self, answer: &Json, key: &str) -> Result<String, AwsError> {
        let text = answer.get(key).and_then(Json::as_str);
        text.map(str::to_owned).ok_or_else(|| AwsError::Broken {
            what: self.what.clone(),
            message: format!("the answer has no {key}"),
        })
    }

    /// Begins a session of HLS: `session` is what is asked for, without the name of the stream. Gives the
    /// address of its master playlist, which whoever has it can read the stream with.
    pub async fn hls_session(&self, session: &Json) -> Result<Secret, AwsError> {
        const PERMISSION: &str = "kinesisvideo:GetHLSStreamingSessionURL";
        let endpoint = self.endpoint("GET_HLS_STREAMING_SESSION_URL").await?;
        let body = self.named(session.clone());
        let path = "/getHLSStreamingSessionURL";
        let ask = self.post(Some(&endpoint), path, body, PERMISSION);
        let answer = self.rest.json(&ask).await?;
        self.text(&answer, "HLSStreamingSessionURL").map(Secret)
    }

    /// Fragments as they are ingested, one Matroska segment each, without an end while the stream goes on.
    pub async fn media(&self, start: &MediaStart) -> Result<Body, AwsError> {
        let endpoint = self.endpoint("GET_MEDIA").await?;
        let selector = match start {
            MediaStart::Now => json!({"StartSelectorType": "NOW"}),
            MediaStart::Earliest => json!({"StartSelectorType": "EARLIEST"}),
            MediaStart::After(number) => json!({
                "StartSelectorType": "FRAGMENT_NUMBER", "AfterFragmentNumber": number
            }),
            MediaStart::Token(Secret(token)) => json!({
                "StartSelectorType": "CONTINUATION_TOKEN", "ContinuationToken": token
            }),
            MediaStart::At { producer, millis } => json!({
                "StartSelectorType": match producer {
                    true => "PRODUCER_TIMESTAMP",
                    false => "SERVER_TIMESTAMP",
                },
                "StartTimestamp": seconds(*millis),
            }),
        };
        let body = self.named(json!({"StartSelector": selector}));
        let ask = self.post(Some(&endpoint), "/getMedia", body, "kinesisvideo:GetMedia");
        let answered = self.rest.stream(&ask).await;
        answered.map_err(|error| without(start, error))
    }

    /// Fragments that are kept, by their numbers, one Matroska segment each.
    pub async fn fragments(&self, numbers: &[String]) -> Result<Body, AwsError> {
        const PERMISSION: &str = "kinesisvideo:GetMediaForFragmentList";
        let endpoint = self.endpoint("GET_MEDIA_FOR_FRAGMENT_LIST").await?;
        let body = self.named(json!({"Fragments": numbers}));
        let path = "/getMediaForFragmentList";
        let ask = self.post(Some(&endpoint), path, body, PERMISSION);
        self.rest.stream(&ask).await
    }
}

/// An error that does not repeat the token that was asked for.
fn without(start: &MediaStart, error: AwsError) -> AwsError {
    match (start, error) {
        (
            MediaStart::Token(Secret(token)),
            AwsError::Service {
                what,
                status,
                code,
                message,
            },
        ) => AwsError::Service {
            what,
            status,
            code,
            message: message.replace(token, "(token)"),
        },
        (_, error) => error,
    }
}

/// A time as the services take it: seconds since the Unix epoch, with milliseconds.
pub fn seconds(millis: i64) -> Json {
    let (whole, rest) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    let text = format!("{whole}.{rest:03}");
    serde_json::from_str(&text).unwrap_or(Json::from(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_milliseconds() {
        for (millis, said) in [
            (1_700_000_000_123, "1700000000.123"),
            (1500, "1.5"),
            (0, "0.0"),
        ] {
            assert_eq!(seconds(millis).to_string(), said);
        }
    }

    #[test]
    fn tokens_are_not_printed() {
        let start = MediaStart::Token(Secret("hidden".to_owned()));
        assert!(!format!("{start:?}").contains("hidden"));
        let error = AwsError::Service {
            what: "stream court of Kinesis Video".to_owned(),
            status: 400,
            code: "InvalidArgumentException".to_owned(),
            message: "the token hidden is too old".to_owned(),
        };
        let text = without(&start, error).to_string();
        assert!(
            text.ends_with("InvalidArgumentException: the token (token) is too old"),
            "{text}"
        );
    }
}
