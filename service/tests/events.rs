//! Our own API over real HTTP: what is refused, and how that is told. What events come to is tested where
//! the whole program is.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use matchcut_service::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::Server;

const SPEC: &str = r#"[pipeline]
name = "shots"

[sources.tv]
type = "file"
uri = "nowhere.mp4"

[operators.cuts]
type = "scene_change"
inputs = ["tv.video"]

[operators.shot]
type = "segment_by_shot"
inputs = ["cuts"]
"#;

async fn ask(server: &Server, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    server
        .ask(None, method, &format!("/api/v1/{path}"), &body)
        .await
}

async fn post(server: &Server, body: &Value) -> (StatusCode, Value) {
    ask(server, Method::POST, "events", body).await
}

/// A problem of this status, with these words.
fn problem(told: &(StatusCode, Value), status: u16, detail: &str) {
    assert_eq!(told.0.as_u16(), status, "{}", told.1);
    assert_eq!(told.1["status"], status);
    assert_eq!(told.1["type"], "about:blank");
    assert_eq!(told.1["title"], told.0.canonical_reason().unwrap());
    assert_eq!(told.1["detail"], detail);
}

/// Waits until an event is over.
async fn over(server: &Server, id: &str) -> Value {
    loop {
        let (status, told) = ask(server, Method::GET, &format!("events/{id}"), &Value::Null).await;
        assert_eq!(status, StatusCode::OK);
        if !told["ended"].is_null() {
            return told;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_spec_is_told_by_its_place() {
    let server = Server::start(true);
    let spec = SPEC
        .replace("scene_change", "scene_chance")
        .replace("name =", "nam =");
    let told = post(&server, &json!({ "spec": spec })).await;
    problem(&told, 422, "The spec is wrong.");
    let found = told.1["errors"].as_array().unwrap();
    let place = |error: &Value| {
        (
            error["line"].as_u64().unwrap(),
            error["column"].as_u64().unwrap(),
        )
    };
    let kinds = found.iter().find(|error| place(error) == (9, 8)).unwrap();
    assert!(
        kinds["message"].as_str().unwrap().contains("scene_chance"),
        "{kinds}"
    );
    assert!(
        kinds["hint"].as_str().unwrap().contains("scene_change"),
        "{kinds}"
    );
    assert!(found.iter().any(|error| place(error).0 == 2), "{found:?}");
    // Nothing is kept of it.
    let listed = ask(&server, Method::GET, "events", &Value::Null).await;
    assert_eq!(
        listed,
        (StatusCode::OK, json!({ "items": [], "next": null }))
    );
    assert_eq!(
        std::fs::read_dir(server.data.path().join("events"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn requests_that_are_wrong_are_refused() {
    let server = Server::start(true);
    for (body, status, detail) in [
        (
            json!({ "spec": SPEC, "id": "../a" }),
            400,
            "\"../a\" cannot be an id: up to 100 letters, digits and . _ -, the first a letter, digit or _",
        ),
        (
            json!({ "spec": SPEC, "clips": "some" }),
            400,
            "clips cannot be \"some\": none, instant, exact, smart or render",
        ),
        (
            json!({ "id": "a" }),
            400,
            "the body is wrong: missing field `spec` at line 1 column 10",
        ),
        (
            json!({ "spec": SPEC, "more": 1 }),
            400,
            "the body is wrong: unknown field `more`, expected one of `id`, `spec`, `clips`, `retention` at line 1 column 7",
        ),
        (
            json!({ "spec": SPEC.replace("[sources", "[sinks.out]\ntype = \"file\"\ninputs = [\"shot\"]\ndir = \"../../else\"\n\n[sources"), "id": "a" }),
            422,
            "sink \"out\" writes to ../../else, which is not in the directory of the event; give it a relative dir",
        ),
        (
            json!({ "spec": SPEC.replace("[sources", "[sinks.out]\ntype = \"file\"\ninputs = [\"shot\"]\ndir = \"/tmp/else\"\n\n[sources") }),
            422,
            "sink \"out\" writes to /tmp/else, which is not in the directory of the event; give it a relative dir",
        ),
    ] {
        let mut told = post(&server, &body).await;
        // `spec` comes first in a body, and its length is that of the spec.
        if let Some((words, _)) = told.1["detail"]
            .as_str()
            .and_then(|text| text.split_once(" at line"))
        {
            told.1["detail"] = json!(words);
        }
        let detail = detail.split(" at line").next().unwrap();
        problem(&told, status, detail);
    }
    for (method, path, status, detail) in [
        (
            Method::GET,
            "events/none",
            404,
            "there is no event \"none\"",
        ),
        (
            Method::POST,
            "events/none/stop",
            404,
            "there is no event \"none\"",
        ),
        (
            Method::GET,
            "events/none/files/a",
            404,
            "there is no event \"none\"",
        ),
        (
            Method::GET,
            "events/none/changes",
            404,
            "there is no event \"none\"",
        ),
        (
            Method::DELETE,
            "events/none",
            404,
            "there is no event \"none\"",
        ),
        (
            Method::GET,
            "events/.hidden",
            404,
            "there is no event \".hidden\"",
        ),
        (
            Method::GET,
            "events?limit=0",
            400,
            "limit is a number from 1 to 1000",
        ),
        (
            Method::GET,
            "events?cursor=x",
            400,
            "cursor is not what an earlier answer had as next",
        ),
        (
            Method::GET,
            "events?page=1",
            400,
            "there is no parameter page: limit, cursor",
        ),
        (Method::GET, "nothing", 404, "There is no such path"),
        (
            Method::PUT,
            "events",
            405,
            "This path does not know this method",
        ),
    ] {
        problem(
            &ask(&server, method, path, &Value::Null).await,
            status,
            detail,
        );
    }
    let url = format!("http://{}/api/v1/events", server.address);
    let xml = server
        .client
        .post(&url)
        .header("content-type", "text/xml")
        .body("<a/>");
    let refused = xml.send().await.unwrap();
    assert_eq!(
        refused.headers()["content-type"],
        "application/problem+json"
    );
    assert_eq!(refused.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn the_same_request_is_done_once() {
    let server = Server::start(true);
    let url = format!("http://{}/api/v1/events", server.address);
    let send = |key: &'static str, spec: String| {
        let request = server.client.post(&url);
        let request = request.header("idempotency-key", key);
        let request = request
            .header("content-type", "application/toml")
            .body(spec);
        async move {
            let told = request.send().await.unwrap();
            let place = told
                .headers()
                .get("location")
                .map(|place| place.to_str().unwrap().to_owned());
            (told.status().as_u16(), place)
        }
    };
    let first = send("a key", SPEC.to_owned()).await;
    assert_eq!(first.0, 202);
    assert_eq!(send("a key", SPEC.to_owned()).await, first);
    assert_eq!(
        send("a key", SPEC.replace("shots", "other")).await,
        (422, None)
    );
    let other = send("another key", SPEC.to_owned()).await;
    assert_eq!(other.0, 202);
    assert_ne!(other.1, first.1);
    assert_eq!(send("", SPEC.to_owned()).await, (400, None));
    let listed = ask(&server, Method::GET, "events", &Value::Null).await.1;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    // Without a key an id is what there is once.
    let body = json!({ "id": "final", "spec": SPEC });
    assert_eq!(post(&server, &body).await.0, StatusCode::ACCEPTED);
    problem(
        &post(&server, &body).await,
        409,
        "there is an event \"final\" already",
    );
    let told = over(&server, "final").await;
    assert_eq!(
        (&told["state"], &told["name"]),
        (&json!("failed"), &json!("shots"))
    );
    assert!(
        told["reason"].as_str().unwrap().contains("nowhere.mp4"),
        "{told}"
    );
    let gone = ask(&server, Method::DELETE, "events/final", &Value::Null).await;
    assert_eq!(gone.0, StatusCode::ACCEPTED);
    assert!(!server.data.path().join("events/final").exists());
    assert_eq!(post(&server, &body).await.0, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn roles_say_who_runs_events() {
    let server = Server::start(false);
    let viewer = server.key(Role::Viewer);
    let editor = server.key(Role::Editor);
    let operator = server.key(Role::Operator);
    let path = "/api/v1/events";
    let body = json!({ "id": "a", "spec": SPEC }).to_string();
    let refused = server.ask(None, Method::GET, path, "").await;
    problem(&refused, 403, "Missing Authentication Token");
    for (key, name) in [(&viewer, "viewer"), (&editor, "editor")] {
        let refused = server.ask(Some(key), Method::POST, path, &body).await;
        let detail = format!("This access key has the role {name}, and POST {path} needs operator");
        problem(&refused, 403, &detail);
    }
    let run = server.ask(Some(&operator), Method::POST, path, &body).await;
    assert_eq!(run.0, StatusCode::ACCEPTED, "{}", run.1);
    let read = server
        .ask(Some(&viewer), Method::GET, "/api/v1/events/a", "")
        .await;
    assert_eq!((read.0, &read.1["id"]), (StatusCode::OK, &json!("a")));
    let refused = server
        .ask(Some(&viewer), Method::DELETE, "/api/v1/events/a", "")
        .await;
    assert_eq!(refused.0, StatusCode::FORBIDDEN);
    // A program of this machine is more than an event.
    let program = SPEC.replace(
        "type = \"scene_change\"",
        "type = \"process\"\ncommand = [\"true\"]",
    );
    let body = json!({ "spec": program }).to_string();
    let refused = server.ask(Some(&operator), Method::POST, path, &body).await;
    let detail =
        "operators of type \"process\" start programs of this machine, which needs the role admin";
    problem(&refused, 403, detail);
}
