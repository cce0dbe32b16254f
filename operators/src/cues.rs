//! What a stream marks in itself, brought to the event timeline: the signature that featurers of
//! cues get of each chunk. It needs no decoding.

use matchcut_model::chunk::PlacedChunk;
use matchcut_model::cue::{Cue, CueKind, CueTime};
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::value::Attributes;
use serde::{Deserialize, Serialize};

/// Ticks of 90 kHz after which the clock of a transport stream starts again.
const TURN: i64 = 1 << 33;

/// A cue with its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlacedCue {
    /// When it is, in event time. It may be long before or after the chunk that carries it.
    pub time: MediaTime,
    /// What it is.
    pub kind: CueKind,
    /// How long what it announces lasts.
    pub duration: Option<MediaTime>,
    /// What else it says.
    pub attributes: Attributes,
}

/// The cues of a chunk, from its playlist and from its own stream (`carried`), in order of time.
pub fn place(chunk: &PlacedChunk, carried: &[Cue]) -> Vec<PlacedCue> {
    let cues = chunk.chunk.cues.iter().chain(carried);
    in_order(cues.map(|cue| placed(cue, time_of(chunk, cue.at))))
}

fn placed(cue: &Cue, time: MediaTime) -> PlacedCue {
    PlacedCue {
        time,
        kind: cue.kind,
        duration: cue.duration,
        attributes: cue.attributes.clone(),
    }
}

fn in_order(cues: impl Iterator<Item = PlacedCue>) -> Vec<PlacedCue> {
    let mut placed: Vec<PlacedCue> = cues.collect();
    placed.sort();
    placed.dedup();
    placed
}

/// A time of the stream is nearest to its chunk, whatever the turns of the clock; a time of day
/// stands where the dates of the playlist say, and at the start of the chunk without any.
fn time_of(chunk: &PlacedChunk, at: CueTime) -> MediaTime {
    let start = chunk.span.start;
    match at {
        CueTime::ChunkStart => start,
        CueTime::Pts(pts) => {
            let time = pts.time() + chunk.offset;
            let turn = MediaTime::from_ticks(TURN, 90_000).flicks();
            let half = turn / 2;
            let away = ((time - start).flicks() + half).rem_euclid(turn) - half;
            start + MediaTime::from_flicks(away)
        }
        CueTime::Utc(utc) => of_day(utc, chunk.utc, start),
    }
}

/// A time of day, where `from` is that of `start`.
fn of_day(utc: i64, from: Option<i64>, start: MediaTime) -> MediaTime {
    from.map_or(start, |from| {
        start + MediaTime::from_ticks(utc.saturating_sub(from), 1_000_000)
    })
}

/// The signature of a chunk: equal cues give equal bytes.
pub fn signature(chunk: &PlacedChunk, carried: &[Cue]) -> Result<Vec<u8>, String> {
    serde_json::to_vec(&place(chunk, carried)).map_err(|error| error.to_string())
}

/// The signature of a chunk that is missing, and would cover `span` from the time of day `utc`: what
/// its playlist marks in it.
pub fn signature_of_gap(
    cues: &[Cue],
    utc: Option<i64>,
    span: TimeRange,
) -> Result<Vec<u8>, String> {
    let time = |at: CueTime| match at {
        // The clock of its stream is not known.
        CueTime::ChunkStart | CueTime::Pts(_) => span.start,
        CueTime::Utc(at) => of_day(at, utc, span.start),
    };
    let cues = cues.iter().map(|cue| placed(cue, time(cue.at)));
    serde_json::to_vec(&in_order(cues)).map_err(|error| error.to_string())
}

