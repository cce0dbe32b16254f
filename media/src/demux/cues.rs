//! SCTE-35 sections of a transport stream as cues, on the clock of its samples.

use matchcut_model::cue::{Cue, CueTime};
use matchcut_model::scte35::{self, SpliceCommand, SpliceInfo};

use super::es::Unwrap;

/// Reads sections in stream order. What is sent again and again to be heard for sure is told once.
pub(super) fn read(
    sections: &[Vec<u8>],
    unwrap: &mut Unwrap,
    warnings: &mut Vec<String>,
) -> Vec<Cue> {
    let mut out: Vec<Cue> = Vec::new();
    for section in sections {
        let info = match scte35::parse(section) {
            Ok(info) if says_nothing(&info) => continue,
            Ok(info) => info,
            Err(error) => {
                warnings.push(error.to_string());
                continue;
            }
        };
        let at = match info.time() {
            Some(CueTime::Pts(mut pts)) => {
                pts.ticks = unwrap.unwrap_ticks(pts.ticks);
                CueTime::Pts(pts)
            }
            // At once: as near as a chunk can say.
            _ => CueTime::ChunkStart,
        };
        let cue = info.cue(at);
        if !out.contains(&cue) {
            out.push(cue);
        }
    }
    out
}

/// Heartbeats and stuffing.
fn says_nothing(info: &SpliceInfo) -> bool {
    let empty = matches!(info.command, SpliceCommand::Null | SpliceCommand::Other(7));
    empty && info.segmentation.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use matchcut_model::cue::CueKind;
    use matchcut_model::time::{MediaTime, Timestamp};

    /// The splice_insert that ANSI/SCTE 35 gives as an example.
    const INSERT: &str = "fc302f000000000000fffff014054800008f7feffe7369c02efe0052ccf50000\
                          0000000a0008435545490000013562dba30a";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.map(|pair| byte(pair).unwrap()).collect()
    }

    #[test]
    fn times_are_those_of_the_samples() {
        let mut warnings = Vec::new();
        let mut unwrap = Unwrap::default();
        // The samples stand one turn of the clock further.
        unwrap.unwrap_ticks((1 << 33) + 0x7369_0000);
        let sections = [bytes(INSERT), bytes(INSERT), bytes("fc3011")];
        let cues = read(&sections, &mut unwrap, &mut warnings);
        assert_eq!(cues.len(), 1, "told once");
        assert_eq!(cues[0].kind, CueKind::Out);
        let at = Timestamp {
            ticks: (1 << 33) + 0x7369_c02e,
            timescale: 90_000,
        };
        assert_eq!(cues[0].at, CueTime::Pts(at));
        assert_eq!(
            cues[0].duration,
            Some(MediaTime::from_ticks(5_426_421, 90_000))
        );
        assert_eq!(warnings.len(), 1, "{warnings:?}");
    }
}
