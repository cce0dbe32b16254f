//! Views of a made-up pitch.

use matchcut_model::time::MediaTime;
use matchcut_operators::sdk::Operator;
use matchcut_operators::testing::{Picture, Script, observations, operator, scan_pictures};
use serde_json::json;

const WIDTH: usize = 64;
const HEIGHT: usize = 36;
const GRASS: [u8; 3] = [70, 140, 50];
const CROWD: [u8; 3] = [120, 118, 121];
const SHIRT: [u8; 3] = [200, 30, 40];

/// Five pictures a second; each shot is `(seconds, rows of grass)`, the rest is crowd with a
/// player in it.
fn match_with(shots: &[(usize, usize)]) -> Vec<Picture> {
    let mut pictures = Vec::new();
    for (seconds, rows) in shots {
        for _ in 0..seconds * 5 {
            let mut data = Vec::new();
            for y in 0..HEIGHT {
                for x in 0..WIDTH {
                    let player = x < 10 && y < 6;
                    let colour = match () {
                        _ if y >= HEIGHT - rows => GRASS,
                        _ if player => SHIRT,
                        _ => CROWD,
                    };
                    data.extend(colour);
                }
            }
            pictures.push(Picture {
                time: MediaTime::from_millis(pictures.len() as i64 * 200),
                data,
            });
        }
    }
    pictures
}

/// The views, one letter a second.
fn views(options: serde_json::Value, shots: &[(usize, usize)], chunk: i64) -> String {
    let pictures = match_with(shots);
    let Operator::Video { scanner, fold } = operator("dominant_color", options) else {
        panic!("dominant_color looks at pictures");
    };
    let script = Script::new(pictures.len() as i64 * 200, 1).chunked(chunk);
    let script = script.scanned(|chunk| scan_pictures(&*scanner, chunk, &pictures));
    let rows = observations(&script.run(&fold));
    assert_eq!(rows.len(), pictures.len(), "a point for every picture");
    let letters = rows
        .iter()
        .map(|row| row.2["view"].as_str().unwrap().chars().next().unwrap());
    letters.step_by(5).collect()
}

#[test]
fn the_share_of_grass_gives_the_view() {
    let shots = [(3, 24), (2, 9), (2, 2), (3, 30)];
    for chunk in [400, 1000, 3000, 10_000] {
        assert_eq!(
            views(json!({}), &shots, chunk),
            "fffnnccfff",
            "chunks of {chunk} ms"
        );
        assert_eq!(
            views(json!({"hue": [60, 150]}), &shots, chunk),
            "fffnnccfff"
        );
    }
    assert_eq!(
        views(json!({"hue": [200, 240]}), &shots, 10_000),
        "cccccccccc"
    );
    assert_eq!(
        views(json!({"far": 0.9, "near": 0.6}), &shots, 10_000),
        "nnnccccnnn"
    );
}

#[test]
fn the_share_is_that_of_the_picture() {
    let pictures = match_with(&[(1, 18)]);
    let Operator::Video { scanner, fold } = operator("dominant_color", json!({})) else {
        panic!("dominant_color looks at pictures");
    };
    let script = Script::new(1000, 1);
    let script = script.scanned(|chunk| scan_pictures(&*scanner, chunk, &pictures));
    for (_, _, attributes) in observations(&script.run(&fold)) {
        assert_eq!(attributes["share"].as_f64(), Some(0.5));
    }
}

#[test]
fn the_learned_colour_follows_a_new_court() {
    // With a memory of 5 s, a red court becomes the colour of the place after green was shown.
    let mut pictures = match_with(&[(10, 30), (20, 30)]);
    for picture in &mut pictures[50..] {
        for pixel in picture
            .data
            .chunks_exact_mut(3)
            .filter(|pixel| *pixel == GRASS)
        {
            pixel.copy_from_slice(&[190, 90, 40]);
        }
    }
    let Operator::Video { scanner, fold } = operator("dominant_color", json!({"memory": "5s"}))
    else {
        panic!("dominant_color looks at pictures");
    };
    let script = Script::new(6000, 5);
    let script = script.scanned(|chunk| scan_pictures(&*scanner, chunk, &pictures));
    let rows = observations(&script.run(&fold));
    let view = |at: usize| rows[at].2["view"].as_str().unwrap().to_owned();
    assert_eq!(
        [view(0), view(49), view(51), view(149)],
        ["far", "far", "close_up", "far"]
    );
}

#[test]
fn a_share_that_trembles_does_not_change_the_view() {
    // Rows of grass in 36: 18 is 0.5, 17 is 0.472, 16 is 0.444.
    assert_eq!(
        views(
            json!({}),
            &[(1, 17), (1, 18), (1, 17), (1, 16), (1, 17)],
            2000
        ),
        "nffnn"
    );
    assert_eq!(
        views(
            json!({"near": 0.25}),
            &[(1, 9), (1, 8), (1, 7), (1, 8)],
            2000
        ),
        "nncc"
    );
}

/// Pictures with an inner court of `inner`, in an outer one of `outer` and a dark stand above.
fn court(inner: [u8; 3], outer: [u8; 3], close_ups: usize) -> Vec<Picture> {
    let mut pictures = Vec::new();
    for number in 0..40 {
        let close = number % 20 < close_ups;
        let mut data = Vec::new();
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                let inside = (12..52).contains(&x) && (12..30).contains(&y);
                data.extend(match () {
                    _ if close => SHIRT,
                    _ if y < 6 => [20, 20, 20],
                    _ if inside => inner,
                    _ => outer,
                });
            }
        }
        let time = MediaTime::from_millis(number as i64 * 200);
        pictures.push(Picture { time, data });
    }
    pictures
}

#[test]
fn a_court_may_have_two_colours_and_one_may_be_grey() {
    let views = |pictures: &[Picture]| -> String {
        let Operator::Video { scanner, fold } = operator("dominant_color", json!({})) else {
            panic!("dominant_color looks at pictures");
        };
        let script = Script::new(8000, 1).chunked(1000);
        let script = script.scanned(|chunk| scan_pictures(&*scanner, chunk, pictures));
        let rows = observations(&script.run(&fold));
        let letters = rows
            .iter()
            .map(|row| row.2["view"].as_str().unwrap().chars().next().unwrap());
        letters.collect()
    };
    let (purple, green, grey) = ([100, 80, 150], [150, 190, 110], [120, 120, 126]);
    assert_eq!(views(&court(purple, green, 0)), "f".repeat(40));
    assert_eq!(views(&court(green, grey, 0)), "f".repeat(40));
    // A picture without the court stays what it is.
    let mixed = views(&court(purple, green, 2));
    assert_eq!(mixed[20..22], *"cc");
    assert_eq!(mixed[22..40], *"f".repeat(18));
}
