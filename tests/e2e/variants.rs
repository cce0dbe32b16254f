//! `cut_variant`: a small variant is looked at, and clips are cut from the large one: its size, and
//! exactly the frames that the small one said.

use std::path::{Path, PathBuf};

use crate::support::ladder::{CUTS, FRAMES, HIGH, LOW, ladder, master, playlist};
use crate::support::media::{frames, pictures, size, tones};
use crate::support::server::{Answer, Server};
use crate::support::{Work, files, lines};

pub const SPEC: &str = r#"[pipeline]
name = "shots"

[sources.tv]
type = "hls"
uri = "URI"
variant = "lowest"
cut_variant = "highest"

[operators.cuts]
type = "scene_change"
inputs = ["tv.video"]

[operators.shot]
type = "segment_by_shot"
inputs = ["cuts"]

[replays.all]
inputs = ["shot"]
duration = "20s"
weights = { "cuts.hard_cut" = 1 }
"#;

const RUN: [&str; 4] = ["run", "shots.toml", "--out", "out"];

fn reading(server: &Server) -> Work {
    let work = Work::new();
    work.write(
        "shots.toml",
        SPEC.replace("URI", &server.url("master.m3u8")),
    );
    work
}

/// A clip: its first and its end frame, and its file.
fn clips(work: &Work) -> Vec<(usize, usize, PathBuf)> {
    let segments = lines(&work.path("out/segments.jsonl"));
    let clips = segments.iter().flat_map(|segment| {
        let clips = segment["clips"].as_array().unwrap();
        clips.iter().map(|clip| {
            let frame = |name: &str| clip[name].as_u64().unwrap() as usize;
            let path = work.path("out").join(clip["path"].as_str().unwrap());
            (frame("first_frame"), frame("end_frame"), path)
        })
    });
    clips.collect()
}

fn warnings(work: &Work) -> Vec<String> {
    let all = lines(&work.path("out/log.jsonl"));
    let errors = all.iter().filter(|line| line["kind"] == "error");
    errors
        .map(|line| line["value"]["message"].as_str().unwrap().to_owned())
        .collect()
}

/// Every shot has a clip of exactly its frames, as `source` shows them.
fn exact_clips_of(work: &Work, source: &Path, dimensions: (u32, u32)) {
    let source = pictures(source);
    assert_eq!(source.len(), FRAMES);
    let found = clips(work);
    let borders: Vec<usize> = CUTS.iter().map(|cut| *cut as usize).collect();
    let starts = [&[0], &borders[..]].concat();
    let ends = [&borders[..], &[FRAMES]].concat();
    let marks: Vec<(usize, usize)> = found.iter().map(|(first, end, _)| (*first, *end)).collect();
    assert_eq!(marks, starts.into_iter().zip(ends).collect::<Vec<_>>());
    for (first, end, path) in found {
        assert_eq!(size(&path), dimensions, "{}", path.display());
        assert!(
            pictures(&path) == source[first..end],
            "{}: other pictures",
            path.display()
        );
    }
    // And so has the replay of all that begin with a cut.
    let replay = work.path("out/replays/all/all.mp4");
    let first = CUTS[0] as usize;
    assert_eq!(size(&replay), dimensions);
    assert_eq!(frames(&replay), FRAMES - first);
    assert!(pictures(&replay) == source[first..]);
}

/// Every shot has its picture, in the form of `dimensions`.
fn thumbnails(work: &Work, (width, height): (u32, u32)) {
    let names = files(&work.path("out/thumbnails"));
    assert_eq!(names.len(), CUTS.len() + 1, "{names:?}");
    for name in names {
        let path = work.path("out/thumbnails").join(name);
        assert_eq!(size(&path), (480, 480 * height / width));
    }
}

#[test]
fn the_small_one_is_looked_at_and_the_large_one_is_cut() {
    let server = Server::start();
    server.serve_all(ladder());
    server.serve("master.m3u8", master(&["low", "high"], false));
    let work = reading(&server);
    work.ok(RUN).says_times(0, "warning");
    let log = lines(&work.path("out/log.jsonl"));
    let looked_at = log.iter().filter(|line| line["kind"] == "chunk");
    for chunk in looked_at {
        let input = chunk["value"]["input"].as_str().unwrap();
        assert!(input.contains("low"), "{input}");
    }
    exact_clips_of(&work, &ladder().join("high.m3u8"), HIGH);
    thumbnails(&work, HIGH);
}

#[test]
fn chunks_that_end_a_little_elsewhere() {
    // 52 frames against 50: what is cut lies up to 6 frames away from what is looked at.
    let server = Server::start();
    server.serve_all(ladder());
    server.serve("master.m3u8", master(&["low", "other"], false));
    let work = reading(&server);
    work.ok(RUN).says_times(0, "warning");
    exact_clips_of(&work, &ladder().join("other.m3u8"), HIGH);
    thumbnails(&work, HIGH);
}

