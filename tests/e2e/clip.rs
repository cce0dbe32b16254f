//! `matchcut clip`: a range of a stream as a file with exactly its frames, or as a playlist.

use crate::support::media::{frames, pictures, sound};
use crate::support::stream::{UNDATED, chunks, copy};

fn cut(from: &str, to: &str, more: &[&str]) -> Vec<String> {
    let mut args = vec!["clip", "index.m3u8", "--from", from, "--to", to];
    args.extend(more);
    args.into_iter().map(str::to_owned).collect()
}

#[test]
fn exact_clips_hold_the_frames_from_start_to_end() {
    let work = copy(UNDATED);
    let source = pictures(&chunks().join("index.m3u8"));
    assert_eq!(source.len(), 300);
    for (from, to, first, end) in [
        ("0", "12", 0, 300),
        ("2", "4", 50, 100),
        ("1", "3.04", 25, 76),
        // Between two frames: those with from <= time < to.
        ("1.01", "3.05", 26, 77),
        ("3.96", "4.04", 99, 101),
        ("7.2", "7.24", 180, 181),
        // Past the end.
        ("11", "99", 275, 300),
    ] {
        let done = work.ok(cut(from, to, &["-o", "c.mp4"]));
        let clip = work.path("c.mp4");
        done.says(&format!("c.mp4: {} frames", end - first))
            .says("error at most 0 frames");
        assert_eq!(frames(&clip), end - first, "{from} to {to}");
        assert!(
            pictures(&clip) == source[first..end],
            "{from} to {to}: other pictures"
        );
        let length = (end - first) as f64 / 25.0;
        let heard = sound(&clip);
        assert!(
            (heard - length).abs() <= 0.03,
            "{from} to {to}: {heard} s of sound"
        );
    }
}

#[test]
fn smart_and_rendered_clips_hold_the_same_frames() {
    let work = copy(UNDATED);
    // Groups of 50: 37 at the start and 13 at the end are encoded.
    work.ok(cut("0.52", "4.52", &["--cut", "smart", "-o", "s.mp4"]))
        .says("s.mp4: 100 frames")
        .says("of 100 frames, at the edges, are encoded anew");
    assert_eq!(frames(&work.path("s.mp4")), 100);
    let more = [
        "--cut",
        "render",
        "--resolution",
        "9:16",
        "--fit",
        "pad",
        "--loudness",
        "-23",
        "--track",
        "all",
        "-o",
        "r.mp4",
    ];
    work.ok(cut("0.52", "4.52", &more))
        .says("r.mp4: 100 frames of 608x1080 at 25")
        .says("loudness:");
    assert_eq!(frames(&work.path("r.mp4")), 100);
    assert!((sound(&work.path("r.mp4")) - 4.0).abs() <= 0.03);

    work.fails(2, cut("1", "2", &["--resolution", "720p", "-o", "c.mp4"]))
        .says("--resolution has no effect on a clip that is not rendered")
        .says("help: add --cut render");
    work.fails(
        2,
        cut(
            "1",
            "2",
            &["--cut", "render", "--resolution", "1080p", "-o", "c.mp4"],
        ),
    )
    .says("\"1080p\" is no resolution; there are 4K");
    work.fails(
        2,
        cut(
            "1",
            "2",
            &["--cut", "render", "--loudness", "3", "-o", "c.mp4"],
        ),
    )
    .says("is no loudness between -70 and -5 LUFS");
    work.fails(2, cut("1", "2", &["--track", "none", "-o", "c.mp4"]))
        .says("neither a number from 1 on nor \"all\"");
}

#[test]
fn instant_clips_are_playlists_over_the_chunks() {
    let work = copy(UNDATED);
    let source = pictures(&chunks().join("index.m3u8"));
    let done = work.ok(cut("2.5", "5.5", &["--cut", "instant", "-o", "c.m3u8"]));
    done.says("c.m3u8: error at most 13 frames");
    // Every chunk is one group of pictures here.
    assert!(pictures(&work.path("c.m3u8")) == source[50..150]);
    let list = std::fs::read_to_string(work.path("c.m3u8")).unwrap();
    let uris: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(uris, ["c01.ts", "c02.ts"]);
    assert!(list.ends_with("#EXT-X-ENDLIST\n"));
}

#[test]
fn ranges_that_hold_nothing_are_refused() {
    let work = copy(UNDATED);
    work.fails(1, cut("20", "30", &["-o", "c.mp4"]))
        .says("error: cannot cut the clip: the stream ends at 12.000 s, before --from 20.000");
    work.fails(1, cut("20", "30", &["--cut", "instant", "-o", "c.m3u8"]))
        .says("the stream ends at 12.000 s");
    work.fails(1, cut("0.01", "0.02", &["-o", "c.mp4"]))
        .says("0.010")
        .says("0.020");
    work.fails(2, cut("3", "2", &["-o", "c.mp4"]))
        .says("--to 2.000 is not after --from 3.000");
    work.fails(2, cut("-1", "2", &["-o", "c.mp4"]));
    work.fails(2, cut("one", "2", &["-o", "c.mp4"]))
        .says("\"one\" is not a time in seconds");
    work.fails(1, cut("1", "2", &["--track", "3", "-o", "c.mp4"]))
        .says("no audio track 3");
    work.fails(1, cut("1", "2", &["-o", "no/such/directory/c.mp4"]))
        .says("no/such/directory");
    assert!(!work.path("c.mp4").exists());
}
