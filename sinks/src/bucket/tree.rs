//! What a directory of results holds, as it was at one moment: pointers and playlists are read first, so that
//! everything that they name is found afterwards.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files::present;

/// Logs that grow: they are taken when they are complete.
const LOGS: [&str; 2] = ["changes.jsonl", "log.jsonl"];

/// How often is looked again when a pointer changes meanwhile.
const LOOKS: usize = 8;

/// What a file is, in the order in which files are written: each may name those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Clips, pictures, copied chunks.
    Media,
    /// Playlists that another one names.
    Part,
    /// Playlists that a player begins with, and never change.
    Version,
    /// Documents.
    Document,
    /// What says which is the newest.
    Pointer,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Relative to the directory, with slashes.
    pub path: String,
    pub rank: Rank,
    pub size: u64,
    /// When it was written, in nanoseconds since the Unix epoch.
    pub modified: i128,
    /// What it says, where that was read already.
    pub content: Option<Vec<u8>>,
}

/// What a file is, by its path.
pub(super) fn rank(path: &str) -> Rank {
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    match extension {
        "m3u8" if stem == "index" => Rank::Pointer,
        "m3u8" => match stem.rsplit_once('_') {
            Some((_, part)) if part == "video" || part.starts_with("audio") => Rank::Part,
            _ => Rank::Version,
        },
        "json" if stem == "current" && dir.starts_with("replays/") => Rank::Pointer,
        "json" | "jsonl" | "edl" | "otio" | "fcpxml" | "vtt" | "csv" | "html" => Rank::Document,
        _ => Rank::Media,
    }
}

/// Whether what stands under a path never changes.
pub(super) fn is_immutable(path: &str) -> bool {
    let version = || {
        let name = path.rsplit('/').next().unwrap_or(path);
        name.strip_prefix('v')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    match rank(path) {
        Rank::Media => path.starts_with("chunks/"),
        Rank::Part | Rank::Version => version(),
        Rank::Document | Rank::Pointer => false,
    }
}

/// `Content-Type` by the name of a file.
pub(super) fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "mp4" | "m4v" => "video/mp4",
        "m4s" => "video/iso.segment",
        "m4a" => "audio/mp4",
        "aac" => "audio/aac",
        "ts" => "video/mp2t",
        "m3u8" => "application/vnd.apple.mpegurl",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "webp" => "image/webp",
        "json" | "otio" => "application/json",
        "jsonl" => "application/x-ndjson",
        "edl" => "text/plain; charset=utf-8",
        "vtt" => "text/vtt; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "fcpxml" => "application/xml",
        "html" => "text/html; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Whether a path is left alone until the event is over.
pub(super) fn is_growing(path: &str, ended: bool) -> bool {
    !ended && LOGS.contains(&path)
}

/// The files of a directory in the order in which they are to be written. Hidden ones are being written, or are
/// nobody's business.
pub(super) fn scan(dir: &Path, ended: bool) -> io::Result<Vec<Found>> {
    let mut looks = 0;
    loop {
        let pointers = pointers(dir)?;
        let found = look(dir, ended)?;
        looks += 1;
        // A version may have gone between the pointer that names it and the look at it.
        if pointers == self::pointers(dir)? || looks == LOOKS {
            return Ok(found);
        }
    }
}

/// The pointers of all replays, to see whether they change.
fn pointers(dir: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut all = Vec::new();
    for replay in entries(&dir.join("replays"))? {
        for name in ["current.json", "index.m3u8"] {
            let path = replay.join(name);
            if let Some(content) = present(fs::read(&path))? {
                all.push((path, content));
            }
        }
    }
    Ok(all)
}

fn look(dir: &Path, ended: bool) -> io::Result<Vec<Found>> {
    let mut paths = Vec::new();
    walk(dir, "", &mut paths)?;
    paths.retain(|path| !is_growing(path, ended));
    let mut found = Vec::new();
    let named = |path: &String| matches!(rank(path), Rank::Part | Rank::Version | Rank::Pointer);
    let (names, others): (Vec<_>, BTreeSet<_>) = {
        let (names, others): (Vec<_>, Vec<_>) = paths.into_iter().partition(named);
        (names, others.into_iter().collect())
    };
    for path in names {
        if let Some(content) = present(fs::read(dir.join(&path)))? {
            found.extend(stat(dir, path, Some(content))?);
        }
    }
    // Those that were there before are surely there now; and those that came meanwhile may be named.
    let mut again = Vec::new();
    for part in ["clips", "thumbnails", "chunks", "replays"] {
        walk(&dir.join(part), part, &mut again)?;
    }
    again.retain(|path| rank(path) == Rank::Media && !others.contains(path));
    for path in others.into_iter().chain(again) {
        found.extend(stat(dir, path, None)?);
    }
    found.sort_by(|a, b| (a.rank, &a.path).cmp(&(b.rank, &b.path)));
    Ok(found)
}

fn stat(dir: &Path, path: String, content: Option<Vec<u8>>) -> io::Result<Option<Found>> {
    let Some(about) = present(fs::metadata(dir.join(&path)))? else {
        return Ok(None);
    };
    let modified = about.modified()?.duration_since(std::time::UNIX_EPOCH);
    let modified = modified.map_or(0, |since| i128::try_from(since.as_nanos()).unwrap_or(0));
    Ok(Some(Found {
        rank: rank(&path),
        size: content
            .as_ref()
            .map_or(about.len(), |text| text.len() as u64),
        path,
        modified,
        content,
    }))
}

fn walk(dir: &Path, under: &str, into: &mut Vec<String>) -> io::Result<()> {
    for path in entries(dir)? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        let relative = match under {
            "" => name.to_owned(),
            under => format!("{under}/{name}"),
        };
        match present(fs::metadata(&path))? {
            Some(about) if about.is_dir() => walk(&path, &relative, into)?,
            Some(_) => into.push(relative),
            None => {}
        }
    }
    Ok(())
}

