//! A file of which only the places of the samples are in memory; their bytes are read when a
//! window asks for them.

use std::io;

use bytes::Bytes;
use matchcut_model::chunk::TrackNumber;
use matchcut_model::time::{FrameRate, MediaTime, TimeRange};

use super::Store;
use super::windows::{self, Group, Layout, Unplaced};
use crate::demux::rate::frame_rate;
use crate::mp4::sample_entry::SampleEntry;
use crate::mp4::sample_table::Place;
use crate::mp4::units::Normalizer;
use crate::samples::{AudioTrack, Demuxed, Sample, VideoTrack};

/// One track.
pub(super) struct Track {
    pub entry: SampleEntry,
    pub timescale: u32,
    pub language: Option<String>,
    /// The frame rate that the container states.
    pub frame_rate: Option<FrameRate>,
    /// Bytes that the container left out at the front of every sample.
    pub prefix: Bytes,
    /// Every sample in decode order.
    pub places: Vec<Place>,
}

/// Everything that can be read from the file.
pub(super) struct Index {
    pub video: Option<Track>,
    /// With their numbers.
    pub audio: Vec<(TrackNumber, Track)>,
    pub warnings: Vec<String>,
}

impl Track {
    fn time(&self, ticks: i64) -> MediaTime {
        MediaTime::from_ticks(ticks, self.timescale)
    }

    fn spans(&self) -> impl Iterator<Item = (MediaTime, MediaTime)> {
        self.places.iter().map(|place| {
            let end = place.pts.saturating_add(place.duration);
            (self.time(place.pts), self.time(end))
        })
    }

    fn data(&self, file: Store<'_>, place: &Place) -> io::Result<Bytes> {
        let mut data = vec![0; self.prefix.len() + place.size as usize];
        let (prefix, rest) = data.split_at_mut(self.prefix.len());
        prefix.copy_from_slice(&self.prefix);
        file.read_exact_at(rest, place.offset)?;
        Ok(data.into())
    }

    fn read<'a>(
        &self,
        file: Store<'_>,
        places: impl Iterator<Item = &'a Place>,
        normalizer: &mut Normalizer<'_>,
    ) -> io::Result<Vec<Sample>> {
        let mut samples = Vec::new();
        for place in places {
            let data = self.data(file, place)?;
            let times = (place.pts, place.dts, place.duration);
            samples.extend(normalizer.sample(data, times, place.sync));
        }
        Ok(samples)
    }
}

impl Index {
    /// Groups and span.
    pub(super) fn layout(&self) -> Result<Layout, Unplaced> {
        let video = self.video.iter();
        let groups = video.clone().flat_map(|track| {
            let samples = track.places.iter();
            windows::groups(samples.map(|place| (track.time(place.pts), place.sync)))
        });
        let audio = self.audio.iter().map(|(_, track)| track);
        Layout::new(groups.collect(), video.chain(audio).flat_map(Track::spans))
    }

    /// Reads the samples of a window. `first` also gives what was odd about the file.
    pub(super) fn read(
        &self,
        file: Store<'_>,
        groups: &[&Group],
        window: TimeRange,
        first: bool,
    ) -> io::Result<Demuxed> {
        let mut out = Demuxed::default();
        if first {
            out.warnings.clone_from(&self.warnings);
        }
        if let Some(track) = &self.video {
            let places = groups
                .iter()
                .filter_map(|group| track.places.get(group.samples.clone()))
                .flatten();
            let mut normalizer = Normalizer::new(&track.entry);
            let samples = track.read(file, places, &mut normalizer)?;
            let (reader, damaged) = normalizer.finish();
            if damaged > 0 {
                let warning = format!("video: {damaged} damaged samples");
                out.warnings.push(warning);
            }
            if !samples.is_empty() {
                out.video = Some(finish(track, reader.finish(track.timescale, samples)));
            }
        }
        for (number, track) in &self.audio {
            let places = track
                .places
                .iter()
                .filter(|place| window.contains(track.time(place.pts)));
            let mut normalizer = Normalizer::new(&track.entry);
            let samples = track.read(file, places, &mut normalizer)?;
            if !samples.is_empty() {
                out.audio.push(audio_track(*number, track, samples));
            }
        }
        Ok(out)
    }
}

/// What the container knows better than the stream.
fn finish(track: &Track, mut video: VideoTrack) -> VideoTrack {
    if video.width == 0 {
        (video.width, video.height) = (track.entry.width, track.entry.height);
    }
    video.pixel_aspect = track.entry.pixel_aspect.or(video.pixel_aspect);
    if track.frame_rate.is_some() {
        let rate = frame_rate(&video.samples, video.timescale, track.frame_rate);
        video.frame_rate = rate.or(video.frame_rate);
    }
    video
}

fn audio_track(number: TrackNumber, track: &Track, samples: Vec<Sample>) -> AudioTrack {
    let entry = &track.entry;
    AudioTrack {
        number,
        id: None,
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
