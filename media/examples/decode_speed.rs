//! How much views cost: decodes MPEG-TS chunks with and without them, one thread, and prints both in
//! processor time, which other load on the machine disturbs less than the clock.
//! Usage: decode_speed CHUNK.ts… (chunks of one stream in order).

use std::time::Duration;

use matchcut_media::decode::{AudioPlan, DecodePlan, FrameSink, decode};
use matchcut_media::demux::demux;
use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::Container;
use matchcut_model::frame::{AudioBlock, Frame, FrameChoice, PixelFormat, ViewSpec};
use matchcut_model::time::FrameRate;

/// Touches what it gets, as an operator would, so that nothing is optimized away.
#[derive(Default)]
struct Touch {
    bytes: u64,
    sum: u64,
}

impl FrameSink for Touch {
    fn video(&mut self, _view: usize, frame: &Frame<'_>) {
        self.bytes += frame.data.len() as u64;
        self.sum += u64::from(frame.data[frame.data.len() / 2]);
    }

    fn audio(&mut self, block: &AudioBlock<'_>) {
        self.bytes += block.samples.len() as u64 * 4;
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut chunks = Vec::new();
    let started = processor_time()?;
    for path in std::env::args().skip(1) {
        let bytes = bytes::Bytes::from(std::fs::read(&path)?);
        chunks.push(demux(Container::MpegTs, None, &bytes)?);
    }
    println!(
        "read and demultiplexed {} chunks in {:.3?}",
        chunks.len(),
        processor_time()?.saturating_sub(started)
    );
    let gray = ViewSpec {
        width: 320,
        height: 180,
        format: PixelFormat::Gray8,
        rate: None,
        frames: FrameChoice::All,
    };
    let colour = ViewSpec {
        width: 160,
        height: 90,
        format: PixelFormat::Rgb24,
        rate: FrameRate::new(5, 1),
        frames: FrameChoice::All,
    };
    let odd = ViewSpec {
        width: 250,
        height: 140,
        ..gray
    };
    let plain = DecodePlan {
        check_video: true,
        ..DecodePlan::default()
    };
    let plans = [
        ("decode only", plain.clone()),
        (
            "gray 320x180",
            DecodePlan {
                views: vec![gray],
                ..plain.clone()
            },
        ),
        (
            "gray + 5 fps rgb",
            DecodePlan {
                views: vec![gray, colour],
                ..plain.clone()
            },
        ),
        (
            "gray + rgb + audio",
            DecodePlan {
                views: vec![gray, colour],
                audio: AudioPlan::All,
                ..plain.clone()
            },
        ),
        (
            "gray 250x140 (no whole ratio)",
            DecodePlan {
                views: vec![odd],
                ..plain.clone()
            },
        ),
        (
            "audio only",
            DecodePlan {
                check_video: false,
                audio: AudioPlan::All,
                ..plain
            },
        ),
    ];
    let mut base = None;
    for (name, plan) in plans {
        let mut best = Duration::MAX;
        let mut frames = 0;
        let mut touch = Touch::default();
        for _ in 0..3 {
            let started = processor_time()?;
            frames = run(&chunks, &plan, &mut touch)?;
            best = best.min(processor_time()?.saturating_sub(started));
        }
        let base = *base.get_or_insert(best);
        println!(
            "{name:32} {best:>9.3?} {:>7.1} fps {:>6.3} x decode only (checksum {})",
            frames as f64 / best.as_secs_f64(),
            best.as_secs_f64() / base.as_secs_f64(),
            touch.sum
        );
    }
    Ok(())
}

/// Processor time of this thread so far (Linux).
fn processor_time() -> Result<Duration, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = stat.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

fn run(
    chunks: &[Demuxed],
    plan: &DecodePlan,
    touch: &mut Touch,
) -> Result<u64, matchcut_media::decode::DecodeError> {
    let mut frames = 0;
    let mut before = None;
    for chunk in chunks {
        frames += decode(chunk, before, plan, touch)?.frames;
        before = Some(chunk);
    }
    Ok(frames)
}
