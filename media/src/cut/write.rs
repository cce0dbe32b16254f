//! Writing cuts as MP4: `moov` first, one edit for each part, sync samples only where a reader may
//! really start, and time bases that hold frames and sound samples without rounding.

use std::io::Write;

use matchcut_model::time::MediaTime;

use super::chapters::Chapters;
use super::layout::{
    Edit, FileChunk, FileTrack, audio_track, common, interleave, is_video, of_slot, video_track,
};
use super::{AudioPart, Cut, CutError, Part, VideoPart};
use crate::mp4::boxes::{make, make_full};
use crate::mp4::describe;
use crate::samples::Codec;

/// Writes one cut.
pub fn write_mp4(cut: &Cut, out: &mut impl Write) -> Result<(), CutError> {
    write_parts(&cut.parts, None, out)
}

/// Writes several cuts one after the other into one MP4, without re-encoding: one edit for each.
pub fn write_replay_mp4(cuts: &[Cut], out: &mut impl Write) -> Result<(), CutError> {
    write_replay_mp4_with_chapters(cuts, &[], out)
}

/// As [`write_replay_mp4`], with a chapter for each cut. `titles` are in the order of the cuts; without
/// any there are no chapters, and cuts beyond the last title belong to its chapter.
pub fn write_replay_mp4_with_chapters(
    cuts: &[Cut],
    titles: &[String],
    out: &mut impl Write,
) -> Result<(), CutError> {
    let parts: Vec<Part> = cuts
        .iter()
        .flat_map(|cut| cut.parts.iter().cloned())
        .collect();
    let shown = |cuts: &[Cut]| -> MediaTime {
        let parts = cuts.iter().flat_map(|cut| &cut.parts);
        parts.map(|part| part.duration).sum()
    };
    let chapters = titles.iter().enumerate().map(|(index, title)| {
        let last = index + 1 == titles.len();
        let end = if last { cuts.len() } else { index + 1 };
        (
            title.as_str(),
            shown(cuts.get(index..end).unwrap_or_default()),
        )
    });
    write_parts(&parts, Chapters::new(chapters).as_ref(), out)
}

/// What the receiver of a replay MP4 should know, as it was measured: ffmpeg and GStreamer show
/// every frame of clips that begin at an IDR; Chromium leaves out as much at the end of each clip as
/// the next one hides at its start, at most a group of pictures; ffmpeg may lose a frame where a
/// clip begins at an open group of pictures.
pub fn replay_notes(cuts: &[Cut]) -> Vec<String> {
    let parts: Vec<&VideoPart> = cuts
        .iter()
        .flat_map(|cut| &cut.parts)
        .filter_map(|part| part.video.as_ref())
        .collect();
    let mut notes = Vec::new();
    if parts.len() > 1 && parts.iter().any(|part| !part.seamless) {
        notes.push("browsers leave out as much of the end of a clip as the next one hides at its start, at \
             most a group of pictures; give them the playlist"
                .into());
    }
    let open = |part: &&&VideoPart| part.open_start && part.codec == Codec::H264;
    let open = parts.iter().skip(1).filter(open).count();
    if open > 0 {
        notes.push(format!(
            "{open} clips begin at open groups of pictures; players may lose a frame at these joins"
        ));
    }
    notes
}

