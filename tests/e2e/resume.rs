//! Runs that are killed at any moment and taken up again: their results are byte for byte those of a run
//! that nothing happened to, and nothing is fetched or decoded twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use crate::support::server::Server;
use crate::support::stream::{CHUNKS, DATED, Playlist, SPEC, chunks, copy};
use crate::support::{Running, Work, files, lines, same_text};

/// Everything that is to be equal: texts byte for byte, media as they are (they are cut from equal
/// chunks in one way).
fn same_results(what: &str, one: &Path, other: &Path) {
    assert_eq!(files(one), files(other), "{what}");
    for name in files(one) {
        let read = |dir: &Path| fs::read(dir.join(&name)).unwrap();
        let (left, right) = (read(one), read(other));
        match name.rsplit('.').next().unwrap() {
            "mp4" | "jpg" => assert!(left == right, "{what}: {name} differs"),
            _ => same_text(&format!("{what}: {name}"), &left, &right),
        }
    }
}

fn spec() -> String {
    SPEC.replace("duration = \"3s\"", "duration = \"3s\"\ncatchup = true")
}

fn undisturbed(spec: &str) -> Work {
    let work = copy(DATED);
    work.write("shots.toml", spec);
    work.ok(["run", "shots.toml", "--out", "out"]);
    work
}

/// SplitMix64: seeded, so that a failure repeats.
fn random(seed: u64) -> u64 {
    let mut z = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(0x1234_5678_9abc_def1);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A minute: the stream five times over, each time behind a discontinuity.
fn minute() -> String {
    let text = DATED.text(CHUNKS.len());
    let (head, once) = text.split_at(text.find("#EXT-X-PROGRAM").unwrap());
    let once: String = once
        .lines()
        .filter(|line| !line.starts_with("#EXT-X-PROGRAM") && !line.starts_with("#EXT-X-ENDLIST"))
        .map(|line| format!("{line}\n"))
        .collect();
    let whole = vec![once; 5].join("#EXT-X-DISCONTINUITY\n");
    format!("{head}{whole}#EXT-X-ENDLIST\n")
}

fn minute_work() -> Work {
    let work = copy(DATED);
    work.write("index.m3u8", minute());
    work.write("shots.toml", spec().replace("\"3s\"", "\"9s\""));
    work
}

fn resume(work: &Work, workers: &str) -> Running {
    work.matchcut([
        "run",
        "shots.toml",
        "--out",
        "out",
        "--resume",
        "-w",
        workers,
    ])
}

/// The run that nothing happens to, and how long it takes.
fn whole_minute() -> &'static (Work, Duration) {
    static WHOLE: OnceLock<(Work, Duration)> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let work = minute_work();
        let elapsed = work.ok(["run", "shots.toml", "--out", "out"]).elapsed;
        (work, elapsed)
    })
}

