//! Score boxes against what was read by eye: of what `scoreboard_text` tells, how much is right, and for how
//! much of the time something is told.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::annotations::{Board, Clip, Reading};
use super::found::{self, Found};
use crate::Error;
use crate::report::Section;

/// What is counted together, and the attributes that are in it.
const GROUPS: [(&str, &[&str]); 5] = [
    ("names", &["name_1", "name_2"]),
    (
        "sets and games",
        &["sets_1", "sets_2", "games_1", "games_2"],
    ),
    ("points or goals", &["points_1", "points_2"]),
    ("server", &["server"]),
    ("clock", &["clock"]),
];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    right: usize,
    wrong: usize,
    /// Not told, though the box says it.
    missing: usize,
}

impl Count {
    fn cell(self) -> String {
        let all = self.right + self.wrong + self.missing;
        match (all, self.wrong) {
            (0, _) => String::new(),
            (_, 0) => format!("{} of {all}", self.right),
            (_, wrong) => format!("{} of {all}, {wrong} wrong", self.right),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counts {
    groups: [Count; GROUPS.len()],
    /// Annotated seconds, and those in which something was told.
    seconds: usize,
    told_in: usize,
    /// Told where the eye sees no box, or none that can be read.
    elsewhere: usize,
}

impl Counts {
    /// Counts what was found against readings, each of so many frames a second.
    fn count(&mut self, found: &[Found], readings: &[&Reading], rate: f64) {
        for told in found {
            let at = told.frames[0];
            let Some(reading) = readings.iter().find(|reading| reading.contains(at)) else {
                self.elsewhere += 1;
                continue;
            };
            for ((_, names), count) in GROUPS.iter().zip(&mut self.groups) {
                for name in *names {
                    let Some(expected) = reading.says.get(*name) else {
                        continue;
                    };
                    match told.attributes.get(*name) {
                        None => count.missing += 1,
                        Some(told) if same(told, expected) => count.right += 1,
                        Some(_) => count.wrong += 1,
                    }
                }
            }
        }
        // Readings that follow each other are looked at as one.
        let mut spans: Vec<[u64; 2]> = Vec::new();
        for reading in readings {
            match spans.last_mut() {
                Some(last) if last[1] == reading.frames[0] => last[1] = reading.frames[1],
                _ => spans.push(reading.frames),
            }
        }
        for [from, to] in spans {
            let whole = ((to - from) as f64 / rate) as u64;
            for second in 0..whole {
                let frame = |second: u64| from + (second as f64 * rate) as u64;
                let inside = frame(second)..frame(second + 1);
                self.seconds += 1;
                self.told_in +=
                    usize::from(found.iter().any(|told| inside.contains(&told.frames[0])));
            }
        }
    }

    fn add(&mut self, other: &Counts) {
        for (own, other) in self.groups.iter_mut().zip(&other.groups) {
            own.right += other.right;
            own.wrong += other.wrong;
            own.missing += other.missing;
        }
        self.seconds += other.seconds;
        self.told_in += other.told_in;
        self.elsewhere += other.elsewhere;
    }

    fn row(&self, what: String) -> Vec<String> {
        let mut cells = vec![what, format!("{} of {}", self.told_in, self.seconds)];
        cells.extend(self.groups.iter().map(|count| count.cell()));
        cells.push(self.elsewhere.to_string());
        cells
    }

    /// Numbers that were told and are not those of the box: names may be misspelt.
    fn wrong_numbers(&self) -> usize {
        self.groups.iter().skip(1).map(|count| count.wrong).sum()
    }
}

/// Capital letters are a matter of the box.
fn same(told: &Value, expected: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => text.to_lowercase(),
        other => other.to_string(),
    };
    text(told) == text(expected)
}

fn operator(board: &Board, region: Option<[f64; 4]>) -> String {
    let region = region.map_or(String::new(), |region| format!("\nregion = {region:?}"));
    format!(
        "type = \"scoreboard_text\"\nsport = \"{}\"{region}",
        board.sport
    )
}

pub(super) fn measure(clips: &[Clip], out: &Path) -> Result<Section, Error> {
    let about = "What `scoreboard_text` tells with its defaults, against what the boxes say: how much of what \
        is told of the time in which a box is there is right, and in how many of the seconds of that \
        time something is told. Once for the whole picture, and once with the `region` of each box.";
    let mut head = vec!["", "seconds told in"];
    head.extend(GROUPS.map(|(name, _)| name));
    head.push("told elsewhere");
    let mut section = Section::new("Quality: score boxes", about, &head);
    let reads = Command::new("tesseract").arg("--version").output();
    if !reads.is_ok_and(|output| output.status.success()) {
        section.row(["Tesseract is not installed".to_owned()]);
        return Ok(section);
    }
    let (mut whole, mut regions) = (Counts::default(), Counts::default());
    for clip in clips {
        let Some(board) = &clip.annotation.scoreboard else {
            continue;
        };
        let rate = clip.annotation.rate();
        let mut here = Counts::default();
        let found = found::observe(&operator(board, None), &clip.path, out)?;
        let readings: Vec<&Reading> = board.boxes.iter().flat_map(|b| &b.readings).collect();
        here.count(&found, &readings, rate);
        section.row(here.row(clip.name().to_owned()));
        whole.add(&here);

        let mut here = Counts::default();
        for one in &board.boxes {
            let operator = operator(board, Some(one.region));
            let found = found::observe(&operator, &clip.path, out)?;
            here.count(&found, &one.readings.iter().collect::<Vec<_>>(), rate);
        }
        section.row(here.row(format!("{}, with `region`", clip.name())));
        regions.add(&here);
    }
    if whole.seconds == 0 {
        section.row(["no clip with a score box is there".to_owned()]);
        return Ok(section);
    }
    section.row(whole.row("all".to_owned()));
    section.row(regions.row("all, with `region`".to_owned()));
    let wrong = whole.wrong_numbers() + regions.wrong_numbers();
    section.verdict(
        format!("{wrong} numbers that are not those of the box, none allowed"),
        wrong == 0,
    );
    Ok(section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_counted_by_what_is_told_while_they_stand() {
        let json = |json: Value| json.as_object().cloned().unwrap_or_default();
        let told = |frame, attributes| Found {
            frames: [frame, frame],
            attributes: json(attributes),
        };
        let found = [
            told(5, serde_json::json!({"name_1": "Nadal", "points_1": "15"})),
            told(12, serde_json::json!({"name_1": "NADA", "points_1": "30"})),
            told(45, serde_json::json!({"name_1": "X"})),
        ];
        let reading = |frames, points: &str| Reading {
            frames,
            says: json(serde_json::json!({"name_1": "NADAL", "points_1": points, "server": 1})),
        };
        let readings = [reading([0, 10], "15"), reading([10, 40], "15")];
        let mut counts = Counts::default();
        counts.count(&found, &readings.iter().collect::<Vec<_>>(), 10.0);
        let count = |right, wrong, missing| Count {
            right,
            wrong,
            missing,
        };
        assert_eq!(counts.groups[0], count(1, 1, 0));
        assert_eq!(counts.groups[2], count(1, 1, 0));
        assert_eq!(counts.groups[3], count(0, 0, 2));
        assert_eq!(
            [counts.seconds, counts.told_in, counts.elsewhere],
            [4, 2, 1]
        );
        assert_eq!(counts.wrong_numbers(), 1);
        assert_eq!(counts.groups[0].cell(), "1 of 2, 1 wrong");
    }
}
