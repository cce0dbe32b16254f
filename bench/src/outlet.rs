//! Where a playback appears: a directory that grows, or a live HLS stream on this machine. Both tell
//! at which instant a chunk could first be read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::disturb::{Arrival, What};
use crate::media_list::{self, Listed};
use crate::trace::Trace;

/// The playlist of a playback.
pub const PLAYLIST: &str = "index.m3u8";

/// When files could be read: several times for one that came again.
#[derive(Clone, Debug, Default)]
pub struct Readable(Arc<Mutex<BTreeMap<String, Vec<SystemTime>>>>);

impl Readable {
    pub(crate) fn add(&self, file: &str, at: SystemTime) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.entry(file.to_owned()).or_default().push(at);
    }

    /// The last time before `at` at which the file became readable.
    pub fn before(&self, file: &str, at: SystemTime) -> Option<SystemTime> {
        let times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = times.get(file)?;
        times.iter().rev().find(|time| **time <= at).copied()
    }
}

/// Takes what arrives.
pub trait Outlet {
    /// Everything that arrives at one time.
    fn arrive(&mut self, arrivals: &[Arrival]) -> io::Result<()>;
    /// Nothing arrives any more.
    fn end(&mut self) -> io::Result<()>;
}

/// The chunks that the playlist has.
struct Playlist {
    target: Duration,
    listed: Vec<Listed>,
}

impl Playlist {
    fn add(&mut self, trace: &Trace, arrival: &Arrival) {
        let again = matches!(arrival.what, What::Listed | What::Again);
        let chunk = trace.chunks.get(arrival.chunk).filter(|_| again);
        self.listed.extend(chunk.map(|chunk| chunk.listed.clone()));
    }

    fn text(&self, ended: bool) -> String {
        media_list::write(self.listed.iter(), self.target, ended)
    }
}

fn content(trace: &Trace, file: &str, what: What) -> io::Result<Vec<u8>> {
    let path = trace.dir.join(file);
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut bytes = fs::read(&path).map_err(named)?;
    if what == What::Half {
        bytes.truncate(bytes.len() / 2);
    }
    Ok(bytes)
}

/// A directory that grows: every file appears whole, by a rename, and the playlist with it.
pub struct Directory {
    trace: Arc<Trace>,
    dir: PathBuf,
    playlist: Playlist,
    readable: Readable,
}

impl Directory {
    /// Files go to `dir`.
    pub fn new(trace: Arc<Trace>, dir: &Path, readable: Readable) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let directory = Directory {
            dir: dir.to_owned(),
            playlist: Playlist {
                target: trace.target(),
                listed: Vec::new(),
            },
            trace,
            readable,
        };
        for file in &directory.trace.resources {
            directory.put(file, &content(&directory.trace, file, What::Whole)?)?;
        }
        Ok(directory)
    }

    fn put(&self, file: &str, bytes: &[u8]) -> io::Result<()> {
        let part = self.dir.join(format!(".{file}.part"));
        fs::write(&part, bytes)?;
        fs::rename(part, self.dir.join(file))
    }
}

