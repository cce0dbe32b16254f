//! What a run counts is what it did, and every source, operator and sink is counted.

use std::fs;

use matchcut_dataflow::run::meter::{Kind, METRICS};

use crate::support::metrics::Page;
use crate::support::stream::{CHUNKS, DATED, FRAMES, chunks, copy};
use crate::support::{Work, lines};

const COUNTED: [&str; 6] = [
    "run",
    "shots.toml",
    "--out",
    "out",
    "--metrics-file",
    "matchcut.prom",
];

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

fn changes(work: &Work, kind: &str, diff: i64) -> f64 {
    let all = lines(&work.path("out/changes.jsonl"));
    let these = all
        .iter()
        .filter(|line| line["kind"] == kind && line["diff"] == diff);
    number(these.count())
}

#[test]
fn what_is_counted_is_what_was_done() {
    let work = copy(DATED);
    work.ok(COUNTED);
    let page = Page::read(&work.path("matchcut.prom"));
    let sum = |name: &str, labels: &[&str]| page.sum(name, labels);
    let chunks = number(CHUNKS.len());

    let of_source = [r#"source="tv""#, r#"outcome="placed""#];
    assert_eq!(sum("matchcut_chunks_total", &of_source), chunks);
    let bytes: u64 = CHUNKS
        .iter()
        .map(|chunk| fs::metadata(work.path(chunk)).unwrap().len())
        .sum();
    let counted = sum("matchcut_chunk_bytes_total", &[]);
    assert_eq!(counted, number(usize::try_from(bytes).unwrap()));
    assert_eq!(
        sum("matchcut_frames_total", &[]),
        number(usize::try_from(FRAMES).unwrap())
    );
    assert_eq!(sum("matchcut_decode_seconds_count", &[]), chunks);
    for operator in ["cuts", "quiet"] {
        let name = format!("operator=\"{operator}\"");
        let scans = sum(
            "matchcut_operator_seconds_count",
            &[&name, r#"part="scan""#],
        );
        assert_eq!(scans, chunks, "{operator}");
        let observations = lines(&work.path("out/observations.jsonl"));
        let mine = observations
            .iter()
            .filter(|line| line["operator"] == operator);
        let counted = sum("matchcut_observations_total", &[&name]);
        assert_eq!(counted, number(mine.count()), "{operator}");
    }
    for operator in ["cuts", "quiet", "shot", "gap"] {
        let name = format!("operator=\"{operator}\"");
        let steps = sum(
            "matchcut_operator_seconds_count",
            &[&name, r#"part="step""#],
        );
        // One for each chunk, and one at the end.
        assert!(steps > chunks, "{operator}: {steps}");
    }
    for kind in ["segment", "clip"] {
        let name = format!("kind=\"{kind}\"");
        for (diff, label) in [(1, r#"diff="1""#), (-1, r#"diff="-1""#)] {
            let counted = sum("matchcut_changes_total", &[&name, label]);
            assert_eq!(counted, changes(&work, kind, diff), "{kind} {diff}");
        }
    }
    let segments = lines(&work.path("out/segments.jsonl"));
    for segmenter in ["shot", "gap"] {
        let mine = segments.iter().filter(|line| line["operator"] == segmenter);
        let name = format!("segmenter=\"{segmenter}\"");
        assert_eq!(
            sum("matchcut_segments", &[&name]),
            number(mine.count()),
            "{segmenter}"
        );
    }
    let replay = crate::support::document(&work.path("out/replays/all/replay.json"));
    let played = replay["selected"].as_array().unwrap().len();
    assert_eq!(
        sum("matchcut_replay_segments", &[r#"replay="all""#]),
        number(played)
    );
    let made = sum("matchcut_clips_total", &[r#"outcome="made""#]);
    assert!(made >= number(segments.len()), "{made}");
    assert_eq!(
        sum("matchcut_stage_seconds_count", &[r#"stage="committed""#]),
        chunks
    );
    assert_eq!(sum("matchcut_epochs_in_flight", &[]), 0.0);
    assert_eq!(sum("matchcut_event_seconds", &[]), 12.0);
}

#[test]
fn everything_that_is_counted_is_explained_and_belongs_to_the_event() {
    let mut work = copy(DATED);
    work.set_env("RUST_LOG", "error");
    // A chunk is missing, and a sink cannot be reached.
    fs::remove_file(work.path(CHUNKS[3])).unwrap();
    let spec = fs::read_to_string(work.path("shots.toml")).unwrap();
    let sink = "\n[sinks.away]\ntype = \"kafka\"\ninputs = [\"shot\"]\nbrokers = [\"127.0.0.1:9\"]\n\
                prefix = \"x\"\ndrain = \"1s\"\n";
    work.write("shots.toml", format!("{spec}{sink}"));
    work.fails(1, COUNTED);
    let page = Page::read(&work.path("matchcut.prom"));
    for metric in METRICS {
        assert!(
            page.explains(metric.name),
            "{}\n{}",
            metric.name,
            page.text()
        );
        let name = match metric.kind {
            Kind::Histogram => format!("{}_count", metric.name),
            Kind::Counter | Kind::Gauge => metric.name.to_owned(),
        };
        let labels = page.series(&name).map(|(labels, _)| labels);
        for labels in labels.inspect(|labels| assert!(labels.contains("event=\"shots\""))) {
            for label in metric.labels {
                assert!(
                    labels.contains(&format!("{label}=\"")),
                    "{name}{{{labels}}}"
                );
            }
        }
        assert!(
            page.series(&name).next().is_some(),
            "{name} was never counted"
        );
    }
    assert_eq!(
        page.sum("matchcut_chunks_total", &[r#"outcome="missing""#]),
        1.0
    );
    assert!(page.sum("matchcut_failures_total", &[r#"operator="""#]) >= 1.0);
    let away = [r#"sink="away""#];
    assert_eq!(page.sum("matchcut_sink_up", &away), 0.0);
    assert!(page.sum("matchcut_sink_errors_total", &away) >= 1.0);
    assert!(page.sum("matchcut_outbox_rows", &away) > 5.0);
    assert!(
        page.explains("process_cpu_seconds_total"),
        "{}",
        page.text()
    );
}

#[test]
fn where_nobody_can_listen_nothing_is_run() {
    let work = copy(DATED);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let done = work.fails(
        2,
        ["run", "shots.toml", "--out", "out", "--metrics", &address],
    );
    done.says(&format!("metrics cannot be shown at {address}"));
    assert!(!work.path("out").exists());
    assert!(chunks().is_dir());
}
