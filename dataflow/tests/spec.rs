//! Specs and what is said of them: every `specs/*.toml` is checked and compared with the text
//! beside it. `REWRITE=1 cargo test --test spec` writes the texts anew; read the difference.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod spec_types;

use std::path::{Path, PathBuf};

use matchcut_dataflow::spec::{self, Override, SpecError};
use proptest::prelude::*;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/specs")
}

/// What a user sees: warnings or errors, then the verdict.
fn verdict(name: &str, text: &str) -> String {
    // A first line `#! --set A=B` brings arguments along.
    let overrides: Vec<Override> = text
        .lines()
        .filter_map(|line| line.strip_prefix("#! --set "))
        .map(|argument| Override(argument.to_owned()))
        .collect();
    match spec::parse(text, Path::new(name), &overrides, &spec_types::catalog()) {
        Ok(spec) => format!("{}ok\n", spec.warnings),
        Err(SpecError::Usage(diagnostics)) => format!("{diagnostics}usage\n"),
        Err(error) => format!("{error}invalid\n"),
    }
}

#[test]
fn golden_specs() {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    paths.sort();
    assert!(paths.len() > 20, "the golden specs are gone");
    let mut wrong = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let got = verdict(name, &text);
        let golden = path.with_extension("stderr");
        if std::env::var_os("REWRITE").is_some() {
            std::fs::write(&golden, &got).unwrap();
            continue;
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if got != expected {
            wrong.push(format!("== {name}, expected\n{expected}== got\n{got}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn tennis() -> String {
    std::fs::read_to_string(directory().join("good_tennis.toml")).unwrap()
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = spec::parse(&text, Path::new("x.toml"), &[], &spec_types::catalog());
    }

    #[test]
    fn no_toml_like_text_makes_it_panic(
        lines in prop::collection::vec(
            prop_oneof![
                "\\[{1,2}(pipeline|sources|operators|replays|sinks|tests)(\\.[a-z\"]{0,4})?\\]{0,2}",
                "(type|inputs|name|uri|weights|end|start|observations|segments)\\.?[a-z]? = \
                 (\\[?\\{?\"?[a-z.=0-9é]{0,6}\"?\\}?\\]?|[0-9]{1,25}|nan|-?inf|1979-05-27)",
            ],
            0..20,
        ),
        set in prop::option::of("(operators|sources|pipeline)(\\.[a-z\"]{0,5}){0,3}=?[a-z\"\\[]{0,4}"),
    ) {
        let overrides: Vec<Override> = set.into_iter().map(Override).collect();
        let text = lines.join("\n");
        let _ = spec::parse(&text, Path::new("x.toml"), &overrides, &spec_types::catalog());
    }

    #[test]
    fn no_damage_to_a_good_spec_makes_it_panic(at in 0usize..1200, length in 0usize..30, with in "\\PC{0,3}") {
        let mut chars: Vec<char> = tennis().chars().collect();
        let at = at.min(chars.len());
        let end = (at + length).min(chars.len());
        chars.splice(at..end, with.chars());
        let text: String = chars.into_iter().collect();
        if let Err(SpecError::Invalid(diagnostics)) =
            spec::parse(&text, Path::new("x.toml"), &[], &spec_types::catalog())
        {
            prop_assert!(diagnostics.has_errors());
            let lines = text.split('\n').count();
            for diagnostic in diagnostics.iter() {
                prop_assert!(diagnostic.line >= 1 && diagnostic.line <= lines);
                prop_assert!(diagnostic.column >= 1);
            }
        }
    }
}

#[test]
fn diagnostics_are_data() {
    let text = "[pipeline]\nname = \"x\"\n\"mäx\" = 1\n";
    let Err(SpecError::Invalid(diagnostics)) =
        spec::parse(text, Path::new("a.toml"), &[], &spec_types::catalog())
    else {
        panic!("this spec is wrong");
    };
    let json = serde_json::to_value(&diagnostics).unwrap();
    let first = &json[0];
    assert_eq!(first["file"], "a.toml");
    assert_eq!(
        (first["line"].as_u64(), first["column"].as_u64()),
        (Some(3), Some(1))
    );
    assert_eq!(first["severity"], "error");
}

#[test]
fn relative_paths_are_relative_to_the_spec() {
    let catalog = spec_types::catalog();
    let text = "[pipeline]\nname = \"x\"\n[sources.a]\ntype = \"file\"\nuri = \"../in.mp4\"\n\
                [sources.b]\ntype = \"hls\"\nuri = \"https://example.com/x.m3u8\"\n\
                [operators.cuts]\ntype = \"scene_change\"\ninputs = [\"a.video\"]\n\
                [operators.more]\ntype = \"scene_change\"\ninputs = [\"b.video\"]\n\
                [sinks.files]\ntype = \"file\"\ninputs = [\"cuts\", \"more\"]\n";
    let spec = spec::parse(text, Path::new("dir/x.toml"), &[], &catalog).unwrap();
    assert_eq!(spec.sources[0].uri, "dir/../in.mp4");
    assert_eq!(spec.sources[1].uri, "https://example.com/x.m3u8");
    // An option that is left out has its default, relative to the spec as well.
    assert_eq!(spec.sinks[0].options["dir"], "dir/out");
    let set = [
        Override("sources.a.uri=here.mp4".into()),
        Override("sinks.files.dir=x".into()),
    ];
    let spec = spec::parse(text, Path::new("dir/x.toml"), &set, &catalog).unwrap();
    assert_eq!(
        spec.sources[0].uri, "here.mp4",
        "a path on the command line stays as it is"
    );
    assert_eq!(spec.sinks[0].options["dir"], "x");
}

#[test]
fn set_values_are_toml_or_text() {
    let catalog = spec_types::catalog();
    let set = [
        Override("operators.cuts.threshold=31.5".into()),
        Override("replays.best.duration=\"2m\"".into()),
        Override("replays.best.tolerance=5s".into()),
        Override("replays.best.weights.\"cheers.peak\"=7".into()),
        Override("replays.best.weights.\"view.view=far\"=3".into()),
        Override("pipeline.correction_window=3".into()),
    ];
    let spec = spec::parse(&tennis(), Path::new("t.toml"), &set, &catalog).unwrap();
    assert_eq!(spec.operators[0].options["threshold"], 31.5);
    let replay = &spec.replays[0];
    assert_eq!(replay.settings.duration.to_millis(), 120_000);
    assert_eq!(replay.settings.tolerance.to_millis(), 5_000);
    let weights: Vec<(String, f64)> = replay
        .weights
        .iter()
        .map(|(feature, weight)| (feature.to_string(), *weight))
        .collect();
    let expected = [
        ("cheers.peak", 7.0),
        ("cuts.hard_cut", 10.0),
        ("view.view=far", 3.0),
    ];
    assert_eq!(
        weights,
        expected.map(|(feature, weight)| (feature.to_owned(), weight))
    );
    assert_eq!(spec.pipeline.correction_window, 3);
}

#[test]
fn the_schema_knows_types_and_options() {
    let schema = spec::schema::schema(&spec_types::catalog());
    let operators = &schema["properties"]["operators"]["additionalProperties"];
    let rules = operators["allOf"].as_array().unwrap();
    assert_eq!(rules.len(), 8);
    let cuts = &rules[0]["then"]["properties"];
    assert_eq!(cuts["threshold"]["default"], 27.0);
    assert_eq!(cuts["threshold"]["minimum"], 0);
    assert_eq!(cuts["min_shot"]["default"], "0.5s");
    let replay = &schema["properties"]["replays"]["additionalProperties"]["properties"];
    assert_eq!(replay["tolerance"]["default"], "30s");
    assert_eq!(replay["mode"]["default"], "duration");
    assert_eq!(
        schema["properties"]["pipeline"]["properties"]["max_segment"]["default"],
        "300s"
    );
    for catalog in [spec_types::catalog(), spec::Catalog::built_in()] {
        let text = spec::schema::schema(&catalog).to_string();
        assert!(
            !text.contains("\"$ref\""),
            "an editor would look for what is not there"
        );
    }
}

/// Another implementation of JSON Schema agrees: good specs pass, a spec with an unknown key fails.
#[test]
fn good_specs_pass_the_schema() {
    check_with_python(&spec_types::catalog());
    check_with_python(&spec::Catalog::built_in());
}

fn check_with_python(catalog: &spec::Catalog) {
    let program = "import json, sys, tomllib\n\
        try:\n import jsonschema\nexcept ImportError:\n print('skip'); sys.exit()\n\
        schema = json.load(open(sys.argv[1]))\n\
        check = jsonschema.Draft202012Validator(schema)\n\
        check.check_schema(schema)\n\
        for path in sys.argv[2:]:\n\
        \x20   errors = [e.message for e in check.iter_errors(tomllib.load(open(path, 'rb')))]\n\
        \x20   print(path.rsplit('/', 1)[-1], 'ok' if not errors else errors[0])\n";
    let directory = tempfile::tempdir().unwrap();
    let schema = directory.path().join("schema.json");
    let text = spec::schema::schema(catalog).to_string();
    std::fs::write(&schema, text).unwrap();
    let names = [
        "good_tennis",
        "good_no_sinks",
        "good_featurer_only",
        "good_external",
        "keys_unknown",
        "tests_bad",
    ];
    let output = std::process::Command::new("python3")
        .args(["-c", program])
        .arg(&schema)
        .args(names.map(directory_of))
        .output();
    let Ok(output) = output else {
        return eprintln!("skipped: no python3");
    };
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if printed.starts_with("skip") {
        return eprintln!("skipped: python3 has no module jsonschema");
    }
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), names.len(), "{printed}");
    for (line, good) in lines.iter().zip([true, true, true, true, false, false]) {
        assert_eq!(line.ends_with(" ok"), good, "{line}");
    }
}

fn directory_of(name: &str) -> PathBuf {
    directory().join(format!("{name}.toml"))
}

#[test]
fn a_test_of_a_spec_is_compared_by_what_a_reader_sees() {
    use matchcut_dataflow::spec::{TestOutcome, compare};
    use matchcut_model::chunk::TrackNumber;
    use matchcut_model::segment::Segment;
    use matchcut_model::time::{MediaTime, TimeRange};

    let spec = spec::parse(&tennis(), Path::new("t.toml"), &[], &spec_types::catalog()).unwrap();
    let test = &spec.tests[0];
    assert_eq!(test.observations.len(), 5);
    assert_eq!(test.end, MediaTime::from_seconds(60));
    let cheer = &test.observations[3].0;
    assert_eq!(
        (cheer.start.to_millis(), cheer.end.to_millis()),
        (19_500, 21_000)
    );
    assert_eq!(cheer.track, Some(TrackNumber(1)));
    assert_eq!(cheer.attributes["level_db"].plain_text(), "-3.5");

    let marks =
        |start, end| TimeRange::new(MediaTime::from_millis(start), MediaTime::from_millis(end));
    let mut segment = Segment::new(
        "rally".into(),
        MediaTime::from_seconds(4),
        Some(MediaTime::from_seconds(20)),
    );
    segment.opto.insert(TrackNumber(1), marks(4_000, 20_000));
    let mut got = TestOutcome::default();
    got.segments.push(segment.clone());
    got.replays
        .insert("best".into(), vec![marks(4_000, 20_000)]);
    assert_eq!(compare(test, &got), []);

    // A flick beside a millisecond is not seen, a millisecond is.
    got.segments[0].end = Some(MediaTime::from_flicks(
        MediaTime::from_seconds(20).flicks() + 9,
    ));
    assert_eq!(compare(test, &got), []);
    got.segments[0].end = Some(MediaTime::from_millis(20_001));
    got.segments[0].opto.clear();
    got.segments.push(Segment::new(
        "rally".into(),
        MediaTime::from_seconds(40),
        None,
    ));
    got.replays.clear();
    let text: Vec<String> = compare(test, &got)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        text,
        [
            "segment at 4.000, end\n  expected  20.000\n  got       20.001",
            "segment at 4.000, optimized marks on track 1\n  expected  4.000..20.000\n  \
             got       not optimized",
            "segment of \"rally\" at 40.000\n  expected  no such segment\n  got       40.000..open",
            "replay \"best\"\n  expected  4.000..20.000\n  got       nothing",
        ]
    );
}
