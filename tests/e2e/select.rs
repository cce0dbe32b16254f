//! `matchcut select`: one replay request against recorded segments and observations.

use serde_json::{Value as Json, json};

use crate::support::Work;

const RECORDS: &str = r#"{"operator":"rally","class":"segmenter","start":0,"end":20}
{"operator":"P","class":"featurer","start":0,"attributes":{"A":true}}
{"operator":"rally","class":"segmenter","start":30,"end":50,"opto":{"1":[31,49]}}
{"operator":"P","class":"featurer","start":45,"attributes":{"B":true}}

{"operator":"rally","class":"segmenter","start":60,"end":80}
"#;

fn request(duration: f64) -> Json {
    json!({
        "DurationbasedSummarization": {"Duration": duration, "ToleranceMaxLimitInSecs": 0},
        "Priorities": {"Clips": [
            {"Name": "P | A | true", "AttribName": "A", "Weight": 90},
            {"Name": "P | B | true", "AttribName": "B", "Weight": 40}
        ]}
    })
}

fn work(records: &str, request: &Json) -> Work {
    let work = Work::new();
    work.write("o.jsonl", records);
    work.write("r.json", request.to_string());
    work
}

const SELECT: [&str; 5] = ["select", "--observations", "o.jsonl", "--request", "r.json"];

fn select(work: &Work, more: &[&str]) -> Json {
    let done = work.ok(SELECT.iter().chain(more));
    done.check(done.stdout.lines().count() == 1, "one document on one line");
    done.json()
}

#[test]
fn the_best_that_fit() {
    let work = work(RECORDS, &request(20.0));
    let best = json!({
        "processed": true,
        "selected": [{"start": 0.0, "end": 20.0, "score": 90}],
        "total_score": 90
    });
    assert_eq!(select(&work, &[]), best);
    assert_eq!(select(&work, &["--format", "json"]), best);
    assert_eq!(select(&work, &["--compat", "mre"]), best);
    let text = work.ok(SELECT.iter().chain(&["--format", "text"])).stdout;
    assert!(
        text.starts_with("1 selected, 20.000 s\n  0.000..20.000  90  "),
        "{text}"
    );
}

#[test]
fn nothing_new_is_not_processed() {
    let work = work(RECORDS, &request(20.0));
    let nothing = json!({"processed": false, "selected": [], "total_score": 0});
    assert_eq!(select(&work, &["--previous", "0.000"]), nothing);
    assert_eq!(select(&work, &["--previous", "0,30"])["processed"], true);
    assert_eq!(select(&work, &["--previous", ""])["processed"], true);
}

#[test]
fn feature_mode_without_a_match_is_processed_and_empty() {
    let wanted = json!({"ClipfeaturebasedSummarization": true, "Priorities": {"Clips": [
        {"Name": "P | C | true", "AttribName": "C", "Include": true}
    ]}});
    let nothing = json!({"processed": true, "selected": [], "total_score": 0});
    assert_eq!(select(&work(RECORDS, &wanted), &[]), nothing);
    let wanted = json!({"ClipfeaturebasedSummarization": true, "Priorities": {"Clips": [
        {"Name": "P | B | true", "AttribName": "B", "Include": true}
    ]}});
    let found = select(&work(RECORDS, &wanted), &[]);
    assert_eq!(found["processed"], true);
    assert_eq!(found["selected"].as_array().unwrap().len(), 1);
    // The original marks, not the optimized ones.
    assert_eq!(
        (&found["selected"][0]["start"], &found["selected"][0]["end"]),
        (&json!(30.0), &json!(50.0))
    );
}

