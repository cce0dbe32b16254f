//! Chunks that are damaged, missing or of an unexpected kind: a message names the chunk, and
//! everything before and after it is kept, with the times that it has anyway.

use std::fs;

use serde_json::Value as Json;

use crate::support::media::tool;
use crate::support::stream::{CHUNK_FRAMES, CHUNKS, CUTS, DATED, FRAMES, UNDATED, copy};
use crate::support::{Done, Work, lines};

const RUN: [&str; 4] = ["run", "shots.toml", "--out", "out"];

/// The frames, counted on the event timeline, at which cuts were found.
fn cuts(work: &Work) -> Vec<u64> {
    let all = lines(&work.path("out/observations.jsonl"));
    let cuts = all
        .iter()
        .filter(|line| line["attributes"]["hard_cut"] == true);
    cuts.map(|line| (line["start"].as_f64().unwrap() * 25.0).round() as u64)
        .collect()
}

fn silences(work: &Work) -> Vec<(f64, f64)> {
    let all = lines(&work.path("out/observations.jsonl"));
    let quiet = all.iter().filter(|line| line["operator"] == "quiet");
    quiet
        .map(|line| {
            (
                line["start"].as_f64().unwrap(),
                line["end"].as_f64().unwrap(),
            )
        })
        .collect()
}

fn failures(work: &Work) -> Vec<Json> {
    let all = lines(&work.path("out/log.jsonl"));
    all.into_iter()
        .filter(|line| line["kind"] == "error")
        .collect()
}

/// The cuts that can be seen when a chunk is lost: not those in it, and not the one at its end,
/// whose picture before is gone.
fn cuts_without(chunk: u64) -> Vec<u64> {
    let (first, end) = (chunk * CHUNK_FRAMES, (chunk + 1) * CHUNK_FRAMES);
    CUTS.into_iter()
        .filter(|cut| *cut < first || *cut > end)
        .collect()
}

/// What must hold when chunk 2 is lost and all others are there.
fn all_but_the_third(work: &Work, done: &Done, message: &str) {
    done.says("warning: chunk 2 (").says("c02.ts").says(message);
    assert_eq!(cuts(work), cuts_without(2));
    let found = failures(work);
    assert_eq!(found.len(), 1, "{found:?}");
    let clips = lines(&work.path("out/segments.jsonl"));
    let clips = clips.iter().filter(|line| line["operator"] == "shot");
    assert!(
        clips
            .clone()
            .any(|line| line["start"] == 8.4 && line["end"] == 9.6),
        "{clips:?}"
    );
}

#[test]
fn all_is_found_in_a_whole_stream() {
    let work = copy(UNDATED);
    let done = work.ok(RUN);
    done.says_times(0, "warning");
    assert_eq!(cuts(&work), CUTS);
    assert_eq!(silences(&work), [(4.4, 7.6)]);
    assert_eq!(failures(&work), [] as [Json; 0]);
    let shots = lines(&work.path("out/segments.jsonl"));
    let shots: Vec<u64> = shots
        .iter()
        .filter(|line| line["operator"] == "shot")
        .map(|line| line["end_frame"].as_u64().unwrap())
        .collect();
    assert_eq!(shots, [&CUTS[..], &[FRAMES]].concat());
}

#[test]
fn garbage_in_the_middle() {
    for playlist in [DATED, UNDATED] {
        let work = copy(playlist);
        work.write(CHUNKS[2], b"no transport stream at all. ".repeat(900));
        let done = work.ok(RUN);
        all_but_the_third(&work, &done, "not an MPEG transport stream");
    }
}

#[test]
fn an_empty_chunk() {
    let work = copy(UNDATED);
    work.write(CHUNKS[2], "");
    let done = work.ok(RUN);
    all_but_the_third(&work, &done, "the chunk is empty");
}

#[test]
fn a_missing_chunk() {
    for playlist in [DATED, UNDATED] {
        let work = copy(playlist);
        fs::remove_file(work.path(CHUNKS[2])).unwrap();
        let done = work.ok(RUN);
        all_but_the_third(&work, &done, "does not exist");
    }
}

#[test]
fn a_truncated_chunk_loses_its_end_only() {
    let work = copy(DATED);
    let bytes = fs::read(work.path(CHUNKS[2])).unwrap();
    // Half of it, ending inside a packet.
    work.write(CHUNKS[2], &bytes[..bytes.len() / 188 / 2 * 188 + 81]);
    let done = work.ok(RUN);
    done.says("warning: chunk 2 (").says("ends inside a packet");
    let found = cuts(&work);
    let outside = |cut: &u64| *cut < 2 * CHUNK_FRAMES || *cut > 3 * CHUNK_FRAMES;
    let kept: Vec<u64> = found.iter().copied().filter(outside).collect();
    assert_eq!(kept, cuts_without(2), "found {found:?}");
    let frames: u64 = lines(&work.path("out/log.jsonl"))
        .iter()
        .filter(|line| line["kind"] == "chunk")
        .map(|line| line["value"]["frames"].as_u64().unwrap())
        .sum();
    assert!(
        (FRAMES - CHUNK_FRAMES + 5..FRAMES).contains(&frames),
        "{frames} frames were read"
    );
}

