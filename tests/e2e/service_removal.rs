//! Events that are removed leave nothing behind: not here, not on compacted topics of a real Kafka, not in a bucket;
//! whoever is away is told later, also by the next start of the service. And their variables, which somebody else may
//! change meanwhile.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::service::stops;
use super::service_events::{service, spec};
use crate::s3_server::{Fault, S3Server};
use crate::support::Work;
use crate::support::http::{Api, Reply};
use crate::support::kafka::{Broker, prefix, standing};
use crate::support::s3::with_s3;
use crate::support::server::Server;
use crate::support::stream::{DATED, chunks};

fn source() -> Server {
    let source = Server::start();
    source.serve_all(chunks());
    source.serve("index.m3u8", DATED.text(6));
    source
}

fn remove(api: &Api, id: &str, query: &str) {
    let removed = api.ask("DELETE", &format!("events/{id}{query}"), &[], None);
    assert_eq!(removed.status, 202);
    assert_eq!(api.get(&format!("events/{id}")).status, 404);
}

fn removals(api: &Api) -> Vec<Json> {
    let told = api.get("removals").json(200);
    told["items"].as_array().unwrap().clone()
}

/// Waits until the removals are as wanted.
fn until(api: &Api, seen: impl Fn(&[Json]) -> bool) {
    let begun = Instant::now();
    loop {
        let told = removals(api);
        if seen(&told) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(100), "{told:#?}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_is_removed_leaves_topics_also_when_the_broker_comes_back_late() {
    let mut broker = Broker::start("");
    let source = source();
    let prefix = prefix("removal");
    let sink = |event: &str| {
        let spec = spec(&source.url("index.m3u8"));
        let event = format!("[pipeline]\nevent = \"{event}\"");
        let spec = spec.replacen("[pipeline]", &event, 1);
        format!(
            "{spec}\n[sinks.topics]\ntype = \"kafka\"\ninputs = [\"shot\", \"all\"]\nbrokers = [\"{}\"]\n\
             prefix = \"{prefix}\"\n",
            broker.address
        )
    };
    let (one, other) = (sink("one"), sink("other"));
    let mut work = Work::new();
    let (running, api) = service(&mut work, &[]);
    api.run("one", &one).json(202);
    api.run("other", &other).json(202);
    for id in ["one", "other"] {
        api.until_it_is(id, "complete");
    }
    let late = json!({
        "inputs": ["shot"], "duration": "2s", "weights": { "cuts.hard_cut": 1 },
    });
    api.replay("one/replays/late", &late).json(202);
    let state = ["segments.state.v1", "replays.state.v1"];
    let stands = |broker: &Broker, event: &str| -> Vec<usize> {
        let topics = broker.read(&prefix);
        let of = |topic: &str| {
            let all = standing(&topics[topic]);
            let mine = format!("{event}/");
            all.keys().filter(|key| key.starts_with(&mine)).count()
        };
        state.map(of).to_vec()
    };
    let begun = Instant::now();
    while stands(&broker, "one") != [10, 2] {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{:?}",
            stands(&broker, "one")
        );
        thread::sleep(Duration::from_millis(200));
    }
    api.until_it_is("one", "complete");

    // The broker is away: the wish is kept, and told, also across a restart.
    broker.kill();
    remove(&api, "one", "");
    until(&api, |told| {
        told.len() == 1 && told[0]["id"] == "one" && told[0]["reason"].is_string()
    });
    let told = removals(&api).remove(0);
    assert_eq!(told["left"], 12);
    let reason = told["reason"].as_str().unwrap();
    assert!(reason.starts_with("sink \"topics\": "), "{reason}");
    assert!(work.path("data/events/one").is_dir());
    assert_eq!(api.run("one", &one).status, 409);
    stops(running);
    let (running, api) = service(&mut work, &[]);
    assert_eq!(removals(&api)[0]["id"], "one");
    broker.start_again();
    until(&api, <[Json]>::is_empty);
    assert!(!work.path("data/events/one").exists());
    assert_eq!(stands(&broker, "one"), [0, 0]);
    // Nobody else is touched.
    assert_eq!(stands(&broker, "other"), [10, 1]);

    // The id is free again; who does not want to wait for a broker does not.
    api.run("one", &one).json(202);
    api.until_it_is("one", "complete");
    assert_eq!(stands(&broker, "one"), [10, 1]);
    broker.kill();
    remove(&api, "one", "");
    until(&api, |told| {
        told.len() == 1 && told[0]["reason"].is_string()
    });
    let forced = api.ask("DELETE", "events/one?force=true", &[], None);
    assert_eq!(forced.status, 202);
    until(&api, <[Json]>::is_empty);
    assert!(!work.path("data/events/one").exists());
    remove(&api, "other", "?force=true");
    until(&api, <[Json]>::is_empty);
    broker.start_again();
    assert_eq!(stands(&broker, "other"), [10, 1]);
    stops(running);
}

