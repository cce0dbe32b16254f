//! What changes of an event over a WebSocket: the same as as server-sent events and in the files, for whom headers
//! can be given and for whom they cannot.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::service::stops;
use super::service_events::{LIVE, live, service, spec};
use super::service_security::{ask, bearer, over, service as guarded};
use crate::support::server::Server;
use crate::support::socket::{Heard, Socket, messages};
use crate::support::stream::DATED;
use crate::support::{Work, lines};

/// The address of what can be followed of an event.
fn at(root: &str, id: &str, what: &str) -> String {
    format!("{root}/api/v1/events/{id}/{what}")
}

#[test]
fn a_socket_tells_what_the_files_hold_and_goes_on_where_a_client_was() {
    let source = live(2);
    let mut work = Work::new();
    let (running, api) = service(&mut work, &[]);
    api.run("live", &spec(&source.url("index.m3u8"))).json(202);
    let changes = at(api.root(), "live", "changes");
    let mut socket = Socket::open(&changes, &[]).unwrap();
    let mut told = Vec::new();
    // While it runs: a shot of the second chunk is there before the third chunk is.
    loop {
        let message = socket.told();
        let seen = message["data"]["value"]["start"] == 1.2 && message["last"] == true;
        told.push(message);
        if seen {
            break;
        }
    }
    // It answers while it waits.
    socket.ping(b"there?");
    assert_eq!(socket.hear(), Heard::Pong(b"there?".to_vec()));
    let mut log = Socket::open(&at(api.root(), "live", "log"), &[]).unwrap();
    assert_eq!(log.told()["data"]["kind"], "chunk");
    let whole = told.len();
    socket.close();
    source.serve("index.m3u8", DATED.text(6));

    let after = told[whole - 1]["id"].as_u64().unwrap();
    let mut socket = Socket::open(&format!("{changes}?after={after}"), &[]).unwrap();
    let (rest, end, closed) = socket.until_the_end();
    told.extend(rest);
    assert_eq!(closed, (1000, "the event is over".to_owned()));
    let epoch = api.get("events/live").json(200)["epoch"].clone();
    let data = json!({ "state": "complete", "reason": null, "epoch": epoch });
    assert_eq!(end, json!({ "id": epoch, "event": "end", "data": data }));
    let dir = work.path("data/events/live");
    let file = lines(&dir.join("changes.jsonl"));
    assert_eq!(told, messages(&file));

    // Also when it is over, from any epoch, and by the header of server-sent events.
    let later = after.to_string();
    let mut socket = Socket::open(&changes, &[("Last-Event-ID", &later)]).unwrap();
    assert_eq!(socket.until_the_end().0, told[whole..]);
    let file = lines(&dir.join("log.jsonl"));
    let mut socket = Socket::open(&at(api.root(), "live", "log"), &[]).unwrap();
    assert_eq!(socket.until_the_end().0, messages(&file));
    let kinds = |kind: &str| file.iter().filter(|line| line["kind"] == kind).count();
    assert_eq!((kinds("chunk"), kinds("observation") > 8), (6, true));
    let mut socket = Socket::open(&format!("{changes}?after={epoch}"), &[]).unwrap();
    assert_eq!(socket.until_the_end(), (Vec::new(), end, closed));

    // The same as server-sent events.
    let streamed = api.get("events/live/log");
    let data: Vec<Json> = String::from_utf8(streamed.body)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("data: {\"epoch\""))
        .map(|rest| serde_json::from_str(&format!("{{\"epoch\"{rest}")).unwrap())
        .collect();
    assert_eq!(data, file);
    let told = api.get(&format!("events/live/changes?after={epoch}"));
    assert_eq!(told.status, 204);
    let wrong = api.get("events/live/changes?after=x").json(400);
    assert_eq!(wrong["detail"], "after is the number of an epoch");
    let (status, none) = Socket::open(&at(api.root(), "none", "changes"), &[])
        .err()
        .unwrap();
    assert_eq!((status, &none["status"]), (404, &json!(404)));
    let headers = [("upgrade", "websocket"), ("connection", "upgrade")];
    let half = api.ask("GET", "events/live/changes", &headers, None);
    assert_eq!(half.json(400)["title"], "Bad Request");
    stops(running);
}

