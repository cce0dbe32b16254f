//! Replays of MRE whose features are weighed by an engine of custom priorities: a server that is asked once for each run of
//! a replay, knows us by a secret that lies nowhere in the clear, and whose failures cost one replay alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::service::{server, stops};
use crate::support::Work;
use crate::support::http::Api;
use crate::support::python::use_python;
use crate::support::server::Server;
use crate::support::stream::{DATED, Playlist, chunks};

/// What the engine is to be asked with.
const WORD: &str = "the key of the engine, 7f3a";

/// Of the ten shots of 1.2 s, four have something that an engine may know.
const PLAYS: &str = r#"
import matchcut

SEEN = {5: "x1", 65: "x2", 125: "x3", 185: "zz"}

class Plays(matchcut.Operator):
    view = matchcut.View(64, 36)
    attributes = {
        "a": matchcut.Boolean("something"),
        "b": matchcut.Boolean("something else"),
        "custom_priorities_engine_correlation_id": matchcut.Text("what the engine calls it"),
    }

    def process_frame(self, frame):
        known = SEEN.get(round(frame.seconds * 25))
        if known:
            attributes = {"custom_priorities_engine_correlation_id": known, "a": True}
            if known == "x2":
                attributes["b"] = True
            yield frame.observation(**attributes)

matchcut.run(Plays)
"#;

/// A server of somebody else: what it was asked, with the key that it was asked with.
struct Engine {
    port: u16,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Engine {
    fn start() -> Engine {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                thread::spawn(move || {
                    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                    let first = lines.next().unwrap().unwrap();
                    let path = first.split(' ').nth(1).unwrap().to_owned();
                    let mut key = String::new();
                    for line in lines.map_while(Result::ok).take_while(|l| !l.is_empty()) {
                        if let Some(value) = line.strip_prefix("x-api-key: ") {
                            key = value.to_owned();
                        }
                    }
                    log.lock().unwrap().push((path.clone(), key));
                    let (status, body) = match path.split('/').nth(1).unwrap() {
                        "slow" => {
                            thread::sleep(Duration::from_secs(3));
                            (
                                "200 OK",
                                json!({ "events": [{ "id": "x3", "significance": 9 }] }),
                            )
                        }
                        "down" => ("503 Service Unavailable", json!({})),
                        _ => (
                            "200 OK",
                            json!({ "events": [
                                { "id": "x1", "significance": 7 },
                                { "id": "x2", "significance": 3 },
                                { "id": "x3", "significance": 0 },
                                { "id": "nobody" },
                            ] }),
                        ),
                    };
                    let body = body.to_string();
                    let length = body.len();
                    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n");
                    // Who has given up is gone.
                    let _ = write!(stream, "{head}Connection: close\r\n\r\n{body}");
                });
            }
        });
        Engine { port, asked }
    }

    fn times(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        for (path, key) in self.asked.lock().unwrap().iter() {
            assert_eq!(key, WORD, "{path}");
            *times.entry(path.clone()).or_default() += 1;
        }
        times
    }
}

fn replay(label: &str, engine: &str, more: Json) -> Json {
    let mut replay = json!({
        "Program": "Open",
        "Event": "Final",
        "AudioTrack": 1,
        "Description": label,
        "UxLabel": label,
        "Requester": "tests",
        "DurationbasedSummarization": {
            "Duration": 1.4, "ToleranceMaxLimitInSecs": 1, "EqualDistribution": false,
        },
        "Priorities": {
            "Clips": [
                { "Name": "Plays | a | true", "Weight": 10 },
                { "Name": "Plays | b | true", "Weight": 5 },
            ],
            "CustomPrioritiesEngine": {
                "CustomPrioritiesEngineName": engine,
                "CustomPrioritiesEngineEndpointPathVariables": { "game": "Final 1/2" },
            },
        },
        "Catchup": false,
    });
    let more = more.as_object().unwrap().clone();
    replay.as_object_mut().unwrap().extend(more);
    replay
}

