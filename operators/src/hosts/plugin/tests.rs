//! Plugins as programs outside: what they are told, what they may ask for, and what becomes of what they say. Whole
//! events with a program in Python are among the end-to-end tests.

use std::thread;
use std::time::Duration;

use matchcut_model::chunk::{ChunkExtent, Position, TrackNumber};
use matchcut_model::observation::Observation;
use matchcut_model::segment::Segment;
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::value::{Attributes, Name};
use serde_json::{Value as Json, json};

use super::*;
use crate::board::{self, Row, View, Which};
use crate::sdk::{Emission, FoldState, Step};

fn seconds(seconds: f64) -> MediaTime {
    MediaTime::from_seconds_f64(seconds).unwrap()
}

fn extent(position: u64) -> ChunkExtent {
    let start = seconds(2.0).times(position as i64);
    ChunkExtent {
        position: Position(position),
        span: TimeRange::new(start, start + seconds(2.0)),
        stretch: 0,
        audio_tracks: vec![TrackNumber(1)],
        frame_rate: None,
    }
}

fn cut(at: MediaTime) -> Observation {
    Observation {
        start: at,
        end: at,
        operator: Name::new("cuts"),
        track: None,
        attributes: Attributes::from([("hard_cut".into(), true.into())]),
    }
}

struct Event {
    fold: FoldBox,
    state: FoldState,
    names: (String, String),
    plugin: String,
    _desk: board::Open,
    _dir: tempfile::TempDir,
}

impl Event {
    fn new(name: &str, options: Json) -> Event {
        let dir = tempfile::tempdir().unwrap();
        let names = ("Plugins".to_owned(), name.to_owned());
        let desk = board::open((&names.0, &names.1), name, dir.path());
        let mut all = json!({
            "mre_plugin": "Find It", "mre_program": names.0, "mre_event": names.1, "wait": "20s",
            "dependents": [{ "operator": "cuts", "name": "Cut Finder" }],
        });
        all.as_object_mut()
            .unwrap()
            .extend(options.as_object().unwrap().clone());
        let operator = Plugin.build(all.as_object().unwrap()).unwrap();
        let Operator::Chunk { fold, .. } = operator else {
            panic!("not asked by chunk");
        };
        Event {
            state: fold.initial(),
            fold,
            names,
            plugin: "Find It".to_owned(),
            _desk: desk,
            _dir: dir,
        }
    }

    /// A step at which the plugin sees `view` and says `rows`; or is not asked, where there are none to say.
    fn step(&mut self, step: &Step<'_>, says: Option<Json>) -> (Option<View>, Vec<Emission>) {
        let payload = json!({ "Plugin": { "Class": "Any" }, "Event": { "AudioTracks": [1] } });
        let signature = payload.to_string().into_bytes();
        let mut step = *step;
        if step.extent.is_some() {
            step.signature = Some(&signature);
        }
        let (fold, state, names) = (self.fold.clone(), &mut self.state, &self.names);
        let names = (names.0.as_str(), names.1.as_str());
        let plugin = &self.plugin;
        let mut emitted = Vec::new();
        let view = thread::scope(|scope| {
            let stepping = scope.spawn(|| fold.step(&step, state, &mut emitted));
            let view = says.map(|says| {
                let long = Duration::from_secs(20);
                let taken = board::take(names, Some("Find_It"), long, long).unwrap();
                let chunk = taken.id.split('-').nth(1).unwrap().parse().unwrap();
                let track = None;
                let which = Which {
                    plugin,
                    chunk,
                    track,
                };
                let view = board::view(names, which).unwrap();
                let rows: Vec<Row> = serde_json::from_value(says).unwrap();
                assert!(board::finish(names, &taken.id, Ok(rows)));
                view
            });
            stepping.join().unwrap();
            view
        });
        (view, emitted)
    }

    fn tail(&self) -> Vec<Emission> {
        let mut tail = Vec::new();
        self.fold.tail(&self.state, &mut tail);
        tail
    }
}

fn starts(rows: &[Row]) -> Vec<f64> {
    rows.iter()
        .map(|row| row["Start"].as_f64().unwrap())
        .collect()
}

fn segment(start: MediaTime, end: Option<MediaTime>) -> Emission {
    Emission::Segment {
        start,
        end,
        attributes: Attributes::new(),
    }
}

