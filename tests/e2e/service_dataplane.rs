//! MRE's data plane, and plugins that work outside: a program that is written as those of MRE are works a whole event,
//! signed and unsigned requests over real HTTP; and what becomes of work that nobody does.

use std::path::Path;

use serde_json::{Value as Json, json};

use super::service::{client, server, stops};
use crate::support::http::Api;
use crate::support::python::python;
use crate::support::server::Server;
use crate::support::stream::{DATED, Playlist, chunks};
use crate::support::{Work, lines};

/// The same with operators of matchcut alone.
const SPEC: &str = r#"[pipeline]
name = "Light"

[sources.video]
type = "hls"
uri = "URI"

[operators.SceneChange]
type = "scene_change"
inputs = ["video.video"]
threshold = 21.5

[operators.SegmentByShot]
type = "segment_by_shot"
inputs = ["SceneChange"]
"#;

fn marks(path: &Path) -> Vec<(f64, f64)> {
    let mark = |row: &Json, key: &str| row[key].as_f64().unwrap();
    let rows = lines(path);
    rows.iter()
        .map(|row| (mark(row, "start"), mark(row, "end")))
        .collect()
}

#[test]
fn plugins_of_mre_work_an_event_from_outside() {
    let Some(python) = python("boto3, requests_aws4auth") else {
        return;
    };
    let source = Server::start();
    source.serve_all(chunks());
    source.serve("index.m3u8", DATED.text(6));
    let uri = source.url("index.m3u8");
    let mut work = Work::new();
    let (running, url) = server(&mut work, &[]);
    let client = |args: &[&str]| client(&python, "mre_plugins.py", &url, args);
    let id = client(&[&uri]);
    let dir = work.path("data/events").join(id.trim());

    // The segmenter outside marks what the one of matchcut marks.
    let whole = Work::new();
    whole.write("spec.toml", SPEC.replace("URI", &uri));
    whole.ok(["run", "spec.toml", "--out", "out"]);
    let expected = marks(&whole.path("out/segments.jsonl"));
    assert_eq!(marks(&dir.join("segments.jsonl")), expected);
    assert_eq!(expected.len(), 10);
    let segments = lines(&dir.join("segments.jsonl"));
    assert_eq!(segments[0]["opto"], json!({ "1": [0.0, 1.0] }));
    // Behind the last one nothing was seen.
    assert_eq!(segments[9]["opto"], json!({}));
    assert_eq!(segments[0]["attributes"]["LabelCode"], "Success");
    assert_eq!(segments[0]["attributes"]["Lumas"], 6);
    // Navy is dark, and of one value.
    assert_eq!(segments[2]["label"], "dark");

    let observations = lines(&dir.join("observations.jsonl"));
    let of = |operator: &str| -> Vec<&Json> {
        let rows = observations.iter();
        rows.filter(|row| row["operator"] == operator).collect()
    };
    let lumas = of("DetectLuma");
    let starts: Vec<f64> = lumas
        .iter()
        .map(|row| row["start"].as_f64().unwrap())
        .collect();
    let every: Vec<f64> = (0..60).map(|number| f64::from(number * 2) / 10.0).collect();
    assert_eq!(starts, every);
    let navy = |row: &&&Json| (2.4..3.6).contains(&row["start"].as_f64().unwrap());
    let navy: Vec<&Json> = lumas
        .iter()
        .filter(navy)
        .map(|row| &row["attributes"]["Luma"])
        .collect();
    assert!(
        navy.len() == 6 && navy.iter().all(|luma| *luma == navy[0]),
        "{navy:?}"
    );
    let bright: u64 = of("CountBright")
        .iter()
        .map(|row| row["attributes"]["Bright"].as_u64().unwrap())
        .sum();
    let light = |row: &&&Json| row["attributes"]["Label"] == "bright";
    assert_eq!(bright, lumas.iter().filter(light).count() as u64);

    client(&["gone", &uri]);
    assert!(!dir.exists());
    stops(running);
}

