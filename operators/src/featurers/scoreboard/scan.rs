//! The stateless part: finds what may be score boxes, and reads them where they have changed. What was
//! read of each picture goes into the signature.

use std::collections::VecDeque;
use std::sync::Arc;

use matchcut_model::frame::{Frame, PixelFormat, ViewSpec};
use matchcut_model::time::{FrameRate, MediaTime};

use super::find::{MARGIN, boxes, same};
use super::image::{Area, Grey};
use super::ocr::{Reader, Word};
use super::page::page;
use super::tokens::{TextLine, confidence};
use crate::sdk::{ChunkContext, VideoScan, VideoScanner};
use crate::wire::{Reader as Bytes, Writer};

pub(super) const WIDTH: u32 = 1280;
pub(super) const HEIGHT: u32 = 720;

/// So many pictures in a row show what stays put.
const WINDOW: usize = 3;

/// A box and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BoxText {
    pub(super) area: Area,
    pub(super) lines: Vec<TextLine>,
}

/// What was read of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) time: MediaTime,
    pub(super) boxes: Vec<BoxText>,
}

pub(super) struct BoardScanner {
    pub(super) rate: FrameRate,
    /// Where the box is; looked for when `None`.
    pub(super) region: Option<Area>,
    pub(super) reader: Arc<dyn Reader>,
}

impl VideoScanner for BoardScanner {
    fn view(&self) -> ViewSpec {
        ViewSpec {
            width: WIDTH,
            height: HEIGHT,
            format: PixelFormat::Gray8,
            rate: Some(self.rate),
            frames: matchcut_model::frame::FrameChoice::All,
        }
    }

    fn start(&self, _chunk: &ChunkContext) -> Box<dyn VideoScan> {
        Box::new(BoardScan {
            region: self.region,
            reader: Arc::clone(&self.reader),
            recent: VecDeque::new(),
            waiting: 0,
            known: Vec::new(),
            readings: Vec::new(),
        })
    }
}

/// A box that was read.
struct Known {
    text: BoxText,
    /// Where its lines stand; the whole of a box without any.
    lines: Area,
    /// The picture of that.
    picture: Grey,
}

/// From this confidence, and from so many words on, a box was read well.
const CLEAR: u8 = 60;
const CLEAR_WORDS: usize = 3;

impl Known {
    fn is_clear(&self) -> bool {
        let words = || self.text.lines.iter().flat_map(|line| &line.words);
        words().count() >= CLEAR_WORDS && confidence(words()) >= CLEAR
    }
}

struct BoardScan {
    region: Option<Area>,
    reader: Arc<dyn Reader>,
    /// The last pictures.
    recent: VecDeque<(MediaTime, Grey)>,
    /// How many of them have not been read yet.
    waiting: usize,
    known: Vec<Known>,
    readings: Vec<Reading>,
}