#[test]
fn a_segmenter_knows_its_last_segment_and_what_came_since() {
    let mut event = Event::new(
        "Segmenter",
        json!({ "class": "segmenter", "max_segment": "10s" }),
    );
    // A third of a second, which milliseconds do not hold.
    let third = MediaTime::from_flicks(seconds(1.0).flicks() / 3);
    let all: Vec<ChunkExtent> = (0..9).map(extent).collect();
    let at = |position: usize| Step {
        extent: Some(&all[position]),
        watermark: all[position].span.end,
        ..Step::at(Position(position as u64), MediaTime::ZERO)
    };
    let cuts = [cut(third), cut(seconds(1.0))];
    let step = Step {
        observations: &cuts,
        ..at(0)
    };
    let (view, emitted) = event.step(&step, Some(json!([{ "Start": 0.333 }])));
    let view = view.unwrap();
    assert_eq!((view.prior, emitted), (None, Vec::new()));
    assert_eq!(starts(&view.rows["Cut Finder"]), [0.333, 1.0]);
    assert_eq!(view.rows["Cut Finder"][0]["hard_cut"], true);
    assert_eq!(view.rows["Cut Finder"][0]["ChunkNumber"], 1);
    assert_eq!(event.tail(), [segment(third, None)]);

    let cuts = [cut(seconds(2.5))];
    let step = Step {
        observations: &cuts,
        ..at(1)
    };
    let (view, emitted) = event.step(&step, Some(json!([{ "Start": 0.333, "End": 2.5 }])));
    let view = view.unwrap();
    let prior = view.prior.unwrap();
    assert_eq!(
        (&prior["Start"], &prior["End"]),
        (&json!(0.333), &json!(0.333))
    );
    assert_eq!(starts(&view.rows["Cut Finder"]), [1.0, 2.5]);
    // The start is the one that the cut had, not its milliseconds.
    assert_eq!(emitted, [segment(third, Some(seconds(2.5)))]);
    assert_eq!(event.tail(), []);

    // What it says again changes nothing; what it says otherwise comes too late.
    let again =
        json!([{ "Start": 0.333, "End": 2.5 }, { "Start": 0.333, "End": 2.0 }, { "Start": 4.5 }]);
    let (view, emitted) = event.step(&at(2), Some(again));
    let prior = view.unwrap().prior.unwrap();
    assert_eq!(
        (&prior["Start"], &prior["End"]),
        (&json!(0.333), &json!(2.5))
    );
    assert!(
        matches!(&emitted[..], [Emission::Failure { message }] if message.contains("comes too late"))
    );

    // It is closed where it gets too long, and at the end of the event.
    for position in 3..7 {
        assert_eq!(event.step(&at(position), Some(json!([]))).1, []);
    }
    let (_, emitted) = event.step(&at(7), Some(json!([{ "Start": 15.0 }])));
    assert_eq!(emitted, [], "the newer one is the open one");
    let end = Step {
        end_of_event: true,
        ..Step::at(Position(u64::MAX), seconds(16.0))
    };
    assert_eq!(
        event.step(&end, None).1,
        [segment(seconds(15.0), Some(seconds(16.0)))]
    );
}

#[test]
fn an_open_segment_is_closed_where_it_gets_too_long() {
    let mut event = Event::new("Long", json!({ "class": "segmenter", "max_segment": "3s" }));
    let all = [extent(0), extent(1)];
    let at = |position: usize| Step {
        extent: Some(&all[position]),
        watermark: all[position].span.end,
        ..Step::at(Position(position as u64), MediaTime::ZERO)
    };
    assert_eq!(event.step(&at(0), Some(json!([{ "Start": 0.5 }]))).1, []);
    let (_, emitted) = event.step(&at(1), Some(json!([])));
    assert_eq!(emitted, [segment(seconds(0.5), Some(seconds(3.5)))]);
}

#[test]
fn who_says_nothing_in_time_costs_the_chunk_alone() {
    let mut event = Event::new("Silent", json!({ "class": "segmenter", "wait": "0.1s" }));
    let cuts = [cut(seconds(1.0))];
    let first = extent(0);
    let step = Step {
        extent: Some(&first),
        observations: &cuts,
        ..Step::at(Position(0), seconds(2.0))
    };
    let (_, emitted) = event.step(&step, None);
    let said = "nothing was said of it within 0.1 s: no program has taken the work";
    let failure = Emission::Failure {
        message: said.to_owned(),
    };
    assert_eq!(emitted, [failure]);
    // What was there then is there at the next chunk. It has its own time, so that it must be quick.
    let mut slow = Event::new("Silent2", json!({ "class": "segmenter" }));
    std::mem::swap(&mut slow.state, &mut event.state);
    let second = extent(1);
    let step = Step {
        extent: Some(&second),
        ..Step::at(Position(1), seconds(4.0))
    };
    let (view, _) = slow.step(&step, Some(json!([])));
    assert_eq!(starts(&view.unwrap().rows["Cut Finder"]), [1.0]);
}

