//! Fragmented MP4 (CMAF): an initialization section, then `moof` and `mdat` boxes.

use bytes::Bytes;
use matchcut_model::chunk::TrackNumber;

use super::DemuxError;
use crate::mp4::Mp4Error;
use crate::mp4::boxes::{Fields, boxes, find};
use crate::mp4::movie::{self, Defaults, Track, TrackKind};
use crate::mp4::ticks;
use crate::mp4::units::Normalizer;
use crate::samples::{AudioTrack, Demuxed, RandomAccessPoint, Sample, VideoTrack};

/// A sample that a fragment lists.
struct Listed {
    offset: usize,
    size: usize,
    dts: i64,
    pts: i64,
    duration: i64,
    sync: bool,
}

/// Reads a chunk. Without `init` the chunk itself may carry the `moov` box.
pub fn demux(init: Option<&[u8]>, media: &Bytes) -> Result<Demuxed, DemuxError> {
    let moov = init
        .and_then(|init| find(init, b"moov"))
        .or_else(|| find(media, b"moov"));
    let moov = match (moov, init) {
        (Some(moov), _) => moov,
        (None, None) => return Err(DemuxError::NoInit),
        (None, Some(_)) => {
            return Err(Mp4Error::Missing("moov", "initialization section").into());
        }
    };
    let movie = movie::parse(moov)?;
    let mut out = Demuxed {
        warnings: movie.warnings.clone(),
        ..Default::default()
    };
    let mut fragments = 0;
    let mut left = media.len();
    let mut listed: Vec<Vec<Listed>> = movie.tracks.iter().map(|_| Vec::new()).collect();
    let mut heads: Vec<Head> = Vec::new();
    for found in boxes(media) {
        if !found.complete {
            let kind = String::from_utf8_lossy(&found.kind).into_owned();
            out.warnings
                .push(format!("the chunk ends inside its \"{kind}\" box"));
        }
        if found.kind == *b"moof" {
            fragments += 1;
            let before: Vec<usize> = listed.iter().map(Vec::len).collect();
            let media = Media {
                size: media.len(),
                left: &mut left,
            };
            let movable =
                read_fragment(found.body, found.offset, &movie.tracks, media, &mut listed)
                    .ok_or(Mp4Error::Damaged("moof"))?;
            if movable {
                let first =
                    |(samples, before): (&Vec<Listed>, usize)| Some(samples.get(before)?.pts);
                heads.push(Head {
                    offset: found.offset as u64,
                    first: listed.iter().zip(before).map(first).collect(),
                });
            }
        }
    }
    if fragments == 0 {
        return Err(Mp4Error::Missing("moof", "fragmented MP4 chunk").into());
    }
    let mut number = 0;
    for (index, (track, listed)) in movie.tracks.iter().zip(listed).enumerate() {
        match track.kind {
            TrackKind::Video if out.video.is_some() => {
                let codec = &track.entry.codec;
                out.warnings
                    .push(format!("a further video track ({codec}) is ignored"));
            }
            TrackKind::Video => {
                let mut normalizer = Normalizer::new(&track.entry);
                let samples = read(&mut normalizer, listed, media, track, &mut out.warnings);
                let (reader, damaged) = normalizer.finish();
                if damaged > 0 {
                    out.warnings
                        .push(format!("video: {damaged} damaged samples"));
                }
                if !samples.is_empty() {
                    let mut video = video_track(reader, track, samples);
                    video.random_access_points = access_points(&heads, index, &video);
                    out.video = Some(video);
                }
            }
            TrackKind::Audio => {
                number += 1;
                let mut normalizer = Normalizer::new(&track.entry);
                let samples = read(&mut normalizer, listed, media, track, &mut out.warnings);
                if !samples.is_empty() {
                    out.audio
                        .push(audio_track(TrackNumber(number), track, samples));
                }
            }
        }
    }
    if out.is_empty() {
        return Err(Mp4Error::NoSamples("the chunk").into());
    }
    Ok(out)
}

/// A fragment that can be read without those before it.
struct Head {
    /// Where its `moof` begins in the chunk.
    offset: u64,
    /// PTS of its first sample of each track.
    first: Vec<Option<i64>>,
}

/// The fragments whose first picture is a key frame.
fn access_points(heads: &[Head], index: usize, video: &VideoTrack) -> Vec<RandomAccessPoint> {
    let points = heads.iter().filter_map(|head| {
        let pts = (*head.first.get(index)?)?;
        let sample = video.samples.iter().find(|sample| sample.pts == pts)?;
        Some(RandomAccessPoint {
            byte_offset: head.offset,
            pts,
            sync: sample.sync,
        })
    });
    points.filter(|point| point.sync.is_key()).collect()
}

