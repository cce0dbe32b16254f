//! What is said of an event while it runs becomes entries of its log here: thumbs, marked, trimmed and named
//! segments, observations from outside, what replays are to weigh, and which there are to be. Of each thing the
//! last word stands.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use matchcut_model::chunk::Position;
use matchcut_model::failure::{Domain, Failure, Retry};
use matchcut_model::lines::{Told, Wish, parse_told};
use matchcut_model::observation::Observation;
use matchcut_model::segment::Segment;
use matchcut_model::value::Name;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::asks::Asks;
use super::media::content_of;
use crate::flow::{Control, Part, Remark, ReplayDefinition};

/// Entries with 1 for what comes and -1 for what is taken back.
pub type Entries = Vec<(Control, i64)>;

/// What stands of what was said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RemarksCursor {
    /// The number of the next verdict.
    sequence: u64,
    /// What was last said of each thing: it goes when something else is said.
    standing: BTreeMap<String, Control>,
    /// Replays of the spec that are not wanted any more.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    withdrawn: BTreeSet<Name>,
}

/// Of what may be spoken.
#[derive(Clone, Debug, Default)]
pub struct Subjects {
    /// Operators whose observations come from outside.
    pub outside: BTreeSet<Name>,
    /// Replays as the spec has them.
    pub replays: Vec<ReplayDefinition>,
    /// What may be asked for beside them.
    pub asks: Option<Arc<Asks>>,
}

/// Turns lines into entries of the log.
#[derive(Debug)]
pub struct Remarks {
    subjects: Subjects,
    cursor: RemarksCursor,
    /// Where observations that stand were told, by what they say.
    observed: BTreeMap<u64, Position>,
}

impl Remarks {
    /// Goes on where `cursor` is; `log` is what the log has of observations from outside.
    pub fn new(subjects: Subjects, cursor: RemarksCursor, log: BTreeMap<u64, Position>) -> Self {
        Remarks {
            subjects,
            cursor,
            observed: log,
        }
    }

    /// What stands.
    pub fn cursor(&self) -> &RemarksCursor {
        &self.cursor
    }

    /// A line, told at `position`; `place` is where it stands, for people.
    pub fn line(&mut self, place: &str, text: &[u8], position: Position, entries: &mut Entries) {
        let wrong = |problem: String| {
            let message = format!("the line is left out: {problem}");
            (failure(place.to_owned(), message), 1)
        };
        let told = match parse_told(text) {
            Ok(None) => return,
            Ok(Some(told)) => told,
            Err(problem) => return entries.push(wrong(problem.to_string())),
        };
        match told {
            Told::Feedback(feedback) => {
                let sequence = self.cursor.sequence;
                self.cursor.sequence += 1;
                entries.push((Control::Feedback { sequence, feedback }, 1));
            }
            Told::Segment(said) => {
                for (key, control) in controls(&said, position) {
                    self.stands(key, control, entries);
                }
            }
            Told::Retract(said) => {
                let name = name_of(&said);
                let keys: Vec<String> = self
                    .cursor
                    .standing
                    .range(format!("{name} ")..)
                    .map(|(key, _)| key.clone())
                    .take_while(|key| key.starts_with(&format!("{name} ")))
                    .collect();
                for key in keys {
                    let before = self.cursor.standing.remove(&key);
                    entries.extend(before.map(|control| (control, -1)));
                }
            }
            Told::Observation(observation) => {
                if let Err(problem) = self.check(&observation) {
                    return entries.push(wrong(problem));
                }
                // Saying the same again, as who sends again does, changes nothing.
                if let Entry::Vacant(new) = self.observed.entry(key_of(&observation)) {
                    new.insert(position);
                    entries.push((Control::observation(position, observation), 1));
                }
            }
            Told::Unobserved(observation) => match self.observed.remove(&key_of(&observation)) {
                Some(position) => {
                    entries.push((Control::observation(position, observation), -1));
                }
                None => entries.push(wrong("nothing like it was observed".to_owned())),
            },
            Told::Wish(wish) => match self.wished(wish) {
                Ok(definition) => self.replay_is(definition, entries),
                Err(problem) => entries.push(wrong(problem)),
            },
            Told::Asked(name, table) => match self.asked(&name, &table) {
                Ok(definition) => self.replay_is(definition, entries),
                Err(problem) => entries.push(wrong(format!("replay \"{name}\": {problem}"))),
            },
            Told::Withdrawn(name) => match self.replay(&name) {
                Some(definition) => {
                    self.cursor.standing.remove(&key_of_replay(&name));
                    if self.of_spec(&name).is_some() {
                        self.cursor.withdrawn.insert(name);
                    }
                    entries.push((Control::Replay(definition), -1));
                }
                None => entries.push(wrong(self.no_replay(&name))),
            },
        }
    }

