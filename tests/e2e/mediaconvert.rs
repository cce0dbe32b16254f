//! Clips and replays that MediaConvert makes: whole runs against a server of S3 and a double that checks requests with
//! the service model of MediaConvert and really cuts, so that its frames can be compared with those that are cut here.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};

use crate::s3_server::{KEY, S3Server, SECRET};
use crate::support::media::{frames, lumas, pictures, sound, tool};
use crate::support::mediaconvert::{MediaConvert, program};
use crate::support::metrics::Page;
use crate::support::python::python;
use crate::support::s3::with_s3;
use crate::support::stream::{CHUNKS, Playlist, SPEC, UNDATED, chunks, copy};
use crate::support::{Work, document, repository};

const RUN: [&str; 4] = ["run", "cloud.toml", "--out", "out"];
const RESUME: [&str; 5] = ["run", "cloud.toml", "--out", "out", "--resume"];

/// The stream in S3, a double, and a directory in which runs find both.
fn cloud(events: bool) -> Option<(S3Server, MediaConvert, Work)> {
    let server = S3Server::start(&["media", "results"]);
    for chunk in CHUNKS {
        server.put(
            "media",
            &format!("cup #1/{chunk}"),
            fs::read(chunks().join(chunk)).unwrap(),
        );
    }
    server.put("media", "cup #1/index.m3u8", UNDATED.text(CHUNKS.len()));
    let mut work = copy(UNDATED);
    let log = work.path("double.log");
    let double = MediaConvert::start(&server.endpoint, (KEY, SECRET), &log, events)?;
    let sqs = double
        .events
        .as_ref()
        .map_or("http://127.0.0.1:1", |(sqs, _)| sqs);
    with_s3(&mut work, &server);
    work.set_env("AWS_ENDPOINT_URL_SQS", sqs);
    Some((server, double, work))
}

fn spec(double: &MediaConvert, more: &str) -> String {
    let source = SPEC.replace(
        "type = \"hls\"\nuri = \"index.m3u8\"",
        "type = \"s3\"\nuri = \"s3://media/cup #1/index.m3u8\"",
    );
    format!(
        "{source}\n[sinks.cloud]\ntype = \"mediaconvert\"\ninputs = [\"shot\", \"all\"]\n\
         destination = \"s3://results/videos/\"\nrole = \"arn:aws:iam::123456789012:role/convert\"\n\
         endpoint = \"{}\"\npoll = \"100ms\"\ndrain = \"120s\"\n{more}\n",
        double.endpoint
    )
}

/// What the run says became of its jobs.
fn entries(work: &Work) -> Vec<Json> {
    told(work, "cloud")
}

fn told(work: &Work, sink: &str) -> Vec<Json> {
    let told = document(&work.path(&format!("out/mediaconvert/{sink}.json")));
    told["entries"].as_array().unwrap().clone()
}

fn of<'a>(entries: &'a [Json], subject: &str) -> &'a Json {
    let mut found = entries.iter().filter(|entry| entry["subject"] == subject);
    found
        .next()
        .unwrap_or_else(|| panic!("no {subject} in {entries:#?}"))
}

/// The file of an output that ends so.
fn output(server: &S3Server, entry: &Json, end: &str) -> PathBuf {
    let outputs = entry["outputs"].as_array().unwrap().iter();
    let mut outputs = outputs.map(|output| output.as_str().unwrap());
    let found = outputs.find(|output| output.ends_with(end)).unwrap();
    server.path("results", found.strip_prefix("s3://results/").unwrap())
}

/// Every job has a token of its own: none was submitted twice.
fn tokens(happened: &Json) -> BTreeSet<String> {
    let mut tokens = BTreeSet::new();
    for job in happened["jobs"].as_array().unwrap() {
        let token = job["clientRequestToken"].as_str().unwrap();
        assert!(
            tokens.insert(token.to_owned()),
            "{token} was submitted twice"
        );
    }
    tokens
}

