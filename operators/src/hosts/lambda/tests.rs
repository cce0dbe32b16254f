//! Payloads and results by value; chunks staged on a real server of S3; an endpoint that refuses as Lambda
//! does. Whole runs with AWS's own emulator are among the end-to-end tests.

#[path = "../../../../aws/tests/support/mod.rs"]
mod server;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use matchcut_aws::Keys;
use matchcut_model::chunk::{
    ByteRange, ChunkRef, Container, ContentId, FrameTable, PlacedChunk, Position, Resource,
    TrackNumber,
};
use matchcut_model::time::{FrameRate, MediaTime, TimeRange};
use serde_json::{Value as Json, json};
use server::{Fault, KEY, S3Server, SECRET};

use super::clients::Clients;
use super::options::{LambdaOptions, Type};
use super::payload::payload;
use super::place::as_it_is;
use super::results::{Shape, read as read_results};
use super::scanner::Plugin;
use super::*;
use crate::sdk::{ChunkFile, ChunkMedia, ChunkScanner, Said, pass_on, signature_of};

/// The second chunk of an event at 30000/1001 frames a second: 60 frames from 2.002 s on, whose stream began
/// at 10 s.
fn placed(uri: &str) -> PlacedChunk {
    let media = Resource::whole(uri);
    let rate = FrameRate::new(30_000, 1001).unwrap();
    let offset = MediaTime::from_seconds(-10);
    let ticks = (60..120).map(|frame| 900_000 + frame * 3003);
    let frames = FrameTable::new(90_000, ticks, offset);
    let end = frames.last().unwrap().time + rate.frame_duration();
    PlacedChunk {
        chunk: ChunkRef::new("court", Position(1), media, Container::MpegTs),
        span: TimeRange::new(frames.first().unwrap().time, end),
        offset,
        stretch: 0,
        frames,
        first_frame: 60,
        frame_rate: Some(rate),
        timecodes: Vec::new(),
        audio_tracks: vec![TrackNumber(1), TrackNumber(2)],
        // 18:00:02.002 on the last day of January 2025.
        utc: Some(1_738_346_402_002_000),
        bytes: 3,
        content: ContentId(7),
    }
}

fn given(options: Json) -> LambdaOptions {
    let mut errors = Vec::new();
    let (own, _) = read(options.as_object().unwrap(), &mut errors);
    assert_eq!(errors, []);
    own
}

#[test]
fn the_payload_is_that_of_mre() {
    let own = given(json!({
        "function": "DetectLuma", "mre_plugin": "DetectLuma", "mre_program": "Cup", "mre_event": "Final",
        "mre_profile": "tennis", "mre_classifier": "SegmentByKeyMoment", "model_endpoint": "luma-endpoint",
        "configuration": {"minimum_confidence": "40"}, "output_attributes": {"Luma": "number"},
        "processing_frame_rate": 10,
    }));
    let placed = placed("s3://media/live/court_1_00002.ts");
    let place = as_it_is(&placed).unwrap();
    let payload = payload(&own, &placed, Some(TrackNumber(2)), &place);
    let execution = payload["Input"]["ExecutionId"].as_str().unwrap().to_owned();
    assert_eq!(
        payload,
        json!({
            "Event": {
                "Name": "Final", "Program": "Cup", "Start": "2025-01-31T18:00:00Z",
                "TimecodeSource": "NOT_EMBEDDED", "GenerateOrigClips": true, "GenerateOptoClips": true,
                "GenerateOrigThumbNails": true, "GenerateOptoThumbNails": true, "AudioTracks": [1, 2],
            },
            "Input": {
                "ExecutionId": execution,
                "Media": {"S3Bucket": "media", "S3Key": "live/court_1_00002.ts"},
                "Metadata": {"HLSSegment": {
                    "StartTime": 2.002, "StartTimeUtc": "00:00:02.002",
                    "StartPtsTime": 12.002, "StartPtsTimeUtc": "00:00:12.002",
                    "Duration": 2.002, "FrameRate": 30,
                }},
            },
            "Plugin": {
                "Name": "DetectLuma", "Class": "Featurer", "ExecutionType": "SyncModel",
                "DependentPlugins": [], "Configuration": {"minimum_confidence": "40"},
                "OutputAttributes": {"Luma": {"Description": "Luma"}}, "ModelEndpoint": "luma-endpoint",
            },
            "Profile": {
                "Name": "tennis", "ChunkSize": 3, "MaxSegmentLengthSeconds": 300,
                "ProcessingFrameRate": 10,
                "Classifier": {"Name": "SegmentByKeyMoment", "Configuration": {}, "DependentPlugins": []},
                "Featurers": [{"Name": "DetectLuma", "Configuration": {"minimum_confidence": "40"},
                    "DependentPlugins": []}],
            },
            "TrackNumber": 2,
        })
    );
    assert_eq!(execution.len(), 36);
    let mut variable = placed.clone();
    variable.frame_rate = None;
    let told = super::payload::payload(&own, &variable, None, &place);
    assert_eq!(
        told["Input"]["Metadata"]["HLSSegment"]["FrameRate"], 30,
        "60 frames in 2.002 s"
    );
    let again = super::payload::payload(&own, &placed, Some(TrackNumber(2)), &place);
    assert_eq!(
        again.to_string(),
        payload.to_string(),
        "equal chunks, equal bytes"
    );
}

