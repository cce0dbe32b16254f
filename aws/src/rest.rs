//! Signed requests with JSON in them, for services of which a few operations are asked. What a service says is
//! kept as it came, so that who sends a part of it back loses nothing that this program has never heard of;
//! and the SDK of MediaLive alone has 295 000 lines to compile.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings};
use aws_smithy_runtime_api::http::{Request, Response};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::{Bytes, BytesMut};
use serde_json::Value as Json;
use tokio::sync::Mutex;

use crate::error::causes;
use crate::{AwsError, AwsOptions, Connection, Patience};

/// No answer in JSON is larger.
const LARGEST_ANSWER: usize = 16 << 20;

/// Credentials that end so soon are not used any more.
const MARGIN: Duration = Duration::from_secs(60);

/// A service, as its endpoints and signatures name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// What its hosts begin with, and what signatures name.
    pub name: &'static str,
    /// The variable that says where it is instead.
    pub variable: &'static str,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    pub method: &'static str,
    /// Where, when it is not where the service is.
    pub endpoint: Option<&'a str>,
    /// With its slash, and with a query if there is one; escaped.
    pub path: String,
    pub body: Option<Json>,
    /// What errors name.
    pub what: &'a str,
    /// The permission of IAM that it needs.
    pub permission: &'static str,
}

/// What is known of the environment: read again when its credentials are not taken.
#[derive(Debug)]
struct Live {
    connection: Connection,
    credentials: Option<Credentials>,
}

/// A service; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Rest {
    service: Service,
    options: AwsOptions,
    patience: Patience,
    connector: Arc<Connector>,
    live: Arc<Mutex<Option<Live>>>,
}

/// What a request is signed with.
struct Signing {
    credentials: Credentials,
    region: String,
    endpoint: String,
}

impl Rest {
    /// Asks nothing.
    pub(crate) fn new(service: Service, options: AwsOptions, patience: Patience) -> Self {
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(patience.timeout.min(Duration::from_secs(5)))
            .build();
        let connector = Connector::builder()
            .connector_settings(settings)
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build();
        Rest {
            service,
            options,
            patience,
            connector: Arc::new(connector),
            live: Arc::default(),
        }
    }

    /// What is answered, as JSON; asked again for reasons that may pass.
    pub(crate) async fn json(&self, ask: &Ask<'_>) -> Result<Json, AwsError> {
        let limit = self.patience.timeout;
        let try_it = async || {
            let answer = async {
                let mut body = self.send(ask).await?;
                let mut bytes = BytesMut::new();
                while let Some(more) = body.next().await? {
                    bytes.extend_from_slice(&more);
                    if bytes.len() > LARGEST_ANSWER {
                        return Err(broken(ask, "the answer is too large"));
                    }
                }
                match bytes.iter().all(u8::is_ascii_whitespace) {
                    true => Ok(Json::Null),
                    false => serde_json::from_slice(&bytes)
                        .map_err(|error| broken(ask, &format!("the answer is no JSON: {error}"))),
                }
            };
            let answered = tokio::time::timeout(limit, answer).await;
            answered.unwrap_or_else(|_| Err(AwsError::timed_out(ask.what, limit)))
        };
        self.patience.ask(try_it).await
    }

    /// A body that comes bit by bit. One try; the time limit is for the beginning of the answer.
    pub(crate) async fn stream(&self, ask: &Ask<'_>) -> Result<Body, AwsError> {
        let limit = self.patience.timeout;
        match tokio::time::timeout(limit, self.send(ask)).await {
            Ok(body) => body,
            Err(_) => Err(AwsError::timed_out(ask.what, limit)),
        }
    }

    async fn send(&self, ask: &Ask<'_>) -> Result<Body, AwsError> {
        let sent = self.request(ask).await;
        if sent.as_ref().is_err_and(AwsError::of_credentials) {
            // Somebody may have renewed them: the next time all of it is read again.
            *self.live.lock().await = None;
        }
        sent
    }

    async fn request(&self, ask: &Ask<'_>) -> Result<Body, AwsError> {
        let signing = self.signing(ask).await?;
        let request = signed(self.service, ask, &signing)?;
        let answered = self.connector.call(request).await;
        let response = answered.map_err(|error| match error.is_timeout() {
            true => AwsError::timed_out(ask.what, self.patience.timeout),
            false => AwsError::Transport {
                what: ask.what.to_owned(),
                message: causes(&error),
            },
        })?;
        if !response.status().is_success() {
            return Err(refused(ask, response).await);
        }
        Ok(Body {
            what: ask.what.to_owned(),
            stream: ByteStream::new(response.into_body()),
        })
    }

