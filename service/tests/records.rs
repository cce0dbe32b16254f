//! Events, requests for replays and engines of custom priorities, over real HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::{Server, error};

fn event(name: &str, program: &str, start: &str) -> Value {
    json!({
        "Name": name,
        "Program": program,
        "Profile": "Tennis Profile",
        "ContentGroup": "Tennis",
        "Start": start,
        "DurationMinutes": 120,
        "Archive": false,
        "SourceVideoBucket": "chunks",
        "SourceVideoAuth": { "token": "hidden" },
        "Variables": { "Court": "centre" },
        "Anything": [1],
    })
}

/// Asks this machine's own server.
async fn ask(server: &Server, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    server
        .ask(None, method, &format!("/controlplane/{path}"), &body)
        .await
}

async fn ok(server: &Server, method: Method, path: &str, body: &Value) -> Value {
    let (status, told) = ask(server, method, path, body).await;
    assert_eq!(status, StatusCode::OK, "{path}: {told}");
    told
}

async fn read(server: &Server, path: &str) -> Value {
    ok(server, Method::GET, path, &Value::Null).await
}

fn names(rows: &Value, key: &str) -> Vec<String> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row[key].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn an_event_is_created_changed_and_deleted() {
    let server = Server::start(true);
    let path = "event/Final/program/Open";
    let body = event("Final", "Open", "2026-07-12T13:00:00Z");
    assert_eq!(ok(&server, Method::POST, "event", &body).await, json!({}));
    let mut kept = read(&server, path).await;
    let row = kept.as_object_mut().unwrap();
    assert_eq!(row.remove("Id").unwrap().as_str().unwrap().len(), 36);
    row.remove("Created").unwrap();
    assert_eq!(
        kept,
        json!({
            "Name": "Final",
            "Program": "Open",
            "Profile": "Tennis Profile",
            "ContentGroup": "Tennis",
            "Start": "2026-07-12T13:00:00Z",
            "DurationMinutes": 120,
            "Archive": false,
            "SourceVideoBucket": "chunks",
            "Anything": [1],
            "BootstrapTimeInMinutes": 0,
            "GenerateOrigClips": true,
            "GenerateOptoClips": true,
            "GenerateOrigThumbNails": true,
            "GenerateOptoThumbNails": true,
            "TimecodeSource": "NOT_EMBEDDED",
            "StopMediaLiveChannel": false,
            "Status": "Queued",
            "HlsMasterManifest": {},
            "EdlLocation": {},
        })
    );
    assert_eq!(
        read(&server, "program/all").await,
        json!([{ "Name": "Open" }])
    );
    assert_eq!(
        ask(&server, Method::POST, "event", &body).await,
        (
            StatusCode::CONFLICT,
            error(
                "ConflictError",
                "Event 'Final' in program 'Open' already exists"
            )
        )
    );

    let change = json!({ "DurationMinutes": 180, "Start": "2026-07-12T14:00:00Z" });
    assert_eq!(ok(&server, Method::PUT, path, &change).await, json!({}));
    let kept = read(&server, path).await;
    assert_eq!(
        (&kept["DurationMinutes"], &kept["Start"]),
        (&json!(180), &json!("2026-07-12T14:00:00Z"))
    );
    let variables = format!("{path}/context-variables");
    let more = json!({ "Set": 3, "Live": true });
    ok(&server, Method::PATCH, &variables, &more).await;
    assert_eq!(
        read(&server, &variables).await,
        json!({ "Court": "centre", "Set": 3, "Live": true })
    );
    for (put, get, told) in [
        ("status/In%20Progress", "status", json!("In Progress")),
        (
            "timecode/firstpts/95443.717678",
            "timecode/firstpts",
            json!(95443.717678),
        ),
    ] {
        ok(&server, Method::PUT, &format!("{path}/{put}"), &Value::Null).await;
        assert_eq!(read(&server, &format!("{path}/{get}")).await, told);
    }
    let (status, _) = ask(&server, Method::DELETE, path, &Value::Null).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    ok(
        &server,
        Method::PUT,
        &format!("{path}/status/Complete"),
        &Value::Null,
    )
    .await;
    ok(&server, Method::DELETE, path, &Value::Null).await;
    let missing = error("NotFoundError", "Event 'Final' in program 'Open' not found");
    for path in [path.to_owned(), format!("{path}/status")] {
        let gone = ask(&server, Method::GET, &path, &Value::Null).await;
        assert_eq!(gone, (StatusCode::NOT_FOUND, missing.clone()));
    }
    assert_eq!(read(&server, &variables).await, json!({}));
}

