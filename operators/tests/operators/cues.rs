//! `stream_cues`: every mark once, at its own time, wherever the event is cut into chunks.

use matchcut_model::cue::CueKind;
use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Value};
use matchcut_operators::cues::PlacedCue;
use matchcut_operators::sdk::Emission;
use matchcut_operators::testing::{Script, fold_of};
use proptest::prelude::*;
use serde_json::json;

fn cue(time: i64, kind: CueKind, duration: Option<i64>, id: &str) -> PlacedCue {
    PlacedCue {
        time: MediaTime::from_millis(time),
        kind,
        duration: duration.map(MediaTime::from_millis),
        attributes: Attributes::from([("id".into(), Value::from(id))]),
    }
}

/// What is told of cues that are announced at these times of a minute of chunks of `chunk` ms: from
/// when to when, and which.
fn told(
    chunk: i64,
    announced: &[(i64, PlacedCue)],
    options: serde_json::Value,
) -> Vec<(i64, i64, String)> {
    let script = Script::new(60_000, 1).chunked(chunk).scanned(|context| {
        let span = context.extent.span;
        let cues: Vec<_> = announced
            .iter()
            .filter(|(at, _)| span.contains(MediaTime::from_millis(*at)))
            .map(|(_, cue)| cue)
            .collect();
        Some(serde_json::to_vec(&cues).unwrap())
    });
    let millis = |time: MediaTime| time.to_ticks(1000);
    let emitted = script.run(&fold_of("stream_cues", options));
    let mut told: Vec<_> = emitted
        .into_iter()
        .map(|(_, emission)| match emission {
            Emission::Observation {
                start,
                end,
                attributes,
            } => {
                let text = |name: &str| {
                    attributes
                        .get(name)
                        .map_or(String::new(), Value::plain_text)
                };
                let what = format!("{} {} {}", text("kind"), text("id"), text("duration"));
                (millis(start), millis(end), what.trim().to_owned())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    told.sort();
    told
}

#[test]
fn marks_become_points_and_ranges() {
    let announced = [
        (500, cue(20_000, CueKind::Out, Some(15_000), "7")),
        // The same is announced again, in another chunk.
        (12_500, cue(20_000, CueKind::Out, Some(15_000), "7")),
        (34_000, cue(35_000, CueKind::In, None, "7")),
        (30_000, cue(3_000, CueKind::DateRange, Some(4_000), "rain")),
        (0, cue(-5_000, CueKind::DateRange, Some(8_000), "warm-up")),
        (0, cue(-5_000, CueKind::DateRange, None, "doors")),
        (100, cue(90_000, CueKind::Scte35, None, "after the end")),
    ];
    let all = [
        (0, 3_000, "date_range warm-up 8"),
        (3_000, 7_000, "date_range rain 4"),
        (20_000, 35_000, "out 7 15"),
        (35_000, 35_000, "in 7"),
    ]
    .map(|(start, end, what)| (start, end, what.to_owned()));
    assert_eq!(told(6_000, &announced, json!({})), all);
    let breaks = told(6_000, &announced, json!({"kinds": ["out", "in"]}));
    assert_eq!(breaks, all[2..]);
}

#[test]
fn an_identity_is_found_in_scte_35() {
    let mut signal = cue(1_000, CueKind::Out, None, "");
    signal.attributes = Attributes::from([("event_id".into(), Value::from(1_207_959_695_i64))]);
    assert_eq!(
        told(6_000, &[(0, signal)], json!({})),
        [(1_000, 1_000, "out 1207959695".to_owned())]
    );
}

proptest! {
    /// Where chunks are cut makes no difference.
    #[test]
    fn chunks_do_not_matter(
        cues in prop::collection::vec((0i64..60_000, -10_000i64..70_000, prop::option::of(0i64..9_000)), 0..20),
        chunk in 500i64..20_000,
    ) {
        let announced: Vec<_> = cues
            .iter()
            .enumerate()
            .map(|(n, (at, time, length))| (*at, cue(*time, CueKind::Out, *length, &n.to_string())))
            .collect();
        let whole = told(60_000, &announced, json!({}));
        prop_assert_eq!(told(chunk, &announced, json!({})), whole);
    }
}
