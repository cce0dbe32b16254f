//! A real Kafka broker for tests, and a consumer that sees what every consumer sees: what was committed.
//! `MATCHCUT_KAFKA=HOST:PORT` names a broker that is there already; else one is started, which ends
//! with the process that started it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value as Json;
use tempfile::TempDir;

use super::repository;

/// A broker.
pub struct Broker {
    pub address: String,
    /// One that was started here.
    own: Option<Own>,
}

struct Own {
    child: Child,
    /// The broker lives as long as this is open.
    _stdin: ChildStdin,
    port: u16,
    dir: TempDir,
}

/// The broker that tests share.
pub fn shared() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| match std::env::var("MATCHCUT_KAFKA") {
        Ok(address) => Broker { address, own: None },
        Err(_) => Broker::start(""),
    })
}

/// A prefix of topics that no other test has.
pub fn prefix(name: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    format!("{name}-{}-{number}", std::process::id())
}

/// The first of three ports that nobody listens to.
fn free_port() -> u16 {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if port < 65_000 && free(port + 1) && free(port + 2) {
            return port;
        }
    }
}

impl Broker {
    /// A broker of the test's own, with settings beside the usual ones. In them `PORT` is its port,
    /// `NEXT` the one of its controller, and `THIRD` one more that it may listen to.
    pub fn start(settings: &str) -> Broker {
        let (port, dir) = (
            free_port(),
            TempDir::with_prefix("matchcut-kafka-").unwrap(),
        );
        let settings = settings
            .replace("PORT", &port.to_string())
            .replace("NEXT", &(port + 1).to_string())
            .replace("THIRD", &(port + 2).to_string());
        fs::write(dir.path().join("more.properties"), settings).unwrap();
        let (child, stdin) = run(port, dir.path());
        Broker {
            address: format!("127.0.0.1:{port}"),
            own: Some(Own {
                child,
                _stdin: stdin,
                port,
                dir,
            }),
        }
    }

    /// The address behind `THIRD`.
    pub fn third(&self) -> String {
        let own = self.own.as_ref().expect("a broker of somebody else");
        format!("127.0.0.1:{}", own.port + 2)
    }

    /// Kills it as the operating system does.
    pub fn kill(&mut self) {
        let own = self.own.as_mut().expect("a broker of somebody else");
        let pid = fs::read_to_string(own.dir.path().join("pid")).unwrap();
        let status = Command::new("kill").args(["-9", pid.trim()]).status();
        assert!(status.unwrap().success());
        own.child.kill().unwrap();
        own.child.wait().unwrap();
    }

    /// Starts it again, with the data that it had.
    pub fn start_again(&mut self) {
        let own = self.own.as_mut().expect("a broker of somebody else");
        (own.child, own._stdin) = run(own.port, own.dir.path());
    }

    /// Everything that was committed to the topics of a prefix, topic by topic, in the order of each
    /// partition.
    pub fn read(&self, prefix: &str) -> BTreeMap<String, Vec<Record>> {
        let reader: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.address)
            .set("group.id", "tests")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let all = reader
            .fetch_metadata(None, Duration::from_secs(20))
            .unwrap();
        let mut from = TopicPartitionList::new();
        let mut open = 0;
        for topic in all.topics() {
            if topic.name().starts_with(&format!("{prefix}.")) {
                for partition in topic.partitions() {
                    from.add_partition_offset(topic.name(), partition.id(), Offset::Beginning)
                        .unwrap();
                    open += 1;
                }
            }
        }
        reader.assign(&from).unwrap();
        let mut topics: BTreeMap<String, Vec<Record>> = BTreeMap::new();
        let deadline = Instant::now() + Duration::from_secs(60);
        while open > 0 {
            assert!(
                Instant::now() < deadline,
                "reading the topics takes too long"
            );
            match reader.poll(Duration::from_millis(200)) {
                None => {}
                Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
                Some(Err(error)) => panic!("{error}"),
                Some(Ok(message)) => {
                    let name = message.topic()[prefix.len() + 1..].to_owned();
                    topics.entry(name).or_default().push(Record::of(&message));
                }
            }
        }
        topics
    }

    /// Waits until the topics are as wanted, and gives them.
    pub fn read_until(
        &self,
        prefix: &str,
        wanted: impl Fn(&BTreeMap<String, Vec<Record>>) -> bool,
    ) -> BTreeMap<String, Vec<Record>> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let topics = self.read(prefix);
            if wanted(&topics) {
                return topics;
            }
            assert!(Instant::now() < deadline, "never as wanted: {topics:#?}");
            thread::sleep(Duration::from_millis(200));
        }
    }
}