#[tokio::test]
async fn what_is_wrong_with_an_event_is_told() {
    let server = Server::start(true);
    let good = || event("Final", "Open", "2026-07-12T13:00:00Z");
    let with = |key: &str, value: Value| {
        let mut body = good();
        body[key] = value;
        body
    };
    let without = |key: &str| {
        let mut body = good();
        body.as_object_mut().unwrap().remove(key);
        body
    };
    for (body, message) in [
        (
            with("BootstrapTimeInMinutes", json!("15")),
            "'15' is not of type 'integer'",
        ),
        (without("Name"), "'Name' is a required property"),
        (
            with("DurationMinutes", json!(0)),
            "0 is less than the minimum of 1",
        ),
        (
            with("Start", json!("tomorrow")),
            "'tomorrow' is not a 'date-time'",
        ),
        (
            with("TimecodeSource", json!("LTC")),
            "'LTC' is not one of ['ZERO_BASED', 'UTC_BASED', 'NOT_EMBEDDED']",
        ),
        (
            with("Variables", json!({ "1st": "a" })),
            "'1st' does not match '^[A-Za-z][A-Za-z0-9_]{0,29}$'",
        ),
        (
            with("Variables", json!({ "First": 1 })),
            "1 is not of type 'string'",
        ),
        (json!({ "Name": "N" }), "'Program' is a required property"),
    ] {
        assert_eq!(
            ask(&server, Method::POST, "event", &body).await,
            (StatusCode::BAD_REQUEST, error("BadRequestError", message)),
            "{body}"
        );
    }
    let (_, told) = ask(
        &server,
        Method::POST,
        "event",
        &with("Channel", json!("abc")),
    )
    .await;
    let told = told["Message"].as_str().unwrap();
    assert!(
        told.ends_with(
            "is valid under each of {'required': ['SourceVideoBucket']}, {'required': ['Channel']}"
        ),
        "{told}"
    );
    let broken = server
        .ask(None, Method::POST, "/controlplane/event", "{\"Name\": 'x'}")
        .await;
    assert_eq!(
        broken,
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            error("InternalServerError", "An internal server error occurred.")
        )
    );
    assert_eq!(
        read(&server, "event/all").await,
        json!({ "LastEvaluatedKey": "", "Items": [] })
    );
}