fn write_parts(
    parts: &[Part],
    chapters: Option<&Chapters>,
    out: &mut impl Write,
) -> Result<(), CutError> {
    let videos: Vec<&VideoPart> = parts
        .iter()
        .filter_map(|part| part.video.as_ref())
        .collect();
    let sounds: Vec<&AudioPart> = parts.iter().flat_map(|part| &part.audio).collect();
    if videos.is_empty() && sounds.is_empty() {
        return Err(CutError::NoCuts);
    }
    let video_scale = common(videos.iter().map(|video| video.timescale)).unwrap_or(90_000);
    let slots = sounds.iter().map(|sound| sound.slot + 1).max().unwrap_or(0);
    let first_of = |slot| parts.iter().find_map(|part| of_slot(part, slot));
    let audio_scales = (0..slots).filter_map(first_of).map(|s| s.sample_rate);
    let movie_scale =
        common(audio_scales.chain((!videos.is_empty()).then_some(video_scale))).unwrap_or(90_000);

    let mut tracks = Vec::new();
    let mut descriptions = Vec::new();
    if let (Some(track), Some(first)) = (
        video_track(parts, video_scale, movie_scale)?,
        videos.first(),
    ) {
        descriptions.push(describe_video(first, track.in_band)?);
        tracks.push(track);
    }
    for slot in 0..slots {
        if let (Some(track), Some(first)) = (audio_track(parts, slot, movie_scale)?, first_of(slot))
        {
            descriptions.push(describe_audio(first)?);
            tracks.push(track);
        }
    }
    write_tracks(&tracks, descriptions, movie_scale, chapters, out)
}

/// Writes finished tracks: the tables first, then the samples of all tracks, interleaved.
pub(super) fn write_tracks(
    tracks: &[FileTrack],
    mut descriptions: Vec<Description>,
    movie_scale: u32,
    chapters: Option<&Chapters>,
    out: &mut impl Write,
) -> Result<(), CutError> {
    let chunks = interleave(tracks, movie_scale);
    let media: u64 = tracks
        .iter()
        .flat_map(|track| &track.samples)
        .map(|sample| u64::from(sample.size))
        .sum();
    // The titles of chapters follow the pictures and the sound.
    let titles = chapters.map(Chapters::data).unwrap_or_default();
    if chapters.is_some() {
        let chapter_track = tracks.len() as u32 + 1;
        for description in &mut descriptions {
            description.reference = Chapters::reference(chapter_track);
        }
    }
    let titles_at = media;
    let media = media + titles.len() as u64;

    let ftyp = make(
        b"ftyp",
        &[b"isom", &512u32.to_be_bytes(), b"isomiso2avc1mp41"],
    );
    // The offsets depend on the size of the box that holds them, which does not depend on them.
    let wide = media > u64::from(u32::MAX) - (64 << 20);
    let header = if media + 16 > u64::from(u32::MAX) {
        16
    } else {
        8
    };
    let moov = |start: u64| {
        let chapters = chapters.map(|chapters| (chapters, start + titles_at));
        moov(
            tracks,
            &descriptions,
            &chunks,
            chapters,
            movie_scale,
            wide,
            start,
        )
    };
    let size = (ftyp.len() + moov(0)?.len()) as u64 + header;
    out.write_all(&ftyp)?;
    out.write_all(&moov(size)?)?;
    if header == 16 {
        out.write_all(&1u32.to_be_bytes())?;
        out.write_all(b"mdat")?;
        out.write_all(&(media + 16).to_be_bytes())?;
    } else {
        out.write_all(&((media + 8) as u32).to_be_bytes())?;
        out.write_all(b"mdat")?;
    }
    for chunk in &chunks {
        for sample in &tracks[chunk.track].samples[chunk.samples.clone()] {
            sample.write(out)?;
        }
    }
    out.write_all(&titles)?;
    out.flush()?;
    Ok(())
}

/// Whether a track has several edits of its media, or one that begins after as much time as it shows.
fn hides_more_than_it_shows(track: &FileTrack, movie_scale: u32) -> bool {
    let mut real = track.edits.iter().filter(|edit| edit.media_time >= 0);
    let Some(first) = real.next() else {
        return false;
    };
    let shown = u128::from(first.duration) * u128::from(track.timescale);
    let hidden = first.media_time.unsigned_abs();
    real.next().is_some() || u128::from(hidden) * u128::from(movie_scale) >= shown
}

/// What a track's boxes need beside its samples.
pub(super) struct Description {
    pub entry: Vec<u8>,
    pub video: bool,
    pub roll: bool,
    pub size: (u32, u32),
    pub language: [u8; 2],
    /// The box that refers to other tracks; may be empty.
    pub reference: Vec<u8>,
}

