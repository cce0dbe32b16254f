//! Cuts: found by matchcut and by every detector of PySceneDetect that is installed, against cuts
//! read by eye; and what it takes, decoding included, in turn on the same clips.
//!
//! Times are taken on the clips repeated, without encoding them again, until they are as long as a
//! programme's part, since a program that is started for ten seconds of video mostly starts.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::annotations::Clip;
use super::{found, made};
use crate::Error;
use crate::process::{self, Took};
use crate::report::Section;
use crate::stats::Sample;

/// A cut is found when it is told for its frame, or the one before or after.
const TOLERANCE: u64 = 1;

/// Of the time that PySceneDetect's best detector takes: with every frame, and with key frames.
const EVERY_FRAME: f64 = 0.65;
const KEY_FRAMES: f64 = 0.3;

const DETECTORS: [&str; 4] = [
    "detect-adaptive",
    "detect-content",
    "detect-hash",
    "detect-hist",
];

/// What was found, against what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Found and there.
    pub right: usize,
    /// Found and not there.
    pub wrong: usize,
    /// There and not found.
    pub missed: usize,
}

impl Score {
    /// The harmonic mean of precision and recall; 1 when there is nothing and nothing was found.
    pub fn f1(&self) -> f64 {
        let all = 2 * self.right + self.wrong + self.missed;
        if all == 0 {
            1.0
        } else {
            (2 * self.right) as f64 / all as f64
        }
    }

    fn share(&self, others: usize) -> f64 {
        self.right as f64 / (self.right + others).max(1) as f64
    }

    fn add(&mut self, other: Score) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.missed += other.missed;
    }
}

/// Pairs what was found with what is there, each at most once, in order of time.
pub fn matched(found: &[u64], there: &[u64], tolerance: u64) -> Score {
    let mut score = Score::default();
    let mut open = there.iter().peekable();
    for cut in found {
        while open.next_if(|there| **there + tolerance < *cut).is_some() {
            score.missed += 1;
        }
        if open.next_if(|there| **there <= *cut + tolerance).is_some() {
            score.right += 1;
        } else {
            score.wrong += 1;
        }
    }
    score.missed += open.count();
    score
}

/// Somebody who finds cuts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finder {
    /// matchcut, with an option of `scene_change`.
    Matchcut(&'static str, &'static str),
    /// matchcut, with TransNetV2.
    Model,
    PySceneDetect(&'static str),
}

const OURS: Finder = Finder::Matchcut("matchcut, every frame", "");
const OURS_KEY: Finder = Finder::Matchcut("matchcut, key frames", "frames = \"key\"");

/// The variable that names a file of TransNetV2.
const MODEL: &str = "MATCHCUT_TRANSNETV2";

impl Finder {
    fn name(self) -> String {
        match self {
            Finder::Matchcut(name, _) => name.to_owned(),
            Finder::Model => "matchcut, `shots` with TransNetV2".to_owned(),
            Finder::PySceneDetect(detector) => format!("PySceneDetect, {detector}"),
        }
    }

    /// Looks through a clip. What it says is left in `out`.
    fn run(self, clip: &Path, out: &Path) -> Result<Took, Error> {
        match self {
            Finder::Matchcut(_, option) => {
                found::run(&format!("type = \"scene_change\"\n{option}"), clip, out)
            }
            Finder::Model => {
                let model = PathBuf::from(env::var_os(MODEL).unwrap_or_default());
                let model = fs::canonicalize(&model)
                    .map_err(|error| format!("{MODEL}, {}: {error}", model.display()))?;
                let operator = format!("type = \"shots\"\nmodel = '{}'", model.display());
                found::run(&operator, clip, out)
            }
            Finder::PySceneDetect(detector) => {
                let mut command = Command::new("scenedetect");
                command.arg("-q").arg("-i").arg(clip).arg("-o").arg(out);
                command.args([detector, "list-scenes", "-q", "-s", "-f", "scenes.csv"]);
                process::run(&mut command)
            }
        }
    }

