//! Operators that are other programs, in whole runs: what they see is what a decoder of others sees, what
//! goes wrong costs one chunk of one operator, and what they answered is not asked again.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::support::media::lumas;
use crate::support::python::use_python;
use crate::support::stream::{CHUNK_FRAMES, CHUNKS, CUTS, DATED, FRAMES, SPEC, copy};
use crate::support::{Work, files, lines, repository, same_text};

const LUMA: &str = r#"
import os, time
import matchcut

class Luma(matchcut.Operator):
    view = matchcut.View(64, 36)
    attributes = {"luma": matchcut.Number("mean luma, 0 to 255")}

    def process_frame(self, frame):
        misbehave(frame)
        yield frame.observation(luma=float(frame.pixels.mean()))

def misbehave(frame):
    pass

matchcut.run(Luma)
"#;

const SHOTS: &str = r#"
import json, os, sys, time
import matchcut

class Shots(matchcut.Operator):
    operator_class = "segmenter"

    def restore(self, state):
        self.start = json.loads(state) if state else None

    def snapshot(self):
        return json.dumps(self.start).encode()

    def process_observations(self, step):
        with open("asked.txt", "a") as asked:
            print(step.position, file=asked, flush=True)
        time.sleep(float(os.environ.get("SLOWLY", "0")))
        if self.start is None and step.chunk:
            self.start = step.chunk.start
        for seen in step.observations:
            if seen.attributes.get("hard_cut") and seen.start > self.start:
                yield matchcut.Segment(self.start, seen.start)
                self.start = seen.start
        if step.end_of_event and self.start is not None and self.start < step.watermark:
            yield matchcut.Segment(self.start, step.watermark)

    def tail(self):
        return None if self.start is None else matchcut.Segment(self.start)

matchcut.run(Shots)
"#;

const LUMA_SPEC: &str = r#"
[operators.luma]
type = "process"
command = ["python3", "luma.py"]
inputs = ["tv.video"]
restart = "50ms"
"#;

const SHOTS_SPEC: &str = r#"
[operators.other]
type = "process"
command = ["python3", "shots.py"]
inputs = ["cuts"]
"#;

/// The small stream with both programs; `None` where there is no Python for them.
fn work() -> Option<Work> {
    let mut work = copy(DATED);
    if !use_python(&mut work) {
        return None;
    }
    work.write("luma.py", LUMA);
    work.write("shots.py", SHOTS);
    work.write("shots.toml", format!("{SPEC}{LUMA_SPEC}{SHOTS_SPEC}"));
    Some(work)
}

fn run(work: &Work, out: &str, more: &[&str]) -> crate::support::Done {
    let args = ["run", "shots.toml", "--out", out, "--clips", "none"];
    work.ok(args.iter().chain(more))
}

fn of(dir: &Path, file: &str, operator: &str) -> Vec<Json> {
    let all = lines(&dir.join(file));
    all.into_iter()
        .filter(|line| line["operator"] == operator)
        .collect()
}

fn failures(dir: &Path) -> Vec<Json> {
    let all = lines(&dir.join("log.jsonl"));
    let errors = all.into_iter().filter(|line| line["kind"] == "error");
    errors.map(|line| line["value"].clone()).collect()
}

fn second(line: &Json, key: &str) -> f64 {
    line[key].as_f64().unwrap_or_else(|| panic!("{line}"))
}

/// The chunks in which frames were told, with how many.
fn frames_by_chunk(dir: &Path) -> Vec<u64> {
    let mut counts = vec![0; CHUNKS.len()];
    for line in of(dir, "observations.jsonl", "luma") {
        let frame = (second(&line, "start") * 25.0).round() as u64;
        counts[(frame / CHUNK_FRAMES) as usize] += 1;
    }
    counts
}

