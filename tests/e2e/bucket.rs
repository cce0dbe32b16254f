//! Results in a bucket of S3: what lies there against what lies on disk, while S3 refuses, breaks off, spoils
//! what is sent or does not take the keys, and across a killed run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::s3_server::{Fault, KEY, S3Server, SECRET};
use crate::support::Work;
use crate::support::media::{frames, pictures};
use crate::support::metrics::Page;
use crate::support::s3::with_s3;
use crate::support::stream::{SPEC, UNDATED, copy};

/// Where the sink writes.
const PREFIX: &str = "live/shots/";

const SINK: &str = r#"
[sinks.bucket]
type = "s3"
inputs = ["cuts", "quiet", "shot", "gap", "all"]
uri = "s3://results/live/{event}"
"#;

fn spec(more: &str) -> String {
    let spec = SPEC
        .replace("duration = \"3s\"", "duration = \"3s\"\ncatchup = true")
        .replace(
            "hard_cut\" = 1 }",
            "hard_cut\" = 1, \"quiet.silence\" = 50 }",
        );
    format!("{spec}{SINK}{more}")
}

fn server() -> S3Server {
    S3Server::start(&["results"])
}

fn work_for(server: &S3Server, more: &str) -> Work {
    let mut work = copy(UNDATED);
    work.write("bucket.toml", spec(more));
    with_s3(&mut work, server);
    work
}

/// What the bucket has, by path below the prefix.
fn objects(server: &S3Server) -> BTreeMap<String, Vec<u8>> {
    let keys = server.keys("results");
    let keys = keys.iter().filter_map(|key| {
        let path = key.strip_prefix(PREFIX)?;
        Some((
            path.to_owned(),
            fs::read(server.path("results", key)).unwrap(),
        ))
    });
    keys.collect()
}

