//! Audio elementary streams to frames: ADTS, MPEG audio and AC-3, also where a frame straddles two
//! PES packets.

use bytes::Bytes;
use matchcut_model::chunk::TrackNumber;

use super::es::ElementaryStream;
use crate::bitstream::{aac, ac3, mpeg_audio};
use crate::samples::{AudioTrack, Codec, Sample, SyncKind};

/// What one frame header says, whichever the codec.
struct Head {
    skip: usize,
    length: usize,
    sample_rate: u32,
    channels: u32,
    samples: u32,
    config: [u8; 2],
}

fn head(codec: &Codec, data: &[u8]) -> Option<Head> {
    match codec {
        Codec::Aac => aac::Adts::parse(data).map(|h| Head {
            skip: h.header,
            length: h.length,
            sample_rate: h.sample_rate,
            channels: h.channels(),
            samples: 1024,
            config: h.config(),
        }),
        Codec::Mp3 => mpeg_audio::parse(data).map(|h| Head {
            skip: 0,
            length: h.length,
            sample_rate: h.sample_rate,
            channels: h.channels,
            samples: h.frame_samples,
            config: [0; 2],
        }),
        Codec::Ac3 => ac3::parse(data).map(|h| Head {
            skip: 0,
            length: h.length,
            sample_rate: h.sample_rate,
            channels: h.channels,
            samples: h.frame_samples,
            config: [0; 2],
        }),
        _ => None,
    }
}

/// Turns an elementary stream into a track. `None` when it holds not one complete frame.
pub fn track(
    stream: ElementaryStream,
    codec: Codec,
    number: TrackNumber,
    language: Option<String>,
    warnings: &mut Vec<String>,
) -> Option<AudioTrack> {
    let mut track = AudioTrack {
        number,
        id: None,
        codec,
        timescale: 90_000,
        sample_rate: 0,
        channels: 0,
        frame_samples: 0,
        language,
        config: Bytes::new(),
        samples: Vec::new(),
    };
    let ElementaryStream { data, marks, .. } = stream;
    let data = Bytes::from(data);
    if matches!(track.codec, Codec::Other(_)) {
        let ends = marks
            .iter()
            .skip(1)
            .map(|mark| mark.offset)
            .chain([data.len()]);
        for (mark, end) in marks.iter().zip(ends) {
            if let Some(pts) = mark.pts {
                track
                    .samples
                    .push(sample(pts, 0, data.slice(mark.offset..end)));
            }
        }
        return (!track.samples.is_empty()).then_some(track);
    }

    let mut at = 0;
    let mut next_mark = 0;
    // The PTS that counts, and how many PCM samples ago it was.
    let mut anchor: Option<(i64, i64)> = None;
    let (mut skipped, mut without_time, mut changed, mut in_sync) = (0, 0, false, false);
    while at < data.len() {
        let Some(h) = head(&track.codec, &data[at..]) else {
            (at, in_sync, skipped) = (at + 1, false, skipped + 1);
            continue;
        };
        let end = at + h.length;
        if end > data.len() {
            if in_sync || track.samples.is_empty() {
                break;
            }
            (at, skipped) = (at + 1, skipped + 1);
            continue;
        }
        let confirmed =
            end == data.len() || head(&track.codec, &data[end..]).is_some() || data.len() - end < 8;
        if !in_sync && !confirmed {
            (at, skipped) = (at + 1, skipped + 1);
            continue;
        }
        in_sync = true;
        while let Some(mark) = marks.get(next_mark).filter(|mark| mark.offset <= at) {
            if let Some(pts) = mark.pts {
                anchor = Some((pts, 0));
            }
            next_mark += 1;
        }
        if track.samples.is_empty() {
            (track.sample_rate, track.channels) = (h.sample_rate, h.channels);
            track.frame_samples = h.samples;
            if track.codec == Codec::Aac {
                track.config = Bytes::copy_from_slice(&h.config);
            }
        } else if h.sample_rate != track.sample_rate || h.channels != track.channels {
            changed = true;
        }
        let ticks = |samples: i64| {
            let rate = i64::from(h.sample_rate.max(1));
            (samples * 90_000 + rate / 2).div_euclid(rate)
        };
        if let Some((pts, samples)) = &mut anchor {
            let from = *pts + ticks(*samples);
            *samples += i64::from(h.samples);
            let duration = *pts + ticks(*samples) - from;
            track
                .samples
                .push(sample(from, duration, data.slice(at + h.skip..end)));
        } else {
            without_time += 1;
        }
        at = end;
    }
    let left = data.len() - at.min(data.len());
    if skipped > 0 {
        warnings.push(format!(
            "audio track {number}: {skipped} bytes belong to no frame"
        ));
    }
    if left > 0 {
        warnings.push(format!(
            "audio track {number}: the last frame is cut off and left out"
        ));
    }
    if without_time > 0 {
        warnings.push(format!(
            "audio track {number}: {without_time} frames without a timestamp"
        ));
    }
    if changed {
        warnings.push(format!(
            "audio track {number}: sample rate or channels change"
        ));
    }
    (!track.samples.is_empty()).then_some(track)
}

fn sample(pts: i64, duration: i64, data: Bytes) -> Sample {
    Sample {
        pts,
        dts: pts,
        duration,
        sync: SyncKind::Idr,
        leading: false,
        reference: true,
        data,
    }
}

#[cfg(test)]
mod tests {
    use super::super::es::Mark;
    use super::*;

    fn frame(length: usize, fill: u8) -> Vec<u8> {
        let mut frame = vec![fill; length];
        let low = [
            0x80 | (length >> 11) as u8,
            (length >> 3) as u8,
            (length << 5) as u8 | 0x1f,
        ];
        frame[..7].copy_from_slice(&[0xff, 0xf1, 0x4c, low[0], low[1], low[2], 0xfc]);
        frame
    }

    fn mark(offset: usize, pts: i64) -> Mark {
        Mark {
            offset,
            pts: Some(pts),
            dts: Some(pts),
            entry: None,
            random_access: false,
        }
    }

    #[test]
    fn a_frame_that_straddles_packets_keeps_the_time_of_its_start() {
        let data = [frame(100, 1), frame(120, 2), frame(90, 3), frame(80, 4)].concat();
        let stream = ElementaryStream {
            // The second packet begins inside frame 2: its time is that of frame 3.
            marks: vec![mark(0, 1000), mark(150, 1000 + 2 * 1920 + 5)],
            data,
            ..Default::default()
        };
        let mut warnings = Vec::new();
        let track = track(stream, Codec::Aac, TrackNumber(1), None, &mut warnings).unwrap();
        let pts: Vec<i64> = track.samples.iter().map(|s| s.pts).collect();
        assert_eq!(pts, [1000, 2920, 4845, 6765]);
        assert_eq!(track.samples[1].data.len(), 113);
        assert_eq!((track.sample_rate, track.channels), (48_000, 2));
        assert!(warnings.is_empty(), "{warnings:?}");
    }

    #[test]
    fn garbage_and_a_cut_end_are_told() {
        let data = [
            vec![7, 0xff, 9],
            frame(100, 1),
            frame(120, 2)[..50].to_vec(),
        ]
        .concat();
        let stream = ElementaryStream {
            marks: vec![mark(0, 0)],
            data,
            ..Default::default()
        };
        let mut warnings = Vec::new();
        let track = track(stream, Codec::Aac, TrackNumber(2), None, &mut warnings).unwrap();
        assert_eq!(track.samples.len(), 1);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
    }
}
