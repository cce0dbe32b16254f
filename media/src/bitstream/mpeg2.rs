//! Headers of MPEG-1 and MPEG-2 video (ISO/IEC 13818-2): sequence, group of pictures and picture.

use matchcut_model::time::FrameRate;
use matchcut_model::timecode::EmbeddedTimecode;

use super::bits::BitReader;

/// Codes behind the three bytes of a start code.
pub mod code {
    /// A picture.
    pub const PICTURE: u8 = 0x00;
    /// The first slice of a picture that there can be.
    pub const FIRST_SLICE: u8 = 0x01;
    /// The last slice of a picture that there can be.
    pub const LAST_SLICE: u8 = 0xaf;
    /// Sequence header.
    pub const SEQUENCE: u8 = 0xb3;
    /// Extension of the header before it.
    pub const EXTENSION: u8 = 0xb5;
    /// Group of pictures.
    pub const GROUP: u8 = 0xb8;
}

/// Where the start codes of a stream are (the first of their three bytes), and the code of each.
pub fn start_codes(data: &[u8]) -> Vec<(usize, u8)> {
    let mut out = Vec::new();
    let mut at = 2;
    while at + 1 < data.len() {
        match data[at] {
            0 => at += 1,
            1 if data[at - 1] == 0 && data[at - 2] == 0 => {
                out.push((at - 2, data[at + 1]));
                at += 3;
            }
            _ => at += 3,
        }
    }
    out
}

/// What a sequence header says, and its extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// aspect_ratio_information.
    aspect: u32,
    /// Frames a second.
    pub frame_rate: Option<FrameRate>,
    /// profile_and_level_indication; `None` in MPEG-1.
    profile_and_level: Option<u8>,
}

const RATES: [(u32, u32); 8] = [
    (24_000, 1001),
    (24, 1),
    (25, 1),
    (30_000, 1001),
    (30, 1),
    (50, 1),
    (60_000, 1001),
    (60, 1),
];

impl Sequence {
    /// Reads a header from behind its start code.
    pub fn parse(data: &[u8]) -> Option<Sequence> {
        let mut r = BitReader::new(data);
        let (width, height) = (r.bits(12)?, r.bits(12)?);
        let aspect = r.bits(4)?;
        let rate = r.bits(4)?.checked_sub(1);
        let rate = rate.and_then(|index| RATES.get(index as usize));
        (width > 0 && height > 0).then_some(Sequence {
            width,
            height,
            aspect,
            frame_rate: rate.and_then(|(num, den)| FrameRate::new(*num, *den)),
            profile_and_level: None,
        })
    }

    /// Takes in an extension from behind its start code; other extensions are ignored.
    pub fn extend(&mut self, data: &[u8]) -> Option<()> {
        let mut r = BitReader::new(data);
        if r.bits(4)? != 1 {
            return None;
        }
        self.profile_and_level = Some(r.bits(8)? as u8);
        r.skip(3)?;
        self.width |= r.bits(2)? << 12;
        self.height |= r.bits(2)? << 12;
        r.skip(12 + 1 + 8 + 1)?;
        let (times, divided) = (r.bits(2)? + 1, r.bits(5)? + 1);
        self.frame_rate = self
            .frame_rate
            .and_then(|rate| FrameRate::new(rate.num * times, rate.den * divided));
        Some(())
    }

    /// Width and height of a pixel when it is not square. MPEG-2 gives the shape of the picture.
    pub fn pixel_aspect(&self) -> Option<(u32, u32)> {
        self.profile_and_level?;
        let (wide, high) = match self.aspect {
            2 => (4, 3),
            3 => (16, 9),
            4 => (221, 100),
            _ => return None,
        };
        let (num, den) = (wide * self.height, high * self.width);
        let divisor = gcd(num, den).max(1);
        (num != den).then_some((num / divisor, den / divisor))
    }

    /// Name of the profile.
    pub fn profile(&self) -> Option<String> {
        Some(match self.profile_and_level? >> 4 & 7 {
            1 => "High".into(),
            4 => "Main".into(),
            5 => "Simple".into(),
            other => format!("profile {other}"),
        })
    }

