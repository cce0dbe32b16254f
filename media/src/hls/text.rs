//! Playlists as text (RFC 8216): media playlists of clips, and the master playlist that joins one
//! with separate audio. Equal playlists give equal text.

use std::fmt::Write;

use matchcut_model::chunk::{ByteRange, Encryption, Resource};
use matchcut_model::time::MediaTime;

use super::{ClipMarks, PlaylistClip, VodPlaylist};

/// A separate audio rendition in a master playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioRendition {
    /// NAME; unique in its playlist.
    pub name: String,
    /// LANGUAGE.
    pub language: Option<String>,
    /// Its media playlist; `None` for the sound in the chunks of the variant itself.
    pub uri: Option<String>,
}

/// A master playlist of one variant with audio renditions, the first of them the default.
/// `bandwidth` is the peak of the variant in bits a second.
pub fn master(variant: &str, bandwidth: u64, audio: &[AudioRendition]) -> String {
    let mut out = String::from("#EXTM3U\n#EXT-X-VERSION:4\n");
    for (index, rendition) in audio.iter().enumerate() {
        let default = if index == 0 { "YES" } else { "NO" };
        let _ = write!(
            out,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME={}",
            quoted(&rendition.name)
        );
        if let Some(language) = &rendition.language {
            let _ = write!(out, ",LANGUAGE={}", quoted(language));
        }
        let _ = write!(out, ",DEFAULT={default},AUTOSELECT=YES");
        if let Some(uri) = &rendition.uri {
            let _ = write!(out, ",URI={}", quoted(uri));
        }
        out.push('\n');
    }
    let bandwidth = bandwidth.max(1);
    let group = if audio.is_empty() {
        ""
    } else {
        ",AUDIO=\"audio\""
    };
    let _ = writeln!(out, "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth}{group}");
    let _ = writeln!(out, "{}", line(variant));
    out
}

/// The text of a media playlist.
pub(super) fn vod(playlist: &VodPlaylist) -> String {
    let clips = || playlist.clips.iter().filter(|clip| !clip.parts.is_empty());
    let parts = || clips().flat_map(|clip| &clip.parts);
    let longest = parts().map(|part| part.duration).max().unwrap_or_default();
    // EXTINF rounded to a whole number must not exceed it; rounding up is always enough.
    let target = (longest.to_millis() + 999).div_euclid(1000).max(1);
    let version = if parts().any(|part| part.init.is_some()) {
        // EXT-X-MAP in a playlist that is not of I-frames.
        6
    } else {
        // Byte ranges; decimal durations and IV need less.
        4
    };
    let mut out = String::new();
    let _ = writeln!(out, "#EXTM3U\n#EXT-X-VERSION:{version}");
    let _ = writeln!(
        out,
        "#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:0"
    );
    out.push_str("#EXT-X-PLAYLIST-TYPE:VOD\n");
    let start = clips().next().filter(|clip| clip.start_at_mark);
    if let Some(offset) = start
        .and_then(|clip| Some(clip.marks.as_ref()?.mark_in))
        .filter(|offset| *offset > MediaTime::ZERO)
    {
        let offset = seconds(offset);
        let _ = writeln!(out, "#EXT-X-START:TIME-OFFSET={offset},PRECISE=YES");
    }
    let mut key = None;
    let mut at = MediaTime::ZERO;
    for (index, clip) in clips().enumerate() {
        if index > 0 {
            out.push_str("#EXT-X-DISCONTINUITY\n");
        }
        write_clip(&mut out, clip, at, &mut key);
        at += clip.duration();
    }
    out.push_str("#EXT-X-ENDLIST\n");
    out
}

fn write_clip<'a>(
    out: &mut String,
    clip: &'a PlaylistClip,
    at: MediaTime,
    key: &mut Option<&'a Encryption>,
) {
    // Players forget the initialization section at a discontinuity.
    let mut map: Option<&Resource> = None;
    for (index, part) in clip.parts.iter().enumerate() {
        if part.init.as_ref() != map {
            map = part.init.as_ref();
            if let Some(init) = map {
                write_key(out, key, init.encryption.as_ref());
                let _ = write!(out, "#EXT-X-MAP:URI={}", quoted(&init.uri));
                if let Some(ByteRange { offset, length }) = init.range {
                    let _ = write!(out, ",BYTERANGE=\"{length}@{offset}\"");
                }
                out.push('\n');
            }
        }
        write_key(out, key, part.media.encryption.as_ref());
        if let Some(micros) = clip.program_date_time.filter(|_| index == 0) {
            let _ = writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", utc(micros));
            if let Some(marks) = &clip.marks {
                write_marks(out, clip, marks, at, micros);
            }
        }
        let title = clip.title.as_deref().filter(|_| index == 0).unwrap_or("");
        let _ = writeln!(out, "#EXTINF:{},{}", seconds(part.duration), line(title));
        if let Some(ByteRange { offset, length }) = part.media.range {
            let _ = writeln!(out, "#EXT-X-BYTERANGE:{length}@{offset}");
        }
        let _ = writeln!(out, "{}", line(&part.media.uri));
    }
}

