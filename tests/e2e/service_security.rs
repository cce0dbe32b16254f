//! `matchcut serve` with a configuration file, and what events reach that somebody below admin asks for.

use std::fs;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use serde_json::{Value as Json, json};

use super::service::{server, stops};
use crate::support::http::{Api, Reply};
use crate::support::server::{Answer, Server};
use crate::support::stream::{DATED, SPEC, chunks};
use crate::support::{Running, Work};

/// What a server and the maker of its tokens share.
const SHARED: &str = "sixty-four letters that nobody but these tests has ever heard of";

/// A service with a configuration, that takes tokens.
pub fn service(work: &mut Work, config: &str) -> (Running, Api) {
    work.write("secret", SHARED);
    let jwt = "[jwt]\nsecret = \"file:secret\"\nissuer = \"tests\"\n";
    work.write("serve.toml", format!("{jwt}{config}"));
    let (running, url) = server(work, &["--config", "serve.toml"]);
    (running, Api::new(&url))
}

pub fn bearer(role: &str) -> String {
    let claims = json!({ "iss": "tests", "exp": get_current_timestamp() + 600, "role": role });
    let key = EncodingKey::from_secret(SHARED.as_bytes());
    let token = encode(&Header::new(Algorithm::HS512), &claims, &key).unwrap();
    format!("Bearer {token}")
}

/// Asks as one who has a role.
pub fn ask(api: &Api, role: &str, method: &str, path: &str, body: Option<&Json>) -> Reply {
    let bearer = bearer(role);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let body = body.map(Json::to_string);
    api.ask(method, path, &headers, body.as_deref())
}

pub fn run(api: &Api, role: &str, id: &str, spec: &str) -> Reply {
    let body = json!({ "id": id, "spec": spec });
    ask(api, role, "POST", "events", Some(&body))
}

