//! Operators that are other programs: a program of the standard library of Python, which behaves as it is
//! told. What it does wrong costs one chunk, names itself, and costs nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use matchcut_model::chunk::{ChunkExtent, Position, TrackNumber};
use matchcut_model::frame::{AudioBlock, Frame, FrameChoice, PixelFormat, ViewSpec};
use matchcut_model::observation::Class;
use matchcut_model::time::{MediaTime, TimeRange, Timestamp};
use matchcut_operators::kit;
use matchcut_operators::registry;
use matchcut_operators::sdk::{
    ChunkContext, Description, EdgeKind, Operator, OptionError, Options, VideoScanner,
};
use matchcut_operators::testing::{Script, segments};
use serde_json::{Value as Json, json};

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

/// Options of the puppet; `None`, with a word said, where there is no Python.
fn puppet(own: Json, more: Json) -> Option<Options> {
    let there = Command::new("python3").arg("--version").output();
    if !there.is_ok_and(|output| output.status.success()) {
        assert!(
            std::env::var_os("CI").is_none(),
            "python3 is missing (make setup-test)"
        );
        eprintln!("skipped: python3 is missing");
        return None;
    }
    let mut options = json!({
        "command": ["python3", "puppet.py"],
        "directory": programs(),
        "options": own,
        "restart": "10ms",
        "timeout": "20s",
    });
    for (key, value) in more.as_object().unwrap() {
        options[key] = value.clone();
    }
    Some(options.as_object().unwrap().clone())
}

fn build(options: &Options) -> Result<(Description, Operator), Vec<OptionError>> {
    let kind = registry::find("process").unwrap();
    let operator = kind.build(options)?;
    Ok((kind.describe_with(options), operator))
}

fn errors(options: &Options) -> Vec<String> {
    let errors = build(options).err().unwrap_or_default();
    errors
        .into_iter()
        .map(|error| format!("{}: {}", error.option.unwrap_or_default(), error.message))
        .collect()
}

fn chunk(position: u64) -> ChunkContext {
    ChunkContext {
        extent: ChunkExtent {
            position: Position(position),
            span: TimeRange {
                start: MediaTime::from_seconds(position as i64),
                end: MediaTime::from_seconds(position as i64 + 1),
            },
            stretch: 0,
            audio_tracks: vec![TrackNumber(1), TrackNumber(2)],
            frame_rate: None,
        },
        track: None,
    }
}

/// Twenty-five frames whose bytes are all `position + 1`.
fn scan(scanner: &dyn VideoScanner, position: u64) -> Result<Json, String> {
    let view = scanner.view();
    let data = vec![position as u8 + 1; (view.width * view.height) as usize];
    let mut scan = scanner.start(&chunk(position));
    for index in 0..25 {
        let time = MediaTime::from_seconds(position as i64) + MediaTime::from_millis(index * 40);
        scan.frame(&Frame {
            time,
            pts: Timestamp {
                ticks: 0,
                timescale: 1,
            },
            index: index as u64,
            width: view.width,
            height: view.height,
            format: view.format,
            data: &data,
        })?;
    }
    let signature = scan.finish()?;
    Ok(serde_json::from_slice(&signature).unwrap())
}

fn expected(position: u64) -> Json {
    let second = 705_600_000_u64;
    json!([{
        "start": position * second,
        "end": (position + 1) * second,
        "attributes": { "sum": 25 * 16 * 9 * (position + 1) },
    }])
}

fn watching(options: &Options) -> std::sync::Arc<dyn VideoScanner> {
    match build(options).unwrap().1 {
        Operator::Video { scanner, .. } => scanner,
        _ => panic!("the puppet watches"),
    }
}

