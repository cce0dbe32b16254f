//! Grey pictures and rectangles in them: as much as finding and reading a score box needs.

/// A grey picture, rows packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grey {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) data: Vec<u8>,
}

/// A rectangle of pixels, right and bottom exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Area {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) right: usize,
    pub(super) bottom: usize,
}

impl Area {
    pub(super) fn width(&self) -> usize {
        self.right.saturating_sub(self.left)
    }

    pub(super) fn height(&self) -> usize {
        self.bottom.saturating_sub(self.top)
    }

    /// Further right and down.
    pub(super) fn moved(&self, right: usize, down: usize) -> Area {
        Area {
            left: self.left + right,
            top: self.top + down,
            right: self.right + right,
            bottom: self.bottom + down,
        }
    }

    /// The smallest rectangle around both.
    pub(super) fn join(&self, other: &Area) -> Area {
        Area {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// So many pixels larger on each side, inside a picture of this size.
    pub(super) fn grown(&self, by: usize, width: usize, height: usize) -> Area {
        Area {
            left: self.left.saturating_sub(by),
            top: self.top.saturating_sub(by),
            right: (self.right + by).min(width),
            bottom: (self.bottom + by).min(height),
        }
    }

    /// The share of the smaller rectangle that both have in common.
    pub(super) fn overlap(&self, other: &Area) -> f64 {
        let width = self
            .right
            .min(other.right)
            .saturating_sub(self.left.max(other.left));
        let height = self
            .bottom
            .min(other.bottom)
            .saturating_sub(self.top.max(other.top));
        let smaller = (self.width() * self.height()).min(other.width() * other.height());
        (width * height) as f64 / smaller.max(1) as f64
    }
}

impl Grey {
    pub(super) fn filled(width: usize, height: usize, value: u8) -> Self {
        Grey {
            width,
            height,
            data: vec![value; width * height],
        }
    }

    /// The pixel at a place; the nearest one for places outside.
    pub(super) fn at(&self, x: usize, y: usize) -> u8 {
        let x = x.min(self.width.saturating_sub(1));
        let y = y.min(self.height.saturating_sub(1));
        self.data.get(y * self.width + x).copied().unwrap_or(0)
    }

    /// A part of the picture; what of it lies outside is left out.
    pub(super) fn crop(&self, area: &Area) -> Grey {
        let (right, bottom) = (area.right.min(self.width), area.bottom.min(self.height));
        let (left, top) = (area.left.min(right), area.top.min(bottom));
        let mut data = Vec::with_capacity((right - left) * (bottom - top));
        for y in top..bottom {
            data.extend_from_slice(&self.data[y * self.width + left..y * self.width + right]);
        }
        Grey {
            width: right - left,
            height: bottom - top,
            data,
        }
    }

    /// Larger by a whole factor, between pixels in straight lines.
    pub(super) fn enlarged(&self, factor: usize) -> Grey {
        let mut large = Grey::filled(self.width * factor, self.height * factor, 0);
        let span = 2 * factor;
        for y in 0..large.height {
            // The centre of a pixel of the large picture in half steps of the small one.
            let (y0, fy) = between(y, factor);
            for x in 0..large.width {
                let (x0, fx) = between(x, factor);
                let mix = |a: u8, b: u8| usize::from(a) * (span - fx) + usize::from(b) * fx;
                let top = mix(self.at(x0, y0), self.at(x0 + 1, y0));
                let bottom = mix(self.at(x0, y0 + 1), self.at(x0 + 1, y0 + 1));
                let sum = top * (span - fy) + bottom * fy;
                large.data[y * large.width + x] = (sum / (span * span)) as u8;
            }
        }
        large
    }

    /// As a portable grey map, which every reader of pictures knows.
    pub(super) fn to_pgm(&self) -> Vec<u8> {
        let mut file = format!("P5\n{} {}\n255\n", self.width, self.height).into_bytes();
        file.extend_from_slice(&self.data);
        file
    }
}

/// The pixel before a place of an enlarged picture, and how far behind it the place is, in parts of
/// `2 * factor`.
fn between(at: usize, factor: usize) -> (usize, usize) {
    let place = 2 * at + 1;
    if place < factor {
        return (0, 0);
    }
    (
        (place - factor) / (2 * factor),
        (place - factor) % (2 * factor),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enlarging_keeps_flat_parts_and_means() {
        let small = Grey {
            width: 2,
            height: 1,
            data: vec![0, 120],
        };
        let large = small.enlarged(3);
        assert_eq!((large.width, large.height), (6, 3));
        assert_eq!(large.data[..6], [0, 0, 40, 80, 120, 120]);
        assert_eq!(large.data[6..12], large.data[..6]);
    }

    #[test]
    fn areas() {
        let a = Area {
            left: 0,
            top: 0,
            right: 10,
            bottom: 10,
        };
        let b = Area {
            left: 5,
            top: 5,
            right: 25,
            bottom: 15,
        };
        assert_eq!(a.overlap(&b), 0.25);
        assert_eq!(
            a.join(&b),
            Area {
                left: 0,
                top: 0,
                right: 25,
                bottom: 15
            }
        );
        let picture = Grey {
            width: 3,
            height: 2,
            data: vec![1, 2, 3, 4, 5, 6],
        };
        let part = picture.crop(&Area {
            left: 1,
            top: 0,
            right: 9,
            bottom: 9,
        });
        assert_eq!(
            part,
            Grey {
                width: 2,
                height: 2,
                data: vec![2, 3, 5, 6]
            }
        );
        assert_eq!(
            a.grown(2, 11, 11),
            Area {
                left: 0,
                top: 0,
                right: 11,
                bottom: 11
            }
        );
    }
}
