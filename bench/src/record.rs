//! Records a stream with its arrival times: every version of its playlist, and every chunk as soon
//! as it is offered. A live stream is followed until it ends, or until a limit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use matchcut_ingest::uri::{locate, resolve, to_path};
use matchcut_ingest::{Fetcher, Source, SourceConfig, SourceItem};
use matchcut_model::chunk::Resource;
use tokio::runtime::Runtime;

use crate::Error;
use crate::media_list::{self, Listed, MediaList};
use crate::trace::{FILE, Line};

/// How often a live playlist is loaded, unless its chunks are shorter than four times that.
const RELOAD: Duration = Duration::from_millis(500);

/// A playlist that does not change for so long has ended.
const STALE: Duration = Duration::from_secs(90);

/// What was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Chunks.
    pub chunks: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Versions of the playlist.
    pub playlists: usize,
    /// How long it took.
    pub time: Duration,
}

struct Recorder<'a> {
    dir: &'a Path,
    trace: File,
    started: Instant,
    runtime: Runtime,
    fetcher: Fetcher,
    /// The file of each address that was fetched.
    files: BTreeMap<String, String>,
    taken: BTreeSet<String>,
    done: Recorded,
}

/// Records `uri` into the new directory `out`. Ends with the stream, after `limit`, or when `stop`
/// becomes true; what was recorded until then can be played back.
pub fn record(
    uri: &str,
    out: &Path,
    limit: Option<Duration>,
    stop: &AtomicBool,
) -> Result<Recorded, Error> {
    let here = std::env::current_dir()?;
    let url = locate(uri, &here)?;
    if out.join(FILE).exists() {
        return Err(format!("{} holds a recording already", out.display()).into());
    }
    fs::create_dir_all(out)?;
    let mut recorder = Recorder {
        dir: out,
        trace: File::create(out.join(FILE))?,
        started: Instant::now(),
        runtime: Runtime::new()?,
        fetcher: Fetcher::default(),
        files: BTreeMap::new(),
        taken: BTreeSet::from([FILE.to_owned()]),
        done: Recorded::default(),
    };
    recorder.line(&Line::Stream { uri: public(&url) })?;
    let over = |started: Instant| {
        stop.load(Ordering::SeqCst) || limit.is_some_and(|limit| started.elapsed() >= limit)
    };
    match to_path(&url).filter(|path| path.is_dir()) {
        Some(path) => recorder.directory(&path, &over)?,
        None => recorder.hls(url.as_str(), &over)?,
    }
    let at = recorder.now();
    recorder.line(&Line::End { at })?;
    recorder.done.time = recorder.started.elapsed();
    Ok(recorder.done)
}

/// An address without user, password and query, which may be secret.
fn public(url: &impl std::fmt::Display) -> String {
    let text = url.to_string();
    let text = text.split(['?', '#']).next().unwrap_or_default();
    match text.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = host.rsplit('@').next().unwrap_or(host);
            format!("{scheme}://{host}/{path}")
        }
        None => text.to_owned(),
    }
}