    /// The cuts that the last run found.
    fn cuts(self, clip: &Path, out: &Path) -> Result<Vec<u64>, Error> {
        match self {
            Finder::Matchcut(..) | Finder::Model => {
                let mut found = found::observations(&out.join("results"), clip)?;
                found.retain(|found| found.attributes.contains_key("hard_cut"));
                Ok(found.iter().map(|found| found.frames[0]).collect())
            }
            Finder::PySceneDetect(_) => {
                let text = fs::read_to_string(out.join("scenes.csv"))?;
                // Scenes with their first frames, counted from 1; the first scene begins with no cut.
                let rows = text.lines().skip(2);
                let frames = rows.filter_map(|row| row.split(',').nth(1)?.parse::<u64>().ok());
                Ok(frames.map(|frame| frame.saturating_sub(1)).collect())
            }
        }
    }
}

/// What somebody found and took.
struct Outcome {
    finder: Finder,
    score: Score,
    unlike: Vec<String>,
}

pub(super) fn measure(clips: &[Clip], out: &Path, pairs: usize) -> Result<Section, Error> {
    let mut finders = vec![OURS, OURS_KEY];
    if env::var_os(MODEL).is_some() {
        finders.push(Finder::Model);
    }
    let there = process::is_there("scenedetect", "version");
    if there {
        finders.extend(DETECTORS.map(Finder::PySceneDetect));
    }
    let clips: Vec<(&Clip, &[u64])> = clips
        .iter()
        .filter_map(|clip| Some((clip, clip.annotation.cuts.as_deref()?)))
        .collect();
    let mut results = Vec::new();
    for finder in finders {
        let mut result = Outcome {
            finder,
            score: Score::default(),
            unlike: Vec::new(),
        };
        for (clip, cuts) in &clips {
            finder.run(&clip.path, out)?;
            let score = matched(&finder.cuts(&clip.path, out)?, cuts, TOLERANCE);
            if score.wrong + score.missed > 0 {
                let Score { wrong, missed, .. } = score;
                result
                    .unlike
                    .push(format!("{} +{wrong} -{missed}", clip.name()));
            }
            result.score.add(score);
        }
        eprintln!("quality, cuts: {} {:.3}", finder.name(), result.score.f1());
        results.push(result);
    }
    let long: Vec<PathBuf> = clips
        .iter()
        .filter(|(_, cuts)| !cuts.is_empty())
        .map(|(clip, _)| made::repeated(&clip.path, out))
        .collect::<Result<_, _>>()?;
    section(&clips, &results, there, |ours, other| {
        times(ours, other, &long, out, pairs)
    })
}

/// Both in turn on all the clips: wall clock and processor time.
fn times(
    ours: Finder,
    other: Finder,
    clips: &[PathBuf],
    out: &Path,
    pairs: usize,
) -> Result<Vec<(Took, Took)>, Error> {
    let all = |finder: Finder| -> Result<Took, Error> {
        let mut sum = Took::default();
        for clip in clips {
            let took = finder.run(clip, out)?;
            sum.wall += took.wall;
            sum.processor += took.processor;
        }
        Ok(sum)
    };
    (0..pairs).map(|_| Ok((all(other)?, all(ours)?))).collect()
}

