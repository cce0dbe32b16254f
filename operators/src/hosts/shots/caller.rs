//! The ordered part of `shots`: windows of 100 pictures, each half a window after the one before, from the
//! first picture of a stretch of video. Before the first and after the last the picture stands still; where
//! pictures are missing everything begins anew.

use matchcut_model::time::MediaTime;

use super::changes::{self, Open};
use super::model::{CONTEXT, STEP, TransNet, WINDOW};
use super::pictures::{Pictures, SIZE};
use crate::sdk::{Answer, Caller, Step};
use crate::wire::{Reader, Writer};

/// Pictures that are further apart do not follow each other.
const APART: MediaTime = MediaTime::from_millis(500);

/// Says how probably a shot changes after each picture in the middle of a window.
pub(super) trait Looks: Send + Sync + 'static {
    fn look(&self, pixels: &[u8]) -> Result<Vec<f64>, String>;
}

impl Looks for TransNet {
    fn look(&self, pixels: &[u8]) -> Result<Vec<f64>, String> {
        TransNet::look(self, pixels)
    }
}

pub(super) struct Looker<M> {
    pub(super) model: M,
    pub(super) threshold: f64,
}

/// What is carried from one chunk to the next.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    /// The pictures of which nothing was said yet, after `CONTEXT` that stand before them; or none at all.
    waiting: Pictures,
    change: Option<Open>,
}

impl<M: Looks> Caller for Looker<M> {
    fn call(&self, step: &Step<'_>, state: &[u8]) -> Result<Answer, String> {
        let mut seen = Seen::read(state).ok_or("what was seen before cannot be read")?;
        let mut answer = Answer::default();
        if let Some(signature) = step.signature {
            let pictures =
                Pictures::read(signature).ok_or("the pictures of the chunk cannot be read")?;
            for (time, pixels) in pictures
                .times
                .iter()
                .zip(pictures.pixels.chunks_exact(SIZE))
            {
                match seen.waiting.times.last() {
                    // What was seen already.
                    Some(last) if time <= last => continue,
                    Some(last) if *time - *last > APART => self.end(&mut seen, &mut answer)?,
                    _ => {}
                }
                if seen.waiting.times.is_empty() {
                    (0..CONTEXT).for_each(|_| seen.waiting.push(*time, pixels));
                }
                seen.waiting.push(*time, pixels);
                if seen.waiting.times.len() == WINDOW {
                    self.look(&mut seen, STEP, &mut answer)?;
                }
            }
        }
        if step.end_of_event {
            self.end(&mut seen, &mut answer)?;
        }
        answer.state = seen.write();
        Ok(answer)
    }
}

impl<M: Looks> Looker<M> {
    /// Looks at a whole window, and takes what is said of the first `count` of its middle.
    fn look(&self, seen: &mut Seen, count: usize, answer: &mut Answer) -> Result<(), String> {
        let probabilities = self.model.look(&seen.waiting.pixels)?;
        let times = &seen.waiting.times[CONTEXT..];
        for (time, probability) in times.iter().zip(probabilities).take(count) {
            changes::take(
                &mut seen.change,
                *time,
                probability,
                self.threshold,
                &mut answer.emissions,
            );
        }
        seen.waiting.drop_first(STEP);
        Ok(())
    }

    /// Nothing follows what was seen.
    fn end(&self, seen: &mut Seen, answer: &mut Answer) -> Result<(), String> {
        let mut last = std::mem::take(seen);
        loop {
            let open = last.waiting.times.len().saturating_sub(CONTEXT);
            let (Some(time), true) = (last.waiting.times.last().copied(), open > 0) else {
                return Ok(());
            };
            let still = last.waiting.pixels[last.waiting.pixels.len() - SIZE..].to_vec();
            while last.waiting.times.len() < WINDOW {
                last.waiting.push(time, &still);
            }
            self.look(&mut last, open.min(STEP), answer)?;
            // What is left of the pictures that were put there to fill the window says nothing.
            let left = CONTEXT + open.saturating_sub(STEP);
            last.waiting.times.truncate(left);
            last.waiting.pixels.truncate(left * SIZE);
        }
    }
}