fn describe_video(part: &VideoPart, in_band: bool) -> Result<Description, CutError> {
    let size = (part.width, part.height);
    let entry = describe::video(&part.codec, &part.sets, size, part.pixel_aspect, in_band)
        .ok_or_else(|| CutError::Codec {
            what: "video",
            codec: part.codec.clone(),
        })?;
    let shown = match part.pixel_aspect {
        Some((h, v)) => {
            let width = u64::from(part.width) * u64::from(h) / u64::from(v.max(1));
            (u32::try_from(width).unwrap_or(part.width), part.height)
        }
        None => size,
    };
    let video = is_video(&part.codec);
    Ok(Description {
        entry,
        video,
        roll: false,
        size: shown,
        language: pack_language(None),
        reference: Vec::new(),
    })
}

fn describe_audio(part: &AudioPart) -> Result<Description, CutError> {
    let first = part
        .samples
        .first()
        .map(|(_, data)| &data[..])
        .unwrap_or_default();
    let format = (part.sample_rate, part.channels);
    let language = part.language.as_deref();
    describe(&part.codec, &part.config, format, first, language)
}

/// Describes sound of a rate and number of channels; `first` is its first frame.
pub(super) fn describe(
    codec: &Codec,
    config: &[u8],
    (sample_rate, channels): (u32, u32),
    first: &[u8],
    language: Option<&str>,
) -> Result<Description, CutError> {
    let entry = describe::audio(codec, config, sample_rate, channels, first).ok_or_else(|| {
        CutError::Codec {
            what: "audio",
            codec: codec.clone(),
        }
    })?;
    Ok(Description {
        entry,
        video: false,
        roll: *codec == Codec::Aac,
        size: (0, 0),
        language: pack_language(language),
        reference: Vec::new(),
    })
}

/// Three letters of five bits.
pub(super) fn pack_language(code: Option<&str>) -> [u8; 2] {
    let code = code.filter(|c| c.len() == 3 && c.bytes().all(|b| b.is_ascii_lowercase()));
    let letters = code.unwrap_or("und").bytes();
    letters
        .fold(0u16, |packed, letter| {
            packed << 5 | u16::from(letter - 0x60)
        })
        .to_be_bytes()
}

const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

fn matrix() -> Vec<u8> {
    MATRIX
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect()
}

/// A duration field of the version that the box was given.
fn sized(version: u8, value: u64) -> Vec<u8> {
    if version == 1 {
        value.to_be_bytes().into()
    } else {
        (value as u32).to_be_bytes().into()
    }
}

fn version_for(value: u64) -> u8 {
    u8::from(value > u64::from(u32::MAX))
}