/// The chunks and playlists that a playlist of a bucket names, by path below the prefix.
fn named(path: &str, text: &str) -> Vec<String> {
    let dir = path.rsplit_once('/').unwrap().0;
    let uris = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let quoted = text.split("URI=\"").skip(1);
    let quoted = quoted.map(|rest| rest.split('"').next().unwrap());
    let resolve = |uri: &str| {
        let mut parts: Vec<&str> = dir.split('/').collect();
        for part in uri.split('/') {
            match part {
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        parts.join("/")
    };
    uris.chain(quoted).map(resolve).collect()
}

/// Everything is there, equal to what a directory has, and can be played from there alone.
fn check_bucket(server: &S3Server, dir: &Path) {
    let objects = objects(server);
    let results = crate::support::files(dir);
    let results = results.iter().filter(|path| !path.starts_with(".matchcut"));
    let results: BTreeSet<&String> = results.collect();
    let copied = |path: &&String| path.starts_with("chunks/");
    let others: BTreeSet<&String> = objects.keys().filter(|path| !copied(path)).collect();
    assert_eq!(others, results);
    for path in results {
        let on_disk = fs::read(dir.join(path)).unwrap();
        // Chunks are copied and named beside, and what was made of the videos is linked the same way.
        if !path.ends_with(".m3u8") && path != "report.html" {
            assert!(objects[path] == on_disk, "{path}");
        }
    }
    let mut used = BTreeSet::new();
    for (path, text) in objects.iter().filter(|(path, _)| path.ends_with(".m3u8")) {
        let names = named(path, &String::from_utf8(text.clone()).unwrap());
        assert!(!names.is_empty(), "{path}");
        for name in names {
            assert!(objects.contains_key(&name), "{path} names {name}");
            used.insert(name);
        }
    }
    let chunks: BTreeSet<String> = objects.keys().filter(copied).cloned().collect();
    let used: BTreeSet<String> = used
        .into_iter()
        .filter(|n| n.starts_with("chunks/"))
        .collect();
    assert!(used.is_subset(&chunks));
    let list = "replays/all/index.m3u8";
    let there = pictures(&server.path("results", &format!("{PREFIX}{list}")));
    assert!(!there.is_empty());
    assert_eq!(there, pictures(&dir.join(list)));
    assert!(frames(&server.path("results", &format!("{PREFIX}replays/all/all.mp4"))) > 0);
}

/// The keys that were written, in order, each as often as it was.
fn puts(server: &S3Server) -> Vec<String> {
    let lines = server.lines();
    let puts = lines.iter().filter_map(|line| {
        let rest = line.strip_prefix("PUT /results/")?;
        let key = rest.split([' ', '?']).next()?;
        Some(key.strip_prefix(PREFIX)?.to_owned())
    });
    puts.collect()
}

#[test]
fn a_bucket_follows_the_directory_through_a_bad_time() {
    let server = server();
    let work = work_for(&server, "");
    // Whatever is asked for the first time fails, in turn in four ways.
    let mut seen = BTreeSet::new();
    server.fault(move |line| {
        let first = seen.insert(line.to_owned());
        match (first, seen.len() % 4) {
            (false, _) => Fault::None,
            (true, 0) => Fault::Error(503, "SlowDown"),
            (true, 1) => Fault::Broken(20),
            (true, 2) => Fault::Spoilt,
            (true, _) => Fault::Error(500, "InternalError"),
        }
    });
    work.ok(["run", "bucket.toml", "--out", "out"])
        .says_times(0, "not published");
    check_bucket(&server, &work.path("out"));

    // Nothing is named before it is there, and what never changes is written once.
    let done: Vec<String> = {
        // The last try of each is the one that arrived.
        let puts = puts(&server);
        let last = puts
            .iter()
            .enumerate()
            .filter(|(at, key)| !puts[at + 1..].contains(*key));
        last.map(|(_, key)| key.clone()).collect()
    };
    let at = |key: &str| done.iter().position(|other| other == key);
    let objects = objects(&server);
    let mut versions = 0;
    for (path, text) in &objects {
        if !path.starts_with("replays/") || !path.ends_with(".m3u8") {
            continue;
        }
        versions += usize::from(path.contains("/v"));
        for name in named(path, &String::from_utf8(text.clone()).unwrap()) {
            assert!(
                at(&name) < at(path) && at(&name).is_some(),
                "{name}, {path}: {done:#?}"
            );
        }
    }
    assert!(versions > 1, "{done:?}");

    // A run that is over has nothing more to say.
    let before = server.lines().len();
    work.ok(["run", "bucket.toml", "--out", "out", "--resume"])
        .says("nothing is done");
    assert_eq!(server.lines().len(), before);

    // What another run does not have is taken away.
    let gone = spec("").replace(
        "[operators.gap]\ntype = \"segment_passthrough\"\ninputs = [\"quiet\"]\nfrom = \"ranges\"\n",
        "",
    );
    work.write(
        "bucket.toml",
        gone.replace(
            "\"quiet\", \"shot\", \"gap\", \"all\"",
            "\"quiet\", \"shot\", \"all\"",
        ),
    );
    assert!(objects.keys().any(|path| path.starts_with("clips/gap")));
    work.ok(["run", "bucket.toml", "--out", "out", "--force"]);
    check_bucket(&server, &work.path("out"));
    let keys = server.keys("results");
    assert!(
        !keys.iter().any(|key| key.contains("clips/gap")),
        "{keys:?}"
    );
}

#[test]
fn an_event_goes_on_while_s3_refuses_and_all_of_it_arrives_afterwards() {
    let server = server();
    let work = work_for(&server, "drain = \"0.1s\"\nretries = 0\n");
    server.fault(|_| Fault::Error(503, "SlowDown"));
    let counted = ["--metrics-file", "m.prom"];
    let run = ["run", "bucket.toml", "--out", "out"];
    let done = work.fails(1, run.into_iter().chain(counted));
    let page = Page::read(&work.path("m.prom"));
    let bucket = [r#"sink="bucket""#];
    assert_eq!(page.sum("matchcut_sink_up", &bucket), 0.0);
    assert!(page.sum("matchcut_sink_errors_total", &bucket) >= 1.0);
    assert!(page.sum("matchcut_outbox_rows", &bucket) >= 1.0);
    done.says("warning: sink \"bucket\": s3://results/live/shots/")
        .says("too many requests (SlowDown)")
        .says("not published")
        .says("--resume publishes");
    assert!(objects(&server).is_empty());
    assert!(work.path("out/report.html").exists());

    // Keys that have expired are told, and never shown.
    server.fault(|_| Fault::Error(400, "ExpiredToken"));
    work.fails(1, ["run", "bucket.toml", "--out", "out", "--resume"])
        .says("(ExpiredToken); they have expired: get new ones")
        .says_times(0, SECRET);
    server.fault(|_| Fault::None);
    work.ok(["run", "bucket.toml", "--out", "out", "--resume"]);
    check_bucket(&server, &work.path("out"));
}

#[test]
fn credentials_that_are_renewed_meanwhile_are_taken() {
    let server = server();
    let mut work = work_for(&server, "drain = \"30s\"\nprofile = \"desk\"\n");
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        work.set_env(name, "");
    }
    let keys = |secret: &str| {
        format!("[desk]\naws_access_key_id = {KEY}\naws_secret_access_key = {secret}\n")
    };
    let file = work.write("credentials", keys("one-that-has-expired"));
    work.write("config", "");
    work.set_env("AWS_SHARED_CREDENTIALS_FILE", file.clone());
    work.set_env("AWS_CONFIG_FILE", work.path("config"));
    let run = [
        "run",
        "bucket.toml",
        "--out",
        "out",
        "--metrics-file",
        "m.prom",
    ];
    let mut running = work.matchcut(run);
    running.until_or_end(|| !server.lines().is_empty());
    std::thread::sleep(Duration::from_millis(300));
    fs::write(&file, keys(SECRET)).unwrap();
    running
        .wait()
        .exits(0)
        .says("AWS does not take the credentials (SignatureDoesNotMatch)")
        .says("sink \"bucket\" is reached again")
        .says_times(0, "one-that-has-expired");
    let page = Page::read(&work.path("m.prom"));
    let bucket = [r#"sink="bucket""#];
    assert!(page.sum("matchcut_sink_errors_total", &bucket) >= 1.0);
    assert_eq!(page.sum("matchcut_sink_up", &bucket), 1.0);
    assert_eq!(page.sum("matchcut_outbox_rows", &bucket), 0.0);
    check_bucket(&server, &work.path("out"));
}

#[test]
fn a_killed_run_goes_on_and_the_bucket_is_that_of_an_undisturbed_one() {
    let (one, other) = (server(), server());
    let undisturbed = work_for(&one, "");
    undisturbed.ok(["run", "bucket.toml", "--out", "out"]);
    let work = work_for(&other, "");
    let mut running = work.matchcut(["run", "bucket.toml", "--out", "out"]);
    running.until_or_end(|| puts(&other).len() > 4);
    running.kill();
    work.ok(["run", "bucket.toml", "--out", "out", "--resume"]);
    check_bucket(&other, &work.path("out"));
    let (one, other) = (objects(&one), objects(&other));
    let (ours, theirs): (Vec<_>, Vec<_>) = (one.keys().collect(), other.keys().collect());
    // Copies are named by where their chunks lie, which is another place for each run.
    let plain = |keys: Vec<&String>| -> Vec<String> {
        let keys = keys.into_iter().filter(|key| !key.starts_with("chunks/"));
        keys.cloned().collect()
    };
    assert_eq!(plain(ours), plain(theirs));
    for path in one
        .keys()
        .filter(|path| path.ends_with(".jsonl") || path.ends_with(".mp4"))
    {
        assert!(one[path] == other[path], "{path}");
    }
}

#[test]
fn what_is_wrong_in_a_bucket_is_told_before_anything_runs() {
    let work = Work::new();
    let wrong = spec("").replace("{event}", "{programme}").replace(
        "[sinks.bucket]",
        "[sinks.bucket]\nstorage_clas = \"STANDARD_IA\"\nencryption = \"kmz\"",
    );
    work.write("bad.toml", wrong);
    work.fails(78, ["validate", "bad.toml"])
        .says("sink \"bucket\" has no key \"storage_clas\"")
        .says("did you mean \"storage_class\"?")
        .says("kmz");
    work.write(
        "bad.toml",
        spec("kms_key = \"alias/a\"\n").replace("{event}", "{programme}"),
    );
    work.fails(78, ["validate", "bad.toml"])
        .says("{programme} is not known; {program}, {event} and {sink} are")
        .says("needs encryption = \"kms\"");
}