    async fn signing(&self, ask: &Ask<'_>) -> Result<Signing, AwsError> {
        let what = || ask.what.to_owned();
        let mut held = self.live.lock().await;
        let live = match held.as_mut() {
            Some(live) => live,
            None => held.insert(Live {
                connection: Connection::new(&self.options, self.patience).await,
                credentials: None,
            }),
        };
        let config = &live.connection.config;
        let region = config.region().map(ToString::to_string);
        let region = region.ok_or_else(|| AwsError::NoRegion { what: what() })?;
        let soon = SystemTime::now() + MARGIN;
        let lasts = |known: &Credentials| known.expiry().is_none_or(|end| end > soon);
        let credentials = match live.credentials.clone().filter(lasts) {
            Some(known) => known,
            None => {
                let provider = config.credentials_provider();
                let provider = provider.ok_or_else(|| AwsError::NoCredentials { what: what() })?;
                let provided = provider.provide_credentials().await;
                let fresh = provided.map_err(|error| {
                    tracing::debug!(error = %causes(&error), "no credentials");
                    AwsError::NoCredentials { what: what() }
                })?;
                live.credentials.insert(fresh).clone()
            }
        };
        let elsewhere = || {
            let own = std::env::var(self.service.variable).ok();
            let own = own.filter(|own| !own.is_empty() && self.options.endpoint.is_none());
            own.or_else(|| config.endpoint_url().map(str::to_owned))
        };
        let endpoint = match ask.endpoint {
            Some(endpoint) => endpoint.to_owned(),
            None => elsewhere().unwrap_or_else(|| host(self.service, &region)),
        };
        Ok(Signing {
            credentials,
            region,
            endpoint,
        })
    }
}

/// Where a service is.
fn host(service: Service, region: &str) -> String {
    let suffix = match region.starts_with("cn-") {
        true => "amazonaws.com.cn",
        false => "amazonaws.com",
    };
    format!("https://{}.{region}.{suffix}", service.name)
}

fn broken(ask: &Ask<'_>, message: &str) -> AwsError {
    AwsError::Broken {
        what: ask.what.to_owned(),
        message: message.to_owned(),
    }
}

fn signed(service: Service, ask: &Ask<'_>, with: &Signing) -> Result<Request, AwsError> {
    const JSON: (&str, &str) = ("content-type", "application/json");
    let unsigned = |error: &dyn std::fmt::Display| {
        broken(ask, &format!("the request cannot be signed: {error}"))
    };
    let body = ask.body.as_ref().map(Json::to_string).unwrap_or_default();
    let uri = format!("{}{}", with.endpoint.trim_end_matches('/'), ask.path);
    let mut request = Request::new(SdkBody::from(body.clone()));
    request.set_uri(uri.as_str()).map_err(|e| unsigned(&e))?;
    request.set_method(ask.method).map_err(|e| unsigned(&e))?;
    let typed = ask.body.is_some().then_some(JSON);
    let identity = with.credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&with.region)
        .name(service.name)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build();
    let params = params.map_err(|e| unsigned(&e))?.into();
    let body = SignableBody::Bytes(body.as_bytes());
    let signable = SignableRequest::new(ask.method, uri.as_str(), typed.into_iter(), body);
    let output = sign(signable.map_err(|e| unsigned(&e))?, &params).map_err(|e| unsigned(&e))?;
    let (headers, _) = output.into_parts().0.into_parts();
    if let Some((name, value)) = typed {
        request.headers_mut().insert(name, value);
    }
    for header in headers {
        let (name, value) = (header.name(), header.value().to_owned());
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

/// What an answer that is none means.
async fn refused(ask: &Ask<'_>, response: Response) -> AwsError {
    let status = response.status().as_u16();
    let header = |name| response.headers().get(name).map(str::to_owned);
    let kind = header("x-amzn-errortype").or_else(|| header("x-amz-errortype"));
    let mut body = Body {
        what: String::new(),
        stream: ByteStream::new(response.into_body()),
    };
    let mut bytes = BytesMut::new();
    while let Ok(Some(more)) = body.next().await {
        bytes.extend_from_slice(&more);
        if bytes.len() > LARGEST_ANSWER {
            break;
        }
    }
    let said: Json = serde_json::from_slice(&bytes).unwrap_or_default();
    let text = |keys: &[&str]| {
        let mut found = keys.iter().filter_map(|key| said.get(*key)?.as_str());
        found.next().unwrap_or_default().to_owned()
    };
    let kind = kind.unwrap_or_else(|| text(&["__type", "code", "Code"]));
    // "com.amazon.coral#NotFoundException:http://…"
    let code = kind.split(':').next().unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default();
    let code = match code {
        "" => "without a reason",
        code => code,
    };
    let mut message = text(&["message", "Message"]);
    // What is wrong with a channel stands in a list of its own.
    let wrong = said.get("validationErrors").and_then(Json::as_array);
    for wrong in wrong.into_iter().flatten() {
        let part = |key: &str| wrong.get(key).and_then(Json::as_str).unwrap_or_default();
        message = format!(
            "{message}; {}: {}",
            part("elementPath"),
            part("errorMessage")
        );
    }
    AwsError::answered(ask.what, ask.permission, status, code, &message)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_partitions() {
        let service = Service {
            name: "medialive",
            variable: "AWS_ENDPOINT_URL_MEDIALIVE",
        };
        let hosts = ["eu-central-1", "cn-north-1"].map(|region| host(service, region));
        assert_eq!(
            hosts,
            [
                "https://medialive.eu-central-1.amazonaws.com",
                "https://medialive.cn-north-1.amazonaws.com.cn"
            ]
        );
    }
}
