//! What goes wrong on the way from an encoder to a reader, planned before it is played: the same
//! seed or script gives the same plan. A plan says what appears when; how it appears is for the
//! outlet.

use std::time::Duration;

use serde::Deserialize;

use crate::random::Random;
use crate::trace::Trace;

/// How often things go wrong by chance, as shares of the chunks (0 to 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chances {
    /// Chunks that come after one to three of their successors.
    pub disorder: f64,
    /// Chunks that never come.
    pub loss: f64,
    /// Chunks that come again, with the same bytes.
    pub duplicates: f64,
    /// Chunks that come cut off, and whole two chunks later.
    pub corrections: f64,
    /// Chunks that stay cut off.
    pub truncation: f64,
    /// Chunks before which nothing comes for three chunks' time; then all of it at once.
    pub stalls: f64,
}

/// What is done to one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It comes so many chunks later.
    Late,
    /// It never comes.
    Lost,
    /// It comes again so many chunks later.
    Twice,
    /// It comes cut off, and whole so many chunks later.
    Corrected,
    /// Half of it comes.
    Truncated,
    /// Before it, nothing comes for the time of so many chunks.
    Stall,
}

/// One line of a script.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The chunk, from 0.
    pub chunk: usize,
    /// What happens to it.
    #[serde(rename = "do")]
    pub fate: Fate,
    /// Over how many chunks.
    #[serde(default = "one")]
    pub by: u32,
}

fn one() -> u32 {
    1
}

/// Chances and listed steps; both may be given.
///
/// ```toml
/// seed = 7
/// [chances]
/// loss = 0.02
/// [[step]]
/// chunk = 12
/// do = "late"
/// by = 2
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// What chance is made of.
    pub seed: u64,
    /// By chance.
    pub chances: Chances,
    /// Listed.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
}

/// Why a script cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// It is not a script.
    #[error("{0}")]
    Text(String),
    /// A share is not one.
    #[error("chances.{name}: {value} is not a share from 0 to 1")]
    Share {
        /// Which.
        name: &'static str,
        /// As given.
        value: String,
    },
    /// A step is about a chunk that is not there.
    #[error("step {step}: there is no chunk {chunk}; the stream has {chunks}, counted from 0")]
    Chunk {
        /// Number of the step, from 1.
        step: usize,
        /// The chunk.
        chunk: usize,
        /// How many there are.
        chunks: usize,
    },
}

/// What appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The playlist lists the chunk, which may come later or never.
    Listed,
    /// The first half of its bytes.
    Half,
    /// All of its bytes.
    Whole,
    /// All of its bytes again.
    Again,
}

/// Something that appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// When.
    pub at: Duration,
    /// The chunk, by its place in the trace.
    pub chunk: usize,
    /// What of it.
    pub what: What,
}

/// A plan, and what was done for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In order of time.
    pub arrivals: Vec<Arrival>,
    /// Number of fates by name, in the order of [`Fate`].
    pub fates: [(&'static str, usize); 6],
    /// When the last chunk would have come.
    pub end: Duration,
}

impl Script {
    /// Reads a script.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        toml::from_str(text).map_err(|error| ScriptError::Text(error.to_string()))
    }

    /// What is played of `trace`.
    pub fn plan(&self, trace: &Trace) -> Result<Plan, ScriptError> {
        let fates = self.fates(trace.chunks.len())?;
        let mut arrivals = Vec::new();
        let mut counts = NAMES.map(|name| (name, 0));
        // When each would come, with the stalls before it.
        let mut times = Vec::new();
        let mut until = Duration::ZERO;
        for (chunk, fate) in trace.chunks.iter().zip(&fates) {
            if let Some((Fate::Stall, by)) = fate {
                // Nothing comes until then; what the encoder makes meanwhile comes at once.
                let stalled = chunk.listed.duration() * *by;
                until = until.max(chunk.at + stalled);
            }
            times.push(chunk.at.max(until));
        }
        let end = times
            .iter()
            .copied()
            .max()
            .unwrap_or_default()
            .max(trace.end);
        for (index, fate) in fates.iter().enumerate() {
            let at = times.get(index).copied().unwrap_or_default();
            let later = |by: u32| {
                let target = trace.chunks.get(index).map(|c| c.listed.duration());
                let place = times.get(index + by as usize).copied();
                // A little behind the successor, so that the order is really another.
                let little = Duration::from_millis(1);
                place.unwrap_or(at + target.unwrap_or_default() * by) + little
            };
            let mut add = |at, what| {
                arrivals.push(Arrival {
                    at,
                    chunk: index,
                    what,
                });
            };
            add(at, What::Listed);
            match *fate {
                None | Some((Fate::Stall, _)) => add(at, What::Whole),
                Some((Fate::Lost, _)) => {}
                Some((Fate::Late, by)) => add(later(by), What::Whole),
                Some((Fate::Truncated, _)) => add(at, What::Half),
                Some((Fate::Twice, by)) => {
                    add(at, What::Whole);
                    add(later(by), What::Again);
                }
                Some((Fate::Corrected, by)) => {
                    add(at, What::Half);
                    add(later(by), What::Whole);
                }
            }
            if let Some((fate, _)) = fate
                && let Some((_, count)) = counts.get_mut(*fate as usize)
            {
                *count += 1;
            }
        }
        arrivals.sort();
        Ok(Plan {
            arrivals,
            fates: counts,
            end,
        })
    }

    /// What happens to each chunk, and over how many.
    fn fates(&self, chunks: usize) -> Result<Vec<Option<(Fate, u32)>>, ScriptError> {
        let chances = [
            (Fate::Late, "disorder", self.chances.disorder),
            (Fate::Lost, "loss", self.chances.loss),
            (Fate::Twice, "duplicates", self.chances.duplicates),
            (Fate::Corrected, "corrections", self.chances.corrections),
            (Fate::Truncated, "truncation", self.chances.truncation),
            (Fate::Stall, "stalls", self.chances.stalls),
        ];
        for (_, name, value) in chances {
            if !(0.0..=1.0).contains(&value) {
                let value = value.to_string();
                return Err(ScriptError::Share { name, value });
            }
        }
        let mut random = Random::new(self.seed);
        let mut fates = vec![None; chunks];
        for fate in &mut fates {
            for (kind, _, share) in chances {
                let happens = random.happens((share * 1e6).round() as u64);
                let by = 1 + random.below(3) as u32;
                let by = match kind {
                    Fate::Late | Fate::Twice => by,
                    Fate::Stall => 3,
                    _ => 2,
                };
                // Of several the first: each number is drawn all the same, so that a change of one
                // share leaves the others where they were.
                if happens && fate.is_none() {
                    *fate = Some((kind, by));
                }
            }
        }
        for (index, step) in self.steps.iter().enumerate() {
            let Some(fate) = fates.get_mut(step.chunk) else {
                return Err(ScriptError::Chunk {
                    step: index + 1,
                    chunk: step.chunk,
                    chunks,
                });
            };
            *fate = Some((step.fate, step.by));
        }
        Ok(fates)
    }
}

