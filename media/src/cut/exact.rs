//! Choosing what goes into an exact cut: the range is divided at discontinuities of the timeline,
//! and every part takes its pictures, its sound and the hidden samples that both need.

use matchcut_model::chunk::TrackNumber;
use matchcut_model::time::{MediaTime, TimeRange};

use super::audio::Slot;
use super::{AudioPart, Cut, CutChunk, CutError, CutReport, Part, audio, video};
use crate::samples::Codec;

/// What a selection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The samples go into a file as they are, so the file must be able to hold them.
    Copy,
    /// They are decoded, so every codec and every change will do.
    Decode,
}

/// Cuts the frames with `range.start <= time < range.end`. `chunks` are in order, cover the range,
/// and should include one chunk more on each side: a frame may be stored in the chunk after its
/// time, and its key frame in the chunk before. `tracks` are the audio tracks in the order of the
/// result, `None` for all that there are; with an empty list there is no sound.
pub fn exact(
    chunks: &[CutChunk<'_>],
    range: TimeRange,
    tracks: Option<&[TrackNumber]>,
) -> Result<Cut, CutError> {
    select(chunks, range, tracks, Purpose::Copy)
}

/// The same selection for decoding ([`crate::render`]): it may hold what no file could, such as
/// codecs that MP4 has no place for and sound whose format changes. Writing it as it is may fail.
pub fn to_decode(
    chunks: &[CutChunk<'_>],
    range: TimeRange,
    tracks: Option<&[TrackNumber]>,
) -> Result<Cut, CutError> {
    select(chunks, range, tracks, Purpose::Decode)
}

fn select(
    chunks: &[CutChunk<'_>],
    range: TimeRange,
    tracks: Option<&[TrackNumber]>,
    purpose: Purpose,
) -> Result<Cut, CutError> {
    let slots = choose_tracks(chunks, tracks)?;
    let mut report = CutReport {
        first_frame_time: None,
        frames: 0,
        start: range.start,
        end: range.end,
        max_error_frames: 0,
        encoded_frames: 0,
        hidden_video: MediaTime::ZERO,
        hidden_audio: MediaTime::ZERO,
        browser: true,
        notes: Vec::new(),
    };
    let mut parts = Vec::new();
    let mut bounds: Option<TimeRange> = None;
    let codec = |chunk: &CutChunk<'_>| chunk.demuxed.video.as_ref().map(|v| v.codec.clone());
    let together = |a: &CutChunk<'_>, b: &CutChunk<'_>| {
        a.stretch == b.stretch && (purpose == Purpose::Copy || codec(a) == codec(b))
    };
    for stretch in chunks.chunk_by(together) {
        let Some((part, span)) = cut_part(stretch, range, &slots, purpose, &mut report)? else {
            continue;
        };
        bounds = Some(TimeRange::new(
            bounds.map_or(span.start, |all| all.start),
            span.end,
        ));
        parts.push(part);
    }
    let bounds = bounds.ok_or(CutError::Empty(range))?;
    (report.start, report.end) = (bounds.start, bounds.end);
    if parts.len() > 1 {
        report.notes.push(format!(
            "the range crosses {} discontinuities; it is joined of {} parts",
            parts.len() - 1,
            parts.len()
        ));
    }
    for slot in &slots {
        if parts
            .iter()
            .any(|part| part.audio.iter().any(|sound| sound.slot == slot.slot))
        {
            continue;
        }
        report.notes.push(if slots.len() > 1 {
            format!("no sound of track {} in this range", slot.number)
        } else {
            "no sound in this range".into()
        });
    }
    let videos = || parts.iter().filter_map(|part| part.video.as_ref());
    if videos().any(|video| video.sets_change) {
        report.notes.push(
            "the parameter sets of the video change inside; they are kept in the samples".into(),
        );
    }
    let mut sizes: Vec<(u32, u32)> = videos().flat_map(|v| v.sizes.iter().copied()).collect();
    sizes.dedup();
    if purpose == Purpose::Copy && sizes.len() > 1 {
        let sizes: Vec<String> = sizes.iter().map(|(w, h)| format!("{w}x{h}")).collect();
        report.notes.push(format!(
            "the pictures change their size inside ({}); render it for one size",
            sizes.join(", ")
        ));
    }
    Ok(Cut { parts, report })
}

/// The tracks to cut: those that were asked for, else all; none without sound.
fn choose_tracks(
    chunks: &[CutChunk<'_>],
    asked: Option<&[TrackNumber]>,
) -> Result<Vec<Slot>, CutError> {
    let mut found: Vec<TrackNumber> = chunks
        .iter()
        .flat_map(|chunk| &chunk.demuxed.audio)
        .map(|track| track.number)
        .collect();
    found.sort_unstable();
    found.dedup();
    let missing = |number: &&TrackNumber| !found.is_empty() && !found.contains(number);
    if let Some(&asked) = asked.unwrap_or_default().iter().find(missing) {
        let numbers: Vec<String> = found.iter().map(TrackNumber::to_string).collect();
        return Err(CutError::NoTrack {
            asked,
            available: numbers.join(", "),
        });
    }
    let mut wanted: Vec<TrackNumber> = Vec::new();
    for number in asked.unwrap_or(&found) {
        if found.contains(number) && !wanted.contains(number) {
            wanted.push(*number);
        }
    }
    let slots = wanted.into_iter().enumerate();
    Ok(slots.map(|(slot, number)| Slot { slot, number }).collect())
}

/// The part of the cut that lies in one stretch, with its place on the event timeline.
fn cut_part(
    chunks: &[CutChunk<'_>],
    range: TimeRange,
    slots: &[Slot],
    purpose: Purpose,
    report: &mut CutReport,
) -> Result<Option<(Part, TimeRange)>, CutError> {
    let video = video::select(chunks, range, purpose)?;
    // The picture leads: the sound begins and ends with the frames.
    let wanted = video.as_ref().map_or(range, |video| video.span);
    let mut sounds = Vec::new();
    for slot in slots {
        sounds.extend(audio::select(chunks, wanted, *slot, purpose)?);
    }
    let has_video = chunks.iter().any(|chunk| chunk.demuxed.video.is_some());
    let heard = sounds
        .iter()
        .map(|sound| sound.span)
        .reduce(|a, b| TimeRange::new(a.start.min(b.start), a.end.max(b.end)));
    let span = match (&video, heard) {
        (Some(video), _) => video.span,
        // Sound beyond the first or last frame of a stretch is not part of a clip with pictures.
        (None, Some(_)) if has_video => return Ok(None),
        (None, Some(heard)) => heard,
        (None, None) => return Ok(None),
    };
    if let Some(video) = &video {
        report.first_frame_time.get_or_insert(video.span.start);
        report.frames += video.frames;
        report.hidden_video += video.hidden;
        report.browser &= video.part.codec == Codec::H264 && video.browser;
        report.notes.extend(video.notes.iter().cloned());
    }
    let several = slots.len() > 1;
    for sound in &sounds {
        let number = sound.part.number;
        report
            .notes
            .extend(sound.notes.iter().map(|note| match several {
                true => format!("track {number}: {note}"),
                false => note.clone(),
            }));
    }
    report.hidden_audio += sounds
        .iter()
        .map(|sound| sound.hidden)
        .max()
        .unwrap_or_default();
    // Without pictures the sound is the clip, and starts where it starts.
    let placed = |sound: audio::Selected| AudioPart {
        delay: sound.span.start - span.start,
        ..sound.part
    };
    let part = Part {
        video: video.map(|video| video.part),
        audio: sounds.into_iter().map(placed).collect(),
        duration: span.duration(),
    };
    Ok(Some((part, span)))
}