impl VideoScan for BoardScan {
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        let (width, height) = (WIDTH as usize, HEIGHT as usize);
        if frame.data.len() != width * height {
            return Err(format!(
                "expected pictures of {} bytes, got {}",
                width * height,
                frame.data.len()
            ));
        }
        let picture = Grey {
            width,
            height,
            data: frame.data.to_vec(),
        };
        self.recent.push_back((frame.time, picture));
        if self.recent.len() > WINDOW {
            self.recent.pop_front();
        }
        self.waiting += 1;
        if self.region.is_some() || self.recent.len() == WINDOW {
            self.read()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<u8>, String> {
        self.read()?;
        Ok(write(&self.readings))
    }
}

impl BoardScan {
    /// Reads the pictures that wait, in order of time.
    fn read(&mut self) -> Result<(), String> {
        let areas = match self.region {
            Some(area) => vec![area],
            None => {
                let pictures: Vec<&Grey> = self.recent.iter().map(|(_, picture)| picture).collect();
                boxes(&pictures)
            }
        };
        // A region may be as narrow as its text.
        let margin = if self.region.is_some() { 1 } else { MARGIN };
        let waiting = std::mem::take(&mut self.waiting).min(self.recent.len());
        for at in self.recent.len() - waiting..self.recent.len() {
            let Some((time, picture)) = self.recent.get(at) else {
                break;
            };
            // What shows the same as when it was read need not be read again.
            let before: Vec<Known> = std::mem::take(&mut self.known);
            let (mut known, changed): (Vec<Known>, Vec<Known>) = before
                .into_iter()
                .partition(|known| same(&known.picture, &picture.crop(&known.lines)));
            let mut wanted: Vec<Area> = areas.clone();
            // A box that was read well and has changed is there still, even where it cannot be told from
            // what is around it.
            wanted.extend(
                changed
                    .iter()
                    .filter(|known| known.is_clear())
                    .map(|known| known.text.area),
            );
            for area in &wanted {
                let size = |area: &Area| area.width() * area.height();
                let covered = known.iter().any(|known| {
                    known.text.area.overlap(area) >= 0.5
                        && size(area) * 10 <= size(&known.text.area) * 16
                });
                if covered {
                    continue;
                }
                let page = page(&picture.crop(area), margin);
                let standing = page
                    .as_ref()
                    .map_or(*area, |page| page.text.moved(area.left, area.top));
                let lines = match &page {
                    Some(page) => {
                        let words = self.reader.read(page)?;
                        let rows = page.rows.iter().zip(words);
                        rows.map(|(row, words)| TextLine {
                            words,
                            marked: row.marked,
                        })
                        .filter(|line| !line.words.is_empty())
                        .collect()
                    }
                    None => Vec::new(),
                };
                known.retain(|known| known.text.area.overlap(area) < 0.5);
                known.push(Known {
                    text: BoxText { area: *area, lines },
                    lines: standing,
                    picture: picture.crop(&standing),
                });
            }
            let mut boxes: Vec<BoxText> = known
                .iter()
                .map(|known| known.text.clone())
                .filter(|text| !text.lines.is_empty())
                .collect();
            boxes.sort_by_key(|text| text.area);
            self.readings.push(Reading { time: *time, boxes });
            self.known = known;
        }
        Ok(())
    }
}

/// Longer words are cut: no score is that long.
const LONGEST_WORD: usize = 64;

pub(super) fn write(readings: &[Reading]) -> Vec<u8> {
    let mut writer = Writer::default();
    let mut before: Option<&Vec<BoxText>> = None;
    for reading in readings {
        writer.i64(reading.time.flicks());
        // Most pictures show what the one before shows.
        if before == Some(&reading.boxes) {
            writer.u16(u16::MAX);
            continue;
        }
        before = Some(&reading.boxes);
        writer.u16(reading.boxes.len() as u16);
        for text in &reading.boxes {
            let Area {
                left,
                top,
                right,
                bottom,
            } = text.area;
            for side in [left, top, right, bottom] {
                writer.u16(side as u16);
            }
            writer.u16(text.lines.len() as u16);
            for line in &text.lines {
                writer.u16(u16::from(line.marked));
                writer.u16(line.words.len() as u16);
                for word in &line.words {
                    let mut length = word.text.len().min(LONGEST_WORD);
                    while !word.text.is_char_boundary(length) {
                        length -= 1;
                    }
                    writer.u16(u16::from(word.confidence));
                    writer.u16(length as u16);
                    writer.bytes(&word.text.as_bytes()[..length]);
                }
            }
        }
    }
    writer.0
}

/// What was read of the pictures of a chunk; `None` for a damaged signature.
pub(super) fn read(signature: &[u8]) -> Option<Vec<Reading>> {
    let mut bytes = Bytes(signature);
    let mut readings: Vec<Reading> = Vec::new();
    while !bytes.is_empty() {
        let time = MediaTime::from_flicks(bytes.i64()?);
        let count = bytes.u16()?;
        if count == u16::MAX {
            let boxes = readings.last()?.boxes.clone();
            readings.push(Reading { time, boxes });
            continue;
        }
        let mut boxes = Vec::new();
        for _ in 0..count {
            let mut side = || bytes.u16().map(usize::from);
            let area = Area {
                left: side()?,
                top: side()?,
                right: side()?,
                bottom: side()?,
            };
            let mut lines = Vec::new();
            for _ in 0..bytes.u16()? {
                let marked = bytes.u16()? != 0;
                let mut words = Vec::new();
                for _ in 0..bytes.u16()? {
                    let confidence = bytes.u16()?.min(100) as u8;
                    let length = usize::from(bytes.u16()?);
                    let text = std::str::from_utf8(bytes.bytes(length)?).ok()?.to_owned();
                    words.push(Word { text, confidence });
                }
                lines.push(TextLine { words, marked });
            }
            boxes.push(BoxText { area, lines });
        }
        readings.push(Reading { time, boxes });
    }
    Some(readings)
}

#[cfg(test)]
mod tests {
    use super::super::tokens::lines;
    use super::*;

    #[test]
    fn a_signature_reads_back_and_a_damaged_one_does_not() {
        let text = BoxText {
            area: Area {
                left: 1,
                top: 2,
                right: 300,
                bottom: 400,
            },
            lines: lines(&["DJOKOVIĆ 6 1", "WAWRINKA 3 0"]),
        };
        let reading = |millis, boxes| Reading {
            time: MediaTime::from_millis(millis),
            boxes,
        };
        let readings = vec![
            reading(0, vec![]),
            reading(500, vec![text.clone()]),
            reading(1000, vec![text.clone()]),
            reading(1500, vec![]),
        ];
        let signature = write(&readings);
        assert_eq!(read(&signature), Some(readings));
        for length in 1..signature.len() {
            // Between two readings it may end.
            if let Some(some) = read(&signature[..length]) {
                assert!(some.len() < 4);
            }
        }
        assert_eq!(read(&[1, 2, 3]), None);
        assert_eq!(read(&[0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]), None);
    }
}
