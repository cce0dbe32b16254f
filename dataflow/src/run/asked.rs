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
        let (mut asked, mut gone) = (Vec::new(), BTreeSet::new());
        for (control, diff) in controls {
            let Control::Replay(definition) = control else {
                continue;
            };
            if *diff < 0 {
                gone.insert(definition.name.clone());
            }
        }
        for (control, diff) in controls {
            let Control::Replay(definition) = control else {
                continue;
            };
            // Of several in one entry the last one stands.
            let stands = controls
                .iter()
                .rev()
                .find_map(|(control, diff)| match control {
                    Control::Replay(other) if other.name == definition.name && *diff > 0 => {
                        Some(other)
                    }
                    _ => None,
                });
            if *diff > 0 && stands == Some(definition) {
                gone.remove(&definition.name);
                let replay = self.replay(definition)?;
                if self.put(&replay) {
                    asked.push((replay, definition.segmenter.clone()));
                }
            }
        }
        Ok((asked, gone.into_iter().collect()))
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
