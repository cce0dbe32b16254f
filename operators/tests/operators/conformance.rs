//! What holds for every operator: what it says of itself fits, its state can be snapshotted, and
//! odd events do it no harm.

use std::collections::BTreeSet;

use matchcut_model::chunk::{ChunkExtent, Position, TrackNumber};
use matchcut_model::observation::Class;
use matchcut_model::segment::Segment;
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_operators::kit;
use matchcut_operators::registry;
use matchcut_operators::sdk::{EdgeKind, FoldBox, OperatorType, Options, Step};
use matchcut_operators::testing::{Emitted, Script, labels, optimized, segments};
use proptest::prelude::*;
use serde_json::json;

/// What is nothing without somebody or something else: a program, a model, a server.
const OUTSIDE: [&str; 12] = [
    "channel_logo",
    "http_inference",
    "label_by_prompt",
    "lambda",
    "onnx",
    "process",
    "segment_by_prompt",
    "shots",
    "speech",
    "text_by_prompt",
    "transcribe",
    "wasm",
];

/// Every operator that works as it is.
fn built_in() -> impl Iterator<Item = &'static dyn OperatorType> {
    let all = registry::all().into_iter();
    all.filter(|kind| !OUTSIDE.contains(&kind.describe().name))
}

#[test]
fn what_needs_something_else_says_so() {
    for name in OUTSIDE {
        // Some are there only with the feature of that name.
        let Some(kind) = registry::find(name) else {
            assert!(["lambda", "wasm"].contains(&name), "{name}");
            continue;
        };
        let errors = kind.build(&Options::new()).err().unwrap();
        assert!(
            errors.iter().all(|error| error.option.is_some()),
            "{name}: {errors:?}"
        );
    }
}

fn folds() -> Vec<(&'static str, Class, FoldBox)> {
    let all = built_in().map(|kind| {
        let description = kind.describe();
        let operator = kind.build(&Options::new()).unwrap();
        (description.name, description.class, operator.fold().clone())
    });
    all.collect()
}