#[test]
fn it_is_what_the_program_says() {
    let Some(options) = puppet(json!({}), json!({})) else {
        return;
    };
    let (description, _) = build(&options).unwrap();
    assert_eq!(description.class, Class::Featurer);
    assert_eq!(description.attributes[0].name, "sum");
    assert_eq!(description.inputs[0].kind, EdgeKind::Video);
    let scanner = watching(&options);
    let (width, height, format) = (16, 9, PixelFormat::Gray8);
    let rate = None;
    assert_eq!(
        scanner.view(),
        ViewSpec {
            width,
            height,
            format,
            rate,
            frames: FrameChoice::All,
        }
    );
    for position in [0, 1, 2] {
        assert_eq!(scan(&*scanner, position), Ok(expected(position)));
    }
    let segmenter = puppet(json!({"class": "segmenter"}), json!({})).unwrap();
    assert_eq!(build(&segmenter).unwrap().0.class, Class::Segmenter);
}

#[test]
fn the_spec_may_want_other_frames() {
    let more = json!({"width": 8, "height": 8, "format": "rgb24", "rate": "5/2"});
    let Some(options) = puppet(json!({}), more) else {
        return;
    };
    let view = watching(&options).view();
    assert_eq!(
        (view.width, view.height, view.format),
        (8, 8, PixelFormat::Rgb24)
    );
    assert_eq!(view.rate.unwrap().as_f64(), 2.5);
    let listens = puppet(json!({"audio": true}), json!({"width": 8, "rate": 5})).unwrap();
    assert_eq!(
        errors(&listens),
        [
            "width: the program looks at no frames",
            "rate: the program looks at no frames"
        ]
    );
}

#[test]
fn options_are_checked_where_they_stand() {
    let Some(options) = puppet(json!({"at": -1, "atc": "x", "audio": "yes"}), json!({})) else {
        return;
    };
    let mut found = errors(&options);
    found.sort();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found[0].starts_with("options.at: -1 is less than"),
        "{found:?}"
    );
    assert!(found[1].starts_with("options.atc: the program has no such option; it has act,"));
    assert_eq!(
        found[2],
        "options.audio: \"yes\" is not of type \"boolean\""
    );
    let wrong = puppet(
        json!({}),
        json!({"instances": 0, "timeout": 0, "env": {"A=B": "x"}}),
    );
    let named: Vec<String> = errors(&wrong.unwrap())
        .iter()
        .map(|error| error.split(':').next().unwrap().to_owned())
        .collect();
    assert_eq!(named, ["env", "instances", "timeout"]);
}

#[test]
fn a_program_that_is_none_is_told_at_command() {
    let Some(options) = puppet(json!({}), json!({"command": ["./nowhere"]})) else {
        return;
    };
    let found = errors(&options);
    assert!(
        found[0].starts_with("command: \"") && found[0].contains("nowhere\" cannot be started: "),
        "{found:?}"
    );
    for (command, text) in [
        (json!(["echo", "hello"]), "no message: \"hello"),
        (json!(["true"]), "the program ended (exit status: 0)"),
        (
            json!(["sh", "-c", "echo so sorry >&2; exit 5"]),
            "ended (exit status: 5); it last wrote: so sorry",
        ),
        (json!([]), "the program is missing"),
    ] {
        let found = errors(&puppet(json!({}), json!({"command": command})).unwrap());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("command: ") && found[0].contains(text),
            "{found:?}"
        );
    }
    for (ready, text) in [
        (json!({"protocol": 7}), "version 7"),
        (json!({"class": "painter"}), "unknown variant"),
        (json!({"order": "sideways"}), "unknown variant"),
        (
            json!({"attributes": [{"name": "a b", "kind": "any"}]}),
            "cannot be a name",
        ),
        (json!({"options": {"type": 5}}), "no JSON Schema"),
    ] {
        let found = errors(&puppet(json!({ "ready": ready }), json!({})).unwrap());
        assert!(
            found[0].starts_with("command: ") && found[0].contains(text),
            "{found:?}"
        );
    }
}

#[test]
fn a_program_that_does_not_answer_is_not_waited_for() {
    let Some(options) = puppet(json!({"act": "mute"}), json!({})) else {
        return;
    };
    let begun = Instant::now();
    let found = errors(&options);
    assert!(found[0].contains("did not answer within 10s"), "{found:?}");
    assert!(begun.elapsed() < Duration::from_secs(15));
}

