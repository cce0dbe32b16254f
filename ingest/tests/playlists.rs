//! Playlists of other projects' suites: each is read, or refused with its line; never a panic.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};

use matchcut_ingest::playlist::{MediaPlaylist, Playlist, parse};
use matchcut_model::chunk::ByteRange;

fn fixture(name: &str) -> MediaPlaylist {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    match parse(name, &std::fs::read(path).unwrap(), true).unwrap() {
        Playlist::Media(playlist) => playlist,
        Playlist::Master(_) => panic!("{name} is a master playlist"),
    }
}

#[test]
fn discontinuities_count_stretches() {
    let playlist = fixture("discontinuity.m3u8");
    let stretches: Vec<_> = playlist
        .segments
        .iter()
        .map(|s| s.discontinuity_sequence)
        .collect();
    assert_eq!(stretches, [0, 0, 1, 1, 2, 2, 2, 3, 3]);
    let breaks: Vec<_> = playlist
        .segments
        .iter()
        .filter(|s| s.discontinuity)
        .collect();
    let names: Vec<_> = breaks.iter().map(|s| s.uri.as_str()).collect();
    assert_eq!(names, ["003.ts", "005.ts", "008.ts"]);
    let seconds: Vec<_> = playlist
        .segments
        .iter()
        .filter_map(|s| s.duration)
        .map(|d| d.to_millis() / 1000)
        .collect();
    assert_eq!(seconds, [10, 19, 10, 11, 10, 10, 10, 10, 16]);
    assert!(playlist.complete && playlist.problems.is_empty());
}

#[test]
fn byte_ranges_with_and_without_offset() {
    let playlist = fixture("byteRange.m3u8");
    let ranges: Vec<_> = playlist
        .segments
        .iter()
        .map(|segment| segment.range)
        .collect();
    let range = |offset, length| Some(ByteRange { offset, length });
    assert_eq!(ranges[..2], [None, range(522_828, 587_500)]);
    // Without an offset after a part of another file: the standard allows no guess.
    assert_eq!(ranges[2], None);
    let reason = playlist.segments[2].unusable.as_deref();
    assert_eq!(
        reason,
        Some("its byte range has no offset and follows no other part")
    );
    assert_eq!(
        ranges[3..5],
        [range(1_823_412, 476_580), range(2_299_992, 535_612)]
    );
    assert_eq!(
        playlist
            .segments
            .iter()
            .filter(|s| s.unusable.is_some())
            .count(),
        1
    );
}

#[test]
fn durations_that_are_none() {
    let playlist = fixture("extinf.m3u8");
    let problems: Vec<_> = playlist.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "line 9: not a duration in seconds: \"#EXTINF:;asljasdfii11)))00,\"",
            "line 56: neither a tag nor a URI after EXTINF; taken as a chunk: \
             \"hls_450k_video.ts\"",
        ]
    );
    assert_eq!(playlist.segments.len(), 17);
    let exact = playlist.segments[3]
        .duration
        .map(|duration| duration.flicks());
    assert_eq!(exact, Some(6_844_320_000));
    assert_eq!(playlist.segments[1].duration, None);
    assert_eq!(
        playlist.segments[1].range,
        Some(ByteRange {
            offset: 522_828,
            length: 587_500
        })
    );
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "m3u8")
        {
            found.push(path);
        }
    }
}

#[test]
fn every_playlist_that_is_at_hand() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/playlists");
    if !folder.is_dir() {
        eprintln!("skipped: there is no {}", folder.display());
        return;
    }
    let mut found = Vec::new();
    collect(&folder, &mut found);
    let (mut media, mut master, mut refused, mut problems) = (0, 0, 0, 0);
    for path in &found {
        let bytes = std::fs::read(path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let uris = text.lines().filter(|line| {
            let line = line.trim().trim_start_matches('\u{feff}');
            !line.is_empty() && !line.starts_with('#')
        });
        match parse(&path.display().to_string(), &bytes, true) {
            Ok(Playlist::Media(playlist)) => {
                media += 1;
                problems += playlist.problems.len();
                assert_eq!(playlist.segments.len(), uris.count(), "{}", path.display());
                for problem in playlist.problems {
                    println!("{}: {problem}", path.display());
                }
            }
            Ok(Playlist::Master(playlist)) => {
                master += 1;
                problems += playlist.problems.len();
                let complaints = playlist.problems.len();
                assert!(
                    !playlist.variants.is_empty() || complaints > 0,
                    "{}",
                    path.display()
                );
                for problem in playlist.problems {
                    println!("{}: {problem}", path.display());
                }
            }
            Err(error) => {
                refused += 1;
                assert!(error.line >= 1 && !error.message.is_empty());
                println!("refused {error}");
            }
        }
    }
    println!("{media} media, {master} master, {refused} refused, {problems} problems");
    assert_eq!(media + master + refused, found.len());
    assert!(media > refused && master > 0);
}
