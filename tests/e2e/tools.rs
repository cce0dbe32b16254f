//! The commands around a run: graphs, the schema, operators, completions, the doctor, tests in
//! specs, and what is on stdout and stderr.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value as Json;

use crate::support::stream::{UNDATED, copy};
use crate::support::{Work, repository};

#[test]
fn graphs_in_every_language_name_every_part() {
    let work = copy(UNDATED);
    let parts = ["tv", "cuts", "quiet", "shot", "gap", "all"];
    for (format, begins) in [
        ("dot", "digraph"),
        ("mermaid", "flowchart"),
        ("svg", "<svg "),
    ] {
        let text = work.ok(["graph", "shots.toml", "--format", format]).stdout;
        assert!(text.starts_with(begins), "{format}: {text}");
        for part in parts {
            assert!(text.contains(part), "{format} lacks {part}: {text}");
        }
    }
    let dot = work.ok(["graph", "shots.toml"]).stdout;
    // tv to cuts and quiet, cuts to shot, quiet to gap, shot to the replay, cuts to its weights.
    assert_eq!(dot.matches(" -> ").count(), 6, "{dot}");
    assert!(dot.trim_end().ends_with('}'));
    let svg = work.ok(["graph", "shots.toml", "--format", "svg"]).stdout;
    assert!(svg.trim_end().ends_with("</svg>"));
}

