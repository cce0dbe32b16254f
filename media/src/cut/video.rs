//! The pictures of a cut: from the key frame that the first one needs to the last one in decode
//! order, on the frame grid of the source.

use std::collections::BTreeMap;

use bytes::Bytes;
use matchcut_model::time::{FrameRate, MediaTime, TimeRange};

use super::exact::Purpose;
use super::{CutChunk, CutError, OutSample, VideoPart};
use crate::bitstream::nal::annex_b_units;
use crate::bitstream::{h264, hevc};
use crate::demux::video::{Role, role};
use crate::samples::{Codec, ParameterSets, Sample, SyncKind, VideoTrack};

/// What is said of a cut that browsers cannot start decoding.
pub(super) const OPEN_START: &str =
    "starts at an open group of pictures that browsers cannot start decoding; render it for them";

/// The pictures of one part, and what there is to say of them.
pub(super) struct Selected {
    pub part: VideoPart,
    pub span: TimeRange,
    pub frames: u64,
    pub hidden: MediaTime,
    pub browser: bool,
    pub notes: Vec<String>,
}

/// A sample with its place on the event timeline.
#[derive(Clone, Copy)]
struct Placed<'a> {
    time: MediaTime,
    decode: MediaTime,
    sample: &'a Sample,
    track: &'a VideoTrack,
}

impl Placed<'_> {
    /// Whether it is shown in a range. Times of streams are rounded to ticks and marks may be those
    /// of the exact rate, so a frame less than a tick before a mark is the one at the mark.
    fn is_in(&self, range: TimeRange) -> bool {
        let time = self.time + MediaTime::from_ticks(1, self.track.timescale);
        time > range.start && !self.is_after(range)
    }

    fn is_after(&self, range: TimeRange) -> bool {
        self.time + MediaTime::from_ticks(1, self.track.timescale) > range.end
    }
}