/// Clips of the run by subject: the local file of each.
fn clips(work: &Work) -> BTreeMap<String, PathBuf> {
    let segments = crate::support::lines(&work.path("out/segments.jsonl")).into_iter();
    let segments = segments.filter(|segment| segment["id"].as_str().unwrap().starts_with("shot"));
    let clip = |segment: Json| {
        let path = work
            .path("out")
            .join(segment["clips"][0]["path"].as_str().unwrap());
        (
            format!("clip {} track 1", segment["id"].as_str().unwrap()),
            path,
        )
    };
    segments.map(clip).collect()
}

#[test]
fn what_mediaconvert_makes_are_the_frames_that_are_cut_here() {
    let Some((server, mut double, work)) = cloud(false) else {
        return;
    };
    work.write("cloud.toml", spec(&double, ""));
    // It is throttled at first: the event goes on, and the jobs wait in the outbox.
    double.control(&json!({ "throttle": 3 }));
    let done = work.ok(RUN.into_iter().chain(["--metrics-file", "m.prom"]));
    let page = Page::read(&work.path("m.prom"));
    let cloud = [r#"sink="cloud""#];
    assert!(page.sum("matchcut_sink_errors_total", &cloud) >= 1.0);
    assert_eq!(page.sum("matchcut_sink_up", &cloud), 1.0);
    assert_eq!(page.sum("matchcut_outbox_rows", &cloud), 0.0);
    done.says_times(
        1,
        "warning: sink \"cloud\": MediaConvert: a job: too many requests (TooManyRequestsException)",
    )
    .says_times(1, "sink \"cloud\" is reached again")
    .says("sink \"cloud\": 11 of 11 made, about")
    .says_times(0, SECRET);
    let happened = double.happened();
    assert_eq!(tokens(&happened).len(), 11);
    let entries = entries(&work);
    assert_eq!(entries.len(), 11);
    assert!(entries.iter().all(|entry| entry["state"] == "complete"));

    let clips = clips(&work);
    assert_eq!(clips.len(), 10);
    for (subject, local) in &clips {
        let entry = of(&entries, subject);
        let made = output(&server, entry, ".mp4");
        let frames = pictures(&made);
        assert_eq!(frames, pictures(local), "{subject}");
        assert_eq!(entry["frames"], frames.len(), "{subject}");
        assert!(
            (sound(&made) - frames.len() as f64 / 25.0).abs() < 0.05,
            "{subject}"
        );
        assert!(output(&server, entry, ".jpg").is_file());
    }
    let replay = output(&server, of(&entries, "replay all"), ".mp4");
    assert_eq!(
        pictures(&replay),
        pictures(&work.path("out/replays/all/all.mp4"))
    );

    // What was made stays made.
    work.ok(RESUME).says("the event is over: nothing is done");
    assert_eq!(double.happened()["jobs"], happened["jobs"]);
    // Throttled requests were asked again, and no other twice.
    let asked = happened["asked"].as_array().unwrap();
    assert_eq!(
        asked
            .iter()
            .filter(|line| *line == "POST /2017-08-29/jobs")
            .count(),
        11 + 3
    );
}

#[test]
fn a_run_that_is_killed_submits_no_job_twice() {
    let Some((_server, mut double, work)) = cloud(false) else {
        return;
    };
    work.write("cloud.toml", spec(&double, ""));
    double.control(&json!({ "hold": true }));
    let mut run = work.matchcut(RUN);
    run.until("out/mediaconvert/cloud.json", |text| {
        text.matches("-00000").count() >= 4
    });
    run.kill();
    let before = tokens(&double.happened());
    assert!(before.len() >= 4);
    // Of one of them it is not known whether it was created: the answer was lost, long ago.
    let path = work.path("out/mediaconvert/cloud.json");
    let mut told = document(&path);
    let job = &mut told["entries"][0]["jobs"][0];
    let token = job["token"].as_str().unwrap().to_owned();
    assert!(before.contains(&token));
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    *job = json!({ "token": token, "state": "waiting", "asked": now - 200 });
    fs::write(&path, told.to_string()).unwrap();

    double.control(&json!({ "hold": false }));
    work.ok(RESUME).says("11 of 11 made");
    let happened = double.happened();
    let after = tokens(&happened);
    assert_eq!(after.len(), 11);
    assert!(after.is_superset(&before));
    let asked = happened["asked"].as_array().unwrap();
    assert!(
        asked.iter().any(|line| line == "GET /2017-08-29/jobs"),
        "it was looked for"
    );
    assert!(
        entries(&work)
            .iter()
            .all(|entry| entry["state"] == "complete")
    );
}

#[test]
fn a_job_for_what_no_longer_holds_is_cancelled() {
    let Some((server, mut double, work)) = cloud(false) else {
        return;
    };
    let live = Playlist {
        ended: false,
        ..UNDATED
    };
    server.put("media", "cup #1/index.m3u8", live.text(4));
    let spec = spec(&double, "").replace("index.m3u8\"", "index.m3u8\"\nreload = \"100ms\"");
    work.write("cloud.toml", spec);
    double.control(&json!({ "hold": true }));
    let mut run = work.matchcut(RUN.into_iter().chain(["--feedback", "said.jsonl"]));
    // The shot from 1.2 to 2.4 s.
    let subject = "clip shot:846720000 track 1";
    let of_shot = |text: &str| -> Vec<Json> {
        let told: Json = serde_json::from_str(text).unwrap_or_default();
        let entries = told["entries"].as_array().cloned().unwrap_or_default();
        let mine = entries.into_iter();
        mine.filter(|entry| entry["subject"] == subject).collect()
    };
    run.until("out/mediaconvert/cloud.json", |text| {
        let all = of_shot(text);
        all.iter().any(|entry| entry["jobs"][0]["id"].is_string())
    });
    // Somebody trims it while MediaConvert works on it.
    let trim = r#"{"class":"segmenter","operator":"shot","start":1.2,"opto":{"1":[1.4,2.0]}}"#;
    work.write("said.jsonl", format!("{trim}\n"));
    run.until("out/mediaconvert/cloud.json", |text| {
        let states: Vec<Json> = of_shot(text).iter().map(|e| e["state"].clone()).collect();
        states.len() == 2 && states.contains(&json!("superseded"))
    });
    server.put("media", "cup #1/index.m3u8", UNDATED.text(CHUNKS.len()));
    double.control(&json!({ "hold": false }));
    run.wait().exits(0).says("11 of 11 made");

    let happened = double.happened();
    let jobs = happened["jobs"].as_array().unwrap().iter();
    let mine: Vec<&Json> = jobs
        .filter(|job| job["userMetadata"]["subject"] == subject)
        .collect();
    let statuses: Vec<&Json> = mine.iter().map(|job| &job["status"]).collect();
    assert_eq!(statuses, ["CANCELED", "COMPLETE"]);
    let cancelled = format!(
        "DELETE /2017-08-29/jobs/{}",
        mine[0]["id"].as_str().unwrap()
    );
    let asked = happened["asked"].as_array().unwrap().iter();
    assert_eq!(asked.filter(|line| **line == cancelled).count(), 1);
    let entries = entries(&work);
    let mut made = entries.iter().filter(|entry| entry["subject"] == subject);
    let made = made.find(|entry| entry["state"] == "complete").unwrap();
    let made = pictures(&output(&server, made, ".mp4"));
    assert_eq!(made.len(), 15);
    assert_eq!(made, pictures(&clips(&work)[subject]));
}

#[test]
fn one_that_fails_holds_up_no_other_and_events_tell_of_all() {
    let Some((server, mut double, work)) = cloud(true) else {
        return;
    };
    let (_, queue) = double.events.clone().unwrap();
    // Clips are asked for only when the queue tells of them, or after a long time.
    let reel = spec(
        &double,
        "resolutions = [\"360p\", \"480p\"]\nformats = [\"mp4\", \"hls\"]",
    )
    .split_once("[sinks.cloud]")
    .unwrap()
    .1
    .replace("[\"shot\", \"all\"]", "[\"all\"]");
    let fades = "transition = { type = \"fade\", duration = \"400ms\", color = \"#000000\" }";
    let more = format!(
        "queue_events = \"{queue}\"\nresolutions = [\"360p\"]\nthumbnails = false\n\
         tags = {{ team = \"sport\" }}"
    );
    let spec = spec(&double, &more)
        .replace("[\"shot\", \"all\"]", "[\"shot\"]")
        .replace("poll = \"100ms\"", "poll = \"60s\"")
        .replace(
            "duration = \"3s\"",
            &format!("duration = \"3s\"\nrender = {{ resolution = \"360p\", {fades} }}"),
        );
    work.write("cloud.toml", format!("{spec}\n[sinks.reel]{reel}"));
    double.control(&json!({ "fail": "shot:2540160000" }));
    let done = work.ok(RUN);
    done.says_times(
        1,
        "warning: sink \"cloud\": clip shot:2540160000 track 1 failed (job ",
    )
    .says("): error 1404: as the test wants")
    .says("sink \"cloud\": 9 of 10 made, 1 failed, about")
    .says("sink \"reel\": 1 of 1 made, about");
    let happened = double.happened();
    assert_eq!(tokens(&happened).len(), 11);
    let jobs = happened["jobs"].as_array().unwrap();
    let clips = jobs
        .iter()
        .filter(|job| job["userMetadata"]["subject"] != "replay all");
    let ids: Vec<String> = clips
        .map(|job| format!("/{}", job["id"].as_str().unwrap()))
        .collect();
    let asked = happened["asked"].as_array().unwrap().iter();
    let polls = asked.filter(|line| ids.iter().any(|id| line.as_str().unwrap().ends_with(id)));
    // When it is worked on, and when it is over.
    assert!(polls.count() <= 2 * ids.len());
    let clips = entries(&work);
    let failed: Vec<&Json> = clips
        .iter()
        .filter(|entry| entry["state"] == "failed")
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["error"], "error 1404: as the test wants");
    let entries = told(&work, "reel");

    // Fades included, every frame is as bright as the one that is rendered here.
    let replay = of(&entries, "replay all");
    let here = lumas(&work.path("out/replays/all/all.mp4"));
    let there = lumas(&output(&server, replay, "all-360p.mp4"));
    assert_eq!(here.len(), there.len());
    assert!(
        here.iter().any(|luma| *luma < 30.0),
        "nothing fades: {here:?}"
    );
    for (frame, (here, there)) in here.iter().zip(&there).enumerate() {
        assert!(
            (here - there).abs() < 14.0,
            "frame {frame}: {here} here, {there} there"
        );
    }
    // The master playlist names both sizes, and each has every frame.
    let master = output(&server, replay, "hls/index.m3u8");
    let text = fs::read_to_string(&master).unwrap();
    for name in ["index-360p.m3u8", "index-480p.m3u8"] {
        assert!(text.contains(name), "{text}");
        assert_eq!(frames(&master.with_file_name(name)), here.len(), "{name}");
    }
}

