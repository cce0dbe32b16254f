//! Chapters of an MP4, in the two ways that players look for them: a track of text that the tracks
//! of pictures and sound refer to (QuickTime's `chap`), and a list in the header (Nero's `chpl`).

use matchcut_model::time::MediaTime;

use crate::mp4::boxes::{make, make_full};

/// Ticks in a second of the text track; it holds 13 hours in one chapter.
const TIMESCALE: u32 = 90_000;

/// The list in the header counts its entries, and the bytes of a title, in one byte.
const LIST_LIMIT: usize = 255;

/// Chapters that follow each other without a hole, from the start of the movie to its end.
pub(super) struct Chapters {
    /// Titles and lengths in ticks.
    samples: Vec<Sample>,
}

struct Sample {
    start: MediaTime,
    ticks: u32,
    data: Vec<u8>,
    title: String,
}

impl Chapters {
    /// From what each chapter is called and how long it is shown. `None` where there is none.
    pub(super) fn new<'a>(
        chapters: impl IntoIterator<Item = (&'a str, MediaTime)>,
    ) -> Option<Self> {
        let mut samples = Vec::new();
        let mut start = MediaTime::ZERO;
        for (title, duration) in chapters {
            let end = start + duration;
            // Borders are rounded, not lengths, so that errors do not add up.
            let ticks = end.to_ticks(TIMESCALE) - start.to_ticks(TIMESCALE);
            let title = short(title);
            samples.push(Sample {
                start,
                ticks: u32::try_from(ticks).unwrap_or(u32::MAX),
                data: text_sample(&title),
                title,
            });
            start = end;
        }
        (!samples.is_empty()).then_some(Chapters { samples })
    }

    /// What stands in the media data, in one piece.
    pub(super) fn data(&self) -> Vec<u8> {
        self.samples.iter().flat_map(|s| s.data.clone()).collect()
    }

    /// The reference to the text track that the other tracks carry.
    pub(super) fn reference(track: u32) -> Vec<u8> {
        make(b"tref", &[&make(b"chap", &[&track.to_be_bytes()])])
    }

    /// The list in the header.
    pub(super) fn list(&self) -> Vec<u8> {
        let shown = self.samples.iter().take(LIST_LIMIT);
        let mut body = vec![0; 4];
        body.push(shown.len() as u8);
        for sample in shown {
            body.extend((sample.start.to_ticks(10_000_000) as u64).to_be_bytes());
            body.push(sample.title.len() as u8);
            body.extend(sample.title.as_bytes());
        }
        make(b"udta", &[&make_full(b"chpl", 1, 0, &[&body])])
    }

    /// The text track, whose data begins at `offset` of the file. It is not enabled: it is read, not
    /// shown.
    pub(super) fn track(&self, id: u32, movie_scale: u32, matrix: &[u8], offset: u64) -> Vec<u8> {
        let total: u64 = self.samples.iter().map(|s| u64::from(s.ticks)).sum();
        let movie = u128::from(total) * u128::from(movie_scale) / u128::from(TIMESCALE);
        let movie = u64::try_from(movie).unwrap_or(u64::MAX);
        let tkhd = make_full(
            b"tkhd",
            1,
            0,
            &[
                &[0; 16],
                &id.to_be_bytes(),
                &[0; 4],
                &movie.to_be_bytes(),
                &[0; 16],
                matrix,
                &[0; 8],
            ],
        );
        // "und" in letters of five bits.
        let language = 0x55C4_u16.to_be_bytes();
        let mdhd = make_full(
            b"mdhd",
            1,
            0,
            &[
                &[0; 16],
                &TIMESCALE.to_be_bytes(),
                &total.to_be_bytes(),
                &language,
                &[0; 2],
            ],
        );
        let hdlr = make_full(b"hdlr", 0, 0, &[&[0; 4], b"text", &[0; 12], b"Chapters\0"]);
        // Copy, in grey, balanced.
        let gmin = make_full(
            b"gmin",
            0,
            0,
            &[&[0, 0x40, 0x80, 0, 0x80, 0, 0x80, 0, 0, 0, 0, 0]],
        );
        let gmhd = make(b"gmhd", &[&gmin, &make(b"text", &[matrix])]);
        let url = make_full(b"url ", 0, 1, &[]);
        let dref = make_full(b"dref", 0, 0, &[&1u32.to_be_bytes(), &url]);
        let dinf = make(b"dinf", &[&dref]);
        let minf = make(b"minf", &[&gmhd, &dinf, &self.table(offset)]);
        let mdia = make(b"mdia", &[&mdhd, &hdlr, &minf]);
        make(b"trak", &[&tkhd, &mdia])
    }

    fn table(&self, offset: u64) -> Vec<u8> {
        let one = 1u32.to_be_bytes();
        let count = (self.samples.len() as u32).to_be_bytes();
        // Flags, justification, colours, box and font are of no use to chapters.
        let entry = make(b"text", &[&[0; 6], &[0, 1], &[0; 44]]);
        let stsd = make_full(b"stsd", 0, 0, &[&one, &entry]);
        let times = self.samples.iter().map(|s| [1, s.ticks]);
        let times: Vec<u8> = times.flatten().flat_map(u32::to_be_bytes).collect();
        let stts = make_full(b"stts", 0, 0, &[&count, &times]);
        let stsc = make_full(b"stsc", 0, 0, &[&one, &one, &count, &one]);
        let sizes = self.samples.iter().map(|s| s.data.len() as u32);
        let sizes: Vec<u8> = sizes.flat_map(u32::to_be_bytes).collect();
        let stsz = make_full(b"stsz", 0, 0, &[&[0; 4], &count, &sizes]);
        let co64 = make_full(b"co64", 0, 0, &[&one, &offset.to_be_bytes()]);
        make(b"stbl", &[&stsd, &stts, &stsc, &stsz, &co64])
    }
}

/// The length of the text, the text, and that it is UTF-8.
fn text_sample(title: &str) -> Vec<u8> {
    let mut data = (title.len() as u16).to_be_bytes().to_vec();
    data.extend(title.as_bytes());
    data.extend(make(b"encd", &[&[0, 0, 1, 0]]));
    data
}

/// A title on one line that fits both forms; never empty.
fn short(title: &str) -> String {
    let clean = title.replace(char::is_control, " ");
    let mut title = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    while title.len() > LIST_LIMIT {
        title.pop();
    }
    if title.is_empty() { "-".into() } else { title }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_fit_both_forms() {
        assert_eq!(short(" a\r\n\tb "), "a b");
        assert_eq!(short("\n"), "-");
        let long = short(&"é".repeat(200));
        assert_eq!((long.len(), long.chars().count()), (254, 127));
    }

    #[test]
    fn nothing_makes_no_chapters_and_many_a_short_list() {
        assert!(Chapters::new([]).is_none());
        let second = MediaTime::from_seconds(1);
        let all = Chapters::new((0..300).map(|_| ("x", second))).unwrap();
        let list = all.list();
        // Of the box in the box: two headers, version and flags, four bytes.
        assert_eq!(list[24], 255);
        assert_eq!(list.len(), 25 + 255 * 10);
        assert_eq!(
            all.samples.iter().map(|s| u64::from(s.ticks)).sum::<u64>(),
            300 * 90_000
        );
    }
}