/// Selects the samples of one stretch; `None` when no frame of it lies in the range.
pub(super) fn select(
    chunks: &[CutChunk<'_>],
    range: TimeRange,
    purpose: Purpose,
) -> Result<Option<Selected>, CutError> {
    let all: Vec<Placed<'_>> = chunks
        .iter()
        .filter_map(|chunk| Some((chunk.offset, chunk.demuxed.video.as_ref()?)))
        .flat_map(|(offset, track)| {
            track.samples.iter().map(move |sample| Placed {
                time: MediaTime::from_ticks(sample.pts, track.timescale) + offset,
                decode: MediaTime::from_ticks(sample.dts, track.timescale) + offset,
                sample,
                track,
            })
        })
        .collect();
    let shown = |placed: &&Placed<'_>| placed.is_in(range);
    let Some(first_time) = all.iter().filter(shown).map(|placed| placed.time).min() else {
        return Ok(None);
    };
    let frames = all.iter().filter(shown).count() as u64;
    let last_time = all
        .iter()
        .filter(shown)
        .map(|p| p.time)
        .max()
        .unwrap_or(first_time);

    // A frame may be stored after a key frame that is shown later, so times decide, not places.
    // What is stored behind the first frame cannot start it, whatever its time says.
    let first_at = all
        .iter()
        .position(|placed| placed.time == first_time)
        .unwrap_or(0);
    let key = all[..=first_at]
        .iter()
        .rposition(|placed| placed.sample.sync.is_key() && placed.time <= first_time)
        .ok_or(CutError::NoKeyFrame {
            first_frame: first_time,
        })?;
    let last = all.iter().rposition(|placed| shown(&placed)).unwrap_or(key);
    let run = &all[key..=last];
    let codec = run[0].track.codec.clone();
    let known = matches!(codec, Codec::H264 | Codec::Hevc);
    if purpose == Purpose::Copy && !known {
        return Err(CutError::Codec {
            what: "video",
            codec,
        });
    }
    if let Some(other) = run.iter().find(|placed| placed.track.codec != codec) {
        return Err(CutError::VideoChanges {
            from: codec,
            to: other.track.codec.clone(),
        });
    }
    let kept: Vec<Placed<'_>> = run
        .iter()
        .enumerate()
        .filter(|(index, placed)| *index == 0 || is_needed(placed, &run[0], range, &codec))
        .map(|(_, placed)| *placed)
        .collect();

    let grid = run[0]
        .track
        .frame_rate
        .and_then(|rate| Some((rate, on_grid(&kept, rate)?)));
    let frame = frame_duration(&kept, run[0].track);
    let next = all
        .iter()
        .map(|p| p.time)
        .filter(|time| *time > last_time)
        .min();
    let end = match next {
        Some(next) if next - last_time < frame + frame => next,
        // At a variable rate a frame stays until the next one.
        Some(next) if grid.is_none() => next.min(range.end),
        None if grid.is_none() => (last_time + lasts(&all, last_time)).min(range.end),
        _ => last_time + frame,
    };
    let mut notes = Vec::new();
    let gap = match grid {
        Some(_) => frame.times(8),
        None => frame.times(8).max(MediaTime::from_seconds(2)),
    };
    if let Some(pair) = run
        .windows(2)
        .find(|pair| pair[1].decode - pair[0].decode > gap)
    {
        notes.push(format!("pictures are missing at {}", pair[0].decode));
    }
    let key_idr = run[0].sample.sync == SyncKind::Idr;
    let mmco = run.iter().any(|placed| placed.track.mmco);
    let browser = key_idr || !mmco;
    let mut sizes: Vec<(u32, u32)> = kept
        .iter()
        .map(|placed| (placed.track.width, placed.track.height))
        .collect();
    sizes.dedup();
    if codec == Codec::Hevc {
        notes.push(
            "HEVC plays only where the system has a decoder for it; render for others".into(),
        );
    } else if !browser {
        notes.push(OPEN_START.into());
    }
    let (sets, sets_change) = match known {
        true => parameter_sets(&all[..=key], &kept, &codec).ok_or(CutError::NoParameterSets {
            key_frame: run[0].time,
        })?,
        false => (ParameterSets::default(), false),
    };
    let mut part = VideoPart {
        sizes,
        ..timed_part(&kept, grid, first_time, frame, &codec, (sets, sets_change))
    };
    make_room(&mut part);
    let hidden = first_time - run[0].time;
    let span = TimeRange::new(first_time, end);
    Ok(Some(Selected {
        part,
        span,
        frames,
        hidden,
        browser,
        notes,
    }))
}

/// Whether a sample must be in the file. What nothing refers to and nobody sees can go. Of the
/// pictures before the key frame, H.264 references stay, because a hole in frame_num would make
/// decoders invent frames.
fn is_needed(placed: &Placed<'_>, key: &Placed<'_>, range: TimeRange, codec: &Codec) -> bool {
    let sample = placed.sample;
    if placed.time < key.time {
        return *codec == Codec::H264 && sample.reference;
    }
    !placed.is_after(range) || sample.reference
}

/// Duration of one frame: of the rate, else the smallest distance of two neighbours.
fn frame_duration(kept: &[Placed<'_>], track: &VideoTrack) -> MediaTime {
    if let Some(rate) = track.frame_rate {
        return rate.frame_duration();
    }
    let mut times: Vec<MediaTime> = kept.iter().map(|placed| placed.time).collect();
    times.sort_unstable();
    let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
    let smallest = steps.filter(|step| *step > MediaTime::ZERO).min();
    smallest.unwrap_or(MediaTime::from_millis(40))
}

/// How long the sample that is shown at `time` lasts, as its container says; else 40 ms.
fn lasts(all: &[Placed<'_>], time: MediaTime) -> MediaTime {
    let placed = all.iter().find(|placed| placed.time == time);
    placed
        .map(|p| MediaTime::from_ticks(p.sample.duration, p.track.timescale))
        .filter(|duration| *duration > MediaTime::ZERO)
        .unwrap_or(MediaTime::from_millis(40))
}

/// Numbers of the frames on the grid of the rate, counted from the first sample; `None` when a
/// frame lies further from the grid than the timestamps were rounded.
fn on_grid(kept: &[Placed<'_>], rate: FrameRate) -> Option<Vec<i64>> {
    let base = kept.first()?.time;
    kept.iter()
        .map(|placed| {
            let tick = MediaTime::from_ticks(1, placed.track.timescale);
            let distance = placed.time - base;
            let half = MediaTime::from_flicks(rate.frame_duration().flicks() / 2);
            let number = rate.frame_at(distance + half);
            let off = (rate.time_of(number) - distance).abs();
            (off <= tick).then_some(number)
        })
        .collect()
}

fn timed_part(
    kept: &[Placed<'_>],
    grid: Option<(FrameRate, Vec<i64>)>,
    first_time: MediaTime,
    frame: MediaTime,
    codec: &Codec,
    (sets, sets_change): (ParameterSets, bool),
) -> VideoPart {
    let track = kept[0].track;
    let base = kept[0].time;
    let frame_rate = grid.as_ref().map(|(rate, _)| *rate).or(track.frame_rate);
    let (timescale, unit, mut pts, mut dts): (u32, i64, Vec<i64>, Vec<i64>) = match grid {
        Some((rate, numbers)) => {
            let unit = i64::from(rate.den);
            let pts = numbers.iter().map(|number| number * unit).collect();
            let half = MediaTime::from_flicks(frame.flicks() / 2);
            let decode = |p: &Placed<'_>| rate.frame_at(p.decode - base + half) * unit;
            (rate.num, unit, pts, kept.iter().map(decode).collect())
        }
        None => {
            let scale = track.timescale;
            let ticks = |time: MediaTime| (time - base).to_ticks(scale);
            let pts = kept.iter().map(|p| ticks(p.time)).collect();
            let dts = kept.iter().map(|p| ticks(p.decode)).collect();
            (scale, frame.to_ticks(scale).max(1), pts, dts)
        }
    };
    let increases = dts.windows(2).all(|pair| pair[0] < pair[1]);
    let causal = dts.iter().zip(&pts).all(|(dts, pts)| dts <= pts);
    if !increases || !causal {
        dts = rebuilt_dts(&pts);
    }
    let shift = dts.first().copied().unwrap_or(0);
    dts.iter_mut()
        .chain(&mut pts)
        .for_each(|time| *time -= shift);
    let media_time = kept
        .iter()
        .zip(&pts)
        .find(|(placed, _)| placed.time == first_time)
        .map_or(0, |(_, pts)| *pts);
    let samples = kept
        .iter()
        .zip(pts.iter().zip(&dts))
        .enumerate()
        .map(|(index, (placed, (pts, dts)))| OutSample {
            dts: *dts,
            pts: *pts,
            // Open groups inside are not listed: demuxers would start at them too late.
            key: index == 0 || placed.sample.sync == SyncKind::Idr,
            sync: placed.sample.sync,
            splice: false,
            data: placed.sample.data.clone(),
        })
        .collect();
    VideoPart {
        codec: codec.clone(),
        timescale,
        last_duration: unit,
        samples,
        media_time,
        sets,
        sets_change,
        width: track.width,
        height: track.height,
        sizes: Vec::new(),
        frame_rate,
        pixel_aspect: track.pixel_aspect,
        open_start: kept[0].sample.sync != SyncKind::Idr,
        seamless: false,
        room: 0,
    }
}

/// GStreamer (1.22) gives every frame the duration of the rate that the parameter sets or else the
/// average of the file say, and shows the last hidden frame when that reaches into the first one that
/// is shown. Where it would, what is shown is moved away from what is hidden.
fn make_room(part: &mut VideoPart) {
    let hidden = part.samples.iter().map(|s| s.pts);
    let Some(last_hidden) = hidden.filter(|pts| *pts < part.media_time).max() else {
        return;
    };
    let own = part.media_time - last_hidden;
    let said = part.sets.sps.first().and_then(|sps| match part.codec {
        Codec::Hevc => hevc::parse_sps(sps)?.frame_rate,
        _ => h264::parse_sps(sps)?.frame_rate,
    });
    let ticks = |rate: FrameRate| rate.frame_duration().to_ticks(part.timescale);
    if said.map(ticks) == Some(own) {
        return;
    }
    // As its demuxer reckons: without the first sample.
    let end = part.samples.iter().map(|s| s.pts.max(s.dts)).max();
    let total = end.unwrap_or(0) + part.last_duration;
    let first = part.samples.get(1).map_or(0, |second| second.dts);
    let count = (part.samples.len() as i64 - 1).max(1);
    let average = (total - first + count - 1) / count;
    let assumed = average.max(said.map_or(0, ticks));
    if assumed <= own {
        return;
    }
    let unit = part.last_duration.max(1);
    part.room = (2 * assumed + unit) / unit * unit;
    for sample in &mut part.samples {
        if sample.pts >= part.media_time {
            sample.pts += part.room;
        }
    }
    part.media_time += part.room;
}

/// Decoding times from presentation times: the same values in order, early enough for all.
pub(super) fn rebuilt_dts(pts: &[i64]) -> Vec<i64> {
    let mut order = pts.to_vec();
    order.sort_unstable();
    for index in 1..order.len() {
        order[index] = order[index].max(order[index - 1] + 1);
    }
    let delay = order
        .iter()
        .zip(pts)
        .map(|(dts, pts)| dts - pts)
        .max()
        .unwrap_or(0)
        .max(0);
    order.into_iter().map(|dts| dts - delay).collect()
}

/// Kind and id of a parameter set.
fn set_id(codec: &Codec, unit: &[u8]) -> Option<(u8, u32)> {
    let (kind, id_at) = if *codec == Codec::Hevc {
        let kind = hevc::unit_type(unit);
        match kind {
            hevc::unit::VPS => return Some((kind, u32::from(unit.get(2)? >> 4))),
            hevc::unit::SPS => return Some((kind, hevc::parse_sps(unit)?.id)),
            _ => (kind, 2),
        }
    } else {
        let kind = h264::unit_type(unit);
        (kind, if kind == h264::unit::SPS { 4 } else { 1 })
    };
    let payload = crate::bitstream::nal::rbsp(unit.get(id_at..)?, 8);
    Some((kind, crate::bitstream::bits::BitReader::new(&payload).ue()?))
}

pub(super) type Sets = BTreeMap<(u8, u32), Bytes>;

/// Takes the parameter sets of a sample; true when one replaces a different one.
pub(super) fn take_sets(sets: &mut Sets, codec: &Codec, data: &[u8]) -> bool {
    let mut replaced = false;
    for unit in annex_b_units(data).filter(|unit| role(codec, unit) == Role::Parameters) {
        let Some(id) = set_id(codec, unit) else {
            continue;
        };
        match sets.get(&id) {
            Some(known) if known[..] == *unit => {}
            known => {
                replaced |= known.is_some();
                sets.insert(id, Bytes::copy_from_slice(unit));
            }
        }
    }
    replaced
}

/// The sets that hold at the key frame with those that come later under other ids, and whether
/// one changes later. `before` ends with the key frame.
fn parameter_sets(
    before: &[Placed<'_>],
    kept: &[Placed<'_>],
    codec: &Codec,
) -> Option<(ParameterSets, bool)> {
    let mut sets = Sets::new();
    let complete = |sets: &Sets| as_parameter_sets(sets, codec).is_complete(codec);
    // The newest key frame that carries them; usually the first one looked at.
    for placed in before
        .iter()
        .rev()
        .filter(|placed| placed.sample.sync.is_key())
    {
        let mut found = Sets::new();
        take_sets(&mut found, codec, &placed.sample.data);
        for (id, set) in found {
            sets.entry(id).or_insert(set);
        }
        if complete(&sets) {
            break;
        }
    }
    if !complete(&sets) {
        take_sets(
            &mut sets,
            codec,
            &before.last()?.track.parameter_sets.annex_b(),
        );
    }
    if !complete(&sets) {
        return None;
    }
    let start = as_parameter_sets(&sets, codec);
    let mut changed = false;
    for placed in kept {
        changed |= take_sets(&mut sets, codec, &placed.sample.data);
    }
    let sets = if changed {
        start
    } else {
        as_parameter_sets(&sets, codec)
    };
    Some((sets, changed))
}

pub(super) fn as_parameter_sets(sets: &Sets, codec: &Codec) -> ParameterSets {
    let of = |kind: u8| {
        sets.iter()
            .filter(|((k, _), _)| *k == kind)
            .map(|(_, set)| set.clone())
            .collect()
    };
    if *codec == Codec::Hevc {
        ParameterSets {
            vps: of(hevc::unit::VPS),
            sps: of(hevc::unit::SPS),
            pps: of(hevc::unit::PPS),
        }
    } else {
        ParameterSets {
            vps: Vec::new(),
            sps: of(h264::unit::SPS),
            pps: of(h264::unit::PPS),
        }
    }
}
