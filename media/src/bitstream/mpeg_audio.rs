//! Headers of MPEG-1 and MPEG-2 audio frames (layers 1 to 3).

/// What the header of a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MpegAudio {
    /// Bytes of the whole frame.
    pub length: usize,
    /// Samples a second.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u32,
    /// PCM samples in the frame.
    pub frame_samples: u32,
}

const LAYER1_V1: [u32; 15] = [
    0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448,
];
const LAYER2_V1: [u32; 15] = [
    0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
];
const LAYER3_V1: [u32; 15] = [
    0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
];
const LAYER1_V2: [u32; 15] = [
    0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256,
];
const LAYER23_V2: [u32; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

/// Reads the header at the start of `data`.
pub fn parse(data: &[u8]) -> Option<MpegAudio> {
    let head = data.get(..4)?;
    if head[0] != 0xff || head[1] & 0xe0 != 0xe0 {
        return None;
    }
    let version = head[1] >> 3 & 3;
    let layer = 4 - (head[1] >> 1 & 3);
    if version == 1 || layer == 4 {
        return None;
    }
    let first = version == 3;
    let table = match (first, layer) {
        (true, 1) => LAYER1_V1,
        (true, 2) => LAYER2_V1,
        (true, _) => LAYER3_V1,
        (false, 1) => LAYER1_V2,
        (false, _) => LAYER23_V2,
    };
    let bit_rate = *table
        .get(usize::from(head[2] >> 4))
        .filter(|rate| **rate > 0)?
        * 1000;
    let base = *[44100u32, 48000, 32000].get(usize::from(head[2] >> 2 & 3))?;
    let sample_rate = match version {
        3 => base,
        2 => base / 2,
        _ => base / 4,
    };
    let padding = u32::from(head[2] >> 1 & 1);
    let (frame_samples, length) = match (layer, first) {
        (1, _) => (384, (12 * bit_rate / sample_rate + padding) * 4),
        (3, false) => (576, 72 * bit_rate / sample_rate + padding),
        _ => (1152, 144 * bit_rate / sample_rate + padding),
    };
    Some(MpegAudio {
        length: length as usize,
        sample_rate,
        channels: if head[3] >> 6 == 3 { 1 } else { 2 },
        frame_samples,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layer_3_at_128_kbit() {
        let frame = parse(&[0xff, 0xfb, 0x90, 0x00]).unwrap();
        assert_eq!(
            frame,
            MpegAudio {
                length: 417,
                sample_rate: 44100,
                channels: 2,
                frame_samples: 1152
            }
        );
        assert_eq!(parse(&[0xff, 0xf1, 0x90, 0x00]), None);
    }
}
