//! Master playlists: the streams of one programme in several qualities, with their sound.

use super::attributes::attribute;
use super::variables::Variables;
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
    /// The audio group that belongs to it.
    pub audio_group: Option<String>,
}

/// An audio rendition.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioRendition {
    /// The line of its tag.
    pub line: usize,
    /// GROUP-ID.
    pub group: String,
    /// NAME.
    pub name: String,
    /// LANGUAGE.
    pub language: Option<String>,
    /// Its playlist, as it stands; `None` where its sound is inside the chunks of the variant.
    pub uri: Option<String>,
    /// DEFAULT=YES.
    pub default: bool,
}

/// A list of streams.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MasterPlaylist {
    /// In the order of the playlist.
    pub variants: Vec<VariantStream>,
    /// Audio renditions in the order of the playlist.
    pub audio: Vec<AudioRendition>,
    /// What it defines, for media playlists that import it.
    pub variables: Variables,
    /// Lines that could not be used.
    pub problems: Vec<LineProblem>,
}

/// Reads the lines of a master playlist.
pub(super) fn read(lines: &[Line<'_>], variables: Variables) -> MasterPlaylist {
    let mut playlist = MasterPlaylist {
        variables,
        ..MasterPlaylist::default()
    };
    for (index, line) in lines.iter().enumerate() {
        if let Some(attributes) = line.tag("#EXT-X-MEDIA") {
            match rendition(line.number, attributes) {
                Ok(rendition) => playlist.audio.extend(rendition),
                Err(message) => playlist.problems.push(line.problem(message)),
            }
        }
        let Some(attributes) = line.tag("#EXT-X-STREAM-INF") else {
            continue;
        };
        // The next line that is no comment; a tag before it that announces another one means that
        // there is none.
        let next = lines[index + 1..]
            .iter()
            .find(|line| !line.text.starts_with('#') || line.text.starts_with("#EXT-X-STREAM-INF"));
        let Some(uri) = next.filter(|line| !line.text.starts_with('#')) else {
            playlist
                .problems
                .push(line.problem("a variant without a URI after it"));
            continue;
        };
        let bandwidth = attribute(attributes, "BANDWIDTH");
        let Some(bandwidth) = bandwidth.and_then(|bandwidth| bandwidth.parse().ok()) else {
            let message = match bandwidth {
                None => "a variant without BANDWIDTH",
                Some(_) => "a variant whose BANDWIDTH is not a whole number",
            };
            playlist.problems.push(line.problem(message));
            continue;
        };
        let size = attribute(attributes, "RESOLUTION").and_then(|size| {
            let (width, height) = size.split_once(['x', 'X'])?;
            Some((width.parse().ok()?, height.parse().ok()?))
        });
        let codecs = attribute(attributes, "CODECS").unwrap_or_default();
        playlist.variants.push(VariantStream {
            line: line.number,
            uri: uri.text.to_owned(),
            bandwidth,
            size,
            audio_only: size.is_none() && is_audio(codecs),
            audio_group: attribute(attributes, "AUDIO").map(str::to_owned),
        });
    }
    playlist
}

/// An audio rendition; `None` for renditions of another type.
fn rendition(line: usize, attributes: &str) -> Result<Option<AudioRendition>, &'static str> {
    let get = |name| attribute(attributes, name);
    match (get("TYPE"), get("GROUP-ID"), get("NAME")) {
        (Some("AUDIO"), Some(group), Some(name)) => Ok(Some(AudioRendition {
            line,
            group: group.to_owned(),
            name: name.to_owned(),
            language: get("LANGUAGE").map(str::to_owned),
            uri: get("URI").filter(|uri| !uri.is_empty()).map(str::to_owned),
            default: get("DEFAULT") == Some("YES"),
        })),
        (Some(_), Some(_), Some(_)) => Ok(None),
        _ => Err("a rendition that is not complete"),
    }
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

    /// The audio of a stream that is in playlists of its own, in the order of the playlist. Players
    /// find a rendition by its name, so that one that comes twice is taken once.
    pub fn separate_audio(&self, variant: &VariantStream) -> Vec<&AudioRendition> {
        let mut found: Vec<&AudioRendition> = Vec::new();
        let Some(group) = &variant.audio_group else {
            return found;
        };
        for rendition in self.audio.iter().filter(|audio| audio.group == *group) {
            let known = found.iter().any(|known| known.name == rendition.name);
            if rendition.uri.is_some() && !known && !variant.audio_only {
                found.push(rendition);
            }
        }
        found
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
