//! Real servers on the loopback interface: MLServer for tensors, and one for chat that looks at the pictures
//! and refuses what is not as documented.

use std::time::{Duration, Instant};

use matchcut_model::time::MediaTime;
use serde_json::{Value as Json, json};

use super::*;
use crate::sdk::{ChunkContext, VideoScanner};
use crate::testing::model_file::mean_luma;
use crate::testing::program::{Directory, Server};
use crate::testing::{Picture as Seen, Script, observations, scan_pictures};

/// A picture of one gray at 5 a second for 4 s, darker and darker.
fn grays(channels: usize) -> Vec<Seen> {
    (0..20_u8)
        .map(|number| Seen {
            time: MediaTime::from_millis(i64::from(number) * 200),
            data: vec![100 - 4 * number; 64 * 36 * channels],
        })
        .collect()
}

fn options(json: Json) -> Options {
    json.as_object().unwrap().clone()
}

/// What is said when chunks have `chunk` milliseconds.
fn said(operator: Operator, pictures: &[Seen], chunk: i64) -> Vec<(i64, i64, String)> {
    let Operator::Video { scanner, fold } = operator else {
        panic!("not for pictures")
    };
    let script = Script::new(4000, 1)
        .chunked(chunk)
        .scanned(|chunk| Some(scan_pictures(&*scanner, chunk, pictures).expect("a scan")));
    observations(&script.run(&fold))
        .into_iter()
        .map(|(start, end, attributes)| (start, end, serde_json::to_string(&attributes).unwrap()))
        .collect()
}

fn luma_options(url: &str) -> Json {
    json!({
        "url": url, "model": "luma", "input": "pictures",
        "width": 64, "height": 36, "color": "gray", "scale": 1.0, "output": "values",
        "values": [{"name": "luma", "decimals": 2}, {"name": "dark", "below": 40.0}],
    })
}

fn expected_lumas() -> Vec<(i64, i64, String)> {
    (0..20)
        .map(|number| {
            let luma = 100 - 4 * number;
            let text = format!("{{\"dark\":{},\"luma\":{luma}}}", luma < 40);
            (number * 200, number * 200, text)
        })
        .collect()
}

#[test]
fn mlserver_is_asked_in_json() {
    let directory = Directory::new("mlserver");
    let model = directory.file("luma.onnx", &mean_luma(0, 64, 36));
    let arguments = [
        "luma".as_ref(),
        model.as_os_str(),
        directory.path().as_os_str(),
    ];
    let Some(server) = Server::start("oip/start.py", "mlserver", &arguments) else {
        return;
    };
    let operator = HttpInference
        .build(&options(luma_options(&server.url(""))))
        .unwrap();
    assert_eq!(said(operator, &grays(1), 1000), expected_lumas());

    // A model that the server does not have is no reason to try again.
    let mut wrong = luma_options(&server.url(""));
    wrong["model"] = json!("other");
    let message = failure(&wrong);
    assert!(
        message.contains("/v2/models/other/infer: the server said 404"),
        "{message}"
    );
    // Neither is an input that the model does not have.
    let mut wrong = luma_options(&server.url(""));
    wrong["tensor"] = json!("boxes");
    assert_eq!(
        failure(&wrong),
        "the model has no output \"boxes\"; it has \"luma\""
    );
}

#[test]
fn tensors_travel_as_bytes() {
    let directory = Directory::new("oip-binary");
    let model = directory.file("luma.onnx", &mean_luma(0, 64, 36));
    let arguments = ["luma".as_ref(), model.as_os_str()];
    let Some(server) = Server::start("oip/binary.py", "onnxruntime", &arguments) else {
        return;
    };
    let mut binary = luma_options(&server.url("/"));
    binary["binary"] = json!(true);
    binary["version"] = json!("7");
    binary["batch"] = json!(3);
    let operator = HttpInference.build(&options(binary)).unwrap();
    assert_eq!(said(operator, &grays(1), 1000), expected_lumas());
}

/// What is told when the pictures of the first second are scanned in vain.
fn failure(json: &Json) -> String {
    let operator = HttpInference.build(&options(json.clone())).unwrap();
    let Operator::Video { scanner, .. } = operator else {
        panic!("not for pictures")
    };
    scan_first(&*scanner).unwrap_err()
}

