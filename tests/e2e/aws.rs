//! Chunks that lie in S3, and featurers that are functions of Lambda: whole runs against a server that checks
//! signatures and against AWS's own emulator.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value as Json;

use crate::s3_server::{Fault, KEY, S3Server, SECRET};
use crate::support::lambda::Emulator;
use crate::support::media::{frames, lumas, tool};
use crate::support::s3::with_s3;
use crate::support::stream::{CHUNKS, SPEC, UNDATED, chunks, copy};
use crate::support::{lines, same_findings, same_text};

/// The stream in a bucket, numbered from 1, with and without a playlist.
fn bucket() -> S3Server {
    let server = S3Server::start(&["media"]);
    let mut playlist = UNDATED.text(CHUNKS.len());
    for (number, chunk) in (1..).zip(CHUNKS) {
        let name = format!("court_{number:05}.ts");
        let bytes = fs::read(chunks().join(chunk)).unwrap();
        server.put("media", &format!("cup #1/{name}"), &bytes);
        server.put("media", &format!("plain/{name}"), &bytes);
        playlist = playlist.replace(chunk, &name);
    }
    server.put("media", "cup #1/index.m3u8", playlist);
    server
}

fn spec_of(uri: &str) -> String {
    SPEC.replace(
        "type = \"hls\"\nuri = \"index.m3u8\"",
        &format!("type = \"s3\"\nuri = \"{uri}\""),
    )
}

#[test]
fn what_lies_in_s3_is_what_lies_on_disk() {
    let server = bucket();
    // S3 has a bad minute: whatever is asked for the first time fails.
    let mut seen = BTreeSet::new();
    server.fault(
        move |line| match (seen.insert(line.to_owned()), seen.len() % 2) {
            (true, 0) => Fault::Error(503, "SlowDown"),
            (true, _) => Fault::Broken(10_000),
            _ => Fault::None,
        },
    );
    let mut work = copy(UNDATED);
    with_s3(&mut work, &server);
    work.ok(["run", "shots.toml", "--out", "disk"]);
    for (out, uri) in [
        ("listed", "s3://media/plain/"),
        ("played", "s3://media/cup #1/index.m3u8"),
    ] {
        work.write("s3.toml", spec_of(uri));
        work.ok(["run", "s3.toml", "--out", out])
            .says_times(0, "warning: chunk");
        same_findings(&work, "disk", out);
    }
    server.fault(|_| Fault::None);
    let uri = "s3://media/cup #1/index.m3u8";
    let probed = work.ok(["probe", uri, "--format", "json"]).json();
    assert_eq!(probed["chunks"].as_array().unwrap().len(), CHUNKS.len());
    work.ok(["clip", uri, "--from", "1", "--to", "3.04", "-o", "c.mp4"])
        .says("c.mp4: 51 frames");
    assert_eq!(frames(&work.path("c.mp4")), 51);
    work.ok([
        "clip", uri, "--from", "1", "--to", "3", "--cut", "instant", "-o", "i.m3u8",
    ])
    .says("note: its chunks lie in S3");
    let text = fs::read_to_string(work.path("i.m3u8")).unwrap();
    assert!(
        text.contains("\ns3://media/cup%20%231/court_00001.ts\n"),
        "{text}"
    );
}

#[test]
fn what_is_wrong_with_s3_is_told() {
    let server = bucket();
    let mut work = copy(UNDATED);
    with_s3(&mut work, &server);
    for (uri, said) in [
        (
            "s3://nowhere/plain/",
            "the bucket of s3://nowhere/plain/ does not exist",
        ),
        (
            "s3://media/plain/index.m3u8",
            "s3://media/plain/index.m3u8 does not exist",
        ),
    ] {
        let done = work.matchcut(["probe", uri]).wait();
        done.check(done.status.code() != Some(0), "it succeeds");
        done.says(said);
    }
    work.set_env("AWS_SECRET_ACCESS_KEY", "another-secret");
    let done = work.matchcut(["probe", "s3://media/plain/"]).wait();
    done.says("AWS does not take the credentials (SignatureDoesNotMatch)")
        .says_times(0, "another-secret");
    work.set_env("AWS_SECRET_ACCESS_KEY", "");
    work.set_env("AWS_ACCESS_KEY_ID", "");
    work.set_env("HOME", work.path("").into_os_string());
    let done = work.matchcut(["probe", "s3://media/plain/"]).wait();
    done.says("no AWS credentials were found; set AWS_PROFILE");

    let bad =
        spec_of("s3://media/plain/").replace("uri =", "start = \"live\"\nfolow = true\nuri =");
    work.write("bad.toml", bad);
    work.fails(78, ["validate", "bad.toml"])
        .says("of no use: a prefix is listed here, and no playlist read")
        .says("source \"tv\" has no key \"folow\"")
        .says("did you mean \"follow\"?");
}

const LUMA: &str = r#"
[operators.luma]
type = "lambda"
inputs = ["tv.video"]
function = "function"
retries = 1
timeout = "60s"
concurrency = 1
output_attributes = { Luma = "number", Bright = "boolean" }
"#;

