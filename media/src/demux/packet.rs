//! Transport stream packets: finding them among garbage, and reading their headers.

/// Bytes of a packet.
pub const PACKET: usize = 188;

/// One packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Where it begins in the chunk.
    pub offset: usize,
    /// Packet identifier.
    pub pid: u16,
    /// A PES packet or section starts in it.
    pub start: bool,
    /// transport_error_indicator.
    pub error: bool,
    /// The payload is scrambled.
    pub scrambled: bool,
    /// Continuity counter.
    pub counter: u8,
    /// The adaptation field announces a discontinuity of the counter.
    pub discontinuity: bool,
    /// The adaptation field announces a place to start.
    pub random_access: bool,
    /// Payload; empty when there is none.
    pub payload: &'a [u8],
}

fn parse(data: &[u8], offset: usize) -> Option<Packet<'_>> {
    let packet = data.get(offset..offset + PACKET)?;
    if packet[0] != 0x47 {
        return None;
    }
    let mut at = 4;
    let (mut discontinuity, mut random_access) = (false, false);
    if packet[3] & 0x20 != 0 {
        let length = usize::from(packet[4]);
        if length > 0 {
            discontinuity = packet[5] & 0x80 != 0;
            random_access = packet[5] & 0x40 != 0;
        }
        at += 1 + length;
    }
    let payload = if packet[3] & 0x10 != 0 {
        packet.get(at..).unwrap_or_default()
    } else {
        &[]
    };
    Some(Packet {
        offset,
        pid: u16::from(packet[1] & 0x1f) << 8 | u16::from(packet[2]),
        start: packet[1] & 0x40 != 0,
        error: packet[1] & 0x80 != 0,
        scrambled: packet[3] & 0xc0 != 0,
        counter: packet[3] & 0xf,
        discontinuity,
        random_access,
        payload,
    })
}

/// The packets of a chunk, and what lay between them.
#[derive(Debug, Default)]
pub struct Packets<'a> {
    /// Packets in order.
    pub packets: Vec<Packet<'a>>,
    /// Runs of bytes that belong to no packet: offset and length.
    pub garbage: Vec<(usize, usize)>,
    /// Bytes of an unfinished packet at the end, with its PID if that much is there.
    pub partial: Option<(usize, Option<u16>)>,
}

/// Distance of packets: 188, 192 with arrival times (M2TS) or 204 with error correction.
fn stride(data: &[u8]) -> usize {
    let score = |stride: usize| {
        (0..stride.min(data.len()))
            .map(|first| {
                let all = data[first..].iter().step_by(stride).take(16);
                let count = all.len();
                let hits = all.filter(|byte| **byte == 0x47).count();
                if hits == count { hits } else { 0 }
            })
            .max()
            .unwrap_or(0)
    };
    let best = [188, 192, 204].map(|stride| (score(stride), stride));
    // The first of equals: max_by_key would give the last.
    best.iter()
        .rev()
        .max_by_key(|(score, _)| *score)
        .map_or(PACKET, |(_, stride)| *stride)
}

/// Splits a chunk into packets.
pub fn packets(data: &[u8]) -> Packets<'_> {
    let stride = stride(data);
    let mut out = Packets::default();
    out.packets.reserve(data.len() / stride);
    let mut at = 0;
    let mut in_sync = false;
    let mut lost: Option<usize> = None;
    while at < data.len() {
        let followed = |at: usize| data.get(at + stride).is_none_or(|byte| *byte == 0x47);
        let here = data[at] == 0x47;
        if here && data.len() - at < PACKET {
            if in_sync || lost.is_some() {
                let pid = data.get(at + 1..at + 3);
                let pid = pid.map(|b| u16::from(b[0] & 0x1f) << 8 | u16::from(b[1]));
                out.partial = Some((data.len() - at, pid));
                break;
            }
        } else if here
            && (in_sync || followed(at))
            && let Some(packet) = parse(data, at)
        {
            if let Some(start) = lost.take() {
                out.garbage.push((start, at - start));
            }
            out.packets.push(packet);
            in_sync = followed(at);
            // The bytes between packets of a longer stride are no garbage.
            at += if data.len() - at >= stride {
                stride
            } else {
                PACKET
            };
            continue;
        }
        in_sync = false;
        lost.get_or_insert(at);
        at += 1;
    }
    if let Some(start) = lost {
        let end = out
            .partial
            .map_or(data.len(), |(length, _)| data.len() - length);
        if end > start {
            out.garbage.push((start, end - start));
        }
    }
    // A few bytes after the last packet of a longer stride are its tail.
    if stride > PACKET {
        out.garbage.retain(|(_, length)| *length > stride - PACKET);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(pid: u8, fill: u8) -> Vec<u8> {
        let mut packet = vec![fill; PACKET];
        packet[..4].copy_from_slice(&[0x47, 0x40, pid, 0x10]);
        packet
    }

    #[test]
    fn garbage_between_packets_is_skipped_and_reported() {
        let mut data = vec![1, 2, 0x47, 3];
        data.extend(packet(1, 0));
        data.extend(packet(2, 0));
        data.extend([9, 0x47, 9, 9, 0x47]);
        data.extend(packet(3, 0));
        data.extend(packet(4, 0));
        data.extend(&packet(5, 0)[..50]);
        let found = packets(&data);
        let pids: Vec<u16> = found.packets.iter().map(|p| p.pid).collect();
        assert_eq!(pids, [1, 2, 3, 4]);
        assert_eq!(found.garbage, [(0, 4), (380, 5)]);
        assert_eq!(found.partial, Some((50, Some(5))));
    }

    #[test]
    fn longer_strides() {
        for stride in [192, 204] {
            let mut data = Vec::new();
            for pid in 0..20 {
                if stride == 192 {
                    data.extend([9; 4]);
                }
                data.extend(packet(pid, 0));
                if stride == 204 {
                    data.extend([9; 16]);
                }
            }
            let found = packets(&data);
            assert_eq!(found.packets.len(), 20, "{stride}");
            assert_eq!(found.garbage.len(), 0, "{stride} {:?}", found.garbage);
        }
    }

    #[test]
    fn no_packets_at_all() {
        assert_eq!(packets(b"<html>not found</html>").packets.len(), 0);
        assert_eq!(packets(&[]).packets.len(), 0);
    }
}
