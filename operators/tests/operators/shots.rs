//! Fades, dissolves and black pictures: made up frame by frame, and in real footage.

use matchcut_model::time::MediaTime;
use matchcut_operators::sdk::Operator;
use matchcut_operators::testing::{Picture, Script, observations, operator, scan_pictures};
use proptest::prelude::*;
use serde_json::json;

use crate::footage::{data, frames};

const PIXELS: usize = 32 * 18;
const FRAME: i64 = 40;

/// The picture of a shot: large patches, another layout for each.
fn shot(number: usize) -> Vec<u8> {
    let patch = |x: usize, y: usize| {
        let mixed = (number * 31 + x / 6 * 7 + y / 5 * 13).wrapping_mul(2_654_435_761);
        (mixed >> 7) as u8
    };
    (0..PIXELS)
        .flat_map(|at| {
            let luma = 40 + patch(at % 32, at / 32) % 180;
            [luma, 100 + luma / 5, 150 - luma / 6]
        })
        .collect()
}

fn plain(luma: u8) -> Vec<u8> {
    [luma, 128, 128].repeat(PIXELS)
}

/// `share` of 100 of `b` in `a`.
fn mixed(a: &[u8], b: &[u8], share: i64) -> Vec<u8> {
    let mix = |a: u8, b: u8| (i64::from(a) * (100 - share) + i64::from(b) * share) / 100;
    a.iter().zip(b).map(|(a, b)| mix(*a, *b) as u8).collect()
}

/// A film at 25 frames a second.
#[derive(Default)]
struct Film(Vec<Picture>);

impl Film {
    fn add(&mut self, data: Vec<u8>) {
        let time = MediaTime::from_millis(self.0.len() as i64 * FRAME);
        self.0.push(Picture { time, data });
    }

    fn hold(mut self, data: &[u8], frames: usize) -> Self {
        for _ in 0..frames {
            self.add(data.to_vec());
        }
        self
    }

    /// `frames` mixtures between two pictures.
    fn mix(mut self, from: &[u8], to: &[u8], frames: i64) -> Self {
        for frame in 1..=frames {
            self.add(mixed(from, to, frame * 100 / (frames + 1)));
        }
        self
    }

    fn script(&self) -> Script {
        Script::new(self.0.len() as i64 * FRAME, 1)
    }
}

/// First frame, last frame and what it is.
fn found(
    kind: &str,
    options: serde_json::Value,
    script: Script,
    film: &[Picture],
) -> Vec<(i64, i64, String)> {
    let Operator::Video { scanner, fold } = operator(kind, options) else {
        panic!("{kind} looks at pictures");
    };
    let script = script.scanned(|chunk| scan_pictures(&*scanner, chunk, film));
    let rows = observations(&script.run(&fold)).into_iter();
    rows.map(|(start, end, attributes)| {
        let said: Vec<_> = attributes
            .iter()
            .map(|(name, value)| format!("{name} {}", value.plain_text()))
            .collect();
        (start / FRAME, end / FRAME, said.join(", "))
    })
    .collect()
}

fn transitions(film: &Film) -> Vec<(i64, i64, String)> {
    found("transitions", json!({}), film.script(), &film.0)
}

fn said(rows: &[(i64, i64, &str)]) -> Vec<(i64, i64, String)> {
    let owned = rows.iter().map(|row| (row.0, row.1, row.2.to_owned()));
    owned.collect()
}

#[test]
fn fades_have_a_direction_and_a_colour() {
    let (a, b) = (shot(1), shot(2));
    let film = Film::default()
        .hold(&a, 30)
        .mix(&a, &plain(16), 11)
        .hold(&plain(16), 10)
        .mix(&plain(16), &b, 24)
        .hold(&b, 40)
        .mix(&b, &plain(235), 9)
        .hold(&plain(235), 3)
        .mix(&plain(235), &a, 9)
        .hold(&a, 30);
    assert_eq!(
        transitions(&film),
        said(&[
            (29, 41, "color black, fade out"),
            (50, 75, "color black, fade in"),
            (114, 124, "color white, fade out"),
            (126, 136, "color white, fade in"),
        ])
    );
    let black = found("black_frames", json!({}), film.script(), &film.0);
    assert_eq!(black.len(), 1);
    let (start, end) = (black[0].0, black[0].1);
    assert!(
        (38..=41).contains(&start) && (51..=54).contains(&end),
        "{black:?}"
    );
    let only = found(
        "transitions",
        json!({"fades": false}),
        film.script(),
        &film.0,
    );
    assert_eq!(only, []);
}

#[test]
fn a_dissolve_is_where_the_pictures_mix() {
    for frames in [8, 12, 25, 50] {
        let (a, b) = (shot(1), shot(2));
        let film = Film::default()
            .hold(&a, 70)
            .mix(&a, &b, frames)
            .hold(&b, 70);
        let rows = transitions(&film);
        assert_eq!(rows.len(), 1, "{frames}: {rows:?}");
        assert_eq!(rows[0].2, "dissolve true");
        let (first, last) = (69, 70 + frames);
        assert!(
            (rows[0].0 - first).abs() <= 1 && (rows[0].1 - last).abs() <= 1,
            "{rows:?}"
        );
    }
}

