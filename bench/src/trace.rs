//! A stream with its arrival times: the chunks in a directory, and beside them `trace.jsonl`, which
//! says when each of them was there and what the playlist said at what time.
//!
//! ```text
//! {"kind":"stream","uri":"https://example.com/court/index.m3u8"}
//! {"kind":"playlist","at":0.0,"text":"#EXTM3U\n…"}
//! {"kind":"resource","at":0.031,"file":"init.mp4","bytes":812}
//! {"kind":"chunk","at":0.052,"file":"chunk_0.m4s","bytes":401332,"tags":["#EXTINF:6.0,"]}
//! {"kind":"end","at":285.1}
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::media_list::{self, Listed};

/// The name of the trace in its directory.
pub const FILE: &str = "trace.jsonl";

/// Chunks of a directory without a playlist are taken to be so long.
const UNKNOWN: Duration = Duration::from_secs(6);

/// A line of a trace. Times are seconds since recording began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Line {
    /// What was recorded: the first line.
    Stream {
        /// Its address.
        uri: String,
    },
    /// The playlist changed.
    Playlist {
        /// When.
        at: f64,
        /// All of it, with the addresses that it had.
        text: String,
    },
    /// A part of the stream that is no chunk: an initialisation section or a key.
    Resource {
        /// When it was there.
        at: f64,
        /// The file that holds it.
        file: String,
        /// Its size.
        bytes: u64,
    },
    /// A chunk.
    Chunk {
        /// When its last byte was there.
        at: f64,
        /// The file that holds it.
        file: String,
        /// Its size.
        bytes: u64,
        /// What the playlist says of it, with the names of files in place of addresses.
        tags: Vec<String>,
    },
    /// Nothing came any more.
    End {
        /// When that was known.
        at: f64,
    },
}

/// A chunk of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceChunk {
    /// When it was there.
    pub at: Duration,
    /// Its tags, and its file as the address.
    pub listed: Listed,
}

/// A recorded stream, ready to be played back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Where its files lie.
    pub dir: PathBuf,
    /// Parts that are no chunks.
    pub resources: Vec<String>,
    /// Chunks, in playlist order.
    pub chunks: Vec<TraceChunk>,
    /// When it ended.
    pub end: Duration,
}

/// Why a trace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is not of a trace.
    #[error("{}:{line}: {message}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// There is nothing in it.
    #[error(
        "{} holds no stream: neither {FILE}, nor a playlist (.m3u8), nor chunks (.ts, .m4s, .mp4)",
        .0.display()
    )]
    Nothing(PathBuf),
}

fn read_text(path: &Path) -> Result<String, TraceError> {
    fs::read_to_string(path).map_err(|source| TraceError::Read {
        path: path.to_owned(),
        source,
    })
}

impl Trace {
    /// Reads a trace, a directory that holds one, a playlist or a directory of chunks. Where no
    /// arrival times were recorded, chunks arrive as an encoder makes them: each when it is over.
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        if path.is_dir() {
            let trace = path.join(FILE);
            if trace.is_file() {
                return Trace::read(&trace);
            }
            return match first_playlist(path)? {
                Some(playlist) => Trace::of_playlist(&playlist),
                None => Trace::of_files(path),
            };
        }
        if path
            .extension()
            .is_some_and(|extension| extension == "m3u8")
        {
            Trace::of_playlist(path)
        } else {
            Trace::read(path)
        }
    }

    fn read(path: &Path) -> Result<Self, TraceError> {
        let mut trace = Trace::empty(path);
        let text = read_text(path)?;
        for (index, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.is_empty())
        {
            let wrong = |message: String| TraceError::Line {
                path: path.to_owned(),
                line: index + 1,
                message,
            };
            let time = |at: f64| {
                Duration::try_from_secs_f64(at)
                    .map_err(|_| wrong(format!("at: {at} is no time since the recording began")))
            };
            let line = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
            match line {
                Line::Stream { .. } | Line::Playlist { .. } => {}
                Line::Resource { file, .. } => {
                    trace.resources.push(plain_name(file).map_err(wrong)?);
                }
                Line::Chunk { at, file, tags, .. } => {
                    let uri = plain_name(file).map_err(wrong)?;
                    let listed = Listed { tags, uri };
                    let at = time(at)?;
                    trace.chunks.push(TraceChunk { at, listed });
                }
                Line::End { at } => trace.end = time(at)?,
            }
        }
        trace.checked(path)
    }

    fn of_playlist(path: &Path) -> Result<Self, TraceError> {
        let mut trace = Trace::empty(path);
        let list = media_list::parse(&read_text(path)?);
        let mut at = Duration::ZERO;
        for listed in list.chunks {
            at += listed.duration();
            for tag in &listed.tags {
                if let Some(uri) = media_list::attribute(tag, "URI") {
                    trace.resources.push(uri.to_owned());
                }
            }
            trace.chunks.push(TraceChunk { at, listed });
        }
        trace.checked(path)
    }

    fn of_files(dir: &Path) -> Result<Self, TraceError> {
        let mut names = names_in(dir)?;
        names.retain(|name| {
            let extension = name.rsplit('.').next().unwrap_or_default();
            matches!(extension, "ts" | "m4s" | "mp4")
        });
        let chunk = |(index, name): (u32, String)| TraceChunk {
            at: UNKNOWN * (index + 1),
            listed: Listed {
                tags: vec![format!("#EXTINF:{},", UNKNOWN.as_secs())],
                uri: name,
            },
        };
        let mut trace = Trace::empty(&dir.join(FILE));
        trace.chunks = (0..).zip(names).map(chunk).collect();
        trace.checked(dir)
    }

    fn empty(file: &Path) -> Self {
        Trace {
            dir: file.parent().unwrap_or(Path::new("")).to_owned(),
            resources: Vec::new(),
            chunks: Vec::new(),
            end: Duration::ZERO,
        }
    }

    fn checked(mut self, path: &Path) -> Result<Self, TraceError> {
        let Some(last) = self.chunks.iter().map(|chunk| chunk.at).max() else {
            return Err(TraceError::Nothing(path.to_owned()));
        };
        self.end = self.end.max(last);
        self.resources.sort();
        self.resources.dedup();
        Ok(self)
    }

    /// The longest chunk.
    pub fn target(&self) -> Duration {
        let durations = self.chunks.iter().map(|chunk| chunk.listed.duration());
        durations.max().unwrap_or_default()
    }

    /// How long all of it plays.
    pub fn duration(&self) -> Duration {
        self.chunks
            .iter()
            .map(|chunk| chunk.listed.duration())
            .sum()
    }
}

