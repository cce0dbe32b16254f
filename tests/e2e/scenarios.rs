//! Scenarios that people of the trade can read and write, in `tests/scenarios`: given a spec and
//! what was observed, expected segments and replays. Each runs through `matchcut replay`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::support::{Work, repository};

/// A scenario. A segment is written `SEGMENTER START - END`, then the marks of each track, then
/// its label; a segment of a replay `START - END`, with the marks when they differ, then its score.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// What it shows.
    about: String,
    /// The pipeline.
    spec: String,
    /// JSON lines.
    observations: String,
    /// JSON lines.
    #[serde(default)]
    feedback: String,
    /// End of the event in seconds.
    end: f64,
    segments: Vec<String>,
    replays: BTreeMap<String, Vec<String>>,
}

fn number(value: &Json) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("not a number: {value}"))
}

fn segment(line: &Json) -> String {
    let end = line["end"]
        .as_f64()
        .map_or("open".to_owned(), |end| end.to_string());
    let mut text = format!(
        "{} {} - {end}",
        line["operator"].as_str().unwrap(),
        line["start"]
    );
    text = text.replace(".0 ", " ");
    for (track, marks) in line["opto"].as_object().unwrap() {
        let _ = write!(
            text,
            " | track {track}: {} - {}",
            number(&marks[0]),
            number(&marks[1])
        );
    }
    if let Some(label) = line["label"].as_str() {
        let _ = write!(text, " | {label}");
    }
    text
}

fn choice(entry: &Json) -> String {
    let (start, end) = (number(&entry["start"]), number(&entry["end"]));
    let mut text = format!("{start} - {end}");
    let marks = &entry["marks"];
    if (number(&marks[0]), number(&marks[1])) != (start, end) {
        let _ = write!(text, " | {} - {}", number(&marks[0]), number(&marks[1]));
    }
    match entry["score"].as_f64() {
        Some(score) => text + &format!(" | score {score}"),
        None => text + " | no score",
    }
}

fn run(name: &str, scenario: &Scenario) -> Result<(), String> {
    let work = Work::new();
    work.write("spec.toml", &scenario.spec);
    work.write("observations.jsonl", &scenario.observations);
    work.write("feedback.jsonl", &scenario.feedback);
    let end = scenario.end.to_string();
    for workers in ["1", "2", "4"] {
        let done = work.ok([
            "replay",
            "spec.toml",
            "--observations",
            "observations.jsonl",
            "--feedback",
            "feedback.jsonl",
            "--end",
            &end,
            "--format",
            "json",
            "-w",
            workers,
        ]);
        let got = done.json();
        let segments: Vec<String> = got["segments"]
            .as_array()
            .unwrap()
            .iter()
            .map(segment)
            .collect();
        let replays: BTreeMap<String, Vec<String>> = got["replays"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, replay)| {
                let entries = replay["selected"].as_array().unwrap().iter();
                (name.clone(), entries.map(choice).collect())
            })
            .collect();
        if (&segments, &replays) != (&scenario.segments, &scenario.replays) {
            return Err(format!(
                "{name}: {}\nwith {workers} workers\nexpected {:#?}\n{:#?}\ngot {segments:#?}\n\
                 {replays:#?}\n",
                scenario.about.trim(),
                scenario.segments,
                scenario.replays
            ));
        }
    }
    Ok(())
}

#[test]
fn every_scenario_comes_out_as_written() {
    let mut wrong = String::new();
    let mut number = 0;
    let entries = fs::read_dir(repository().join("tests/scenarios")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
    {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(path).unwrap();
        let scenario: Scenario =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        number += 1;
        if let Err(said) = run(&name, &scenario) {
            wrong += &said;
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(number >= 8, "{number} scenarios");
}
