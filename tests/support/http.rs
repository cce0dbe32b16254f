//! A client of a service that tests start.

use std::io::{BufRead, BufReader, Read};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

use super::metrics::Page;

/// What takes longer has hung.
const HUNG: Duration = Duration::from_secs(200);

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .unwrap_or_else(|| panic!("no {name}: {self:?}"))
            .to_str()
            .unwrap()
    }

    /// The JSON of an answer that must have this status.
    pub fn json(&self, status: u16) -> Json {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// The API of a service.
pub struct Api {
    root: String,
    url: String,
    agent: Agent,
}

impl Api {
    /// Our own.
    pub fn new(url: &str) -> Api {
        Api::under(url, "api/v1")
    }

    /// That at a path.
    pub fn under(url: &str, path: &str) -> Api {
        let agent = Agent::config_builder().http_status_as_error(false).build();
        Api {
            root: url.to_owned(),
            url: format!("{url}/{path}"),
            agent: agent.into(),
        }
    }

    /// Where the service is.
    pub fn root(&self) -> &str {
        &self.root
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> ureq::http::Response<ureq::Body> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/{path}", self.url).trim_end_matches('/'));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = match body {
            Some(body) => self.agent.run(request.body(body.to_owned()).unwrap()),
            None => self.agent.run(request.body(()).unwrap()),
        };
        sent.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Reply {
        let (parts, body) = self.send(method, path, headers, body).into_parts();
        let mut bytes = Vec::new();
        body.into_reader().read_to_end(&mut bytes).unwrap();
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: bytes,
        }
    }

    /// What the service counts.
    pub fn metrics(&self) -> Page {
        let page = Api::under(&self.root, "metrics").send("GET", "", &[], None);
        Page::new(page.into_body().read_to_string().unwrap())
    }

    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[], None)
    }

    pub fn post(&self, path: &str) -> Reply {
        self.ask("POST", path, &[], None)
    }

    /// Sends JSON, and gives the answer, which must be 200.
    pub fn json(&self, method: &str, path: &str, body: &Json) -> Json {
        let json = [("content-type", "application/json")];
        let body = (!body.is_null()).then(|| body.to_string());
        self.ask(method, path, &json, body.as_deref()).json(200)
    }

    /// Has an event run.
    pub fn run(&self, id: &str, spec: &str) -> Reply {
        let body = json!({ "id": id, "spec": spec }).to_string();
        let json = [("content-type", "application/json")];
        self.ask("POST", "events", &json, Some(&body))
    }

    /// Waits until an event is as wanted, and gives what is told of it.
    pub fn until(&self, id: &str, seen: impl Fn(&Json) -> bool) -> Json {
        let begun = Instant::now();
        loop {
            let told = self.get(&format!("events/{id}")).json(200);
            if seen(&told) {
                return told;
            }
            assert!(begun.elapsed() < HUNG, "{told}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until an event is in a state.
    pub fn until_it_is(&self, id: &str, state: &str) -> Json {
        let wanted = |told: &Json| told["state"] == state;
        let over = ["complete", "failed", "stopped"];
        let told = self.until(id, |told| {
            wanted(told) || over.iter().any(|over| told["state"] == *over)
        });
        assert!(wanted(&told), "{told} is not {state}");
        told
    }

    /// Follows the changes of an event, from behind an epoch.
    pub fn changes(&self, id: &str, after: Option<u64>) -> Changes {
        let path = format!("events/{id}/changes");
        let after = after.map(|after| after.to_string());
        let after: Vec<(&str, &str)> = after
            .iter()
            .map(|after| ("last-event-id", &**after))
            .collect();
        let response = self.send("GET", &path, &after, None);
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let (_, body) = response.into_parts();
        Changes {
            lines: BufReader::new(Box::new(body.into_reader())),
        }
    }
}

/// A message of a stream of server-sent events.
#[derive(Debug, Default)]
pub struct Message {
    pub id: Option<u64>,
    pub event: String,
    /// Its lines, each with its line feed.
    pub data: String,
}

/// Server-sent events, as they come.
pub struct Changes {
    lines: BufReader<Box<dyn Read>>,
}

impl Iterator for Changes {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let mut message = Message::default();
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            match line.trim_end_matches('\n').split_once(": ") {
                Some(("id", id)) => message.id = Some(id.parse().unwrap()),
                Some(("event", event)) => message.event = event.to_owned(),
                Some(("data", data)) => message.data += &format!("{data}\n"),
                Some(("", _)) => {}
                None if message.data.is_empty() => {}
                None => return Some(message),
                Some(other) => panic!("{other:?}"),
            }
        }
    }
}
