//! The order of samples in the file: the parts one after the other on each track's own timeline,
//! pictures and sound interleaved by about half a second.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;

use super::{AudioPart, CutError, Part, VideoPart};
use crate::bitstream::hevc;
use crate::bitstream::nal::annex_b_ranges;
use crate::demux::video::{Role, role};
use crate::samples::{Codec, ParameterSets};

/// HEVC picture where decoding can start, though what is shown before it may not be decodable.
const CRA: u8 = 21;

/// The same after a splice, with nothing before it: its slices are written in the same way.
const BLA_N_LP: u8 = 18;

/// Where the bytes of a sample are.
pub(super) enum Data {
    /// In memory.
    Memory(Bytes),
    /// In a file that was written before, from this place on.
    Spool(Arc<File>, u64),
}

/// One sample as the file holds it.
pub(super) struct FileSample {
    pub duration: u32,
    /// Presentation minus decoding time.
    pub offset: u32,
    pub key: bool,
    pub size: u32,
    data: Data,
    /// NAL units of `data`; `None` when the data is written as it is.
    units: Option<Vec<std::ops::Range<usize>>>,
    /// Written in front, with a length prefix each.
    sets: Option<ParameterSets>,
    /// HEVC: written as a broken link, so that decoders start anew.
    splice: bool,
}

impl FileSample {
    /// A sample that is written as it is.
    pub(super) fn plain(duration: u32, offset: u32, key: bool, size: u32, data: Data) -> Self {
        FileSample {
            duration,
            offset,
            key,
            size,
            data,
            units: None,
            sets: None,
            splice: false,
        }
    }

    /// Writes the sample.
    pub(super) fn write(&self, out: &mut impl std::io::Write) -> std::io::Result<()> {
        let data = match &self.data {
            Data::Memory(data) => data,
            Data::Spool(file, at) => {
                let mut data = vec![0; self.size as usize];
                file.read_exact_at(&mut data, *at)?;
                return out.write_all(&data);
            }
        };
        let Some(units) = &self.units else {
            return out.write_all(data);
        };
        if let Some(sets) = &self.sets {
            for set in sets.vps.iter().chain(&sets.sps).chain(&sets.pps) {
                out.write_all(&(set.len() as u32).to_be_bytes())?;
                out.write_all(set)?;
            }
        }
        for range in units {
            out.write_all(&(range.len() as u32).to_be_bytes())?;
            let unit = &data[range.clone()];
            match unit.split_first() {
                Some((first, rest)) if self.splice && hevc::unit_type(unit) == CRA => {
                    out.write_all(&[first & 0x81 | BLA_N_LP << 1])?;
                    out.write_all(rest)?;
                }
                _ => out.write_all(unit)?,
            }
        }
        Ok(())
    }
}

/// One entry of an edit list, in ticks of the track and of the movie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub duration: u64,
    /// -1 for an empty edit.
    pub media_time: i64,
}

/// A run of samples that lie together in the file.
pub(super) struct FileChunk {
    pub track: usize,
    pub samples: std::ops::Range<usize>,
}

/// One track as the file holds it.
pub(super) struct FileTrack {
    pub timescale: u32,
    pub samples: Vec<FileSample>,
    pub edits: Vec<Edit>,
    /// For every part, where its samples begin and when in the part each is due, in movie ticks.
    pub due: Vec<(usize, Vec<i64>)>,
    /// The sets of the first part and whether they stay in the samples.
    pub in_band: bool,
}

pub(super) fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The least common multiple, when it is a time base that files can hold well.
pub(super) fn common(scales: impl Iterator<Item = u32>) -> Option<u32> {
    let all = scales.map(u64::from).try_fold(1u64, |all, scale| {
        let scale = scale.max(1);
        let lcm = all / gcd(all, scale) * scale;
        (lcm <= 20_000_000).then_some(lcm)
    });
    all.and_then(|scale| u32::try_from(scale).ok())
}

fn rescale(ticks: i64, from: u32, to: u32) -> i64 {
    if from == to {
        return ticks;
    }
    let scaled = i128::from(ticks) * i128::from(to);
    let from = i128::from(from.max(1));
    i64::try_from((scaled + from / 2).div_euclid(from)).unwrap_or(0)
}

fn part_bounds(parts: &[Part], movie: u32) -> Vec<(i64, i64)> {
    // Borders are rounded, not lengths, so that errors do not add up.
    let mut at = matchcut_model::time::MediaTime::ZERO;
    parts
        .iter()
        .map(|part| {
            let start = at.to_ticks(movie);
            at += part.duration;
            (start, at.to_ticks(movie))
        })
        .collect()
}

fn push_empty(edits: &mut Vec<Edit>, duration: i64) {
    let Ok(duration) = u64::try_from(duration) else {
        return;
    };
    if duration == 0 {
        return;
    }
    match edits.last_mut() {
        Some(last) if last.media_time < 0 => last.duration += duration,
        _ => edits.push(Edit {
            duration,
            media_time: -1,
        }),
    }
}

