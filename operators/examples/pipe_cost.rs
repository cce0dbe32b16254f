//! What a frame costs on its way to an operator in Python, without decoding and without looking at it:
//!
//! ```sh
//! PYTHONPATH=operators/python/src cargo run --release -p matchcut-operators --example pipe_cost
//! ```
//!
//! Beside it stands what it costs to copy the bytes once, which is what shared memory would still need.

#![allow(clippy::expect_used, clippy::panic)]

use std::hint::black_box;
use std::time::Instant;

use matchcut_model::chunk::{ChunkExtent, Position};
use matchcut_model::frame::Frame;
use matchcut_model::time::{MediaTime, TimeRange, Timestamp};
use matchcut_operators::registry;
use matchcut_operators::sdk::{ChunkContext, Operator};
use serde_json::json;

const PROGRAM: &str = "
import matchcut

class Null(matchcut.Operator):
    view = matchcut.View(64, 36)

    def process_frame(self, frame):
        return None

matchcut.run(Null)
";

/// Frames of a chunk, and chunks.
const FRAMES: u64 = 250;
const CHUNKS: u64 = 8;

fn main() {
    for (width, height, format) in [(64, 36, "gray8"), (320, 180, "rgb24"), (640, 360, "rgb24")] {
        let options = json!({
            "command": ["python3", "-c", PROGRAM],
            "width": width,
            "height": height,
            "format": format,
        });
        let kind = registry::find("process").expect("a type");
        let options = options.as_object().expect("a table");
        let operator = kind
            .build(options)
            .unwrap_or_else(|errors| panic!("{errors:?}"));
        let Operator::Video { scanner, .. } = operator else {
            panic!("it watches");
        };
        let view = scanner.view();
        let data =
            vec![7; view.width as usize * view.height as usize * view.format.bytes_per_pixel()];
        let scan = |position: u64| {
            let chunk = ChunkContext {
                extent: ChunkExtent {
                    position: Position(position),
                    span: TimeRange {
                        start: MediaTime::from_seconds(position as i64 * 10),
                        end: MediaTime::from_seconds(position as i64 * 10 + 10),
                    },
                    stretch: 0,
                    audio_tracks: Vec::new(),
                    frame_rate: None,
                },
                track: None,
            };
            let mut scan = scanner.start(&chunk);
            for index in 0..FRAMES {
                let frame = Frame {
                    time: chunk.extent.span.start + MediaTime::from_millis(index as i64 * 40),
                    pts: Timestamp {
                        ticks: 0,
                        timescale: 1,
                    },
                    index,
                    width: view.width,
                    height: view.height,
                    format: view.format,
                    data: &data,
                };
                scan.frame(&frame).expect("taken");
            }
            scan.finish().expect("answered");
        };
        // Python starts.
        scan(0);
        let begun = Instant::now();
        (1..=CHUNKS).for_each(scan);
        let pipe = begun.elapsed().as_secs_f64() / (FRAMES * CHUNKS) as f64;
        let mut copy = vec![0_u8; data.len()];
        let begun = Instant::now();
        for _ in 0..FRAMES * CHUNKS {
            black_box(&mut copy).copy_from_slice(black_box(&data));
        }
        let copied = begun.elapsed().as_secs_f64() / (FRAMES * CHUNKS) as f64;
        println!(
            "{width}x{height} {format}: {:.1} µs a frame through the pipe, {:.1} µs to copy {} bytes once",
            pipe * 1e6,
            copied * 1e6,
            data.len()
        );
    }
}
