//! The replays that an event has now: those of its spec, changed by whatever was asked for since. It follows the log as
//! it is committed, and knows which videos are made already.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use matchcut_model::value::Name;
use matchcut_sinks::ReplayMedia;

use super::asks::Asks;
use super::engine::RunError;
use super::target::Place;
use crate::flow::{Control, ReplayDefinition};
use crate::plan::{Plan, PlanReplay};

/// The replays that there are.
#[derive(Default)]
pub(super) struct Asked {
    of_spec: Vec<PlanReplay>,
    now: Vec<PlanReplay>,
    gone: BTreeSet<Name>,
    asks: Option<Arc<Asks>>,
    /// Of each replay what its videos were made of, and the videos.
    made: BTreeMap<Name, (u64, ReplayMedia)>,
}

/// Replays that are new or are asked for otherwise, with their segmenters; and those that are gone.
type Differences = (Vec<(PlanReplay, Name)>, Vec<Name>);

impl Asked {
    /// Those of a plan, and how others are asked for.
    pub fn new(plan: &Plan, asks: Option<Arc<Asks>>) -> Self {
        Asked {
            of_spec: plan.replays.clone(),
            now: plan.replays.clone(),
            asks,
            ..Asked::default()
        }
    }

    /// All replays: those of the spec first, the others in the order in which they were asked for.
    pub fn replays(&self) -> impl Iterator<Item = &PlanReplay> {
        self.now.iter()
    }

    /// Names that had a replay and have none now.
    pub fn gone(&self) -> impl Iterator<Item = &Name> {
        self.gone.iter()
    }

    /// Takes in an entry of the log. What is withdrawn stays until that is [done](Asked::withdraw).
    pub fn apply(&mut self, controls: &[(Control, i64)]) -> Result<Differences, RunError> {
        // Of several in one entry the last one stands, unless it is taken back in it, too.
        let mut now: BTreeMap<&Name, Option<&ReplayDefinition>> = BTreeMap::new();
        for (control, diff) in controls {
            let Control::Replay(definition) = control else {
                continue;
            };
            let stands = now.entry(&definition.name).or_default();
            match stands {
                _ if *diff > 0 => *stands = Some(definition),
                Some(other) if **other != **definition => {}
                _ => *stands = None,
            }
        }
        let (mut asked, mut gone) = (Vec::new(), Vec::new());
        for (name, definition) in now {
            let Some(definition) = definition else {
                gone.push(name.clone());
                continue;
            };
            let replay = self.replay(definition)?;
            if self.put(&replay) {
                asked.push((replay, definition.segmenter.clone()));
            }
        }
        Ok((asked, gone))
    }

    fn replay(&self, definition: &ReplayDefinition) -> Result<PlanReplay, RunError> {
        let named = |replay: &&PlanReplay| replay.name == definition.name;
        let unknown = |reason: String| RunError::Asked {
            name: definition.name.clone(),
            reason,
        };
        let found = match (&definition.asked, &self.asks) {
            (Some(_), Some(asks)) => asks.of_definition(definition),
            (Some(_), None) => {
                return Err(unknown("the spec of the event is not known".to_owned()));
            }
            (None, _) => match self.of_spec.iter().find(named) {
                Some(replay) => Ok(PlanReplay {
                    request: definition.request.clone(),
                    ..replay.clone()
                }),
                None => return Err(unknown("the spec has none of this name".to_owned())),
            },
        };
        found.map_err(|error| unknown(error.to_string()))
    }

    /// Whether it is other than it was.
    fn put(&mut self, replay: &PlanReplay) -> bool {
        self.gone.remove(&replay.name);
        match self.now.iter_mut().find(|known| known.name == replay.name) {
            Some(known) if known == replay => false,
            Some(known) => {
                known.clone_from(replay);
                true
            }
            None => {
                self.now.push(replay.clone());
                true
            }
        }
    }

    /// It is gone.
    pub fn withdraw(&mut self, name: &Name) {
        self.now.retain(|replay| replay.name != *name);
        self.made.remove(name);
        self.gone.insert(name.clone());
    }

    /// What is kept of the videos of a replay: the key and the value of a publication.
    pub fn made(name: &Name, digest: u64, media: &ReplayMedia) -> (String, String) {
        let value = serde_json::to_string(&(name, digest, media)).unwrap_or_default();
        (format!("replay {name}"), value)
    }

    /// Takes over a publication of an earlier process.
    pub fn take_up(&mut self, key: &str, value: &str) {
        let made: Option<(Name, u64, ReplayMedia)> = serde_json::from_str(value).ok();
        if let (true, Some((name, digest, media))) = (key.starts_with("replay "), made) {
            self.made.insert(name, (digest, media));
        }
    }

