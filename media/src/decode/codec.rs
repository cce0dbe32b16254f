//! Which GStreamer element decodes what, under which name the demuxer knows it, and how its input
//! is described. One table serves decoding, error texts and `matchcut doctor`.

use gstreamer as gst;

use super::DecodeError;
use crate::doctor::{Need, is_present};
use crate::samples::{AudioTrack, Codec, VideoTrack};

/// One codec.
pub(crate) struct Decoder {
    /// Names as [`Codec`] prints them, in lower case.
    pub(crate) names: &'static [&'static str],
    /// Elements that decode it, best first.
    pub(crate) elements: &'static [&'static str],
    pub(crate) needed_for: &'static str,
    pub(crate) need: Need,
    pub(crate) debian_package: &'static str,
    /// Frames before the first wanted one that a cold decoder must see (audio).
    pub(crate) preroll: usize,
}

const LIBAV: &str = "gstreamer1.0-libav";
const BASE: &str = "gstreamer1.0-plugins-base";
const GOOD: &str = "gstreamer1.0-plugins-good";

const fn video(
    names: &'static [&'static str],
    elements: &'static [&'static str],
    needed_for: &'static str,
    need: Need,
    debian_package: &'static str,
) -> Decoder {
    Decoder {
        names,
        elements,
        needed_for,
        need,
        debian_package,
        preroll: 0,
    }
}

const fn audio(
    names: &'static [&'static str],
    elements: &'static [&'static str],
    needed_for: &'static str,
    need: Need,
    debian_package: &'static str,
    preroll: usize,
) -> Decoder {
    Decoder {
        names,
        elements,
        needed_for,
        need,
        debian_package,
        preroll,
    }
}

/// Everything that can be decoded.
pub(crate) const DECODERS: &[Decoder] = &[
    video(
        &["h264"],
        &["avdec_h264", "openh264dec"],
        "H.264 video",
        Need::Required,
        LIBAV,
    ),
    video(
        &["hevc"],
        &["avdec_h265", "libde265dec"],
        "HEVC video",
        Need::Required,
        LIBAV,
    ),
    video(
        &["vp8"],
        &["vp8dec", "avdec_vp8"],
        "VP8 video (WebM)",
        Need::Optional,
        GOOD,
    ),
    video(
        &["vp9"],
        &["vp9dec", "avdec_vp9"],
        "VP9 video (WebM)",
        Need::Optional,
        GOOD,
    ),
    video(
        &["mpeg2", "mpeg2video"],
        &["avdec_mpeg2video", "mpeg2dec"],
        "MPEG-2 video",
        Need::Optional,
        LIBAV,
    ),
    // A frame of AAC overlaps the one before it; the second is margin.
    audio(
        &["aac"],
        &["avdec_aac", "faad", "fdkaacdec"],
        "AAC audio",
        Need::Required,
        LIBAV,
        2,
    ),
    // The bit reservoir of layer 3 reaches at most 511 bytes back: nine frames of the lowest rate.
    audio(
        &["mp3", "mp2"],
        &["avdec_mp3", "mpg123audiodec"],
        "MPEG audio (MP2, MP3)",
        Need::Optional,
        LIBAV,
        10,
    ),
    audio(
        &["ac3"],
        &["avdec_ac3", "a52dec"],
        "AC-3 audio",
        Need::Optional,
        LIBAV,
        2,
    ),
    audio(
        &["eac3"],
        &["avdec_eac3"],
        "E-AC-3 audio",
        Need::Optional,
        LIBAV,
        2,
    ),
    audio(
        &["opus"],
        &["opusdec", "avdec_opus"],
        "Opus audio (WebM)",
        Need::Optional,
        BASE,
        8,
    ),
    audio(
        &["vorbis"],
        &["vorbisdec", "avdec_vorbis"],
        "Vorbis audio (WebM)",
        Need::Optional,
        BASE,
        2,
    ),
    audio(
        &["flac"],
        &["flacdec", "avdec_flac"],
        "FLAC audio",
        Need::Optional,
        GOOD,
        0,
    ),
];

