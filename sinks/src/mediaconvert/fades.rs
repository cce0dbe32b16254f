//! Fades between clips: a picture of one colour that grows over the end of a clip and goes away over the beginning of
//! the next. MediaConvert counts it in frames of the output, so it reaches across chunks.

use matchcut_model::time::{FrameRate, MediaTime};
use matchcut_model::timecode::{Timecode, TimecodeRate};
use serde_json::{Value as Json, json};

/// A picture over one cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Veil {
    /// The first frame of the output that it is seen on.
    pub first: i64,
    /// Frames until it hides everything: there the next clip begins.
    pub out: i64,
    /// Frames until it has gone.
    pub into: i64,
}

/// The number of frames in a time, rounded.
pub(super) fn frames_in(time: MediaTime, rate: FrameRate) -> i64 {
    let half = MediaTime::from_flicks(rate.frame_duration().flicks() / 2);
    rate.frame_at(time + half)
}

/// A veil over every cut between clips of so many frames. No fade is longer than half of its clip.
pub(super) fn veils(
    lengths: &[i64],
    (out, into): (MediaTime, MediaTime),
    rate: FrameRate,
) -> Vec<Veil> {
    let mut at = 0;
    let pairs = lengths.iter().zip(lengths.iter().skip(1));
    pairs
        .map(|(before, after)| {
            at += before;
            let out = frames_in(out, rate).min(before / 2);
            Veil {
                first: at - out,
                out,
                into: frames_in(into, rate).min(after / 2),
            }
        })
        .collect()
}

impl Veil {
    /// As an image that MediaConvert inserts.
    pub(super) fn image(self, address: &str, size: (u32, u32), rate: FrameRate) -> Json {
        // It is there for nothing on its first frame, and for all half a frame before the cut, so that every frame
        // is as far gone as a local renderer shows it.
        let label = Timecode::from_frame(self.first - 1, TimecodeRate::non_drop(rate));
        let half = MediaTime::from_flicks(rate.frame_duration().flicks() / 2);
        let millis = |frames: i64| (rate.time_of(frames) + half).to_millis();
        json!({
            "imageInserterInput": address,
            "imageX": 0,
            "imageY": 0,
            "width": size.0,
            "height": size.1,
            "layer": 1,
            "opacity": 100,
            "startTime": label.to_string(),
            "fadeIn": millis(self.out),
            // It goes as soon as it has grown.
            "duration": millis(self.out),
            "fadeOut": millis(self.into),
        })
    }
}

/// A picture of one colour as a PNG file: nobody has to lay one down for it.
pub fn colour_png(colour: [u8; 3], (width, height): (u32, u32)) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut head = Vec::new();
    head.extend(width.to_be_bytes());
    head.extend(height.to_be_bytes());
    // One bit a pixel, from a palette, in one pass.
    head.extend([1, 3, 0, 0, 0]);
    let row = vec![0; 1 + width.div_ceil(8) as usize];
    let rows: Vec<u8> = row.repeat(height as usize);
    for (name, data) in [
        (b"IHDR", head),
        (b"PLTE", colour.to_vec()),
        (b"IDAT", stored(&rows)),
        (b"IEND", Vec::new()),
    ] {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        png.extend(length.to_be_bytes());
        let start = png.len();
        png.extend(name);
        png.extend(data);
        let sum = crc(png.get(start..).unwrap_or_default());
        png.extend(sum.to_be_bytes());
    }
    png
}

/// zlib with blocks that are stored as they are.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let blocks = data.chunks(0xffff);
    let last = blocks.len().saturating_sub(1);
    for (number, block) in blocks.enumerate() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(number == last));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    let (mut a, mut b) = (1u32, 0u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    out.extend((b << 16 | a).to_be_bytes());
    out
}

fn crc(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_veil_reaches_over_each_cut() {
        let rate = FrameRate { num: 25, den: 1 };
        let half = MediaTime::from_millis(500);
        let quarter = MediaTime::from_millis(240);
        let veils = veils(&[100, 10, 50], (half, quarter), rate);
        let expected = [
            // 0.5 s are 12.5 frames, rounded to 13.
            Veil {
                first: 87,
                out: 13,
                into: 5,
            },
            Veil {
                first: 105,
                out: 5,
                into: 6,
            },
        ];
        assert_eq!(veils, expected);
        let image = veils[0].image("s3://b/black.png", (1280, 720), rate);
        assert_eq!(image["startTime"], "00:00:03:11");
        assert_eq!(
            (&image["fadeIn"], &image["duration"]),
            (&540.into(), &540.into())
        );
        assert_eq!(image["fadeOut"], 220);
        assert_eq!(super::veils(&[5], (half, half), rate), []);
    }

    #[test]
    fn a_colour_is_a_png() {
        let png = colour_png([255, 128, 0], (64, 36));
        let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels, [255, 128, 0].repeat(64 * 36));
        assert_eq!(crc(b"123456789"), 0xcbf4_3926);
    }
}