    /// Name of the level.
    pub fn level(&self) -> Option<String> {
        Some(match self.profile_and_level? & 0xf {
            4 => "High".into(),
            6 => "High 1440".into(),
            8 => "Main".into(),
            10 => "Low".into(),
            other => format!("level {other}"),
        })
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// What the header of a group of pictures says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// The timecode of the first of its pictures that is shown.
    pub timecode: EmbeddedTimecode,
    /// Its first pictures in order of presentation refer to none before it.
    pub closed: bool,
}

impl Group {
    /// Reads a header from behind its start code.
    pub fn parse(data: &[u8]) -> Option<Group> {
        let mut r = BitReader::new(data);
        let drop_frame = r.bit()?;
        let (hours, minutes) = (r.bits(5)? as u8, r.bits(6)? as u8);
        r.bit()?;
        let (seconds, frames) = (r.bits(6)? as u8, r.bits(6)? as u16);
        let timecode = EmbeddedTimecode {
            hours,
            minutes,
            seconds,
            frames,
            drop_frame,
        };
        let closed = r.bit()?;
        Some(Group { timecode, closed })
    }
}

/// What the header of a picture says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Place in the order of presentation of its group.
    pub temporal_reference: u32,
    /// Intra: decoding can start at it.
    pub intra: bool,
    /// Other pictures may refer to it.
    pub reference: bool,
}

impl Picture {
    /// Reads a header from behind its start code.
    pub fn parse(data: &[u8]) -> Option<Picture> {
        let mut r = BitReader::new(data);
        let temporal_reference = r.bits(10)?;
        let kind = r.bits(3)?;
        Some(Picture {
            temporal_reference,
            intra: kind == 1,
            reference: kind != 3,
        })
    }
}

/// From the extension of a picture header: whether it is a single field, and then the bottom one.
/// `None` also for other extensions.
pub fn field_of(extension: &[u8]) -> Option<bool> {
    let mut r = BitReader::new(extension);
    if r.bits(4)? != 8 {
        return None;
    }
    r.skip(16 + 2)?;
    match r.bits(2)? {
        1 => Some(false),
        2 => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        // 720x576, 16:9, 25 frames a second.
        let mut sequence = Sequence::parse(&[0x2d, 0x02, 0x40, 0x33, 0, 0]).unwrap();
        assert_eq!((sequence.width, sequence.height), (720, 576));
        assert_eq!(sequence.frame_rate, FrameRate::new(25, 1));
        assert_eq!(
            sequence.pixel_aspect(),
            None,
            "MPEG-1 until an extension comes"
        );
        sequence.extend(&[0x14, 0x82, 0, 0x01, 0, 0]).unwrap();
        assert_eq!(sequence.pixel_aspect(), Some((64, 45)));
        assert_eq!(sequence.profile().as_deref(), Some("Main"));
        assert_eq!(sequence.level().as_deref(), Some("Main"));
        assert!(Sequence::parse(&[0, 0, 0]).is_none());

        // 1 00001 000010 1 000011 000100 1 0
        let group = Group::parse(&[0b1000_0100, 0b0010_1000, 0b0110_0010, 0b0100_0000]).unwrap();
        let timecode = group.timecode;
        assert_eq!(
            (
                timecode.hours,
                timecode.minutes,
                timecode.seconds,
                timecode.frames
            ),
            (1, 2, 3, 4)
        );
        assert!(timecode.drop_frame && group.closed);

        let picture = Picture::parse(&[0x00, 0x8f, 0xff]).unwrap();
        assert_eq!(picture.temporal_reference, 2);
        assert!(picture.intra && picture.reference);
        assert_eq!(field_of(&[0x8f, 0xff, 0xf0, 0x40]), None, "a code cut off");
        assert_eq!(field_of(&[0x8f, 0xff, 0xf1, 0x80]), Some(false));
        assert_eq!(field_of(&[0x8f, 0xff, 0xf2, 0x80]), Some(true));
        assert_eq!(field_of(&[0x8f, 0xff, 0xf3, 0x80]), None, "a whole frame");
    }

    #[test]
    fn codes_are_found() {
        let data = [9, 0, 0, 1, 0xb3, 1, 0, 0, 0, 1, 0, 0, 0, 1];
        assert_eq!(start_codes(&data), [(1, 0xb3), (7, 0)]);
        assert!(start_codes(&[0, 0, 1]).is_empty());
    }
}