/// The element that decodes a video track.
pub(crate) fn choose_video(track: &VideoTrack) -> Result<&'static str, DecodeError> {
    choose(&canonical(&track.codec)).map(|(_, element)| element)
}

/// The decoder of an audio track and the element of it that is here.
pub(crate) fn choose_audio(
    track: &AudioTrack,
) -> Result<(&'static Decoder, &'static str), DecodeError> {
    choose(&audio_name(track))
}

/// Frames before the first wanted one that a cold decoder of a track must see.
pub(crate) fn audio_preroll(track: &AudioTrack) -> usize {
    let name = audio_name(track);
    let known = |decoder: &&Decoder| decoder.names.contains(&name.as_str());
    DECODERS
        .iter()
        .find(known)
        .map_or(0, |decoder| decoder.preroll)
}

fn choose(name: &str) -> Result<(&'static Decoder, &'static str), DecodeError> {
    let decoder = DECODERS
        .iter()
        .find(|decoder| decoder.names.contains(&name))
        .ok_or_else(|| DecodeError::UnknownCodec {
            codec: name.to_owned(),
        })?;
    let element = decoder
        .elements
        .iter()
        .copied()
        .find(|element| is_present(element));
    match element {
        Some(element) => Ok((decoder, element)),
        None => Err(DecodeError::MissingElement {
            codec: name.to_owned(),
            elements: decoder.elements.join(" or "),
            package: decoder.debian_package,
        }),
    }
}

/// The name in the table: Matroska writes `V_VP8` and `A_VORBIS`, MP4 writes `Opus`.
fn canonical(codec: &Codec) -> String {
    let name = codec.to_string().to_ascii_lowercase();
    let short = name
        .strip_prefix("v_")
        .or_else(|| name.strip_prefix("a_"))
        .unwrap_or(&name);
    match short {
        "vp08" => "vp8".to_owned(),
        "vp09" => "vp9".to_owned(),
        other => other.to_owned(),
    }
}

/// What a video decoder is told of its input.
pub(crate) fn video_caps(track: &VideoTrack) -> gst::Caps {
    let name = canonical(&track.codec);
    let builder = match name.as_str() {
        "h264" => gst::Caps::builder("video/x-h264")
            .field("stream-format", "byte-stream")
            .field("alignment", "au"),
        "hevc" => gst::Caps::builder("video/x-h265")
            .field("stream-format", "byte-stream")
            .field("alignment", "au"),
        "mpeg2" | "mpeg2video" => gst::Caps::builder("video/mpeg")
            .field("mpegversion", 2_i32)
            .field("systemstream", false)
            .field("parsed", true),
        other => gst::Caps::builder(format!("video/x-{other}")),
    };
    let size = |value: u32| i32::try_from(value).ok().filter(|v| *v > 0);
    builder
        .field_if_some("width", size(track.width).filter(|_| track.height > 0))
        .field_if_some("height", size(track.height).filter(|_| track.width > 0))
        .build()
}

/// What an audio decoder is told of its input.
pub(crate) fn audio_caps(track: &AudioTrack) -> gst::Caps {
    let name = audio_name(track);
    let builder = match name.as_str() {
        "aac" => gst::Caps::builder("audio/mpeg")
            .field("mpegversion", 4_i32)
            .field("stream-format", "raw")
            .field("codec_data", gst::Buffer::from_slice(track.config.clone())),
        "mp3" | "mp2" => gst::Caps::builder("audio/mpeg")
            .field("mpegversion", 1_i32)
            .field("layer", mpeg_layer(track))
            .field("parsed", true),
        "opus" => gst::Caps::builder("audio/x-opus")
            .field(
                "channel-mapping-family",
                i32::from(opus_family(&track.config)),
            )
            .field_if_some("streamheader", headers(opus_headers(&track.config))),
        "vorbis" => gst::Caps::builder("audio/x-vorbis")
            .field_if_some("streamheader", headers(xiph_headers(&track.config))),
        "flac" => gst::Caps::builder("audio/x-flac").field("framed", true),
        other => gst::Caps::builder(format!("audio/x-{other}")),
    };
    let whole = |value: u32| i32::try_from(value).ok().filter(|v| *v > 0);
    builder
        .field("framed", true)
        .field_if_some("rate", whole(track.sample_rate))
        .field_if_some("channels", whole(track.channels))
        .build()
}