impl Outlet for Directory {
    fn arrive(&mut self, arrivals: &[Arrival]) -> io::Result<()> {
        for arrival in arrivals {
            self.playlist.add(&self.trace, arrival);
        }
        // Listed before it is there: who follows the playlist waits for the file.
        self.put(PLAYLIST, self.playlist.text(false).as_bytes())?;
        for arrival in arrivals
            .iter()
            .filter(|arrival| arrival.what != What::Listed)
        {
            let Some(chunk) = self.trace.chunks.get(arrival.chunk) else {
                continue;
            };
            let file = &chunk.listed.uri;
            self.put(file, &content(&self.trace, file, arrival.what)?)?;
            self.readable.add(file, SystemTime::now());
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.put(PLAYLIST, self.playlist.text(true).as_bytes())
    }
}

struct Served {
    trace: Arc<Trace>,
    playlist: Playlist,
    ended: bool,
    /// What of each file can be had.
    files: BTreeMap<String, What>,
    open: BTreeSet<String>,
}

/// A live HLS stream on a free port of this machine. It is served until the process ends.
pub struct Http {
    port: u16,
    served: Arc<Mutex<Served>>,
    readable: Readable,
}

/// A request is answered within this, or given up.
const PATIENCE: Duration = Duration::from_secs(30);

impl Http {
    /// Serves on `port`, or on a free one for 0.
    pub fn start(trace: Arc<Trace>, port: u16, readable: Readable) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let served = Served {
            playlist: Playlist {
                target: trace.target(),
                listed: Vec::new(),
            },
            ended: false,
            files: BTreeMap::new(),
            open: trace.resources.iter().cloned().collect(),
            trace,
        };
        let http = Http {
            port: listener.local_addr()?.port(),
            served: Arc::new(Mutex::new(served)),
            readable,
        };
        let served = Arc::clone(&http.served);
        thread::Builder::new()
            .name("serve".to_owned())
            .spawn(move || {
                for stream in listener.incoming().flatten() {
                    let served = Arc::clone(&served);
                    // A client that hangs up early is its own concern.
                    let answering = move || drop(answer(stream, &served));
                    drop(
                        thread::Builder::new()
                            .name("answer".to_owned())
                            .spawn(answering),
                    );
                }
            })?;
        Ok(http)
    }

    /// The address of the playlist.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/{PLAYLIST}", self.port)
    }

    fn lock(&self) -> MutexGuard<'_, Served> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outlet for Http {
    fn arrive(&mut self, arrivals: &[Arrival]) -> io::Result<()> {
        let mut served = self.lock();
        let served = &mut *served;
        for arrival in arrivals {
            served.playlist.add(&served.trace, arrival);
            let chunk = served.trace.chunks.get(arrival.chunk);
            if let Some(chunk) = chunk.filter(|_| arrival.what != What::Listed) {
                let file = chunk.listed.uri.clone();
                self.readable.add(&file, SystemTime::now());
                served.files.insert(file, arrival.what);
            }
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.lock().ended = true;
        Ok(())
    }
}

fn answer(mut stream: TcpStream, served: &Mutex<Served>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?.take(64 << 10));
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut range = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("range")
        {
            range = Some(value.trim().to_owned());
        }
    }
    let mut words = first.split_whitespace();
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let file = target
        .split('?')
        .next()
        .unwrap_or_default()
        .trim_start_matches('/');
    let found = {
        let served = served.lock().unwrap_or_else(PoisonError::into_inner);
        if file == PLAYLIST {
            Some((served.playlist.text(served.ended).into_bytes(), true))
        } else {
            let open = served.open.contains(file).then_some(What::Whole);
            let what = open.or_else(|| served.files.get(file).copied());
            let trace = Arc::clone(&served.trace);
            drop(served);
            what.and_then(|what| content(&trace, file, what).ok())
                .map(|bytes| (bytes, false))
        }
    };
    let Some((bytes, is_playlist)) = found else {
        return stream.write_all(
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
    };
    let (status, part, more) = match range.as_deref().map(|range| part_of(range, bytes.len())) {
        None => ("200 OK", &bytes[..], String::new()),
        Some(Some((from, to))) => (
            "206 Partial Content",
            bytes.get(from..to).unwrap_or_default(),
            format!("Content-Range: bytes {from}-{}/{}\r\n", to - 1, bytes.len()),
        ),
        Some(None) => (
            "416 Range Not Satisfiable",
            &[][..],
            format!("Content-Range: bytes */{}\r\n", bytes.len()),
        ),
    };
    let kind = if is_playlist {
        "application/vnd.apple.mpegurl"
    } else {
        "application/octet-stream"
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{more}\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n",
        part.len()
    );
    stream.write_all(head.as_bytes())?;
    if method != "HEAD" {
        stream.write_all(part)?;
    }
    stream.flush()
}

