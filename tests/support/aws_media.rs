//! MediaLive and Kinesis Video: moto with a double of what it lacks, whose requests and answers botocore checks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value as Json;

use super::python::python;
use super::s3::with_aws;
use super::{Work, repository};

/// The services; they end with it.
pub struct Services {
    /// Where.
    pub endpoint: String,
    /// The id of a channel of MediaLive with an output of somebody else.
    pub channel: String,
    /// The ARN of the stream `court` of Kinesis Video.
    pub arn: String,
    child: Child,
    _stdin: ChildStdin,
}

impl Services {
    /// Starts them; the fragments of the stream are files of `media`. `None`, with a word said, where there is
    /// no moto; in CI that is a failure.
    pub fn start(media: &Path) -> Option<Services> {
        let mut child = Command::new(python("moto, boto3, werkzeug")?)
            .arg(repository().join("tests/servers/aws_media.py"))
            .arg(media)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env_remove("AWS_ENDPOINT_URL")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let said: Json = serde_json::from_str(&line).unwrap_or_else(|_| panic!("it says {line:?}"));
        let text = |key: &str| said[key].as_str().unwrap().to_owned();
        Some(Services {
            endpoint: text("endpoint"),
            channel: text("channel"),
            arn: text("arn"),
            child,
            _stdin: stdin,
        })
    }

    fn http(&self, method: &str, path: &str, body: &str) -> Json {
        let host = self.endpoint.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200"),
            "{method} {path}: {answer}"
        );
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }

    /// Gives an order to the double.
    pub fn order(&self, order: Json) {
        self.http("POST", "/_tests", &order.to_string());
    }

    /// The operations that the program has asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        let asked = self.http("GET", "/_tests", "");
        let all = asked.as_array().unwrap().iter();
        all.map(|one| one.as_str().unwrap().to_owned()).collect()
    }

    /// The channel, with names as the model has them.
    pub fn channel(&self) -> Json {
        self.http("GET", &format!("/_channel/{}", self.channel), "")
    }

    /// Lets the runs of `work` find them.
    pub fn with_keys(&self, work: &mut Work) {
        with_aws(work);
        for service in ["MEDIALIVE", "KINESIS_VIDEO"] {
            let name = format!("AWS_ENDPOINT_URL_{service}");
            work.set_env(&name, self.endpoint.as_str());
        }
    }
}

/// How many of the requests were refused.
pub fn refused(asked: &[String]) -> usize {
    let refused = |asked: &&String| asked.starts_with("refused");
    asked.iter().filter(refused).count()
}

impl Drop for Services {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
