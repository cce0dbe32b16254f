//! A backlog of messages, as a broker that was away leaves behind: how soon it has gone out, each message
//! exactly once, against Kafka's own producer benchmark on the same broker, which promises less.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use matchcut_dataflow::run::meter::Meter;
use matchcut_dataflow::run::publish::{Publisher, Publishers};
use matchcut_kafka::{KafkaOptions, KafkaSink, prepare};
use matchcut_model::value::Name;
use matchcut_sinks::messages::{Message, Topic};
use matchcut_store::{EpochRecord, Posting, Store};

use crate::Error;
use crate::report::Section;
use crate::stats::Sample;

/// Messages of the backlog.
const MESSAGES: u64 = 50_000;

/// Messages of an epoch: what a chunk of 6 s says at a usual rate.
const OF_EPOCH: u64 = 50;

/// A broker on this machine.
struct Broker {
    address: String,
    /// It lives as long as this is open.
    started: Option<(Child, ChildStdin, tempfile::TempDir)>,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/kafka.sh")
}

impl Broker {
    fn ready() -> Result<Self, Error> {
        if let Ok(address) = std::env::var("MATCHCUT_KAFKA") {
            let started = None;
            return Ok(Broker { address, started });
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let dir = tempfile::tempdir()?;
        let mut child = Command::new(script())
            .args(["run", &port.to_string()])
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().ok_or("no stdin")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        if !line.starts_with("ready") {
            return Err("no Kafka broker could be started; try scripts/kafka.sh fetch".into());
        }
        Ok(Broker {
            address: format!("127.0.0.1:{port}"),
            started: Some((child, stdin, dir)),
        })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some((mut child, stdin, _dir)) = self.started.take() {
            drop(stdin);
            let _ = child.wait();
        }
    }
}

/// An observation, as a sink tells it.
fn message(number: u64) -> Message {
    let start = number as f64 / 5.0;
    let value = format!(
        "{{\"event\":\"bench\",\"program\":\"bench\",\"epoch\":{},\"change\":\"observed\",\"observation\":\
         {{\"operator\":\"view\",\"class\":\"featurer\",\"start\":{start:.3},\"end\":{start:.3},\"track\":null,\
         \"attributes\":{{\"view\":\"far\",\"share\":0.{:03}}},\"start_flicks\":{},\"end_flicks\":{},\
         \"pts\":{},\"timescale\":90000,\"frame\":{},\"timecode\":\"00:00:00:00\"}}}}",
        number / OF_EPOCH,
        number % 1000,
        number * 141_120_000,
        number * 141_120_000,
        number * 18_000,
        number * 5,
    );
    Message {
        topic: Topic::Observations,
        key: "bench".to_owned(),
        id: format!("bench/{}/{}", number / OF_EPOCH, number % OF_EPOCH),
        kind: "matchcut.observation.observed".to_owned(),
        subject: "view".to_owned(),
        value: Some(value),
    }
}

fn backlog(dir: &Path) -> Result<Store, Error> {
    let mut store = Store::create(dir, "bench")?;
    let kind: Arc<str> = "sink bench".into();
    for epoch in 0..MESSAGES / OF_EPOCH {
        let postings: Result<Vec<Posting>, Error> = (epoch * OF_EPOCH..(epoch + 1) * OF_EPOCH)
            .map(|number| Ok((Arc::clone(&kind), serde_json::to_string(&message(number))?)))
            .collect();
        store.commit(&EpochRecord {
            epoch,
            kind: "chunk",
            outbox: &postings?,
            ..EpochRecord::default()
        })?;
    }
    Ok(store)
}

/// Seconds until the backlog has arrived.
fn ours(broker: &Broker, prefix: String) -> Result<f64, Error> {
    let dir = tempfile::tempdir()?;
    let store = backlog(dir.path())?;
    let options = KafkaOptions {
        brokers: vec![broker.address.clone()],
        prefix,
        ..KafkaOptions::default()
    };
    prepare(&options)?;
    let sink = KafkaSink::new(options, ("bench", "bench"), "bench", &store.incarnation()?);
    let outbox = store.open_outbox("sink bench")?;
    let begun = Instant::now();
    let mut publishers = Publishers::default();
    publishers.add(Publisher::start(
        Name::new("bench"),
        outbox,
        Box::new(sink),
        &Meter::default(),
    )?);
    let mut news = Vec::new();
    let left = publishers.drain(&mut |told| news.push(told.clone()));
    if !left.is_empty() {
        return Err(format!("not everything arrived: {left:?} {news:?}").into());
    }
    Ok(begun.elapsed().as_secs_f64())
}

/// Messages a second of Kafka's own benchmark, with messages of the same size.
fn theirs(broker: &Broker, topic: &str) -> Result<f64, Error> {
    let size = message(MESSAGES / 2).value.map_or(0, |value| value.len());
    let output = Command::new(script())
        .args(["tool", "org.apache.kafka.tools.ProducerPerformance"])
        .args(["--topic", topic, "--num-records", &MESSAGES.to_string()])
        .args(["--record-size", &size.to_string(), "--throughput", "-1"])
        .arg("--producer-props")
        .arg(format!("bootstrap.servers={}", broker.address))
        .args(["acks=all", "compression.type=zstd"])
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().rev().find(|line| line.contains("records/sec"));
    let rate = last
        .and_then(|line| {
            line.split(',')
                .nth(1)?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .ok_or_else(|| format!("the benchmark said nothing: {text}"))?;
    Ok(rate)
}

/// Both in turn.
pub fn measure(pairs: usize) -> Result<Section, Error> {
    let broker = Broker::ready()?;
    let about = format!(
        "{MESSAGES} observations in the outbox of an event until a consumer of what was committed can read all \
         of them: transactions of up to 5000 with a record of how far they reach, and the outbox \
         emptied behind them. Against kafka-producer-perf-test with acks=all, messages of the same size and the same \
         compression, without transactions, on the same broker; {pairs} pairs in turn."
    );
    let head = ["", "messages a second"];
    let mut section = Section::new("A backlog into Kafka", about, &head);
    let (mut own, mut other, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..pairs {
        let prefix = format!("bench-{}-{pair}", std::process::id());
        let rate = MESSAGES as f64 / ours(&broker, prefix.clone())?;
        let peer = theirs(&broker, &format!("{prefix}.observations.v1"))?;
        eprintln!(
            "kafka, pair {}: {rate:.0} against {peer:.0} messages a second",
            pair + 1
        );
        own.push(rate);
        other.push(peer);
        ratios.push(rate / peer);
    }
    section.row([
        "matchcut, exactly once".to_owned(),
        format!("{:.0}", Sample::new(own).median()),
    ]);
    section.row([
        "kafka-producer-perf-test".to_owned(),
        format!("{:.0}", Sample::new(other).median()),
    ]);
    let ratios = Sample::new(ratios);
    let (least, most) = ratios.range();
    section.row([
        "ratio".to_owned(),
        format!("**{:.2}** ({least:.2} to {most:.2})", ratios.median()),
    ]);
    Ok(section)
}