/// The video track of an MP4, from its samples.
pub(crate) fn video_track(
    reader: super::video::VideoReader,
    track: &Track<'_>,
    samples: Vec<Sample>,
) -> crate::samples::VideoTrack {
    let mut video = reader.finish(track.timescale, samples);
    if video.width == 0 {
        (video.width, video.height) = (track.entry.width, track.entry.height);
    }
    video.pixel_aspect = track.entry.pixel_aspect.or(video.pixel_aspect);
    video
}

/// An audio track of an MP4, from its samples.
pub(crate) fn audio_track(
    number: TrackNumber,
    track: &Track<'_>,
    samples: Vec<Sample>,
) -> AudioTrack {
    let entry = &track.entry;
    AudioTrack {
        number,
        id: Some(track.id),
        codec: entry.codec.clone(),
        timescale: track.timescale,
        sample_rate: entry.sample_rate,
        channels: entry.channels,
        frame_samples: entry.frame_samples,
        language: track.language.clone(),
        config: entry.config.clone(),
        samples,
    }
}

fn read(
    normalizer: &mut Normalizer<'_>,
    listed: Vec<Listed>,
    media: &Bytes,
    track: &Track<'_>,
    warnings: &mut Vec<String>,
) -> Vec<Sample> {
    let mut outside = 0;
    let mut samples = Vec::with_capacity(listed.len());
    for sample in listed {
        let end = sample.offset.saturating_add(sample.size);
        if end > media.len() || sample.size == 0 {
            outside += 1;
            continue;
        }
        let data = media.slice(sample.offset..end);
        let times = (sample.pts, sample.dts, sample.duration);
        samples.extend(normalizer.sample(data, times, sample.sync));
    }
    if outside > 0 {
        warnings.push(format!(
            "track {}: {outside} samples lie outside the chunk and are left out",
            track.id
        ));
    }
    samples
}

/// The chunk, as far as its samples have not been listed.
struct Media<'a> {
    size: usize,
    /// Samples share no bytes. Fragments that say so would make more of a chunk than there is in it.
    left: &'a mut usize,
}