#[test]
fn a_silent_socket_is_asked_whether_it_is_there_and_closed_when_the_service_stops() {
    let source = live(2);
    let mut work = Work::new();
    let (running, api) = service(&mut work, &[]);
    api.run("live", &spec(&source.url("index.m3u8"))).json(202);
    let changes = at(api.root(), "live", "changes");
    let mut socket = Socket::open(&changes, &[]).unwrap();
    let begun = Instant::now();
    while socket.hear() != Heard::Ping {}
    assert!(begun.elapsed() > Duration::from_secs(14));
    // It went on when it had been asked.
    source.serve("index.m3u8", LIVE.text(3));
    let more = socket.told();
    assert!(more["id"].as_u64() > Some(1), "{more}");
    let closing = thread::spawn(move || {
        loop {
            if let Heard::Closed(code, reason) = socket.hear() {
                return (code, reason);
            }
        }
    });
    stops(running);
    let reason = "the service is stopping: ask again".to_owned();
    assert_eq!(closing.join().unwrap(), (1001, reason));
}

#[test]
fn a_page_opens_a_socket_by_an_address_that_expires() {
    let source = Server::start();
    source.serve_all(crate::support::stream::chunks());
    source.serve("index.m3u8", DATED.text(6));
    let mut work = Work::new();
    let (running, api) = guarded(&mut work, "");
    let body = json!({ "id": "cup", "spec": spec(&source.url("index.m3u8")) });
    ask(&api, "admin", "POST", "events", Some(&body)).json(202);
    let changes = at(api.root(), "cup", "changes");
    let refused = |url: &str| Socket::open(url, &[]).err().unwrap();
    let (status, problem) = refused(&changes);
    assert_eq!((status, &problem["title"]), (403, &json!("Forbidden")));
    let token = bearer("viewer");
    let mut socket = Socket::open(&changes, &[("Authorization", &token)]).unwrap();
    let (told, _, (code, _)) = socket.until_the_end();
    assert_eq!(code, 1000);
    assert_eq!(
        told,
        messages(&lines(&work.path("data/events/cup/changes.jsonl")))
    );
    assert_eq!(over(&api, "cup")["state"], "complete");

    let made = |path: &str| {
        let body = json!({ "path": path, "lifetime": 60 });
        ask(&api, "viewer", "POST", "events/cup/urls", Some(&body))
    };
    let address = made("changes").json(200)["url"].clone();
    let address = address.as_str().unwrap();
    assert!(
        address.starts_with(&format!("{changes}?expires=")),
        "{address}"
    );
    let mut socket = Socket::open(address, &[]).unwrap();
    assert_eq!(socket.until_the_end().0, told);
    let after = told[1]["id"].as_u64().unwrap();
    let later: Vec<Json> = told
        .iter()
        .filter(|message| message["id"].as_u64() > Some(after))
        .cloned()
        .collect();
    let mut socket = Socket::open(&format!("{address}&after={after}"), &[]).unwrap();
    assert_eq!(socket.until_the_end().0, later);
    // It opens nothing else.
    for other in [
        address.replace("changes?", "log?"),
        address.replace("/cup/", "/cap/"),
        address.replace("/changes?", "/segments?"),
        address.replace("expires=", "expires=9"),
    ] {
        assert_eq!(refused(&other).0, 403, "{other}");
    }
    assert_eq!(made("log").status, 200);
    for other in ["segments", "changes/x", "graph"] {
        assert_eq!(made(other).status, 404, "{other}");
    }
    stops(running);
}