fn scan_first(scanner: &dyn VideoScanner) -> Result<Vec<u8>, String> {
    let channels = scanner.view().format.bytes_per_pixel();
    let script = std::cell::RefCell::new(None);
    let _ = Script::new(1000, 1).scanned(|chunk: &ChunkContext| {
        let mut scan = scanner.start(chunk);
        let frames = grays(channels);
        let looked = frames
            .iter()
            .take(5)
            .enumerate()
            .try_for_each(|(index, picture)| {
                scan.frame(&matchcut_model::frame::Frame {
                    time: picture.time,
                    pts: matchcut_model::time::Timestamp {
                        ticks: 0,
                        timescale: 1,
                    },
                    index: index as u64,
                    width: 64,
                    height: 36,
                    format: scanner.view().format,
                    data: &picture.data,
                })
            });
        *script.borrow_mut() = Some(looked.and_then(|()| scan.finish()));
        None
    });
    script.into_inner().unwrap()
}

/// Options of a chat about the pictures. The variable is one that is always there.
fn chat(url: &str) -> Read {
    let json = json!({
        "protocol": "chat", "url": url, "model": "luma-of-tests", "api_key_env": "PATH",
        "price_in": 2.5, "price_out": 10.0, "prompt": "How bright is it?", "system": "You measure.", "width": 64, "height": 36,
        "image_format": "png", "timeout": "2s", "every": "2s",
        "schema": {
            "type": "object",
            "properties": {
                "luma": {"type": "number"}, "dark": {"type": "boolean"}, "images": {"type": "integer"},
            },
            "required": ["luma", "dark", "images"],
            "additionalProperties": false,
        },
    });
    let mut errors = Vec::new();
    let read = read(&options(json), &mut errors);
    assert!(errors.is_empty(), "{errors:?}");
    read
}

/// The operator with the key of the test server and short pauses, and its client.
fn built(read: &Read) -> (Operator, Arc<Client>) {
    let client = Client::new(&read.client, "luma-of-tests").unwrap();
    let client = client
        .hurried(Duration::from_millis(20))
        .with_key("a-key-of-the-tests");
    let client = Arc::new(client);
    (build(read, Arc::clone(&client)).unwrap(), client)
}

fn scanner_of(operator: Operator) -> Arc<dyn VideoScanner> {
    match operator {
        Operator::Video { scanner, .. } => scanner,
        _ => panic!("not for pictures"),
    }
}

#[test]
fn a_chat_says_what_it_sees() {
    let Some(server) = Server::start("chat.py", "PIL", &[""; 0]) else {
        return;
    };
    let (operator, client) = built(&chat(&server.url("/ok/v1")));
    // Four pictures of ten, in the middle of quarters: numbers 1, 3, 6, 8, and from there again.
    let mean = |first: i64| {
        100.0 - 4.0 * ([1, 3, 6, 8].map(|n| first + n).iter().sum::<i64>() as f64) / 4.0
    };
    let expected = [(0, 2000, mean(0)), (2000, 4000, mean(10))].map(|(start, end, luma)| {
        let text = format!("{{\"dark\":{},\"images\":4,\"luma\":{luma}}}", luma < 40.0);
        (start, end, text)
    });
    assert_eq!(said(operator, &grays(3), 4000), expected);
    let usage = client.counters.read();
    assert_eq!((usage.requests, usage.retries, usage.failures), (2, 0, 0));
    assert_eq!((usage.tokens_in, usage.tokens_out), (2000, 40));
    assert_eq!(usage.price, Some((2000.0 * 2.5 + 40.0 * 10.0) / 1e6));
    assert!(usage.sent > 1000 && usage.received > 200, "{usage:?}");

    let mut jpeg = chat(&server.url("/ok/v1"));
    jpeg.chat = serde_json::from_value({
        let mut json = serde_json::to_value(&jpeg.chat).unwrap();
        json["image_format"] = json!("jpeg");
        json
    })
    .unwrap();
    // One gray is one gray in JPEG too.
    assert_eq!(said(built(&jpeg).0, &grays(3), 4000), expected);
}

#[test]
fn what_may_succeed_later_is_tried_again() {
    let Some(server) = Server::start("chat.py", "PIL", &[""; 0]) else {
        return;
    };
    let began = Instant::now();
    let (operator, client) = built(&chat(&server.url("/limited/v1")));
    scan_first(&*scanner_of(operator)).unwrap();
    let usage = client.counters.read();
    assert_eq!((usage.requests, usage.retries, usage.failures), (2, 1, 0));
    assert!(
        began.elapsed() >= Duration::from_secs(1),
        "Retry-After is obeyed"
    );

    let (operator, client) = built(&chat(&server.url("/flaky/v1")));
    scan_first(&*scanner_of(operator)).unwrap();
    let usage = client.counters.read();
    assert_eq!((usage.requests, usage.retries, usage.failures), (3, 2, 0));
}