/// What the function found: frame, luma, bright.
fn found(dir: &Path) -> Vec<(usize, f64, bool)> {
    let told = lines(&dir.join("observations.jsonl")).into_iter();
    let told = told.filter(|line| line["operator"] == "luma");
    told.map(|line| {
        let frame = (line["start"].as_f64().unwrap() * 25.0).round() as usize;
        let attributes = &line["attributes"];
        assert_eq!(attributes.as_object().unwrap().len(), 2, "{line}");
        let luma = attributes["Luma"].as_f64().unwrap();
        (frame, luma, attributes["Bright"].as_bool().unwrap())
    })
    .collect()
}

fn check_found(dir: &Path, missing: &[usize]) {
    let lumas = lumas(&chunks().join("index.m3u8"));
    let found = found(dir);
    let expected = (0..300)
        .step_by(5)
        .filter(|frame| !missing.contains(&(frame / 50)));
    let expected: Vec<usize> = expected.collect();
    assert_eq!(
        found.iter().map(|(frame, ..)| *frame).collect::<Vec<_>>(),
        expected
    );
    for (frame, luma, bright) in found {
        let measured = lumas[frame];
        assert!(
            (luma - measured).abs() <= 0.01,
            "frame {frame}: {luma}, measured {measured}"
        );
        assert_eq!(bright, luma >= 100.0, "frame {frame}: {luma}");
    }
}

fn asked(path: &Path) -> Vec<Json> {
    lines(path)
}