impl Recorder<'_> {
    fn now(&self) -> f64 {
        // Microseconds are as fine as it gets.
        (self.started.elapsed().as_secs_f64() * 1e6).round() / 1e6
    }

    fn line(&mut self, line: &Line) -> Result<(), Error> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        Ok(self.trace.write_all(&text)?)
    }

    fn fetch(&self, address: &str) -> Result<bytes::Bytes, Error> {
        let resource = Resource::whole(address);
        Ok(self.runtime.block_on(self.fetcher.fetch(&resource))?)
    }

    /// Fetches an address once; the file that holds it, and its size when it is new.
    fn keep(&mut self, address: &str) -> Result<(String, Option<u64>), Error> {
        if let Some(file) = self.files.get(address) {
            return Ok((file.clone(), None));
        }
        let bytes = self.fetch(address)?;
        let file = self.free_name(address);
        fs::write(self.dir.join(&file), &bytes)?;
        self.files.insert(address.to_owned(), file.clone());
        Ok((file, Some(bytes.len() as u64)))
    }

    fn free_name(&mut self, address: &str) -> String {
        let path = address.split(['?', '#']).next().unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        let safe = |c: char| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '_'
            }
        };
        let name: String = last.trim_start_matches('.').chars().map(safe).collect();
        let numbered = (2..).map(|number| format!("{number}_{name}"));
        let mut free = std::iter::once(name.clone())
            .chain(numbered)
            .filter(|name| !name.is_empty() && !self.taken.contains(name));
        let name = free.next().unwrap_or(name);
        self.taken.insert(name.clone());
        name
    }

    fn hls(&mut self, address: &str, over: &dyn Fn(Instant) -> bool) -> Result<(), Error> {
        let mut playlist = address.to_owned();
        let mut text = self.text(&playlist)?;
        if let Some(variant) = media_list::best_variant(&text) {
            let at = self.now();
            self.line(&Line::Playlist { at, text })?;
            playlist = absolute(&playlist, &variant)?;
            text = self.text(&playlist)?;
        }
        if !text.trim_start_matches('\u{feff}').starts_with("#EXTM3U") {
            return Err(format!("{address} is no playlist").into());
        }
        // Chunks by their number: a playlist may have the same address twice.
        let mut next = 0;
        let mut before = String::new();
        let mut changed = Instant::now();
        loop {
            let list = media_list::parse(&text);
            if text != before {
                changed = Instant::now();
                let at = self.now();
                self.done.playlists += 1;
                self.line(&Line::Playlist {
                    at,
                    text: text.clone(),
                })?;
                self.new_chunks(&playlist, &list, &mut next, over)?;
                before = text;
            }
            if list.ended || over(self.started) || changed.elapsed() > STALE {
                return Ok(());
            }
            let shortest = list.chunks.iter().map(Listed::duration).min();
            std::thread::sleep(shortest.map_or(RELOAD, |shortest| RELOAD.min(shortest / 4)));
            text = self.text(&playlist)?;
        }
    }

    fn text(&self, address: &str) -> Result<String, Error> {
        let bytes = self.fetch(address)?;
        Ok(String::from_utf8(bytes.to_vec()).map_err(|_| format!("{address} is not text"))?)
    }

    fn new_chunks(
        &mut self,
        playlist: &str,
        list: &MediaList,
        next: &mut u64,
        over: &dyn Fn(Instant) -> bool,
    ) -> Result<(), Error> {
        for (number, listed) in (list.sequence..).zip(&list.chunks) {
            if number < *next {
                continue;
            }
            if over(self.started) {
                break;
            }
            *next = number + 1;
            let mut tags = Vec::new();
            for tag in &listed.tags {
                tags.push(self.local_tag(playlist, tag)?);
            }
            let (file, bytes) = self.keep(&absolute(playlist, &listed.uri)?)?;
            let bytes = match bytes {
                Some(bytes) => bytes,
                None => fs::metadata(self.dir.join(&file))?.len(),
            };
            self.chunk(file, bytes, tags)?;
        }
        Ok(())
    }

    /// A tag with the file in place of the address of what it names.
    fn local_tag(&mut self, playlist: &str, tag: &str) -> Result<String, Error> {
        let names_a_file = tag.starts_with("#EXT-X-MAP:") || tag.starts_with("#EXT-X-KEY:");
        let uri = media_list::attribute(tag, "URI").filter(|_| names_a_file);
        let Some(uri) = uri else {
            return Ok(tag.to_owned());
        };
        let (file, new) = self.keep(&absolute(playlist, uri)?)?;
        if let Some(bytes) = new {
            let (at, file) = (self.now(), file.clone());
            self.line(&Line::Resource { at, file, bytes })?;
        }
        Ok(tag.replace(&format!("\"{uri}\""), &format!("\"{file}\"")))
    }

    fn chunk(&mut self, file: String, bytes: u64, tags: Vec<String>) -> Result<(), Error> {
        let at = self.now();
        self.done.chunks += 1;
        self.done.bytes += bytes;
        self.line(&Line::Chunk {
            at,
            file,
            bytes,
            tags,
        })
    }

    /// Follows a directory of numbered chunks.
    fn directory(&mut self, path: &Path, over: &dyn Fn(Instant) -> bool) -> Result<(), Error> {
        let mut options = serde_json::Map::new();
        options.insert("follow".to_owned(), true.into());
        let (kind, uri) = ("directory", path.display().to_string());
        let config = SourceConfig::new("recorded", kind, &uri, Path::new("/"), &options)
            .map_err(|errors| errors.first().map(ToString::to_string).unwrap_or_default())?;
        let mut source = Source::new(&config);
        while !over(self.started) {
            let next = async { tokio::time::timeout(RELOAD, source.next()).await };
            match self.runtime.block_on(next) {
                Err(_) => {} // nothing new yet
                Ok(item) => match item? {
                    SourceItem::Chunk(chunk) => {
                        let file = self.keep(&chunk.media.uri)?.0;
                        let bytes = fs::metadata(self.dir.join(&file))?.len();
                        let duration = chunk.declared_duration.map(|d| d.as_seconds_f64());
                        let tag = format!("#EXTINF:{},", duration.unwrap_or(6.0));
                        self.chunk(file, bytes, vec![tag])?;
                    }
                    SourceItem::End => return Ok(()),
                    SourceItem::File(_) | SourceItem::Missing(_) | SourceItem::Notice(_) => {}
                },
            }
        }
        Ok(())
    }
}

fn absolute(base: &str, reference: &str) -> Result<String, Error> {
    let here = PathBuf::from("/");
    Ok(resolve(&locate(base, &here)?, reference)?.to_string())
}
