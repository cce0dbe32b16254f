//! Streams of Kinesis Video in whole runs: sessions that end, credentials that expire, connections that break. What
//! comes is what the same chunks on disk give, and no token is seen anywhere.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::support::aws_media::{Services, refused};
use crate::support::media::{frames, tool};
use crate::support::stream::{CHUNKS, DATED, FRAMES, SPEC, Shared, chunks, copy};
use crate::support::{Done, Work, files, lines, same_text};

/// The chunks as fragments of a stream: transport streams, fragmented MP4 with its initialization section, and
/// Matroska.
fn fragments() -> &'static Path {
    static FRAGMENTS: OnceLock<Shared> = OnceLock::new();
    &FRAGMENTS
        .get_or_init(|| {
            let shared = Shared::new("fragments");
            make(&shared.dir);
            shared
        })
        .dir
}

fn make(dir: &Path) {
    for chunk in CHUNKS {
        fs::copy(chunks().join(chunk), dir.join(chunk)).unwrap();
        let from = dir.join(chunk);
        let to = dir.join(chunk.replace(".ts", ".mkv"));
        let before = ["-copyts", "-i"].map(OsStr::new);
        let after = ["-c", "copy", "-avoid_negative_ts", "disabled"].map(OsStr::new);
        let args = before.into_iter().chain([from.as_os_str()]).chain(after);
        tool("ffmpeg", args.chain([to.as_os_str()]));
    }
    let (from, to) = (chunks().join("index.m3u8"), dir.join("mp4.m3u8"));
    let names = dir.join("f%d.m4s");
    let before = ["-copyts", "-allowed_extensions", "ALL", "-i"].map(OsStr::new);
    let middle = [
        "-c",
        "copy",
        "-bsf:a",
        "aac_adtstoasc",
        "-f",
        "hls",
        "-hls_time",
        "2",
        "-hls_list_size",
        "0",
        "-hls_segment_type",
        "fmp4",
        "-hls_fmp4_init_filename",
        "init.mp4",
        "-hls_segment_filename",
    ];
    let args = before
        .into_iter()
        .chain([from.as_os_str()])
        .chain(middle.map(OsStr::new));
    tool("ffmpeg", args.chain([names.as_os_str(), to.as_os_str()]));
}

fn spec(services: &Services, options: &str) -> String {
    let source = format!(
        "type = \"kinesis_video\"\nuri = \"kvs://court\"\ndata_endpoint = \"{}\"\n{options}",
        services.endpoint
    );
    SPEC.replace("type = \"hls\"\nuri = \"index.m3u8\"", &source)
}

/// A directory with the spec, and the services, which have so many fragments; `None` where there is no moto.
fn ready(options: &str, number: u64) -> Option<(Work, Services)> {
    let mut work = copy(DATED);
    let services = Services::start(fragments())?;
    services.with_keys(&mut work);
    services.order(json!({"fragments": number}));
    work.write("kinesis.toml", spec(&services, options));
    Some((work, services))
}

fn chunks_read(work: &Work, out: &str) -> usize {
    let log = work.path(out).join("log.jsonl");
    match log.exists() {
        true => lines(&log)
            .iter()
            .filter(|line| line["kind"] == "chunk")
            .count(),
        false => 0,
    }
}

fn wait_for(work: &Work, out: &str, number: usize) {
    let begun = std::time::Instant::now();
    while chunks_read(work, out) < number {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "only {}",
            chunks_read(work, out)
        );
        sleep(Duration::from_millis(20));
    }
}

/// No token stands in anything that was written or printed.
fn no_token(work: &Work, out: &str, done: &Done) {
    let shown = |text: &[u8]| text.windows(12).any(|part| part == b"Secret_Token");
    assert!(
        !shown(done.stderr.as_bytes()),
        "a token in the log:\n{}",
        done.stderr
    );
    for file in files(&work.path(out)) {
        let bytes = fs::read(work.path(out).join(&file)).unwrap();
        assert!(!shown(&bytes), "a token in {file}");
    }
}

