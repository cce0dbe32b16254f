//! Scaling one plane by averaging areas: every source pixel counts with the exact share of its
//! area that lies in a target pixel. Rows are summed first, which the compiler turns into vector code,
//! then columns of the few sums.

/// How the values of a plane are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// One byte.
    Eight,
    /// Two bytes, little-endian, `bits` of them used from bit `shift` on.
    Sixteen { bits: u32, shift: u32 },
}

/// One component of a picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plane<'a> {
    /// From the first value on.
    pub(super) data: &'a [u8],
    /// Bytes from one row to the next.
    pub(super) stride: usize,
    /// Bytes from one value to the next.
    pub(super) step: usize,
    pub(super) depth: Depth,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Plane<'_> {
    /// Itself, if all its rows lie inside the data.
    pub(super) fn checked(self) -> Option<Self> {
        let bytes = match self.depth {
            Depth::Eight => 1,
            Depth::Sixteen { .. } => 2,
        };
        let row = (self.width as usize).checked_sub(1)? * self.step + bytes;
        let last = (self.height as usize).checked_sub(1)? * self.stride;
        (last + row <= self.data.len() && self.step >= bytes).then_some(self)
    }

    fn row(&self, y: u32) -> &[u8] {
        &self.data[y as usize * self.stride..]
    }
}

/// How the source pixels of one axis fall into target pixels, in whole numbers: a source pixel is
/// `unit` wide, a target pixel `total`.
struct Axis {
    source: u32,
    unit: u32,
    total: u32,
    cells: Vec<Cell>,
}

/// A target pixel: source pixels `first..=last`, the two at the ends with these weights, those
/// between with `unit`.
#[derive(Clone, Copy)]
struct Cell {
    first: u32,
    last: u32,
    head: u32,
    tail: u32,
}

impl Axis {
    fn new(source: u32, target: u32) -> Self {
        let divisor = gcd(source, target).max(1);
        let (total, unit) = (source / divisor, target / divisor);
        let cells = (0..u64::from(target))
            .map(|cell| {
                let (total, unit) = (u64::from(total), u64::from(unit));
                let (start, end) = (cell * total, (cell + 1) * total);
                let (first, last) = (start / unit, (end - 1) / unit);
                let head = end.min((first + 1) * unit) - start;
                let tail = if last > first { end - last * unit } else { 0 };
                Cell {
                    first: first as u32,
                    last: last as u32,
                    head: head as u32,
                    tail: tail as u32,
                }
            })
            .collect();
        Axis {
            source,
            unit,
            total,
            cells,
        }
    }

