//! Playlists of other projects' suites: each is read, or refused with its line; never a panic.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
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

#[test]
fn keys_of_chunks_and_of_sections_are_two_things() {
    let playlist = fixture("diff-init-key.m3u8");
    let key = |uri: &str| uri.rsplit('=').next().unwrap_or_default().to_owned();
    let keys: Vec<_> = playlist
        .segments
        .iter()
        .map(|segment| {
            let map = segment.map.as_ref().unwrap();
            let name = map.uri.rsplit('/').next().unwrap_or_default();
            let of = segment.key.as_ref().map_or(String::new(), |k| key(&k.uri));
            let of_map = map.key.as_ref().map_or(String::new(), |k| key(&k.uri));
            format!("{of}|{name}|{of_map}")
        })
        .collect();
    assert_eq!(
        keys,
        [
            "52|init52.mp4|52",
            "52|init52.mp4|52",
            "52|init52.mp4|52",
            "53|init53-A.mp4|53",
            "53|init53-B.mp4|53",
            "54|init54-A.mp4|",
            "54|init54-A.mp4|",
            "|init54-B.mp4|54",
            "|init54-B.mp4|54",
            "54-b|init54-D.mp4|54-a",
            "|init54-E.mp4|",
        ]
    );
    let maps: Vec<_> = playlist.segments[..3]
        .iter()
        .map(|s| s.map.clone())
        .collect();
    assert!(maps.windows(2).all(|pair| pair[0] == pair[1]));
    let playlist = fixture("encrypted.m3u8");
    let iv = playlist.segments[4].key.as_ref().unwrap().iv;
    assert_eq!(iv.map(u128::from_be_bytes), Some(0x014B_B69D_61E4));
    assert_eq!(playlist.segments[5].key, None);
}

