//! HEVC: NAL unit types, and the sequence parameter set as far as size, profile and frame rate.

use matchcut_model::time::FrameRate;

use super::bits::BitReader;
use super::h264::pixel_aspect;
use super::nal::rbsp;

/// NAL unit types that matter here.
pub mod unit {
    /// Video parameter set.
    pub const VPS: u8 = 32;
    /// Sequence parameter set.
    pub const SPS: u8 = 33;
    /// Picture parameter set.
    pub const PPS: u8 = 34;
    /// Access unit delimiter.
    pub const AUD: u8 = 35;
    /// Filler.
    pub const FILLER: u8 = 38;
    /// SEI before the slices.
    pub const SEI_PREFIX: u8 = 39;
}

/// The type of a NAL unit.
pub fn unit_type(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |byte| byte >> 1 & 0x3f)
}

/// Whether this is a slice.
pub fn is_slice(kind: u8) -> bool {
    kind < 32
}

/// Whether this is a slice of an IDR or BLA picture, after which nothing before is needed.
pub fn is_idr(kind: u8) -> bool {
    matches!(kind, 19 | 20)
}

/// Whether this is a slice of any picture where decoding can start.
pub fn is_random_access(kind: u8) -> bool {
    (16..=21).contains(&kind)
}

/// Whether pictures of this type are never referred to inside their temporal sub-layer.
pub fn is_non_reference(kind: u8) -> bool {
    kind < 16 && kind.is_multiple_of(2)
}

/// Whether a slice is the first of its picture.
pub fn is_first_slice(unit: &[u8]) -> bool {
    unit.get(2).is_some_and(|byte| byte & 0x80 != 0)
}

/// What a sequence parameter set says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sps {
    /// Its id.
    pub id: u32,
    /// The 12 bytes of general profile, tier and level, as `hvcC` carries them.
    pub profile_tier_level: [u8; 12],
    /// Number of temporal sub-layers.
    pub sub_layers: u32,
    /// Whether temporal ids are nested.
    pub temporal_id_nesting: bool,
    /// chroma_format_idc.
    pub chroma_format: u32,
    /// Bits of a luma sample.
    pub bit_depth_luma: u32,
    /// Bits of a chroma sample.
    pub bit_depth_chroma: u32,
    /// Width after cropping.
    pub width: u32,
    /// Height after cropping.
    pub height: u32,
    /// Pixel width to height.
    pub pixel_aspect: Option<(u32, u32)>,
    /// From the VUI timing.
    pub frame_rate: Option<FrameRate>,
}

impl Sps {
    /// Name of the profile.
    pub fn profile(&self) -> String {
        match self.profile_tier_level[0] & 0x1f {
            1 => "Main".into(),
            2 => "Main 10".into(),
            3 => "Main Still Picture".into(),
            4 => "Range Extensions".into(),
            other => format!("profile {other}"),
        }
    }

    /// Level as the standard writes it.
    pub fn level(&self) -> String {
        let idc = u32::from(self.profile_tier_level[11]);
        let (major, minor) = (idc / 30, idc % 30 / 3);
        if minor == 0 {
            major.to_string()
        } else {
            format!("{major}.{minor}")
        }
    }
}