/// The cues of a signature; none of one that is damaged.
pub(crate) fn read(signature: &[u8]) -> Vec<PlacedCue> {
    serde_json::from_slice(signature).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use matchcut_model::chunk::TrackNumber;
    use matchcut_model::chunk::{ChunkRef, Container, Position, Resource};
    use matchcut_model::time::Timestamp;
    use matchcut_model::timeline::{AudioTimes, StreamTimes, Timeline};
    use matchcut_model::value::Value;

    fn cue(at: CueTime) -> Cue {
        Cue {
            at,
            kind: CueKind::Out,
            duration: Some(MediaTime::from_seconds(30)),
            attributes: Attributes::from([("id".into(), Value::from("break"))]),
        }
    }

    /// 2 s of sound from `start` ticks, at noon, behind 10 s of the event.
    fn chunk(start: i64, cues: Vec<Cue>) -> PlacedChunk {
        let media = Resource::whole("file:///court_1.ts");
        let chunk = ChunkRef {
            program_date_time: Some(1_767_268_800_000_000),
            cues,
            ..ChunkRef::new("court", Position(0), media, Container::MpegTs)
        };
        let at = |ticks| Timestamp {
            ticks,
            timescale: 90_000,
        };
        let audio = AudioTimes {
            track: TrackNumber(1),
            start: at(start),
            end: at(start + 180_000),
        };
        let times = StreamTimes {
            video: None,
            audio: vec![audio],
        };
        let mut placed = Timeline::default().place(chunk, &times, 1).unwrap();
        let ten = MediaTime::from_seconds(10);
        placed.span.start += ten;
        placed.span.end += ten;
        placed.offset += ten;
        placed
    }

    fn times(start: i64, at: CueTime) -> String {
        let placed = place(&chunk(start, vec![cue(at)]), &[]);
        placed[0].time.to_string()
    }

    #[test]
    fn every_cue_lands_at_its_own_time() {
        let pts = |ticks| {
            CueTime::Pts(Timestamp {
                ticks,
                timescale: 90_000,
            })
        };
        assert_eq!(times(900_000, CueTime::ChunkStart), "10.000");
        assert_eq!(times(900_000, pts(945_000)), "10.500");
        assert_eq!(times(900_000, pts(0)), "0.000");
        // The clock starts again between the chunk and its cue, and the other way round.
        assert_eq!(times(TURN - 90_000, pts(90_000)), "12.000");
        assert_eq!(times(90_000, pts(TURN - 90_000)), "8.000");
        assert_eq!(times(TURN + 90_000, pts(180_000)), "11.000");
        let noon = 1_767_268_800_000_000;
        assert_eq!(times(0, CueTime::Utc(noon - 3_500_000)), "6.500");
        assert_eq!(times(0, CueTime::Utc(noon + 60_000_000)), "70.000");
        let mut undated = chunk(0, vec![cue(CueTime::Utc(noon))]);
        undated.utc = None;
        assert_eq!(place(&undated, &[])[0].time.to_string(), "10.000");
    }

    #[test]
    fn cues_of_a_missing_chunk_land_where_it_would_be() {
        let at = |seconds| MediaTime::from_seconds(seconds);
        let pts = Timestamp {
            ticks: 0,
            timescale: 90_000,
        };
        let cues = [
            cue(CueTime::Utc(15_500_000)),
            cue(CueTime::ChunkStart),
            cue(CueTime::Pts(pts)),
        ];
        let span = TimeRange::new(at(10), at(12));
        let times = |utc| {
            let cues = read(&signature_of_gap(&cues, utc, span).unwrap());
            let times = cues.iter().map(|cue| cue.time.to_string());
            times.collect::<Vec<_>>()
        };
        assert_eq!(times(Some(14_000_000)), ["10.000", "11.500"]);
        assert_eq!(times(None), ["10.000"], "without a date all are one");
    }

    #[test]
    fn signatures_are_read_again() {
        let carried = [cue(CueTime::ChunkStart), cue(CueTime::ChunkStart)];
        let chunk = chunk(0, vec![cue(CueTime::Utc(0))]);
        let bytes = signature(&chunk, &carried).unwrap();
        let cues = read(&bytes);
        assert_eq!(cues, place(&chunk, &carried));
        assert_eq!(cues.len(), 2, "what is told twice is one");
        assert!(read(&[1, 2, 3]).is_empty());
    }
}
