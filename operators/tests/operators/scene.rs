//! Cuts in made-up pictures.

use std::sync::Arc;

use matchcut_model::time::MediaTime;
use matchcut_operators::sdk::{FoldBox, Operator, VideoScanner};
use matchcut_operators::testing::{Picture, Script, observations, operator, scan_pictures};
use proptest::prelude::*;
use serde_json::json;

const PIXELS: usize = 32 * 18;

pub(crate) fn scene_change() -> (Arc<dyn VideoScanner>, FoldBox) {
    match operator("scene_change", json!({})) {
        Operator::Video { scanner, fold } => (scanner, fold),
        _ => panic!("scene_change looks at pictures"),
    }
}

/// A picture of shot `shot` that differs a little from frame to frame.
fn picture(shot: u64, frame: i64) -> Vec<u8> {
    let hash = |n: u64| {
        let mixed = (n ^ (n >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 56
    };
    (0..PIXELS * 3)
        .map(|at| {
            let layout = hash(shot * 7919 + at as u64);
            let noise = hash(frame as u64 * 104_729 + at as u64) % 4;
            (layout.min(250) + noise) as u8
        })
        .collect()
}

/// Pictures at 25 frames a second; `shots` are the lengths in frames.
fn film(shots: &[i64]) -> (Vec<Picture>, Vec<i64>) {
    let mut pictures = Vec::new();
    let mut cuts = Vec::new();
    for (shot, length) in shots.iter().enumerate() {
        if shot > 0 {
            cuts.push(pictures.len() as i64 * 40);
        }
        for _ in 0..*length {
            let frame = pictures.len() as i64;
            let data = picture(shot as u64, frame);
            pictures.push(Picture {
                time: MediaTime::from_millis(frame * 40),
                data,
            });
        }
    }
    (pictures, cuts)
}

fn whole(pictures: &[Picture]) -> Script {
    Script::new(pictures.len() as i64 * 40, 1)
}

fn cuts(script: Script, pictures: &[Picture]) -> Vec<(i64, f64)> {
    let (scanner, fold) = scene_change();
    let script = script.scanned(|chunk| scan_pictures(&*scanner, chunk, pictures));
    let rows = observations(&script.run(&fold));
    rows.into_iter()
        .map(|(start, end, attributes)| {
            assert_eq!(start, end);
            assert_eq!(attributes["hard_cut"].as_bool(), Some(true));
            (start, attributes["score"].as_f64().unwrap())
        })
        .collect()
}

fn times(found: &[(i64, f64)]) -> Vec<i64> {
    found.iter().map(|cut| cut.0).collect()
}

#[test]
fn a_cut_is_the_first_frame_of_the_new_shot() {
    let (pictures, expected) = film(&[30, 17, 60, 6]);
    let found = cuts(whole(&pictures), &pictures);
    assert_eq!(times(&found), expected);
    assert_eq!(expected, [1200, 1880, 4280]);
    assert!(
        found.iter().all(|cut| (100.0..300.0).contains(&cut.1)),
        "{found:?}"
    );
}

#[test]
fn a_flash_is_no_cut() {
    for length in [1, 2] {
        let (mut pictures, _) = film(&[50]);
        for flash in &mut pictures[20..20 + length] {
            flash.data.fill(255);
        }
        assert_eq!(cuts(whole(&pictures), &pictures), [], "{length} frames");
    }
}

#[test]
fn a_fade_is_no_cut() {
    let (mut pictures, _) = film(&[60]);
    for (frame, picture) in pictures.iter_mut().enumerate() {
        let light = (frame as i32 - 20).clamp(0, 25);
        for value in &mut picture.data {
            *value = (i32::from(*value) * light / 25) as u8;
        }
    }
    assert_eq!(cuts(whole(&pictures), &pictures), []);
}

#[test]
fn cuts_too_close_together_are_one() {
    let (pictures, expected) = film(&[40, 3, 40]);
    assert_eq!(expected, [1600, 1720]);
    assert_eq!(times(&cuts(whole(&pictures), &pictures)), [1600]);
}

#[test]
fn a_cut_between_chunks_is_found_and_a_hole_is_none() {
    let (pictures, _) = film(&[25, 25, 25, 25]);
    let script = Script::new(1000, 4);
    assert_eq!(times(&cuts(script.clone(), &pictures)), [1000, 2000, 3000]);
    // Without the third chunk, its own cut and the one after it cannot be known.
    assert_eq!(
        times(&cuts(script.clone().without(&[2]), &pictures)),
        [1000]
    );
    // The same where the scan of a chunk failed.
    let (scanner, fold) = scene_change();
    let script = script.scanned(|chunk| {
        (chunk.extent.position.0 != 2).then(|| scan_pictures(&*scanner, chunk, &pictures))?
    });
    let found: Vec<_> = observations(&script.run(&fold))
        .iter()
        .map(|row| row.0)
        .collect();
    assert_eq!(found, [1000]);
}

#[test]
fn garbage_is_refused_or_passed_over() {
    let (pictures, _) = film(&[25, 25]);
    let (scanner, fold) = scene_change();
    let short = [Picture {
        time: MediaTime::ZERO,
        data: vec![0; 5],
    }];
    let script = Script::new(1000, 2);
    let scanned = script
        .clone()
        .scanned(|chunk| scan_pictures(&*scanner, chunk, &short));
    assert_eq!(scanned.run(&fold), []);
    let damaged = script.scanned(|chunk| {
        let mut signature = scan_pictures(&*scanner, chunk, &pictures)?;
        signature.truncate(signature.len() / 2);
        Some(signature)
    });
    assert_eq!(damaged.run(&fold), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Where the stream is cut into chunks makes no difference, down to the score.
    #[test]
    fn chunks_make_no_difference(
        shots in proptest::collection::vec(1i64..30, 1..6),
        mut inner in proptest::collection::vec(1i64..150, 0..40),
    ) {
        let (pictures, _) = film(&shots);
        let frames = pictures.len() as i64;
        let expected = cuts(whole(&pictures), &pictures);
        inner.retain(|frame| *frame < frames);
        inner.extend([0, frames]);
        inner.sort_unstable();
        // Equal borders give chunks without frames.
        let borders = inner.iter().map(|frame| MediaTime::from_millis(frame * 40)).collect();
        let found = cuts(whole(&pictures).cut_at(borders), &pictures);
        prop_assert_eq!(found, expected);
    }
}