#[test]
fn work_that_nobody_does_costs_no_more_than_it() {
    const LIVE: Playlist = Playlist {
        dated: true,
        ended: false,
    };
    let source = Server::start();
    source.serve_all(chunks());
    source.serve("index.m3u8", LIVE.text(3));
    let mut work = Work::new();
    let (running, url) = server(&mut work, &["--insecure-loopback"]);
    let [control, data] = ["controlplane", "dataplane"].map(|path| Api::under(&url, path));
    let own = Api::new(&url);
    let plugin = |name: &str, class: &str, more: Json| {
        let mut plugin = json!({
            "Name": name, "Class": class, "ExecutionType": "Sync", "SupportedMediaType": "Video",
            "ContentGroups": ["Tests"],
            "ExecuteLambdaQualifiedARN": "arn:aws:lambda:eu-west-1:123456789012:function:None:$LATEST",
        });
        plugin
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        control.json("POST", "plugin", &plugin);
    };
    plugin("SceneChange", "Featurer", json!({}));
    plugin(
        "SegmentByShot",
        "Classifier",
        json!({ "DependentPlugins": ["SceneChange"] }),
    );
    plugin("Find Ball", "Featurer", json!({}));
    control.json("POST", "profile", &json!({
        "Name": "Ball", "ContentGroups": ["Tests"], "ChunkSize": 2, "MaxSegmentLengthSeconds": 300,
        "ProcessingFrameRate": 5,
        "Classifier": { "Name": "SegmentByShot", "DependentPlugins": [
            { "Name": "SceneChange", "DependentFor": ["SegmentByShot"], "Configuration": { "threshold": "21.5" } },
        ] },
        "Featurers": [{ "Name": "Find Ball", "Configuration": { "type": "plugin", "wait": "0.3s" } }],
    }));
    control.json(
        "POST",
        "event",
        &json!({
            "Name": "Final", "Program": "Open", "Profile": "Ball", "ContentGroup": "Tests",
            "Start": "2020-01-01T00:00:00Z", "DurationMinutes": 60, "Archive": false,
            "SourceVideoUrl": source.url("index.m3u8"),
        }),
    );
    let event = control.json("GET", "event/Final/program/Open", &Json::Null);
    let id = event["Id"].as_str().unwrap();
    let begun = |told: &Json| told["counts"]["failures"].as_u64() >= Some(3);
    let begun_at = std::time::Instant::now();
    while own.get(&format!("events/{id}")).status == 404 {
        assert!(begun_at.elapsed() < std::time::Duration::from_secs(60));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    own.until(id, begun);

    // What is said late counts as long as the event can be corrected.
    let result = json!({
        "Program": "Open", "Event": "Final", "ProfileName": "Ball", "ChunkSize": 2, "ProcessingFrameRate": 5,
        "Classifier": "SegmentByShot", "ExecutionId": "x", "Filename": "chunk_00001.ts", "ChunkNumber": 1,
        "PluginName": "Find Ball", "PluginClass": "Featurer", "Location": { "S3Bucket": "b", "S3Key": "k" },
        "Results": [{ "Start": 0.48, "End": 0.92, "Ball": true }, { "Start": 1.04, "Ball": false }],
    });
    assert_eq!(data.json("POST", "plugin/result", &result), json!({}));
    own.until(id, |told| {
        told["counts"]["observations"].as_u64() >= Some(2)
    });
    source.serve("index.m3u8", LIVE.text(4));
    let taken = loop {
        let taken = own.get(&format!("events/{id}/work?operator=Find_Ball&wait=5"));
        if taken.status == 200 {
            break taken;
        }
        assert_eq!(taken.status, 204);
    };
    let payload = taken.json(200);
    let key = payload["Input"]["Media"]["S3Key"].as_str().unwrap();
    assert_eq!(
        (payload["Plugin"]["Name"].as_str(), key),
        (Some("Find Ball"), "chunks/chunk_00004.ts")
    );
    let place = taken
        .header("location")
        .strip_prefix("/api/v1/")
        .unwrap()
        .to_owned();
    let said =
        json!({ "Output": { "Status": "Complete", "Results": [{ "Start": 6.52, "Ball": true }] } });
    let finish = |said: &Json| {
        own.ask(
            "POST",
            &place,
            &[("content-type", "application/json")],
            Some(&said.to_string()),
        )
    };
    let answer = finish(&said);
    assert!([204, 410].contains(&answer.status), "{answer:?}");
    let in_time = answer.status == 204;
    assert_eq!(finish(&said).status, 410, "it is over");
    assert_eq!(finish(&json!({})).status, 400);
    control.json(
        "PUT",
        "event/Final/program/Open/status/Complete",
        &Json::Null,
    );
    own.until_it_is(id, "complete");

    let dir = work.path("data/events").join(id);
    let rows = lines(&dir.join("observations.jsonl"));
    let balls = rows.iter().filter(|row| row["operator"] == "Find_Ball");
    let balls: Vec<(f64, bool)> = balls
        .map(|row| {
            (
                row["start"].as_f64().unwrap(),
                row["attributes"]["Ball"] == true,
            )
        })
        .collect();
    let mut expected = vec![(0.48, true), (1.04, false)];
    if in_time {
        expected.push((6.52, true));
    }
    assert_eq!(balls, expected);
    let log = lines(&dir.join("log.jsonl"));
    let failures = log.iter().filter(|change| change["kind"] == "error");
    let messages: Vec<&str> = failures
        .map(|row| row["value"]["message"].as_str().unwrap())
        .collect();
    let silent = "nothing was said of it within 0.3 s: no program has taken the work";
    assert!(
        messages
            .iter()
            .filter(|message| message.contains(silent))
            .count()
            >= 3,
        "{messages:?}"
    );
    // The rest is as if nothing had been missing.
    assert_eq!(
        marks(&dir.join("segments.jsonl")),
        [
            (0.0, 1.2),
            (1.2, 2.4),
            (2.4, 3.6),
            (3.6, 4.8),
            (4.8, 6.0),
            (6.0, 7.2),
            (7.2, 8.0)
        ]
    );
    stops(running);
}