/// How many times it is killed: more where there is time (`make soak`).
fn kills() -> u64 {
    let asked = std::env::var("MATCHCUT_KILLS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(5)
}

#[test]
fn killed_at_random_moments() {
    let (whole, took) = whole_minute();
    for seed in 0..kills() {
        let work = minute_work();
        let workers = if seed % 2 == 0 { "1" } else { "2" };
        for again in 0..2 {
            let mut run = resume(&work, workers);
            let share = random(seed * 10 + again) % 1000;
            thread::sleep(took.mul_f64(share as f64 / 1000.0) + Duration::from_millis(5));
            run.kill();
        }
        resume(&work, workers).wait().exits(0);
        same_results(
            &format!("seed {seed}"),
            &whole.path("out"),
            &work.path("out"),
        );
    }
}

#[test]
fn killed_at_every_kind_of_boundary() {
    let (whole, _) = whole_minute();
    // What appears, in the order of a run, and what is to be seen in it.
    for (file, text) in [
        (".matchcut/lock", ""),
        (".matchcut/event.sqlite", ""),
        ("changes.jsonl", ""),
        ("log.jsonl", "\"kind\":\"chunk\""),
        ("changes.jsonl", "\"kind\":\"segment\""),
        ("changes.jsonl", "\"kind\":\"clip\""),
        ("clips/shot_000001200_t1.mp4", ""),
        ("thumbnails/shot_000001200.jpg", ""),
        ("replays/all/v1.m3u8", ""),
        ("replays/all/current.json", ""),
        ("changes.jsonl", "\"start\":58"),
        ("replays/all/all.mp4", ""),
        ("observations.jsonl", ""),
        ("segments.jsonl", ""),
        ("exports/event_1.edl", ""),
        ("report.html", ""),
    ] {
        let work = minute_work();
        let mut run = resume(&work, "1");
        let path = work.path("out").join(file);
        run.until_or_end(|| fs::read(&path).is_ok_and(|bytes| contains(&bytes, text)));
        run.kill();
        let first = fs::metadata(&path).is_ok();
        assert!(first, "{file} was there when it was killed");
        resume(&work, "2").wait().exits(0);
        let what = format!("{file} {text}");
        same_results(&what, &whole.path("out"), &work.path("out"));
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    text.is_empty()
        || bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
}

/// A run of a live stream of which it has read the first `number` chunks, and waits for more.
fn live(number: usize) -> (Server, Work, Running) {
    let server = Server::start();
    for chunk in CHUNKS {
        server.serve(chunk, fs::read(chunks().join(chunk)).unwrap());
    }
    let live = Playlist {
        ended: false,
        ..DATED
    };
    server.serve("index.m3u8", live.text(number));
    let work = Work::new();
    let source = format!("\"{}\"\nreload = \"50ms\"", server.url("index.m3u8"));
    work.write("shots.toml", spec().replace("\"index.m3u8\"", &source));
    let mut run = work.matchcut(["run", "shots.toml", "--out", "out"]);
    let last = CHUNKS[number - 1];
    run.until("out/log.jsonl", |text| text.contains(last));
    (server, work, run)
}

#[test]
fn nothing_is_fetched_or_decoded_twice() {
    let (server, work, mut run) = live(4);
    run.kill();
    let before: Vec<usize> = CHUNKS.iter().map(|chunk| server.asked(chunk)).collect();
    assert_eq!(before, [1, 1, 1, 1, 0, 0]);

    server.serve("index.m3u8", DATED.text(6));
    let done = work.ok([
        "run",
        "shots.toml",
        "--out",
        "out",
        "--resume",
        "--clips",
        "exact",
    ]);
    // Only the chunks that are new are decoded. Others are fetched again at most by the two who may
    // need them: the loader for the end of the last one, and whoever cuts clips and the replay.
    done.says("going on behind")
        .says("\n2 chunks, 100 frames, ");
    let after: Vec<usize> = CHUNKS.iter().map(|chunk| server.asked(chunk)).collect();
    assert!(after[..4].iter().all(|asked| *asked <= 2), "{after:?}");
    assert_eq!(after[4..], [1, 1]);
    let whole = Work::new();
    whole.write("shots.toml", fs::read(work.path("shots.toml")).unwrap());
    whole.ok(["run", "shots.toml", "--out", "out"]);
    same_results("live", &whole.path("out"), &work.path("out"));
}

#[test]
fn what_resume_does_in_every_state() {
    let spec = spec();
    let work = copy(DATED);
    work.write("shots.toml", &spec);
    // Nothing there: it starts.
    let first = work.ok(["run", "shots.toml", "--out", "out", "--resume"]);
    let before = contents(&work.path("out"));
    // Over: it says so, prints the same, and changes nothing.
    let again = work.ok(["run", "shots.toml", "--out", "out", "--resume"]);
    again.says("the event is over: nothing is done");
    assert_eq!(first.stdout, again.stdout);
    assert_eq!(contents(&work.path("out")), before);
    // Without --resume or --force, results are safe.
    let refused = work.fails(1, ["run", "shots.toml", "--out", "out"]);
    refused.says("--resume");
    // Another spec is another event.
    work.write("other.toml", spec.replace("3s", "4s"));
    let run = ["run", "other.toml", "--out", "out", "--resume"];
    let changed = work.fails(1, run);
    changed
        .says("was begun with another spec or other options")
        .says("help: ");
    assert_eq!(contents(&work.path("out")), before);
    // A store in which nothing was committed: it starts afresh.
    let fresh = copy(DATED);
    fresh.write("shots.toml", &spec);
    fs::create_dir_all(fresh.path("out/.matchcut")).unwrap();
    fs::write(fresh.path("out/.matchcut/event.sqlite"), "").unwrap();
    fs::write(fresh.path("out/.matchcut/lock"), "12345").unwrap();
    fresh.ok(["run", "shots.toml", "--out", "out", "--resume"]);
    same_results("fresh", &work.path("out"), &fresh.path("out"));
    // Results that a replay wrote have no log.
    let args = [
        "replay",
        "shots.toml",
        "--observations",
        "out/observations.jsonl",
        "--out",
        "again",
    ];
    work.ok(args);
    let refused = work.fails(1, ["run", "shots.toml", "--out", "again", "--resume"]);
    refused.says("holds");
}

fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |name: String| {
        let bytes = fs::read(dir.join(&name)).unwrap();
        (name, bytes)
    };
    files(dir).into_iter().map(read).collect()
}

#[test]
fn an_interrupted_run_can_be_gone_on_with() {
    let (server, work, run) = live(3);
    run.interrupt();
    run.wait().exits(130);
    assert!(
        work.path("out/report.html").is_file(),
        "it is written to its end"
    );
    server.serve("index.m3u8", DATED.text(6));
    work.ok(["run", "shots.toml", "--out", "out", "--resume"]);
    let whole = Work::new();
    whole.write("shots.toml", fs::read(work.path("shots.toml")).unwrap());
    whole.ok(["run", "shots.toml", "--out", "out"]);
    same_results("interrupted", &whole.path("out"), &work.path("out"));
}

#[test]
fn two_runs_in_one_directory() {
    let server = Server::start();
    server.serve("c00.ts", fs::read(chunks().join("c00.ts")).unwrap());
    let live = Playlist {
        ended: false,
        ..DATED
    };
    server.serve("index.m3u8", live.text(1));
    let work = Work::new();
    let source = format!("\"{}\"\nreload = \"50ms\"", server.url("index.m3u8"));
    work.write("shots.toml", spec().replace("\"index.m3u8\"", &source));
    let mut run = work.matchcut(["run", "shots.toml", "--out", "out"]);
    run.until("out/log.jsonl", |text| text.contains("c00.ts"));
    for flag in ["--resume", "--force"] {
        let done = work.fails(1, ["run", "shots.toml", "--out", "out", flag]);
        done.says("is in use by another run").says("help: wait");
    }
    run.interrupt();
    run.wait().exits(130);
    let log = lines(&work.path("out/log.jsonl"));
    assert!(log.iter().any(|line| line["kind"] == "chunk"));
}

#[test]
fn the_store_holds_the_log_in_transactions() {
    let work = undisturbed(&spec());
    let python = "import sqlite3,sys\n\
        db = sqlite3.connect('file:%s?mode=ro' % sys.argv[1], uri=True)\n\
        print(db.execute('select count(*) from log where kind = \"chunk\"').fetchone()[0])\n\
        print(db.execute('select count(*) from outbox').fetchone()[0])\n\
        print(db.execute('select count(*) from (select epoch from changes except select epoch from log)').fetchone()[0])\n\
        print(db.execute('select sum(diff) from changes where kind = \"segment\"').fetchone()[0])\n";
    let path = work.path("out/.matchcut/event.sqlite");
    let output = Command::new("python3")
        .args(["-c", python])
        .arg(path)
        .output()
        .unwrap();
    let segments = lines(&work.path("out/segments.jsonl")).len();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("6\n0\n0\n{segments}\n")
    );
}
