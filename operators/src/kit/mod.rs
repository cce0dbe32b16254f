//! The conformance kit: what must hold for every operator, built in or not, tried on a made-up event. An
//! operator that passes gives the same results however often it is asked, from every snapshot of its state,
//! and says nothing but what it declares.
//!
//! ```
//! use matchcut_operators::{kit, registry, sdk::Options};
//!
//! let kind = registry::find("scene_change").unwrap();
//! let operator = kind.build(&Options::new()).unwrap();
//! assert_eq!(kit::conformance(&kind.describe(), &operator), []);
//! ```

mod event;
mod ordered;
mod scans;

use std::fmt;

use matchcut_model::value::Name;

use crate::sdk::{AttributeKind, AttributeSpec, Description, FoldBox, Operator};
use event::Event;

/// A rule that every operator keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A chunk or a step that is good is answered.
    Answers,
    /// Equal chunks give equal signatures, whatever was scanned before.
    Stateless,
    /// Equal inputs and states give equal results and states.
    Deterministic,
    /// The snapshot of a state is all that is remembered: from each, the same follows as the first time.
    Restores,
    /// What is said is of the operator's class, and in order.
    Class,
    /// No attribute but those declared, each of its type.
    Declared,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::Answers => "answers",
            Rule::Stateless => "stateless",
            Rule::Deterministic => "deterministic",
            Rule::Restores => "restores",
            Rule::Class => "class",
            Rule::Declared => "declared",
        })
    }
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// Where, and how.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.message)
    }
}

/// An operator whose observations another one reads.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name.
    pub name: Name,
    /// What it emits.
    pub attributes: Vec<AttributeSpec>,
}

/// What an operator was found to do wrong; the first of each rule. Nothing is what one wants to see.
///
/// The event has four chunks of two seconds with frames at 25 a second, two tracks of sound, points that an
/// input observes (with `hard_cut`, `peak` and `view`), and segments. An operator that calls out is called
/// inline.
pub fn conformance(description: &Description, operator: &Operator) -> Vec<Finding> {
    let attribute = |name, kind| AttributeSpec {
        name,
        kind,
        description: "",
    };
    let input = Input {
        name: "kit".into(),
        attributes: vec![
            attribute("hard_cut", AttributeKind::Boolean),
            attribute("peak", AttributeKind::Boolean),
            attribute("view", AttributeKind::Text),
        ],
    };
    conformance_behind(&[input], description, operator)
}

/// The same for an operator that reads the observations of `inputs`.
pub fn conformance_behind(
    inputs: &[Input],
    description: &Description,
    operator: &Operator,
) -> Vec<Finding> {
    let event = Event::new(description, inputs);
    let mut findings = Vec::new();
    let fold: &FoldBox = operator.fold();
    let lines = scans::scan(&event, operator, &mut findings);
    for line in &lines {
        ordered::fold(&event, line, fold, description, &mut findings);
    }
    findings.sort_by_key(|finding| finding.rule);
    findings.dedup_by_key(|finding| finding.rule);
    findings
}