#[test]
fn jobs_are_as_the_service_model_says() {
    let Some(python) = python("botocore") else {
        return;
    };
    let dir = repository().join("sinks/tests/mediaconvert");
    let jobs = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let jobs: Vec<PathBuf> = jobs.collect();
    assert!(jobs.len() >= 7);
    let checked = Command::new(python)
        .arg(program())
        .arg("--check")
        .args(jobs)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(
        checked.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&checked.stderr)
    );
}

#[test]
fn what_mediaconvert_cannot_do_is_told_before() {
    let work = copy(UNDATED);
    let sink = "\n[sinks.cloud]\ntype = \"mediaconvert\"\ninputs = [\"shot\"]\n";
    work.write(
        "bare.toml",
        format!("{SPEC}{sink}resolutions = [\"1080p\"]\n"),
    );
    work.fails(78, ["validate", "bare.toml"])
        .says("is needed: where outputs go, as s3://bucket/prefix/")
        .says("the ARN of the role that MediaConvert works as is needed")
        .says("\"1080p\" is no resolution")
        .says("MediaConvert reads chunks in S3, and source \"tv\" reads them elsewhere")
        .says("media = { \"https://cdn.example.com/cup/\" = \"s3://media/cup/\" }");
    let whole = "destination = \"s3://results\"\nrole = \"arn:aws:iam::123456789012:role/convert\"\n\
                 media = { \"https://cdn/\" = \"s3://media/\" }\n";
    let spec = SPEC.replace(
        "duration = \"3s\"",
        "duration = \"3s\"\nrender = \"mediaconvert\"",
    );
    work.write("untaken.toml", format!("{spec}{sink}{whole}"));
    work.fails(78, ["validate", "untaken.toml"])
        .says("\"render\" of replay \"all\": no sink of type \"mediaconvert\" takes the replay");
    let taken = sink.replace("[\"shot\"]", "[\"shot\", \"all\"]");
    work.write("taken.toml", format!("{spec}{taken}{whole}"));
    work.ok(["validate", "taken.toml"]);
}

