//! Master playlists: the streams of one programme in several qualities.

use m3u8_rs::AlternativeMediaType;

use super::attributes::attribute;
use super::{Line, LineProblem};
use crate::config::Variant;

/// One stream.
#[derive(Clone, Debug, PartialEq)]
pub struct VariantStream {
    /// The line of its tag.
    pub line: usize,
    /// As it stands in the playlist.
    pub uri: String,
    /// Bits a second at the peak.
    pub bandwidth: u64,
    /// Width and height.
    pub size: Option<(u64, u64)>,
    /// Whether it is known to have no video.
    pub audio_only: bool,
    /// The names of audio playlists that belong to it, when its sound is in separate playlists
    /// only.
    pub separate_audio: Vec<String>,
}

/// A list of streams.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MasterPlaylist {
    /// In the order of the playlist.
    pub variants: Vec<VariantStream>,
    /// Lines that could not be used.
    pub problems: Vec<LineProblem>,
}

/// An entry of an audio group.
struct Audio {
    group: String,
    name: String,
    separate: bool,
}

/// m3u8-rs reads each tag by itself: a tag it cannot read would give its URI to the one before.
pub(super) fn read(lines: &[Line<'_>]) -> MasterPlaylist {
    let mut playlist = MasterPlaylist::default();
    let mut audio: Vec<Audio> = Vec::new();
    let mut groups: Vec<Option<String>> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if line.tag("#EXT-X-MEDIA").is_some() {
            let parsed = parse_one(line.text, "");
            match parsed
                .as_ref()
                .and_then(|parsed| parsed.alternatives.first())
            {
                Some(media) if media.media_type == AlternativeMediaType::Audio => {
                    audio.push(Audio {
                        group: media.group_id.clone(),
                        name: media.name.clone(),
                        separate: media.uri.is_some(),
                    });
                }
                Some(_) => {}
                None => playlist
                    .problems
                    .push(line.problem("a rendition that is not complete")),
            }
        }
        let Some(attributes) = line.tag("#EXT-X-STREAM-INF") else {
            continue;
        };
        let next = lines[index + 1..]
            .iter()
            .find(|line| !line.text.starts_with('#') || line.text.starts_with("#EXT-X-STREAM-INF"));
        let Some(uri) = next.filter(|line| !line.text.starts_with('#')) else {
            playlist
                .problems
                .push(line.problem("a variant without a URI after it"));
            continue;
        };
        let parsed = parse_one(line.text, uri.text);
        let Some(variant) = parsed.and_then(|mut parsed| parsed.variants.pop()) else {
            let message = match attribute(attributes, "BANDWIDTH") {
                None => "a variant without BANDWIDTH",
                Some(_) => "a variant whose attributes cannot be read",
            };
            playlist.problems.push(line.problem(message));
            continue;
        };
        groups.push(variant.audio);
        let size = variant.resolution.map(|size| (size.width, size.height));
        let codecs = variant.codecs.unwrap_or_default();
        playlist.variants.push(VariantStream {
            line: line.number,
            uri: uri.text.to_owned(),
            bandwidth: variant.bandwidth,
            size,
            audio_only: size.is_none() && is_audio(&codecs),
            separate_audio: Vec::new(),
        });
    }
    for (variant, group) in playlist.variants.iter_mut().zip(groups) {
        let Some(group) = group else { continue };
        let members = || audio.iter().filter(|audio| audio.group == group);
        if members().all(|audio| audio.separate) && !variant.audio_only {
            variant.separate_audio = members().map(|audio| audio.name.clone()).collect();
        }
    }
    playlist
}

fn parse_one(tag: &str, uri: &str) -> Option<m3u8_rs::MasterPlaylist> {
    let text = format!("#EXTM3U\n{tag}\n{uri}\n");
    m3u8_rs::parse_master_playlist_res(text.as_bytes()).ok()
}

fn is_audio(codecs: &str) -> bool {
    let mut codecs = codecs
        .split(',')
        .map(str::trim)
        .filter(|codec| !codec.is_empty())
        .peekable();
    let known = ["mp4a", "ac-3", "ec-3", "opus", "Opus", "fLaC", "mp3"];
    codecs.peek().is_some() && codecs.all(|codec| known.iter().any(|k| codec.starts_with(k)))
}

impl MasterPlaylist {
    /// The stream that `wanted` names. One without video is taken only when there is no other.
    pub fn choose(&self, wanted: Variant) -> Option<&VariantStream> {
        let video = || self.variants.iter().filter(|variant| !variant.audio_only);
        let candidates: Vec<_> = match video().next() {
            Some(_) => video().collect(),
            None => self.variants.iter().collect(),
        };
        let mut candidates = candidates.into_iter();
        match wanted {
            // Of equals the first in the playlist, which is the one its author prefers.
            Variant::Highest => candidates.rev().max_by_key(|variant| variant.bandwidth),
            Variant::Lowest => candidates.min_by_key(|variant| variant.bandwidth),
            Variant::Size(width, height) => candidates
                .by_ref()
                .filter(|variant| variant.size == Some((width, height)))
                .rev()
                .max_by_key(|variant| variant.bandwidth),
        }
    }

    /// The streams in words.
    pub fn available(&self) -> String {
        let words = self.variants.iter().map(|variant| match variant.size {
            Some((width, height)) => format!("{width}x{height} ({} bit/s)", variant.bandwidth),
            None => format!("{} bit/s", variant.bandwidth),
        });
        words.collect::<Vec<_>>().join(", ")
    }
}