/// The files are the same.
fn same_files(work: &Work, out: &str) {
    for file in ["segments.jsonl", "observations.jsonl"] {
        let read = |dir: &str| fs::read(work.path(dir).join(file)).unwrap();
        same_text(&format!("{out}/{file}"), &read("disk"), &read(out));
    }
}

/// What was found in frames, whatever clock the container has.
fn found(work: &Work, out: &str) -> Vec<(Json, Json, Json, Json)> {
    let told = lines(&work.path(out).join("observations.jsonl")).into_iter();
    let told = told.filter(|line| line["operator"] == "cuts");
    told.map(|line| {
        let of = |key: &str| line[key].clone();
        (of("start"), of("frame"), of("utc"), of("attributes"))
    })
    .collect()
}

/// How long the clips are, in frames.
fn clips(work: &Work, out: &str) -> Vec<(String, u64)> {
    let all = files(&work.path(out))
        .into_iter()
        .filter(|name| name.ends_with(".mp4"));
    all.map(|name| {
        let frames = frames(&work.path(out).join(&name)) as u64;
        (name, frames)
    })
    .collect()
}

#[test]
fn sessions_end_and_the_stream_goes_on() {
    let options =
        "container = \"mpeg_ts\"\nfragments = 3\nreload = \"100ms\"\nfinished_after = \"3s\"\n";
    let Some((mut work, services)) = ready(options, 2) else {
        return;
    };
    work.ok(["run", "shots.toml", "--out", "disk"]);
    work.set_env("MATCHCUT_LOG", "trace");
    let run = work.matchcut(["run", "kinesis.toml", "--out", "live"]);
    wait_for(&work, "live", 2);
    // The session ends while credentials have expired, and so much is ingested meanwhile that the next session
    // does not show all of it.
    let faults = json!([
        ["GetHLSStreamingSessionURL", 3, 403, "ExpiredTokenException"],
        [
            "GetHLSStreamingSessionURL",
            2,
            400,
            "ClientLimitExceededException"
        ],
    ]);
    services.order(json!({"faults": faults, "expire": true, "fragments": 6}));
    wait_for(&work, "live", 6);
    let done = run.wait().exits(0);
    same_files(&work, "live");
    for clip in files(&work.path("disk"))
        .iter()
        .filter(|name| name.ends_with(".mp4"))
    {
        let read = |dir: &str| fs::read(work.path(dir).join(clip)).unwrap();
        assert!(read("live") == read("disk"), "{clip}");
    }
    no_token(&work, "live", &done);
    done.check(
        done.stderr
            .contains("a session of Kinesis Video was refused"),
        "no session was refused",
    );
    let asked = services.asked();
    let sessions = asked
        .iter()
        .filter(|asked| *asked == "GetHLSStreamingSessionURL")
        .count();
    // The first, five in vain, the next, and one for what it does not show.
    assert!(sessions >= 8, "{asked:?}");
    assert_eq!(refused(&asked), 5, "{asked:?}");
}