#[test]
fn only_whole_objects_are_taken_as_they_are() {
    let whole = placed("s3://media/cup%20%231/c_1.ts");
    assert_eq!(
        as_it_is(&whole).unwrap().object.to_string(),
        "s3://media/cup #1/c_1.ts"
    );
    let mut part = whole.clone();
    part.chunk.media.range = Some(ByteRange {
        offset: 0,
        length: 1,
    });
    let mut fragment = whole.clone();
    fragment.chunk.init = Some(Resource::whole("s3://media/init.mp4"));
    for other in [
        part,
        fragment,
        placed("file:///c_1.ts"),
        placed("https://example.com/c_1.ts"),
    ] {
        assert_eq!(as_it_is(&other), None, "{:?}", other.chunk.media);
    }
}

/// What is read of `results`, as `start end attributes`.
fn said(options: Json, results: Json) -> Result<Vec<String>, String> {
    let own = given(options);
    let placed = placed("s3://media/c_2.ts");
    let shape = Shape {
        attributes: &attributes(&own),
        time_base: own.time_base,
        stream_start: 12.002,
        placed: &placed,
    };
    let returned = json!({"Output": {"Status": "Complete", "Results": results}});
    let said = read_results(returned.to_string().as_bytes(), &shape)?;
    let text = |said: &Said| {
        let attributes = serde_json::to_string(&said.attributes).unwrap();
        format!("{} {} {attributes}", said.start, said.end)
    };
    Ok(said.iter().map(text).collect())
}

