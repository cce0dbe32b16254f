//! A client that posts and waits: it keeps to limits, tries again what may succeed later, and gives up in
//! time. What it asks is asked with a key from the environment, which is never told.

use std::env;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use matchcut_model::time::MediaTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ureq::Agent;
use ureq::http::{Response, StatusCode, Uri};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use super::limits::Limits;
use super::usage::Counters;
use crate::sdk::{OptionError, text_duration};

/// Options of whatever asks a server.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::hosts) struct ClientOptions {
    /// Address of the server, up to where `/v2` or `/chat/completions` follows: `http://localhost:8080`,
    /// `https://models.example.com/v1`.
    url: String,
    /// The environment variable with the key, which is sent as a bearer token. The key itself stands in no
    /// spec.
    api_key_env: Option<String>,
    /// How long one try may take.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    timeout: MediaTime,
    /// How often a request is tried again that the server could not answer (429, 500 to 599, no
    /// connection, time-out): after 0.5 s, 1 s, 2 s and so on up to 30 s, or when Retry-After says.
    retries: u32,
    /// At most so many requests a second; 0 is any number.
    requests_per_second: f64,
    /// At most so many requests at once.
    concurrency: usize,
    /// What a million tokens of prompts cost, in any currency; with `price_out` the price of a run is told.
    price_in: f64,
    /// What a million tokens of answers cost.
    price_out: f64,
}

impl Default for ClientOptions {
    fn default() -> Self {
        ClientOptions {
            url: String::new(),
            api_key_env: None,
            timeout: MediaTime::from_seconds(30),
            retries: 3,
            requests_per_second: 0.0,
            concurrency: 4,
            price_in: 0.0,
            price_out: 0.0,
        }
    }
}

/// The first pause; each is twice as long as the one before.
pub(in crate::hosts) const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// No pause is longer, unless the server asks for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A server that asks for a longer pause is not waited for.
const LONGEST_WAIT: u64 = 60;

/// Larger answers are refused.
const LARGEST_ANSWER: u64 = 64 << 20;

/// So much of an answer is told when it is an error.
const QUOTED: usize = 200;

pub(in crate::hosts) struct Client {
    agent: Agent,
    url: String,
    key: Option<String>,
    retries: u32,
    /// The first pause of this client.
    pause: Duration,
    limits: Limits,
    pub(in crate::hosts) counters: Arc<Counters>,
}

/// An answer that a server gave with success.
pub(in crate::hosts) struct Answered {
    pub(in crate::hosts) body: Vec<u8>,
    /// The header `Inference-Header-Content-Length`.
    pub(super) json_length: Option<usize>,
}

