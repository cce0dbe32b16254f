//! EBML, the syntax of Matroska: elements with numbers of variable length for what and how long.

use super::{FileError, Opening};

/// Bytes that are read at once.
const READ_AHEAD: usize = 4096;

/// The head of an element in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub id: u32,
    /// Where its contents begin.
    pub body: u64,
    /// Where they end; `None` when it does not say.
    pub end: Option<u64>,
}

/// A number of variable length at the start of `data`, and how many bytes it takes. The marker
/// bit is removed; all ones mean "unknown".
pub(super) fn number(data: &[u8]) -> Option<(Option<u64>, usize)> {
    let first = *data.first()?;
    let length = first.leading_zeros() as usize + 1;
    if length > 8 {
        return None;
    }
    let bytes = data.get(..length)?;
    let value = bytes
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));
    let mask = (1u64 << (7 * length)) - 1;
    let value = value & mask;
    Some(((value != mask).then_some(value), length))
}

/// An identifier: its marker bit stays.
fn identifier(data: &[u8]) -> Option<(u32, usize)> {
    let length = data.first()?.leading_zeros() as usize + 1;
    if length > 4 {
        return None;
    }
    let bytes = data.get(..length)?;
    let id = bytes.iter().fold(0, |id, byte| id << 8 | u32::from(*byte));
    Some((id, length))
}

/// The elements in `data`; ends at the first thing that is none.
pub(super) fn elements(data: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (id, id_length) = identifier(rest)?;
        let (size, size_length) = number(rest.get(id_length..)?)?;
        let after = rest.get(id_length + size_length..)?;
        let size = size.map_or(after.len(), |size| {
            usize::try_from(size).unwrap_or(usize::MAX)
        });
        let (body, next) = after.split_at_checked(size)?;
        rest = next;
        Some((id, body))
    })
}

/// The contents of an element as a number.
pub(super) fn unsigned(body: &[u8]) -> Option<u64> {
    (body.len() <= 8).then(|| {
        body.iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
    })
}

/// The contents of an element as a floating point number.
pub(super) fn float(body: &[u8]) -> Option<f64> {
    match body.len() {
        4 => Some(f64::from(f32::from_be_bytes(body.try_into().ok()?))),
        8 => Some(f64::from_be_bytes(body.try_into().ok()?)),
        _ => None,
    }
}

/// The contents of an element as text.
pub(super) fn text(body: &[u8]) -> String {
    let end = body.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&body[..end.unwrap_or(body.len())]).into_owned()
}

/// Reads here and there in the file, with what follows kept for the next look.
pub(super) struct Reader<'a> {
    opening: &'a Opening<'a>,
    held: Vec<u8>,
    at: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(opening: &'a Opening<'a>) -> Self {
        Reader {
            opening,
            held: Vec::new(),
            at: 0,
        }
    }

    /// Up to `length` bytes at `at`; fewer at the end of the file.
    pub(super) fn bytes(&mut self, at: u64, length: usize) -> Result<&[u8], FileError> {
        let left = self.opening.size.saturating_sub(at);
        let length = length.min(usize::try_from(left).unwrap_or(usize::MAX));
        let held = at
            .checked_sub(self.at)
            .and_then(|skip| usize::try_from(skip).ok())
            .filter(|skip| skip.saturating_add(length) <= self.held.len());
        let skip = match held {
            Some(skip) => skip,
            None => {
                let ahead = length.max(READ_AHEAD);
                let ahead = ahead.min(usize::try_from(left).unwrap_or(usize::MAX));
                self.held = self.opening.read(at, ahead)?;
                self.at = at;
                0
            }
        };
        Ok(&self.held[skip..skip + length])
    }

    /// The element whose head is at `at`; `None` at the end of the file or of sense.
    pub(super) fn element(&mut self, at: u64) -> Result<Option<Element>, FileError> {
        let head = self.bytes(at, 12)?;
        let Some((id, id_length)) = identifier(head) else {
            return Ok(None);
        };
        let Some((size, size_length)) = head.get(id_length..).and_then(number) else {
            return Ok(None);
        };
        let body = at + (id_length + size_length) as u64;
        let end = size.and_then(|size| body.checked_add(size));
        Ok(Some(Element { id, body, end }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length() {
        assert_eq!(number(&[0x81]), Some((Some(1), 1)));
        assert_eq!(number(&[0x40, 0x02]), Some((Some(2), 2)));
        assert_eq!(number(&[0xff]), Some((None, 1)));
        assert_eq!(
            number(&[1, 255, 255, 255, 255, 255, 255, 255]),
            Some((None, 8))
        );
        assert_eq!(number(&[0x40]), None);
        assert_eq!(number(&[0]), None);
    }

    #[test]
    fn elements_end_where_they_make_no_sense() {
        let data = [0xd7, 0x81, 5, 0x63, 0xa2, 0x82, 7, 8, 0xae, 0x89, 1];
        let found: Vec<(u32, &[u8])> = elements(&data).collect();
        assert_eq!(found, [(0xd7, &[5u8][..]), (0x63a2, &[7, 8][..])]);
    }
}