/// Lists the samples of a fragment; whether it says by itself where and when they are, so that it
/// can be played without what stands before it.
fn read_fragment(
    moof: &[u8],
    moof_offset: usize,
    tracks: &[Track<'_>],
    mut media: Media<'_>,
    listed: &mut [Vec<Listed>],
) -> Option<bool> {
    let mut movable = true;
    // Where data continues when a run does not say where it is.
    let mut next_data = moof_offset;
    for traf in boxes(moof).filter(|found| found.kind == *b"traf") {
        let mut fields = Fields::new(find(traf.body, b"tfhd")?);
        let (_, flags) = fields.full()?;
        let id = fields.u32()?;
        let base = if flags & 1 != 0 {
            movable = false;
            fields.u64()?;
            // Absolute in the file that the chunk was cut from, so of no use in the chunk.
            moof_offset
        } else if flags & 0x02_0000 != 0 {
            moof_offset
        } else {
            next_data
        };
        if flags & 2 != 0 {
            fields.u32()?;
        }
        let Some(index) = tracks.iter().position(|track| track.id == id) else {
            continue;
        };
        let track = &tracks[index];
        let mut defaults: Defaults = track.defaults;
        if flags & 8 != 0 {
            defaults.duration = fields.u32()?;
        }
        if flags & 0x10 != 0 {
            defaults.size = fields.u32()?;
        }
        if flags & 0x20 != 0 {
            defaults.flags = fields.u32()?;
        }
        let mut dts = match find(traf.body, b"tfdt") {
            Some(tfdt) => {
                let mut fields = Fields::new(tfdt);
                let (version, _) = fields.full()?;
                i64::try_from(fields.sized(version)?).ok()?
            }
            // Runs of an earlier fragment go on.
            None => {
                movable = false;
                match listed[index].last() {
                    None => 0,
                    Some(last) => ticks(&[last.dts, track.shift.checked_neg()?, last.duration])?,
                }
            }
        };
        let mut data = base;
        for trun in boxes(traf.body).filter(|found| found.kind == *b"trun") {
            (dts, data) = read_run(
                trun.body,
                base,
                (data, dts),
                defaults,
                track.shift,
                &mut media,
                &mut listed[index],
            )?;
        }
        next_data = data;
    }
    Some(movable)
}

fn read_run(
    trun: &[u8],
    base: usize,
    (data, dts): (usize, i64),
    defaults: Defaults,
    shift: i64,
    media: &mut Media<'_>,
    listed: &mut Vec<Listed>,
) -> Option<(i64, usize)> {
    let (mut data, mut dts) = (data, dts);
    let mut fields = Fields::new(trun);
    let (version, flags) = fields.full()?;
    let count = fields.u32()?;
    if flags & 1 != 0 {
        let offset = fields.u32()? as i32;
        data = base.checked_add_signed(isize::try_from(offset).ok()?)?;
    }
    let mut first_flags = if flags & 4 != 0 {
        Some(fields.u32()?)
    } else {
        None
    };
    let per_sample = [0x100, 0x200, 0x400, 0x800]
        .iter()
        .filter(|f| flags & **f != 0)
        .count()
        * 4;
    if per_sample > 0 && fields.rest().len() / per_sample < count as usize {
        return None;
    }
    // Without fields of its own a sample costs nothing here, so a lying count must not either.
    if per_sample == 0 && count > 1_000_000 {
        return None;
    }
    for number in 0..count {
        let duration = if flags & 0x100 != 0 {
            fields.u32()?
        } else {
            defaults.duration
        };
        let size = if flags & 0x200 != 0 {
            fields.u32()?
        } else {
            defaults.size
        } as usize;
        let own = if flags & 0x400 != 0 {
            Some(fields.u32()?)
        } else {
            None
        };
        let sample_flags = first_flags.take().or(own).unwrap_or(defaults.flags);
        let composition = match (flags & 0x800 != 0, version) {
            (false, _) => 0,
            (true, 0) => i64::from(fields.u32()?),
            (true, _) => i64::from(fields.u32()? as i32),
        };
        let end = data.checked_add(size)?;
        let left = media.left.checked_sub(size).filter(|_| end <= media.size);
        *media.left = left.unwrap_or(*media.left);
        listed.push(Listed {
            // What is not there is outside.
            offset: left.map_or(media.size, |_| data),
            size,
            dts: ticks(&[dts, shift])?,
            pts: ticks(&[dts, composition, shift])?,
            duration: i64::from(duration),
            sync: sample_flags & 0x1_0000 == 0,
        });
        data = end;
        dts = ticks(&[dts, i64::from(duration)])?;
        // All that follow are as empty, or lie farther outside: one stands for them.
        if per_sample == 0 && (size == 0 || left.is_none()) {
            let rest = count - number - 1;
            data = data.checked_add(size.checked_mul(rest as usize)?)?;
            dts = ticks(&[dts, i64::from(duration).checked_mul(i64::from(rest))?])?;
            break;
        }
    }
    Some((dts, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a run of samples without fields of their own lists in a chunk of `size` bytes, of
    /// which `left` are not another sample's.
    fn run(count: u32, each: u32, dts: i64, (size, left): (usize, usize)) -> Option<Vec<Listed>> {
        let body = [&[0; 4][..], &count.to_be_bytes()].concat();
        let defaults = Defaults {
            duration: 3,
            size: each,
            flags: 0,
        };
        let mut left = left;
        let mut media = Media {
            size,
            left: &mut left,
        };
        let mut listed = Vec::new();
        let (end, _) = read_run(&body, 0, (0, dts), defaults, 0, &mut media, &mut listed)?;
        assert_eq!(end, dts + i64::from(count) * 3);
        Some(listed)
    }

    #[test]
    fn a_lying_count_lists_no_more_than_there_is() {
        let offsets = |listed: Vec<Listed>| listed.iter().map(|l| l.offset).collect::<Vec<_>>();
        let found = run(1_000_000, 10, 0, (25, 25)).unwrap();
        assert_eq!(
            offsets(found),
            [0, 10, 25],
            "one stands for what lies outside"
        );
        let found = run(1_000_000, 10, 0, (25, 12)).unwrap();
        assert_eq!(offsets(found), [0, 25], "bytes are nobody's twice");
        assert_eq!(run(1_000_000, 0, 0, (25, 25)).unwrap().len(), 1);
    }

    #[test]
    fn times_that_add_up_to_none_are_damage() {
        assert!(run(2, 10, crate::mp4::MOST_TICKS - 6, (25, 25)).is_some());
        assert!(run(2, 10, crate::mp4::MOST_TICKS, (25, 25)).is_none());
        assert!(run(2, 10, i64::MAX, (25, 25)).is_none());
    }
}
