//! What must be decoded before a chunk so that its first frames and samples come out as in the
//! whole stream, and which of it may be left out.

use crate::samples::{AudioTrack, Codec, Demuxed, Sample, SyncKind, VideoTrack};

/// Whether [`super::decode`] can use the chunk before this one, for video or for audio.
pub fn needs_preroll(chunk: &Demuxed, video: bool, audio: bool) -> bool {
    (video && chunk.video.as_ref().is_some_and(video_needs_preroll))
        || (audio && !chunk.audio.is_empty())
}

fn video_needs_preroll(track: &VideoTrack) -> bool {
    track
        .samples
        .first()
        .is_some_and(|first| first.sync != SyncKind::Idr)
}

/// The samples of the chunk before that the first frames of `track` may refer to, in decode order.
pub(crate) fn of_video<'a>(track: &VideoTrack, before: Option<&'a VideoTrack>) -> Vec<&'a Sample> {
    let Some(before) = before.filter(|b| b.codec == track.codec && b.timescale == track.timescale)
    else {
        return Vec::new();
    };
    if !video_needs_preroll(track) {
        return Vec::new();
    }
    // Pictures that the chunk stores before its own first key frame belong to the last group before
    // it, or to that group's leading pictures, which refer to the group before that.
    let first_key = track.samples.iter().position(|s| s.sync.is_key());
    let orphans = &track.samples[..first_key.unwrap_or(track.samples.len())];
    let earliest = orphans.iter().map(|s| s.pts).min().unwrap_or(i64::MAX);
    let mut start = before
        .samples
        .iter()
        .rposition(|s| s.sync.is_key())
        .unwrap_or(0);
    let key = before.samples.get(start);
    if key.is_some_and(|k| k.sync == SyncKind::OpenGop && earliest < k.pts) {
        start = before.samples[..start]
            .iter()
            .rposition(|s| s.sync.is_key())
            .unwrap_or(0);
    }
    // Nothing refers to the others, and nobody will see them.
    before.samples[start..]
        .iter()
        .filter(|s| s.reference)
        .collect()
}

/// The last `count` frames of the chunk before, if they are of the same kind.
pub(crate) fn of_audio<'a>(
    track: &AudioTrack,
    before: Option<&'a AudioTrack>,
    count: usize,
) -> &'a [Sample] {
    let same = |b: &&AudioTrack| {
        b.codec == track.codec
            && b.sample_rate == track.sample_rate
            && b.channels == track.channels
            && (track.codec != Codec::Aac || b.config == track.config)
    };
    let samples = before
        .filter(same)
        .map_or(&[][..], |b| b.samples.as_slice());
    &samples[samples.len().saturating_sub(count)..]
}