/// The bytes that a range header asks for: `bytes=2-5`, `bytes=2-`, `bytes=-4`.
fn part_of(range: &str, length: usize) -> Option<(usize, usize)> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (from.parse::<usize>(), to.parse::<usize>()) {
        (Ok(from), Ok(to)) => (from, to.saturating_add(1).min(length)),
        (Ok(from), Err(_)) => (from, length),
        (Err(_), Ok(last)) => (length.saturating_sub(last), length),
        (Err(_), Err(_)) => return None,
    };
    (from < to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disturb::Script;

    fn trace(dir: &Path) -> Arc<Trace> {
        fs::write(dir.join("a.ts"), "0123456789").unwrap();
        fs::write(dir.join("b.ts"), "abcdef").unwrap();
        let text = "#EXTM3U\n#EXTINF:2,\na.ts\n#EXT-X-DISCONTINUITY\n#EXTINF:2,\nb.ts\n";
        fs::write(dir.join("in.m3u8"), text).unwrap();
        Arc::new(Trace::open(&dir.join("in.m3u8")).unwrap())
    }

    fn plan(trace: &Trace, script: &str) -> Vec<Arrival> {
        Script::parse(script).unwrap().plan(trace).unwrap().arrivals
    }

    fn get(http: &Http, file: &str, header: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", http.port)).unwrap();
        write!(stream, "GET /{file} HTTP/1.1\r\nHost: x\r\n{header}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_directory_grows_by_whole_files() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let trace = trace(from.path());
        let arrivals = plan(&trace, "[[step]]\nchunk = 1\ndo = \"truncated\"\n");
        let readable = Readable::default();
        let mut out = Directory::new(Arc::clone(&trace), to.path(), readable.clone()).unwrap();
        out.arrive(&arrivals[..2]).unwrap();
        assert_eq!(fs::read(to.path().join("a.ts")).unwrap(), b"0123456789");
        assert!(!to.path().join("b.ts").exists());
        assert!(readable.before("a.ts", SystemTime::now()).is_some());
        assert!(readable.before("b.ts", SystemTime::now()).is_none());
        out.arrive(&arrivals[2..]).unwrap();
        out.end().unwrap();
        assert_eq!(fs::read(to.path().join("b.ts")).unwrap(), b"abc");
        let list = media_list::parse(&fs::read_to_string(to.path().join(PLAYLIST)).unwrap());
        assert!(list.ended && list.chunks.len() == 2);
        assert_eq!(list.chunks[1].tags, ["#EXT-X-DISCONTINUITY", "#EXTINF:2,"]);
    }

    #[test]
    fn a_live_stream_serves_what_has_arrived() {
        let from = tempfile::tempdir().unwrap();
        let trace = trace(from.path());
        let arrivals = plan(&trace, "[[step]]\nchunk = 1\ndo = \"lost\"\n");
        let mut http = Http::start(trace, 0, Readable::default()).unwrap();
        assert!(get(&http, "a.ts", "").starts_with("HTTP/1.1 404"));
        assert!(!get(&http, PLAYLIST, "").contains("a.ts"));
        http.arrive(&arrivals).unwrap();
        assert!(get(&http, "a.ts", "").ends_with("\r\n\r\n0123456789"));
        assert!(
            get(&http, "a.ts", "Range: bytes=2-4\r\n").ends_with(
                "bytes 2-4/10\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n234"
            )
        );
        assert!(get(&http, "a.ts", "Range: bytes=10-\r\n").starts_with("HTTP/1.1 416"));
        // Lost: the playlist has it, the server has not.
        assert!(get(&http, PLAYLIST, "").contains("\nb.ts\n"));
        assert!(get(&http, "b.ts", "").starts_with("HTTP/1.1 404"));
        assert!(get(&http, "../../etc/passwd", "").starts_with("HTTP/1.1 404"));
        assert!(!get(&http, PLAYLIST, "").contains("ENDLIST"));
        http.end().unwrap();
        assert!(get(&http, PLAYLIST, "").ends_with("#EXT-X-ENDLIST\n"));
    }
}