#[test]
fn feedback_counts() {
    let mut body = request(20.0);
    body["IgnoreDislikedSegments"] = json!(true);
    let work = work(RECORDS, &body);
    let line = |word: &str| {
        format!("{{\"start\":0,\"track\":1,\"side\":\"original\",\"feedback\":\"{word}\"}}\n")
    };
    work.write("f.jsonl", line("dislike"));
    let without = select(&work, &["--feedback", "f.jsonl"]);
    let starts: Vec<&Json> = without["selected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["start"])
        .collect();
    assert!(!starts.contains(&&json!(0.0)), "{without}");
    work.write("f.jsonl", line("dislike") + &line("like"));
    let with = select(&work, &["--feedback", "f.jsonl"]);
    assert_eq!(with["selected"][0]["start"], 0.0);
}

#[test]
fn an_empty_recording() {
    let document = select(&work("", &request(20.0)), &[]);
    assert_eq!(document["selected"], json!([]));
    assert_eq!(document["processed"], false);
}

#[test]
fn bad_files_are_named_with_their_lines() {
    let work = work("\n{\"operator\":\"x\"}\n{]\n", &request(20.0));
    let done = work.fails(1, SELECT);
    done.says("o.jsonl:2: class: is missing")
        .says("o.jsonl:3: not JSON, column 2");
    done.check(done.stdout.is_empty(), "something is on stdout");
    work.write("o.jsonl", RECORDS);
    work.write("f.jsonl", "{\"start\":0}\n{\"start\":\"0\"}\n");
    work.fails(1, SELECT.iter().chain(&["--feedback", "f.jsonl"]))
        .says("f.jsonl:2: start: ");
    work.write("r.json", "{\n  \"AudioTrack\": 1,\n}");
    work.fails(1, SELECT).says("r.json:3:1: ");
    work.fails(
        1,
        [
            "select",
            "--observations",
            "o.jsonl",
            "--request",
            "nope.json",
        ],
    )
    .says("nope.json: No such file");
    work.fails(2, ["select", "--observations", "o.jsonl"])
        .says("--request");
}

#[test]
fn one_of_several_segmenters_is_named() {
    let more = "{\"operator\":\"other\",\"class\":\"segmenter\",\"start\":5,\"end\":25}\n";
    let work = work(&(RECORDS.to_owned() + more), &request(20.0));
    work.fails(2, SELECT)
        .says("segments of \"other\", \"rally\"")
        .says("--segmenter NAME");
    let chosen = select(&work, &["--segmenter", "rally"]);
    assert_eq!(chosen["selected"][0]["start"], 0.0);
    work.fails(2, SELECT.iter().chain(&["--segmenter", "third"]))
        .says("third");
}

#[test]
fn files_that_a_run_wrote_are_taken_as_they_are() {
    let demo = crate::demo::demo();
    let path = |name: &str| demo.dir.join(name).display().to_string();
    let body = json!({
        "DurationbasedSummarization": {"Duration": 60, "ToleranceMaxLimitInSecs": 10},
        "Priorities": {"Clips": [
            {"Name": "cheers | peak | true", "PluginName": "cheers", "AttribName": "peak",
             "AttribValue": true, "Weight": 60},
            {"Name": "roars | peak | true", "PluginName": "roars", "AttribName": "peak",
             "AttribValue": true, "Weight": 30},
            {"Name": "cuts | hard_cut | true", "PluginName": "cuts", "AttribName": "hard_cut",
             "AttribValue": true, "Weight": 10}
        ]}
    });
    let work = work("", &body);
    let document = work
        .ok([
            "select",
            "--observations",
            &path("observations.jsonl"),
            "--observations",
            &path("segments.jsonl"),
            "--request",
            "r.json",
            "--segmenter",
            "rally",
        ])
        .json();
    // The same request stands in the spec as the replay "best".
    let best = crate::support::document(&demo.dir.join("replays/best/replay.json"));
    let brief = |entry: &Json| {
        (
            entry["start"].clone(),
            entry["end"].clone(),
            entry["score"].clone(),
        )
    };
    let of = |document: &Json| -> Vec<_> {
        document["selected"]
            .as_array()
            .unwrap()
            .iter()
            .map(brief)
            .collect()
    };
    assert_eq!(of(&document), of(&best));
    assert_eq!(document["total_score"], best["total_score"]);
}