/// The chunk in which the program does something wrong fails, and those around it do not.
#[test]
fn what_goes_wrong_costs_one_chunk() {
    for (act, texts) in [
        (
            "crash",
            &[
                "the program ended (exit status: 3)",
                "it last wrote: I cannot go on",
            ][..],
        ),
        ("hang", &["the program did not answer within 1s"]),
        (
            "garbage",
            &["does not keep to the protocol", "\"hello, I am a print\""],
        ),
        ("huge", &["larger than 16 MiB"]),
        ("stale", &["not the answer to this chunk"]),
        ("silent", &["closed its stdin or stdout"]),
        (
            "undeclared",
            &["attribute \"other\" is not declared (declared: sum)"],
        ),
        ("wrong_type", &["attribute \"sum\" is declared as a number"]),
        (
            "seconds",
            &["is not a time: times are whole numbers of flicks"],
        ),
        ("error", &["no picture to speak of"]),
    ] {
        let timeout = if act == "hang" { "1s" } else { "20s" };
        let own = json!({"act": act, "at": 1});
        let Some(options) = puppet(own, json!({ "timeout": timeout })) else {
            return;
        };
        let scanner = watching(&options);
        assert_eq!(scan(&*scanner, 0), Ok(expected(0)), "{act}");
        let error = scan(&*scanner, 1).unwrap_err();
        for text in texts {
            assert!(error.contains(text), "{act}: {error}");
        }
        assert_eq!(scan(&*scanner, 2), Ok(expected(2)), "{act}");
    }
}

#[test]
fn a_program_that_always_breaks_is_soon_not_asked_any_more() {
    let own = json!({"act": "crash", "at": 1});
    let Some(options) = puppet(own, json!({"restart": "100ms"})) else {
        return;
    };
    let scanner = watching(&options);
    let mut messages: Vec<String> = Vec::new();
    for _ in 0..6 {
        messages.push(scan(&*scanner, 1).unwrap_err());
    }
    for message in &messages[..4] {
        assert!(message.starts_with("the program ended"), "{message}");
    }
    assert!(
        messages[5]
            .starts_with("it is not asked, since it broke 4 times in a row: the program ended"),
        "{messages:?}"
    );
}

#[test]
fn chunks_at_the_same_time_share_its_instances() {
    for instances in [1, 2] {
        let Some(options) = puppet(json!({}), json!({ "instances": instances })) else {
            return;
        };
        let scanner = watching(&options);
        std::thread::scope(|scope| {
            for position in 0..6 {
                let scanner = &scanner;
                scope.spawn(move || assert_eq!(scan(&**scanner, position), Ok(expected(position))));
            }
        });
    }
}

#[test]
fn two_tracks_of_a_chunk_share_one_instance() {
    let Some(options) = puppet(json!({"audio": true}), json!({})) else {
        return;
    };
    let Operator::Audio { scanner, .. } = build(&options).unwrap().1 else {
        panic!("the puppet listens");
    };
    let mut scans: Vec<_> = [1, 2]
        .map(|track| {
            let context = ChunkContext {
                track: Some(TrackNumber(track)),
                ..chunk(0)
            };
            (track, scanner.start(&context))
        })
        .into();
    for (track, scan) in &mut scans {
        for number in 0..3 {
            let samples = [f32::from_le_bytes([*track as u8, 0, 0, 0]); 100];
            scan.block(&AudioBlock {
                time: MediaTime::from_millis(number * 10),
                track: TrackNumber(*track),
                sample_rate: 10_000,
                channels: 1,
                samples: &samples,
            })
            .unwrap();
        }
    }
    for (track, scan) in scans {
        let signature: Json = serde_json::from_slice(&scan.finish().unwrap()).unwrap();
        assert_eq!(signature[0]["attributes"]["sum"], 300 * track);
    }
}

