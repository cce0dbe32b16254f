//! `matchcut serve` while events run: how long readers wait at a steady rate of requests, with nothing to do, with many
//! live events, and with events whose video takes all that the machine has.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::Error;
use crate::material::{Low, Material};
use crate::media_list::{self, Listed};
use crate::replay::program;
use crate::report::Section;
use crate::stats::Sample;

/// Requests a second.
const RATE: u64 = 1000;

/// How long they are sent.
const SECONDS: u64 = 10;

/// Live events with recorded observations.
const EVENTS: usize = 50;

/// Events with video.
const VIDEOS: usize = 2;

/// How often the source of live events has a new chunk: they are played faster than they were recorded.
const STEP: Duration = Duration::from_secs(2);

/// How much longer the slowest hundredth of readers may wait with live events than with nothing to do.
const WITH_EVENTS: f64 = 3.0;

/// The same with video.
const WITH_VIDEO: f64 = 10.0;

/// The pipeline of live events: what a feed of scores says of a match.
const SPEC: &str = include_str!("../service.toml");

const ANNOTATED: &str = include_str!("../../demo/usopen2019/observations.jsonl");

/// A service with nothing in it.
struct Service {
    child: Child,
    url: String,
    _data: tempfile::TempDir,
}

impl Service {
    fn start() -> Result<Service, Error> {
        let data = tempfile::tempdir()?;
        let mut child = Command::new(program()?)
            .args(["serve", "--listen", "127.0.0.1:0", "--insecure-loopback"])
            .args(["--max-events", "100", "--data"])
            .arg(data.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("matchcut is ready at ");
        let address = address.ok_or("the service is not ready")?;
        Ok(Service {
            url: format!("{address}api/v1"),
            child,
            _data: data,
        })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A playlist that gets a chunk more from time to time.
struct Live {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    playing: Option<JoinHandle<()>>,
}

impl Live {
    fn start(low: &Path) -> Result<Live, Error> {
        let dir = low.parent().ok_or("the material has no directory")?;
        let list = media_list::parse(&fs::read_to_string(low)?);
        let path = dir.join("live.m3u8");
        show(&path, &list.chunks, 2)?;
        let stop = Arc::<AtomicBool>::default();
        let (stopped, shown) = (Arc::clone(&stop), path.clone());
        let playing = thread::spawn(move || {
            let begun = Instant::now();
            let mut number = 2;
            while !stopped.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(50));
                let due = 2 + (begun.elapsed().as_millis() / STEP.as_millis()) as usize;
                if due > number {
                    number = due;
                    // A reader that finds none reads again.
                    let _ = show(&shown, &list.chunks, number);
                }
            }
        });
        Ok(Live {
            path,
            stop,
            playing: Some(playing),
        })
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(playing) = self.playing.take() {
            let _ = playing.join();
        }
        let _ = fs::remove_file(&self.path);
    }
}

fn show(path: &Path, chunks: &[Listed], number: usize) -> Result<(), Error> {
    let target = Duration::from_secs(6);
    let text = media_list::write(chunks.iter().take(number), target, false);
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    Ok(fs::rename(new, path)?)
}

/// What people and feeds say of the match: each point as an observation, and as a segment.
fn said() -> Result<String, Error> {
    let mut said = String::new();
    for line in ANNOTATED.lines() {
        let observation: Value = serde_json::from_str(line)?;
        if observation["operator"] == "points" {
            let segment = json!({
                "class": "segmenter",
                "operator": "point",
                "start": observation["start"],
                "end": observation["end"],
            });
            writeln!(said, "{line}\n{segment}")?;
        }
    }
    Ok(said)
}

/// What readers saw.
struct Waited {
    times: Sample,
    failed: usize,
    /// Requests a second that were really sent.
    rate: f64,
}

impl Waited {
    fn row(&self, what: &str) -> Vec<String> {
        let ms = |share: f64| format!("{:.2}", self.times.quantile(share));
        vec![
            what.to_owned(),
            format!("{:.0}", self.rate),
            ms(0.5),
            ms(0.99),
            ms(1.0),
            self.failed.to_string(),
        ]
    }
}

/// Reads what `ids` come to, at the rate, whether or not answers come.
async fn read(client: &Client, url: &str, ids: &[String]) -> Waited {
    let mut asked = JoinSet::new();
    let begun = tokio::time::Instant::now();
    for number in 0..RATE * SECONDS {
        let due = begun + Duration::from_micros(number * 1_000_000 / RATE);
        tokio::time::sleep_until(due).await;
        let id = &ids[number as usize / 4 % ids.len()];
        let path = match number % 4 {
            0 => format!("{url}/events/{id}"),
            1 => format!("{url}/events/{id}/segments"),
            2 => format!("{url}/events/{id}/replays/best"),
            _ => format!("{url}/events?limit=20"),
        };
        let request = client.get(path);
        asked.spawn(async move {
            let sent = Instant::now();
            let answer = request.send().await.ok()?.error_for_status().ok()?;
            answer.bytes().await.ok()?;
            Some(sent.elapsed())
        });
    }
    let took = begun.elapsed().as_secs_f64();
    let answers = asked.join_all().await;
    let times: Vec<Duration> = answers.iter().copied().flatten().collect();
    Waited {
        failed: answers.len() - times.len(),
        times: Sample::of_times(&times),
        rate: (RATE * SECONDS) as f64 / took,
    }
}

async fn begin(client: &Client, url: &str, id: &str, spec: &str) -> Result<(), Error> {
    let body = json!({ "id": id, "spec": spec }).to_string();
    let request = client.post(format!("{url}/events"));
    let request = request.header("content-type", "application/json");
    let answer = request.body(body).send().await?;
    match answer.status().is_success() {
        true => Ok(()),
        false => Err(format!("{id} cannot be run: {}", answer.text().await?).into()),
    }
}

async fn say(client: &Client, url: &str, id: &str, lines: String) -> Result<(), Error> {
    let to = format!("{url}/events/{id}/feedback");
    client
        .post(to)
        .body(lines)
        .send()
        .await?
        .error_for_status()?;
    Ok(())
}

/// Waits until an event is as wanted.
async fn until(
    client: &Client,
    url: &str,
    id: &str,
    seen: impl Fn(&Value) -> bool,
) -> Result<(), Error> {
    let begun = Instant::now();
    loop {
        let answer = client.get(format!("{url}/events/{id}")).send().await?;
        let told: Value = serde_json::from_slice(&answer.bytes().await?)?;
        if seen(&told) {
            return Ok(());
        }
        if begun.elapsed() > Duration::from_secs(120) || told["state"] == "failed" {
            return Err(format!("{told} is not what was waited for").into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A spec that reads another playlist.
fn of(spec: &str, playlist: &Path) -> String {
    spec.replace("index.m3u8", &playlist.display().to_string())
}

async fn phases(low: &Path, video: &Path, service: &Service) -> Result<Vec<Waited>, Error> {
    let (client, url) = (Client::new(), service.url.as_str());
    let points = said()?;
    let segments = points.lines().count() as u64 / 2;
    let has_all = |told: &Value| told["counts"]["segments"].as_u64() >= Some(segments);
    let live = Live::start(low)?;
    // Something to read: an event that is over.
    begin(&client, url, "over", &of(SPEC, &live.path)).await?;
    say(&client, url, "over", points.clone()).await?;
    until(&client, url, "over", has_all).await?;
    client
        .post(format!("{url}/events/over/end"))
        .send()
        .await?
        .error_for_status()?;
    until(&client, url, "over", |told| told["state"] == "complete").await?;
    let over = ["over".to_owned()];
    // Once to warm up.
    read(&client, url, &over).await;
    let idle = read(&client, url, &over).await;

    let ids: Vec<String> = (0..EVENTS).map(|number| format!("court{number}")).collect();
    for id in &ids {
        begin(&client, url, id, &of(SPEC, &live.path)).await?;
        say(&client, url, id, points.clone()).await?;
    }
    for id in &ids {
        until(&client, url, id, has_all).await?;
    }
    // Each event has something new every second, by the way of its feed.
    let (news, to, courts) = (client.clone(), url.to_owned(), ids.clone());
    let telling = tokio::spawn(async move {
        for number in 0_u64.. {
            let id = &courts[number as usize % courts.len()];
            let start = 20_000.0 + number as f64;
            let line = json!({
                "class": "featurer", "operator": "points", "start": start,
                "attributes": { "point": true, "rally": "long" },
            });
            let _ = say(&news, &to, id, line.to_string()).await;
            tokio::time::sleep(Duration::from_millis(1000 / EVENTS as u64)).await;
        }
    });
    // Once to warm up here, too: fifty events have just begun.
    read(&client, url, &ids).await;
    let many = read(&client, url, &ids).await;

    for number in 0..VIDEOS {
        let id = format!("video{number}");
        begin(
            &client,
            url,
            &id,
            &of(include_str!("../analysis.toml"), video),
        )
        .await?;
        until(&client, url, &id, |told| told["epoch"].as_u64() >= Some(1)).await?;
    }
    let with_video = read(&client, url, &ids).await;
    telling.abort();
    Ok(vec![idle, many, with_video])
}

/// Reads the API of a service in all its states.
pub fn measure(out: &Path) -> Result<Section, Error> {
    let low = Low::ready(out)?.playlist(5)?;
    let video = Material::ready(out)?.again_and_again(10)?;
    let service = Service::start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let waited = runtime.block_on(phases(&low, &video, &service))?;
    let [idle, many, with_video] = waited.as_slice() else {
        return Err("not all was measured".into());
    };
    let about = format!(
        "{RATE} requests a second for {SECONDS} s, as they come due and not as they are answered: an event, its \
         segments ({} KiB), a replay, a list of events. Live events have a new chunk every {} s and \
         an observation a second; those with video read 1080p as fast as they can, with every operator of `analysis`, \
         and cut clips. Times of answers in milliseconds.",
        said()?.len() / 1024,
        STEP.as_secs(),
    );
    let head = ["with", "requests/s", "p50", "p99", "longest", "failed"];
    let mut section = Section::new("Service", about, &head);
    section.row(idle.row("no event"));
    section.row(many.row(&format!("{EVENTS} live events")));
    section.row(with_video.row(&format!("{EVENTS} live events, {VIDEOS} with video")));
    let failed: usize = waited.iter().map(|waited| waited.failed).sum();
    section.verdict(format!("{failed} requests failed; none may"), failed == 0);
    let base = idle.times.quantile(0.99);
    for (waited, what, limit) in [
        (many, "live events", WITH_EVENTS),
        (with_video, "video", WITH_VIDEO),
    ] {
        let ratio = waited.times.quantile(0.99) / base;
        section.verdict(
            format!("p99 with {what} is {ratio:.1} times that without; at most {limit} allowed"),
            ratio <= limit,
        );
    }
    Ok(section)
}
