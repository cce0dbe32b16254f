//! Playlists over the source chunks: nothing is cut, so they cost nothing and are there at once.
//! The placed chunks of each range are handed to the playlist writer of the media crate, named
//! relative to the playlist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use matchcut_media::hls::{self, AudioRendition, ClipMarks, HlsChunk, PlaylistClip, VodPlaylist};
use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::{Container, PlacedChunk, Position, Resource};
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::timeline::EventTimeline;
use url::Url;

use super::clips::write;
use super::media::MediaStore;
use super::naming::Names;

/// A clip that a playlist is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Unique in the playlist.
    pub id: String,
    /// For people.
    pub label: Option<String>,
    /// The marks.
    pub range: TimeRange,
}

impl Wanted {
    /// A range that nobody has named.
    pub fn range(range: TimeRange) -> Self {
        Wanted {
            id: format!("{}-{}", range.start.flicks(), range.end.flicks()),
            label: None,
            range,
        }
    }
}

/// Where a clip is in a playlist; times are from the start of the playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedClip {
    /// As it was asked for.
    pub id: String,
    /// When it begins.
    pub start: MediaTime,
    /// How long it is played.
    pub duration: MediaTime,
    /// When its mark-in is shown.
    pub mark_in: MediaTime,
    /// When its mark-out is shown.
    pub mark_out: MediaTime,
    /// How far its ends are from the marks, in frames.
    pub max_error_frames: u64,
}

/// A playlist, and how far its ends may be from the marks.
pub struct Instant {
    /// The files of the playlist, in the order in which they are to be written: the one that was
    /// asked for is the last, and names the others where there is separate audio.
    pub files: Vec<(PathBuf, String)>,
    /// Copies that it names, and of what.
    pub copies: BTreeMap<PathBuf, Resource>,
    /// The clips that are in it, in its order.
    pub clips: Vec<PlacedClip>,
    /// How long it lasts.
    pub duration: MediaTime,
    /// In frames, the worst of all its pieces.
    pub max_error_frames: u64,
    /// Whether browsers can start at each of its pieces.
    pub browser: bool,
    /// What else is to be known, each once.
    pub notes: BTreeSet<String>,
}

/// The chunks that cover `range`, and the one behind it where players may lose its last frames.
fn covering(timeline: &EventTimeline, range: TimeRange) -> Vec<&PlacedChunk> {
    let mut found = timeline.chunks_covering(range);
    let last = found.last().copied();
    if let Some(last) = last.filter(|last| {
        last.chunk.container == Container::FragmentedMp4 && last.span.end < range.end + hls::GUARD
    }) {
        let next = timeline.get(Position(last.chunk.position.0 + 1));
        found.extend(next.filter(|next| next.stretch == last.stretch));
    }
    found
}

/// The chunks that a playlist of `range` may use: those that cover it, those before them on the same
/// stretch that let it begin at a clean key frame, and the one behind it where that is needed.
pub fn chunks_of(timeline: &EventTimeline, range: TimeRange) -> Vec<&PlacedChunk> {
    let covering = covering(timeline, range);
    let Some(&first) = covering.first() else {
        return covering;
    };
    let mut all: Vec<&PlacedChunk> = Vec::new();
    let mut next = first;
    while let Some(before) = next.chunk.position.0.checked_sub(1) {
        let before = timeline.get(Position(before)).filter(|before| {
            before.stretch == next.stretch && before.span.end + hls::REACH > range.start
        });
        let Some(before) = before else { break };
        all.push(before);
        next = before;
    }
    all.reverse();
    all.extend(covering);
    all
}

/// A VOD playlist (RFC 8216) that plays `wanted` one after the other, for a file at `path`: chunks
/// on this machine are named relative to it. With a directory for `copies` each chunk is named by its copy
/// in there, which is made where there is none yet.
pub fn instant(
    store: &MediaStore,
    timeline: &EventTimeline,
    wanted: &[Wanted],
    path: &Path,
    copies: Option<&Path>,
) -> Result<Instant, String> {
    let list = build(
        &|placed| store.get(placed).ok(),
        timeline,
        wanted,
        path,
        copies,
    )?;
    for (copy, resource) in &list.copies {
        if !copy.exists() {
            let bytes = store.as_it_lies(resource)?;
            write(copy, &bytes)?;
        }
    }
    Ok(list)
}

