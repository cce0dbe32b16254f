//! Writing what was encoded from the first frame to the last: the tables in front of the samples,
//! which lie in a file of their own until then.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use matchcut_model::time::FrameRate;

use super::CutError;
use super::layout::{Data, Edit, FileSample, FileTrack, common};
use super::write::{Description, describe, pack_language, write_tracks};
use crate::mp4::describe as entries;
use crate::samples::{Codec, ParameterSets};

/// One encoded picture in the spool, in decode order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spooled {
    /// Place in order of presentation.
    pub place: u64,
    pub key: bool,
    /// Where it begins: units with a length of four bytes each.
    pub at: u64,
    pub size: u32,
}

/// All pictures.
pub(crate) struct RenderedPictures {
    pub rate: FrameRate,
    pub sets: ParameterSets,
    pub size: (u32, u32),
    pub pictures: Vec<Spooled>,
    pub spool: Arc<File>,
}

/// One audio track.
pub(crate) struct RenderedSound {
    pub rate: u32,
    pub channels: u32,
    pub language: Option<String>,
    /// AudioSpecificConfig.
    pub config: Bytes,
    /// Frames of 1024 samples.
    pub frames: Vec<Bytes>,
    /// Samples before the first one that is heard.
    pub priming: i64,
    /// Samples that are heard.
    pub length: i64,
}

/// Samples in a frame of AAC-LC.
const FRAME: u32 = 1024;

/// Writes the movie.
pub(crate) fn write_rendered(
    video: &RenderedPictures,
    sounds: &[RenderedSound],
    out: &mut impl Write,
) -> Result<(), CutError> {
    let scales = sounds.iter().map(|sound| sound.rate);
    let movie = common(scales.chain([video.rate.num])).unwrap_or(90_000);
    let mut tracks = vec![video_track(video, movie)];
    let entry = entries::video(&Codec::H264, &video.sets, video.size, None, false);
    let mut descriptions = vec![Description {
        entry: entry.ok_or(CutError::Codec {
            what: "video",
            codec: Codec::H264,
        })?,
        video: true,
        roll: false,
        size: video.size,
        language: pack_language(None),
        reference: Vec::new(),
    }];
    for sound in sounds {
        tracks.push(audio_track(sound, movie));
        descriptions.push(describe(
            &Codec::Aac,
            &sound.config,
            (sound.rate, sound.channels),
            &[],
            sound.language.as_deref(),
        )?);
    }
    write_tracks(&tracks, descriptions, movie, None, out)
}

fn to_movie(ticks: i64, scale: u32, movie: u32) -> i64 {
    let scaled = i128::from(ticks) * i128::from(movie);
    let scale = i128::from(scale.max(1));
    i64::try_from((scaled + scale / 2).div_euclid(scale)).unwrap_or(0)
}

fn video_track(video: &RenderedPictures, movie: u32) -> FileTrack {
    let (scale, unit) = (video.rate.num, video.rate.den);
    // How much earlier everything is decoded than its number says.
    let delay = (0i64..)
        .zip(&video.pictures)
        .map(|(index, picture)| index - i64::try_from(picture.place).unwrap_or(i64::MAX))
        .max()
        .unwrap_or(0)
        .max(0);
    let unit64 = i64::from(unit);
    let mut samples = Vec::with_capacity(video.pictures.len());
    let mut due = Vec::with_capacity(video.pictures.len());
    for (index, picture) in (0i64..).zip(&video.pictures) {
        let decoded = index - delay;
        let place = i64::try_from(picture.place).unwrap_or(i64::MAX);
        let offset = u32::try_from((place - decoded) * unit64).unwrap_or(0);
        let data = Data::Spool(Arc::clone(&video.spool), picture.at);
        samples.push(FileSample::plain(
            unit,
            offset,
            picture.key,
            picture.size,
            data,
        ));
        due.push(to_movie(decoded * unit64, scale, movie));
    }
    let shown = to_movie(video.pictures.len() as i64 * unit64, scale, movie);
    FileTrack {
        timescale: scale,
        samples,
        edits: vec![Edit {
            duration: u64::try_from(shown).unwrap_or(0),
            media_time: delay * unit64,
        }],
        due: vec![(0, due)],
        in_band: false,
    }
}

fn audio_track(sound: &RenderedSound, movie: u32) -> FileTrack {
    let mut samples = Vec::with_capacity(sound.frames.len());
    let mut due = Vec::with_capacity(sound.frames.len());
    for (index, frame) in (0i64..).zip(&sound.frames) {
        let data = Data::Memory(frame.clone());
        samples.push(FileSample::plain(FRAME, 0, true, frame.len() as u32, data));
        let at = index * i64::from(FRAME) - sound.priming;
        due.push(to_movie(at, sound.rate, movie));
    }
    let heard = to_movie(sound.length, sound.rate, movie);
    FileTrack {
        timescale: sound.rate,
        samples,
        edits: vec![Edit {
            duration: u64::try_from(heard).unwrap_or(0),
            media_time: sound.priming,
        }],
        due: vec![(0, due)],
        in_band: false,
    }
}
