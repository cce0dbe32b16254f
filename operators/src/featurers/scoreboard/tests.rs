//! The score over an event: what was read is given, or drawn and read by a reader that counts.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value as Json, json};

use super::image::Grey;
use super::ocr::{Reader, Word};
use super::page::Page;
use super::scan::{BoxText, Reading, read, write};
use super::tokens::lines;
use super::*;
use crate::sdk::{ChunkContext, VideoScanner};
use crate::testing::{Picture, Script, fold_of, observations, scan_pictures};

const BOX: Area = Area {
    left: 130,
    top: 602,
    right: 358,
    bottom: 670,
};
const ELSEWHERE: Area = Area {
    left: 700,
    top: 20,
    right: 900,
    bottom: 60,
};

/// What is read from a time on, until the next: places and lines.
type Shows<'a> = &'a [(i64, &'a [(Area, &'a [&'a str])])];

/// Two pictures a second, each read as `shows` says.
fn readings(shows: Shows<'_>, end: i64) -> Vec<Reading> {
    (0..end)
        .step_by(500)
        .map(|at| {
            let shown = shows.iter().rev().find(|(from, _)| *from <= at);
            let boxes = shown.map_or(&[][..], |(_, boxes)| boxes);
            let boxes = boxes.iter().map(|(area, texts)| BoxText {
                area: *area,
                lines: lines(texts),
            });
            Reading {
                time: MediaTime::from_millis(at),
                boxes: boxes.collect(),
            }
        })
        .collect()
}

/// What is told, the same for chunks of every length: time and the attributes that are asked for.
fn told(options: &Json, shows: Shows<'_>, end: i64, wanted: &[&str]) -> Vec<(i64, String)> {
    let all = readings(shows, end);
    let fold = fold_of("scoreboard_text", options.clone());
    let mut results = Vec::new();
    for chunk in [500, 1000, 1700, 6000, end] {
        let script = Script::new(end, 1).chunked(chunk).scanned(|context| {
            let span = context.extent.span;
            let inside = all.iter().filter(|reading| span.contains(reading.time));
            Some(write(&inside.cloned().collect::<Vec<_>>()))
        });
        let rows = observations(&script.run(&fold));
        let row = |(at, _, attributes): (i64, i64, Attributes)| {
            let values = wanted.iter().filter_map(|name| attributes.get(*name));
            (
                at,
                values
                    .map(|value| value.plain_text())
                    .collect::<Vec<_>>()
                    .join(" "),
            )
        };
        results.push(rows.into_iter().map(row).collect::<Vec<_>>());
    }
    assert!(
        results.iter().all(|rows| *rows == results[0]),
        "chunks make a difference: {results:#?}"
    );
    results.swap_remove(0)
}

fn rows(expected: &[(i64, &str)]) -> Vec<(i64, String)> {
    expected
        .iter()
        .map(|(at, text)| (*at, (*text).to_owned()))
        .collect()
}

use matchcut_model::value::Attributes;

#[test]
fn a_tennis_game_is_told_point_by_point() {
    let shows: Shows<'_> = &[
        (1000, &[(BOX, &["* DJOKOVIC 5 30", "WAWRINKA 3 0"])]),
        (4000, &[(BOX, &["* DJOKOVIC 5 40", "WAWRINKA 3 0"])]),
        // The box is hidden, and comes back after the game.
        (6000, &[]),
        (8000, &[(BOX, &["DJOKOVIC 6 0 0", "* WAWRINKA 3 0 0"])]),
    ];
    let options = json!({"every": "2s"});
    let found = told(
        &options,
        shows,
        11_000,
        &["score", "server", "score_change", "won_by", "game", "set"],
    );
    let expected = [
        // Read twice before it counts; the change to 40 is likely and sure, so once is enough.
        (1000, "5-3 30-0 1"),
        (3000, "5-3 30-0 1"),
        (4000, "5-3 40-0 1 true 1"),
        // Two points in one: which cannot be said, but the set was won.
        (8000, "6-3 0-0 0-0 1 true 1 true true"),
        (10_000, "6-3 0-0 0-0 2"),
    ];
    assert_eq!(found, rows(&expected));
    let points = told(
        &options,
        shows,
        11_000,
        &["game_point", "break_point", "set_point", "match_point"],
    );
    assert_eq!(points[1].1, "false false false false");
    assert_eq!(points[2].1, "true false true false");
    let names = told(
        &options,
        shows,
        11_000,
        &[
            "name_1", "name_2", "games_1", "games_2", "sets_1", "sets_2", "points_1",
        ],
    );
    assert_eq!(names[2].1, "DJOKOVIC WAWRINKA 5 3 0 0 40");
    assert_eq!(names[4].1, "DJOKOVIC WAWRINKA 0 0 1 0 0");
}

#[test]
fn a_wrong_reading_changes_nothing() {
    let shows: Shows<'_> = &[
        (0, &[(BOX, &["DJOKOVIC 6 1 0", "WAWRINKA 3 0 0"])]),
        // Misread once, in two ways; then not at all; then as before.
        (2000, &[(BOX, &["DJOKOVIC 6 7 0", "WAWRINKA 3 5 0"])]),
        (2500, &[(BOX, &["DJOKOVIC 6 4 0", "WAWRINKA 3 0 0"])]),
        (3000, &[(BOX, &["DJ0K0VIC 6 1 440", "WAWRINKA 3 0 0"])]),
        (3500, &[(BOX, &["DJOKOVIC 6 1 0", "WAWRINKA 3 0 0"])]),
    ];
    let found = told(
        &json!({"every": "10s"}),
        shows,
        6000,
        &["score", "score_change"],
    );
    assert_eq!(found, rows(&[(0, "6-3 1-0 0-0")]));
    // Three votes, and a slow box.
    let shows: Shows<'_> = &[
        (0, &[(BOX, &["AB 1 0", "CD 1 0"])]),
        (2000, &[(BOX, &["AB 3 0", "CD 1 0"])]),
    ];
    let found = told(
        &json!({"every": "10s", "votes": 3}),
        shows,
        4000,
        &["score", "score_change"],
    );
    assert_eq!(found, rows(&[(0, "1-1 0-0"), (2000, "3-1 0-0 true")]));
}