/// The samples of a chunk, if it can be had.
type Samples<'a> = &'a dyn Fn(&PlacedChunk) -> Option<Arc<Demuxed>>;

fn build(
    samples: Samples<'_>,
    timeline: &EventTimeline,
    wanted: &[Wanted],
    path: &Path,
    copies: Option<&Path>,
) -> Result<Instant, String> {
    let absolute = std::path::absolute(path).ok();
    let base = absolute.and_then(|path| Url::from_file_path(path).ok());
    let mut out = Builder::new(samples, timeline, base.as_ref(), copies);
    for clip in wanted {
        out.add(clip)?;
    }
    if out.main.clips.is_empty() {
        return Err("there is no chunk between the marks".to_owned());
    }
    Ok(out.finish(path))
}

/// A separate audio rendition of the whole playlist.
struct Audio {
    name: String,
    language: Option<String>,
    playlist: VodPlaylist,
}

struct Builder<'a> {
    samples: Samples<'a>,
    timeline: &'a EventTimeline,
    names: Names<'a>,
    main: VodPlaylist,
    audio: Vec<Audio>,
    /// Whether the chunks themselves carry sound.
    own_sound: bool,
    at: MediaTime,
    bandwidth: u64,
    clips: Vec<PlacedClip>,
    max_error_frames: u64,
    browser: bool,
    notes: BTreeSet<String>,
}

impl<'a> Builder<'a> {
    fn new(
        samples: Samples<'a>,
        timeline: &'a EventTimeline,
        base: Option<&'a Url>,
        copies: Option<&'a Path>,
    ) -> Self {
        Builder {
            samples,
            timeline,
            names: Names::new(base, copies),
            main: VodPlaylist::default(),
            audio: Vec::new(),
            own_sound: false,
            at: MediaTime::ZERO,
            bandwidth: 0,
            clips: Vec::new(),
            max_error_frames: 0,
            browser: true,
            notes: BTreeSet::new(),
        }
    }

    fn add(&mut self, wanted: &Wanted) -> Result<(), String> {
        let covering = covering(self.timeline, wanted.range);
        let mut placed: Option<PlacedClip> = None;
        // Times jump between stretches and behind a hole, and a player must be told.
        let follows = |a: &&PlacedChunk, b: &&PlacedChunk| {
            a.stretch == b.stretch && a.chunk.position.0 + 1 == b.chunk.position.0
        };
        for (number, run) in covering.chunk_by(follows).enumerate() {
            let (Some(first), Some(last)) = (run.first(), run.last()) else {
                continue;
            };
            let part = TimeRange::new(
                wanted.range.start.max(first.span.start),
                wanted.range.end.min(last.span.end),
            );
            let run = if number == 0 {
                let mut with_lead = chunks_of(self.timeline, wanted.range);
                with_lead.retain(|chunk| chunk.chunk.position <= last.chunk.position);
                with_lead
            } else {
                run.to_vec()
            };
            let id = match number {
                0 => wanted.id.clone(),
                number => format!("{}/{}", wanted.id, number + 1),
            };
            let piece = self.piece(&run, part, id, wanted.label.clone())?;
            match &mut placed {
                None => placed = Some(piece),
                Some(whole) => {
                    whole.duration += piece.duration;
                    whole.mark_out = piece.mark_out;
                    whole.max_error_frames = whole.max_error_frames.max(piece.max_error_frames);
                }
            }
        }
        if let Some(mut placed) = placed {
            placed.id.clone_from(&wanted.id);
            self.clips.push(placed);
        }
        Ok(())
    }

