//! A server of S3 on the loopback that checks signatures, with a place in front of it where a test puts
//! faults. Tests of other crates use this file too.

#![allow(dead_code, reason = "not every test uses all of it")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tempfile::TempDir;

/// The access key that the server takes.
pub const KEY: &str = "AKIATESTTESTTESTTEST";

/// Its secret.
pub const SECRET: &str = "the-secret-of-the-tests";

/// What happens to a request instead of being answered at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The answer begins after a while.
    Slow(Duration),
    /// The connection breaks after so many bytes of the answer.
    Broken(usize),
    /// A byte of what is sent becomes another.
    Spoilt,
    /// An error of S3: status, code.
    Error(u16, &'static str),
}

type Faults = Box<dyn FnMut(&str) -> Fault + Send>;

/// A server with buckets; it ends with the process.
pub struct S3Server {
    /// Where it is.
    pub endpoint: String,
    root: TempDir,
    faults: Arc<Mutex<Faults>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl S3Server {
    /// Starts it, with these buckets.
    pub fn start(buckets: &[&str]) -> S3Server {
        let root = tempfile::tempdir().unwrap();
        for bucket in buckets {
            fs::create_dir(root.path().join(bucket)).unwrap();
        }
        let inner = serve(root.path().to_owned());
        let faults: Arc<Mutex<Faults>> = Arc::new(Mutex::new(Box::new(|_| Fault::None)));
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let shared = (Arc::clone(&faults), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (faults, asked) = shared.clone();
                // A client that hangs up early is no concern of the test.
                thread::spawn(move || drop(pass(stream, inner, &faults, &asked)));
            }
        });
        S3Server {
            endpoint,
            root,
            faults,
            asked,
        }
    }

    /// From now on each request (`GET /bucket/key?…`) meets what this says.
    pub fn fault(&self, faults: impl FnMut(&str) -> Fault + Send + 'static) {
        *self.faults.lock().unwrap() = Box::new(faults);
    }

    /// The first lines of all requests so far.
    pub fn lines(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Requests so far whose first line contains `text`.
    pub fn asked(&self, text: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|line| line.contains(text)).count()
    }

    /// Writes an object, all at once.
    pub fn put(&self, bucket: &str, key: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(bucket, key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let new = self
            .root
            .path()
            .join(format!(".new-{}", key.replace('/', "_")));
        fs::write(&new, bytes).unwrap();
        fs::rename(new, path).unwrap();
    }

    /// Where an object lies.
    pub fn path(&self, bucket: &str, key: &str) -> PathBuf {
        self.root.path().join(bucket).join(key)
    }

    /// The keys of a bucket.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let root = self.root.path().join(bucket);
        let mut keys = Vec::new();
        let mut open = vec![root.clone()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap().flatten() {
                match entry.path() {
                    path if path.is_dir() => open.push(path),
                    path => keys.push(path.strip_prefix(&root).unwrap().display().to_string()),
                }
            }
        }
        keys.sort();
        keys
    }
}

/// The server itself, on a thread of its own.
fn serve(root: PathBuf) -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut service = S3ServiceBuilder::new(FileSystem::new(root).unwrap());
            service.set_auth(SimpleAuth::from_single(KEY, SECRET));
            let service = service.build();
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let http = Builder::new(TokioExecutor::new());
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
    });
    told.recv().unwrap()
}

/// One request, passed on unless something is to happen to it. The connection ends with it.
fn pass(
    mut client: TcpStream,
    inner: SocketAddr,
    faults: &Mutex<Faults>,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let first = text.lines().next().unwrap_or_default().to_owned();
    let header = |name: &str| {
        text.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    if header("expect").is_some() {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let length = header("content-length").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    client.read_exact(&mut body)?;
    asked.lock().unwrap().push(first.clone());
    let fault = (faults.lock().unwrap())(&first);
    let mut most = usize::MAX;
    match fault {
        Fault::None => {}
        Fault::Slow(wait) => thread::sleep(wait),
        Fault::Broken(bytes) => most = bytes,
        Fault::Spoilt => {
            if let Some(byte) = body.last_mut() {
                *byte ^= 1;
            }
        }
        Fault::Error(status, code) => {
            let body = format!(
                "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as the test wants</Message></Error>"
            );
            let answer = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/xml\r\nContent-Length: {}\r\nConnection: \
                 close\r\n\r\n{body}",
                body.len()
            );
            return client.write_all(answer.as_bytes());
        }
    }
    let mut server = TcpStream::connect(inner)?;
    // Not among what is signed.
    let head: String = text
        .split_inclusive("\r\n")
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"))
        .collect();
    let head = head.trim_end_matches("\r\n");
    server.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes())?;
    server.write_all(&body)?;
    let mut part = vec![0; 64 << 10];
    loop {
        let read = server.read(&mut part)?.min(most);
        if read == 0 {
            return Ok(());
        }
        client.write_all(&part[..read])?;
        most -= read;
    }
}