#[test]
fn every_frame_of_the_demo_is_as_ffmpeg_sees_it() {
    let mut work = Work::new();
    if !use_python(&mut work) {
        return;
    }
    let programme = repository().join("demo/programme/index.m3u8");
    work.write("luma.py", LUMA);
    // The frames as they are: nothing is scaled, so that the means are the same.
    let spec = format!(
        "[pipeline]\nname = \"luma\"\n[sources.tv]\ntype = \"hls\"\nuri = \"{}\"\n{LUMA_SPEC}\
         width = 640\nheight = 360\ninstances = 2\n",
        programme.display()
    );
    work.write("luma.toml", spec);
    work.ok(["run", "luma.toml", "--out", "out", "--clips", "none"])
        .says_times(0, "warning");
    let told = of(&work.path("out"), "observations.jsonl", "luma");

    let expected = lumas(&programme);
    assert!(expected.len() > 5000, "{} frames", expected.len());
    assert_eq!(told.len(), expected.len());
    for (number, (line, expected)) in told.iter().zip(&expected).enumerate() {
        assert_eq!((second(line, "start") * 25.0).round() as usize, number);
        let luma = second(&line["attributes"], "luma");
        // FFmpeg prints six digits.
        assert!(
            (luma - expected).abs() <= 0.001,
            "frame {number}: {luma} and {expected}"
        );
    }
}

#[test]
fn a_segmenter_in_python_says_what_the_built_in_one_says() {
    let Some(work) = work() else { return };
    run(&work, "out", &[]).says_times(0, "warning: chunk");
    let marks = |operator: &str| -> Vec<(Json, Json, Json)> {
        of(&work.path("out"), "segments.jsonl", operator)
            .into_iter()
            .map(|line| {
                (
                    line["start"].clone(),
                    line["end"].clone(),
                    line["end_frame"].clone(),
                )
            })
            .collect()
    };
    assert_eq!(marks("other"), marks("shot"));
    assert_eq!(marks("other").len(), CUTS.len() + 1);
    assert_eq!(frames_by_chunk(&work.path("out")), [CHUNK_FRAMES; 6]);
}

/// Chunk 2 is lost for the operator `luma`, and nothing else is.
fn only_the_third_is_lost(work: &Work, what: &str, message: &str) {
    let done = run(work, "out", &[]);
    let out = work.path("out");
    assert_eq!(frames_by_chunk(&out), [50, 50, 0, 50, 50, 50], "{what}");
    let found = failures(&out);
    assert_eq!(found.len(), 1, "{what}: {found:?}");
    assert_eq!(found[0]["position"], 2, "{what}");
    assert_eq!(found[0]["operator"], "luma", "{what}");
    let text = found[0]["message"].as_str().unwrap();
    assert!(text.contains(message), "{what}: {text}");
    done.says("warning: chunk 2 (")
        .says("operator \"luma\"")
        .says(message);
    assert_eq!(
        of(&out, "segments.jsonl", "shot").len(),
        CUTS.len() + 1,
        "{what}"
    );
    assert_eq!(
        of(&out, "segments.jsonl", "other").len(),
        CUTS.len() + 1,
        "{what}"
    );
}

#[test]
fn a_program_that_breaks_loses_one_chunk() {
    for (what, does, message) in [
        (
            "crash",
            "print('I cannot go on'); os._exit(7)",
            "the program ended (exit status: 7); it last wrote: I cannot go on",
        ),
        (
            "killed",
            "os.kill(os.getpid(), 9)",
            "the program ended (signal: 9 (SIGKILL))",
        ),
        (
            "hang",
            "time.sleep(3600)",
            "the program did not answer within 2s",
        ),
        (
            "exception",
            "raise ValueError('no ball')",
            "ValueError: no ball (luma.py, line 14)",
        ),
    ] {
        let Some(work) = work() else { return };
        let condition = "if frame.chunk.position == 2 and frame.index == 20";
        work.write(
            "luma.py",
            LUMA.replace("    pass\n", &format!("    {condition}: {does}\n")),
        );
        let spec = fs::read_to_string(work.path("shots.toml")).unwrap();
        work.write(
            "shots.toml",
            spec.replace("restart =", "timeout = \"2s\"\nrestart ="),
        );
        only_the_third_is_lost(&work, what, message);
    }
}

