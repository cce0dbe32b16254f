//! The pictures of a run of samples, one after the other in order of presentation, as the decoder
//! gives them: what is encoded again starts here.

use std::time::Duration;

use gstreamer as gst;
use gstreamer_video::VideoInfo;

use super::order::Ordered;
use super::run::{self, Setup, Unit};
use super::{Deadline, DecodeError, codec};
use crate::init;
use crate::samples::VideoTrack;
use crate::view::UnsupportedFormat;

/// Decoding that is not watched by the caller's clock ends after this all the same.
const TIME_LIMIT: Duration = Duration::from_secs(24 * 3600);

/// A decoded picture.
pub(crate) struct Picture<'a> {
    /// Index of its sample in the track.
    pub sample: usize,
    /// Format.
    pub caps: &'a gst::Caps,
    /// The same, taken apart.
    pub info: &'a VideoInfo,
    /// Pixels.
    pub buffer: &'a gst::Buffer,
}

/// Decodes all samples of `track`, which begins at a key frame, and hands every picture to `emit`.
/// With [`DecodeError::Stopped`] it ends decoding. Returns what the decoder complained about.
pub(crate) fn pictures(
    track: &VideoTrack,
    mut emit: impl FnMut(Picture<'_>) -> Result<(), DecodeError>,
) -> Result<Option<String>, DecodeError> {
    init::init()?;
    let mut units: Vec<Unit<'_>> = track
        .samples
        .iter()
        .map(|sample| Unit {
            sample,
            prefix: Vec::new(),
        })
        .collect();
    if let Some(first) = units.first_mut() {
        first.prefix = track.parameter_sets.annex_b();
    }
    let setup = Setup {
        element: codec::choose_video(track)?,
        caps: codec::video_caps(track),
        threads: 1,
        max_errors: -1,
    };
    let mut shown: Vec<usize> = (0..track.samples.len()).collect();
    shown.sort_by_key(|index| track.samples[*index].pts);
    let mut ranks = vec![0; shown.len()];
    for (rank, index) in shown.iter().enumerate() {
        ranks[*index] = rank;
    }
    let mut ordered = Ordered::new();
    let mut format: Option<(gst::Caps, VideoInfo)> = None;
    let mut give = |rank: usize, (caps, buffer): (gst::Caps, gst::Buffer)| {
        if format.as_ref().is_none_or(|(known, _)| *known != caps) {
            let info =
                VideoInfo::from_caps(&caps).map_err(|_| UnsupportedFormat(caps.to_string()))?;
            format = Some((caps, info));
        }
        let Some((caps, info)) = &format else {
            return Ok(());
        };
        let sample = shown[rank];
        let buffer = &buffer;
        emit(Picture {
            sample,
            caps,
            info,
            buffer,
        })
    };
    let said = run::run(&setup, &units, Deadline::after(TIME_LIMIT), |decoded| {
        if let Some(unit) = decoded.unit {
            ordered.add(ranks[unit], (decoded.caps, decoded.buffer));
        }
        while let Some((rank, picture)) = ordered.next(false) {
            give(rank, picture)?;
        }
        Ok(())
    })?;
    while let Some((rank, picture)) = ordered.next(true) {
        give(rank, picture)?;
    }
    Ok(said)
}
