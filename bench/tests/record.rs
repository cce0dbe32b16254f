//! What is played can be recorded, and what was recorded is played again.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use matchcut_bench::disturb::Script;
use matchcut_bench::outlet::{Http, Readable};
use matchcut_bench::playback::{Pace, play};
use matchcut_bench::record::record;
use matchcut_bench::trace::{FILE, Trace};

fn stream(dir: &Path) -> Arc<Trace> {
    for (name, text) in [
        ("init.mp4", "head"),
        ("a.m4s", "first"),
        ("b.m4s", "second"),
    ] {
        fs::write(dir.join(name), text).unwrap();
    }
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:0.4,\na.m4s\n\
        #EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:0.6,\nb.m4s\n#EXT-X-ENDLIST\n";
    fs::write(dir.join("index.m3u8"), text).unwrap();
    Arc::new(Trace::open(dir).unwrap())
}

#[test]
fn a_live_stream_is_recorded_with_its_times() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let trace = stream(from.path());
    let plan = Script::default().plan(&trace).unwrap();
    let mut http = Http::start(Arc::clone(&trace), 0, Readable::default()).unwrap();
    let address = http.address();
    let playing = thread::spawn(move || {
        play(&plan, &mut http, Pace::Times(1.0), &AtomicBool::new(false)).unwrap();
        // Served until it was recorded.
        http
    });
    let out = to.path().join("recorded");
    let done = record(
        &address,
        &out,
        Some(Duration::from_secs(30)),
        &AtomicBool::new(false),
    );
    let done = done.unwrap();
    assert_eq!((done.chunks, done.bytes), (2, 11));
    assert!(done.playlists >= 2, "{done:?}");
    drop(playing.join().unwrap());

    let recorded = Trace::open(&out).unwrap();
    assert_eq!(recorded.resources, ["init.mp4"]);
    for (file, text) in [
        ("init.mp4", "head"),
        ("a.m4s", "first"),
        ("b.m4s", "second"),
    ] {
        assert_eq!(fs::read_to_string(out.join(file)).unwrap(), text);
    }
    for (one, other) in recorded.chunks.iter().zip(&trace.chunks) {
        assert_eq!(one.listed, other.listed);
    }
    let apart = recorded.chunks[1].at - recorded.chunks[0].at;
    assert!(apart > Duration::from_millis(300) && apart < Duration::from_secs(10));
    let again = record(&address, &out, None, &AtomicBool::new(false));
    let error = again.unwrap_err().to_string();
    assert!(error.ends_with("holds a recording already"), "{error}");
    assert!(fs::read_to_string(out.join(FILE)).unwrap().ends_with("}\n"));
}
