//! From a range of the event to inputs: which frames of which files in S3 show it. Each chunk is an input of its own
//! and its frames are counted from its start, because that count is known here frame by frame. A playlist as
//! input would be counted across gaps and discontinuities in ways that nobody promises, and changes while the
//! event runs.

use std::collections::BTreeMap;

use matchcut_aws::S3Address;
use matchcut_model::chunk::{Container, PlacedChunk, Resource, TrackNumber};
use matchcut_model::time::{FrameRate, TimeRange};
use matchcut_model::timecode::{Timecode, TimecodeRate};
use matchcut_model::timeline::EventTimeline;

use super::shape::InputClipping;
use crate::exact::input_name;
use crate::marks::FrameIndex;

/// Timecodes of MediaConvert have two digits for frames.
const MOST_FRAMES: u32 = 100;

/// Why chunks cannot be inputs of a job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoInput {
    /// It lies elsewhere.
    #[error(
        "chunk {chunk} ({address}) is not in S3; say with the option \"media\" where it lies there"
    )]
    Elsewhere {
        /// Which.
        chunk: u64,
        /// Where it lies, without secrets.
        address: String,
    },
    /// MediaConvert reads whole files in the clear.
    #[error("chunk {chunk} {what}, and MediaConvert reads whole files in the clear")]
    Form {
        /// Which.
        chunk: u64,
        /// What it is.
        what: &'static str,
    },
    /// The sound is not in the chunk.
    #[error(
        "audio track {track} lies in files of its own; MediaConvert cuts sound only together with the \
         pictures of its file"
    )]
    SeparateAudio {
        /// The track.
        track: TrackNumber,
    },
    /// Its frames cannot be named.
    #[error("at {0} frames a second MediaConvert has no timecode for every frame")]
    FrameRate(FrameRate),
    /// There is nothing to see.
    #[error("it holds no frame")]
    Empty,
}

/// Where chunks lie in S3 that are read from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Longer beginnings first.
    places: Vec<(String, S3Address)>,
}

impl Mapping {
    /// From beginnings of addresses to what stands in S3 instead. What is no address was told before.
    pub fn new(media: &BTreeMap<String, String>) -> Self {
        let place =
            |(from, to): (&String, &String)| Some((from.clone(), S3Address::parse(to).ok()?));
        let mut places: Vec<_> = media.iter().filter_map(place).collect();
        places.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        Mapping { places }
    }

    /// The address in S3 of what is read at `uri`, as a person writes it.
    pub fn find(&self, uri: &str) -> Option<String> {
        let path = uri.split(['?', '#']).next().unwrap_or_default();
        if path.starts_with("s3://") {
            return S3Address::of_uri(path).ok().map(|found| found.to_string());
        }
        let place = |(from, to): &(String, S3Address)| {
            let rest = path.strip_prefix(from.as_str())?;
            // Escapes in it are those of a URI.
            let rest = S3Address::of_uri(&format!("s3://b/{rest}")).ok()?;
            Some(to.at(format!("{}{}", to.key, rest.key)).to_string())
        };
        self.places.iter().find_map(place)
    }
}

/// Frames of one file that are shown one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The file, as `s3://bucket/key`.
    pub file: String,
    /// First frame, counted from the start of the file.
    pub first: i64,
    /// The frame after the last.
    pub end: i64,
    /// How many there are; not known of a file that holds more than a chunk.
    pub all: Option<i64>,
    /// Frames a second.
    pub rate: FrameRate,
    /// The number of the audio track in the file, if it has it.
    pub track: Option<u32>,
}

impl Part {
    pub(super) fn len(&self) -> i64 {
        self.end - self.first
    }

    /// First and last frame as MediaConvert wants them; nothing where all of a file is shown.
    pub(super) fn clipping(&self) -> Vec<InputClipping> {
        let rate = TimecodeRate::non_drop(self.rate);
        let label = |frame: i64| Some(Timecode::from_frame(frame, rate).to_string());
        let from_start = self.first == 0 && self.all.is_some();
        let to_end = self.all == Some(self.end);
        let clipping = InputClipping {
            start_timecode: label(self.first).filter(|_| !from_start),
            // The end is part of the clip.
            end_timecode: label(self.end - 1).filter(|_| !to_end),
        };
        match from_start && to_end {
            true => Vec::new(),
            false => vec![clipping],
        }
    }
}

