//! An independent reader: what m3u8-rs understands of a playlist, this crate understands alike.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use m3u8_rs::Playlist as Other;
use matchcut_ingest::playlist::{Playlist, parse};

/// Playlists below a folder.
fn below(dir: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            below(&path, found);
        } else if path.extension().is_some_and(|end| end == "m3u8") {
            found.push(path);
        }
    }
}

/// The first difference between the two readings.
fn difference(bytes: &[u8]) -> Result<Option<String>, &'static str> {
    let (_, other) = m3u8_rs::parse_playlist(bytes).map_err(|_| "not read by m3u8-rs")?;
    let ours = parse("https://example.com/a.m3u8", bytes, true).map_err(|_| "refused here")?;
    let text = |what: &str, ours: &dyn std::fmt::Debug, other: &dyn std::fmt::Debug| {
        Ok(Some(format!("{what}: {ours:?} and {other:?}")))
    };
    match (ours, other) {
        (Playlist::Media(ours), Other::MediaPlaylist(other)) => {
            let (count, others) = (ours.segments.len(), other.segments.len());
            if count != others {
                return text("segments", &count, &others);
            }
            for (one, two) in ours.segments.iter().zip(&other.segments) {
                if one.uri != two.uri {
                    return text("uri", &one.uri, &two.uri);
                }
                let duration = one.duration.map(|time| time.as_seconds_f64());
                if duration.is_some_and(|d| (d - f64::from(two.duration)).abs() > 0.01) {
                    return text("duration", &duration, &two.duration);
                }
                let length = one.range.map(|range| range.length);
                if length.is_some() && length != two.byte_range.as_ref().map(|range| range.length) {
                    return text("range", &one.range, &two.byte_range);
                }
                if one.discontinuity != two.discontinuity {
                    return text("discontinuity", &one.uri, &two.discontinuity);
                }
            }
            Ok(None)
        }
        (Playlist::Master(ours), Other::MasterPlaylist(other)) => {
            let others = other.variants.iter().filter(|variant| !variant.is_i_frame);
            let others: Vec<(&str, u64)> = others.map(|v| (v.uri.as_str(), v.bandwidth)).collect();
            let ours: Vec<(&str, u64)> = ours
                .variants
                .iter()
                .map(|v| (v.uri.as_str(), v.bandwidth))
                .collect();
            match ours == others {
                true => Ok(None),
                false => text("variants", &ours, &others),
            }
        }
        _ => Err("of two kinds"),
    }
}

fn compare(dir: &Path) -> (usize, Vec<String>, usize) {
    let mut paths = Vec::new();
    below(dir, &mut paths);
    paths.sort();
    let (mut equal, mut different, mut apart) = (0, Vec::new(), 0);
    for path in paths {
        match difference(&fs::read(&path).unwrap()) {
            Ok(None) => equal += 1,
            Ok(Some(text)) => {
                let name = path.strip_prefix(dir).unwrap().display().to_string();
                different.push(format!("{name}: {text}"));
            }
            Err(_) => apart += 1,
        }
    }
    (equal, different, apart)
}

#[test]
fn the_fixtures() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let (equal, different, _) = compare(&dir);
    assert!(equal >= 3, "{equal} are read alike");
    assert_eq!(different, [] as [String; 0]);
}

#[test]
fn every_real_playlist() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/playlists");
    if !dir.is_dir() {
        eprintln!("skipped: the collection of real playlists is not here");
        return;
    }
    let (equal, different, apart) = compare(&dir);
    // Where it reads otherwise: blanks at the end of an address, variants of I-frames in the place of
    // others, a chunk without EXTINF, parts of a chunk that is not whole yet.
    let known = [
        "hls11/index_1010931.m3u8: segments: 6 and 7",
        "hls_deltatimes/1212000.m3u8: uri",
        "hls_noaudioonly/master.m3u8: variants",
        "master-not-ending-in-newline.m3u8: variants",
        "masterplaylist.m3u8: variants",
        "manifests/whiteSpace.m3u8: uri",
        "llhls-byte-range.m3u8: segments: 17 and 18",
        "integration/whiteSpace.m3u8: uri",
    ];
    for (difference, known) in different.iter().zip(known) {
        assert!(difference.contains(known), "{difference}");
    }
    assert_eq!((equal, different.len(), apart), (426, known.len(), 20));
}
