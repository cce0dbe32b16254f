//! Featurers whose scan says everything by itself: the signature of a chunk is the list of its
//! observations, and the ordered part only passes them on. What runs outside (another program, a model, a
//! server) is a featurer of this kind.

use matchcut_model::time::MediaTime;
use matchcut_model::value::Attributes;
use serde::{Deserialize, Serialize};

use super::fold::{Emission, Fold, FoldBox, Step};

/// One observation of a scan, on the event timeline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Said {
    /// When it begins.
    pub start: MediaTime,
    /// When it ends; equal to `start` for a point.
    pub end: MediaTime,
    /// What was observed.
    pub attributes: Attributes,
}

/// The signature of a chunk of which `said` is said. The order does not matter.
pub fn signature_of(mut said: Vec<Said>) -> Result<Vec<u8>, String> {
    said.sort();
    serde_json::to_vec(&said).map_err(|error| error.to_string())
}

/// The ordered part that passes on what [`signature_of`] wrote.
pub fn pass_on() -> FoldBox {
    FoldBox::new(PassOn)
}

struct PassOn;

impl Fold for PassOn {
    type State = ();

    fn step(&self, step: &Step<'_>, (): &mut (), emit: &mut Vec<Emission>) {
        let Some(signature) = step.signature else {
            return;
        };
        match serde_json::from_slice::<Vec<Said>>(signature) {
            Ok(said) => emit.extend(said.into_iter().map(|said| Emission::Observation {
                start: said.start,
                end: said.end,
                attributes: said.attributes,
            })),
            Err(error) => emit.push(Emission::Failure {
                message: format!("what was said of the chunk cannot be read: {error}"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use matchcut_model::chunk::Position;

    #[test]
    fn what_a_scan_says_is_observed() {
        let said = |millis| Said {
            start: MediaTime::from_millis(millis),
            end: MediaTime::from_millis(millis),
            attributes: Attributes::from([("ball".into(), true.into())]),
        };
        let one = signature_of(vec![said(20), said(10)]).unwrap();
        assert_eq!(one, signature_of(vec![said(10), said(20)]).unwrap());

        let fold = pass_on();
        let mut emitted = Vec::new();
        let mut step = Step::at(Position(0), MediaTime::ZERO);
        step.signature = Some(&one);
        fold.step(&step, &mut fold.initial(), &mut emitted);
        let starts: Vec<MediaTime> = emitted
            .iter()
            .map(|emission| match emission {
                Emission::Observation { start, .. } => *start,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(starts, [10, 20].map(MediaTime::from_millis));

        let mut emitted = Vec::new();
        step.signature = Some(b"nonsense");
        fold.step(&step, &mut fold.initial(), &mut emitted);
        assert!(matches!(&emitted[..], [Emission::Failure { message }]
            if message.starts_with("what was said of the chunk cannot be read")));
    }
}