/// Pieces and stills between them, more than one job may have as inputs, of chunks that are read elsewhere.
#[test]
fn what_has_too_many_inputs_is_made_in_parts_and_joined() {
    let Some((server, mut double, work)) = cloud(false) else {
        return;
    };
    let still = work.path("still.png");
    let args = [
        "-f",
        "lavfi",
        "-i",
        "color=white:s=320x180",
        "-frames:v",
        "1",
    ]
    .map(OsStr::new);
    tool("ffmpeg", args.into_iter().chain([still.as_os_str()]));
    // 80 pieces of 4 frames, many of them across two chunks, and 79 stills.
    let pieces: Vec<String> = (0..80)
        .map(|number| {
            let start = f64::from(number % 73) * 0.16;
            format!("[\"{start:.2}s\", \"{:.2}s\"]", start + 0.16)
        })
        .collect();
    let transition = "transition = { type = \"image\", path = \"still.png\", duration = \"80ms\" }";
    let media = format!(
        "media = {{ \"file://{}/\" = \"s3://media/cup #1/\" }}",
        work.path("").display().to_string().trim_end_matches('/')
    );
    let spec = spec(&double, &format!("{media}\nthumbnails = false"))
        .replace(
            "type = \"s3\"\nuri = \"s3://media/cup #1/index.m3u8\"",
            "type = \"hls\"\nuri = \"index.m3u8\"",
        )
        .replace("[\"shot\", \"all\"]", "[\"all\"]")
        .replace(
            "duration = \"3s\"\ntolerance = \"0s\"\nweights = { \"cuts.hard_cut\" = 1 }",
            &format!(
                "mode = \"timestamps\"\ntimestamps = [{}]\nrender = {{ {transition} }}",
                pieces.join(", ")
            ),
        );
    work.write("cloud.toml", spec);
    work.ok(RUN).says("sink \"cloud\": 1 of 1 made, about");
    let happened = double.happened();
    let jobs = happened["jobs"].as_array().unwrap();
    let inputs = |job: &Json| job["settings"]["inputs"].as_array().unwrap().len();
    let inputs: Vec<usize> = jobs.iter().map(inputs).collect();
    assert_eq!(
        (inputs.len(), inputs[0], inputs[2]),
        (3, 150, 2),
        "{inputs:?}"
    );
    let entries = entries(&work);
    let made = output(&server, &entries[0], ".mp4");
    let here = lumas(&work.path("out/replays/all/all.mp4"));
    let there = lumas(&made);
    assert_eq!((here.len(), there.len()), (80 * 4 + 79 * 2, here.len()));
    for (frame, (here, there)) in here.iter().zip(&there).enumerate() {
        assert!(
            // Colours of the source are untagged, and are guessed by each.
            (here - there).abs() < 8.0,
            "frame {frame}: {here} here, {there} there"
        );
    }
    // The parts are gone.
    assert!(
        !server
            .keys("results")
            .iter()
            .any(|key| key.contains("/parts/"))
    );
}
