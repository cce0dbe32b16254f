//! What a broadcast stream says of itself: timecode in its pictures, over midnight, and an SCTE-35
//! section that announces a break.

use std::fs;

use crate::support::media::tool;
use crate::support::{Work, lines};

const SPEC: &str = r#"[pipeline]
name = "marks"
timecode = "zero_based"

[sources.tv]
type = "hls"
uri = "index.m3u8"

[operators.marks]
type = "stream_cues"
inputs = ["tv.cues"]

[operators.breaks]
type = "segment_passthrough"
inputs = ["marks"]
from = "ranges"
"#;

/// PID of the sections.
const CUES: u16 = 500;

fn crc(bytes: &[u8]) -> [u8; 4] {
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    });
    crc.to_be_bytes()
}

/// A packet that holds one section.
fn packet(pid: u16, counter: u8, section: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x47, 0x40 | (pid >> 8) as u8, pid as u8, 0x10 | counter, 0];
    packet.extend(section);
    packet.resize(188, 0xff);
    packet
}

/// A splice_insert: out of network at `pts` for `duration` ticks.
pub fn insert(pts: u64, duration: u32) -> Vec<u8> {
    let mut bytes = vec![0xfc, 0x30, 37, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xf0, 20, 5];
    bytes.extend([0, 0, 0, 7, 0x7f, 0xef, 0xfe | (pts >> 32) as u8]);
    bytes.extend((pts as u32).to_be_bytes());
    bytes.push(0xfe);
    bytes.extend(duration.to_be_bytes());
    bytes.extend([0, 1, 0, 0, 0, 0]);
    bytes.extend(crc(&bytes));
    bytes
}

/// Lists the sections in the program map of a chunk, and puts `section` behind its first one.
fn with_cues(chunk: &[u8], section: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut section = section;
    for original in chunk.chunks(188) {
        let pid = u16::from(original[1] & 0x1f) << 8 | u16::from(original[2]);
        if pid != 0x1000 {
            out.extend(original);
            continue;
        }
        let length = usize::from(original[6] & 0xf) << 8 | usize::from(original[7]);
        let mut map = original[5..5 + 3 + length - 4].to_vec();
        map.extend([0x86, 0xe0 | (CUES >> 8) as u8, CUES as u8, 0xf0, 6, 5, 4]);
        map.extend(b"CUEI");
        map[2] = (map.len() + 4 - 3) as u8;
        map.extend(crc(&map));
        out.extend(packet(pid, original[3] & 0xf, &map));
        if let Some(section) = section.take() {
            out.extend(packet(CUES, 0, section));
        }
    }
    out
}

#[test]
fn a_break_is_cut_with_the_timecode_of_the_stream() {
    let work = Work::new();
    work.write("marks.toml", SPEC);
    let path = |name: &str| work.path(name).to_str().unwrap().to_owned();
    let input = "testsrc2=s=320x180:r=30000/1001:d=6";
    let encoder = [
        "-c:v",
        "mpeg2video",
        "-q:v",
        "4",
        "-g",
        "15",
        "-bf",
        "2",
        "-sc_threshold",
        "1000000000",
    ];
    let files = [path("c%d.ts"), path("index.m3u8")];
    let mut args = vec!["-f", "lavfi", "-i", input, "-pix_fmt", "yuv420p"];
    args.extend(encoder);
    args.extend([
        "-timecode",
        "23:59:57;00",
        "-f",
        "hls",
        "-hls_time",
        "2",
        "-hls_list_size",
        "0",
    ]);
    args.extend(["-hls_segment_filename", &files[0], &files[1]]);
    tool("ffmpeg", args);
    let first = [
        "-select_streams",
        "v:0",
        "-show_entries",
        "frame=pts",
        "-of",
        "csv=p=0",
    ];
    let times = tool(
        "ffprobe",
        first
            .iter()
            .map(|arg| (*arg).to_owned())
            .chain([path("c0.ts")]),
    );
    let first: u64 = times
        .lines()
        .next()
        .unwrap()
        .trim_end_matches(',')
        .parse()
        .unwrap();
    for n in 0.. {
        let name = format!("c{n}.ts");
        let Ok(chunk) = fs::read(work.path(&name)) else {
            break;
        };
        // The break is announced in the first chunk, begins with frame 60 and lasts 40 frames.
        let section = insert(first + 60 * 3003, 40 * 3003);
        let section = (n == 0).then_some(&section[..]);
        work.write(&name, with_cues(&chunk, section));
    }

    work.ok(["run", "marks.toml", "--out", "out"]);
    let observations = lines(&work.path("out/observations.jsonl"));
    assert_eq!(observations.len(), 1, "{observations:?}");
    let mark = &observations[0];
    assert_eq!(
        (&mark["start"], &mark["end"]),
        (&2.002.into(), &3.337.into())
    );
    let attributes = &mark["attributes"];
    assert_eq!(
        (&attributes["kind"], &attributes["id"]),
        (&"out".into(), &"7".into())
    );
    assert_eq!(attributes["duration"], 1.335);
    assert_eq!(attributes["command"], "splice_insert");
    let segments = lines(&work.path("out/segments.jsonl"));
    assert_eq!(segments.len(), 1, "{segments:?}");
    assert_eq!(
        (&segments[0]["frame"], &segments[0]["end_frame"]),
        (&60.into(), &100.into())
    );
    assert_eq!(segments[0]["timecode"], "23:59:59;00");
    assert_eq!(segments[0]["end_timecode"], "00:00:00;10");
    let list = fs::read_to_string(work.path("out/exports/event_1.edl")).unwrap();
    assert!(list.contains("FCM: DROP FRAME"), "{list}");
    assert!(
        list.contains(" 23:59:59;00 00:00:00;10 00:00:00;00 00:00:01;10"),
        "{list}"
    );
}
