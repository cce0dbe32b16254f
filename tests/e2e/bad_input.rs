//! Mistakes of the command line, the spec, the playlist and the directory of results: each has its
//! message and its exit code.

use std::fs;
use std::process::Command;

use crate::support::stream::{CHUNKS, DATED, UNDATED, copy};
use crate::support::{Work, files, lines};

const RUN: [&str; 4] = ["run", "shots.toml", "--out", "out"];

#[test]
fn every_mistake_of_a_spec_is_told_at_its_place() {
    let work = copy(UNDATED);
    let spec = crate::support::stream::SPEC
        .replace("name = \"shots\"", "name = \"shots\"\ncolour = 1")
        .replace("\"scene_change\"", "\"scene_chang\"")
        .replace("inputs = [\"quiet\"]", "inputs = [\"quite\"]")
        .replace("duration = \"3s\"", "duration = \"3 parsecs\"");
    work.write("shots.toml", spec);
    for command in ["run", "validate", "graph", "test"] {
        let done = work.fails(78, [command, "shots.toml"]);
        done.says("shots.toml:3:1: error: [pipeline] has no key \"colour\"");
        done.says("shots.toml:10:8: error: there is no operator type \"scene_chang\"");
        done.says("help: did you mean \"scene_change\"?");
        done.says("shots.toml:23:11: error: input \"quite\" of operator \"gap\" does not exist");
        done.says("help: did you mean \"quiet\"?");
        done.says("shots.toml:28:12: error: ").says("parsecs");
        done.check(done.stdout.is_empty(), "something is on stdout");
    }
    assert!(!work.path("out").exists());
}

#[test]
fn a_spec_that_is_no_toml() {
    let work = Work::new();
    work.write("x.toml", "[pipeline]\nname = \"x\n");
    work.fails(78, ["run", "x.toml"]).says("x.toml:2:");
    work.write("x.toml", "");
    work.fails(78, ["validate", "x.toml"])
        .says("x.toml:1:1: error: ");
}

#[test]
fn wrong_command_lines() {
    let work = copy(UNDATED);
    work.fails(2, ["run", "shots.toml", "--outt", "x"])
        .says("'--outt'")
        .says("'--out'");
    work.fails(2, ["rum", "shots.toml"]).says("rum").says("run");
    work.fails(2, ["run"]).says("SPEC");
    work.fails(2, ["run", "shots.toml", "-w", "0"]).says("-w");
    work.fails(2, ["run", "shots.toml", "--clips", "some"])
        .says("none, instant, exact");
    work.fails(2, ["run", "shots.toml", "--set", "pipeline.nam=\"x\""])
        .says("--set:1:10: error: [pipeline] has no key \"nam\"")
        .says("did you mean \"name\"?");
    work.fails(2, ["replay", "shots.toml"])
        .says("--observations");
    work.fails(2, ["operators", "scene_chang"])
        .says("did you mean \"scene_change\"?");
}

#[test]
fn files_that_are_not_there() {
    let work = copy(UNDATED);
    work.fails(1, ["run", "nope.toml"])
        .says("nope.toml")
        .says("No such file");
    work.fails(1, ["replay", "shots.toml", "--observations", "nope.jsonl"])
        .says("nope.jsonl")
        .says("No such file");
    let done = work.fails(
        1,
        ["run", "shots.toml", "--set", "sources.tv.uri=nope.m3u8"],
    );
    done.says_times(1, "error: source \"tv\": ")
        .says("nope.m3u8 does not exist");
    let done = work.fails(
        1,
        [
            "clip",
            "nope.m3u8",
            "--from",
            "0",
            "--to",
            "1",
            "-o",
            "c.mp4",
        ],
    );
    done.says_times(1, "nope.m3u8 does not exist")
        .says("error: ");
    assert!(!work.path("c.mp4").exists());
}

