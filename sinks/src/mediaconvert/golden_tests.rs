//! Jobs as they are sent, compared with files that another test looks through with the service model of MediaConvert,
//! and the frames that they play, compared with those that a local renderer plays.
//! `MATCHCUT_RECORD_JOBS=1` writes the files anew.

use std::fs;
use std::path::Path;

use matchcut_model::chunk::{PlacedChunk, Resource};
use matchcut_model::timecode::{Timecode, TimecodeRate};
use proptest::prelude::*;

use super::*;
use crate::marks::tests::chunk;
use crate::mediaconvert::{Acceleration, Format, RESOLUTIONS};

const PAL: FrameRate = FrameRate { num: 25, den: 1 };
const NTSC: FrameRate = FrameRate {
    num: 30_000,
    den: 1001,
};

/// So many chunks of 50 frames in S3.
fn timeline(chunks: u64, rate: FrameRate) -> EventTimeline {
    let placed = |position: u64| -> PlacedChunk {
        let first = position * 50;
        let mut placed = chunk(position, rate.time_of(first as i64), rate, first, 50);
        placed.chunk.media = Resource::whole(format!("s3://media/cup/c_{position:05}.ts"));
        placed
    };
    (0..chunks).map(placed).collect()
}

fn options() -> MediaConvertOptions {
    MediaConvertOptions {
        destination: "s3://results/matches".to_owned(),
        role: "arn:aws:iam::123456789012:role/convert".to_owned(),
        ..MediaConvertOptions::default()
    }
}

fn maker(options: MediaConvertOptions) -> Maker {
    Maker::new(options, ("tennis", "final #1"), "run 1")
}

fn piece(rate: FrameRate, first: i64, end: i64) -> Piece {
    Piece {
        marks: TimeRange::new(rate.time_of(first), rate.time_of(end)),
        track: TrackNumber(1),
    }
}

fn replay(rate: FrameRate, pieces: &[(i64, i64)], look: Look) -> Wish {
    Wish {
        subject: "replay best".to_owned(),
        folder: "replays",
        name: "best".to_owned(),
        content: "0123".to_owned(),
        pieces: pieces
            .iter()
            .map(|(first, end)| piece(rate, *first, *end))
            .collect(),
        look,
    }
}

fn golden(name: &str, value: &Json) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/mediaconvert/{name}.json"));
    let text = format!("{}\n", serde_json::to_string_pretty(value).unwrap());
    if std::env::var_os("MATCHCUT_RECORD_JOBS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    for (number, (expected, got)) in expected.lines().zip(text.lines()).enumerate() {
        assert_eq!(got, expected, "{name}.json, line {}", number + 1);
    }
    assert_eq!(
        text.lines().count(),
        expected.lines().count(),
        "{name}.json"
    );
}

fn only(request: &JobRequest) -> &Json {
    let [step] = request.steps.as_slice() else {
        panic!("{} steps", request.steps.len());
    };
    assert_eq!(step.token, request.id);
    &step.job
}

#[test]
fn a_clip() {
    let wish = Wish {
        subject: "clip rally:1.2 track 1".to_owned(),
        folder: "clips",
        name: "rally_000001200_t1".to_owned(),
        content: "0123".to_owned(),
        pieces: vec![piece(PAL, 30, 125)],
        look: Look::default(),
    };
    let timeline = timeline(6, PAL);
    let request = maker(options()).plan(&wish, &timeline).unwrap();
    golden("clip", only(&request));
    assert_eq!(request.frames, 95);
    let folder = format!(
        "s3://results/matches/final__1/clips/rally_000001200_t1-{}/",
        &request.id[..12]
    );
    let files = [
        "rally_000001200_t1-source.mp4",
        "rally_000001200_t1-thumbnail.0000001.jpg",
    ];
    assert_eq!(request.outputs, files.map(|file| format!("{folder}{file}")));
    // Ten seconds of HD are the least.
    assert_eq!(
        (request.estimate.minutes, request.estimate.usd),
        (0.3333, 0.0025)
    );
    // The same again is the same; another run, or other chunks, is not.
    assert_eq!(maker(options()).plan(&wish, &timeline).unwrap(), request);
    let other_run = Maker::new(options(), ("tennis", "final #1"), "run 2");
    assert_ne!(other_run.plan(&wish, &timeline).unwrap().id, request.id);
    let other = Wish {
        content: "4567".to_owned(),
        ..wish
    };
    assert_ne!(
        maker(options()).plan(&other, &timeline).unwrap().id,
        request.id
    );
}