    /// Adds what is played of one stretch.
    fn piece(
        &mut self,
        run: &[&PlacedChunk],
        range: TimeRange,
        id: String,
        label: Option<String>,
    ) -> Result<PlacedClip, String> {
        let media: Vec<ChunkMedia> = run.iter().map(|placed| self.media(placed)).collect();
        let chunks: Vec<HlsChunk<'_>> = run
            .iter()
            .zip(&media)
            .map(|(placed, media)| HlsChunk {
                demuxed: &media.demuxed,
                offset: placed.offset,
                media: &media.media,
                init: media.init.as_ref(),
                container: media.container,
                bytes: Some(placed.bytes),
                span: placed.span,
                divisible: media.divisible,
            })
            .collect();
        let (mut clip, report) = hls::instant(&chunks, range).map_err(|error| error.to_string())?;
        let used: Vec<&PlacedChunk> = run
            .iter()
            .filter(|placed| placed.span.overlaps(&report.played))
            .copied()
            .collect();
        for placed in &used {
            let millis = placed.span.duration().to_millis().max(1).unsigned_abs();
            let bits = placed.bytes.saturating_mul(8000) / millis;
            self.bandwidth = self.bandwidth.max(bits);
        }
        // Without an anchor dates count from 1970 at the start of the event: the marks need dates.
        let date = self.timeline.utc_of(report.played.start);
        let date = date.unwrap_or_else(|| report.played.start.to_ticks(1_000_000));
        let within = |time: MediaTime| (time - report.played.start).max(MediaTime::ZERO);
        let (mark_in, mark_out) = (within(range.start), within(range.end));
        clip.program_date_time = Some(date);
        clip.title.clone_from(&label);
        clip.marks = Some(ClipMarks {
            id: id.clone(),
            label,
            mark_in,
            mark_out,
        });
        self.add_audio(&used, &clip);
        self.own_sound |= media.iter().any(|media| !media.demuxed.audio.is_empty());
        let duration = clip.duration();
        let placed = PlacedClip {
            id,
            start: self.at,
            duration,
            mark_in: self.at + mark_in,
            mark_out: self.at + mark_out,
            max_error_frames: report.max_error_frames,
        };
        self.at += duration;
        self.main.clips.push(clip);
        self.max_error_frames = self.max_error_frames.max(report.max_error_frames);
        self.browser &= report.browser;
        self.notes.extend(report.notes);
        Ok(placed)
    }

    fn media(&self, placed: &PlacedChunk) -> ChunkMedia {
        let chunk = &placed.chunk;
        // Without its samples a chunk is played whole: less exact, and still right.
        let known = chunk.container != Container::FilePart;
        let demuxed = known.then(|| (self.samples)(placed)).flatten();
        let demuxed = demuxed.unwrap_or_default();
        match &chunk.cut_from {
            Some(other) => ChunkMedia {
                media: self.names.of_all(&other.media, placed.content),
                init: other.init.as_ref().map(|init| self.names.of(init, None)),
                container: other.container,
                demuxed,
                divisible: false,
            },
            None => ChunkMedia {
                media: vec![self.names.of(&chunk.media, Some(placed.content))],
                init: chunk.init.as_ref().map(|init| self.names.of(init, None)),
                container: chunk.container,
                demuxed,
                // Sound that lies elsewhere cannot be divided at the same places.
                divisible: chunk.audio.is_empty(),
            },
        }
    }

    /// Adds the separate audio that belongs to a clip to the playlist of each rendition.
    fn add_audio(&mut self, used: &[&PlacedChunk], clip: &PlaylistClip) {
        for rendition in used.iter().flat_map(|placed| &placed.chunk.audio) {
            if !self.audio.iter().any(|audio| audio.name == rendition.name) {
                self.audio.push(Audio {
                    name: rendition.name.clone(),
                    language: rendition.language.clone(),
                    playlist: VodPlaylist::default(),
                });
            }
        }
        let mut audio = std::mem::take(&mut self.audio);
        for Audio { name, playlist, .. } in &mut audio {
            let items: Vec<(Vec<Resource>, Option<Resource>, MediaTime)> = used
                .iter()
                .filter_map(|placed| {
                    let mut renditions = placed.chunk.audio.iter();
                    let found = renditions.find(|rendition| rendition.name == *name)?;
                    let init = found.init.as_ref().map(|init| self.names.of(init, None));
                    let media = self.names.of_all(&found.media, placed.content);
                    Some((media, init, placed.span.duration()))
                })
                .collect();
            if items.len() == used.len() {
                let items = items
                    .iter()
                    .map(|(media, init, duration)| (media.as_slice(), init.as_ref(), *duration));
                let mut sound = hls::whole(items);
                sound.program_date_time = clip.program_date_time;
                playlist.clips.push(sound);
            }
        }
        self.audio = audio;
    }

