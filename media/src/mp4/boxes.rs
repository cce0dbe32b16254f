//! Boxes: walking through them and reading their fields, and building them.

/// One box.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BoxRef<'a> {
    /// Its type.
    pub kind: [u8; 4],
    /// What follows the header; shorter than declared when the data ends before.
    pub body: &'a [u8],
    /// Where its header begins in the data.
    pub offset: usize,
    /// Whether all of it is there.
    pub complete: bool,
}

/// The size of a box and of its header, from its first (up to 16) bytes; size 0 means "to the end".
pub(crate) fn header(data: &[u8]) -> Option<([u8; 4], u64, usize)> {
    let head = data.first_chunk::<8>()?;
    let kind = [head[4], head[5], head[6], head[7]];
    let size = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
    match size {
        0 => Some((kind, 0, 8)),
        1 => {
            let long: [u8; 8] = data.get(8..16)?.try_into().ok()?;
            let size = u64::from_be_bytes(long);
            (size >= 16).then_some((kind, size, 16))
        }
        2..8 => None,
        size => Some((kind, u64::from(size), 8)),
    }
}

/// The boxes in `data`; ends at the first thing that is no box.
pub(crate) fn boxes(data: &[u8]) -> impl Iterator<Item = BoxRef<'_>> {
    let mut at = 0usize;
    std::iter::from_fn(move || {
        let rest = data.get(at..).filter(|rest| !rest.is_empty())?;
        let (kind, size, header) = header(rest)?;
        let size = if size == 0 {
            rest.len()
        } else {
            usize::try_from(size).ok()?
        };
        let end = size.min(rest.len());
        let found = BoxRef {
            kind,
            body: rest.get(header..end)?,
            offset: at,
            complete: size <= rest.len(),
        };
        at = at.checked_add(size)?;
        Some(found)
    })
}

/// The body of the first box of this type.
pub(crate) fn find<'a>(data: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(data)
        .find(|found| found.kind == *kind)
        .map(|found| found.body)
}

/// The body of a box inside boxes.
pub(crate) fn find_path<'a>(data: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(data, |data, kind| find(data, kind))
}

/// Reads big-endian fields one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    data: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Fields { data }
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.data.split_at_checked(count)?;
        self.data = rest;
        Some(head)
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.data
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        Some(self.bytes(1)?[0])
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.bytes(8)?.try_into().ok()?))
    }

    /// 64 bits in version 1 of a box, else 32.
    pub(crate) fn sized(&mut self, version: u8) -> Option<u64> {
        if version == 1 {
            self.u64()
        } else {
            self.u32().map(u64::from)
        }
    }

    /// Version and flags of a full box.
    pub(crate) fn full(&mut self) -> Option<(u8, u32)> {
        let word = self.u32()?;
        Some(((word >> 24) as u8, word & 0xff_ffff))
    }
}

/// A box with this body.
pub(crate) fn make(kind: &[u8; 4], body: &[&[u8]]) -> Vec<u8> {
    let size = 8 + body.iter().map(|part| part.len()).sum::<usize>();
    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(&(size as u32).to_be_bytes());
    out.extend_from_slice(kind);
    for part in body {
        out.extend_from_slice(part);
    }
    out
}

/// A full box: version and flags before the body.
pub(crate) fn make_full(kind: &[u8; 4], version: u8, flags: u32, body: &[&[u8]]) -> Vec<u8> {
    let word = (u32::from(version) << 24 | flags).to_be_bytes();
    let mut parts: Vec<&[u8]> = vec![&word];
    parts.extend_from_slice(body);
    make(kind, &parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_found() {
        let inner = make_full(b"tfdt", 1, 5, &[&7u64.to_be_bytes()]);
        let data = [
            make(b"free", &[]),
            make(b"moof", &[&make(b"traf", &[&inner])]),
        ]
        .concat();
        let body = find_path(&data, &[b"moof", b"traf", b"tfdt"]).unwrap();
        let mut fields = Fields::new(body);
        assert_eq!(fields.full(), Some((1, 5)));
        assert_eq!(fields.sized(1), Some(7));
        assert_eq!(fields.u8(), None);
    }

    #[test]
    fn cut_and_senseless_boxes() {
        let data = make(b"mdat", &[&[1, 2, 3, 4]]);
        let cut: Vec<BoxRef<'_>> = boxes(&data[..10]).collect();
        assert_eq!(
            (cut.len(), cut[0].complete, cut[0].body.len()),
            (1, false, 2)
        );
        assert_eq!(boxes(&[0, 0, 0, 3, 1, 1, 1, 1, 1]).count(), 0);
        let huge = [
            0, 0, 0, 1, 1, 1, 1, 1, 255, 255, 255, 255, 255, 255, 255, 255,
        ];
        assert!(boxes(&huge).all(|found| !found.complete));
    }
}
