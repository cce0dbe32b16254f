//! The document of our own API: what its operations take and answer.

use axum::http::Method;
use serde_json::{Value, json};

use super::{About, Answer, Operation, document, header, query, schema};
use crate::api::{OPERATIONS, ROOT, Route};
use crate::auth::Role;

const JSON: &str = "application/json";
const TOML: &str = "application/toml";
const PROBLEM: &str = "application/problem+json";

/// What a body can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// There is none.
    Nothing,
    /// A request for an event.
    Event,
    /// The table of a replay.
    Replay,
    /// Lines of feedback.
    Lines,
    /// For what an address is to be.
    Url,
    /// What a plugin returned.
    Returned,
    /// Context variables.
    Variables,
}

/// What an answer can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gives {
    /// 200 and something.
    Found(&'static str),
    /// 202 and something.
    Accepted(&'static str),
    /// 202 and nothing.
    Begun,
    /// Server-sent events, or 204 when there are no more; or what a WebSocket tells.
    Stream,
    /// Bytes, all or part of them.
    Bytes,
    /// What is to be done, or 204 when there is nothing.
    Work,
    /// 204.
    Nothing,
}

/// The document.
pub fn own() -> Value {
    let about = About {
        title: "matchcut",
        description: "Events are run, stopped, gone on with and removed; what they come to is read while they run and \
                      afterwards. Times in results are seconds on the event timeline.",
        root: ROOT,
        schemas: schemas(),
    };
    let operations: Vec<Operation> = OPERATIONS.iter().map(operation).collect();
    document(&about, &operations)
}

fn operation(route: &Route) -> Operation {
    let method = route.method.parse().unwrap_or(Method::GET);
    let role = Role::needed(&method, &format!("{ROOT}{}", route.path)).name();
    Operation {
        path: route.path.to_owned(),
        id: route.id.to_owned(),
        summary: route.does.to_owned(),
        tag: route.path.split('/').nth(3).unwrap_or("events").to_owned(),
        role,
        parameters: parameters(route),
        bodies: bodies(route.takes),
        answers: answers(route),
        method,
    }
}

fn parameters(route: &Route) -> Vec<Value> {
    let text = json!({ "type": "string" });
    match route.id {
        "list_events" => vec![
            query(
                "limit",
                &json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 }),
                "How many",
            ),
            query(
                "cursor",
                &json!({ "type": "string", "pattern": "^[1-9][0-9]{0,17}$" }),
                "What the answer before had as next",
            ),
        ],
        "create_event" => vec![header(
            "Idempotency-Key",
            &json!({ "type": "string", "minLength": 1, "maxLength": 255 }),
            "The same request under the same key is done once",
        )],
        "follow_changes" | "follow_log" => {
            let epoch = json!({ "type": "string", "pattern": "^[0-9]{1,18}$" });
            vec![
                header("Last-Event-ID", &epoch, "The epoch after which to go on"),
                query(
                    "after",
                    &epoch,
                    "The same, for whom it is easier; the header counts more",
                ),
            ]
        }
        "delete_event" => vec![query(
            "force",
            &json!({ "type": "boolean", "default": false }),
            "Whether topics and buckets are left as they are",
        )],
        "put_variables" | "patch_variables" => vec![header(
            "If-Match",
            &text,
            "The tag (ETag) of what was read; without it the last who writes wins",
        )],
        "take_work" => vec![
            query("operator", &text, "For this operator only"),
            query(
                "wait",
                &json!({ "type": "number", "minimum": 0, "maximum": 20 }),
                "How long to wait for work, in seconds",
            ),
            query(
                "lease",
                &json!({ "type": "number", "minimum": 0, "maximum": 900, "default": 900 }),
                "For how long nobody else gets it, in seconds",
            ),
        ],
        "read_file" | "read_chunk" => vec![header("Range", &text, "The bytes that are wanted")],
        _ => Vec::new(),
    }
}

fn bodies(takes: Takes) -> Vec<(&'static str, Value)> {
    let text = json!({ "type": "string" });
    match takes {
        Takes::Nothing => Vec::new(),
        Takes::Event => vec![(JSON, schema("NewEvent")), (TOML, text)],
        Takes::Replay => vec![(JSON, schema("ReplayTable")), (TOML, text)],
        Takes::Variables => vec![(JSON, schema("SomeVariables"))],
        Takes::Url => vec![(JSON, schema("NewUrl"))],
        Takes::Returned => vec![(JSON, json!({ "type": "object" }))],
        Takes::Lines => vec![("application/jsonl", text)],
    }
}