    /// The videos of a replay that were made of the same, and are still there.
    pub fn made_before(&self, name: &Name, digest: u64, places: &[Place]) -> Option<&ReplayMedia> {
        let (before, media) = self.made.get(name)?;
        let files = || media.mp4.iter().chain(&media.hls);
        let there = |place: &Place| files().all(|file| place.dir.join(file).is_file());
        (*before == digest && places.iter().all(there)).then_some(media)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use matchcut_model::chunk::Position;

    use super::*;
    use crate::plan;
    use crate::run::convert;
    use crate::run::remarks::{Entries, Remarks, RemarksCursor, Subjects};
    use crate::spec::{self, Catalog};

    const SPEC: &str = r#"
[pipeline]
name = "court"
[sources.court]
type = "hls"
uri = "court.m3u8"
[operators.cuts]
type = "scene_change"
inputs = ["court.video"]
[operators.shot]
type = "segment_by_shot"
inputs = ["cuts"]
[replays.best]
inputs = ["shot"]
duration = "60s"
weights = { "cuts.hard_cut" = 1 }
"#;

    fn begun() -> (Remarks, Asked) {
        let (catalog, path) = (Catalog::built_in(), Path::new("spec.toml"));
        let spec = spec::parse(SPEC, path, &[], &catalog).unwrap();
        let plan = plan::compile(&spec, &catalog).unwrap();
        let asks = Some(Arc::new(Asks::new(
            SPEC.to_owned(),
            path,
            Vec::new(),
            &plan,
        )));
        let subjects = Subjects {
            replays: convert::definitions(&plan),
            asks: asks.clone(),
            ..Subjects::default()
        };
        let remarks = Remarks::new(subjects, RemarksCursor::default(), BTreeMap::new());
        (remarks, Asked::new(&plan, asks))
    }

    /// What lines that are heard at once come to: replays with their lengths in seconds, what is new, what is gone.
    fn hear(remarks: &mut Remarks, asked: &mut Asked, lines: &[&str]) -> [Vec<String>; 3] {
        let mut entries = Entries::new();
        for line in lines {
            remarks.line("said:1", line.as_bytes(), Position(3), &mut entries);
        }
        let wrong = entries
            .iter()
            .find(|(control, _)| matches!(control, Control::Failure(_)));
        assert_eq!(wrong, None);
        let (new, gone) = asked.apply(&entries).unwrap();
        for name in &gone {
            asked.withdraw(name);
        }
        let now = asked.replays().map(|replay| {
            let seconds = replay.request.duration.as_seconds_f64();
            format!("{} {seconds}", replay.name)
        });
        let names = |names: Vec<Name>| names.iter().map(Name::to_string).collect();
        let new = new.into_iter().map(|(replay, _)| replay.name);
        [now.collect(), names(new.collect()), names(gone)]
    }

    const LATE: &str = r#"{"replay":"late","ask":{"inputs":["shot"],"duration":"20s"}}"#;
    const LONGER: &str = r#"{"replay":"late","ask":{"inputs":["shot"],"duration":"30s"}}"#;
    const GONE: &str = r#"{"replay":"late","retract":true}"#;

    #[test]
    fn the_last_word_on_a_replay_stands() {
        let (mut remarks, mut asked) = begun();
        let mut hear = |lines: &[&str]| hear(&mut remarks, &mut asked, lines);
        let told = hear(&[LATE]);
        assert_eq!(told, [vec!["best 60", "late 20"], vec!["late"], vec![]]);
        assert_eq!(hear(&[LATE])[1], Vec::<String>::new(), "nothing new");
        assert_eq!(hear(&[LONGER])[0], ["best 60", "late 30"]);
        // What it weighs can be changed as for any other.
        let told = hear(&[r#"{"replay":"late","duration":40}"#]);
        assert_eq!(told, [vec!["best 60", "late 40"], vec!["late"], vec![]]);
        assert_eq!(hear(&[GONE]), [vec!["best 60"], vec![], vec!["late"]]);
        let other = r#"{"replay":"best","retract":true}"#;
        assert_eq!(hear(&[other]), [vec![], vec![], vec!["best"]]);
    }

    #[test]
    fn what_is_taken_back_at_once_was_never_there() {
        let (mut remarks, mut asked) = begun();
        let mut hear = |lines: &[&str]| hear(&mut remarks, &mut asked, lines);
        let none: [Vec<String>; 2] = [vec![], vec!["late".to_owned()]];
        assert_eq!(hear(&[LATE, GONE])[1..], none);
        assert_eq!(hear(&[LATE, GONE, LONGER])[0], ["best 60", "late 30"]);
        assert_eq!(hear(&[GONE, LATE])[0], ["best 60", "late 20"]);
    }
}