    /// Every target pixel covers this many whole source pixels.
    fn whole(&self) -> Option<usize> {
        (self.unit == 1).then_some(self.total as usize)
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Scales planes of one size to another.
pub(super) struct Scaler {
    x: Axis,
    y: Axis,
    sums: Vec<u32>,
    narrow: Vec<u16>,
}

impl Scaler {
    pub(super) fn new(from_width: u32, from_height: u32, width: u32, height: u32) -> Self {
        Scaler {
            x: Axis::new(from_width, width),
            y: Axis::new(from_height, height),
            sums: Vec::new(),
            narrow: Vec::new(),
        }
    }

    pub(super) fn fits(&self, from_width: u32, from_height: u32) -> bool {
        self.x.source == from_width && self.y.source == from_height
    }

    /// Writes the scaled plane to `out`, 8 bits a value.
    pub(super) fn scale(&mut self, plane: Plane<'_>, out: &mut Vec<u8>) {
        let width = self.x.cells.len();
        out.clear();
        out.resize(width * self.y.cells.len(), 0);
        if width == 0 || plane.width == 0 || plane.height == 0 {
            return;
        }
        let excess = match plane.depth {
            Depth::Eight => 0,
            Depth::Sixteen { bits, .. } => bits - 8,
        };
        let rounding =
            Rounding::new(u64::from(self.x.total) * u64::from(self.y.total) * (1 << excess));
        let bytes = plane.depth == Depth::Eight && plane.step == 1;
        for (cell, out) in self.y.cells.iter().zip(out.chunks_exact_mut(width)) {
            let rows = cell.last - cell.first + 1;
            if bytes && self.y.unit == 1 && rows <= MOST_ROWS {
                sum_bytes(&plane, cell.first, rows, &mut self.narrow);
                columns(&self.x, &self.narrow, rounding, out);
                continue;
            }
            self.sums.clear();
            self.sums.resize(plane.width as usize, 0);
            if bytes && rows <= MOST_ROWS {
                // Rows inside count alike: their plain sum is weighted once.
                let inside = rows.saturating_sub(2);
                sum_bytes(&plane, cell.first + 1, inside, &mut self.narrow);
                add_weighted(&plane, cell, self.y.unit, &self.narrow, &mut self.sums);
            } else {
                for y in cell.first..=cell.last {
                    let weight = if y == cell.first {
                        cell.head
                    } else if y == cell.last {
                        cell.tail
                    } else {
                        self.y.unit
                    };
                    add_row(&plane, y, weight, &mut self.sums);
                }
            }
            columns(&self.x, &self.sums, rounding, out);
        }
    }
}

/// Sums of so many rows of bytes fit 16 bits: half the memory to move.
const MOST_ROWS: u32 = 257;

/// `sums[x]` becomes the sum of column x over `rows` rows from `first` on. Additions here and below
/// are wrapping ones, which never wrap, because checked ones cannot become vector code.
fn sum_bytes(plane: &Plane<'_>, first: u32, rows: u32, sums: &mut Vec<u16>) {
    let width = plane.width as usize;
    let row = |y: u32| &plane.row(first + y)[..width];
    sums.clear();
    let mut y = 0;
    if rows >= 2 {
        let both = row(0).iter().zip(row(1));
        sums.extend(both.map(|(a, b)| u16::from(*a).wrapping_add(u16::from(*b))));
        y = 2;
    } else {
        sums.resize(width, 0);
    }
    // Two rows at once halve the passes over the sums.
    while y + 1 < rows {
        for ((sum, a), b) in sums.iter_mut().zip(row(y)).zip(row(y + 1)) {
            *sum = sum.wrapping_add(u16::from(*a)).wrapping_add(u16::from(*b));
        }
        y += 2;
    }
    if y < rows {
        for (sum, v) in sums.iter_mut().zip(row(y)) {
            *sum = sum.wrapping_add(u16::from(*v));
        }
    }
}

/// The first and the last row of a cell and the sum of those between, each with its weight.
fn add_weighted(plane: &Plane<'_>, cell: &Cell, unit: u32, inside: &[u16], sums: &mut [u32]) {
    let ends = plane.row(cell.first).iter().zip(plane.row(cell.last));
    for ((sum, inside), (head, tail)) in sums.iter_mut().zip(inside).zip(ends) {
        *sum = u32::from(*inside)
            .wrapping_mul(unit)
            .wrapping_add(u32::from(*head).wrapping_mul(cell.head))
            .wrapping_add(u32::from(*tail).wrapping_mul(cell.tail));
    }
}

fn add_row(plane: &Plane<'_>, y: u32, weight: u32, sums: &mut [u32]) {
    let row = plane.row(y);
    match plane.depth {
        Depth::Eight if plane.step == 1 => {
            for (sum, v) in sums.iter_mut().zip(row) {
                *sum = sum.wrapping_add(u32::from(*v).wrapping_mul(weight));
            }
        }
        Depth::Eight => {
            for (sum, v) in sums.iter_mut().zip(row.iter().step_by(plane.step)) {
                *sum = sum.wrapping_add(u32::from(*v).wrapping_mul(weight));
            }
        }
        Depth::Sixteen { bits, shift } => {
            let mask = ((1u32 << bits) - 1) as u16;
            for (sum, v) in sums.iter_mut().zip(row.chunks(plane.step)) {
                let v = u16::from_le_bytes([v[0], v[1]]) >> shift & mask;
                *sum = sum.wrapping_add(u32::from(v).wrapping_mul(weight));
            }
        }
    }
}

/// Division by a fixed number, to the nearest whole number, without dividing.
#[derive(Clone, Copy)]
struct Rounding {
    add: f64,
    factor: f64,
}

impl Rounding {
    fn new(divisor: u64) -> Self {
        // A quarter more than half keeps the product clear of the whole number below it; sums are
        // whole numbers, so the quarter never lifts one to the next.
        Rounding {
            add: (divisor / 2) as f64 + 0.25,
            factor: 1.0 / divisor as f64,
        }
    }

    fn apply(self, sum: u64) -> u8 {
        ((sum as f64 + self.add) * self.factor) as u8
    }
}

/// Averages the columns of `sums` into `out`.
fn columns<T: Copy>(axis: &Axis, sums: &[T], rounding: Rounding, out: &mut [u8])
where
    u32: From<T>,
{
    let at = |sum: T| u64::from(u32::from(sum));
    // The usual ratios get loops of fixed length.
    let small = size_of::<T>() == 2;
    match axis.whole() {
        Some(2) if small => whole_columns::<T, 2>(sums, rounding, out),
        Some(3) if small => whole_columns::<T, 3>(sums, rounding, out),
        Some(4) if small => whole_columns::<T, 4>(sums, rounding, out),
        Some(6) if small => whole_columns::<T, 6>(sums, rounding, out),
        Some(8) if small => whole_columns::<T, 8>(sums, rounding, out),
        Some(12) if small => whole_columns::<T, 12>(sums, rounding, out),
        _ => {
            for (cell, out) in axis.cells.iter().zip(out) {
                let (first, last) = (cell.first as usize, cell.last as usize);
                let mut sum = u64::from(cell.head) * at(sums[first]);
                if last > first {
                    let inside = sums[first + 1..last]
                        .iter()
                        .fold(0_u64, |sum, v| sum.wrapping_add(at(*v)));
                    sum += inside * u64::from(axis.unit);
                    sum += u64::from(cell.tail) * at(sums[last]);
                }
                *out = rounding.apply(sum);
            }
        }
    }
}

fn whole_columns<T: Copy, const N: usize>(sums: &[T], rounding: Rounding, out: &mut [u8])
where
    u32: From<T>,
{
    let (add, factor) = (rounding.add, rounding.factor);
    for (out, cell) in out.iter_mut().zip(sums.as_chunks::<N>().0) {
        let sum = cell
            .iter()
            .fold(0_u32, |sum, v| sum.wrapping_add(u32::from(*v)));
        *out = ((f64::from(sum) + add) * factor) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize) -> Vec<u8> {
        let mut state = 0x2545_f491_u32;
        (0..count)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                (state >> 11) as u8
            })
            .collect()
    }