    fn of_spec(&self, name: &Name) -> Option<&ReplayDefinition> {
        self.subjects.replays.iter().find(|r| r.name == *name)
    }

    /// A replay as it is now.
    fn replay(&self, name: &Name) -> Option<Arc<ReplayDefinition>> {
        match self.cursor.standing.get(&key_of_replay(name)) {
            Some(Control::Replay(definition)) => Some(Arc::clone(definition)),
            _ if self.cursor.withdrawn.contains(name) => None,
            _ => self.of_spec(name).cloned().map(Arc::new),
        }
    }

    /// A replay is this from now on. Saying the same again changes nothing.
    fn replay_is(&mut self, definition: ReplayDefinition, entries: &mut Entries) {
        let (name, definition) = (definition.name.clone(), Arc::new(definition));
        let before = self.replay(&name);
        if before.as_ref() == Some(&definition) {
            return;
        }
        entries.extend(before.map(|before| (Control::Replay(before), -1)));
        self.cursor.withdrawn.remove(&name);
        let control = Control::Replay(definition);
        entries.push((control.clone(), 1));
        self.cursor.standing.insert(key_of_replay(&name), control);
    }

    fn no_replay(&self, name: &Name) -> String {
        let of_spec = self.subjects.replays.iter().map(|replay| &replay.name);
        let standing = self
            .cursor
            .standing
            .values()
            .filter_map(|control| match control {
                Control::Replay(definition) => Some(&definition.name),
                _ => None,
            });
        let known: BTreeSet<&str> = of_spec
            .chain(standing)
            .filter(|name| self.replay(name).is_some())
            .map(Name::as_str)
            .collect();
        let known: Vec<&str> = known.into_iter().collect();
        match known.as_slice() {
            [] => format!("there is no replay \"{name}\", nor any other"),
            known => format!(
                "there is no replay \"{name}\"; there is {}",
                known.join(", ")
            ),
        }
    }

    fn asked(&self, name: &Name, table: &Map<String, Json>) -> Result<ReplayDefinition, String> {
        let no_spec = || "none can be asked for here".to_owned();
        let asks = self.subjects.asks.as_ref().ok_or_else(no_spec)?;
        let replay = asks
            .replay(name, table)
            .map_err(|error| error.to_string())?;
        let text = serde_json::to_string(table).map_err(|error| error.to_string())?;
        asks.definition(&replay, &text).ok_or_else(no_spec)
    }

    /// What is said last stands in the place of what was said before.
    fn stands(&mut self, key: String, control: Control, entries: &mut Entries) {
        let before = self.cursor.standing.insert(key, control.clone());
        entries.extend(before.map(|control| (control, -1)));
        entries.push((control, 1));
    }

    fn check(&self, observation: &Observation) -> Result<(), String> {
        if self.subjects.outside.contains(&observation.operator) {
            return Ok(());
        }
        let operator = &observation.operator;
        let known: Vec<&str> = self.subjects.outside.iter().map(Name::as_str).collect();
        Err(match known.as_slice() {
            [] => format!(
                "no operator of type \"external\" observes anything, \"{operator}\" neither"
            ),
            known => format!(
                "\"{operator}\" is no operator of type \"external\"; there is {}",
                known.join(", ")
            ),
        })
    }

    /// A replay with what it is to weigh from now on.
    fn wished(&self, wish: Wish) -> Result<ReplayDefinition, String> {
        let name = wish.replay;
        let now = self.replay(&name).ok_or_else(|| self.no_replay(&name))?;
        let mut definition = (*now).clone();
        let request = &mut definition.request;
        if let Some(weights) = wish.weights {
            request.priorities = weights;
        }
        if let Some(duration) = wish.duration {
            request.duration = duration;
        }
        if let Some(tolerance) = wish.tolerance {
            request.tolerance = tolerance;
        }
        Ok(definition)
    }
}

fn key_of_replay(name: &Name) -> String {
    format!("replay {name}")
}

/// By this an observation from outside is known again.
pub fn key_of(observation: &Observation) -> u64 {
    let text = serde_json::to_vec(observation).unwrap_or_default();
    content_of(&[&text]).0
}

/// How what is said of a segment is named.
fn name_of(said: &Segment) -> String {
    format!("{} {:+020}", said.id.segmenter, said.start().to_millis())
}

