//! The `moov` box: tracks with their time bases, sample descriptions and edit lists.

use super::Mp4Error;
use super::boxes::{Fields, boxes, find, find_path};
use super::sample_entry::{self, SampleEntry};

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrackKind {
    Video,
    Audio,
}

/// Defaults of a fragmented track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Defaults {
    pub duration: u32,
    pub size: u32,
    pub flags: u32,
}

/// One track.
#[derive(Clone, Debug)]
pub(crate) struct Track<'a> {
    pub id: u32,
    pub kind: TrackKind,
    pub timescale: u32,
    pub language: Option<String>,
    pub entry: SampleEntry,
    /// What to add to a composition time so that it becomes a presentation time, in ticks.
    pub shift: i64,
    /// The presentation ends here because of the edit list, in ticks.
    pub end: Option<i64>,
    pub defaults: Defaults,
    /// The sample table.
    pub stbl: &'a [u8],
}

/// The movie.
#[derive(Clone, Debug)]
pub(crate) struct Movie<'a> {
    pub tracks: Vec<Track<'a>>,
    /// Samples come in fragments.
    pub fragmented: bool,
    pub warnings: Vec<String>,
}

/// Reads the body of a `moov` box.
pub(crate) fn parse(moov: &[u8]) -> Result<Movie<'_>, Mp4Error> {
    let movie_timescale = find(moov, b"mvhd")
        .and_then(header_timescale)
        .unwrap_or(1000);
    let mvex = find(moov, b"mvex");
    let mut movie = Movie {
        tracks: Vec::new(),
        fragmented: mvex.is_some(),
        warnings: Vec::new(),
    };
    let mut others = Vec::new();
    for trak in boxes(moov).filter(|found| found.kind == *b"trak") {
        match parse_track(trak.body, movie_timescale, mvex, &mut movie.warnings) {
            Ok(track) => movie.tracks.push(track),
            Err(what) => others.push(what),
        }
    }
    if movie.tracks.is_empty() {
        let listed = if others.is_empty() {
            "none".into()
        } else {
            others.join(", ")
        };
        return Err(Mp4Error::NoTracks(listed));
    }
    movie.warnings.extend(
        others
            .into_iter()
            .filter(|what| what.contains(' '))
            .map(|what| format!("ignored: {what}")),
    );
    Ok(movie)
}

/// The timescale of an `mvhd` or `mdhd` box.
fn header_timescale(body: &[u8]) -> Option<u32> {
    let mut fields = Fields::new(body);
    let (version, _) = fields.full()?;
    fields.sized(version)?;
    fields.sized(version)?;
    fields.u32().filter(|scale| *scale > 0)
}

fn language(mdhd: &[u8]) -> Option<String> {
    let at = if *mdhd.first()? == 1 { 32 } else { 20 };
    let packed = u16::from_be_bytes(mdhd.get(at..at + 2)?.try_into().ok()?);
    let letter = |shift: u16| char::from((packed >> shift & 0x1f) as u8 + 0x60);
    let code: String = [10, 5, 0].map(letter).into_iter().collect();
    (code != "und" && code.chars().all(|c| c.is_ascii_lowercase())).then_some(code)
}