#[test]
fn cuts_and_light_are_no_transitions() {
    let (a, b) = (shot(1), shot(2));
    let cut = Film::default().hold(&a, 60).hold(&b, 60);
    assert_eq!(transitions(&cut), []);
    let to_black = Film::default()
        .hold(&a, 60)
        .hold(&plain(16), 20)
        .hold(&b, 60);
    assert_eq!(transitions(&to_black), []);
    let dark: Vec<u8> = a
        .chunks_exact(3)
        .flat_map(|pixel| [16 + (pixel[0] - 16) / 2, pixel[1], pixel[2]])
        .collect();
    let dimmed = Film::default()
        .hold(&a, 60)
        .mix(&a, &dark, 25)
        .hold(&dark, 60);
    assert_eq!(transitions(&dimmed), []);
}

#[test]
fn black_ranges_end_with_their_pictures_and_at_holes() {
    let a = shot(1);
    let mut logo = plain(16);
    logo[..5 * 3].fill(200);
    let film = Film::default()
        .hold(&a, 20)
        .hold(&logo, 15)
        .hold(&a, 20)
        .hold(&plain(16), 45);
    let black = |options, script| found("black_frames", options, script, &film.0);
    let both = said(&[(20, 35, "black true"), (55, 100, "black true")]);
    assert_eq!(black(json!({}), film.script()), both);
    assert_eq!(
        black(json!({"min_duration": "1s"}), film.script()),
        both[1..]
    );
    assert_eq!(black(json!({"share": 1.0}), film.script()), both[1..]);
    // Chunks of 10 frames, one of them lost: what it showed is not known.
    let holed = film.script().chunked(400).without(&[7]);
    let parts = said(&[
        (20, 35, "black true"),
        (55, 70, "black true"),
        (80, 100, "black true"),
    ]);
    assert_eq!(black(json!({}), holed), parts);
}

#[test]
fn garbage_gives_nothing() {
    for kind in ["transitions", "black_frames"] {
        let short = [Picture {
            time: MediaTime::ZERO,
            data: vec![0; 5],
        }];
        assert_eq!(found(kind, json!({}), Script::new(1000, 2), &short), []);
        let Operator::Video { fold, .. } = operator(kind, json!({})) else {
            panic!("{kind} looks at pictures");
        };
        let script = Script::new(1000, 2).scanned(|_| Some(vec![1; 33]));
        assert_eq!(script.run(&fold), []);
    }
}

#[test]
fn real_fades() {
    let Some(path) = data("clips/mre_FadeInOutSample.mp4") else {
        return;
    };
    let Some(pictures) = frames(&path, FRAME) else {
        return;
    };
    let script = || Script::new(pictures.len() as i64 * FRAME, 1).chunked(6000);
    let rows = found("transitions", json!({}), script(), &pictures);
    assert_eq!(
        rows,
        said(&[
            (62, 74, "color black, fade out"),
            (81, 93, "color black, fade in"),
            (153, 165, "color black, fade out"),
            (172, 184, "color black, fade in"),
            (239, 251, "color black, fade out"),
        ])
    );
    let black = found("black_frames", json!({}), script(), &pictures);
    let bounds: Vec<_> = black.iter().map(|row| (row.0, row.1)).collect();
    assert_eq!(bounds, [(73, 83), (164, 174), (250, 270)]);
    let Some(path) = data("clips/bigbuckbunny_0_30.webm") else {
        return;
    };
    let Some(pictures) = frames(&path, FRAME) else {
        return;
    };
    let script = Script::new(pictures.len() as i64 * FRAME, 1).chunked(6000);
    let rows = found("transitions", json!({}), script, &pictures);
    assert_eq!(rows.len(), 1, "{rows:?}");
    let (start, end, said) = &rows[0];
    assert_eq!(said, "color black, fade in");
    assert!(
        (4..=12).contains(start) && (44..=52).contains(end),
        "{rows:?}"
    );
}

#[test]
fn footage_without_transitions_has_none() {
    for clip in [
        "bikes.mp4",
        "intel_one_by_one_person.mp4",
        "intel_bottle.mp4",
        "pexels_squirrel_digital_silence.mp4",
        "googlework_short.mp4",
    ] {
        let Some(path) = data(&format!("clips/{clip}")) else {
            return;
        };
        let Some(pictures) = frames(&path, FRAME) else {
            return;
        };
        let script = Script::new(pictures.len() as i64 * FRAME, 1).chunked(6000);
        assert_eq!(
            found("transitions", json!({}), script, &pictures),
            [],
            "{clip}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Where the stream is cut into chunks makes no difference.
    #[test]
    fn chunks_make_no_difference(
        parts in proptest::collection::vec((0usize..4, 1usize..40, 0i64..30), 1..6),
        mut inner in proptest::collection::vec(1i64..300, 0..30),
    ) {
        let mut film = Film::default();
        let mut last = plain(16);
        for (number, frames, mix) in parts {
            let next = if number == 0 { plain(16) } else { shot(number) };
            film = film.mix(&last, &next, mix).hold(&next, frames);
            last = next;
        }
        let count = film.0.len() as i64;
        inner.retain(|frame| *frame < count);
        inner.extend([0, count]);
        inner.sort_unstable();
        let borders: Vec<_> = inner.iter().map(|n| MediaTime::from_millis(n * FRAME)).collect();
        for kind in ["transitions", "black_frames"] {
            let expected = found(kind, json!({}), film.script(), &film.0);
            let cut = film.script().cut_at(borders.clone());
            prop_assert_eq!(found(kind, json!({}), cut, &film.0), expected);
        }
    }
}