#[test]
fn what_is_removed_leaves_the_bucket() {
    let server = S3Server::start(&["results"]);
    let source = source();
    let sink = |remove: bool| {
        let spec = spec(&source.url("index.m3u8"));
        format!(
            "{spec}\n[sinks.bucket]\ntype = \"s3\"\ninputs = [\"shot\", \"all\"]\n\
             uri = \"s3://results/live/{{event}}\"\nretries = 0\nremove = {remove}\n"
        )
    };
    server.put("results", "live/somebody-elses", b"x");
    let mut work = Work::new();
    with_s3(&mut work, &server);
    let (running, api) = service(&mut work, &[]);
    api.run("cup", &sink(true)).json(202);
    api.until_it_is("cup", "complete");
    let there = server.keys("results");
    assert!(there.len() > 20, "{there:?}");
    // S3 does not take it at first.
    let mut refused = 0;
    server.fault(
        move |line| match line.starts_with("DELETE") && refused < 2 {
            true => {
                refused += 1;
                Fault::Error(503, "SlowDown")
            }
            false => Fault::None,
        },
    );
    remove(&api, "cup", "");
    until(&api, <[Json]>::is_empty);
    assert_eq!(server.keys("results"), ["live/somebody-elses"]);
    assert!(!work.path("data/events/cup").exists());

    // From a bucket that nothing is removed from, nothing is.
    api.run("kept", &sink(false)).json(202);
    api.until_it_is("kept", "complete");
    let there = server.keys("results");
    remove(&api, "kept", "");
    until(&api, <[Json]>::is_empty);
    assert_eq!(server.keys("results"), there);
    stops(running);
}

#[test]
fn an_event_is_kept_for_as_long_as_it_is_to_be() {
    let source = source();
    let spec = spec(&source.url("index.m3u8"));
    let mut work = Work::new();
    work.write("serve.toml", "[retention]\nevents = \"3s\"\n");
    let (running, api) = service(&mut work, &["--config", "serve.toml"]);
    let toml = [("content-type", "application/toml")];
    let ask = |query: &str| -> Reply {
        let path = format!("events?clips=none&{query}");
        api.ask("POST", &path, &toml, Some(&spec))
    };
    let wrong = ask("id=wrong&retention=soon").json(400);
    assert_eq!(
        wrong["detail"],
        "retention: \"soon\" is no duration such as \"30d\", \"12h\" or \"forever\""
    );
    for id in ["usual", "long&retention=30d", "forever&retention=forever"] {
        let told = ask(&format!("id={id}")).json(202);
        assert_eq!(told["expires"], Json::Null);
    }
    let long = api.until_it_is("long", "complete");
    let at = |key: &str| -> jiff::Timestamp { long[key].as_str().unwrap().parse().unwrap() };
    let kept = at("expires").duration_since(at("ended"));
    assert_eq!(kept, jiff::SignedDuration::from_hours(30 * 24));
    let begun = Instant::now();
    // It is gone at once for who asks, and from the disk a moment later.
    while api.get("events/usual").status != 404 || work.path("data/events/usual").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(50));
    }
    let forever = api.until_it_is("forever", "complete");
    assert_eq!(forever["expires"], Json::Null);
    assert!(work.path("data/events/forever").is_dir() && work.path("data/events/long").is_dir());
    stops(running);
}

