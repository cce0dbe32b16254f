//! The ordered part: decides what the score is. A change counts when it was read twice, or once and
//! surely if one point (or goal) leads to it; its time is that of the first reading.

use std::collections::BTreeMap;

use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Name, Value};

use super::image::Area;
use super::scan::{BoxText, read};
use super::tokens::confidence;
use super::{Sport, soccer, tennis};
use crate::sdk::{Emission, Fold, SETTLE, Step};

/// From this confidence, one reading of a likely change is enough.
const SURE: u8 = 80;

/// So many spellings of a name are kept.
const MOST_SPELLINGS: usize = 8;

pub(super) struct BoardFold {
    pub(super) sport: Sport,
    pub(super) votes: u32,
    pub(super) every: MediaTime,
    pub(super) sets_to_win: u8,
}

/// What a box says, without what changes all the time.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Says {
    Tennis(tennis::Score),
    Soccer([u8; 2]),
    Text(String),
}

/// A box that could be read.
struct Read {
    area: Area,
    says: Says,
    names: [Option<String>; 2],
    server: Option<usize>,
    clock: Option<soccer::Clock>,
    confidence: u8,
}

/// Something that was read and does not count yet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate<T> {
    what: T,
    first: MediaTime,
    readings: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BoardState {
    /// Where the box was when it was read last.
    area: Option<Area>,
    says: Option<Says>,
    next: Option<Candidate<Says>>,
    /// How often which spelling of a name was read.
    names: [BTreeMap<String, u32>; 2],
    server: Option<usize>,
    next_server: Option<Candidate<usize>>,
    /// The clock that was read last, and when.
    clock: Option<(soccer::Clock, MediaTime)>,
    /// Time of the last observation.
    told: Option<MediaTime>,
}

impl Fold for BoardFold {
    type State = BoardState;

    fn step(&self, step: &Step<'_>, state: &mut BoardState, emit: &mut Vec<Emission>) {
        for reading in step.signature.and_then(read).unwrap_or_default() {
            if let Some(read) = self.choose(&reading.boxes, state) {
                self.see(read, reading.time, state, emit);
            }
        }
    }
}

impl BoardFold {
    /// The box that says a score: the one at the known place, else the one read most surely.
    fn choose(&self, boxes: &[BoxText], state: &BoardState) -> Option<Read> {
        let reads = boxes.iter().filter_map(|text| self.parse(text));
        let known = |read: &Read| {
            state
                .area
                .is_some_and(|area| area.overlap(&read.area) >= 0.5)
        };
        // The first in order of place among equals.
        reads.first_best(|read| (known(read), read.confidence))
    }

    fn parse(&self, text: &BoxText) -> Option<Read> {
        let area = text.area;
        match self.sport {
            Sport::Tennis => tennis::parse(&text.lines).map(|board| Read {
                area,
                says: Says::Tennis(board.score),
                names: board.names,
                server: board.server,
                clock: None,
                confidence: board.confidence,
            }),
            Sport::Soccer => soccer::parse(&text.lines).map(|board| Read {
                area,
                says: Says::Soccer(board.goals),
                names: board.names,
                server: None,
                clock: board.clock,
                confidence: board.confidence,
            }),
            Sport::Text => {
                let lines: Vec<String> = text.lines.iter().map(|line| line.text()).collect();
                Some(Read {
                    area,
                    says: Says::Text(lines.join(" | ")),
                    names: [None, None],
                    server: None,
                    clock: None,
                    confidence: confidence(text.lines.iter().flat_map(|line| &line.words)),
                })
            }
        }
    }

    fn see(&self, read: Read, at: MediaTime, state: &mut BoardState, emit: &mut Vec<Emission>) {
        let before = state.clock;
        let clock = clock(&read, at, state);
        let changed_to = self.count(&read, at, state);
        self.count_server(&read, at, state);
        if let Some((says, first)) = changed_to {
            // What is told of the first reading has the clock of that one.
            let clock = match before.filter(|_| first < at) {
                Some((before, read_at)) => clock.filter(|_| read_at == first).and(Some(before)),
                None => clock.filter(|_| first == at),
            };
            let before = state.says.replace(says.clone());
            if before
                .as_ref()
                .is_some_and(|before| won(before, &says).is_none())
            {
                // Another match, or one that was not seen for long: names start anew.
                state.names = Default::default();
            }
            learn(&read, state);
            state.area = Some(read.area);
            let at = first.max(at - SETTLE);
            self.tell(at, before.as_ref(), read.confidence, clock, state, emit);
        } else if state.says.as_ref() == Some(&read.says) {
            learn(&read, state);
            state.area = Some(read.area);
            if state.told.is_none_or(|told| at >= told + self.every) {
                self.tell(at, None, read.confidence, clock, state, emit);
            }
        }
    }

    /// Counts a reading; a score that counts from now on, with the time at which it was read first.
    fn count(
        &self,
        read: &Read,
        at: MediaTime,
        state: &mut BoardState,
    ) -> Option<(Says, MediaTime)> {
        if state.says.as_ref() == Some(&read.says) {
            state.next = None;
            return None;
        }
        let likely = state
            .says
            .as_ref()
            .is_some_and(|before| won(before, &read.says).is_some());
        let next = match state.next.take() {
            Some(next) if next.what == read.says => Candidate {
                readings: next.readings.saturating_add(1),
                ..next
            },
            _ => Candidate {
                what: read.says.clone(),
                first: at,
                readings: 1,
            },
        };
        if next.readings >= self.votes || likely && read.confidence >= SURE {
            return Some((next.what, next.first));
        }
        state.next = Some(next);
        None
    }