#[test]
fn the_last_chunk_is_missing() {
    let work = copy(UNDATED);
    fs::remove_file(work.path(CHUNKS[5])).unwrap();
    let done = work.ok(RUN);
    done.says("warning: chunk 5 (")
        .says("c05.ts does not exist");
    let expected: Vec<u64> = CUTS.into_iter().filter(|cut| *cut < 250).collect();
    assert_eq!(cuts(&work), expected);
    assert_eq!(silences(&work), [(4.4, 7.6)]);
}

#[test]
fn every_chunk_is_missing() {
    let work = copy(UNDATED);
    for chunk in CHUNKS {
        fs::remove_file(work.path(chunk)).unwrap();
    }
    let done = work.fails(1, RUN);
    for (number, chunk) in CHUNKS.iter().enumerate() {
        done.says(&format!("chunk {number} ("))
            .says(&format!("{chunk} does not exist"));
    }
    done.says("error: nothing of the source could be read");
}

/// Rewrites chunks, with the same times.
fn rewrite(work: &Work, chunks: &[&str], options: &[&str]) {
    for chunk in chunks {
        let (from, to) = (work.path(chunk), work.path("rewritten.ts"));
        let mut args = vec!["-i", from.to_str().unwrap(), "-copyts"];
        args.extend(["-muxdelay", "0", "-muxpreload", "0"]);
        args.extend(options);
        args.extend(["-f", "mpegts", "-y", to.to_str().unwrap()]);
        tool("ffmpeg", args);
        fs::rename(to, from).unwrap();
    }
}

#[test]
fn a_codec_that_cannot_be_decoded() {
    let work = copy(DATED);
    rewrite(&work, &CHUNKS[2..3], &["-c:v", "mpeg4", "-c:a", "copy"]);
    let done = work.ok(RUN);
    done.says("warning: chunk 2 (")
        .says("no decoder for \"mpeg4\"")
        .says("matchcut doctor");
    let found = cuts(&work);
    let outside = |cut: &u64| *cut < 2 * CHUNK_FRAMES || *cut > 3 * CHUNK_FRAMES;
    let kept: Vec<u64> = found.iter().copied().filter(outside).collect();
    assert_eq!(kept, cuts_without(2), "found {found:?}");
    // Its sound can be heard.
    assert_eq!(silences(&work), [(4.4, 7.6)]);
}

#[test]
fn a_codec_that_nobody_knows() {
    let work = copy(DATED);
    rewrite(
        &work,
        &CHUNKS[2..3],
        &["-c:v", "libvpx-vp9", "-c:a", "copy"],
    );
    let done = work.ok(RUN);
    done.says("warning: chunk 2 (")
        .says("no video that can be read, for operator \"cuts\"");
    assert_eq!(cuts(&work), cuts_without(2));
    assert_eq!(silences(&work), [(4.4, 7.6)]);
}

#[test]
fn no_sound() {
    let work = copy(DATED);
    rewrite(&work, &CHUNKS, &["-c", "copy", "-an"]);
    let done = work.ok(RUN);
    done.says("chunk 0 (")
        .says("no audio that can be read, for operator \"quiet\"");
    done.says_times(1, "chunks 1 to 5, too: no audio");
    assert_eq!(cuts(&work), CUTS);
    assert_eq!(silences(&work), [] as [(f64, f64); 0]);
    let clips = lines(&work.path("out/segments.jsonl"));
    assert_eq!(clips.len(), 10);
    for clip in clips {
        let path = work
            .path("out")
            .join(clip["clips"][0]["path"].as_str().unwrap());
        assert_eq!(crate::support::media::frames(&path), 30, "{clip}");
    }
}

#[test]
fn no_pictures() {
    let work = copy(DATED);
    rewrite(&work, &CHUNKS, &["-c", "copy", "-vn"]);
    let done = work.ok(RUN);
    done.says("chunk 0 (")
        .says("no video that can be read, for operator \"cuts\"");
    done.says_times(1, "chunks 1 to 5, too: no video");
    assert_eq!(cuts(&work), [] as [u64; 0]);
    let found = silences(&work);
    assert_eq!(found.len(), 1);
    // Without pictures the event begins with the first sound.
    assert!(
        (found[0].0 - 4.4).abs() < 0.05 && (found[0].1 - 7.6).abs() < 0.05,
        "{found:?}"
    );
    let clips = lines(&work.path("out/segments.jsonl"));
    let gap = clips.iter().find(|line| line["operator"] == "gap").unwrap();
    let path = work
        .path("out")
        .join(gap["clips"][0]["path"].as_str().unwrap());
    let heard = crate::support::media::sound(&path);
    assert!((heard - 3.2).abs() < 0.05, "{heard} s of sound: {gap}");
}