fn moov(
    tracks: &[FileTrack],
    descriptions: &[Description],
    chunks: &[FileChunk],
    chapters: Option<(&Chapters, u64)>,
    movie_scale: u32,
    wide: bool,
    media_start: u64,
) -> Result<Vec<u8>, CutError> {
    let total = |track: &FileTrack| track.edits.iter().map(|edit| edit.duration).sum::<u64>();
    let mut duration = tracks.iter().map(total).max().unwrap_or(0);
    // GStreamer's qtdemux (1.22) adds the start of an edit to its clock when it looks for the end of
    // the movie, and would end clips that hide more than they show, and all but the first edit.
    // Without a duration here it goes by the edits; every reader has them in the tracks too.
    if tracks
        .iter()
        .any(|track| hides_more_than_it_shows(track, movie_scale))
    {
        duration = 0;
    }
    let version = version_for(duration);
    let zero = sized(version, 0);
    let chapter_track = tracks.len() as u32 + 1;
    let next = chapter_track + u32::from(chapters.is_some());
    let mvhd = make_full(
        b"mvhd",
        version,
        0,
        &[
            &zero,
            &zero,
            &movie_scale.to_be_bytes(),
            &sized(version, duration),
            &0x1_0000u32.to_be_bytes(),
            &[1, 0],
            &[0; 10],
            &matrix(),
            &[0; 24],
            &next.to_be_bytes(),
        ],
    );
    // Where each chunk begins in the file.
    let mut offsets: Vec<Vec<u64>> = tracks.iter().map(|_| Vec::new()).collect();
    let mut at = media_start;
    for chunk in chunks {
        offsets[chunk.track].push(at);
        let samples = &tracks[chunk.track].samples[chunk.samples.clone()];
        at += samples
            .iter()
            .map(|sample| u64::from(sample.size))
            .sum::<u64>();
    }
    let mut body = mvhd;
    for (number, ((track, description), offsets)) in
        tracks.iter().zip(descriptions).zip(&offsets).enumerate()
    {
        let counts: Vec<u32> = chunks
            .iter()
            .filter(|chunk| chunk.track == number)
            .map(|chunk| chunk.samples.len() as u32)
            .collect();
        let id = number as u32 + 1;
        body.extend(trak(
            id,
            track,
            description,
            total(track),
            offsets,
            &counts,
            wide,
        ));
    }
    if let Some((chapters, offset)) = chapters {
        body.extend(chapters.track(chapter_track, movie_scale, &matrix(), offset));
        body.extend(chapters.list());
    }
    let moov = make(b"moov", &[&body]);
    if moov.len() > 1 << 30 {
        return Err(CutError::TooLong("its sample table would exceed 1 GB"));
    }
    Ok(moov)
}

fn trak(
    id: u32,
    track: &FileTrack,
    description: &Description,
    edited: u64,
    offsets: &[u64],
    counts: &[u32],
    wide: bool,
) -> Vec<u8> {
    let version = version_for(edited);
    let zero = sized(version, 0);
    let volume: [u8; 2] = if description.video { [0, 0] } else { [1, 0] };
    let group: [u8; 2] = [0, u8::from(!description.video)];
    let tkhd = make_full(
        b"tkhd",
        version,
        3,
        &[
            &zero,
            &zero,
            &id.to_be_bytes(),
            &[0; 4],
            &sized(version, edited),
            &[0; 8],
            &[0, 0],
            &group,
            &volume,
            &[0; 2],
            &matrix(),
            &(description.size.0 << 16).to_be_bytes(),
            &(description.size.1 << 16).to_be_bytes(),
        ],
    );
    let edts = make(b"edts", &[&elst(&track.edits)]);
    let media: u64 = track
        .samples
        .iter()
        .map(|sample| u64::from(sample.duration))
        .sum();
    let version = version_for(media);
    let zero = sized(version, 0);
    let mdhd = make_full(
        b"mdhd",
        version,
        0,
        &[
            &zero,
            &zero,
            &track.timescale.to_be_bytes(),
            &sized(version, media),
            &description.language,
            &[0; 2],
        ],
    );
    let (handler, name, media_header): (&[u8; 4], &[u8], Vec<u8>) = if description.video {
        (b"vide", b"Video\0", make_full(b"vmhd", 0, 1, &[&[0; 8]]))
    } else {
        (b"soun", b"Sound\0", make_full(b"smhd", 0, 0, &[&[0; 4]]))
    };
    let hdlr = make_full(b"hdlr", 0, 0, &[&[0; 4], handler, &[0; 12], name]);
    let url = make_full(b"url ", 0, 1, &[]);
    let dref = make_full(b"dref", 0, 0, &[&1u32.to_be_bytes(), &url]);
    let dinf = make(b"dinf", &[&dref]);
    let stbl = stbl(track, description, offsets, counts, wide);
    let minf = make(b"minf", &[&media_header, &dinf, &stbl]);
    let mdia = make(b"mdia", &[&mdhd, &hdlr, &minf]);
    make(b"trak", &[&tkhd, &description.reference, &edts, &mdia])
}

