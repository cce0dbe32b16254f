//! Ctrl-C: what was read is finished and kept, and a second one ends at once.

use std::fs;
use std::time::Duration;

use crate::support::stream::{CHUNKS, Playlist, SPEC, chunks, copy};
use crate::support::{Work, document, files, lines};

/// What holds after an interrupt when the first `number` chunks were read.
fn kept(work: &Work, number: usize) {
    let changes = lines(&work.path("out/log.jsonl"));
    let read = changes
        .iter()
        .filter(|line| line["kind"] == "chunk")
        .count();
    assert_eq!(read, number);
    let end = number as f64 * 2.0;
    let segments = lines(&work.path("out/segments.jsonl"));
    let shots: Vec<_> = segments
        .iter()
        .filter(|line| line["operator"] == "shot")
        .collect();
    assert_eq!(shots.first().unwrap()["end"], 1.2);
    assert_eq!(
        shots.last().unwrap()["end"].as_f64(),
        Some(end),
        "closed where reading ended"
    );
    for shot in shots {
        let path = shot["clips"][0]["path"].as_str().unwrap();
        assert!(work.path("out").join(path).is_file(), "{path}");
    }
    let replay = document(&work.path("out/replays/all/replay.json"));
    assert!(!replay["selected"].as_array().unwrap().is_empty());
    assert!(files(&work.path("out")).contains(&"report.html".to_owned()));
}

#[test]
fn of_a_live_playlist() {
    let work = copy(Playlist {
        dated: true,
        ended: true,
    });
    work.write(
        "index.m3u8",
        Playlist {
            dated: true,
            ended: false,
        }
        .text(3),
    );
    let mut run = work.matchcut(["run", "shots.toml", "--out", "out"]);
    run.until("out/log.jsonl", |text| text.contains("\"c02.ts\""));
    run.interrupt();
    let done = run.wait().exits(130);
    done.says_times(1, "interrupted: finishing what was read");
    kept(&work, 3);
}

#[test]
fn of_a_growing_directory() {
    let work = Work::new();
    let spec = SPEC.replace("\"hls\"", "\"directory\"").replace(
        "\"index.m3u8\"",
        "\"recording\"\nfollow = true\nstable_for = \"200ms\"\npoll = \"50ms\"",
    );
    work.write("shots.toml", spec);
    fs::create_dir(work.path("recording")).unwrap();
    let arrive = |chunk: &str| {
        fs::copy(chunks().join(chunk), work.path("recording").join(chunk)).unwrap();
    };
    arrive(CHUNKS[0]);
    let mut run = work.matchcut(["run", "shots.toml", "--out", "out"]);
    run.until("out/log.jsonl", |text| text.contains("\"c00.ts\""));
    arrive(CHUNKS[1]);
    run.until("out/log.jsonl", |text| text.contains("\"c01.ts\""));
    run.interrupt();
    run.wait().exits(130);
    kept(&work, 2);
}

#[test]
fn twice() {
    let work = copy(Playlist {
        dated: true,
        ended: false,
    });
    let mut run = work.matchcut(["run", "shots.toml", "--out", "out"]);
    run.until("out/log.jsonl", |text| text.contains("\"c00.ts\""));
    run.interrupt();
    std::thread::sleep(Duration::from_millis(20));
    run.interrupt();
    let done = run.wait().exits(130);
    done.check(done.elapsed < Duration::from_secs(60), "it took too long");
    // Whatever was written is whole.
    lines(&work.path("out/log.jsonl"));
}