fn answers(route: &Route) -> Vec<Answer> {
    let mut answers: Vec<Answer> = match route.gives {
        Gives::Found(name) => vec![(200, "Found", Some((JSON, schema(name))))],
        Gives::Accepted(name) => vec![(202, "Accepted", Some((JSON, schema(name))))],
        Gives::Begun => vec![(202, "Accepted", None)],
        Gives::Stream => vec![
            (
                101,
                "With `Upgrade: websocket` a WebSocket, whose text messages are of the schema SocketMessage",
                None,
            ),
            (
                200,
                "Changes, epoch by epoch",
                Some(("text/event-stream", schema("Message"))),
            ),
            (204, "There will be no more", None),
        ],
        Gives::Work => vec![
            (
                200,
                "What MRE would invoke the plugin with",
                Some((JSON, json!({ "type": "object" }))),
            ),
            (204, "There is nothing to do", None),
        ],
        Gives::Nothing => vec![(204, "Done", None)],
        Gives::Bytes => vec![
            (200, "The file", Some(("*/*", Value::Bool(true)))),
            (206, "A part of it", Some(("*/*", Value::Bool(true)))),
            (304, "It has not changed", None),
            (416, "It has no such bytes", None),
        ],
    };
    for (status, means) in [
        (400, "A body, parameter or header is not as it must be"),
        (401, "A bearer token that is not valid"),
        (403, "No credentials, wrong ones, or a role that may not"),
        (404, "There is no such event, replay or file"),
        (409, "The id is taken, or the state of the event is another"),
        (410, "Nobody waits for it any more"),
        (412, "The variables have changed since they were read"),
        (413, "The body is longer than 10 MiB"),
        (415, "Neither JSON nor TOML"),
        (422, "What it asks for is wrong; errors say where"),
        (429, "Too many requests"),
        (503, "The service is stopping"),
        (507, "The disk of the service is full"),
    ] {
        answers.push((status, means, Some((PROBLEM, schema("Problem")))));
    }
    answers
}