    fn finish(mut self, path: &Path) -> Instant {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let mut files = Vec::new();
        let mut renditions = Vec::new();
        for (index, audio) in self.audio.iter().enumerate() {
            // Players match the discontinuities of audio and video by their count.
            if audio.playlist.clips.len() != self.main.clips.len() {
                let name = &audio.name;
                self.notes.insert(format!(
                    "audio rendition {name} is left out: not all clips have it"
                ));
                continue;
            }
            let name = format!("{stem}_audio{}.m3u8", index + 1);
            files.push((path.with_file_name(&name), audio.playlist.to_m3u8()));
            renditions.push(AudioRendition {
                name: audio.name.clone(),
                language: audio.language.clone(),
                uri: Some(name),
            });
        }
        if !renditions.is_empty() {
            self.notes.insert(
                "its sound lies in separate chunks: clips are accurate to a chunk, and sound and \
                 picture of a clip may begin and end at different times"
                    .to_owned(),
            );
            if self.own_sound {
                let own = AudioRendition {
                    name: "main".to_owned(),
                    language: None,
                    uri: None,
                };
                renditions.insert(0, own);
            }
        }
        if renditions.is_empty() {
            files.push((path.to_owned(), self.main.to_m3u8()));
        } else {
            let name = format!("{stem}_video.m3u8");
            files.push((path.with_file_name(&name), self.main.to_m3u8()));
            let text = hls::master(&name, self.bandwidth, &renditions);
            files.push((path.to_owned(), text));
        }
        // Also chunks whose keys or sound lie there.
        if files.iter().any(|(_, text)| text.contains("s3://")) {
            self.browser = false;
            self.notes.insert(
                "its chunks lie in S3, where players do not read s3:// addresses: it can be played by what \
                 resolves them, and exact clips by everyone"
                    .to_owned(),
            );
        }
        if files.iter().any(|(_, text)| text.contains("kvs://")) {
            self.browser = false;
            self.notes.insert(
                "its chunks lie in Kinesis Video, where players read them in sessions only: exact clips can be \
                 played by everyone"
                    .to_owned(),
            );
        }
        let copies = self.names.into_copies();
        if copies.values().any(|copied| copied.encryption.is_some()) {
            self.notes.insert(
                "its chunks are encrypted, also where they are copied: players need their keys"
                    .to_owned(),
            );
        }
        Instant {
            files,
            copies,
            clips: self.clips,
            duration: self.at,
            max_error_frames: self.max_error_frames,
            browser: self.browser,
            notes: self.notes,
        }
    }
}

/// What a player fetches of a chunk.
struct ChunkMedia {
    media: Vec<Resource>,
    init: Option<Resource>,
    container: Container,
    demuxed: Arc<Demuxed>,
    divisible: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::testing;
    use matchcut_model::chunk::{Encryption, Rendition};

    fn chunk(number: u64) -> PlacedChunk {
        let uri = format!("file:///event/media/c{number}.ts");
        PlacedChunk {
            utc: Some(1_725_825_600_000_000 + 4_000_000 * number as i64),
            ..testing::chunk(uri, number, number)
        }
    }

    fn audio(name: &str, files: &[&str]) -> Rendition {
        let media = files
            .iter()
            .map(|file| Resource::whole(format!("file:///event/audio/{file}")));
        Rendition {
            name: name.to_owned(),
            language: Some("en".to_owned()),
            media: media.collect(),
            init: None,
            container: Container::MpegTs,
        }
    }

    fn wanted(id: &str, start: i64, end: i64) -> Wanted {
        let range = TimeRange::new(MediaTime::from_seconds(start), MediaTime::from_seconds(end));
        Wanted {
            id: id.to_owned(),
            label: Some("ace".to_owned()),
            range,
        }
    }

    fn list(chunks: Vec<PlacedChunk>, clips: &[Wanted]) -> Instant {
        let timeline: EventTimeline = chunks.into_iter().collect();
        let path = Path::new("/event/out/replays/best/v1.m3u8");
        build(&|_| None, &timeline, clips, path, None).unwrap()
    }

    fn uris(text: &str) -> Vec<&str> {
        text.lines().filter(|line| !line.starts_with('#')).collect()
    }

