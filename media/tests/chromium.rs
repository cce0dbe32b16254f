//! What Chromium shows of exact cuts: a page seeks in the clip, reads the frame number from a
//! canvas and sends it back. Skipped where Chromium is not installed.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use matchcut_media::cut::{
    exact, replay_notes, smart, to_decode, write_mp4, write_replay_mp4,
    write_replay_mp4_with_chapters,
};
use matchcut_media::render::{RenderPlan, render};
use matchcut_model::time::TimeRange;

const PAGE: &str = r#"<!doctype html><video id="v" muted src="clip.mp4" preload="auto"></video>
<canvas id="c" width="512" height="64"></canvas><script>
const v = document.getElementById("v"), c = document.getElementById("c").getContext("2d");
const send = text => fetch("result", { method: "POST", body: text });
const wait = ms => new Promise(done => setTimeout(done, ms));
const read = () => {
  c.drawImage(v, 64, 64, 512, 64, 0, 0, 512, 64);
  const p = c.getImageData(0, 0, 512, 64).data;
  let value = 0;
  for (let i = 0; i < 16; i++) {
    const at = y => p[(y * 512 + i * 32 + 16) * 4 + 1];
    const d = at(16) - at(48);
    if (Math.abs(d) < 100) return "unreadable";
    value = value * 2 + (d > 0 ? 1 : 0);
  }
  return value;
};
v.onerror = () => send("error " + v.error.message);
v.onloadedmetadata = async () => {
  const out = ["duration " + v.duration];
  for (const t of location.hash.slice(1).split(",").map(Number)) {
    await new Promise(done => { v.onseeked = done; v.currentTime = t; });
    await wait(200);
    out.push(read());
  }
  send(out.join("\n"));
};
</script>"#;

struct Browser(Child);

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn answer(mut stream: TcpStream, clip: &[u8]) -> Option<String> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut request = String::new();
    reader.read_line(&mut request).ok()?;
    let (mut length, mut range) = (0usize, None);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if let Some(value) = line.strip_prefix("range: bytes=") {
            let (from, to) = value.split_once('-')?;
            let from: usize = from.parse().ok()?;
            range = Some((
                from,
                to.parse().unwrap_or(clip.len() - 1).min(clip.len() - 1),
            ));
        }
    }
    if request.starts_with("POST") {
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            .ok()?;
        return String::from_utf8(body).ok();
    }
    let (status, kind, extra, body) = if request.contains("clip.mp4") {
        let (from, to) = range.unwrap_or((0, clip.len() - 1));
        let extra = format!("Content-Range: bytes {from}-{to}/{}\r\n", clip.len());
        ("206 Partial Content", "video/mp4", extra, &clip[from..=to])
    } else {
        ("200 OK", "text/html", String::new(), PAGE.as_bytes())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{extra}\
         Accept-Ranges: bytes\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // A player may hang up early.
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body));
    None
}

/// What the page says: the duration, and the number of the frame at each time. `None` without
/// Chromium.
fn play(clip: &Path, times: &[f64]) -> Option<Vec<String>> {
    if !has("chromium") {
        eprintln!("skipped: no chromium");
        return None;
    }
    let clip = std::fs::read(clip).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let times: Vec<String> = times.iter().map(f64::to_string).collect();
    let profile = tempfile::tempdir().unwrap();
    let child = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--mute-audio",
            "--no-first-run",
        ])
        .args(["--disable-dev-shm-usage", "--remote-debugging-port=0"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("http://{address}/#{}", times.join(",")))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let browser = Browser(child);
    listener.set_nonblocking(true).unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                stream
                    .set_read_timeout(Some(Duration::from_secs(10)))
                    .unwrap();
                if let Some(result) = answer(stream, &clip) {
                    drop(browser);
                    return Some(result.lines().map(str::to_owned).collect());
                }
            }
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    panic!("Chromium did not answer within a minute");
}

fn check(clip: &Path, frames: &[i64], at: &[usize], rate: f64, what: &str) {
    let total = frames.len();
    let times: Vec<f64> = at.iter().map(|n| (*n as f64 + 0.5) / rate).collect();
    let Some(answer) = play(clip, &times) else {
        return;
    };
    let expected: Vec<String> = at.iter().map(|n| frames[*n].to_string()).collect();
    assert_eq!(answer[1..], expected, "{what}: {answer:?}");
    let duration: f64 = answer[0]
        .strip_prefix("duration ")
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        (duration - total as f64 / rate).abs() < 0.002,
        "{what}: {duration}"
    );
}