/// A key holds until the next one, also across discontinuities.
fn write_key<'a>(
    out: &mut String,
    key: &mut Option<&'a Encryption>,
    wanted: Option<&'a Encryption>,
) {
    if *key == wanted {
        return;
    }
    *key = wanted;
    let Some(encryption) = wanted else {
        out.push_str("#EXT-X-KEY:METHOD=NONE\n");
        return;
    };
    let iv = u128::from_be_bytes(encryption.iv);
    let uri = quoted(&encryption.key_uri);
    let _ = writeln!(out, "#EXT-X-KEY:METHOD=AES-128,URI={uri},IV=0x{iv:032x}");
}

/// The marks of a clip as a date range, and beside it in seconds of the playlist: dates have
/// milliseconds only, and players place them by their own clock.
fn write_marks(
    out: &mut String,
    clip: &PlaylistClip,
    marks: &ClipMarks,
    at: MediaTime,
    micros: i64,
) {
    let date = utc(micros.saturating_add(marks.mark_in.to_ticks(1_000_000)));
    let _ = write!(
        out,
        "#EXT-X-DATERANGE:ID={},CLASS=\"matchcut.clip\",START-DATE=\"{date}\",DURATION={}",
        quoted(&marks.id),
        seconds(marks.mark_out - marks.mark_in)
    );
    if let Some(label) = &marks.label {
        let _ = write!(out, ",X-LABEL={}", quoted(label));
    }
    let _ = writeln!(
        out,
        ",X-START={},X-DURATION={},X-MARK-IN={},X-MARK-OUT={}",
        seconds(at),
        seconds(clip.duration()),
        seconds(at + marks.mark_in),
        seconds(at + marks.mark_out)
    );
}

/// A quoted string has neither line breaks nor quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", line(text).replace('"', "'"))
}

fn line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