    #[test]
    fn clips_are_placed_and_named_relative_to_the_playlist() {
        let chunks = (0..4).map(chunk).collect();
        let list = list(chunks, &[wanted("b", 9, 11), wanted("a", 1, 7)]);
        let [(path, text)] = list.files.as_slice() else {
            panic!("{} files", list.files.len());
        };
        assert_eq!(path, Path::new("/event/out/replays/best/v1.m3u8"));
        let media = "../../../media";
        assert_eq!(
            uris(text),
            [2, 0, 1].map(|number| format!("{media}/c{number}.ts"))
        );
        assert!(
            text.contains("#EXT-X-PROGRAM-DATE-TIME:2024-09-08T20:00:08.000Z"),
            "{text}"
        );
        let times = |clip: &PlacedClip| {
            let all = [clip.start, clip.duration, clip.mark_in, clip.mark_out];
            all.map(MediaTime::as_seconds_f64)
        };
        assert_eq!(times(&list.clips[0]), [0.0, 4.0, 1.0, 3.0]);
        assert_eq!(times(&list.clips[1]), [4.0, 8.0, 5.0, 11.0]);
        assert_eq!(list.duration, MediaTime::from_seconds(12));
    }

    #[test]
    fn a_hole_and_a_jump_of_the_clock_are_discontinuities() {
        let mut chunks: Vec<PlacedChunk> = [0, 2, 3].map(chunk).into();
        chunks[2].stretch = 1;
        let list = list(chunks, &[wanted("a", 1, 15)]);
        let text = &list.files[0].1;
        assert_eq!(text.matches("#EXT-X-DISCONTINUITY").count(), 2, "{text}");
        for id in ["\"a\"", "\"a/2\"", "\"a/3\""] {
            assert!(text.contains(&format!("DATERANGE:ID={id}")), "{text}");
        }
        let [clip] = list.clips.as_slice() else {
            panic!("{:?}", list.clips);
        };
        assert_eq!(
            (clip.id.as_str(), clip.duration),
            ("a", MediaTime::from_seconds(12))
        );
        assert_eq!(clip.mark_out, MediaTime::from_seconds(11));
    }

    #[test]
    fn separate_audio_is_a_group_of_the_renditions_that_all_clips_have() {
        let mut chunks: Vec<PlacedChunk> = (0..3).map(chunk).collect();
        // A segment of the audio lies under two chunks.
        chunks[0].chunk.audio = vec![audio("Court", &["a0.ts", "a1.ts"])];
        chunks[1].chunk.audio = vec![
            audio("Court", &["a1.ts", "a2.ts"]),
            audio("Radio", &["r1.ts"]),
        ];
        chunks[2].chunk.audio = vec![audio("Court", &["a3.ts"])];
        for chunk in &mut chunks {
            chunk.chunk.media.encryption = Some(Encryption {
                key_uri: "file:///event/keys/1".to_owned(),
                iv: [1; 16],
            });
        }
        let list = list(chunks, &[wanted("b", 9, 11), wanted("a", 1, 7)]);
        let names: Vec<String> = list
            .files
            .iter()
            .map(|(path, _)| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["v1_audio1.m3u8", "v1_video.m3u8", "v1.m3u8"]);
        let (audio, video, master) = (&list.files[0].1, &list.files[1].1, &list.files[2].1);
        assert_eq!(
            uris(audio),
            ["a3.ts", "a0.ts", "a1.ts", "a2.ts"].map(|name| format!("../../../audio/{name}"))
        );
        assert!(
            audio.contains("#EXTINF:4.000000,\n../../../audio/a1.ts"),
            "{audio}"
        );
        assert_eq!(audio.matches("#EXT-X-DISCONTINUITY").count(), 1);
        assert_eq!(video.matches("#EXT-X-DISCONTINUITY").count(), 1);
        assert!(video.contains("URI=\"../../../keys/1\""), "{video}");
        assert!(
            master.contains("NAME=\"Court\",LANGUAGE=\"en\",DEFAULT=YES")
                && master.contains("BANDWIDTH=2000000,AUDIO=\"audio\"\nv1_video.m3u8"),
            "{master}"
        );
        assert!(!master.contains("Radio"), "{master}");
        assert!(
            list.notes
                .iter()
                .any(|note| note.contains("Radio is left out"))
        );
    }
}