#[test]
fn a_featurer_of_mre_finds_in_lambda_what_is_there() {
    let server = bucket();
    let mut work = copy(UNDATED);
    let note = work.path("asked.jsonl");
    let Some(emulator) = Emulator::start(&server.endpoint, (KEY, SECRET), &note, 60) else {
        return;
    };
    with_s3(&mut work, &server);
    work.set_env("AWS_ENDPOINT_URL_LAMBDA", emulator.endpoint.as_str());
    let luma = format!("{LUMA}configuration = {{ bright = \"100\" }}\n");

    // Chunks that lie in S3 are named as they lie there.
    work.write("s3.toml", spec_of("s3://media/plain/") + &luma);
    work.ok(["run", "s3.toml", "--out", "s3", "--clips", "none"])
        .says_times(0, "warning: chunk");
    check_found(&work.path("s3"), &[]);
    let payloads = asked(&note);
    let mut keys: Vec<String> = payloads
        .iter()
        .map(|payload| {
            payload["Input"]["Media"]["S3Key"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    keys.sort();
    let expected: Vec<String> = (1..7)
        .map(|number| format!("plain/court_{number:05}.ts"))
        .collect();
    assert_eq!(keys, expected);
    let first = &payloads[0];
    assert_eq!(first["Plugin"]["Name"], "luma");
    assert_eq!(
        (&first["Event"]["Name"], &first["Event"]["Program"]),
        (&"shots".into(), &"shots".into())
    );
    assert_eq!(first["Input"]["Metadata"]["HLSSegment"]["FrameRate"], 25);

    // Others are staged; times may count from the clock of the stream.
    let more = format!(
        "{LUMA}stage = \"s3://media/staged\"\ntime_base = \"pts\"\nconfiguration = {{ bright = \"100\", pts = \
         \"true\" }}\n"
    );
    work.write("disk.toml", format!("{SPEC}{more}"));
    work.ok(["run", "disk.toml", "--out", "disk", "--clips", "none"])
        .says_times(0, "warning: chunk");
    check_found(&work.path("disk"), &[]);
    let staged = server.keys("media");
    let staged: Vec<&String> = staged
        .iter()
        .filter(|key| key.starts_with("staged/"))
        .collect();
    assert_eq!(staged.len(), CHUNKS.len(), "{staged:?}");
    let before = asked(&note).len();
    assert_eq!(before, 12);

    // A run that is taken up asks nobody again, and says the same.
    let observed = fs::read(work.path("disk/observations.jsonl")).unwrap();
    work.ok([
        "run",
        "disk.toml",
        "--out",
        "disk",
        "--clips",
        "none",
        "--resume",
    ]);
    same_text(
        "resumed",
        &observed,
        &fs::read(work.path("disk/observations.jsonl")).unwrap(),
    );
    assert_eq!(asked(&note).len(), before);

    // A part of a file becomes a file of its own.
    let all = work.path("all.mp4");
    let playlist = work.path("index.m3u8");
    let copied = [
        "-allowed_extensions",
        "ALL",
        "-i",
        playlist.to_str().unwrap(),
        "-c",
        "copy",
    ];
    tool("ffmpeg", copied.into_iter().chain([all.to_str().unwrap()]));
    let file = SPEC.replace(
        "type = \"hls\"\nuri = \"index.m3u8\"",
        "type = \"file\"\nuri = \"all.mp4\"",
    );
    let more = format!("{luma}stage = \"s3://media/parts\"\nremove_staged = true\n");
    let more = more.replace("configuration", "mre_plugin = \"Of\"\nconfiguration");
    work.write("file.toml", file + &more);
    work.ok(["run", "file.toml", "--out", "file", "--clips", "none"])
        .says_times(0, "warning: chunk");
    check_found(&work.path("file"), &[]);
    let payloads = asked(&note);
    let last = payloads.last().unwrap();
    let key = last["Input"]["Media"]["S3Key"].as_str().unwrap();
    assert!(key.starts_with("parts/") && key.ends_with(".mp4"), "{key}");
    assert_eq!(last["Plugin"]["Name"], "Of");
    assert!(
        !server
            .keys("media")
            .iter()
            .any(|key| key.starts_with("parts/"))
    );

    // For each audio track.
    let sound = luma
        .replace("tv.video", "tv.audio")
        .replace("retries", "media = \"audio\"\nretries");
    work.write("sound.toml", spec_of("s3://media/plain/") + &sound);
    work.ok(["run", "sound.toml", "--out", "sound", "--clips", "none"])
        .says_times(0, "warning: chunk");
    check_found(&work.path("sound"), &[]);
    assert_eq!(asked(&note).last().unwrap()["TrackNumber"], 1);
    let told = lines(&work.path("sound/observations.jsonl"));
    let tracks = told.iter().filter(|line| line["operator"] == "luma");
    assert!(tracks.into_iter().all(|line| line["track"] == 1));
}

#[test]
fn what_a_function_does_wrong_costs_its_results_of_that_chunk() {
    let server = bucket();
    let mut work = copy(UNDATED);
    let note = work.path("asked.jsonl");
    let Some(emulator) = Emulator::start(&server.endpoint, (KEY, SECRET), &note, 6) else {
        return;
    };
    with_s3(&mut work, &server);
    work.set_env("AWS_ENDPOINT_URL_LAMBDA", emulator.endpoint.as_str());
    let trouble = "\"00001\" = \"raise\", \"00002\" = \"shape\", \"00003\" = \"status\", \"00004\" = \"time\", \
                   \"00006\" = \"slow\"";
    let luma = format!("{LUMA}configuration = {{ bright = \"100\", trouble = {{ {trouble} }} }}\n");
    work.write("s3.toml", spec_of("s3://media/plain/") + &luma);
    let done = work.ok(["run", "s3.toml", "--out", "out", "--clips", "none"]);
    check_found(&work.path("out"), &[0, 1, 2, 3, 5]);
    for said in [
        "chunk 0 (s3://media/plain/court_00001.ts), operator \"luma\": function function: it failed with \
         ValueError: the picture upset me; see its log",
        "chunk 1 (s3://media/plain/court_00002.ts), operator \"luma\": function function: it did not return \
         what plugins of MRE return: Output is missing",
        "chunk 2 (s3://media/plain/court_00003.ts), operator \"luma\": function function: it reports the \
         status Error, not Complete",
        "operator \"luma\": function function: result 1: Start is at 3606.000 s of the event, and the chunk \
         from 6.000 s to 8.000 s; time_base says what times count from",
        "operator \"luma\": function function: what it returned is not JSON (expected value at line 1 column \
         1): \"Task timed out after 6.00 seconds\"",
    ] {
        done.says(said);
    }
    // The others found what they find without it.
    let cuts = |dir: &str| -> Vec<Json> {
        let told = lines(&work.path(dir).join("observations.jsonl")).into_iter();
        told.filter(|line| line["operator"] != "luma").collect()
    };
    work.write("without.toml", spec_of("s3://media/plain/"));
    work.ok(["run", "without.toml", "--out", "without", "--clips", "none"]);
    assert_eq!(cuts("out"), cuts("without"));
    assert!(cuts("out").len() > 9);
}

#[test]
fn who_waits_for_a_function_holds_up_nobody() {
    // A server that lets every function wait, but answers them side by side.
    let server = bucket();
    let mut work = copy(UNDATED);
    with_s3(&mut work, &server);
    let slow = S3Server::start(&["x"]);
    slow.fault(|_| Fault::Slow(Duration::from_secs(3)));
    work.set_env("AWS_ENDPOINT_URL_LAMBDA", slow.endpoint.as_str());
    let luma = LUMA
        .replace("concurrency = 1", "concurrency = 6")
        .replace("retries = 1", "retries = 0");
    work.write("s3.toml", spec_of("s3://media/plain/") + &luma);
    let args = [
        "run",
        "s3.toml",
        "--out",
        "out",
        "--clips",
        "none",
        "--decode-threads",
        "1",
    ];
    let done = work.ok(args);
    // What the server says is no result of a function: an error for each chunk, after 3 s for all.
    done.says("function function: 6 requests (0 repeated, 6 in vain)")
        .says("chunks 1 to 5, too: function function: the service answered 501");
    done.check(
        done.elapsed < Duration::from_secs(15),
        &format!("six invocations one after the other: {:?}", done.elapsed),
    );
}
