//! Cuts sound into phrases: from where it is no longer quiet to where it is quiet for a while. Frames of
//! 20 ms on the grid of 16 kHz are quiet or not, so that phrases do not depend on where chunks end.

use matchcut_model::time::MediaTime;

use crate::hosts::speech::resample::RATE;

/// Samples of a frame.
pub(super) const FRAME: usize = RATE as usize / 50;

/// Frames that are kept before and after a phrase.
const AROUND: usize = 5;

/// Fewer frames that are not quiet are a click and no phrase.
const LEAST: usize = 8;

/// Where a phrase that is too long may be cut: the last frames of it.
const CUT_WITHIN: usize = 250;

pub(super) struct Rules {
    /// Mean power of a frame below which it is quiet, full scale is 1.
    quiet: f64,
    pause: usize,
    longest: usize,
}

/// A piece of sound: the number of its first sample, and its samples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sound {
    pub(super) first: i64,
    pub(super) samples: Vec<i16>,
}

impl Rules {
    pub(super) fn new(quiet: f64, pause: MediaTime, longest: MediaTime) -> Self {
        let frames = |time: MediaTime| {
            let samples = time.to_ticks(RATE).max(0) as usize;
            (samples / FRAME).max(1)
        };
        Rules {
            quiet: 10_f64.powf(quiet / 10.0),
            pause: frames(pause).max(2 * AROUND),
            longest: frames(longest),
        }
    }

    /// Takes whole phrases out of `waiting`; with `all`, nothing follows it.
    pub(super) fn take(&self, waiting: &mut Sound, all: bool) -> Vec<Sound> {
        let mut phrases = Vec::new();
        let powers: Vec<f64> = waiting.samples.chunks_exact(FRAME).map(power).collect();
        let loud = |frame: &usize| powers[*frame] >= self.quiet;
        let count = powers.len();
        // Frames before it are dealt with.
        let mut done = 0;
        loop {
            let Some(first) = (done..count).find(loud) else {
                // What comes may begin with the last of it.
                let keep = if all { 0 } else { AROUND };
                done = done.max(count.saturating_sub(keep));
                break;
            };
            let begin = first.saturating_sub(AROUND).max(done);
            let Some(end) = self.end(&powers, begin, first) else {
                if all {
                    let end = (first..count).rev().find(loud).unwrap_or(first) + 1 + AROUND;
                    phrases.extend(self.phrase(waiting, &powers, begin, end.min(count)));
                    done = count;
                } else {
                    done = begin;
                }
                break;
            };
            phrases.extend(self.phrase(waiting, &powers, begin, end));
            done = end;
        }
        let gone = match all {
            true => waiting.samples.len(),
            false => done * FRAME,
        };
        waiting.samples.drain(..gone);
        waiting.first += gone as i64;
        phrases
    }

    /// Where the phrase ends that begins to be loud at `first`, if that is known.
    fn end(&self, powers: &[f64], begin: usize, first: usize) -> Option<usize> {
        let mut last = first;
        for (frame, power) in powers.iter().enumerate().skip(first) {
            if *power >= self.quiet {
                last = frame;
            } else if frame - last >= self.pause {
                return Some(last + 1 + AROUND);
            }
            if frame + 1 - begin >= self.longest {
                let from = (frame + 1).saturating_sub(CUT_WITHIN).max(first + 1);
                let places = powers.iter().enumerate().take(frame + 1).skip(from);
                let quietest = places.min_by(|(_, a), (_, b)| a.total_cmp(b));
                return Some(quietest.map_or(frame + 1, |(place, _)| place));
            }
        }
        None
    }

    fn phrase(&self, sound: &Sound, powers: &[f64], begin: usize, end: usize) -> Option<Sound> {
        let frames = powers.get(begin..end)?;
        let loud = frames.iter().filter(|power| **power >= self.quiet).count();
        let samples = sound.samples.get(begin * FRAME..end * FRAME)?;
        (loud >= LEAST).then(|| Sound {
            first: sound.first + (begin * FRAME) as i64,
            samples: samples.to_vec(),
        })
    }
}

/// The mean power of a frame; full scale is 1.
fn power(frame: &[i16]) -> f64 {
    let sum: f64 = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    sum / (frame.len().max(1) as f64 * 32_768.0 * 32_768.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(longest: i64) -> Rules {
        let pause = MediaTime::from_millis(600);
        Rules::new(-45.0, pause, MediaTime::from_seconds(longest))
    }

    /// Sound of so many milliseconds each, loud and quiet in turn, quiet first.
    fn sound(pieces: &[usize]) -> Vec<i16> {
        let piece = |(index, millis): (usize, &usize)| {
            let level = if index % 2 == 0 { 3 } else { 8000 };
            (0..millis * 16).map(move |n| if n % 2 == 0 { level } else { -level })
        };
        pieces.iter().enumerate().flat_map(piece).collect()
    }

    /// Where phrases begin and end in milliseconds, when sound comes in pieces of `samples`.
    fn cut(rules: &Rules, sound: &[i16], samples: usize) -> Vec<(i64, i64)> {
        let (mut waiting, mut phrases) = (Sound::default(), Vec::new());
        for piece in sound.chunks(samples) {
            waiting.samples.extend(piece);
            phrases.extend(rules.take(&mut waiting, false));
        }
        phrases.extend(rules.take(&mut waiting, true));
        let millis = |phrase: Sound| {
            let end = phrase.first + phrase.samples.len() as i64;
            (phrase.first / 16, end / 16)
        };
        phrases.into_iter().map(millis).collect()
    }

    #[test]
    fn phrases_end_where_it_is_quiet_whatever_comes_at_once() {
        // A short pause parts nothing, a click is nothing, the last phrase ends with the sound.
        let sound = sound(&[1000, 2000, 400, 1000, 2000, 60, 2000, 1500]);
        let expected = [(900, 4500), (8360, 9960)];
        for samples in [160, 320, 7777, 96_000, sound.len()] {
            assert_eq!(cut(&rules(25), &sound, samples), expected, "{samples}");
        }
    }

    #[test]
    fn a_phrase_without_end_is_cut_at_its_quietest_place() {
        let mut sound = sound(&[0, 13_000]);
        for sample in &mut sound[6 * 16_000..6 * 16_000 + 320] {
            *sample /= 8;
        }
        let expected = [(0, 6000), (6000, 13_000)];
        for samples in [320, 50_000, sound.len()] {
            assert_eq!(cut(&rules(8), &sound, samples), expected, "{samples}");
        }
    }
}