fn section(
    clips: &[(&Clip, &[u64])],
    results: &[Outcome],
    there: bool,
    times: impl Fn(Finder, Finder) -> Result<Vec<(Took, Took)>, Error>,
) -> Result<Section, Error> {
    let cuts: usize = clips.iter().map(|(_, cuts)| cuts.len()).sum();
    let frames: u64 = clips.iter().map(|(clip, _)| clip.annotation.frames).sum();
    let about = format!(
        "Hard cuts in {} clips with {cuts} cuts in {frames} frames; a cut counts as found within \
         {TOLERANCE} frame. In brackets: clips with wrong (+) and missed (-) cuts. Times are those of \
         the clips with cuts, each repeated to {} s, decoding and start included, beside who finds the \
         most of the others; ratios are matchcut \
         over the other in pairs of runs in turn, so that below 1 matchcut takes less: median, \
         smallest and largest.",
        clips.len(),
        made::LONG,
    );
    let head = [
        "",
        "F1",
        "precision",
        "recall",
        "seconds",
        "every frame: wall clock",
        "processor time",
        "key frames: wall clock",
        "processor time",
    ];
    let mut section = Section::new("Quality: scene changes", about, &head);
    let mut best: Option<(f64, &'static str)> = None;
    for result in results {
        let f1 = result.score.f1();
        if let Finder::PySceneDetect(name) = result.finder
            && best.is_none_or(|(least, _)| f1 > least)
        {
            best = Some((f1, name));
        }
    }
    let mut limits = Vec::new();
    for result in results {
        let Score { wrong, missed, .. } = result.score;
        let mut cells = vec![
            format!("{} ({})", result.finder.name(), result.unlike.join(", ")),
            format!("**{:.3}**", result.score.f1()),
            format!("{:.3}", result.score.share(wrong)),
            format!("{:.3}", result.score.share(missed)),
        ];
        // Only who finds the most is worth the time.
        if let Finder::PySceneDetect(name) = result.finder
            && best.is_some_and(|(_, best)| best == name)
        {
            for (number, ours) in [OURS, OURS_KEY].into_iter().enumerate() {
                let measured = times(ours, result.finder)?;
                let wall = |took: &Took| took.wall.as_secs_f64();
                let processor = |took: &Took| took.processor.as_secs_f64().max(0.01);
                if number == 0 {
                    let seconds = Sample::new(measured.iter().map(|(other, _)| wall(other)));
                    cells.push(format!("{:.1}", seconds.median()));
                }
                for of in [wall as fn(&Took) -> f64, processor] {
                    let ratios = Sample::new(measured.iter().map(|(o, own)| of(own) / of(o)));
                    let (least, most) = ratios.range();
                    cells.push(format!(
                        "**{:.2}** ({least:.2} to {most:.2})",
                        ratios.median()
                    ));
                    limits.push(ratios.median());
                }
            }
        }
        section.row(cells);
    }
    let f1 = |finder: Finder| {
        let of = results.iter().find(|result| result.finder == finder);
        of.map_or(0.0, |result| result.score.f1())
    };
    if let (Some((least, name)), [wall, processor, key_wall, key_processor]) =
        (best, limits.as_slice())
    {
        let (own, key) = (f1(OURS), f1(OURS_KEY));
        let text = format!("F1 {own:.3}, at least {least:.3} of PySceneDetect's best, {name}");
        section.verdict(text, own >= least);
        for (what, ratio) in [("wall clock", wall), ("processor time", processor)] {
            let text = format!(
                "every frame: {what} {ratio:.2} times that of {name}, at most {EVERY_FRAME} allowed"
            );
            section.verdict(text, *ratio <= EVERY_FRAME);
        }
        for (what, ratio) in [("wall clock", key_wall), ("processor time", key_processor)] {
            let text = format!(
                "key frames: {what} {ratio:.2} times that of {name}, at most {KEY_FRAMES} allowed; \
                 F1 {key:.3} against {least:.3}"
            );
            section.verdict(text, *ratio <= KEY_FRAMES);
        }
    } else if !there {
        let cells = ["PySceneDetect", "not installed"];
        section.row(cells.map(str::to_owned));
    }
    Ok(section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_paired_once_and_within_the_tolerance() {
        let score = |found: &[u64], there: &[u64]| {
            let Score {
                right,
                wrong,
                missed,
            } = matched(found, there, 1);
            [right, wrong, missed]
        };
        assert_eq!(score(&[10, 20, 31], &[10, 21, 30]), [3, 0, 0]);
        assert_eq!(score(&[10, 11, 40], &[10, 30]), [1, 2, 1]);
        assert_eq!(score(&[9, 10], &[10, 11]), [2, 0, 0]);
        assert_eq!(score(&[], &[5]), [0, 0, 1]);
        assert_eq!(score(&[5], &[]), [0, 1, 0]);
        assert_eq!(matched(&[10, 50], &[10, 30], 1).f1(), 0.5);
        assert_eq!(Score::default().f1(), 1.0);
    }
}