/// The entries of a line, each under the name of what it says.
fn controls(said: &Segment, position: Position) -> Vec<(String, Control)> {
    let name = name_of(said);
    let segment = said.id.clone();
    let remark = |what: String, remark: Remark| {
        let segment = said.id.clone();
        (format!("{name} {what}"), Control::remark(segment, remark))
    };
    let mut controls = Vec::new();
    if let Some(end) = said.end {
        let attributes = said.attributes.clone();
        let part = Part::Edited { end, attributes };
        let control = Control::part(position, segment, part);
        controls.push((format!("{name} marks"), control));
    }
    controls.extend(
        said.opto.iter().map(|(&track, &marks)| {
            remark(format!("track {track}"), Remark::Trim { track, marks })
        }),
    );
    controls.extend(
        said.label
            .iter()
            .map(|label| remark("label".to_owned(), Remark::Label(label.clone()))),
    );
    controls
}

/// Something that is wrong with what was said.
pub fn failure(input: String, message: String) -> Control {
    Control::failure(Failure {
        position: None,
        input,
        operator: None,
        message,
        domain: Domain::User,
        retry: Retry::No,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remarks() -> Remarks {
        let subjects = Subjects {
            outside: BTreeSet::from([Name::new("radar")]),
            replays: Vec::new(),
            asks: None,
        };
        Remarks::new(subjects, RemarksCursor::default(), BTreeMap::new())
    }

    fn say(remarks: &mut Remarks, line: &str, position: u64) -> Entries {
        let mut entries = Entries::new();
        remarks.line("said:7", line.as_bytes(), Position(position), &mut entries);
        entries
    }

    #[test]
    fn what_cannot_be_taken_is_told_with_its_place() {
        let mut remarks = remarks();
        let told = say(&mut remarks, "{\"start\":4,\"feedback\":\"nice\"}", 0);
        let [(Control::Failure(bad), 1)] = told.as_slice() else {
            panic!("{told:?}")
        };
        assert_eq!(bad.input, "said:7");
        assert!(
            bad.message.contains("\"nice\" is not known"),
            "{}",
            bad.message
        );
        let told = say(&mut remarks, "{\"start\":4,\"feedback\":\"like\"}", 0);
        let like = |told: &Entries| {
            matches!(
                told.as_slice(),
                [(Control::Feedback { sequence: 0, .. }, 1)]
            )
        };
        assert!(like(&told), "{told:?}");
    }

    #[test]
    fn the_last_word_on_a_segment_stands() {
        let mut remarks = remarks();
        let line = |rest: &str| {
            format!("{{\"class\":\"segmenter\",\"operator\":\"rally\",\"start\":3,{rest}}}")
        };
        let told = say(&mut remarks, &line("\"end\":9,\"label\":\"long\""), 4);
        assert_eq!(told.len(), 2);
        let told = say(&mut remarks, &line("\"end\":8"), 5);
        let diffs: Vec<i64> = told.iter().map(|(_, diff)| *diff).collect();
        assert_eq!(diffs, [-1, 1]);
        let Control::Part { position, .. } = &told[0].0 else {
            panic!("{told:?}")
        };
        assert_eq!(*position, Position(4), "taken back as it was told");
        let told = say(&mut remarks, &line("\"retract\":true"), 6);
        assert_eq!(told.iter().map(|(_, diff)| diff).sum::<i64>(), -2);
        assert_eq!(remarks.cursor().standing.len(), 0);
    }

    #[test]
    fn observations_from_outside_come_once_and_go_as_they_came() {
        let mut remarks = remarks();
        let line = "{\"class\":\"featurer\",\"operator\":\"radar\",\"start\":3,\"attributes\":{\"speed\":212}}";
        let told = say(&mut remarks, line, 2);
        assert!(
            matches!(told.as_slice(), [(Control::Observation { .. }, 1)]),
            "{told:?}"
        );
        assert_eq!(
            say(&mut remarks, line, 3),
            [],
            "who sends again says nothing new"
        );
        let back = line.replace("\"start\"", "\"retract\":true,\"start\"");
        let gone = say(&mut remarks, &back, 5);
        assert_eq!(gone, [(told[0].0.clone(), -1)]);
        let other = say(&mut remarks, &line.replace("radar", "sonar"), 5);
        let [(Control::Failure(bad), 1)] = other.as_slice() else {
            panic!("{other:?}")
        };
        assert!(
            bad.message
                .ends_with("\"sonar\" is no operator of type \"external\"; there is radar"),
            "{}",
            bad.message
        );
    }
}