fn elst(edits: &[Edit]) -> Vec<u8> {
    let large =
        |edit: &Edit| edit.duration > u64::from(u32::MAX) || edit.media_time > i64::from(i32::MAX);
    let version = u8::from(edits.iter().any(large));
    let mut body = (edits.len() as u32).to_be_bytes().to_vec();
    for edit in edits {
        body.extend(sized(version, edit.duration));
        if version == 1 {
            body.extend(edit.media_time.to_be_bytes());
        } else {
            body.extend((edit.media_time as i32).to_be_bytes());
        }
        body.extend([0, 1, 0, 0]);
    }
    make_full(b"elst", version, 0, &[&body])
}

/// Runs of equal values: count and value.
fn runs(values: impl Iterator<Item = u32>) -> Vec<u8> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for value in values {
        match runs.last_mut() {
            Some((count, last)) if *last == value => *count += 1,
            _ => runs.push((1, value)),
        }
    }
    let mut body = (runs.len() as u32).to_be_bytes().to_vec();
    for (count, value) in runs {
        body.extend(count.to_be_bytes());
        body.extend(value.to_be_bytes());
    }
    body
}

fn stbl(
    track: &FileTrack,
    description: &Description,
    offsets: &[u64],
    counts: &[u32],
    wide: bool,
) -> Vec<u8> {
    let samples = &track.samples;
    let stsd = make_full(b"stsd", 0, 0, &[&1u32.to_be_bytes(), &description.entry]);
    let stts = make_full(b"stts", 0, 0, &[&runs(samples.iter().map(|s| s.duration))]);
    let mut body = [stsd, stts].concat();
    if samples.iter().any(|sample| sample.offset > 0) {
        let ctts = runs(samples.iter().map(|sample| sample.offset));
        body.extend(make_full(b"ctts", 0, 0, &[&ctts]));
    }
    if samples.iter().any(|sample| !sample.key) {
        let keys: Vec<u32> = (1..)
            .zip(samples)
            .filter(|(_, s)| s.key)
            .map(|(n, _)| n)
            .collect();
        let mut list = (keys.len() as u32).to_be_bytes().to_vec();
        list.extend(keys.iter().flat_map(|key| key.to_be_bytes()));
        body.extend(make_full(b"stss", 0, 0, &[&list]));
    }
    let mut stsc = Vec::new();
    let mut entries = 0u32;
    for (index, count) in counts.iter().enumerate() {
        if index == 0 || counts[index - 1] != *count {
            entries += 1;
            stsc.extend((index as u32 + 1).to_be_bytes());
            stsc.extend(count.to_be_bytes());
            stsc.extend(1u32.to_be_bytes());
        }
    }
    body.extend(make_full(b"stsc", 0, 0, &[&entries.to_be_bytes(), &stsc]));
    let sizes: Vec<u8> = samples
        .iter()
        .flat_map(|sample| sample.size.to_be_bytes())
        .collect();
    let count = (samples.len() as u32).to_be_bytes();
    body.extend(make_full(b"stsz", 0, 0, &[&[0; 4], &count, &sizes]));
    let count = (offsets.len() as u32).to_be_bytes();
    if wide {
        let list: Vec<u8> = offsets
            .iter()
            .flat_map(|offset| offset.to_be_bytes())
            .collect();
        body.extend(make_full(b"co64", 0, 0, &[&count, &list]));
    } else {
        let list: Vec<u8> = offsets
            .iter()
            .flat_map(|offset| (*offset as u32).to_be_bytes())
            .collect();
        body.extend(make_full(b"stco", 0, 0, &[&count, &list]));
    }
    if description.roll {
        // Every AAC frame needs the one before it.
        let entry = [2u32.to_be_bytes(), 1u32.to_be_bytes()].concat();
        body.extend(make_full(
            b"sgpd",
            1,
            0,
            &[b"roll", &entry, &(-1i16).to_be_bytes()],
        ));
        let count = (samples.len() as u32).to_be_bytes();
        let one = 1u32.to_be_bytes();
        body.extend(make_full(b"sbgp", 0, 0, &[b"roll", &one, &count, &one]));
    }
    make(b"stbl", &[&body])
}
