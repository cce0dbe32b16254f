//! The directory of results as a whole: what is in it, that it is the same every time, that it reads
//! back, and that nobody's files are lost.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{HOSTILE, Size, millis, rate, sample};
use matchcut_model::change::{Change, EpochChanges, Row};
use matchcut_model::chunk::Epoch;
use matchcut_model::lines::{Record, Recording, read_records};
use matchcut_model::segment::Segment;
use matchcut_model::timeline::EventTimeline;
use matchcut_sinks::{EventInfo, FileSink, SinkError};
use serde_json::{Value as Json, json};

fn size() -> Size {
    Size {
        rate: rate(25, 1),
        chunks: 30,
        segments: 12,
        hostile: true,
    }
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, dir: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let name = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(dir, dir, &mut found);
    found
}

fn json(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Json {
    serde_json::from_slice(&files[name]).unwrap()
}

#[test]
fn equal_results_give_equal_bytes_wherever_they_lie() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let deep = other.path().join("made/on the way");
    let written = sample(&size()).write(one.path());
    let mut shuffled = sample(&size());
    shuffled
        .epochs
        .iter_mut()
        .for_each(|epoch| epoch.changes.reverse());
    shuffled.write(&deep);
    let (one, other) = (files(one.path()), files(&deep));
    assert_eq!(
        one.keys().collect::<Vec<_>>(),
        [
            "changes.jsonl",
            "exports/event.json",
            "exports/event.otio",
            "exports/event.vtt",
            "exports/event_1.edl",
            "exports/event_2.edl",
            "exports/replay_aces.csv",
            "exports/replay_aces.json",
            "exports/replay_best.csv",
            "exports/replay_best.json",
            "exports/segments.csv",
            "log.jsonl",
            "observations.jsonl",
            "replays/aces/chapters.vtt",
            "replays/aces/replay.edl",
            "replays/aces/replay.fcpxml",
            "replays/aces/replay.json",
            "replays/aces/replay.otio",
            "replays/best/chapters.vtt",
            "replays/best/replay.edl",
            "replays/best/replay.fcpxml",
            "replays/best/replay.json",
            "replays/best/replay.otio",
            "report.html",
            "segments.jsonl",
        ]
    );
    assert_eq!(
        written.files.len(),
        one.len() - 2,
        "all but the logs are written at the end"
    );
    for (name, content) in &one {
        assert!(content == &other[name], "{name} differs");
    }
}

#[test]
fn lines_read_back_as_the_rows_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample(&size());
    sample.write(dir.path());
    let files = files(dir.path());
    let mut recording = Recording::default();
    for name in ["segments.jsonl", "observations.jsonl"] {
        recording.read(name, &files[name]).unwrap();
    }
    let state = sample.state();
    let segments: Vec<&Segment> = recording.segments.iter().map(|r| &r.segment).collect();
    assert_eq!(segments, state.segments().collect::<Vec<_>>());
    assert!(recording.observations.iter().eq(state.observations()));
    assert_eq!(
        (segments.len(), recording.observations.len()),
        (12, state.observations().len())
    );

    let line: Json = serde_json::from_slice(
        files["segments.jsonl"]
            .split(|b| *b == b'\n')
            .next()
            .unwrap(),
    )
    .unwrap();
    assert_eq!(line["label"], HOSTILE);
    let first = &line["clips"][0];
    assert_eq!(first["path"], "clips/rally_705600000.mp4");
    assert_eq!(
        (&line["frame"], &line["timecode"]),
        (&json!(25), &json!("00:00:01:00"))
    );
    assert_eq!(
        (&line["pts"], &line["timescale"]),
        (&json!(990_000), &json!(90_000))
    );
    assert_eq!(line["utc"], "2019-09-08T20:00:01Z");
}