/// The files and frames that show `marks`, in order: every frame with mark-in <= time < mark-out.
pub(super) fn parts(
    timeline: &EventTimeline,
    marks: TimeRange,
    track: TrackNumber,
    mapping: &Mapping,
) -> Result<Vec<Part>, NoInput> {
    let usual = FrameIndex::new(timeline, None).rate();
    let mut parts: Vec<Part> = Vec::new();
    for placed in timeline.chunks_covering(marks) {
        let first = placed.frames.before(marks.start);
        let end = placed.frames.before(marks.end);
        if first >= end {
            continue;
        }
        let part = part(timeline, placed, (first, end), usual, track, mapping)?;
        match parts.last_mut() {
            // A file that was read in parts is one input.
            Some(before) if before.file == part.file && before.end == part.first => {
                before.end = part.end;
            }
            _ => parts.push(part),
        }
    }
    match parts.is_empty() {
        true => Err(NoInput::Empty),
        false => Ok(parts),
    }
}

fn part(
    timeline: &EventTimeline,
    placed: &PlacedChunk,
    (first, end): (usize, usize),
    usual: FrameRate,
    track: TrackNumber,
    mapping: &Mapping,
) -> Result<Part, NoInput> {
    let chunk = placed.chunk.position.0;
    let form = |what| NoInput::Form { chunk, what };
    let media = file_of(placed)?;
    if media.encryption.is_some() {
        return Err(form("is encrypted"));
    }
    if media.range.is_some() {
        return Err(form("is a part of a file"));
    }
    let file = mapping.find(&media.uri).ok_or_else(|| NoInput::Elsewhere {
        chunk,
        address: input_name(&media.uri),
    })?;
    let rate = placed.frame_rate.unwrap_or(usual);
    if rate.nominal() > MOST_FRAMES {
        return Err(NoInput::FrameRate(rate));
    }
    let whole = placed.chunk.container == Container::FilePart;
    let before = match whole {
        true => frames_before(timeline, placed),
        false => 0,
    };
    let number = |index: usize| before + i64::try_from(index).unwrap_or(i64::MAX);
    Ok(Part {
        file,
        first: number(first),
        end: number(end),
        all: (!whole).then(|| number(placed.frames.len())),
        rate,
        track: track_in(placed, track)?,
    })
}

/// What pictures are cut from.
fn file_of(placed: &PlacedChunk) -> Result<&Resource, NoInput> {
    let chunk = placed.chunk.position.0;
    let form = |what| NoInput::Form { chunk, what };
    let reference = &placed.chunk;
    let (media, container, init) = match &reference.cut_from {
        // Variants of one stream have the same frames.
        Some(variant) => match variant.media.as_slice() {
            [media] => (media, variant.container, variant.init.is_some()),
            _ => return Err(form("is cut from several segments of another variant")),
        },
        None => (
            &reference.media,
            reference.container,
            reference.init.is_some(),
        ),
    };
    match container {
        Container::FragmentedMp4 => Err(form("is a fragment of an MP4 file")),
        Container::Matroska => Err(form("is a fragment of a stream of Kinesis Video")),
        Container::PackedAudio => Err(form("is sound alone")),
        Container::MpegTs | Container::FilePart if init => {
            Err(form("needs an initialization section"))
        }
        Container::MpegTs | Container::FilePart => Ok(media),
    }
}

/// Frames of a file that stand before those of one of its parts.
fn frames_before(timeline: &EventTimeline, placed: &PlacedChunk) -> i64 {
    let same = |other: &&PlacedChunk| other.chunk.media.uri == placed.chunk.media.uri;
    let start = timeline
        .iter()
        .find(same)
        .map_or(0, |first| first.first_frame);
    i64::try_from(placed.first_frame.saturating_sub(start)).unwrap_or(0)
}

