//! Specs and what is said of them: every `specs/*.toml` is checked and compared with the text
//! beside it. `REWRITE=1 cargo test --test spec` writes the texts anew; read the difference.

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
    assert_eq!((first["line"].as_u64(), first["column"].as_u64()), (Some(3), Some(1)));
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
    let set = [Override("sources.a.uri=here.mp4".into()), Override("sinks.files.dir=x".into())];
    let spec = spec::parse(text, Path::new("dir/x.toml"), &set, &catalog).unwrap();
    assert_eq!(spec.sources[0].uri, "here.mp4", "a path on the command line stays as it is");
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
    let weights: Vec<(String, f64)> =
        replay.weights.iter().map(|(feature, weight)| (feature.to_string(), *weight)).collect();
    let expected = [("cheers.peak", 7.0), ("cuts.hard_cut", 10.0), ("view.view=far", 3.0)];
    assert_eq!(weights, expected.map(|(feature, weight)| (feature.to_owned(), weight)));
    assert_eq!(spec.pipeline.correction_window, 3);
}
