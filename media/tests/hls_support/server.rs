//! A web server on the loopback interface: the files of a directory with byte ranges, files of
//! other places under a name, and a place where pages post to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Default)]
struct Served {
    dir: PathBuf,
    /// Content by name, before files.
    named: Mutex<BTreeMap<String, Vec<u8>>>,
    /// What a post to a name puts under another name.
    switches: Mutex<BTreeMap<String, (String, Vec<u8>)>>,
}

/// Serves until the process ends.
pub struct Server {
    address: SocketAddr,
    served: Arc<Served>,
    results: Receiver<String>,
}

impl Server {
    pub fn new(dir: &Path) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::new(Served {
            dir: dir.to_owned(),
            ..Served::default()
        });
        let (sender, results) = channel();
        let shared = Arc::clone(&served);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (served, sender) = (Arc::clone(&shared), sender.clone());
                std::thread::spawn(move || {
                    // A player may hang up early.
                    let _ = answer(&stream, &served, &sender);
                });
            }
        });
        Server {
            address,
            served,
            results,
        }
    }

    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// Content under a name.
    pub fn serve(&self, name: &str, content: impl Into<Vec<u8>>) {
        let mut named = self.served.named.lock().unwrap();
        named.insert(name.to_owned(), content.into());
    }

    /// From the first post to `at` on, `name` has this content.
    pub fn switch(&self, at: &str, name: &str, content: impl Into<Vec<u8>>) {
        let mut switches = self.served.switches.lock().unwrap();
        switches.insert(at.to_owned(), (name.to_owned(), content.into()));
    }

    /// What was posted to `/result`.
    pub fn result(&self, wait: Duration) -> Option<String> {
        self.results.recv_timeout(wait).ok()
    }
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html",
        Some("js") => "text/javascript",
        Some("json") => "application/json",
        Some("m3u8") => "application/vnd.apple.mpegurl",
        Some("ts") => "video/mp2t",
        _ => "video/mp4",
    }
}

fn answer(
    mut stream: &TcpStream,
    served: &Served,
    results: &Sender<String>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let (mut length, mut range) = (0usize, None);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if let Some(value) = line.strip_prefix("range: bytes=") {
            range = value
                .split_once('-')
                .map(|(from, to)| (from.parse().unwrap_or(0), to.parse::<usize>().ok()));
        }
    }
    let name = request.split(' ').nth(1).unwrap_or("/");
    let name = name
        .split(['?', '#'])
        .next()
        .unwrap_or("/")
        .trim_start_matches('/');
    if request.starts_with("POST") {
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let switch = served.switches.lock().unwrap().get(name).cloned();
        if let Some((name, content)) = switch {
            served.named.lock().unwrap().insert(name, content);
        } else if name == "result" {
            let _ = results.send(String::from_utf8_lossy(&body).into_owned());
        }
        return stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    }
    let named = served.named.lock().unwrap().get(name).cloned();
    let Some(content) = named.or_else(|| std::fs::read(served.dir.join(name)).ok()) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
    };
    let last = content.len().saturating_sub(1);
    let (status, extra, body) = match range {
        Some((from, to)) if from <= last => {
            let to = to.unwrap_or(last).min(last);
            let extra = format!("Content-Range: bytes {from}-{to}/{}\r\n", content.len());
            ("206 Partial Content", extra, &content[from..=to])
        }
        _ => ("200 OK", String::new(), &content[..]),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{extra}\
         Cache-Control: no-store\r\nAccept-Ranges: bytes\r\nConnection: close\r\n\r\n",
        kind(name),
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}