#[test]
fn closed_groups() {
    let material = Material::CLOSED_25;
    let Some(dir) = material.make() else { return };
    let chunks = material.chunks(&dir);
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("clip.mp4");
    let range = |from, to| TimeRange::new(material.time(from), material.time(to));
    for (from, to) in [(63, 187), (98, 104), (100, 202)] {
        let cut = exact(&placed(&chunks), range(from, to), None).unwrap();
        assert!(cut.report.browser);
        write_mp4(&cut, &mut File::create(&path).unwrap()).unwrap();
        let frames: Vec<i64> = (from..to).collect();
        let total = frames.len();
        let at = [0, 1, total / 3, total / 2, total - 2, total - 1];
        check(&path, &frames, &at, 25.0, &format!("{from}..{to}"));
    }
}

#[test]
fn replay_of_several_cuts() {
    let material = Material::CLOSED_25;
    let Some(dir) = material.make() else { return };
    let chunks = material.chunks(&dir);
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("replay.mp4");
    let ranges = [(163, 240), (13, 77), (100, 149)];
    let cuts: Vec<_> = ranges
        .iter()
        .map(|(from, to)| {
            let range = TimeRange::new(material.time(*from), material.time(*to));
            exact(&placed(&chunks), range, None).unwrap()
        })
        .collect();
    let titles = ["one", "two", "three"].map(str::to_owned);
    let mut file = File::create(&path).unwrap();
    write_replay_mp4_with_chapters(&cuts, &titles, &mut file).unwrap();
    let frames: Vec<i64> = ranges.iter().flat_map(|(from, to)| *from..*to).collect();
    // At the end of the first clip Chromium leaves out the 13 frames that the second one hides at
    // its start, and the notes of the replay say so.
    assert!(replay_notes(&cuts)[0].contains("browsers leave out"));
    check(
        &path,
        &frames,
        &[0, 1, 60, 77, 78, 138, 141, 142, 187],
        25.0,
        "replay",
    );
}

#[test]
fn open_groups_with_a_pyramid_are_said_to_fail() {
    let material = Material::OPEN_25;
    let Some(dir) = material.make() else { return };
    let chunks = material.chunks(&dir);
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("clip.mp4");
    let range = TimeRange::new(material.time(63), material.time(187));
    let cut = exact(&placed(&chunks), range, None).unwrap();
    assert!(!cut.report.browser);
    write_mp4(&cut, &mut File::create(&path).unwrap()).unwrap();
    let Some(answer) = play(&path, &[0.02]) else {
        return;
    };
    assert!(
        answer[0].starts_with("error"),
        "it plays after all: {answer:?}"
    );
}

/// Browsers show every frame of smart clips, also of open groups, and across the joins of a replay.
#[test]
fn smart_clips_play_to_the_frame() {
    for material in [Material::CLOSED_25, Material::OPEN_25] {
        let Some(dir) = material.make() else { return };
        let chunks = material.chunks(&dir);
        let out = tempfile::tempdir().unwrap();
        let path = out.path().join("replay.mp4");
        let ranges = [(163, 240), (13, 77), (100, 149)];
        let cuts: Vec<_> = ranges
            .iter()
            .map(|(from, to)| {
                let range = TimeRange::new(material.time(*from), material.time(*to));
                smart(exact(&placed(&chunks), range, None).unwrap()).unwrap()
            })
            .collect();
        assert!(cuts.iter().all(|cut| cut.report.browser));
        assert!(replay_notes(&cuts).is_empty());
        write_replay_mp4(&cuts, &mut File::create(&path).unwrap()).unwrap();
        let frames: Vec<i64> = ranges.iter().flat_map(|(from, to)| *from..*to).collect();
        check(
            &path,
            &frames,
            // A seek to the last frame before an IDR shows the IDR, in every file with B pictures.
            &[0, 1, 36, 37, 60, 74, 75, 77, 78, 138, 141, 142, 188, 189],
            25.0,
            &format!("smart replay of {}", material.name),
        );
    }
}

#[test]
fn rendered_clips_play_to_the_frame() {
    let material = Material::OPEN_25;
    let Some(dir) = material.make() else { return };
    let chunks = material.chunks(&dir);
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("replay.mp4");
    let ranges = [(163, 190), (63, 91)];
    let mut cuts: Vec<_> = ranges
        .iter()
        .map(|(from, to)| {
            let range = TimeRange::new(material.time(*from), material.time(*to));
            to_decode(&placed(&chunks), range, None).unwrap()
        })
        .collect();
    let go_on = &mut |_| std::ops::ControlFlow::Continue(());
    render(&mut cuts, &RenderPlan::default(), &path, go_on).unwrap();
    let frames: Vec<i64> = ranges.iter().flat_map(|(from, to)| *from..*to).collect();
    check(
        &path,
        &frames,
        &[0, 1, 26, 27, 28, 53, 54],
        25.0,
        "rendered replay",
    );
}