    fn count_server(&self, read: &Read, at: MediaTime, state: &mut BoardState) {
        let Some(server) = read.server.filter(|server| state.server != Some(*server)) else {
            if read.server.is_some() {
                state.next_server = None;
            }
            return;
        };
        let next = match state.next_server.take() {
            Some(next) if next.what == server => Candidate {
                readings: next.readings.saturating_add(1),
                ..next
            },
            _ => Candidate {
                what: server,
                first: at,
                readings: 1,
            },
        };
        if next.readings >= self.votes || state.server.is_none() {
            state.server = Some(server);
        } else {
            state.next_server = Some(next);
        }
    }

    fn tell(
        &self,
        at: MediaTime,
        before: Option<&Says>,
        confidence: u8,
        clock: Option<soccer::Clock>,
        state: &mut BoardState,
        emit: &mut Vec<Emission>,
    ) {
        let Some(says) = &state.says else { return };
        let mut attributes = Attributes::new();
        let mut set = |name: &str, value: Value| {
            attributes.insert(Name::from(name), value);
        };
        for (name, spellings) in ["name_1", "name_2"].into_iter().zip(&state.names) {
            // The most frequent spelling, the first in the alphabet among equals.
            let usual = spellings.iter().rev().max_by_key(|(_, count)| **count);
            if let Some((usual, _)) = usual {
                set(name, Value::from(usual.as_str()));
            }
        }
        set("confidence", Value::from(i64::from(confidence)));
        match says {
            Says::Tennis(score) => {
                set("score", Value::from(score.text().as_str()));
                let pairs = [
                    ("games_1", "games_2", score.games),
                    ("sets_1", "sets_2", score.sets_won()),
                ];
                for (one, two, numbers) in pairs {
                    set(one, Value::from(i64::from(numbers[0])));
                    set(two, Value::from(i64::from(numbers[1])));
                }
                if let Some([one, two]) = score.points_text() {
                    set("points_1", Value::from(one.as_str()));
                    set("points_2", Value::from(two.as_str()));
                }
                if let Some(server) = state.server {
                    set("server", Value::from(server as i64 + 1));
                }
                let stakes = score.stakes(state.server, self.sets_to_win);
                set("game_point", Value::from(stakes.game_point));
                set("break_point", Value::from(stakes.break_point));
                set("set_point", Value::from(stakes.set_point));
                set("match_point", Value::from(stakes.match_point));
            }
            Says::Soccer([one, two]) => {
                set("score", Value::from(format!("{one}-{two}").as_str()));
                set("points_1", Value::from(one.to_string().as_str()));
                set("points_2", Value::from(two.to_string().as_str()));
                if let Some(clock) = clock {
                    set("clock", Value::from(clock.text().as_str()));
                    set("clock_s", Value::from(i64::from(clock.total())));
                }
            }
            Says::Text(text) => set("score", Value::from(text.as_str())),
        }
        if let Some(before) = before {
            set("score_change", Value::from(true));
            if let Some(won) = won(before, says) {
                set("won_by", Value::from(won.side as i64 + 1));
                if won.game {
                    set("game", Value::from(true));
                }
                if won.set {
                    set("set", Value::from(true));
                }
            }
        }
        state.told = Some(at);
        emit.push(Emission::Observation {
            start: at,
            end: at,
            attributes,
        });
    }
}

/// What lies between two scores, where it can be said.
fn won(before: &Says, after: &Says) -> Option<tennis::Won> {
    match (before, after) {
        (Says::Tennis(before), Says::Tennis(after)) => {
            before.won(after).or_else(|| before.won_meanwhile(after))
        }
        (Says::Soccer(before), Says::Soccer(after)) => {
            let side = [0, 1].into_iter().find(|side| {
                after[*side] == before[*side].saturating_add(1)
                    && after[1 - side] == before[1 - side]
            })?;
            Some(tennis::Won {
                side,
                game: false,
                set: false,
            })
        }
        _ => None,
    }
}

/// Remembers the names that a counted reading has.
fn learn(read: &Read, state: &mut BoardState) {
    for (spellings, name) in state.names.iter_mut().zip(&read.names) {
        let Some(name) = name else { continue };
        let count = spellings.entry(name.clone()).or_default();
        *count = count.saturating_add(1);
        if spellings.len() > MOST_SPELLINGS {
            let rarest = spellings
                .iter()
                .filter(|(spelling, _)| *spelling != name)
                .min_by_key(|(_, count)| **count)
                .map(|(spelling, _)| spelling.clone());
            rarest.map(|rarest| spellings.remove(&rarest));
        }
    }
}

/// The clock, when it goes on as one does: as far as time has since it was read last.
fn clock(read: &Read, at: MediaTime, state: &mut BoardState) -> Option<soccer::Clock> {
    let clock = read.clock?;
    let before = state.clock.replace((clock, at));
    let (before, read_at) = before?;
    let passed = (at - read_at).to_millis() / 1000;
    let ran = i64::from(clock.total()) - i64::from(before.total());
    let steady = clock.added.is_some() && ran == 0 && passed <= 60;
    (steady || ran == 0 && passed <= 1 || (ran - passed).abs() <= 1).then_some(clock)
}

/// `max_by_key` that takes the first among equals.
trait FirstBest: Iterator + Sized {
    fn first_best<K: Ord>(self, key: impl Fn(&Self::Item) -> K) -> Option<Self::Item> {
        self.fold(None, |best: Option<(K, Self::Item)>, item| {
            let own = key(&item);
            match best {
                Some((key, best)) if own <= key => Some((key, best)),
                _ => Some((own, item)),
            }
        })
        .map(|(_, item)| item)
    }
}

impl<I: Iterator> FirstBest for I {}