#[test]
fn variables_change_only_under_the_eyes_of_who_read_them() {
    let mut work = Work::new();
    let (running, api) = service(&mut work, &[]);
    let source = source();
    api.run("cup", &spec(&source.url("index.m3u8"))).json(202);
    let ask = |method: &str, tag: Option<&str>, body: Option<Json>| -> Reply {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(tag.map(|tag| ("if-match", tag)));
        let body = body.map(|body| body.to_string());
        api.ask(method, "events/cup/variables", &headers, body.as_deref())
    };
    let empty = ask("GET", None, None);
    assert_eq!(empty.json(200), json!({}));
    let first = empty.header("etag").to_owned();
    let put = ask("PUT", Some(&first), Some(json!({ "theme": "a", "n": 1 })));
    assert_eq!(put.json(200), json!({ "theme": "a", "n": 1 }));
    let second = put.header("etag").to_owned();
    assert_ne!(first, second);
    // Who has not seen that changes nothing.
    let late = ask("PATCH", Some(&first), Some(json!({ "theme": "b" })));
    let problem = late.json(412);
    assert!(
        problem["detail"].as_str().unwrap().contains(&second),
        "{problem}"
    );
    let read = ask("GET", None, None);
    assert_eq!(
        (read.header("etag"), read.json(200)),
        (&*second, json!({ "theme": "a", "n": 1 }))
    );
    let patch = ask(
        "PATCH",
        Some(&format!("\"x\", {second}")),
        Some(json!({ "n": null, "ok": true })),
    );
    assert_eq!(patch.json(200), json!({ "theme": "a", "ok": true }));
    // Without a condition the last who writes wins.
    assert_eq!(
        ask("PATCH", None, Some(json!({ "theme": "c" }))).json(200)["theme"],
        "c"
    );
    assert_eq!(ask("PUT", Some("*"), Some(json!({}))).json(200), json!({}));
    for wrong in [json!({ "a": [] }), json!({ "": 1 }), json!([])] {
        assert_eq!(ask("PUT", None, Some(wrong)).status, 400);
    }
    assert_eq!(api.get("events/none/variables").status, 404);

    // Of many who count at the same time, nobody's count is lost.
    ask("PUT", None, Some(json!({ "n": 0 }))).json(200);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    loop {
                        let read = ask("GET", None, None);
                        let n = read.json(200)["n"].as_u64().unwrap();
                        let tag = read.header("etag");
                        let wrote = ask("PATCH", Some(tag), Some(json!({ "n": n + 1 })));
                        if wrote.status == 200 {
                            break;
                        }
                        assert_eq!(wrote.status, 412);
                    }
                }
            });
        }
    });
    assert_eq!(ask("GET", None, None).json(200), json!({ "n": 40 }));

    // They are those that plugins of MRE read, and are kept in the same place.
    let control = Api::under(api.root(), "controlplane");
    let event = json!({
        "Name": "Final", "Program": "Open", "Profile": "None", "ContentGroup": "Tests",
        "Start": "2099-01-01T00:00:00Z", "DurationMinutes": 60, "Archive": false,
        "SourceVideoUrl": "http://127.0.0.1/", "Variables": { "Last_Theme": "one" },
    });
    control.json("POST", "event", &event);
    let id = control.json("GET", "event/Final/program/Open", &Json::Null)["Id"].clone();
    let path = format!("events/{}/variables", id.as_str().unwrap());
    let read = api.get(&path);
    assert_eq!(read.json(200), json!({ "Last_Theme": "one" }));
    let of_mre = "event/Final/program/Open/context-variables";
    control.json("PATCH", of_mre, &json!({ "Last_Theme": "two" }));
    let headers = [("if-match", read.header("etag"))];
    let late = api.ask(
        "PATCH",
        &path,
        &headers,
        Some("{\"Last_Theme\": \"three\"}"),
    );
    assert_eq!(late.status, 412);
    let headers = [("if-match", api.get(&path).header("etag").to_owned())];
    let headers = headers.each_ref().map(|(name, tag)| (*name, &**tag));
    api.ask(
        "PATCH",
        &path,
        &headers,
        Some("{\"Last_Theme\": \"three\"}"),
    )
    .json(200);
    let told = control.json("GET", of_mre, &Json::Null);
    assert_eq!(told, json!({ "Last_Theme": "three" }));
    stops(running);
}