/// What the fates are called in reports.
const NAMES: [&str; 6] = ["late", "lost", "twice", "corrected", "truncated", "stall"];

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::media_list::Listed;
    use crate::trace::TraceChunk;

    fn trace(chunks: u64) -> Trace {
        let chunk = |number| TraceChunk {
            at: Duration::from_secs(number * 2),
            listed: Listed {
                tags: vec!["#EXTINF:2,".into()],
                uri: format!("{number}.ts"),
            },
        };
        Trace {
            dir: PathBuf::new(),
            resources: Vec::new(),
            chunks: (1..=chunks).map(chunk).collect(),
            end: Duration::from_secs(chunks * 2),
        }
    }

    fn shown(plan: &Plan) -> String {
        let one = |a: &Arrival| format!("{:.3} {} {:?}", a.at.as_secs_f64(), a.chunk, a.what);
        plan.arrivals.iter().map(one).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn without_a_script_everything_comes_in_order() {
        let plan = Script::default().plan(&trace(2)).unwrap();
        assert_eq!(
            shown(&plan),
            "2.000 0 Listed; 2.000 0 Whole; 4.000 1 Listed; 4.000 1 Whole"
        );
    }

    #[test]
    fn every_fate_is_what_it_says() {
        let script = "[[step]]\nchunk = 0\ndo = \"late\"\n[[step]]\nchunk = 1\ndo = \"lost\"\n\
            [[step]]\nchunk = 2\ndo = \"corrected\"\n[[step]]\nchunk = 3\ndo = \"stall\"\nby = 2\n\
            [[step]]\nchunk = 5\ndo = \"twice\"\n";
        let plan = Script::parse(script).unwrap().plan(&trace(6)).unwrap();
        assert_eq!(
            shown(&plan),
            "2.000 0 Listed; 4.000 1 Listed; 4.001 0 Whole; 6.000 2 Listed; 6.000 2 Half; \
             12.000 3 Listed; 12.000 3 Whole; 12.000 4 Listed; 12.000 4 Whole; 12.000 5 Listed; \
             12.000 5 Whole; 12.001 2 Whole; 14.001 5 Again"
        );
        assert_eq!(plan.end, Duration::from_secs(12));
        assert_eq!(plan.fates.map(|(_, count)| count), [1, 1, 1, 1, 0, 1]);
    }

    #[test]
    fn the_same_seed_gives_the_same_plan_and_shares_are_kept() {
        let mut script = Script {
            seed: 5,
            chances: Chances {
                disorder: 0.1,
                loss: 0.1,
                ..Chances::default()
            },
            ..Script::default()
        };
        let first = script.plan(&trace(1000)).unwrap();
        assert_eq!(script.plan(&trace(1000)).unwrap(), first);
        let [(_, late), (_, lost), ..] = first.fates;
        assert!((70..130).contains(&late) && (70..130).contains(&lost));
        script.seed = 6;
        assert_ne!(script.plan(&trace(1000)).unwrap(), first);
        // What is late stays late when something else goes wrong as well.
        script.seed = 5;
        script.chances.stalls = 0.5;
        assert_eq!(script.plan(&trace(1000)).unwrap().fates[0].1, late);
    }

    #[test]
    fn what_cannot_be_played_is_told() {
        let told = |text: &str| {
            let script = Script::parse(text);
            script
                .and_then(|s| s.plan(&trace(3)))
                .unwrap_err()
                .to_string()
        };
        assert!(told("[chances]\nloss = 1.5").contains("chances.loss: 1.5 is not a share"));
        assert!(told("[[step]]\nchunk = 9\ndo = \"lost\"").contains("there is no chunk 9"));
        assert!(told("[[step]]\nchunk = 0\ndo = \"eaten\"").contains("unknown variant `eaten`"));
        assert!(told("chance = 1").contains("unknown field `chance`"));
    }
}