/// Seconds with 6 decimals: enough for every frame duration to within a millionth.
fn seconds(time: MediaTime) -> String {
    let micros = time.to_ticks(1_000_000).max(0);
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// A date and time of UTC from microseconds since the Unix epoch (Gregorian calendar).
fn utc(micros: i64) -> String {
    let millis = micros.div_euclid(1000);
    let (days, in_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    // Days are counted from 1 March of year 0, so that leap days come last in each cycle.
    let shifted = days + 719_468;
    let (era, in_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (in_day / 3_600_000, in_day / 60_000 % 60);
    let (second, milli) = (in_day / 1000 % 60, in_day % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hls::PlaylistPart;

    #[test]
    fn dates() {
        assert_eq!(utc(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(951_782_400_123_000), "2000-02-29T00:00:00.123Z");
        assert_eq!(utc(1_735_689_599_999_999), "2024-12-31T23:59:59.999Z");
        assert_eq!(utc(-1), "1969-12-31T23:59:59.999Z");
    }

    fn part(uri: &str, range: Option<(u64, u64)>, millis: i64) -> PlaylistPart {
        let range = range.map(|(offset, length)| ByteRange { offset, length });
        PlaylistPart {
            media: Resource {
                range,
                ..Resource::whole(uri)
            },
            init: None,
            duration: MediaTime::from_millis(millis),
        }
    }

    fn lines(playlist: &VodPlaylist) -> Vec<String> {
        playlist.to_m3u8().lines().map(str::to_owned).collect()
    }

    #[test]
    fn clips_with_ranges_and_marks() {
        let marks = ClipMarks {
            id: "rally:7056".into(),
            label: Some("a \"long\"\nrally".into()),
            mark_in: MediaTime::from_millis(1_520),
            mark_out: MediaTime::from_millis(7_520),
        };
        let playlist = VodPlaylist {
            clips: vec![
                PlaylistClip {
                    parts: vec![
                        part("../c1.ts", None, 6_006),
                        part("../c2.ts", Some((376, 1880)), 2_002),
                    ],
                    program_date_time: Some(0),
                    title: Some("rally".into()),
                    marks: Some(marks.clone()),
                    start_at_mark: true,
                },
                PlaylistClip::default(),
                PlaylistClip {
                    parts: vec![part("../c0.ts", None, 4_000)],
                    program_date_time: Some(60_000_000),
                    marks: Some(ClipMarks {
                        id: "b".into(),
                        label: None,
                        mark_in: MediaTime::ZERO,
                        mark_out: MediaTime::from_seconds(4),
                    }),
                    ..Default::default()
                },
            ],
        };
        assert_eq!(playlist.duration(), MediaTime::from_millis(12_008));
        let expected = [
            "#EXTM3U",
            "#EXT-X-VERSION:4",
            "#EXT-X-TARGETDURATION:7",
            "#EXT-X-MEDIA-SEQUENCE:0",
            "#EXT-X-PLAYLIST-TYPE:VOD",
            "#EXT-X-START:TIME-OFFSET=1.520000,PRECISE=YES",
            "#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z",
            "#EXT-X-DATERANGE:ID=\"rally:7056\",CLASS=\"matchcut.clip\",\
             START-DATE=\"1970-01-01T00:00:01.520Z\",DURATION=6.000000,X-LABEL=\"a 'long' rally\",\
             X-START=0.000000,X-DURATION=8.008000,X-MARK-IN=1.520000,X-MARK-OUT=7.520000",
            "#EXTINF:6.006000,rally",
            "../c1.ts",
            "#EXTINF:2.002000,",
            "#EXT-X-BYTERANGE:1880@376",
            "../c2.ts",
            "#EXT-X-DISCONTINUITY",
            "#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:01:00.000Z",
            "#EXT-X-DATERANGE:ID=\"b\",CLASS=\"matchcut.clip\",\
             START-DATE=\"1970-01-01T00:01:00.000Z\",DURATION=4.000000,\
             X-START=8.008000,X-DURATION=4.000000,X-MARK-IN=8.008000,X-MARK-OUT=12.008000",
            "#EXTINF:4.000000,",
            "../c0.ts",
            "#EXT-X-ENDLIST",
        ];
        assert_eq!(lines(&playlist), expected);
    }

    #[test]
    fn maps_are_repeated_and_keys_hold_until_they_change() {
        let key = |last: u8| {
            let mut iv = [0; 16];
            iv[15] = last;
            Encryption {
                key_uri: "https://keys.example/1".into(),
                iv,
            }
        };
        let encrypted = |uri: &str, iv| {
            let mut part = part(uri, None, 2_000);
            part.media.encryption = Some(key(iv));
            part.init = Some(Resource::whole("init.mp4"));
            part
        };
        let mut clear = part("c.m4s", Some((9, 5)), 2_000);
        clear.init = Some(Resource {
            range: Some(ByteRange {
                offset: 0,
                length: 700,
            }),
            ..Resource::whole("all.mp4")
        });
        let clip = |parts| PlaylistClip {
            parts,
            ..Default::default()
        };
        let playlist = VodPlaylist {
            clips: vec![
                clip(vec![encrypted("a.m4s", 1), encrypted("b.m4s", 0xa2)]),
                clip(vec![encrypted("b.m4s", 0xa2)]),
                clip(vec![clear]),
            ],
        };
        let iv = |end: &str| {
            format!("#EXT-X-KEY:METHOD=AES-128,URI=\"https://keys.example/1\",IV=0x{end:0>32}")
        };
        let (first, second) = (iv("1"), iv("a2"));
        let expected = [
            "#EXT-X-VERSION:6",
            "#EXT-X-TARGETDURATION:2",
            "#EXT-X-MEDIA-SEQUENCE:0",
            "#EXT-X-PLAYLIST-TYPE:VOD",
            "#EXT-X-MAP:URI=\"init.mp4\"",
            &first,
            "#EXTINF:2.000000,",
            "a.m4s",
            &second,
            "#EXTINF:2.000000,",
            "b.m4s",
            "#EXT-X-DISCONTINUITY",
            // The section is not encrypted, so the key must not stand before it.
            "#EXT-X-KEY:METHOD=NONE",
            "#EXT-X-MAP:URI=\"init.mp4\"",
            &second,
            "#EXTINF:2.000000,",
            "b.m4s",
            "#EXT-X-DISCONTINUITY",
            "#EXT-X-KEY:METHOD=NONE",
            "#EXT-X-MAP:URI=\"all.mp4\",BYTERANGE=\"700@0\"",
            "#EXTINF:2.000000,",
            "#EXT-X-BYTERANGE:5@9",
            "c.m4s",
            "#EXT-X-ENDLIST",
        ];
        assert_eq!(lines(&playlist)[1..], expected);
    }

    #[test]
    fn audio_groups() {
        let audio = |name: &str, uri: &str| AudioRendition {
            name: name.into(),
            language: (name == "English").then(|| "en".into()),
            uri: (!uri.is_empty()).then(|| uri.into()),
        };
        let list = [audio("English", "a1.m3u8"), audio("Ambient", "")];
        assert_eq!(
            master("v.m3u8", 1_500_000, &list),
            "#EXTM3U\n#EXT-X-VERSION:4\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"English\",LANGUAGE=\"en\",\
             DEFAULT=YES,AUTOSELECT=YES,URI=\"a1.m3u8\"\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"Ambient\",\
             DEFAULT=NO,AUTOSELECT=YES\n\
             #EXT-X-STREAM-INF:BANDWIDTH=1500000,AUDIO=\"audio\"\nv.m3u8\n"
        );
    }
}
