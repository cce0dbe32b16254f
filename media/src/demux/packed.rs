//! Packed audio: AAC (ADTS), MP3 or AC-3 frames one after the other, whose timestamp stands in an ID3
//! tag in front of them (RFC 8216, section 3.4).

use bytes::Bytes;
use matchcut_model::chunk::TrackNumber;

use super::es::{ElementaryStream, Mark};
use super::{DemuxError, audio, head};
use crate::bitstream::{aac, ac3, mpeg_audio};
use crate::samples::{AudioTrack, Codec, Demuxed};

/// The owner of the private frame that holds the timestamp.
const OWNER: &[u8] = b"com.apple.streaming.transportStreamTimestamp\0";

/// Reads a chunk of packed audio.
pub fn demux(media: &Bytes) -> Result<Demuxed, DemuxError> {
    let mut warnings = Vec::new();
    let mut timestamp = None;
    let mut rest = &media[..];
    while let Some((tag, after)) = split_tag(rest) {
        timestamp = timestamp.or_else(|| timestamp_of(tag));
        rest = after;
    }
    if timestamp.is_none() {
        let text = "packed audio without a timestamp in an ID3 tag: its times count from 0";
        warnings.push(text.into());
    }
    let codecs = [Codec::Aac, Codec::Mp3, Codec::Ac3];
    let begins = codecs.iter().find(|codec| match codec {
        Codec::Aac => aac::Adts::parse(rest).is_some(),
        Codec::Mp3 => mpeg_audio::parse(rest).is_some(),
        _ => ac3::parse(rest).is_some(),
    });
    let read = |codec: &Codec| {
        let stream = ElementaryStream {
            data: rest.to_vec(),
            marks: vec![Mark {
                offset: 0,
                pts: Some(timestamp.unwrap_or(0)),
                dts: None,
                entry: None,
                random_access: false,
            }],
            ..ElementaryStream::default()
        };
        let mut said = Vec::new();
        let track = audio::track(stream, codec.clone(), TrackNumber::FIRST, None, &mut said)?;
        Some((track, said))
    };
    let size = |track: &AudioTrack| track.samples.iter().map(|s| s.data.len()).sum::<usize>();
    let found = match begins {
        Some(codec) => read(codec),
        // Garbage in front: the codec that most of the bytes belong to.
        None => codecs
            .iter()
            .filter_map(read)
            .max_by_key(|(track, _)| size(track)),
    };
    let Some((track, said)) = found else {
        return Err(DemuxError::NotPackedAudio {
            bytes: media.len(),
            head: head(media),
        });
    };
    warnings.extend(said);
    Ok(Demuxed {
        audio: vec![track],
        warnings,
        ..Demuxed::default()
    })
}

/// Splits off an ID3v2 tag: its frames, and what follows it.
fn split_tag(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let header = data.get(..10).filter(|header| header.starts_with(b"ID3"))?;
    let size = syncsafe(header.get(6..10)?)?;
    let footer = if header[5] & 0x10 != 0 { 10 } else { 0 };
    let frames = data.get(10..10 + size)?;
    Some((frames, data.get(10 + size + footer..).unwrap_or_default()))
}

/// Numbers of ID3 have seven bits in each byte.
fn syncsafe(bytes: &[u8]) -> Option<usize> {
    bytes.iter().try_fold(0, |value, byte| {
        (byte & 0x80 == 0).then_some(value << 7 | usize::from(*byte))
    })
}

/// The timestamp among the frames of a tag, in ticks of 90 kHz.
fn timestamp_of(mut frames: &[u8]) -> Option<i64> {
    loop {
        let header = frames.get(..10)?;
        let size = syncsafe(header.get(4..8)?)?;
        let body = frames.get(10..10 + size)?;
        if header.starts_with(b"PRIV")
            && let Some(value) = body.strip_prefix(OWNER)
        {
            let ticks: [u8; 8] = value.get(..8)?.try_into().ok()?;
            return i64::try_from(u64::from_be_bytes(ticks) & ((1 << 33) - 1)).ok();
        }
        frames = &frames[10 + size..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(ticks: u64) -> Vec<u8> {
        let mut other = b"TXXX\0\0\0\x03\0\0abc".to_vec();
        let mut private = b"PRIV\0\0\0".to_vec();
        private.push(OWNER.len() as u8 + 8);
        private.extend([0, 0]);
        private.extend(OWNER);
        private.extend(ticks.to_be_bytes());
        other.extend(private);
        let mut tag = b"ID3\x04\0\0\0\0\0".to_vec();
        tag.push(other.len() as u8);
        tag.extend(other);
        tag
    }

    /// ADTS, 48 kHz, stereo.
    fn frame(length: usize) -> Vec<u8> {
        let mut frame = vec![1; length];
        let low = [0x80, (length >> 3) as u8, (length << 5) as u8 | 0x1f];
        frame[..7].copy_from_slice(&[0xff, 0xf1, 0x4c, low[0], low[1], low[2], 0xfc]);
        frame
    }

    #[test]
    fn the_tag_says_when_it_is_heard() {
        let media = [tag(900_000), frame(100), frame(90), frame(80)].concat();
        let demuxed = demux(&media.into()).unwrap();
        let pts: Vec<i64> = demuxed.audio[0].samples.iter().map(|s| s.pts).collect();
        assert_eq!(pts, [900_000, 901_920, 903_840]);
        assert_eq!(demuxed.audio[0].codec, Codec::Aac);
        assert!(demuxed.warnings.is_empty(), "{:?}", demuxed.warnings);
        // Above the 33 bits there is nothing to be said.
        let media = [tag(u64::MAX), frame(100), frame(90)].concat();
        let demuxed = demux(&media.into()).unwrap();
        assert_eq!(demuxed.audio[0].samples[0].pts, (1 << 33) - 1);
    }

    #[test]
    fn what_is_odd_is_told() {
        let media = [vec![7, 7, 7], frame(100), frame(90), frame(80)].concat();
        let demuxed = demux(&media.into()).unwrap();
        assert_eq!(demuxed.audio[0].samples.len(), 3);
        assert_eq!(demuxed.warnings.len(), 2, "{:?}", demuxed.warnings);
        let error = demux(&Bytes::from_static(b"#EXTM3U\n")).unwrap_err();
        assert!(error.to_string().contains("23 45 58 54"), "{error}");
        for end in 0..80 {
            let _ = demux(&Bytes::from(tag(5)).slice(..end.min(tag(5).len())));
        }
    }
}
