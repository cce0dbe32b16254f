//! H.264: parameter sets, and as much of a slice header as says whether decoding can start at a
//! picture, whether it is a reference, and whether it carries memory management commands.

use matchcut_model::time::FrameRate;

use super::bits::BitReader;
use super::nal::rbsp;
use super::sei;

/// NAL unit types that matter here.
pub mod unit {
    /// Slice of a picture that is not an IDR.
    pub const SLICE: u8 = 1;
    /// First partition of a slice.
    pub const PARTITION_A: u8 = 2;
    /// Slice of an IDR picture.
    pub const IDR: u8 = 5;
    /// Supplemental enhancement information.
    pub const SEI: u8 = 6;
    /// Sequence parameter set.
    pub const SPS: u8 = 7;
    /// Picture parameter set.
    pub const PPS: u8 = 8;
    /// Access unit delimiter.
    pub const AUD: u8 = 9;
    /// Filler.
    pub const FILLER: u8 = 12;
}

/// The type of a NAL unit.
pub fn unit_type(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |byte| byte & 0x1f)
}

/// What a sequence parameter set says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sps {
    /// Its id.
    pub id: u32,
    /// profile_idc.
    pub profile_idc: u8,
    /// The constraint flags byte.
    pub constraints: u8,
    /// level_idc.
    pub level_idc: u8,
    /// chroma_format_idc.
    pub chroma_format: u32,
    /// Bits of a luma sample.
    pub bit_depth_luma: u32,
    /// Bits of a chroma sample.
    pub bit_depth_chroma: u32,
    separate_colour_planes: bool,
    log2_max_frame_num: u32,
    poc_type: u32,
    log2_max_poc_lsb: u32,
    delta_pic_order_always_zero: bool,
    frame_mbs_only: bool,
    /// Width after cropping.
    pub width: u32,
    /// Height after cropping.
    pub height: u32,
    /// Pixel width to height.
    pub pixel_aspect: Option<(u32, u32)>,
    /// From the VUI timing, assuming two ticks a frame as the standard says.
    pub frame_rate: Option<FrameRate>,
    /// How picture timing messages are laid out, if the VUI says.
    pub picture_timing: Option<PictureTiming>,
}

/// What must be known to read the picture timing messages of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureTiming {
    /// Bits of the two delays at their front; 0 when there are none.
    pub delay_bits: usize,
    /// pic_struct_present_flag: structure and clock timestamps follow.
    pub has_structure: bool,
}

impl Sps {
    /// Name of the profile.
    pub fn profile(&self) -> String {
        match self.profile_idc {
            66 if self.constraints & 0x40 != 0 => "Constrained Baseline".into(),
            66 => "Baseline".into(),
            77 => "Main".into(),
            88 => "Extended".into(),
            100 => "High".into(),
            110 => "High 10".into(),
            122 => "High 4:2:2".into(),
            244 => "High 4:4:4 Predictive".into(),
            other => format!("profile {other}"),
        }
    }

    /// Level as the standard writes it.
    pub fn level(&self) -> String {
        if self.level_idc == 11 && self.constraints & 0x10 != 0 && self.profile_idc < 100 {
            return "1b".into();
        }
        let (major, minor) = (self.level_idc / 10, self.level_idc % 10);
        if minor == 0 {
            major.to_string()
        } else {
            format!("{major}.{minor}")
        }
    }
}