#[test]
fn a_low_latency_playlist() {
    let playlist = fixture("llhls.m3u8");
    assert!(playlist.can_block_reload && !playlist.complete && playlist.problems.is_empty());
    let parts: Vec<_> = playlist.segments.iter().map(|s| s.parts.len()).collect();
    assert_eq!(parts, [0, 0, 0, 0, 0, 12, 12]);
    let gaps = playlist.segments[6].parts.iter().filter(|part| part.gap);
    assert_eq!(gaps.count(), 1);
    let open = playlist.open.unwrap();
    assert_eq!(
        (open.sequence, open.parts.len(), open.map.is_some()),
        (273, 3, true)
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

fn corpus() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/playlists");
    if !folder.is_dir() {
        eprintln!("skipped: there is no {}", folder.display());
        return None;
    }
    Some(folder)
}

/// The lines of a playlist that are addresses.
fn uris(text: &str) -> usize {
    let uri = |line: &&str| {
        let line = line.trim().trim_start_matches('\u{feff}');
        !line.is_empty() && !line.starts_with('#')
    };
    text.lines().filter(uri).count()
}

#[test]
fn every_playlist_that_is_at_hand() {
    let Some(folder) = corpus() else { return };
    let mut found = Vec::new();
    collect(&folder, &mut found);
    let (mut media, mut master, mut problems, mut segments) = (0, 0, 0, 0);
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let mut unusable: BTreeMap<String, usize> = BTreeMap::new();
    for path in &found {
        let bytes = std::fs::read(path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        match parse(&path.display().to_string(), &bytes, true) {
            Ok(Playlist::Media(playlist)) => {
                media += 1;
                problems += playlist.problems.len();
                segments += playlist.segments.len();
                assert_eq!(playlist.segments.len(), uris(&text), "{}", path.display());
                for problem in playlist.problems {
                    println!("{}: {problem}", path.display());
                }
                for reason in playlist
                    .segments
                    .iter()
                    .filter_map(|s| s.unusable.as_deref())
                {
                    let reason = reason.split(" (line").next().unwrap_or_default();
                    *unusable.entry(reason.to_owned()).or_default() += 1;
                }
            }
            Ok(Playlist::Master(playlist)) => {
                master += 1;
                problems += playlist.problems.len();
                let complaints = playlist.problems.len();
                let keys_only = text.contains("#EXT-X-I-FRAME-STREAM-INF");
                assert!(
                    !playlist.variants.is_empty()
                        || !playlist.audio.is_empty()
                        || complaints > 0
                        || keys_only,
                    "{}",
                    path.display()
                );
                for problem in playlist.problems {
                    println!("{}: {problem}", path.display());
                }
            }
            Err(error) => {
                assert!(error.line >= 1 && !error.message.is_empty());
                println!("refused {error}");
                *refused.entry(error.message).or_default() += 1;
            }
        }
    }
    println!("refused {refused:#?}\nunusable {unusable:#?}");
    assert_eq!(unusable.get("it is encrypted with SAMPLE-AES"), Some(&362));
    assert_eq!(
        unusable.get("it is encrypted with SAMPLE-AES-CTR"),
        Some(&104)
    );
    let counts = (found.len(), media, master, refused.values().sum::<usize>());
    assert_eq!((counts, segments, problems), COUNTS);
}

/// Playlists, media and master playlists, refused ones; chunks in all of them; lines that were
/// complained about.
const COUNTS: ((usize, usize, usize, usize), usize, usize) = ((454, 326, 120, 8), 59_961, 60);

/// Where the suite of videojs expects something else, and why.
const OTHERWISE: [(&str, &str); 9] = [
    (
        "byteRange",
        "an offset is guessed over a part of another file",
    ),
    ("iFramesOnly", "playlists of key frames are refused"),
    (
        "llhls-byte-range",
        "the offset of the first part is guessed",
    ),
    (
        "llhls-delta-byte-range",
        "delta updates are never asked for",
    ),
    ("llhlsDelta", "delta updates are never asked for"),
    (
        "manifestNoExtM3u",
        "what does not start with #EXTM3U is refused",
    ),
    ("start", "what does not start with #EXTM3U is refused"),
    (
        "streamInfInvalid",
        "variants without BANDWIDTH are left out",
    ),
    ("zeroDuration", "a duration of 0 is taken for 0.01 s"),
];

/// What the suite of videojs/m3u8-parser expects of its playlists, by its own `.js` files, which
/// Node reads.
#[test]
fn what_another_parser_makes_of_the_same_playlists() {
    let Some(folder) = corpus() else { return };
    let folder = folder.join("videojs_m3u8-parser/test/fixtures/integration");
    let script = "const fs=require('fs'),d=process.argv[1]+'/',o={};\
        for(const f of fs.readdirSync(d).filter(f=>f.endsWith('.js')))\
        {let t=fs.readFileSync(d+f,'utf8').replace(/^\\s*(import|export const) .*$/mg,'')\
        .replace('export default','module.exports =');\
        const m={exports:{}};new Function('module',t)(m);o[f.slice(0,-3)]=m.exports}\
        console.log(JSON.stringify(o))";
    let output = std::process::Command::new("node")
        .args(["-e", script])
        .arg(&folder)
        .output();
    let Ok(output) = output else {
        eprintln!("skipped: there is no node");
        return;
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let expected: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut differ = Vec::new();
    let mut compared = 0;
    for (name, expected) in expected.as_object().unwrap() {
        let bytes = std::fs::read(folder.join(format!("{name}.m3u8"))).unwrap();
        if let Err(difference) = compare(&bytes, expected) {
            differ.push(format!("{name}: {difference}"));
        }
        compared += 1;
    }
    let known = |line: &&String| {
        !OTHERWISE
            .iter()
            .any(|(name, _)| line.starts_with(&format!("{name}: ")))
    };
    let unknown: Vec<_> = differ.iter().filter(known).collect();
    assert_eq!(
        (unknown, differ.len(), compared),
        (Vec::new(), OTHERWISE.len(), 60)
    );
}

fn compare(bytes: &[u8], expected: &serde_json::Value) -> Result<(), String> {
    let same = |what: &str, ours: String, theirs: String| match ours == theirs {
        true => Ok(()),
        false => Err(format!("{what} {ours}, expected {theirs}")),
    };
    let count = |key: &str| expected[key].as_array().map_or(0, Vec::len);
    match parse("a", bytes, true) {
        Err(error) => same(
            "chunks 0",
            String::new(),
            match count("segments") {
                0 => String::new(),
                count => format!("{count} ({})", error.message),
            },
        ),
        Ok(Playlist::Master(master)) => same(
            "variants",
            master.variants.len().to_string(),
            count("playlists").to_string(),
        ),
        Ok(Playlist::Media(playlist)) => {
            same(
                "chunks",
                playlist.segments.len().to_string(),
                count("segments").to_string(),
            )?;
            let sequence = expected["mediaSequence"].as_u64().unwrap_or_default();
            same(
                "sequence",
                playlist.media_sequence.to_string(),
                sequence.to_string(),
            )?;
            let ended = expected["endList"].as_bool().unwrap_or_default();
            let vod = expected["playlistType"] == "VOD";
            same(
                "complete",
                playlist.complete.to_string(),
                (ended || vod).to_string(),
            )?;
            for (ours, theirs) in playlist
                .segments
                .iter()
                .zip(expected["segments"].as_array().unwrap())
            {
                let line = ours.line;
                let theirs_uri = theirs["uri"].as_str().unwrap_or_default();
                same(
                    &format!("line {line}: uri"),
                    ours.uri.clone(),
                    theirs_uri.to_owned(),
                )?;
                let seconds = ours.duration.map(|d| format!("{:.3}", d.as_seconds_f64()));
                if let (Some(ours), Some(theirs)) = (seconds, theirs["duration"].as_f64()) {
                    same(
                        &format!("line {line}: duration"),
                        ours,
                        format!("{theirs:.3}"),
                    )?;
                }
                let range = ours.range.map(|r| format!("{}@{}", r.length, r.offset));
                let range_theirs = theirs["byterange"]["length"].as_u64().map(|length| {
                    format!(
                        "{length}@{}",
                        theirs["byterange"]["offset"].as_u64().unwrap_or_default()
                    )
                });
                same(
                    &format!("line {line}: range"),
                    format!("{range:?}"),
                    format!("{range_theirs:?}"),
                )?;
                let broken = theirs["discontinuity"].as_bool().unwrap_or_default();
                same(
                    &format!("line {line}: break"),
                    ours.discontinuity.to_string(),
                    broken.to_string(),
                )?;
                let key = ours.key.as_ref().map(|key| key.uri.as_str());
                same(
                    &format!("line {line}: key"),
                    format!("{key:?}"),
                    format!("{:?}", theirs["key"]["uri"].as_str()),
                )?;
                let map = ours.map.as_ref().map(|map| map.uri.as_str());
                same(
                    &format!("line {line}: map"),
                    format!("{map:?}"),
                    format!("{:?}", theirs["map"]["uri"].as_str()),
                )?;
            }
            Ok(())
        }
    }
}
