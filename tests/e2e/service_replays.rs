//! Replays that are asked for, changed and taken back while an event runs and when it is over: they are what they would
//! be had they stood in the spec.

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};

use super::service::stops;
use super::service_events::{LIVE, live, run, same_but_for, same_results, service, spec};
use crate::support::http::Api;
use crate::support::stream::DATED;
use crate::support::{Work, document, files, same_text};

/// A replay as JSON, and as a spec has it.
fn pauses(duration: &str) -> (Json, String) {
    let table = json!({
        "inputs": ["shot"],
        "duration": duration,
        "catchup": true,
        "weights": { "cuts.hard_cut": 1 },
    });
    let text = format!(
        "\n[replays.pauses]\ninputs = [\"shot\"]\nduration = \"{duration}\"\ncatchup = true\n\
         weights = {{ \"cuts.hard_cut\" = 1 }}\n"
    );
    (table, text)
}

/// A replay that is told at the end, as JSON and as a spec has it.
fn cuts() -> (Json, &'static str) {
    let table = json!({
        "inputs": ["shot"],
        "duration": "2.4s",
        "tolerance": "0s",
        "weights": { "cuts.hard_cut": 2 },
    });
    let text = "\n[replays.cuts2]\ninputs = [\"shot\"]\nduration = \"2.4s\"\ntolerance = \"0s\"\n\
                weights = { \"cuts.hard_cut\" = 2 }\n";
    (table, text)
}

fn starts(replay: &Json) -> Vec<f64> {
    let selected = replay["selected"].as_array().unwrap().iter();
    selected.map(|row| row["start"].as_f64().unwrap()).collect()
}

fn names(api: &Api, id: &str) -> Vec<String> {
    let told = api.get(&format!("events/{id}/replays")).json(200);
    let items = told["items"].as_array().unwrap().iter();
    items
        .map(|item| item["name"].as_str().unwrap().to_owned())
        .collect()
}

/// What says in which epochs things came: a replay that was asked for late is of later ones.
const BY_EPOCH: [&str; 3] = ["changes.jsonl", "current.json", "log.jsonl"];

#[test]
fn a_replay_can_be_asked_for_changed_and_taken_back_while_an_event_runs() {
    let source = live(3);
    let spec = spec(&source.url("index.m3u8"));
    let (late, written) = pauses("2s");
    let (at_end, at_end_written) = cuts();
    let mut work = Work::new();
    let (mut running, api) = service(&mut work, &[]);
    api.run("cup", &spec).json(202);
    running.until("data/events/cup/log.jsonl", |text| text.contains("c02.ts"));

    let made = api.replay("cup/replays/pauses", &pauses("9s").0);
    assert_eq!(made.header("location"), "/api/v1/events/cup/replays/pauses");
    assert_eq!(made.json(202)["asked"]["duration"], "9s");
    api.replay("cup/replays/gone", &pauses("1s").0).json(202);
    api.replay("cup/replays/cuts2", &at_end).json(202);
    // At once, without waiting for the next chunk.
    let playing = work.path("data/events/cup/replays/pauses/current.json");
    let pointer = |path: &Path| match path.is_file() {
        true => document(path),
        false => Json::Null,
    };
    api.until("cup", |_| pointer(&playing)["version"] == 1);
    let before = starts(&api.get("events/cup/replays/pauses").json(200));
    assert!(!before.is_empty());
    api.until("cup", |_| {
        work.path("data/events/cup/replays/gone/v1.m3u8").is_file()
    });
    assert_eq!(names(&api, "cup"), ["all", "cuts2", "gone", "pauses"]);

    // Changed, and taken back.
    api.replay("cup/replays/pauses", &late).json(202);
    assert_eq!(
        api.ask("DELETE", "events/cup/replays/gone", &[], None)
            .status,
        202
    );
    assert_eq!(
        api.ask("DELETE", "events/cup/replays/gone", &[], None)
            .status,
        404
    );
    api.until("cup", |_| {
        !work.path("data/events/cup/replays/gone").exists()
    });
    assert_eq!(api.get("events/cup/replays/gone").status, 404);

    // What is asked for is in the log: a service that is killed goes on with it.
    running.kill();
    source.serve("index.m3u8", LIVE.text(4));
    let (mut running, api) = service(&mut work, &[]);
    running.until("data/events/cup/log.jsonl", |text| text.contains("c03.ts"));
    assert_eq!(names(&api, "cup"), ["all", "cuts2", "pauses"]);
    source.serve("index.m3u8", DATED.text(6));
    api.until_it_is("cup", "complete");

    let whole = run(&format!("{spec}{written}{at_end_written}"));
    let (one, other) = (whole.path("out"), work.path("data/events/cup"));
    for name in files(&one)
        .iter()
        .filter(|name| name.starts_with("replays/"))
    {
        let ends = BY_EPOCH.iter().any(|end| name.ends_with(end)) || name.contains("/v");
        if !ends {
            let read = |dir: &Path| fs::read(dir.join(name)).unwrap();
            assert!(read(&one) == read(&other), "{name}");
        }
    }
    for name in ["segments.jsonl", "observations.jsonl", "exports/event.json"] {
        same_text(
            name,
            &fs::read(one.join(name)).unwrap(),
            &fs::read(other.join(name)).unwrap(),
        );
    }
    stops(running);
}

