//! A client of the service: what is asked is a GET, signed with an access key or with a bearer token, as the environment
//! brings it.

use std::env;
use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use matchcut_service::Signer;
use rustls::crypto::aws_lc_rs;
use serde_json::Value;
use ureq::http::{Response, StatusCode, Uri};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body};

use crate::stream::Stream;

/// Where our own API is.
const ROOT: &str = "/api/v1";

/// How long an answer may take to begin, and one that is read as a whole to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A stream is asked for anew after so long: so a connection that broke without a word is noticed.
const LONGEST: Duration = Duration::from_secs(300);

/// A file may be long.
const DOWNLOAD: Duration = Duration::from_secs(3600);

/// The largest answer that is read as a whole.
const LARGEST: u64 = 64 << 20;

/// How somebody shows who asks.
#[derive(Clone)]
pub enum Credentials {
    /// Not at all: a service that is open to this machine.
    None,
    /// By signing (`AWS_ACCESS_KEY_ID` and what belongs to it).
    Key(Signer),
    /// By a token (`MATCHCUT_TOKEN`).
    Token(String),
}

impl Credentials {
    /// Those of the environment; else what of it is missing.
    pub fn from_env() -> Result<Credentials, String> {
        Credentials::out_of(&|name| env::var(name).ok())
    }

    fn out_of(env: &dyn Fn(&str) -> Option<String>) -> Result<Credentials, String> {
        let value = |name: &str| env(name).filter(|value| !value.is_empty());
        if let Some(token) = value("MATCHCUT_TOKEN") {
            return Ok(Credentials::Token(token));
        }
        let (id, secret) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
        match (value(id), value(secret)) {
            (None, None) => Ok(Credentials::None),
            (Some(_), None) => Err(format!("{id} is set and {secret} is not: set both")),
            (None, Some(_)) => Err(format!("{secret} is set and {id} is not: set both")),
            (Some(id), Some(secret)) => Ok(Credentials::Key(Signer {
                id,
                secret,
                session_token: value("AWS_SESSION_TOKEN"),
                region: value("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
            })),
        }
    }
}

/// Why a service does not tell something.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No address.
    #[error("{0} is no address of a service, such as http://127.0.0.1:8080")]
    Address(String),
    /// What is presented cannot be sent.
    #[error("the access key or token of the environment has letters that no request can have")]
    Credentials,
    /// It was not reached, or has hung up.
    #[error("{url} cannot be asked: {source}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why.
        source: ureq::Error,
    },
    /// It refuses.
    #[error("{url}: {status}: {detail}")]
    Refused {
        /// What was asked for.
        url: String,
        /// With what status.
        status: StatusCode,
        /// Why.
        detail: String,
    },
    /// It is no service of matchcut, or another version.
    #[error("{url} answers something else than expected: {reason}")]
    Strange {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ClientError {
    /// Whether it may be otherwise in a moment.
    pub fn may_pass(&self) -> bool {
        match self {
            ClientError::Unreachable { .. } => true,
            ClientError::Refused { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            _ => false,
        }
    }

    /// What helps against it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            ClientError::Refused { status, .. } if status.as_u16() == 403 => Some(
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key of `matchcut access add`, or MATCHCUT_TOKEN",
            ),
            _ => None,
        }
    }
}

/// A service.
#[derive(Clone)]
pub struct Service {
    agent: Agent,
    url: String,
    /// As the header `Host` has it.
    host: String,
    /// What stands before the paths of the service.
    prefix: String,
    credentials: Credentials,
}