/// Whether parameter sets must stay in the samples: they change inside a part or between parts.
fn sets_in_band(parts: &[&VideoPart]) -> bool {
    parts.iter().any(|part| part.sets_change || part.seamless)
        || parts.windows(2).any(|pair| pair[0].sets != pair[1].sets)
}

fn video_sample(part: &VideoPart, index: usize, in_band: bool) -> Result<FileSample, CutError> {
    let sample = &part.samples[index];
    let mut has_sets = false;
    let units: Vec<_> = annex_b_ranges(&sample.data)
        .into_iter()
        .filter(
            |range| match role(&part.codec, &sample.data[range.clone()]) {
                Role::Delimiter => false,
                Role::Parameters => {
                    has_sets = true;
                    in_band
                }
                _ => true,
            },
        )
        .collect();
    let sets = (in_band && index == 0 && !has_sets).then(|| part.sets.clone());
    let front: usize = sets
        .iter()
        .flat_map(|sets| sets.vps.iter().chain(&sets.sps).chain(&sets.pps))
        .map(|set| 4 + set.len())
        .sum();
    let size = front + units.iter().map(|range| 4 + range.len()).sum::<usize>();
    Ok(FileSample {
        duration: 0,
        offset: 0,
        key: sample.key,
        size: u32::try_from(size).map_err(|_| CutError::TooLong("a picture of 4 GB"))?,
        data: Data::Memory(sample.data.clone()),
        units: Some(units),
        sets,
        splice: sample.splice,
    })
}

/// Lays out the pictures. `None` without any.
pub(super) fn video_track(
    parts: &[Part],
    timescale: u32,
    movie: u32,
) -> Result<Option<FileTrack>, CutError> {
    let videos: Vec<&VideoPart> = parts
        .iter()
        .filter_map(|part| part.video.as_ref())
        .collect();
    if videos.is_empty() {
        return Ok(None);
    }
    if let Some(pair) = videos
        .windows(2)
        .find(|pair| pair[0].codec != pair[1].codec)
    {
        let (from, to) = (pair[0].codec.clone(), pair[1].codec.clone());
        return Err(CutError::VideoChanges { from, to });
    }
    let in_band = sets_in_band(&videos);
    let mut track = FileTrack {
        timescale,
        samples: Vec::new(),
        edits: Vec::new(),
        due: Vec::new(),
        in_band,
    };
    let scaled = |video: &VideoPart, time: i64| rescale(time, video.timescale, timescale);
    // Parts with nothing hidden follow one another as if they were one, with the same distance of
    // decoding and presentation.
    let seamless = videos.iter().all(|video| video.seamless);
    let delay = videos
        .iter()
        .map(|video| scaled(video, video.media_time))
        .max()
        .filter(|_| seamless);
    let mut base = 0i64;
    for (index, (part, (start, end))) in parts.iter().zip(part_bounds(parts, movie)).enumerate() {
        let Some(video) = &part.video else {
            push_empty(&mut track.edits, end - start);
            continue;
        };
        let later = delay.unwrap_or(0)
            - match delay {
                Some(_) => scaled(video, video.media_time),
                None => 0,
            };
        let ticks = |time: i64| scaled(video, time);
        let media_time = ticks(video.media_time) + later;
        let first = track.samples.len();
        let mut due = Vec::with_capacity(video.samples.len());
        // What follows begins after everything of this part, also what is shown last.
        let length = match delay {
            Some(_) => rescale(end, movie, timescale) - rescale(start, movie, timescale),
            None => video
                .samples
                .iter()
                .map(|sample| ticks(sample.pts.max(sample.dts) + video.last_duration))
                .max()
                .unwrap_or(0),
        };
        // Alone it need not be as long as its times reach, which would change its average rate.
        let last = video.samples.last().map_or(0, |last| ticks(last.dts));
        let length = match parts.len() {
            1 => (length - ticks(video.room)).max(last + 1),
            _ => length,
        };
        for (at, sample) in video.samples.iter().enumerate() {
            let mut out = video_sample(video, at, in_band)?;
            out.splice |= index > 0 && at == 0 && video.codec == Codec::Hevc;
            let next = video.samples.get(at + 1).map(|next| ticks(next.dts));
            let duration = next.unwrap_or(length) - ticks(sample.dts);
            out.duration = u32::try_from(duration).map_err(|_| CutError::TooLong("a gap"))?;
            let offset = ticks(sample.pts) - ticks(sample.dts) + later;
            out.offset = u32::try_from(offset).unwrap_or(0);
            due.push(start + rescale(ticks(sample.dts) - media_time, timescale, movie));
            track.samples.push(out);
        }
        track.due.push((first, due));
        let duration = u64::try_from(end - start).unwrap_or(0);
        match track.edits.last_mut() {
            Some(last) if delay.is_some() && last.media_time >= 0 => last.duration += duration,
            _ => track.edits.push(Edit {
                duration,
                media_time: base + media_time,
            }),
        }
        if parts.len() == 1 {
            unlist_late_keys(&mut track.samples, rescale(end - start, movie, timescale));
        }
        base += length;
    }
    Ok(Some(track))
}