fn run(port: u16, dir: &Path) -> (Child, ChildStdin) {
    let mut child = Command::new(repository().join("scripts/kafka.sh"))
        .args(["run", &port.to_string()])
        .arg(dir)
        .env("KAFKA_PROPERTIES", dir.join("more.properties"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    assert!(
        line.starts_with("ready "),
        "no broker could be started (above is why): try scripts/kafka.sh fetch"
    );
    (child, stdin)
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(own) = &mut self.own {
            if let Ok(pid) = fs::read_to_string(own.dir.path().join("pid")) {
                let _ = Command::new("kill").args(["-9", pid.trim()]).status();
            }
            let _ = own.child.kill();
            let _ = own.child.wait();
        }
    }
}

/// A record as a consumer gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub key: String,
    pub headers: BTreeMap<String, String>,
    pub value: Option<Json>,
    pub partition: i32,
}

impl Record {
    fn of(message: &rdkafka::message::BorrowedMessage<'_>) -> Record {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let headers = message.headers().map(|headers| {
            let header = |header: rdkafka::message::Header<'_, &[u8]>| {
                (header.key.to_owned(), text(header.value.unwrap()))
            };
            headers.iter().map(header).collect()
        });
        Record {
            key: text(message.key().unwrap()),
            headers: headers.unwrap_or_default(),
            value: message
                .payload()
                .map(|bytes| serde_json::from_slice(bytes).unwrap()),
            partition: message.partition(),
        }
    }

    pub fn id(&self) -> &str {
        &self.headers["ce_id"]
    }

    pub fn kind(&self) -> &str {
        &self.headers["ce_type"]
    }

    /// A field of its value; null where it has none.
    pub fn get(&self, field: &str) -> &Json {
        static NULL: Json = Json::Null;
        let value = self.value.as_ref();
        value.and_then(|value| value.get(field)).unwrap_or(&NULL)
    }
}

/// What holds of each key: the last value, where there is one.
pub fn standing(records: &[Record]) -> BTreeMap<String, Json> {
    let mut standing = BTreeMap::new();
    for record in records {
        match &record.value {
            Some(value) => drop(standing.insert(record.key.clone(), value.clone())),
            None => drop(standing.remove(&record.key)),
        }
    }
    standing
}

impl Broker {
    /// Creates a topic and writes messages with a key to it, as somebody outside does.
    pub fn say(&self, topic: &str, key: &str, messages: &[&str]) {
        use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
        let there = self.topics().contains(topic);
        if !there {
            let status = Command::new(repository().join("scripts/kafka.sh"))
                .args(["tool", "org.apache.kafka.tools.TopicCommand"])
                .args(["--bootstrap-server", &self.address])
                .args(["--create", "--partitions", "2", "--topic", topic])
                .stdout(Stdio::null())
                .status();
            assert!(status.unwrap().success());
        }
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.address)
            .set("enable.idempotence", "true")
            .create()
            .unwrap();
        for message in messages {
            let record = BaseRecord::to(topic).key(key).payload(*message);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(Duration::from_secs(20)).unwrap();
    }

    fn topics(&self) -> std::collections::BTreeSet<String> {
        let reader: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.address)
            .create()
            .unwrap();
        let all = reader
            .fetch_metadata(None, Duration::from_secs(20))
            .unwrap();
        all.topics().iter().map(|t| t.name().to_owned()).collect()
    }
}
