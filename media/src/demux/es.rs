//! Elementary streams: the payloads of the PES packets of one PID joined together, with marks that
//! say where each packet began and which timestamps it carried.

/// Where a PES packet begins in an elementary stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Offset in the elementary stream.
    pub offset: usize,
    /// Presentation timestamp, unwrapped.
    pub pts: Option<i64>,
    /// Decoding timestamp, unwrapped.
    pub dts: Option<i64>,
    /// Offset in the chunk of the PAT that stands right before it, if one does.
    pub entry: Option<u64>,
    /// The adaptation field announced a place to start.
    pub random_access: bool,
}

/// One elementary stream.
#[derive(Debug, Default)]
pub struct ElementaryStream {
    /// All payloads.
    pub data: Vec<u8>,
    /// PES packets in order.
    pub marks: Vec<Mark>,
    /// The last PES packet is known to be cut off.
    pub cut_off: bool,
    /// PES packets that made no sense.
    pub broken: usize,
}

/// Unwraps 33-bit timestamps to the turn that lies nearest to the first one seen.
#[derive(Debug, Default)]
pub struct Unwrap {
    first: Option<i64>,
}

impl Unwrap {
    /// The unwrapped value.
    pub fn unwrap_ticks(&mut self, raw: i64) -> i64 {
        const TURN: i64 = 1 << 33;
        let first = *self.first.get_or_insert(raw);
        let distance = (raw - first + TURN / 2).rem_euclid(TURN) - TURN / 2;
        first + distance
    }
}

fn timestamp(data: &[u8]) -> Option<i64> {
    let bytes = data.get(..5)?;
    let part = |byte: u8, shift: u32| i64::from(byte) << shift;
    Some(
        part(bytes[0] >> 1 & 7, 30)
            | part(bytes[1], 22)
            | part(bytes[2] >> 1, 15)
            | part(bytes[3], 7)
            | part(bytes[4] >> 1, 0),
    )
}

/// Facts of the packet that a PES packet started in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// See [`Mark::entry`].
    pub entry: Option<u64>,
    /// See [`Mark::random_access`].
    pub random_access: bool,
}

impl ElementaryStream {
    /// Adds one PES packet. `last` is true when the chunk ended, so that nothing says the packet
    /// is complete but its own length.
    pub fn push(&mut self, pes: &[u8], start: Start, last: bool, unwrap: &mut Unwrap) {
        let Some(head) = pes.get(..9).filter(|head| head[..3] == [0, 0, 1]) else {
            self.broken += 1;
            self.cut_off |= last;
            return;
        };
        let declared = usize::from(head[4]) << 8 | usize::from(head[5]);
        let header = 9 + usize::from(head[8]);
        let Some(fields) = pes.get(9..header).filter(|_| head[6] & 0xc0 == 0x80) else {
            self.broken += 1;
            self.cut_off |= last;
            return;
        };
        let pts = (head[7] & 0x80 != 0).then(|| timestamp(fields)).flatten();
        let dts = (head[7] & 0xc0 == 0xc0)
            .then(|| fields.get(5..).and_then(timestamp))
            .flatten();
        // A decoding time comes first, so that unwrapping starts at the earliest.
        let dts = dts.map(|ticks| unwrap.unwrap_ticks(ticks));
        let pts = pts.map(|ticks| unwrap.unwrap_ticks(ticks));
        let end = if declared == 0 {
            pes.len()
        } else {
            pes.len().min(declared + 6)
        };
        let payload = pes.get(header..end).unwrap_or_default();
        self.marks.push(Mark {
            offset: self.data.len(),
            pts,
            dts: dts.or(pts),
            entry: start.entry,
            random_access: start.random_access,
        });
        self.data.extend_from_slice(payload);
        if declared != 0 && pes.len() < declared + 6 {
            if last {
                self.cut_off = true;
            } else {
                self.broken += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrap_inside_a_chunk() {
        let mut unwrap = Unwrap::default();
        let top = (1 << 33) - 100;
        assert_eq!(unwrap.unwrap_ticks(top), top);
        assert_eq!(unwrap.unwrap_ticks(50), (1 << 33) + 50);
        assert_eq!(unwrap.unwrap_ticks(top - 5), top - 5);
        let mut unwrap = Unwrap::default();
        assert_eq!(unwrap.unwrap_ticks(50), 50);
        assert_eq!(
            unwrap.unwrap_ticks(top),
            -100,
            "before the first, across the turn"
        );
    }

    #[test]
    fn pes_header() {
        let mut stream = ElementaryStream::default();
        let mut unwrap = Unwrap::default();
        // PTS 126000, DTS 122400.
        let pes = [
            0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 10, 0x31, 0x00, 0x07, 0xd8, 0x61, 0x11, 0x00, 0x07,
            0xbc, 0x41, 7, 8,
        ];
        stream.push(&pes, Start::default(), false, &mut unwrap);
        assert_eq!(stream.marks[0].pts, Some(126_000));
        assert_eq!(stream.marks[0].dts, Some(122_400));
        assert_eq!(stream.data, [7, 8]);
        stream.push(&pes[..12], Start::default(), true, &mut unwrap);
        assert!(stream.cut_off && stream.broken == 1);
    }
}
