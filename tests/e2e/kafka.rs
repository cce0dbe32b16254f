//! Topics of a running event in a real Kafka: every change on them once, whatever happens to the program
//! or to the broker, and equal to what the files say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::support::kafka::{Broker, Record, prefix, shared, standing};
use crate::support::metrics::Page;
use crate::support::python::python;
use crate::support::server::Server;
use crate::support::stream::{CHUNKS, DATED, Playlist, SPEC, chunks, copy};
use crate::support::{Running, Work, document, lines, repository};

type Topics = BTreeMap<String, Vec<Record>>;

/// The stream of the tests with a catch-up replay, and a sink for all of it.
fn spec(address: &str, prefix: &str, more: &str) -> String {
    let spec = SPEC.replace("duration = \"3s\"", "duration = \"3s\"\ncatchup = true");
    let operators: Vec<String> = spec
        .lines()
        .filter_map(|line| line.strip_prefix("[operators.")?.strip_suffix(']'))
        .chain(
            spec.lines()
                .filter_map(|line| line.strip_prefix("[replays.")?.strip_suffix(']')),
        )
        .map(|name| format!("\"{name}\""))
        .collect();
    let inputs = operators.join(", ");
    format!(
        "{spec}\n[sinks.topics]\ntype = \"kafka\"\ninputs = [{inputs}]\nbrokers = [\"{address}\"]\n\
         prefix = \"{prefix}\"\n{more}\n"
    )
}

fn work(spec: &str) -> Work {
    let work = copy(DATED);
    work.write("shots.toml", spec);
    work
}

const RUN: [&str; 4] = ["run", "shots.toml", "--out", "out"];
const RESUME: [&str; 5] = ["run", "shots.toml", "--out", "out", "--resume"];

/// Every message of every topic, by its id: none may be there twice.
fn ids(topics: &Topics) -> BTreeSet<(String, String, Option<String>)> {
    let mut ids = BTreeSet::new();
    for (topic, records) in topics {
        for record in records.iter().filter(|_| topic != "progress.v1") {
            let value = record.value.as_ref().map(Json::to_string);
            let new = ids.insert((topic.clone(), record.id().to_owned(), value));
            assert!(new, "{topic} has {} twice", record.id());
        }
    }
    ids
}

/// The topics say at the end what the files say.
fn equal_files(topics: &Topics, work: &Work) {
    let out = work.path("out");
    let mut segments = lines(&out.join("segments.jsonl"));
    for segment in &mut segments {
        segment.as_object_mut().unwrap().remove("clips");
    }
    let told: Vec<Json> = standing(&topics["segments.state.v1"])
        .into_values()
        .map(|value| value["segment"].clone())
        .collect();
    let by_start = |json: &Json| json["start_flicks"].as_i64();
    let (mut segments, mut told) = (segments, told);
    segments.sort_by_key(by_start);
    told.sort_by_key(by_start);
    assert_eq!(told, segments);

    let mut observed: Vec<String> = Vec::new();
    for record in &topics["observations.v1"] {
        let line = record.get("observation").to_string();
        match record.get("change").as_str().unwrap() {
            "observed" => observed.push(line),
            _ => {
                let at = observed.iter().position(|other| *other == line);
                observed.remove(at.expect("what is retracted was observed"));
            }
        }
    }
    let written = lines(&out.join("observations.jsonl"));
    let mut written: Vec<String> = written.iter().map(Json::to_string).collect();
    observed.sort();
    written.sort();
    assert_eq!(observed, written);

    for (key, replay) in standing(&topics["replays.state.v1"]) {
        let name = replay["replay"].as_str().unwrap();
        assert!(key.ends_with(&format!("/{name}")), "{key}");
        let written = document(&out.join(format!("replays/{name}/replay.json")));
        assert_eq!(replay["total_score"], written["total_score"], "{name}");
        let marks = |document: &Json| -> Vec<Json> {
            let selected = document["selected"].as_array().unwrap();
            selected
                .iter()
                .map(|piece| piece["effective"].clone())
                .collect()
        };
        assert_eq!(marks(&replay), marks(&written), "{name}");
        for piece in replay["selected"].as_array().unwrap() {
            let clip = out.join(piece["clip"].as_str().unwrap());
            assert!(clip.is_file(), "{}", clip.display());
        }
    }
    for record in &topics["clips.v1"] {
        if record.kind() == "matchcut.clip.ready" {
            let clip = out.join(record.get("clip")["path"].as_str().unwrap());
            assert!(clip.is_file(), "{}", clip.display());
        }
    }
}