fn set_up(work: &Work, control: &Api, ssm: &Api, engine: &Engine) {
    let plays = work.path("plays.py").display().to_string();
    let plugin = |name: &str, class: &str, more: Json| {
        let mut plugin = json!({
            "Name": name,
            "Class": class,
            "ExecutionType": "Sync",
            "SupportedMediaType": "Video",
            "ContentGroups": ["Tests"],
            "ExecuteLambdaQualifiedARN": "arn:aws:lambda:eu-west-1:123456789012:function:None:$LATEST",
        });
        let more = more.as_object().unwrap().clone();
        plugin.as_object_mut().unwrap().extend(more);
        control.json("POST", "plugin", &plugin);
    };
    plugin("SceneChange", "Featurer", json!({}));
    // The directory of an event is there only when it runs.
    let directory = work.path("").display().to_string();
    let command = json!({
        "type": "process", "command": ["python3", plays], "directory": directory,
        "inputs": ["video.video"],
    });
    plugin("Plays", "Featurer", json!({ "Configuration": command }));
    let shots = json!({ "DependentPlugins": ["SceneChange"] });
    plugin("SegmentByShot", "Classifier", shots);
    let cuts = json!({ "Name": "SceneChange", "DependentFor": ["SegmentByShot"] });
    let profile = json!({
        "Name": "Shots",
        "ContentGroups": ["Tests"],
        "ChunkSize": 2,
        "MaxSegmentLengthSeconds": 300,
        "ProcessingFrameRate": 25,
        "Classifier": { "Name": "SegmentByShot", "DependentPlugins": [cuts] },
        "Featurers": [{ "Name": "Plays", "Configuration": command }],
    });
    control.json("POST", "profile", &profile);
    for (name, path) in [
        ("Stats", "stats/{game}"),
        ("Other", "other/{game}"),
        ("Live", "live/{game}"),
        ("Slow", "slow/{game}"),
        ("Down", "down/{game}"),
        ("Off", "off/{game}"),
        ("Metadata", ""),
    ] {
        let value = match path {
            // Of the machine that runs the service, and nobody else's business.
            "" => "http://169.254.169.254/latest".to_owned(),
            path => format!("http://127.0.0.1:{}/{path}", engine.port),
        };
        let parameter =
            json!({ "Name": format!("/engines/{name}"), "Type": "String", "Value": value });
        let target = [("x-amz-target", "AmazonSSM.PutParameter")];
        let put = ssm.ask("POST", "", &target, Some(&parameter.to_string()));
        assert_eq!(put.json(200)["Version"], 1);
        let record = json!({
            "Name": name,
            "EndpointSsmParam": format!("/engines/{name}"),
            "SecretsManagerApiKeyArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:stats-key-a1B2c3",
        });
        control.json("POST", "custompriorities", &record);
    }
    let off = json!({ "Enabled": false });
    control.json("PUT", "custompriorities/Off/status", &off);
}

