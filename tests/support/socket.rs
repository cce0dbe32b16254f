//! A client of WebSockets.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tungstenite::client::ClientRequestBuilder;
use tungstenite::handshake::HandshakeError;
use tungstenite::{Bytes, Error, Message, WebSocket};

/// What takes longer has hung.
const HUNG: Duration = Duration::from_secs(200);

/// A connection.
pub struct Socket(WebSocket<TcpStream>);

/// What comes over it.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// A text message, which is JSON.
    Told(Json),
    /// An answer to a ping.
    Pong(Vec<u8>),
    /// Whether we are there; answered before it is given.
    Ping,
    /// The other side has closed it: why.
    Closed(u16, String),
}

impl Socket {
    /// Opens it at an http address; else the status that was answered, and the body.
    pub fn open(url: &str, headers: &[(&str, &str)]) -> Result<Socket, (u16, Json)> {
        let rest = url.strip_prefix("http://").unwrap();
        let (host, _) = rest.split_once('/').unwrap();
        let stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(HUNG)).unwrap();
        let mut request = ClientRequestBuilder::new(format!("ws://{rest}").parse().unwrap());
        for (name, value) in headers {
            request = request.with_header(*name, *value);
        }
        match tungstenite::client(request, stream) {
            Ok((socket, response)) => {
                assert_eq!(response.status(), 101);
                Ok(Socket(socket))
            }
            Err(HandshakeError::Failure(Error::Http(response))) => {
                let status = response.status().as_u16();
                let body = response.into_body().unwrap_or_default();
                Err((status, serde_json::from_slice(&body).unwrap_or(Json::Null)))
            }
            Err(error) => panic!("{url}: {error}"),
        }
    }

    pub fn ping(&mut self, data: &[u8]) {
        let data = Bytes::copy_from_slice(data);
        self.0.send(Message::Ping(data)).unwrap();
    }

    /// Waits for the next.
    pub fn hear(&mut self) -> Heard {
        match self.0.read().unwrap() {
            Message::Text(text) => Heard::Told(serde_json::from_str(&text).unwrap()),
            Message::Pong(data) => Heard::Pong(data.to_vec()),
            Message::Ping(_) => {
                self.0.flush().unwrap();
                Heard::Ping
            }
            Message::Close(frame) => {
                let frame = frame.expect("closed without a reason");
                // The answer; then the connection ends.
                while self.0.flush().is_ok() && self.0.read().is_ok() {}
                Heard::Closed(frame.code.into(), frame.reason.to_string())
            }
            other => panic!("{other:?}"),
        }
    }

    /// Hangs up, and waits for the answer to that.
    pub fn close(mut self) {
        self.0.close(None).unwrap();
        let mut answered = false;
        loop {
            match self.0.read() {
                Ok(message) => answered |= message.is_close(),
                Err(Error::ConnectionClosed) => break,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(answered, "nobody has answered that we go");
    }

    /// Waits for the next message.
    pub fn told(&mut self) -> Json {
        match self.hear() {
            Heard::Told(told) => told,
            Heard::Ping => self.told(),
            other => panic!("{other:?}"),
        }
    }

    /// All changes until the end, how that was told, and why the connection was closed.
    pub fn until_the_end(&mut self) -> (Vec<Json>, Json, (u16, String)) {
        let mut changes = Vec::new();
        let end = loop {
            let told = self.told();
            match told["event"].as_str().unwrap() {
                "change" => changes.push(told),
                _ => break told,
            }
        };
        match self.hear() {
            Heard::Closed(code, reason) => (changes, end, (code, reason)),
            other => panic!("{other:?}"),
        }
    }
}

/// The messages of a file of changes.
pub fn messages(lines: &[Json]) -> Vec<Json> {
    let epoch = |line: Option<&Json>| line.map(|line| line["epoch"].clone());
    let all = lines.iter().enumerate();
    all.map(|(at, line)| {
        let last = epoch(lines.get(at + 1)) != epoch(Some(line));
        json!({ "id": line["epoch"], "event": "change", "last": last, "data": line })
    })
    .collect()
}