#[test]
fn what_is_kept_is_read_on_demand() {
    let options = "playback = \"on_demand\"\nfrom = \"2026-06-06T14:00:00Z\"\nto = \"2026-06-06T14:00:30Z\"\n";
    let Some((mut work, services)) = ready(options, 6) else {
        return;
    };
    work.ok(["run", "shots.toml", "--out", "disk"]);
    let done = work.ok(["run", "kinesis.toml", "--out", "kept"]);
    no_token(&work, "kept", &done);
    assert_eq!(found(&work, "kept"), found(&work, "disk"));
    assert_eq!(clips(&work, "kept"), clips(&work, "disk"));

    // A part of it, of a stream that is named by its ARN.
    let part = spec(&services, options)
        .replace("kvs://court", &format!("kvs://{}", services.arn))
        .replace("14:00:30Z", "14:00:05.5Z")
        .replace("14:00:00Z", "14:00:02Z");
    work.write("part.toml", part);
    work.ok(["run", "part.toml", "--out", "part", "--clips", "none"]);
    assert_eq!(chunks_read(&work, "part"), 2);

    // At the pace at which it was ingested.
    let paced = "playback = \"live_replay\"\nfrom = \"2026-06-06T14:00:00Z\"\nreload = \"100ms\"\nfragments = 3\n\
                 finished_after = \"2s\"\n";
    work.write("paced.toml", spec(&services, paced));
    let run = work.matchcut(["run", "paced.toml", "--out", "paced", "--clips", "none"]);
    wait_for(&work, "paced", 3);
    services.order(json!({"expire": true}));
    run.wait().exits(0);
    assert_eq!(found(&work, "paced"), found(&work, "disk"));

    // What is wrong is told, and where the service says that media are is asked for.
    let nowhere = "sources.tv.uri=kvs://nowhere";
    let args = [
        "run",
        "kinesis.toml",
        "--out",
        "x",
        "--set",
        "sources.tv.data_endpoint=\"http://127.0.0.1:9\"",
    ];
    work.fails(1, args).says("stream court of Kinesis Video");
    let without = spec(&services, options).replace("data_endpoint", "# ");
    work.write("without.toml", without);
    work.fails(1, ["run", "without.toml", "--out", "y", "--set", nowhere])
        .says("kvs://nowhere/index.m3u8 does not exist");
    assert!(services.asked().contains(&"GetDataEndpoint".to_owned()));

    // By its address alone: looked at, and cut.
    let probe = [
        "probe",
        "kvs://court",
        "--format",
        "json",
        "--duration",
        "4",
    ];
    let probed = work.ok(probe);
    no_token(&work, "kept", &probed);
    assert_eq!(probed.json()["chunks"].as_array().unwrap().len(), 2);
    let cut = ["clip", "kvs://court", "--from", "0.5", "--to", "2.5"];
    let done = work.ok(cut.into_iter().chain(["--output", "cut.mp4"]));
    no_token(&work, "kept", &done);
    assert_eq!(frames(&work.path("cut.mp4")), 50);
    work.set_env("AWS_SECRET_ACCESS_KEY", "another-secret");
    work.fails(1, ["run", "kinesis.toml", "--out", "z"])
        .says("AWS does not take the credentials (SignatureDoesNotMatch)")
        .says_times(0, "another-secret");
}

#[test]
fn media_come_as_they_were_ingested() {
    let options = "playback = \"live_replay\"\ndelivery = \"media\"\nfrom = \"2026-06-06T14:00:00Z\"\n\
                   finished_after = \"3s\"\n";
    let Some((mut work, services)) = ready(options, 2) else {
        return;
    };
    work.ok(["run", "shots.toml", "--out", "disk"]);
    work.set_env("MATCHCUT_LOG", "trace");
    // The connection breaks in the middle of the third fragment, and then credentials have expired.
    services.order(json!({"breaks": 3}));
    let mut run = work.matchcut(["run", "kinesis.toml", "--out", "media"]);
    wait_for(&work, "media", 2);
    services
        .order(json!({"faults": [["GetMedia", 2, 403, "ExpiredTokenException"]], "fragments": 3}));
    wait_for(&work, "media", 3);
    // The process dies, and another one goes on behind what was read.
    run.kill();
    services.order(json!({"fragments": 6}));
    let done = work.ok(["run", "kinesis.toml", "--out", "media", "--resume"]);
    no_token(&work, "media", &done);
    assert_eq!(found(&work, "media"), found(&work, "disk"));
    // Matroska rounds times of sound to milliseconds, so a silence may be found one step later.
    let of_pictures = |out: &str| -> Vec<(String, u64)> {
        let all = clips(&work, out).into_iter();
        all.filter(|(name, _)| !name.contains("/gap_")).collect()
    };
    assert_eq!(of_pictures("media"), of_pictures("disk"));
    let log = lines(&work.path("media/log.jsonl"));
    let chunks: Vec<&Json> = log.iter().filter(|line| line["kind"] == "chunk").collect();
    let frames: u64 = chunks
        .iter()
        .map(|line| line["value"]["frames"].as_u64().unwrap())
        .sum();
    assert_eq!((chunks.len(), frames), (CHUNKS.len(), FRAMES));
    // Fragments that were read before are fetched again by their numbers.
    assert!(
        services
            .asked()
            .contains(&"GetMediaForFragmentList".to_owned())
    );
}