impl Client {
    /// A client that asks `model` of a server.
    pub(in crate::hosts) fn new(
        options: &ClientOptions,
        model: &str,
    ) -> Result<Client, Vec<OptionError>> {
        let mut errors = Vec::new();
        let mut wrong = |option: &str, message: &str| {
            errors.push(OptionError::new(option, message));
        };
        let address: Result<Uri, _> = options.url.parse();
        let good = address.is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()
        });
        if options.url.is_empty() {
            wrong("url", "missing: the address of a server");
        } else if !good || options.url.contains('@') {
            wrong(
                "url",
                "an address expected, such as http://localhost:8080, without name and password",
            );
        }
        let seconds = options.timeout.as_seconds_f64();
        if !(0.001..=3600.0).contains(&seconds) {
            wrong("timeout", "not between 1 ms and 1 h");
        }
        if options.retries > 10 {
            wrong("retries", "more than 10");
        }
        if !(0.0..=10_000.0).contains(&options.requests_per_second) {
            wrong("requests_per_second", "not between 0 and 10000");
        }
        if !(1..=256).contains(&options.concurrency) {
            wrong("concurrency", "not between 1 and 256");
        }
        if options
            .api_key_env
            .as_ref()
            .is_some_and(|name| !is_variable(name))
        {
            wrong(
                "api_key_env",
                "the name of an environment variable expected, such as MODEL_KEY; the key itself does not \
                 belong here",
            );
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        // A key that is missing is told when it is needed: a spec is valid without it.
        let variable = options.api_key_env.as_ref();
        let key = variable.map(|name| env::var(name).unwrap_or_default());
        let prices = (options.price_in, options.price_out);
        let prices = (prices != (0.0, 0.0)).then_some(prices);
        Ok(Client {
            agent: agent(Duration::from_secs_f64(seconds)),
            url: options.url.trim_end_matches('/').to_owned(),
            key,
            retries: options.retries,
            pause: FIRST_PAUSE,
            limits: Limits::new(options.requests_per_second, options.concurrency),
            counters: Counters::new(format!("{model} at {}", options.url), prices),
        })
    }

    /// With shorter pauses, for tests.
    #[cfg(test)]
    pub(super) fn hurried(mut self, pause: Duration) -> Client {
        self.pause = pause;
        self
    }

    /// With another key, for tests: the environment belongs to all of them.
    #[cfg(test)]
    pub(super) fn with_key(mut self, key: &str) -> Client {
        self.key = Some(key.to_owned());
        self
    }

    /// Posts a body below the address; what the server answers with success.
    pub(in crate::hosts) fn post(
        &self,
        path: &str,
        body: &[u8],
        headers: &[(&str, &str)],
    ) -> Result<Answered, String> {
        let address = format!("{}{path}", self.url);
        if self.key.as_deref() == Some("") {
            self.counters.failure();
            return Err(format!(
                "{address}: the environment variable with the key is not set"
            ));
        }
        let mut tries = 0;
        loop {
            let failed = match self.attempt(&address, body, headers, tries > 0) {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let wait = match failed.again {
                Again::Never => None,
                Again::Soon if tries < self.retries => Some(pause(self.pause, tries)),
                Again::After(seconds) if tries < self.retries && seconds <= LONGEST_WAIT => {
                    Some(Duration::from_secs(seconds))
                }
                _ => None,
            };
            let Some(wait) = wait else {
                self.counters.failure();
                let times = match tries {
                    0 => String::new(),
                    tries => format!(" (tried {} times)", tries + 1),
                };
                return Err(format!("{address}: {}{times}", failed.message));
            };
            thread::sleep(wait);
            tries += 1;
        }
    }

    fn attempt(
        &self,
        address: &str,
        body: &[u8],
        headers: &[(&str, &str)],
        again: bool,
    ) -> Result<Answered, Failed> {
        let _place = self.limits.wait();
        self.counters.request(body.len(), again);
        let mut request = self.agent.post(address);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let failed = |error: ureq::Error| Failed {
            again: match error {
                ureq::Error::Timeout(_)
                | ureq::Error::Io(_)
                | ureq::Error::ConnectionFailed
                | ureq::Error::HostNotFound
                | ureq::Error::Protocol(_) => Again::Soon,
                _ => Again::Never,
            },
            message: error.to_string(),
        };
        let mut response = request.send(body).map_err(failed)?;
        let status = response.status();
        let after = retry_after(&response);
        let json_length = response
            .headers()
            .get("inference-header-content-length")
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let body = response.body_mut().with_config().limit(LARGEST_ANSWER);
        let body = body.read_to_vec().map_err(failed)?;
        self.counters.response(body.len());
        if status.is_success() {
            return Ok(Answered { body, json_length });
        }
        Err(Failed {
            again: match (status, after) {
                (
                    StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE,
                    Some(seconds),
                ) => Again::After(seconds),
                (StatusCode::TOO_MANY_REQUESTS, None) => Again::Soon,
                (status, _) if status.is_server_error() => Again::Soon,
                _ => Again::Never,
            },
            message: format!("the server said {status}: {}", quoted(&body)),
        })
    }
}

struct Failed {
    again: Again,
    message: String,
}

/// When a request may be tried again.
enum Again {
    Never,
    Soon,
    /// After so many seconds.
    After(u64),
}

fn agent(timeout: Duration) -> Agent {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::PlatformVerifier)
        .build();
    let config = Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .user_agent(concat!("matchcut/", env!("CARGO_PKG_VERSION")))
        .max_idle_connections_per_host(16)
        .tls_config(tls);
    config.build().new_agent()
}

/// The pause before retry `count`, counted from 0.
pub(in crate::hosts) fn pause(first: Duration, count: u32) -> Duration {
    first.saturating_mul(1 << count.min(16)).min(LONGEST_PAUSE)
}

/// The seconds that a server asks to wait.
fn retry_after<T>(response: &Response<T>) -> Option<u64> {
    let header = response.headers().get("retry-after")?;
    header.to_str().ok()?.trim().parse().ok()
}

/// The begin of a text that a server sent.
pub(in crate::hosts) fn quoted(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn is_variable(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_') && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit() {
        let pauses: Vec<u64> = (0..8)
            .map(|count| pause(FIRST_PAUSE, count).as_millis() as u64)
            .collect();
        assert_eq!(
            pauses,
            [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]
        );
    }

    #[test]
    fn what_cannot_be_an_address_or_a_variable_is_told() {
        let wrong = |options: ClientOptions| -> Vec<String> {
            let errors = Client::new(&options, "m").err().unwrap_or_default();
            errors
                .into_iter()
                .filter_map(|error| error.option)
                .collect()
        };
        let with = |url: &str| ClientOptions {
            url: url.to_owned(),
            ..ClientOptions::default()
        };
        assert!(wrong(with("http://localhost:8080/")).is_empty());
        for url in [
            "",
            "localhost:8080",
            "ftp://a.example",
            "http://me:secret@a.example",
        ] {
            assert_eq!(wrong(with(url)), ["url"], "{url}");
        }
        let options = ClientOptions {
            // A key, where the name of a variable belongs.
            api_key_env: Some("sk-abc".to_owned()),
            concurrency: 0,
            ..with("https://a.example")
        };
        assert_eq!(wrong(options), ["concurrency", "api_key_env"]);
    }

    #[test]
    fn a_long_answer_is_quoted_in_part() {
        assert_eq!(quoted(b" no\n  such model "), "no such model");
        assert_eq!(
            quoted("ä".repeat(300).as_bytes()).chars().count(),
            QUOTED + 1
        );
    }
}