#[test]
fn what_fails_is_told_and_not_asked_for_ever() {
    let Some(server) = Server::start("chat.py", "PIL", &[""; 0]) else {
        return;
    };
    let told = |mode: &str, requests: u64| {
        let mut read = chat(&server.url(&format!("/{mode}/v1")));
        read.client = serde_json::from_value({
            let mut json = serde_json::to_value(&read.client).unwrap();
            json["timeout"] = json!("1s");
            json["retries"] = json!(1);
            json
        })
        .unwrap();
        let (operator, client) = built(&read);
        let message = scan_first(&*scanner_of(operator)).unwrap_err();
        let usage = client.counters.read();
        assert_eq!(
            (usage.requests, usage.failures),
            (requests, 1),
            "{mode}: {message}"
        );
        assert!(!message.contains("a-key-of-the-tests"), "{message}");
        message
    };
    let message = told("broken", 2);
    assert!(
        message.ends_with(
            "/broken/v1/chat/completions: the server said 500 Internal Server Error: {\"error\": \
             {\"message\": \"something broke\"}} (tried 2 times)"
        ),
        "{message}"
    );
    let message = told("malformed", 1);
    assert!(
        message.starts_with("the answer of \"luma-of-tests\" cannot be used: it is not JSON: "),
        "{message}"
    );
    let message = told("outside", 1);
    assert!(message.contains("does not keep to the schema"), "{message}");
    let message = told("slow", 2);
    assert!(
        message.contains("timeout") && message.ends_with("(tried 2 times)"),
        "{message}"
    );
    told("closed", 2);
    let message = told("nonsense/nonsense", 1);
    assert!(message.contains("400 Bad Request"), "{message}");
}

#[test]
fn a_key_that_is_not_set_is_told_without_asking() {
    let mut read = chat("http://127.0.0.1:9/v1");
    read.client = serde_json::from_value({
        let mut json = serde_json::to_value(&read.client).unwrap();
        json["api_key_env"] = json!("MATCHCUT_NO_SUCH_KEY");
        json
    })
    .unwrap();
    let client = Arc::new(Client::new(&read.client, "luma-of-tests").unwrap());
    let operator = build(&read, Arc::clone(&client)).unwrap();
    assert_eq!(
        scan_first(&*scanner_of(operator)).unwrap_err(),
        "http://127.0.0.1:9/v1/chat/completions: the environment variable with the key is not set"
    );
    assert_eq!(client.counters.read().requests, 0);
}

#[test]
fn options_that_do_not_go_together_are_told() {
    let wrong = |json: Json| {
        let errors = HttpInference.build(&options(json)).err().unwrap();
        let option = |error: OptionError| error.option.unwrap_or_default();
        errors.into_iter().map(option).collect::<Vec<_>>()
    };
    assert_eq!(wrong(json!({})), ["url"]);
    let url = "http://localhost:1";
    assert_eq!(wrong(json!({"url": url})), ["width", "height"]);
    assert_eq!(
        wrong(json!({"url": url, "width": 8, "height": 8, "model": "a/../b", "input": ""})),
        ["model", "input"]
    );
    assert_eq!(
        wrong(json!({"url": url, "protocol": "chat", "images": 0})),
        ["model", "prompt", "images", "schema"]
    );
    assert_eq!(wrong(json!({"url": url, "no_such": 1})), ["no_such"]);
    let chat = json!({
        "protocol": "chat",
        "schema": {"type": "object", "properties": {"score": {"type": "string"}}},
    });
    let attributes = HttpInference.describe_with(&options(chat)).attributes;
    assert_eq!(
        attributes.iter().map(|a| a.name).collect::<Vec<_>>(),
        ["score"]
    );
}

/// A server that speaks TLS with a certificate that nobody vouches for.
fn tls_server(directory: &Directory) -> Option<(std::process::Child, u16)> {
    use std::process::{Command, Stdio};
    let (key, certificate) = (
        directory.path().join("key.pem"),
        directory.path().join("cert.pem"),
    );
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ])
        .args([
            "-keyout".as_ref(),
            key.as_os_str(),
            "-out".as_ref(),
            certificate.as_os_str(),
        ])
        .stderr(Stdio::null())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no openssl here (make setup-test)");
        return None;
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let server = Command::new("openssl")
        .args([
            "s_server",
            "-www",
            "-quiet",
            "-accept",
            &format!("127.0.0.1:{port}"),
        ])
        .args([
            "-key".as_ref(),
            key.as_os_str(),
            "-cert".as_ref(),
            certificate.as_os_str(),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..100 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Some((server, port))
}

#[test]
fn a_server_that_nobody_vouches_for_is_not_talked_to() {
    let directory = Directory::new("tls");
    let Some((mut server, port)) = tls_server(&directory) else {
        return;
    };
    let read = chat(&format!("https://127.0.0.1:{port}/v1"));
    let (operator, client) = built(&read);
    let message = scan_first(&*scanner_of(operator)).unwrap_err();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(message.to_lowercase().contains("certificate"), "{message}");
    assert_eq!(client.counters.read().received, 0);
}