#[test]
fn a_replay_of_an_event_that_is_over_is_made_at_once() {
    let source = live(6);
    source.serve("index.m3u8", DATED.text(6));
    let spec = spec(&source.url("index.m3u8"));
    let (table, written) = cuts();
    let mut work = Work::new();
    let (running, api) = service(&mut work, &[]);
    api.run("cup", &spec).json(202);
    let ended = api.until_it_is("cup", "complete");
    let before = run(&spec);
    same_results("before", &before.path("out"), &work.path("data/events/cup"));
    let video = |name: &str| {
        let path = format!("data/events/cup/replays/{name}/{name}.mp4");
        fs::metadata(work.path(&path)).unwrap().modified().unwrap()
    };
    let made = video("all");

    api.replay("cup/replays/cuts2", &table).json(202);
    let told = api.until_it_is("cup", "complete");
    assert_eq!(told["ended"], ended["ended"], "it was over before");
    assert!(told["epoch"].as_u64() > ended["epoch"].as_u64());
    let whole = run(&format!("{spec}{written}"));
    let dir = work.path("data/events/cup");
    same_but_for("asked", &whole.path("out"), &dir, &BY_EPOCH);
    assert_eq!(made, video("all"), "what is made is not made again");

    // So is what people say of it.
    let chosen = starts(&api.get("events/cup/replays/cuts2").json(200));
    let dislike = format!(
        "{{\"start\": {}, \"feedback\": \"dislike\", \"track\": 1}}",
        chosen[0]
    );
    let mut other = table.clone();
    other["ignore_disliked"] = true.into();
    api.replay("cup/replays/cuts2", &other).json(202);
    api.ask("POST", "events/cup/feedback", &[], Some(&dislike))
        .json(202);
    api.until("cup", |told| {
        let now = starts(&api.get("events/cup/replays/cuts2").json(200));
        told["state"] == "complete" && !now.contains(&chosen[0])
    });
    let chosen = starts(&api.get("events/cup/replays/cuts2").json(200));
    assert_eq!(chosen.len(), 2, "another one takes its place");

    // And what is not wanted goes.
    assert_eq!(
        api.ask("DELETE", "events/cup/replays/cuts2", &[], None)
            .status,
        202
    );
    assert_eq!(
        api.ask("DELETE", "events/cup/replays/all", &[], None)
            .status,
        202
    );
    api.until("cup", |told| {
        told["state"] == "complete" && !files(&dir).iter().any(|name| name.starts_with("replays/"))
    });
    assert_eq!(names(&api, "cup"), Vec::<String>::new());
    assert!(!dir.join("exports/replay_all.json").exists());
    stops(running);
}

#[test]
fn an_event_that_is_killed_while_it_hears_what_was_said_since_hears_it_at_the_next_start() {
    let source = live(6);
    source.serve("index.m3u8", DATED.text(6));
    let spec = spec(&source.url("index.m3u8"));
    let (table, written) = cuts();
    let mut work = Work::new();
    let (mut running, api) = service(&mut work, &[]);
    api.run("cup", &spec).json(202);
    api.until_it_is("cup", "complete");
    api.replay("cup/replays/cuts2", &table).json(202);
    running.kill();
    let (running, api) = service(&mut work, &[]);
    api.until_it_is("cup", "complete");
    let whole = run(&format!("{spec}{written}"));
    let dir = work.path("data/events/cup");
    same_but_for("killed", &whole.path("out"), &dir, &BY_EPOCH);
    stops(running);
}