#[test]
fn a_replay_in_all_sizes() {
    let options = MediaConvertOptions {
        resolutions: RESOLUTIONS.map(|size| size.name.to_owned()).to_vec(),
        thumbnails: false,
        ..options()
    };
    let wish = replay(PAL, &[(210, 260), (10, 40)], Look::default());
    let request = maker(options).plan(&wish, &timeline(6, PAL)).unwrap();
    golden("replay_nine_sizes", only(&request));
    assert_eq!((request.outputs.len(), request.uploads.len()), (9, 0));
}

#[test]
fn a_replay_with_fades_as_hls() {
    let half = MediaTime::from_millis(500);
    let look = Look {
        fit: Fit::Pad,
        max_bitrate: Some(3_000_000),
        between: Between::Fade {
            out: half,
            into: half,
            colour: [16, 0, 255],
        },
        loudness: Some(Loudness {
            target: -16.0,
            true_peak: -1.0,
        }),
        ..Look::default()
    };
    let options = MediaConvertOptions {
        queue: Some("highlights".to_owned()),
        job_template: Some("usual".to_owned()),
        acceleration: Acceleration::Preferred,
        priority: 10,
        tags: BTreeMap::from([("team".to_owned(), "sport".to_owned())]),
        resolutions: vec!["16:9".to_owned(), "9:16".to_owned()],
        formats: vec![Format::Hls, Format::Mp4],
        ..options()
    };
    let wish = replay(NTSC, &[(20, 70), (199, 260), (100, 150)], look);
    let request = maker(options).plan(&wish, &timeline(6, NTSC)).unwrap();
    golden("replay_fades_hls", only(&request));
    let [upload] = request.uploads.as_slice() else {
        panic!("{:?}", request.uploads);
    };
    assert_eq!(upload.from, UploadFrom::Colour([16, 0, 255]));
    assert_eq!(
        upload.to.to_string(),
        "s3://results/matches/transitions/1000ff.png"
    );
}

fn asset(name: &str) -> Asset {
    Asset {
        path: PathBuf::from(format!("/specs/{name}")),
        name: name.to_owned(),
        content_type: "x".to_owned(),
    }
}

#[test]
fn what_stands_between_pieces_is_an_input() {
    let still = Look {
        between: Between::Image {
            asset: asset("ab12.png"),
            size: (1920, 1080),
            duration: MediaTime::from_millis(800),
        },
        resolution: Resolution::named("720p"),
        ..Look::default()
    };
    let wish = replay(PAL, &[(0, 50), (60, 90), (100, 101)], still);
    let request = maker(options()).plan(&wish, &timeline(6, PAL)).unwrap();
    golden("replay_image", only(&request));
    assert_eq!(request.frames, 50 + 20 + 30 + 20 + 1);
    assert_eq!(
        request.uploads[0].from,
        UploadFrom::File("/specs/ab12.png".into())
    );

    let video = Look {
        between: Between::Clip {
            asset: asset("cd34.mp4"),
            duration: MediaTime::from_seconds(1),
        },
        ..Look::default()
    };
    let wish = replay(PAL, &[(0, 50), (60, 90)], video);
    let request = maker(options()).plan(&wish, &timeline(6, PAL)).unwrap();
    golden("replay_clip", only(&request));
    // One piece has nothing between.
    let alone = Wish {
        pieces: wish.pieces[..1].to_vec(),
        ..wish
    };
    let request = maker(options()).plan(&alone, &timeline(6, PAL)).unwrap();
    assert!(request.uploads.is_empty());
    assert_eq!(inputs(only(&request)).len(), 1);
}

fn inputs(job: &Json) -> Vec<Input> {
    serde_json::from_value(job["settings"]["inputs"].clone()).unwrap()
}

