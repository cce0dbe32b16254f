//! Choosing what goes into an exact cut: the range is divided at discontinuities of the timeline,
//! and every part takes its pictures, its sound and the hidden samples that both need.

use matchcut_model::chunk::TrackNumber;
use matchcut_model::time::{MediaTime, TimeRange};

use super::{Cut, CutChunk, CutError, CutReport, Part, audio, video};
use crate::samples::Codec;

/// Cuts the frames with `range.start <= time < range.end`. `chunks` are in order, cover the range,
/// and should include one chunk more on each side: a frame may be stored in the chunk after its
/// time, and its key frame in the chunk before. `track` is the audio track, the first by default.
pub fn exact(
    chunks: &[CutChunk<'_>],
    range: TimeRange,
    track: Option<TrackNumber>,
) -> Result<Cut, CutError> {
    let track = choose_track(chunks, track)?;
    let mut report = CutReport {
        first_frame_time: None,
        frames: 0,
        start: range.start,
        end: range.end,
        max_error_frames: 0,
        hidden_video: MediaTime::ZERO,
        hidden_audio: MediaTime::ZERO,
        browser: true,
        notes: Vec::new(),
    };
    let mut parts = Vec::new();
    let mut bounds: Option<TimeRange> = None;
    for stretch in chunks.chunk_by(|a, b| a.stretch == b.stretch) {
        let Some((part, span)) = cut_part(stretch, range, track, &mut report)? else {
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
    let has_video = parts.iter().any(|part| part.video.is_some());
    let has_audio = parts.iter().any(|part| part.audio.is_some());
    if !has_audio && track.is_some() {
        report.notes.push("no sound in this range".into());
    }
    if has_video
        && parts
            .iter()
            .any(|p| p.video.as_ref().is_some_and(|v| v.sets_change))
    {
        report.notes.push(
            "the parameter sets of the video change inside; they are kept in the samples".into(),
        );
    }
    Ok(Cut { parts, report })
}

/// The track to cut: what was asked for if it is there, else the first; none without sound.
fn choose_track(
    chunks: &[CutChunk<'_>],
    asked: Option<TrackNumber>,
) -> Result<Option<TrackNumber>, CutError> {
    let mut found: Vec<TrackNumber> = chunks
        .iter()
        .flat_map(|chunk| &chunk.demuxed.audio)
        .map(|track| track.number)
        .collect();
    found.sort_unstable();
    found.dedup();
    match asked {
        Some(asked) if !found.is_empty() && !found.contains(&asked) => {
            let numbers: Vec<String> = found.iter().map(TrackNumber::to_string).collect();
            Err(CutError::NoTrack {
                asked,
                available: numbers.join(", "),
            })
        }
        Some(asked) => Ok(found.contains(&asked).then_some(asked)),
        None => Ok(found.first().copied()),
    }
}

/// The part of the cut that lies in one stretch, with its place on the event timeline.
fn cut_part(
    chunks: &[CutChunk<'_>],
    range: TimeRange,
    track: Option<TrackNumber>,
    report: &mut CutReport,
) -> Result<Option<(Part, TimeRange)>, CutError> {
    let video = video::select(chunks, range)?;
    // The picture leads: the sound begins and ends with the frames.
    let wanted = video.as_ref().map_or(range, |video| video.span);
    let sound = match track {
        Some(track) => audio::select(chunks, wanted, track)?,
        None => None,
    };
    let has_video = chunks.iter().any(|chunk| chunk.demuxed.video.is_some());
    let span = match (&video, &sound) {
        (Some(video), _) => video.span,
        // Sound beyond the first or last frame of a stretch is not part of a clip with pictures.
        (None, Some(_)) if has_video => return Ok(None),
        (None, Some(sound)) => sound.span,
        (None, None) => return Ok(None),
    };
    if let Some(video) = &video {
        report.first_frame_time.get_or_insert(video.span.start);
        report.frames += video.frames;
        report.hidden_video += video.hidden;
        report.browser &= video.part.codec == Codec::H264 && video.browser;
        report.notes.extend(video.notes.iter().cloned());
    }
    if let Some(sound) = &sound {
        report.hidden_audio += sound.hidden;
        report.notes.extend(sound.notes.iter().cloned());
    }
    // Without pictures the sound is the clip, and starts where it starts.
    let audio = sound.map(|sound| {
        let mut part = sound.part;
        if video.is_none() {
            part.delay = MediaTime::ZERO;
        }
        part
    });
    let part = Part {
        video: video.map(|video| video.part),
        audio,
        duration: span.duration(),
    };
    Ok(Some((part, span)))
}
