//! The line formats: what is accepted, what is refused and how, and that what is written is read
//! again exactly.

// A helper that fails fails its test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use matchcut_model::chunk::TrackNumber;
use matchcut_model::lines::{
    ClipEntry, Cut, ExactTimes, ObservationLine, Record, Recording, SegmentLine, parse_record,
    read_feedback, read_records,
};
use matchcut_model::observation::Observation;
use matchcut_model::replay::{Feedback, Side, Verdict};
use matchcut_model::segment::Segment;
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::value::{Attributes, Name, Value};
use proptest::prelude::*;

fn errors(text: &[u8]) -> Vec<String> {
    read_records("f.jsonl", text)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn only_few_fields_are_required() {
    let text = br#"
{"operator":"seg","class":"segmenter","start":10.0,"end":31.2}

{"operator":"seg","class":"segmenter","start":40,"end":null,"track":null,"opto":null,"label":null,"attributes":null}
{"class":"featurer","operator":"cuts","start":12.04,"new":{"field":1},"track":2}
{"operator":"l","class":"labeler","start":10.0,"attributes":{"x":[1,{"y":null}]}}"#;
    let mut recording = Recording::default();
    recording.read("f.jsonl", text).unwrap();
    let open = Segment::new("seg".into(), MediaTime::from_seconds(40), None);
    let first = Segment::new(
        "seg".into(),
        MediaTime::from_seconds(10),
        Some(MediaTime::from_millis(31_200)),
    );
    assert_eq!(recording.segments, [first.into(), open.into()]);
    assert_eq!(recording.observations.len(), 1);
    assert!(recording.observations[0].is_point());
    assert_eq!(
        recording.observations[0].start,
        MediaTime::from_millis(12_040)
    );
    assert_eq!(recording.observations[0].track, Some(TrackNumber(2)));
    assert_eq!(recording.remarks.len(), 1);
}

#[test]
fn every_error_is_told_with_its_line() {
    let text = b"{\"operator\":\"a\",\"class\":\"featurer\"}
{\"operator\":\"a\",\"class\":\"featurer\",\"start\":\"3\"}
{\"operator\":\"a\",\"class\":\"Classifier\",\"start\":3}
{\"operator\":\"a\",\"class\":\"featurer\",\"start\":3
[1]
{\"operator\":\"\xff\"}
{\"operator\":\"a\",\"class\":\"featurer\",\"start\":3,\"end\":2.5}
{\"operator\":\"a\",\"class\":\"segmenter\",\"start\":3,\"end\":4,\"opto\":{\"1\":[3]}}
{\"operator\":\"a\",\"class\":\"segmenter\",\"start\":3,\"end\":4,\"opto\":{\"x\":[3,4]}}
{\"operator\":\"a\",\"class\":\"featurer\",\"start\":3,\"track\":0}
{\"operator\":\"a\",\"class\":\"featurer\",\"start\":3,\"attributes\":[]}
{\"operator\":\"\",\"class\":\"featurer\",\"start\":3}
{\"class\":\"featurer\",\"start\":1e300}
{\"operator\":\"a\",\"class\":\"segmenter\",\"start\":3,\"label\":7}
";
    assert_eq!(
        errors(text),
        [
            "f.jsonl:1: start: is missing",
            "f.jsonl:2: start: is a string, expected a number of seconds",
            "f.jsonl:3: class: \"Classifier\" is not known; it is \"featurer\", \"segmenter\", \
             \"optimizer\" or \"labeler\"",
            "f.jsonl:4: not JSON, column 44: EOF while parsing an object",
            "f.jsonl:5: not an object; a line is one JSON object",
            "f.jsonl:6: not UTF-8 text",
            "f.jsonl:7: end: 2.500 is before start 3.000",
            "f.jsonl:8: opto.1: is not [start, end]",
            "f.jsonl:9: opto.x: is not a track; tracks count 1, 2, …",
            "f.jsonl:10: track: 0 is not a track; tracks count 1, 2, …",
            "f.jsonl:11: attributes: is not an object of names and values",
            "f.jsonl:12: operator: is empty",
            "f.jsonl:13: start: 1e+300 s is out of range",
            "f.jsonl:14: label: is a number, expected a string",
        ]
    );
}

#[test]
fn exact_times_hold_where_they_agree() {
    let at = |line: &str| match parse_record(line.as_bytes()).unwrap().unwrap() {
        Record::Observation(observation) => observation.start.flicks(),
        other => panic!("{other:?}"),
    };
    // Frame 7 at 30000/1001: 0.233566… s.
    let exact = MediaTime::from_ticks(7 * 1001, 30_000).flicks();
    let line = |flicks: i64| {
        format!(
            "{{\"operator\":\"a\",\"class\":\"featurer\",\"start\":0.234,\"start_flicks\":{flicks}}}"
        )
    };
    assert_eq!(at(&line(exact)), exact);
    // The seconds were edited.
    assert_eq!(
        at(&line(exact + 705_600_000)),
        MediaTime::from_millis(234).flicks()
    );
    for far in [i64::MIN, i64::MAX] {
        assert_eq!(at(&line(far)), MediaTime::from_millis(234).flicks());
    }
    // So far from 0 a number of seconds is no longer exact.
    let century = 705_600_000 * 12_000_000_000 + 87_141_600;
    let line = r#"{"operator":"a","class":"featurer","start":12000000000.124,"start_flicks":"#;
    assert_eq!(at(&format!("{line}{century}}}")), century);
}

#[test]
fn lines_have_the_documented_keys_in_order() {
    let observation = Observation {
        start: MediaTime::from_millis(12_040),
        end: MediaTime::from_millis(12_040),
        operator: "cuts".into(),
        track: None,
        attributes: Attributes::from([(Name::new("hard_cut"), Value::Bool(true))]),
    };
    assert_eq!(
        serde_json::to_string(&ObservationLine::new(&observation)).unwrap(),
        r#"{"operator":"cuts","class":"featurer","start":12.04,"end":12.04,"track":null,"attributes":{"hard_cut":true},"start_flicks":8495424000,"end_flicks":8495424000}"#
    );
    let mut segment = Segment::new(
        "rally".into(),
        MediaTime::from_seconds(10),
        Some(MediaTime::from_millis(31_200)),
    );
    segment.opto.insert(
        TrackNumber(1),
        TimeRange::new(MediaTime::from_millis(10_200), MediaTime::from_seconds(31)),
    );
    segment.label = Some("Ace".into());
    let mut line = SegmentLine::new(&segment);
    line.start = Some(ExactTimes {
        pts: Some(900_000),
        timescale: Some(90_000),
        frame: Some(250),
        utc: Some("2026-01-01T10:00:10Z".into()),
        timecode: Some("00:00:10:00".into()),
    });
    line.end = Some(ExactTimes {
        frame: Some(780),
        ..ExactTimes::default()
    });
    line.clips = Some(vec![ClipEntry {
        track: 1,
        cut: Cut::Exact,
        path: "clips/a.mp4".into(),
        first_frame: 255,
        end_frame: 775,
        max_error_frames: 0,
    }]);
    let text = serde_json::to_string(&line).unwrap();
    assert_eq!(
        text,
        concat!(
            r#"{"operator":"rally","class":"segmenter","start":10.0,"end":31.2,"opto":{"1":[10.2,31.0]},"#,
            r#""label":"Ace","attributes":{},"id":"rally:7056000000","start_flicks":7056000000,"#,
            r#""end_flicks":22014720000,"opto_flicks":{"1":[7197120000,21873600000]},"pts":900000,"#,
            r#""timescale":90000,"frame":250,"utc":"2026-01-01T10:00:10Z","timecode":"00:00:10:00","#,
            r#""end_frame":780,"clips":[{"track":1,"cut":"exact","path":"clips/a.mp4","#,
            r#""first_frame":255,"end_frame":775,"max_error_frames":0}]}"#
        )
    );
    assert_eq!(
        parse_record(text.as_bytes()).unwrap(),
        Some(Record::Segment(segment.into()))
    );
}

#[test]
fn feedback_lines() {
    let text = b"{\"start\":10.0,\"track\":1,\"side\":\"original\",\"feedback\":\"like\"}\n\n{\"start\":12.5,\"side\":\"Optimized\",\"feedback\":\"-\",\"track\":2}\n{\"start\":1,\"feedback\":\"Dislike\"}\n";
    let row = |millis, track, side, verdict| Feedback {
        start: MediaTime::from_millis(millis),
        track: TrackNumber(track),
        side,
        verdict,
    };
    assert_eq!(
        read_feedback("f", text).unwrap(),
        [
            row(10_000, 1, Side::Original, Verdict::Like),
            row(12_500, 2, Side::Optimized, Verdict::None),
            row(1_000, 1, Side::Original, Verdict::Dislike),
        ]
    );
    let bad = b"{\"start\":1,\"feedback\":\"meh\"}\n{\"start\":1,\"side\":\"left\",\"feedback\":\"like\"}\n{\"feedback\":\"like\"}";
    let errors: Vec<String> = read_feedback("f", bad)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        errors,
        [
            "f:1: feedback: \"meh\" is not known; it is \"like\", \"dislike\" or \"-\"",
            "f:2: side: \"left\" is not known; it is \"original\" or \"optimized\"",
            "f:3: start: is missing",
        ]
    );
}

#[test]
fn one_of_several_segmenters() {
    let text = b"{\"operator\":\"a\",\"class\":\"segmenter\",\"start\":1,\"end\":2}\n{\"operator\":\"b\",\"class\":\"segmenter\",\"start\":1,\"end\":2}";
    let mut recording = Recording::default();
    recording.read("f", text).unwrap();
    assert_eq!(
        recording.keep_segmenter("c").unwrap_err().to_string(),
        "no segment is of \"c\"; there are segments of \"a\", \"b\""
    );
    recording.keep_segmenter("b").unwrap();
    assert_eq!(
        recording.segmenters().into_iter().collect::<Vec<_>>(),
        ["b"]
    );
    assert_eq!(Recording::default().keep_segmenter("x"), Ok(()));
}

fn time() -> impl Strategy<Value = MediaTime> {
    // Some exact, some of frames that milliseconds cannot hold.
    (0i64..30_000_000_000_000).prop_map(MediaTime::from_flicks)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e12f64..1e12).prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::List),
            attributes_of(inner).prop_map(Value::Map),
        ]
    })
}

fn attributes_of(values: impl Strategy<Value = Value>) -> impl Strategy<Value = Attributes> {
    prop::collection::btree_map("\\PC{0,6}".prop_map(Name::from), values, 0..4)
        .prop_map(|map| map.into_iter().collect())
}

proptest! {
    #[test]
    fn observations_come_back_exactly(
        (start, length, operator, track) in (time(), time(), "[a-z]{1,8}", prop::option::of(1u32..9)),
        attributes in attributes_of(value()),
    ) {
        let observation = Observation {
            start,
            end: start + length,
            operator: operator.into(),
            track: track.map(TrackNumber),
            attributes,
        };
        let line = serde_json::to_string(&ObservationLine::new(&observation)).unwrap();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(parse_record(line.as_bytes()).unwrap(), Some(Record::Observation(observation)));
    }

    #[test]
    fn segments_come_back_exactly(
        (start, length, operator) in (time(), prop::option::of(time()), "[a-z]{1,8}"),
        opto in prop::collection::btree_map(1u32..5, (time(), time()), 0..3),
        label in prop::option::of("\\PC{0,12}"),
        attributes in attributes_of(value()),
    ) {
        let mut segment = Segment::new(operator.into(), start, length.map(|length| start + length));
        segment.opto = opto
            .into_iter()
            .map(|(track, (start, length))| (TrackNumber(track), TimeRange::new(start, start + length)))
            .collect();
        segment.label = label;
        segment.attributes = attributes;
        let line = serde_json::to_string(&SegmentLine::new(&segment)).unwrap();
        prop_assert_eq!(parse_record(line.as_bytes()).unwrap(), Some(Record::Segment(segment.into())));
    }

    /// Plain lines are read in a way of their own: what it finds is what the careful reader finds.
    #[test]
    fn a_file_says_what_its_lines_say(
        mut fields in attributes_of(value()),
        known in prop::collection::vec((0usize..12, value()), 0..4),
        nested in attributes_of(value()),
    ) {
        let names = [
            "operator", "class", "start", "end", "track", "attributes", "start_flicks",
            "end_flicks", "pts", "frame", "utc", "end_timecode",
        ];
        if fields.len() > 2 {
            fields.retain(|_, _| false);
        }
        fields.insert("operator".into(), "a".into());
        fields.insert("class".into(), "featurer".into());
        fields.insert("start".into(), 1.5.into());
        fields.insert("end".into(), 2.into());
        fields.insert("attributes".into(), Value::Map(nested));
        fields.extend(known.into_iter().map(|(index, value)| (names[index].into(), value)));
        let text = serde_json::to_string(&fields).unwrap();
        match (read_records("f", text.as_bytes()), parse_record(text.as_bytes())) {
            (Ok(records), Ok(record)) => prop_assert_eq!(records, Vec::from_iter(record)),
            (Err(errors), Err(problem)) => prop_assert_eq!(&errors[0].problem, &problem),
            (file, line) => prop_assert!(false, "{:?} but {:?}", file, line),
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_records("f", &bytes);
        let _ = read_feedback("f", &bytes);
    }

    #[test]
    fn no_json_makes_the_reader_panic(fields in attributes_of(value()), start in value(), opto in value()) {
        let mut line = fields;
        line.insert("operator".into(), "a".into());
        line.insert("class".into(), "segmenter".into());
        line.insert("start".into(), start);
        line.insert("opto".into(), opto);
        let text = serde_json::to_string(&line).unwrap();
        let _ = parse_record(text.as_bytes());
    }
}