fn schemas() -> Value {
    let time = json!({ "type": "string", "format": "date-time" });
    let or_null = |schema: &Value| json!({ "anyOf": [schema, { "type": "null" }] });
    let page = |name: &str| {
        json!({
            "type": "object",
            "properties": { "items": { "type": "array", "items": schema(name) } },
            "required": ["items"],
        })
    };
    let count = json!({ "type": "integer", "minimum": 0 });
    json!({
        "NewEvent": {
            "type": "object",
            "properties": {
                "id": { "type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$" },
                "spec": { "type": "string", "description": "The spec, in TOML" },
                "clips": { "enum": ["none", "instant", "exact", "smart", "render"] },
                "retention": {
                    "type": "string",
                    "description": "For how long it is kept when it is over, as 30d or 12h, or forever",
                },
            },
            "required": ["spec"],
            "additionalProperties": false,
        },
        "Event": {
            "type": "object",
            "properties": {
                "id": { "type": "string" },
                "name": { "type": "string", "description": "Of its pipeline" },
                "state": { "enum": ["queued", "running", "draining", "complete", "revising", "failed", "stopped"] },
                "reason": { "type": ["string", "null"], "description": "Why it failed" },
                "epoch": { "type": ["integer", "null"], "description": "The last that stands" },
                "counts": {
                    "type": "object",
                    "properties": {
                        "segments": count, "observations": count, "replays": count, "failures": count,
                    },
                    "required": ["segments", "observations", "replays", "failures"],
                },
                "clips": { "type": "string" },
                "created": time,
                "started": or_null(&time),
                "ended": or_null(&time),
                "expires": or_null(&time),
                "warnings": { "type": "array", "items": schema("Finding") },
            },
            "required": ["id", "name", "state", "reason", "epoch", "counts", "clips", "created", "started", "ended"],
        },
        "Events": {
            "type": "object",
            "properties": {
                "items": { "type": "array", "items": schema("Event") },
                "next": { "type": ["string", "null"], "description": "The cursor of the next page" },
            },
            "required": ["items", "next"],
        },
        "Variables": {
            "type": "object",
            "additionalProperties": { "type": ["string", "number", "boolean"] },
        },
        "SomeVariables": {
            "type": "object",
            "propertyNames": { "minLength": 1, "maxLength": 150 },
            "additionalProperties": { "type": ["string", "number", "boolean", "null"] },
        },
        "Removals": {
            "type": "object",
            "properties": {
                "items": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "id": { "type": "string" },
                            "name": { "type": "string" },
                            "left": { "type": "integer", "description": "What sinks are still to be told" },
                            "reason": { "type": ["string", "null"], "description": "What is in the way" },
                        },
                        "required": ["id", "name", "left", "reason"],
                    },
                },
            },
            "required": ["items"],
        },
        "NewUrl": {
            "type": "object",
            "properties": {
                "path": { "type": "string", "description": "files/PATH, chunks/NAME, changes or log" },
                "lifetime": { "type": "integer", "minimum": 1, "description": "In seconds; 3600 if not said" },
            },
            "required": ["path"],
            "additionalProperties": false,
        },
        "Url": {
            "type": "object",
            "properties": { "url": { "type": "string" }, "expires": time },
            "required": ["url", "expires"],
        },
        "Message": {
            "type": "object",
            "description": "A message of the stream: the lines of an epoch, or the end",
            "properties": {
                "id": { "type": "string", "description": "The epoch" },
                "event": { "enum": ["changes", "end"] },
                "data": { "type": "string", "description": "JSON, one object a line" },
            },
            "required": ["event", "data"],
        },
        "SocketMessage": {
            "type": "object",
            "description": "A message of the WebSocket: a change, or the end",
            "properties": {
                "id": { "type": ["integer", "null"], "description": "The epoch" },
                "event": { "enum": ["change", "end"] },
                "last": { "type": "boolean", "description": "Whether the epoch is whole with it: after this one to go on" },
                "data": { "type": "object", "description": "The change, or how the event was" },
            },
            "required": ["id", "event", "data"],
        },
        "Heard": {
            "type": "object",
            "properties": { "lines": { "type": "integer", "minimum": 1 } },
            "required": ["lines"],
        },
        "Part": {
            "type": "object",
            "properties": {
                "name": { "type": "string" },
                "class": { "enum": ["featurer", "segmenter", "optimizer", "labeler", "replay"] },
                "type": { "type": "string", "description": "Of an operator" },
                "segmenter": { "type": "string", "description": "Whose segments an optimizer or labeler updates" },
            },
            "required": ["name", "class"],
        },
        "Graph": page("Part"),
        "Segment": {
            "type": "object",
            "properties": {
                "operator": { "type": "string" },
                "start": { "type": "number" },
                "end": { "type": ["number", "null"] },
                "label": { "type": ["string", "null"] },
            },
            "required": ["operator", "start"],
        },
        "Segments": page("Segment"),
        "Clip": { "type": "object" },
        "Clips": page("Clip"),
        "ReplayTable": {
            "type": "object",
            "description": "As [replays.NAME] of a spec",
            "properties": {
                "inputs": { "type": "array", "items": { "type": "string" } },
            },
            "required": ["inputs"],
        },
        "Asked": {
            "type": "object",
            "properties": {
                "name": { "type": "string" },
                "asked": { "type": "object" },
                "warnings": { "type": "array", "items": schema("Finding") },
            },
            "required": ["name", "asked"],
        },
        "Replay": {
            "type": "object",
            "properties": {
                "name": { "type": "string" },
                "asked": { "type": "object", "description": "The table that it is asked for by" },
                "selected": { "type": "array", "items": { "type": "object" } },
            },
            "required": ["name", "asked"],
        },
        "Replays": page("Replay"),
        "Finding": {
            "type": "object",
            "properties": {
                "message": { "type": "string" },
                "line": { "type": "integer" },
                "column": { "type": "integer" },
                "hint": { "type": ["string", "null"] },
            },
            "required": ["message"],
        },
        "Problem": {
            "type": "object",
            "description": "RFC 9457",
            "properties": {
                "type": { "type": "string" },
                "title": { "type": "string" },
                "status": { "type": "integer" },
                "detail": { "type": "string" },
                "errors": { "type": "array", "items": schema("Finding") },
            },
            "required": ["type", "title", "status", "detail"],
        },
    })
}
