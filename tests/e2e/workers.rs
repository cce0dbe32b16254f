//! Results do not depend on how many workers and decoders there are: every file is the same, byte
//! for byte.

use std::fs;
use std::path::Path;

use crate::demo::{demo, run};
use crate::support::stream::{DATED, copy};
use crate::support::{Work, files, same_text};

fn same_files(one: &Path, other: &Path) {
    let names = files(one);
    assert_eq!(names, files(other));
    for name in names {
        let (left, right) = (
            fs::read(one.join(&name)).unwrap(),
            fs::read(other.join(&name)).unwrap(),
        );
        match name.rsplit('.').next().unwrap() {
            "mp4" | "jpg" => assert!(left == right, "{name} differs"),
            _ => same_text(&name, &left, &right),
        }
    }
}

#[test]
fn a_small_stream_for_all_numbers() {
    let work = copy(DATED);
    let mut first = None;
    for (workers, threads) in [(1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (4, 2)] {
        let (workers, threads) = (workers.to_string(), threads.to_string());
        let out = format!("w{workers}-d{threads}");
        work.ok([
            "run",
            "shots.toml",
            "-w",
            &workers,
            "--decode-threads",
            &threads,
            "--out",
            &out,
        ]);
        let dir = work.path(&out);
        same_files(first.get_or_insert_with(|| dir.clone()), &dir);
    }
}

#[test]
fn the_demo_for_one_two_and_four() {
    let one = &demo().dir;
    let work = Work::new();
    for (workers, threads) in [("2", "2"), ("4", "1")] {
        let dir = one.with_file_name(format!("w{workers}"));
        run(&work, &dir, &["-w", workers, "--decode-threads", threads]);
        same_files(one, &dir);
    }
}