/// Waits until an event is over, and gives what is told of it.
pub fn over(api: &Api, id: &str) -> Json {
    for _ in 0..600 {
        let told = ask(api, "viewer", "GET", &format!("events/{id}"), None).json(200);
        if ["complete", "failed", "stopped"].contains(&told["state"].as_str().unwrap()) {
            return told;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    panic!("event {id} does not end");
}

/// The spec of the small stream, read at an address.
fn spec(uri: &str) -> String {
    let source = format!("\"{uri}\"\nretries = 0");
    SPEC.replace("\"index.m3u8\"", &source)
}

/// The small stream, with chunks at the addresses that `at` gives.
fn media(at: impl Fn(&str) -> String) -> Server {
    let server = Server::start();
    server.serve_all(chunks());
    let mut text = DATED.text(6);
    for number in 0..6 {
        let name = format!("c{number:02}.ts");
        text = text.replace(&name, &at(&name));
    }
    server.serve("index.m3u8", text);
    server
}

#[test]
fn a_configuration_that_is_wrong_is_told_with_its_place() {
    let work = Work::new();
    work.write("serve.toml", "[limits]\nrequest_per_second = 5\n");
    let args = ["serve", "--data", "data", "--config"];
    let started = |file: &'static str| args.into_iter().chain([file]);
    work.fails(78, started("serve.toml"))
        .says("serve.toml:2:1: error: unknown field `request_per_second`");
    work.write(
        "serve.toml",
        "[jwt]\nissuer = \"a\"\nsecret = \"hunter2 in the clear\"\n",
    );
    let done = work.fails(78, started("serve.toml"));
    done.says("serve.toml:3:10: error: a secret is named, not written");
    done.check(!done.stderr.contains("hunter2"), "the secret is told");
    work.fails(1, started("nowhere.toml"))
        .says("nowhere.toml cannot be read");
    work.write(
        "serve.toml",
        "[tls]\ncertificate = \"a.pem\"\nkey = \"b.pem\"\n",
    );
    work.fails(1, started("serve.toml"))
        .says("a.pem cannot be used for TLS");
    assert!(!work.path("data/audit.jsonl").exists());
}

#[test]
fn an_encrypted_server_says_so_and_stops_as_ever() {
    let mut work = Work::new();
    let names = ["localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    work.write("key.pem", made.signing_key.serialize_pem());
    work.write("server.pem", made.cert.pem());
    work.write(
        "serve.toml",
        "[tls]\ncertificate = \"server.pem\"\nkey = \"key.pem\"\n",
    );
    let (running, url) = server(&mut work, &["--config", "serve.toml"]);
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    stops(running);
}

#[test]
fn operators_reach_what_the_service_allows_and_admins_everything() {
    let stream = media(str::to_owned);
    let private = spec(&stream.url("index.m3u8"));
    let mut work = Work::new();
    let (running, api) = service(&mut work, "");
    // Before anything is asked there.
    let told = run(&api, "operator", "a", &private).json(403);
    let detail = told["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("sources.") && detail.contains("127.0.0.1"),
        "{detail}"
    );
    for uri in [
        "http://169.254.169.254/latest/meta-data/index.m3u8",
        "http://localhost/index.m3u8",
        "http://[::ffff:10.0.0.1]/index.m3u8",
        "file:///etc/index.m3u8",
        "/etc/index.m3u8",
        "../../service.sqlite",
    ] {
        assert_eq!(run(&api, "operator", "a", &spec(uri)).status, 403, "{uri}");
    }
    assert_eq!(stream.asked("index.m3u8"), 0);
    run(&api, "admin", "a", &private).json(202);
    assert_eq!(over(&api, "a")["state"], "complete");

    // MRE's clients are held to the same.
    let mre = Api::under(api.root(), "controlplane");
    let event = |url: &str| {
        json!({
            "Name": "Final", "Program": "Open", "Start": "2030-01-01T00:00:00Z", "DurationMinutes": 1,
            "Profile": "Tests", "ContentGroup": "Tests", "SourceVideoUrl": url, "Archive": false,
        })
    };
    let refused = ask(
        &mre,
        "operator",
        "POST",
        "event",
        Some(&event("http://10.0.0.1/index.m3u8")),
    );
    let told = refused.json(403);
    assert_eq!(told["Code"], "ForbiddenError");
    assert!(
        told["Message"]
            .as_str()
            .unwrap()
            .starts_with("SourceVideoUrl: ")
    );
    stops(running);
}

#[test]
fn neither_redirects_nor_playlists_nor_new_names_lead_elsewhere() {
    let elsewhere = media(str::to_owned);
    let stream = media(|name| elsewhere.url(name));
    let own = media(str::to_owned);
    own.set("moved.m3u8", Answer::Redirect(elsewhere.url("index.m3u8")));
    // A name, which is only known to lead there when it is looked up.
    let named = elsewhere
        .url("index.m3u8")
        .replace("127.0.0.1", "localhost");
    own.set("named.m3u8", Answer::Redirect(named));
    own.set("near.m3u8", Answer::Redirect(own.url("index.m3u8")));
    let mut work = Work::new();
    let allowed = [stream.url(""), own.url("")];
    let config = format!(
        "[sources]\nallow = [\"public\", \"{}\", \"{}\"]\n",
        allowed[0], allowed[1]
    );
    let (running, api) = service(&mut work, &config);
    for (id, uri) in [
        ("own", own.url("index.m3u8")),
        ("near", own.url("near.m3u8")),
        ("moved", own.url("moved.m3u8")),
        ("named", own.url("named.m3u8")),
        ("names", stream.url("index.m3u8")),
    ] {
        run(&api, "operator", id, &spec(&uri)).json(202);
    }
    for id in ["own", "near"] {
        let told = over(&api, id);
        assert_eq!(
            (&told["state"], &told["counts"]["failures"]),
            (&json!("complete"), &json!(0))
        );
    }
    for id in ["moved", "named"] {
        let told = over(&api, id);
        assert_eq!(told["state"], "failed", "{told}");
        let reason = told["reason"].as_str().unwrap();
        assert!(reason.contains("may not be reached"), "{reason}");
    }
    over(&api, "names");
    for name in ["index.m3u8", "c00.ts", "c05.ts"] {
        assert_eq!(elsewhere.asked(name), 0, "{name}");
    }
    // What it may not reach it may not reach when it is gone on with, either.
    let resumed = ask(&api, "operator", "POST", "events/moved/resume", None);
    resumed.json(202);
    assert_eq!(over(&api, "moved")["state"], "failed");
    assert_eq!(elsewhere.asked("index.m3u8"), 0);
    // An admin's event goes there.
    run(&api, "admin", "admins", &spec(&own.url("named.m3u8"))).json(202);
    assert_eq!(over(&api, "admins")["state"], "complete");
    assert!(elsewhere.asked("c00.ts") > 0);
    stops(running);
    let log = fs::read_to_string(work.path("data/audit.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 7, "{log}");
}
