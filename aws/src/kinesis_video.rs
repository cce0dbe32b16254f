//! Streams of Kinesis Video: sessions of HLS, and media as Matroska. What a session or a position in a stream
//! is known by gives access to the stream, so it is printed nowhere.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_kinesisvideo::Client as Control;
use aws_sdk_kinesisvideo::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesisvideo::types::ApiName;
use aws_sdk_kinesisvideoarchivedmedia::{Client as Archive, config::Builder as ArchiveConfig};
use aws_sdk_kinesisvideomedia::types::{StartSelector, StartSelectorType};
use aws_sdk_kinesisvideomedia::{Client as Media, config::Builder as MediaConfig};
use aws_smithy_types::DateTime;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use serde_json::Value as Json;
use tokio::sync::Mutex;

use crate::error::causes;
use crate::renewed::Renewed;
use crate::verbatim::says;
use crate::{AwsError, AwsOptions, Patience};

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
    clients: Renewed<Clients>,
    id: StreamId,
    what: String,
    /// Where media are, when it is not where the service says.
    data_endpoint: Option<String>,
    endpoints: Arc<Mutex<HashMap<ApiName, String>>>,
}

/// One service asks where; two others are asked there.
#[derive(Clone, Debug)]
struct Clients {
    control: Control,
    config: SdkConfig,
}

impl Clients {
    fn new(config: &SdkConfig) -> Self {
        Clients {
            control: Control::new(config),
            config: config.clone(),
        }
    }

    fn media(&self, endpoint: &str) -> Media {
        let config = MediaConfig::from(&self.config).endpoint_url(endpoint);
        Media::from_conf(config.build())
    }