/// Layer 1 to 3 from the header of the first frame, 3 when there is none.
fn mpeg_layer(track: &AudioTrack) -> i32 {
    let second = track
        .samples
        .first()
        .and_then(|sample| sample.data.get(1))
        .copied();
    match second.map(|byte| byte >> 1 & 3) {
        Some(3) => 1,
        Some(2) => 2,
        _ => 3,
    }
}

/// AC-3 and E-AC-3 share a name outside and have decoders of their own.
fn audio_name(track: &AudioTrack) -> String {
    let name = canonical(&track.codec);
    if name == "ac3" && is_eac3(track) {
        "eac3".to_owned()
    } else {
        name
    }
}

/// Whether the first frame is E-AC-3: its bit stream identification is above 10.
fn is_eac3(track: &AudioTrack) -> bool {
    let byte = track
        .samples
        .first()
        .and_then(|sample| sample.data.get(5))
        .copied();
    byte.is_some_and(|byte| byte >> 3 > 10)
}

fn headers(packets: Option<Vec<Vec<u8>>>) -> Option<gst::Array> {
    let buffers = packets?.into_iter().map(|packet| {
        let mut buffer = gst::Buffer::from_mut_slice(packet);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_flags(gst::BufferFlags::HEADER);
        }
        buffer
    });
    Some(gst::Array::new(buffers))
}

fn opus_family(config: &[u8]) -> u8 {
    if config.starts_with(b"OpusHead") {
        config.get(18).copied().unwrap_or(0)
    } else {
        0
    }
}

fn opus_headers(config: &[u8]) -> Option<Vec<Vec<u8>>> {
    config
        .starts_with(b"OpusHead")
        .then(|| vec![config.to_vec()])
}

/// The three Vorbis headers as Matroska packs them: their number less one, the sizes of all but
/// the last in Xiph lacing, then the packets.
fn xiph_headers(config: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (count, mut rest) = config.split_first()?;
    let mut sizes = Vec::new();
    for _ in 0..*count {
        let mut size = 0;
        loop {
            let (byte, after) = rest.split_first()?;
            rest = after;
            size += usize::from(*byte);
            if *byte < 255 {
                break;
            }
        }
        sizes.push(size);
    }
    let mut packets = Vec::new();
    for size in sizes {
        packets.push(rest.get(..size)?.to_vec());
        rest = rest.get(size..)?;
    }
    packets.push(rest.to_vec());
    Some(packets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_known_by_all_their_names() {
        for name in ["V_VP8", "vp08", "VP8"] {
            assert_eq!(canonical(&Codec::Other(name.into())), "vp8");
        }
        assert_eq!(canonical(&Codec::Hevc), "hevc");
    }

    #[test]
    fn an_unknown_codec_is_named_with_the_way_out() {
        crate::init::init().unwrap();
        let error = choose("prores").err().unwrap();
        let text = error.to_string();
        assert!(
            text.contains("prores") && text.contains("matchcut doctor"),
            "{text}"
        );
    }

    #[test]
    fn vorbis_headers_are_taken_apart() {
        let mut config = vec![2, 3, 255, 1];
        config.extend([1, 2, 3]);
        config.extend(std::iter::repeat_n(7, 256));
        config.extend([9, 9]);
        let packets = xiph_headers(&config).unwrap();
        assert_eq!(packets[0], [1, 2, 3]);
        assert_eq!(packets[1], [7; 256]);
        assert_eq!(packets[2], [9, 9]);
        assert!(xiph_headers(&[2, 3, 255]).is_none());
        assert!(xiph_headers(&[1, 30, 1]).is_none());
    }
}
