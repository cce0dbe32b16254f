//! One question to a web server in somebody's name, with headers that only this server is to see: it is asked once, within
//! a time, follows nobody elsewhere, and reaches only what may be reached.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::Client;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use url::Url;

use crate::fetch::describe;
use crate::reach::{Denied, Reach};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Where.
    pub url: &'a Url,
    /// What goes along; values are secrets.
    pub headers: &'a [(&'static str, &'a str)],
    /// How long the answer may take, to its last byte.
    pub timeout: Duration,
    /// The largest answer that is read, in bytes.
    pub max_bytes: usize,
}

/// Why there is no answer. Queries of addresses, and headers, are not told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// It may not be asked.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A header cannot be sent.
    #[error("the value of the header {0} has letters that no header may have")]
    Header(&'static str),
    /// It refuses, or sends elsewhere.
    #[error("{what} answered with status {status}")]
    Status {
        /// Who.
        what: String,
        /// How.
        status: u16,
    },
    /// It took too long.
    #[error("{what} did not answer within {} s", after.as_secs_f64())]
    Timeout {
        /// Who.
        what: String,
        /// How long it had.
        after: Duration,
    },
    /// It said too much.
    #[error("{what} answered with more than {limit} bytes")]
    TooLarge {
        /// Who.
        what: String,
        /// How much it may be.
        limit: usize,
    },
    /// It cannot be reached.
    #[error("{what} cannot be asked: {message}")]
    Transport {
        /// Who.
        what: String,
        /// Why.
        message: String,
    },
}

/// Asks by GET; the body of an answer of success.
pub async fn ask(reach: &Reach, question: Question<'_>) -> Result<Bytes, AskError> {
    let what = shown(question.url);
    reach.check(question.url)?;
    let asked = tokio::time::timeout(question.timeout, answer(reach, question, &what)).await;
    asked.unwrap_or(Err(AskError::Timeout {
        what,
        after: question.timeout,
    }))
}

async fn answer(reach: &Reach, question: Question<'_>, what: &str) -> Result<Bytes, AskError> {
    let broken = |error: reqwest::Error| AskError::Transport {
        what: what.to_owned(),
        message: describe(&error.without_url()),
    };
    let mut headers = HeaderMap::new();
    for (name, value) in question.headers {
        let mut value = HeaderValue::from_str(value).map_err(|_| AskError::Header(name))?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    let agent = concat!("matchcut/", env!("CARGO_PKG_VERSION"));
    let client = reach.keep(Client::builder().user_agent(agent));
    let client = client.redirect(Policy::none()).build().map_err(broken)?;
    let asked = client.get(question.url.clone()).headers(headers).send();
    let mut response = asked.await.map_err(broken)?;
    if !response.status().is_success() {
        return Err(AskError::Status {
            what: what.to_owned(),
            status: response.status().as_u16(),
        });
    }
    let mut body = BytesMut::new();
    while let Some(part) = response.chunk().await.map_err(broken)? {
        if body.len() + part.len() > question.max_bytes {
            return Err(AskError::TooLarge {
                what: what.to_owned(),
                limit: question.max_bytes,
            });
        }
        body.extend_from_slice(&part);
    }
    Ok(body.freeze())
}

/// An address without what may be somebody's secret.
fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    // An address that cannot have these has none.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::path::Path;
    use std::thread;

    use super::*;

    /// A server that says this once; what it was asked.
    fn says(answer: &'static str, pause: Duration) -> (Url, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let mut asked = String::new();
            while let Some(Ok(line)) = lines.next().filter(|l| !matches!(l, Ok(l) if l.is_empty()))
            {
                asked.push_str(&line);
                asked.push('\n');
            }
            thread::sleep(pause);
            // Who has waited long enough is gone.
            let _ = stream.write_all(answer.as_bytes());
            asked
        });
        let url = format!("http://127.0.0.1:{port}/a/b?c=secret");
        (Url::parse(&url).unwrap(), asked)
    }

    async fn asks(url: &Url, reach: &Reach) -> Result<Bytes, String> {
        let question = Question {
            url,
            headers: &[("x-api-key", "the key")],
            timeout: Duration::from_millis(500),
            max_bytes: 5,
        };
        ask(reach, question)
            .await
            .map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn an_answer_comes_in_time_and_from_who_was_asked() {
        let all = Reach::everything();
        let now = Duration::ZERO;
        let (url, asked) = says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", now);
        assert_eq!(asks(&url, &all).await.unwrap(), "hello");
        let asked = asked.join().unwrap();
        assert!(asked.starts_with("GET /a/b?c=secret HTTP/1.1\n"), "{asked}");
        assert!(asked.contains("x-api-key: the key\n"), "{asked}");
        for (answer, pause, expected) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!",
                now,
                "/a/b answered with more than 5 bytes",
            ),
            (
                "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
                now,
                "/a/b answered with status 302",
            ),
            (
                "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
                now,
                "/a/b answered with status 500",
            ),
            (
                "",
                Duration::from_millis(900),
                "/a/b did not answer within 0.5 s",
            ),
        ] {
            let (url, _) = says(answer, pause);
            let error = asks(&url, &all).await.unwrap_err();
            assert!(error.ends_with(expected), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[tokio::test]
    async fn who_may_not_be_asked_is_not() {
        let url = Url::parse("http://127.0.0.1:1/a?c=secret").unwrap();
        let error = asks(&url, &Reach::usual()).await.unwrap_err();
        assert!(error.starts_with("http://127.0.0.1:1/a may not be reached"));
        let mut reach = Reach::nothing(Path::new(""));
        reach.allow("http://127.0.0.1").unwrap();
        let error = asks(&url, &reach).await.unwrap_err();
        assert!(
            error.starts_with("http://127.0.0.1:1/a cannot be asked: "),
            "{error}"
        );
    }
}