impl Seen {
    fn write(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        if self.waiting.times.is_empty() {
            return Vec::new();
        }
        match &self.change {
            None => writer.u32(0),
            Some(change) => {
                writer.u32(1 + u32::from(change.start.is_some()));
                if let Some(start) = change.start {
                    writer.i64(start.flicks());
                }
                writer.i64(change.highest);
            }
        }
        writer.bytes(&self.waiting.write());
        writer.0
    }

    fn read(state: &[u8]) -> Option<Seen> {
        if state.is_empty() {
            return Some(Seen::default());
        }
        let mut reader = Reader(state);
        let kind = reader.u32()?;
        let start = match kind {
            2 => Some(MediaTime::from_flicks(reader.i64()?)),
            _ => None,
        };
        let change = match kind {
            0 => None,
            _ => Some(Open {
                start,
                highest: reader.i64()?,
            }),
        };
        Some(Seen {
            waiting: Pictures::read(reader.0)?,
            change,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdk::FoldBox;
    use crate::testing::{Emitted, Script, observations};

    /// Says 0.9 where the next picture has another first byte, 0.1 elsewhere: what a model does, of
    /// what stands in the middle of its window only.
    struct Differs;

    impl Looks for Differs {
        fn look(&self, pixels: &[u8]) -> Result<Vec<f64>, String> {
            assert_eq!(pixels.len(), WINDOW * SIZE);
            let first = |number: usize| pixels[number * SIZE];
            let differs = |number: usize| first(number) != first(number + 1);
            let said = |number| if differs(number) { 0.9 } else { 0.1 };
            Ok((CONTEXT..CONTEXT + STEP).map(said).collect())
        }
    }

    /// Frames of 40 ms, whose shots begin at `cuts`.
    fn said(frames: i64, cuts: &[i64], chunk: i64, missing: Option<i64>) -> Emitted {
        let script = Script::new(frames * 40, 1).chunked(chunk).scanned(|chunk| {
            let mut pictures = Pictures::default();
            for number in 0..frames {
                let time = MediaTime::from_millis(number * 40);
                let shot = cuts.iter().filter(|cut| **cut <= number).count() as u8;
                if chunk.extent.span.contains(time) && missing.is_none_or(|m| number / 100 != m) {
                    pictures.push(time, &vec![shot * 10; SIZE]);
                }
            }
            Some(pictures.write())
        });
        script.run(&FoldBox::calling(Looker {
            model: Differs,
            threshold: 0.5,
        }))
    }

    fn cuts_of(emissions: &Emitted) -> Vec<i64> {
        let told = observations(emissions).into_iter();
        told.map(|(start, end, _)| {
            assert_eq!(start, end);
            start / 40
        })
        .collect()
    }

    #[test]
    fn windows_do_not_depend_on_chunks() {
        for frames in [1, 24, 49, 50, 51, 75, 99, 100, 101, 149, 150, 333] {
            let cuts: Vec<i64> = [1, 24, 26, 49, 51, 74, 76, 98, 100, 148, 150, 200, 332]
                .into_iter()
                .filter(|cut| *cut < frames)
                .collect();
            for chunk in [400, 2000, 6000, 13_320] {
                assert_eq!(
                    cuts_of(&said(frames, &cuts, chunk, None)),
                    cuts,
                    "{frames} frames in chunks of {chunk} ms"
                );
            }
        }
    }

    #[test]
    fn where_pictures_are_missing_everything_begins_anew() {
        // The cut at 150 is not seen, and that another shot follows the hole is no cut.
        let cuts = [50, 99, 150, 201, 299];
        let told = cuts_of(&said(300, &cuts, 2000, Some(1)));
        assert_eq!(told, [50, 99, 201, 299]);
    }

    #[test]
    fn what_is_carried_comes_back() {
        let mut seen = Seen::default();
        assert_eq!(Seen::read(&seen.write()), Some(seen.clone()));
        seen.waiting.push(MediaTime::from_seconds(1), &[7; SIZE]);
        for start in [None, Some(MediaTime::from_seconds(2))] {
            seen.change = Some(Open { start, highest: 9 });
            assert_eq!(Seen::read(&seen.write()), Some(seen.clone()));
        }
        assert_eq!(Seen::read(&seen.write()[..30]), None);
    }
}
