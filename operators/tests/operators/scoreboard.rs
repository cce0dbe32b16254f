//! Score boxes of real broadcasts. Runs where the footage, FFmpeg and Tesseract are there.

use std::process::Command;

use matchcut_model::time::MediaTime;
use matchcut_operators::sdk::Operator;
use matchcut_operators::testing::{Picture, Script, observations, operator, scan_pictures};
use serde_json::json;

use crate::footage::{data, ffmpeg};

/// Two pictures a second of a file as the operator sees them.
fn pictures(file: &str) -> Option<Vec<Picture>> {
    let path = data(&format!("local_only/{file}"))?;
    if let Err(error) = Command::new("tesseract").arg("--version").output() {
        eprintln!("skipped: no tesseract ({error})");
        return None;
    }
    let filter = "fps=2:start_time=0,scale=1280:720:flags=area,format=gray";
    let raw = ffmpeg(&path, &["-an", "-vf", filter, "-f", "rawvideo"])?;
    let pictures = raw
        .chunks_exact(1280 * 720)
        .enumerate()
        .map(|(number, data)| Picture {
            time: MediaTime::from_millis(number as i64 * 500),
            data: data.to_vec(),
        });
    Some(pictures.collect())
}

/// The values of some attributes, each combination once, in order of time.
fn read(sport: &str, pictures: &[Picture], chunk: i64, wanted: &[&str]) -> Vec<String> {
    let Operator::Video { scanner, fold } = operator("scoreboard_text", json!({"sport": sport}))
    else {
        panic!("scoreboard_text looks at pictures");
    };
    let script = Script::new(pictures.len() as i64 * 500, 1).chunked(chunk);
    let script = script.scanned(|chunk| scan_pictures(&*scanner, chunk, pictures));
    let rows = observations(&script.run(&fold)).into_iter();
    let mut texts: Vec<String> = rows
        .map(|(_, _, attributes)| {
            let values = wanted.iter().map(|name| attributes[*name].plain_text());
            values.collect::<Vec<_>>().join(" ")
        })
        .collect();
    texts.dedup();
    texts
}

#[test]
fn tennis_boxes_are_read_without_being_told_where_they_are() {
    let Some(paris) = pictures("tennis_tv_paris_shelton_13s.mp4") else {
        return;
    };
    let wanted = ["name_1", "name_2", "score", "server"];
    for chunk in [2000, 6000, 60_000] {
        let found = read("tennis", &paris, chunk, &wanted);
        assert_eq!(
            found,
            ["DAVIDOVICH FOKINA SHELTON 0-0 40-40 2"],
            "chunks of {chunk} ms"
        );
    }
    let Some(shanghai) = pictures("tennis_tv_artlabs_3.mp4") else {
        return;
    };
    assert_eq!(
        read("tennis", &shanghai, 6000, &["name_1", "score"]),
        ["Nadal 1-1 15-15"]
    );
    // A box whose cells are narrower than they are high is not read, and nothing wrong is told.
    let Some(london) = pictures("tennis_tv_artlabs_1.mp4") else {
        return;
    };
    let found = read("tennis", &london, 6000, &["score"]);
    assert!(found.is_empty() || found == ["6-3 1-0 0-0"], "{found:?}");
}

#[test]
fn a_soccer_box_is_read_with_its_clock() {
    let Some(madrid) = pictures("soccer_laliga_scorebug_26s.mp4") else {
        return;
    };
    let found = read("soccer", &madrid, 6000, &["name_1", "name_2", "score"]);
    assert_eq!(found, ["RMA SEV 0-0"]);
    let clocks = read("soccer", &madrid, 6000, &["clock"]);
    let clocks: Vec<&String> = clocks.iter().filter(|clock| *clock != "null").collect();
    assert!(clocks.len() >= 10, "{clocks:?}");
    assert!(
        clocks.is_sorted() && clocks.iter().all(|clock| clock.starts_with("04:")),
        "{clocks:?}"
    );
}