/// What a directory holds; nothing when it is not there.
fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let Some(read) = present(fs::read_dir(dir))? else {
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    for entry in read {
        all.push(entry?.path());
    }
    all.sort();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_comes_before_what_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let files = [
            "replays/best/current.json",
            "replays/best/index.m3u8",
            "replays/best/v2.m3u8",
            "replays/best/v2_video.m3u8",
            "replays/best/v2_audio1.m3u8",
            "replays/best/best.mp4",
            "replays/best/replay.json",
            "clips/a.mp4",
            "chunks/0a.ts",
            "segments.jsonl",
            "log.jsonl",
            "clips/.b.mp4.part",
            ".matchcut/store.db",
        ];
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        let paths = |ended| {
            let found = scan(dir.path(), ended).unwrap();
            found.into_iter().map(|one| one.path).collect::<Vec<_>>()
        };
        let running = [
            "chunks/0a.ts",
            "clips/a.mp4",
            "replays/best/best.mp4",
            "replays/best/v2_audio1.m3u8",
            "replays/best/v2_video.m3u8",
            "replays/best/v2.m3u8",
            "replays/best/replay.json",
            "segments.jsonl",
            "replays/best/current.json",
            "replays/best/index.m3u8",
        ];
        assert_eq!(paths(false), running);
        assert!(paths(true).contains(&"log.jsonl".to_owned()));
        assert!(scan(&dir.path().join("nothing"), true).unwrap().is_empty());
    }

    #[test]
    fn only_what_never_changes_may_be_kept_by_caches() {
        for (path, immutable) in [
            ("chunks/0a.ts", true),
            ("replays/best/v2.m3u8", true),
            ("replays/best/v12_audio1.m3u8", true),
            ("replays/best/index.m3u8", false),
            ("replays/best/index_video.m3u8", false),
            ("replays/best/current.json", false),
            ("clips/a.mp4", false),
            ("segments.jsonl", false),
        ] {
            assert_eq!(is_immutable(path), immutable, "{path}");
        }
    }
}