#[test]
fn the_log_adds_up_to_the_final_state() {
    let dir = tempfile::tempdir().unwrap();
    sample(&size()).write(dir.path());
    let files = files(dir.path());
    let read = |name: &str| String::from_utf8(files[name].clone()).unwrap();
    let (text, log) = (read("changes.jsonl"), read("log.jsonl"));
    let mut standing: BTreeMap<(String, String), i64> = BTreeMap::new();
    for text in [&text, &log] {
        let mut order = Vec::new();
        for line in text.lines() {
            let line: Json = serde_json::from_str(line).unwrap();
            let kind = line["kind"].as_str().unwrap().to_owned();
            order.push((line["epoch"].as_u64().unwrap(), kind.clone()));
            *standing
                .entry((kind, line["value"].to_string()))
                .or_default() += line["diff"].as_i64().unwrap();
        }
        assert!(order.is_sorted(), "by epoch, then kind");
    }
    standing.retain(|_, n| *n != 0);
    assert!(standing.values().all(|&n| n == 1));
    let count = |kind: &str| standing.keys().filter(|(k, _)| k == kind).count();
    let lines = |name: &str| files[name].iter().filter(|&&b| b == b'\n').count();
    assert_eq!(count("observation"), lines("observations.jsonl"));
    assert_eq!(count("segment"), lines("segments.jsonl"));
    let chosen = |name: &str| json(&files, name)["selected"].as_array().unwrap().len();
    let both = chosen("replays/best/replay.json") + chosen("replays/aces/replay.json");
    assert_eq!(count("replay"), both);
    assert_eq!((count("chunk"), count("error")), (30, 1));
    assert!(log.contains(r#""kind":"error","diff":1,"value":{"position":2,"input":"court_00002.ts","operator":"cheers""#));

    // A closed segment goes before it comes.
    let of_segment: Vec<&str> = text
        .lines()
        .filter(|l| l.contains("\"segment\","))
        .collect();
    let gone = of_segment
        .iter()
        .position(|l| l.contains("\"diff\":-1"))
        .unwrap();
    let id = |line: &str| serde_json::from_str::<Json>(line).unwrap()["value"]["id"].clone();
    assert_eq!(id(of_segment[gone]), id(of_segment[gone + 1]));
    assert!(of_segment[gone + 1].contains("\"diff\":1,"));
}

#[test]
fn changes_that_nobody_can_see_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = FileSink::create(dir.path(), false, EventInfo::default()).unwrap();
    let row = Row::from(Segment::new("rally".into(), millis(1), None));
    let changes = vec![Change::insert(row.clone()), Change::retract(row)];
    let timeline = EventTimeline::new();
    sink.commit(
        &EpochChanges {
            epoch: Epoch(0),
            changes,
        },
        &timeline,
    )
    .unwrap();
    assert_eq!(files(dir.path())["changes.jsonl"], b"");
}

#[test]
fn the_event_has_the_shape_of_mre() {
    let dir = tempfile::tempdir().unwrap();
    sample(&size()).write(dir.path());
    let event = json(&files(dir.path()), "exports/event.json");
    assert_eq!(
        event.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["Event", "Segments"]
    );
    assert_eq!(
        event["Event"],
        json!({
            "Name": "Final 2019", "Id": "tennis-final-2019", "Program": "tennis",
            "Start": "2019-09-08T20:00:00Z",
            "AudioTracksFound": [1, 2],
            "AllOutputAttributes":
                ["view", "share", "hard_cut", "score", "peak", "level_db", "shots", "ace"],
            "EmbeddedTimecodeSource": "NOT_EMBEDDED",
            "Profile": {
                "Name": "tennis", "ChunkSize": 6.0, "MaxSegmentLengthSeconds": 120.0,
                "ProcessingFrameRate": 25,
                "Classifier": {"Name": "rally", "Configuration": {}, "DependentPlugins": [
                    {"Name": "view", "Configuration": {}, "DependentFor": ["rally"], "Level": 1,
                     "SupportedMediaType": "Video"}]},
                "Optimizer": {"Name": "trim", "Configuration": {}, "DependentPlugins": [
                    {"Name": "cuts", "Configuration": {}, "DependentFor": ["trim"], "Level": 1,
                     "SupportedMediaType": "Video"}]},
                "Labeler": {"Name": "name", "Configuration": {}, "DependentPlugins": []},
                "Featurers": [
                    {"Name": "cheers", "Configuration": {}, "DependentPlugins": []}],
            },
        })
    );
    let segments = event["Segments"].as_array().unwrap();
    assert_eq!(
        segments.len(),
        11,
        "the open one has no end and is not told"
    );
    assert_eq!(
        segments[0],
        json!({
            "Start": 1.0, "End": 5.0, "HourElapsed": "1",
            "OptoStart": {"1": 1.2}, "OptoEnd": {"1": 4.84},
            "OptimizedClipLocation": {"1": "clips/rally_705600000.mp4"},
            "OriginalClipLocation": {},
            "OptimizedThumbnailLocation": "thumbnails/rally_705600000.jpg",
            "Label": HOSTILE,
            "FeaturesFound": ["<b>note</b>", "ace", "hard_cut", "peak", "view"],
            "Feedback": [{"1": {"OptimizedFeedback": "Like"}}, {"2": {"OriginalFeedback": "Dislike"}}],
        })
    );
    // Without optimized marks.
    assert_eq!(segments[4]["OptoStart"], json!({}));
    assert!(segments[4]["OriginalClipLocation"]["1"].is_string());
    assert!(segments[4]["OriginalThumbnailLocation"].is_string());
    assert_eq!(segments[4]["Feedback"], json!([]));
}

#[test]
fn replays_have_the_shape_of_mre() {
    let dir = tempfile::tempdir().unwrap();
    sample(&size()).write(dir.path());
    let files = files(dir.path());
    let best = json(&files, "exports/replay_best.json");
    assert_eq!(
        best.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["Event", "Replay", "Segments"]
    );
    assert_eq!(best["Event"], json(&files, "exports/event.json")["Event"]);
    assert_eq!(
        best["Replay"],
        json!({
            "Duration": 60.0, "EqualDistribution": "N", "Id": "best", "AudioTrack": 1,
            "FeaturesSelected": [
                {"FeatureName": "peak", "FeatureValue": true, "Weight": 90},
                {"FeatureName": "hard_cut", "FeatureValue": true, "Weight": 10}],
            "ReplayFormat": "Mp4", "Resolutions": ["Original"], "Catchup": "Y",
            "HlsLocation": "replays/best/index.m3u8",
            "HlsThumbnailLoc": "thumbnails/rally_705600000.jpg",
            "Mp4Location": {"Original": {"ReplayClips": ["replays/best/best.mp4"]}},
            "Mp4ThumbnailLocation":
                {"Original": {"ReplayThumbnails": ["thumbnails/rally_705600000.jpg"]}},
        })
    );
    let document = json(&files, "replays/best/replay.json");
    let starts = |list: &Json, key: &str| -> Vec<Json> {
        list.as_array()
            .unwrap()
            .iter()
            .map(|s| s[key].clone())
            .collect()
    };
    assert_eq!(
        starts(&best["Segments"], "Start"),
        starts(&document["selected"], "start")
    );
    assert_eq!(
        best["Segments"][0]["FeaturesFound"],
        json!([
            {"Name": "cheers | peak | true", "AttribName": "peak", "AttribValue": true,
             "PluginName": "cheers", "Weight": 90},
            {"Name": "cuts | hard_cut | true", "AttribName": "hard_cut", "AttribValue": true,
             "PluginName": "cuts", "Weight": 10}])
    );
    assert_eq!(
        document["selected"][0]["features"],
        json!([{"feature": "cheers.peak", "at": 4.6, "points": 90},
               {"feature": "cuts.hard_cut", "at": 1.7, "points": 10}])
    );
    let all = document["selected"].as_array().unwrap().len()
        + document["left_out"].as_array().unwrap().len();
    assert_eq!(all, 12, "each segment is in or out");
    assert_eq!(document["processed"], true);

    let aces = json(&files, "exports/replay_aces.json");
    let head = aces["Replay"].as_object().unwrap();
    assert!(!head.contains_key("Duration") && !head.contains_key("EqualDistribution"));
    assert_eq!(
        (&head["ReplayFormat"], &head["Resolutions"]),
        (&json!("N/A"), &json!([]))
    );
    let include = json!([{"FeatureName": "ace", "FeatureValue": true, "Include": true}]);
    assert_eq!(head["FeaturesSelected"], include);
    assert_eq!(aces["Segments"][0]["FeaturesFound"][0]["Include"], true);
    assert_eq!(
        json(&files, "replays/aces/replay.json")["selected"][0]["score"],
        "-"
    );
}

#[test]
fn the_report_carries_hostile_text_as_text() {
    let dir = tempfile::tempdir().unwrap();
    sample(&size()).write(dir.path());
    let page = fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(!page.contains("<img src=x"));
    assert_eq!(page.matches("</script>").count(), 3);
    let (_, rest) = page.split_once("id=\"data\">").unwrap();
    let (data, _) = rest.split_once("</script>").unwrap();
    let data: Json = serde_json::from_str(data).unwrap();
    assert_eq!(data["segments"][0]["label"], HOSTILE);
    assert_eq!(data["segments"].as_array().unwrap().len(), 12);
    assert_eq!(
        data["replays"][1]["files"][2],
        json!(["EDL", "replays/best/replay.edl"])
    );
    assert_eq!(data["errors"][0]["where"], "Chunk 2 (court_00002.ts)");
    let (_, rest) = page.split_once("id=\"observed\">").unwrap();
    let (lanes, _) = rest.split_once("</script>").unwrap();
    let lanes: Json = serde_json::from_str(lanes).unwrap();
    let shown: usize = lanes
        .as_array()
        .unwrap()
        .iter()
        .map(|lane| lane["items"].as_array().unwrap().len())
        .sum();
    assert_eq!(shown, sample(&size()).state().observations().len());
}

#[test]
fn results_are_kept_unless_forced_and_other_files_always() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("clips")).unwrap();
    fs::write(dir.path().join("clips/holiday.mp4"), "mine").unwrap();
    // A directory with other things in it is no directory of results.
    drop(FileSink::create(dir.path(), true, EventInfo::default()).unwrap());
    assert!(dir.path().join("clips/holiday.mp4").exists());
    for log in ["changes.jsonl", "log.jsonl"] {
        fs::remove_file(dir.path().join(log)).unwrap();
    }
    fs::remove_dir_all(dir.path().join("clips")).unwrap();

    sample(&size()).write(dir.path());
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    fs::write(dir.path().join("replays/best/notes.txt"), "mine").unwrap();
    let before = files(dir.path());
    let error = FileSink::create(dir.path(), false, EventInfo::default()).unwrap_err();
    assert!(matches!(&error, SinkError::HoldsResults { found, .. } if found == "changes.jsonl"));
    assert!(
        error.to_string().contains(dir.path().to_str().unwrap()),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("--force"));
    assert_eq!(files(dir.path()), before);

    drop(FileSink::create(dir.path(), true, EventInfo::default()).unwrap());
    let left: Vec<String> = files(dir.path()).into_keys().collect();
    assert_eq!(
        left,
        [
            "changes.jsonl",
            "log.jsonl",
            "notes.txt",
            "replays/best/notes.txt"
        ]
    );
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "mine").unwrap();
    let error = FileSink::create(&file.join("out"), false, EventInfo::default()).unwrap_err();
    assert!(
        error.to_string().contains("cannot create directory")
            && error.to_string().contains("file/out"),
        "{error}"
    );

    // What stands in the way of one document hurts no other that was written before.
    let out = dir.path().join("out");
    let sample = sample(&size());
    let mut sink = FileSink::create(&out, false, sample.info.clone()).unwrap();
    for epoch in &sample.epochs {
        sink.commit(epoch, &sample.timeline).unwrap();
    }
    fs::write(out.join("exports"), "a file").unwrap();
    let error = sink
        .finish(&sample.state(), &sample.timeline, &sample.media)
        .unwrap_err();
    assert!(error.to_string().contains("out/exports"), "{error}");
    let files = files(&out);
    assert!(files["changes.jsonl"].ends_with(b"\n"));
    assert_eq!(
        read_records("segments", &files["segments.jsonl"])
            .unwrap()
            .len(),
        12
    );
    let observations = read_records("observations", &files["observations.jsonl"]).unwrap();
    assert!(matches!(observations[0], Record::Observation(_)));
}

#[test]
fn recorded_observations_without_chunks_are_enough() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample(&size());
    let mut sink = FileSink::create(dir.path(), false, sample.info.clone()).unwrap();
    let nothing = EventTimeline::new();
    sink.commit(&sample.epochs[0], &nothing).unwrap();
    sink.finish(&sample.state(), &nothing, &matchcut_sinks::Media::default())
        .unwrap();
    let files = files(dir.path());
    let line = String::from_utf8(files["segments.jsonl"].clone()).unwrap();
    assert!(!line.contains("\"pts\"") && !line.contains("\"timecode\""));
    let edl = String::from_utf8(files["exports/event_1.edl"].clone()).unwrap();
    assert!(
        edl.contains(
            "001  COURT    B     C        00:00:01:05 00:00:04:21 00:00:00:00 00:00:03:16"
        )
    );
    assert_eq!(
        json(&files, "exports/event.json")["Event"]["Start"],
        "1970-01-01T00:00:00Z"
    );
}