#[test]
fn a_value_set_on_the_command_line_holds() {
    let work = copy(UNDATED);
    work.write(
        "other/index.m3u8",
        fs::read(work.path("index.m3u8")).unwrap(),
    );
    for chunk in CHUNKS {
        fs::rename(work.path(chunk), work.path("other").join(chunk)).unwrap();
    }
    let done = work.ok([
        "run",
        "shots.toml",
        "--format",
        "json",
        "--clips",
        "none",
        "--set",
        "sources.tv.uri=other/index.m3u8",
        "--set",
        "replays.all.duration='1.2s'",
    ]);
    assert_eq!(
        done.json()["replays"]["all"]["selected"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(done.json()["chunks"], 6);
}

#[test]
fn a_playlist_that_is_something_else() {
    let work = copy(UNDATED);
    for (text, message) in [
        ("<html>\n", "index.m3u8:1: this is not an HLS playlist"),
        ("", "index.m3u8:1: the playlist is empty"),
    ] {
        work.write("index.m3u8", text);
        let done = work.fails(1, ["run", "shots.toml", "--out", "out", "--force"]);
        done.says("error: source \"tv\": ").says(message);
    }
}

#[test]
fn a_line_of_the_playlist_is_damaged() {
    let work = copy(DATED);
    let text = DATED.text(CHUNKS.len());
    let bad = text.lines().position(|line| line == CHUNKS[2]).unwrap();
    let mut playlist: Vec<&str> = text.lines().collect();
    playlist[bad - 1] = "#EXTINF:two,";
    work.write("index.m3u8", playlist.join("\n") + "\n");
    let done = work.ok(RUN);
    done.says("index.m3u8")
        .says(&format!("line {bad}"))
        .says("\"#EXTINF:two,\"");
    // What does not depend on that line is as it was.
    let found = lines(&work.path("out/observations.jsonl"));
    let found: Vec<f64> = found
        .iter()
        .filter(|line| line["attributes"]["hard_cut"] == true)
        .map(|line| line["start"].as_f64().unwrap())
        .filter(|start| !(4.0..=6.0).contains(start))
        .collect();
    assert_eq!(found, [1.2, 2.4, 3.6, 7.2, 8.4, 9.6, 10.8]);
}

#[test]
fn results_are_not_overwritten_by_mistake() {
    let work = copy(UNDATED);
    work.ok(RUN);
    let before = fs::read(work.path("out/segments.jsonl")).unwrap();
    let names = files(&work.path("out"));
    let done = work.fails(1, RUN);
    done.says("error: out already holds results")
        .says("--force");
    assert_eq!(fs::read(work.path("out/segments.jsonl")).unwrap(), before);

    // Forced, the old results go, also those that the new run has no more.
    work.write("out/mine.txt", "not a result");
    work.ok([
        "run",
        "shots.toml",
        "--out",
        "out",
        "--force",
        "--clips",
        "none",
    ]);
    let now = files(&work.path("out"));
    assert!(
        now.contains(&"mine.txt".to_owned()),
        "somebody's own file is gone: {now:?}"
    );
    assert!(
        !now.iter().any(|name| name.starts_with("clips/")),
        "old clips are there: {now:?}"
    );
    work.ok(["run", "shots.toml", "--out", "out", "--force"]);
    let mut again = files(&work.path("out"));
    again.retain(|name| name != "mine.txt");
    assert_eq!(again, names);
}

#[test]
fn a_directory_that_cannot_be_made() {
    let work = copy(UNDATED);
    work.write("file", "");
    let done = work.fails(1, ["run", "shots.toml", "--out", "file/out"]);
    done.says("error: cannot write to file/out/.matchcut: Not a directory")
        .says("help: a file stands");
    let done = work.fails(1, ["run", "shots.toml", "--out", "/proc/matchcut"]);
    done.says("error: cannot write to /proc/matchcut/.matchcut")
        .says("help: name a directory that you may write to with --out");
}

/// A file system that is unmounted when the test is over.
struct Small(std::path::PathBuf);

impl Small {
    fn mount(at: std::path::PathBuf, size: &str) -> Option<Small> {
        fs::create_dir(&at).unwrap();
        let options = format!("size={size}");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &options, "matchcut-test"])
            .arg(&at);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Small(at))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_is_full() {
    let work = copy(UNDATED);
    let Some(small) = Small::mount(work.path("small"), "300k") else {
        eprintln!("skipped: a small file system cannot be mounted here (it needs root)");
        return;
    };
    let done = work.fails(1, ["run", "shots.toml", "--out", "small/out"]);
    done.says("error: ").says("small/out/");
    done.says("help: the disk is full: free space, then go on with --resume");
    // What was committed before is there, in whole lines.
    let changes = lines(&work.path("small/out/log.jsonl"));
    assert!(
        changes.iter().any(|line| line["kind"] == "chunk"),
        "nothing was kept"
    );
    let leftovers: Vec<String> = files(&small.0)
        .into_iter()
        .filter(|name| {
            !name.contains(".matchcut/")
                && !["jsonl", "mp4", "jpg"]
                    .iter()
                    .any(|end| name.ends_with(end))
        })
        .collect();
    assert_eq!(leftovers, [] as [String; 0], "unfinished files stay behind");
}