#[test]
fn chunks_that_have_no_counterpart() {
    // Of the large one, two chunks are one.
    let server = Server::start();
    server.serve_all(ladder());
    server.serve("master.m3u8", master(&["low", "high"], false));
    let read = |number: usize| std::fs::read(ladder().join(format!("high{number}.ts"))).unwrap();
    server.serve("long0.ts", [read(0), read(1)].concat());
    server.serve("long1.ts", [read(2), read(3)].concat());
    server.serve(
        "high.m3u8",
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nlong0.ts\n#EXTINF:4,\nlong1.ts\n\
         #EXT-X-ENDLIST\n",
    );
    let work = reading(&server);
    let done = work.ok(RUN);
    for number in 0..4 {
        done.says(&format!(
            "the variant that clips are cut from has no counterpart of chunk number {number} that \
             can be read (it has none); clips of it are cut from what is analysed"
        ));
    }
    assert_eq!(warnings(&work).len(), 4);
    exact_clips_of(&work, &ladder().join("low.m3u8"), LOW);
}

#[test]
fn one_chunk_that_has_no_counterpart() {
    let server = Server::start();
    server.serve_all(ladder());
    server.serve("master.m3u8", master(&["low", "high"], false));
    let whole = playlist("high", 4, true);
    let gap = "#EXT-X-GAP\n#EXTINF:2.000000,\nhigh2.ts";
    server.serve(
        "high.m3u8",
        whole.replace("#EXTINF:2.000000,\nhigh2.ts", gap),
    );
    let work = reading(&server);
    let done = work.ok(RUN);
    done.says_times(
        1,
        "counterpart of chunk number 2 that can be read (the playlist says",
    )
    .says_times(1, "warning");
    let found = clips(&work);
    assert_eq!(found.len(), CUTS.len() + 1);
    for (first, end, path) in found {
        // Chunk 2 holds the frames from 100 on. A clip over its start changes its size there.
        let dimensions = if (100..150).contains(&first) {
            LOW
        } else {
            HIGH
        };
        assert_eq!(size(&path), dimensions, "{first}");
        assert_eq!(frames(&path), end - first, "{first}");
    }
}

#[test]
fn sound_that_does_not_come_costs_no_other_sound() {
    let server = Server::start();
    server.serve_all(ladder());
    server.serve("master.m3u8", master(&["low", "high"], true));
    server.set("en0.ts", Answer::Status(404));
    let work = reading(&server);
    let done = work.ok(RUN);
    done.says_times(1, "cannot be heard")
        .says_times(0, "warning: clip");
    let source = pictures(&ladder().join("high.m3u8"));
    // The first two shots show the chunk; the first shows no other.
    let found: Vec<_> = clips(&work).into_iter().take(3).collect();
    let tracks: Vec<bool> = found
        .iter()
        .map(|(.., path)| path.to_str().unwrap().ends_with("t1.mp4"))
        .collect();
    assert_eq!(tracks, [false, true, false], "{found:?}");
    for ((first, end, path), english) in found.iter().zip(tracks) {
        assert!(pictures(path) == source[*first..*end]);
        let [en, fr] = tones(path, [440.0, 880.0]);
        let wrong = if english { fr } else { en };
        assert!(wrong < 0.01, "{}: {en} and {fr}", path.display());
        assert_eq!(fr > 0.3, !english, "{}: {fr}", path.display());
    }
}

#[test]
fn a_chunk_of_the_large_one_that_does_not_come() {
    let server = Server::start();
    server.serve_all(ladder());
    server.serve("master.m3u8", master(&["low", "high"], true));
    server.set("high2.ts", Answer::Status(404));
    let work = reading(&server);
    let done = work.ok(RUN);
    // What shows it cannot be cut and says so, for each track and again at the end; all else has its
    // pictures and both sounds.
    done.says(&server.url("high2.ts does not exist"));
    let source = pictures(&ladder().join("high.m3u8"));
    for (first, end, path) in clips(&work) {
        let lost = first < 150 && end > 100;
        assert_eq!(path.exists(), !lost, "{first} to {end}");
        done.says_times(
            if lost { 4 } else { 0 },
            &format!("clip of shot:{}: ", first * 28_224_000),
        );
        if lost {
            continue;
        }
        assert!(pictures(&path) == source[first..end], "{first} to {end}");
        let english = path.to_str().unwrap().ends_with("t1.mp4");
        let [heard, other] = match english {
            true => tones(&path, [440.0, 880.0]),
            false => tones(&path, [880.0, 440.0]),
        };
        // The quietest is half silent.
        assert!(
            heard > 0.05 && other < 0.01,
            "{first} to {end}: {heard}, {other}"
        );
    }
}