/// Every `$ref` below `value`.
fn references<'a>(value: &'a Json, found: &mut Vec<&'a str>) {
    match value {
        Json::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Json::as_str));
            fields.values().for_each(|value| references(value, found));
        }
        Json::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn the_schema_is_one_and_covers_every_operator() {
    let work = Work::new();
    let schema = work.ok(["schema"]).json();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    let mut found = Vec::new();
    references(&schema, &mut found);
    for reference in found {
        let pointer = reference
            .strip_prefix('#')
            .unwrap_or_else(|| panic!("{reference}"));
        assert!(
            schema.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
    for section in [
        "pipeline",
        "sources",
        "operators",
        "replays",
        "sinks",
        "tests",
    ] {
        assert!(
            schema["properties"].get(section).is_some(),
            "no section {section}"
        );
    }
    let text = schema.to_string();
    for name in operator_names(&work) {
        assert!(
            text.contains(&format!("\"{name}\"")),
            "the schema lacks {name}"
        );
    }
}

#[test]
fn the_schema_accepts_good_specs_and_refuses_bad_ones() {
    let work = Work::new();
    let check = "import jsonschema, json, sys, tomllib\n\
        schema = json.load(open(sys.argv[1]))\n\
        jsonschema.Draft202012Validator.check_schema(schema)\n\
        validator = jsonschema.Draft202012Validator(schema)\n\
        print([len(list(validator.iter_errors(tomllib.load(open(p, 'rb'))))) > 0 for p in sys.argv[2:]])\n";
    let ready = Command::new("python3")
        .args(["-c", "import jsonschema, tomllib"])
        .output();
    if !ready.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no python3 with jsonschema on the path; make test brings one");
        return;
    }
    work.write("schema.json", work.ok(["schema"]).stdout);
    work.write("good.toml", crate::support::stream::SPEC);
    let spec = crate::support::stream::SPEC;
    work.write("key.toml", spec.replace("name = ", "colour = 1\nname = "));
    work.write(
        "type.toml",
        spec.replace("\"scene_change\"", "\"scene_chang\""),
    );
    work.write("option.toml", spec.replace("from = ", "form = "));
    let output = Command::new("python3")
        .args(["-c", check])
        .arg(work.path("schema.json"))
        .args([repository().join("demo/demo.toml"), work.path("good.toml")])
        .args(["key", "type", "option"].map(|name| work.path(&format!("{name}.toml"))))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(said.trim(), "[False, False, True, True, True]");
}

fn operator_names(work: &Work) -> BTreeSet<String> {
    let all = work.ok(["operators", "--format", "json"]).json();
    let name = |kind: &Json| kind["name"].as_str().unwrap().to_owned();
    all.as_array().unwrap().iter().map(name).collect()
}

#[test]
fn operators_are_listed_and_described() {
    let work = Work::new();
    let names = operator_names(&work);
    let promised = [
        "scene_change",
        "audio_peaks",
        "audio_silence",
        "dominant_color",
        "passthrough",
        "segment_by_sequence",
        "segment_by_shot",
        "segment_by_key_moment",
        "segment_passthrough",
        "optimize_to_ranges",
        "optimize_passthrough",
        "label_template",
        "label_passthrough",
    ];
    let text = work.ok(["operators"]).stdout;
    for name in promised {
        assert!(names.contains(name), "{name} is not there: {names:?}");
        assert!(
            text.contains(&format!("  {name} ")),
            "{name} is not listed: {text}"
        );
        let described = work.ok(["operators", name]).stdout;
        assert!(described.starts_with(&format!("{name} (")), "{described}");
    }
    let one = work
        .ok(["operators", "scene_change", "--format", "json"])
        .json();
    let options = one[0]["options"].as_array().unwrap();
    let threshold = options
        .iter()
        .find(|option| option["name"] == "threshold")
        .unwrap();
    assert!(
        threshold["default"].is_number(),
        "every option has a default: {threshold}"
    );
}

#[test]
fn shells_complete_every_command() {
    let work = Work::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = work.ok(["completions", shell]).stdout;
        for command in [
            "run", "replay", "select", "clip", "validate", "graph", "doctor",
        ] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    work.fails(2, ["completions", "cash"]).says("bash");
}

#[test]
fn the_doctor_finds_this_machine_healthy() {
    let done = Work::new().ok(["doctor"]);
    assert!(done.stdout.starts_with("GStreamer 1."), "{}", done.stdout);
    assert!(done.stdout.contains("avdec_h264"), "{}", done.stdout);
    assert!(!done.stdout.contains("MISSING"), "{}", done.stdout);
}

#[test]
fn help_names_every_command() {
    let help = Work::new().ok(["--help"]).stdout;
    let commands = [
        "run",
        "replay",
        "select",
        "clip",
        "validate",
        "graph",
        "test",
        "schema",
        "operators",
        "doctor",
        "completions",
    ];
    for command in commands {
        assert!(
            help.contains(&format!("\n  {command} ")),
            "{command}: {help}"
        );
    }
}

#[test]
fn tests_in_a_spec_pass_or_say_what_differs() {
    let work = copy(UNDATED);
    let test = |end: &str| {
        format!(
            "{}\n[[tests]]\nname = \"two shots\"\nend = \"9s\"\n\
             observations = [{{ operator = \"cuts\", at = \"4s\", hard_cut = true }}]\n\
             segments = [{{ operator = \"shot\", start = \"0s\", end = \"{end}\" }}, \
             {{ operator = \"shot\", start = \"4s\", end = \"9s\" }}]\n",
            crate::support::stream::SPEC
        )
    };
    work.write("good.toml", test("4s"));
    let done = work.ok(["test", "good.toml"]);
    assert_eq!(
        done.stdout,
        "good.toml: two shots ... ok\n1 test: 1 passed, 0 failed\n"
    );
    work.write("bad.toml", test("5s"));
    let done = work.fails(1, ["test", "bad.toml"]);
    assert!(
        done.stdout.starts_with("bad.toml: two shots ... FAILED\n"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.contains("5.000") && done.stdout.contains("4.000"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.ends_with("1 test: 0 passed, 1 failed\n"),
        "{}",
        done.stdout
    );
}

#[test]
fn results_are_on_stdout_and_progress_on_stderr() {
    let work = copy(UNDATED);
    let done = work.ok(["run", "shots.toml", "--format", "json"]);
    let document = done.json();
    assert_eq!(document["pipeline"], "shots");
    assert_eq!(document["end"], 12.0);
    assert_eq!(document["chunks"], 6);
    assert_eq!(document["segments"].as_array().unwrap().len(), 11);
    assert_eq!(document["failures"], serde_json::json!([]));
    done.says("6 chunks, 300 frames");
    let text = work.ok(["run", "shots.toml", "--out", "out"]).stdout;
    assert!(text.starts_with("shots: 11 segments\n"), "{text}");
    assert!(text.contains("replay all: 2 segments, 2.400 s\n"), "{text}");
    assert!(text.contains("  out/report.html\n"), "{text}");
}

#[test]
fn clips_are_made_as_asked() {
    let work = copy(UNDATED);
    work.ok(["run", "shots.toml", "--out", "none", "--clips", "none"]);
    let none = crate::support::files(&work.path("none"));
    assert!(
        !none
            .iter()
            .any(|name| name.starts_with("clips/") || name.ends_with(".mp4")),
        "{none:?}"
    );
    work.ok([
        "run",
        "shots.toml",
        "--out",
        "instant",
        "--clips",
        "instant",
    ]);
    for segment in crate::support::lines(&work.path("instant/segments.jsonl")) {
        let clip = &segment["clips"][0];
        assert_eq!(clip["cut"], "instant");
        let path = work.path("instant").join(clip["path"].as_str().unwrap());
        let (first, end) = (
            clip["first_frame"].as_u64().unwrap(),
            clip["end_frame"].as_u64().unwrap(),
        );
        // Whole chunks, which are groups of pictures here.
        let (before, after) = (first % 50, (50 - end % 50) % 50);
        assert_eq!(
            crate::support::media::frames(&path) as u64,
            end - first + before + after
        );
        assert_eq!(clip["max_error_frames"], before.max(after), "{clip}");
    }
}