#[test]
fn a_segmenter_goes_on_from_its_state() {
    let Some(options) = puppet(json!({"class": "segmenter"}), json!({})) else {
        return;
    };
    let Operator::Fold(fold) = build(&options).unwrap().1 else {
        panic!("a segmenter is a fold");
    };
    let mut script = Script::new(10_000, 4);
    for at in [2000, 9000, 21_000, 22_000] {
        script.point("o", at, &[]);
    }
    let closed = [
        (2000, Some(9000)),
        (9000, Some(21_000)),
        (21_000, Some(22_000)),
    ];
    for chunk in [10_000, 3000, 40_000] {
        let script = script.clone().chunked(chunk);
        assert_eq!(segments(&script.run(&fold)), closed, "{chunk}");
        let open = [&closed[..], &[(22_000, None)]].concat();
        assert_eq!(segments(&script.tail(&fold)), open, "{chunk}");
    }
    // A segment that is longer than the pipeline allows is refused, and says so.
    let short = puppet(json!({"class": "segmenter"}), json!({"max_segment": "10s"})).unwrap();
    let Operator::Fold(fold) = build(&short).unwrap().1 else {
        panic!("a segmenter is a fold");
    };
    let emitted = format!("{:?}", script.run(&fold));
    assert!(
        emitted
            .contains("the segment from 9.000 s to 21.000 s is longer than max_segment (10.000 s)"),
        "{emitted}"
    );
}

#[test]
fn programs_keep_the_rules_of_all_operators() {
    for own in [
        json!({}),
        json!({"audio": true}),
        json!({"class": "segmenter"}),
    ] {
        let Some(options) = puppet(own.clone(), json!({})) else {
            return;
        };
        let (description, operator) = build(&options).unwrap();
        assert_eq!(kit::conformance(&description, &operator), [], "{own}");
    }
    for (own, rule) in [
        (
            json!({"act": "undeclared", "at": 2}),
            "answers: chunk 2: attribute \"other\" is not declared",
        ),
        (
            json!({"act": "error", "at": 2}),
            "answers: chunk 2: no picture to speak of",
        ),
        (
            json!({"class": "segmenter", "act": "crash", "at": 1}),
            "answers: step 1: the program ended (exit status: 3)",
        ),
    ] {
        let (description, operator) = build(&puppet(own.clone(), json!({})).unwrap()).unwrap();
        let findings = kit::conformance(&description, &operator);
        assert!(
            findings[0].to_string().starts_with(rule),
            "{own}: {findings:?}"
        );
    }
}

/// Processes of this one that are puppets.
fn children() -> Vec<u32> {
    let output = Command::new("ps")
        .args(["-eo", "pid,ppid,stat,args"])
        .output()
        .unwrap();
    let own = std::process::id().to_string();
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (pid, parent) = (words.next()?, words.next()?);
            (parent == own && line.contains("leaves-nothing")).then(|| pid.parse().ok())?
        })
        .collect()
}

#[test]
fn nothing_runs_when_nobody_needs_it() {
    let Some(options) = puppet(
        json!({}),
        json!({"command": ["python3", "puppet.py", "leaves-nothing"]}),
    ) else {
        return;
    };
    if Command::new("ps").output().is_err() {
        eprintln!("skipped: ps is missing");
        return;
    }
    let scanner = watching(&options);
    assert_eq!(
        children().len(),
        0,
        "a program that was described has ended"
    );
    assert_eq!(scan(&*scanner, 0), Ok(expected(0)));
    assert_eq!(children().len(), 1);
    drop(scanner);
    assert_eq!(children().len(), 0);
    // Neither one that hangs.
    let own = json!({"act": "hang", "at": 0});
    let more = json!({"command": ["python3", "puppet.py", "leaves-nothing"], "timeout": "300ms"});
    let scanner = watching(&puppet(own, more).unwrap());
    assert!(scan(&*scanner, 0).is_err());
    assert_eq!(children().len(), 0);
}