#[test]
fn a_program_that_writes_nonsense_loses_one_chunk() {
    let Some(work) = work() else { return };
    let puppet = repository().join("operators/tests/programs/puppet.py");
    for (act, message) in [
        (
            "garbage",
            "what it wrote to stdout is no message: \"hello, I am a print\"",
        ),
        ("huge", "its message is larger than 16 MiB"),
        (
            "undeclared",
            "attribute \"other\" is not declared (declared: sum)",
        ),
        ("wrong_type", "attribute \"sum\" is declared as a number"),
    ] {
        let spec = LUMA_SPEC.replace("\"luma.py\"", &format!("\"{}\"", puppet.display()));
        let options = format!("options = {{ act = \"{act}\", at = 2 }}\n");
        work.write("shots.toml", format!("{SPEC}{spec}{options}{SHOTS_SPEC}"));
        let done = work.ok(["run", "shots.toml", "--out", act, "--clips", "none"]);
        done.says("warning: chunk 2 (").says(message);
        let found = failures(&work.path(act));
        assert_eq!(found.len(), 1, "{act}: {found:?}");
        let told = of(&work.path(act), "observations.jsonl", "luma");
        let begun: Vec<f64> = told.iter().map(|line| second(line, "start")).collect();
        assert_eq!(begun, [0.0, 2.0, 6.0, 8.0, 10.0], "{act}");
    }
}

