//! Score boxes drawn over the demo programme, read from the pixels and told exactly. Skipped without
//! Tesseract.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;

use crate::support::media::tool;
use crate::support::{Work, lines, repository};

const FONT: &str = "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf";

/// Whether score boxes can be drawn and read here.
fn can_read() -> bool {
    let reads = Command::new("tesseract").arg("--version").output().is_ok();
    let draws = Path::new(FONT).exists();
    if !reads || !draws {
        eprintln!("skipped: tesseract-ocr or fonts-dejavu-core is not installed");
    }
    reads && draws
}

/// A text in a picture: where, when (from and to in seconds), and whether it is dark.
struct Text<'a>(u32, u32, f64, f64, &'a str, bool);

/// Some seconds of the demo programme with boxes and texts drawn over them.
fn draw(work: &Work, seconds: u32, boxes: &[[u32; 4]], light: &[[u32; 4]], texts: &[Text<'_>]) {
    // The camera sways, as one at a court hardly does: what stays put are the boxes.
    let mut filter =
        "scale=1600:900,crop=1280:720:x='160+150*sin(3*t)':y='90+80*cos(4*t)'".to_owned();
    for (colour, boxes) in [("0x101828", boxes), ("0xd8e030", light)] {
        for [x, y, w, h] in boxes {
            let _ = write!(
                filter,
                ",drawbox=x={x}:y={y}:w={w}:h={h}:color={colour}:t=fill"
            );
        }
    }
    for (number, Text(x, y, from, to, text, dark)) in texts.iter().enumerate() {
        // In a file, no sign of a text means anything to the filter.
        let file = work.write(&format!("texts/{number}.txt"), text);
        let colour = if *dark { "black" } else { "white" };
        let _ = write!(
            filter,
            ",drawtext=fontfile={FONT}:textfile={}:expansion=none:x={x}:y={}-max_glyph_a:\
             fontsize=20:fontcolor={colour}:enable='gte(t,{from})*lt(t,{to})'",
            file.display(),
            // Texts stand on one line, and change a little before the pictures that are looked at.
            y + 16,
            from = from - 0.2,
            to = to - 0.2,
        );
    }
    let source = repository().join("demo/programme/index.m3u8");
    let out = work.path("match.mp4");
    let seconds = seconds.to_string();
    let args = [
        "-ss",
        "100",
        "-i",
        source.to_str().unwrap(),
        "-t",
        &seconds,
        "-vf",
        &filter,
    ];
    let encode = [
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-g",
        "50",
        "-c:a",
        "copy",
        "-y",
    ];
    tool(
        "ffmpeg",
        args.into_iter()
            .chain(encode)
            .chain([out.to_str().unwrap()]),
    );
}

fn spec(work: &Work, board: &str) {
    let text = format!(
        "[pipeline]\nname = \"match\"\n\n[sources.tv]\ntype = \"file\"\nuri = \"match.mp4\"\n\n\
         [operators.board]\ntype = \"scoreboard_text\"\ninputs = [\"tv.video\"]\n{board}\n\n\
         [operators.change]\ntype = \"segment_by_key_moment\"\ninputs = [\"board\"]\n\
         attribute = \"score_change\"\npre_roll = 2\npost_roll = 0.5\n\n\
         [operators.name]\ntype = \"label_score\"\ninputs = [\"change\", \"board\"]\n"
    );
    work.write("spec.toml", text);
}

/// Start, in half seconds, and some attributes of what the board says.
fn told(work: &Work, wanted: &[&str]) -> Vec<String> {
    told_in(work, "out", wanted)
}

fn told_in(work: &Work, out: &str, wanted: &[&str]) -> Vec<String> {
    let rows = lines(&work.path(out).join("observations.jsonl"));
    let board = rows.iter().filter(|row| row["operator"] == "board");
    board
        .map(|row| {
            // The pictures that are looked at lie on a grid of the stream's own time.
            let start = row["start"].as_f64().unwrap();
            let mut text = format!("{:.1}", (start * 2.0).floor() / 2.0);
            for name in wanted {
                let value = match &row["attributes"][*name] {
                    Json::String(value) => value.clone(),
                    other => other.to_string(),
                };
                let _ = write!(text, " {value}");
            }
            text
        })
        .collect()
}

const RUN: [&str; 5] = ["run", "spec.toml", "--out", "out", "-w2"];

#[test]
fn a_tennis_match_is_read_from_its_pixels() {
    if !can_read() {
        return;
    }
    let work = Work::new();
    let (one, two) = (50, 80);
    // Names, games of the first set and the set that is played in a light cell, points; a dot before
    // who serves.
    let texts = [
        Text(150, one, 0.0, 99.0, "DJOKOVIC", false),
        Text(150, two, 0.0, 99.0, "WAWRINKA", false),
        Text(130, one, 0.0, 7.0, "•", false),
        Text(130, two, 7.0, 99.0, "•", false),
        Text(310, one, 0.0, 99.0, "6", false),
        Text(310, two, 0.0, 99.0, "3", false),
        Text(348, one, 0.0, 99.0, "4", true),
        Text(348, two, 0.0, 7.0, "5", true),
        // A game is won at 7 s: 4-6, and so is the set.
        Text(348, two, 7.0, 99.0, "6", true),
        Text(385, one, 0.0, 2.0, "15", false),
        Text(385, two, 0.0, 4.0, "30", false),
        Text(385, one, 2.0, 7.0, "30", false),
        Text(385, two, 4.0, 7.0, "40", false),
        Text(385, one, 7.0, 99.0, "0", false),
        Text(385, two, 7.0, 99.0, "0", false),
    ];
    draw(
        &work,
        12,
        &[[120, 40, 310, 68]],
        &[[338, 44, 36, 60]],
        &texts,
    );
    spec(&work, "every = \"2s\"");
    work.ok(RUN);
    let score = told(&work, &["score", "score_change", "won_by", "game", "set"]);
    assert_eq!(
        score,
        [
            "0.0 6-3 4-5 15-30 null null null null",
            "2.0 6-3 4-5 30-30 true 1 null null",
            "4.0 6-3 4-5 30-40 true 2 null null",
            "6.0 6-3 4-5 30-40 null null null null",
            "7.0 6-3 4-6 0-0 true 2 true true",
            "9.0 6-3 4-6 0-0 null null null null",
            "11.0 6-3 4-6 0-0 null null null null",
        ]
    );
    let who = told(
        &work,
        &["name_1", "name_2", "server", "break_point", "set_point"],
    );
    assert_eq!(who[0], "0.0 DJOKOVIC WAWRINKA 1 false false");
    assert_eq!(who[2], "4.0 DJOKOVIC WAWRINKA 1 true true");
    assert_eq!(who[6], "11.0 DJOKOVIC WAWRINKA 2 false false");
    // The same match in chunks of other lengths, where it is said where the box is.
    for length in ["2", "4"] {
        let chunks = [
            "-c",
            "copy",
            "-f",
            "hls",
            "-hls_time",
            length,
            "-hls_list_size",
            "0",
            "-y",
        ];
        let (from, to) = (work.path("match.mp4"), work.path("match.m3u8"));
        let files = ["-i", from.to_str().unwrap()].into_iter().chain(chunks);
        tool("ffmpeg", files.chain([to.to_str().unwrap()]));
        let run = [
            "run",
            "spec.toml",
            "--out",
            length,
            "--set",
            "sources.tv.type=hls",
            "--set",
        ];
        let sets = ["sources.tv.uri=match.m3u8", "--set"];
        let region = ["operators.board.region=[0.09, 0.05, 0.25, 0.1]"];
        work.ok(run.into_iter().chain(sets).chain(region));
        let wanted = ["score", "score_change", "won_by", "game", "set"];
        assert_eq!(
            told_in(&work, length, &wanted),
            score,
            "chunks of {length} s"
        );
    }
    let segments = lines(&work.path("out/segments.jsonl"));
    let labels: Vec<&str> = segments
        .iter()
        .map(|row| row["label"].as_str().unwrap())
        .collect();
    let expected = [
        "DJOKOVIC - WAWRINKA 6-3 4-5 15-30",
        "DJOKOVIC - WAWRINKA 6-3 4-5 30-40, set point",
    ];
    assert_eq!(labels, expected);
}

#[test]
fn a_soccer_match_is_read_from_its_pixels() {
    if !can_read() {
        return;
    }
    let work = Work::new();
    let clocks: Vec<String> = (0..10)
        .map(|second| format!("44:{:02}", 52 + second.min(7)))
        .collect();
    let mut texts = vec![
        Text(200, 46, 0.0, 99.0, "RMA", false),
        Text(270, 46, 0.0, 5.0, "0", false),
        Text(270, 46, 5.0, 99.0, "1", false),
        Text(310, 46, 0.0, 99.0, "0", false),
        Text(350, 46, 0.0, 99.0, "SEV", false),
    ];
    for (second, clock) in clocks.iter().enumerate() {
        texts.push(Text(
            110,
            46,
            second as f64,
            second as f64 + 1.0,
            clock,
            false,
        ));
    }
    draw(&work, 10, &[[96, 38, 320, 40]], &[], &texts);
    spec(
        &work,
        "sport = \"soccer\"\nregion = [0.075, 0.05, 0.25, 0.06]",
    );
    work.ok(RUN);
    let score = told(
        &work,
        &["score", "name_1", "name_2", "score_change", "won_by"],
    );
    assert_eq!(score.len(), 10, "{score:?}");
    for (second, row) in score.iter().enumerate() {
        let expected = match second {
            0..5 => format!("{second}.0 0-0 RMA SEV null null"),
            5 => "5.0 1-0 RMA SEV true 1".to_owned(),
            _ => format!("{second}.0 1-0 RMA SEV null null"),
        };
        assert_eq!(*row, expected);
    }
    let clock = told(&work, &["clock", "clock_s"]);
    assert_eq!(clock[1], "1.0 44:53 2693");
    assert_eq!(clock[7], "7.0 44:59 2699");
}

#[test]
fn without_the_reader_an_error_says_what_to_install_and_the_rest_goes_on() {
    let work = Work::new();
    if !Path::new(FONT).exists() {
        eprintln!("skipped: fonts-dejavu-core is not installed");
        return;
    }
    let text = Text(110, 46, 0.0, 99.0, "04:56 RMA 0 0 SEV", false);
    draw(&work, 6, &[[96, 38, 320, 40]], &[], &[text]);
    let cuts = "[operators.cuts]\ntype = \"scene_change\"\ninputs = [\"tv.video\"]";
    let board = "program = \"no-such-reader\"\nregion = [0.075, 0.05, 0.25, 0.06]";
    spec(&work, &format!("{board}\n\n{cuts}"));
    let done = work.ok(RUN);
    done.says("no-such-reader is not installed")
        .says("apt-get install tesseract-ocr");
    let log = lines(&work.path("out/log.jsonl"));
    let errors: Vec<&Json> = log.iter().filter(|row| row["kind"] == "error").collect();
    assert!(!errors.is_empty());
    assert!(
        errors.iter().all(|row| row["value"]["operator"] == "board"),
        "{errors:?}"
    );
    let rows = lines(&work.path("out/observations.jsonl"));
    assert_eq!(
        rows.iter().filter(|row| row["operator"] == "board").count(),
        0
    );
    assert!(rows.iter().any(|row| row["operator"] == "cuts"), "{rows:?}");
}