    fn archive(&self, endpoint: &str) -> Archive {
        let config = ArchiveConfig::from(&self.config).endpoint_url(endpoint);
        Archive::from_conf(config.build())
    }
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
            clients: Renewed::new(options, patience, Clients::new),
            id,
            what: what.to_owned(),
            data_endpoint,
            endpoints: Arc::default(),
        }
    }

    fn name(&self) -> Option<String> {
        match &self.id {
            StreamId::Name(name) => Some(name.clone()),
            StreamId::Arn(_) => None,
        }
    }

    fn arn(&self) -> Option<String> {
        match &self.id {
            StreamId::Name(_) => None,
            StreamId::Arn(arn) => Some(arn.clone()),
        }
    }

    /// What an error of the SDKs means.
    fn failed<E>(&self, permission: &'static str, error: SdkError<E>) -> AwsError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let limit = self.clients.patience().timeout;
        AwsError::of(&self.what, permission, limit, error)
    }

    /// Where an operation on media is asked for.
    async fn endpoint(&self, operation: ApiName) -> Result<String, AwsError> {
        if let Some(endpoint) = &self.data_endpoint {
            return Ok(endpoint.clone());
        }
        let mut known = self.endpoints.lock().await;
        if let Some(endpoint) = known.get(&operation) {
            return Ok(endpoint.clone());
        }
        let api = &operation;
        let asked = self.clients.ask(|clients| async move {
            let request = clients.control.get_data_endpoint();
            let request = request.api_name(api.clone());
            let request = request
                .set_stream_name(self.name())
                .set_stream_arn(self.arn());
            let answered = request.send().await;
            answered.map_err(|error| self.failed("kinesisvideo:GetDataEndpoint", error))
        });
        let endpoint = asked.await?.data_endpoint;
        let endpoint = endpoint.ok_or_else(|| self.lacks("DataEndpoint"))?;
        known.insert(operation, endpoint.clone());
        Ok(endpoint)
    }

    fn lacks(&self, key: &str) -> AwsError {
        AwsError::Broken {
            what: self.what.clone(),
            message: format!("the answer has no {key}"),
        }
    }

    /// Begins a session of HLS: `session` is what is asked for, without the name of the stream. Gives the
    /// address of its master playlist, which whoever has it can read the stream with.
    pub async fn hls_session(&self, session: &Json) -> Result<Secret, AwsError> {
        const PERMISSION: &str = "kinesisvideo:GetHLSStreamingSessionURL";
        let endpoint = &self.endpoint(ApiName::GetHlsStreamingSessionUrl).await?;
        let mut body = session.clone();
        let (key, value) = match &self.id {
            StreamId::Name(name) => ("StreamName", name),
            StreamId::Arn(arn) => ("StreamARN", arn),
        };
        body[key] = value.clone().into();
        let body = &body.to_string();
        let asked = self.clients.ask(|clients| async move {
            let body = body.clone();
            let request = clients.archive(endpoint).get_hls_streaming_session_url();
            let request = request.customize();
            let request = request.mutate_request(move |request| says(request, &body));
            let answered = request.send().await;
            answered.map_err(|error| self.failed(PERMISSION, error))
        });
        let url = asked.await?.hls_streaming_session_url;
        let url = url.ok_or_else(|| self.lacks("HLSStreamingSessionURL"))?;
        Ok(Secret(url))
    }

    /// Fragments as they are ingested, one Matroska segment each, without an end while the stream goes on. One
    /// try; the time limit is for the beginning of the answer.
    pub async fn media(&self, start: &MediaStart) -> Result<Body, AwsError> {
        let endpoint = &self.endpoint(ApiName::GetMedia).await?;
        let builder = StartSelector::builder();
        let selector = match start {
            MediaStart::Now => builder.start_selector_type(StartSelectorType::Now),
            MediaStart::Earliest => builder.start_selector_type(StartSelectorType::Earliest),
            MediaStart::After(number) => builder
                .start_selector_type(StartSelectorType::FragmentNumber)
                .after_fragment_number(number),
            MediaStart::Token(Secret(token)) => builder
                .start_selector_type(StartSelectorType::ContinuationToken)
                .continuation_token(token),
            MediaStart::At { producer, millis } => builder
                .start_selector_type(match producer {
                    true => StartSelectorType::ProducerTimestamp,
                    false => StartSelectorType::ServerTimestamp,
                })
                .start_timestamp(DateTime::from_millis(*millis)),
        };
        let selector = selector.build().map_err(|error| AwsError::Broken {
            what: self.what.clone(),
            message: error.to_string(),
        })?;
        let asked = self.clients.once(|clients| async move {
            let request = clients.media(endpoint).get_media();
            let request = request
                .set_stream_name(self.name())
                .set_stream_arn(self.arn());
            let answered = request.start_selector(selector).send().await;
            answered.map_err(|error| without(start, self.failed("kinesisvideo:GetMedia", error)))
        });
        Ok(self.body(asked.await?.payload))
    }

    /// Fragments that are kept, by their numbers, one Matroska segment each. One try; the time limit is for the
    /// beginning of the answer.
    pub async fn fragments(&self, numbers: &[String]) -> Result<Body, AwsError> {
        const PERMISSION: &str = "kinesisvideo:GetMediaForFragmentList";
        let endpoint = &self.endpoint(ApiName::GetMediaForFragmentList).await?;
        let asked = self.clients.once(|clients| async move {
            let request = clients.archive(endpoint).get_media_for_fragment_list();
            let request = request
                .set_stream_name(self.name())
                .set_stream_arn(self.arn());
            let request = request.set_fragments(Some(numbers.to_vec()));
            let answered = request.send().await;
            answered.map_err(|error| self.failed(PERMISSION, error))
        });
        Ok(self.body(asked.await?.payload))
    }

    fn body(&self, stream: ByteStream) -> Body {
        Body {
            what: self.what.clone(),
            stream,
        }
    }
}

/// A body that comes bit by bit.
#[derive(Debug)]
pub struct Body {
    what: String,
    stream: ByteStream,
}

impl Body {
    /// The next bytes; `None` at its end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, AwsError> {
        let next = self.stream.try_next().await;
        next.map_err(|error| AwsError::Transport {
            what: self.what.clone(),
            message: causes(&error),
        })
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