    /// The definition, in fractions: the area of each source pixel inside a target pixel.
    fn by_definition(
        value: impl Fn(u64, u64) -> u64,
        (sw, sh): (u64, u64),
        (tw, th): (u64, u64),
        excess: u32,
    ) -> Vec<u8> {
        let overlap = |cell: u64, pixel: u64, s: u64, t: u64| {
            let start = (cell * s).max(pixel * t);
            let end = ((cell + 1) * s).min((pixel + 1) * t);
            end.saturating_sub(start)
        };
        let mut out = Vec::new();
        for ty in 0..th {
            for tx in 0..tw {
                let mut sum = 0;
                for y in 0..sh {
                    for x in 0..sw {
                        sum += overlap(ty, y, sh, th) * overlap(tx, x, sw, tw) * value(x, y);
                    }
                }
                let area = sw * sh * (1 << excess);
                out.push(((2 * sum + area) / (2 * area)).min(255) as u8);
            }
        }
        out
    }

    #[test]
    fn equals_the_definition_at_every_kind_of_ratio() {
        for (source, target) in [
            ((48, 36), (8, 6)),
            ((48, 36), (16, 9)),
            ((47, 31), (10, 7)),
            ((40, 30), (40, 30)),
            ((10, 8), (23, 17)),
            ((10, 8), (20, 16)),
            ((64, 6), (5, 6)),
            ((33, 700), (3, 2)),
            ((33, 600), (11, 1)),
            ((1, 1), (3, 2)),
        ] {
            let (w, h) = source;
            let stride = w as usize + 5;
            let data = noise(stride * h as usize);
            let plane = Plane {
                data: &data,
                stride,
                step: 1,
                depth: Depth::Eight,
                width: w,
                height: h,
            };
            let mut out = Vec::new();
            Scaler::new(w, h, target.0, target.1).scale(plane.checked().unwrap(), &mut out);
            let expected = by_definition(
                |x, y| u64::from(data[y as usize * stride + x as usize]),
                (w.into(), h.into()),
                (target.0.into(), target.1.into()),
                0,
            );
            // The definition rounds ties of odd areas by a hair more; none exist there.
            assert_eq!(out, expected, "{source:?} to {target:?}");
        }
    }

    #[test]
    fn reads_interleaved_chroma_and_more_than_eight_bits() {
        let (w, h) = (12_u32, 10_u32);
        let data = noise(2 * w as usize * h as usize);
        let mut out = Vec::new();
        let nv12 = Plane {
            data: &data[1..],
            stride: 24,
            step: 2,
            depth: Depth::Eight,
            width: w,
            height: h,
        };
        Scaler::new(w, h, 5, 5).scale(nv12.checked().unwrap(), &mut out);
        let expected = by_definition(
            |x, y| u64::from(data[y as usize * 24 + 1 + 2 * x as usize]),
            (12, 10),
            (5, 5),
            0,
        );
        assert_eq!(out, expected);

        let ten: Vec<u8> = data
            .chunks_exact(2)
            .flat_map(|v| (u16::from_le_bytes([v[0], v[1]]) & 0x3ff).to_le_bytes())
            .collect();
        for (target, shift) in [((4, 5), 0), ((5, 3), 0), ((4, 5), 6)] {
            let stored: Vec<u8> = ten
                .chunks_exact(2)
                .flat_map(|v| (u16::from_le_bytes([v[0], v[1]]) << shift).to_le_bytes())
                .collect();
            let plane = Plane {
                data: &stored,
                stride: 24,
                step: 2,
                depth: Depth::Sixteen { bits: 10, shift },
                width: w,
                height: h,
            };
            Scaler::new(w, h, target.0, target.1).scale(plane.checked().unwrap(), &mut out);
            let at = |x: u64, y: u64| {
                let i = (y * 24 + 2 * x) as usize;
                u64::from(u16::from_le_bytes([ten[i], ten[i + 1]]))
            };
            let size = (u64::from(target.0), u64::from(target.1));
            assert_eq!(out, by_definition(at, (12, 10), size, 2));
        }
    }

    #[test]
    fn a_plane_that_ends_early_is_refused() {
        let data = [0; 29];
        let plane = Plane {
            data: &data,
            stride: 10,
            step: 1,
            depth: Depth::Eight,
            width: 10,
            height: 3,
        };
        assert!(plane.checked().is_none());
        assert!(Plane { width: 9, ..plane }.checked().is_some());
        assert!(Plane { height: 0, ..plane }.checked().is_none());
    }
}