#[test]
fn an_engine_of_custom_priorities_is_asked_once_a_run() {
    let source = Server::start();
    source.serve_all(chunks());
    let growing = Playlist {
        dated: true,
        ended: false,
    };
    source.serve("index.m3u8", growing.text(3));
    let engine = Engine::start();
    let mut work = Work::new();
    if !use_python(&mut work) {
        return;
    }
    work.write("plays.py", PLAYS);
    work.write(
        "serve.toml",
        "[sources]\nallow = [\"http://127.0.0.1\"]\n[priorities]\ntimeout = \"1s\"\n",
    );
    let set = ["secret", "set", "stats-key", "--data", "data"];
    let done = work.fed(&format!("{WORD}\n"), set).exits(0);
    done.check(!done.stdout.contains(WORD), "it told the secret");
    let listed = work.ok(["secret", "list", "--data", "data"]);
    listed.check(
        listed.stdout.ends_with(" stats-key\n"),
        "it does not list the secret",
    );
    let options = ["--insecure-loopback", "--config", "serve.toml"];
    let (running, url) = server(&mut work, &options);
    let [control, ssm] = ["controlplane", ""].map(|path| Api::under(&url, path));
    let own = Api::new(&url);
    set_up(&work, &control, &ssm, &engine);
    let mut event = json!({
        "Name": "Final",
        "Program": "Open",
        "Profile": "Shots",
        "ContentGroup": "Tests",
        "Start": "2099-01-01T00:00:00Z",
        "DurationMinutes": 60,
        "Archive": false,
        "SourceVideoUrl": source.url("index.m3u8"),
    });
    control.json("POST", "event", &event);
    let disregard = json!({
        "DisregardZeroWeightSegments": true,
        "DurationbasedSummarization": { "Duration": 6, "ToleranceMaxLimitInSecs": 1 },
    });
    for asked in [
        replay("custom", "Stats", json!({})),
        replay("disregard", "Other", disregard),
        replay("live", "Live", json!({ "Catchup": true })),
        replay("slow", "Slow", json!({})),
        replay("down", "Down", json!({})),
        replay("off", "Off", json!({})),
        replay("nobody", "Nobody", json!({})),
        replay("metadata", "Metadata", json!({})),
    ] {
        control.json("POST", "replay", &asked);
    }
    event = control.json("GET", "event/Final/program/Open", &Json::Null);
    let id = event["Id"].as_str().unwrap().to_owned();
    let start = json!({ "Start": "2020-01-01T00:00:00Z" });
    control.json("PUT", "event/Final/program/Open", &start);

    // While the event runs only what is kept up to date has its engine asked.
    let rows = |control: &Api| -> BTreeMap<String, Json> {
        let all = control.json("GET", "replay/program/Open/event/Final/all", &Json::Null);
        let all = all.as_array().unwrap().iter();
        all.map(|row| (row["UxLabel"].as_str().unwrap().to_owned(), row.clone()))
            .collect()
    };
    let until = |control: &Api, seen: &dyn Fn(&BTreeMap<String, Json>) -> bool| {
        let begun = Instant::now();
        loop {
            let rows = rows(control);
            if seen(&rows) {
                return rows;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{rows:#?}");
            thread::sleep(Duration::from_millis(50));
        }
    };
    let told = until(&control, &|rows| rows["live"]["Status"] == "In Progress");
    assert_eq!(told["custom"]["Status"], "Queued");
    let live = "/live/Final%201%2F2".to_owned();
    assert_eq!(engine.times(), BTreeMap::from([(live.clone(), 1)]));
    source.serve("index.m3u8", DATED.text(6));
    own.until_it_is(&id, "complete");
    let ended = |row: &Json| matches!(row["Status"].as_str(), Some("Complete" | "Error"));
    let told = until(&control, &|rows| {
        rows.values().all(ended) && engine.times().get(&live) == Some(&2)
    });
    own.until_it_is(&id, "complete");

    // What each shows, with what each segment scored.
    let shown = |own: &Api, label: &str| -> Vec<(f64, f64)> {
        let replay = told[label]["ReplayId"].as_str().unwrap();
        let document = own.get(&format!("events/{id}/replays/{replay}")).json(200);
        let selected = document["selected"].as_array().unwrap().iter();
        selected
            .map(|row| {
                (
                    row["start"].as_f64().unwrap(),
                    row["score"].as_f64().unwrap(),
                )
            })
            .collect()
    };
    let weighed = vec![(0.0, 7.0), (2.4, 6.0)];
    let as_they_are = vec![(0.0, 10.0), (2.4, 15.0)];
    assert_eq!(shown(&own, "custom"), weighed);
    assert_eq!(shown(&own, "live"), weighed);
    let starts = |shown: Vec<(f64, f64)>| shown.into_iter().map(|it| it.0).collect::<Vec<_>>();
    let replay = told["disregard"]["ReplayId"].as_str().unwrap();
    let document = own.get(&format!("events/{id}/replays/{replay}")).json(200);
    let selected = document["selected"].as_array().unwrap().iter();
    let selected: Vec<f64> = selected.map(|row| row["start"].as_f64().unwrap()).collect();
    assert_eq!(selected, [0.0, 2.4]);
    for (label, message) in [
        ("slow", "did not answer within 1 s"),
        ("down", "/down/Final%201%2F2 answered with status 503"),
    ] {
        assert_eq!(shown(&own, label), as_they_are, "{label}");
        assert_eq!(told[label]["Status"], "Complete");
        let said = told[label]["StatusMessage"].as_str().unwrap();
        assert!(
            said.contains("weights count as they are") && said.contains(message),
            "{said}"
        );
    }
    for (label, message) in [
        ("off", "the custom priorities engine 'Off' is disabled"),
        (
            "nobody",
            "the custom priorities engine 'Nobody' does not exist",
        ),
        (
            "metadata",
            "the custom priorities engine 'Metadata' cannot be asked: http://169.254.169.254/latest may not be reached: \
             it is not among the addresses that this service allows",
        ),
    ] {
        assert_eq!(told[label]["Status"], "Error", "{label}");
        assert_eq!(told[label]["StatusMessage"], message);
    }
    assert_eq!(told["custom"].get("StatusMessage"), None);
    let once = |path: &str, times| (format!("/{path}/Final%201%2F2"), times);
    let times = BTreeMap::from([
        once("stats", 1),
        once("other", 1),
        once("live", 2),
        once("slow", 1),
        once("down", 1),
    ]);
    assert_eq!(engine.times(), times);

    // What was answered is in the log, and kept: a new start asks nobody.
    stops(running);
    let log = fs::read_to_string(work.path(&format!("data/events/{id}/.matchcut/said.jsonl")));
    assert!(log.unwrap().contains("\"significance\":{"));
    let (running, url) = server(&mut work, &options);
    let (control, own) = (Api::under(&url, "controlplane"), Api::new(&url));
    thread::sleep(Duration::from_millis(2500));
    assert_eq!(engine.times(), times);
    assert_eq!(starts(shown(&own, "custom")), [0.0, 2.4]);

    // One that is set to be made anew asks anew.
    let on = json!({ "Enabled": true });
    control.json("PUT", "custompriorities/Off/status", &on);
    let off = told["off"]["ReplayId"].as_str().unwrap();
    let path = format!("replay/program/Open/event/Final/replayid/{off}/status/update/Queued");
    control.json("PUT", &path, &Json::Null);
    until(&control, &|rows| rows["off"]["Status"] == "Complete");
    own.until_it_is(&id, "complete");
    assert_eq!(shown(&own, "off"), weighed);
    stops(running);
    for file in ["service.sqlite", "secrets.key"] {
        let bytes = fs::read(work.path("data").join(file)).unwrap();
        let word = WORD.as_bytes();
        assert!(
            !bytes.windows(word.len()).any(|part| part == word),
            "{file}"
        );
    }
}

#[test]
fn secrets_are_kept_under_a_key_and_never_shown() {
    let mut work = Work::new();
    let key = "a key of at least thirty-two bytes, for tests alone";
    work.set_env("SECRETS_KEY", key);
    work.write("serve.toml", "[secrets]\nkey = \"env:SECRETS_KEY\"\n");
    let config = ["--data", "data", "--config", "serve.toml"];
    let with = |first: &[&'static str]| [first, &config].concat();
    let done = work
        .fed("first\n", with(&["secret", "set", "a/b"]))
        .exits(0);
    done.check(
        done.stdout.is_empty() && done.stderr.is_empty(),
        "it said something",
    );
    work.fed("second", with(&["secret", "set", "a/b"])).exits(0);
    assert!(!work.path("data/secrets.key").exists());
    let done = work.ok(with(&["secret", "list"]));
    assert_eq!(done.stdout.lines().count(), 1);
    assert!(done.stdout.ends_with(" a/b\n"), "{}", done.stdout);
    work.fed("two\nlines\n", with(&["secret", "set", "c"]))
        .exits(2)
        .says("a secret is a text of 1 to 65536 bytes on one line");
    work.fed("x", with(&["secret", "set", "a b"]))
        .exits(2)
        .says("cannot be the name of a secret");
    work.ok(with(&["secret", "remove", "a/b"]));
    work.fails(2, with(&["secret", "remove", "a/b"]))
        .says("data has no secret a/b");
    // Who writes a key where its name belongs is not told it again.
    work.write("serve.toml", format!("[secrets]\nkey = \"{key}\"\n"));
    let done = work.fails(78, with(&["secret", "list"]));
    done.says("serve.toml:2:7: error: a secret is named, not written");
    done.check(!done.stderr.contains("thirty-two"), "it told the key");
}
