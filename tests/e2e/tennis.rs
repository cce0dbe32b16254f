//! The recorded observations of a whole tennis match: its highlights, in about a second.

use std::time::Duration;

use serde_json::Value as Json;

use crate::support::{Work, document, files, lines, repository};

fn number(value: &Json) -> f64 {
    value.as_f64().unwrap()
}

#[test]
fn highlights_of_a_match_in_seconds() {
    let work = Work::new();
    let out = work.path("out");
    let done = work
        .matchcut_in(
            repository(),
            [
                "replay",
                "demo/usopen2019/highlights.toml",
                "--observations",
                "demo/usopen2019/observations.jsonl",
                "--format",
                "json",
                "--out",
                out.to_str().unwrap(),
            ],
        )
        .wait()
        .exits(0);
    // A debug build on a busy machine; a release build takes about a second.
    done.check(
        done.elapsed < Duration::from_secs(60),
        "slower than a minute",
    );

    let recorded = lines(&repository().join("demo/usopen2019/observations.jsonl"));
    let points: Vec<&Json> = recorded
        .iter()
        .filter(|line| line["attributes"]["point"] == true)
        .collect();
    let segments = lines(&out.join("segments.jsonl"));
    assert_eq!(points.len(), 267);
    assert_eq!(segments.len(), 267);
    for (number, (point, segment)) in points.iter().zip(&segments).enumerate() {
        assert_eq!(
            (&segment["start"], &segment["end"]),
            (&point["start"], &point["end"])
        );
        let label = segment["label"].as_str().unwrap();
        let rally = point["attributes"]["rally"].as_str().unwrap();
        assert!(
            label.starts_with(&format!("Point {} at ", number + 1)),
            "{label}"
        );
        assert!(label.contains(&format!("{rally} rally")), "{label}");
    }

    // Without room for all, the selection is the best by weight, the earlier first.
    let weight = |label: &str| match label {
        "epic" => 100.0,
        "very_long" => 60.0,
        "long" => 20.0,
        _ => 0.0,
    };
    let rallies = document(&out.join("replays/rallies/replay.json"));
    let selected = rallies["selected"].as_array().unwrap();
    let length = |entries: &[Json]| -> f64 {
        entries
            .iter()
            .map(|entry| number(&entry["end"]) - number(&entry["start"]))
            .sum()
    };
    assert!(
        (570.0..=630.0).contains(&length(selected)),
        "{} s",
        length(selected)
    );
    for entry in selected {
        let point = points
            .iter()
            .find(|point| point["start"] == entry["start"])
            .unwrap();
        let rally = point["attributes"]["rally"].as_str().unwrap();
        assert_eq!(number(&entry["score"]), weight(rally), "{entry}");
        assert!(weight(rally) > 0.0, "zero weights are disregarded: {entry}");
    }
    let least = selected
        .iter()
        .map(|entry| number(&entry["score"]))
        .fold(f64::MAX, f64::min);
    let chosen: f64 = length(selected);
    for left in rallies["left_out"].as_array().unwrap() {
        if left["score"].as_f64().is_some_and(|score| score > least) {
            let more = number(&left["end"]) - number(&left["start"]);
            assert!(
                chosen + more > 630.0 - 60.0,
                "a better one that fits was left out: {left}"
            );
        }
    }

    let story = document(&out.join("replays/story/replay.json"));
    let selected = story["selected"].as_array().unwrap();
    assert!(
        (570.0..=630.0).contains(&length(selected)),
        "{} s",
        length(selected)
    );
    let end = number(&points.last().unwrap()["end"]);
    for quarter in 0..4 {
        let (from, to) = (
            end * f64::from(quarter) / 4.0,
            end * f64::from(quarter + 1) / 4.0,
        );
        let inside = selected
            .iter()
            .filter(|entry| (from..to).contains(&number(&entry["start"])));
        assert!(
            inside.count() > 0,
            "nothing between {from} and {to}: {story}"
        );
    }

    let names = files(&out);
    for name in [
        "report.html",
        "exports/event.json",
        "replays/story/replay.json",
    ] {
        assert!(
            names.iter().any(|have| have == name),
            "{name} is missing: {names:?}"
        );
    }
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let work = Work::new();
    let run = |workers: &str| {
        let args = [
            "replay",
            "demo/usopen2019/highlights.toml",
            "--observations",
            "demo/usopen2019/observations.jsonl",
            "--format",
            "json",
            "-w",
            workers,
        ];
        work.matchcut_in(repository(), args).wait().exits(0).stdout
    };
    let one = run("1");
    assert!(one == run("4"));
}

#[test]
fn the_tests_of_the_shipped_specs_pass() {
    let work = Work::new();
    for (spec, summary) in [
        ("demo/demo.toml", "1 test: 1 passed, 0 failed\n"),
        (
            "demo/usopen2019/highlights.toml",
            "1 test: 1 passed, 0 failed\n",
        ),
        ("examples/commercials.toml", "2 tests: 2 passed, 0 failed\n"),
    ] {
        let done = work
            .matchcut_in(repository(), ["test", spec])
            .wait()
            .exits(0);
        done.check(done.stdout.ends_with(summary), "another summary");
    }
}