const ASPECTS: [(u32, u32); 17] = [
    (0, 0),
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

/// Reads the pixel aspect of a VUI.
pub(super) fn pixel_aspect(reader: &mut BitReader<'_>) -> Option<Option<(u32, u32)>> {
    if !reader.bit()? {
        return Some(None);
    }
    let index = reader.bits(8)?;
    let aspect = if index == 255 {
        (reader.bits(16)?, reader.bits(16)?)
    } else {
        ASPECTS.get(index as usize).copied().unwrap_or((0, 0))
    };
    Some((aspect.0 > 0 && aspect.1 > 0 && aspect.0 != aspect.1).then_some(aspect))
}

fn skip_scaling_list(reader: &mut BitReader<'_>, size: usize) -> Option<()> {
    let (mut last, mut next) = (8i32, 8i32);
    for _ in 0..size {
        if next != 0 {
            next = (last + reader.se()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

/// Reads a sequence parameter set (a whole NAL unit).
pub fn parse_sps(unit: &[u8]) -> Option<Sps> {
    if unit_type(unit) != unit::SPS {
        return None;
    }
    let payload = rbsp(unit.get(1..)?, 4096);
    let mut r = BitReader::new(&payload);
    let profile_idc = r.bits(8)? as u8;
    let constraints = r.bits(8)? as u8;
    let level_idc = r.bits(8)? as u8;
    let id = r.ue()?;
    let (mut chroma_format, mut separate_colour_planes) = (1, false);
    let (mut bit_depth_luma, mut bit_depth_chroma) = (8, 8);
    if matches!(
        profile_idc,
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
    ) {
        chroma_format = r.ue()?;
        if chroma_format == 3 {
            separate_colour_planes = r.bit()?;
        }
        bit_depth_luma = 8u32.checked_add(r.ue()?)?;
        bit_depth_chroma = 8u32.checked_add(r.ue()?)?;
        r.bit()?;
        if r.bit()? {
            for index in 0..if chroma_format == 3 { 12 } else { 8 } {
                if r.bit()? {
                    skip_scaling_list(&mut r, if index < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    let log2_max_frame_num = r.ue()?.checked_add(4).filter(|bits| *bits <= 16)?;
    let poc_type = r.ue()?;
    let (mut log2_max_poc_lsb, mut delta_pic_order_always_zero) = (0, false);
    match poc_type {
        0 => log2_max_poc_lsb = r.ue()?.checked_add(4).filter(|bits| *bits <= 16)?,
        1 => {
            delta_pic_order_always_zero = r.bit()?;
            r.se()?;
            r.se()?;
            for _ in 0..r.ue()?.min(256) {
                r.se()?;
            }
        }
        _ => {}
    }
    r.ue()?;
    r.bit()?;
    let width_mbs = r.ue()?.checked_add(1)?;
    let height_units = r.ue()?.checked_add(1)?;
    let frame_mbs_only = r.bit()?;
    if !frame_mbs_only {
        r.bit()?;
    }
    r.bit()?;
    let mut crop = [0u32; 4];
    if r.bit()? {
        for side in &mut crop {
            *side = r.ue()?;
        }
    }
    let unit_x = if matches!(chroma_format, 1 | 2) { 2 } else { 1 };
    let unit_y = (if chroma_format == 1 { 2 } else { 1 }) * (if frame_mbs_only { 1 } else { 2 });
    let height_mbs = height_units.checked_mul(if frame_mbs_only { 1 } else { 2 })?;
    let width = width_mbs
        .checked_mul(16)?
        .checked_sub(crop[0].checked_add(crop[1])?.checked_mul(unit_x)?)?;
    let height = height_mbs
        .checked_mul(16)?
        .checked_sub(crop[2].checked_add(crop[3])?.checked_mul(unit_y)?)?;
    let vui = parse_vui(&mut r);
    Some(Sps {
        id,
        profile_idc,
        constraints,
        level_idc,
        chroma_format,
        bit_depth_luma,
        bit_depth_chroma,
        separate_colour_planes,
        log2_max_frame_num,
        poc_type,
        log2_max_poc_lsb,
        delta_pic_order_always_zero,
        frame_mbs_only,
        width,
        height,
        pixel_aspect: vui.pixel_aspect,
        frame_rate: vui.frame_rate,
        picture_timing: vui.picture_timing,
    })
}

#[derive(Default)]
struct Vui {
    pixel_aspect: Option<(u32, u32)>,
    frame_rate: Option<FrameRate>,
    picture_timing: Option<PictureTiming>,
}

/// Reads as much of the VUI as is there.
fn parse_vui(r: &mut BitReader<'_>) -> Vui {
    let mut vui = Vui::default();
    let _ = read_vui(r, &mut vui);
    vui
}

fn read_vui(r: &mut BitReader<'_>, vui: &mut Vui) -> Option<()> {
    if !r.bit()? {
        return Some(());
    }
    vui.pixel_aspect = pixel_aspect(r)?;
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
    if r.bit()? {
        let ticks = r.bits(32)?;
        let scale = r.bits(32)?;
        r.bit()?;
        vui.frame_rate = ticks
            .checked_mul(2)
            .and_then(|ticks| FrameRate::new(scale, ticks));
    }
    let mut delay_bits = 0;
    for _ in 0..2 {
        if r.bit()? {
            delay_bits = delay_lengths(r)?;
        }
    }
    if delay_bits > 0 {
        r.bit()?;
    }
    vui.picture_timing = Some(PictureTiming {
        delay_bits,
        has_structure: r.bit()?,
    });
    Some(())
}

/// Bits of the two delays in picture timing messages together, from the parameters of the buffer model.
fn delay_lengths(r: &mut BitReader<'_>) -> Option<usize> {
    let count = r.ue()?;
    if count > 31 {
        return None;
    }
    r.skip(8)?;
    for _ in 0..=count {
        r.ue()?;
        r.ue()?;
        r.bit()?;
    }
    r.skip(5)?;
    let delays = r.bits(5)? + 1 + r.bits(5)? + 1;
    r.skip(5)?;
    Some(delays as usize)
}

/// What a picture parameter set says of slice headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pps {
    /// Its id.
    pub id: u32,
    /// The sequence parameter set it belongs to.
    pub sps_id: u32,
    bottom_field_pic_order: bool,
    ref_idx: [u32; 2],
    weighted_pred: bool,
    weighted_bipred: u32,
    redundant_pic_cnt: bool,
}

/// Reads a picture parameter set (a whole NAL unit). `None` also for slice groups, which nothing
/// that is broadcast uses.
pub fn parse_pps(unit: &[u8]) -> Option<Pps> {
    if unit_type(unit) != unit::PPS {
        return None;
    }
    let payload = rbsp(unit.get(1..)?, 1024);
    let mut r = BitReader::new(&payload);
    let id = r.ue()?;
    let sps_id = r.ue()?;
    r.bit()?;
    let bottom_field_pic_order = r.bit()?;
    if r.ue()? > 0 {
        return None;
    }
    let ref_idx = [r.ue()?, r.ue()?];
    let weighted_pred = r.bit()?;
    let weighted_bipred = r.bits(2)?;
    r.se()?;
    r.se()?;
    r.se()?;
    r.skip(2)?;
    let redundant_pic_cnt = r.bit()?;
    Some(Pps {
        id,
        sps_id,
        bottom_field_pic_order,
        ref_idx,
        weighted_pred,
        weighted_bipred,
        redundant_pic_cnt,
    })
}

/// Kinds of slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceType {
    /// Predicted.
    P,
    /// Predicted from two.
    B,
    /// Intra.
    I,
}

/// The front of a slice header, which needs no parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceStart {
    /// 0 for the first slice of a picture.
    pub first_mb: u32,
    /// Kind.
    pub kind: SliceType,
    /// Picture parameter set it uses.
    pub pps_id: u32,
    /// nal_ref_idc is not 0.
    pub reference: bool,
}

fn slice_start(r: &mut BitReader<'_>, header: u8) -> Option<SliceStart> {
    let first_mb = r.ue()?;
    let kind = match r.ue()? % 5 {
        0 | 3 => SliceType::P,
        1 => SliceType::B,
        _ => SliceType::I,
    };
    Some(SliceStart {
        first_mb,
        kind,
        pps_id: r.ue()?,
        reference: header & 0x60 != 0,
    })
}

/// Reads the front of a slice header.
pub fn parse_slice_start(unit: &[u8]) -> Option<SliceStart> {
    let payload = rbsp(unit.get(1..)?, 32);
    slice_start(&mut BitReader::new(&payload), *unit.first()?)
}

/// What the rest of a slice header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceHeader {
    /// frame_num.
    pub frame_num: u32,
    /// For a field: whether it is the bottom one.
    pub field: Option<bool>,
    /// adaptive_ref_pic_marking_mode_flag: memory management commands follow.
    pub mmco: bool,
}

/// Reads a slice header as far as the marking of references.
pub fn parse_slice_header(unit: &[u8], sps: &Sps, pps: &Pps) -> Option<SliceHeader> {
    let header = *unit.first()?;
    let idr = unit_type(unit) == unit::IDR;
    let payload = rbsp(unit.get(1..)?, 512);
    let mut r = BitReader::new(&payload);
    let start = slice_start(&mut r, header)?;
    if sps.separate_colour_planes {
        r.skip(2)?;
    }
    let frame_num = r.bits(sps.log2_max_frame_num)?;
    let field = if !sps.frame_mbs_only && r.bit()? {
        Some(r.bit()?)
    } else {
        None
    };
    if idr {
        r.ue()?;
    }
    if sps.poc_type == 0 {
        r.skip(sps.log2_max_poc_lsb as usize)?;
        if pps.bottom_field_pic_order && field.is_none() {
            r.se()?;
        }
    } else if sps.poc_type == 1 && !sps.delta_pic_order_always_zero {
        r.se()?;
        if pps.bottom_field_pic_order && field.is_none() {
            r.se()?;
        }
    }
    if pps.redundant_pic_cnt {
        r.ue()?;
    }
    if start.kind == SliceType::B {
        r.bit()?;
    }
    let mut ref_idx = pps.ref_idx;
    if start.kind != SliceType::I && r.bit()? {
        ref_idx[0] = r.ue()?;
        if start.kind == SliceType::B {
            ref_idx[1] = r.ue()?;
        }
    }
    let lists = match start.kind {
        SliceType::I => 0,
        SliceType::P => 1,
        SliceType::B => 2,
    };
    for _ in 0..lists {
        if r.bit()? {
            loop {
                match r.ue()? {
                    3 => break,
                    0..=2 => r.ue()?,
                    _ => return None,
                };
            }
        }
    }
    let weighted = match start.kind {
        SliceType::P => pps.weighted_pred,
        SliceType::B => pps.weighted_bipred == 1,
        SliceType::I => false,
    };
    if weighted {
        let chroma = sps.chroma_format != 0 && !sps.separate_colour_planes;
        r.ue()?;
        if chroma {
            r.ue()?;
        }
        for count in &ref_idx[..lists] {
            for _ in 0..=(*count).min(31) {
                if r.bit()? {
                    r.se()?;
                    r.se()?;
                }
                if chroma && r.bit()? {
                    for _ in 0..4 {
                        r.se()?;
                    }
                }
            }
        }
    }
    let mmco = if !start.reference {
        false
    } else if idr {
        r.skip(2)?;
        false
    } else {
        r.bit()?
    };
    Some(SliceHeader {
        frame_num,
        field,
        mmco,
    })
}

/// Whether an SEI unit holds a recovery point.
pub fn has_recovery_point(unit: &[u8]) -> bool {
    let payload = rbsp(unit.get(1..).unwrap_or_default(), 4096);
    let messages = sei::messages(&payload);
    messages
        .iter()
        .any(|(kind, _)| *kind == sei::RECOVERY_POINT)
}