/// A name that stays in the directory of the trace.
fn plain_name(file: String) -> Result<String, String> {
    let hidden = file.is_empty() || file.starts_with('.');
    if hidden || file.contains(['/', '\\']) {
        return Err(format!(
            "\"{file}\" is not the name of a file beside the trace"
        ));
    }
    Ok(file)
}

fn names_in(dir: &Path) -> Result<Vec<String>, TraceError> {
    let failed = |source| TraceError::Read {
        path: dir.to_owned(),
        source,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        names.extend(name.into_string().ok());
    }
    names.sort();
    Ok(names)
}

fn first_playlist(dir: &Path) -> Result<Option<PathBuf>, TraceError> {
    let names = names_in(dir)?;
    let playlist = names.iter().find(|name| name.ends_with(".m3u8"));
    Ok(playlist.map(|name| dir.join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let lines = [
            Line::Stream {
                uri: "https://example.com/a/index.m3u8".into(),
            },
            Line::Playlist {
                at: 0.0,
                text: "#EXTM3U\n".into(),
            },
            Line::Resource {
                at: 0.1,
                file: "init.mp4".into(),
                bytes: 800,
            },
            Line::Chunk {
                at: 6.25,
                file: "a.m4s".into(),
                bytes: 9,
                tags: vec!["#EXTINF:6.0,".into()],
            },
            Line::End { at: 12.5 },
        ];
        let text: Vec<String> = lines
            .iter()
            .map(|line| serde_json::to_string(line).unwrap())
            .collect();
        fs::write(dir.path().join(FILE), text.join("\n")).unwrap();
        let trace = Trace::open(dir.path()).unwrap();
        assert_eq!(trace.resources, ["init.mp4"]);
        assert_eq!(trace.chunks[0].at, Duration::from_millis(6250));
        assert_eq!(trace.chunks[0].listed.uri, "a.m4s");
        assert_eq!(trace.end, Duration::from_millis(12_500));
        assert_eq!(trace.duration(), Duration::from_secs(6));
    }

    #[test]
    fn a_playlist_is_played_as_an_encoder_makes_it() {
        let dir = tempfile::tempdir().unwrap();
        let text = "#EXTM3U\n#EXTINF:6,\na.ts\n#EXTINF:4.5,\nb.ts\n#EXT-X-ENDLIST\n";
        fs::write(dir.path().join("index.m3u8"), text).unwrap();
        let trace = Trace::open(dir.path()).unwrap();
        let times: Vec<u128> = trace.chunks.iter().map(|c| c.at.as_millis()).collect();
        assert_eq!(times, [6000, 10_500]);
        assert_eq!(trace.target(), Duration::from_secs(6));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        for (line, told) in [
            (r#"{"kind":"chunk"}"#, "trace.jsonl:2: missing field `at`"),
            (
                r#"{"kind":"chunk","at":-1,"file":"a.ts","bytes":1,"tags":[]}"#,
                "at: -1 is no time",
            ),
            (
                r#"{"kind":"chunk","at":1,"file":"../a.ts","bytes":1,"tags":[]}"#,
                "\"../a.ts\" is not the name of a file",
            ),
        ] {
            fs::write(&path, format!("\n{line}\n")).unwrap();
            let error = Trace::open(&path).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
        fs::remove_file(&path).unwrap();
        let error = Trace::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("holds no stream"), "{error}");
    }
}
