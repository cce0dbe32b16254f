//! A news programme whose speech is tones: transcribed, divided into stories, judged and named by servers on
//! the loopback interface that really listen and read.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;

use crate::support::media::tool;
use crate::support::{Work, document, lines, repository, same_text};

/// A server of `tests/servers`; it ends with its input.
struct Served {
    child: Child,
    url: String,
}

impl Served {
    fn start(name: &str) -> Served {
        let mut child = Command::new("python3")
            .arg(repository().join("tests/servers").join(name))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut port).unwrap();
        let url = format!("http://127.0.0.1:{}/v1", port.trim());
        Served { child, url }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Phrases of one tone: 1.5 s, and as much quiet behind each.
const PHRASES: [(u32, usize); 3] = [(400, 4), (1000, 3), (700, 4)];

/// The programme as HLS in chunks of 4 s; how long it is.
fn programme(work: &Work) -> f64 {
    let mut sound = "0".to_owned();
    let mut at = 0.5;
    for (tone, times) in PHRASES {
        for _ in 0..times {
            let until = at + 1.5;
            let _ = write!(sound, "+between(t\\,{at}\\,{until})*0.5*sin(2*PI*{tone}*t)");
            at += 3.0;
        }
    }
    let sound = format!("aevalsrc={sound}:s=48000:d={at}");
    let picture = format!("testsrc2=s=160x90:r=25:d={at}");
    let playlist = work.path("news/index.m3u8");
    std::fs::create_dir_all(work.path("news")).unwrap();
    let arguments = "-c:v libx264 -preset ultrafast -g 25 -c:a aac -b:a 96k -f hls -hls_time 4 -hls_list_size 0 -y";
    let inputs = ["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound];
    let playlist = playlist.to_str().unwrap();
    tool(
        "ffmpeg",
        inputs
            .into_iter()
            .chain(arguments.split(' '))
            .chain([playlist]),
    );
    at
}

fn spec(speech: &str, desk: &str) -> String {
    let desk = format!("url = \"{desk}\"\nmodel = \"desk-of-tests\"\nretries = 0");
    format!(
        r#"
[pipeline]
name = "news"
max_segment = "60s"

[sources.tv]
type = "hls"
uri = "news/index.m3u8"

[operators.speech]
type = "transcribe"
inputs = ["tv.audio"]
url = "{speech}"
model = "tones-of-tests"
language = "en"
retries = 0

[operators.feeling]
type = "text_by_prompt"
inputs = ["speech"]
answer = {{ sentiment = ["positive", "neutral"] }}
{desk}

[operators.stories]
type = "segment_by_prompt"
inputs = ["speech"]
every = "6s"
window = "12s"
min_segment = "3s"
{desk}

[operators.name]
type = "label_by_prompt"
inputs = ["stories", "speech"]
{desk}

[replays.good]
inputs = ["name"]
duration = "9s"
tolerance = "2s"
disregard_zero_weight = true
weights = {{ "feeling.sentiment=positive" = 10 }}
"#
    )
}

/// Start, end and label of what there is.
fn stories(segments: &[Json]) -> Vec<(f64, f64, String)> {
    let second = |json: &Json| json.as_f64().unwrap();
    segments
        .iter()
        .map(|line| {
            let label = line["label"].as_str().unwrap_or_default().to_owned();
            (second(&line["start"]), second(&line["end"]), label)
        })
        .collect()
}

#[test]
fn stories_are_told_apart_named_and_chosen() {
    let work = Work::new();
    let length = programme(&work);
    let (speech, desk) = (Served::start("transcribe.py"), Served::start("desk.py"));
    work.write("news.toml", spec(&speech.url, &desk.url));
    work.ok(["validate", "news.toml"]);
    work.ok(["run", "news.toml", "--out", "out", "--clips", "none"]);

    let heard: Vec<String> = lines(&work.path("out/observations.jsonl"))
        .iter()
        .filter(|line| line["operator"] == "speech")
        .map(|line| line["attributes"]["text"].as_str().unwrap().to_owned())
        .collect();
    let said = PHRASES
        .iter()
        .flat_map(|(tone, times)| vec![format!("{tone} Hz"); *times]);
    assert_eq!(heard, said.collect::<Vec<String>>());

    // A story begins 0.1 s before its first phrase and ends 0.1 s behind its last.
    let found = stories(&lines(&work.path("out/segments.jsonl")));
    let expected = [
        (0.4, 11.1, "400 Hz, 4 times"),
        (12.4, 20.1, "1000 Hz, 3 times"),
        (21.4, 32.1, "700 Hz, 4 times"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((start, end, label), (from, to, name)) in found.iter().zip(expected) {
        assert!(
            (start - from).abs() < 0.1 && (end - to).abs() < 0.1,
            "{start} {end}"
        );
        assert_eq!(label, name);
    }
    assert!(length > 32.1);
    let replay = document(&work.path("out/replays/good/replay.json"));
    let chosen = replay["selected"].as_array().unwrap();
    assert_eq!(chosen.len(), 1, "{replay}");

    // Provisional stories were told and taken back while the programme went on.
    let changes = lines(&work.path("out/changes.jsonl"));
    let back = changes
        .iter()
        .filter(|line| line["kind"] == "segment" && line["diff"] == -1);
    assert!(back.count() >= 3);

    // Two workers come to the same, and a finished run asks nobody again.
    work.ok([
        "run",
        "news.toml",
        "--out",
        "two",
        "--clips",
        "none",
        "-w",
        "2",
    ]);
    drop((speech, desk));
    work.ok([
        "run",
        "news.toml",
        "--out",
        "out",
        "--clips",
        "none",
        "--resume",
    ]);
    for file in ["observations.jsonl", "segments.jsonl", "changes.jsonl"] {
        let read = |dir: &str| std::fs::read(work.path(dir).join(file)).unwrap();
        same_text(file, &read("out"), &read("two"));
    }
}

#[test]
fn a_model_that_is_not_there_costs_what_it_would_have_said() {
    let work = Work::new();
    programme(&work);
    let speech = Served::start("transcribe.py");
    // Nobody listens where the desk was.
    let desk = Served::start("desk.py").url.clone();
    work.write("news.toml", spec(&speech.url, &desk));
    let done = work.ok(["run", "news.toml", "--out", "out", "--clips", "none"]);
    done.says("feeling");
    let observed = lines(&work.path("out/observations.jsonl"));
    assert_eq!(observed.len(), 11);
    assert!(lines(&work.path("out/segments.jsonl")).is_empty());
    let errors = lines(&work.path("out/log.jsonl"));
    let told = |operator: &str| {
        errors
            .iter()
            .any(|line| line["kind"] == "error" && line["value"]["operator"] == operator)
    };
    assert!(told("feeling") && told("stories"), "{errors:?}");
}