#[test]
fn of_several_boxes_the_one_that_stays_counts() {
    let main: (Area, &[&str]) = (BOX, &["HALEP 1 15", "KVITOVA 2 40"]);
    let shows: Shows<'_> = &[
        (0, &[main, (ELSEWHERE, &["ROLEX 0:48"])]),
        // The score of another court, on top.
        (2000, &[(ELSEWHERE, &["NADAL 6 3", "THIEM 4 2"]), main]),
    ];
    let found = told(&json!({"every": "2s"}), shows, 5000, &["score", "name_1"]);
    assert_eq!(
        found,
        rows(&[
            (0, "1-2 15-40 HALEP"),
            (2000, "1-2 15-40 HALEP"),
            (4000, "1-2 15-40 HALEP")
        ])
    );
}

#[test]
fn goals_and_the_clock_of_a_soccer_match() {
    let shows: Shows<'_> = &[
        (0, &[(BOX, &["44:58 RMA 0 0 SEV"])]),
        (1000, &[(BOX, &["44:59 RMA 0 0 SEV"])]),
        (2000, &[(BOX, &["45:00 RMA 0 0 SEV"])]),
        // Misread: a clock does not jump.
        (3000, &[(BOX, &["46:01 RMA 0 0 SEV"])]),
        (4000, &[(BOX, &["45:02 RMA 1 0 SEV"])]),
        (5000, &[(BOX, &["45:03 RMA 1 0 SEV"])]),
    ];
    let options = json!({"sport": "soccer"});
    let found = told(
        &options,
        shows,
        7000,
        &[
            "clock",
            "clock_s",
            "score",
            "score_change",
            "won_by",
            "name_2",
        ],
    );
    let expected = [
        (0, "44:58 2698 0-0 SEV"),
        (1000, "44:59 2699 0-0 SEV"),
        (2000, "45:00 2700 0-0 SEV"),
        (3000, "0-0 SEV"),
        (4000, "1-0 true 1 SEV"),
        (5000, "45:03 2703 1-0 SEV"),
        // A clock may stand still.
        (6000, "45:03 2703 1-0 SEV"),
    ];
    assert_eq!(found, rows(&expected));
}

#[test]
fn text_is_told_as_it_is() {
    let shows: Shows<'_> = &[
        (0, &[(BOX, &["3rd & 7", "4:21"])]),
        (2000, &[(BOX, &["1st & 10", "4:02"])]),
    ];
    let options = json!({"sport": "text", "region": [0.1, 0.8, 0.2, 0.1], "every": "60s"});
    let found = told(&options, shows, 4000, &["score", "score_change"]);
    assert_eq!(
        found,
        rows(&[(0, "3rd & 7 | 4:21"), (2000, "1st & 10 | 4:02 true")])
    );
}

#[test]
fn wrong_options_are_explained() {
    for (options, wrong) in [
        (json!({"region": [0.9, 0.1, 0.2, 0.1]}), "region"),
        (json!({"region": [0.1, 0.1, 0.001, 0.1]}), "region"),
        (json!({"rate": 0}), "rate"),
        (json!({"votes": 4}), "votes"),
        (json!({"best_of": 4}), "best_of"),
        (json!({"language": "-h"}), "language"),
        (json!({"program": " "}), "program"),
        (json!({"timeout": "5m"}), "timeout"),
        (json!({"every": 0}), "every"),
        (json!({"sport": "chess"}), "sport"),
    ] {
        let errors = ScoreboardText
            .build(options.as_object().unwrap())
            .err()
            .unwrap();
        assert_eq!(errors.len(), 1, "{options}");
        assert_eq!(errors[0].option.as_deref(), Some(wrong));
    }
}

