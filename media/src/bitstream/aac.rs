//! AAC: ADTS headers and the AudioSpecificConfig.

use super::bits::BitReader;

const RATES: [u32; 13] = [
    96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
];

/// An ADTS header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adts {
    /// Bytes of the header, 7 or 9.
    pub header: usize,
    /// Bytes of header and payload.
    pub length: usize,
    /// Audio object type: 2 for LC.
    pub object_type: u8,
    /// Index of the sample rate.
    pub rate_index: u8,
    /// Samples a second.
    pub sample_rate: u32,
    /// Channel configuration.
    pub channel_config: u8,
}

/// Bytes of an ADTS header that must be there to read it.
pub const ADTS_HEADER: usize = 7;

impl Adts {
    /// Reads the header at the start of `data`.
    pub fn parse(data: &[u8]) -> Option<Adts> {
        let head = data.get(..ADTS_HEADER)?;
        if head[0] != 0xff || head[1] & 0xf6 != 0xf0 {
            return None;
        }
        let header = if head[1] & 1 == 1 { 7 } else { 9 };
        let rate_index = head[2] >> 2 & 0xf;
        let length =
            usize::from(head[3] & 3) << 11 | usize::from(head[4]) << 3 | usize::from(head[5] >> 5);
        (length > header).then_some(())?;
        Some(Adts {
            header,
            length,
            object_type: (head[2] >> 6) + 1,
            rate_index,
            sample_rate: *RATES.get(usize::from(rate_index))?,
            channel_config: (head[2] & 1) << 2 | head[3] >> 6,
        })
    }

    /// Number of channels; 0 when the payload says it.
    pub fn channels(&self) -> u32 {
        channels(u32::from(self.channel_config))
    }

    /// The AudioSpecificConfig that says the same.
    pub fn config(&self) -> [u8; 2] {
        [
            self.object_type << 3 | self.rate_index >> 1,
            self.rate_index << 7 | self.channel_config << 3,
        ]
    }
}

fn channels(config: u32) -> u32 {
    if config == 7 { 8 } else { config }
}

/// What an AudioSpecificConfig says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioConfig {
    /// Audio object type: 2 for LC, 5 for SBR, 29 for PS.
    pub object_type: u32,
    /// Samples a second of the core.
    pub sample_rate: u32,
    /// Number of channels; 0 when the payload says it.
    pub channels: u32,
    /// PCM samples in one frame of the core.
    pub frame_samples: u32,
}

fn object_type(r: &mut BitReader<'_>) -> Option<u32> {
    match r.bits(5)? {
        31 => Some(32 + r.bits(6)?),
        other => Some(other),
    }
}

fn sample_rate(r: &mut BitReader<'_>) -> Option<u32> {
    match r.bits(4)? {
        15 => r.bits(24),
        index => RATES.get(index as usize).copied(),
    }
}

/// Reads an AudioSpecificConfig.
pub fn parse_config(data: &[u8]) -> Option<AudioConfig> {
    let mut r = BitReader::new(data);
    let kind = object_type(&mut r)?;
    let rate = sample_rate(&mut r)?;
    let config = r.bits(4)?;
    let mut core = kind;
    if matches!(kind, 5 | 29) {
        sample_rate(&mut r)?;
        core = object_type(&mut r)?;
    }
    let short = matches!(core, 1 | 2 | 3 | 4 | 6 | 7 | 17 | 19..=23) && r.bit().unwrap_or(false);
    Some(AudioConfig {
        object_type: kind,
        sample_rate: rate,
        channels: channels(config),
        frame_samples: if short { 960 } else { 1024 },
    })
}

/// Name of a profile.
pub fn profile(object_type: u32) -> String {
    match object_type {
        1 => "Main".into(),
        2 => "LC".into(),
        3 => "SSR".into(),
        4 => "LTP".into(),
        5 => "HE-AAC".into(),
        29 => "HE-AACv2".into(),
        other => format!("object type {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adts_and_its_config_agree() {
        // LC, 48 kHz, stereo, 300 bytes, without checksum.
        let header = [0xff, 0xf1, 0x4c, 0x80, 0x25, 0x9f, 0xfc];
        let adts = Adts::parse(&header).unwrap();
        assert_eq!(
            (adts.length, adts.header, adts.sample_rate),
            (300, 7, 48000)
        );
        assert_eq!(adts.config(), [0x11, 0x90]);
        let config = parse_config(&adts.config()).unwrap();
        assert_eq!(
            (config.object_type, config.sample_rate, config.channels),
            (2, 48000, 2)
        );
        assert_eq!(config.frame_samples, 1024);
    }

    #[test]
    fn not_adts() {
        assert_eq!(
            Adts::parse(&[0xff, 0xfb, 0x4c, 0x80, 0x25, 0x9f, 0xfc]),
            None
        );
        assert_eq!(Adts::parse(&[0xff, 0xf1]), None);
        assert_eq!(parse_config(&[]), None);
    }
}