#[tokio::test]
async fn events_are_listed_a_page_at_a_time() {
    let server = Server::start(true);
    for (name, program, start) in [
        ("First Day", "Open", "2020-07-01T10:00:00Z"),
        ("Second Day", "Open", "2020-07-02T10:00:00Z"),
        ("Other Cup", "Cup", "2020-07-02T10:00:00Z"),
        ("Third Day", "Open", "2020-07-03T10:00:00Z"),
    ] {
        ok(&server, Method::POST, "event", &event(name, program, start)).await;
    }
    let mut seen = Vec::new();
    let mut query = String::from("event/all?limit=2&ProjectionExpression=Name,%20Start");
    loop {
        let page = read(&server, &query).await;
        let items = page["Items"].as_array().unwrap();
        assert!(items.iter().all(|row| row.as_object().unwrap().len() == 2));
        seen.push(names(&page["Items"], "Name"));
        let last = &page["LastEvaluatedKey"];
        if last == "" {
            break;
        }
        let last: String = last
            .to_string()
            .bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect();
        query =
            format!("event/all?limit=2&ProjectionExpression=Name,Start&LastEvaluatedKey={last}");
    }
    assert_eq!(
        seen,
        [
            vec!["Third Day".to_owned(), "Other Cup".to_owned()],
            vec!["Second Day".to_owned(), "First Day".to_owned()]
        ]
    );
    let path = "event/Second%20Day/program/Open/hasreplays";
    ok(&server, Method::PUT, path, &Value::Null).await;
    let path = "event/First%20Day/program/Open/status/Complete";
    ok(&server, Method::PUT, path, &Value::Null).await;
    for (path, expected) in [
        (
            "event/by/Open",
            vec!["Third Day", "Second Day", "First Day"],
        ),
        ("event/all?Program=Cup", vec!["Other Cup"]),
        ("event/all?hasReplays=true", vec!["Second Day"]),
        ("event/contentgroup/Golf/all", vec![]),
        (
            "event/by/Open?timeFilterStart=2020-07-01T00:00:00Z&timeFilterEnd=2020-07-02T10:00:00Z",
            vec!["Second Day", "First Day"],
        ),
    ] {
        let page = read(&server, path).await;
        assert_eq!(names(&page["Items"], "Name"), expected, "{path}");
    }
    for (path, expected) in [
        (
            "event/range/2020-07-02T00:00:00Z/2020-07-02T23:00:00Z",
            vec!["Other Cup", "Second Day"],
        ),
        (
            "event/queued/all/limit/2/closestEventFirst/Y",
            vec!["Second Day", "Other Cup"],
        ),
        (
            "event/queued/all/limit/1/closestEventFirst/N",
            vec!["Third Day"],
        ),
        ("event/future/all", vec![]),
    ] {
        assert_eq!(
            names(&read(&server, path).await, "Name"),
            expected,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_replay_is_asked_for_listed_and_forgotten() {
    let server = Server::start(true);
    let mut body = json!({
        "Program": "Open",
        "Event": "Final",
        "AudioTrack": 1,
        "Description": "best of",
        "UxLabel": "Best of",
        "Requester": "Editor",
        "DurationbasedSummarization": { "Duration": 60 },
        "Priorities": { "Clips": [{ "Name": "Detect | Ace | true", "Weight": 90 }] },
    });
    assert_eq!(
        ask(&server, Method::POST, "replay", &body).await,
        (
            StatusCode::CONFLICT,
            error(
                "ConflictError",
                "Event 'Final' does not exist in Program 'Open'"
            )
        )
    );
    let start = event("Final", "Open", "2026-07-12T13:00:00Z");
    ok(&server, Method::POST, "event", &start).await;
    assert_eq!(ok(&server, Method::POST, "replay", &body).await, json!({}));
    body["SpecifiedTimestamps"] = json!("1,2");
    body["AudioTrack"] = json!(2);
    ok(&server, Method::POST, "replay", &body).await;

    let listed = read(&server, "replay/all").await;
    let modes: Vec<(&Value, &Value)> = listed["Items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (&row["Mode"], &row["Duration"]))
        .collect();
    assert_eq!(
        modes,
        [
            (&json!("TIMESTAMPS"), &json!("N/A")),
            (&json!("DURATION"), &json!(60))
        ]
    );
    let of_event = "replay/program/Open/event/Final";
    let track = "replay/track/1/program/Open/event/Final";
    let rows = read(&server, track).await;
    let id = rows[0]["ReplayId"].as_str().unwrap().to_owned();
    assert_eq!(
        rows[0]["DurationbasedSummarization"],
        json!({ "Duration": 60, "ToleranceMaxLimitInSecs": 30 })
    );
    let one = format!("{of_event}/replayid/{id}");
    assert_eq!(read(&server, &one).await["PreviewVideoUrls"], json!([]));
    let completed = "replay/completed/events/track/1/program/Open/event/Final";
    assert_eq!(read(&server, completed).await, json!([]));
    let over = "event/Final/program/Open/status/Complete";
    ok(&server, Method::PUT, over, &Value::Null).await;
    assert_eq!(names(&read(&server, completed).await, "ReplayId"), [&*id]);

    let status = |status: &str| format!("{one}/status/update/{status}");
    assert_eq!(
        ok(&server, Method::PUT, &status("In%20Progress"), &Value::Null).await,
        json!({ "Status": "Replay request status updated" })
    );
    let delete = format!("replay/event/Final/program/Open/id/{id}");
    let (refused, _) = ask(&server, Method::DELETE, &delete, &Value::Null).await;
    assert_eq!(refused, StatusCode::BAD_REQUEST);
    ok(&server, Method::PUT, &status("Complete"), &Value::Null).await;
    let counts = async |path: &str| read(&server, path).await.as_array().unwrap().len();
    assert_eq!(counts(&format!("{of_event}/all")).await, 2);
    assert_eq!(counts(&format!("{of_event}/segmentend")).await, 1);
    assert_eq!(counts("replay/all/contentgroup/Tennis").await, 2);
    ok(
        &server,
        Method::PUT,
        "event/Final/program/Open/hasreplays",
        &Value::Null,
    )
    .await;
    ok(&server, Method::DELETE, &delete, &Value::Null).await;
    let event = read(&server, "event/Final/program/Open").await;
    assert_eq!(event.get("hasReplays"), None);
    let (gone, _) = ask(&server, Method::GET, &one, &Value::Null).await;
    assert_eq!(gone, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_replays_can_weigh_follows_from_the_profile() {
    let server = Server::start(true);
    let plugin = |name: &str, class: &str, attributes: Value| {
        json!({
            "Name": name,
            "Class": class,
            "ExecutionType": "Sync",
            "SupportedMediaType": "Video",
            "ContentGroups": ["Tennis"],
            "ExecuteLambdaQualifiedARN": "arn:aws:lambda:eu-west-1:123456789012:function:f:1",
            "OutputAttributes": attributes,
        })
    };
    let ace = json!({ "Ace": { "Description": "a serve" }, "Net": { "Description": "the net" } });
    for body in [
        plugin("Detect", "Featurer", ace),
        plugin(
            "Segment",
            "Classifier",
            json!({ "Long": { "Description": "long" } }),
        ),
        plugin("Label", "Labeler", json!({})),
    ] {
        ok(&server, Method::POST, "plugin", &body).await;
    }
    let profile = json!({
        "Name": "Tennis Profile",
        "ContentGroups": ["Tennis"],
        "ChunkSize": 10,
        "MaxSegmentLengthSeconds": 60,
        "ProcessingFrameRate": 5,
        "Classifier": { "Name": "Segment" },
        "Labeler": { "Name": "Label" },
        "Featurers": [{ "Name": "Detect" }],
    });
    ok(&server, Method::POST, "profile", &profile).await;
    let kept = read(&server, "profile/Tennis%20Profile").await;
    assert_eq!(kept["Featurers"][0]["IsPriorityForReplay"], true);
    let start = event("Final", "Open", "2026-07-12T13:00:00Z");
    ok(&server, Method::POST, "event", &start).await;
    assert_eq!(
        read(&server, "replay/program/Open/event/Final/features").await,
        json!(["Detect | Ace", "Detect | Net", "Segment | Long"])
    );

    // A plugin in a place for others, and one twice.
    let mut wrong = profile.clone();
    wrong["Name"] = json!("Wrong");
    wrong["Labeler"] = json!({ "Name": "Detect" });
    wrong.as_object_mut().unwrap().remove("Featurers");
    let (status, told) = ask(&server, Method::POST, "profile", &wrong).await;
    assert_eq!(
        (status, &told["Message"]),
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            &json!(
                "Unable to create the processing profile: Plugin 'Detect' is of the class 'Featurer' \
                 and cannot be used as the Labeler"
            )
        )
    );
    let twice = json!({ "Featurers": [{ "Name": "Detect" }, { "Name": "Detect" }] });
    let (status, told) = ask(&server, Method::PUT, "profile/Tennis%20Profile", &twice).await;
    assert_eq!(
        (status, told),
        (
            StatusCode::CONFLICT,
            error(
                "ConflictError",
                "Unable to create profile 'Tennis Profile': Provided list of Featurers contains duplicates"
            )
        )
    );
}

#[tokio::test]
async fn an_engine_of_priorities_is_kept() {
    let server = Server::start(true);
    let body = json!({ "Name": "Stats", "EndpointSsmParam": "/stats", "SecretsManagerApiKeyArn": "arn:x" });
    ok(&server, Method::POST, "custompriorities", &body).await;
    let (status, _) = ask(&server, Method::POST, "custompriorities", &body).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let path = "custompriorities/Stats";
    ok(
        &server,
        Method::PUT,
        path,
        &json!({ "Description": "more" }),
    )
    .await;
    ok(
        &server,
        Method::PUT,
        &format!("{path}/status"),
        &json!({ "Enabled": false }),
    )
    .await;
    let kept = read(&server, path).await;
    assert_eq!(
        (
            &kept["Description"],
            &kept["Enabled"],
            &kept["EndpointSsmParam"]
        ),
        (&json!("more"), &json!(false), &json!("/stats"))
    );
    assert_eq!(
        names(&read(&server, "custompriorities/all").await, "Name"),
        ["Stats"]
    );
    ok(&server, Method::DELETE, path, &Value::Null).await;
    let (gone, _) = ask(&server, Method::DELETE, path, &Value::Null).await;
    assert_eq!(gone, StatusCode::NOT_FOUND);
}