/// The schema of a topic, with those that it refers to inside.
fn schema(topic: &str) -> jsonschema::Validator {
    let read = |path: &str| document(&repository().join("docs/schemas").join(path));
    let mut schema = read(&format!("topics/{topic}.schema.json"));
    for value in schema["properties"].as_object_mut().unwrap().values_mut() {
        if let Some(file) = value.get("$ref").and_then(Json::as_str) {
            *value = read(file.trim_start_matches("../"));
        }
    }
    jsonschema::validator_for(&schema).unwrap()
}

/// Every message is as its schema says.
fn as_the_schemas_say<'a>(messages: impl IntoIterator<Item = (&'a str, &'a Json)>) -> usize {
    let mut schemas = BTreeMap::new();
    let mut number = 0;
    for (topic, value) in messages {
        let schema = schemas.entry(topic).or_insert_with(|| schema(topic));
        let errors: Vec<String> = schema.iter_errors(value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{topic}: {errors:#?}\n{value:#}");
        number += 1;
    }
    number
}

/// Consumers keep what they have read: messages as they were when the topics got their version are still as
/// the schemas say, so that nobody who read them then is surprised now.
#[test]
fn messages_of_the_first_day_still_fit_the_schemas() {
    let path = repository().join("tests/data/topics-v1.jsonl");
    if std::env::var_os("MATCHCUT_RECORD_TOPICS").is_some() {
        return record(&path);
    }
    let recorded = lines(&path);
    let messages = recorded
        .iter()
        .map(|line| (line["topic"].as_str().unwrap(), &line["value"]));
    assert!(as_the_schemas_say(messages) > 20);
    let topics: BTreeSet<&str> = recorded
        .iter()
        .map(|l| l["topic"].as_str().unwrap())
        .collect();
    assert_eq!(topics.len(), 8);
}

/// Writes the messages of a run of the test stream that are new in their kind, with one chunk missing.
fn record(path: &std::path::Path) {
    let (broker, prefix) = (shared(), prefix("record"));
    let work = work(&spec(&broker.address, &prefix, ""));
    fs::remove_file(work.path(CHUNKS[3])).unwrap();
    work.ok(RUN);
    let mut text = String::new();
    for (topic, records) in broker.read(&prefix) {
        let mut seen = BTreeMap::<String, u32>::new();
        for record in records.iter().filter(|_| topic != "progress.v1") {
            let Some(value) = &record.value else { continue };
            let kind = format!("{} {}", record.kind(), value["State"]);
            let times = seen.entry(kind).or_default();
            *times += 1;
            if *times <= 2 {
                let line = json!({ "topic": topic, "type": record.kind(), "value": value });
                text.push_str(&format!("{line}\n"));
            }
        }
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn states(topics: &Topics) -> Vec<&str> {
    let records = &topics["events.v1"];
    let state = |record| Record::get(record, "State").as_str().unwrap();
    records.iter().map(state).collect()
}

#[test]
fn every_change_is_told_once_and_equals_the_files() {
    let (broker, prefix) = (shared(), prefix("once"));
    let work = work(&spec(&broker.address, &prefix, "compression = \"gzip\""));
    work.ok(RUN).says("11 segments");
    let topics = broker.read(&prefix);
    ids(&topics);
    equal_files(&topics, &work);

    let messages = topics.iter().flat_map(|(topic, records)| {
        let values = records.iter().filter_map(|record| record.value.as_ref());
        values.map(move |value| (topic.as_str(), value))
    });
    as_the_schemas_say(messages.filter(|(topic, _)| *topic != "progress.v1"));

    let first = &topics["segments.v1"][0];
    assert_eq!(first.key, "shots");
    assert_eq!(first.headers["ce_specversion"], "1.0");
    assert_eq!(first.headers["ce_source"], "/matchcut/shots/shots");
    assert_eq!(first.headers["content-type"], "application/json");
    assert_eq!(first.headers["ce_type"], "matchcut.segment.complete");
    let of_event: BTreeSet<i32> = topics["segments.v1"].iter().map(|r| r.partition).collect();
    assert_eq!(of_event.len(), 1, "one event stays in order");

    let states = states(&topics);
    assert_eq!(states.first(), Some(&"EVENT_START"));
    assert_eq!(states.last(), Some(&"EVENT_COMPLETE"));
    let times = |wanted: &str| states.iter().filter(|state| **state == wanted).count();
    assert_eq!(times("SEGMENT_END"), 11);
    assert_eq!(times("CLIP_GEN_DONE_WITH_CLIPS"), 11);
    assert_eq!(times("EVENT_END"), 1);
    assert_eq!(times("REPLAY_PROCESSED_WITH_CLIP"), 1);

    // An event that is over is told no further.
    let before = ids(&topics);
    work.ok(RESUME).says("the event is over: nothing is done");
    assert_eq!(ids(&broker.read(&prefix)), before);

    // Told anew under the same name, everything is told again: another store, another count.
    work.ok(RUN.iter().chain(&["--force"]));
    let again = broker.read(&prefix);
    let twice = |topic: &str| (topics[topic].len() * 2, again[topic].len());
    let (expected, got) = twice("segments.v1");
    assert_eq!(got, expected);
    equal_files_of_the_last(&again, &work);
}

/// After a second telling the topics of state say what the files say.
fn equal_files_of_the_last(topics: &Topics, work: &Work) {
    let segments = lines(&work.path("out/segments.jsonl"));
    assert_eq!(standing(&topics["segments.state.v1"]).len(), segments.len());
}

#[test]
fn killed_again_and_again_it_tells_everything_once() {
    let broker = shared();
    let name = prefix("undisturbed");
    let whole = work(&spec(&broker.address, &name, ""));
    let took = whole.ok(RUN).elapsed;
    let expected = ids(&broker.read(&name));

    let name = prefix("killed");
    let work = work(&spec(&broker.address, &name, ""));
    for share in [0.25, 0.45, 0.65, 0.8, 0.9] {
        let mut run = work.matchcut(RESUME);
        thread::sleep(took.mul_f64(share));
        run.kill();
    }
    work.ok(RESUME);
    let topics = broker.read(&name);
    assert_eq!(ids(&topics), expected);
    equal_files(&topics, &work);
}

/// A stream of which more is to come.
pub(super) const LIVE: Playlist = Playlist {
    ended: false,
    ..DATED
};

/// A run of a live stream of which it has read the first `number` chunks, and waits for more.
pub(super) fn live(spec: &str, number: usize) -> (Server, Work, Running) {
    let server = Server::start();
    for chunk in CHUNKS {
        server.serve(chunk, fs::read(chunks().join(chunk)).unwrap());
    }
    server.serve("index.m3u8", LIVE.text(number));
    let work = Work::new();
    let source = format!(
        "\"{}\"\nreload = \"50ms\"\nstale_after = \"300s\"",
        server.url("index.m3u8")
    );
    work.write("shots.toml", spec.replace("\"index.m3u8\"", &source));
    let mut run = work.matchcut(RUN.into_iter().chain(["--metrics", "127.0.0.1:0"]));
    let last = CHUNKS[number - 1];
    run.until("out/log.jsonl", |text| text.contains(last));
    (server, work, run)
}

#[test]
fn a_broker_that_goes_away_holds_up_nobody() {
    let (mut broker, prefix) = (Broker::start(""), "gone");
    let (server, work, mut run) = live(&spec(&broker.address, prefix, ""), 2);
    let told = |topics: &Topics| topics.get("segments.v1").is_some_and(|all| all.len() > 1);
    broker.read_until(prefix, told);
    let topics = [r#"sink="topics""#];
    assert_eq!(Page::of(&mut run).sum("matchcut_sink_up", &topics), 1.0);
    broker.kill();

    // The event goes on, and its results are there.
    server.serve("index.m3u8", LIVE.text(5));
    run.until("out/log.jsonl", |text| text.contains(CHUNKS[4]));
    // Metrics say so.
    let begun = Instant::now();
    while Page::of(&mut run).sum("matchcut_sink_up", &topics) > 0.0 {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "nobody says that it is away"
        );
        thread::sleep(Duration::from_millis(50));
    }
    let page = Page::of(&mut run);
    assert!(
        page.sum("matchcut_outbox_rows", &topics) > 0.0,
        "{}",
        page.text()
    );
    assert!(
        page.sum("matchcut_sink_errors_total", &topics) > 0.0,
        "{}",
        page.text()
    );
    // Longer where that is asked for: `make soak` does.
    let seconds = std::env::var("MATCHCUT_OUTAGE").ok();
    let seconds = seconds.map_or(2, |seconds| seconds.parse().unwrap());
    thread::sleep(Duration::from_secs(seconds));
    broker.start_again();
    server.serve("index.m3u8", DATED.text(CHUNKS.len()));
    let done = run.wait().exits(0);
    let topics = broker.read(prefix);
    ids(&topics);
    equal_files(&topics, &work);
    assert_eq!(
        lines(&work.path("out/log.jsonl"))
            .iter()
            .filter(|line| line["kind"] == "chunk")
            .count(),
        CHUNKS.len()
    );
    assert_eq!(
        states(&topics).last(),
        Some(&"EVENT_COMPLETE"),
        "{}",
        done.stderr
    );
}

#[test]
fn what_could_not_be_told_waits_in_the_outbox() {
    let broker = shared();
    let prefix = prefix("waits");
    let text = spec("127.0.0.1:9", &prefix, "drain = \"1s\"");
    let work = work(&text);
    let done = work.fails(1, RUN);
    done.says("warning: sink \"topics\": the brokers cannot be asked for their topics")
        .says("messages not published")
        .says("the same command with --resume publishes them");
    assert!(
        work.path("out/report.html").is_file(),
        "all files are there"
    );

    // Where brokers are is no part of what is run: it may be mended meanwhile.
    work.write(
        "shots.toml",
        spec(&broker.address, &prefix, "drain = \"1s\""),
    );
    work.ok(RESUME).says("still to be published");
    let topics = broker.read(&prefix);
    ids(&topics);
    equal_files(&topics, &work);
    work.ok(RESUME).says("nothing is done");
}

#[test]
fn of_two_that_tell_one_event_the_later_goes_on() {
    let broker = shared();
    let prefix = prefix("fenced");
    let text = spec(&broker.address, &prefix, "");
    let (server, _work, run) = live(&text, 2);
    let told = |topics: &Topics| topics.get("segments.v1").is_some_and(|all| all.len() > 1);
    broker.read_until(&prefix, told);
    let other = work(&text);
    other.ok(RUN);
    server.serve("index.m3u8", DATED.text(CHUNKS.len()));
    let done = run.wait().exits(1);
    done.says("another matchcut has begun to publish this event")
        .says("messages not published");
    let last = broker.read(&prefix)["events.v1"].last().unwrap().clone();
    assert_eq!(last.get("State"), &json!("EVENT_COMPLETE"));
}

#[test]
fn topics_that_may_not_be_created_are_named_with_what_creates_them() {
    let broker = shared();
    let prefix = prefix("missing");
    let text = spec(
        &broker.address,
        &prefix,
        "create_topics = false\ndrain = \"1s\"",
    );
    let done = work(&text).fails(1, RUN);
    done.says(&format!(
        "the topic \"{prefix}.observations.v1\" does not exist"
    ))
    .says("kafka-topics.sh --bootstrap-server");
}

#[test]
fn a_sink_without_a_directory_for_its_outbox_is_refused() {
    let text = spec("127.0.0.1:9", "x", "");
    let without: Vec<&str> = RUN[..2].to_vec();
    let done = work(&text).fails(1, without);
    done.says("the sink \"topics\" needs a directory that keeps what is not published yet")
        .says("help: add --out DIR");
}

#[test]
fn what_others_say_on_a_topic_is_heard_once() {
    let broker = shared();
    let prefix = prefix("feed");
    let topic = format!("{prefix}.feedback.v1");
    // Of another event, and for this one before it began.
    broker.say(&topic, "another", &[r#"{"start":0,"feedback":"like"}"#]);
    let before =
        r#"{"operator":"radar","class":"featurer","start":1.5,"attributes":{"peak":true}}"#;
    broker.say(&topic, "shots", &[before]);

    let text = spec(&broker.address, &prefix, "");
    let mut text = text.replace(
        "inputs = [\"cuts\", ",
        "inputs = [\"radar\", \"serve\", \"cuts\", ",
    );
    text.push_str(&format!(
        "\n[operators.radar]\ntype = \"external\"\n\n[operators.serve]\ntype = \"segment_by_key_moment\"\n\
         inputs = [\"radar\"]\npre_roll = \"0.5s\"\npost_roll = \"0.5s\"\n\n\
         [feeds.desk]\ntype = \"kafka\"\nbrokers = [\"{}\"]\ntopic = \"{topic}\"\n",
        broker.address
    ));
    let text = text.replace(
        "weights = { \"cuts.hard_cut\" = 1 }",
        "weights = { \"cuts.hard_cut\" = 1, \"radar.peak\" = 0 }",
    );
    let (server, work, mut run) = live(&text, 3);
    run.until("out/log.jsonl", |log| log.contains("radar"));
    run.kill();

    // Said while nobody listened, and while the event goes on.
    let fast = r#"{"operator":"radar","class":"featurer","start":6.5,"attributes":{"peak":true}}"#;
    let wrong = r#"{"operator":"sonar","class":"featurer","start":6.5}"#;
    let wish = r#"{"replay":"all","weights":{"radar.peak":50},"duration":"2.4s"}"#;
    let wish = wish.replace("\"2.4s\"", "2.4");
    let like = r#"{"start":1.2,"feedback":"like"}"#;
    broker.say(&topic, "shots", &[fast, fast, wrong, &wish, like]);
    server.serve("index.m3u8", DATED.text(CHUNKS.len()));
    let done = work.ok(RESUME);
    done.says("\"sonar\" is no operator of type \"external\"; there is radar");

    let observed = lines(&work.path("out/observations.jsonl"));
    let radar = |line: &&Json| line["operator"] == "radar";
    let starts: Vec<&Json> = observed.iter().filter(radar).map(|l| &l["start"]).collect();
    assert_eq!(starts, [&json!(1.5), &json!(6.5)]);
    let segments = lines(&work.path("out/segments.jsonl"));
    let serves: Vec<[&Json; 2]> = segments
        .iter()
        .filter(|line| line["operator"] == "serve")
        .map(|line| [&line["start"], &line["end"]])
        .collect();
    assert_eq!(
        serves,
        [[&json!(1.0), &json!(2.0)], [&json!(6.0), &json!(7.0)]]
    );
    // The shots with something fast in them, as was wished.
    let replay = document(&work.path("out/replays/all/replay.json"));
    let chosen = replay["selected"].as_array().unwrap();
    let starts: Vec<&Json> = chosen.iter().map(|piece| &piece["start"]).collect();
    assert_eq!(starts, [&json!(1.2), &json!(6.0)]);
    let topics = broker.read(&prefix);
    equal_files(&topics, &work);
    let told: Vec<&Json> = topics["events.v1"]
        .iter()
        .filter_map(|record| record.value.as_ref())
        .collect();
    let said = |state: &str| {
        told.iter()
            .filter(|value| value["State"] == state)
            .copied()
            .collect()
    };
    let liked: Vec<&Json> = said("SEGMENT_CLIP_FEEDBACK");
    assert_eq!(liked.len(), 1, "{told:?}");
    assert_eq!(liked[0]["Segment"]["Start"], 1.2);
    assert_eq!(liked[0]["Segment"]["OriginalFeedback"]["Feedback"], "Like");
    let asked: Vec<&Json> = said("REPLAY_CREATED");
    assert_eq!(asked[0]["Event"]["ReplayId"], "all");
}

#[test]
fn users_and_tls_and_no_secret_anywhere() {
    let home = Work::new();
    let (pem, both) = (home.path("ca.pem"), home.path("broker.pem"));
    let (key, certificate) = (home.path("key.pem"), pem.as_path());
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=broker",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            &text(&key),
            "-out",
            &text(certificate),
        ])
        .output();
    assert!(made.unwrap().status.success());
    let join = fs::read_to_string(&key).unwrap() + &fs::read_to_string(certificate).unwrap();
    fs::write(&both, join).unwrap();
    let broker = Broker::start(&format!(
        "listeners=PLAINTEXT://127.0.0.1:PORT,CONTROLLER://127.0.0.1:NEXT,SASL_SSL://127.0.0.1:THIRD\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:PORT,SASL_SSL://127.0.0.1:THIRD\n\
         listener.name.sasl_ssl.sasl.enabled.mechanisms=PLAIN\n\
         listener.name.sasl_ssl.plain.sasl.jaas.config=\
         org.apache.kafka.common.security.plain.PlainLoginModule required user_desk=\"s3cret-word\";\n\
         ssl.keystore.type=PEM\nssl.keystore.location={}\n",
        text(&both)
    ));
    let protected = format!(
        "security = \"sasl_ssl\"\nmechanism = \"plain\"\nusername = \"desk\"\n\
         password_env = \"DESK_PASSWORD\"\nca = \"{}\"\ndrain = \"12s\"",
        text(certificate)
    );
    let text = spec(&broker.third(), "secure", &protected);
    let mut work = work(&text);
    work.set_env("DESK_PASSWORD", "wr0ng-word");
    let done = work.fails(1, RUN);
    done.says("messages not published").says("help:");
    done.check(!done.stderr.contains("wr0ng-word"), "the password is told");

    let mut again = copy(DATED);
    again.write("shots.toml", &text);
    let unset = again.fails(1, RUN);
    unset.says("the variable DESK_PASSWORD of the environment is not set");
    again.set_env("DESK_PASSWORD", "s3cret-word");
    again.ok(RESUME);
    let topics = broker.read("secure");
    ids(&topics);
    equal_files(&topics, &again);
    let store = fs::read(again.path("out/.matchcut/event.sqlite")).unwrap();
    let secret = b"s3cret-word";
    assert!(!store.windows(secret.len()).any(|part| part == secret));
}

#[test]
fn the_consumers_to_copy_do_what_they_say() {
    let Some(python) = python("confluent_kafka") else {
        return;
    };
    let (broker, prefix) = (shared(), prefix("consumers"));
    let work = work(&spec(&broker.address, &prefix, ""));
    work.ok(RUN);
    let consumers = repository().join("examples/consumers");
    let followed = Command::new(&python)
        .arg(consumers.join("follow.py"))
        .args([&broker.address, "--prefix", &prefix, "--group", &prefix])
        .arg("--until-complete")
        .output()
        .unwrap();
    let said = String::from_utf8(followed.stdout).unwrap();
    let complete = said
        .lines()
        .filter(|line| line.contains("complete"))
        .count();
    assert_eq!(complete, 12, "11 segments and the event:\n{said}");
    assert!(
        said.contains("shots  shot 1.200 - 2.400  complete"),
        "{said}"
    );

    let mut page = Command::new(&python)
        .arg(consumers.join("catchup_page.py"))
        .args([
            &broker.address,
            "--prefix",
            &prefix,
            "--listen",
            "127.0.0.1:0",
        ])
        .arg("--media")
        .arg(work.path("out"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    let mut out = BufReader::new(page.stdout.take().unwrap());
    out.read_line(&mut url).unwrap();
    let get = |path: &str| get(url.trim().trim_start_matches("http://"), path);
    let mut clips = Vec::new();
    for _ in 0..200 {
        let state: Json = serde_json::from_slice(&get("state")).unwrap();
        if let Some(replay) = state.get(0).filter(|replay| replay["waiting"] == 0) {
            let selected = replay["selected"].as_array().unwrap();
            clips = selected
                .iter()
                .map(|piece| piece["clip"].as_str().unwrap().to_owned())
                .collect();
            if replay["duration"] == 2.4 && clips.len() == 2 {
                break;
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
    let replay = document(&work.path("out/replays/all/replay.json"));
    assert_eq!(clips.len(), replay["selected"].as_array().unwrap().len());
    for clip in &clips {
        assert_eq!(get(clip), fs::read(work.path("out").join(clip)).unwrap());
    }
    assert!(
        String::from_utf8(get(""))
            .unwrap()
            .contains("<title>Catch up</title>")
    );
    page.kill().unwrap();
    page.wait().unwrap();
}

/// The body of an answer.
fn get(host: &str, path: &str) -> Vec<u8> {
    let host = host.trim_end_matches('/');
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    answer.split_off(end + 4)
}