/// The error names the track: one word for a handler that is none of ours, a sentence for damage.
fn parse_track<'a>(
    trak: &'a [u8],
    movie_timescale: u32,
    mvex: Option<&[u8]>,
    warnings: &mut Vec<String>,
) -> Result<Track<'a>, String> {
    let handler = find_path(trak, &[b"mdia", b"hdlr"]).and_then(|body| body.get(8..12));
    let kind = match handler {
        Some(b"vide") => TrackKind::Video,
        Some(b"soun") => TrackKind::Audio,
        Some(other) => return Err(String::from_utf8_lossy(other).into_owned()),
        None => return Err("a track without a handler".into()),
    };
    let id = find(trak, b"tkhd").and_then(|body| {
        let mut fields = Fields::new(body);
        let (version, _) = fields.full()?;
        fields.sized(version)?;
        fields.sized(version)?;
        fields.u32()
    });
    let id = id.ok_or("a track whose \"tkhd\" box is damaged")?;
    let mdhd = find_path(trak, &[b"mdia", b"mdhd"]);
    let timescale = mdhd
        .and_then(header_timescale)
        .ok_or_else(|| format!("track {id}, whose \"mdhd\" box is damaged"))?;
    let stbl = find_path(trak, &[b"mdia", b"minf", b"stbl"])
        .ok_or_else(|| format!("track {id}, which has no \"stbl\" box"))?;
    let stsd = find(stbl, b"stsd");
    let entry = stsd
        .and_then(|stsd| sample_entry::parse(stsd, kind == TrackKind::Video))
        .ok_or_else(|| format!("track {id}, whose sample description is damaged"))?;
    if stsd.is_some_and(|stsd| sample_entry::count(stsd) > 1) {
        warnings.push(format!(
            "track {id} has several sample descriptions; the first is used"
        ));
    }
    let edits = find_path(trak, &[b"edts", b"elst"])
        .and_then(parse_edits)
        .unwrap_or_default();
    let (shift, end) = apply_edits(&edits, movie_timescale, timescale);
    if edits.iter().filter(|edit| edit.media_time >= 0).count() > 1 {
        warnings.push(format!(
            "track {id} has an edit list of several parts; only the first is honoured"
        ));
    }
    let defaults = mvex.map(|mvex| defaults(mvex, id)).unwrap_or_default();
    let language = mdhd.and_then(language);
    Ok(Track {
        id,
        kind,
        timescale,
        language,
        entry,
        shift,
        end,
        defaults,
        stbl,
    })
}

fn defaults(mvex: &[u8], id: u32) -> Defaults {
    boxes(mvex)
        .filter(|found| found.kind == *b"trex")
        .find_map(|found| {
            let mut fields = Fields::new(found.body);
            fields.full()?;
            let track = fields.u32()?;
            fields.u32()?;
            let (duration, size, flags) = (fields.u32()?, fields.u32()?, fields.u32()?);
            (track == id).then_some(Defaults {
                duration,
                size,
                flags,
            })
        })
        .unwrap_or_default()
}

/// An entry of an edit list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edit {
    /// In ticks of the movie.
    duration: u64,
    /// In ticks of the track; -1 for an empty edit.
    media_time: i64,
}

fn parse_edits(body: &[u8]) -> Option<Vec<Edit>> {
    let mut fields = Fields::new(body);
    let (version, _) = fields.full()?;
    let count = fields.u32()?;
    let mut edits = Vec::new();
    for _ in 0..count {
        let duration = fields.sized(version)?;
        let media_time = if version == 1 {
            fields.u64()? as i64
        } else {
            i64::from(fields.u32()? as i32)
        };
        fields.u32()?;
        edits.push(Edit {
            duration,
            media_time,
        });
    }
    Some(edits)
}

/// Shift and end of the presentation, in ticks of the track: empty edits delay the first real one.
fn apply_edits(edits: &[Edit], movie_timescale: u32, timescale: u32) -> (i64, Option<i64>) {
    let ticks = |movie: u64| {
        let scaled = u128::from(movie) * u128::from(timescale);
        let scale = u128::from(movie_timescale.max(1));
        i64::try_from((scaled + scale / 2) / scale).unwrap_or(0)
    };
    let mut delay = 0i64;
    for edit in edits {
        if edit.media_time < 0 {
            delay = delay.saturating_add(ticks(edit.duration));
            continue;
        }
        // A duration of 0 means "all of it" in fragmented files.
        let end = (edit.duration > 0).then(|| delay.saturating_add(ticks(edit.duration)));
        return (delay.saturating_sub(edit.media_time), end);
    }
    (delay, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_shift_and_end() {
        let edit = |duration, media_time| Edit {
            duration,
            media_time,
        };
        assert_eq!(apply_edits(&[], 1000, 25), (0, None));
        assert_eq!(apply_edits(&[edit(2000, 15)], 1000, 25), (-15, Some(50)));
        let delayed = [edit(400, -1), edit(2000, 15)];
        assert_eq!(apply_edits(&delayed, 1000, 25), (10 - 15, Some(60)));
        assert_eq!(apply_edits(&[edit(0, 1024)], 1000, 48_000), (-1024, None));
    }

    #[test]
    fn packed_language() {
        let mut mdhd = vec![0u8; 24];
        mdhd[20..22].copy_from_slice(&0x15c7u16.to_be_bytes());
        assert_eq!(language(&mdhd).as_deref(), Some("eng"));
        mdhd[20..22].copy_from_slice(&0x55c4u16.to_be_bytes());
        assert_eq!(language(&mdhd), None);
    }
}