#[test]
fn an_ordered_program_that_breaks_is_told_and_goes_on() {
    let Some(work) = work() else { return };
    let breaks = "        if step.position == 2: os._exit(7)\n        time.sleep";
    work.write("shots.py", SHOTS.replace("        time.sleep", breaks));
    let done = run(&work, "out", &[]);
    done.says("operator \"other\"")
        .says("the program ended (exit status: 7)");
    let found = failures(&work.path("out"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (&found[0]["position"], &found[0]["operator"]),
        (&2.into(), &"other".into())
    );
    // The cuts of that chunk are what it missed: its state is that from before.
    let missed = 2 * CHUNK_FRAMES..3 * CHUNK_FRAMES;
    let expected: Vec<u64> = CUTS
        .into_iter()
        .filter(|cut| !missed.contains(cut))
        .chain([FRAMES])
        .collect();
    let ends = of(&work.path("out"), "segments.jsonl", "other");
    let ends: Vec<u64> = ends
        .iter()
        .map(|line| line["end_frame"].as_u64().unwrap())
        .collect();
    assert_eq!(ends, expected);
}

#[test]
fn results_do_not_depend_on_the_number_of_workers() {
    let Some(work) = work() else { return };
    let spec = fs::read_to_string(work.path("shots.toml")).unwrap();
    work.write(
        "shots.toml",
        spec.replace("restart =", "instances = 2\nrestart ="),
    );
    run(&work, "w1", &["-w", "1", "--decode-threads", "1"]);
    run(&work, "w2", &["-w", "2", "--decode-threads", "2"]);
    let (one, two) = (work.path("w1"), work.path("w2"));
    assert_eq!(files(&one), files(&two));
    for name in files(&one).iter().filter(|name| !name.ends_with(".jpg")) {
        let read = |dir: &Path| fs::read(dir.join(name)).unwrap();
        same_text(name, &read(&one), &read(&two));
    }
}

#[test]
fn what_was_answered_is_not_asked_again() {
    let Some(mut work) = work() else { return };
    run(&work, "whole", &[]);
    fs::remove_file(work.path("asked.txt")).unwrap();
    work.set_env("SLOWLY", "0.4");
    let args = [
        "run",
        "shots.toml",
        "--out",
        "out",
        "--clips",
        "none",
        "--resume",
    ];
    let mut running = work.matchcut(args);
    // Three chunks are committed: what follows from them is in the log.
    running.until("out/log.jsonl", |text| {
        text.matches("\"kind\":\"chunk\"").count() >= 3
    });
    running.kill();
    let committed = lines(&work.path("out/log.jsonl"));
    let committed: BTreeSet<String> = committed
        .iter()
        .filter(|line| line["kind"] == "chunk")
        .map(|line| line["value"]["position"].to_string())
        .collect();
    assert!(
        (3..6).contains(&committed.len()),
        "killed in the middle: {committed:?}"
    );
    let asked = || fs::read_to_string(work.path("asked.txt")).unwrap();
    let before = asked().lines().count();
    work.ok(args);
    let again: Vec<String> = asked().lines().skip(before).map(str::to_owned).collect();
    assert!(
        !again.is_empty() && again.iter().all(|at| !committed.contains(at)),
        "{again:?}"
    );
    for file in ["segments.jsonl", "observations.jsonl", "changes.jsonl"] {
        let read = |dir: &str| fs::read(work.path(dir).join(file)).unwrap();
        same_text(file, &read("whole"), &read("out"));
    }
}

#[test]
fn no_program_outlives_a_host_that_was_killed() {
    let Some(work) = work() else { return };
    let writes = "open('pid.txt', 'w').write(str(os.getpid())); time.sleep(3600)";
    work.write(
        "luma.py",
        LUMA.replace("    pass\n", &format!("    {writes}\n")),
    );
    let mut running = work.matchcut(["run", "shots.toml", "--out", "out", "--clips", "none"]);
    running.until("pid.txt", |text| !text.is_empty());
    running.kill();
    let pid = fs::read_to_string(work.path("pid.txt")).unwrap();
    let begun = Instant::now();
    let alive = || {
        let asked = Command::new("kill").args(["-0", &pid]).output();
        asked.unwrap().status.success()
    };
    while alive() {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{pid} is still there"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_spec_is_checked_against_what_the_program_says() {
    let Some(work) = work() else { return };
    let spec = fs::read_to_string(work.path("shots.toml")).unwrap();
    let wrong = spec
        .replace(
            "\"cuts.hard_cut\" = 1",
            "\"luma.lumen=5\" = 1, \"luma.luma\" = 2",
        )
        .replace(
            "inputs = [\"cuts\"]\n\n[operators.gap]",
            "inputs = [\"cuts\"]\n[operators.gap]",
        )
        .replace(
            "[\"python3\", \"shots.py\"]\ninputs = [\"cuts\"]",
            "[\"python3\", \"shots.py\"]\ninputs = [\"tv.video\"]\noptions = { treshold = 5 }",
        );
    work.write("wrong.toml", &wrong);
    let done = work.fails(78, ["validate", "wrong.toml"]);
    done.says("operator \"luma\" has no attribute \"lumen\"")
        .says("it has: \"luma\"");
    done.says("feature \"luma.luma\" of replay \"all\": the attribute is a number");
    done.says(
        "\"options.treshold\" of operator \"other\": the program has no such option; it has none",
    );
    // Its place is the value.
    let line = wrong
        .lines()
        .position(|line| line.contains("treshold"))
        .unwrap()
        + 1;
    let column = "options = { treshold = ".len() + 1;
    done.says(&format!(
        "wrong.toml:{line}:{column}: error: \"options.treshold\""
    ));

    // With its options right, its wiring is checked.
    work.write(
        "wrong.toml",
        wrong.replace("options = { treshold = 5 }", ""),
    );
    let done = work.fails(78, ["validate", "wrong.toml"]);
    done.says(
        "input \"tv.video\" of operator \"other\": observations expected, \"tv.video\" is video",
    );

    work.write("wrong.toml", spec.replace("\"luma.py\"", "\"nowhere.py\""));
    let done = work.fails(78, ["validate", "wrong.toml"]);
    done.says("\"command\" of operator \"luma\": the program ended (exit status: 2)")
        .says("nowhere.py");
}
