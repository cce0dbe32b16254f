//! A web server of a few lines for playlists and chunks, which a test changes while it serves.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a path answers with.
#[derive(Clone)]
pub enum Answer {
    /// 200 and these bytes.
    Bytes(Vec<u8>),
    /// 302 to another path.
    Redirect(String),
    /// Another status.
    Status(u16),
    /// Another status the first time, then 200 and these bytes.
    StatusOnce(u16, Vec<u8>),
}

/// A server on a free port of this machine, until the tests are over.
pub struct Server {
    port: u16,
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers: Arc<Mutex<BTreeMap<String, Answer>>> = Arc::default();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (shared, log) = (Arc::clone(&answers), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shared, log) = (Arc::clone(&shared), Arc::clone(&log));
                // A client that hangs up early is no concern of the test.
                thread::spawn(move || drop(answer(stream, &shared, &log)));
            }
        });
        Server {
            port,
            answers,
            asked,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// From now on `path` answers with this.
    pub fn set(&self, path: &str, answer: Answer) {
        self.answers
            .lock()
            .unwrap()
            .insert(format!("/{path}"), answer);
    }

    /// From now on `path` answers with these bytes.
    pub fn serve(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.set(path, Answer::Bytes(bytes.into()));
    }

    /// From now on the files of a directory are served by their names.
    pub fn serve_all(&self, dir: &std::path::Path) {
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            self.serve(&name, std::fs::read(entry.path()).unwrap());
        }
    }

    /// How often `path` was asked for.
    pub fn asked(&self, path: &str) -> usize {
        let path = format!("/{path}");
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|asked| **asked == path)
            .count()
    }
}

fn answer(
    mut stream: TcpStream,
    answers: &Mutex<BTreeMap<String, Answer>>,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = first
        .split_whitespace()
        .nth(1)
        .unwrap_or_default()
        .to_owned();
    asked.lock().unwrap().push(path.clone());
    let answer = {
        let mut answers = answers.lock().unwrap();
        let answer = answers.get(&path).cloned();
        if let Some(Answer::StatusOnce(_, bytes)) = &answer {
            answers.insert(path, Answer::Bytes(bytes.clone()));
        }
        answer
    };
    let head = |status: &str, length: usize, more: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{more}Connection: close\r\n\r\n")
    };
    match answer.unwrap_or(Answer::Status(404)) {
        Answer::Bytes(bytes) => {
            stream.write_all(head("200 OK", bytes.len(), "").as_bytes())?;
            stream.write_all(&bytes)
        }
        Answer::Redirect(to) => {
            let place = format!("Location: {to}\r\n");
            stream.write_all(head("302 Found", 0, &place).as_bytes())
        }
        Answer::Status(code) | Answer::StatusOnce(code, _) => {
            stream.write_all(head(&format!("{code} No"), 0, "").as_bytes())
        }
    }
}