#[test]
fn optimizers_and_labelers_are_asked_when_all_has_passed() {
    let marked = Segment::new(Name::new("rally"), seconds(0.5), Some(seconds(1.5)));
    let all = [extent(0), extent(1)];
    let cuts = [cut(seconds(1.6))];
    let first = Step {
        extent: Some(&all[0]),
        watermark: all[0].span.end,
        observations: &cuts,
        segments: std::slice::from_ref(&marked),
        ..Step::at(Position(0), MediaTime::ZERO)
    };
    let second = Step {
        extent: Some(&all[1]),
        watermark: all[1].span.end,
        ..Step::at(Position(1), MediaTime::ZERO)
    };
    let mut event = Event::new(
        "Optimizer",
        json!({ "class": "optimizer", "look_ahead": "1s" }),
    );
    assert_eq!(event.step(&first, None).1, [], "not yet");
    let marks = json!([{
        "Start": 0.5, "OptoStart": 0.4, "OptoStartCode": "Opto succeeded", "OptoEnd": 1.6, "OptoEndCode": "Opto succeeded",
    }]);
    let (view, emitted) = event.step(&second, Some(marks));
    let view = view.unwrap();
    assert_eq!(
        (starts(&view.segments), starts(&view.rows["Cut Finder"])),
        (vec![0.5], vec![1.6])
    );
    let codes = ["OptoEndCode", "OptoStartCode"];
    assert_eq!(
        emitted,
        [Emission::Optimized {
            segment: seconds(0.5),
            track: TrackNumber(1),
            marks: TimeRange::new(seconds(0.4), seconds(1.6)),
            attributes: codes
                .map(|code| (code.into(), "Opto succeeded".into()))
                .into(),
        }]
    );
    let mut event = Event::new("Labeler", json!({ "class": "labeler" }));
    let label = json!([{ "Start": 0.5, "LabelCode": "Success", "Label": "Ace", "speed": 200 }, { "Start": 9.0 }]);
    let (view, emitted) = event.step(&first, Some(label));
    assert_eq!(view.unwrap().segments[0]["LabelCode"], "Not Attempted");
    assert_eq!(
        emitted,
        [
            Emission::Labelled {
                segment: seconds(0.5),
                label: Some("Ace".to_owned()),
                attributes: [
                    ("LabelCode".into(), "Success".into()),
                    ("speed".into(), Json::from(200).into())
                ]
                .into(),
            },
            Emission::Failure {
                message: "there is no segment at 9 s".to_owned()
            },
        ]
    );
    // It is not asked about it again.
    assert_eq!(event.step(&second, None).1, []);
}

#[test]
fn a_featurer_that_reads_others_is_told_what_was_said_of_its_chunk() {
    let mut event = Event::new("Featurer", json!({ "class": "featurer" }));
    let all = [extent(0), extent(1)];
    let cuts = [cut(seconds(1.0))];
    let step = Step {
        extent: Some(&all[0]),
        observations: &cuts,
        ..Step::at(Position(0), seconds(2.0))
    };
    let (view, emitted) = event.step(&step, Some(json!([{ "Start": 1.0, "calm": false }])));
    assert_eq!(starts(&view.unwrap().rows["Cut Finder"]), [1.0]);
    assert_eq!(
        emitted,
        [Emission::Observation {
            start: seconds(1.0),
            end: seconds(1.0),
            attributes: [("calm".into(), false.into())].into(),
        }]
    );
    let step = Step {
        extent: Some(&all[1]),
        ..Step::at(Position(1), seconds(4.0))
    };
    let (view, _) = event.step(&step, Some(json!([])));
    assert_eq!(view.unwrap().rows["Cut Finder"], Vec::<Row>::new());
}

#[test]
fn the_payload_says_what_the_plugin_is_and_reads() {
    let options = json!({
        "class": "segmenter", "mre_plugin": "Find It", "configuration": { "a": "1" },
        "dependents": [{ "operator": "cuts", "name": "Cut Finder" }],
        "mre_outputs": { "Label": { "Description": "its name" } },
    });
    let mut errors = Vec::new();
    let (own, _) = read(options.as_object().unwrap(), &mut errors);
    assert_eq!(errors, []);
    let plain = json!({ "Plugin": { "Name": "Find It" }, "Profile": { "Name": "p", "Classifier": {}, "Featurers": [] } });
    assert_eq!(
        chunk::told(&own, plain),
        json!({
            "Plugin": {
                "Name": "Find It", "Class": "Classifier", "DependentPlugins": ["Cut Finder"],
                "OutputAttributes": { "Label": { "Description": "its name" } },
            },
            "Profile": {
                "Name": "p",
                "Classifier": {
                    "Name": "Find It", "Configuration": { "a": "1" }, "DependentPlugins": [{
                        "Name": "Cut Finder", "Configuration": {}, "DependentFor": ["Find It"], "Level": 1,
                        "SupportedMediaType": "Video",
                    }],
                },
            },
        })
    );
    for (wrong, option) in [
        (json!({ "wait": "0s" }), "wait"),
        (json!({ "concurrency": 0 }), "concurrency"),
        (json!({ "look_ahead": "11m" }), "look_ahead"),
        (json!({ "class": "judge" }), "class"),
        (json!({ "function": "a b" }), "function"),
        (json!({ "event_start": "noon" }), "event_start"),
    ] {
        let errors = Plugin.build(wrong.as_object().unwrap()).err().unwrap();
        assert_eq!(errors[0].option.as_deref(), Some(option), "{errors:?}");
    }
}