/// The number of a track among those in the file itself; separate renditions are counted behind them.
fn track_in(placed: &PlacedChunk, track: TrackNumber) -> Result<Option<u32>, NoInput> {
    let separate = placed.chunk.audio.len();
    let inside = placed.audio_tracks.len().saturating_sub(separate);
    let Some(index) = placed.audio_tracks.iter().position(|found| *found == track) else {
        return Ok(None);
    };
    if index >= inside {
        return Err(NoInput::SeparateAudio { track });
    }
    Ok(u32::try_from(index + 1).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::tests::chunk;
    use matchcut_model::chunk::{ByteRange, ContentId, Encryption, Rendition};
    use matchcut_model::time::MediaTime;
    use proptest::prelude::*;

    fn in_s3(mut placed: PlacedChunk) -> PlacedChunk {
        let position = placed.chunk.position;
        placed.chunk.media = Resource::whole(format!("s3://media/cup%20%231/c_{position}.ts"));
        placed
    }

    /// What MediaConvert makes of a clipping: file and number of every frame.
    fn played(parts: &[Part]) -> Vec<(String, i64)> {
        let mut frames = Vec::new();
        for part in parts {
            let rate = TimecodeRate::non_drop(part.rate);
            let frame = |label: &Option<String>| {
                let label = label.as_ref();
                label.map(|label| Timecode::parse(label, rate).unwrap().frame())
            };
            let clip = part.clipping().into_iter().next().unwrap_or_default();
            let first = frame(&clip.start_timecode).unwrap_or(0);
            let end = match frame(&clip.end_timecode) {
                Some(last) => last + 1,
                None => part.all.unwrap(),
            };
            frames.extend((first..end).map(|number| (part.file.clone(), number)));
        }
        frames
    }

    const RATES: [(u32, u32); 7] = [
        (25, 1),
        (30_000, 1001),
        (50, 1),
        (60_000, 1001),
        (24_000, 1001),
        (10, 1),
        (60, 1),
    ];

    proptest! {
        /// The frames that the inputs name are those that a local cut has: mark-in <= time < mark-out.
        #[test]
        fn inputs_name_every_frame_of_the_range_and_no_other(
            rate in 0..RATES.len(),
            lengths in prop::collection::vec((1u64..130, 0u64..3), 1..8),
            from in 0i64..40_000, long in 0i64..40_000, even in any::<bool>(),
        ) {
            let (num, den) = RATES[rate];
            let rate = FrameRate::new(num, den).unwrap();
            let (mut timeline, mut at, mut first) = (EventTimeline::new(), MediaTime::ZERO, 0);
            for (position, (frames, hole)) in (0u64..).zip(&lengths) {
                timeline.insert(in_s3(chunk(position, at, rate, first, *frames)));
                first += frames + hole;
                at += rate.time_of((frames + hole) as i64);
            }
            let mark = |millis: i64| match even {
                true => rate.time_of(rate.frame_at(MediaTime::from_millis(millis))),
                false => MediaTime::from_millis(millis),
            };
            let marks = TimeRange::new(mark(from), mark(from + long));
            let mut expected = Vec::new();
            for placed in timeline.iter() {
                let file = format!("s3://media/cup #1/c_{}.ts", placed.chunk.position);
                let shown = placed.frames.iter().enumerate();
                let shown = shown.filter(|(_, frame)| marks.contains(frame.time));
                expected.extend(shown.map(|(number, _)| (file.clone(), number as i64)));
            }
            let found = parts(&timeline, marks, TrackNumber(1), &Mapping::default());
            match found {
                Err(error) => {
                    prop_assert_eq!(error, NoInput::Empty);
                    prop_assert!(expected.is_empty());
                }
                Ok(parts) => prop_assert_eq!(played(&parts), expected),
            }
        }
    }

    fn pal() -> FrameRate {
        FrameRate { num: 25, den: 1 }
    }

    fn one(change: impl FnOnce(&mut PlacedChunk)) -> Result<Vec<Part>, NoInput> {
        let mut placed = in_s3(chunk(3, MediaTime::ZERO, pal(), 0, 50));
        change(&mut placed);
        let timeline: EventTimeline = [placed].into_iter().collect();
        let marks = TimeRange::new(MediaTime::from_millis(400), MediaTime::from_millis(1000));
        parts(&timeline, marks, TrackNumber(2), &Mapping::default())
    }

    #[test]
    fn a_part_says_first_and_last_frame() {
        let found =
            one(|placed| placed.audio_tracks = vec![TrackNumber(1), TrackNumber(2)]).unwrap();
        let [part] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!((part.first, part.end, part.track), (10, 25, Some(2)));
        let clip = &part.clipping()[0];
        assert_eq!(clip.start_timecode.as_deref(), Some("00:00:00:10"));
        assert_eq!(clip.end_timecode.as_deref(), Some("00:00:00:24"));
    }

    #[test]
    fn what_mediaconvert_cannot_read_is_told() {
        let said = |result: Result<Vec<Part>, NoInput>| result.unwrap_err().to_string();
        let elsewhere = said(one(|placed| {
            placed.chunk.media.uri = "https://me:pw@cdn/a.ts?signature=x".into();
        }));
        assert!(
            elsewhere.starts_with("chunk 3 (https://cdn/a.ts) is not in S3;"),
            "{elsewhere}"
        );
        let cut = said(one(|placed| {
            placed.chunk.media.range = Some(ByteRange {
                offset: 0,
                length: 1,
            });
        }));
        assert!(cut.contains("is a part of a file"), "{cut}");
        let secret = said(one(|placed| {
            placed.chunk.media.encryption = Some(Encryption {
                key_uri: "https://keys/1".into(),
                iv: [0; 16],
            });
        }));
        assert!(
            secret.contains("is encrypted") && !secret.contains("keys"),
            "{secret}"
        );
        let fragment = said(one(|placed| {
            placed.chunk.container = Container::FragmentedMp4
        }));
        assert!(fragment.contains("a fragment of an MP4"), "{fragment}");
        let fast = said(one(|placed| placed.frame_rate = FrameRate::new(120, 1)));
        assert!(fast.starts_with("at 120 frames a second"), "{fast}");
        let rendition = Rendition {
            name: "en".into(),
            language: None,
            media: Vec::new(),
            init: None,
            container: Container::PackedAudio,
        };
        let apart = said(one(|placed| {
            placed.audio_tracks = vec![TrackNumber(1), TrackNumber(2)];
            placed.chunk.audio = vec![rendition];
        }));
        assert!(
            apart.starts_with("audio track 2 lies in files of its own"),
            "{apart}"
        );
    }

    #[test]
    fn parts_of_one_file_are_one_input() {
        let mut timeline = EventTimeline::new();
        for position in 0..4u64 {
            let start = MediaTime::from_seconds(2 * position as i64);
            let mut placed = chunk(position, start, pal(), 50 * position, 50);
            placed.chunk.container = Container::FilePart;
            placed.chunk.media = Resource::whole("file:///recordings/match%201.mp4");
            placed.content = ContentId(7);
            timeline.insert(placed);
        }
        let media = [(
            "file:///recordings/".to_owned(),
            "s3://archive/2026/".to_owned(),
        )];
        let mapping = Mapping::new(&media.into());
        let marks = TimeRange::new(MediaTime::from_millis(2040), MediaTime::from_millis(6000));
        let found = parts(&timeline, marks, TrackNumber(1), &mapping).unwrap();
        let [part] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(part.file, "s3://archive/2026/match 1.mp4");
        assert_eq!((part.first, part.end, part.all), (51, 150, None));
        let clip = &part.clipping()[0];
        assert_eq!(clip.start_timecode.as_deref(), Some("00:00:02:01"));
        assert_eq!(clip.end_timecode.as_deref(), Some("00:00:05:24"));
    }

    #[test]
    fn the_longest_beginning_says_where_it_lies() {
        let media = [
            ("https://cdn/".to_owned(), "s3://all/".to_owned()),
            ("https://cdn/cup/".to_owned(), "s3://cup".to_owned()),
        ];
        let mapping = Mapping::new(&media.into());
        let find = |uri: &str| mapping.find(uri).unwrap_or_default();
        assert_eq!(find("https://cdn/cup/a%20b.ts?token=1"), "s3://cup/a b.ts");
        assert_eq!(find("https://cdn/x/a.ts"), "s3://all/x/a.ts");
        assert_eq!(find("s3://b/a%23.ts"), "s3://b/a#.ts");
        assert_eq!(find("http://cdn/x/a.ts"), "");
    }
}
