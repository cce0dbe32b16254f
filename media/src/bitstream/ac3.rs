//! Headers of AC-3 and E-AC-3 frames.

use super::bits::BitReader;

/// What the header of a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ac3 {
    /// Bytes of the whole frame.
    pub length: usize,
    /// Samples a second.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u32,
    /// PCM samples in the frame.
    pub frame_samples: u32,
}

const RATES: [u32; 3] = [48000, 44100, 32000];
const BIT_RATES: [u32; 19] = [
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640,
];
const CHANNELS: [u32; 8] = [2, 1, 2, 3, 3, 4, 4, 5];

/// Reads the header at the start of `data`.
pub fn parse(data: &[u8]) -> Option<Ac3> {
    if data.get(..2)? != [0x0b, 0x77] {
        return None;
    }
    let version = data.get(5)? >> 3;
    if version > 10 {
        parse_enhanced(data)
    } else {
        parse_plain(data)
    }
}

fn parse_plain(data: &[u8]) -> Option<Ac3> {
    let mut r = BitReader::new(data.get(4..)?);
    let rate_code = r.bits(2)?;
    let size_code = r.bits(6)?;
    let sample_rate = *RATES.get(rate_code as usize)?;
    let bit_rate = *BIT_RATES.get(size_code as usize / 2)?;
    let words = match rate_code {
        0 => bit_rate * 2,
        1 => bit_rate * 1000 * 96 / 44100 + size_code % 2,
        _ => bit_rate * 3,
    };
    r.skip(8)?;
    let mode = r.bits(3)?;
    if mode & 1 == 1 && mode != 1 {
        r.skip(2)?;
    }
    if mode & 4 == 4 {
        r.skip(2)?;
    }
    if mode == 2 {
        r.skip(2)?;
    }
    let low = u32::from(r.bit()?);
    Some(Ac3 {
        length: words as usize * 2,
        sample_rate,
        channels: CHANNELS.get(mode as usize)? + low,
        frame_samples: 1536,
    })
}

fn parse_enhanced(data: &[u8]) -> Option<Ac3> {
    let mut r = BitReader::new(data.get(2..)?);
    r.skip(5)?;
    let length = (r.bits(11)? as usize + 1) * 2;
    let rate_code = r.bits(2)?;
    let (sample_rate, blocks) = if rate_code == 3 {
        (RATES.get(r.bits(2)? as usize)? / 2, 6)
    } else {
        (
            *RATES.get(rate_code as usize)?,
            [1, 2, 3, 6][r.bits(2)? as usize],
        )
    };
    let mode = r.bits(3)?;
    let low = u32::from(r.bit()?);
    Some(Ac3 {
        length,
        sample_rate,
        channels: CHANNELS.get(mode as usize)? + low,
        frame_samples: blocks * 256,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stereo_at_192_kbit() {
        // 48 kHz, size code 20 (192 kbit/s), bsid 8, mode 2/0, no LFE.
        let frame = parse(&[0x0b, 0x77, 0, 0, 0x14, 0x40, 0x40, 0]).unwrap();
        assert_eq!(
            frame,
            Ac3 {
                length: 768,
                sample_rate: 48000,
                channels: 2,
                frame_samples: 1536
            }
        );
        assert_eq!(parse(&[0x0b, 0x78]), None);
    }
}
