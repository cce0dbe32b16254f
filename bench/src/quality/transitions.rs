//! Fades and dissolves against what was read by eye, and against those that ffmpeg mixed into clips.

use std::path::Path;

use super::annotations::Clip;
use super::found::{self, Found};
use super::made;
use crate::Error;
use crate::report::Section;

const OPERATOR: &str = "type = \"transitions\"";

/// Clips that are mixed into one another, none with a cut in its first seconds.
const MIXED: [[&str; 2]; 2] = [
    ["intel_bottle.mp4", "pexels_squirrel_digital_silence.mp4"],
    [
        "pexels_squirrel_digital_silence.mp4",
        "intel_one_by_one_person.mp4",
    ],
];

/// A transition is found when its range and the one that is told have at least this in common, as a
/// share of both together.
const COMMON: f64 = 0.5;

#[derive(Default)]
struct Count {
    there: usize,
    right: usize,
    wrong: usize,
    off: u64,
}

impl Count {
    fn count(&mut self, found: &[(String, [u64; 2])], there: &[(&str, [u64; 2])]) {
        self.there += there.len();
        let mut used = vec![false; found.len()];
        for (kind, range) in there {
            let same = found.iter().enumerate().find(|(at, (name, told))| {
                !used[*at] && name == kind && common(*told, *range) >= COMMON
            });
            if let Some((at, (_, told))) = same {
                used[at] = true;
                self.right += 1;
                let [start, end] = [0, 1].map(|side| told[side].abs_diff(range[side]));
                self.off += start + end;
            }
        }
        self.wrong += used.iter().filter(|used| !**used).count();
    }

    fn row(&self, what: &str) -> Vec<String> {
        let off = self.off as f64 / (2 * self.right).max(1) as f64;
        vec![
            what.to_owned(),
            self.there.to_string(),
            self.right.to_string(),
            self.wrong.to_string(),
            if self.right > 0 {
                format!("{off:.1}")
            } else {
                String::new()
            },
        ]
    }
}

fn common(a: [u64; 2], b: [u64; 2]) -> f64 {
    let both = a[1].min(b[1]).saturating_sub(a[0].max(b[0]));
    let either = a[1].max(b[1]) - a[0].min(b[0]);
    both as f64 / either.max(1) as f64
}

/// Kind and frames of what was found.
fn told(found: &[Found]) -> Vec<(String, [u64; 2])> {
    let rows = found.iter().map(|row| {
        let fade = row.attributes.get("fade").and_then(|fade| fade.as_str());
        let kind = fade.map_or("dissolve".to_owned(), |fade| format!("fade_{fade}"));
        (kind, row.frames)
    });
    rows.collect()
}

pub(super) fn measure(clips: &[Clip], out: &Path) -> Result<Section, Error> {
    let about = format!(
        "Fades and dissolves of `transitions`. One is right when its range has at least {COMMON} in \
         common with the known one; edges are off by so many frames on average."
    );
    let head = ["", "there", "right", "wrong", "edges off by, frames"];
    let mut section = Section::new("Quality: fades and dissolves", about, &head);
    let mut read = Count::default();
    for clip in clips {
        let found = found::observe(OPERATOR, &clip.path, out)?;
        let there: Vec<(&str, [u64; 2])> = clip
            .annotation
            .transitions
            .iter()
            .map(|transition| (transition.kind.as_str(), transition.frames))
            .collect();
        let told = told(&found);
        let mut here = Count::default();
        here.count(&told, &there);
        read.count(&told, &there);
        if here.there > 0 || here.wrong > 0 {
            section.row(here.row(clip.name()));
        }
    }
    section.row(read.row(&format!("all {} clips, read by eye", clips.len())));
    let find = |name: &str| clips.iter().find(|clip| clip.name() == name);
    let mut mixed = [
        ("ffmpeg: dissolves", Count::default()),
        ("ffmpeg: fades", Count::default()),
    ];
    for pair in MIXED {
        let [Some(from), Some(to)] = pair.map(find) else {
            continue;
        };
        for made in made::mixed([&from.path, &to.path], out)? {
            let found = found::observe(OPERATOR, &made.path, out)?;
            let told = told(&found);
            let mut there = vec![(made.kind, made.frames)];
            // A fade out of one shot is followed by a fade into the next, of the same length.
            let [start, end] = made.frames;
            if made.kind == "fade_out" {
                there.push(("fade_in", [end, end + (end - start)]));
            }
            mixed[usize::from(made.kind == "fade_out")]
                .1
                .count(&told, &there);
        }
    }
    for (name, count) in mixed.iter().filter(|(_, count)| count.there > 0) {
        section.row(count.row(name));
    }
    Ok(section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transition_is_found_once_and_of_its_kind() {
        let found = [
            ("dissolve".to_owned(), [10, 20]),
            ("dissolve".to_owned(), [11, 21]),
            ("fade_in".to_owned(), [50, 60]),
        ];
        let mut count = Count::default();
        count.count(&found, &[("dissolve", [12, 22]), ("fade_out", [50, 60])]);
        assert_eq!([count.there, count.right, count.wrong], [2, 1, 2]);
        assert_eq!(count.off, 4);
        assert_eq!(common([0, 10], [5, 15]), 1.0 / 3.0);
        assert_eq!(common([0, 10], [20, 30]), 0.0);
    }
}
