//! Numbers of audio tracks that stay the same from chunk to chunk. A chunk alone knows only what it
//! holds: where a track comes late or vanishes, those of other chunks decide.

use matchcut_model::chunk::TrackNumber;
use serde::{Deserialize, Serialize};

use crate::samples::{AudioTrack, Demuxed};

/// A track that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    number: TrackNumber,
    /// See [`AudioTrack::id`].
    id: Option<u32>,
    language: Option<String>,
}

/// The tracks of a source so far. Chunks are given in playlist order.
///
/// A track keeps its number as long as the container calls it by the same id. One with a new id takes
/// the place of a track of the same language that is gone (an encoder that was restarted); else it is
/// new, and takes the number that its chunk gave it if that is free, or the next after all others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackNumbers {
    known: Vec<Known>,
}

impl TrackNumbers {
    /// Nothing is known yet.
    pub fn new() -> Self {
        TrackNumbers::default()
    }

    /// Gives the audio tracks of the next chunk their numbers. Their order stays that of the chunk.
    pub fn assign(&mut self, chunk: &mut Demuxed) {
        let ids: Vec<Option<u32>> = chunk.audio.iter().map(|track| track.id).collect();
        let mut taken: Vec<TrackNumber> = Vec::new();
        // Those that are recognized come first, so that nobody takes their place.
        let mut later = Vec::new();
        for (index, track) in chunk.audio.iter_mut().enumerate() {
            let same = self.known.iter().find(|known| {
                known.id.is_some() && known.id == track.id && !taken.contains(&known.number)
            });
            match same {
                Some(known) => {
                    track.number = known.number;
                    taken.push(known.number);
                }
                None => later.push(index),
            }
        }
        for index in later {
            let Some(track) = chunk.audio.get_mut(index) else {
                continue;
            };
            track.number = self.place(track, &ids, &taken);
            taken.push(track.number);
        }
    }

    /// The number of a track that is not recognized by its id.
    fn place(
        &mut self,
        track: &AudioTrack,
        present: &[Option<u32>],
        taken: &[TrackNumber],
    ) -> TrackNumber {
        let free = |number: TrackNumber| !taken.contains(&number);
        let gone = self.known.iter_mut().find(|known| {
            let away = known.id.is_none() || !present.contains(&known.id);
            away && free(known.number) && known.language == track.language
        });
        if let Some(known) = gone {
            known.id = track.id;
            return known.number;
        }
        let known = |number: TrackNumber| self.known.iter().any(|known| known.number == number);
        let number = if known(track.number) || !free(track.number) {
            let all = self.known.iter().map(|known| known.number);
            let last = all.chain(taken.iter().copied()).max();
            TrackNumber(last.map_or(1, |last| last.0.saturating_add(1)))
        } else {
            track.number
        };
        self.known.push(Known {
            number,
            id: track.id,
            language: track.language.clone(),
        });
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Codec;
    use bytes::Bytes;

    /// Tracks by id and language, numbered as a demuxer does.
    fn chunk(tracks: &[(u32, &str)]) -> Demuxed {
        let audio = tracks
            .iter()
            .zip(1..)
            .map(|((id, language), number)| AudioTrack {
                number: TrackNumber(number),
                id: Some(*id),
                codec: Codec::Aac,
                timescale: 90_000,
                sample_rate: 48_000,
                channels: 2,
                frame_samples: 1024,
                language: (!language.is_empty()).then(|| (*language).into()),
                config: Bytes::new(),
                samples: Vec::new(),
            });
        Demuxed {
            audio: audio.collect(),
            ..Demuxed::default()
        }
    }

    fn numbers(all: &mut TrackNumbers, tracks: &[(u32, &str)]) -> Vec<(u32, u32)> {
        let mut chunk = chunk(tracks);
        all.assign(&mut chunk);
        let numbers = chunk
            .audio
            .iter()
            .map(|track| (track.number.0, track.id.unwrap()));
        numbers.collect()
    }

    #[test]
    fn tracks_keep_their_numbers() {
        let mut all = TrackNumbers::new();
        assert_eq!(
            numbers(&mut all, &[(257, "eng"), (258, "fra")]),
            [(1, 257), (2, 258)]
        );
        assert_eq!(
            numbers(&mut all, &[(258, "fra")]),
            [(2, 258)],
            "one vanishes"
        );
        assert_eq!(
            numbers(&mut all, &[(300, "deu"), (258, "fra"), (257, "eng")]),
            [(3, 300), (2, 258), (1, 257)],
            "one comes late, and the order is another"
        );
        assert_eq!(
            numbers(&mut all, &[(512, "eng"), (513, "fra")]),
            [(1, 512), (2, 513)],
            "the encoder was restarted"
        );
        assert_eq!(numbers(&mut all, &[(300, "deu")]), [(3, 300)]);
    }

    #[test]
    fn without_a_language_the_order_decides() {
        let mut all = TrackNumbers::new();
        assert_eq!(numbers(&mut all, &[]), []);
        assert_eq!(numbers(&mut all, &[(1, ""), (2, "")]), [(1, 1), (2, 2)]);
        assert_eq!(
            numbers(&mut all, &[(8, ""), (9, ""), (10, "")]),
            [(1, 8), (2, 9), (3, 10)]
        );
    }
}