/// GStreamer's qtdemux (1.22) ends a track after a sync sample when what follows is decoded later
/// than the movie is long, counted with the hidden start; so such samples are not listed.
fn unlist_late_keys(samples: &mut [FileSample], shown: i64) {
    let mut decoded = 0i64;
    for (index, sample) in samples.iter_mut().enumerate() {
        decoded += i64::from(sample.duration);
        sample.key &= index == 0 || decoded < shown;
    }
}

fn audio_format(part: &AudioPart) -> String {
    format!(
        "{} {} Hz {} channels",
        part.codec, part.sample_rate, part.channels
    )
}

/// The sound of one track of the result.
pub(super) fn of_slot(part: &Part, slot: usize) -> Option<&AudioPart> {
    part.audio.iter().find(|sound| sound.slot == slot)
}

/// Lays out the sound of one track of the result. `None` without any.
pub(super) fn audio_track(
    parts: &[Part],
    slot: usize,
    movie: u32,
) -> Result<Option<FileTrack>, CutError> {
    let sounds: Vec<&AudioPart> = parts.iter().filter_map(|p| of_slot(p, slot)).collect();
    let Some(first) = sounds.first() else {
        return Ok(None);
    };
    let differs = |other: &&&AudioPart| {
        (
            &other.codec,
            other.sample_rate,
            other.channels,
            &other.config,
        ) != (
            &first.codec,
            first.sample_rate,
            first.channels,
            &first.config,
        )
    };
    if let Some(other) = sounds.iter().find(differs) {
        return Err(CutError::AudioChanges {
            from: audio_format(first),
            to: audio_format(other),
        });
    }
    let timescale = first.sample_rate.max(1);
    let mut track = FileTrack {
        timescale,
        samples: Vec::new(),
        edits: Vec::new(),
        due: Vec::new(),
        in_band: false,
    };
    let mut base = 0i64;
    for (part, (start, end)) in parts.iter().zip(part_bounds(parts, movie)) {
        let Some(audio) = of_slot(part, slot) else {
            push_empty(&mut track.edits, end - start);
            continue;
        };
        let sound_start = (start + audio.delay.to_ticks(movie)).min(end);
        let sound_end = (start + (audio.delay + audio.duration).to_ticks(movie)).min(end);
        push_empty(&mut track.edits, sound_start - start);
        let first = track.samples.len();
        let mut at = 0i64;
        let mut due = Vec::with_capacity(audio.samples.len());
        for (duration, data) in &audio.samples {
            due.push(sound_start + rescale(at - audio.media_time, timescale, movie));
            track.samples.push(FileSample {
                duration: *duration,
                offset: 0,
                key: true,
                size: data.len() as u32,
                data: Data::Memory(data.clone()),
                units: None,
                sets: None,
                splice: false,
            });
            at += i64::from(*duration);
        }
        track.due.push((first, due));
        let duration = u64::try_from(sound_end - sound_start).unwrap_or(0);
        track.edits.push(Edit {
            duration,
            media_time: base + audio.media_time,
        });
        push_empty(&mut track.edits, end - sound_end);
        base += at;
    }
    Ok(Some(track))
}

/// Chunks of all tracks in the order they stand in the file: about half a second each, by the time
/// they are needed, and never across parts.
pub(super) fn interleave(tracks: &[FileTrack], movie: u32) -> Vec<FileChunk> {
    let half = i64::from(movie / 2).max(1);
    let mut chunks: Vec<(i64, FileChunk)> = Vec::new();
    for (number, track) in tracks.iter().enumerate() {
        for (first, due) in &track.due {
            let mut begin = 0;
            for index in 0..=due.len() {
                let ends = index == due.len() || due[index] - due[begin] >= half;
                if ends && index > begin {
                    let samples = first + begin..first + index;
                    chunks.push((
                        due[begin],
                        FileChunk {
                            track: number,
                            samples,
                        },
                    ));
                    begin = index;
                }
            }
        }
    }
    // Stable, and each track's chunks are already in order of time except across parts, whose
    // hidden samples reach back; so order by track position first.
    let mut out: Vec<FileChunk> = Vec::with_capacity(chunks.len());
    let mut queues: Vec<std::collections::VecDeque<(i64, FileChunk)>> = tracks
        .iter()
        .map(|_| std::collections::VecDeque::new())
        .collect();
    for (due, chunk) in chunks {
        let track = chunk.track;
        queues[track].push_back((due, chunk));
    }
    while let Some(next) = (0..queues.len())
        .filter(|track| !queues[*track].is_empty())
        .min_by_key(|track| queues[*track].front().map_or(i64::MAX, |(due, _)| *due))
    {
        out.extend(queues[next].pop_front().map(|(_, chunk)| chunk));
    }
    out
}

/// Whether the codec of a track needs sync samples listed.
pub(super) fn is_video(codec: &Codec) -> bool {
    matches!(codec, Codec::H264 | Codec::Hevc)
}