#[test]
fn every_operator_describes_itself() {
    let mut names = BTreeSet::new();
    for kind in built_in() {
        let description = kind.describe();
        let name = description.name;
        assert!(names.insert(name), "{name} stands twice");
        assert!(registry::find(name).is_some());
        assert!(description.summary.ends_with('.'), "{name}: a sentence");
        // Only what comes from outside is wired to nothing.
        assert_eq!(
            description.inputs.is_empty(),
            name == "external",
            "{name}: inputs"
        );
        // But for the one that makes more of what others saw.
        assert_eq!(
            description.class == Class::Featurer && name != "rally",
            description
                .inputs
                .iter()
                .any(|rule| matches!(rule.kind, EdgeKind::Video))
                && !name.starts_with("segment")
                || description
                    .inputs
                    .iter()
                    .all(|rule| matches!(rule.kind, EdgeKind::Audio | EdgeKind::Cues)),
            "{name}: featurers look at media"
        );
        for option in &description.options {
            assert!(
                option.description.len() > 10,
                "{name}.{}: no documentation",
                option.name
            );
            // The defaults, written out, are accepted.
            let written = Options::from_iter([(option.name.clone(), option.default.clone())]);
            assert!(
                kind.build(&written).is_ok(),
                "{name}.{} = {}",
                option.name,
                option.default
            );
        }
        let defaults = description
            .options
            .iter()
            .map(|o| (o.name.clone(), o.default.clone()));
        assert!(
            kind.build(&defaults.collect()).is_ok(),
            "{name}: all defaults together"
        );
        let unknown = Options::from_iter([("no_such_option".to_owned(), json!(1))]);
        let errors = kind.build(&unknown).err().unwrap();
        assert_eq!(
            errors[0].option.as_deref(),
            Some("no_such_option"),
            "{name}"
        );
    }
    let expected = [
        "audio_events",
        "audio_loudness",
        "audio_peaks",
        "audio_silence",
        "black_frames",
        "dominant_color",
        "external",
        "label_passthrough",
        "label_score",
        "label_template",
        "optimize_passthrough",
        "optimize_to_ranges",
        "passthrough",
        "rally",
        "scene_change",
        "scoreboard_text",
        "segment_by_commercials",
        "segment_by_key_moment",
        "segment_by_sequence",
        "segment_by_shot",
        "segment_from_transcription",
        "segment_passthrough",
        "stream_cues",
        "transitions",
    ];
    // It is there only with the feature `lambda`.
    names.remove("plugin");
    assert_eq!(names.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn every_operator_keeps_the_rules() {
    for kind in built_in() {
        let description = kind.describe();
        let operator = kind.build(&Options::new()).unwrap();
        let findings = kit::conformance(&description, &operator);
        assert_eq!(findings, [], "{}", description.name);
    }
}

#[test]
fn all_wrong_options_are_told_together() {
    for (kind, options, wrong) in [
        (
            "scene_change",
            json!({"threshold": "high", "min_shot": -1}),
            vec!["threshold", "min_shot"],
        ),
        ("scene_change", json!({"threshold": 0}), vec!["threshold"]),
        (
            "audio_peaks",
            json!({"bin": 0, "deviations": -1}),
            vec!["bin", "deviations"],
        ),
        (
            "audio_silence",
            json!({"threshold_db": 3}),
            vec!["threshold_db"],
        ),
        (
            "dominant_color",
            json!({"rate": 0, "near": 0.9}),
            vec!["rate", "near"],
        ),
        ("stream_cues", json!({"kinds": []}), vec!["kinds"]),
        (
            "segment_by_shot",
            json!({"max_segment": 0}),
            vec!["max_segment"],
        ),
        (
            "optimize_to_ranges",
            json!({"search_window": 0}),
            vec!["search_window"],
        ),
        (
            "optimize_to_ranges",
            json!({"bias": {"cuts": "sure"}}),
            vec!["bias"],
        ),
        (
            "label_template",
            json!({"template": "{x}"}),
            vec!["template"],
        ),
    ] {
        let kind = registry::find(kind).unwrap();
        let errors = kind.build(options.as_object().unwrap()).err().unwrap();
        let named: Vec<_> = errors
            .iter()
            .filter_map(|error| error.option.as_deref())
            .collect();
        assert_eq!(named, wrong, "{options}");
        assert!(errors.iter().all(|error| !error.message.is_empty()));
    }
}

#[test]
fn durations_may_be_text_or_seconds() {
    let kind = registry::find("scene_change").unwrap();
    for value in [json!("500ms"), json!("1m30s"), json!(0.5), json!(2)] {
        let options = Options::from_iter([("min_shot".to_owned(), value.clone())]);
        assert!(kind.build(&options).is_ok(), "{value}");
    }
}

/// Observations that all operators react to, and segments.
fn busy(chunk: i64, chunks: i64, moments: &[(i64, u8)]) -> Script {
    let mut script = Script::new(chunk, chunks).tracks(&[1, 2]);
    for (at, kind) in moments {
        match kind % 5 {
            0 => script.point("cuts", *at, &[("hard_cut", json!(true))]),
            1 => script.point("cheers", *at, &[("peak", json!(true))]),
            2 => script.point("view", *at, &[("view", json!("near"))]),
            3 => script.point("view", *at, &[("view", json!("far"))]),
            _ => script.point("view", *at, &[("view", json!("close_up"))]),
        }
    }
    script
}

#[test]
fn an_event_without_chunks_gives_nothing() {
    for (name, _, fold) in folds() {
        let script = Script::new(1000, 3).without(&[0, 1, 2]);
        assert_eq!(script.run(&fold), [], "{name}");
    }
}

#[test]
fn odd_spans_do_no_harm() {
    let spans = [
        (-5000, 1000),
        (1000, 1000),
        (900, 7000),
        (7000, 6000),
        (50_000, 90_000_000),
    ];
    for (name, _, fold) in folds() {
        let mut state = fold.initial();
        let mut emit = Vec::new();
        for (at, (start, end)) in (0..).zip(spans) {
            let extent = ChunkExtent {
                position: Position(at * 3),
                span: TimeRange {
                    start: MediaTime::from_millis(start),
                    end: MediaTime::from_millis(end),
                },
                stretch: at as u32,
                audio_tracks: vec![TrackNumber(3)],
                frame_rate: None,
            };
            let start = MediaTime::from_millis(start + 10);
            let segment = Segment::new("s".into(), start, Some(MediaTime::from_millis(end)));
            let step = Step {
                position: extent.position,
                extent: Some(&extent),
                watermark: MediaTime::from_millis(1000),
                end_of_event: false,
                track: Some(TrackNumber(3)),
                signature: Some(&[1, 2, 3]),
                observations: &[],
                segments: &[segment],
            };
            fold.step(&step, &mut state, &mut emit);
            fold.tail(&state, &mut Vec::new());
        }
        let step = Step {
            position: Position(99),
            extent: None,
            watermark: MediaTime::from_millis(90_000_000),
            end_of_event: true,
            track: Some(TrackNumber(3)),
            signature: None,
            observations: &[],
            segments: &[],
        };
        fold.step(&step, &mut state, &mut emit);
        assert!(emit.len() < 1_000_000, "{name}");
    }
}

/// Segments in order, apart from each other, inside the event, none longer than allowed.
fn check_segments(name: &str, emitted: &Emitted, end: i64) -> Result<(), TestCaseError> {
    let mut last = 0;
    for (start, stop) in segments(emitted) {
        let stop = stop.unwrap_or(-1);
        prop_assert!(
            last <= start && start < stop && stop <= end,
            "{name}: {start}..{stop}"
        );
        prop_assert!(
            stop - start <= 300_000,
            "{name}: {start}..{stop} is too long"
        );
        last = stop;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Segmenters keep their promises, and where chunks are cut makes no difference to them (a
    /// segment for each chunk is the exception), nor to optimizers and labelers.
    #[test]
    fn segmenters_keep_their_promises(
        moments in proptest::collection::vec((0i64..900_000, 0u8..5), 0..60),
        chunk in 500i64..30_000,
        marks in proptest::collection::btree_set(0i64..900_000, 0..12),
    ) {
        let end = 900_000;
        let mut script = busy(end, 1, &moments);
        let marks: Vec<i64> = marks.into_iter().collect();
        let pairs = marks.windows(2).filter(|pair| pair[1] - pair[0] < 300_000);
        let pairs: Vec<_> = pairs.collect();
        for pair in &pairs {
            script.segment(pair[0], pair[1]);
        }
        for (name, class, fold) in folds() {
            if class == Class::Featurer {
                continue;
            }
            let whole = script.run(&fold);
            let cut = script.clone().chunked(chunk).run(&fold);
            check_segments(name, &whole, end)?;
            check_segments(name, &cut, end)?;
            if name != "segment_passthrough" {
                prop_assert_eq!(segments(&cut), segments(&whole), "{}", name);
            }
            prop_assert_eq!(labels(&cut), labels(&whole), "{}", name);
            let optimized = (optimized(&cut), optimized(&whole));
            if class == Class::Optimizer {
                prop_assert_eq!(optimized.1.len(), 2 * pairs.len(), "{}: each on both tracks", name);
            }
            prop_assert_eq!(optimized.0, optimized.1, "{}", name);
        }
    }
}
