//! Decoding many chunks leaves nothing behind: no memory, no thread. A process of its own, since
//! other tests would disturb the figures.

#![allow(clippy::unwrap_used)]

mod decode_support;

use decode_support::{chunk_bytes, read_ts, run, stream};
use matchcut_media::decode::{AudioPlan, DecodePlan};
use matchcut_model::frame::{FrameChoice, PixelFormat, ViewSpec};

fn status(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn three_hundred_chunks() {
    let dir = stream("leak", "25", 2, "-c:v libx264 -preset ultrafast -g 5");
    let mut chunk = read_ts(chunk_bytes(&dir).swap_remove(0));
    chunk.video.as_mut().unwrap().samples.truncate(4);
    for track in &mut chunk.audio {
        track.samples.truncate(4);
    }
    let view = ViewSpec {
        width: 160,
        height: 90,
        format: PixelFormat::Rgb24,
        rate: None,
        frames: FrameChoice::All,
    };
    let plan = DecodePlan {
        views: vec![view],
        audio: AudioPlan::All,
        ..DecodePlan::default()
    };
    let mut after_warm_up = (0, 0);
    let started = std::time::Instant::now();
    for n in 0..300 {
        let (keep, report) = run(&chunk, None, &plan);
        assert_eq!(report.unwrap().degraded, None);
        assert_eq!((keep.frames.len(), keep.blocks.len()), (4, 8));
        if n == 100 {
            after_warm_up = (status("VmRSS:"), status("Threads:"));
        }
    }
    let now = (status("VmRSS:"), status("Threads:"));
    eprintln!(
        "300 chunks in {:?}; kB and threads {after_warm_up:?}, {now:?}",
        started.elapsed()
    );
    assert!(
        now.0 < after_warm_up.0 + 4096,
        "{after_warm_up:?} kB became {now:?}"
    );
    assert_eq!(now.1, after_warm_up.1);
}