#[test]
fn the_command_line_hears_what_is_said_of_an_event_that_is_over() {
    let source = live(6);
    source.serve("index.m3u8", DATED.text(6));
    let spec = spec(&source.url("index.m3u8"));
    let (table, written) = cuts();
    let work = run(&spec);
    let ask = json!({ "replay": "cuts2", "ask": table });
    work.write("said.jsonl", format!("{ask}\n"));
    let again = [
        "run",
        "spec.toml",
        "--out",
        "out",
        "--resume",
        "--feedback",
        "said.jsonl",
    ];
    work.ok(again).says("replay cuts2: 2 segments");
    let whole = run(&format!("{spec}{written}"));
    for name in [
        "replays/cuts2/replay.json",
        "replays/cuts2/replay.edl",
        "exports/replay_cuts2.csv",
    ] {
        let read = |work: &Work| fs::read(work.path("out").join(name)).unwrap();
        same_text(name, &read(&whole), &read(&work));
    }
    let size = |work: &Work| {
        fs::metadata(work.path("out/replays/cuts2/cuts2.mp4"))
            .unwrap()
            .len()
    };
    assert_eq!(size(&whole), size(&work));
}

#[test]
fn what_cannot_be_asked_for_is_told_with_its_place() {
    let source = live(3);
    let mut work = Work::new();
    let (running, api) = service(&mut work, &[]);
    api.run("cup", &spec(&source.url("index.m3u8"))).json(202);
    let toml = [("content-type", "application/toml")];
    let path = "events/cup/replays/late";
    let text = "inputs = [\"shot\"]\nduratoin = \"3s\"\n";
    let wrong = api.ask("PUT", path, &toml, Some(text)).json(422);
    let first = &wrong["errors"][0];
    assert_eq!((&first["line"], &first["column"]), (&2.into(), &1.into()));
    assert!(
        first["message"].as_str().unwrap().contains("duratoin"),
        "{first}"
    );
    let nobody = json!({ "inputs": ["nobody"], "duration": "3s" });
    let wrong = api.replay("cup/replays/late", &nobody).json(422);
    assert!(wrong.to_string().contains("nobody"), "{wrong}");
    let mre = json!({ "inputs": ["shot"], "duration": "3s", "compat": "mre" });
    let wrong = api.replay("cup/replays/late", &mre).json(422);
    assert!(
        wrong["detail"].as_str().unwrap().contains("compat"),
        "{wrong}"
    );
    let mut file = mre.clone();
    file["compat"] = Json::Null;
    file["render"] = json!({ "transition": { "type": "image", "path": "/etc/hostname" } });
    let wrong = api.replay("cup/replays/late", &file).json(422);
    let detail = wrong["detail"].as_str().unwrap();
    assert!(
        detail.contains("may name no file") || wrong.to_string().contains("hostname"),
        "{wrong}"
    );
    let name = json!({ "inputs": ["shot"], "duration": "3s" });
    api.replay("cup/replays/cuts", &name).json(422);
    api.replay("none/replays/late", &name).json(404);
    // By a line of feedback no more can be asked for.
    let line = json!({ "replay": "../late", "ask": name }).to_string();
    let wrong = api.ask(
        "POST",
        "events/cup/feedback",
        &[],
        Some(&format!("\n{line}")),
    );
    let first = wrong.json(422)["errors"][0].clone();
    assert_eq!(first["line"], 2);
    assert!(
        first["message"]
            .as_str()
            .unwrap()
            .contains("cannot be a name"),
        "{first}"
    );
    assert_eq!(names(&api, "cup"), ["all"]);
    assert_eq!(
        api.ask(
            "PUT",
            path,
            &toml,
            Some("inputs = [\"shot\"]\nduration = \"3s\"")
        )
        .status,
        202
    );
    stops(running);
}
