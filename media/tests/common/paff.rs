//! Field pictures (PAFF) as no encoder at hand makes them: H.264 whose every frame is two fields,
//! written bit by bit. Groups of ten frames begin with an IDR field and a P field that refers to it;
//! what does not change is skipped, so a field that is lost or paired wrongly is seen at once.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{has, run};

/// Frames from one IDR to the next.
pub const GROUP: u32 = 10;
const COLUMNS: usize = 20;
const ROWS: usize = 6;

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn bits(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.last_mut().unwrap();
            *last |= ((value >> bit & 1) as u8) << (7 - self.used % 8);
            self.used += 1;
        }
    }

    fn ue(&mut self, value: u32) {
        let length = 32 - (value + 1).leading_zeros();
        self.bits(0, length - 1);
        self.bits(value + 1, length);
    }

    fn align(&mut self) {
        while !self.used.is_multiple_of(8) {
            self.bits(0, 1);
        }
    }

    /// With the trailing bit, the start code, and emulation prevention.
    fn unit(mut self, header: u8, out: &mut Vec<u8>) {
        self.bits(1, 1);
        self.align();
        out.extend([0, 0, 0, 1, header]);
        let mut zeros = 0;
        for byte in self.bytes {
            if zeros == 2 && byte <= 3 {
                out.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            out.push(byte);
        }
    }
}

fn parameter_sets(out: &mut Vec<u8>) {
    let mut sps = Bits::default();
    sps.bits(77, 8);
    sps.bits(0, 8);
    sps.bits(30, 8);
    // id, frame_num of 4 bits, POC type 0 of 8 bits, two reference frames.
    for value in [0, 0, 0, 4, 2] {
        sps.ue(value);
    }
    sps.bits(0, 1);
    sps.ue(COLUMNS as u32 - 1);
    sps.ue(ROWS as u32 - 1);
    // Fields, no MBAFF, direct_8x8_inference, cropped to 180 lines.
    sps.bits(0b0011, 4);
    for value in [0, 0, 0, 3] {
        sps.ue(value);
    }
    // VUI: 25 frames a second, nothing is reordered.
    sps.bits(0b10000, 5);
    sps.bits(1, 1);
    sps.bits(1, 32);
    sps.bits(50, 32);
    sps.bits(0b1000, 4);
    sps.bits(0b11, 2);
    for value in [0, 0, 10, 10, 0, 2] {
        sps.ue(value);
    }
    sps.unit(0x67, out);
    let mut pps = Bits::default();
    for value in [0, 0] {
        pps.ue(value);
    }
    pps.bits(0, 2);
    for value in [0, 0, 0] {
        pps.ue(value);
    }
    pps.bits(0, 3);
    for value in [0, 0, 0] {
        pps.ue(value);
    }
    pps.bits(0b100, 3);
    pps.unit(0x68, out);
}

/// Luma of a pixel of a frame: the number as squares, a pattern elsewhere.
fn luma(number: u32, x: usize, y: usize) -> u8 {
    if (96..224).contains(&x) && (72..104).contains(&y) {
        let bit = 7 - (x - 96) / 16;
        let set = number >> bit & 1 == 1;
        return if set == (y < 88) { 230 } else { 20 };
    }
    if (80..240).contains(&x) && (64..112).contains(&y) {
        return 20;
    }
    (40 + (x / 8 + y / 8) % 16 * 10) as u8
}

fn field(number: u32, bottom: bool, out: &mut Vec<u8>) {
    let place = number % GROUP;
    let idr = place == 0 && !bottom;
    let mut bits = Bits::default();
    bits.ue(0);
    bits.ue(if idr { 7 } else { 5 });
    bits.ue(0);
    bits.bits(place, 4);
    bits.bits(1, 1);
    bits.bits(u32::from(bottom), 1);
    if idr {
        bits.ue(number / GROUP % 2);
    }
    bits.bits(place * 2 + u32::from(bottom), 8);
    if idr {
        bits.bits(0, 2);
    } else {
        // One reference, in the usual order, and the usual marking.
        bits.bits(0, 3);
    }
    // No change of the quantizer, no deblocking.
    bits.ue(0);
    bits.ue(1);
    let mut skipped = 0;
    for block in 0..COLUMNS * ROWS {
        let (column, row) = (block % COLUMNS, block / COLUMNS);
        // Both fields of an IDR frame are whole, of the others only what changes.
        let changes = (5..15).contains(&column) && (2..4).contains(&row);
        if place != 0 && !changes {
            skipped += 1;
            continue;
        }
        if idr {
            bits.ue(25);
        } else {
            bits.ue(skipped);
            bits.ue(30);
            skipped = 0;
        }
        bits.align();
        for y in 0..16 {
            for x in 0..16 {
                let line = (row * 16 + y) * 2 + usize::from(bottom);
                bits.bits(u32::from(luma(number, column * 16 + x, line)), 8);
            }
        }
        for _ in 0..128 {
            bits.bits(128, 8);
        }
    }
    if skipped > 0 {
        bits.ue(skipped);
    }
    bits.unit(if idr { 0x65 } else { 0x61 }, out);
}

/// A transport stream of `frames` frames at 25 a second; `None` without ffmpeg.
pub fn make(dir: &Path, frames: u32) -> Option<PathBuf> {
    if !has("ffmpeg") {
        eprintln!("skipped: no ffmpeg to make material with");
        return None;
    }
    let mut stream = Vec::new();
    for number in 0..frames {
        if number % GROUP == 0 {
            parameter_sets(&mut stream);
        }
        field(number, false, &mut stream);
        field(number, true, &mut stream);
    }
    let raw = dir.join("paff.264");
    std::fs::write(&raw, stream).unwrap();
    let path = dir.join("paff.ts");
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "error", "-y", "-framerate", "25", "-i"])
        .arg(raw);
    run(command.args(["-c", "copy", "-f", "mpegts"]).arg(&path));
    Some(path)
}