#[test]
fn too_many_inputs_are_made_in_parts_and_joined() {
    let timeline = timeline(420, PAL);
    let half = MediaTime::from_millis(500);
    let look = Look {
        between: Between::Fade {
            out: half,
            into: half,
            colour: [0; 3],
        },
        ..Look::default()
    };
    let wish = replay(PAL, &[(7, 10_000), (11_000, 20_990)], look);
    let request = maker(options()).plan(&wish, &timeline).unwrap();
    let [parts @ .., last] = request.steps.as_slice() else {
        panic!("no steps");
    };
    let sizes: Vec<usize> = parts.iter().map(|step| inputs(&step.job).len()).collect();
    assert_eq!(sizes, [150, 150, 100]);
    let tokens: Vec<String> = (1..4)
        .map(|number| format!("{}-{number}", request.id))
        .collect();
    assert!(parts.iter().map(|step| &step.token).eq(&tokens));
    let joined = inputs(&last.job);
    let leftovers: Vec<String> = request.leftovers.iter().map(ToString::to_string).collect();
    let read = joined.iter().map(|input| input.file_input.clone().unwrap());
    assert!(read.eq(leftovers) && joined.iter().all(|input| input.input_clippings.is_empty()));
    let frames: Vec<(String, i64)> = parts
        .iter()
        .flat_map(|step| played(&inputs(&step.job), PAL))
        .collect();
    assert_eq!(frames, shown(&timeline, &wish));
    // Fades are those of the whole.
    let video = &last.job["settings"]["outputGroups"][0]["outputs"][0]["videoDescription"];
    let images = &video["videoPreprocessors"]["imageInserter"]["insertableImages"];
    // The first piece has 9993 frames, the last 13 of which disappear.
    assert_eq!(images[0]["startTime"], "00:06:39:04");
    assert_eq!(images.as_array().unwrap().len(), 1);
    let mut part = parts[2].job.clone();
    part["settings"]["inputs"]
        .as_array_mut()
        .unwrap()
        .truncate(2);
    golden("part", &part);
    golden("joined", &last.job);
}

/// What MediaConvert plays of these inputs: file and number of every frame.
fn played(inputs: &[Input], rate: FrameRate) -> Vec<(String, i64)> {
    let rate = TimecodeRate::non_drop(rate);
    let frame = |label: &Option<String>| {
        let label = label.as_ref()?;
        Some(Timecode::parse(label, rate).unwrap().frame())
    };
    let frames = inputs.iter().flat_map(|input| {
        let clip = input.input_clippings.first().cloned().unwrap_or_default();
        let first = frame(&clip.start_timecode).unwrap_or(0);
        let last = frame(&clip.end_timecode).unwrap_or(49);
        let file = input.file_input.clone().unwrap();
        (first..=last).map(move |number| (file.clone(), number))
    });
    frames.collect()
}

/// What a local renderer plays: all frames between the marks of each piece, one piece after the other.
fn shown(timeline: &EventTimeline, wish: &Wish) -> Vec<(String, i64)> {
    let mut frames = Vec::new();
    for piece in &wish.pieces {
        for placed in timeline.iter() {
            let all = (0i64..).zip(placed.frames.iter());
            let shown = all.filter(|(_, frame)| piece.marks.contains(frame.time));
            frames.extend(shown.map(|(number, _)| (placed.chunk.media.uri.clone(), number)));
        }
    }
    frames
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_replay_plays_what_a_local_renderer_plays(
        ntsc in any::<bool>(),
        pieces in prop::collection::vec((0i64..11_900, 1i64..3000), 1..6),
    ) {
        let rate = if ntsc { NTSC } else { PAL };
        let timeline = timeline(6, rate);
        let mut wish = replay(rate, &[], Look::default());
        wish.pieces = pieces.iter().map(|(start, long)| Piece {
            marks: TimeRange::new(MediaTime::from_millis(*start), MediaTime::from_millis(start + long)),
            track: TrackNumber(1),
        }).collect();
        let expected = shown(&timeline, &wish);
        match maker(options()).plan(&wish, &timeline) {
            Ok(request) => {
                prop_assert_eq!(request.frames, expected.len() as u64);
                prop_assert_eq!(played(&inputs(only(&request)), rate), expected);
            }
            Err(refused) => {
                prop_assert_eq!(refused.reason, "it holds no frame");
                prop_assert!(expected.is_empty());
            }
        }
    }
}

#[test]
fn why_there_is_no_job_is_said() {
    let timeline = timeline(6, FrameRate { num: 100, den: 1 });
    let fast = FrameRate { num: 100, den: 1 };
    let half = MediaTime::from_millis(500);
    let look = Look {
        between: Between::Fade {
            out: half,
            into: half,
            colour: [0; 3],
        },
        ..Look::default()
    };
    let wish = replay(fast, &[(0, 10), (20, 30)], look);
    let refused = maker(options()).plan(&wish, &timeline).unwrap_err();
    assert_eq!(refused.subject, "replay best");
    assert!(
        refused
            .reason
            .starts_with("at 100 frames a second MediaConvert cannot place fades")
    );
}