/// Reads a sequence parameter set (a whole NAL unit).
pub fn parse_sps(unit: &[u8]) -> Option<Sps> {
    if unit_type(unit) != unit::SPS {
        return None;
    }
    let payload = rbsp(unit.get(2..)?, 8192);
    let mut r = BitReader::new(&payload);
    r.skip(4)?;
    let max_sub_layers_minus1 = r.bits(3)?;
    let temporal_id_nesting = r.bit()?;
    let mut profile_tier_level = [0u8; 12];
    for byte in &mut profile_tier_level {
        *byte = r.bits(8)? as u8;
    }
    let mut present = Vec::new();
    for _ in 0..max_sub_layers_minus1 {
        present.push((r.bit()?, r.bit()?));
    }
    if max_sub_layers_minus1 > 0 {
        r.skip(2 * (8 - max_sub_layers_minus1 as usize))?;
    }
    for (profile, level) in present {
        r.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    let id = r.ue()?;
    let chroma_format = r.ue()?;
    if chroma_format == 3 {
        r.bit()?;
    }
    let (coded_width, coded_height) = (r.ue()?, r.ue()?);
    let mut crop = [0u32; 4];
    if r.bit()? {
        for side in &mut crop {
            *side = r.ue()?;
        }
    }
    let unit_x = if matches!(chroma_format, 1 | 2) { 2 } else { 1 };
    let unit_y = if chroma_format == 1 { 2 } else { 1 };
    let width = coded_width.checked_sub(crop[0].checked_add(crop[1])?.checked_mul(unit_x)?)?;
    let height = coded_height.checked_sub(crop[2].checked_add(crop[3])?.checked_mul(unit_y)?)?;
    let bit_depth_luma = r.ue()?.checked_add(8)?;
    let bit_depth_chroma = r.ue()?.checked_add(8)?;
    let (pixel_aspect, frame_rate) =
        parse_to_vui(&mut r, max_sub_layers_minus1).unwrap_or((None, None));
    Some(Sps {
        id,
        profile_tier_level,
        sub_layers: max_sub_layers_minus1 + 1,
        temporal_id_nesting,
        chroma_format,
        bit_depth_luma,
        bit_depth_chroma,
        width,
        height,
        pixel_aspect,
        frame_rate,
    })
}

type Vui = (Option<(u32, u32)>, Option<FrameRate>);

fn parse_to_vui(r: &mut BitReader<'_>, max_sub_layers_minus1: u32) -> Option<Vui> {
    let log2_max_poc_lsb = r.ue()?.checked_add(4).filter(|bits| *bits <= 16)?;
    let all_layers = r.bit()?;
    for _ in if all_layers { 0 } else { max_sub_layers_minus1 }..=max_sub_layers_minus1 {
        r.ue()?;
        r.ue()?;
        r.ue()?;
    }
    for _ in 0..6 {
        r.ue()?;
    }
    if r.bit()? && r.bit()? {
        skip_scaling_lists(r)?;
    }
    r.skip(2)?;
    if r.bit()? {
        r.skip(8)?;
        r.ue()?;
        r.ue()?;
        r.bit()?;
    }
    skip_short_term_sets(r)?;
    if r.bit()? {
        for _ in 0..r.ue()?.min(32) {
            r.skip(log2_max_poc_lsb as usize + 1)?;
        }
    }
    r.skip(2)?;
    if !r.bit()? {
        return Some((None, None));
    }
    let aspect = pixel_aspect(r)?;
    if r.bit()? {
        r.bit()?;
    }
    if r.bit()? {
        r.skip(4)?;
        if r.bit()? {
            r.skip(24)?;
        }
    }
    if r.bit()? {
        r.ue()?;
        r.ue()?;
    }
    r.skip(3)?;
    if r.bit()? {
        for _ in 0..4 {
            r.ue()?;
        }
    }
    if !r.bit()? {
        return Some((aspect, None));
    }
    let ticks = r.bits(32)?;
    let scale = r.bits(32)?;
    Some((aspect, FrameRate::new(scale, ticks)))
}

fn skip_scaling_lists(r: &mut BitReader<'_>) -> Option<()> {
    for size in 0..4u32 {
        let mut matrix = 0;
        while matrix < 6 {
            if r.bit()? {
                let count = 64.min(1 << (4 + (size << 1)));
                if size > 1 {
                    r.se()?;
                }
                for _ in 0..count {
                    r.se()?;
                }
            } else {
                r.ue()?;
            }
            matrix += if size == 3 { 3 } else { 1 };
        }
    }
    Some(())
}

fn skip_short_term_sets(r: &mut BitReader<'_>) -> Option<()> {
    let sets = r.ue()?;
    if sets > 64 {
        return None;
    }
    let mut previous = 0u32;
    for index in 0..sets {
        if index > 0 && r.bit()? {
            r.bit()?;
            r.ue()?;
            let mut count = 0;
            for _ in 0..=previous {
                if r.bit()? || r.bit()? {
                    count += 1;
                }
            }
            previous = count;
        } else {
            let (negative, positive) = (r.ue()?, r.ue()?);
            if negative > 16 || positive > 16 {
                return None;
            }
            for _ in 0..negative + positive {
                r.ue()?;
                r.bit()?;
            }
            previous = negative + positive;
        }
    }
    Some(())
}
