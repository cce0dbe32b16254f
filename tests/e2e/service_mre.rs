//! Events of MRE that the service runs: a profile of plugins becomes a pipeline, states are those of MRE, and its data
//! plane tells segments.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::service::{server, stops};
use crate::s3_server::S3Server;
use crate::support::http::Api;
use crate::support::s3::with_s3;
use crate::support::server::Server;
use crate::support::stream::{CHUNKS, DATED, Playlist, UNDATED, chunks};
use crate::support::{Work, lines, repository, same_text};

const LIVE: Playlist = Playlist {
    dated: true,
    ended: false,
};

/// What the profile of these tests comes to.
const SPEC: &str = r#"[pipeline]
name = "Shots"
program = "Open"
event = "Final"

[sources.video]
type = "hls"
uri = "URI"

[operators.SceneChange]
type = "scene_change"
inputs = ["video.video"]
threshold = 21.5

[operators.AudioSilence]
type = "audio_silence"
inputs = ["video.audio"]

[operators.SegmentByShot]
type = "segment_by_shot"
inputs = ["SceneChange"]

[operators.Trim]
type = "optimize_passthrough"
inputs = ["SegmentByShot"]

[operators.LabelTemplate]
type = "label_template"
inputs = ["Trim"]
template = "Shot {n}"
"#;

fn plugin(name: &str, class: &str, media: &str, more: &Json) -> Json {
    let mut plugin = json!({
        "Name": name,
        "Class": class,
        "ExecutionType": "Sync",
        "SupportedMediaType": media,
        "ContentGroups": ["Tests"],
        "ExecuteLambdaQualifiedARN": "arn:aws:lambda:eu-west-1:123456789012:function:None:$LATEST",
    });
    let more = more.as_object().unwrap().clone();
    plugin.as_object_mut().unwrap().extend(more);
    plugin
}

fn event(name: &str, profile: &str, start: &str, uri: &str) -> Json {
    json!({
        "Name": name,
        "Program": "Open",
        "Profile": profile,
        "ContentGroup": "Tests",
        "Start": start,
        "DurationMinutes": 60,
        "Archive": false,
        "SourceVideoUrl": uri,
    })
}

/// Plugins that are operators of matchcut, and a profile of them.
fn profile(control: &Api) {
    let shots = json!({ "DependentPlugins": ["SceneChange"] });
    let trim = json!({ "Configuration": { "type": "optimize_passthrough" } });
    for plugin in [
        plugin("SceneChange", "Featurer", "Video", &json!({})),
        plugin("AudioSilence", "Featurer", "Audio", &json!({})),
        plugin("SegmentByShot", "Classifier", "Video", &shots),
        plugin("Trim", "Optimizer", "Video", &trim),
        plugin("LabelTemplate", "Labeler", "Video", &json!({})),
    ] {
        control.json("POST", "plugin", &plugin);
    }
    let cuts = json!({
        "Name": "SceneChange",
        "DependentFor": ["SegmentByShot"],
        "Configuration": { "threshold": "21.5" },
    });
    let profile = json!({
        "Name": "Shots",
        "ContentGroups": ["Tests"],
        "ChunkSize": 2,
        "MaxSegmentLengthSeconds": 300,
        "ProcessingFrameRate": 25,
        "Classifier": { "Name": "SegmentByShot", "DependentPlugins": [cuts] },
        "Optimizer": { "Name": "Trim" },
        "Labeler": { "Name": "LabelTemplate", "Configuration": { "template": "Shot {n}" } },
        "Featurers": [{ "Name": "AudioSilence" }],
    });
    control.json("POST", "profile", &profile);
}