impl Service {
    /// The one at an address.
    pub fn new(url: &str, credentials: Credentials) -> Result<Service, ClientError> {
        let wrong = || ClientError::Address(url.to_owned());
        let url = url.trim_end_matches('/');
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let known = matches!(uri.scheme_str(), Some("http" | "https"));
        let host = uri.authority().map(|host| host.as_str());
        let host = host.filter(|host| known && !host.contains('@') && uri.query().is_none());
        let host = host.ok_or_else(wrong)?;
        Ok(Service {
            agent: agent(),
            host: host.to_owned(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
            url: url.to_owned(),
            credentials,
        })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// JSON of our own API, at a path below `/api/v1`.
    pub fn json(&self, path: &str) -> Result<Value, ClientError> {
        let text = self.text(&format!("{ROOT}/{path}"))?;
        serde_json::from_str(&text).map_err(|error| self.strange(path, &error.to_string()))
    }

    /// The items of a list.
    pub fn items(&self, path: &str) -> Result<Vec<Value>, ClientError> {
        match self.json(path)?.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(self.strange(path, "no items")),
        }
    }

    /// A file of an event, as it comes; none where it is not there.
    pub fn file(&self, event: &str, path: &str) -> Result<Option<Box<dyn BufRead>>, ClientError> {
        match self.get(
            &format!("{ROOT}/events/{event}/files/{path}"),
            None,
            DOWNLOAD,
        ) {
            Ok(response) => {
                let reader = response.into_body().into_reader();
                Ok(Some(Box::new(BufReader::new(reader))))
            }
            Err(ClientError::Refused { status, .. }) if status == StatusCode::NOT_FOUND => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A text, at a path.
    pub fn text(&self, path: &str) -> Result<String, ClientError> {
        let mut response = self.get(path, None, PATIENCE)?;
        let body = response.body_mut().with_config().limit(LARGEST);
        let text = body.read_to_string();
        text.map_err(|source| self.unreachable(path, source))
    }

    /// Server-sent events at a path below `/api/v1`, from behind an epoch; none where there will be no more.
    pub fn follow(&self, path: &str, after: Option<u64>) -> Result<Option<Stream>, ClientError> {
        let response = self.get(&format!("{ROOT}/{path}"), after, LONGEST)?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        Ok(Some(Stream::new(response.into_body().into_reader())))
    }

    fn get(
        &self,
        path: &str,
        after: Option<u64>,
        longest: Duration,
    ) -> Result<Response<Body>, ClientError> {
        let (name, query) = path.split_once('?').unwrap_or((path, ""));
        let mut request = self.agent.get(format!("{}{path}", self.url));
        match &self.credentials {
            Credentials::None => {}
            Credentials::Token(token) => {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            Credentials::Key(signer) => {
                let path = format!("{}{name}", self.prefix);
                let signed = signer.headers(&self.host, &path, query, Timestamp::now());
                for (name, value) in signed.ok_or(ClientError::Credentials)? {
                    request = request.header(name, value);
                }
            }
        }
        if let Some(after) = after {
            request = request.header("last-event-id", after.to_string());
        }
        let request = request.config().timeout_recv_body(Some(longest)).build();
        let mut response = request.call().map_err(|source| match source {
            ureq::Error::Http(_) => ClientError::Credentials,
            source => self.unreachable(path, source),
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let told = response.body_mut().read_to_string().unwrap_or_default();
        Err(ClientError::Refused {
            url: format!("{}{path}", self.url),
            status: response.status(),
            detail: detail(&told),
        })
    }

    fn unreachable(&self, path: &str, source: ureq::Error) -> ClientError {
        ClientError::Unreachable {
            url: format!("{}{path}", self.url),
            source,
        }
    }

    fn strange(&self, path: &str, reason: &str) -> ClientError {
        ClientError::Strange {
            url: format!("{}{ROOT}/{path}", self.url),
            reason: reason.to_owned(),
        }
    }
}

/// The sentence for people in a problem; the answer itself where it is none.
fn detail(told: &str) -> String {
    let problem: Option<Value> = serde_json::from_str(told).ok();
    let detail = problem.as_ref().and_then(|problem| {
        let key = |name: &str| problem.get(name).and_then(Value::as_str);
        key("detail").or_else(|| key("Message"))
    });
    match detail {
        Some(detail) => detail.to_owned(),
        None => told.chars().take(200).collect::<String>().trim().to_owned(),
    }
}

/// Asks over TLS as the system trusts, waits for no answer for ever, and goes nowhere else than it is told.
pub fn agent() -> Agent {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
        .root_certs(RootCerts::PlatformVerifier)
        .build();
    let config = Agent::config_builder()
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("matchcut/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls);
    config.build().new_agent()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_a_token_a_whole_key_or_none() {
        let out_of = |set: &[(&str, &str)]| {
            let env = |name: &str| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            Credentials::out_of(&env)
        };
        let key = [("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "s")];
        assert!(matches!(out_of(&[]), Ok(Credentials::None)));
        match out_of(&key) {
            Ok(Credentials::Key(signer)) => {
                assert_eq!(
                    (signer.id.as_str(), signer.region.as_str()),
                    ("A", "us-east-1")
                );
            }
            _ => panic!("no key"),
        }
        let both = [key[0], key[1], ("MATCHCUT_TOKEN", "t")];
        assert!(matches!(out_of(&both), Ok(Credentials::Token(token)) if token == "t"));
        let half = "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not: set both";
        assert_eq!(out_of(&key[..1]).err().as_deref(), Some(half));
    }

    #[test]
    fn addresses_are_those_of_a_service() {
        let service = |url: &str| Service::new(url, Credentials::None);
        let good = service("https://media.example:8443/mre/").unwrap();
        assert_eq!(good.host, "media.example:8443");
        assert_eq!(
            (good.prefix.as_str(), good.url()),
            ("/mre", "https://media.example:8443/mre")
        );
        for url in ["localhost:8080", "ftp://a", "http://a@b", "http://a/?b", ""] {
            assert!(service(url).is_err(), "{url}");
        }
    }

    #[test]
    fn what_is_refused_is_told_in_the_words_of_the_service() {
        assert_eq!(
            detail("{\"detail\":\"there is no event\"}"),
            "there is no event"
        );
        assert_eq!(detail("{\"Code\":\"X\",\"Message\":\"no\"}"), "no");
        assert_eq!(detail("<html>\n"), "<html>");
    }
}