/// Reads how much ink a line has, and counts how often it is asked.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Reader for Counting {
    fn read(&self, page: &Page) -> Result<Vec<Vec<Word>>, String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let ink = |top: usize, bottom: usize| {
            let width = page.picture.width;
            let dark = page.picture.data[top * width..bottom * width]
                .iter()
                .filter(|v| **v < 128);
            Word {
                text: format!("{}", dark.count() / 64),
                confidence: 90,
            }
        };
        Ok(page
            .rows
            .iter()
            .map(|row| vec![ink(row.top, row.bottom)])
            .collect())
    }
}

/// Bars as high as letters, light on dark, over a picture that moves.
fn picture(number: u32, bars: usize) -> Picture {
    let (width, height) = (WIDTH as usize, HEIGHT as usize);
    let mut noise = number.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut data = vec![0u8; width * height];
    for value in &mut data {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *value = (noise >> 24) as u8;
    }
    for y in 600..640 {
        for x in 100..340 {
            data[y * width + x] = 25;
        }
    }
    for bar in 0..bars {
        for y in 612..628 {
            for x in 0..6 {
                data[y * width + 120 + bar * 14 + x] = 235;
            }
        }
    }
    Picture {
        time: MediaTime::from_millis(i64::from(number) * 500),
        data,
    }
}

#[test]
fn what_has_not_changed_is_not_read_again() {
    let bars = |number: u32| if number < 7 { 12 } else { 14 };
    let pictures: Vec<Picture> = (0..12)
        .map(|number| picture(number, bars(number)))
        .collect();
    let mut all = Vec::new();
    for (region, chunk, asked) in [
        (None, 6000, 2),
        (None, 3000, 3),
        (None, 1500, 5),
        (area([0.08, 0.84, 0.18, 0.045]), 6000, 2),
        (area([0.08, 0.84, 0.18, 0.045]), 500, 12),
    ] {
        let reader = Arc::new(Counting::default());
        let scanner = BoardScanner {
            rate: FrameRate::new(2, 1).unwrap(),
            region,
            reader: Arc::clone(&reader) as Arc<dyn Reader>,
        };
        let mut found = Vec::new();
        let script = Script::new(6000, 1).chunked(chunk);
        let scan = |context: &ChunkContext| {
            scan_pictures(&scanner as &dyn VideoScanner, context, &pictures)
        };
        let signatures = std::cell::RefCell::new(Vec::new());
        let _ = script.scanned(|context| {
            let signature = scan(context);
            signatures.borrow_mut().push(signature.clone());
            signature
        });
        for signature in signatures.into_inner() {
            found.extend(read(&signature.unwrap()).unwrap());
        }
        let texts: Vec<(i64, String)> = found
            .iter()
            .map(|reading| {
                assert_eq!(reading.boxes.len(), 1, "{region:?} {chunk}: {reading:?}");
                (reading.time.to_millis(), reading.boxes[0].lines[0].text())
            })
            .collect();
        assert_eq!(texts.len(), 12);
        assert_eq!(
            reader.0.load(Ordering::SeqCst),
            asked,
            "{region:?}, chunks of {chunk} ms"
        );
        all.push(texts);
    }
    assert_ne!(all[0][6].1, all[0][7].1);
    assert_eq!(all[0][0].1, all[0][6].1);
    assert!(all.iter().all(|texts| *texts == all[0]), "{all:?}");
}

#[test]
fn pages_are_black_on_white_whatever_the_box_is() {
    // A light line on dark, and a dark cell on light in the same line.
    let mut grey = Grey::filled(160, 40, 30);
    for y in 12..28 {
        for bar in 0..4 {
            for x in 0..5 {
                grey.data[y * 160 + 20 + bar * 12 + x] = 230;
            }
        }
    }
    for y in 0..40 {
        for x in 100..140 {
            grey.data[y * 160 + x] = 220;
        }
    }
    for y in 12..28 {
        for bar in 0..2 {
            for x in 0..5 {
                grey.data[y * 160 + 112 + bar * 10 + x] = 20;
            }
        }
    }
    let page = page::page(&grey, 1).unwrap();
    assert_eq!(page.rows.len(), 1);
    // Six bars of black, in a row, on white.
    let middle = (page.rows[0].top + page.rows[0].bottom) / 2;
    let line: Vec<bool> = (0..page.picture.width)
        .map(|x| page.picture.at(x, middle) < 128)
        .collect();
    let bars = line.windows(2).filter(|pair| !pair[0] && pair[1]).count();
    assert_eq!(bars, 6);
    assert_eq!(
        page::page(&Grey::filled(50, 50, 90), 1).map(|page| page.rows),
        None
    );
}