#[test]
fn results_are_points_and_ranges_with_attributes() {
    let results = json!([
        {"Start": 2.502, "Label": "far", "Conf": 0.5, "Box": [1, 2], "Nothing": null},
        {"Start": "3.002", "End": 3.5},
    ]);
    assert_eq!(
        said(json!({"function": "f"}), results.clone()).unwrap(),
        [
            r#"2.503 2.503 {"Box":[1,2],"Conf":0.5,"Label":"far"}"#,
            "3.002 3.500 {}"
        ]
    );
    // The frame that is meant is at 2.5025 s.
    // Declared: of that type, also where it says so as text; nothing else.
    let declared =
        json!({"function": "f", "output_attributes": {"Peak Audio": "boolean", "Conf": "number"}});
    let results = json!([{"Start": 2.502, "Peak Audio": "True", "Conf": "41.5", "Label": "x"}]);
    assert_eq!(
        said(declared.clone(), results).unwrap(),
        [r#"2.503 2.503 {"Conf":41.5,"Peak Audio":true}"#]
    );
    let results = json!([{"Start": 2.502}, {"Start": 2.6, "Conf": "high"}]);
    assert_eq!(
        said(declared, results).unwrap_err(),
        "result 2: attribute \"Conf\" is declared as a number, this is high"
    );
}

#[test]
fn times_are_those_of_frames() {
    let placed = placed("s3://media/c_2.ts");
    for (base, first) in [("event", 2.002), ("pts", 12.002), ("chunk", 0.0)] {
        let own = given(json!({"function": "f", "time_base": base}));
        let shape = Shape {
            attributes: &attributes(&own),
            time_base: own.time_base,
            stream_start: 12.002,
            placed: &placed,
        };
        let frames = [0, 1, 2, 29, 59];
        // As MRE's helper rounds them.
        let results: Vec<Json> = frames
            .iter()
            .map(|frame| {
                let inside = f64::from(*frame) * 1001.0 / 30_000.0;
                json!({"Start": ((first + inside) * 1000.0).round() / 1000.0})
            })
            .collect();
        let returned = json!({"Output": {"Results": results}}).to_string();
        let said = read_results(returned.as_bytes(), &shape).unwrap();
        for (said, frame) in said.iter().zip(frames) {
            let exact = placed.frames.get(frame as usize).unwrap().time;
            assert_eq!(said.start, exact, "{base}, frame {frame}");
        }
    }
}

#[test]
fn what_is_not_of_mres_shape_is_said() {
    let own = given(json!({"function": "f"}));
    let placed = placed("s3://media/c_2.ts");
    let shape = Shape {
        attributes: &attributes(&own),
        time_base: own.time_base,
        stream_start: 12.002,
        placed: &placed,
    };
    let error = |returned: &str| read_results(returned.as_bytes(), &shape).unwrap_err();
    for (returned, begins) in [
        (
            "Task timed out after 2.00 seconds",
            "what it returned is not JSON (expected value at line 1 column 1): \"Task timed out",
        ),
        (
            "null",
            "it did not return what plugins of MRE return: Output is missing; {\"Output\": {\"Status\": \"Complete\"",
        ),
        (
            r#"{"Output": {"Status": "Complete"}}"#,
            "it did not return what plugins of MRE return: Output.Results is no list",
        ),
        (
            r#"{"Output": {"Results": [3]}}"#,
            "it did not return what plugins of MRE return: a result is no object",
        ),
        (
            r#"{"Output": {"Status": "Error", "Results": []}}"#,
            "it reports the status Error, not Complete; see its log",
        ),
        (
            r#"{"Output": {"Results": [{"End": 3}]}}"#,
            "result 1: it has no Start",
        ),
        (
            r#"{"Output": {"Results": [{"Start": {}}]}}"#,
            "result 1: Start is no number of seconds: {}",
        ),
        (
            r#"{"Output": {"Results": [{"Start": 3, "End": 2.5}]}}"#,
            "result 1: it ends at 2.500 s, before its start at 3.000 s",
        ),
        (
            r#"{"Output": {"Results": [{"Start": 1e300}]}}"#,
            "result 1: Start is no number of seconds: 1e+300",
        ),
        (
            r#"{"Output": {"Results": [{"Start": 3602}]}}"#,
            "result 1: Start is at 3602.000 s of the event, and the chunk from 2.002 s to 4.004 s; time_base says",
        ),
        (
            r#"{"Output": {"Results": [{"Start": -3}]}}"#,
            "result 1: Start is before the event: -3.000 s",
        ),
    ] {
        let said = error(returned);
        assert!(said.starts_with(begins), "{returned}: {said}");
    }
}

#[test]
fn what_cannot_be_is_said_of_options() {
    let wrong = |options: Json| -> Vec<String> {
        let errors = Lambda
            .build(options.as_object().unwrap())
            .err()
            .unwrap_or_default();
        errors
            .into_iter()
            .filter_map(|error| error.option)
            .collect()
    };
    assert_eq!(wrong(json!({})), ["function"]);
    let right = json!({"function": "arn:aws:lambda:eu-central-1:123456789012:function:Detect",
        "qualifier": "$LATEST", "stage": "s3://media/staged", "remove_staged": true, "region": "eu-central-1"});
    assert!(wrong(right).is_empty());
    let options = json!({"function": "a b", "timeout": "16m", "concurrency": 0, "stage": "/tmp",
        "event_start": "noon", "endpoint": "localhost", "output_attributes": {"Start": "number"}});
    assert_eq!(
        wrong(options),
        [
            "endpoint",
            "function",
            "timeout",
            "concurrency",
            "event_start",
            "output_attributes",
            "stage"
        ]
    );
}

/// The media of a chunk that does not lie in S3.
struct Local(&'static [u8]);

impl ChunkMedia for Local {
    fn file(&self) -> Result<ChunkFile, String> {
        Ok(ChunkFile {
            bytes: self.0.to_vec(),
            extension: "ts",
        })
    }
}

/// Answers each request with the next of these, the last for ever: status, type of error, body.
fn endpoint(answers: Vec<(u16, &'static str, String)>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&asked);
    let count = AtomicUsize::new(0);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1)
            {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).to_lowercase();
            let length = head.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            stream.read_exact(&mut body).unwrap();
            let first = head.lines().next().unwrap_or_default();
            log.lock()
                .unwrap()
                .push(format!("{first} {}", String::from_utf8_lossy(&body)));
            let at = count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
            let (status, kind, body) = &answers[at];
            let header = match (status, *kind) {
                (_, "") => String::new(),
                (200, kind) => format!("X-Amz-Function-Error: {kind}\r\n"),
                (_, kind) => format!("x-amzn-ErrorType: {kind}\r\n"),
            };
            let answer = format!(
                "HTTP/1.1 {status} X\r\n{header}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            if *kind == "slow" {
                thread::sleep(Duration::from_secs(3));
            }
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (address, asked)
}

fn plugin(endpoint: &str, stage: Option<(&S3Server, &str)>, more: Json) -> Plugin {
    let mut options = json!({"function": "DetectLuma", "timeout": "1s"});
    options
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    if let Some((server, prefix)) = stage {
        options["stage"] = prefix.into();
        options["stage_endpoint"] = server.endpoint.as_str().into();
    }
    let own = given(options);
    let mut errors = Vec::new();
    let stage = own.check(&mut errors);
    assert_eq!(errors, []);
    let aws = AwsOptions {
        endpoint: Some(endpoint.to_owned()),
        keys: Some(Keys {
            id: KEY.to_owned(),
            secret: SECRET.to_owned(),
        }),
        ..AwsOptions::default()
    };
    let clients = Clients::new(&own, aws);
    let attributes = attributes(&own);
    Plugin::new(own, attributes, stage, clients)
}

fn found(start: f64) -> String {
    json!({"Output": {"Status": "Complete", "Results": [{"Start": start, "Label": "far"}]}})
        .to_string()
}

fn scan(plugin: &Plugin, placed: &PlacedChunk) -> Result<String, String> {
    let signature = plugin.scan(placed, None, &Local(b"abc"))?;
    Ok(String::from_utf8(signature).unwrap())
}

fn signature(millis: i64) -> String {
    let time = MediaTime::from_millis(millis);
    let said = Said {
        start: time,
        end: time,
        attributes: serde_json::from_value(json!({"Label": "far"})).unwrap(),
    };
    String::from_utf8(signature_of(vec![said]).unwrap()).unwrap()
}

#[test]
fn what_may_pass_is_tried_again_and_nothing_is_asked_twice() {
    let again = r#"{"errorMessage": "busy", "errorType": "MREExecutionError"}"#.to_owned();
    let (url, asked) = endpoint(vec![
        (429, "TooManyRequestsException", "{}".to_owned()),
        (200, "Unhandled", again),
        (200, "", found(2.7)),
    ]);
    let plugin = plugin(&url, None, json!({}));
    let chunk = placed("s3://media/c_2.ts");
    let begun = Instant::now();
    assert_eq!(scan(&plugin, &chunk).unwrap(), signature(2700));
    assert!(
        begun.elapsed() >= Duration::from_millis(1500),
        "0.5 s and 1 s"
    );
    // The same chunk once more, as when the one before it came late.
    assert_eq!(scan(&plugin, &chunk).unwrap(), signature(2700));
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 3);
    assert!(
        asked[0]
            .starts_with("post /2015-03-31/functions/detectluma/invocations http/1.1 {\"Event\""),
        "{}",
        asked[0]
    );
    // The fold says what the answer was.
    let mut step = crate::sdk::Step::at(Position(1), MediaTime::ZERO);
    let signature = signature(2700);
    step.signature = Some(signature.as_bytes());
    let mut emitted = Vec::new();
    pass_on().step(&step, &mut pass_on().initial(), &mut emitted);
    assert!(
        matches!(&emitted[..], [crate::sdk::Emission::Observation { start, .. }]
        if *start == MediaTime::from_millis(2700))
    );
}

#[test]
fn what_does_not_pass_is_told_once() {
    let raised = r#"{"errorMessage": "no key 'Label'", "errorType": "KeyError"}"#.to_owned();
    let cases = [
        (
            (200, "Unhandled", raised),
            "function DetectLuma: it failed with KeyError: no key 'Label'; see its log",
        ),
        (
            (404, "ResourceNotFoundException", "{}".to_owned()),
            "function DetectLuma does not exist",
        ),
        (
            (403, "AccessDeniedException", "{}".to_owned()),
            "function DetectLuma: access to function DetectLuma is denied; whose credentials are used needs \
             the permission lambda:InvokeFunction",
        ),
        (
            (200, "slow", String::new()),
            "function DetectLuma: no answer within 1 s",
        ),
    ];
    for (answer, expected) in cases {
        let (url, asked) = endpoint(vec![answer]);
        let plugin = plugin(&url, None, json!({}));
        assert_eq!(
            scan(&plugin, &placed("s3://media/c_2.ts")).unwrap_err(),
            expected
        );
        assert_eq!(asked.lock().unwrap().len(), 1, "{expected}");
    }
    let (url, asked) = endpoint(vec![(503, "ServiceException", "{}".to_owned())]);
    let error = scan(
        &plugin(&url, None, json!({"retries": 1})),
        &placed("s3://m/c_2.ts"),
    )
    .unwrap_err();
    assert!(error.ends_with("(invoked 2 times)"), "{error}");
    assert_eq!(asked.lock().unwrap().len(), 2);
    let error = scan(&plugin(&url, None, json!({})), &placed("file:///c_2.ts")).unwrap_err();
    assert!(
        error.contains("set \"stage\" to where it may be put"),
        "{error}"
    );
}

#[test]
fn chunks_are_staged_by_their_content() {
    let server = S3Server::start(&["media"]);
    let (url, asked) = endpoint(vec![(200, "", found(2.7))]);
    let plugin = plugin(&url, Some((&server, "s3://media/staged")), json!({}));
    let chunk = placed("https://example.com/c.ts");
    assert_eq!(scan(&plugin, &chunk).unwrap(), signature(2700));
    let content = blake3::hash(b"abc").to_hex();
    let key = format!("staged/{}_00002.ts", &content[..32]);
    assert_eq!(std::fs::read(server.path("media", &key)).unwrap(), b"abc");
    assert!(asked.lock().unwrap()[0].contains(&format!("\"S3Key\":\"{key}\"")));
    // It stands there already: nothing is written again.
    let again = self::plugin(&url, Some((&server, "s3://media/staged/")), json!({}));
    assert_eq!(scan(&again, &chunk).unwrap(), signature(2700));
    assert_eq!(server.asked("PUT /media/staged/"), 1);

    let more = json!({"remove_staged": true});
    let removing = self::plugin(&url, Some((&server, "s3://media/other/")), more);
    assert_eq!(scan(&removing, &chunk).unwrap(), signature(2700));
    assert_eq!(
        (
            server.asked("PUT /media/other/"),
            server.asked("DELETE /media/other/")
        ),
        (1, 1)
    );

    server.fault(|_| Fault::Error(403, "AccessDenied"));
    let refused = self::plugin(&url, Some((&server, "s3://media/no/")), json!({}));
    let error = scan(&refused, &chunk).unwrap_err();
    assert!(
        error.starts_with(
            "function DetectLuma: the chunk cannot be staged: access to s3://media/no/"
        ),
        "{error}"
    );
}

#[test]
fn attributes_are_declared_or_open() {
    let own = given(json!({"function": "f", "output_attributes": {"Label": "text"}}));
    assert_eq!(own.output_attributes["Label"], Type::Text);
    let names = |own: &LambdaOptions| -> Vec<&str> {
        attributes(own).iter().map(|spec| spec.name).collect()
    };
    assert_eq!(names(&own), ["Label"]);
    assert_eq!(names(&given(json!({"function": "f"}))), ["*"]);
}
