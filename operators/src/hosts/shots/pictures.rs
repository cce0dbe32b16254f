//! The pictures that the model sees: 48x27 pixels of three bytes, all frames of a chunk. They are kept in the
//! log of the event, so that they are packed: the difference of each to the one before it, deflated.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use matchcut_model::frame::{Frame, FrameChoice, PixelFormat, ViewSpec};
use matchcut_model::time::MediaTime;

use crate::sdk::{ChunkContext, VideoScan, VideoScanner};
use crate::wire::{Reader, Writer};

/// Pixels of a row.
pub(super) const WIDTH: usize = 48;

/// Rows.
pub(super) const HEIGHT: usize = 27;

/// Bytes of a picture.
pub(super) const SIZE: usize = WIDTH * HEIGHT * 3;

/// More pictures than this are not in any chunk.
const MOST: usize = 1 << 20;

/// Pictures in order of presentation, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pictures {
    pub(super) times: Vec<MediaTime>,
    /// `SIZE` bytes for each of `times`.
    pub(super) pixels: Vec<u8>,
}

impl Pictures {
    pub(super) fn push(&mut self, time: MediaTime, pixels: &[u8]) {
        self.times.push(time);
        self.pixels.extend_from_slice(pixels);
    }

    /// Leaves the first `count` out.
    pub(super) fn drop_first(&mut self, count: usize) {
        self.times.drain(..count.min(self.times.len()));
        self.pixels.drain(..(count * SIZE).min(self.pixels.len()));
    }

    /// The same as bytes.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u32(self.times.len() as u32);
        self.times.iter().for_each(|time| writer.i64(time.flicks()));
        let mut differences = self.pixels.clone();
        for at in (SIZE..differences.len()).rev() {
            differences[at] = differences[at].wrapping_sub(differences[at - SIZE]);
        }
        let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
        // Writing to memory does not fail.
        if packed.write_all(&differences).is_ok() {
            writer.bytes(&packed.finish().unwrap_or_default());
        }
        writer.0
    }

    /// What was written; `None` where it is damaged.
    pub(super) fn read(bytes: &[u8]) -> Option<Pictures> {
        let mut reader = Reader(bytes);
        let count = usize::try_from(reader.u32()?)
            .ok()
            .filter(|count| *count <= MOST)?;
        let times = (0..count)
            .map(|_| reader.i64().map(MediaTime::from_flicks))
            .collect::<Option<Vec<MediaTime>>>()?;
        let size = count * SIZE;
        let mut pixels = Vec::new();
        DeflateDecoder::new(reader.0)
            .take(size as u64 + 1)
            .read_to_end(&mut pixels)
            .ok()?;
        for at in SIZE..pixels.len() {
            pixels[at] = pixels[at].wrapping_add(pixels[at - SIZE]);
        }
        (pixels.len() == size).then_some(Pictures { times, pixels })
    }
}

/// Starts scans.
pub(super) struct PictureScanner;

impl VideoScanner for PictureScanner {
    fn view(&self) -> ViewSpec {
        ViewSpec {
            width: WIDTH as u32,
            height: HEIGHT as u32,
            format: PixelFormat::Rgb24,
            rate: None,
            frames: FrameChoice::All,
        }
    }

    fn start(&self, _chunk: &ChunkContext) -> Box<dyn VideoScan> {
        Box::new(PictureScan(Pictures::default()))
    }
}

struct PictureScan(Pictures);

impl VideoScan for PictureScan {
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        if frame.data.len() != SIZE {
            let found = frame.data.len();
            return Err(format!("expected pictures of {SIZE} bytes, got {found}"));
        }
        self.0.push(frame.time, frame.data);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Vec<u8>, String> {
        Ok(self.0.write())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_packed_and_come_back() {
        let mut pictures = Pictures::default();
        for number in 0..30_u8 {
            let pixels: Vec<u8> = (0..SIZE)
                .map(|at| {
                    (at as u8)
                        .wrapping_mul(7)
                        .wrapping_add(number.wrapping_mul(20))
                })
                .collect();
            pictures.push(MediaTime::from_millis(i64::from(number) * 40), &pixels);
        }
        let bytes = pictures.write();
        // A whole picture, and nothing to speak of for those that only change as a whole.
        assert!(bytes.len() < 2 * SIZE, "{}", bytes.len());
        assert_eq!(Pictures::read(&bytes), Some(pictures.clone()));
        assert_eq!(Pictures::read(&bytes[..bytes.len() - 9]), None);
        assert_eq!(Pictures::read(&[255; 12]), None);
        let none = Pictures::default();
        assert_eq!(Pictures::read(&none.write()), Some(none));
        pictures.drop_first(28);
        assert_eq!(pictures.times.len(), 2);
        assert_eq!(pictures.pixels.len(), 2 * SIZE);
    }
}
