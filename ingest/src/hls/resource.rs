//! From a chunk of a playlist to what has to be fetched for it.

use matchcut_model::chunk::{Container, Encryption, Rendition, Resource};
use url::Url;

use crate::playlist::{Key, Part, Segment};
use crate::uri;

/// The media and the initialization section of a chunk; an error says why they cannot be read.
pub(crate) fn resources(
    base: &Url,
    segment: &Segment,
) -> Result<(Resource, Option<Resource>), String> {
    if let Some(reason) = &segment.unusable {
        return Err(reason.clone());
    }
    let media = Resource {
        uri: uri::resolve(base, &segment.uri)?.into(),
        range: segment.range,
        encryption: encryption(base, segment.key.as_ref(), segment.sequence)?,
    };
    Ok((media, init(base, segment)?))
}

/// The initialization section of a chunk.
fn init(base: &Url, segment: &Segment) -> Result<Option<Resource>, String> {
    let Some(map) = &segment.map else {
        return Ok(None);
    };
    Ok(Some(Resource {
        uri: uri::resolve(base, &map.uri)?.into(),
        range: map.range,
        encryption: encryption(base, map.key.as_ref(), segment.sequence)?,
    }))
}

/// The media and the initialization section of a part of a chunk.
pub(crate) fn part(
    base: &Url,
    segment: &Segment,
    part: &Part,
) -> Result<(Resource, Option<Resource>), String> {
    if part.gap {
        return Err("the playlist says that it is missing".into());
    }
    if segment.key.is_some() {
        return Err("parts of chunks that are encrypted cannot be read".into());
    }
    let media = Resource {
        uri: uri::resolve(base, &part.uri)?.into(),
        range: part.range,
        encryption: None,
    };
    Ok((media, init(base, segment)?))
}

/// A chunk as a part of a rendition.
pub(crate) fn rendition(base: &Url, segment: &Segment, audio: bool) -> Result<Rendition, String> {
    let (media, init) = resources(base, segment)?;
    Ok(Rendition {
        name: String::new(),
        language: None,
        container: container_of(&media, init.is_some(), audio),
        media: vec![media],
        init,
    })
}

fn encryption(base: &Url, key: Option<&Key>, sequence: u64) -> Result<Option<Encryption>, String> {
    let Some(key) = key else { return Ok(None) };
    let url = uri::resolve(base, &key.uri).map_err(|message| format!("its key: {message}"))?;
    Ok(Some(Encryption {
        key_uri: url.into(),
        iv: key.iv.unwrap_or(u128::from(sequence).to_be_bytes()),
    }))
}

/// An initialization section, or the name, says how a chunk is packed.
pub(crate) fn container_of(media: &Resource, has_init: bool, audio: bool) -> Container {
    let path = media.uri.split(['?', '#']).next().unwrap_or_default();
    let extension = extension_of(path);
    let fragmented = ["mp4", "m4s", "m4v", "m4a", "cmfv", "cmfa"].contains(&extension.as_str());
    if has_init || fragmented {
        Container::FragmentedMp4
    } else if audio && packed(&extension) {
        Container::PackedAudio
    } else {
        Container::MpegTs
    }
}

/// Whether files with this extension are elementary streams of audio.
pub(crate) fn packed(extension: &str) -> bool {
    ["aac", "mp3", "ac3", "ec3"].contains(&extension)
}

/// What stands after the last dot of the last name.
pub(crate) fn extension_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.')
        .map(|(_, extension)| extension.to_lowercase())
        .unwrap_or_default()
}