fn until(control: &Api, event: &str, status: &str) {
    let begun = Instant::now();
    let path = format!("event/{event}/program/Open/status");
    loop {
        let told = control.get(&path);
        let told = String::from_utf8(told.body).unwrap();
        if told == status {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(100),
            "{event} is {told}"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_event_of_mre_runs_by_its_profile() {
    let source = Server::start();
    source.serve_all(chunks());
    source.serve("index.m3u8", LIVE.text(3));
    let uri = source.url("index.m3u8");
    let mut work = Work::new();
    let (running, url) = server(&mut work, &["--insecure-loopback", "--max-events", "2"]);
    let [control, data] = ["controlplane", "dataplane"].map(|path| Api::under(&url, path));
    let own = Api::new(&url);
    profile(&control);
    control.json(
        "POST",
        "event",
        &event("Final", "Shots", "2020-01-01T00:00:00Z", &uri),
    );
    control.json(
        "POST",
        "event",
        &event("Later", "Shots", "2099-01-01T00:00:00Z", &uri),
    );
    control.json(
        "POST",
        "event",
        &event("Wrong", "Nothing", "2020-01-01T00:00:00Z", &uri),
    );
    let features = json!([{ "Name": "SceneChange | hard_cut | true", "Weight": 1 }]);
    let nothing = json!([{ "Name": "Nobody | says | true", "Weight": 1 }]);
    let id = |name: &str| {
        let told = control.json("GET", &format!("event/{name}/program/Open"), &Json::Null);
        told["Id"].as_str().unwrap().to_owned()
    };

    until(&control, "Final", "In Progress");
    let refused = control.ask("DELETE", "event/Final/program/Open", &[], None);
    assert_eq!(refused.status, 400);
    source.serve("index.m3u8", DATED.text(6));
    until(&control, "Final", "Complete");
    let whole = Work::new();
    whole.write("spec.toml", SPEC.replace("URI", &uri));
    whole.ok(["run", "spec.toml", "--out", "out"]);
    let dir = format!("data/events/{}", id("Final"));
    for file in ["segments.jsonl", "observations.jsonl", "changes.jsonl"] {
        let other = fs::read(work.path(&dir).join(file)).unwrap();
        same_text(
            file,
            &fs::read(whole.path("out").join(file)).unwrap(),
            &other,
        );
    }

    // What waits, and what cannot be run, says so.
    until(&control, "Later", "Queued");
    until(&control, "Wrong", "Queued");
    let wrong = own.until_it_is(&id("Wrong"), "failed");
    assert_eq!(wrong["reason"], "Profile 'Nothing' not found");
    assert_eq!(own.get(&format!("events/{}", id("Later"))).status, 404);

    // The data plane.
    let segments = lines(&whole.path("out/segments.jsonl"));
    assert_eq!(
        data.json("GET", "version", &Json::Null)["api_version"],
        "2.10.1"
    );
    let path = "event/Final/program/Open/profileClassifier/SegmentByShot/track/1/segments";
    let cards = data.json("GET", path, &Json::Null)["Segments"].clone();
    let cards = cards.as_array().unwrap();
    assert_eq!(cards.len(), segments.len());
    let (first, last) = (segments.first().unwrap(), cards.last().unwrap());
    let clip = first["clips"][0]["path"].as_str().unwrap();
    let address = last["OptimizedClipLocation"].as_str().unwrap();
    let place = format!("{url}/api/v1/events/{}/files/{clip}?expires=", id("Final"));
    assert!(address.starts_with(&place), "{address}");
    assert_eq!(
        last,
        &json!({
            "OriginalClipLocation": "",
            "OriginalThumbnailLocation": "",
            "OptimizedClipLocation": address,
            "OptimizedThumbnailLocation": "",
            "StartTime": 0.0,
            "Label": "Shot 1",
            "FeatureCount": "TBD",
            "OrigLength": 1.2,
            "OptoLength": 1.2,
            "OptimizedDurationPerTrack": [{ "1": 1.2 }],
            "OptoStartCode": "Opto succeeded",
            "OptoEndCode": "Opto succeeded",
        })
    );
    let mut seen = Vec::new();
    let mut key = String::new();
    loop {
        let page = data.json(
            "GET",
            &format!("{path}/v2?limit=4&LastEvaluatedKey={key}"),
            &Json::Null,
        );
        seen.extend(page["Items"]["Segments"].as_array().unwrap().clone());
        match &page["LastEvaluatedKey"] {
            Json::String(none) if none.is_empty() => break,
            more => {
                key = more
                    .to_string()
                    .bytes()
                    .map(|byte| format!("%{byte:02X}"))
                    .collect()
            }
        }
    }
    assert_eq!(&seen, cards);
    let edl = data.json("GET", &format!("{path}/for/edl"), &Json::Null);
    assert_eq!(
        edl[1],
        json!({ "Start": 1.2, "End": 2.4, "OptoStart": 1.2, "OptoEnd": 2.4 })
    );
    let path = "segments/all/program/Open/event/Final/classifier/SegmentByShot/replay";
    let rows = data.json("GET", path, &Json::Null);
    assert_eq!(rows[1]["OptoEnd"], json!({ "1": 2.4 }));

    // An event that somebody ends is drained, and complete then; what is deleted is gone.
    source.serve("index.m3u8", LIVE.text(3));
    control.json(
        "POST",
        "event",
        &event("Endless", "Shots", "2020-01-01T00:00:00Z", &uri),
    );
    until(&control, "Endless", "In Progress");
    own.until(&id("Endless"), |told| told["epoch"].as_u64() >= Some(3));
    control.json(
        "PUT",
        "event/Endless/program/Open/status/Complete",
        &Json::Null,
    );
    until(&control, "Endless", "Complete");
    own.until_it_is(&id("Endless"), "complete");

    // Replays that were asked for before an event begins are made with it.
    source.serve("index.m3u8", DATED.text(6));
    let replay = |label: &str, clips: &Json| {
        json!({
            "Program": "Open",
            "Event": "Later",
            "AudioTrack": 1,
            "Description": "Best",
            "UxLabel": label,
            "Requester": "tests",
            "DurationbasedSummarization": { "Duration": 3, "ToleranceMaxLimitInSecs": 1 },
            "Priorities": { "Clips": clips },
        })
    };
    control.json("POST", "replay", &replay("Cuts", &features));
    control.json("POST", "replay", &replay("None", &nothing));
    let start = json!({ "Start": "2020-01-01T00:00:00Z" });
    control.json("PUT", "event/Later/program/Open", &start);
    until(&control, "Later", "Complete");
    let told = control.json("GET", "replay/program/Open/event/Later/all", &Json::Null);
    let told = told.as_array().unwrap();
    let of = |label: &str| told.iter().find(|row| row["UxLabel"] == label).unwrap();
    assert_eq!(of("None")["Status"], "Error");
    assert_eq!(of("Cuts")["Status"], "Complete");
    let later = control.json("GET", "event/Later/program/Open", &Json::Null);
    assert_eq!(later["hasReplays"], true);
    let first = of("Cuts")["ReplayId"].as_str().unwrap();
    let path = format!("event/Later/program/Open/replay/{first}/segments");
    let chosen = data.json("GET", &path, &Json::Null);
    let document = own.get(&format!("events/{}/replays/{first}", id("Later")));
    let starts = |list: &Json, key: &str| -> Vec<f64> {
        let list = list.as_array().unwrap().iter();
        list.map(|row| row[key].as_f64().unwrap()).collect()
    };
    let selected = starts(&document.json(200)["selected"], "start");
    assert_eq!(starts(&chosen, "Start"), selected);
    assert_eq!(selected, [1.2, 2.4, 3.6]);

    // One that is asked for when its event is over is made at once, and the same.
    control.json("POST", "replay", &replay("Late", &features));
    let begun = Instant::now();
    let late = loop {
        let told = control.json("GET", "replay/program/Open/event/Later/all", &Json::Null);
        let told = told.as_array().unwrap().iter();
        let late = told.clone().find(|row| row["UxLabel"] == "Late").unwrap();
        if late["Status"] == "Complete" {
            break late["ReplayId"].as_str().unwrap().to_owned();
        }
        assert_ne!(late["Status"], "Error");
        assert!(begun.elapsed() < Duration::from_secs(60), "{late}");
        thread::sleep(Duration::from_millis(20));
    };
    let path = format!("event/Later/program/Open/replay/{late}/segments");
    assert_eq!(data.json("GET", &path, &Json::Null), chosen);
    let path = format!("replay/event/Later/program/Open/id/{late}");
    control.json("DELETE", &path, &Json::Null);
    let path = format!("events/{}/replays/{late}", id("Later"));
    assert_eq!(own.get(&path).status, 404);

    let gone = id("Final");
    control.json("DELETE", "event/Final/program/Open", &Json::Null);
    assert_eq!(own.get(&format!("events/{gone}")).status, 404);
    assert!(!work.path(&dir).exists());
    stops(running);
}

#[test]
fn an_event_is_read_from_a_bucket_that_somebody_fills() {
    let bucket = S3Server::start(&["chunks"]);
    let put = |number: usize| {
        let bytes = fs::read(chunks().join(CHUNKS[number])).unwrap();
        let key = format!("Open/Final/Shots/Open_Final_1_{:05}.ts", number + 1);
        bucket.put("chunks", &key, &bytes);
    };
    let mut work = Work::new();
    with_s3(&mut work, &bucket);
    let (running, url) = server(&mut work, &["--insecure-loopback"]);
    let (control, own) = (Api::under(&url, "controlplane"), Api::new(&url));
    profile(&control);
    let mut wanted = event("Final", "Shots", "2020-01-01T00:00:00Z", "");
    let fields = wanted.as_object_mut().unwrap();
    fields.remove("SourceVideoUrl");
    fields.insert("SourceVideoBucket".to_owned(), json!("chunks"));
    control.json("POST", "event", &wanted);
    // Nothing is there when it begins; what comes is read as it comes.
    until(&control, "Final", "In Progress");
    (0..3).for_each(put);
    let told = control.json("GET", "event/Final/program/Open", &Json::Null);
    let id = told["Id"].as_str().unwrap().to_owned();
    own.until(&id, |told| told["epoch"].as_u64() >= Some(3));
    (3..CHUNKS.len()).for_each(put);
    own.until(&id, |told| {
        told["epoch"].as_u64() >= Some(CHUNKS.len() as u64)
    });
    // It is over when somebody says so.
    until(&control, "Final", "In Progress");
    control.json(
        "PUT",
        "event/Final/program/Open/status/Complete",
        &Json::Null,
    );
    until(&control, "Final", "Complete");
    own.until_it_is(&id, "complete");

    let whole = Work::new();
    let disk = Server::start();
    disk.serve_all(chunks());
    disk.serve("index.m3u8", UNDATED.text(CHUNKS.len()));
    whole.write("spec.toml", SPEC.replace("URI", &disk.url("index.m3u8")));
    whole.ok(["run", "spec.toml", "--out", "out"]);
    let dir = format!("data/events/{id}");
    for file in ["segments.jsonl", "observations.jsonl"] {
        let other = fs::read(work.path(&dir).join(file)).unwrap();
        let expected = fs::read(whole.path("out").join(file)).unwrap();
        same_text(file, &expected, &other);
    }
    stops(running);
}

#[test]
fn an_event_on_a_channel_needs_a_bucket_to_write_into() {
    let mut work = Work::new();
    let (running, url) = server(&mut work, &["--insecure-loopback"]);
    let (control, own) = (Api::under(&url, "controlplane"), Api::new(&url));
    profile(&control);
    let mut wanted = event("Final", "Shots", "2020-01-01T00:00:00Z", "");
    let fields = wanted.as_object_mut().unwrap();
    fields.remove("SourceVideoUrl");
    fields.insert("Channel".to_owned(), json!("1234567"));
    control.json("POST", "event", &wanted);
    let told = control.json("GET", "event/Final/program/Open", &Json::Null);
    let id = told["Id"].as_str().unwrap();
    let begun = Instant::now();
    while own.get(&format!("events/{id}")).status == 404 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never begins");
        thread::sleep(Duration::from_millis(50));
    }
    let failed = own.until_it_is(id, "failed");
    assert_eq!(
        failed["reason"],
        "no bucket is configured into which channels write: set `bucket` in `[mre]` of the service's configuration"
    );
    stops(running);
}

#[test]
fn a_spec_is_a_profile_of_mre_and_a_spec_again() {
    let mut work = Work::new();
    let (running, url) = server(&mut work, &["--insecure-loopback"]);
    let control = Api::under(&url, "controlplane");
    for example in ["tennis", "basketball", "audit-passthrough", "commercials"] {
        let file = repository().join(format!("examples/{example}.toml"));
        let file = file.to_str().unwrap();
        let made = work
            .ok(["convert", file, "--content-group", "Tests"])
            .json();
        // MRE takes what comes out.
        for plugin in made["plugins"].as_array().unwrap() {
            control.json("POST", "plugin", plugin);
        }
        control.json("POST", "profile", &made["profile"]);
        let name = made["profile"]["Name"].as_str().unwrap();
        let kept = control.json("GET", &format!("profile/{name}"), &Json::Null);
        assert_eq!(
            kept["Classifier"]["Configuration"],
            made["profile"]["Classifier"]["Configuration"]
        );
        // What MRE tells is the spec again, and that is the profile again.
        work.write("made.json", made.to_string());
        let spec = work.ok(["convert", "made.json"]).stdout;
        work.write("spec.toml", &spec);
        work.ok(["validate", "spec.toml"]);
        let again = work.ok(["convert", "spec.toml", "--content-group", "Tests"]);
        let mut again = again.json();
        let mut made = made;
        // The source alone is called otherwise.
        let of =
            |made: &mut Json| made["profile"]["Classifier"]["Configuration"]["matchcut"].take();
        let (before, after) = (of(&mut made), of(&mut again));
        assert_eq!(again, made, "{example}");
        assert_eq!(after["replays"], before["replays"]);
        assert_eq!(after["source"], before["source"]);
    }
    let soccer = repository().join("examples/soccer.toml");
    work.matchcut(["convert", soccer.to_str().unwrap()])
        .wait()
        .exits(2)
        .says("a profile has one Classifier, this spec has 2 segmenters");
    stops(running);
}
